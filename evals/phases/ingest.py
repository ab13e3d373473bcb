"""Ingest: every system takes every conversation in. Records what was stored, rejected and paid."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from recollect.budget import Meter
from recollect.usage import Usage

from ..model import Conversation, Ingested, Spent, Stage
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

    @property
    def place(self) -> tuple[str, str]:
        """The store and the conversation: taken in once, whoever of the store's systems is first."""
        return self.subject.store, self.talk.id


@dataclass(slots=True)
class Job:
    """See `work.Job`. A system calls its model itself: the budget is looked at before each conversation, and charged after it.

    `paid`: stores with conversations that they have already.
    """

    run: Run
    selection: Selection
    meter: Meter
    paid: set[tuple[str, str]]
    phase: Stage = "ingest"
    _locks: defaultdict[tuple[str, str], threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))

    def do(self, task: Task) -> Spent:
        """Take it in, then record what is stored, then that it is done."""
        with self._locks[task.place]:
            return self._taken_in(task, shared=task.place in self.paid)

    def _taken_in(self, task: Task, *, shared: bool) -> Spent:
        slug, talk = task.subject.slug, self.selection.read(task.talk)
        ingested = self._ingested(task.subject, talk, shared=shared)
        spent = Spent(seconds=ingested.spent.seconds) if shared else ingested.spent
        self.run.discard("stored", slug, lambda record: record["conversation"] == talk.id)
        for one in task.subject.system.stored(talk.id):
            self.run.append("stored", {"conversation": talk.id, **asdict(one)}, slug)
        record = {"memories": ingested.memories, "rejected": dict(ingested.rejected), "spent": asdict(spent)}
        self.run.append("ingest", {"conversation": talk.id, **record}, slug)
        self.paid.add(task.place)
        return spent

    def _ingested(self, subject: Subject, talk: Conversation, *, shared: bool) -> Ingested:
        with self.meter.call(Usage() if shared else subject.estimate(lambda: talk)) as charge:
            try:
                ingested = subject.ingest(talk)
            except Exception as error:
                charge.actual = usage_of(paid(error))
                raise
            charge.actual = Usage() if shared else usage_of(ingested.spent)
            return ingested

    def fail(self, task: Task, error: Record, spent: Spent) -> None:
        """See `work.Job`."""
        record = {"conversation": task.talk.id, "error": error, "spent": asdict(spent)}
        self.run.append("ingest", record, task.subject.slug)


def left(run: Run, selection: Selection, subjects: Sequence[Subject]) -> list[Task]:
    """Conversations that are not taken in yet."""
    done = {one.slug: run.good("ingest", one.slug) for one in subjects}
    return [Task(one, talk) for one in subjects for talk in selection.chosen if talk.id not in done[one.slug]]


def in_stores(run: Run, subjects: Sequence[Subject]) -> set[tuple[str, str]]:
    """Stores with the conversations that they have."""
    return {(one.store, talk) for one in subjects for talk in run.good("ingest", one.slug)}


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
    job = Job(run, selection, meter or Meter(), in_stores(run, subjects))
    return each(job, left(run, selection, subjects), concurrency=concurrency, progress=progress)
