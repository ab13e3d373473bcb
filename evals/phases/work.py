"""How a phase works through its tasks: several at once, each recorded as it ends, stopped without losing one.

A task that fails is a record and the next one is taken up. What all tasks would meet ends the phase: a budget that is used up, a
model that is configured wrongly, a disk that is full, or a model that failed several times in a row.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from recollect.errors import BudgetExceeded, ModelConfigError, ModelError, RecollectError
from recollect.usage import Usage

from ..errors import ExtraMissing, RunInvalid, RunUnwritable
from ..model import Spent, Stage
from ..run import Record

T = TypeVar("T")
Taken = TypeVar("Taken", contravariant=True)

IN_A_ROW = 5  # failures of a model, one after the other: the fault is not the questions'
LISTENING = 0.1  # seconds: the system may hand Ctrl-C to another thread, which does not wake this one
LONGEST_MESSAGE = 500  # characters of an error's message in a record
FATAL = (BudgetExceeded, ModelConfigError, RunUnwritable, RunInvalid, ExtraMissing)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a phase is. `left`: tasks not tried yet, of which `under_way` are worked on once it is `stopping`."""

    phase: Stage
    total: int
    done: int = 0
    failed: int = 0
    spent: Spent = Spent()
    stopping: bool = False

    @property
    def left(self) -> int:
        return self.total - self.done - self.failed


Listener = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a phase ended. `stopped`: what ended it before its time. `skipped`: tasks for which an earlier phase
    brought nothing."""

    progress: Progress
    skipped: int = 0
    stopped: RecollectError | None = None

    @property
    def complete(self) -> bool:
        """Whether everything is done."""
        return self.stopped is None and not self.progress.failed and not self.progress.left and not self.skipped


class Abandoned(KeyboardInterrupt):
    """A second Ctrl-C: tasks were left under way, in threads of this process, and what they do is not recorded."""


class Job(Protocol[Taken]):
    """What a phase does. Called from several threads."""

    phase: Stage

    def do(self, task: Taken) -> Spent:
        """Work on a task and record what came of it; what it cost. What it raises is handed to `fail`, unless it is FATAL."""

    def fail(self, task: Taken, error: Record, spent: Spent) -> None:
        """Record that a task failed: `error` has `type` and `message`."""


def silent(_: Progress) -> None:
    """Nobody listens."""


def each(
    job: Job[T], tasks: Sequence[T], *, concurrency: int, progress: Listener = silent, skipped: int = 0
) -> Outcome:
    """Do all tasks, `concurrency` at once. `progress` is called in this thread, after each.

    KeyboardInterrupt lets the tasks under way end, for they are paid, and is raised again when they are recorded; a second one
    leaves them, and is raised as Abandoned.
    """
    pool = _Pool(job, tasks, progress)
    threads = [
        threading.Thread(target=pool.work, name=f"eval-{n}", daemon=True) for n in range(min(concurrency, len(tasks)))
    ]
    progress(pool.told)
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            pool.listen()
    except KeyboardInterrupt:
        pool.stop.set()
        try:
            progress(replace(pool.told, stopping=True))
            while any(thread.is_alive() for thread in threads):
                time.sleep(LISTENING)
        except KeyboardInterrupt as again:
            raise Abandoned from again
        pool.hear_the_rest()
        raise
    return Outcome(pool.told, skipped, pool.stopped)


@dataclass(frozen=True, slots=True)
class _Ended:
    spent: Spent = Spent()
    error: BaseException | None = None


class _Pool(Generic[T]):
    """Threads that take tasks in turn, and one that hears how they ended."""

    def __init__(self, job: Job[T], tasks: Sequence[T], progress: Listener) -> None:
        self.job = job
        self.told = Progress(job.phase, len(tasks))
        self.stopped: RecollectError | None = None
        self.stop = threading.Event()
        self._tasks = iter(tasks)
        self._taking = threading.Lock()
        self._progress = progress
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        self._in_a_row = 0

    def work(self) -> None:
        """One thread: task by task, until there is none or all are told to stop."""
        try:
            for task in self._next():
                self._ended.put(self._attempt(task))
        finally:
            self._ended.put(None)

    def _next(self) -> Iterator[T]:
        nothing = object()
        while not self.stop.is_set():
            with self._taking:
                task = next(self._tasks, nothing)
            if task is nothing:
                return
            yield task  # type: ignore[misc]  # not `nothing`, so a task

    def _attempt(self, task: T) -> _Ended:
        try:
            spent = self.job.do(task)
            self._count(None)
            return _Ended(spent)
        except FATAL as error:
            self.stop.set()
            return _Ended(error=error)
        except Exception as error:  # noqa: BLE001 -- whatever a system under test raises is a record, not the run's end
            return self._recorded(task, error)

    def _recorded(self, task: T, error: Exception) -> _Ended:
        spent = paid(error)
        try:
            self.job.fail(task, told(error), spent)
        except RunUnwritable as unwritable:
            self.stop.set()
            return _Ended(error=unwritable)
        self._count(error)
        return _Ended(spent, error)

    def _count(self, error: Exception | None) -> None:
        """Stop where a model fails time after time."""
        with self._taking:
            self._in_a_row = self._in_a_row + 1 if isinstance(error, ModelError) else 0
            if self._in_a_row >= IN_A_ROW and isinstance(error, ModelError):
                self.stopped = self.stopped or error
                self.stop.set()

    def listen(self) -> None:
        """Hear of tasks until one thread has ended."""
        while True:
            try:
                ended = self._ended.get(timeout=LISTENING)
            except queue.Empty:
                continue
            if ended is None:
                return
            self._hear(ended)

    def hear_the_rest(self) -> None:
        """Hear of what ended meanwhile."""
        while not self._ended.empty():
            if (ended := self._ended.get()) is not None:
                self._hear(ended)

    def _hear(self, ended: _Ended) -> None:
        spent = self.told.spent + ended.spent
        if ended.error is None:
            self.told = replace(self.told, done=self.told.done + 1, spent=spent)
        elif isinstance(ended.error, FATAL):
            self.stopped = self.stopped or ended.error
        else:
            self.told = replace(self.told, failed=self.told.failed + 1, spent=spent)
        self._progress(self.told)


def told(error: Exception) -> Record:
    """An error as a record has it."""
    return {"type": type(error).__name__, "message": str(error)[:LONGEST_MESSAGE]}


def paid(error: Exception) -> Spent:
    """What a call cost that failed all the same."""
    usage = getattr(error, "usage", None)
    return spent(usage) if isinstance(usage, Usage) else Spent()


def spent(usage: Usage, seconds: float = 0.0) -> Spent:
    """A usage as records have it."""
    return Spent(usage.llm_calls, usage.input_tokens, usage.output_tokens, usage.cost_usd, seconds)


def usage_of(spent: Spent) -> Usage:
    """As a budget counts."""
    return Usage(spent.calls, spent.input_tokens, spent.output_tokens, spent.usd)
