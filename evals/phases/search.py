"""Search: every question to every system, and questions of other conversations, to which nothing should be found.

One at a time unless told otherwise: with several at once on few processors the latency would be that of the queue. The unrelated
questions of a conversation come first, so that what a system makes on its first search is not in a question's latency.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..model import Found, Question, Spent, Stage
from ..run import Kind, Record, Run
from .selection import Outline, Selection, unrelated_to
from .subjects import Subject
from .work import Listener, Outcome, each, silent

CONCURRENCY = 1
KINDS: tuple[Kind, ...] = ("ingest", "search", "unrelated")


@dataclass(frozen=True, slots=True)
class Task:
    """A question for a system. `unrelated`: it is of another conversation."""

    subject: Subject
    talk: Outline
    question: Question
    unrelated: bool


@dataclass(slots=True)
class Job:
    """See `work.Job`."""

    run: Run
    selection: Selection
    at_once: int
    phase: Stage = "search"

    def do(self, task: Task) -> Spent:
        """Ask, and record what was found with its times in seconds."""
        task.subject.ready(task.talk.id, lambda: self.selection.read(task.talk))
        ask = self.unrelated if task.unrelated else self.related
        ask(task)
        return Spent()

    def related(self, task: Task) -> None:
        """A question of the conversation: what is found, and the context that a reader would get."""
        system, talk, question = task.subject.system, task.talk.id, task.question
        began = time.perf_counter()
        found = system.search(talk, question, self.run.manifest.k)
        searched = time.perf_counter()
        packed = system.context(talk, question, self.run.manifest.max_tokens)
        ended = time.perf_counter()
        record: Record = {
            "question": question.id,
            "found": [asdict(one) for one in found],
            "context": asdict(packed),
            "search_seconds": searched - began,
            "context_seconds": ended - searched,
        }
        if self.at_once > 1:
            record["at_once"] = self.at_once
        self.run.append("search", record, task.subject.slug)

    def unrelated(self, task: Task) -> None:
        """A question of another conversation: how much is found all the same."""
        found = task.subject.system.search(task.talk.id, task.question, self.run.manifest.k)
        record = {"conversation": task.talk.id, "question": task.question.id, "found": len(found)}
        self.run.append("unrelated", {**record, "best": best(found)}, task.subject.slug)

    def fail(self, task: Task, error: Record, spent: Spent) -> None:  # noqa: ARG002 -- searching costs nothing that is counted
        """See `work.Job`."""
        place = {"conversation": task.talk.id} if task.unrelated else {}
        kind: Kind = "unrelated" if task.unrelated else "search"
        self.run.append(kind, {**place, "question": task.question.id, "error": error}, task.subject.slug)


def best(found: Sequence[Found]) -> float | None:
    """The highest score; None where nothing has one."""
    return max((one.score for one in found if one.score is not None), default=None)


def left(run: Run, selection: Selection, subjects: Sequence[Subject]) -> tuple[list[Task], int]:
    """What is not asked yet, conversation by conversation; and how many questions a failed ingestion leaves out."""
    tasks: list[Task] = []
    skipped = 0
    number, seed = run.manifest.unrelated, run.manifest.seed
    strangers = {talk.id: unrelated_to(talk, selection, number, seed) for talk in selection.chosen}
    for subject in subjects:
        there, asked, strange = (run.good(kind, subject.slug) for kind in KINDS)
        for talk in selection.chosen:
            mine = [Task(subject, talk, one, True) for one in strangers[talk.id] if (talk.id, one.id) not in strange]
            mine += [Task(subject, talk, one, False) for one in talk.questions if one.id not in asked]
            if talk.id in there:
                tasks += mine
            else:
                skipped += len(mine)
    return tasks, skipped


def search(
    run: Run,
    selection: Selection,
    subjects: Sequence[Subject],
    *,
    concurrency: int = CONCURRENCY,
    progress: Listener = silent,
) -> Outcome:
    """Ask what is not asked yet."""
    tasks, skipped = left(run, selection, subjects)
    job = Job(run, selection, concurrency)
    return each(job, tasks, concurrency=concurrency, progress=progress, skipped=skipped)
