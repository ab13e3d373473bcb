"""`recollect timeline`: what is known of an entity or a slot, in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from ...errors import InvalidInput
from .common import Common, say
from .safe import count, cut, day, plain, words

if TYPE_CHECKING:
    from ...results import TimelineEntry


def timeline(common: Common, entity: str | None, slot: str | None, as_of: str | None) -> None:
    """A table, and how many events there are. Raises InvalidInput where nothing is named."""
    if entity is None and slot is None:
        raise InvalidInput("--entity", "name an entity, a --slot or both")
    with common.open() as memory:
        found = memory.timeline(user_id=common.user_id, entity=entity, slot=slot, as_of=as_of)
    if common.json:
        common.answer({**found.model_dump(mode="json"), "count": found.count})
        return
    if not found.entries:
        say("Nothing is known of it.")
        return
    table = Table(box=None, pad_edge=False)
    for column in ("when", "what", "slot", "memory"):
        table.add_column(column, no_wrap=column == "when", overflow="fold")
    for one in found.entries:
        table.add_row(when(one), told(one), words(one.attribute or ""), words(cut(one.text, 300)))
    common.console().print(table)
    say(f"{count(found.count, 'different event')}, {count(len(found.states), 'state')}")


def when(one: TimelineEntry) -> str:
    """ "7 May 2023", "1 May 2023 – 31 May 2023", "1 May 2023 –"."""
    start, end = day(one.start), day(one.end) if one.end else ""
    if one.what == "event":
        return start if end in ("", start) else f"{start} – {end}"
    return f"{start} – {end}".rstrip()


def told(one: TimelineEntry) -> str:
    """Its kind, whether it is over, and how often it was told."""
    over = f", until {day(one.ended)}" if one.ended and one.what == "event" else ""
    often = f", told {len(one.tellings)} times" if len(one.tellings) > 1 else ""
    return plain(f"{one.kind.value}{over}{often}")
