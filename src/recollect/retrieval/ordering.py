"""The order of a search's results: its channels one by one, their scores added, and what is lifted by what else was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..times import to_micros
from ..view.intervals import Moment, Served
from ..view.partition import Found, Partition
from ..view.resolve import USER
from ..view.timeline import KNOWN, asks_for_all, of_a_kind
from .attributes import wanted
from .calibration import Scale
from .channels import Channel, Fusion, Span
from .query import Query
from .rank import EVIDENCE_BOOST, LEADERS, SIBLINGS, TAIL
from .surroundings import beside, together
from .when import LEADING, NOTHING, Order, Reading, fitting

if TYPE_CHECKING:
    from ..ports import Vectors
    from ..view.intervals import Integers, Mask
    from .channels import Floats

DEPTH = 50  # of each channel, at least
SAID = frozenset({"turn-vector", "turn-bm25"})  # what a turn itself was found by
GUIDES = 5  # of the first memories, whose edges lead on in the graph (docs/graph.md)
BEFORE = 10  # hits that stay before what it leads to


@dataclass(frozen=True, slots=True)
class Sought:
    """A search under way: what is asked, of whose partition, and what of it may be served. `vector`: the query's, None where the
    embedder is down; `scale`: how its cosines are read."""

    partition: Partition
    query: Query
    moment: Moment
    served: Served
    terms: Mapping[str, int]
    vector: Vectors | None
    reading: Reading = NOTHING
    scale: Scale = Scale()

    @property
    def depth(self) -> int:
        """How many a channel finds."""
        return max(DEPTH, self.query.limit)

    @property
    def memories(self) -> bool:
        """Whether memories are asked for."""
        return "memories" in self.query.include

    @property
    def turns(self) -> bool:
        """Whether turns are."""
        return "turns" in self.query.include

    def found(self, allowed: Mask) -> Found:
        """What vectors and words find."""
        return self.partition.search(self.vector, self.terms, self.depth, allowed)

    def may_serve(self, statements: Integers) -> Mask:
        """Which statements it may; one that came after `served` was taken is none of them."""
        rows = self.served.rows
        known = statements < len(rows)
        served: Mask = known & (rows[statements * known] > 0)
        return served


@dataclass(frozen=True, slots=True)
class Fused:
    """Passages in the order of fusion, and what they were found by."""

    keys: Integers
    fusion: Fusion


def order(sought: Sought) -> Fused:
    """Passages in the order of fusion. Turns lift the memories that they support also where they are not returned."""
    fusion = Fusion(len(sought.served.rows))
    untold = found(sought, fusion)
    fusion.add(about(sought, fusion))
    fusion.add(asked(sought))
    fusion.add(timely(sought, fusion))
    fusion.sums[fusion.keys] *= boost(sought.partition.quotes(fusion.keys))
    fusion.add(along(sought, fusion))
    if asks_for_all(sought.query.text) or sought.reading.order:
        fusion.add(of_kinds(sought, fusion))
    if sought.reading.order:
        fusion.add(in_order(sought, fusion, sought.reading.order))
    ordered = in_company(sought, fusion, untold)
    return Fused(related(sought, fusion, ordered) if sought.query.graph and sought.memories else ordered, fusion)


def found(sought: Sought, fusion: Fusion) -> Mask:
    """Add what vectors and words find. By passage: the turns among it that no memory tells."""
    import numpy as np

    memories, turns = sought.found(sought.served.row_mask), sought.found(sought.served.turn_mask)
    untold: Mask = np.zeros(len(fusion.sums), dtype=bool)
    for said in turns:
        untold[said.keys] = True
    for kind, own, said in zip(("vector", "bm25"), memories, turns, strict=True):
        span = Span.of(own.scores, said.scores)
        spoken = Channel.of(f"turn-{kind}", said.keys, span(said.scores))
        if sought.memories:
            fusion.add(Channel.of(f"memory-{kind}", own.keys, span(own.scores)))
            support = told(sought, spoken.keys, spoken.scores > TAIL if kind == "bm25" else None)
            fusion.add(lifted(f"support-{kind}", spoken, support))
            untold[spoken.keys[support.places]] = False
        if sought.turns:
            fusion.add(spoken)
    return untold


class Support(NamedTuple):
    """Which memories that may be served tell what turns say, in pairs: places among the turns, ascending, and statements; and
    what share of what a turn was found by each is due, 0..1."""

    places: Integers
    statements: Integers
    due: Floats


def told(sought: Sought, turns: Integers, by_words: Mask | None) -> Support:
    """The memories that tell what turns (by passage) say. Of what a turn was found by in words (`by_words`: which were, for more
    than is usual) each is due as much as it has of these words itself, beside the one that has most of all that came of the
    turn: what has ended may be what was asked for. What vectors found has no parts."""
    import numpy as np

    places, statements = sought.partition.supported(sought.served.turns[turns], sought.moment)
    due, several = np.ones(len(places)), np.zeros(len(places), dtype=bool)
    if by_words is not None:
        several = ((np.bincount(places, minlength=len(turns)) > 1) & by_words)[places]
    if several.any():
        keys, of = np.unique(statements[several], return_inverse=True)
        coverage = np.array(sought.partition.coverage(sought.terms, keys.tolist()))
        due[several] = of_the_best(coverage[of], places[several])
    served = sought.may_serve(statements)
    return Support(places[served], statements[served], due[served])


def of_the_best(worth: Floats, places: Integers) -> Floats:
    """What each is worth beside the best at its place; 1 for all where that is nothing."""
    import numpy as np

    best = np.zeros(int(places.max()) + 1)
    np.maximum.at(best, places, worth)
    shares: Floats = np.divide(worth, best[places], out=np.ones(len(worth)), where=best[places] > 0)
    return shares


def lifted(name: str, spoken: Channel, support: Support) -> Channel:
    """What turns were found by (best first), given to the memories that they support; the most where there are several."""
    import numpy as np

    lift = spoken.scores[support.places] * support.due
    most = (-lift).argsort(kind="stable")
    keys, first = np.unique(support.statements[most], return_index=True)
    best = most[first]
    return Channel.of(name, keys, lift[best], spoken.ranks[support.places[best]])


def about(sought: Sought, fusion: Fusion) -> Channel:
    """Of what was found that whose subject, or whose speaker, the query names."""
    keys, weights = sought.partition.about(sought.terms, fusion.keys)
    return Channel.of("about", keys, Span(0.0, float(weights[0]) if len(weights) else 0.0)(weights))


def asked(sought: Sought) -> Channel:
    """The memories of the slots that the query asks for, whatever words they are told in."""
    question = wanted(sought.query.text) if sought.memories else None
    slots = [] if question is None else sought.partition.slots_of(*question)
    known = [members for slot in slots if len(members := served_of(sought, slot)) <= SIBLINGS]
    keys = sorted({key for members in known for key in members})
    return Channel.of("asked", keys, [1.0] * len(keys), [1] * len(keys))


def timely(sought: Sought, fusion: Fusion) -> Channel:
    """What fits the times that the query speaks of: all of what was found, of the rest no more than a channel finds."""
    reading, served = sought.reading, sought.served
    if not (reading.windows or reading.anchors):
        return Channel.of("time", [], [])
    shown = served.row_mask & sought.memories | served.turn_mask & sought.turns
    keys, fits = fitting(reading, sought.partition, served, sought.terms, shown, fusion.keys, sought.depth)
    return Channel.of("time", keys, Span(0.0, 1.0)(fits))


def boost(quotes: Integers) -> Floats:
    """A little more for what further turns tell, by how many quotes a memory has; a turn has none."""
    more: Floats = 1.0 + EVIDENCE_BOOST * (quotes - 1).clip(0, 3)
    return more


def shares(fusion: Fusion, ordered: Integers) -> Floats:
    """What passages are worth beside the first of them, 1 for that; 0 where that is worth nothing."""
    sums = fusion.sums[ordered]
    return sums / sums[0] if len(sums) and sums[0] else sums * 0.0


def along(sought: Sought, fusion: Fusion) -> Channel:
    """The memories of the slots of the best ones."""
    ordered = fusion.best_first()
    rows = (sought.served.rows[ordered] > 0).nonzero()[0][:LEADERS]
    worth = shares(fusion, ordered)[rows].tolist()
    lift: dict[int, tuple[float, int]] = {}
    for rank, (leader, share) in enumerate(zip(ordered[rows].tolist(), worth, strict=True), start=1):
        known = served_of(sought, sought.partition.siblings(leader))
        if 1 < len(known) <= SIBLINGS:
            for key in known:
                lift.setdefault(key, (share, rank))
    return Channel.of("slot", [*lift], [share for share, _ in lift.values()], [rank for _, rank in lift.values()])


def served_of(sought: Sought, statements: Iterable[int]) -> list[int]:
    """Those that may be served."""
    rows = sought.served.rows
    return [one for one in statements if one < len(rows) and rows[one]]


def of_kinds(sought: Sought, fusion: Fusion) -> Channel:
    """All memories of the slots that the query is about."""
    ordered = fusion.best_first()
    worth = shares(fusion, ordered)
    if not len(worth) or not worth[0]:
        return Channel.of("timeline", [], [])
    known = ordered[sought.served.rows[ordered] > 0][:KNOWN].tolist()
    kinds = sought.partition.kinds(known, sought.terms)
    slots = {slot: served_of(sought, members) for slot, members in kinds.items()}
    kind = of_a_kind(slots, dict(zip(ordered.tolist(), worth.tolist(), strict=True)))
    return Channel.of("timeline", [key for key, _ in kind], [lift for _, lift in kind])


def in_order(sought: Sought, fusion: Fusion, wanted: Order) -> Channel:
    """The first or the last in time of the best ones before the others of them."""
    import numpy as np

    ordered = fusion.best_first()
    leading, worth = ordered[:LEADING], shares(fusion, ordered)[:LEADING]
    start, _, _ = sought.partition.spans(sought.served)
    in_time = np.lexsort((leading, start[leading]))
    place = np.empty(len(leading), dtype=np.int64)
    place[in_time[::-1] if wanted == "first" else in_time] = np.arange(len(leading))
    return Channel.of("order", leading, worth * place / max(1, len(leading) - 1), len(leading) - place)


def in_company(sought: Sought, fusion: Fusion, untold: Mask) -> Integers:
    """The passages in order, its head in a new one: lifted by who is named, by the turns after those that are `untold`, and by
    the session. What is further down stays there."""
    import numpy as np

    ordered = fusion.best_first()
    head = ordered[: max(DEPTH, 2 * sought.query.limit)]
    before, lifts = fusion.sums[head], [*company(sought, fusion, head, untold)]
    fusion.sums[head] = 0.0  # what lifts is added up by itself
    for channel in lifts:
        fusion.add(channel)
    fusion.sums[head] += before
    return np.concatenate([fusion.best_first(np.sort(head)), ordered[len(head) :]])


def company(sought: Sought, fusion: Fusion, head: Integers, untold: Mask) -> Iterator[Channel]:
    """What lifts the best ones. What is untold counts for less the more is told."""
    import numpy as np

    partition, turns = sought.partition, head[sought.served.turns[head] > 0]
    named = partition.named(sought.terms, head)
    yield Channel.of("named", named, np.ones(len(named)))
    silent = turns[untold[turns]]
    if len(silent):
        yield beside(turns, own_scores(fusion)[turns], partition.spots(turns), untold[turns])
    yield together(head, fusion.sums[head], partition.spots(head))
    share = partition.told_share if sought.memories else 0.0
    if share:
        yield Channel.of("untold", silent, np.full(len(silent), share), [1] * len(silent))


def own_scores(fusion: Fusion) -> Floats:
    """By passage: what a turn itself was found by, 0..1."""
    import numpy as np

    scores = np.zeros(len(fusion.sums))
    for channel in fusion.channels:
        if channel.name in SAID:
            scores[channel.keys] += channel.scores
    return scores / len(SAID)


def related(sought: Sought, fusion: Fusion, ordered: Integers) -> Integers:
    """The same, the memories that the graph leads to lifted, and found where they were not, behind the first `BEFORE`: what is
    asked for in so many words comes first."""
    import numpy as np

    first, partition, query = ordered[:BEFORE], sought.partition, sought.query
    asked = partition.words(query.text)
    if USER in query.text.casefold():  # else it is a word that says nothing
        asked |= {USER}
    reached = partition.related(
        asked, guides(sought, fusion, ordered), sought.served.row_mask, to_micros(query.now), sought.depth
    )
    if not reached:
        return ordered
    keys, scores = [one.statement for one in reached], [min(one.score, 1.0) for one in reached]
    graph = Channel.of("graph", keys, scores, paths={one.statement: one.path for one in reached if one.path})
    fusion.add(graph)  # to the sums of the first, too: their order stands
    later = np.ones(len(fusion.sums), dtype=bool)
    later[first] = False
    return np.concatenate([first, fusion.best_first(fusion.keys[later[fusion.keys]])])


def guides(sought: Sought, fusion: Fusion, ordered: Integers) -> list[tuple[int, float]]:
    """The first memories, and what each is worth beside the first passage of all."""
    worth = shares(fusion, ordered)
    rows = (sought.served.rows[ordered] > 0).nonzero()[0][:GUIDES]
    return list(zip(ordered[rows].tolist(), worth[rows].tolist(), strict=True)) if len(worth) and worth[0] else []
