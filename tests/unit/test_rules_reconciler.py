"""How the offline reconciler decides: each case with its operation, target and mode."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from recollect.guard import guard
from recollect.model import (
    Add,
    Candidate,
    Case,
    Delete,
    Evidence,
    Fact,
    Keep,
    Kind,
    Role,
    Scope,
    SourceClass,
    Turn,
    Update,
)
from recollect.ports import Chunk
from recollect.rules import RulesExtractor, RulesReconciler
from recollect.trust import Trust

SAID = datetime(2026, 11, 24, 12, tzinfo=UTC)


def extracted(said, name="Ann"):
    turn = Turn("t", 1, Scope("u"), "b", Role.USER, said, name, SAID, True)
    return asyncio.run(RulesExtractor().extract(Chunk((turn,)))).facts[-1]


def plain(text):
    """A statement without a slot, as an extractor of a caller's may tell it."""
    return Fact(text, Kind.KNOWLEDGE, (Evidence("t", text),))


def candidate(fact, number, similarity=0.9, source=SourceClass.USER):
    return Candidate(
        number, fact.text, fact.kind, fact.slot, fact.value, fact.event, fact.entities, SAID, source, similarity,
        earlier=number - 1,
    )  # fmt: skip


def decide(new, *known, similarity=0.9, source=SourceClass.USER, make=extracted, trust=None):
    fact = new if isinstance(new, Fact) else make(new)
    facts = [one if isinstance(one, Fact) else make(one) for one in known]
    case = Case(fact, SAID, tuple(candidate(one, n, similarity, source) for n, one in enumerate(facts, start=1)))
    trust = Trust.given(trust)
    decision = asyncio.run(RulesReconciler(trust).reconcile([case])).decisions[0]
    assert type(guard([case], [decision], trust)[0]) is type(decision), "the guard has nothing against it"
    return decision


def outcome(decision):
    match decision:
        case Update(targets, mode):
            return ("UPDATE", *targets, mode)
        case Delete(targets):
            return ("DELETE", *targets)
        case Keep(target):
            return ("NONE", target)
        case _:
            return ("ADD",)


DECISIONS = [
    # new, known, what comes of it
    ("I live in Oslo.", ["I have a dog.", "I live in Rome."], ("UPDATE", 2, "supersede")),
    ("I moved to Oslo last week.", ["I live in Rome."], ("UPDATE", 1, "supersede")),
    ("I work at Bolt.", ["I work at Acme."], ("UPDATE", 1, "supersede")),
    ("My favorite color is red now.", ["My favorite color is blue."], ("UPDATE", 1, "supersede")),
    ("I'm vegan.", ["I'm vegetarian."], ("UPDATE", 1, "supersede")),
    ("I turned 35.", ["I'm 34."], ("UPDATE", 1, "supersede")),
    ("My sister Anna lives in Oslo.", ["My sister Anna lives in Rome."], ("UPDATE", 1, "supersede")),
    ("I hate sushi.", ["I love sushi."], ("UPDATE", 1, "supersede")),
    ("I no longer work at Bolt.", ["I no longer work at Bolt."], ("NONE", 1)),  # said twice, it ends nothing more
    ("I have a dog called Rex.", ["I have a dog."], ("UPDATE", 1, "revise")),
    ("I'm planning a trip to Japan with my sister.", ["I'm planning a trip to Japan."], ("UPDATE", 1, "revise")),
    ("I moved to Rome last week.", ["I live in Rome."], ("UPDATE", 1, "revise")),
    ("I'm allergic to peanuts.", ["I am allergic to peanuts."], ("NONE", 1)),
    ("I live in Rome.", ["I moved to Rome last week."], ("NONE", 1)),
    ("I have a dog.", ["I have a dog called Rex."], ("NONE", 1)),
    ("I love hiking.", ["I really love hiking."], ("NONE", 1)),
    ("I'm allergic to cats.", ["I'm allergic to peanuts."], ("ADD",)),
    ("I have a cat.", ["I have a dog."], ("ADD",)),
    ("I visited Rome in 2019.", ["I visited Rome in 2021."], ("ADD",)),
    ("I won my second tournament.", ["I won my first tournament."], ("ADD",)),
    ("My favorite food is pizza.", ["My favorite color is blue."], ("ADD",)),
    ("My sister Anna lives in Rome.", ["I live in Oslo."], ("ADD",)),
    ("I live in Oslo.", ["My sister Anna lives in Rome."], ("ADD",)),
    ("I no longer work at Acme.", ["I have a dog.", "I work at Acme."], ("DELETE", 2)),
    ("I quit my job at Acme.", ["I work at Acme as a cook."], ("DELETE", 1)),
    ("I sold my car.", ["I have a red car.", "I have a bike."], ("DELETE", 1)),
    ("My trip to Rome is off.", ["I'm planning a trip to Rome in June."], ("DELETE", 1)),
    ("I'm not vegetarian any more.", ["I'm vegetarian."], ("DELETE", 1)),
    ("I don't like ramen any more.", ["My favorite food is ramen."], ("DELETE", 1)),
    ("I broke up with my boyfriend.", ["My boyfriend's name is Max."], ("DELETE", 1)),
    ("Forget that I live in Rome.", ["I live in Rome."], ("DELETE", 1)),
    ("I no longer work at Acme.", ["I work at Bolt."], ("ADD",)),
    ("I no longer live in Rome.", ["My sister Anna lives in Rome."], ("ADD",)),
    ("I sold my car.", ["My sister Anna has a car."], ("ADD",)),
    ("Forget that I live in Rome.", ["I have a dog."], ("NONE", None)),
]  # fmt: skip


