"""What a new fact is shown beside: small numbers, its slot first, and room for what is near in other ways."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from recollect import Memory
from recollect.model import (
    Add,
    Delete,
    Entity,
    EventTime,
    Evidence,
    Extraction,
    Fact,
    Keep,
    Kind,
    Precision,
    Reconciliation,
    Row,
    Slot,
    SourceClass,
    Statement,
    Update,
)
from recollect.safety.trust import Trust
from recollect.testing import HashEmbedder
from recollect.writing.candidates import MAX_CANDIDATES, candidate_of, cases_of, obvious, related

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOME, LIKES = Slot("Ann", "home"), Slot("Ann", "likes", many=True)


def fact(text, slot=None, **more):
    return Fact(text, Kind.PROFILE, (), slot=slot, **more)


def row(number, text, slot=None, event=None):
    said = Statement(number, text, Kind.PROFILE, slot, None, event, SourceClass.USER)
    return Row(number, f"mem_{number}", said, NOON, None, number)


def cases(facts, near, entities=None):
    shown = [[(one, 0.5) for one in rows] for rows in near]
    return cases_of(facts, [NOON] * len(facts), shown, entities or {}, {})


def test_a_memory_has_one_number_and_the_facts_follow_the_memories():
    oslo, tea, cat = row(70, "Ann lives in Oslo.", HOME), row(80, "Ann likes tea.", LIKES), row(90, "Ann has a cat.")
    facts = [fact("Ann lives in Rome.", HOME), fact("Ann likes rum.", LIKES), fact("Ann left Rome.", HOME)]
    one, two, three = cases(facts, [[oslo, tea], [tea, cat], [oslo]])
    assert [[c.number for c in case.candidates] for case in (one, two, three)] == [[1, 2], [2, 3], [1, 4]]
    assert [case.number for case in (one, two, three)] == [4, 5, 6]
    assert candidate_of(two, 3).row is cat and candidate_of(three, 4).earlier == 0
    numbers = {c.number: c.text for case in (one, two, three) for c in case.candidates}
    assert numbers[4] == facts[0].text and len(numbers) == 4


@pytest.mark.parametrize(
    ("one", "other", "are"),
    [
        (fact("a", HOME), fact("b", Slot("ann ", "Home")), True),
        (fact("a", HOME), fact("b", LIKES), False),
        (fact("Ann is here."), fact("ann is  here"), True),
        (fact("a", entities=(Entity("Rex"),)), fact("b", entities=(Entity("REX"), Entity("Ann"))), True),
        (fact("a", entities=(Entity("Rex"),)), fact("b", entities=(Entity("Ann"),)), False),
        (fact("a"), fact("b"), False),
    ],
)
def test_which_facts_of_a_chunk_are_shown_beside_each_other(one, other, are):
    assert related(one, other) is are


DAY = EventTime(NOON, NOON, Precision.DAY)


@pytest.mark.parametrize(
    ("about", "known", "decision"),
    [
        (fact("Ann lives in Rome.", HOME), [], Add),
        (fact("Ann lives in Rome.", HOME), [row(1, "ann lives in  rome", HOME)], Keep),
        (fact("Ann lives in Rome.", HOME), [row(1, "Ann lives in Rome.")], None),  # of another slot
        (fact("Ann lives in Rome.", HOME), [row(1, "Ann lives in Rome.", HOME, DAY)], None),  # of another day
        (fact("Ann lives in Rome.", HOME), [row(1, "Ann lives in Oslo.", HOME)], None),
        (fact("Ann left Rome.", HOME, retracts=True), [], None),
    ],
)
def test_what_needs_no_model(about, known, decision):
    (case,) = cases([about], [known])
    assert type(obvious(case)) is (decision or type(None)) and not isinstance(obvious(case), Delete)


def test_who_is_trusted_more_makes_it_their_word_by_the_callers_trust():
    """The user says again what the user said: nothing new. Where a tool is trusted more than the user, it becomes the tool's."""
    told = replace(fact("Ann lives in Rome.", HOME), source=SourceClass.TOOL)
    (case,) = cases([told], [[row(1, "Ann lives in Rome.", HOME)]])
    assert type(obvious(case)) is Keep
    assert type(obvious(case, Trust.given({"user": 1, "tool": 2}))) is Update


class Language:
    """Says what it is told to, adds everything, and keeps the cases that it was asked about."""

    def __init__(self):
        self.facts, self.cases = (), ()

    async def extract(self, chunk):
        quoted = (Evidence(chunk.turns[0].id, chunk.turns[0].content),)
        return Extraction(tuple(Fact(text, Kind.PROFILE, quoted, slot=slot) for text, slot in self.facts))

    async def reconcile(self, cases):
        self.cases = cases
        return Reconciliation(tuple(Add() for _ in cases))


@pytest.fixture
def language():
    return Language()


def test_a_slot_with_many_values_does_not_crowd_out_the_others(tmp_path, language):
    with Memory(tmp_path, llm=language, embedder=HashEmbedder()) as memory:
        language.facts = [(f"Ann likes number {n}.", LIKES) for n in range(60)]
        memory.add("So many things.", user_id="u")
        language.facts = [("The old boat of Ann's is painted green.", Slot("boat", "colour"))]
        memory.add("My boat is green.", user_id="u")
        language.facts = [("Ann likes her old boat painted green.", LIKES)]
        memory.add("I like my boat.", user_id="u")
        (case,) = language.cases
        shown = [candidate.text for candidate in case.candidates]
        assert "The old boat of Ann's is painted green." in shown
        assert len(shown) == len(set(shown)) == MAX_CANDIDATES
        assert [candidate.number for candidate in case.candidates] == list(range(1, MAX_CANDIDATES + 1))


def test_the_slot_is_shown_however_unlike_its_words_are(tmp_path, language):
    with Memory(tmp_path, llm=language, embedder=HashEmbedder()) as memory:
        language.facts = [("Ann dwells by a fjord.", HOME)]
        memory.add("I dwell by a fjord.", user_id="u")
        language.facts = [(f"The weather on day {n} in the city was hot.", None) for n in range(60)]
        memory.add("It was hot.", user_id="u")
        language.facts = [("The city flat with the hot weather is where Ann settled.", HOME)]
        memory.add("I settled in the city.", user_id="u")
        (case,) = language.cases
        assert case.candidates[0].text == "Ann dwells by a fjord." and len(case.candidates) == MAX_CANDIDATES


def test_what_has_ended_expired_or_is_anothers_is_not_shown(tmp_path, language):
    with Memory(tmp_path, llm=language, embedder=HashEmbedder()) as memory:
        language.facts = [("Ann likes tea.", LIKES)]
        memory.add("tea", user_id="bob")
        memory.add("tea", user_id="u", expires_at="2001-01-01")
        language.facts = [("Ann likes coffee.", LIKES)]
        memory.delete(memory.add("coffee", user_id="u").changes[0].memory.id)
        language.facts = [("Ann likes cocoa.", LIKES)]
        memory.add("cocoa", user_id="u")
        language.facts = [("Ann likes rum.", LIKES)]
        memory.add("rum", user_id="u")
        (case,) = language.cases
        assert [candidate.text for candidate in case.candidates] == ["Ann likes cocoa."]
