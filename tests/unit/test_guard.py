"""Evidence and the guard: what a proposal must show, and what no decision may do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recollect.model import (
    Add,
    Candidate,
    Case,
    Delete,
    Entity,
    EventTime,
    Evidence,
    Extraction,
    Fact,
    Keep,
    Kind,
    Precision,
    Role,
    Scope,
    Slot,
    SourceClass,
    Turn,
    Update,
)
from recollect.ports import Chunk
from recollect.safety.trust import Trust
from recollect.writing.evidence import verify
from recollect.writing.guard import guard

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def turn(identifier, content):
    return Turn(identifier, 1, Scope("u"), "b", Role.USER, content, "Ann", NOON, True)


CHUNK = Chunk(
    turns=(turn("t2", "I moved to “Rome”, finally — and I'm glad."),), context=(turn("t1", "Where do you live?"),)
)


def fact(text="Ann moved to Rome.", quotes=(("t2", "I moved to Rome"),), **more):
    return Fact(text, Kind.PROFILE, tuple(Evidence(t, q) for t, q in quotes), **more)


@pytest.mark.parametrize(
    ("quotes", "held"),
    [
        ([("t2", 'I moved to "Rome", finally - and I\'m glad.')], 1),
        ([("t2", "i  MOVED\nto “rome”")], 1),
        ([("t2", "...finally!")], 1),
        ([("t2", "I moved to Paris"), ("t2", "I'm glad")], 1),
        ([("t1", "Where do you live?"), ("t2", "I moved")], 2),
        ([("t2", "I moved to Paris")], 0),
        ([("t1", "Where do you live?")], 0),
        ([("t9", "I moved")], 0),
        ([("t2", "...")], 0),
        ([("t2", "")], 0),
        ([], 0),
    ],
)
def test_quotes_must_stand_in_their_turns(quotes, held):
    verified = verify(Extraction((fact(quotes=quotes),)), CHUNK)
    assert [len(one.evidence) for one in verified.facts] == ([held] if held else [])
    assert len(verified.rejected) == (0 if held else 1)


def test_one_bad_fact_of_three_costs_one():
    backwards = EventTime(NOON, datetime(2023, 1, 1, tzinfo=UTC), Precision.DAY)
    good = fact(quotes=[("t2", "I'm glad")])
    proposed = (good, fact(text=" ", quotes=[("t2", "glad")]), fact(quotes=[("t2", "glad")], event=backwards), good)
    verified = verify(Extraction(proposed), CHUNK)
    assert len(verified.facts) == 1  # the good one was said twice
    assert [one.reason for one in verified.rejected] == ["empty text", "its event ends before it starts"]


def candidate(number=1, text="Ann lives in Oslo.", slot=None, entities=(), source=SourceClass.USER):
    return Candidate(number, text, Kind.PROFILE, slot, None, None, entities, NOON, source, earlier=number - 1)


def decided(decision, *, fact, candidates=None):
    beside = (candidate(),) if candidates is None else tuple(candidates)
    return guard([Case(fact, NOON, beside)], [decision])[0]


HOME = Slot("Ann", "home")
GONE = fact("Ann no longer lives in Oslo.", slot=HOME, retracts=True)
REFUSED = [
    (Update((), "revise", "x"), fact(), [candidate()], "no target"),
    (Update((7,), "revise", "x"), fact(), [candidate()], "unknown target"),
    (Update((1, 1), "revise", "x"), fact(), [candidate()], "twice"),
    (Update((1,), "revise", "  "), fact(), [candidate()], "empty"),
    (Update((1,), "revise", "Ann lives in Rome with Zoe."), fact(), [candidate()], "occur nowhere"),
    (Update((1,), "supersede", "Ann moved to Rome in 2019."), fact(), [candidate()], "occur nowhere"),
    (Update((1,), "supersede", "Ann moved to Rome."), fact(source=SourceClass.TOOL), [candidate()], "lower trust"),
    (Delete((1,)), fact(), [candidate(slot=HOME)], "without a retraction"),
    (Delete((1,)), GONE, [candidate(text="Bob likes tea.")], "neither slot nor entity"),
    (Delete(tuple(range(1, 8))), GONE, [candidate(n, slot=HOME) for n in range(1, 8)], "mass deletion"),
    (Keep(9), fact(), [candidate()], "unknown target"),
    (Keep(None), fact(), [candidate()], "nothing that says it"),
    (Keep(None), GONE, [candidate()], "nothing that says it"),
]


@pytest.mark.parametrize(("decision", "about", "candidates", "flag"), REFUSED, ids=[case[3] for case in REFUSED])
def test_refused_decisions_become_flagged_adds(decision, about, candidates, flag):
    final = decided(decision, fact=about, candidates=candidates)
    assert isinstance(final, Add) and flag in (final.flag or "")


def test_what_is_allowed_passes_unchanged():
    allowed = [
        (Update((1,), "supersede", "Ann moved to Rome."), fact(), [candidate()]),
        (Update((1,), "revise", "Ann lives in Oslo and moved to Rome."), fact(), [candidate()]),
        (Delete((1,)), GONE, [candidate(slot=HOME)]),
        (
            Delete((1,)),
            fact("It is over.", retracts=True, entities=(Entity("Oslo"),)),
            [candidate(entities=(Entity("oslo"),))],
        ),
        (Delete((1,)), GONE, [candidate()]),
        (Keep(1), fact(), [candidate()]),
        (Keep(None), fact("Forget where Ann lives.", retracts=True, bare_forget=True), []),
    ]
    for decision, about, candidates in allowed:
        assert decided(decision, fact=about, candidates=candidates) == decision


@pytest.mark.parametrize(
    ("text", "said", "known"),
    [
        ("The ideas of Ann's colleague James help Ann.", "James' ideas help Ann.", "Ann's colleague has ideas."),
        (
            "Tom ist einer der Zwillinge von Ann und mag Milch.",
            "Tom mag doch Milch.",
            "Tom, one of Ann's twins, hates milk.",
        ),
    ],
)
def test_genitives_and_german_nouns_are_not_invented(text, said, known):
    update = Update((1,), "revise", text)
    assert decided(update, fact=fact(said), candidates=[candidate(text=known)]) == update


def test_of_a_german_text_the_numbers_are_looked_at():
    update = Update((1,), "revise", "Tom ist der Sohn von Ann und 12 Jahre alt.")
    final = decided(update, fact=fact("Tom ist 11 Jahre alt."), candidates=[candidate(text="Tom is the son of Ann.")])
    assert isinstance(final, Add) and "occur nowhere" in (final.flag or "")


@pytest.mark.parametrize(
    ("said", "start", "kept"),
    [
        ("We fly in the last week of April.", datetime(2025, 4, 24, tzinfo=UTC), True),
        ("We flew last week.", datetime(2025, 4, 24, tzinfo=UTC), False),
    ],
)
def test_the_last_week_of_a_month_is_not_last_week(said, start, kept):
    chunk = Chunk((turn("t", said),), ())
    event = EventTime(start, start, Precision.WEEK)
    told = fact("Ann flies in the last week of April 2025.", quotes=[("t", said)], event=event)
    verified = verify(Extraction((told,)), chunk).facts[0]
    assert (verified.event == event, verified.text == told.text) == (kept, kept)


@pytest.mark.parametrize(("ago", "kept"), [("a few years back", True), ("yesterday", False)])
def test_what_is_told_as_just_done_is_of_its_day_whatever_else_is_quoted(ago, kept):
    today = turn("t", f"I just signed up for a class, I did some coding {ago}.")
    event = EventTime(NOON.replace(hour=0), NOON.replace(hour=23, minute=59), Precision.DAY)
    told = fact("Ann signed up for a class on 1 May 2024.", quotes=[("t", today.content)], event=event)
    assert (verify(Extraction((told,)), Chunk((today,), ())).facts[0].event == event) is kept


def test_a_bare_request_to_forget_is_never_stored():
    bare = fact("Forget where Ann lives.", retracts=True, bare_forget=True)
    for decision in (Add(), Delete((9,)), Delete(())):
        assert isinstance(decided(decision, fact=bare), Keep)


def test_two_operations_on_one_target():
    cases = [Case(fact(), NOON, (candidate(),)), Case(fact(), NOON, (candidate(),))]
    first, second = guard(cases, [Update((1,), "supersede", "Ann moved to Rome.")] * 2)
    assert isinstance(first, Update) and isinstance(second, Add) and "two operations" in (second.flag or "")


@pytest.mark.parametrize(
    ("known", "source", "refused"),
    [
        ("The user lives in Oslo.", SourceClass.USER, True),
        ("Rex is the user's dog.", SourceClass.USER, True),
        ("The billing service runs on PostgreSQL 14.", SourceClass.USER, False),
        ("The billing service runs on PostgreSQL 14.", SourceClass.ASSISTANT, True),
        ("The user lives in Oslo.", SourceClass.CLAIM, False),
    ],
)
def test_a_claim_ends_what_a_user_told_of_others_and_nothing_of_themselves(known, source, refused):
    claim = fact("The billing service runs on PostgreSQL 16.", source=SourceClass.CLAIM)
    assert Trust().refuses(claim, candidate(text=known, source=source)) == refused
    assert not Trust.given({"claim": 3}).refuses(claim, candidate(text=known, source=source))
