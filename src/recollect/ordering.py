"""The order of a search's results: its channels one by one, their scores added, and what is lifted by what else was found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from .intervals import Moment, Served
from .partition import Partition
from .query import Query
from .rank import EVIDENCE_BOOST, LEADERS, SIBLINGS, WEIGHTS, Place, Span, fuse, places
from .resolve import USER
from .surroundings import beside, together
from .timeline import KNOWN, asks_for_all, of_a_kind
from .times import to_micros
from .when import LEADING, NOTHING, Order, Reading, fitting

if TYPE_CHECKING:
    from .ports import Vectors

DEPTH = 50  # of each channel, at least
SAID = frozenset({"turn-vector", "turn-bm25"})  # what a turn itself was found by
GUIDES = 5  # of the first memories, whose edges lead on in the graph (docs/graph.md)
BEFORE = 10  # hits that stay before what it leads to


class Fused(NamedTuple):
    """A passage with its weight in the order, and the channels that found it."""

    key: int
    order: float
    places: tuple[Place, ...]

    def lifted(self, place: Place) -> Fused:
        """The same with what a further channel adds."""
        return Fused(self.key, self.order + WEIGHTS[place.channel] * place.score, (*self.places, place))


def order(
    partition: Partition,
    query: Query,
    moment: Moment,
    terms: Mapping[str, int],
    vector: Vectors | None,
    served: Served,
    reading: Reading = NOTHING,
) -> list[Fused]:
    """Passages in the order of fusion. Turns lift the memories that they support also where they are not returned."""
    depth = max(DEPTH, query.limit)
    memories = partition.search(vector, terms, depth, served.row_mask)
    spoken = partition.search(vector, terms, depth, served.turn_mask)
    turn_of = {key: int(served.turns[key]) for key, _ in (*spoken.vector, *spoken.text)}
    statements = partition.supported(turn_of.values(), moment)
    supported = {key: statements[turn] for key, turn in turn_of.items()}
    channels = []
    for kind, own, said in (
        ("vector", memories.vector, spoken.vector),
        ("bm25", memories.text, spoken.text),
    ):
        span = Span.of(own, said)
        placed = places(f"turn-{kind}", said, span)
        if "memories" in query.include:
            channels.append(places(f"memory-{kind}", own, span))
            channels.append(lifted(f"support-{kind}", placed, supported, served))
        if "turns" in query.include:
            channels.append(placed)
    named = partition.about(terms, {key for channel in channels for key in channel})
    channels.append(places("about", named, Span(0.0, named[0][1] if named else 0.0)))
    channels.append(timely(partition, query, terms, served, reading, channels))
    sums = fuse(channels)
    further = partition.evidence(sums)
    fused = {key: Fused(key, total, seen) for key, (total, seen) in sums.items()}
    fused.update((key, fused[key]._replace(order=fused[key].order * boost(more))) for key, more in further.items())
    ordered = best_first(along(partition, served, best_first(fused.values()), fused))
    if asks_for_all(query.text) or reading.order:
        ordered = best_first(with_kinds(partition, served, terms, ordered))
    if reading.order:
        ordered = best_first(in_order(partition, served, ordered, reading.order))
    untold = {key for key in turn_of if "memories" not in query.include or not told(supported[key], served)}
    head = max(DEPTH, 2 * query.limit)  # what is further down stays there
    share = partition.told_share if "memories" in query.include else 0.0
    ordered = [*in_company(partition, terms, ordered[:head], untold, share), *ordered[head:]]
    return related(partition, query, served, ordered) if query.graph and "memories" in query.include else ordered


def told(statements: Iterable[int], served: Served) -> bool:
    """Whether a memory that may be served tells what a turn says."""
    return any(one < len(served.rows) and served.rows[one] for one in statements)


def in_company(
    partition: Partition, terms: Mapping[str, int], ordered: Sequence[Fused], untold: Collection[int], share: float
) -> list[Fused]:
    """The same, in a new order: lifted by who is named, by the turns after those that are `untold`, and by the session. What is
    untold counts for less the more is told (`share`, 0..1)."""
    keys = [one.key for one in ordered]
    spots = partition.spots(keys)
    said = {one.key: own_score(one) for one in ordered if one.key in partition.turn_of}
    lifts = (
        {key: Place("named", rank, 1.0) for rank, key in enumerate(partition.named(terms, keys), start=1)},
        beside(said, spots, untold),
        together([(one.key, one.order) for one in ordered], spots),
        {key: Place("untold", 1, share) for key in keys if share and key in untold},
    )
    lifted = fuse(lifts)
    return best_first(
        Fused(one.key, one.order + lifted[one.key][0], one.places + lifted[one.key][1]) if one.key in lifted else one
        for one in ordered
    )


def own_score(turn: Fused) -> float:
    """What a turn itself was found by, 0..1."""
    return sum([place.score for place in turn.places if place.channel in SAID]) / len(SAID)


def timely(
    partition: Partition,
    query: Query,
    terms: Mapping[str, int],
    served: Served,
    reading: Reading,
    channels: Sequence[Mapping[int, Place]],
) -> dict[int, Place]:
    """What fits the times that the query speaks of: all of what was found, of the rest no more than a channel finds."""
    if not (reading.windows or reading.anchors):
        return {}
    shown = served.row_mask & ("memories" in query.include) | served.turn_mask & ("turns" in query.include)
    found = {key for channel in channels for key in channel}
    fit = fitting(reading, partition, served, terms, shown, found, max(DEPTH, query.limit))
    return places("time", fit, Span(0.0, 1.0))


def along(
    partition: Partition, served: Served, ordered: Sequence[Fused], fused: Mapping[int, Fused]
) -> Iterable[Fused]:
    """The same, the memories of the best ones' slots lifted, and found where they were not."""
    lift: dict[int, Place] = {}
    leaders = islice((one for one in ordered if served.rows[one.key]), LEADERS)
    for rank, leader in enumerate(leaders, start=1):
        share = leader.order / ordered[0].order if ordered[0].order else 0.0
        known = [key for key in partition.siblings(leader.key) if key < len(served.rows) and served.rows[key]]
        if 1 < len(known) <= SIBLINGS:
            for key in known:
                lift.setdefault(key, Place("slot", rank, share))
    if not lift:
        return ordered
    found = {key: fused.get(key, Fused(key, 0.0, ())) for key in lift}
    better = {key: one.lifted(lift[key]) for key, one in found.items()}
    return {**fused, **better}.values()


