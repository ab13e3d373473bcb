"""`recollect watch`: a store's changes as they are committed, by whichever process, followed by their numbers.

Each look reads where the users stand, and of those that moved at most `MOST` changes; the rest waits for the next look.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from ...check import cutoff, positive
from .common import Common, interrupts_noted, put, say
from .looking import named_user
from .safe import as_json, cut, moment
from .showing import short, show_change

if TYPE_CHECKING:
    from ... import Memory
    from ...results import Change, User

MOST = 500  # changes of one look
LISTENING = 0.1  # seconds: how late Ctrl-C may be heard
NAME = 16  # characters of a user's id that are shown on a terminal
User_ = str | None


class Follower:
    """Where it is in each user's changes. `since`: it begins with what was recorded from then on, else with what comes."""

    def __init__(self, memory: Memory, user: str | None, since: datetime | None) -> None:
        self._memory, self._user, self._since = memory, user, since
        self._seen: dict[User_, int] = {}
        if since is None:
            self._seen = {one.user_id: one.number for one in self._wanted()}

    def look(self) -> tuple[list[tuple[User_, Change]], bool]:
        """What came since the last look, in the order in which it was recorded, at most `MOST`; and whether there is more."""
        found: list[tuple[User_, Change]] = []
        for one in self._wanted():
            if one.number > self._seen.get(one.user_id, 0) and len(found) < MOST:
                found += self._of(one, MOST - len(found))
        return sorted(found, key=lambda pair: pair[1].recorded_at), len(found) == MOST

    def _of(self, user: User, room: int) -> Iterator[tuple[User_, Change]]:
        after = self._seen.get(user.user_id, 0)
        changes = self._memory.changes(user_id=user.user_id, after=after, since=self._since, limit=room)
        self._seen[user.user_id] = (
            changes[-1].number if len(changes) == room else max(user.number, *(one.number for one in changes), 0)
        )
        yield from ((user.user_id, change) for change in changes)

    def _wanted(self) -> list[User]:
        return [one for one in self._memory.users() if self._user in (None, one.user_id)]


def follow(common: Common, since: str | None, interval: float) -> None:
    """Print what changes until it is stopped: quietly, as `tail -f` is."""
    start = None if since is None else cutoff("since", since, datetime.now(UTC))
    pause = positive("interval", interval)
    try:
        with common.existing() as memory, interrupts_noted() as stops:
            follower = Follower(memory, common.user, start)
            if not common.json:
                whose = "everybody" if common.user is None else common.user
                say(f"Following {whose} in {common.folder()}. Ctrl-C ends it.", stderr=True)
            while not stops:
                found, more = follower.look()
                for user_id, change in found:
                    show(common, user_id, change)
                until = time.monotonic() + (0 if more else pause)
                while not stops and (left := until - time.monotonic()) > 0:
                    time.sleep(min(left, LISTENING))
        raise stops[0]
    except KeyboardInterrupt as stop:
        from .common import exit_code_of

        raise typer.Exit(exit_code_of(stop)) from None


def show(common: Common, user_id: User_, change: Change) -> None:
    """One change on one line."""
    if common.json:
        put(as_json(line(user_id, change), indent=None))
        return
    whose = (f"{cut(named_user(user_id), NAME):<{NAME}}",) if common.user is None else ()
    show_change(common, change, moment(change.recorded_at), short(change.id), *whose)


def line(user_id: User_, change: Change) -> Mapping[str, object]:
    """A change in JSON, with whose it is."""
    return {"user_id": user_id, **change.model_dump(mode="json")}
