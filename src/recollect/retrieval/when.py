"""What a query says of time, read by code against its `now`: windows, events to count from, and an order.

"in May", "last week", "between 11 and 15 August 2023" are windows; "two weeks before her birthday" counts from an event that the
memories must tell of; "first" and "most recent" are orders. All of it is a preference of search, never a filter: what was read
wrongly costs a place, not a memory. Dates are read by `dates`, as in statements. English.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..dates import MONTHS, NUMBERS, WEEKDAYS, find_dates
from ..model import EventTime, Precision
from ..times import from_micros, to_micros
from ..view.intervals import BEGINNING, OPEN, Window

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..view.intervals import Integers, Mask, Served
    from ..view.partition import Partition

Order: TypeAlias = Literal["first", "last"]
Relation: TypeAlias = Literal["before", "after", "since", "until", "during"]

DAY = 86_400_000_000  # microseconds
NEAR_BY = 90 * DAY  # from the edge of an open window: what lies so far off counts half of what it would count beside it
PARTLY = 0.3  # what only touches the window counts at least this much, what lies beside it at most
EITHER_SIDE = 3 * DAY  # how far beside, at least
LONGEST, LONGEST_ANCHOR = 1_000, 120  # characters that are read of a query, and of the words of an event
MOST = 8  # times of a kind that are read


class Offset(NamedTuple):
    """How far from an event: "two weeks". `number` 0: the one beside it, as in "the week before"."""

    number: int
    unit: str  # day, week, weekend, month, year, or a weekday


@dataclass(frozen=True, slots=True)
class Anchor:
    """An event that a time is counted from, in the query's words: "two weeks before her birthday"."""

    relation: Relation
    words: str
    offset: Offset | None = None

    def window(self, event: Window) -> Window:
        """The time that is meant, once it is known when the event was."""
        return related(self.relation, self.offset, event)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a query says of time; false where it says nothing."""

    windows: tuple[Window, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    order: Order | None = None

    def __bool__(self) -> bool:
        return bool(self.windows or self.anchors or self.order)


NOTHING = Reading()


def read(query: str, now: datetime) -> Reading:
    """What a query says of time, asked at `now`, whose own offset from UTC makes the calendar. Never raises."""
    if not _HINT.search(query):
        return NOTHING
    text = _MONTH_NAME.sub(_as_name, query[:LONGEST])
    ahead = bool(_AHEAD.search(text)) and not _PAST.search(text)
    clock = _Clock(now.replace(tzinfo=UTC), ahead)
    windows: list[Window] = []
    anchors: list[Anchor] = []
    for readers in (_ranges, _parts, _seasons, _relations, _plain):
        for found in readers(text, clock):
            text = text[: found.start] + ";" * (found.end - found.start) + text[found.end :]
            if isinstance(found.meant, Anchor):
                anchors.append(found.meant)
            elif found.meant is not None:
                windows.append(found.meant)
    order = _order(_VAGUE.sub("", text) if windows else text)  # "recently, in May": the window says it
    return Reading(tuple(dict.fromkeys(windows)), tuple(dict.fromkeys(anchors)), order)


class _Found(NamedTuple):
    """Words of the query and what they mean; None: nothing that helps."""

    start: int
    end: int
    meant: Window | Anchor | None


# --- dates -------------------------------------------------------------------------------------------------------------

_MONTHS = "|".join(f"{month}|{month[:3]}" for month in MONTHS) + "|Sept"
_HINT = re.compile(  # one of these stands in whatever is read: most queries are done with here
    rf"\d|\b(?:{_MONTHS}|{'|'.join(WEEKDAYS)}|mon|tues?|wed|thurs?|fri|sat|sun|first|last|latest|earliest|newest|recent|recently"
    r"|lately|today|tonight|yesterday|tomorrow|this|next|past|previous|coming|ago|back|now|while|other|spring|summer|fall|autumn"
    r"|winter|christmas|xmas|new\s+year|valentine|halloween|before|after|since|until|till|during|by|prior|following)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    rf"(?:\w+\s+){{0,3}}?(?:\d|(?:{_MONTHS}|{'|'.join(WEEKDAYS)}|today|tonight|yesterday|tomorrow|last|this|next|past|previous|coming"
    r"|ago|back|now|other|spring|summer|fall|autumn|winter|christmas|xmas|new\s+year|valentine|halloween)\b)",
    re.IGNORECASE,
)
_MONTH_NAME = re.compile(rf"\b(?:{'|'.join(MONTHS).casefold()})\b")
_ALSO_VERBS = ("march", "may")  # whether a month is meant, their neighbours tell
_BEFORE_MONTH = re.compile(
    r"(?:\b(?:in|since|until|till|during|before|after|early|mid|late|last|next|from|between)|\d(?:st|nd|rd|th)?(?:\s+of)?)\s+$"
)
_AFTER_MONTH = re.compile(r",?\s+(?:of\s+)?(?:(?:1[89]|20)\d\d\b|\d{1,2}(?:st|nd|rd|th)\b)")
_NO_MONTH = re.compile(r"\s+(?:not|have|be|well|i|you|he|she|we|they)\b")


def _as_name(match: re.Match[str]) -> str:
    """A month with a capital, for `dates` takes "may" and "march" for what they mostly are; and queries are typed in haste."""
    if match[0] in _ALSO_VERBS:
        before, after = match.string[max(0, match.start() - 10) : match.start()], match.string[match.end() :][:12]
        if not _AFTER_MONTH.match(after) and (not _BEFORE_MONTH.search(before) or _NO_MONTH.match(after)):
            return match[0]
    return match[0].capitalize()


_AHEAD = re.compile(
    r"\b(?:will|won't|going to|gonna|shall|upcoming|plan(?:s|ned|ning)?|scheduled|due|appointments?)\b|['’]ll\b",
    re.IGNORECASE,
)
_PAST = re.compile(r"\b(?:did|was|were|had|has|have|been|happened|went)\b", re.IGNORECASE)


class _Clock(NamedTuple):
    """When it is asked, and whether it is asked of the future."""

    now: datetime
    ahead: bool

    def point(self, words: str) -> EventTime | None:
        """The time that the words name, if all of them do."""
        for preposition in ("on ", "in "):
            said = preposition + words
            for one in find_dates(said, self.now, ahead=self.ahead):
                if one.start <= len(preposition) and one.end == len(said):
                    return _part(one.text, one.event)
        return None

    def longest(self, text: str, start: int) -> tuple[int, EventTime] | None:
        """The longest time that the words from a place on name, and where it ends."""
        if not _DATED.match(text, start):
            return None
        ends = [start + match.end() for match in _NEXT_WORD.finditer(text[start : start + 60])][:_MOST_WORDS]
        for end in reversed(ends):
            event = self.point(text[start:end])
            if event is not None and not _is_name(text, end, event):
                return end, event
        return None


_MOST_WORDS = 6
_YEAR = re.compile(r"\b\d{4}\b")
_NEXT_WORD = re.compile(r"[\w/'’-]+(?=[^\w/'’-]|$)")
_CAPITAL = re.compile(r"(?:['’]s)?\s+[A-Z][a-z]+|['’]s\b")


def _is_name(text: str, end: int, event: EventTime) -> bool:
    """Whether a month or a weekday is part of a name: "by June Carter", "the Sunday Times", "after May's party"."""
    word = re.split(r"\W", text[:end])[-1].capitalize()
    if word not in (*MONTHS, *WEEKDAYS) or event.precision not in (Precision.DAY, Precision.MONTH):
        return False
    return bool(_CAPITAL.match(text, end)) and text[end:].split()[0].capitalize() not in MONTHS


_PARTS = {
    "early": (0.0, 0.4), "beginning": (0.0, 0.4), "start": (0.0, 0.4), "mid": (0.3, 0.7), "middle": (0.3, 0.7),
    "late": (0.6, 1.0), "end": (0.7, 1.0),
}  # fmt: skip


def _part(words: str, event: EventTime) -> EventTime:
    """ "early May": not all of it."""
    known = next((part for word in re.findall(r"[a-z]+", words.casefold()) if (part := _PARTS.get(word))), None)
    if known is None or event.precision not in (Precision.MONTH, Precision.YEAR, Precision.SEASON):
        return event
    length = event.end - event.start
    start, end = event.start + length * known[0], event.start + length * known[1]
    return EventTime(start, end, Precision.RANGE)


def _window_of(event: EventTime) -> Window:
    return Window(to_micros(event.start), to_micros(event.end))


_RANGE = re.compile(
    r"\b(?:between|from)\s+(?:the\s+)?(?P<one>[^.?!;]{1,30}?)\s*(?:\band|\bto|\buntil|\btill|\bthrough|-|–)\s+",
    re.IGNORECASE,
)


def _ranges(text: str, clock: _Clock) -> Iterator[_Found]:
    """ "between 11 and 15 August 2023", "from May to July"."""
    for match in islice(_RANGE.finditer(text), MOST):
        found = clock.longest(text, match.end())
        if found is None:
            continue
        end, last = found
        first = _beginning(match["one"], last, clock)
        if first is None:
            continue
        if last.end < first.start:  # "from November 2022 to February"
            again = _Clock(first.start, ahead=True).point(text[match.end() : end])
            last = again or last
        yield _Found(match.start(), end, Window(*sorted((to_micros(first.start), to_micros(last.end)))))


def _beginning(words: str, last: EventTime, clock: _Clock) -> EventTime | None:
    """The first of two times: a bare number is a day of the other's month, and what has no year is before the other."""
    if number := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)?", words):
        try:
            start = last.start.replace(day=int(number[1]))
        except ValueError:
            return None
        return EventTime(start, start, Precision.DAY)
    return (clock if _YEAR.search(words) else _Clock(last.end, ahead=False)).point(words)


