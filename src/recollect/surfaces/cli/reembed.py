"""`recollect reembed`: another embedder for the store, with a bar; stopped, it says how to go on."""

from __future__ import annotations

import sys
from dataclasses import replace

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...errors import RecollectError
from ...results import Reembedded
from ...trace import Event, Reembedding
from .common import Common, console, describe, exit_code_of, report, say
from .safe import count, plain


class Bar:
    """How far it is, on standard error. `last`: what was told last, None before it began."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self.last: Reembedding | None = None
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("passages"), TimeRemainingColumn())
        hidden = common.json or not sys.stderr.isatty()
        self.progress = Progress(*columns, console=console(stderr=True), disable=hidden, transient=True)
        self.task = self.progress.add_task("embedding")

    def on_event(self, event: Event) -> None:
        """Say first how much there is to do, then move the bar."""
        if not isinstance(event, Reembedding):
            return
        if self.last is None and not self.common.json:
            done = f", {event.done:,} of them done already" if event.done else ""
            say(f"to embed by {plain(event.embedder)}: {count(event.passages, 'passage')}{done}", stderr=True)
        self.last = event
        self.progress.update(self.task, completed=event.done, total=event.passages)


def run(common: Common) -> None:
    """Embed the store anew, and say what was done."""
    bar = Bar(common)
    try:
        result = reembed(common, bar)
    except RecollectError:
        show_left(common, bar.last)
        raise
    except KeyboardInterrupt as stop:
        show_left(common, bar.last)
        report(*describe(stop), as_json=common.json)
        raise typer.Exit(exit_code_of(stop)) from None
    if common.json:
        common.answer(result.model_dump(mode="json"))
    elif result.embedded or bar.last is not None:
        say(
            f"{count(result.passages, 'passage')} by {plain(result.embedder)} now, {result.embedded:,} embedded in this run."
        )
    else:
        say(f"Nothing to do: the store is by {plain(result.embedder)} already.")


def reembed(common: Common, bar: Bar) -> Reembedded:
    """The store is opened with its own embedder, whichever that is: only the new one is needed."""
    own = replace(common, embedder=None, embedder_api_base=None, embedder_api_key=None)
    base, key = common.value("embedder_api_base"), common.value("embedder_api_key") or None
    with own.existing(bar.on_event) as memory, bar.progress:
        return memory.reembed(common.embedder, embedder_api_base=base, embedder_api_key=key)


def show_left(common: Common, last: Reembedding | None) -> None:
    """That nothing is lost, and how to go on."""
    if last is not None and not common.json:
        done = f"{last.done:,} of {count(last.passages, 'passage')}"
        say(
            f"{done} embedded, and kept: the same command goes on from there. Until then all is as before.", stderr=True
        )
