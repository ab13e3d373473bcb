"""The read path: channels inside the user's wall and the caller's filters, fused, scored, cut at the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from .calibration import CALIBRATED, FEWEST, VOUCHED, Nearest, Scale, answerable, calibrated
from .calibration import LOOKS as GATE_LOOKS
from .intervals import BEGINNING, OPEN, Moment, Served, Window
from .model import Row, SourceClass, Turn
from .ordering import Fused, order
from .partition import Partition, Partitions
from .ports import Embedder, Ledger
from .query import Query
from .rank import (
    NEAR,
    Place,
    Telling,
    crowded,
    spread,
    thinned,
)
from .records import Space
from .results import Channel, Hit, Source
from .times import from_micros, to_micros
from .views import Views, turn_source
from .when import read as read_times
from .wording import names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .ports import Vectors

# Channels that tell of a passage what its own words do not: what is found by one of them passes the floor of the score.
VOUCHING = frozenset(
    {"support-vector", "support-bm25", "slot", "time", "timeline", "graph", "turn-after", "turn-before"}
)
SPARE = 10  # scored beyond the limit at once
LOOKS = 5  # at what is behind a crowd of near duplicates


class Ranked(NamedTuple):
    """A passage on its way into the results."""

    key: int
    score: float
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """What ranked passages say, by passage."""

    rows: Mapping[int, Row]
    turns: Mapping[int, Turn]

    def with_(self, more: Content) -> Content:
        """This and more."""
        return Content({**self.rows, **more.rows}, {**self.turns, **more.turns})

    def source(self, key: int) -> SourceClass:
        """Whose word it is."""
        return SourceClass.of(self.turns[key].role) if key in self.turns else self.rows[key].statement.source

    def author(self, key: int) -> object:
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

    space: Space
    partition: Partition
    moment: Moment
    served: Served
    scale: Scale
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
        return [] if found is None else self._hits_of(query, found, found.kept)

    def find(self, query: Query, vector: Vectors | None, embedder: Embedder, read: int = 0) -> Ordered | None:
        """The same before it is read as hits; None where there is nothing on it. `read`: how many of the first are read."""
        space = self._ledger.space(query.scope.user_id)
        if space is None:
            return None
        partition = self._partitions.get(space, embedder)
        moment = self.moment(space, query)
        served = self.served(space, partition, query, moment)
        terms = partition.asked(query.text)
        scale = self.scale(partition)
        content, behind, dense = Content({}, {}), list[Ranked](), False
        reading = read_times(query.text, query.now)
        for look in range(LOOKS):
            ordered = order(partition, query, moment, terms, vector, served, reading)
            if look == 0 and query.gated and not has_answer(partition, query, terms, vector, ordered, scale, served):
                return None
            kept = above_floor(partition, query, terms, vector, ordered, scale)
            near, same = alike(partition, kept, scale)
            if same.sum() <= len(kept):  # each is like itself alone: most need not be read
                dense = False
                break
            content = self._read(space, kept, served, content)
            kept, crowd, dense = self._distinct(space, query, kept, content, near, same)
            behind += crowd
            if not crowd:
                break
            served = served.without([one.key for one in crowd])  # what else is there, behind what filled the channels?
        if dense or behind:
            content = self._read(space, kept, served, content)
            kept = self._spread(space, query, partition, [*kept, *behind], content, scale)
        content = self._read(space, kept[:read], served, content)
        return Ordered(space, partition, moment, served, scale, content, tuple(kept))

    def reranked(self, query: Query, found: Ordered, scores: Sequence[float]) -> list[Hit]:
        """Hits, the first of what was found by a reranker's scores; what is much the same is held back as in any search."""
        by_score = sorted(range(len(scores)), key=lambda place: -scores[place])
        least, span = min(scores), max(scores) - min(scores) or 1.0
        first = [
            found.kept[place]._replace(
                places=(*found.kept[place].places, Place("rerank", rank, (scores[place] - least) / span))
            )
            for rank, place in enumerate(by_score, start=1)
        ]
        space, partition, scale = found.space, found.partition, found.scale
        kept = [*first, *found.kept[len(scores) :]]
        near, same = alike(partition, kept, scale)
        content = self._read(space, kept, found.served, found.content)
        kept, crowd, dense = self._distinct(space, query, kept, content, near, same)
        if dense or crowd:
            kept = self._spread(space, query, partition, [*kept, *crowd], content, scale)
        return self._hits_of(query, found, kept)

    def _hits_of(self, query: Query, found: Ordered, kept: Sequence[Ranked]) -> list[Hit]:
        first, served = list(kept[: query.limit]), found.served
        said = [int(served.turns[one.key]) for one in first if not served.rows[one.key]]
        supported = found.partition.supported(said, found.moment)
        with self._ledger.snapshot():
            content = self._read(found.space, first, served, found.content)
            return self._hits(found.space, query, found.moment, first, content, served, supported)

    def _distinct(
        self,
        space: Space,
        query: Query,
        kept: list[Ranked],
        content: Content,
        near: NDArray[np.bool_],
        same: NDArray[np.bool_],
    ) -> tuple[list[Ranked], list[Ranked], bool]:
        """Near duplicates behind all others, what contradicts a better one where it is; those that are too many of one
        source; and whether there may be too many of what is not the user's own word. See `alike` for `near` and `same`."""
        places = thinned(near, [content.telling(one.key) for one in kept])
        same, kept = same[places][:, places], [kept[place] for place in places]
        like = same.sum(axis=0)
        dense = any(
            n > 1 and content.source(one.key) is not SourceClass.USER for n, one in zip(like, kept, strict=True)
        )
        if like.max() <= max(1, query.limit // 3):  # too few to crowd anything out
            return kept, [], dense
        crowd = set(crowded(same, self._authors(space, kept, content), query.limit))
        stay = [one for place, one in enumerate(kept) if place not in crowd]
        return stay, [one for place, one in enumerate(kept) if place in crowd], dense

    def _spread(
        self, space: Space, query: Query, partition: Partition, kept: list[Ranked], content: Content, scale: Scale
    ) -> list[Ranked]:
        """Without what is too much of one source beside what else there is."""
        _, same = alike(partition, kept, scale)
        owned = [content.source(one.key) is SourceClass.USER for one in kept]
        return [kept[place] for place in spread(same, self._authors(space, kept, content), owned, query.limit)]

    def _authors(self, space: Space, kept: Sequence[Ranked], content: Content) -> list[object]:
        """Whose passages are, in their order: one add of the user's, or all that assistants, tools or documents say."""
        keys = [one.key for one in kept]
        own = [key for key in keys if key in content.rows and content.source(key) is SourceClass.USER]
        sources = [one for one in self._ledger.sources(space, own) if not one.echo]
        turns = self._ledger.turns(space, {source.turn for source in sources})
        batch = {source.statement: turns[source.turn].batch_id for source in reversed(sources)}
        return [batch[key] if key in batch else content.author(key) for key in keys]

    def scale(self, partition: Partition) -> Scale:
        """How the embedder's cosines are read: as they are where the score was fitted to them."""
        return Scale() if partition.embedder.id in CALIBRATED else Scale.of_background(*partition.background())

    def served(self, space: Space, partition: Partition, query: Query, moment: Moment) -> Served:
        """What the query may find: inside its scope, filter and window."""
        rows = turns = None
        scope, condition = query.scope, query.condition
        if condition is not None or scope.agent_id is not None or scope.session_id is not None:
            rows = self._ledger.allowed_rows(space, scope, condition)
            turns = self._ledger.allowed_turns(space, scope, condition)
        since = BEGINNING if query.since is None else to_micros(query.since)
        until = OPEN if query.until is None else to_micros(query.until)
        said_until = until if query.as_of is None else min(until, moment.as_of)
        return partition.served(moment, rows, turns, Window(since, until), Window(since, said_until))

    # --- results -------------------------------------------------------------------------------------------------------

    def _read(self, space: Space, kept: list[Ranked], served: Served, known: Content) -> Content:
        """The rows and turns of passages, beside what is known."""
        keys = [one.key for one in kept if one.key not in known.rows and one.key not in known.turns]
        if not keys:
            return known
        rows = {key: int(served.rows[key]) for key in keys if served.rows[key]}
        turns = {key: int(served.turns[key]) for key in keys if not served.rows[key]}
        read_rows = self._ledger.rows(space, rows.values()) if rows else {}
        read_turns = self._ledger.turns(space, turns.values()) if turns else {}
        told = {key: read_rows[number] for key, number in rows.items()}
        return known.with_(Content(told, {key: read_turns[number] for key, number in turns.items()}))

    def _hits(
        self,
        space: Space,
        query: Query,
        moment: Moment,
        kept: list[Ranked],
        content: Content,
        served: Served,
        supported: Mapping[int, Sequence[int]],
    ) -> list[Hit]:
        told = [one.key for one in kept if one.key in content.rows]
        said = [content.turns[one.key].number for one in kept if one.key in content.turns]
        sources = Views(self._ledger, space).evidence(told, moment.number) if told else {}
        created = self._ledger.created_at(space, [content.rows[key].memory_id for key in told]) if told else {}
        metadata = self._ledger.turn_metadata(space, said) if said else {}
        claimed = self._claimed(space, supported, served) if said else set()
        hits = []
        for one in kept:
            if row := content.rows.get(one.key):
                hits.append(memory_hit(row, one, created[row.memory_id], sources.get(one.key, ()), query.explain))
            else:
                turn = content.turns[one.key]
                source = SourceClass.CLAIM if turn.number in claimed else SourceClass.of(turn.role)
                hits.append(
                    turn_hit(turn, source, one, metadata[turn.number], int(served.until[one.key]), query.explain)
                )
        return hits

    def _claimed(self, space: Space, supported: Mapping[int, Sequence[int]], served: Served) -> set[int]:
        """Those of the turns, with the statements that they support, of which claims came."""
        rows = {
            statement: int(served.rows[statement])
            for statements in supported.values()
            for statement in statements
            if statement < len(served.rows) and served.rows[statement]
        }
        told = self._ledger.rows(space, set(rows.values()))
        claims = {statement for statement, row in rows.items() if told[row].statement.source is SourceClass.CLAIM}
        return {turn for turn, statements in supported.items() if not claims.isdisjoint(statements)}


def has_answer(
    partition: Partition,
    query: Query,
    terms: Mapping[str, int],
    vector: Vectors | None,
    ordered: Sequence[Fused],
    scale: Scale,
    served: Served,
) -> bool:
    """The gate: whether there is anything on the query at all, by the best of its first passages together."""
    sure = answerable(nearest(partition, query, terms, vector, ordered, scale, served))
    return sure >= query.gate(calibrated=scale == Scale())


def nearest(
    partition: Partition,
    query: Query,
    terms: Mapping[str, int],
    vector: Vectors | None,
    ordered: Sequence[Fused],
    scale: Scale,
    served: Served,
) -> Nearest:
    """How near the query comes to what may be served."""
    near = partition.relevance(vector, terms, [one.key for one in ordered[:GATE_LOOKS]])
    cosines = [cosine for cosine, _ in near if cosine is not None]
    turns = int(served.turn_mask.sum())
    if scale != Scale():
        turns = max(turns, FEWEST)  # the background of few texts tells too little for more
    return Nearest(
        cosine=scale(max(cosines)) if cosines else None,
        coverage=max((coverage for _, coverage in near), default=0.0),
        strange=partition.strange(names(query.text)),
        turns=turns,
        memories=int(served.row_mask.sum()),
    )


def above_floor(
    partition: Partition,
    query: Query,
    terms: Mapping[str, int],
    vector: Vectors | None,
    ordered: Sequence[Fused],
    scale: Scale,
) -> list[Ranked]:
    """The first whose score reaches the floor, a few more than `limit`; scored block by block, for most searches need
    only the first."""
    kept: list[Ranked] = []
    block, floor = query.limit + SPARE, query.floor
    for start in range(0, len(ordered), block):
        part = ordered[start : start + block]
        near = partition.relevance(vector, terms, [one.key for one in part])
        scored = [
            Ranked(one.key, calibrated(scale(cosine), coverage), one.places)
            for one, (cosine, coverage) in zip(part, near, strict=True)
        ]
        kept += [one for one in scored if one.score >= floor or (query.gated and vouched(one.places))]
        if len(kept) >= query.limit:
            break
    return kept[:block]


def vouched(places: Sequence[Place]) -> bool:
    """Whether something else than a passage's own words tells that it belongs to the query: a turn that supports it, its slot."""
    return any(place.score >= VOUCHED and place.channel in VOUCHING for place in places)


def alike(partition: Partition, kept: Sequence[Ranked], scale: Scale) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which passages are near duplicates of each other, of shape (len(kept), len(kept)); and which belong to one crowd. A crowd
    moves the background that an unknown embedder is read by, so there its plain cosine counts too."""
    cosines = partition.alike([one.key for one in kept])
    near = scale.shift + scale.factor * cosines >= NEAR
    return near, near | (cosines >= NEAR)


def memory_hit(row: Row, one: Ranked, created_at: datetime, sources: tuple[Source, ...], explain: bool) -> Hit:
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
        channels=channels_of(one, explain),
        related_through=next((place.path for place in one.places if place.path), ()),
    )


def turn_hit(
    turn: Turn, source: SourceClass, one: Ranked, metadata: Mapping[str, object], until: int, explain: bool
) -> Hit:
    """A turn as a hit."""
    return Hit(
        kind="turn",
        id=turn.id,
        text=turn.content,
        score=one.score,
        metadata=dict(metadata),
        created_at=turn.said_at,
        valid_from=turn.said_at,
        until=None if until == BEGINNING else from_micros(until),
        speaker=turn.speaker,
        source=source,
        sources=(turn_source(turn),),
        channels=channels_of(one, explain),
    )


def channels_of(one: Ranked, explain: bool) -> tuple[Channel, ...]:
    """How it was found, where that was asked."""
    if not explain:
        return ()
    return tuple(Channel(name=place.channel, rank=place.rank, score=place.score) for place in one.places)
