"""Options that several commands share, and what their texts mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

Session = Annotated[str | None, typer.Option("--session", metavar="ID", help="Only of this session")]
Agent = Annotated[str | None, typer.Option("--agent", metavar="ID", help="Only of this agent")]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help='Metadata to match; may be repeated. Or a whole filter in JSON: \'{"age": {"gte": 3}}\' (docs/api.md)',
    ),
]
AsOf = Annotated[str | None, typer.Option(metavar="WHEN", help="What held then (ISO 8601)")]
KnownAt = Annotated[str | None, typer.Option(metavar="WHEN", help="What was believed then")]
Since = Annotated[str | None, typer.Option(metavar="WHEN", help="Only what happened from then on")]
Until = Annotated[str | None, typer.Option(metavar="WHEN", help="Only what happened until then")]
Now = Annotated[str | None, typer.Option(metavar="WHEN", help="When it is asked: “last week” is counted from then")]
MinScore = Annotated[
    float | None, typer.Option(metavar="SCORE", help="From 0 to 1; 0 shows the best, whatever they are")
]
NoGraph = Annotated[
    bool, typer.Option("--no-graph", help="Only what is found by itself, nothing that entities lead to")
]
Metadata = Annotated[
    list[str] | None,
    typer.Option("--metadata", metavar="KEY=VALUE", help="To be kept with it; may be repeated, or be JSON"),
]
MemoryId = Annotated[str, typer.Argument(metavar="ID", help="A memory's (mem_…), or its beginning")]


def mapping(said: Sequence[str] | None, option: str) -> dict[str, Any] | None:
    """KEY=VALUE, or JSON, of which there may be several, as one mapping; None where nothing was said."""
    found: dict[str, Any] = {}
    for one in said or ():
        part = _json(one, option) if one.lstrip().startswith("{") else dict([pair(one, option)])
        if twice := found.keys() & part.keys():
            raise typer.BadParameter(f"{sorted(twice)[0]!r} is said twice", param_hint=option)
        found |= part
    return found or None


def _json(text: str, option: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not JSON: {error}", param_hint=option) from None
    except RecursionError:
        raise typer.BadParameter("is nested too deeply", param_hint=option) from None
    return dict(found)


def pair(text: str, option: str) -> tuple[str, str]:
    """KEY=VALUE, split."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint=option)
    return key, value
