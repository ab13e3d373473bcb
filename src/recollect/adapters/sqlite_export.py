"""Everything that the ledger holds on one user, as records that are JSON, section by section: `sql/export.sql`."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from ..records import Space
from ..times import from_micros
from .database import Database

_SECTION = re.compile(r"-- (\w+): .+?\n(.+?);", re.DOTALL)
_AT_ONCE = 500  # rows


class SqliteExport:
    """Implements `ports.Export` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def records(self, space: Space) -> Iterator[tuple[str, dict[str, Any]]]:
        """(section, record) of everything, section after section, all of one moment. Close it to let go of that moment."""
        with self._database.read() as db:
            for name, query in sections().items():
                for row in _rows(db.execute(query, {"space": space})):
                    yield name, record(row)

    def counts(self, space: Space) -> dict[str, int]:
        """How many records each section has."""
        with self._database.read() as db:
            return {
                name: int(db.execute(f"SELECT count(*) FROM ({query})", {"space": space}).fetchone()[0])
                for name, query in sections().items()
            }


@cache
def sections() -> dict[str, str]:
    """The query of each section, in order."""
    text = resources.files(__package__).joinpath("sql", "export.sql").read_text("utf-8")
    return dict(_SECTION.findall(text))


def _rows(cursor: sqlite3.Cursor) -> Iterator[sqlite3.Row]:
    while some := cursor.fetchmany(_AT_ONCE):
        yield from some


def record(row: sqlite3.Row) -> dict[str, Any]:
    """A row as JSON has it. A column's name tells what it is: `…_at`, `…_from`, `…_to`, `…_until` are times (microseconds become
    ISO 8601 in UTC), `…_json` is JSON already (the name goes without it); bytes are in base64."""
    return {name.removesuffix("_json"): _value(name, row[name]) for name in row.keys()}  # noqa: SIM118 -- a Row iterates values


def _value(name: str, value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, int) and name.endswith(("_at", "_from", "_to", "_until")):
        return from_micros(value).isoformat()
    return json.loads(value) if isinstance(value, str) and name.endswith("_json") else value
