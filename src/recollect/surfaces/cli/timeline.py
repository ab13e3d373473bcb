"""`recollect timeline`: what is known of an entity or a slot, in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import InvalidInput
from .common import Common, say
from .safe import count, day, plain, span, words
from .showing import short, table

if TYPE_CHECKING:
    from ...results import TimelineEntry


def timeline(common: Common, entity: str | None, slot: str | None, as_of: str | None) -> None:
    """A table, and how many events there are. Raises InvalidInput where nothing is named."""
    if entity is None and slot is None:
        raise InvalidInput("--entity", "name an entity, a --slot or both")
    with common.existing() as memory:
        found = memory.timeline(user_id=common.user_id, entity=entity, slot=slot, as_of=as_of)
    if common.json:
        common.answer({**found.model_dump(mode="json"), "count": found.count})
        return
    if not found.entries:
        say("Nothing is known of it.")
        return
    rows = [(when(one), told(one), words(one.text), short(one.id)) for one in found.entries]
    table(common, ("when", "what", "memory", "id"), rows, wide="memory", folded=("when", "what"))
    events = f"{count(found.count, 'different event')}, " if found.count else ""
    say(events + count(len(found.states), "state"))


def when(one: TimelineEntry) -> str:
    """ "7 May 2023", "May 2023", "1 May 2023 – 3 Jun 2023", "1 May 2023 –"."""
    if one.what == "event":
        return span(one.start, one.end, one.precision)
    return day(one.start) if day(one.start) == day(one.end) else f"{day(one.start)} – {day(one.end)}".rstrip()


def told(one: TimelineEntry) -> str:
    """Its kind, whether it is over, and how often it was told."""
    over = f", until {day(one.ended)}" if one.ended and one.what == "event" else ""
    often = f", told {len(one.tellings)} times" if len(one.tellings) > 1 else ""
    return plain(f"{one.kind.value}{over}{often}")
