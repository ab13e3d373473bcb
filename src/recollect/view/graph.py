"""A user's entities and what facts tell of them, as a graph in memory; and what comes along with a query by it.

Entities are nodes, joined where they are one (`resolve.py`); relations are labelled edges, each told by a statement. It keeps
all that was ever stated and not erased; what may be served is for whoever asks to say, by a mask over statements.

Activation spreads from what the query names, and from the first hits, over edges only: what a query's entity has at the other
end of a label that the query names ("my *sister*" leads to Anna, and on to where she *works*), and what a hit's entity has at the
other ends of the same label ("John likes basketball": what else he likes). It is divided by the root of how many edges share it,
and by how usual the label is; `NODES` bounds it.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..records import Identity, Names
from .resolve import USER, Doubles, Name, Told, resolved, says_who

if TYPE_CHECKING:
    from ..ports import Tokenizer
    from .intervals import Mask

log = logging.getLogger("recollect")

# Chosen on five conversations of LoCoMo, each in turn left out: docs/graph.md.
NODES = 500  # statements and entities that are reached at most
HOPS = 2  # from a query's entity, along labels that the query names
ALIKE = 60  # edges of one label of one entity, at most: of more each tells little
ONWARD = 20  # … beyond which they lead to no further step
NAMED = 2.0  # what a label that the query names weighs, beside one that a first hit tells
ENTITY_BYTES = 600  # an entity with its share of mentions and edges, roughly


class Edge(NamedTuple):
    """A relation, as a statement tells it."""

    statement: int
    subject: int
    label: str
    object: int


class Related(NamedTuple):
    """A statement that comes along, with its activation and the steps that led to it."""

    statement: int
    score: float
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EntityNode:
    """Entities that are one: the name to show, all names, the kind, and the statements that name them."""

    number: int
    name: str
    names: tuple[str, ...]
    kind: str
    statements: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A part of the graph: entities, and the edges between them."""

    entities: tuple[EntityNode, ...] = ()
    edges: tuple[Edge, ...] = ()


