"""`recollect export`: what is held on a user."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...adapters.database import FILE_NAME
from ...errors import InvalidInput
from ...trace import Event, Exported, Listener
from .common import Common, called, console, say
from .safe import count


def export(common: Common, out: Path | None, *, overwrite: bool) -> None:
    """The document, to a file with progress on standard error, or to standard output."""
    require_store(common)
    if out is None:
        with common.open() as memory:
            common.answer(memory.export(user_id=common.user_id))
        return
    progress, on_event = bar(common)
    with common.open(on_event) as memory, progress, called(path="--out"):
        head = memory.export(user_id=common.user_id, path=out, overwrite=overwrite)
    if common.json:
        common.answer({**head, "path": str(out)})
        return
    counts = head["counts"]
    say(f"{out}: {count(sum(counts.values()), 'record')} on {common.user_id}, readable for you alone")
    versions = count(counts["memories"], "version of a memory", "versions of memories")
    say(f"{count(counts['turns'], 'turn')}, {versions}, {count(counts['history'], 'change')}")


def export_lines(
    common: Common, out: Path | None, format_name: str, *, everyone: bool, vectors: bool, overwrite: bool
) -> None:
    """An interchange file, of one user or of all."""
    require_store(common)
    if format_name != "jsonl":
        problem = "--all and --no-vectors go with --format jsonl" if format_name == "json" else "is json or jsonl"
        raise InvalidInput("--format", problem)
    if out is None:
        raise InvalidInput("--out", "--format jsonl is written to a file: name it")
    if everyone and common.user is not None:
        raise InvalidInput("--all", "is everybody: it goes without --user")
    progress, on_event = bar(common)
    with common.open(on_event) as memory, progress, called(path="--out"):
        if everyone:
            told = memory.export_all(out, overwrite=overwrite, vectors=vectors)
        else:
            told = memory.export(user_id=common.user_id, path=out, overwrite=overwrite, format="jsonl", vectors=vectors)
    if common.json:
        common.answer({**told, "path": str(out)})
        return
    counts = told["counts"]
    whose = count(told["users"], "user") if everyone else common.user_id
    say(f"{out}: {count(sum(counts.values()), 'line')} on {whose}, readable for you alone")
    versions = count(counts.get("version", 0), "version of a memory", "versions of memories")
    say(f"{count(counts.get('turn', 0), 'turn')}, {versions}, {count(counts.get('change', 0), 'change')}")


def bar(common: Common) -> tuple[Progress, Listener]:
    """A bar of records on standard error, and what moves it."""
    progress = Progress(
        TextColumn("exporting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
        disable=common.json or not sys.stderr.isatty(),
        transient=True,
    )
    task = progress.add_task("", total=None)

    def on_event(event: Event) -> None:
        if isinstance(event, Exported):
            progress.update(task, completed=event.records, total=event.of)

    return progress, on_event


def require_store(common: Common) -> None:
    """Asking makes no store. Raises InvalidInput."""
    if not list(common.folder().glob(f"{FILE_NAME}*")):
        raise InvalidInput("--store", f"there is no store in {common.folder()}")
