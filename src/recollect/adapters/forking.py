"""A fork, and SQLite: a child must inherit no connection, not even to close it later.

SQLite keeps in its process which locks it holds; a child that inherits that record would take locks for held that only its
parent has, in connections of its own too. So a fork waits until no thread is inside SQLite, and the child closes what it
inherited at once, while its parent still keeps the log from being taken for one that nobody needs.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from weakref import WeakSet

from ..errors import Forked

PATIENCE_S = 10.0  # for threads that are inside, at a fork
# How long a fork is let go before, at least; and as long again as it has waited already, for on a slow disk there would else be
# somebody inside at every moment. No longer: who waits here may hold the lock of a view for which a thread inside is waiting,
# and then the fork would wait for both in vain.
COURTESY_S = 0.05


class Inherited(Protocol):
    """What a child gets without having asked."""

    def abandon(self) -> None:
        """Close every connection. No thread is inside one."""


class ForkGate:
    """Counts the threads that are inside SQLite."""

    def __init__(self) -> None:
        self._open: WeakSet[Inherited] = WeakSet()
        self._spoilt: list[Inherited] = []  # kept, for nothing may close them
        self._reset()

    def _reset(self) -> None:
        self._turn = threading.Condition()
        self._threads = 0
        self._forks = 0
        self._since = 0.0  # when the first of those that wait began to
        self._mine = threading.local()

    def add(self, database: Inherited) -> None:
        """Close it in children. Raises Forked where that could not be done with an earlier one."""
        if self._spoilt:
            raise Forked(
                "the process was forked in the middle of a long read: no store can be opened safely in this child; start"
                ' processes by "spawn"'
            )
        self._open.add(database)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Around every use of a connection, and every product. May be nested."""
        depth = getattr(self._mine, "depth", 0)
        if not depth:
            self._count(1)
        self._mine.depth = depth + 1
        try:
            yield
        finally:
            self._mine.depth = depth
            if not depth:
                self._count(-1)

    def _count(self, step: int) -> None:
        with self._turn:
            if step > 0 and self._forks:
                waited = time.monotonic() - self._since
                self._turn.wait_for(lambda: not self._forks, max(COURTESY_S, waited))
            self._threads += step
            if self._forks:
                self._turn.notify_all()

    def before(self) -> None:
        """Wait until nobody is inside; from then on nobody comes in. Meanwhile others are asked to wait, see `COURTESY_S`."""
        self._turn.acquire()
        if not self._forks:
            self._since = time.monotonic()
        self._forks += 1
        self._turn.wait_for(lambda: not self._threads, PATIENCE_S)

    def in_parent(self) -> None:
        """Go on."""
        self._forks -= 1
        self._turn.notify_all()
        self._turn.release()

    def in_child(self) -> None:
        """Give up what was inherited."""
        quiet, inherited = not self._threads, list(self._open)
        self._reset()
        self._open.clear()
        if not quiet:
            self._spoilt += inherited
            return
        for database in inherited:
            database.abandon()


GATE = ForkGate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=GATE.before, after_in_parent=GATE.in_parent, after_in_child=GATE.in_child)
