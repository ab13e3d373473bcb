"""`recollect graph`: who and what memories name, as lines, as JSON, as a picture, or as a page to explore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput, NotFound
from .common import Common, say
from .export import require_store
from .safe import count, cut, day, plain

if TYPE_CHECKING:
    from networkx import MultiDiGraph

LINES = 40  # entities that are listed


def graph(common: Common, out: Path | None, entity: str | None, *, depth: int, most: int, overwrite: bool) -> None:
    """The user's graph, or the part around an entity, by the ending of `out`; without it, for reading."""
    require_store(common)
    kind = None if out is None else _ending(out)
    with common.open() as memory:
        whole = memory.entity_graph(user_id=common.user_id)
    picture = pictured(whole, entity, depth=depth, most=most)
    title = f"What {plain(common.user_id)}'s memories name"
    if out is None:
        _shown(common, picture)
        return
    _written(common, out, _page(picture, title) if kind == ".html" else _png(picture, title), overwrite=overwrite)
    numbers = {name: len(picture[name]) for name in ("entities", "relations", "memories")}
    if common.json:
        common.answer({"path": str(out), **numbers, "left_out": picture["left_out"]})
        return
    left = f" ({picture['left_out']:,} more left out: --most, --entity)" if picture["left_out"] else ""
    entities, relations = count(numbers["entities"], "entity", "entities"), count(numbers["relations"], "relation")
    say(f"{out}: {entities}{left}, {relations}, readable for you alone")


def _ending(out: Path) -> str:
    ending = out.suffix.lower()
    if ending not in (".html", ".png"):
        raise InvalidInput("--out", "must end in .html (a page to explore) or .png (a picture)")
    return ending


# --- what is shown -----------------------------------------------------------------------------------------------------


def pictured(whole: MultiDiGraph, entity: str | None = None, *, depth: int = 2, most: int = 150) -> dict[str, Any]:
    """What a picture shows, as JSON has it: `entities` (those that most memories name first, each with its place, as
    `laid_out` has it, and the places of its memories in the list), `relations` (from and to by place in that list), `together`
    (other pairs that memories name together, and how many), `memories` (in the order of time), `centre`, and how
    many are left out.

    Raises NotFound, InvalidInput."""
    from ...adapters.networkx_graph import DENSE, around, crowded_out, laid_out, named_together

    if not 1 <= most <= DENSE:
        raise InvalidInput("--most", f"must be from 1 to {DENSE}")
    if not 1 <= depth <= 10:
        raise InvalidInput("--depth", "must be from 1 to 10")
    centre = None if entity is None else _named(whole, entity)
    part = whole if centre is None else around(whole, centre, depth)
    shown = crowded_out(part, most) if centre is None else crowded_out(part, most, keeping=centre)
    places = laid_out(shown)
    entities = sorted(places, key=lambda node: (-shown.nodes[node]["memories"], node))
    place_of = {node: place for place, node in enumerate(entities)}
    recorded = {node: nth for nth, node in enumerate(whole)}
    memories = sorted(
        (node for node, kind in shown.nodes(data="type") if kind == "memory" and shown.out_degree(node)),
        key=lambda node: (shown.nodes[node]["event_from"] or shown.nodes[node]["valid_from"], recorded[node]),
    )
    line_of = {node: line for line, node in enumerate(memories)}
    relations = _relations(shown, place_of, line_of)
    related = {frozenset((edge["from"], edge["to"])) for edge in relations}
    together = [[place_of[a], place_of[b], times] for (a, b), times in sorted(named_together(shown).items())]
    return {
        "entities": [_entity(shown, node, places[node], line_of) for node in entities],
        "relations": relations,
        "together": [one for one in together if frozenset(one[:2]) not in related],
        "memories": [_memory(shown.nodes[node], node) for node in memories],
        "centre": None if centre is None else place_of[centre],
        "left_out": sum(kind == "entity" for _, kind in part.nodes(data="type")) - len(entities),
    }


def _relations(shown: MultiDiGraph, place_of: dict[str, int], line_of: dict[str, int]) -> list[dict[str, Any]]:
    told = [edge for edge in shown.edges(data=True) if edge[2]["type"] == "relation"]
    found = [(place_of[one], place_of[other], of["label"], line_of[of["memory"]]) for one, other, of in told]
    return [dict(zip(("from", "to", "label", "memory"), edge, strict=True)) for edge in sorted(found)]


def _named(whole: MultiDiGraph, entity: str) -> str:
    """The node of an entity by any of its names, case and spaces aside. Raises NotFound."""
    wanted = " ".join(entity.casefold().split())
    for node, told in whole.nodes(data=True):
        if told["type"] == "entity" and any(" ".join(name.casefold().split()) == wanted for name in told["names"]):
            return str(node)
    raise NotFound("entity", entity)


def _entity(shown: MultiDiGraph, node: str, place: tuple[float, float], line_of: dict[str, int]) -> dict[str, Any]:
    told = shown.nodes[node]
    named_by = {memory for memory in shown.predecessors(node) if memory in line_of}
    return {
        "name": node,
        "kind": told["kind"],
        "names": list(told["names"]),
        "x": round(place[0], 4),
        "y": round(place[1], 4),
        "memories": sorted(line_of[memory] for memory in named_by),
    }


def _memory(told: dict[str, Any], node: str) -> dict[str, Any]:
    when = day(told["event_from"]) or f"said {day(told['valid_from'])}"
    return {"id": node, "text": told["text"], "kind": told["kind"], "when": when}


def _shown(common: Common, picture: dict[str, Any]) -> None:
    if common.json:
        common.answer(picture)
        return
    entities = picture["entities"]
    for place, one in enumerate(entities[:LINES]):
        others = [name for name in one["names"] if name != one["name"]]
        also = f", also {', '.join(map(plain, others))}" if others else ""
        say(f"{plain(one['name'])} ({plain(one['kind'])}{also}): {count(len(one['memories']), 'memory', 'memories')}")
        edges = ((edge["label"], edge["to"]) for edge in picture["relations"] if edge["from"] == place)
        for label, to in dict.fromkeys(edges):  # once, however many memories say so
            say(f"  —{plain(label)}→ {plain(entities[to]['name'])}")
    more = len(entities) - LINES + picture["left_out"] if len(entities) > LINES else picture["left_out"]
    say(
        count(len(entities) + picture["left_out"], "entity", "entities")
        + (f", {more:,} of them not shown" if more else "")
    )


# --- files -------------------------------------------------------------------------------------------------------------


def _page(picture: dict[str, Any], title: str) -> bytes:
    from ..graph_page import write

    return write(picture, title).encode()


def _png(picture: dict[str, Any], title: str) -> bytes:
    """Raises InvalidInput where matplotlib is not installed."""
    from .graph_png import draw

    try:
        return draw(picture, cut(title, 80))
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
    raise InvalidInput(
        "--out", "a .png is drawn by matplotlib: pip install 'recollect[graph]'; an .html needs nothing more"
    )


def _written(common: Common, out: Path, content: bytes, *, overwrite: bool) -> None:
    """Whole or not at all, readable for its owner alone. Raises InvalidInput, TargetExists, StorageError."""
    from ...adapters.database import faults_named
    from ...adapters.sqlite_backup import partial, placed, refuse_target

    with faults_named("graph"):
        refuse_target(common.folder(), out, overwrite=overwrite)
        with partial(out) as part:
            part.write_bytes(content)
            placed(part, out)
