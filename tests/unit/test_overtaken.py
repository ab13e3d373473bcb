"""A writer that was overtaken: how long it waits for the turn of another."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from recollect.errors import RevisionConflict, StoreBusy, UserClaimed
from recollect.times import now
from recollect.writing import write


@pytest.fixture
def clock(monkeypatch):
    """The time, as `write` is told it, and how it passes; nobody sleeps."""
    time = [now()]

    async def passes(seconds):
        time[0] += timedelta(seconds=seconds)

    monkeypatch.setattr(write, "now", lambda: time[0])
    monkeypatch.setattr("recollect.writing.write.asyncio.sleep", passes)
    return passes


def test_the_turn_of_another_is_waited_for_however_long_deciding_took(clock):
    async def run():
        overtaken, waited = write.Overtaken(), 0
        for _ in range(2):  # another's turn, and after a commit the next one's
            await clock(100)
            for _ in range(int(write.PATIENCE.total_seconds() / write.POLL_S)):
                await overtaken.by(UserClaimed("another goes first"))
                waited += 1
            await overtaken.by(RevisionConflict("it has committed"))
        await overtaken.by(UserClaimed("another goes first"))
        await clock(write.PATIENCE.total_seconds())
        with pytest.raises(StoreBusy):
            await overtaken.by(UserClaimed("and takes long"))
        assert waited == 3_000 and overtaken.times == 2

    asyncio.run(run())


def test_one_that_is_overtaken_without_end_gives_up(clock):
    async def run():
        overtaken = write.Overtaken()
        with pytest.raises(RevisionConflict):
            for _ in range(write.MAX_CONFLICTS):
                await overtaken.by(RevisionConflict("another was faster"))
        assert overtaken.times == write.MAX_CONFLICTS

    asyncio.run(run())
