"""Importing an interchange file: read through once before anything is written, then taken in user by user, each in a transaction.

Killed or stopped, whole users are there or nothing of them; the same call goes on with the rest, for a user whose everything is
there already is passed over.
"""

from __future__ import annotations

import asyncio
import functools
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..build import Store
from ..errors import Closed, ImportInvalid, InvalidInput, TargetExists
from ..failpoints import reach
from ..ids import IdKind
from ..ports import Taking
from ..records import EmbedderKey, Space
from ..results import ImportedUser
from ..safety.redact import Redactor, redact
from ..times import now
from ..trace import Imported as ImportProgress
from ..trace import Listener, Step, emit
from ..upkeep.erase import left_out
from ..upkeep.erasing import finished
from ..upkeep.verify import alike
from ..writing.evidence import quoted
from .interchange import (
    BatchLine,
    ChangeLine,
    Content,
    EmbedderOf,
    FactLine,
    Reading,
    TurnLine,
    User,
    opened,
    values_of,
)

REPORT = 500  # lines between two reports of progress


class _Anyone:
    """In the place of a user's name: each user of the file under its own."""


ANYONE = _Anyone()


@dataclass(frozen=True, slots=True)
class Wish:
    """How to import. `user_id`: under which name, ANYONE for each under its own."""

    path: Path
    user_id: str | _Anyone | None
    skip_existing: bool
    allow_erased: bool
    redactor: Redactor
    at: datetime = field(default_factory=now)

    @property
    def renames(self) -> bool:
        """Whether it is a user's own import: then nothing of it may tell which ids others have."""
        return not isinstance(self.user_id, _Anyone)

    def name_of(self, user: User) -> str | None:
        """Under which name a user of the file is taken in."""
        return user.user_id if isinstance(self.user_id, _Anyone) else self.user_id


async def planned(store: Store, wish: Wish, listener: Listener | None) -> list[ImportedUser]:
    """Read the whole file, and tell what an import would do; nothing is written. Raises ImportInvalid, InvalidInput."""
    done: list[ImportedUser] = await _stoppable(store, functools.partial(_planned, store, wish), listener)
    return done


def read_through(path: Path, user_id: str | _Anyone | None = ANYONE) -> list[ImportedUser]:
    """The same where there is no store yet: all of it is new. Raises ImportInvalid, InvalidInput."""
    wish = Wish(path, user_id, skip_existing=False, allow_erased=False, redactor=Redactor(on=False))
    return _planned(None, wish, lambda _: None)


async def taken(store: Store, wish: Wish, plan: list[ImportedUser], listener: Listener | None) -> list[ImportedUser]:
    """Take in what was planned. Raises TargetExists where something of a user is there that the file does not have."""
    refused = [one for one in plan if one.status == "refused"]
    if refused and not wish.skip_existing:
        whose = "the user has" if len(plan) == 1 else f"{len(refused)} of {len(plan)} users have"
        raise TargetExists(
            f"{whose} memories here that are not in the file: give another name (user_id=), or leave out who is there"
            " (skip_existing=True)",
            stage="import",
        )
    done: list[ImportedUser] = await _stoppable(store, functools.partial(_taken, store, wish, plan), listener)
    await store.in_thread(finished, store)
    return done


async def _stoppable(store: Store, work: Any, listener: Listener | None) -> Any:
    """Run it in a thread; where that is cancelled it stops at the next report, and takes back what is half done."""
    stopped = threading.Event()

    def progress(event: ImportProgress) -> None:
        if stopped.is_set():
            raise Closed("the import was stopped")
        emit(listener, event)

    try:
        return await store.in_thread(work, progress)
    except asyncio.CancelledError:
        stopped.set()
        raise


# --- reading it through ------------------------------------------------------------------------------------------------


def _planned(store: Store | None, wish: Wish, progress: Any) -> list[ImportedUser]:
    found: list[ImportedUser] = []
    names: set[str | None] = set()
    with opened(wish.path) as file:
        size = os.fstat(file.fileno()).st_size
        reading = Reading(file)
        reading.header()
        for user, lines in reading.parts():
            name = wish.name_of(user)
            if name in names:
                raise _twice(wish, reading)
            names.add(name)
            watched = _watched(lines, reading, "checking", size, progress)
            found.append(_standing(store, wish, name, watched))
    progress(ImportProgress("checking", size, size))
    return found


def _twice(wish: Wish, reading: Reading) -> Exception:
    if wish.renames:
        return InvalidInput("user_id", "goes with a file of one user; this one has several")
    return reading.fault("a user who was there before")


def _watched(lines: Iterable[Content], reading: Reading, step: Step, size: int, progress: Any) -> Iterator[Content]:
    for n, line in enumerate(lines, 1):
        if n % REPORT == 0:
            progress(ImportProgress(step, reading.at, size))
        yield line


def _standing(store: Store | None, wish: Wish, name: str | None, lines: Iterable[Content]) -> ImportedUser:
    """What is to be done with a user: new where nothing is there, there where all of it is."""
    space, occupied = (None, False) if store is None else store.interchange.standing(name)
    counts, missing = Counter[str](), 0
    for line in lines:
        counts[line.kind] += 1
        if store is not None and space is not None and occupied and not missing:
            missing += not _is_there(store, wish, space, name, line)
    status = "new" if not occupied else "refused" if missing else "there"
    return _told(name, status, counts)