@pytest.mark.parametrize(("new", "known", "expected"), DECISIONS, ids=[f"{row[0]} | {row[1][-1]}" for row in DECISIONS])
def test_decisions(new, known, expected):
    assert outcome(decide(new, *known)) == expected


def test_an_unmatched_retraction_is_kept_as_the_negative_and_flagged():
    decision = decide("I no longer work at Acme.", "I have a dog.")
    assert isinstance(decision, Add) and decision.flag


def test_nobody_elses_memory_is_touched():
    bobs = extracted("I live in Rome.", "Bob")
    assert outcome(decide("I live in Oslo.", bobs)) == ("ADD",)
    assert outcome(decide("I no longer live in Rome.", bobs)) == ("ADD",)


def test_a_source_of_lower_trust_changes_nothing():
    told = extracted("I live in Oslo.")
    lower = Fact(told.text, told.kind, told.evidence, told.slot, told.value, source=SourceClass.TOOL)
    assert outcome(decide(lower, "I live in Rome.")) == ("ADD",)


def test_the_rules_go_by_the_trust_that_the_guard_goes_by():
    """What the caller says of sources, and of kinds, holds for both: neither refuses what the other lets pass."""
    told = extracted("I live in Oslo.")
    lower = Fact(told.text, told.kind, told.evidence, told.slot, told.value, source=SourceClass.TOOL)
    assert outcome(decide(lower, "I live in Rome.", trust={"tool": 3}))[0] == "UPDATE"
    assert outcome(decide(lower, "I live in Rome.", trust={"tool": {told.kind.value: 3}}))[0] == "UPDATE"
    assert outcome(decide(lower, "I live in Rome.", trust={"tool": {"event": 3}})) == ("ADD",)
    assert outcome(decide("I live in Oslo.", "I live in Rome.", source=SourceClass.DOCUMENT, trust={"user": 0})) == (
        "ADD",
    )
    gone = extracted("I no longer live in Rome.")
    less = Fact(gone.text, gone.kind, gone.evidence, gone.slot, gone.value, retracts=True, source=SourceClass.TOOL)
    assert outcome(decide(less, "I live in Rome.")) == ("ADD",)
    assert outcome(decide(less, "I live in Rome.", trust={"tool": 3}))[0] == "DELETE"


CHANGES = [
    # new, known, cosine, what comes of it
    ("Ann's salary was raised from 18000 to 22000.", "Ann's salary is 18000 yuan.", 0.8, ("UPDATE", 1, "supersede")),
    ("Ann's health changed from 'poor' to 'good'.", "Ann's health is poor.", 0.8, ("UPDATE", 1, "supersede")),
    ("Ann's salary was raised from 18000 to 22000.", "Ann's rent is 18000 yuan.", 0.8, ("ADD",)),
    ("Ann's salary was raised from 18000 to 22000.", "Ann's salary is 22000 yuan.", 0.8, ("ADD",)),
    ("Ann's salary was raised from 18000 to 22000.", "Bob's salary is 18000 yuan.", 0.8, ("ADD",)),
    ("Ann is thankful for the colleagues' help at work.", "Ann is deeply thankful for the colleagues' help at work.",
     0.9, ("NONE", 1)),
    ("Ann's talks led to more sales, helping her firm.", "Ann's talks helped her firm and led to many sales.", 0.97,
     ("UPDATE", 1, "revise")),
    ("Ann's talks led to more sales, helping her firm.", "Ann's talks helped her firm and led to many sales.", 0.85, ("ADD",)),
    ("Ann's talks led to 3 sales, helping her firm.", "Ann's talks helped her firm and led to 4 sales.", 0.97, ("ADD",)),
    ("Ann's talks led to sales in Rome.", "Ann's talks led to sales in Oslo.", 0.97, ("ADD",)),
]  # fmt: skip


@pytest.mark.parametrize(("new", "known", "cosine", "expected"), CHANGES)
def test_statements_without_a_slot(new, known, cosine, expected):
    assert outcome(decide(new, known, similarity=cosine, make=plain)) == expected


def test_no_memory_is_hit_twice():
    known = extracted("I live in Rome.")
    cases = [Case(extracted(said), SAID, (candidate(known, 1),)) for said in ("I live in Oslo.", "I live in Bergen.")]
    decisions = asyncio.run(RulesReconciler().reconcile(cases)).decisions
    assert [outcome(one) for one in decisions] == [("UPDATE", 1, "supersede"), ("ADD",)]
