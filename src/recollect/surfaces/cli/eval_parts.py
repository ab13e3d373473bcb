"""Parts of an evaluation side by side, each in a process of its own with a processor of its own: none waits for another."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import partial
from io import StringIO
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, TypeAlias, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from recollect_evals.errors import PartFailed

from .common import Common, console, describe

T = TypeVar("T")
Heard: TypeAlias = Callable[[str, int, int], None]  # what is done, how many are, of how many


def silent(what: str, done: int, total: int) -> None:
    """Nobody listens."""


_LISTENING = 0.2  # seconds: how late Ctrl-C may be heard


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A piece of work. `work` and what it returns go from process to process, so they are pickled."""

    name: str
    work: Callable[[Heard], T]


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """What came of a part, and what it said on standard error."""

    part: Part[T]
    value: T
    said: str


@dataclass(frozen=True, slots=True)
class _Running(Generic[T]):
    part: Part[T]
    process: SpawnProcess
    processor: int | None


def side_by_side(
    parts: Sequence[Part[T]], at_once: int, heard: Callable[[str, str, int, int], None]
) -> Iterator[Ended[T]]:
    """Do all parts, `at_once` of them in processes of their own, begun in their order; in the order in which they end. `heard`: a
    part's name, and how far it is.

    Raises PartFailed where one fails or its process dies. Then, and on Ctrl-C, the others are ended: what they recorded stays.
    """
    waiting, processors = list(parts), _processors(at_once)
    running: dict[Connection, _Running[T]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                receiver, one = _started(waiting.pop(0), processors.pop() if processors else None)
                running[receiver] = one
            ready = wait(list(running), timeout=_LISTENING)
            for receiver, one in [pair for pair in running.items() if pair[0] in ready]:
                kind, told = _received(receiver, one)
                if kind == "heard":
                    heard(one.part.name, *told)
                    continue
                one.process.join()
                del running[receiver]
                if one.processor is not None:
                    processors.append(one.processor)
                if kind == "failed":
                    raise PartFailed(one.part.name, told)
                yield Ended(one.part, *told)
    finally:
        for one in running.values():
            one.process.terminate()
        for one in running.values():
            one.process.join()


def _processors(at_once: int) -> list[int]:
    """One for each part at once, where that can be chosen: embedders that have a thread for each processor would be in each
    other's way, and the times of searches those of their quarrel."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    mine = sorted(os.sched_getaffinity(0))
    return mine[:at_once] if len(mine) >= at_once else []


def _started(part: Part[T], processor: int | None) -> tuple[Connection, _Running[T]]:
    context = multiprocessing.get_context("spawn")  # forked, a child would inherit threads' locks without the threads
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(part, processor, sender), name=part.name, daemon=True)
    process.start()
    sender.close()
    return receiver, _Running(part, process, processor)


def _received(receiver: Connection, one: _Running[T]) -> tuple[str, Any]:
    try:
        told: tuple[str, Any] = receiver.recv()
    except EOFError:
        one.process.join()
        return "failed", f"its process ended by itself ({one.process.exitcode})"
    return told


def _child(part: Part[T], processor: int | None, sender: Connection) -> None:
    """In the process of a part. Ctrl-C goes to all processes of a terminal: the parent hears it, and ends this one, by which
    nothing that is recorded is lost."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if processor is not None:
        os.sched_setaffinity(0, {processor})
    said = StringIO()
    try:
        with redirect_stdout(StringIO()), redirect_stderr(said):
            value = part.work(partial(_tell, sender))
    except Exception as error:  # noqa: BLE001 -- told to the parent, who raises it
        name, message, _ = describe(error)
        sender.send(("failed", f"{name}: {message}"))
    else:
        sender.send(("ended", (value, said.getvalue())))


def _tell(sender: Connection, what: str, done: int, total: int) -> None:
    sender.send(("heard", (what, done, total)))


class PartBars:
    """A bar for each part that is under way, on standard error."""

    def __init__(self, common: Common) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console(stderr=True),
            disable=common.json or not sys.stderr.isatty(),
            transient=True,
        )
        self._bars: dict[str, TaskID] = {}

    def listen(self, part: str, what: str, done: int, total: int) -> None:
        """Move the bar of a part."""
        if part not in self._bars:
            self._bars[part] = self.progress.add_task(part)
        self.progress.update(self._bars[part], description=f"{part}: {what}", completed=done, total=total)

    def end(self, part: str) -> None:
        """Take a bar away."""
        if part in self._bars:
            self.progress.remove_task(self._bars[part])
