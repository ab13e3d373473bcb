"""`recollect ingest`: conversations from files, with an estimate, progress, a live view of the decisions, and a summary."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ... import Memory
from ...errors import InvalidInput, StorageError
from ...formats import Conversation, FormatProblem, Found, Input, Passed, inputs
from ...formats.tables import columns_of
from ...ingest import Forecast, Interrupted, Progress, forecast, ingest
from ...results import Failed, IngestReport, PendingBatch
from .common import DEFAULT_USER, FAULT, Common, as_options, describe, exit_code_of, say, show_traceback, way_on
from .cost import money, show_estimate, show_paid
from .safe import as_json, count, plain
from .view import View

SHOWN = 20  # problems that a terminal is shown
WORTH_A_PART = 60  # chunks: of fewer, those that make the estimate better are most of the work
A_PART = (
    "How much a model finds in them is not known before it has read some: --budget calls=60 --concurrency 2 has about 25 chunks"
    " remembered, which are not paid again; then --dry-run goes by what these cost."
)


@dataclass(slots=True)
class Work:
    """What is to be read. `users`: whose memories it became."""

    common: Common
    inputs: list[Input]
    passed: list[Passed]
    only: str | None
    users: set[str] = field(default_factory=set)

    def conversations(self) -> Iterator[Found]:
        """All that is in the files, from their beginnings."""
        for one in self.inputs:
            for found in one.read():
                if isinstance(found, FormatProblem) or self.only in (None, found.id):
                    yield found

    def user_of(self, talk: Conversation) -> str:
        """Whose memories a conversation becomes: each its own; all of a person's export that person's."""
        own = DEFAULT_USER if talk.personal else talk.id
        user = own if self.common.user is None else self.common.user
        self.users.add(user)
        return user


def run(
    common: Common,
    files: list[Path],
    format_name: str | None,
    only: str | None,
    columns: str | None = None,
    *,
    concurrency: int = 8,
    report: Path | None = None,
    dry: bool = False,
) -> int:
    """Ingest files; the exit code. What is committed stays, whatever happens."""
    if report is not None:
        writable(report)
    work = Work(common, *inputs(files, format_name, None if columns is None else columns_of(columns)), only)
    view = View(common, told=True)
    with common.open_or_try(view.on_event, dry=dry) as memory:
        planned = plan(work, memory if dry or common.model is not None else None)
        if dry:
            return foretell(work, planned, report)
        if common.model is not None and not common.json:
            show_estimate(common, planned.estimate, stderr=True)
        view.expect(planned.turns)
        done, interrupted = ingested(memory, work, view, concurrency)
        pending = [one for one in memory.pending() if one.user_id in work.users]
    told = document(work, planned, done, pending)
    if common.json:
        common.answer(told)
    else:
        summarise(work, view, done, pending)
    tell_end(common, done, interrupted)
    if report is not None:
        write(report, as_json(told) + "\n")
    if interrupted is not None:
        return exit_code_of(interrupted)
    return 0 if done.complete else FAULT


def writable(report: Path) -> None:
    """Found out before hours are spent; nothing is left there. Raises InvalidInput."""
    try:
        was = report.exists()
        report.open("a").close()
        if not was:
            report.unlink()
    except OSError as error:
        raise InvalidInput("--report", f"{report} cannot be written: {error.strerror}") from None


def write(report: Path, text: str) -> None:
    """The summary. Raises StorageError, where the disk is full by now."""
    try:
        report.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{report} cannot be written: {error.strerror}") from error


def plan(work: Work, memory: Memory | None) -> Forecast:
    """What there is to do. Raises InvalidInput where that is nothing."""
    planned = forecast(memory, work.conversations(), user_id=work.user_of)
    if not planned.conversations and not planned.problem_count:
        where = "no conversation in the files" if work.only is None else f"no conversation {work.only!r} in the files"
        raise InvalidInput("--conversation", where)
    return planned


def ingested(memory: Memory, work: Work, view: View, concurrency: int) -> tuple[IngestReport, KeyboardInterrupt | None]:
    """Do it; what came of it, and the interruption that ended it."""

    def show(progress: Progress) -> None:
        view.update(progress.turns + progress.known, at_work(progress))

    def stopping() -> None:
        say("stopping: calls under way may end, for 10 seconds at most; Ctrl-C again ends them", stderr=True)

    try:
        with view.progress if not work.common.json else nullcontext():
            return ingest(
                memory,
                work.conversations(),
                user_id=work.user_of,
                concurrency=concurrency,
                on_progress=show,
                on_interrupt=stopping,
            ), None
    except Interrupted as error:
        cause = error.__cause__
        return error.report, cause if isinstance(cause, KeyboardInterrupt) else error


def at_work(progress: Progress) -> str:
    """ "12.3 turns/s $0.0210"."""
    rate = progress.turns / progress.seconds if progress.seconds else 0.0
    return f"{rate:.1f} turns/s{f' {money(progress.usage)}' if progress.usage.llm_calls else ''}"


def foretell(work: Work, planned: Forecast, report: Path | None) -> int:
    """What a run would cost; nothing is sent and nothing stored."""
    common = work.common
    told = {
        "conversations": planned.conversations,
        "known": planned.known,
        **unread(work, planned),
        **planned.estimate.model_dump(mode="json"),
    }
    if common.json:
        common.answer(told)
    else:
        show_estimate(common, planned.estimate)
        read = f"{count(planned.conversations, 'conversation')} in {count(len(work.inputs), 'file')}"
        there = f" {count(planned.known, 'turn')} of them are in already." if planned.known else ""
        say(f"{read}.{there} Nothing was sent.")
        if common.model is not None and not planned.estimate.learned_from and planned.estimate.chunks > WORTH_A_PART:
            say(A_PART)
        show_problems(work, planned)
    if report is not None:
        write(report, as_json(told) + "\n")
    return FAULT if planned.problem_count else 0


def summarise(work: Work, view: View, done: IngestReport, pending: list[PendingBatch]) -> None:
    """What went in, what was decided and paid; what could not be read, what failed, and how to go on."""
    from .unfinished import show_pending

    say(f"{count(done.conversations, 'conversation')}, {count(done.turns, 'new turn')}: {view.decisions()}")
    show_paid(done.usage)
    show_problems(work, done)
    for one in done.failed:
        place = f"{one.conversation}, session {one.session}"
        say(f"failed: {plain(place)}: {one.error}: {plain(as_options(one.message))}", stderr=True)
    for name in done.left:
        say(f"left: {plain(name)}: 3 sessions in a row failed; the same command goes on from there", stderr=True)
    show_pending(pending, stderr=True)


def tell_end(common: Common, done: IngestReport, interrupted: KeyboardInterrupt | None) -> None:
    """What ended a run before its time, and how to go on."""
    error = done.error
    if common.debug and error is not None:
        show_traceback(error)
    if interrupted is None and (error is None or common.json):
        return
    told = error is None or getattr(error, "batch_id", None)  # what is pending was listed, with how to go on
    why = (
        "" if error is None else f": {type(error).__name__}: {plain(describe(error)[1])}{'' if told else way_on(error)}"
    )
    say(f"Stopped{why}. What was committed is kept; the same command goes on from there.", stderr=True)


def show_problems(work: Work, found: Forecast | IngestReport) -> None:
    """What could not be read, and what was passed over."""
    shown = found.problems[:SHOWN] if sys.stderr.isatty() else found.problems
    for problem in shown:
        say(f"not read: {plain(problem)}", stderr=True)
    if more := found.problem_count - len(shown):
        whole = "" if len(shown) == len(found.problems) else " (--json tells them)"
        say(f"not read: {more:,} more{whole}", stderr=True)
    for one in work.passed:
        say(f"passed over: {plain(one.file)}: {plain(one.why)}", stderr=True)


def unread(work: Work, found: Forecast | IngestReport) -> dict[str, Any]:
    """The same for the JSON document."""
    return {
        "problems": list(found.problems),
        "problem_count": found.problem_count,
        "passed_over": [{"file": one.file, "why": one.why} for one in work.passed],
    }


def document(work: Work, planned: Forecast, done: IngestReport, pending: list[PendingBatch]) -> dict[str, Any]:
    """The summary in JSON."""
    stopped = None if done.stopped is None else {"error": done.stopped, "message": told_of(done)}
    return {
        "conversations": done.conversations,
        "turns": done.turns,
        "known": done.known,
        "chunks": done.chunks,
        "decisions": done.decisions,
        "rejected": done.rejected,
        "estimate": None if work.common.model is None else planned.estimate.usage.model_dump(mode="json"),
        "usage": done.usage.model_dump(mode="json"),
        "seconds": round(done.seconds, 3),
        **unread(work, done),
        "failed": [failed(one) for one in done.failed],
        "left": list(done.left),
        "pending": [one.model_dump(mode="json") for one in pending],
        "stopped": stopped,
    }


def told_of(done: IngestReport) -> str:
    """What ended it, in words."""
    return "stopped; everything that was committed is kept" if done.error is None else describe(done.error)[1]


def failed(one: Failed) -> dict[str, Any]:
    """Arguments under the names that they have here."""
    return {**one.model_dump(mode="json"), "message": as_options(one.message)}