_ORDINALS = {
    "first": 1,
    "1st": 1,
    "second": 2,
    "2nd": 2,
    "third": 3,
    "3rd": 3,
    "fourth": 4,
    "4th": 4,
    "last": -1,
    "final": -1,
}
_PART = re.compile(
    rf"\b(?:(?P<nth>{'|'.join(_ORDINALS)})\s+(?P<unit>week|weekend|half)|(?P<part>start|beginning|middle|end|early|mid|late))"
    r"\s+(?:(?:of|in)\s+)?(?:the\s+)?",
    re.IGNORECASE,
)  # fmt: skip


def _parts(text: str, clock: _Clock) -> Iterator[_Found]:
    """ "the second week of November", "the end of last year"."""
    for match in islice(_PART.finditer(text), MOST):
        found = clock.longest(text, match.end())
        if found is None:
            continue
        end, event = found
        meant = _part(match["part"], event) if match["part"] else _nth(match["nth"], match["unit"], event)
        if meant is not None:
            yield _Found(match.start(), end, _window_of(meant))


def _nth(ordinal: str, unit: str, event: EventTime) -> EventTime | None:
    """A week or a half of a month or a year."""
    number, length = _ORDINALS[ordinal.casefold()], event.end - event.start
    step = length / 2 if unit.casefold() == "half" else timedelta(days=7)
    if step > length * 0.6:
        return None
    start = event.end - step if number < 0 else event.start + (number - 1) * step
    return EventTime(start, start + step, Precision.RANGE)


