"""Systems under test, with what each has taken in."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from recollect.errors import InvalidInput
from recollect.usage import Usage

from ..model import Conversation, Ingested
from ..run import slug_of
from ..systems import System
from .work import usage_of


@dataclass(slots=True)
class Subject:
    """A system under test. What it holds in memory alone has to be taken in by every process anew; `ready` sees to that.

    `store`: systems of one store have what one of them took in; what that cost is counted once.
    """

    system: System
    store: str = ""
    slug: str = ""
    _there: set[str] = field(default_factory=set)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.slug = slug_of(self.system.name)
        self.store = self.store or self.slug

    def ingest(self, conversation: Conversation) -> Ingested:
        """Take a conversation in."""
        with self._of(conversation.id):
            ingested = self.system.ingest(conversation)
            self._there.add(conversation.id)
            return ingested

    def ready(self, conversation_id: str, read: Callable[[], Conversation]) -> None:
        """See to it that this process has a conversation: for a system that keeps it on disk there is nothing to do."""
        with self._of(conversation_id):
            if conversation_id not in self._there:
                self.system.ingest(read())
                self._there.add(conversation_id)

    def estimate(self, read: Callable[[], Conversation]) -> Usage:
        """What taking a conversation in would cost at most, where the system can tell; else nothing."""
        told = getattr(self.system, "estimate", None)
        usage = told(read()) if callable(told) else Usage()
        return usage if isinstance(usage, Usage) else usage_of(usage)

    def _of(self, conversation_id: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(conversation_id, threading.Lock())


def subjects(systems: Iterable[System], stores: Iterable[str] = ()) -> list[Subject]:
    """Systems by their slugs, which name their folders, with the store of each (default: its own).

    Raises InvalidInput where two have the same slug.
    """
    found = [
        Subject(system, store)
        for system, store in zip(systems, itertools.chain(stores, itertools.repeat("")), strict=False)
    ]
    slugs = [one.slug for one in found]
    for one in found:
        if slugs.count(one.slug) > 1:
            raise InvalidInput("system", f"two are called {one.system.name!r}")
    return found


def described(found: Iterable[Subject]) -> dict[str, dict[str, Any]]:
    """What a run's manifest has of systems."""
    return {one.slug: {"name": one.system.name, "settings": dict(one.system.settings)} for one in found}
