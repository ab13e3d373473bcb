"""A JSON array of large objects, or a sequence of them, one object at a time: no more than one is in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

CHUNK = 1 << 20  # bytes read at once

# Up to the next brace that is not inside a string; no match where the bytes end within a string.
_TO_BRACE = re.compile(rb'(?:[^"{}]++|"(?:[^"\\]++|\\.)*+")*+([{}])', re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]*+")
_BOM = b"\xef\xbb\xbf"


class Malformed(ValueError):
    """Not an array of objects, nor a sequence of them. `at`: the byte where that shows; `line`: its line, from 1."""

    def __init__(self, problem: str, at: int, line: int) -> None:
        super().__init__(problem)
        self.at = at
        self.line = line


class Object(NamedTuple):
    """An object's text, its first byte in the stream, and the line of that, from 1."""

    start: int
    line: int
    data: bytes


def objects(read: Callable[[int], bytes]) -> Iterator[Object]:
    """The objects of a stream; `read(n)` gives up to n further bytes, none at the end.

    Only braces and strings are looked at: whether an object is JSON, its parser says. Raises Malformed.
    """
    text = _Text(read)
    array = text.take(b"[")
    count = 0
    while text.peek() == b"{":
        count += 1
        yield text.object(count)
        text.take(b",")
    if array and not text.take(b"]"):
        raise Malformed(
            f"ends after {count} objects, before the list does" if text.peek() == b"" else _STRANGE,
            text.place,
            text.line(),
        )
    if text.peek() != b"":
        raise Malformed(_STRANGE, text.place, text.line())


_STRANGE = "is no list of JSON objects"


class _Text:
    """What was read and not yet used."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._bytes = bytearray(read(CHUNK))
        self._at = len(_BOM) if self._bytes.startswith(_BOM) else 0
        self._before = 0  # bytes that were let go
        self._lines = self._counted = 0  # line ends up to a place in what is kept

    @property
    def place(self) -> int:
        return self._before + self._at

    def line(self) -> int:
        """The line of the place, from 1."""
        self._lines += self._bytes.count(b"\n", self._counted, self._at)
        self._counted = self._at
        return self._lines + 1

    def peek(self) -> bytes:
        """The next byte that is no space; none at the end."""
        while True:
            found = _SPACE.match(self._bytes, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._bytes) or not self._more():
                return bytes(self._bytes[self._at : self._at + 1])

    def take(self, wanted: bytes) -> bool:
        """Go past this byte if it comes next."""
        if self.peek() != wanted:
            return False
        self._at += 1
        return True

    def object(self, number: int) -> Object:
        """From the opening brace here to the one that closes it."""
        began, line, depth, at = self.place, self.line(), 0, self._at
        while True:
            found = _TO_BRACE.match(self._bytes, at)
            if found is None:
                at -= self._at  # what is before goes now
                if not self._more():
                    raise Malformed(f"ends in the middle of object {number}", began, line)
                continue
            at = found.end()
            depth += 1 if found[1] == b"{" else -1
            if depth == 0:
                data = bytes(self._bytes[self._at : at])
                self._at = at
                return Object(began, line, data)

    def _more(self) -> bool:
        further = self._read(CHUNK)
        self.line()
        del self._bytes[: self._at]
        self._before += self._at
        self._at = self._counted = 0
        self._bytes += further
        return bool(further)
