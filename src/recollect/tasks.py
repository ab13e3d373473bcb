"""Tasks side by side: none is left behind, and errors leave as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")


@asynccontextmanager
async def cancelled_after(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work beside a block, until the block ends."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel([task])


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do work side by side, all of it to its end; the first error is then raised as it is."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks)
        for task in tasks:
            await task
    finally:
        await cancel(tasks)


async def whole(work: Awaitable[T]) -> T:
    """The work's answer. Where the waiting is cancelled, the work is still waited for: what it holds can be given back."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        with suppress(Exception):  # of work that nobody waits for any more
            task.result()
        raise cancelled
    return task.result()


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that are not done, and wait until they are. Their errors are those of a work that is over."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
