"""Everything that the ledger holds on one user, as one JSON document, section by section: `sql/export.sql`."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ..records import Space
from ..times import from_micros
from .database import Database, faults_named
from .sqlite_backup import partial, placed, refuse_target

SECTION = re.compile(r"-- (\w+): .+?\n(.+?);", re.DOTALL)
_AT_ONCE = 500  # rows


class SqliteExport:
    """Implements `ports.Export` over a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def document(self, space: Space, head: Mapping[str, Any]) -> dict[str, Any]:
        """The head, how many records each section has, and the sections; all of one moment."""
        with self._database.read() as db:
            records = {name: [record(row) for row in rows(db, query, space)] for name, query in sections().items()}
            return {**head, "counts": counts(db, space), **records}

    def write(
        self,
        space: Space,
        head: Mapping[str, Any],
        target: Path,
        *,
        overwrite: bool,
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        """The same into a file that its owner alone can read, record by record; what stands before the sections."""
        with faults_named("export"):
            refuse_target(self._database.path.parent, target, overwrite=overwrite)
            with self._database.read() as db, partial(target) as part:
                whole = {**head, "counts": counts(db, space)}
                with part.open("w", encoding="utf-8") as file:
                    for piece in pieces(db, space, whole, progress):
                        file.write(piece)
                placed(part, target)
        return whole


def counts(db: sqlite3.Connection, space: Space) -> dict[str, int]:
    """How many records each section has."""
    return {
        name: int(db.execute(f"SELECT count(*) FROM ({query})", {"space": space}).fetchone()[0])
        for name, query in sections().items()
    }


def pieces(
    db: sqlite3.Connection, space: Space, head: Mapping[str, Any], progress: Callable[[int, int], None]
) -> Iterator[str]:
    """The document as text, a record a line."""
    done, total = 0, sum(head["counts"].values())
    yield json.dumps(head, ensure_ascii=False)[:-1]
    for name, query in sections().items():
        yield f', "{name}": ['
        for n, row in enumerate(rows(db, query, space)):
            yield (",\n" if n else "\n") + json.dumps(record(row), ensure_ascii=False)
            done += 1
            if done % _AT_ONCE == 0:
                progress(done, total)
        yield "]"
    yield "}\n"
    progress(total, total)


@cache
def sections() -> dict[str, str]:
    """The query of each section, in order."""
    text = resources.files(__package__).joinpath("sql", "export.sql").read_text("utf-8")
    return dict(SECTION.findall(text))


def rows(db: sqlite3.Connection, query: str, space: Space) -> Iterator[sqlite3.Row]:
    """What a section's query finds, some at a time."""
    cursor = db.execute(query, {"space": space})
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