def with_kinds(
    partition: Partition, served: Served, terms: Mapping[str, int], ordered: Sequence[Fused]
) -> Iterable[Fused]:
    """The same, with all memories of the slots that the query is about."""
    if not ordered or not ordered[0].order:
        return ordered
    told = list(islice((one.key for one in ordered if served.rows[one.key]), KNOWN))
    slots = {
        slot: [key for key in members if key < len(served.rows) and served.rows[key]]
        for slot, members in partition.kinds(told, terms).items()
    }
    fused = {one.key: one for one in ordered}
    worth = {key: one.order / ordered[0].order for key, one in fused.items()}
    for rank, (key, lift) in enumerate(of_a_kind(slots, worth), start=1):
        one = fused.get(key, Fused(key, 0.0, ()))
        fused[key] = one.lifted(Place("timeline", rank, lift))
    return fused.values()


def in_order(partition: Partition, served: Served, ordered: Sequence[Fused], wanted: Order) -> Iterable[Fused]:
    """The same, with the first or the last in time of the best ones before the others."""
    leading = ordered[:LEADING]
    start, _, _ = partition.spans(served)
    in_time = sorted(leading, key=lambda one: (start[one.key], one.key), reverse=wanted == "first")
    place = {one.key: rank for rank, one in enumerate(in_time)}
    for one in leading:
        share = one.order / ordered[0].order if ordered[0].order else 0.0
        score = share * place[one.key] / max(1, len(leading) - 1)
        yield one.lifted(Place("order", len(leading) - place[one.key], score))
    yield from ordered[LEADING:]


def related(partition: Partition, query: Query, served: Served, ordered: list[Fused]) -> list[Fused]:
    """The same, the memories that the graph leads to lifted, and found where they were not, behind the first `BEFORE`: what is
    asked for in so many words comes first."""
    best = ordered[0].order if ordered else 0.0
    leaders = [(one.key, one.order / best) for one in ordered if best and served.rows[one.key]][:GUIDES]
    asked = partition.words(query.text)
    if USER in query.text.casefold():  # else it is a word that says nothing
        asked |= {USER}
    found = partition.related(asked, leaders, served.row_mask, to_micros(query.now), max(DEPTH, query.limit))
    if not found:
        return ordered
    first, lifted = {one.key for one in ordered[:BEFORE]}, {one.key: one for one in ordered}
    for rank, one in enumerate(found, start=1):
        place = Place("graph", rank, min(one.score, 1.0), one.path)
        old = lifted.get(one.statement, Fused(one.statement, 0.0, ()))
        lift = 0.0 if old.key in first else WEIGHTS["graph"] * place.score
        lifted[old.key] = Fused(old.key, old.order + lift, (*old.places, place))
    rest = [one for key, one in lifted.items() if key not in first]
    return [*(lifted[one.key] for one in ordered[:BEFORE]), *best_first(rest)]


def best_first(fused: Iterable[Fused]) -> list[Fused]:
    """In their order, ties by smaller key."""
    return sorted(fused, key=lambda one: (-one.order, one.key))


def lifted(
    name: str, placed: Mapping[int, Place], supported: Mapping[int, Sequence[int]], served: Served
) -> dict[int, Place]:
    """The places of turns, given to the memories that they support; the best one where there are several. A statement that
    came after `served` was taken is not in it."""
    found: dict[int, Place] = {}
    for key, place in placed.items():  # best first
        for statement in supported[key]:
            if statement not in found and statement < len(served.rows) and served.rows[statement]:
                found[statement] = Place(name, place.rank, place.score)
    return found


def boost(further: int) -> float:
    """A little more for what further turns tell; a turn's own passage is told by none."""
    return 1.0 + EVIDENCE_BOOST * min(further, 3)
