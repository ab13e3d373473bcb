"""`recollect ingest`: conversations from files, with an estimate, progress, a live view of the decisions, and a summary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ... import Memory
from ...check import MAX_ID, digest
from ...errors import EmbeddingInvalid, InvalidInput, ModelConfigError, ModelError, RecollectError
from ...formats import Conversation, FormatProblem, Session, read
from ...results import AddUsage, Estimate, PendingBatch
from .common import FAULT, Common, describe, exit_code_of, say, show_traceback, way_on
from .cost import show_estimate, show_paid, total
from .safe import count, plain
from .unfinished import show_pending
from .view import View

IN_A_ROW = 3  # sessions that fail one after the other: the fault is not theirs


@dataclass(frozen=True, slots=True)
class Failed:
    """A session that had to stay pending, and why."""

    conversation: str
    session: str
    batch_id: str | None
    error: str
    message: str


@dataclass(slots=True)
class Run:
    """How a run went. `stopped`: what ended it before its time."""

    talks: list[Conversation]
    problems: list[FormatProblem]
    estimate: Estimate | None = None
    failed: list[Failed] = field(default_factory=list)
    in_a_row: int = 0
    stopped: RecollectError | KeyboardInterrupt | None = None
    usage: AddUsage = AddUsage()
    pending: list[PendingBatch] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        if isinstance(self.stopped, KeyboardInterrupt):
            return exit_code_of(self.stopped)
        if self.stopped is not None:
            return describe(self.stopped)[2]
        return FAULT if self.problems or self.failed else 0


def run(common: Common, files: list[Path], format_name: str | None, only: str | None, *, dry: bool) -> int:
    """Ingest files; the exit code. What is committed stays, whatever happens."""
    work = planned(files, format_name, only)
    view = View(common, sum(talk.turns for talk in work.talks))
    with common.open(view.on_event) as memory:
        if dry:
            return forecast(common, work, estimated(memory, work))
        ingest(memory, common, view, work)
    summarise(common, view, work)
    return work.exit_code


def planned(files: list[Path], format_name: str | None, only: str | None) -> Run:
    """What there is to do. Raises InvalidInput where that is nothing."""
    found = [one for file in files for one in read(file, format_name)]
    problems = [one for one in found if isinstance(one, FormatProblem)]
    talks, repeated = apart([one for one in found if isinstance(one, Conversation) and only in (None, one.id)])
    if not talks and not problems:
        raise InvalidInput("--conversation", f"no conversation {only!r} in the files")
    return Run(talks, problems + repeated)


def estimated(memory: Memory, work: Run) -> Estimate:
    """What all of it would cost."""
    return total(memory.estimate(list(messages(one))) for talk in work.talks for one in talk.sessions)


def ingest(memory: Memory, common: Common, view: View, work: Run) -> None:
    """Do it, and note what came of it."""
    if common.model is not None:
        work.estimate = estimated(memory, work)
        if not common.json:
            show_estimate(common, work.estimate, stderr=True)
    with view.progress:
        store_all(memory, common, view, work)
    users = {user_of(common, talk) for talk in work.talks}
    work.usage, work.pending = memory.spent, [one for one in memory.pending() if one.user_id in users]


def forecast(common: Common, work: Run, estimate: Estimate) -> int:
    """What a run would cost; nothing is sent and nothing stored."""
    if common.json:
        told = {"conversations": len(work.talks), "problems": [str(one) for one in work.problems]}
        common.answer({**told, **estimate.model_dump(mode="json")})
        return work.exit_code
    show_estimate(common, estimate)
    say("Nothing was sent. What is stored already costs nothing again.")
    show_problems(work)
    return work.exit_code


def apart(talks: list[Conversation]) -> tuple[list[Conversation], list[FormatProblem]]:
    """Conversations with names of their own, and those whose name an earlier one has: they would pass for the same."""
    named: dict[str, Conversation] = {}
    repeated = []
    for talk in talks:
        if named.setdefault(talk.id, talk) is not talk:
            problem = "another conversation of this name is in the files; rename it, or ingest it with its own --user"
            repeated.append(FormatProblem(talk.id, None, problem))
    return list(named.values()), repeated


def store_all(memory: Memory, common: Common, view: View, work: Run) -> None:
    """All conversations, session by session. A session that fails stays pending and the next one is taken up, unless the
    fault is one that all would meet."""
    try:
        for talk in work.talks:
            view.conversation = talk.id
            for session in talk.sessions:
                attempt(memory, common, talk, session, view, work)
    except (RecollectError, KeyboardInterrupt) as error:
        work.stopped = error


def attempt(memory: Memory, common: Common, talk: Conversation, session: Session, view: View, work: Run) -> None:
    """One session. Raises what ends the run."""
    try:
        store_session(memory, common, talk, session, view)
        work.in_a_row = 0
    except (ModelError, EmbeddingInvalid) as error:
        name, message, _ = describe(error)
        work.failed.append(Failed(talk.id, session.id, error.batch_id, name, message))
        work.in_a_row += 1
        if isinstance(error, ModelConfigError) or work.in_a_row == IN_A_ROW:
            raise


def user_of(common: Common, talk: Conversation) -> str:
    """Whose memories a conversation becomes."""
    return talk.id if common.user is None else common.user


def store(memory: Memory, common: Common, talk: Conversation, view: View) -> None:
    """One conversation, session by session."""
    for session in talk.sessions:
        store_session(memory, common, talk, session, view)


def store_session(memory: Memory, common: Common, talk: Conversation, session: Session, view: View) -> None:
    """One session; what was stored before is skipped, what came to it since goes in."""
    said, start = list(messages(session)), 0
    while start < len(said):
        before = view.stored
        key = digested(f"ingest/{talk.id}/{session.id}/{start}")
        result = memory.add(said[start:], user_id=user_of(common, talk), session_id=session.id, idempotency_key=key)
        view.progress.advance(view.task, len(result.turn_ids) + result.erased - (view.stored - before))
        start += len(result.turn_ids) + result.erased  # what was erased since is not for us to bring back


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


def summarise(common: Common, view: View, work: Run) -> None:
    """What went in, what was decided and paid; what could not be read, what failed, and how to go on."""
    if common.json:
        common.answer(document(view, work))
    else:
        say(f"{count(len(work.talks), 'conversation')}, {count(view.stored, 'new turn')}: {view.decisions()}")
        show_paid(work.usage)
        show_problems(work)
        for one in work.failed:
            place = f"{one.conversation}, session {one.session}"
            say(f"failed: {plain(place)}: {one.error}: {plain(one.message)}", stderr=True)
        show_pending(work.pending, stderr=True)
    if common.debug and isinstance(work.stopped, RecollectError):
        show_traceback(work.stopped)
    if work.stopped is not None and (not common.json or isinstance(work.stopped, KeyboardInterrupt)):
        say(
            f"Stopped{told(work, work.stopped)}. What was committed is kept; the same command goes on from there.",
            stderr=True,
        )


def told(work: Run, error: RecollectError | KeyboardInterrupt) -> str:
    """Why a run ended before its time; "" where that was the caller's wish."""
    if isinstance(error, KeyboardInterrupt):
        return ""
    name, message, _ = describe(error)
    often = f", for {IN_A_ROW} sessions in a row failed" if work.in_a_row == IN_A_ROW else ""
    return f"{often}: {name}: {plain(message)}{way_on(error)}"


def show_problems(work: Run) -> None:
    """What could not be read."""
    for problem in work.problems:
        say(f"not read: {problem}", stderr=True)


def document(view: View, work: Run) -> dict[str, Any]:
    """The summary in JSON."""
    stopped = None if work.stopped is None else dict(zip(("error", "message"), describe(work.stopped), strict=False))
    return {
        "conversations": len(work.talks),
        "turns": view.stored,
        **view.told(),
        "estimate": None if work.estimate is None else work.estimate.usage.model_dump(mode="json"),
        "usage": work.usage.model_dump(mode="json"),
        "problems": [str(problem) for problem in work.problems],
        "failed": [asdict(one) for one in work.failed],
        "pending": [one.model_dump(mode="json") for one in work.pending],
        "stopped": stopped,
    }
