"""`delete_all` takes memories back and turns out of search, at once and for every process; `undo` brings back both."""

from __future__ import annotations

import pytest

from recollect import Memory
from recollect.errors import NotFound, UndoConflict
from recollect.testing import HashEmbedder, ScriptedLanguage

BOTH = ("memories", "turns")


def seen(memory, query="home Rome hello likes tea", **narrow):
    """The texts of all that search finds."""
    return {hit.text for hit in memory.search(query, user_id="u", include=BOTH, limit=50, min_score=0, **narrow)}


def fill(memory):
    memory.add("hello there, home alone", user_id="u", session_id="one", metadata={"topic": "talk"})
    memory.add("home = Rome", user_id="u", session_id="one", agent_id="x")
    memory.add("likes += tea", user_id="u", session_id="two", metadata={"topic": "food"})
    memory.add("hello again", user_id="u", session_id="two")


EVERYTHING = {"hello there, home alone", "home = Rome", "home is Rome", "likes += tea", "likes is tea", "hello again"}


def test_nothing_is_found_again(memory):
    fill(memory)
    assert seen(memory) == EVERYTHING
    deleted = memory.delete_all(user_id="u")
    assert deleted == 2 and f"{deleted}" == "2"
    assert seen(memory) == set() and memory.count(user_id="u") == 0
    assert str(memory.context("hello", user_id="u", min_score=0)) == ""
    assert memory.verify().ok


@pytest.mark.parametrize(
    ("narrow", "gone"),
    [
        ({"session_id": "one"}, {"hello there, home alone", "home = Rome", "home is Rome"}),
        ({"agent_id": "x"}, {"home = Rome", "home is Rome"}),
        ({"metadata_filter": {"topic": "food"}}, {"likes += tea", "likes is tea"}),
        ({"metadata_filter": {"topic": "talk"}}, {"hello there, home alone"}),
        ({"session_id": "three"}, set()),
    ],
)
def test_a_narrower_deletion_takes_the_same_selection_of_turns(memory, narrow, gone):
    fill(memory)
    deleted = memory.delete_all(user_id="u", **narrow)
    assert deleted == len([text for text in gone if " is " in text])
    assert seen(memory) == EVERYTHING - gone
    if gone:
        memory.undo(deleted.batch_id)
    else:
        assert deleted.batch_id is None
    assert seen(memory) == EVERYTHING and memory.verify().ok


def test_what_was_known_before_is_still_known(memory):
    fill(memory)
    before = memory.history(memory.get_all(user_id="u")[-1].id)[-1].recorded_at
    deleted = memory.delete_all(user_id="u")
    after = memory.undo(deleted.batch_id)[-1].recorded_at
    memory.delete_all(user_id="u")
    assert seen(memory, known_at=before) == EVERYTHING
    assert seen(memory, known_at=after) == EVERYTHING
    assert seen(memory) == set()


def test_one_change_brings_back_one_memory_and_the_last_one_the_turns(memory):
    fill(memory)
    rome = next(item.id for item in memory.get_all(user_id="u") if item.text == "home is Rome")
    deleted = memory.delete_all(user_id="u")
    memory.undo(memory.history(rome)[-1].id)
    assert seen(memory) == {"home is Rome"}
    assert [source.quote for source in memory.sources(rome)] == ["home = Rome"]
    undoing = memory.undo(deleted.batch_id)  # the rest
    assert [change.memory.text for change in undoing if change.memory] == ["likes is tea"]
    assert seen(memory) == EVERYTHING
    with pytest.raises(UndoConflict):
        memory.undo(undoing[0].undoes)
    with pytest.raises(NotFound):
        memory.undo(deleted.batch_id, user_id="other")


def test_an_undoing_is_undone_and_done_again(memory):
    memory.add("hello there", user_id="u")
    first = memory.delete_all(user_id="u")
    assert first == 0 and seen(memory) == set()
    (shown,) = memory.undo(first.batch_id)
    assert seen(memory) == {"hello there"}
    second = memory.delete_all(user_id="u")
    (hidden,) = memory.undo(shown.id)  # the first deletion stands again, beside the second
    memory.undo(second.batch_id)
    assert seen(memory) == set()
    memory.undo(hidden.id)
    assert seen(memory) == {"hello there"} and memory.verify().ok


def test_other_processes_follow(tmp_path):
    first, second = (Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) for _ in range(2))
    with first, second:
        fill(first)
        assert seen(second) == EVERYTHING
        deleted = first.delete_all(user_id="u")
        assert seen(second) == set()
        second.undo(deleted.batch_id)
        assert seen(first) == EVERYTHING
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as reopened:
        assert seen(reopened) == EVERYTHING


class Nosy(ScriptedLanguage):
    """Keeps what it was shown as context."""

    def __init__(self):
        self.context = []

    async def extract(self, chunk):
        self.context = [turn.content for turn in chunk.context]
        return await super().extract(chunk)


def test_nothing_new_is_learnt_from_turns_that_were_taken_out(tmp_path):
    nosy = Nosy()
    with Memory(tmp_path, llm=nosy, embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u", session_id="s")
        memory.add("likes += tea", user_id="u", session_id="s")
        assert nosy.context == ["home = Rome"]
        memory.delete_all(user_id="u")
        memory.add("likes += rum", user_id="u", session_id="s")
        assert nosy.context == []
        assert seen(memory) == {"likes is rum", "likes += rum"}


def test_turns_that_were_hidden_twice_by_undoings_are_hidden_once_again(memory):
    memory.add("hello there", user_id="u")

    def undone(change_id):
        (change,) = memory.undo(change_id)
        return change.id

    shown = undone(memory.delete_all(user_id="u").batch_id)
    deletion = memory._memory._store.ledger.change(shown).undoes
    hidden = undone(shown)
    shown_again = undone(hidden)
    undone(shown)
    undone(shown_again)  # now two hidings of the turn stand, both of them the first deletion's
    shown_for_good = undone(deletion)
    assert seen(memory) == {"hello there"}
    undone(shown_for_good)
    assert seen(memory) == set() and memory.verify().ok


def test_two_processes_at_once_take_back_what_there_is_once(tmp_path, monkeypatch):
    def opened():
        return Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())

    with opened() as memory, opened() as other:
        fill(memory)
        store, counts = memory._memory._store, []
        get = store.partitions.get

        def overtaken(*arguments):
            view = get(*arguments)
            if not counts:
                counts.append(other.delete_all(user_id="u"))
            return view

        monkeypatch.setattr(store.partitions, "get", overtaken)
        assert memory.delete_all(user_id="u") == 0 and counts == [2]
        assert seen(memory) == set() and memory.verify().ok
