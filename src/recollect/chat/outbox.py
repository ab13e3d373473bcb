"""What a conversation's turns bring, on its way to the journal: in order, from whichever threads it comes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ..errors import RecollectError
from ..records import Kept, NewTurns
from .messages import NOT_YET, Exchange, exchange

Made = Callable[[Exchange, "datetime | None", bool], NewTurns]
"""What is to be journalled of a turn, said at a time (None: now). The flag: what the user says in it is known."""


@dataclass(slots=True, eq=False)
class Begun:
    """A turn whose reply is on its way, or there. `asked`: what the user said waits to be journalled already, or is."""

    messages: list[Any]
    reply: object
    asked: bool = False


class Journalled(NamedTuple):
    """What came of journalling: what was kept, and where the store refused the rest, its error and how many messages wait."""

    heard: list[Kept]
    error: str | None = None
    waiting: int = 0


class Outbox:
    """Of one conversation. `made`: how a turn is to be journalled; `hear`: journal it, blocking. From any thread."""

    def __init__(self, made: Made, hear: Callable[[NewTurns], Kept]) -> None:
        self._made, self._hear = made, hear
        self._taking, self._hearing = threading.Lock(), threading.Lock()
        self._begun: list[Begun] = []
        self._unsaved: deque[NewTurns] = deque()
        self.error: str | None = None
        """The name of the error for which something waits."""

    def take(self, fence: str, messages: list[Any], reply: object, at: datetime | None) -> None:
        """What a turn brings waits to be journalled, behind what was asked before it. `fence`: the delimiter of our own blocks,
        which are left out."""
        with self._taking:
            self._take_begun(fence)
            self._take(fence, messages, reply, at)

    def begin(self, messages: list[Any]) -> Begun:
        """A turn whose reply is on its way: what is asked is taken with that (`end`), before the next turn, or by
        `take_begun`."""
        begun = Begun(messages, NOT_YET)
        with self._taking:
            self._begun.append(begun)
        return begun

    def end(self, begun: Begun, reply: object) -> None:
        """The reply is there. It is taken with what comes next, and with what was asked where that is not taken already: other
        turns may stand behind it."""
        with self._taking:
            begun.reply = reply
            if begun not in self._begun:
                self._begun.append(begun)

    @property
    def has_begun(self) -> bool:
        """Whether there are turns that began and were not taken."""
        return bool(self._begun)

    def take_begun(self, fence: str) -> None:
        """Take what was asked, and the replies that are there."""
        with self._taking:
            self._take_begun(fence)

    def _take_begun(self, fence: str) -> None:
        for one in self._begun:
            self._take(fence, one.messages, one.reply, None, asked=one.asked)
            one.asked = True
        self._begun.clear()

    def _take(
        self, fence: str, messages: list[Any], reply: object, at: datetime | None, *, asked: bool = False
    ) -> None:
        brought = exchange(messages, reply, fence)
        if brought.said:
            self._unsaved.append(self._made(brought, at, asked))

    def journalled(self) -> Journalled:
        """Journal what waits, in order; where the store refuses it, it goes on waiting. Blocking."""
        heard: list[Kept] = []
        with self._hearing:
            try:
                while self._unsaved:
                    heard.append(self._hear(self._unsaved[0]))
                    self._unsaved.popleft()
            except RecollectError as error:
                self.error = type(error).__name__
                return Journalled(heard, self.error, self.waiting())
            self.error = None
        return Journalled(heard)

    def waiting(self) -> int:
        """How many messages wait to be journalled."""
        return sum(len(one.messages) for one in self._unsaved.copy())  # a copy: other threads go on
