"""How the offline reconciler decides: each case with its operation, target and mode."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from recollect.model import (
    Add,
    Candidate,
    Case,
    Delete,
    Entity,
    Evidence,
    Fact,
    Keep,
    Kind,
    Role,
    Scope,
    Slot,
    SourceClass,
    Turn,
    Update,
)
from recollect.ports import Chunk
from recollect.rules import RulesExtractor, RulesReconciler
from recollect.safety.trust import Trust
from recollect.writing.extract import event_of
from recollect.writing.guard import guard
from recollect.writing.replies import EventReply

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
    ("I moved my family to Oslo last week.", ["I live in Rome."], ("UPDATE", 1, "supersede")),
    ("I moved my dentist appointment to Thursday.", ["I live in Rome."], ("ADD",)),
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
    ("I quit my job at Acme.", ["I work at Acme as a cook."], ("UPDATE", 1, "supersede")),  # an event of its own
    ("I sold my car.", ["I have a red car.", "I have a bike."], ("UPDATE", 1, "supersede")),
    ("My trip to Rome is off.", ["I'm planning a trip to Rome in June."], ("DELETE", 1)),
    ("I'm not vegetarian any more.", ["I'm vegetarian."], ("DELETE", 1)),
    ("I don't like ramen any more.", ["My favorite food is ramen."], ("DELETE", 1)),
    ("I broke up with my boyfriend.", ["My boyfriend's name is Max."], ("UPDATE", 1, "supersede")),
    ("Forget that I live in Rome.", ["I live in Rome."], ("DELETE", 1)),
    ("I no longer work at Acme.", ["I work at Bolt."], ("ADD",)),
    ("I no longer live in Rome.", ["My sister Anna lives in Rome."], ("ADD",)),
    ("I sold my car.", ["My sister Anna has a car."], ("ADD",)),
    ("Forget that I live in Rome.", ["I have a dog."], ("NONE", None)),
]  # fmt: skip


@pytest.mark.parametrize(("new", "known", "expected"), DECISIONS, ids=[f"{row[0]} | {row[1][-1]}" for row in DECISIONS])
def test_decisions(new, known, expected):
    assert outcome(decide(new, *known)) == expected


def told(text, slot, value=None, kind=Kind.PROFILE, event=None, named=(), **flags):
    """A fact as a model extracts it: "pet*" is a slot of several values, an event is "2025-05" or "1971..1975"."""
    start, _, end = (event or "").partition("..")
    when = event_of(EventReply(start=start, end=end or None)) if event else None
    slot = Slot("Ann", slot.rstrip("*"), slot.endswith("*"))
    return Fact(
        text, kind, (Evidence("t", text),), slot, value, (Entity("Ann"), *map(Entity, named)), event=when, **flags
    )


ENDED, RAN, PLANNED = {"retracts": True}, Kind.EVENT, Kind.PLAN
MODELLED = {
    "a former time of one's life ends nothing": (
        told("Ann lived in Cork from 2012 to 2015.", "home", "Cork", event="2012..2015"),
        told("Ann lives in Galway.", "home", "Galway"),
        ("ADD",),
    ),
    "but one that began lately does": (
        told("Ann has lived in Cork since last week.", "home", "Cork", event="2026-11-17..2026-11-24"),
        told("Ann lives in Galway.", "home", "Galway"),
        ("UPDATE", 1, "supersede"),
    ),
    "a plan that has come about": (
        told("Ann swam the lake race on 6 July 2026 in 38 minutes.", "race*", "lake race", RAN, "2026-07-06"),
        told("Ann wants to swim the lake race on 6 July 2026.", "race*", "lake race", PLANNED, "2026-07-06"),
        ("UPDATE", 1, "revise"),
    ),
    "a plan has come about, in its own words": (
        told("Ann visited the fair in May 2026.", "trip*", "the fair", RAN, "2026-05"),
        told("Ann will visit the fair in May 2026.", "trip*", "the fair", PLANNED, "2026-05"),
        ("UPDATE", 1, "revise"),
    ),
    "a date told more precisely": (
        told("Ann's trip to Japan goes to Kyoto from 4 to 9 May 2026.", "trip*", "Japan", event="2026-05-04..2026-05-09"),
        told("Ann plans a trip to Japan in May 2026.", "trip*", "Japan", PLANNED, "2026-05"),
        ("UPDATE", 1, "revise"),
    ),
    "another trip to the same place": (
        told("Ann was in Japan in May 2026.", "trip*", "Japan", RAN, "2026-05"),
        told("Ann was in Japan in May 2024.", "trip*", "Japan", RAN, "2024-05"),
        ("ADD",),
    ),
    "a date is told beside all that is known": (
        told("Ann's invoice for the roof is due on 3 May 2026.", "invoice*", event="2026-05-03"),
        told("Ann's invoice for the roof.", "invoice*"),
        ("UPDATE", 1, "revise"),
    ),
    "the same value with far more about it": (
        told("Ann's peanut allergy is so severe that she carries a pen.", "allergies*", "peanuts"),
        told("Ann is allergic to peanuts.", "allergies*", "peanuts"),
        ("UPDATE", 1, "revise"),
    ),
    "the same value in other words": (
        told("Ann's allergies include peanuts.", "allergies*", "peanuts"),
        told("Ann is allergic to peanuts.", "allergies*", "peanuts"),
        ("NONE", 1),
    ),
    "far more about it, and the memory has words of its own": (
        told("Ann's peanut allergy is so severe that she carries a pen.", "allergies*", "peanuts"),
        told("Ann is allergic to peanuts since a wedding in childhood.", "allergies*", "peanuts"),
        ("NONE", 1),
    ),
    "another meeting, as its number tells": (
        told("Ann met the tutor on 30 January about chapter 3.", "meeting*", "the tutor", RAN),
        told("Ann met the tutor on 16 January about chapter 2.", "meeting*", "the tutor", RAN),
        ("ADD",),
    ),
    "a value told with its year": (
        told("Ann was born on 17 August 1988.", "birthday", "17 August 1988"),
        told("Ann's birthday is on 17 August.", "birthday", "17 August"),
        ("UPDATE", 1, "revise"),
    ),
    "it says what it takes the place of": (
        told("Ann bought a cargo bike in place of the city bike.", "bikes*", "a cargo bike"),
        told("Ann has a city bike.", "bikes*", "a city bike"),
        ("UPDATE", 1, "supersede"),
    ),
    "another of the list stays": (
        told("Ann bought a cargo bike in place of the city bike.", "bikes*", "a cargo bike"),
        told("Ann has a gravel bike.", "bikes*", "a gravel bike"),
        ("ADD",),
    ),
    "a correction names what was wrong": (
        told("Ann's sister is called Annika, not Anika.", "sister", "Annika"),
        told("Ann's sister is called Anika.", "sister", "Anika"),
        ("UPDATE", 1, "revise"),
    ),
    "a number with a comma is corrected": (
        told("Ann paid 2,300 euros for the piano, and not 3,200.", "purchase*", "the piano", RAN),
        told("Ann paid 3,200 euros for the piano.", "purchase*", "the piano", RAN),
        ("UPDATE", 1, "revise"),
    ),
    "a correction tells of a mistake": (
        told("Ann's flight leaves at 12:40; 14:20 was misread.", "flight", "12:40"),
        told("Ann's flight leaves at 14:20.", "flight", "14:20"),
        ("UPDATE", 1, "revise"),
    ),
    "not any more is no correction": (
        told("Ann works at Bolt, not at Acme any more.", "employer", "Bolt"),
        told("Ann works at Acme.", "employer", "Acme"),
        ("UPDATE", 1, "supersede"),
    ),
    "a taste that turned is no correction": (
        told("Ann does not smoke.", "smoking", "no"),
        told("Ann smokes a pipe.", "smoking", "a pipe"),
        ("UPDATE", 1, "supersede"),
    ),
    "it never was so": (
        told("Ann never had three brothers.", "siblings*", "three brothers", **ENDED),
        told("Ann has three brothers.", "siblings*", "three brothers"),
        ("UPDATE", 1, "revise"),
    ),
    "an end with its day": (
        told("Ann no longer works at Acme as of 5 May 2026.", "employer", "Acme", event="2026-05-05", **ENDED),
        told("Ann works at Acme.", "employer", "Acme"),
        ("UPDATE", 1, "supersede"),
    ),
    "an end with its reason": (
        told("Ann stopped running because of her knees.", "likes*", "running", **ENDED),
        told("Ann likes running.", "likes*", "running"),
        ("UPDATE", 1, "supersede"),
    ),
    "merely over": (
        told("Ann has stopped running.", "likes*", "running", **ENDED),
        told("Ann likes running.", "likes*", "running"),
        ("DELETE", 1),
    ),
    "what happened has happened, whatever is over": (
        told("Ann no longer helps at the food bank.", "volunteering*", "the food bank", **ENDED),
        told("Ann carried parcels of the food bank in May 2026.", "volunteering*", "the food bank", RAN, "2026-05"),
        ("ADD",),
    ),
    "everything about somebody is to be forgotten": (
        told("Ann asks to forget everything about Otti.", "friend*", named=["Otti"], bare_forget=True, retracts=True),
        told("Ann and Otti sailed to Rügen in May 2026.", "trip*", "Rügen", RAN, "2026-05", named=["Otti"]),
        ("DELETE", 1),
    ),
    "who asks is not meant, and nobody whose name is like it": (
        told("Ann asks to forget everything about Anna.", "friend*", named=["Anna"], bare_forget=True, retracts=True),
        told("Ann sailed to Rügen in May 2026.", "trip*", "Rügen", RAN, "2026-05"),
        ("NONE", None),
    ),
    "what is about others is not": (
        told("Ann asks to forget everything about Otti.", "friend*", named=["Otti"], bare_forget=True, retracts=True),
        told("Ann and Bo sailed to Rügen in May 2026.", "trip*", "Rügen", RAN, "2026-05", named=["Bo"]),
        ("NONE", None),
    ),
    "who broke up may come together again": (
        told("Ann's partner is Max.", "partner", "Max"),
        told("Ann and Max broke up.", "partner", "Max"),
        ("UPDATE", 1, "supersede"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("new", "known", "expected"), MODELLED.values(), ids=MODELLED)
def test_facts_with_the_slots_and_times_of_a_model(new, known, expected):
    assert outcome(decide(new, known)) == expected


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