_SEASON = re.compile(
    r"\b(?:in|during|over|throughout)\s+(?:the\s+)?(?P<season>spring|summer|fall|autumn|winter)\b(?!\s+(?:of\s+)?\d)",
    re.IGNORECASE,
)


def _seasons(text: str, clock: _Clock) -> Iterator[_Found]:
    """ "during the summer": the last one that has begun; of the future the next."""
    for match in _SEASON.finditer(text):
        event = clock.point(f"this {match['season']}")
        if event is not None and clock.ahead == (event.start <= clock.now):
            event = clock.point(f"{'next' if clock.ahead else 'last'} {match['season']}")
        if event is not None:
            yield _Found(match.start(), match.end(), _window_of(event))


# --- before and after --------------------------------------------------------------------------------------------------

_N = "|".join(sorted((re.escape(word) for word in NUMBERS if word), key=len, reverse=True))
_RELATIONS: dict[str, Relation] = {
    "before": "before", "prior to": "before", "after": "after", "following": "after", "since": "since", "until": "until",
    "till": "until", "by": "until", "up to": "until", "from": "since", "during": "during", "throughout": "during",
    "within": "during",
}  # fmt: skip
_RELATION = re.compile(
    rf"\b(?:(?:(?P<the>the|last)\s+|(?P<n>\d{{1,3}}|{_N}|(?:a\s+)?few|several)\s+)"
    rf"(?P<unit>days?|nights?|weekends?|weeks?|months?|years?|(?:{'|'.join(WEEKDAYS)})s?)\s+)?"
    r"(?:right\s+|just\s+|shortly\s+|soon\s+)?\b(?P<how>before|after|prior\s+to|since|until|till|by|up\s+to|from|during|throughout|within"
    r"|following(?=\s+(?:the|my|her|his|their|our)\b))\s+(?!(?:in|on|at)\b)(?=\S)",
    re.IGNORECASE,
)  # fmt: skip
_FEW = 3
_CLAUSE = re.compile(rf"[^?!;,.]{{2,{LONGEST_ANCHOR}}}")
_OF_EVENTS = frozenset(
    {"before", "after", "prior to", "following", "since", "until", "till", "during"}
)  # others take dates alone
# What looks like an event and is none: "named after", "after all", "after how many weeks".
_NO_EVENT_BEFORE = re.compile(
    r"\b(?:look(?:s|ed|ing)?|nam(?:e|es|ed|ing)|call(?:s|ed)?|tak(?:e|es|en|ing)|took|ask(?:s|ed|ing)?|go(?:es)?|runs?|ever|day|night|week"
    r"|month|year|one|time)\s+$",
    re.IGNORECASE,
)
_NO_EVENT = re.compile(
    r"(?:all|long|date|next|last|that|this|then|now|when|how|what|which|who|whom|whose|where|noon|lunch|dinner|breakfast|school|work|hours|midnight|dark"
    r"|bed(?:time)?|sleep(?:ing)?)\b\W*(?:many|much|and|or|but|on|did|do|does|is|was|$)|(?:all|how|what|when|which|who|whom|whose|where)\b",
    re.IGNORECASE,
)


