"""The read path: channels inside the user's wall and the caller's filters, fused, scored, cut at the floor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ..model import Row, SourceClass, Turn
from ..ports import Embedder, Ledger
from ..records import Known, Space
from ..results import Channel, Hit, Source
from ..times import from_micros, to_micros
from ..view.intervals import BEGINNING, OPEN, Moment, Served, Window
from ..view.partition import Partition, Partitions
from ..view.views import Views, turn_source
from .calibration import CALIBRATED, FEWEST, RETOLD, VOUCHED, Nearest, Scale, answerable, calibrated, company
from .calibration import LOOKS as GATE_LOOKS
from .channels import Path, Place
from .ordering import Fused, Sought, order
from .query import Query
from .rank import NEAR, Telling, crowded, spread, thinned
from .when import read as read_times
from .wording import names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..ports import Vectors
    from ..view.intervals import Integers

# Channels that tell of a passage what its own words do not: what is found by one of them passes the floor of the score.
VOUCHING = frozenset({"support-vector", "support-bm25", "asked", "slot", "time", "timeline", "graph", "turn-after"})
SPARE = 10  # scored beyond the limit at once
LOOKS = 5  # at what is behind a crowd of near duplicates


class Ranked(NamedTuple):
    """A passage on its way into the results. `places`: how it was found, where that was asked; `path`: the graph's steps."""

    key: int
    score: float
    places: tuple[Place, ...] = ()
    path: Path = ()


Near: TypeAlias = tuple[float | None, float]
"""Cosine (None without a vector) and term coverage of a passage to the query."""


@dataclass(frozen=True, slots=True)
class Content:
    """What ranked passages say, by passage."""

    rows: Mapping[int, Row]
    turns: Mapping[int, Turn]

    def with_(self, more: Content) -> Content:
        """This and more."""
        return Content({**self.rows, **more.rows}, {**self.turns, **more.turns})

    def has(self, key: int) -> bool:
        """Whether it is read."""
        return key in self.turns or key in self.rows

    def source(self, key: int) -> SourceClass:
        """Whose word it is."""
        return SourceClass.of(self.turns[key].role) if key in self.turns else self.rows[key].statement.source

    def author(self, key: int) -> Hashable:
        """Who says it, as far as a crowd of one source is concerned: a user's turn belongs to the add that it came with."""
        own = key in self.turns and self.source(key) is SourceClass.USER
        return self.turns[key].batch_id if own else self.source(key)

    def wording(self, key: int) -> str:
        """What it says, a turn with its speaker."""
        if key in self.turns:
            return f"{self.turns[key].speaker}: {self.turns[key].content}"
        return self.rows[key].statement.text

    def telling(self, key: int) -> Telling:
        """What must not differ between near duplicates."""
        if key in self.turns:
            turn = self.turns[key]
            return Telling("turn", turn.content, (turn.speaker,), turn.said_at.date())
        said = self.rows[key].statement
        about = (*said.slot.key, (said.value or "").casefold()) if said.slot else None
        return Telling("memory", said.text, about, said.event)


@dataclass(frozen=True, slots=True)
class Ordered:
    """What a search found, best first, with all that its hits are made of."""

    sought: Sought
    content: Content
    kept: tuple[Ranked, ...]

    def texts(self, most: int) -> list[str]:
        """What the first ones say, turns with their speakers."""
        return [self.content.wording(one.key) for one in self.kept[:most]]


