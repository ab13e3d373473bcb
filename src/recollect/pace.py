"""Work side by side: how many calls of a model are under way at once, what is told of it, and its stop.

The pace in force is a context variable, as the meter is (`budget.py`): `with paced(pace): ...` around adds, and every step of
theirs that calls a model takes a place first. Adds outside of the block are not held up.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

from .errors import Stopped


class Pace:
    """At most `at_once` steps at once. Who decides goes before who extracts: decisions are what a user's chunks wait for, one
    after the other, where extractions run ahead. Belongs to one event loop."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._came = 0
        self._stopped = False

    @asynccontextmanager
    async def place(self, *, decides: bool) -> AsyncIterator[None]:
        """Around one step. Raises Stopped where the work was stopped before its turn came."""
        await self._taken(decides=decides)
        try:
            yield
        finally:
            self._free += 1
            self._next()

    async def _taken(self, *, decides: bool) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._came += 1
        heapq.heappush(self._waiting, (not decides, self._came, turn))
        self._next()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:  # its turn came just then
                self._free += 1
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting and (self._free or self._stopped):
            turn = heapq.heappop(self._waiting)[-1]
            if turn.done():
                continue
            if self._stopped:
                turn.set_exception(Stopped("the work was stopped"))
            else:
                self._free -= 1
                turn.set_result(None)

    def stop(self) -> None:
        """Let nobody begin a step any more; what is under way goes on to its end."""
        self._stopped = True
        self._next()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def committed(self, batch_id: str, turns: int, decisions: Mapping[str, int]) -> None:
        """A chunk of so many turns of a batch is committed; what was decided, by op. For those who count."""

    def rejected(self, facts: int) -> None:
        """So many facts of a chunk were rejected. For those who count."""


_in_force: ContextVar[Pace | None] = ContextVar("pace", default=None)


def pace() -> Pace | None:
    """The pace in force here; None where adds go as they come."""
    return _in_force.get()


@contextmanager
def paced(by: Pace) -> Iterator[None]:
    """Put every step in this block, and in tasks that it starts, under a pace."""
    token = _in_force.set(by)
    try:
        yield
    finally:
        _in_force.reset(token)


@asynccontextmanager
async def step(*, decides: bool) -> AsyncIterator[None]:
    """Around a step that may call a model. Raises Stopped."""
    current = pace()
    if current is None:
        yield
        return
    async with current.place(decides=decides):
        yield
