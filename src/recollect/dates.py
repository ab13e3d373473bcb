"""English date expressions, relative and absolute, against the moment they were said.

`find_dates("I ran last Saturday", anchor)` tells which words speak of which time, and the words to put in their place:
"on 20 May 2023". Weeks begin on Monday, seasons are those of the northern hemisphere. What is ambiguous (3/4/2023) or too
vague ("once", "some day") is left alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias

from .model import EventTime, Precision

MICRO = timedelta(microseconds=1)
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FEASTS = {
    "christmas eve": (12, 24), "christmas": (12, 25), "xmas": (12, 25), "new year's eve": (12, 31),
    "new year's day": (1, 1), "new year's": (1, 1), "valentine's day": (2, 14), "halloween": (10, 31),
}  # fmt: skip
SEASONS = {"spring": 3, "summer": 6, "fall": 9, "autumn": 9, "winter": 12}
NUMBERS = {
    word: value
    for value, words in enumerate(
        ("", "a an one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
    for word in words.split()
} | {"couple": 2, "a couple": 2, "a couple of": 2, "couple of": 2, "fifteen": 15, "twenty": 20, "thirty": 30}


@dataclass(frozen=True, slots=True)
class DateMention:
    """Words that speak of a time. `replacement` says it without "yesterday"; `since`: it begins something lasting."""

    start: int
    end: int
    text: str
    replacement: str
    event: EventTime
    since: bool = False

    @property
    def span(self) -> tuple[int, int]:
        return (self.start, self.end)


@dataclass(frozen=True, slots=True)
class Told:
    """A time and how to say it: "on" + "7 May 2023"."""

    event: EventTime
    preposition: str
    words: str
    since: bool = False


@dataclass(frozen=True, slots=True)
class _Context:
    anchor: datetime
    ahead: bool  # the sentence speaks of the future
    lasting: bool  # the sentence is in the present perfect: "I have lived …"
    ongoing: bool = False  # … continuous: "I have been living …"

    @property
    def today(self) -> datetime:
        return self.anchor.replace(hour=0, minute=0, second=0, microsecond=0)


_Handler: TypeAlias = Callable[[re.Match[str], _Context], "Told | None"]


def day(moment: datetime) -> EventTime:
    """The day of a moment."""
    start = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return EventTime(start, start + timedelta(days=1) - MICRO, Precision.DAY)


def day_words(moment: datetime) -> str:
    """As in "7 May 2023"."""
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}"


def _add_months(start: datetime, months: int) -> datetime:
    index = start.year * 12 + start.month - 1 + months
    return start.replace(year=index // 12, month=index % 12 + 1, day=1)


def _a_day(moment: datetime) -> Told:
    return Told(day(moment), "on", day_words(moment))


def _a_week(moment: datetime) -> Told:
    start = moment - timedelta(days=moment.weekday())
    event = EventTime(start, start + timedelta(days=7) - MICRO, Precision.WEEK)
    return Told(event, "in", f"the week of {day_words(start)}")


def _a_weekend(moment: datetime) -> Told:
    start = moment - timedelta(days=moment.weekday()) + timedelta(days=5)
    event = EventTime(start, start + timedelta(days=2) - MICRO, Precision.RANGE)
    return Told(event, "on", f"the weekend of {day_words(start)}")


def _a_month(moment: datetime, part: str = "") -> Told:
    start = moment.replace(day=1)
    event = EventTime(start, _add_months(start, 1) - MICRO, Precision.MONTH)
    return Told(event, "in", f"{part}{MONTHS[start.month - 1]} {start.year}")


def _a_season(name: str, year: int, zone: datetime) -> Told:
    start = zone.replace(year=year, month=SEASONS[name], day=1)
    event = EventTime(start, _add_months(start, 3) - MICRO, Precision.SEASON)
    return Told(event, "in", f"{name} {year}")


def _a_year(moment: datetime, part: str = "") -> Told:
    start = moment.replace(month=1, day=1)
    return Told(EventTime(start, _add_months(start, 12) - MICRO, Precision.YEAR), "in", f"{part}{start.year}")


def _around(first: datetime, last: datetime, words: str) -> Told:
    return Told(EventTime(first, last + timedelta(days=1) - MICRO, Precision.RANGE), "", words)


# --- relative ----------------------------------------------------------------------------------------------------------

_DAYS_OFF = {
    "today": 0, "tonight": 0, "this morning": 0, "this afternoon": 0, "this evening": 0, "earlier today": 0,
    "later today": 0, "yesterday": -1, "last night": -1, "last evening": -1, "tomorrow": 1,
    "the day before yesterday": -2, "the day after tomorrow": 2,
}  # fmt: skip
_WHICH = {"last": -1, "past": -1, "previous": -1, "this": 0, "next": 1, "coming": 1, "this coming": 1, "this past": -1}


def _squeeze(text: str) -> str:
    return " ".join(text.casefold().split())


def _named_day(match: re.Match[str], context: _Context) -> Told:
    words = re.sub(r" (morning|afternoon|evening|night)$", "", _squeeze(match["named"]))
    offset = _DAYS_OFF.get(_squeeze(match["named"]), _DAYS_OFF.get(words, 0))
    return _a_day(context.today + timedelta(days=offset))


def _which_unit(match: re.Match[str], context: _Context) -> Told | None:
    step, unit, today = _WHICH[_squeeze(match["which"])], match["unit"].casefold(), context.today
    if unit == "week":
        return _a_week(today + timedelta(days=7 * step))
    if unit == "weekend":
        if step < 0 and today.weekday() == 6 and "past" in match["which"].casefold():
            step = 0
        return _a_weekend(today + timedelta(days=7 * step))
    if unit == "month":
        return _a_month(_add_months(today, step))
    return _a_year(_add_months(today, 12 * step))


def _which_season(match: re.Match[str], context: _Context) -> Told:
    step, name, today = _WHICH[_squeeze(match["which"])], match["season"].casefold(), context.today
    started = today.month >= SEASONS[name]
    year = today.year
    if step < 0:
        over = _add_months(today.replace(month=SEASONS[name], day=1), 3) <= today
        year -= 0 if started and over else 1
    elif step > 0:
        year += 1 if started else 0
    elif name == "winter" and today.month < 3:
        year -= 1
    return _a_season(name, year, today)


def _which_weekday(match: re.Match[str], context: _Context) -> Told:
    which = _squeeze(match["which"] or "")
    behind = (context.today.weekday() - _weekday(match["weekday"])) % 7
    before = context.today - timedelta(days=behind or 7)
    after = context.today + timedelta(days=(7 - behind) if behind else 7)
    step = _WHICH.get(which, 0)
    if step == 0:
        step = 1 if context.ahead else -1
        if behind == 0:
            return _a_day(context.today)
    return _a_day(after if step > 0 else before)


def _weekday(name: str) -> int:
    return next(i for i, full in enumerate(WEEKDAYS) if full[:3] == name.capitalize()[:3])


def _month(name: str) -> int:
    return next(i for i, full in enumerate(MONTHS, start=1) if full[:3] == name.capitalize()[:3])


def _week_and_day(match: re.Match[str], context: _Context) -> Told:
    """Next week on Tuesday, Monday of last week."""
    monday = (
        context.today - timedelta(days=context.today.weekday()) + timedelta(days=7 * _WHICH[_squeeze(match["which"])])
    )
    return _a_day(monday + timedelta(days=_weekday(match["weekday"])))


def _weekdays_ago(match: re.Match[str], context: _Context) -> Told | None:
    number = _count(match["n"])
    if number is None:
        return None
    behind = (context.today.weekday() - _weekday(match["weekday"])) % 7 or 7
    return _a_day(context.today - timedelta(days=behind + 7 * (number - 1)))


def _week_before_last(match: re.Match[str], context: _Context) -> Told:
    step = -2 if match["turn"] else 2
    return _step(match["unit"].casefold(), step, context)


def _feast(match: re.Match[str], context: _Context) -> Told:
    month, number = FEASTS[_squeeze(match["feast"]).replace("’", "'")]
    step = _WHICH.get(_squeeze(match["which"] or ""), 1 if context.ahead else -1)
    days = [context.today.replace(year=context.today.year + k, month=month, day=number) for k in (-1, 0, 1)]
    if step > 0:
        return _a_day(next(one for one in days if one >= context.today))
    if step == 0:
        return _a_day(days[1])
    return _a_day(next(one for one in reversed(days) if one <= context.today))


def _over_past(match: re.Match[str], context: _Context) -> Told:
    """Over the past few months: a stretch that ends today."""
    unit, today = match["unit"].casefold(), context.today
    number = _count(match["n"] or "one")
    start = _back(today, unit, 6 if number is None else number)
    size = _squeeze(match["n"]) + " " if match["n"] else ""
    return _around(start, today, f"{_squeeze(match['over'])} the {size}{unit} before {day_words(today)}")


def _back(today: datetime, unit: str, number: int) -> datetime:
    """So many units before today, to the day where the calendar allows."""
    if unit.startswith(("day", "week")):
        return today - timedelta(days=number * (7 if unit.startswith("week") else 1))
    start = _add_months(today, -number * (1 if unit.startswith("month") else 12))
    return start + timedelta(days=min(today.day, 28) - 1)


def _count(text: str) -> int | None:
    text = _squeeze(text)
    return int(text) if text.isdigit() else NUMBERS.get(text)


def _some_ago(match: re.Match[str], context: _Context) -> Told | None:
    unit, ahead = match["unit"].casefold(), match["ago"] is None
    number = _count(match["n"])
    sign = 1 if ahead else -1
    if number is None:
        return None if ahead else _few_ago(unit, context)
    if unit.startswith("weekend"):
        return _a_weekend(context.today + timedelta(days=7 * sign * number))
    return _step(unit, sign * number, context)


def _step(unit: str, steps: int, context: _Context) -> Told:
    if unit.startswith("day"):
        return _a_day(context.today + timedelta(days=steps))
    if unit.startswith("week"):
        return _a_week(context.today + timedelta(days=7 * steps))
    if unit.startswith("month"):
        return _a_month(_add_months(context.today, steps))
    return _a_year(_add_months(context.today, 12 * steps))


def _few_ago(unit: str, context: _Context) -> Told:
    """A few … ago: three to six of them."""
    today = context.today
    if unit.startswith("day"):
        return _around(today - timedelta(days=6), today - timedelta(days=2), f"a few days before {day_words(today)}")
    if unit.startswith("week"):
        return _around(today - timedelta(days=42), today - timedelta(days=14), f"a few weeks before {day_words(today)}")
    if unit.startswith("month"):
        words = f"a few months before {MONTHS[today.month - 1]} {today.year}"
        return _around(_add_months(today, -6), today - timedelta(days=60), words)
    return _around(_add_months(today, -72), _add_months(today, -24), f"a few years before {today.year}")


def _lately(match: re.Match[str], context: _Context) -> Told:
    today = context.today
    if not context.ongoing:
        return shortly_before(today)
    return _around(today - timedelta(days=14), today, f"around {day_words(today)}")


def shortly_before(moment: datetime) -> Told:
    """What was done "just" or "recently", told at a moment: within the two weeks before it."""
    today = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return _around(today - timedelta(days=14), today, f"shortly before {day_words(today)}")


def _lasting(match: re.Match[str], context: _Context) -> Told | None:
    number = _count(match["n"])
    if number is None or not context.lasting:
        return None
    told = _step(match["unit"].casefold(), -number, context)
    return Told(told.event, "since", told.words, since=True)


# --- absolute ----------------------------------------------------------------------------------------------------------


def _full_date(match: re.Match[str], context: _Context) -> Told | None:
    month, number = _month(match["month"]), int(match["day"])
    if match["year"]:
        return _a_day(context.today.replace(year=int(match["year"]), month=month, day=number))
    candidates = [context.today.replace(year=context.today.year + k, month=month, day=number) for k in (-1, 0, 1)]
    return _a_day(_nearest(candidates, context))


def _nearest(candidates: list[datetime], context: _Context) -> datetime:
    """The next one in a sentence about the future, else the last one."""
    if context.ahead:
        return next(one for one in candidates if one >= context.today)
    return next(one for one in reversed(candidates) if one <= context.today)


def _iso(match: re.Match[str], context: _Context) -> Told:
    year, month, number = int(match["year"]), int(match["m"]), int(match["day"])
    return _a_day(context.today.replace(year=year, month=month, day=number))


def _slashed(match: re.Match[str], context: _Context) -> Told | None:
    one, two, year = int(match["one"]), int(match["two"]), int(match["year"])
    if one <= 12 and two <= 12 and one != two:
        return None
    month, number = (one, two) if one <= 12 else (two, one)
    return _a_day(context.today.replace(year=year, month=month, day=number))


def _month_of(match: re.Match[str], context: _Context) -> Told | None:
    month, part = _month(match["month"]), f"{_squeeze(match['part'])} " if match["part"] else ""
    if match["year"]:
        return _a_month(context.today.replace(year=int(match["year"]), month=month, day=1), part)
    this_month = context.today.replace(day=1)
    which = _WHICH.get(_squeeze(match["which"] or ""))
    offset = month - this_month.month
    if which == 1 or (which is None and context.ahead):
        years = 0 if offset > 0 or (which is None and offset == 0) else 1
    elif which == -1 or which is None:
        years = 0 if offset < 0 or (which is None and offset == 0) else -1
    else:
        years = 0
    return _a_month(this_month.replace(year=this_month.year + years, month=month), part)


def _season_of(match: re.Match[str], context: _Context) -> Told:
    return _a_season(match["season"].casefold(), int(match["year"]), context.today)


def _year_of(match: re.Match[str], context: _Context) -> Told | None:
    part = f"{_squeeze(match['part'])} " if match["part"] else ""
    return _a_year(context.today.replace(year=int(match["year"]), month=1, day=1), part)


# --- the table ---------------------------------------------------------------------------------------------------------


_MONTH = (
    r"(?P<month>January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?"
)
_WEEKDAY = r"(?P<weekday>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Mon|Tues?|Wed|Thurs?|Fri|Sat|Sun)\b"
_DIGIT = "(?P<digit>)"  # marks a row that has one
_YEAR = r"(?P<year>(?:1[89]|20)\d\d)\b"
_N = (
    r"(?P<n>\d{1,3}|an?\s+few|a\s+few|few|several|some|(?:a\s+)?couple(?:\s+of)?|an?|one|two|three|four|five|six|seven"
    r"|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty)"
)
_UNIT = r"(?P<unit>days?|weekends?|weeks?|months?|years?|yrs?)"
_WHICH_WORD = r"(?P<which>this\s+past|this\s+coming|last|past|previous|this|next|coming)"
_PART = r"(?P<part>early|mid|late|the\s+end\s+of|the\s+beginning\s+of)"
_SEASON = r"(?P<season>spring|summer|fall|autumn|winter)\b"
_FEAST = r"Christmas\s+Eve|Christmas|Xmas|New\s+Year['’]s(?:\s+(?:Eve|Day))?|Valentine['’]s\s+Day|Halloween"
_DAY_NAME = (
    r"the\s+day\s+before\s+yesterday|the\s+day\s+after\s+tomorrow|(?:earlier|later)\s+today"
    r"|(?:yesterday|tomorrow)\s+(?:morning|afternoon|evening|night)|yesterday|tomorrow|today|tonight"
    r"|this\s+(?:morning|afternoon|evening)|last\s+(?:night|evening)"
)

_TABLE: tuple[tuple[str, _Handler], ...] = (
    (rf"\b(?P<year>\d{{4}})-(?P<m>\d\d)-(?P<day>\d\d)\b{_DIGIT}", _iso),
    (rf"\b(?P<one>\d{{1,2}})/(?P<two>\d{{1,2}})/(?P<year>\d{{4}})\b{_DIGIT}", _slashed),
    (rf"\b(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?{_MONTH}{_DIGIT}(?:,?\s+{_YEAR})?", _full_date),
    (rf"\b{_MONTH}\s+(?:the\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b{_DIGIT}(?:,?\s+{_YEAR})?", _full_date),
    (rf"\b(?P<named>{_DAY_NAME})\b", _named_day),
    (rf"\b{_WHICH_WORD}\s+week\s+(?:on\s+)?{_WEEKDAY}", _week_and_day),
    (rf"\b(?:on\s+)?{_WEEKDAY}\s+(?:of\s+)?{_WHICH_WORD}\s+week\b", _week_and_day),
    (rf"\b{_N}\s+(?P<weekday>(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)s\s+ago\b", _weekdays_ago),
    (r"\bthe\s+(?P<unit>week|month|year)\s+(?:(?P<turn>before)\s+last|(?P<after>after)\s+next)\b", _week_before_last),
    (rf"\b(?:(?:on|at|for|by|since)\s+|{_WHICH_WORD}\s+)(?P<feast>{_FEAST})\b", _feast),

    (rf"\bfor\s+(?:about\s+|around\s+|almost\s+|over\s+|the\s+(?:last|past)\s+)?{_N}\s+{_UNIT}\b(?:\s+now\b)?",
     _lasting),
    (rf"\b(?P<over>over|in|during|for)\s+the\s+(?:last|past)\s+(?:{_N}\s+)?{_UNIT}\b", _over_past),
    (rf"\b(?:about\s+|around\s+|just\s+|like\s+)?{_N}\s+{_UNIT}\s+(?P<ago>ago|back)\b", _some_ago),
    (rf"\bin\s+(?:about\s+|around\s+|just\s+)?{_N}\s+{_UNIT}\b(?!['’])(?P<ago>(?!))?", _some_ago),
    (rf"\b{_N}\s+{_UNIT}\s+from\s+now\b(?P<ago>(?!))?", _some_ago),
    (r"\b(?P<lately>the\s+other\s+day|recently|not\s+long\s+ago|a\s+while\s+(?:ago|back))\b", _lately),
    (rf"\b(?:earlier\s+|later\s+)?(?:the\s+)?{_WHICH_WORD}\s+(?P<unit>weekend|week|month|year)\b",
     _which_unit),
    (rf"\b{_WHICH_WORD}\s+{_SEASON}", _which_season),
    (rf"\b(?:on\s+)?{_WHICH_WORD}\s+{_WEEKDAY}(?:\s+(?:morning|afternoon|evening|night)\b)?", _which_weekday),
    (rf"\b(?:on|by|until|till|since)\s+(?P<which>(?!))?{_WEEKDAY}(?:\s+(?:morning|afternoon|evening|night)\b)?",
     _which_weekday),
    (rf"\b(?:(?P<which>(?!)))?(?:{_PART}\s+)?{_MONTH},?\s+(?:of\s+)?{_YEAR}{_DIGIT}", _month_of),
    (rf"\b{_WHICH_WORD}(?P<part>(?!))?\s+{_MONTH}(?P<year>(?!))?", _month_of),
    (rf"\b(?:in|since|until|till|by|during)\s+(?P<which>(?!))?(?:{_PART}[\s-]+)?{_MONTH}(?P<year>(?!))?(?!\s+\d)",
     _month_of),
    (rf"\b(?:the\s+)?{_SEASON}\s+(?:of\s+)?{_YEAR}{_DIGIT}", _season_of),
    (rf"\b(?:in|since|until|till|by|during|back\s+in|of)\s+(?:{_PART}\s+)?{_YEAR}{_DIGIT}(?!\s*(?:people|km|dollars|\w+s\b))",
     _year_of),
)  # fmt: skip


class _Row(NamedTuple):
    """Of the table. `needs`: of these kinds of words (`_WORDS`) one each stands in whatever the pattern matches."""

    pattern: re.Pattern[str]
    handler: _Handler
    needs: frozenset[str]


_LETTERS = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"\d")


def _first_words(names: Iterable[str]) -> frozenset[str]:
    return frozenset(_LETTERS.findall(name.casefold())[0] for name in names)


_WORDS = {  # of which a group of the table has one; no row has such a group that may be left out
    "month": _first_words((*MONTHS, *(month[:3] for month in MONTHS), "Sept")),
    "weekday": _first_words(("Mon", "Tue", "Tues", "Wed", "Thu", "Thur", "Thurs", "Fri", "Sat", "Sun", *WEEKDAYS))
    | _first_words(f"{one}s" for one in WEEKDAYS),
    "season": _first_words(SEASONS),
    "feast": _first_words(FEASTS),
    "unit": _first_words(f"{unit}{s}" for unit in ("day", "weekend", "week", "month", "year", "yr") for s in ("", "s")),
    "named": frozenset(["yesterday", "tomorrow", "today", "tonight", "morning", "afternoon", "evening", "night"]),
    "lately": frozenset(("other", "recently", "long", "while")),
}


@functools.cache
def _table() -> tuple[_Row, ...]:
    """Compiled on first use: who only reads memories does not pay for it."""
    compiled = [(re.compile(pattern, re.IGNORECASE), handler) for pattern, handler in _TABLE]
    kinds = {*_WORDS, "digit"}
    return tuple(_Row(pattern, handler, frozenset(kinds & pattern.groupindex.keys())) for pattern, handler in compiled)


def _kinds(text: str) -> set[str]:
    """Of which kinds a text has a word."""
    words = frozenset(_LETTERS.findall(text.casefold()))
    kinds = {name for name, known in _WORDS.items() if not known.isdisjoint(words)}
    return kinds | {"digit"} if _NUMBER.search(text) else kinds


_AHEAD = re.compile(
    r"\b(?:will|won't|gonna|going to|plan(?:s|ning)?|shall|hope|hoping|upcoming|looking forward|can't wait|excited (?:for|about)"
    r"|scheduled|book(?:ed)? (?:a|for)|intend|(?:am|are|is) \w+ing|I'm \w+ing|we're \w+ing|coming up|deadline|due|until|by"
    r"|remind me|must|(?:need|needs|have|has|got) to|(?:have|has|got) (?:an?|the|my|our|his|her|their|another) (?:[\w'-]+ ){0,3}?"
    r"(?:appointment|exam|test|interview|meeting|flight|check-?up|presentation|booking|reservation|surgery|audition))\b"
    r"|['’](?:ll|m \w+ing|re \w+ing)\b",
    re.IGNORECASE,
)
_LASTING = re.compile(r"\b(?:have|has|been)\b|['’](?:ve|s been)\b", re.IGNORECASE)
_ONGOING = re.compile(r"\bbeen \w+ing\b", re.IGNORECASE)
_LEADING = re.compile(r"^(on|in|by|until|till|since|during|back\s+in|of|for)\s+", re.IGNORECASE)
_BEFORE = re.compile(
    r"\b(on|in|by|until|till|since|during|of|from|for|before|after|than|to)\s+(?:the\s+)?$", re.IGNORECASE
)
_AS_SUBJECT = re.compile(r"\s+(?:was|is|has|will|had|were)\b")
_MAX_MENTIONS = 2_000


def find_dates(text: str, anchor: datetime, *, ahead: bool | None = None) -> list[DateMention]:
    """The times that a text speaks of, in their order, without overlaps; earlier rows of the table go first. `ahead`: whether
    it speaks of the future; None: as its words tell."""
    kinds = _kinds(text)
    if not kinds:
        return []
    when = anchor if anchor.tzinfo else anchor.replace(tzinfo=UTC)
    future = bool(_AHEAD.search(text)) if ahead is None else ahead
    context = _Context(when, future, bool(_LASTING.search(text)), bool(_ONGOING.search(text)))
    found: list[DateMention] = []
    taken = bytearray(len(text))
    for pattern, handler, needs in _table():
        if not needs <= kinds:
            continue  # as most rows for most texts
        for match in pattern.finditer(text):
            if len(found) >= _MAX_MENTIONS:
                break
            if any(taken[match.start() : match.end()]):
                continue
            try:
                mention = _mention(text, match, handler, context)
            except (ValueError, OverflowError, StopIteration):  # no such day: its month is not meant alone either
                taken[match.start() : match.end()] = b"\x01" * (match.end() - match.start())
                continue
            if mention:
                taken[mention.start : mention.end] = b"\x01" * (mention.end - mention.start)
                found.append(mention)
    return sorted(found, key=lambda one: one.start)


def _mention(text: str, match: re.Match[str], handler: _Handler, context: _Context) -> DateMention | None:
    if match.groupdict().get("month", "").islower():
        return None  # "may", "march"
    told = handler(match, context)
    if told is None:
        return None
    start, end = match.span()
    before = _BEFORE.search(text[max(0, start - 16) : start])
    leading = _LEADING.match(match[0])
    said = leading[1].casefold() if leading else before[1].casefold() if before else None
    if before and not leading and said in ("on", "in", "during") and told.preposition:
        start -= len(before[0])
    replacement = _in_words(told, said, inside=leading is None and before is not None)
    if text[end : end + 2] in ("'s", "’s") or (not text[:start].strip() and _AS_SUBJECT.match(text, end)):
        replacement = told.words  # "last week's class", "Last week was hectic"
    since = told.since or said == "since"
    return DateMention(start, end, text[start:end], replacement, told.event, since)


def _in_words(told: Told, said: str | None, *, inside: bool) -> str:
    """With the preposition that fits: kept where it means something ("since", "until"), else the date's own."""
    if said in (None, "on", "in", "during", "back in") or not told.preposition or told.since:
        return f"{told.preposition} {told.words}".strip()
    return told.words if inside else f"{said} {told.words}"


def resolve(text: str, anchor: datetime, *, ahead: bool | None = None) -> tuple[str, tuple[DateMention, ...]]:
    """A text with its dates written out, and the dates. `ahead` as in `find_dates`."""
    mentions = find_dates(text, anchor, ahead=ahead)
    for mention in reversed(mentions):
        words = mention.replacement
        if mention.start == 0 and words:
            words = words[0].upper() + words[1:]
        text = text[: mention.start] + words + text[mention.end :]
    return text, tuple(mentions)
