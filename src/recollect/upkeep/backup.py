"""`backup`: a copy of the store in one file, while everything goes on."""

from __future__ import annotations

import asyncio
import os
import threading

from .. import check
from ..build import Store, path_of
from ..errors import Closed
from ..results import Backup
from ..trace import Copied, Listener, emit


async def back_up(store: Store, path: str | os.PathLike[str], overwrite: bool, listener: Listener | None) -> Backup:
    """Copy the ledger in a worker thread; where that is cancelled, the copying stops and leaves nothing."""
    target = path_of("path", path, "file")
    check.flag("overwrite", overwrite)
    stopped = threading.Event()

    def progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise Closed("the backup was stopped")
        emit(listener, Copied(done, total))

    def copy() -> Backup:
        return store.ledger.back_up(target, overwrite=overwrite, progress=progress)

    try:
        made: Backup = await store.in_thread(copy)
        return made
    except asyncio.CancelledError:
        stopped.set()
        raise
