"""The offline extractor and reconciler: what they keep, what they drop, and how they decide."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.evidence import holds
from recollect.model import Add, Candidate, Case, Delete, Fact, Keep, Role, Scope, SourceClass, Turn, Update
from recollect.ports import Chunk
from recollect.rules import RulesExtractor, RulesReconciler

SAID = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday


def turn(content, name=None, role=Role.USER, number=1):
    return Turn(f"turn{number}", number, Scope("u"), "b", role, content, name, SAID, True)


def extract(*turns):
    chunk = Chunk(tuple(turns))
    facts = asyncio.run(RulesExtractor().extract(chunk)).facts
    assert all(holds(evidence, chunk.turn(evidence.turn_id)) for fact in facts for evidence in fact.evidence)
    return facts


def only(content, name=None):
    (fact,) = extract(turn(content, name))
    return fact


KEPT = [
    # said, the fact, attribute, value, many
    ("My favorite color is blue.", "The user's favorite color is blue.", "favorite color", "blue", False),
    ("My name is Ada.", "The user's name is Ada.", "name", "Ada", False),
    ("I live in Rome.", "The user lives in Rome.", "home", "Rome", False),
    ("I moved to Oslo yesterday.", "The user moved to Oslo on 23 November 2026.", "home", "Oslo", False),
    ("I work at Acme.", "The user works at Acme.", "employer", "Acme", False),
    ("I'm allergic to peanuts.", "The user is allergic to peanuts.", "allergies", "peanuts", True),
    ("I have a dog.", "The user has a dog.", "pets", "a dog", True),
    (
        "I'm planning a trip to Japan next month.",
        "The user is planning a trip to Japan in December 2026.",
        "plans",
        None,
        True,
    ),
]


@pytest.mark.parametrize(("said", "text", "attribute", "value", "many"), KEPT, ids=[row[0] for row in KEPT])
def test_common_slots(said, text, attribute, value, many):
    fact = only(said)
    assert fact.text == text and fact.slot is not None
    assert (fact.slot.subject, fact.slot.attribute, fact.slot.many) == ("The user", attribute, many)
    assert value is None or fact.value == value


def test_a_named_speaker_is_named_and_dates_are_worked_out():
    fact = only("I visited the British Museum last week.", "Ann")
    assert "Ann" in fact.text and "I " not in fact.text and "last week" not in fact.text
    assert fact.event is not None and fact.event.start <= datetime(2026, 11, 16, tzinfo=UTC) <= fact.event.end


@pytest.mark.parametrize(
    "said",
    [
        "Hi there!",
        "Thanks, that's awesome!",
        "How are you?",
        "Recommend some travel destinations.",
        "It was great.",
        "Maybe I will go.",
        "You should drink more water.",
        "I can't wait to hear more!",
        "Ich wohne seit drei Jahren in der schönen Stadt Köln.",
        "def f(x): return x + 1",
    ],
)
def test_what_is_not_worth_keeping(said):
    assert extract(turn(said)) == ()


@pytest.mark.parametrize("role", [Role.SYSTEM, Role.TOOL, Role.ASSISTANT])
def test_only_people_tell_facts(role):
    assert extract(turn("I live in Rome.", role=role)) == ()


@pytest.mark.parametrize(
    ("said", "attribute", "value"),
    [
        ("I no longer work at Acme.", "employer", "Acme"),
        ("I don't like sushi any more.", "likes", "sushi"),
        ("I quit my job at Acme.", "employer", "Acme"),
    ],
)
def test_retractions(said, attribute, value):
    fact = extract(turn(said))[0]
    assert fact.retracts and fact.slot is not None and (fact.slot.attribute, fact.value) == (attribute, value)


def test_forgetting_is_asked_for_and_states_nothing():
    fact = only("Forget that I live in Rome.")
    assert fact.retracts and fact.bare_forget


WORDS = st.sampled_from(
    ["I", "my", "we", "love", "live", "in", "Rome", "last", "week", "2019", "no", "longer", "and", ".", ",", "!"]
)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=300) | st.lists(WORDS).map(" ".join))
def test_any_text_is_taken_the_same_way_twice(text):
    if text.strip():
        assert extract(turn(text)) == extract(turn(text))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", ["I ", "a", "my my ", "last ", "I live in ", "and, ", "'", "1 ", "no longer "])
def test_long_texts_end(piece):
    extract(turn(piece * (60_000 // len(piece))))


# --- the reconciler ----------------------------------------------------------------------------------------------------


def candidate(fact, number=1):
    return Candidate(
        number,
        fact.text,
        fact.kind,
        fact.slot,
        fact.value,
        fact.event,
        fact.entities,
        SAID,
        SourceClass.USER,
        0.9,
        earlier=0,
    )


def decide(new, *known):
    fact = new if isinstance(new, Fact) else extract(turn(new, "Ann"))[-1]
    beside = tuple(candidate(extract(turn(text, "Ann"))[-1], n) for n, text in enumerate(known, start=1))
    return asyncio.run(RulesReconciler().reconcile([Case(fact, SAID, beside)])).decisions[0]


def test_a_changed_value_supersedes():
    assert decide("I live in Oslo.", "I have a dog.", "I live in Rome.") == Update(
        (2,), "supersede", "Ann lives in Oslo.", reason=decide("I live in Oslo.", "I live in Rome.").reason
    )


def test_a_refinement_revises():
    decision = decide("I have a dog called Rex.", "I have a dog.")
    assert isinstance(decision, Update) and decision.mode == "revise" and "Rex" in decision.text


def test_duplicates_are_kept():
    assert isinstance(decide("I'm allergic to peanuts.", "I am allergic to peanuts."), Keep)


@pytest.mark.parametrize(
    ("new", "known"),
    [
        ("I'm allergic to cats.", "I'm allergic to peanuts."),
        ("I have a cat.", "I have a dog."),
        ("I visited Rome in 2019.", "I visited Rome in 2021."),
    ],
)
def test_other_values_stand_beside(new, known):
    assert isinstance(decide(new, known), Add)


def test_a_retraction_deletes_what_it_is_about_and_nothing_else():
    decision = decide("I no longer work at Acme.", "I have a dog.", "I work at Acme.")
    assert isinstance(decision, Delete) and decision.targets == (2,)
    unmatched = decide("I no longer work at Acme.", "I have a dog.")
    assert isinstance(unmatched, Add) and unmatched.flag
    nothing = decide("Forget that I live in Rome.", "I have a dog.")
    assert isinstance(nothing, Keep) and nothing.target is None


def test_nobody_elses_memory_is_touched():
    bob = candidate(extract(turn("I live in Rome.", "Bob"))[0])
    fact = extract(turn("I live in Oslo.", "Ann"))[0]
    (decision,) = asyncio.run(RulesReconciler().reconcile([Case(fact, SAID, (bob,))])).decisions
    assert isinstance(decision, Add)
