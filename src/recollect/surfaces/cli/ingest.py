"""`recollect ingest`: conversations from files, with progress, a live view of the decisions, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ... import Memory
from ...errors import InvalidInput
from ...formats import Conversation, FormatProblem, Session, read
from ...trace import Committed, Event
from .common import FAULT, INTERRUPTED, Common, console, say
from .safe import as_json, count


class View:
    """What is shown while conversations go in: decisions above, a bar of the turns below; JSON lines with --json."""

    def __init__(self, common: Common, turns: int) -> None:
        self.common = common
        self.ops: Counter[str] = Counter()
        self.stored = 0
        self.conversation = ""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("turns"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=common.json,
            transient=True,
        )
        self.task = self.progress.add_task("ingesting", total=turns)

    def on_event(self, event: Event) -> None:
        """Count and show what a chunk brought."""
        if not isinstance(event, Committed):
            return
        from .commands import show_change

        self.stored += event.turns
        self.progress.advance(self.task, event.turns)
        for change in event.changes:
            self.ops[change.op.value] += 1
            if self.common.json:
                line = {"conversation": self.conversation, **change.model_dump(mode="json")}
                say(as_json(line, indent=None))
            else:
                show_change(self.common, change)


def run(common: Common, files: list[Path], format_name: str | None, only: str | None) -> int:
    """Ingest files; the exit code. What is committed stays, whatever happens."""
    found = [one for file in files for one in read(file, format_name)]
    problems = [one for one in found if isinstance(one, FormatProblem)]
    talks = [one for one in found if isinstance(one, Conversation) and only in (None, one.id)]
    if not talks and not problems:
        raise InvalidInput("--conversation", f"no conversation {only!r} in the files")
    view = View(common, sum(talk.turns for talk in talks))
    interrupted = False
    with common.open(view.on_event) as memory, view.progress:
        try:
            for talk in talks:
                view.conversation = talk.id
                store(memory, common, talk, view)
        except KeyboardInterrupt:
            interrupted = True
    summarise(common, view, talks, problems)
    if interrupted:
        say("Stopped. What was committed is kept; the same command goes on from there.", stderr=True)
        return INTERRUPTED
    return FAULT if problems else 0


def store(memory: Memory, common: Common, talk: Conversation, view: View) -> None:
    """One conversation, session by session; a key for each, so that running again stores nothing twice."""
    user_id = talk.id if common.user is None else common.user
    for session in talk.sessions:
        before = view.stored
        memory.add(
            list(messages(session)),
            user_id=user_id,
            session_id=session.id,
            idempotency_key=f"ingest/{talk.id}/{session.id}"[:512],
        )
        view.progress.advance(view.task, len(session.messages) - (view.stored - before))


def messages(session: Session) -> Iterator[dict[str, Any]]:
    """A session's messages as `add` takes them."""
    for one in session.messages:
        message: dict[str, Any] = {"role": one.role.value, "content": one.content}
        if one.name is not None:
            message["name"] = one.name
        if one.timestamp is not None:
            message["timestamp"] = one.timestamp
        yield message


def summarise(common: Common, view: View, talks: list[Conversation], problems: list[FormatProblem]) -> None:
    """What went in, what was decided, what could not be read."""
    if common.json:
        document = {
            "summary": {
                "conversations": len(talks),
                "turns": view.stored,
                "decisions": dict(view.ops),
                "problems": [str(problem) for problem in problems],
            }
        }
        say(as_json(document, indent=None))
        return
    decisions = ", ".join(f"{number:,} {op}" for op, number in sorted(view.ops.items())) or "no decisions"
    say(f"{count(len(talks), 'conversation')}, {count(view.stored, 'new turn')}: {decisions}")
    for problem in problems:
        say(f"not read: {problem}", stderr=True)
