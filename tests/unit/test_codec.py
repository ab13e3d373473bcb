"""Values to columns and back."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime

from recollect.adapters.codec import dump_fact, load_fact
from recollect.model import Entity, EventTime, Evidence, Fact, Kind, Precision, Relation, Slot, SourceClass

MOMENT = datetime(2024, 5, 7, 12, 30, tzinfo=UTC)
FULL = Fact(
    text="Anna's sister moved to Łódź.",
    kind=Kind.EVENT,
    evidence=(Evidence("turn_1", "moved"), Evidence("turn_2", "to Łódź")),
    slot=Slot("Anna's sister", "home", many=True),
    value="Łódź",
    entities=(Entity("Anna", "person"), Entity("Łódź", "place")),
    relations=(Relation("Anna", "sister", "Ewa"),),
    event=EventTime(MOMENT, MOMENT, Precision.DAY),
    valid_from=MOMENT,
    retracts=True,
    bare_forget=True,
    source=SourceClass.CLAIM,
)


def test_a_journalled_fact_is_read_as_it_was():
    plain = Fact("It rains.", Kind.KNOWLEDGE, ())
    assert load_fact(dump_fact(FULL)) == FULL
    assert load_fact(dump_fact(plain)) == plain


def test_nothing_of_a_fact_is_left_out():
    names = {field.name for field in fields(Fact)}
    assert json.loads(dump_fact(FULL)).keys() == names
    assert all(getattr(FULL, field.name) != field.default for field in fields(Fact))
