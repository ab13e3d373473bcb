"""The lock between processes: it is asked for so often that a process which writes on and on keeps nobody out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from recollect.adapters import database
from recollect.adapters.database import Database
from recollect.errors import StoreBusy


@pytest.fixture
def busy(tmp_path):
    """A database that waits a second at most, and the connection of another process, which is writing."""
    with (
        closing(Database(tmp_path, busy_timeout_s=1)) as mine,
        closing(sqlite3.connect(mine.path, isolation_level=None, timeout=0)) as theirs,
    ):
        theirs.execute("BEGIN IMMEDIATE")
        yield mine, theirs


@pytest.fixture
def pauses(busy, monkeypatch):
    """The pauses between two tries; in the third one the other process is between two transactions."""
    _, theirs = busy
    made = []

    def between(seconds):
        made.append(seconds)
        if len(made) == 3:
            theirs.execute("COMMIT")

    monkeypatch.setattr(database, "time", SimpleNamespace(monotonic=lambda: 0.0, sleep=between))
    return made


def write(mine):
    with mine.write() as db:
        db.execute("INSERT INTO store VALUES ('mine', '1')")
    return True


@pytest.mark.parametrize(
    "work", [write, Database.rewrite, lambda mine: mine.empty_log(1)], ids=["a commit", "a rewrite", "the log's end"]
)
def test_the_moment_between_two_transactions_of_another_process_is_met(busy, pauses, work):
    mine, _ = busy
    assert work(mine) in (True, None)
    assert len(pauses) == 3 and max(pauses) <= 0.001


def test_who_waits_too_long_is_told(busy):
    mine, theirs = busy
    with pytest.raises(StoreBusy):
        write(mine)
    assert not mine.empty_log(0.1)
    theirs.execute("COMMIT")
    assert write(mine) and mine.empty_log(0.1)


def test_every_connection_waits_as_long(tmp_path, monkeypatch):
    """The look at the mark too: whoever closes the store last has it for himself while the log is worked in."""
    connect, waits = sqlite3.connect, []

    def noted(*arguments, timeout=None, **options):
        waits.append(timeout)
        return connect(*arguments, timeout=timeout, **options)

    monkeypatch.setattr(database.sqlite3, "connect", noted)
    for _ in range(2):  # the second one finds a mark
        Database(tmp_path, busy_timeout_s=7).close()
    assert waits == [7] * 3
