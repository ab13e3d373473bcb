"""Memories, hits and changes for people: tables that fit the terminal; piped, one line each and whole ids."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from .common import Common, say
from .safe import count, day, moment, plain, span, words

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ...results import Change, Hit, MemoryItem, Source

NARROW = 60  # columns
STYLES = {"ADD": "green", "UPDATE": "yellow", "DELETE": "red", "NONE": "dim"}
_ID = re.compile(r"((?:mem|chg|turn|batch)_[0-9a-f]{8})[0-9a-f]{24}")


def short(identifier: str) -> str:
    """An id as people are shown it: on a terminal its beginning, which every command takes for the whole."""
    return _ID.sub(r"\1", identifier) if sys.stdout.isatty() else identifier


def table(
    common: Common,
    columns: Sequence[str],
    rows: Iterable[Sequence[Text | str]],
    *,
    wide: str,
    folded: Sequence[str] = (),
) -> None:
    """Print a table. `wide`: the column that takes what room there is, and is folded; so are those of `folded`. On a narrow
    terminal each row is a paragraph."""
    from rich.table import Table

    out = common.console()
    if sys.stdout.isatty() and out.width < NARROW:
        for row in rows:
            cells = dict(zip(columns, row, strict=True))
            out.print(cells.pop(wide))
            out.print(words(" · ".join(plain(cell) for cell in cells.values()), "dim"))
        return
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        made.add_column(column, no_wrap=column not in (wide, *folded), overflow="fold")
    for row in rows:
        made.add_row(*row)
    show_table(common, made)


def show_table(common: Common, made: RenderableType) -> None:
    """Print it; piped, without the spaces that would fill its last column."""
    out = common.console()
    if sys.stdout.isatty():
        out.print(made)
        return
    with out.capture() as captured:
        out.print(made)
    for line in captured.get().splitlines():
        print(line.rstrip(), flush=True)


def show_items(common: Common, items: Sequence[MemoryItem], limit: int | None = None) -> None:
    """A table of memories; where it has as many as were asked for, how to go on."""
    if not items:
        say(f"No memories of {plain(common.user_id)}.{who_else(common)}")
        return
    rows = [(short(item.id), day(item.valid_from), item.kind.value, words(item.text)) for item in items]
    table(common, ("id", "since", "kind", "memory"), rows, wide="memory")
    more = f" (--after {short(items[-1].id)} goes on)" if len(items) == limit else ""
    say(count(len(items), "memory", "memories") + more)


def who_else(common: Common) -> str:
    """A way on for somebody who did not say whose memories are meant."""
    return "" if common.user is not None else " --user says whose; `recollect users` lists everybody."


def show_hits(common: Common, hits: Sequence[Hit]) -> None:
    """Hits with their scores; below each, who said it when, and how it was found."""
    from rich.table import Table

    if not hits:
        say(f"Nothing known has to do with it.{who_else(common)}")
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for hit in hits:
        grid.add_row(f"{hit.score:.2f}", told(hit))
        grid.add_row("", words(behind(hit), "dim"))
        for channel in hit.channels:
            grid.add_row("", words(f"found by {channel.name}, rank {channel.rank}, {channel.score:.2f}", "dim"))
    show_table(common, grid)


def told(hit: Hit) -> Text:
    """What a hit says: a memory in its own words, a turn in those of its speaker."""
    return words(hit.text) if hit.kind == "memory" else words(f"{hit.speaker}: “{hit.text}”", "italic")


def behind(hit: Hit) -> str:
    """Who said it when, until when it held, what led to it, and its id."""
    ended = hit.until or hit.valid_to
    told = (
        "; ".join(said_by(hit.sources))
        .replace("The user, ", "the user, ")
        .replace("The assistant, ", "the assistant, ")
    )
    parts = [f"said by {told}" if hit.kind == "memory" else f"said on {day(hit.created_at)}"]
    parts += [f"until {day(ended)}"] if ended else []
    parts += ["through " + ", ".join(hit.related_through)] if hit.related_through else []
    return " · ".join([*parts, short(hit.id)])


def said_by(sources: Sequence[Source]) -> list[str]:
    """Speakers, each with the days on which they said it."""
    days: dict[str, list[str]] = {}
    for one in sources:
        known = days.setdefault(one.speaker, [])
        if day(one.said_at) not in known:
            known.append(day(one.said_at))
    return [f"{speaker}, {' and '.join(said)}" for speaker, said in days.items()]


def operation(change: Change) -> Text:
    """What was decided, in its colour, as wide as every other."""
    return Text(f"{change.op.value:<6}", style=STYLES[change.op.value])


def changed(change: Change) -> Text:
    """What a decision was about, and what it replaced."""
    line = words(change.memory.text if change.memory else (change.reason or "nothing to do"))
    if change.op.value == "UPDATE" and change.previous_text:
        line.append("   was: ", "dim").append_text(words(change.previous_text, "dim"))
    if change.flag == "quarantined" and change.memory:
        line.append(f"   quarantined: {plain(change.reason)}", "magenta")
    return line


def show_change(common: Common, change: Change, *before: str, out: Console | None = None) -> None:
    """One decision: on a terminal folded beside its operation, else on one line. `before`: what stands in front of it, harmless
    and as wide as it is to be. `out`: where a bar is shown meanwhile, for what goes past the bar leaves rests of it."""
    from rich.table import Table

    if not sys.stdout.isatty():
        line = Text("  ").join([*(Text(one, "dim") for one in before), operation(change), changed(change)])
        common.console().print(line, soft_wrap=True)
        return
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in (*before, change.op):
        grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(*(Text(one, "dim") for one in before), operation(change), changed(change))
    (out or common.console()).print(grid)


def show_changes(common: Common, changes: Sequence[Change]) -> None:
    """A table of changes, with the ids that `undo` takes."""
    rows = [(short(one.id), moment(one.recorded_at), operation(one), changed(one)) for one in changes]
    table(common, ("id", "recorded", "op", "change"), rows, wide="change")
    say(count(len(rows), "change"))


def show_properties(common: Common, rows: Iterable[tuple[str, str]]) -> None:
    """Names and values, the values folded beside their names."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(name, words(value))
    show_table(common, grid)


def described(item: MemoryItem, sources: Sequence[Source]) -> list[tuple[str, str]]:
    """A memory's properties, those that it has, and who said it."""
    rows = [("id", item.id), ("user", "(shared)" if item.user_id is None else item.user_id), ("kind", item.kind.value)]
    rows += [("slot", f"{item.subject}, {item.attribute} = {item.value}" if item.subject else "")]
    rows += [("holds", f"from {day(item.valid_from)}" + (f" until {day(item.valid_to)}" if item.valid_to else ""))]
    rows += [("happened", happened(item)), ("recorded", moment(item.created_at))]
    rows += [("changed", moment(item.updated_at) if item.updated_at != item.created_at else "")]
    rows += [
        ("expires", moment(item.expires_at)),
        ("agents", ", ".join(item.agent_ids)),
        ("sessions", ", ".join(item.session_ids)),
    ]
    rows += [("metadata", str(item.metadata) if item.metadata else "")]
    rows += [("said", f"{moment(one.said_at)} {one.speaker}: “{one.quote}”") for one in sources]
    return [(name, value) for name, value in rows if value]


def happened(item: MemoryItem) -> str:
    """When the thing told of happened, as exactly as it is known."""
    return span(item.event_from, item.event_to, item.event_precision)
