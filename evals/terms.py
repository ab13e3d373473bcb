"""What an answer takes from a turn, and whether a memory still says it. English; no model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from .stems import stem

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n]\s*)\W*$")
_MONTH_NAMES = "january february march april may june july august september october november december"
_DAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday"
_NUMBER_NAMES = "zero one two three four five six seven eight nine ten eleven twelve"
_STOP_WORDS = """
a about after all also am an and any are as at be because been before being both but by can can't could did didn't do
does doesn't doing don't for from get gets getting go goes going got had has have having he her hers him his how i if
in into is isn't it it's its just like likely made make makes making more most much my no not of on or other our out
over really she since so some such take takes taking than that the their them then there these they this those to too
took up us very want wants wanted was we went were what when where which while who why will with work works worked
working would yes you your"""
MONTHS = _MONTH_NAMES.split()
_DAYS = frozenset(_DAY_NAMES.split())
NUMBERS = {word: str(n) for n, word in enumerate(_NUMBER_NAMES.split())}
STOP = frozenset(_STOP_WORDS.split())
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in MONTHS)
ISO_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s*({_MONTH})\.?,?\s+(\d{{4}})\b", re.IGNORECASE)
MONTH_FIRST = re.compile(rf"\b({_MONTH})\.?\s+(\d{{1,2}})(?:st|nd|rd|th)?,?\s+(\d{{4}})\b", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(?:before|after|week|weekend|since|until|between|around|about)\b|" + "|".join(_DAYS), re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Terms:
    """Lower-cased stems. `marks`: numbers, months, days of the week, names; each must be told. `words`: other content words,
    which a memory may put otherwise: half of all terms will do."""

    marks: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.marks or self.words)

    def missing(self, texts: Iterable[str]) -> tuple[str, ...]:
        """What the texts together lack; empty where they say enough: all marks, and with these at least half of the terms."""
        told = _stems(" \n".join(texts))
        marks, words = self.marks - told, self.words - told
        enough = not marks and 2 * len(words) <= len(self.marks) + len(self.words)
        return () if enough else tuple(sorted(marks | words))

    def in_part(self, text: str) -> bool:
        """Whether a text has any of them, or there are none."""
        return not self or not _stems(text).isdisjoint(self.marks | self.words)


def taken(question: str, answer: str, turn: str) -> Terms:
    """The terms of an answer that stand in a turn (its speaker's name before its text), without words that the question has
    already: those say what it is about."""
    told, known = _stems(turn), _stems(question)
    asked = terms(answer)
    return Terms(asked.marks & told, (asked.words & told) - known)


def terms(text: str) -> Terms:
    """Of a text. A capitalised word is a name, unless it starts a sentence."""
    text = _plain_dates(text)
    marks: set[str] = set()
    words: set[str] = set()
    for match in _WORD.finditer(text):
        word, root = match[0], _stem(match[0])
        starts = _SENTENCE_START.search(text[: match.start()]) is not None
        if root[0].isdigit() or (
            word[0].isupper() and (in_calendar(word) or (not starts and word.lower() not in STOP))
        ):
            marks.add(root)
        elif word.lower() not in STOP:
            words.add(root)
    return Terms(frozenset(marks), frozenset(words - marks))


def days(text: str) -> frozenset[date]:
    """The exact days that a text names: "7 May 2023", "May 7, 2023", "2023-05-07". Impossible ones are none."""
    found = [(int(y), int(m), int(d)) for y, m, d in ISO_DAY.findall(text)]
    found += [(int(y), month_number(m), int(d)) for d, m, y in DAY_FIRST.findall(text)]
    found += [(int(y), month_number(m), int(d)) for m, d, y in MONTH_FIRST.findall(text)]
    return frozenset(day for day in (_date(*one) for one in found) if day is not None)


def exact_day(text: str) -> date | None:
    """The one exact day that a text names as such; None where it names none, several, or one only to count from ("the week
    before 9 June 2023")."""
    found = days(text)
    return next(iter(found)) if len(found) == 1 and not _RELATIVE.search(text) else None


def words_of(text: str) -> list[str]:
    """A text's words, lower-cased, for finding one text in another."""
    return [word.lower() for word in _WORD.findall(text)]


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _WORD.findall(_plain_dates(text)))


def _plain_dates(text: str) -> str:
    return ISO_DAY.sub(lambda match: f"{int(match[3])} {_name(int(match[2]))} {match[1]}", text)


def _name(month: int) -> str:
    return MONTHS[month - 1].capitalize() if 1 <= month <= 12 else str(month)


def in_calendar(word: str) -> bool:
    """Whether a word names a month or a day of the week."""
    return word.lower() in _DAYS or word.lower() in MONTHS


def month_number(name: str) -> int:
    """1 to 12, of a month's English name or its first three letters."""
    return next(n for n, month in enumerate(MONTHS, start=1) if month.startswith(name.lower()[:3]))


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _stem(word: str) -> str:
    plain = word.lower().replace("’", "'").removesuffix("'s")
    if ordinal := _ORDINAL.fullmatch(plain):
        return ordinal[1]
    return NUMBERS.get(plain) or stem(plain, "english")
