"""One user's view of the ledger in memory: vectors, BM25, and which row or turn may be served when.

A view: it is brought up to date by replaying the user's numbered changes, and rebuilt when in doubt. It holds all rows with
their intervals, so that `as_of` and `known_at` are answered from it too. One lock, one watermark.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from ..embedding import EmbedderInUse, key_of
from ..errors import EmbeddingModelMismatch, StoreCorrupt
from ..failpoints import reach
from ..ports import Embedder, Ledger, TextIndex, Tokenizer, VectorIndex
from ..records import (
    Asked,
    Delta,
    EmbedderKey,
    Hiding,
    Identity,
    PassageRecord,
    RowSpan,
    Scored,
    SourceSpan,
    Space,
    words_of,
)
from ..retrieval.surroundings import Spots, Surroundings
from .graph import ENTITY_BYTES, EntityGraph, Related, View
from .intervals import EVER, Intervals, Moment, Served, Window
from .labels import Labels

if TYPE_CHECKING:
    from ..ports import Vectors
    from ..retrieval.channels import Floats
    from .intervals import Integers, Mask

log = logging.getLogger("recollect")

DEFAULT_MEMORY_BUDGET = 512 * 1024 * 1024  # bytes, for all partitions of a store
BACKGROUND_SAMPLE = 256  # texts, evenly spread over a user's history
MEMORIES, TURNS = 0, 1  # groups of vectors: what a fact is compared with is only memories
USER_BYTES = 20_000  # a user who has next to nothing


class Found(NamedTuple):
    """What vectors found, and what words. Keys are passages."""

    vector: Scored
    text: Scored


class Partition:
    """All methods take the lock; results are plain values. Its vectors are of one embedder, for as long as it lives."""

    def __init__(
        self,
        space: Space,
        embedder: EmbedderKey,
        ledger: Ledger,
        vectors: Callable[[], VectorIndex],
        texts: Callable[[], TextIndex],
        tokenizer: Tokenizer,
    ) -> None:
        self.space, self.embedder = space, embedder
        self._ledger, self._tokenizer = ledger, tokenizer
        self._new_vectors, self._new_texts = vectors, texts
        self._lock = threading.RLock()
        self._clear()

    def _clear(self) -> None:
        self.watermark = 0
        self._vectors = self._new_vectors()
        self._texts = self._new_texts()
        self._intervals = Intervals()
        self.hidings: dict[tuple[int, int], Hiding] = {}
        self._background: tuple[int, tuple[float, int]] | None = None  # with the watermark that it was taken at
        self._hidings_of: dict[int, dict[int, Hiding]] = {}  # turn → those of `hidings`, by the change that hid it
        self._aside: dict[int, PassageRecord] = {}  # what waits for a review
        self._doubted: set[int] = set()  # statements that were ever quarantined
        self._labels = Labels(self._tokenizer)
        self.identities: dict[tuple[int, int, int], Identity] = {}
        self._graph: EntityGraph | None = None  # made when it is first asked for
        self._last_statement = 0
        self._surroundings = Surroundings()

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def bytes(self) -> int:
        """Roughly what it takes in memory."""
        graph = 0 if self._graph is None else len(self._graph) * ENTITY_BYTES
        parts = (self._vectors, self._texts, self._intervals, self._labels, self._surroundings)
        return USER_BYTES + sum(one.nbytes for one in parts) + graph

    # --- following the ledger ------------------------------------------------------------------------------------------

    def catch_up(self) -> int:
        """Replay what the ledger has and we have not; the number that we are at then.

        Raises EmbeddingModelMismatch where the store was embedded anew, and stays as it is.
        """
        if self._ledger.revision(self.space) <= self.watermark:  # less: in a thread that reads an older state
            return self.watermark  # as before most searches: nothing came
        with self._ledger.snapshot(), self._lock:
            if self._ledger.revision(self.space) > self.watermark:  # or another thread was faster
                self._replay()
            return self.watermark

    def _replay(self) -> None:
        """Texts come last, and some at a time, so that not all terms and vectors are held twice. The first ones are read before
        anything is put: a fault of the disk leaves a view as it was, or, where it was loading, with nothing."""
        delta = self._ledger.delta(self.space, self.watermark, self.embedder)
        if delta.cleared:
            self._clear()
            delta = self._ledger.delta(self.space, 0, self.embedder)
        parts = self._ledger.passages(self.space, self.watermark)
        parts = chain([next(parts)], parts)
        reach("partition.read")
        try:
            self._put(delta)
            revision = delta.revision
            del delta
            for passages in parts:
                self._put_texts(passages)
        except BaseException:
            self._clear()
            raise
        self.watermark = revision

    def _put(self, delta: Delta) -> None:
        self._add_sources(delta.sources)
        self._add_rows(delta.rows)
        self._add_hidings(delta.hidings)
        self.identities.update(((one.one, one.other, one.added), one) for one in delta.identities)

    def _put_texts(self, passages: Sequence[PassageRecord]) -> None:
        self._intervals.put_passages(passages)
        self._surroundings.put_passages(passages)
        self._aside.update((one.number, one) for one in passages)
        ready = self._ready()
        self._add_passages([self._aside.pop(number) for number in ready])

    def rebuild(self) -> None:
        """Forget everything and read the ledger from its beginning."""
        with self._lock:
            self._clear()
            self.catch_up()

    def _add_passages(self, passages: Sequence[PassageRecord]) -> None:
        import numpy as np

        embedded = self._sound(passages)
        if len(embedded) < len(passages):  # pending, or damaged: found by its words meanwhile
            self._vectors.remove(sorted({one.number for one in passages} - {one.number for one in embedded}))
        memories, turns = [p for p in embedded if p.turn is None], [p for p in embedded if p.turn is not None]
        for group, own in ((MEMORIES, memories), (TURNS, turns)):
            if own:
                vectors = np.stack([one.vector for one in own if one.vector is not None])
                self._vectors.upsert([one.number for one in own], vectors, group)
        for one in passages:
            self._texts.upsert(one.number, one.terms, MEMORIES if one.turn is None else TURNS)
        self._labels.put({one.number: one.speaker for one in passages if one.speaker is not None}, slots=False)

    def _ready(self) -> list[int]:
        """Of the texts that came, those that do not wait for a review: what was put aside when it came, and nobody has approved
        yet, takes no part in what scores are made of, else whoever gets texts quarantined could move the scores of others."""
        doubted = self._doubted.intersection(self._aside)
        unapproved = doubted - self._intervals.approved([*doubted]) if doubted else doubted
        return [
            number
            for number, one in self._aside.items()
            if not (number in unapproved if one.turn is None else self._is_aside(one.turn, one.committed))
        ]

    def _is_aside(self, turn: int, committed: int) -> bool:
        hidings = self._hidings_of.get(turn, {}).values()
        return any(one.added <= committed and one.retired is None for one in hidings)

    def _add_rows(self, rows: Sequence[RowSpan]) -> None:
        self._last_statement = max([self._last_statement, *(row.statement for row in rows)])
        self._doubted.update(row.statement for row in rows if row.quarantined)
        slots: dict[int, str] = {}
        for row in rows:
            if row.slot is not None and row.statement not in self._labels:
                slots.setdefault(row.statement, row.slot)
        self._labels.put(slots, slots=True)
        self._intervals.put_rows(rows)

    def _add_hidings(self, hidings: Sequence[Hiding]) -> None:
        for one in hidings:
            self.hidings[one.turn, one.added] = one
            self._hidings_of.setdefault(one.turn, {})[one.added] = one
        self._intervals.put_hidings(hidings)

    def _sound(self, passages: Sequence[PassageRecord]) -> list[PassageRecord]:
        """Those with a vector that can be searched. One that was damaged is left out, and `verify` names it."""
        import numpy as np

        dim = getattr(self._vectors, "dim", None)
        embedded = [(one, one.vector) for one in passages if one.vector is not None]
        whole = [(one, vector) for one, vector in embedded if dim is None or vector.shape == (dim,)]
        finite = np.isfinite(np.stack([vector for _, vector in whole])).all(axis=1) if whole else ()
        sound = [whole[place][0] for place in np.flatnonzero(finite).tolist()]
        for _ in range(len(embedded) - len(sound)):
            log.warning("a damaged vector of space %d is left out: verify() tells, rebuild() mends", self.space)
        return sound

    def _add_sources(self, sources: Sequence[SourceSpan]) -> None:
        self._surroundings.put_sources(
            [one for one in sources if not one.echo]
        )  # which is no evidence: it lifts nothing
        self._intervals.put_sources(sources)

    # --- asking --------------------------------------------------------------------------------------------------------

    def search(self, query: Vectors | None, terms: Mapping[str, int], k: int, allowed: Mask) -> Found:
        """The k nearest passages by vector and by BM25, of those `allowed` (by passage): restricted before the top-k."""
        with self._lock:
            near = Scored.none() if query is None else self._vectors.search(query, k, allowed)
            return Found(near, self._texts.search(terms, k, allowed))

    def relevance(
        self, query: Vectors | None, terms: Mapping[str, int], keys: Sequence[int]
    ) -> list[tuple[float | None, float]]:
        """(cosine, term coverage) of the query to passages; no cosine where there is no vector."""
        with self._lock:
            cosines = [None] * len(keys) if query is None else self._vectors.cosines(query, keys)
            return list(zip(cosines, self._texts.coverage(terms, keys), strict=True))

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        """Term coverage of the query in passages, 0..1."""
        with self._lock:
            return self._texts.coverage(terms, keys)

    def strange(self, names: Sequence[str]) -> bool:
        """Whether there are names, and no text has any of them."""
        with self._lock:
            terms = self._tokenizer.asked(" ".join(names), self._texts.__contains__)
            return bool(terms) and not any(term in self._texts for term in terms)

    def about(self, terms: Mapping[str, int], keys: Integers) -> tuple[Integers, Floats]:
        """Of these passages those whom or what the query names, best first, ties by smaller key: keys, and the weight > 0 of its
        terms that occur in the slot of a memory, or in the name of who said a turn."""
        with self._lock:
            return self._labels.about(
                {word: min([self._texts.idf(term) for term in word]) for word in words_of(terms)}, keys
            )

    def spans(self, served: Served) -> tuple[Integers, Integers, Mask]:
        """When what passages tell of happened, see `Intervals.spans`."""
        with self._lock:
            return self._intervals.spans(served)

    def holding(self, words: str, k: int, allowed: Mask) -> list[tuple[int, float]]:
        """Passages that hold some of these words, and how much of their weight, 0..1; the k best by BM25."""
        with self._lock:
            terms = self.asked(words)
            keys = self._texts.search(terms, k, allowed).keys.tolist()
            return list(zip(keys, self._texts.coverage(terms, keys), strict=True))

    def asked(self, text: str) -> Asked:
        """The terms that a query is about, here."""
        with self._lock:
            return self._tokenizer.asked(text, self._texts.__contains__)

    def siblings(self, statement: int) -> Sequence[int]:
        """The statements of the same slot, itself included; none where it has no slot."""
        with self._lock:
            return self._labels.siblings(statement)

    def slots_of(self, who: str, attributes: Iterable[str]) -> list[tuple[int, ...]]:
        """The statements of somebody's slots, by attribute, see `Labels.of`."""
        with self._lock:
            return self._labels.of(who, attributes)

    def kinds(self, statements: Iterable[int], terms: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
        """The slots of these statements that the query is about, see `Labels.kinds`."""
        with self._lock:
            return self._labels.kinds(statements, frozenset(term for word in words_of(terms) for term in word))

    def related(
        self, asked: Set[str], leaders: Sequence[tuple[int, float]], allowed: Mask, now: int, k: int
    ) -> list[Related]:
        """Statements that come along by the graph, see `EntityGraph.related`; entities are one by what holds `now`."""
        with self._lock, self._whole():
            return self._graph_at(now).related(asked, leaders, allowed, k)

    def words(self, text: str) -> frozenset[str]:
        """The words of a text, as those of entities' names are."""
        return self._tokenizer.words(text)

    def view(self, statements: Iterable[int], now: int) -> View:
        """What statements name and tell."""
        with self._lock, self._whole():
            return self._graph_at(now).view(statements)

    def _graph_at(self, now: int) -> EntityGraph:
        if self._graph is None:  # one without entities is a graph too
            self._graph = EntityGraph(self._tokenizer)
        graph = self._graph
        if graph.last_statement < self._last_statement:
            names = self._ledger.names(self.space, graph.last_statement, graph.last_entity)
            graph.learn(names, self._last_statement)
        said = [one for one in self.identities.values() if one.retired is None]
        graph.resolve(self._intervals.believed, lambda: self._intervals.live_rows(now) > 0, said, self.watermark)
        return graph

    def named(self, terms: Mapping[str, int], keys: Integers) -> Integers:
        """Of these passages those whose subject, or whose speaker, the query names whole; ascending."""
        with self._lock:
            return self._labels.named(terms, keys)

    def spots(self, passages: Integers) -> Spots:
        """Where passages stand, see `Surroundings.spots`."""
        with self._lock:
            return self._surroundings.spots(passages)

    @property
    def told_share(self) -> float:
        """Of how many of the user's turns a memory came, 0..1."""
        with self._lock:
            turns = self._intervals.turns - sum(one.turn is not None for one in self._aside.values())
            return min(self._intervals.told / turns, 1.0) if turns else 0.0

    def background(self) -> tuple[float, int]:
        """Mean cosine between two of the user's texts, and of how many pairs that is the mean."""
        with self._lock:
            if self._background is None or self._background[0] != self.watermark:
                self._background = self.watermark, self._measure_background()
            return self._background[1]

    def _measure_background(self) -> tuple[float, int]:
        import numpy as np

        keys = np.unique(np.linspace(1, self._intervals.passages, BACKGROUND_SAMPLE).astype(int)).tolist()
        cosines = self._vectors.between(keys)
        texts = int((np.diag(cosines) > 0).sum())
        pairs = texts * (texts - 1) // 2
        return (float(np.triu(cosines, 1).sum()) / pairs if pairs else 0.0), pairs

    def alike(self, keys: Sequence[int]) -> Vectors:
        """Cosines of passages to each other, of shape (len(keys), len(keys))."""
        with self._lock:
            return self._vectors.between(keys)

    def served(
        self,
        moment: Moment,
        rows: Iterable[int] | None = None,
        turns: Iterable[int] | None = None,
        window: Window = EVER,
        said: Window = EVER,
    ) -> Served:
        """What may be served at the moment, see `Intervals.served`."""
        with self._lock, self._whole():
            return self._intervals.served(moment, rows, turns, window, said)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """A row, quote or turn whose counterpart is not there was lost from the ledger. Raises StoreCorrupt."""
        try:
            yield
        except IndexError as error:
            raise StoreCorrupt("the ledger lacks what it refers to: verify() tells where", stage="read") from error

    def live_rows(self, now: int) -> Integers:
        """passage → the number of the live row that says it, 0 where there is none."""
        with self._lock, self._whole():
            return self._intervals.live_rows(now)

    def last_rows(self) -> Integers:
        """passage → the last row that said it, whatever became of it; 0 where there is none."""
        with self._lock, self._whole():
            return self._intervals.last_rows()

    def supported(self, turns: Integers, moment: Moment) -> tuple[Integers, Integers]:
        """The statements that turns support, see `Intervals.supported`."""
        with self._lock:
            return self._intervals.supported(turns, moment)

    def shown_turns(self, turns: Sequence[int]) -> list[int]:
        """Those of the turns that are searchable and not hidden."""
        with self._lock:
            return self._intervals.shown_turns(turns)

    def believed_rows(self) -> list[int]:
        """The numbers of the rows that are not retired."""
        with self._lock:
            numbers: list[int] = self._intervals.believed_rows().tolist()
            return numbers

    def told(self, moment: Moment) -> list[tuple[int, int, str]]:
        """Of what is believed at the moment, live or ended, and has not expired: the row's number, the statement's, and its slot,
        "" where it has none."""
        with self._lock:
            rows, statements = self._intervals.unexpired_rows(moment)
            return [
                (row, one, self._labels.text(one)) for row, one in zip(rows.tolist(), statements.tolist(), strict=True)
            ]

    def quotes(self, passages: Integers) -> Integers:
        """How many quotes tell them, see `Intervals.quotes`."""
        with self._lock:
            return self._intervals.quotes(passages)

    def snapshot(self) -> tuple[object, ...]:
        """Everything that a rebuild must reproduce, for comparison."""
        with self._lock:
            return (
                self.watermark,
                self._intervals.snapshot(),
                self._labels.snapshot(),
                dict(self.hidings),
                dict(self.identities),
                len(self._vectors),
                len(self._texts),
            )


class Partitions:
    """The partitions of a store, loaded on demand, the least recently used let go above the memory budget."""

    def __init__(
        self,
        make: Callable[[Space, EmbedderKey], Partition],
        in_use: EmbedderInUse,
        budget: int = DEFAULT_MEMORY_BUDGET,
    ) -> None:
        self._make = make
        self._in_use = in_use
        self._budget = budget
        self._lock = threading.Lock()
        self._loaded: OrderedDict[Space, Partition] = OrderedDict()
        self._bytes: dict[Space, int] = {}  # what each took when it last moved
        self._total = 0  # of these

    def get(self, space: Space, of: Embedder | None = None) -> Partition:
        """A user's partition, caught up with the ledger, of the embedder in use.

        Raises EmbeddingModelMismatch where that is not the store's any more, or not the one that the caller's vectors are `of`.
        """
        embedder = key_of(self._in_use.embedder)
        if of is not None:
            key_of(of).must_be(embedder)
        partition = self._loaded_of(space, embedder)
        before = partition.watermark
        try:
            moved = partition.catch_up() != before
        except EmbeddingModelMismatch:
            if key_of(self._in_use.settled()) == embedder:
                raise
            return self.get(space, of)
        if moved or space not in self._bytes:
            self._evict(space, partition.bytes)
        return partition

    def _loaded_of(self, space: Space, embedder: EmbedderKey) -> Partition:
        with self._lock:
            partition = self._loaded.get(space)
            if partition is None or partition.embedder != embedder:
                partition = self._make(space, embedder)
            self._loaded[space] = partition
            self._loaded.move_to_end(space)
            return partition

    def _evict(self, moved: Space, now: int) -> None:
        with self._lock:
            if moved in self._loaded:
                self._total += now - self._bytes.get(moved, 0)
                self._bytes[moved] = now
            for space in [*self._loaded] if self._total > self._budget else ():
                if space != moved and self._total > self._budget:
                    self._let_go(space)

    def _let_go(self, space: Space) -> None:
        self._loaded.pop(space, None)
        self._total -= self._bytes.pop(space, 0)

    def fresh(self, space: Space, of: EmbedderKey | None = None) -> Partition:
        """A user's partition made anew, to compare with: it takes nobody's place. `of`: None is the embedder in use."""
        partition = self._make(space, of or key_of(self._in_use.embedder))
        partition.catch_up()
        return partition

    def loaded(self) -> list[Partition]:
        """Those in memory now, of the embedder in use: others are made anew when they are asked for."""
        embedder = key_of(self._in_use.embedder)
        with self._lock:
            return [partition for partition in self._loaded.values() if partition.embedder == embedder]

    def drop(self, space: Space) -> None:
        """Let a user's go."""
        with self._lock:
            self._let_go(space)

    def clear(self) -> None:
        """Let all go; they come back from the ledger."""
        with self._lock:
            self._loaded.clear()
            self._bytes.clear()
            self._total = 0