class EntityGraph:
    """Not thread-safe: its owner holds a lock."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.last_statement = self.last_entity = 0
        self._names: dict[int, Name] = {}
        self._terms: dict[int, frozenset[str]] = {}  # entity → of its name
        self._by_term: dict[str, list[int]] = {}  # each entity under one term of its name
        self._mentions: dict[int, list[int]] = {}  # entity → statements
        self._edges: dict[int, list[Edge]] = {}  # statement → what it tells
        self._alike: dict[tuple[int, str], list[Edge]] = {}  # (subject, label)
        self._labels: dict[int, list[str]] = {}  # subject → labels
        self._label_terms: dict[str, frozenset[str]] = {}
        self._told: dict[str, int] = {}  # label → how many statements tell it
        self._naming: list[Edge] = []  # those that may tell who somebody is
        self._doubles = Doubles()
        self._heads: dict[int, int] = {}  # of those that are one with another
        self._members: dict[int, list[int]] = {}
        self._shown: dict[int, str] = {}
        self._resolved_of: object = None

    def __len__(self) -> int:
        return len(self._names)

    # --- learning ------------------------------------------------------------------------------------------------------

    def learn(self, names: Names, last_statement: int) -> None:
        """What further statements name. They come in order; `last_statement`: up to where."""
        for number, name, kind in names.entities:
            one = self._names[number] = Name(number, name, kind)
            self._doubles.add(one)
            self._index(one)
        edges = [Edge(*one) for one in names.relations]
        sound = [one for one in edges if one.subject in self._names and one.object in self._names]
        for edge in sound:
            self._add_edge(edge)
        named = {*names.mentions, *((edge.statement, end) for edge in sound for end in (edge.subject, edge.object))}
        missing = 0
        for statement, entity in named:
            if entity in self._names:
                self._mentions.setdefault(entity, []).append(statement)
            else:
                missing += 1
        if len(sound) < len(edges) or missing:
            log.warning("an entity is missing, and left out of the graph: verify() tells where")
        self.last_entity = max(self.last_entity, max(self._names, default=0))
        self.last_statement = max([self.last_statement, last_statement, *(one[0] for one in named)])
        self._resolved_of = None

    def _index(self, one: Name) -> None:
        terms = frozenset({USER}) if one.is_user else self._tokenizer.words(one.name)
        self._terms[one.number] = terms
        if terms:
            self._by_term.setdefault(max(terms, key=lambda term: (len(term), term)), []).append(one.number)

    def _add_edge(self, edge: Edge) -> None:
        told = self._edges.setdefault(edge.statement, [])
        if all(one.label != edge.label for one in told):
            self._told[edge.label] = self._told.get(edge.label, 0) + 1
        told.append(edge)
        key = edge.subject, edge.label
        if key not in self._alike:
            self._alike[key] = []
            self._labels.setdefault(edge.subject, []).append(edge.label)
        self._alike[key].append(edge)
        if edge.label not in self._label_terms:
            self._label_terms[edge.label] = self._tokenizer.words(edge.label)
        if says_who(edge.label):
            self._naming.append(edge)
            self._doubles.numbers |= {edge.subject, edge.object}

    # --- who is who ----------------------------------------------------------------------------------------------------

    def resolve(
        self,
        believed: Callable[[], Mask],
        holding: Callable[[], Mask],
        identities: Collection[Identity],
        version: object,
    ) -> None:
        """Join entities that are one, by what holds (a mask over statements, as what is `believed`, ended or not) and by callers'
        words. Work is done only where `version`, of everything but the clock, or what holds is another."""
        held = holding().tobytes() if self._naming else b""
        told = [edge for edge in self._naming if edge.statement < len(held) and held[edge.statement]]
        of = version, tuple(edge.statement for edge in told)
        if of == self._resolved_of:
            return
        known = believed().tobytes()

        def names_one(statements: Iterable[int]) -> bool:
            return any(one < len(known) and known[one] for one in statements)

        def beside(one: int, other: int) -> bool:
            return names_one(set(self._mentions.get(one, ())).intersection(self._mentions.get(other, ())))

        doubtful = self._doubles.numbers | {end for one in identities for end in (one.one, one.other)}
        names = [self._names[one] for one in doubtful if one in self._names and names_one(self._mentions.get(one, ()))]
        facts = [Told(edge.subject, edge.label, edge.object) for edge in told]
        self._heads = resolved(names, facts, identities, beside)
        self._members, self._shown = {}, {}
        for one in sorted(names, key=lambda one: one.number):
            self._members.setdefault(self._heads[one.number], []).append(one.number)
        self._resolved_of = of

    def head(self, entity: int) -> int:
        """The number of those that are one with it."""
        return self._heads.get(entity, entity)

    def members(self, entity: int) -> Sequence[int]:
        """All entities that are one with it."""
        return self._members.get(self.head(entity)) or (entity,)

    def shown(self, entity: int) -> str:
        """The name to show for it and those that are one with it: rather a name than "my sister", rather a whole one."""
        if (known := self._shown.get(entity)) is None:
            named = [self._names[number] for number in self.members(entity)]
            best = min(named, key=lambda one: (one.owned is not None, -len(one.words), one.title is None, one.number))
            known = self._shown[entity] = best.name
        return known

    # --- what comes along ----------------------------------------------------------------------------------------------

    def related(
        self, asked: Set[str], leaders: Sequence[tuple[int, float]], allowed: Mask, k: int = NODES
    ) -> list[Related]:
        """Of the `allowed` statements (a mask) the `k` that come along best, ties by smaller number. `asked`: the query's words,
        and `USER` where it is about the user; `leaders`: the first hits, with what each weighs, 0..1."""
        spread = _Spread(self, allowed)
        front: list[_Step] = [(entity, 1.0, ()) for entity in self.named(asked)]
        seen = {entity for entity, *_ in front}
        for hop in range(HOPS):
            front = [step for one in front for step in self._along(one, asked, seen, spread, arrived=hop > 0)]
        for statement, share in leaders:
            for subject, label in dict.fromkeys((one.subject, one.label) for one in self._edges.get(statement, ())):
                spread.over(subject, label, share * self._rarity(label), least=2)  # itself and another one
        return spread.found(k)

    def _along(self, one: _Step, asked: Set[str], seen: set[int], spread: _Spread, *, arrived: bool) -> list[_Step]:
        """The steps from an entity along labels that the query names; memories that name one that was come to by a step are
        reached too."""
        entity, activation, path = one
        steps: dict[int, _Step] = {}
        for label in dict.fromkeys(label for number in self.members(entity) for label in self._labels.get(number, ())):
            if self._label_terms[label].isdisjoint(asked):
                continue
            share, edges = spread.over(entity, label, NAMED * activation * self._rarity(label), path)
            for edge in edges if len(edges) <= ONWARD else ():
                there = self.head(edge.object)
                if there not in seen and there not in steps and spread.takes_one():
                    steps[there] = (there, share, (*path, self.step(edge)))
        if arrived:
            spread.at(entity, activation, path)
        seen |= steps.keys()
        return list(steps.values())

    def named(self, asked: Set[str]) -> list[int]:
        """The entities all of whose name's terms are asked for, each group once, by its head."""
        fitting = (number for term in asked for number in self._by_term.get(term, ()) if self._terms[number] <= asked)
        return sorted({self.head(number) for number in fitting})

    def _rarity(self, label: str) -> float:
        """1 for a label that one statement tells, 0 for one that all tell."""
        total = len(self._edges)
        return math.log(total / self._told[label]) / math.log(total) if total > 1 else 0.0

    def step(self, edge: Edge) -> str:
        """An edge, to be read: "John —likes→ basketball"."""
        return f"{self.shown(edge.subject)} —{edge.label}→ {self.shown(edge.object)}"

    def edges_alike(self, entity: int, label: str) -> Iterator[Edge]:
        """The edges of a label that begin at an entity, or at one that is one with it."""
        return (edge for number in self.members(entity) for edge in self._alike.get((number, label), ()))

    def mentions(self, entity: int) -> list[int]:
        """The statements that name an entity, or one that is one with it."""
        return list({statement for number in self.members(entity) for statement in self._mentions.get(number, ())})

    # --- to be shown ---------------------------------------------------------------------------------------------------

    def view(self, statements: Iterable[int]) -> View:
        """What statements name and tell."""
        chosen = set(statements)
        nodes: dict[int, set[int]] = {}
        for number, named in self._mentions.items():
            if found := chosen.intersection(named):
                nodes.setdefault(self.head(number), set()).update(found)
        edges = [
            edge._replace(subject=self.head(edge.subject), object=self.head(edge.object))
            for statement in sorted(chosen & self._edges.keys())
            for edge in self._edges[statement]
        ]
        return View(tuple(self._node(head, nodes[head]) for head in sorted(nodes)), tuple(dict.fromkeys(edges)))

    def _node(self, head: int, statements: set[int]) -> EntityNode:
        names = [self._names[number] for number in self.members(head)]
        kind = next((one.kind for one in names if one.kind != "thing"), names[0].kind)
        told = tuple(one.name for one in sorted(names, key=lambda one: one.number))
        return EntityNode(head, self.shown(head), told, kind, tuple(sorted(statements)))


