"""Events of the write path, for progress bars and live views: `Memory(on_event=…)` is called with each.

Events carry results, for the caller's own eyes; what is logged carries ids and counts only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from .results import Change

log = logging.getLogger("recollect")


@dataclass(frozen=True, slots=True)
class Journalled:
    """The messages of an `add` are safe on disk, in `chunks` chunks; nothing is extracted yet."""

    batch_id: str
    user_id: str | None
    turns: int
    chunks: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """The facts of chunk `chunk` (from 0) are verified and journalled."""

    batch_id: str
    chunk: int
    facts: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Committed:
    """Chunk `chunk` of `chunks` is committed: what was decided, in order."""

    batch_id: str
    chunk: int
    chunks: int
    turns: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Reembedding:
    """A `reembed` has new vectors of `done` of `passages` texts; told before the first batch, after each, and at the end."""

    embedder: str
    done: int
    passages: int


@dataclass(frozen=True, slots=True)
class Copied:
    """A backup has copied so many bytes of `of`. Told from the thread that copies."""

    bytes: int
    of: int


@dataclass(frozen=True, slots=True)
class Checked:
    """`verify` or `rebuild` has gone through `users` of `of` users. Told from a worker thread."""

    users: int
    of: int


@dataclass(frozen=True, slots=True)
class Exported:
    """An export has written `records` of `of`. Told from the thread that writes."""

    records: int
    of: int


Step: TypeAlias = Literal["checking", "importing", "embedding", "reading"]


@dataclass(frozen=True, slots=True)
class Imported:
    """An import is at `done` of `of` in a step: "checking" and "importing" count bytes of the file, "embedding" texts, "reading"
    another memory's memories (`of` is 0, for nobody knows how many there are). Told from the thread that works."""

    step: Step
    done: int
    of: int


@dataclass(frozen=True, slots=True)
class Purged:
    """A retention is through with `users` of `of` users, of whom so many `memories` and `turns` went so far; told before the
    first one too."""

    users: int
    of: int
    memories: int
    turns: int


@dataclass(frozen=True, slots=True)
class Reranked:
    """A reranker was asked about so many `candidates` of a search, and took so many `seconds`. `error`: the name of what went
    wrong; with RerankerUnavailable the hits came in the search's own order."""

    reranker: str
    candidates: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """Before turn `turn` of a conversation so many `memories` (and messages) were recalled. `error`: the turn goes on without
    memory, for recall took too long ("TimedOut") or failed (the error's name)."""

    user_id: str | None
    session_id: str
    turn: int
    memories: int
    tokens: int
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """So many new messages of a conversation are safe on disk; these batches were closed, and are to be learnt."""

    user_id: str | None
    session_id: str
    messages: int
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unheard:
    """The store refused messages of a conversation. `messages`: how many wait in this process alone, to be tried again."""

    user_id: str | None
    session_id: str
    messages: int
    error: str


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """What was said in a conversation could not be learnt; it stays pending, and is tried again. `batch_id`: None where the store
    could not be read."""

    batch_id: str | None
    error: str


Event: TypeAlias = (
    Journalled
    | Extracted
    | Committed
    | Reembedding
    | Copied
    | Checked
    | Exported
    | Imported
    | Purged
    | Reranked
    | Recalled
    | Heard
    | Unheard
    | Unlearnt
)
Listener: TypeAlias = Callable[[Event], None]


_LOGGED: Mapping[type[Any], tuple[str, Callable[[Any], tuple[object, ...]]]] = {
    Journalled: ("journalled batch=%s turns=%d chunks=%d", lambda one: (one.batch_id, one.turns, one.chunks)),
    Extracted: ("extracted batch=%s chunk=%d facts=%d", lambda one: (one.batch_id, one.chunk, one.facts)),
    Committed: ("committed batch=%s chunk=%d changes=%d", lambda one: (one.batch_id, one.chunk, len(one.changes))),
    Reembedding: ("reembedding by=%s done=%d passages=%d", lambda one: (one.embedder, one.done, one.passages)),
    Copied: ("copied bytes=%d of=%d", lambda one: (one.bytes, one.of)),
    Checked: ("checked users=%d of=%d", lambda one: (one.users, one.of)),
    Exported: ("exported records=%d of=%d", lambda one: (one.records, one.of)),
    Imported: ("import: %s done=%d of=%d", lambda one: (one.step, one.done, one.of)),
    Purged: (
        "purged users=%d of=%d memories=%d turns=%d",
        lambda one: (one.users, one.of, one.memories, one.turns),
    ),
    Recalled: ("recalled turn=%d memories=%d error=%s", lambda one: (one.turn, one.memories, one.error)),
    Heard: ("heard messages=%d closed=%d", lambda one: (one.messages, len(one.closed))),
    Unheard: ("unheard messages=%d error=%s", lambda one: (one.messages, one.error)),
    Unlearnt: ("unlearnt batch=%s error=%s", lambda one: (one.batch_id, one.error)),
}
"""Line and values, ids and counts only, of the events that are logged."""
_FAILURES = (Unheard, Unlearnt)


def emit(listener: Listener | None, event: Event) -> None:
    """Tell the caller's listener; log ids and counts. A listener's own error is the caller's and passes through."""
    if type(event) in _LOGGED:
        line, values = _LOGGED[type(event)]
        log.log(logging.WARNING if isinstance(event, _FAILURES) else logging.DEBUG, line, *values(event))
    if listener is not None:
        listener(event)
