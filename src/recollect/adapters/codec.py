"""Values of the core ↔ columns of the ledger. JSON for what is nested, microseconds for times, blobs for vectors."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from ..model import (
    Entity,
    EventTime,
    Evidence,
    Fact,
    Kind,
    Op,
    Precision,
    Relation,
    Role,
    Row,
    Scope,
    Slot,
    SourceClass,
    Statement,
    Turn,
    speaker,
)
from ..records import ChangeRecord, Quoted
from ..times import at_offset, from_micros, maybe_micros, maybe_time, to_micros

if TYPE_CHECKING:
    from ..ports import Vectors

SHARED = "shared"


def dump(value: object) -> str:
    """Compact JSON, keys in their order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def space_name(user_id: str | None) -> str:
    """The ledger's name of a user's space; no user id can be spelt so that it is the shared one's."""
    return SHARED if user_id is None else f"user:{user_id}"


def user_of(name: str) -> str | None:
    """The inverse of `space_name`."""
    return None if name == SHARED else name.removeprefix("user:")


def blob(vector: Vectors | None) -> bytes | None:
    """A vector as little-endian float32."""
    return None if vector is None else vector.astype("<f4").tobytes()


def vector(data: bytes | None) -> Vectors | None:
    """The inverse of `blob`; of bytes that were cut, what there is."""
    import numpy as np

    return None if data is None else np.frombuffer(data, dtype="<f4", count=len(data) // 4)


def slot_key(slot: Slot | None) -> str | None:
    """A slot's key as text, for the index."""
    return None if slot is None else "\x1f".join(slot.key)


def entity_key(name: str) -> str:
    """An entity's key: case and spacing of names do not matter."""
    return " ".join(name.casefold().split())


def event_columns(event: EventTime | None) -> tuple[int | None, int | None, str | None]:
    """start, end, precision."""
    return (
        (None, None, None) if event is None else (to_micros(event.start), to_micros(event.end), event.precision.value)
    )


def event(start: int | None, end: int | None, precision: str | None) -> EventTime | None:
    """The inverse of `event_columns`."""
    if start is None or end is None or precision is None:
        return None
    return EventTime(from_micros(start), from_micros(end), Precision(precision))


def statement(row: sqlite3.Row) -> Statement:
    """From the columns of `statements` (its number as `statement`)."""
    slot = None if row["subject"] is None else Slot(row["subject"], row["attribute"], bool(row["many"]))
    return Statement(
        number=row["statement"],
        text=row["text"],
        kind=Kind(row["kind"]),
        slot=slot,
        value=row["value"],
        event=event(row["event_from"], row["event_to"], row["event_precision"]),
        source=SourceClass(row["source"]),
    )


def memory_row(row: sqlite3.Row) -> Row:
    """From the joined columns of `memory_rows` and `statements`."""
    return Row(
        number=row["number"],
        memory_id=row["memory_id"],
        statement=statement(row),
        valid_from=from_micros(row["valid_from"]),
        valid_to=maybe_time(row["valid_to"]),
        recorded=row["recorded"],
        retired=row["retired"],
        metadata=metadata(row["metadata"]),
        expires_at=maybe_time(row["expires_at"]),
        quarantined=bool(row["quarantined"]),
        restores=row["restores"],
    )


def quoted(row: sqlite3.Row) -> Quoted:
    """From the joined columns of `sources` and `turns`; a turn that is not there is a ValueError."""
    role = Role(row["role"])
    return Quoted(
        statement=row["statement"],
        quote=row["quote"],
        turn_id=row["id"],
        role=role,
        speaker=speaker(row["name"], role),
        said_at=at_offset(from_micros(row["said_at"]), row["utc_offset"]),
        session_id=row["session_id"],
        agent_id=row["agent_id"],
        echo=bool(row["echo"]),
    )


def turn(row: sqlite3.Row, user_id: str | None) -> Turn:
    """From the columns of `turns`."""
    return Turn(
        id=row["id"],
        number=row["number"],
        scope=Scope(user_id, row["agent_id"], row["session_id"]),
        batch_id=row["batch_id"],
        role=Role(row["role"]),
        content=row["content"],
        name=row["name"],
        said_at=at_offset(from_micros(row["said_at"]), row["utc_offset"]),
        dated=bool(row["dated"]),
        metadata=metadata(row["metadata"]),
    )


def metadata(text: str) -> dict[str, Any]:
    """A caller's own."""
    found: dict[str, Any] = {} if text == "{}" else json.loads(text)
    return found


def change(row: sqlite3.Row) -> ChangeRecord:
    """From the columns of `changes`."""
    return ChangeRecord(
        id=row["id"],
        number=row["number"],
        op=Op(row["op"]),
        memory_id=row["memory_id"],
        row=row["row"],
        previous_text=row["previous_text"],
        also_ended=tuple(json.loads(row["also_ended"])),
        reason=row["reason"],
        flag=row["flag"],
        batch_id=row["batch_id"],
        chunk=row["chunk"],
        recorded_at=from_micros(row["recorded_at"]),
        actor=row["actor"],
        model=row["model"],
        prompt_id=row["prompt_id"],
        undoes=row["undoes"],
    )


def dump_fact(fact: Fact) -> str:
    """A fact as JSON."""
    slot = fact.slot
    plain: dict[str, Any] = {
        "text": fact.text,
        "kind": fact.kind.value,
        "evidence": [{"turn_id": one.turn_id, "quote": one.quote} for one in fact.evidence],
        "slot": slot and {"subject": slot.subject, "attribute": slot.attribute, "many": slot.many},
        "value": fact.value,
        "entities": [{"name": one.name, "kind": one.kind} for one in fact.entities],
        "relations": [
            {"subject": one.subject, "predicate": one.predicate, "object": one.object} for one in fact.relations
        ],
        "event": event_columns(fact.event),
        "valid_from": maybe_micros(fact.valid_from),
        "retracts": fact.retracts,
        "bare_forget": fact.bare_forget,
        "source": fact.source.value,
    }
    return dump(plain)


def load_fact(payload: str) -> Fact:
    """The inverse of `dump_fact`."""
    plain = json.loads(payload)
    return Fact(
        text=plain["text"],
        kind=Kind(plain["kind"]),
        evidence=tuple(Evidence(**one) for one in plain["evidence"]),
        slot=None if plain["slot"] is None else Slot(**plain["slot"]),
        value=plain["value"],
        entities=tuple(Entity(**one) for one in plain["entities"]),
        relations=tuple(Relation(**one) for one in plain["relations"]),
        event=event(*plain["event"]),
        valid_from=maybe_time(plain["valid_from"]),
        retracts=plain["retracts"],
        bare_forget=plain["bare_forget"],
        source=SourceClass(plain["source"]),
    )
