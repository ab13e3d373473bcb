"""The read path: channels inside the user's wall and the caller's filters, fused, scored, cut at the floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from .filters import Condition
from .model import Row, Scope
from .partition import Moment, Partition, Partitions
from .ports import Ledger, Tokenizer
from .rank import EVIDENCE_BOOST, FLOOR, Place, best_of, calibrated, fuse, places
from .records import RowSpan, Space
from .results import Channel, Hit
from .times import maybe_time, to_micros
from .views import Views, turn_source

if TYPE_CHECKING:
    from .ports import Vectors

DEPTH = 50  # of each channel, at least


@dataclass(frozen=True, slots=True)
class Query:
    """A checked search. `min_score` None: the floor, unless a metadata filter selects already."""

    text: str
    scope: Scope
    now: datetime
    condition: Condition | None = None
    limit: int = 10
    as_of: datetime | None = None
    known_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_score: float | None = None
    include: frozenset[str] = field(default_factory=lambda: frozenset({"memories"}))
    explain: bool = False

    @property
    def floor(self) -> float:
        """Hits of a lower score are not returned."""
        if self.min_score is not None:
            return self.min_score
        return 0.0 if self.condition is not None else FLOOR


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage on its way into the results."""

    key: int
    order: float
    score: float
    places: tuple[Place, ...]


class Retriever:
    """Answers queries from the partitions; blocking, called from worker threads."""

    def __init__(self, ledger: Ledger, partitions: Partitions, tokenizer: Tokenizer) -> None:
        self._ledger, self._partitions, self._tokenizer = ledger, partitions, tokenizer

    def moment(self, space: Space, query: Query) -> Moment:
        """The two time axes of a query."""
        number = None if query.known_at is None else self._ledger.number_at(space, query.known_at)
        return Moment(to_micros(query.as_of or query.now), number, to_micros(query.now))

    def search(self, space: Space, query: Query, vector: Vectors | None) -> list[Hit]:
        """Hits, best first. `vector` None (no embedder): by words alone."""
        partition = self._partitions.get(space)
        moment = self.moment(space, query)
        rows = self._rows(space, partition, query, moment)
        turns = self._turns(space, partition, query, moment)
        terms = self._tokenizer(query.text)
        ranked = rank(partition, query, moment, terms, vector, rows, turns)
        kept = [one for one in ranked if one.score >= query.floor][: query.limit]
        return self._hits(space, query, moment, kept, rows, turns)

    def _rows(self, space: Space, partition: Partition, query: Query, moment: Moment) -> dict[int, RowSpan]:
        return {
            key: row
            for key, row in partition.served_rows(
                moment, self.allowed_rows(space, query.scope, query.condition)
            ).items()
            if self._in_window(space, query, row)
        }

    def allowed_rows(self, space: Space, scope: Scope, condition: Condition | None) -> set[int] | None:
        """Rows that fit scope and filter; None where all do."""
        if condition is None and scope.agent_id is None and scope.session_id is None:
            return None
        return set(self._ledger.allowed_rows(space, scope, condition))

    def _in_window(self, space: Space, query: Query, span: RowSpan) -> bool:
        if query.since is None and query.until is None:
            return True
        row = self._ledger.rows(space, [span.number])[span.number]
        event = row.statement.event
        start, end = (event.start, event.end) if event else (row.valid_from, row.valid_from)
        return (query.since is None or end >= query.since) and (query.until is None or start <= query.until)

    def _turns(
        self, space: Space, partition: Partition, query: Query, moment: Moment
    ) -> dict[int, tuple[int, int | None]]:
        scope, allowed = query.scope, None
        if query.condition is not None or scope.agent_id is not None or scope.session_id is not None:
            allowed = set(self._ledger.allowed_turns(space, scope, query.condition))
        served = partition.served_turns(moment, allowed)
        if query.as_of is None and query.since is None and query.until is None:
            return served
        said = self._ledger.turns(space, [turn for turn, _ in served.values()])
        first, last = query.since, min((t for t in (query.until, query.as_of) if t is not None), default=None)
        return {
            key: (turn, until)
            for key, (turn, until) in served.items()
            if (first is None or said[turn].said_at >= first) and (last is None or said[turn].said_at <= last)
        }

    # --- results -------------------------------------------------------------------------------------------------------

    def _hits(
        self,
        space: Space,
        query: Query,
        moment: Moment,
        kept: list[Ranked],
        rows: Mapping[int, RowSpan],
        turns: Mapping[int, tuple[int, int | None]],
    ) -> list[Hit]:
        memories = self._ledger.rows(space, [rows[one.key].number for one in kept if one.key in rows])
        views = Views(self._ledger, space)
        sources = views.sources([one.key for one in kept if one.key in rows], moment.number)
        created = self._ledger.created_at(space, [row.memory_id for row in memories.values()])
        hits = []
        spoken = self._turn_hits(space, query, [one for one in kept if one.key not in rows], turns)
        for one in kept:
            if one.key in rows:
                row = memories[rows[one.key].number]
                hit = memory_hit(row, one, created[row.memory_id], query.explain)
                hits.append(hit.model_copy(update={"sources": sources.get(one.key, ())}))
            else:
                hits.append(spoken[one.key])
        return hits

    def _turn_hits(
        self, space: Space, query: Query, kept: list[Ranked], turns: Mapping[int, tuple[int, int | None]]
    ) -> dict[int, Hit]:
        numbers = [turns[one.key][0] for one in kept]
        found, metadata = self._ledger.turns(space, numbers), self._ledger.turn_metadata(space, numbers)
        hits = {}
        for one in kept:
            number, until = turns[one.key]
            turn = found[number]
            hits[one.key] = Hit(
                kind="turn",
                id=turn.id,
                text=turn.content,
                score=one.score,
                metadata=metadata[number],
                created_at=turn.said_at,
                valid_from=turn.said_at,
                until=maybe_time(until),
                speaker=turn.speaker,
                sources=(turn_source(turn),),
                channels=channels_of(one, query.explain),
            )
        return hits


