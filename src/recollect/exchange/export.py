"""`export`: everything that is held on one user, as JSON."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from .. import check
from ..build import Store, path_of
from ..errors import Closed
from ..records import Space
from ..times import now
from ..trace import Exported, Listener, emit

Progress: TypeAlias = Callable[[int, int], None]

NOBODY = Space(0)  # SQLite numbers users from 1


async def export(
    store: Store, user_id: str | None, path: str | os.PathLike[str] | None, overwrite: bool, listener: Listener | None
) -> dict[str, Any]:
    """The document; or, with a path, what stands before its sections. Where writing is cancelled, it stops and leaves nothing."""
    target = None if path is None else path_of("path", path, "file")
    check.flag("overwrite", overwrite)
    space = await store.in_thread(store.ledger.space, user_id) or NOBODY
    head = {"user_id": user_id, "exported_at": now().isoformat()}

    def work(progress: Progress) -> dict[str, Any]:
        if target is None:
            return store.export.document(space, head)
        return store.export.write(space, head, target, overwrite=overwrite, progress=progress)

    return await _written(store, work, listener)


async def export_lines(
    store: Store,
    user_id: str | None,
    path: str | os.PathLike[str],
    *,
    everyone: bool,
    vectors: bool,
    overwrite: bool,
    listener: Listener | None,
) -> dict[str, Any]:
    """The interchange file of a user, or of all; how much is in it. Where writing is cancelled, it stops and leaves nothing."""
    target = path_of("path", path, "file")
    check.flag("overwrite", overwrite)
    check.flag("vectors", vectors)
    spaces = None
    if not everyone:
        space = await store.in_thread(store.ledger.space, user_id)
        spaces = [] if space is None else [(space, user_id)]

    def work(progress: Progress) -> dict[str, Any]:
        return store.interchange.write(
            spaces, target, exported_at=now(), vectors=vectors, overwrite=overwrite, progress=progress
        )

    return await _written(store, work, listener)


async def _written(
    store: Store, work: Callable[[Progress], dict[str, Any]], listener: Listener | None
) -> dict[str, Any]:
    """Do it in a thread. A cancellation stops it at its next word of how far it is."""
    stopped = threading.Event()

    def progress(done: int, total: int) -> None:
        if stopped.is_set():
            raise Closed("the export was stopped")
        emit(listener, Exported(done, total))

    try:
        made: dict[str, Any] = await store.in_thread(work, progress)
        return made
    except asyncio.CancelledError:
        stopped.set()
        raise
