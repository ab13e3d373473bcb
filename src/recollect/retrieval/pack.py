"""Hits packed into a token budget, in time order, fenced as data for a prompt."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple, TypeAlias

from ..errors import InvalidInput
from ..model import Role, SourceClass
from ..results import Hit
from ..rules.likeness import bag, is_negative, may_lie_within
from ..safety.fence import closing, harmless, opening
from ..tokens import estimate_tokens, fewest_tokens

Count: TypeAlias = Callable[[str], int]

# Hits that are packed also where what they tell is told: a turn for its speaker's own words, a memory for what else its turn
# says. Further down they would take the place of something that is not told yet: docs/retrieval.md has what that brings.
OWN_WORDS = 5
_SPOKEN_TO = frozenset({"user"})  # is "you" in a reply

_TOLD_BY = {
    SourceClass.ASSISTANT: "said by the assistant",
    SourceClass.CLAIM: "the user claims",
    SourceClass.TOOL: "from a tool",
    SourceClass.DOCUMENT: "from a document",
}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WORD = re.compile(r"\d+(?:st|nd|rd|th)?|[^\W\d_]+")


def pack(
    hits: Sequence[Hit], max_tokens: int, fence: str, tokenizer: Count | None = None
) -> tuple[str, list[Hit], int]:
    """(text, hits in it, its tokens). The best hits that fit, then in the order of time; ("", [], 0) where none fits.

    Tokens are counted by `tokenizer`, else estimated. Raises InvalidInput where it fails.
    """
    count = estimate_tokens if tokenizer is None else counter(tokenizer)
    page = chosen(hits, max_tokens, fence, count, fewest_tokens if tokenizer is None else nothing_known)
    while page.kept:
        told = page.in_time()
        text = "\n".join([opening(fence), *under_days(told), closing(fence)])
        if (tokens := count(text)) <= max_tokens:
            return text, [one.hit for one in told], tokens
        page.kept.pop()  # joined lines may have more tokens than they have one by one
    return "", [], 0


class Told(NamedTuple):
    """A hit, when it was told first, the heading of that day, and the line that tells it."""

    hit: Hit
    said_at: datetime
    head: str
    text: str


class Page:
    """Hits that fit into `room` tokens beside each other. `fewest`: what a text has at least, however it is told."""

    def __init__(self, fence: str, room: float, count: Count, fewest: Callable[[str], float]) -> None:
        self.kept: list[Told] = []
        self.turns: set[str] = set()  # that are told
        self._fence, self._room, self._count, self._fewest = fence, room, count, fewest
        self._days: set[str] = set()

    def put(self, hit: Hit) -> None:
        """Keep it, where it fits."""
        if self._fewest(hit.text) > self._room:
            return  # as most of what comes when the page is full
        said = said_at(hit)
        told = Told(hit, said, heading(said.date()), line(hit, self._fence))
        cost = self._count(told.text + "\n") + (0 if told.head in self._days else self._count(told.head + "\n"))
        if cost <= self._room:
            self._room -= cost
            self.kept.append(told)
            self._days.add(told.head)
            self.turns.update(source.turn_id for source in hit.sources)

    def in_time(self) -> list[Told]:
        """In the order of time; of one time the best first, for ids are random."""
        return sorted(self.kept, key=lambda one: (one.said_at, one.hit.event_from or one.said_at))


def under_days(told: Sequence[Told]) -> Iterator[str]:
    """A heading for each day, and under it a line for each hit that was said on it. `told`: in the order of time."""
    for head, of_the_day in groupby(told, key=lambda one: one.head):
        yield head
        yield from (one.text for one in of_the_day)


def nothing_known(_: str) -> float:
    """Of a caller's tokens: it may have none for a text."""
    return 0


def chosen(
    hits: Sequence[Hit], max_tokens: int, fence: str, count: Count, fewest: Callable[[str], float] = nothing_known
) -> Page:
    """The best hits that fit, by rank. Behind the `OWN_WORDS` best a turn that is told is left out, and a memory of turns that
    are told waits until nothing else is left; so does an assistant's reply that only says memories again, and is left out
    beside them."""
    echoed = only_repeating(hits)
    page = Page(fence, max_tokens - count(f"{opening(fence)}\n{closing(fence)}"), count, fewest)
    again: list[Hit] = []
    for place, hit in enumerate(hits):
        if hit.id in echoed:
            continue
        known = bool(hit.sources) and page.turns.issuperset(source.turn_id for source in hit.sources)
        if not known or place < OWN_WORDS:
            page.put(hit)
        elif hit.kind == "memory":
            again.append(hit)
    for hit in again:
        page.put(hit)
    shown = {one.hit.id for one in page.kept}
    for hit in hits:
        if not echoed.get(hit.id, shown) <= shown:
            page.put(hit)
    return page


