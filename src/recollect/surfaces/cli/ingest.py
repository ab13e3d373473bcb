"""`recollect ingest`: conversations from files, with progress, a live view of the decisions, and a summary."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ... import Memory
from ...check import MAX_ID, digest
from ...errors import InvalidInput
from ...formats import Conversation, FormatProblem, Session, read
from ...trace import Committed, Event
from .common import FAULT, Common, console, exit_code_of, say
from .safe import count


class View:
    """What is shown while conversations go in: decisions above, a bar of the turns below. With --json it is collected."""

    def __init__(self, common: Common, turns: int) -> None:
        self.common = common
        self.ops: Counter[str] = Counter()
        self.changes: list[dict[str, Any]] = []
        self.stored = 0
        self.conversation = ""
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("turns"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
            # Decisions printed above the bar pass through it only where both go to the terminal.
            redirect_stdout=sys.stdout.isatty(),
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
                self.changes.append({"conversation": self.conversation, **change.model_dump(mode="json")})
            else:
                show_change(self.common, change)


def run(common: Common, files: list[Path], format_name: str | None, only: str | None) -> int:
    """Ingest files; the exit code. What is committed stays, whatever happens."""
    found = [one for file in files for one in read(file, format_name)]
    problems = [one for one in found if isinstance(one, FormatProblem)]
    talks, repeated = apart([one for one in found if isinstance(one, Conversation) and only in (None, one.id)])
    problems += repeated
    if not talks and not problems:
        raise InvalidInput("--conversation", f"no conversation {only!r} in the files")
    view = View(common, sum(talk.turns for talk in talks))
    stopped = None
    with common.open(view.on_event) as memory, view.progress:
        try:
            for talk in talks:
                view.conversation = talk.id
                store(memory, common, talk, view)
        except KeyboardInterrupt as error:
            stopped = exit_code_of(error)
    summarise(common, view, talks, problems)
    if stopped is not None:
        say("Stopped. What was committed is kept; the same command goes on from there.", stderr=True)
        return stopped
    return FAULT if problems else 0


def apart(talks: list[Conversation]) -> tuple[list[Conversation], list[FormatProblem]]:
    """Conversations with names of their own, and those whose name an earlier one has: they would pass for the same."""
    named: dict[str, Conversation] = {}
    repeated = []
    for talk in talks:
        if named.setdefault(talk.id, talk) is not talk:
            problem = "another conversation of this name is in the files; rename it, or ingest it with its own --user"
            repeated.append(FormatProblem(talk.id, None, problem))
    return list(named.values()), repeated


def store(memory: Memory, common: Common, talk: Conversation, view: View) -> None:
    """One conversation, session by session; what was stored before is skipped, what came to it since goes in."""
    user_id = talk.id if common.user is None else common.user
    for session in talk.sessions:
        said, start = list(messages(session)), 0
        while start < len(said):
            before = view.stored
            key = f"ingest/{talk.id}/{session.id}/{start}"
            result = memory.add(said[start:], user_id=user_id, session_id=session.id, idempotency_key=digested(key))
            view.progress.advance(view.task, len(result.turn_ids) - (view.stored - before))
            if not result.turn_ids:  # erased since: not for us to bring back
                break
            start += len(result.turn_ids)


def digested(key: str) -> str:
    """A key of bounded length: names in files may be long, and two long ones may begin alike."""
    return key if len(key) <= MAX_ID else f"ingest/{digest(key)}"


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
            "conversations": len(talks),
            "turns": view.stored,
            "decisions": dict(view.ops),
            "problems": [str(problem) for problem in problems],
            "changes": view.changes,
        }
        common.answer(document)
        return
    decisions = ", ".join(f"{number:,} {op}" for op, number in sorted(view.ops.items())) or "no decisions"
    say(f"{count(len(talks), 'conversation')}, {count(view.stored, 'new turn')}: {decisions}")
    for problem in problems:
        say(f"not read: {problem}", stderr=True)
