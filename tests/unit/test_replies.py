"""The patience with which replies are read: what can be meant in one way only is, and nothing is guessed."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from recollect.adapters.litellm_reply import fit
from recollect.model import Precision
from recollect.writing.extract import event_of, fact_of, span
from recollect.writing.replies import DecisionReply, EventReply, ExtractReply, FactReply, ReconcileReply

FACT = {"text": "Ann lives in Rome.", "kind": "profile", "evidence": [{"message": 1, "quote": "Rome"}]}


def read(**more):
    return FactReply.model_validate({**FACT, **more})


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("kind", None, "knowledge"),
        ("kind", 5, "knowledge"),
        ("subject", 5, None),
        ("subject", ["Ann"], None),
        ("attribute", {}, None),
        ("value", 3, "3"),
        ("value", 2.5, "2.5"),
        ("value", True, None),
        ("value", float("nan"), None),
        ("value", float("inf"), None),
        ("value", ["a", "b"], None),
        ("many", None, False),
        ("many", "false", False),
        ("many", "perhaps", True),
        ("retracts", "True", True),
        ("retracts", None, False),
        ("forget", "false", False),
        ("since", "", None),
        ("since", "2023-05-07T10:00:00+02:00", "2023-05-07"),
        ("since", " 2023-05 ", "2023-05"),
        ("evidence", None, []),  # and then nothing proves it
        ("event", None, None),
        ("event", "", None),
        ("event", {}, None),
        ("event", {"start": "", "end": None}, None),
        ("event", "2023-05-07", EventReply(start="2023-05-07")),
        ("event", {"start": "2023", "end": "", "precision": "decade"}, EventReply(start="2023")),
    ],
)
def test_what_is_read_of_a_field(field, given, value):
    assert getattr(read(**{field: given}), field) == value


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("text", None),
        ("text", 5),
        ("text", ""),
        ("text", ["Ann"]),
        ("text", "a\x00b"),
        ("text", "a\ud800b"),
        ("subject", "a\x00b"),
        ("retracts", "perhaps"),
        ("retracts", 1),
        ("forget", "yes"),
        ("since", "May"),
        ("since", 2023),
        ("since", "2023-5-7"),
        ("event", 2023),
        ("event", ["2023"]),
        ("event", {"end": "2023"}),
        ("event", {"start": "soon"}),
        ("evidence", "Rome"),
        ("evidence", [{"message": True, "quote": "Rome"}]),
        ("evidence", [{"message": "one", "quote": "Rome"}]),
        ("evidence", [{"message": 1.5, "quote": "Rome"}]),
    ],
)
def test_what_would_change_its_meaning_costs_the_fact(field, given):
    with pytest.raises(ValidationError):
        read(**{field: given})


def test_entities_relations_and_quotes_are_read_one_by_one():
    fact = read(
        entities=["Rome", {"name": "Ann", "kind": "person"}, {"name": ""}, 5, None, {"kind": "person"}],
        relations=[{"subject": "Ann", "predicate": "lives in", "object": "Rome"}, {"subject": "Ann"}, "x"],
        evidence=[{"message": "[2]", "quote": "Rome"}, {"message": 1}, "Rome", {"message": 3.0, "quote": "in"}],
    )
    assert [(one.name, one.kind) for one in fact.entities] == [("Rome", "thing"), ("Ann", "person")]
    assert [one.object for one in fact.relations] == ["Rome"]
    assert [(one.message, one.quote) for one in fact.evidence] == [(2, "Rome"), (3, "in")]


@pytest.mark.parametrize(
    ("event", "unit"),
    [
        ({"start": "2023-05-07"}, Precision.DAY),
        ({"start": "2023-05"}, Precision.MONTH),
        ({"start": "2023"}, Precision.YEAR),
        ({"start": "2023-05-07", "end": "2023-05-07"}, Precision.DAY),
        ({"start": "2023-05-07", "end": "2023-05-09"}, Precision.RANGE),
        ({"start": "2023-05-01", "end": "2023-05-07", "precision": "week"}, Precision.WEEK),
        ({"start": "2023-05", "precision": " season "}, Precision.SEASON),
    ],
)
def test_a_precision_that_is_not_given_is_that_of_the_dates(event, unit):
    assert event_of(EventReply.model_validate(event)).precision is unit


@pytest.mark.parametrize("date", ["2023-02-29", "2023-13", "0000", "2023-00-10", "9999-99", "9999"])
def test_a_date_that_is_none(date):
    with pytest.raises(ValueError, match="is no date"):
        span(date)


@pytest.mark.parametrize("date", ["2023", "2023-00", "2023-00-00"])
def test_a_month_that_is_not_known_is_written_with_zeros_too(date):
    assert span(date) == span("2023") and span("2023-05-00") == span("2023-05")


GOOD = {"fact": 3, "op": "UPDATE", "targets": [1], "mode": "revise", "text": "x", "reason": "y"}


@pytest.mark.parametrize(
    ("given", "read_as"),
    [
        ({"op": " update "}, {}),
        ({"fact": "3"}, {}),
        ({"fact": "[3]"}, {}),
        ({"fact": 3.0}, {}),
        ({"targets": "1"}, {}),
        ({"targets": 1}, {}),
        ({"targets": ["[1]"]}, {}),
        ({"targets": None}, {"targets": []}),
        ({"mode": "REVISE"}, {}),
        ({"mode": ""}, {"mode": None}),
        ({"reason": None}, {"reason": ""}),
        ({"reason": 5}, {"reason": ""}),
        ({"confidence": 1}, {}),
    ],
)
def test_decisions_that_are_read(given, read_as):
    assert DecisionReply.model_validate({**GOOD, **given}) == DecisionReply.model_validate({**GOOD, **read_as})


@pytest.mark.parametrize(
    "given",
    [
        {"op": None},
        {"op": "MERGE"},
        {"op": ["ADD"]},
        {"fact": None},
        {"fact": True},
        {"fact": "three"},
        {"fact": 3.5},
        {"fact": -1.5},
        {"targets": ["mem_1"]},
        {"targets": [True]},
        {"targets": [[1]]},
        {"targets": {"number": 1}},
        {"mode": "merge"},
        {"text": 5},
        {"text": "\x00"},
    ],
)
def test_decisions_that_are_not(given):
    with pytest.raises(ValidationError):
        DecisionReply.model_validate({**GOOD, **given})


@pytest.mark.parametrize("given", [[FACT], FACT, {"facts": FACT}, {"facts": [FACT]}, {"facts": [FACT], "x": 1}])
def test_one_fact_in_whatever_is_around_it(given):
    assert ExtractReply.model_validate(given).facts == [FactReply.model_validate(FACT)]


@pytest.mark.parametrize(
    "given",
    [None, 5, "", [], {}, {"facts": None}, {"facts": {}}, {"facts": "x"}, {"decisions": []}, {"text": "x"}, [5], [[]]],
)
def test_what_is_no_list_of_facts(given):
    with pytest.raises(ValidationError):
        ExtractReply.model_validate(given)


def test_only_an_empty_list_means_that_there_is_nothing():
    assert ExtractReply.model_validate({"facts": []}).facts == []
    assert ReconcileReply.model_validate({"decisions": []}).decisions == []


def test_what_is_malformed_is_told_without_its_content():
    reply = ExtractReply.model_validate({"facts": [FACT, {**FACT, "since": "secret"}, {**FACT, "text": "a\x00b"}, 5]})
    assert len(reply.facts) == 1
    assert [text for text, _ in reply.malformed] == ["Ann lives in Rome.", "a\ufffdb", ""]
    assert not any("secret" in why for _, why in reply.malformed)


def test_what_is_read_becomes_a_fact():
    fact = fact_of(read(subject="Ann", attribute="Home_Town ", value="Rome", many=False), [])
    assert fact.slot is not None and (fact.slot.subject, fact.slot.attribute, fact.slot.many) == (
        "Ann",
        "home town",
        False,
    )
    assert fact.evidence == () and fact_of(read(subject="Ann"), []).slot is None


def test_a_schema_demands_every_field_and_no_other():
    schema = ExtractReply.model_json_schema()
    for one in (schema, *schema["$defs"].values()):
        assert one["additionalProperties"] is False and set(one["required"]) == set(one["properties"])
        assert not any("default" in field for field in one["properties"].values())
    assert fit({"facts": []}, ExtractReply).facts == []
