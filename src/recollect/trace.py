"""Events of the write path, for progress bars and live views: `Memory(on_event=…)` is called with each.

Events carry results, for the caller's own eyes; what is logged carries ids and counts only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

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


Event: TypeAlias = (
    Journalled | Extracted | Committed | Reembedding | Copied | Checked | Exported | Imported | Purged | Reranked
)
Listener: TypeAlias = Callable[[Event], None]


def emit(listener: Listener | None, event: Event) -> None:  # noqa: C901 -- a case each
    """Tell the caller's listener; log ids and counts. A listener's own error is the caller's and passes through."""
    match event:
        case Journalled():
            log.debug("journalled batch=%s turns=%d chunks=%d", event.batch_id, event.turns, event.chunks)
        case Extracted():
            log.debug("extracted batch=%s chunk=%d facts=%d", event.batch_id, event.chunk, event.facts)
        case Committed():
            log.debug("committed batch=%s chunk=%d changes=%d", event.batch_id, event.chunk, len(event.changes))
        case Reembedding():
            log.debug("reembedding by=%s done=%d passages=%d", event.embedder, event.done, event.passages)
        case Copied():
            log.debug("copied bytes=%d of=%d", event.bytes, event.of)
        case Checked():
            log.debug("checked users=%d of=%d", event.users, event.of)
        case Exported():
            log.debug("exported records=%d of=%d", event.records, event.of)
        case Imported():
            log.debug("import: %s done=%d of=%d", event.step, event.done, event.of)
        case Purged():
            log.debug("purged users=%d of=%d memories=%d turns=%d", event.users, event.of, event.memories, event.turns)
    if listener is not None:
        listener(event)