def rank(
    partition: Partition,
    query: Query,
    moment: Moment,
    terms: Mapping[str, int],
    vector: Vectors | None,
    rows: Mapping[int, RowSpan],
    turns: Mapping[int, tuple[int, int | None]],
) -> list[Ranked]:
    """Passages in the order of fusion. Turns lift the memories that they support also where they are not returned."""
    depth = max(DEPTH, query.limit)
    memories = partition.search(vector, terms, depth, rows)
    spoken = partition.search(vector, terms, depth, turns)
    channels = []
    for kind, own, said in (
        ("vector", memories.vector, spoken.vector),
        ("bm25", memories.text, spoken.text),
    ):
        best = best_of(own, said)
        if "memories" in query.include:
            channels.append(places(f"memory-{kind}", own, best))
            channels.append(lifted(partition, moment, places(f"support-{kind}", said, best), rows, turns))
        if "turns" in query.include:
            channels.append(places(f"turn-{kind}", said, best))
    fused = fuse(channels)
    keys = list(fused)
    near = partition.relevance(vector, terms, keys)
    ranked = [
        Ranked(key, fused[key][0] * boost(partition, rows.get(key)), calibrated(cosine, coverage), fused[key][1])
        for key, (cosine, coverage) in zip(keys, near, strict=True)
    ]
    return sorted(ranked, key=lambda one: (-one.order, one.key))


def lifted(
    partition: Partition,
    moment: Moment,
    placed: Mapping[int, Place],
    rows: Mapping[int, RowSpan],
    turns: Mapping[int, tuple[int, int | None]],
) -> dict[int, Place]:
    """The places of turns, given to the memories that they support; the best one where there are several."""
    found: dict[int, Place] = {}
    for key, place in placed.items():
        for statement in partition.statements_of(turns[key][0], moment):
            if statement in rows and (statement not in found or found[statement].score < place.score):
                found[statement] = place
    return found


def boost(partition: Partition, row: RowSpan | None) -> float:
    """A little more for what several turns tell."""
    if row is None:
        return 1.0
    return 1.0 + EVIDENCE_BOOST * min(partition.evidence(row.statement), 3)


def memory_hit(row: Row, one: Ranked, created_at: datetime, explain: bool) -> Hit:
    """A memory row as a hit, its sources still to come."""
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
        event_from=event.start if event else None,
        event_to=event.end if event else None,
        channels=channels_of(one, explain),
    )


def channels_of(one: Ranked, explain: bool) -> tuple[Channel, ...]:
    """How it was found, where that was asked."""
    if not explain:
        return ()
    return tuple(Channel(name=place.channel, rank=place.rank, score=place.score) for place in one.places)