_Step = tuple[int, float, tuple[str, ...]]
"""An entity (a head), its activation, and the steps that led to it."""


class _Spread:
    """What is reached so far, at most `NODES` statements and entities."""

    def __init__(self, graph: EntityGraph, allowed: Mask) -> None:
        self._graph = graph
        self._allowed = allowed.tobytes()  # read one by one
        self._left = NODES
        self._scores: dict[int, float] = {}
        self._through: dict[int, tuple[tuple[str, ...], Edge | None]] = {}

    def over(
        self, entity: int, label: str, activation: float, path: tuple[str, ...] = (), least: int = 1
    ) -> tuple[float, Sequence[Edge]]:
        """Over the edges of a label of an entity, where at least so many statements tell it: what each gets, and those that may
        be served."""
        edges: list[Edge] = []
        told: set[int] = set()
        for edge in self._graph.edges_alike(entity, label):
            if self._allows(edge.statement):
                edges.append(edge)
                told.add(edge.statement)
                if len(told) > ALIKE:
                    return 0.0, ()
        if len(told) < least:
            return 0.0, ()
        share = activation / math.sqrt(len(told))
        for edge in edges:
            self._reach(edge.statement, share, path, edge)
        return share, edges

    def at(self, entity: int, activation: float, path: tuple[str, ...]) -> None:
        """To the statements that name an entity."""
        named = [one for one in self._graph.mentions(entity) if self._allows(one)]
        for statement in sorted(named) if len(named) <= ALIKE else ():
            self._reach(statement, activation / math.sqrt(len(named)), path, None)

    def takes_one(self) -> bool:
        """Whether another one may be reached; it counts as reached then."""
        if not self._left:
            return False
        self._left -= 1
        return True

    def _allows(self, statement: int) -> bool:
        """Whether it may be served; a later one than the mask knows may not."""
        return statement < len(self._allowed) and self._allowed[statement] != 0

    def _reach(self, statement: int, activation: float, path: tuple[str, ...], edge: Edge | None) -> None:
        if statement not in self._scores:
            if not self.takes_one():
                return
            self._through[statement] = path, edge
        self._scores[statement] = self._scores.get(statement, 0.0) + activation

    def found(self, k: int) -> list[Related]:
        """The k best, best first."""
        reached = (one for one in self._scores.items() if one[1] > 0)
        best = heapq.nsmallest(k, reached, key=lambda one: (-one[1], one[0]))
        return [Related(statement, score, self._path(statement)) for statement, score in best]

    def _path(self, statement: int) -> tuple[str, ...]:
        path, edge = self._through[statement]
        return path if edge is None else (*path, self._graph.step(edge))