def _relations(text: str, clock: _Clock) -> Iterator[_Found]:
    """ "since 2022", "the week before 16 November", "before she moved"."""
    for match in islice(_RELATION.finditer(text), MOST):
        how = _RELATIONS[" ".join(match["how"].casefold().split())]
        offset = _offset(match)
        start = match.end() + len(re.match(r"(?:the\s+)?(?:year\s+)?", text[match.end() :], re.IGNORECASE)[0])  # type: ignore[index]
        if (found := clock.longest(text, start) or clock.longest(text, match.end())) is not None:
            end, event = found
            window = _upto(related(how, offset, _window_of(event)), how, clock)
            yield _Found(match.start(), end, window)
        elif (anchor := _anchor(text, match, how, offset)) is not None:
            yield _Found(match.start(), match.end(), anchor)


def _upto(window: Window, how: Relation, clock: _Clock) -> Window | None:
    """ "since May" is to the end of today: the same all day long. "by today" is ever."""
    now = to_micros(clock.now)
    if how == "until" and window.until >= now and not clock.ahead:
        return None
    return Window(window.since, _midnight(now) + DAY - 1) if how == "since" and window.since <= now else window


def _offset(match: re.Match[str]) -> Offset | None:
    if match["unit"] is None:
        return None
    unit = match["unit"].casefold().removesuffix("s").replace("night", "day")
    if match["the"]:
        return Offset(0, unit)
    said = " ".join(match["n"].casefold().split())
    return Offset(int(said) if said.isdigit() else NUMBERS.get(said, _FEW), unit)


def _anchor(text: str, match: re.Match[str], how: Relation, offset: Offset | None) -> Anchor | None:
    if match["how"].casefold() not in _OF_EVENTS:
        return None
    if offset is None and _NO_EVENT_BEFORE.search(text[max(0, match.start("how") - 24) : match.start("how")]):
        return None
    clause = _CLAUSE.match(text, match.end())
    if clause is None or _NO_EVENT.match(clause[0]):
        return None
    return Anchor(how, clause[0].strip(), offset)


