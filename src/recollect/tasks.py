"""Tasks side by side: none is left behind, and errors leave as they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
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


async def whole(work: Awaitable[T]) -> T:
    """Work that is brought to its end also where we are cancelled meanwhile, before that is passed on."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen: it is the cancellation that is passed on
        raise


async def together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do work side by side, all of it to its end; the first error is then raised as it is."""
    tasks = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.wait(tasks)
        for task in tasks:
            await task
    finally:
        await cancel(tasks)


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks that are not done, and wait until they are. Their errors are those of a work that is over."""
    every = list(tasks)
    for task in every:
        task.cancel()
    await asyncio.gather(*every, return_exceptions=True)
