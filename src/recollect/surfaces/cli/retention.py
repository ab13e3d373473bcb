"""`recollect retention`: destroy what is kept no longer, of one user or of all, with a bar; stopped, it says how to go on."""

from __future__ import annotations

import sys

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...errors import RecollectError
from ...results import RetentionReceipt
from ...trace import Event, Purged
from .common import FAULT, Common, console, describe, exit_code_of, report, say
from .erase import confirm, show
from .export import require_store
from .safe import count, moment, plain


class Bar:
    """How far it is, on standard error. `last`: what was told last, None before it began."""

    def __init__(self, common: Common) -> None:
        self.last: Purged | None = None
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("users"))
        hidden = common.json or not sys.stderr.isatty()
        self.progress = Progress(
            *columns, TimeRemainingColumn(), console=console(stderr=True), disable=hidden, transient=True
        )
        self.task = self.progress.add_task("erasing", total=None)

    def on_event(self, event: Event) -> None:
        """Move on; what comes after the last user is the rewriting of the files."""
        if isinstance(event, Purged):
            self.last = event
            doing = "cleaning the files" if event.users == event.of else "erasing"
            self.progress.update(self.task, description=doing, completed=event.users, total=event.of)


def run(common: Common, older_than: str | None, *, expired: bool, dry: bool, yes: bool) -> int:
    """Ask, destroy what is kept no longer, and show the receipt; the exit code."""
    if older_than is None and not expired:
        raise typer.BadParameter("say --older-than, or leave --no-expired out", param_hint="--older-than")
    require_store(common)
    confirm(meant(common, older_than, expired=expired), common, yes=yes or dry)
    bar = Bar(common)
    try:
        with common.open(bar.on_event) as memory, bar.progress:
            receipt = memory.retention(older_than, expired=expired, dry_run=dry, **common.owner)
    except RecollectError:
        show_left(common, bar.last, dry=dry)
        raise
    except KeyboardInterrupt as stop:
        show_left(common, bar.last, dry=dry)
        report(*describe(stop), as_json=common.json)
        return exit_code_of(stop)
    if common.json:
        common.answer(receipt.model_dump(mode="json"))
    else:
        summarise(receipt)
    return 0 if receipt.complete or dry else FAULT


def meant(common: Common, older_than: str | None, *, expired: bool) -> str:
    """What is to be destroyed, in words."""
    whose = "anybody" if common.user is None else common.user
    age = f"everything of {whose} that is older than {older_than}" if older_than is not None else ""
    over = f"everything of {whose} that has expired" if expired else ""
    return f"{', and '.join(one for one in (age, over) if one)}, and all that came of it"


def summarise(receipt: RetentionReceipt) -> None:
    """Of how many users something went, since when nothing is left, and what went."""
    older = "" if receipt.before is None else f"; nothing that was said before {moment(receipt.before)} is kept"
    if receipt.dry_run:
        taken = f"{count(receipt.memories, 'memory', 'memories')}, {count(receipt.turns, 'turn')}"
        say(f"Would erase {taken} of {count(receipt.users, 'user')}. Nothing was erased.")
        return
    say(f"{count(receipt.users, 'user')}{older}")
    show(receipt)


def show_left(common: Common, last: Purged | None, *, dry: bool) -> None:
    """That what went is gone, and how to go on."""
    if last is None or common.json or dry:
        return
    taken = f"{count(last.memories, 'memory', 'memories')}, {count(last.turns, 'turn')}"
    say(f"{last.users:,} of {count(last.of, 'user')} done, erased so far: {plain(taken)}", stderr=True)
    say(
        "The same command goes on from there. It, `recollect resume` or the next opening cleans the files.", stderr=True
    )
