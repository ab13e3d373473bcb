"""`recollect backup` and `recollect restore`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ...adapters.database import FILE_NAME
from ...errors import InvalidInput
from ...results import Backup
from ...trace import Copied, Event
from .common import Common, called, console, say
from .safe import count


class Bar:
    """How much is copied, on standard error."""

    def __init__(self, common: Common, doing: str) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
        )
        self.task = self.progress.add_task(doing, total=None)

    def copied(self, done: int, total: int) -> None:
        """So many bytes of so many."""
        self.progress.update(self.task, completed=done, total=total)

    def on_event(self, event: Event) -> None:
        """The same, of a memory's events."""
        if isinstance(event, Copied):
            self.copied(event.bytes, event.of)


def backup(common: Common, destination: Path, *, overwrite: bool) -> None:
    """Copy the store that is there; none is made for it."""
    if not list(common.folder().glob(f"{FILE_NAME}*")):
        raise InvalidInput("--store", f"there is no store in {common.folder()}")
    bar = Bar(common, "copying")
    with common.open(bar.on_event) as memory, bar.progress, called(path="DESTINATION"):
        made = memory.backup(destination, overwrite=overwrite)
    show(common, made, "written, checked and safe on disk")


def restore(common: Common, source: Path, *, force: bool) -> None:
    """Make a store of a backup."""
    from ...build import restore_store

    bar = Bar(common, "restoring")
    with bar.progress, called(path="SOURCE"):
        made = restore_store(source, common.folder(), force=force, progress=bar.copied)
    show(common, made, "restored; `recollect doctor` looks closer")


def show(common: Common, made: Backup, what: str) -> None:
    """What is in a copy."""
    if common.json:
        common.answer(made.model_dump(mode="json"))
        return
    say(f"{made.path}: {what}")
    pending = f", {count(made.pending, 'batch', 'batches')} pending" if made.pending else ""
    say(f"{count(made.users, 'user')}, {count(made.turns, 'turn')}, {count(made.changes, 'change')}{pending}")
