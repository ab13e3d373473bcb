"""One user's view of the ledger in memory: vectors, BM25, and which row or turn may be served when.

A view: it is brought up to date by replaying the user's numbered changes, and rebuilt when in doubt. It holds all rows with
their intervals, so that `as_of` and `known_at` are answered from it too. One lock, one watermark.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .ports import Ledger, TextIndex, VectorIndex
from .records import PassageRecord, RowSpan, SourceRecord, Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .ports import Vectors

DEFAULT_MEMORY_BUDGET = 512 * 1024 * 1024  # bytes, for all partitions of a store
ROW_BYTES = 400  # a row with its terms, roughly, beside its vector


@dataclass(frozen=True, slots=True)
class Moment:
    """From when the question is asked. Microseconds; `number` None: what is believed now."""

    as_of: int
    number: int | None = None
    now: int = 0

    def believes(self, added: int, retired: int | None) -> bool:
        """Whether what was added and retired at these numbers is believed at the moment."""
        return (
            retired is None
            if self.number is None
            else added <= self.number and (retired is None or retired > self.number)
        )

    def serves(self, row: RowSpan) -> bool:
        """Whether a row is believed, holds, and is neither expired nor quarantined."""
        return (
            not row.quarantined
            and self.believes(row.recorded, row.retired)
            and row.valid_from <= self.as_of
            and (row.valid_to is None or row.valid_to > self.as_of)
            and (row.expires_at is None or row.expires_at > self.now)
        )


@dataclass(slots=True)
class Found:
    """What the channels found: (key, raw score) lists, best first. Keys are passages."""

    vector: list[tuple[int, float]] = field(default_factory=list)
    text: list[tuple[int, float]] = field(default_factory=list)


class Partition:
    """All methods take the lock; results are plain values."""

    def __init__(
        self, space: Space, ledger: Ledger, vectors: Callable[[], VectorIndex], texts: Callable[[], TextIndex]
    ) -> None:
        self.space = space
        self._ledger = ledger
        self._new_vectors, self._new_texts = vectors, texts
        self._lock = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self.watermark = 0
        self._vectors = self._new_vectors()
        self._texts = self._new_texts()
        self.rows: dict[int, RowSpan] = {}
        self.turn_of: dict[int, int] = {}  # passage → turn
        self.passage_of: dict[int, int] = {}  # turn → passage
        self.rows_of: dict[int, list[int]] = {}  # statement → rows
        self.sources: dict[int, SourceRecord] = {}
        self.sources_of: dict[int, list[int]] = {}  # turn → sources
        self._evidence: dict[int, int] = {}  # statement → quotes, retired ones too
        self._last_passage = 0

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def bytes(self) -> int:
        """Roughly what it takes in memory."""
        dim = getattr(self._vectors, "dim", 0)
        return len(self._vectors) * dim * 4 + (len(self._texts) + len(self.rows)) * ROW_BYTES

    # --- following the ledger ------------------------------------------------------------------------------------------

    def catch_up(self) -> int:
        """Replay what the ledger has and we have not; the number that we are at then."""
        with self._lock:
            delta = self._ledger.delta(self.space, self.watermark)
            if delta.cleared:
                self._clear()
                delta = self._ledger.delta(self.space, 0)
            self._add_passages(delta.passages)
            for row in delta.rows:
                if row.number not in self.rows:
                    self.rows_of.setdefault(row.statement, []).append(row.number)
                self.rows[row.number] = row
            for source in delta.sources:
                if source.number not in self.sources:
                    self.sources_of.setdefault(source.turn, []).append(source.number)
                    self._evidence[source.statement] = self._evidence.get(source.statement, 0) + 1
                self.sources[source.number] = source
            self.watermark = delta.revision
            return self.watermark

    def rebuild(self) -> None:
        """Forget everything and read the ledger from its beginning."""
        with self._lock:
            self._clear()
            self.catch_up()

    def _add_passages(self, passages: Iterable[PassageRecord]) -> None:
        import numpy as np

        embedded = [one for one in passages if one.vector is not None]
        if embedded:
            self._vectors.upsert(
                [one.number for one in embedded], np.stack([one.vector for one in embedded if one.vector is not None])
            )
        for one in passages:
            self._texts.upsert(one.number, one.terms)
            self._last_passage = max(self._last_passage, one.number)
            if one.turn is not None:
                self.turn_of[one.number] = one.turn
                self.passage_of[one.turn] = one.number

    # --- asking --------------------------------------------------------------------------------------------------------

    def search(self, query: Vectors | None, terms: Mapping[str, int], k: int, keys: Iterable[int]) -> Found:
        """The k nearest of `keys` (passages) by vector and by BM25: restricted before the top-k."""
        with self._lock:
            allowed = self._mask(keys)
            found = Found(text=self._texts.search(terms, k, allowed))
            if query is not None:
                found.vector = self._vectors.search(query, k, allowed)
            return found

    def _mask(self, keys: Iterable[int]) -> NDArray[np.bool_]:
        import numpy as np

        mask = np.zeros(self._last_passage + 1, dtype=bool)
        wanted = [key for key in keys if key <= self._last_passage]
        mask[wanted] = True
        return mask

    def relevance(self, query: Vectors | None, terms: Mapping[str, int], keys: list[int]) -> list[tuple[float, float]]:
        """(cosine, term coverage) of the query to passages."""
        with self._lock:
            cosines = [0.0] * len(keys) if query is None else self._vectors.cosines(query, keys)
            return list(zip(cosines, self._texts.coverage(terms, keys), strict=True))

    def served_rows(self, moment: Moment, only: set[int] | None = None) -> dict[int, RowSpan]:
        """passage → the row that serves it at that moment, among rows `only` where given."""
        with self._lock:
            return {
                row.statement: row
                for row in self.rows.values()
                if (only is None or row.number in only) and moment.serves(row)
            }

    def live_rows(self, now: int) -> dict[int, RowSpan]:
        """passage → the live row that says it. One that starts after `now` (a message dated ahead of our clock) is live too."""
        with self._lock:
            return {
                row.statement: row
                for row in self.rows.values()
                if row.retired is None
                and not row.quarantined
                and (row.valid_to is None or row.valid_to > now)
                and (row.expires_at is None or row.expires_at > now)
            }

    def served_turns(self, moment: Moment, only: set[int] | None = None) -> dict[int, tuple[int, int | None]]:
        """passage → (turn, until) of turns that may be served: those of which nothing ever came, those behind a row that
        is served, and, with `until` (microseconds), those behind rows that are believed but have ended."""
        with self._lock:
            found = {}
            for passage, turn in self.turn_of.items():
                if only is None or turn in only:
                    verdict = self._serve_turn(turn, moment)
                    if verdict is not None:
                        found[passage] = (turn, verdict or None)
            return found

    def _serve_turn(self, turn: int, moment: Moment) -> int | None:
        """0: yes; a time: until then; None: no."""
        sources = self.sources_of.get(turn)
        if not sources:
            return 0
        ended = None
        for source in (self.sources[number] for number in sources):
            if not moment.believes(source.added, source.retired):
                continue
            for row in (self.rows[number] for number in self.rows_of.get(source.statement, ())):
                if moment.serves(row):
                    return 0
                if self._ended(row, moment):
                    ended = max(ended or 0, row.valid_to or 0)
        return ended

    def _ended(self, row: RowSpan, moment: Moment) -> bool:
        believed = moment.believes(row.recorded, row.retired) and not row.quarantined
        return believed and row.valid_to is not None and row.valid_to <= moment.as_of

    def statements_of(self, turn: int, moment: Moment) -> list[int]:
        """The statements that a turn supports at the moment."""
        with self._lock:
            sources = (self.sources[number] for number in self.sources_of.get(turn, ()))
            return [s.statement for s in sources if moment.believes(s.added, s.retired)]

    def believed(self) -> list[RowSpan]:
        """Rows that are not retired."""
        with self._lock:
            return [row for row in self.rows.values() if row.retired is None]

    def first_rows(self) -> dict[str, int]:
        """memory id → the number of its first row."""
        with self._lock:
            first: dict[str, int] = {}
            for row in self.rows.values():
                first[row.memory_id] = min(first.get(row.memory_id, row.number), row.number)
            return first

    def evidence(self, statement: int) -> int:
        """How many further turns tell a statement."""
        return max(0, self._evidence.get(statement, 0) - 1)

    def snapshot(self) -> tuple[object, ...]:
        """Everything that a rebuild must reproduce, for comparison."""
        with self._lock:
            return (
                self.watermark,
                dict(self.rows),
                dict(self.turn_of),
                dict(self.sources),
                len(self._vectors),
                len(self._texts),
            )


class Partitions:
    """The partitions of a store, loaded on demand, the least recently used let go above the memory budget."""

    def __init__(self, make: Callable[[Space], Partition], budget: int = DEFAULT_MEMORY_BUDGET) -> None:
        self._make = make
        self._budget = budget
        self._lock = threading.Lock()
        self._loaded: OrderedDict[Space, Partition] = OrderedDict()

    def get(self, space: Space) -> Partition:
        """A user's partition, caught up with the ledger."""
        with self._lock:
            partition = self._loaded.get(space) or self._make(space)
            self._loaded[space] = partition
            self._loaded.move_to_end(space)
        partition.catch_up()
        self._evict(space)
        return partition

    def _evict(self, but: Space) -> None:
        with self._lock:
            total = sum(partition.bytes for partition in self._loaded.values())
            for space in [space for space in self._loaded if space != but]:
                if total <= self._budget:
                    return
                total -= self._loaded.pop(space).bytes

    def loaded(self) -> list[Partition]:
        """Those in memory now."""
        with self._lock:
            return list(self._loaded.values())

    def clear(self) -> None:
        """Let all go; they come back from the ledger."""
        with self._lock:
            self._loaded.clear()