def related(relation: Relation, offset: Offset | None, event: Window) -> Window:
    """The time before, after, since, until or during an event; so far from it, where that is said."""
    if relation == "during":
        return event
    if relation == "since":
        return Window(event.since, OPEN)
    if relation == "until":
        return Window(BEGINNING, event.until)
    sign, edge = (-1, event.since) if relation == "before" else (1, event.until)
    if offset is None:
        return Window(BEGINNING, edge - 1) if sign < 0 else Window(edge + 1, OPEN)
    if offset.unit.capitalize() in WEEKDAYS:
        return _weekday(offset, edge, sign)
    if offset.unit == "weekend":
        return _weekend(offset, edge, sign)
    unit = {"day": 1, "week": 7, "month": 30, "year": 365}[offset.unit] * DAY
    if offset.number == 0:
        return Window(edge - unit, edge - 1) if sign < 0 else Window(edge + 1, edge + unit)
    center, slack = edge + sign * offset.number * unit, unit // 2
    if offset.unit == "day":
        return Window(_midnight(center), _midnight(center) + DAY - 1)
    return Window(center - slack, center + slack)


def _weekday(offset: Offset, edge: int, sign: int) -> Window:
    """The Sunday before, two Sundays after."""
    day = _midnight(edge)
    steps = (sign * (WEEKDAYS.index(offset.unit.capitalize()) - from_micros(day).weekday())) % 7 or 7
    start = day + sign * (steps + 7 * max(0, offset.number - 1)) * DAY
    return Window(start, start + DAY - 1)


def _weekend(offset: Offset, edge: int, sign: int) -> Window:
    saturday = _weekday(Offset(offset.number, "saturday"), edge, sign)
    if sign < 0 and saturday.since + 2 * DAY > _midnight(edge):  # the event is on that Sunday
        saturday = Window(saturday.since - 7 * DAY, saturday.until - 7 * DAY)
    return Window(saturday.since, saturday.since + 2 * DAY - 1)


def _midnight(moment: int) -> int:
    return moment - moment % DAY


# --- what is said without a preposition, and orders ---------------------------------------------------------------------

_VAGUE = re.compile(r"\b(?:recently|lately|not\s+long\s+ago)\b", re.IGNORECASE)


def _plain(text: str, clock: _Clock) -> Iterator[_Found]:
    """What `dates` reads by itself: "in May", "last week". Beside a day with its year the rest is counted from there: "what did I
    say last Friday, as mentioned on 6 November 2023"."""
    mentions = find_dates(text, clock.now, ahead=clock.ahead)
    stated = next((one for one in mentions if one.event.precision is Precision.DAY and _YEAR.search(one.text)), None)
    if stated is not None and len(mentions) > 1:
        mentions = find_dates(text, stated.event.start, ahead=False)
    for one in mentions:
        if _is_name(text, one.end, one.event) or _VAGUE.search(one.text):  # what is recent depends on how much there is
            continue
        yield _Found(one.start, one.end, _window_of(_part(one.text, one.event)))


_FIRST = re.compile(
    r"\b(?:earliest|(?<!at )first(?!\s+(?:names?|aid|class|floors?|lad(?:y|ies)|persons?|hand|language|grade|half"
    r"|degree|cousins?|step|thing|place|responders?|chair|of\s+all)\b))\b",
    re.IGNORECASE,
)
_LAST = re.compile(
    r"\b(?:latest|newest|most\s+recent(?:ly)?|recently|lately|(?:the|my|his|her|their|our|user['’]s|[A-Za-z]+['’]s?)\s+last"
    r"(?!\s+(?:names?|words?|straw|minute|resort|(?:one|two|three|four|five|few|couple|\d+)\b|but|of\s+(?:all|the))\b)|last\s+(?:time|saw|met|spoke|visited|heard|went|did))\b",
    re.IGNORECASE,
)


def _order(text: str) -> Order | None:
    """Whether the first or the last of its kind is asked for; nothing where both are."""
    first, last = _FIRST.search(text), _LAST.search(text)
    if (first is None) == (last is None):
        return None
    return "first" if first else "last"


# --- the channel -------------------------------------------------------------------------------------------------------

