"""Ingest: every system takes every conversation in. Records what was stored, rejected and paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from recollect.budget import Meter

from ..model import Spent, Stage
from ..run import Record, Run
from .selection import Outline, Selection
from .subjects import Subject
from .work import Listener, Outcome, each, paid, silent, usage_of

CONCURRENCY = 1


@dataclass(frozen=True, slots=True)
class Task:
    """A conversation for a system."""

    subject: Subject
    talk: Outline


@dataclass(slots=True)
class Job:
    """See `work.Job`. A system calls its model itself: the budget is looked at before each conversation, and charged after it."""

    run: Run
    selection: Selection
    meter: Meter
    phase: Stage = "ingest"

    def do(self, task: Task) -> Spent:
        """Take it in, then record what is stored, then that it is done."""
        slug, talk = task.subject.slug, self.selection.read(task.talk)
        with self.meter.call(task.subject.estimate(lambda: talk)) as charge:
            try:
                ingested = task.subject.ingest(talk)
            except Exception as error:
                charge.actual = usage_of(paid(error))
                raise
            charge.actual = usage_of(ingested.spent)
        self.run.discard("stored", slug, lambda record: record["conversation"] == talk.id)
        for one in task.subject.system.stored(talk.id):
            self.run.append("stored", {"conversation": talk.id, **asdict(one)}, slug)
        record = {"memories": ingested.memories, "rejected": dict(ingested.rejected), "spent": asdict(ingested.spent)}
        self.run.append("ingest", {"conversation": talk.id, **record}, slug)
        return ingested.spent

    def fail(self, task: Task, error: Record, spent: Spent) -> None:
        """See `work.Job`."""
        record = {"conversation": task.talk.id, "error": error, "spent": asdict(spent)}
        self.run.append("ingest", record, task.subject.slug)


def left(run: Run, selection: Selection, subjects: Sequence[Subject]) -> list[Task]:
    """Conversations that are not taken in yet."""
    done = {one.slug: run.good("ingest", one.slug) for one in subjects}
    return [Task(one, talk) for one in subjects for talk in selection.chosen if talk.id not in done[one.slug]]


def ingest(
    run: Run,
    selection: Selection,
    subjects: Sequence[Subject],
    *,
    meter: Meter | None = None,
    concurrency: int = CONCURRENCY,
    progress: Listener = silent,
) -> Outcome:
    """Take in what is not yet. A conversation that was under way when a run was killed is taken in again, as systems allow."""
    return each(
        Job(run, selection, meter or Meter()),
        left(run, selection, subjects),
        concurrency=concurrency,
        progress=progress,
    )
