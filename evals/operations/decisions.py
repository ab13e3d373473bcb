"""Labelled decisions through the real write path: what is known is stored, the fact is added, and the change that came is read.

Extraction is given (`datasets.decisions`); embedder, candidates, reconciler, guard and ledger are the real ones. What counts is
what became of the memories, not what a reconciler answered: a refused update is the ADD that it fell back to.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

from recollect import AsyncMemory
from recollect.errors import RecollectError
from recollect.model import Entity, Evidence, Fact, Role, SourceClass, Turn
from recollect.ports import Reconciler
from recollect.results import AddResult, Change, MemoryItem

from ..datasets.decisions import Labelled, Told
from ..errors import SystemFailed
from .language import Given, spent

Record: TypeAlias = dict[str, Any]


async def decisions(
    cases: Sequence[Labelled],
    reconciler: Reconciler,
    *,
    embedder: object = None,
    done: Container[str] = (),
    keep: Callable[[Record], None] = lambda _: None,
    at_once: int = 1,
) -> list[Record]:
    """A record per case that is not `done`, in their order; `keep` gets each as soon as it is there.

    {"case", "kind", "right", "also", "got": {"op", "targets", "mode"}, "harmed": [places of known that should have stayed and did
    not], "text", "reason", "flag", "spent"}; or what is known before, and "error": {"type", "message"}. `embedder`: as for `Memory`.
    Up to `at_once` cases are under way together; each has a user of its own.
    """
    told = {(case.id, one.text, one.said_at): one for case in cases for one in (case.fact, *case.known)}
    facts = {(case.id, case.fact.text, case.fact.said_at) for case in cases}

    def key(turn: Turn) -> tuple[str, str, datetime]:
        return (str(turn.scope.user_id), turn.content, turn.said_at)

    given = Given(reconciler, lambda turn: fact_of(told[key(turn)], turn), lambda turn: key(turn) not in facts)
    room = asyncio.Semaphore(at_once)
    with tempfile.TemporaryDirectory(prefix="recollect-evals-") as folder:
        async with AsyncMemory(folder, llm=given, embedder=embedder, redact=False) as memory:

            async def tried(case: Labelled) -> Record:
                async with room:
                    record = {**label(case), **await _tried(memory, case)}
                    keep(record)
                    return record

            return list(await asyncio.gather(*(tried(case) for case in cases if case.id not in done)))


def label(case: Labelled) -> Record:
    """The part of a record that is known before."""
    right, also = case.right.model_dump(mode="json"), [one.model_dump(mode="json") for one in case.also]
    return {"case": case.id, "kind": case.kind, "right": right, "also": also}


def fact_of(told: Told, turn: Turn) -> Fact:
    """What was told in a turn, as an extractor proposes it: the turn is its evidence, whole."""
    return Fact(
        text=told.text,
        kind=told.kind,
        evidence=(Evidence(turn.id, turn.content),),
        slot=told.slot,
        value=told.value,
        entities=tuple(map(Entity, told.entities)),
        event=told.event,
        valid_from=told.valid_from,
        retracts=told.retracts,
        bare_forget=told.forget,
        source=SourceClass.of(turn.role),
    )


def message_of(told: Told) -> dict[str, str]:
    """The message in which it was told."""
    said = {"content": told.text, "timestamp": told.said_at.isoformat()}
    if told.said_by in (Role.ASSISTANT, Role.TOOL, Role.USER):
        return {"role": told.said_by, **said}
    return {"role": "user", "name": told.said_by, **said}


async def _tried(memory: AsyncMemory, case: Labelled) -> Record:
    try:
        return await _decided(memory, case)
    except RecollectError as error:
        return {"error": {"type": type(error).__name__, "message": str(error)}}


async def _decided(memory: AsyncMemory, case: Labelled) -> Record:
    """What becomes of one case."""
    known = await _known(memory, case)
    added = await memory.add([message_of(case.fact)], user_id=case.id)
    (change,) = _changes(case, added, 1)
    live = {item.text for item in await memory.get_all(user_id=case.id)}
    ended = {place for place, item in known.items() if item.text not in live}
    return {
        "got": await _got(memory, case, known, change),
        "harmed": sorted(ended - may_end(case)),
        "text": change.memory.text if change.memory else None,
        "reason": change.reason,
        "flag": change.flag,
        "spent": asdict(spent(added.usage)),
    }


async def _known(memory: AsyncMemory, case: Labelled) -> dict[int, MemoryItem]:
    """Store what is known, oldest first: the memories by their places."""
    if not case.known:
        return {}
    oldest_first = sorted(enumerate(case.known, start=1), key=lambda one: one[1].said_at)
    added = await memory.add([message_of(told) for _, told in oldest_first], user_id=case.id)
    known = {}
    for (place, told), change in zip(oldest_first, _changes(case, added, len(case.known)), strict=True):
        if change.op != "ADD" or change.memory is None or change.memory.text != told.text or change.memory.quarantined:
            raise SystemFailed(f"{case.id}: what is known was not stored as it is told ({change.op}, {change.flag})")
        known[place] = change.memory
    return known


def _changes(case: Labelled, added: AddResult, facts: int) -> tuple[Change, ...]:
    """One change a fact. Raises SystemFailed where it is otherwise."""
    if len(added.changes) != facts or added.rejected:
        lost = f"{len(added.changes)} changes and {len(added.rejected)} rejections of {facts} facts"
        raise SystemFailed(f"{case.id}: {lost}")
    return added.changes


async def _got(memory: AsyncMemory, case: Labelled, known: dict[int, MemoryItem], change: Change) -> Record:
    """The change in the words of an answer."""
    op = change.op.value
    named = change.memory.id if change.memory and op != "ADD" else None
    targets = [place for place, item in known.items() if item.id == named or item.text in change.also_ended]
    mode = None
    if op == "UPDATE" and (first := next((item for item in known.values() if item.id == named), None)):
        mode = "supersede" if await _stands_before(memory, case.id, first, change) else "revise"
    return {"op": op, "targets": sorted(targets), "mode": mode}


async def _stands_before(memory: AsyncMemory, user: str, target: MemoryItem, change: Change) -> bool:
    """Whether of the time of the target another version than the new one is believed: its end was closed, not retired."""
    then = await memory.get_all(user_id=user, as_of=target.valid_from)
    version = next((item for item in then if item.id == target.id), None)
    new = change.memory
    return version is not None and new is not None and version.valid_from != new.valid_from


def may_end(case: Labelled) -> set[int]:
    """The places of what is known whose text a right answer takes out of the present. What is superseded by something older stays."""
    stated = case.fact.valid_from or case.fact.said_at
    return {
        target
        for answer in case.accepted
        if answer.op in ("UPDATE", "DELETE")
        for target in answer.targets
        if answer.mode == "revise" or (case.known[target - 1].valid_from or case.known[target - 1].said_at) <= stated
    }
