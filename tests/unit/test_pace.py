"""How many steps are under way at once, whose turn it is, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from recollect.errors import Stopped
from recollect.pace import Pace, pace, paced, step


async def stand(
    by: Pace, name: str, order: list[str], *, decides: bool = False, until: asyncio.Event | None = None
) -> None:
    async with by.place(decides=decides):
        order.append(name)
        await (until.wait() if until is not None else asyncio.sleep(0))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_who_decides_goes_first_and_the_others_in_their_order():
    async def run():
        by, order, free = Pace(1), [], asyncio.Event()
        tasks = [asyncio.create_task(stand(by, "first", order, until=free))]
        await settle()
        for name, decides in (("extract 1", False), ("extract 2", False), ("decide 1", True), ("decide 2", True)):
            tasks.append(asyncio.create_task(stand(by, name, order, decides=decides)))
            await settle()
        assert order == ["first"]
        free.set()
        await asyncio.gather(*tasks)
        assert order == ["first", "decide 1", "decide 2", "extract 1", "extract 2"]

    asyncio.run(run())


def test_a_place_that_nobody_waits_for_any_more_goes_to_the_next():
    async def run():
        by, order, free = Pace(1), [], asyncio.Event()
        first = asyncio.create_task(stand(by, "first", order, until=free))
        await settle()
        gone, next_one = (asyncio.create_task(stand(by, name, order)) for name in ("gone", "next"))
        await settle()
        gone.cancel()
        free.set()
        await asyncio.gather(first, next_one)
        late = asyncio.create_task(stand(by, "late", order, until=(held := asyncio.Event())))
        await settle()
        # its turn comes, and in the same moment it is cancelled
        waiting = asyncio.create_task(stand(by, "waiting", order))
        await settle()
        held.set()
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(late, waiting, return_exceptions=True)
        await asyncio.wait_for(stand(by, "last", order), 5)
        assert order[:2] == ["first", "next"] and order[-1] == "last"

    asyncio.run(run())


def test_stopped_nobody_begins_and_who_is_at_it_ends():
    async def run():
        by, order, free = Pace(1), [], asyncio.Event()
        first = asyncio.create_task(stand(by, "first", order, until=free))
        await settle()
        second = asyncio.create_task(stand(by, "second", order))
        await settle()
        by.stop()
        with pytest.raises(Stopped):
            await second
        with pytest.raises(Stopped):
            await stand(by, "third", order)
        free.set()
        await first
        assert order == ["first"] and by.stopped

    asyncio.run(run())


def test_only_what_is_in_the_block_is_held_up():
    async def run():
        by = Pace(1)
        by.stop()
        with paced(by):
            assert pace() is by
            with pytest.raises(Stopped):
                async with step(decides=True):
                    pass
        async with step(decides=True):
            assert pace() is None

    asyncio.run(run())
