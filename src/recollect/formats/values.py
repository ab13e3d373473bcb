"""What a file gives: conversations of sessions of messages, and what could not be read of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias, overload

from ..errors import InvalidInput
from ..model import Message


@dataclass(frozen=True, slots=True)
class Session:
    """Messages that were exchanged in one sitting, in their order; never empty. Of a long file they are read when they are
    gone through (`Stored`)."""

    id: str
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation: its id in the file, and its sessions in their order. `personal`: it comes from the export of a
    person's account, whose conversations are all that person's."""

    id: str
    sessions: tuple[Session, ...]
    personal: bool = False

    @property
    def turns(self) -> int:
        """How many messages there are."""
        return sum(len(session.messages) for session in self.sessions)


@dataclass(frozen=True, slots=True)
class FormatProblem:
    """Something in a file that could not be read. `line` is counted from 1; None where `problem` names the place."""

    file: str
    line: int | None
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}" if self.line else f"{self.file}: {self.problem}"


Found: TypeAlias = Conversation | FormatProblem


class Stored(Sequence[Message]):
    """Messages that stay in their file. `starts` and `lengths`: the first byte and the length of each one's record there, in
    order; `parse` makes a message of a record that was read once already, and its first byte.

    Raises InvalidInput where the file was changed since.
    """

    def __init__(
        self,
        open_: Callable[[], BinaryIO],
        starts: Sequence[int],
        lengths: Sequence[int],
        parse: Callable[[bytes, int], Message],
    ) -> None:
        self._open = open_
        self._starts, self._lengths = starts, lengths
        self._parse = parse

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[Message]:
        return self._between(0, len(self))

    @overload
    def __getitem__(self, index: int) -> Message: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Message]: ...
    def __getitem__(self, index: int | slice) -> Message | Sequence[Message]:
        if isinstance(index, slice):
            return Stored(self._open, self._starts[index], self._lengths[index], self._parse)
        place = range(len(self))[index]
        return next(self._between(place, place + 1))

    def _between(self, first: int, last: int) -> Iterator[Message]:
        with self._open() as file:
            for place in range(first, last):
                file.seek(self._starts[place])
                try:
                    yield self._parse(file.read(self._lengths[place]), self._starts[place])
                except ValueError:  # of a record that was good before
                    raise InvalidInput("file", "was changed while it was being read") from None
