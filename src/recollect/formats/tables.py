"""CSV: a message a row. The first row names the columns; a mapping says which one is what."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import InvalidInput
from ..model import Message
from .parts import ROLES, USER, Place, Places, checked, named, seconds
from .source import Record, Source, decoded
from .values import FormatProblem, Found

FIELDS = ("content", "role", "name", "timestamp", "conversation", "session")
Columns = Mapping[str, str]
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"\d{9,11}(\.\d+)?")  # seconds since 1970
csv.field_size_limit(1 << 30)  # a message may be as long as `add` takes, which says so itself


def recognises(head: str) -> bool:
    """By a first row that has a column `content`."""
    return "content" in _header(head)


def _header(head: str) -> list[str]:
    """The names in the first row, in lower case; none where that is no row."""
    first = head.lstrip("\ufeff").split("\n", 1)[0].rstrip("\r")
    try:
        names = next(csv.reader([first], delimiter=_delimiter(first)), [])
    except csv.Error:
        return []
    return [one.strip().casefold() for one in names]


def _delimiter(first: str) -> str:
    """What most often stands between the names."""
    return max(_DELIMITERS, key=first.count)


def columns_of(said: str) -> Columns:
    """ "content=text,role=who": field → column. Raises InvalidInput."""
    found = {}
    for one in said.split(","):
        field, equals, column = (part.strip() for part in one.partition("="))
        if not equals or not column or field not in FIELDS or field in found:
            raise InvalidInput(
                "columns", f"{one!r} is none; say content=COLUMN, and {', '.join(FIELDS[1:])} as they are there"
            )
        found[field] = column
    return found


@dataclass(frozen=True, slots=True)
class _Table:
    """Which column is what."""

    delimiter: str
    places: Mapping[str, int]

    @classmethod
    def of(cls, source: Source, columns: Columns | None) -> _Table:
        """Raises InvalidInput where a column that is named is not there."""
        header = _header(source.head)
        there = f"; it has {', '.join(header)}"
        wanted = columns if columns is not None else {field: field for field in FIELDS if field in header}
        for field, column in wanted.items():
            if column.casefold() not in header:
                raise InvalidInput("columns", f"{source.name} has no column {column!r} for {field}{there}")
        if "content" not in wanted:
            raise InvalidInput("columns", f"{source.name}: say which column is the content (content=…){there}")
        first = source.head.split("\n", 1)[0]
        return cls(_delimiter(first), {field: header.index(column.casefold()) for field, column in wanted.items()})

    def fields(self, data: bytes) -> dict[str, str]:
        """A row's fields that say something. Raises ValueError."""
        try:
            row = next(csv.reader(decoded(data).splitlines(keepends=True), delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            raise ValueError(f"is no row of a table: {error}") from None
        return {field: row[at] for field, at in self.places.items() if at < len(row) and row[at].strip()}

    def message(self, fields: Mapping[str, str]) -> Message:
        """Who speaks: the role where it is one, else that is a person's name. Raises ValueError."""
        if "content" not in fields:
            raise ValueError("has no content")
        told = fields.get("role", "").strip()
        role = ROLES.get(told.casefold())
        name = fields.get("name", "").strip() or (told if role is None else "")
        when = fields.get("timestamp", "").strip()
        said_at = seconds(float(when)) if _NUMBER.fullmatch(when) else when or None
        return checked(role or USER, fields["content"], name or None, said_at)

    def parse(self, data: bytes, _: int) -> Message:
        """A message of a row that was good. Raises ValueError."""
        return self.message(self.fields(data))


def read(source: Source, columns: Columns | None = None) -> Iterator[Found]:
    """Rows come together by their conversation and session; without such columns the file is one."""
    table, places = _Table.of(source, columns), Places()
    for record in _rows(source):
        try:
            fields = table.fields(record.data)
            table.message(fields)
            name = named("conversation", fields.get("conversation")) or source.stem
            places.add(Place(name, named("session", fields.get("session")) or name, record.start, len(record.data)))
        except ValueError as error:
            yield FormatProblem(source.name, record.line, str(error))
    yield from places.conversations(source, table.parse)


def _rows(source: Source) -> Iterator[Record]:
    """The rows below the first; one that has line ends within quotes is several lines."""
    lines = source.lines()
    next(lines)
    first: Record | None = None
    last: Record | None = None
    quotes = 0
    for line in lines:
        if first is None and not line.data.strip():
            continue
        first = first or line
        last = line
        quotes += line.data.count(b'"')
        if quotes % 2:
            continue
        yield _joined(source, first, last)
        first, quotes = None, 0
    if first is not None and last is not None:
        yield _joined(source, first, last)


def _joined(source: Source, first: Record, last: Record) -> Record:
    if first is last:
        return first
    with source.open() as file:
        file.seek(first.start)
        return Record(first.start, first.line, file.read(last.start + len(last.data) - first.start))
