"""Plain text with speakers: "Ann: I have a dog.", a message a paragraph or a line, with a time before it or without.

A line that begins with a name and a colon begins a message; any other goes on with the one before, and so does every indented
one. Three dashes or more begin a new session. A date on a line of its own dates what follows.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime

from .. import check
from ..errors import InvalidInput
from ..model import Message
from .parts import ROLES, USER, Place, Places, checked
from .source import Record, Source, decoded
from .values import FormatProblem, Found

_TIME = r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,6})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
# A name: a letter first, at most five words.
_NAME = r"[^\W\d_][\w.'’&-]{0,40}(?: [\w.'’&()-]{1,40}){0,4}"
_BEGINS = re.compile(rf"(?:\[?(?P<time>{_TIME})\]?,?(?: -)?\s+)?\**(?P<name>{_NAME})\**:\**(?:\s+(?P<text>.*))?$")
_DATED = re.compile(rf"(?:#+ )?\[?({_TIME})\]?")
_RULE = re.compile(r"[-=*_]{3,}")
_NOBODY = frozenset({"http", "https", "note", "ps", "p.s.", "re", "subject", "from", "to", "date"})
_LOOKED_AT = 30


def recognises(head: str) -> bool:
    """Most lines that are not indented begin with a speaker, the first of them does."""
    told = [line for line in head.split("\n")[:_LOOKED_AT] if line.strip() and not line[0].isspace()]
    told = [line.strip() for line in told if not _RULE.fullmatch(line.strip()) and not _DATED.fullmatch(line.strip())]
    begins = [_begins(line) is not None for line in told]
    return bool(begins) and begins[0] and 2 * sum(begins) >= len(begins)


def _begins(line: str) -> re.Match[str] | None:
    match = _BEGINS.match(line)
    return None if match is None or match["name"].casefold() in _NOBODY else match


def read(source: Source) -> Iterator[Found]:
    """One conversation; of a long one it is kept where its messages are, not what they say."""
    reader = _Reader(source)
    yield from reader.problems()
    yield from reader.places.conversations(source, reader.parse)


class _Reader:
    """One going through a file."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._session = 1
        self._dated = array("Q")  # where a date on a line of its own stands, and the dates
        self._dates: list[datetime] = []
        self.places = Places()

    def problems(self) -> Iterator[FormatProblem]:
        """What is no message; the messages are in `places` afterwards."""
        lines: list[Record] = []
        for record in self._source.lines():
            told = record.data.decode("utf-8", errors="surrogateescape")
            apart = _between(told.strip())
            if apart or _begins(told) is not None:
                yield from self._ended(lines)
                lines = []
            if apart:
                self._passes(told.strip(), record)
            elif lines or told.strip():
                lines.append(record)
        yield from self._ended(lines)

    def _passes(self, told: str, record: Record) -> None:
        """A line between messages: a rule, or a date."""
        dated = _DATED.fullmatch(told)
        when = None if dated is None else _time(dated[1])
        if when is None:
            self._session += 1
        else:
            self._dated.append(record.start)
            self._dates.append(when)

    def _ended(self, lines: list[Record]) -> Iterator[FormatProblem]:
        """A message is whole."""
        while lines and not lines[-1].data.strip():
            lines.pop()
        if not lines:
            return
        first, last = lines[0], lines[-1]
        try:
            self.parse(b"\n".join(one.data for one in lines), first.start)
        except ValueError as error:
            yield FormatProblem(self._source.name, first.line, str(error))
            return
        length = last.start + len(last.data) - first.start
        stem = self._source.stem
        self.places.add(Place(stem, stem if self._session == 1 else f"{stem}-{self._session}", first.start, length))

    def parse(self, data: bytes, start: int) -> Message:
        """A message of its lines. Raises ValueError."""
        first, *more = decoded(data).splitlines()
        begins = _begins(first)
        if begins is None:
            raise ValueError("does not say who speaks (Name: text)")
        indents = [len(line) - len(line.lstrip()) for line in more if line.strip()]
        text = "\n".join([begins["text"] or "", *(line[min(indents) :] for line in more)]).strip()
        said_at = _time(begins["time"]) if begins["time"] else self._date_before(start)
        name = begins["name"].strip("* ")
        role = ROLES.get(name.casefold()) if name.casefold() in _NAMES_OF_ROLES else None
        return checked(role or USER, text, None if role else name, said_at)

    def _date_before(self, start: int) -> datetime | None:
        place = bisect_left(self._dated, start)
        return self._dates[place - 1] if place else None


_NAMES_OF_ROLES = ("user", "human", "assistant", "ai", "system", "chatgpt", "claude", "bot")


def _between(told: str) -> bool:
    """Whether a line is no message's: a rule, or a date."""
    dated = _DATED.fullmatch(told)
    return _RULE.fullmatch(told) is not None or (dated is not None and _time(dated[1]) is not None)


def _time(told: str) -> datetime | None:
    """A time that is written in ISO 8601; None where there is no such time."""
    try:
        return check.spoken("timestamp", told.replace(",", "."))
    except InvalidInput:
        return None