_KINDS: Mapping[type, IdKind] = {BatchLine: "batch", TurnLine: "turn", ChangeLine: "chg"}


def _is_there(store: Store, wish: Wish, space: Space, name: str | None, line: Content) -> bool:
    kind = _KINDS.get(type(line))
    if kind is None or store.interchange.holds(space, name, kind, line.id):  # type: ignore[union-attr]  # those have one
        return True
    if not isinstance(line, TurnLine) or wish.allow_erased:
        return False
    fields = redacted(line, values_of(line), wish.redactor)
    return store.interchange.is_buried(space, fields["content"], fields["said_at"])


def _told(name: str | None, status: Any, counts: Mapping[str, int], **more: int) -> ImportedUser:
    known = {field: counts.get(kind, 0) for field, kind in _COUNTS.items()}
    return ImportedUser(user_id=name, status=status, **known, **more)


_COUNTS = {"turns": "turn", "versions": "version", "changes": "change", "quotes": "source", "entities": "entity"}


# --- taking it in ------------------------------------------------------------------------------------------------------


def _taken(store: Store, wish: Wish, plan: list[ImportedUser], progress: Any) -> list[ImportedUser]:
    size = wish.path.stat().st_size
    done = []
    with opened(wish.path) as file:
        reading = Reading(file)
        embedder = _carried(store, reading.header().embedder)
        for expected, (user, lines) in zip(plan, reading.parts(), strict=True):
            watched = _watched(lines, reading, "importing", size, progress)
            if expected.status == "new":
                done.append(_take(store, wish, user, watched, reading, embedder))
                reach("import.user")
            else:
                for _ in watched:
                    pass
                status = "skipped" if expected.status == "refused" else expected.status
                done.append(expected.model_copy(update={"status": status}))
            progress(ImportProgress("importing", reading.at, size))
    progress(ImportProgress("importing", size, size))
    return done


def _carried(store: Store, of_file: EmbedderOf | None) -> EmbedderKey | None:
    """Whose vectors are taken over: the store's own embedder's; None where they are made anew."""
    if of_file is None:
        return None
    key = EmbedderKey(of_file.id, of_file.dim)
    return key if key == EmbedderKey(store.embedder.id, store.embedder.dim) else None


def _take(
    store: Store, wish: Wish, user: User, lines: Iterable[Content], reading: Reading, embedder: EmbedderKey | None
) -> ImportedUser:
    name, counts, touched = wish.name_of(user), Counter[str](), _Touched()
    ledger = store.interchange
    with ledger.taking(name, fresh_ids=wish.renames, embedder=embedder, at=wish.at) as taking:
        taking.begin(user.revision)
        for line in lines:
            counts[line.kind] += 1
            fields = touched.redacted(line, wish.redactor)
            if embedder is None and "vector" in fields:
                fields["vector"] = None
            try:
                taking.put(line.kind, fields)
            except ImportInvalid as error:
                raise reading.fault(error.problem) from None
        _check(taking, touched)
        if taking.buried and not wish.allow_erased:
            taking.forget(functools.partial(left_out, turns=frozenset(taking.buried), tokenizer=store.tokenizer))
        waiting = taking.waiting()
        reach("import.settled")
    store.partitions.drop(taking.space)
    erased = 0 if wish.allow_erased else len(taking.buried)
    return _told(name, "imported", counts, erased=erased, redacted=touched.secrets, waiting=waiting)


def _check(taking: Taking, touched: _Touched) -> None:
    """All invariants, before anything is committed. Raises ImportInvalid."""
    for source, quote, _, text in taking.quotes():
        if quoted(quote, text):
            continue
        if not touched.secrets:
            raise ImportInvalid(f"source {source}: a quote that does not stand in its turn")
        taking.quote(source, text)  # a secret went across its ends: the turn as it is now stands for it
    fault = taking.settle()
    if fault is not None:
        raise ImportInvalid(f"{fault.noun} {fault.place}: {fault.what}")
    twin = next(alike(taking.alike()), None)
    if twin is not None:
        raise ImportInvalid(f"version {twin.number}: two live versions that say the same")


# --- secrets -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Touched:
    """How many secrets were left out."""

    secrets: int = 0

    def redacted(self, line: Content, redactor: Redactor) -> dict[str, Any]:
        fields = values_of(line)
        kept = redacted(line, fields, redactor)
        self.secrets += kept != fields
        return kept


def redacted(line: Content, fields: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """A line's fields without secrets, as an `add` leaves them out."""
    if not redactor.on:
        return fields
    if isinstance(line, FactLine):
        return {**fields, "fact": _fact(fields["fact"], redactor)}
    return {**fields, **{name: _without(fields[name], redactor) for name in line.texts}}


def _without(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redact(value)[0]
    if isinstance(value, list | tuple):
        return type(value)(_without(one, redactor) for one in value)
    return redactor.metadata(value)[0] if isinstance(value, Mapping) else value


def _fact(fact: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """A fact that waits; its times and ids are none of anybody's words."""
    told = {name: fact[name] for name in ("text", "value", "slot", "entities", "relations")}
    evidence = [{**one, "quote": redact(one["quote"])[0]} for one in fact["evidence"]]
    return {**fact, **redactor.metadata(told)[0], "evidence": evidence}
