"""A user's graph as networkx has it: for callers, and laid out for a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import networkx as nx

if TYPE_CHECKING:
    from ..model import Row
    from ..view.graph import View

DENSE = 499  # nodes that networkx lays out without scipy
SEED = 7  # the same graph, the same picture
Place = tuple[float, float]


def as_networkx(view: View, rows: Sequence[Row]) -> nx.MultiDiGraph:
    """Entities and memories as nodes, relations and mentions as edges; see `AsyncMemory.entity_graph`."""
    graph = nx.MultiDiGraph()
    memory_of = {row.statement.number: row for row in rows}
    for row in memory_of.values():
        event = row.statement.event
        graph.add_node(
            row.memory_id,
            type="memory",
            text=row.statement.text,
            kind=row.statement.kind.value,
            valid_from=row.valid_from,
            event_from=event.start if event else None,
            event_to=event.end if event else None,
        )
    nodes = {one.number: _unused(one.name, graph) for one in view.entities}
    for one in view.entities:
        node = nodes[one.number]
        graph.add_node(node, type="entity", kind=one.kind, names=one.names, memories=len(one.statements))
        for statement in one.statements:
            graph.add_edge(memory_of[statement].memory_id, node, type="names")
    for edge in view.edges:
        told_by = memory_of[edge.statement].memory_id
        graph.add_edge(nodes[edge.subject], nodes[edge.object], type="relation", label=edge.label, memory=told_by)
    return graph


def _unused(name: str, graph: nx.MultiDiGraph) -> str:
    """A node of its own for an entity that is called as another node is."""
    while name in graph:
        name += " (entity)"
    return name


def around(graph: nx.MultiDiGraph, entity: str, depth: int) -> nx.MultiDiGraph:
    """What is at most `depth` steps from an entity, from entity to entity by a relation or a memory that names both; with the
    memories that name the entities before the last step."""
    near = nx.single_source_shortest_path_length(_between(graph), entity, cutoff=depth)
    inner = {node for node, steps in near.items() if steps < depth} or {entity}
    memories = {memory for node in inner for memory in graph.predecessors(node) if _type(graph, memory) == "memory"}
    return graph.subgraph({*near, *memories}).copy()


def crowded_out(graph: nx.MultiDiGraph, most: int, keeping: str | None = None) -> nx.MultiDiGraph:
    """The `most` entities that most memories name (and one that is kept whatever names it), and all memories."""
    entities = [node for node, kind in graph.nodes(data="type") if kind == "entity"]
    kept = sorted(entities, key=lambda node: (node != keeping, -graph.nodes[node]["memories"], node))[:most]
    return graph.subgraph({node for node in graph if _type(graph, node) == "memory"} | set(kept)).copy()


def laid_out(graph: nx.MultiDiGraph) -> dict[str, Place]:
    """Where each entity (at most `DENSE`) stands, x in -1.5..1.5 and y in -1..1: near what it is related to, or named with; the
    longer side lies."""
    between = _between(graph)
    size = max(1, len(between))
    found: Mapping[str, Any] = nx.spring_layout(between, k=3.5 / math.sqrt(size), iterations=200, seed=SEED)
    places = {node: (float(x), float(y)) for node, (x, y) in found.items()}
    width, height = (max((abs(place[axis]) for place in places.values()), default=0.0) or 1.0 for axis in (0, 1))
    if height > width:
        width, height, places = height, width, {node: (y, -x) for node, (x, y) in places.items()}
    return {node: (1.5 * x / width, y / height) for node, (x, y) in places.items()}


def named_together(graph: nx.MultiDiGraph) -> dict[tuple[str, str], int]:
    """Pairs of entities (in order) that memories name together, and how many do."""
    pairs: dict[tuple[str, str], int] = {}
    for memory in (node for node in graph if _type(graph, node) == "memory"):
        named = sorted(set(graph.successors(memory)))
        for place, one in enumerate(named):
            for other in named[place + 1 :]:
                pairs[one, other] = pairs.get((one, other), 0) + 1
    return pairs


def _between(graph: nx.MultiDiGraph) -> nx.Graph:
    """Entities alone, joined by relations and by memories that name both; what relates weighs more."""
    between = nx.Graph()
    between.add_nodes_from(sorted(node for node in graph if _type(graph, node) == "entity"))
    for (one, other), times in sorted(named_together(graph).items()):
        between.add_edge(one, other, weight=0.3 * math.sqrt(times))
    for one, other, kind in sorted(graph.edges(data="type")):
        if kind == "relation" and one != other:
            known = between.edges[one, other]["weight"] if between.has_edge(one, other) else 0.0
            between.add_edge(one, other, weight=min(known + 0.3, 1.5))
    return between


def _type(graph: nx.MultiDiGraph, node: str) -> str:
    return str(graph.nodes[node]["type"])
