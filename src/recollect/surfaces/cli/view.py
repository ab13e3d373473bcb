"""What is shown while a command works: decisions as they are committed, a bar below them; or, for --json, collected."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any, Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...trace import Committed, Event, Extracted
from .common import Common, console


class View:
    """Decisions above, a bar of the turns (or chunks) below, on standard error. `stored`: turns that were committed."""

    def __init__(
        self,
        common: Common,
        total: int | None = None,
        doing: str = "ingesting",
        unit: Literal["turns", "chunks"] = "turns",
        *,
        told: bool = False,
    ) -> None:
        """`told`: how far it is is told by `update`, and what was decided is counted, not kept: there may be much of it."""
        self.common = common
        self.unit = unit
        self._told = told
        self.ops: Counter[str] = Counter()
        self.changes: list[dict[str, Any]] = []
        self.stored = self.rejected = 0
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit),
            TimeRemainingColumn(),
            TextColumn("{task.fields[how]}"),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
            redirect_stdout=False,
        )
        # Where both are on the terminal, what is printed has to pass through the bar, or rests of the bar are left behind.
        self._beside = sys.stdout.isatty() and not self.progress.disable
        self.task = self.progress.add_task(doing, total=total, how="")

    def expect(self, total: int) -> None:
        """How much there is to do, where that is known only when the store is open."""
        self.progress.update(self.task, total=total)

    def on_event(self, event: Event) -> None:
        """Count and show what a chunk brought."""
        if isinstance(event, Extracted):
            self.rejected += event.rejected
        if not isinstance(event, Committed):
            return
        from .showing import show_change

        self.stored += event.turns
        if not self._told:
            self.progress.advance(self.task, event.turns if self.unit == "turns" else 1)
        for change in event.changes:
            self.ops[change.op.value] += 1
            if self.common.json:
                if self._told:
                    continue
                self.changes.append(change.model_dump(mode="json"))
            else:
                show_change(self.common, change, out=self.progress.console if self._beside else None)

    def update(self, turns: int, how: str) -> None:
        """So many turns are through; `how`: what stands at the end of the bar."""
        self.progress.update(self.task, completed=turns, how=how)

    def told(self) -> dict[str, Any]:
        """What was decided, for the JSON document."""
        return {"decisions": dict(self.ops), "rejected": self.rejected, "changes": self.changes}

    def decisions(self) -> str:
        """What was decided, for people: "3 ADD, 1 UPDATE"."""
        counted = ", ".join(f"{number:,} {op}" for op, number in sorted(self.ops.items())) or "no decisions"
        return f"{counted}, {self.rejected:,} rejected for want of evidence" if self.rejected else counted
