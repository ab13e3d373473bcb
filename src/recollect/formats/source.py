"""A file's bytes: opened as often as they are wanted, looked at to recognise them, cut into lines or JSON objects."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from ..errors import InvalidInput
from .streams import Malformed, objects

STANDARD_INPUT = Path("-")
HEAD = 65_536  # bytes by which a format is recognised
_BOM = b"\xef\xbb\xbf"
_BROKEN = re.compile(r"[\udc80-\udcff]")

# What comes in place of a conversation file, by how it starts.
_STRANGERS = {
    b"PK\x03\x04": "is a zip archive: unpack it, and name the file or the folder",
    b"\x1f\x8b": "is packed by gzip: unpack it first (gunzip)",
    b"\xff\xfe": "is UTF-16: save it as UTF-8",
    b"\xfe\xff": "is UTF-16: save it as UTF-8",
}


class Record(NamedTuple):
    """A line, or a JSON object, of a file: its text, its first byte, and the line of that, from 1."""

    start: int
    line: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Source:
    """A file that can be read again. `name`: as problems tell it; `stem`: what conversations without an id are called by."""

    path: Path
    name: str
    stem: str
    head: str
    kept: IO[bytes] | None = field(
        default=None, repr=False
    )  # the temporary file, which goes with the last that uses it

    @classmethod
    def of(cls, file: Path) -> Source:
        """Look into a file. Standard input is copied to a temporary file, for it is read more than once.

        Raises InvalidInput where it cannot be opened, is empty, or is of a kind that holds no text.
        """
        kept = _spooled() if file == STANDARD_INPUT else None
        path = file if kept is None else Path(kept.name)
        try:
            with path.open("rb") as opened:
                start = opened.read(HEAD)
        except (OSError, ValueError) as error:
            raise InvalidInput("file", f"{file} cannot be read: {_reason(error)}") from None
        name = "stdin" if file == STANDARD_INPUT else str(file)
        for beginning, problem in _STRANGERS.items():
            if start.startswith(beginning):
                raise InvalidInput("file", f"{name} {problem}")
        if b"\0" in start:
            raise InvalidInput("file", f"{name} is no text")
        if not start.removeprefix(_BOM).strip():
            raise InvalidInput("file", f"{name} is empty")
        stem = "stdin" if file == STANDARD_INPUT else file.stem
        return cls(path, name, stem, start.decode("utf-8-sig", errors="surrogateescape"), kept)

    def open(self) -> BinaryIO:
        """The file from its beginning. Raises InvalidInput."""
        try:
            return self.path.open("rb")
        except OSError as error:
            raise InvalidInput("file", f"{self.name} cannot be read: {_reason(error)}") from None

    def lines(self) -> Iterator[Record]:
        """Its lines, blank ones too, without their ends."""
        with self.open() as file:
            place = 0
            for number, data in enumerate(file, start=1):
                bom = len(_BOM) if place == 0 and data.startswith(_BOM) else 0
                yield Record(place + bom, number, data[bom:].rstrip(b"\r\n"))
                place += len(data)

    def objects(self) -> Iterator[Record | Malformed]:
        """Its JSON objects, of a list or one after the other; of JSON lines each line that is not blank, object or not.

        What is no list of objects ends with the `Malformed` that says so.
        """
        if self.has_lines:
            yield from (record for record in self.lines() if record.data.strip())
            return
        with self.open() as file:
            try:
                yield from (Record(*one) for one in objects(file.read))
            except Malformed as error:
                yield error

    @property
    def has_lines(self) -> bool:
        """Whether it is JSON lines: one of those it begins with is an object, or it is one long line."""
        if self.head.lstrip()[:1] == "[":
            return False
        first, *others = self.head.split("\n")[:_LOOKED_AT]
        return not others or any(_is_object(line) for line in (first, *others))


_LOOKED_AT = 50


def _is_object(line: str) -> bool:
    """Whether a line is a JSON object that says something, and is not indented, as those within a pretty-printed file are."""
    if line[:1] != "{":
        return False
    try:
        return bool(json.loads(line))
    except (ValueError, RecursionError):
        return False


def parsed(data: bytes) -> Any:
    """JSON, or a ValueError that says what is wrong in words."""
    text = decoded(data)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from None
    except ValueError:
        raise ValueError("is not JSON: a number is too long") from None
    except RecursionError:
        raise ValueError("is not JSON: nested too deeply") from None


def decoded(data: bytes) -> str:
    """Text, or a ValueError where it is not UTF-8."""
    text = data.decode("utf-8", errors="surrogateescape")
    if _BROKEN.search(text):
        raise ValueError("is not UTF-8")
    return text


def _spooled() -> IO[bytes]:
    """Standard input as a file, which is gone when it is closed."""
    file = tempfile.NamedTemporaryFile(prefix="recollect-")  # noqa: SIM115 -- its Source keeps it
    shutil.copyfileobj(sys.stdin.buffer, file)
    file.flush()
    return file


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a path"
