"""`recollect import`: what an export gave out, or another memory has, into this store."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ...adapters.database import FILE_NAME
from ...errors import InvalidInput
from ...exchange.importing import read_through
from ...results import ForeignReport, ImportedUser, ImportReport
from ...trace import Event, Imported
from .common import FAULT, Common, as_options, called, console, describe, exit_code_of, report, say
from .safe import count, plain

SHOWN = 20  # users, or what was left out, that are told one by one
PYTHON_VARIABLE = "RECOLLECT_MEM0_PYTHON"


class Bar:
    """How far an import is, on standard error: a bar that begins anew with each step."""

    def __init__(self, common: Common) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
        )
        self.task = self.progress.add_task("checking", total=None)
        self.step = "checking"

    def on_event(self, event: Event) -> None:
        """Move it."""
        if isinstance(event, Imported):
            if event.step != self.step:
                self.step = event.step
                self.progress.reset(self.task, description=event.step)
            self.progress.update(self.task, completed=event.done, total=event.of or None)


def from_file(common: Common, file: Path | None, *, dry_run: bool, skip_existing: bool, allow_erased: bool) -> int:
    """An interchange file; the exit code. A dry run makes no store where there is none."""
    if file is None:
        raise InvalidInput("FILE", "name the file that `recollect export --format jsonl` wrote, or say --from mem0")
    if dry_run and not list(common.folder().glob(f"{FILE_NAME}*")):
        users = read_through(file, *([] if common.user is None else [common.user]))
        show(common, ImportReport(users=tuple(users), dry_run=True))
        return 0
    bar = Bar(common)
    try:
        with common.open(bar.on_event) as memory, bar.progress:
            told = memory.import_file(
                file, dry_run=dry_run, skip_existing=skip_existing, allow_erased=allow_erased, **common.owner
            )
    except KeyboardInterrupt as stop:
        return stopped(common, stop)
    show(common, told)
    return 0


def stopped(common: Common, stop: KeyboardInterrupt) -> int:
    """Ctrl-C: what came is kept, and how to go on; the exit code."""
    report(*describe(stop), as_json=common.json)
    if not common.json:
        say("The same command goes on from there; `recollect resume` makes up for vectors.", stderr=True)
    return exit_code_of(stop)


def from_mem0(
    common: Common,
    source: str,
    file: Path | None,
    python: Path | None,
    config: Path | None,
    *,
    dry_run: bool,
    allow_erased: bool,
) -> int:
    """A mem0 store; the exit code, which says where something was left out."""
    if source != "mem0":
        raise InvalidInput("--from", f"there is mem0, not {source[:40]!r}")
    if file is not None:
        raise InvalidInput("FILE", "goes without --from: what mem0 has is found by --mem0-config")
    if python is None and (named := os.environ.get(PYTHON_VARIABLE)):
        python = Path(named)
    if python is None or config is None:
        raise InvalidInput("--mem0-python" if python is None else "--mem0-config", "is needed with --from mem0")
    bar = Bar(common)
    try:
        with (
            common.open_or_try(bar.on_event, dry=dry_run) as memory,
            bar.progress,
            called(config="--mem0-config", python="--mem0-python"),
        ):
            told = memory.import_mem0(python, config, dry_run=dry_run, allow_erased=allow_erased, **common.owner)
    except KeyboardInterrupt as stop:
        return stopped(common, stop)
    if common.json:
        common.answer(told.model_dump(mode="json"))
    else:
        show_foreign(told)
    return FAULT if told.left_out else 0


def show_foreign(made: ForeignReport) -> None:
    """What came, and what did not."""
    found = f"{count(made.found, 'memory', 'memories')} of {count(made.users, 'user')} in {made.source}"
    say(f"{found}, {count(made.versions, 'version')}")
    if made.dry_run:
        say("Nothing was written.")
    else:
        more = f", {made.erased:,} left out that had been erased" if made.erased else ""
        more += f", {made.quarantined:,} quarantined (`recollect quarantine list`)" if made.quarantined else ""
        say(f"{made.imported:,} imported, {made.there:,} there already{more}")
    for one in made.left_out[:SHOWN]:
        say(f"left out: {plain(one.id)}: {plain(as_options(one.reason))}", stderr=True)
    if len(made.left_out) > SHOWN:
        say(f"… and {len(made.left_out) - SHOWN:,} more (--json tells all)", stderr=True)


def show(common: Common, made: ImportReport) -> None:
    """What came, user by user, and what is left to do."""
    if common.json:
        common.answer(made.model_dump(mode="json"))
        return
    for one in made.users[:SHOWN]:
        say(f"{whose(one)}: {line(one)}")
    if len(made.users) > SHOWN:
        say(f"… and {count(len(made.users) - SHOWN, 'more user')}")
    say(summary(made))
    if made.embedded:
        say(f"{count(made.embedded, 'text')} embedded")
    if made.waiting:
        say(f"{count(made.waiting, 'text')} wait for their vectors; `recollect resume` makes up for them", stderr=True)


def whose(one: ImportedUser) -> str:
    """A user's name, as a line shows it."""
    return "(the shared space)" if one.user_id is None else plain(one.user_id)


def line(one: ImportedUser) -> str:
    """A user on one line."""
    if one.status in ("refused", "skipped", "there"):
        return _STATUS[one.status]
    has = f"{count(one.turns, 'turn')}, {count(one.versions, 'version')}, {count(one.changes, 'change')}"
    more = f"; {count(one.erased, 'turn')} that had been erased left out" if one.erased else ""
    more += f"; secrets left out of {count(one.redacted, 'line')}" if one.redacted else ""
    return f"{_STATUS[one.status]}: {has}{more}"


_STATUS = {
    "new": "would come",
    "imported": "imported",
    "there": "there already, nothing to do",
    "skipped": "left out: the store has other memories of this user",
    "refused": "would be refused: the store has other memories of this user (--skip-existing leaves such users out)",
}


def summary(made: ImportReport) -> str:
    """All users in one line."""
    if made.dry_run:
        return f"{count(sum(one.status == 'new' for one in made.users), 'user')} would come; nothing was written"
    return f"{count(sum(one.status == 'imported' for one in made.users), 'user')} imported"