COVERED = 0.6  # of an anchor's words, by weight, that a memory must hold to be the event that is meant
ANCHORS = 20  # memories that may be it
ANCHORED = 0.6  # a window counted from it counts this much of one that the query names: it may be another event
BY_SAYING = 0.6  # what is known only by when it was said counts this much of what tells an event
LEADING = 20  # of what was found, that an order looks at


def fitting(
    reading: Reading,
    partition: Partition,
    served: Served,
    terms: Mapping[str, int],
    shown: Mask,
    found: Integers,
    further: int,
) -> tuple[Integers, NDArray[np.float64]]:
    """The channel: keys, and how well their times fit what was read, 0..1; best first, ties by smaller key. Of what is `shown`,
    that which was `found` by others as far as it fits, and of the rest the `further` best. `terms`: the query's."""
    import numpy as np

    windows = [(window, 1.0) for window in reading.windows]
    windows += [(window, ANCHORED) for window in _resolved(reading.anchors, partition, served, terms)]
    if not windows:
        return found[:0], np.empty(0)
    start, end, told = partition.spans(served)
    fits = np.max([weight * _selective(closeness(start, end, window), shown) for window, weight in windows], axis=0)
    fits *= np.where(told, 1.0, BY_SAYING) * shown
    rest = fits.copy()
    rest[found] = 0.0
    best = np.argsort(-rest, kind="stable")[:further]
    keys = np.concatenate([found, best[rest[best] > 0]])
    keys = keys[np.lexsort((keys, -fits[keys]))]
    fit = fits[keys] > 0
    return keys[fit], fits[keys[fit]]


def _selective(fits: NDArray[np.float64], found: Mask) -> NDArray[np.float64]:
    """A window that holds everything tells nothing: it counts by how much it leaves out."""
    return fits * (1.0 - float((fits[found] > PARTLY).mean()) if found.any() else 0.0)


def _resolved(
    anchors: Sequence[Anchor], partition: Partition, served: Served, terms: Mapping[str, int]
) -> Iterator[Window]:
    """The windows of anchors whose event a memory tells: that which holds most of their words, then of the query's."""
    start, end, told = partition.spans(served) if anchors else ((), (), ())
    for anchor in anchors:
        known = [one for one in partition.holding(anchor.words, ANCHORS, served.row_mask) if told[one[0]]]
        if not known or max(share for _, share in known) < COVERED:
            continue
        most = max(share for _, share in known)
        keys = [key for key, share in known if share > most - 1e-9]
        about = partition.relevance(None, terms, keys)
        best = max(range(len(keys)), key=lambda place: (about[place][1], -place))
        yield anchor.window(Window(int(start[keys[best]]), int(end[keys[best]])))


# --- how well a time fits ----------------------------------------------------------------------------------------------


def closeness(start: Integers, end: Integers, window: Window) -> NDArray[np.float64]:
    """How well intervals fit a window, 0..1: 1 inside it, `PARTLY` to 1 by how much of them is; what lies beside it counts at
    most `PARTLY` and falls to 0 within the window's own length, or `EITHER_SIDE`. In a window that is open at one end, by how
    near they are to the other."""
    import numpy as np

    since, until = float(window.since), float(window.until)
    first, last = start.astype(np.float64), end.astype(np.float64)
    length = np.maximum(last - first, 1.0)
    overlap = np.clip(np.minimum(last, until) - np.maximum(first, since) + 1.0, 0.0, None)
    share = np.minimum(overlap / length, 1.0)
    inside = np.where(overlap > 0, PARTLY + (1 - PARTLY) * share, 0.0)
    gap = np.maximum(np.maximum(since - last, first - until), 0.0)
    closed = window.since != BEGINNING and window.until != OPEN
    width = max(until - since, float(EITHER_SIDE)) if closed else float(EITHER_SIDE)
    beside = PARTLY * np.clip(1.0 - gap / width, 0.0, 1.0)
    if not closed:
        far = np.maximum(until - last, 0.0) if window.since == BEGINNING else np.maximum(first - since, 0.0)
        inside = inside * (0.5 + 0.5 / (1.0 + far / NEAR_BY))
    found: NDArray[np.float64] = np.where(overlap > 0, inside, beside)
    return found
