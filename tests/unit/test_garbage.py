"""What is set aside from garbage collections, and that it comes back."""

from __future__ import annotations

import gc

import pytest

from recollect import Memory
from recollect.formats import Conversation, Session
from recollect.garbage import SetAside
from recollect.ingest import ingest
from recollect.model import Message, Role
from recollect.testing import HashEmbedder


@pytest.fixture(autouse=True)
def nothing_is_set_aside():
    assert not gc.get_freeze_count()
    yield
    gc.unfreeze()


def is_set_aside(thing):
    """This very one: how many are is for other threads to change, too."""
    return not any(one is thing for one in gc.get_objects())


def test_what_was_there_is_set_aside_until_the_last_work_is_done():
    one, other = SetAside(), SetAside()
    one.set_aside()
    other.set_aside()
    one.take_back()
    assert gc.get_freeze_count()
    other.take_back()
    assert not gc.get_freeze_count()


def test_what_has_come_since_is_set_aside_with_it():
    work = SetAside()
    work.set_aside()
    later: list[int] = []
    assert not is_set_aside(later)
    work.set_aside()
    assert is_set_aside(later)
    work.take_back()
    work.take_back()
    assert not gc.get_freeze_count()


def test_a_process_that_does_so_itself_is_left_alone():
    before: list[int] = []
    gc.freeze()
    later: list[int] = []
    work = SetAside()
    work.set_aside()
    assert is_set_aside(before) and not is_set_aside(later)
    work.take_back()
    assert is_set_aside(before) and not is_set_aside(later)


@pytest.mark.parametrize("fails", [False, True])
def test_an_ingestion_takes_it_back(tmp_path, fails):
    seen = []

    def look(_progress):
        seen.append(gc.get_freeze_count())
        if fails:
            raise RuntimeError("of the caller's")

    talk = Conversation("talk", (Session("one", (Message(Role.USER, "I have a dog called Rex."),)),))
    with Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as memory:
        if fails:
            with pytest.raises(RuntimeError):
                ingest(memory, [talk], on_progress=look)
        else:
            ingest(memory, [talk], on_progress=look)
    assert seen[0]
    assert not gc.get_freeze_count()
