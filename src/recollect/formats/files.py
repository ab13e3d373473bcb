"""Files, folders, patterns and standard input → what is read of them, as often as it is wanted."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import InvalidInput
from . import tables
from .registry import FORMATS, chosen
from .source import STANDARD_INPUT, Source
from .values import Found

SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".md")  # what is looked into in a folder


@dataclass(frozen=True, slots=True)
class Input:
    """A file that was recognised. `read` goes through it from its beginning, each time."""

    file: str
    format: str
    read: Callable[[], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Passed:
    """A file of a folder, or of a pattern, that was passed over, and why."""

    file: str
    why: str


def read(file: Path, format: str | None = None, columns: tables.Columns | None = None) -> Iterator[Found]:  # noqa: A002 -- the word users know it by
    """The conversations of a file (`-`: standard input), and what could not be read of it.

    `format` None: recognised by its content. `columns`: of a CSV file, field → column.

    Raises InvalidInput where the file cannot be opened, is empty, or its format is unknown; before anything is yielded.
    """
    return _named(file, format, columns).read()


def inputs(
    files: Sequence[Path],
    format: str | None = None,  # noqa: A002
    columns: tables.Columns | None = None,
) -> tuple[list[Input], list[Passed]]:
    """What is to be read: of a folder all files of known kinds below it, of a pattern such as talks/*.json those that fit it.

    Files there that hold no conversations are passed over. Raises InvalidInput for a file that is named and cannot be read, and
    where nothing is left.
    """
    found: list[Input] = []
    passed: list[Passed] = []
    for file in files:
        several = _several(file)
        if several is None:
            found.append(_named(file, format, columns))
            continue
        for one in several:
            try:
                found.append(_input(one, format, columns))
            except InvalidInput as error:
                passed.append(Passed(str(one), error.problem))
    if not found:
        told = f": {passed[0].file}: {passed[0].why}" if passed else ""
        raise InvalidInput("file", f"no conversation file in {', '.join(map(str, files))}{told}")
    return found, passed


def _several(file: Path) -> list[Path] | None:
    """The files of a folder or a pattern; None for a file."""
    try:
        if file == STANDARD_INPUT or file.is_file():
            return None
        if file.is_dir():
            return sorted((one for one in file.rglob("*") if _looked_into(one, file)), key=_natural)
        if glob.has_magic(str(file)) and not file.exists():
            return _fitting(str(file))
    except (OSError, ValueError):
        return None  # opening it says what is wrong
    return None


def _fitting(pattern: str) -> list[Path]:
    found = (Path(one) for one in glob.glob(pattern, recursive=True))  # noqa: PTH207 -- Path has none for absolute patterns
    return sorted((one for one in found if one.is_file()), key=_natural)


def _looked_into(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in SUFFIXES and file.is_file()


def _natural(path: Path) -> tuple[object, ...]:
    """A sort key by which 2 comes before 10."""
    parts = re.split(r"(\d+)", str(path))
    return tuple((int(part), "") if part.isdecimal() and len(part) < 20 else (-1, part) for part in parts)


def _named(file: Path, format: str | None, columns: tables.Columns | None) -> Input:  # noqa: A002
    """A file that somebody named: what is wrong with it is told with its name."""
    try:
        return _input(file, format, columns)
    except InvalidInput as error:
        if error.argument != "format" or format is not None:
            raise
        raise InvalidInput("format", f"{file}: {error.problem}") from None


def _input(file: Path, format: str | None, columns: tables.Columns | None) -> Input:  # noqa: A002
    source = Source.of(file)
    known = chosen(tables_or(format, columns), source.head)
    if known.name == "csv":
        return Input(source.name, known.name, partial(tables.read, source, columns))
    return Input(source.name, known.name, partial(known.read, source))


def tables_or(format: str | None, columns: tables.Columns | None) -> str | None:  # noqa: A002
    """Who says which column is what has a table. Raises InvalidInput where another format is named."""
    if columns is None or format == "csv":
        return format
    if format is not None:
        raise InvalidInput("columns", f"go with csv, not with {format}")
    return FORMATS["csv"].name
