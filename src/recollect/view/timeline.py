"""Timelines by code: what is known of an entity or a slot in the order of time, and what was told twice counted once.

Pure. `entries` makes a timeline of rows; `asks_for_all` and `of_a_kind` are what search makes of it: a query that wants all of a
kind, a count, or the first of something, is answered by all the rows of the slots that it is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from ..model import Kind, Row
from ..results import TimelineEntry

# --- a timeline --------------------------------------------------------------------------------------------------------

SAME = 0.6  # of the words of two tellings, at least, that are the same where they are of one event
_WORD = re.compile(r"[^\W_]+")
_SHORT = 3  # letters of a word that hardly tells one event from another; numbers do


def entries(rows: Iterable[Row], at: datetime) -> tuple[TimelineEntry, ...]:
    """Rows as they are seen at a time, in the order of time: by when what they tell happened, a state by its start; else by when
    they were told; ties by when they were recorded. Rows that begin later are left out, and an end still to come is none yet.

    Two tellings are one event where both hold, both tell the same time (where neither tells one, they were said on one day), and
    they have the same value in the same slot, or share at least 0.6 of their longer words and numbers, and not each of them
    has a name or a number that the other lacks; the first one recorded stands for both.
    """
    known = sorted((row for row in rows if row.valid_from <= at), key=lambda row: (_start(row), row.number))
    stands: list[tuple[Row, list[str]]] = []
    for row in known:
        same = next((tellings for other, tellings in stands if _is_same_event(other, row, at)), None)
        if same is None:
            stands.append((row, [row.memory_id]))
        elif row.memory_id not in same:
            same.append(row.memory_id)
    return tuple(_entry(row, tellings, at) for row, tellings in stands)


def _is_event(row: Row) -> bool:
    """What is so of somebody is a state, one that began with an event too ("moved to Oslo on 7 May")."""
    return row.statement.kind in (Kind.EVENT, Kind.PLAN)


def _start(row: Row) -> datetime:
    event = row.statement.event
    return row.valid_from if event is None else event.start


def _end(row: Row, at: datetime) -> datetime | None:
    """Until when a row holds, as far as is known at a time."""
    return None if row.valid_to is None or row.valid_to > at else row.valid_to


def _is_same_event(one: Row, other: Row, at: datetime) -> bool:
    if not (_is_event(one) and _is_event(other)) or _end(one, at) is not None or _end(other, at) is not None:
        return False
    return _time(one) == _time(other) and (_same_value(one, other) or _same_words(one, other))


def _time(row: Row) -> tuple[object, ...]:
    event = row.statement.event
    return (row.valid_from.date(),) if event is None else (event.start, event.end)


def _same_value(one: Row, other: Row) -> bool:
    said, told = one.statement, other.statement
    if said.slot is None or told.slot is None or not said.value or not told.value:
        return False
    return (said.slot.key, said.value.casefold()) == (told.slot.key, told.value.casefold())


def _same_words(one: Row, other: Row) -> bool:
    said, told = _words(one), _words(other)
    if not said or len(said & told) < SAME * len(said | told):
        return False
    names, others = _names(one), _names(other)
    return names <= others or others <= names


def _words(row: Row) -> set[str]:
    words = _WORD.findall(row.statement.text.casefold())
    return {word for word in words if len(word) > _SHORT or word.isdigit()}


def _names(row: Row) -> set[str]:
    return {word for word in _WORD.findall(row.statement.text) if word[0].isupper() or word.isdigit()}


def _entry(row: Row, tellings: Sequence[str], at: datetime) -> TimelineEntry:
    said, ended = row.statement, _end(row, at)
    event, is_event = said.event, _is_event(row)
    return TimelineEntry(
        id=row.memory_id,
        text=said.text,
        what="event" if is_event else "state",
        kind=said.kind,
        start=_start(row),
        end=(event.end if event else None) if is_event else ended,
        precision=event.precision if event else None,
        ended=ended,
        valid_from=row.valid_from,
        subject=said.slot.subject if said.slot else None,
        attribute=said.slot.attribute if said.slot else None,
        value=said.value,
        source=said.source,
        tellings=tuple(tellings),
    )


# --- in search ---------------------------------------------------------------------------------------------------------

BEST = 3  # members of a slot, by whose mean place in the order it is taken to be what the query is about
KINDS = 20  # slots, at most, whose members are lifted: the best one fully, that behind the last not at all
KNOWN = 50  # memories among the first found whose slots are looked at
HALF = 0.5  # of the lift comes with the slot, the other half by how well the member itself was found

_PLURAL = (
    r"(?!(?:is|was|has|does|this|his|its|as|yes|us|less|across|class|plus|process|business|address|success|happiness|fitness"
    r"|illness|progress|stress|dress|news)\b)[a-z][a-z-]+(?<![sui])s\b"
)
_ASKS = re.compile(
    r"\bhow\s+(?:many|often)\b|\blist\b|\ball\s+(?:the|of|my|his|her|their)\b|\beach\s+of\b|\bnames?\s+of\b|\bboth\b"
    rf"|\b(?:what|which)\s+(?:[\w'’+-]+\s+){{0,4}}?{_PLURAL}"
    r"|\b(?:what|which|where|who|whom)\b(?:\s+[\w'’/-]+){0,3}?\s+(?:has|have)\s+(?:[\w'’]+\s+){1,3}?(?:\w+ed|been|done|made|met|seen"
    r"|read|gone|given|taken|written|won|bought|got|had|found|built|sung|held|drunk|eaten|run|sold|told|taught|lost|left)\b"
    r"|\bwhat\s+(?:kinds?|types?|sorts?)\b|\b(?:what|which)\s+(?:do|does)\b.*\b(?:do|like|enjoy|collect|play|eat|cook|own|have)\b"
    r"|\b(?:what|which)\s+ways\b|\bwho\s+(?:all|are)\b"
    r"|\b(?:second|third|fourth|fifth|sixth|2nd|3rd|[4-9]th)\b|\bin\s+(?:what|which)\s+order\b",
    re.IGNORECASE,
)


def asks_for_all(query: str) -> bool:
    """Whether a query wants all of a kind: a list, a count, an order, or one of many by its number."""
    return bool(_ASKS.search(query))


def of_a_kind(slots: Mapping[str, Sequence[int]], found: Mapping[int, float]) -> list[tuple[int, float]]:
    """The members of the slots that a query is about, best first, ties by smaller key: (statement, lift 0..1). `found`: what
    statements are worth in the order so far, 1 for the best; a slot is worth the mean of its `BEST` best."""
    worth = {slot: _mean_of_best(members, found) for slot, members in slots.items()}
    ranked = sorted((slot for slot in worth if worth[slot] > 0), key=lambda slot: (-worth[slot], slot))
    if not ranked:
        return []
    best, usual = worth[ranked[0]], worth[ranked[KINDS]] if len(ranked) > KINDS else 0.0
    lift: dict[int, float] = {}
    for slot in ranked[:KINDS]:
        share = (worth[slot] - usual) / (best - usual) if best > usual else 1.0
        for member in slots[slot]:
            lift[member] = share * (HALF + (1 - HALF) * found.get(member, 0.0))
    return sorted(((member, one) for member, one in lift.items() if one > 0), key=lambda one: (-one[1], one[0]))


def _mean_of_best(members: Sequence[int], found: Mapping[int, float]) -> float:
    worth = sorted((found.get(member, 0.0) for member in members), reverse=True)[:BEST]
    return sum(worth) / len(worth) if worth else 0.0