class Retriever:
    """Answers queries from the partitions; blocking, called from worker threads."""

    def __init__(self, ledger: Ledger, partitions: Partitions) -> None:
        self._ledger, self._partitions = ledger, partitions

    def moment(self, space: Space, query: Query) -> Moment:
        """The two time axes of a query."""
        number = None if query.known_at is None else self._ledger.number_at(space, query.known_at)
        return Moment(to_micros(query.as_of or query.now), number, to_micros(query.now))

    def search(self, query: Query, vector: Vectors | None, embedder: Embedder) -> list[Hit]:
        """Hits, best first. `vector`: the query's, by `embedder`; None where that is down: by words alone.

        Raises EmbeddingModelMismatch where the store's vectors are of another one by now.
        """
        found = self.find(query, vector, embedder)
        return [] if found is None else self._hits_of(found, found.kept)

    def sought(self, query: Query, vector: Vectors | None, embedder: Embedder) -> Sought | None:
        """All that a search goes by; None where nothing was ever stored."""
        space = self._ledger.space(query.scope.user_id)
        if space is None:
            return None
        partition = self._partitions.get(space, embedder)
        moment = self.moment(space, query)
        return Sought(
            partition,
            query,
            moment,
            self.served(partition, query, moment),
            partition.asked(query.text),
            vector,
            read_times(query.text, query.now),
            self.scale(partition),
        )

    def find(self, query: Query, vector: Vectors | None, embedder: Embedder, read: int = 0) -> Ordered | None:
        """The same before it is read as hits; None where there is nothing on it. `read`: how many of the first are read."""
        sought = self.sought(query, vector, embedder)
        if sought is None:
            return None
        content, behind, dense = Content({}, {}), list[Ranked](), False
        for look in range(LOOKS):
            fused = order(sought)
            near = relevance(sought, fused.keys[: query.limit + SPARE])
            if look == 0 and query.gated and not has_answer(sought, near):
                return None
            kept = above_floor(sought, fused, near)
            twins, same = alike(sought, kept)
            if not (like_others := companions(same)):
                dense = False
                break
            content = self._read(sought, [kept[place] for place in like_others], content)
            kept, crowd, dense = self._distinct(sought, kept, content, twins, same)
            behind += crowd
            if not crowd:
                break
            # What else is there, behind what filled the channels?
            sought = replace(sought, served=sought.served.without([one.key for one in crowd]))
        if dense or behind:
            kept = self._spread(sought, [*kept, *behind], content)
        content = self._read(sought, kept[:read], content)
        return Ordered(sought, content, tuple(kept))

    def reranked(self, found: Ordered, limit: int, scores: Sequence[float]) -> list[Hit]:
        """At most `limit` hits, the first of what was found by a reranker's scores; what is much the same is held back as in any
        search."""
        by_score = sorted(range(len(scores)), key=lambda place: -scores[place])
        least, span = min(scores), max(scores) - min(scores) or 1.0
        first = [
            found.kept[place]._replace(
                places=(*found.kept[place].places, Place("rerank", rank, (scores[place] - least) / span))
            )
            for rank, place in enumerate(by_score, start=1)
        ]
        sought = replace(found.sought, query=replace(found.sought.query, limit=limit))
        kept = [*first, *found.kept[len(scores) :]]
        twins, same = alike(sought, kept)
        content = self._read(sought, [kept[place] for place in companions(same)], found.content)
        kept, crowd, dense = self._distinct(sought, kept, content, twins, same)
        if dense or crowd:
            kept = self._spread(sought, [*kept, *crowd], content)
        return self._hits_of(Ordered(sought, content, ()), kept)

    def _hits_of(self, found: Ordered, kept: Sequence[Ranked]) -> list[Hit]:
        sought = found.sought
        first = kept[: sought.query.limit]
        with self._ledger.snapshot():  # not before: the view, which others bring on as well, must not be ahead of it
            return self._hits(sought, first, self._read(sought, first, found.content))

    def _distinct(
        self,
        sought: Sought,
        kept: list[Ranked],
        content: Content,
        twins: NDArray[np.bool_],
        same: NDArray[np.bool_],
    ) -> tuple[list[Ranked], list[Ranked], bool]:
        """Near duplicates behind all others, what contradicts a better one where it is; those that are too many of one
        source; and whether there may be too many of what is not the user's own word. See `alike` for `twins` and `same`;
        `content`: of those that are like others."""
        limit = sought.query.limit
        places = thinned(twins, {place: content.telling(kept[place].key) for place in companions(same)})
        same, kept = same[places][:, places], [kept[place] for place in places]
        dense = any(content.source(kept[place].key) is not SourceClass.USER for place in companions(same))
        if same.sum(axis=0).max() <= max(1, limit // 3):  # too few to crowd anything out
            return kept, [], dense
        crowd = set(crowded(same, self._authors(sought, kept, content), limit))
        stay = [one for place, one in enumerate(kept) if place not in crowd]
        return stay, [one for place, one in enumerate(kept) if place in crowd], dense

    def _spread(self, sought: Sought, kept: list[Ranked], content: Content) -> list[Ranked]:
        """Without what is too much of one source beside what else there is."""
        _, same = alike(sought, kept)
        content = self._read(sought, [kept[place] for place in companions(same)], content)
        owned = [content.has(one.key) and content.source(one.key) is SourceClass.USER for one in kept]
        authors = self._authors(sought, kept, content)
        return [kept[place] for place in spread(same, authors, owned, sought.query.limit)]

    def _authors(self, sought: Sought, kept: Sequence[Ranked], content: Content) -> list[Hashable]:
        """Whose passages are, in their order: one add of the user's, or all that assistants, tools or documents say; what is not
        read, for it is like nothing else, is nobody's."""
        space, keys = sought.partition.space, [one.key for one in kept]
        own = [key for key in keys if key in content.rows and content.source(key) is SourceClass.USER]
        sources = [one for one in self._ledger.sources(space, own) if not one.echo]
        known = {turn.number: turn for turn in content.turns.values()}
        turns = Known({**known, **self._ledger.turns(space, {source.turn for source in sources} - known.keys())})
        batch = {source.statement: turns[source.turn].batch_id for source in reversed(sources)}
        return [batch[key] if key in batch else content.author(key) if content.has(key) else key for key in keys]

    def scale(self, partition: Partition) -> Scale:
        """How the embedder's cosines are read: as they are where the score was fitted to them."""
        return Scale() if partition.embedder.id in CALIBRATED else Scale.of_background(*partition.background())

    def served(self, partition: Partition, query: Query, moment: Moment) -> Served:
        """What the query may find: inside its scope, filter and window."""
        rows = turns = None
        space, scope, condition = partition.space, query.scope, query.condition
        if condition is not None or scope.agent_id is not None or scope.session_id is not None:
            rows = self._ledger.allowed_rows(space, scope, condition)
            turns = self._ledger.allowed_turns(space, scope, condition)
        since = BEGINNING if query.since is None else to_micros(query.since)
        until = OPEN if query.until is None else to_micros(query.until)
        said_until = until if query.as_of is None else min(until, moment.as_of)
        return partition.served(moment, rows, turns, Window(since, until), Window(since, said_until))

    # --- results -------------------------------------------------------------------------------------------------------

    def _read(self, sought: Sought, kept: Sequence[Ranked], known: Content) -> Content:
        """The rows and turns of passages, beside what is known."""
        keys = [one.key for one in kept if not known.has(one.key)]
        if not keys:
            return known
        space, served = sought.partition.space, sought.served
        rows = {key: int(served.rows[key]) for key in keys if served.rows[key]}
        turns = {key: int(served.turns[key]) for key in keys if not served.rows[key]}
        read_rows = self._ledger.rows(space, rows.values()) if rows else {}
        read_turns = self._ledger.turns(space, turns.values()) if turns else {}
        told = {key: read_rows[number] for key, number in rows.items()}
        return known.with_(Content(told, {key: read_turns[number] for key, number in turns.items()}))

    def _hits(self, sought: Sought, kept: Sequence[Ranked], content: Content) -> list[Hit]:
        space, served = sought.partition.space, sought.served
        told = [one.key for one in kept if one.key in content.rows]
        said = [content.turns[one.key].number for one in kept if one.key in content.turns]
        sources = Views(self._ledger, space).evidence(told, sought.moment.number) if told else {}
        created = self._ledger.created_at(space, [content.rows[key].memory_id for key in told]) if told else {}
        claimed = self._claimed(sought, said, content.rows) if said else set()
        hits = []
        for one in kept:
            if row := content.rows.get(one.key):
                hits.append(memory_hit(row, one, created[row.memory_id], sources.get(one.key, ())))
            else:
                turn = content.turns[one.key]
                source = SourceClass.CLAIM if turn.number in claimed else SourceClass.of(turn.role)
                hits.append(turn_hit(turn, source, one, int(served.until[one.key])))
        return hits

    def _claimed(self, sought: Sought, turns: Sequence[int], known: Mapping[int, Row]) -> set[int]:
        """Those of the turns of which claims came. `known`: rows that are read already, by passage."""
        import numpy as np

        places, passages = sought.partition.supported(np.array(turns), sought.moment)
        served = sought.may_serve(passages)
        told = passages[served].tolist()
        unknown = [int(sought.served.rows[key]) for key in told if key not in known]
        read = self._ledger.rows(sought.partition.space, unknown).values()
        rows = Known({**known, **{row.statement.number: row for row in read}})
        claims = [rows[key].statement.source is SourceClass.CLAIM for key in told]
        return {turns[place] for place, claim in zip(places[served].tolist(), claims, strict=True) if claim}


def relevance(sought: Sought, keys: Integers) -> list[Near]:
    """How near the query comes to passages."""
    return sought.partition.relevance(sought.vector, sought.terms, keys.tolist())


def has_answer(sought: Sought, near: Sequence[Near]) -> bool:
    """The gate: whether there is anything on the query at all, by the best of its first passages together."""
    return answerable(nearest(sought, near)) >= sought.query.gate(calibrated=sought.scale == Scale())


def nearest(sought: Sought, near: Sequence[Near]) -> Nearest:
    """How near the query comes to what may be served. `near`: of the first passages, in their order."""
    partition, served, scale, first = sought.partition, sought.served, sought.scale, near[:GATE_LOOKS]
    scaled = [(cosine, coverage) for one, coverage in first if (cosine := scale(one)) is not None]
    # The background of few texts tells too little for more.
    turns = served.spoken if scale == Scale() else max(served.spoken, FEWEST)
    return Nearest(
        cosine=max(cosine for cosine, _ in scaled) if scaled else None,
        coverage=max((coverage for _, coverage in first), default=0.0),
        company=company(scaled, turns + RETOLD * served.memories),
        strange=partition.strange(names(sought.query.text)),
        turns=turns,
        memories=served.memories,
    )


def above_floor(sought: Sought, fused: Fused, near: Sequence[Near]) -> list[Ranked]:
    """The first whose score reaches the floor, a few more than `limit`; scored block by block, for most searches need only the
    first, which is `near` already."""
    query, block = sought.query, len(near)
    kept: list[Ranked] = []
    for start in range(0, len(fused.keys), block or 1):
        part = fused.keys[start : start + block]
        found = near if start == 0 else relevance(sought, part)
        scores = [calibrated(sought.scale(cosine), coverage) for cosine, coverage in found]
        vouched = fused.fusion.reached(VOUCHING, VOUCHED) if query.gated and min(scores) < query.floor else None
        kept += [
            ranked(sought, fused, key, score)
            for key, score in zip(part.tolist(), scores, strict=True)
            if score >= query.floor or (vouched is not None and vouched[key])
        ]
        if len(kept) >= query.limit:
            break
    return kept[:block]


def ranked(sought: Sought, fused: Fused, key: int, score: float) -> Ranked:
    """A passage with what is told of how it was found."""
    places = fused.fusion.places(key) if sought.query.explain else ()
    return Ranked(key, score, places, fused.fusion.paths.get(key, ()))


def alike(sought: Sought, kept: Sequence[Ranked]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which passages are near duplicates of each other, of shape (len(kept), len(kept)); and which belong to one crowd. A crowd
    moves the background that an unknown embedder is read by, so there its plain cosine counts too."""
    cosines, scale = sought.partition.alike([one.key for one in kept]), sought.scale
    near = scale.shift + scale.factor * cosines >= NEAR
    return near, near | (cosines >= NEAR)


def companions(same: NDArray[np.bool_]) -> list[int]:
    """The places of passages that are like another one; the rest, most of them, need not be read to be told apart."""
    places: list[int] = (same.sum(axis=0) > 1).nonzero()[0].tolist()
    return places


def memory_hit(row: Row, one: Ranked, created_at: datetime, sources: tuple[Source, ...]) -> Hit:
    """A memory row as a hit."""
    event = row.statement.event
    return Hit(
        kind="memory",
        id=row.memory_id,
        text=row.statement.text,
        score=one.score,
        metadata=dict(row.metadata),
        created_at=created_at,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        source=row.statement.source,
        event_from=event.start if event else None,
        event_to=event.end if event else None,
        sources=sources,
        channels=channels_of(one),
        related_through=one.path,
    )


def turn_hit(turn: Turn, source: SourceClass, one: Ranked, until: int) -> Hit:
    """A turn as a hit."""
    return Hit(
        kind="turn",
        id=turn.id,
        text=turn.content,
        score=one.score,
        metadata=dict(turn.metadata),
        created_at=turn.said_at,
        valid_from=turn.said_at,
        until=None if until == BEGINNING else from_micros(until),
        speaker=turn.speaker,
        source=source,
        sources=(turn_source(turn),),
        channels=channels_of(one),
    )


def channels_of(one: Ranked) -> tuple[Channel, ...]:
    """How it was found, where that was asked."""
    return tuple(Channel(name=place.channel, rank=place.rank, score=place.score) for place in one.places)