def only_repeating(hits: Sequence[Hit]) -> dict[str, set[str]]:
    """Assistants' replies that say nothing but what memories among the hits say, in their words: id → those of the memories."""
    found: dict[str, set[str]] = {}
    replies = [hit for hit in hits if hit.kind == "turn" and hit.source is SourceClass.ASSISTANT and not ended(hit)]
    told = [hit for hit in hits if hit.kind == "memory" and not ended(hit)] if replies else ()
    memories = [(hit.id, bag(hit.text)) for hit in told]
    all_words = _SPOKEN_TO.union(*(words for _, words in memories))
    for hit in replies:
        if not may_lie_within(hit.text, all_words):
            continue  # as nearly always
        said = bag(hit.text)
        again = {one: words for one, words in memories if words & said and words - said <= _SPOKEN_TO}
        if again and said <= frozenset().union(*again.values()) and not is_negative(hit.text):
            found[hit.id] = {*again}
    return found


def counter(tokenizer: Count) -> Count:
    """A caller's own, checked."""

    def count(text: str) -> int:
        try:
            tokens = tokenizer(text)
        except Exception as error:  # whatever a caller's code raises
            raise InvalidInput("tokenizer", f"failed with {type(error).__name__}") from error
        if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 0:
            raise InvalidInput("tokenizer", "must return how many tokens a text has, a whole number")
        return tokens

    return count


@functools.lru_cache(maxsize=4096)
def heading(said: date) -> str:
    """2026-11-24 Tue: with the day of the week, for people say "last Friday"."""
    return f"{said.isoformat()} {_WEEKDAYS[said.weekday()]}"


def said_at(hit: Hit) -> datetime:
    """When it was told first."""
    return hit.sources[0].said_at if hit.sources else hit.valid_from


def line(hit: Hit, fence: str) -> str:
    """One line: in brackets the dates that neither the heading nor the text has, and whose word it is where that is not the
    user's, nor a person's who is named."""
    said = f"{hit.speaker}: " if hit.kind == "turn" and hit.speaker else ""
    notes = ", ".join(one for one in (happened(hit), ended(hit), told_by(hit)) if one)
    return f"- {f'[{notes}] ' if notes else ''}{harmless(said + hit.text, fence)}"


def happened(hit: Hit) -> str:
    """When that was which is told, or since when it holds; "" where that is the day on which it was told, as of all turns, or the
    text says it."""
    if hit.kind == "turn":
        return ""
    if hit.event_from is not None:
        first, last = day(hit.event_from), day(hit.event_to or hit.event_from)
        when = first if first == last else f"{first} to {last}"
        return "" if when == day(said_at(hit)) or states(hit.text, first, last) else when
    since = day(hit.valid_from)
    return "" if since >= day(said_at(hit)) or states(hit.text, since, since) else f"since {since}"


def states(text: str, first: str, last: str) -> bool:
    """Whether a text has the date of an event that lies between two days (ISO): the year, the month, the day, as far as both
    agree, in figures or by its English name."""
    words = set(_WORD.findall(text.casefold()))
    for place, (one, other) in enumerate(zip(first.split("-"), last.split("-"), strict=True)):
        if one != other:
            return place > 0
        if words.isdisjoint(_spelt(place, int(one))):
            return False
    return True


def _spelt(place: int, number: int) -> set[str]:
    """How a year (place 0), month (1) or day (2) is written."""
    figures = {str(number), f"{number:02}"}
    if place == 2:
        return figures | {f"{number}{ending}" for ending in ("st", "nd", "rd", "th")}
    return figures | {_MONTHS[number - 1], _MONTHS[number - 1][:3]} if place == 1 else figures


def ended(hit: Hit) -> str:
    """until 2026-11-24, "" where it has not ended."""
    until = hit.until or hit.valid_to
    return f"until {day(until)}" if until else ""


def told_by(hit: Hit) -> str:
    """Whose word it is; "" where it is the user's, or that of somebody with a name. What users say is theirs, but for claims."""
    if hit.kind == "turn":
        return _TOLD_BY[SourceClass.CLAIM] if hit.source is SourceClass.CLAIM else ""
    if hit.source is SourceClass.USER:
        return ""
    named = any(one.role is Role.ASSISTANT and one.speaker != "The assistant" for one in hit.sources)
    return "" if named and hit.source is SourceClass.ASSISTANT else _TOLD_BY[hit.source]


def day(time: datetime) -> str:
    """2026-11-24"""
    return time.date().isoformat()
