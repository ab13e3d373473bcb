"""What an update leaves: the start of a state, the slot, the memories that it joins; and whose word an answer is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from recollect import Memory
from recollect.model import (
    Add,
    Evidence,
    Extraction,
    Fact,
    Keep,
    Kind,
    Reconciliation,
    Role,
    Scope,
    Slot,
    SourceClass,
    Turn,
    Update,
)
from recollect.safety.trust import source_of
from recollect.testing import HashEmbedder

SAID = datetime(2025, 3, 1, tzinfo=UTC)
DIET = Slot("Ann", "diet")


class Told:
    """An extractor that takes every message for a fact with the fields given, and a reconciler that decides as given.
    Targets are texts."""

    def __init__(self, facts, decisions):
        self.facts, self.decisions = iter(facts), iter(decisions)

    async def extract(self, chunk):
        quoted = [(turn, (Evidence(turn.id, turn.content),)) for turn in chunk.turns]
        return Extraction(tuple(Fact(turn.content, Kind.PROFILE, quote, **next(self.facts)) for turn, quote in quoted))

    async def reconcile(self, cases):
        return Reconciliation(tuple(next(self.decisions)(case) for case in cases))


def number(case, text):
    return next(one.number for one in case.candidates if one.text == text)


def update(text, *targets, mode="revise"):
    return lambda case: Update(tuple(number(case, one) for one in targets), mode, text)


def stored(tmp_path, said, facts, decisions):
    with Memory(tmp_path, llm=Told(facts, decisions), embedder=HashEmbedder()) as memory:
        for chunk in said:
            memory.add([{"role": "user", "content": text, "timestamp": SAID} for text in chunk], user_id="u")
        return memory.get_all(user_id="u"), memory.verify()


def test_a_corrected_start_is_when_it_holds_from(tmp_path):
    years = [{"slot": DIET, "valid_from": datetime(year, 1, 1, tzinfo=UTC)} for year in (2019, 2018)]
    change = update("vegetarian since 2018", "vegetarian since 2019")
    found, report = stored(tmp_path, [["vegetarian since 2019"], ["since 2018"]], years, [change])
    assert [(one.text, one.valid_from.year) for one in found] == [("vegetarian since 2018", 2018)] and report.ok


def test_a_refinement_stays_in_the_slot_of_what_it_refines(tmp_path):
    slots = [{"slot": Slot("Ann", "employer"), "value": "Acme"}, {"slot": Slot("Ann", "first day"), "value": "fun"}]
    change = update("started at Acme, first day fun", "starts at Acme")
    found, _ = stored(tmp_path, [["starts at Acme"], ["first day fun"]], slots, [change])
    assert [(one.attribute, one.value) for one in found] == [("employer", "Acme")]


def test_a_refinement_of_several_ends_all_and_keeps_their_evidence(tmp_path):
    said = [["likes tea"], ["likes green tea"], ["likes sencha"]]
    decisions = [lambda _: Add(), update("likes tea, green, sencha", "likes tea", "likes green tea")]
    with Memory(tmp_path, llm=Told([{}, {}, {}], decisions), embedder=HashEmbedder()) as memory:
        for chunk in said:
            memory.add(chunk[0], user_id="u")
        (only,) = memory.get_all(user_id="u")
        assert sorted(one.quote for one in memory.sources(only.id)) == ["likes green tea", "likes sencha", "likes tea"]
        memory.undo(memory.history(only.id)[-1].id)
        assert sorted(one.text for one in memory.get_all(user_id="u")) == ["likes green tea", "likes tea"]


@pytest.mark.parametrize("mode", ["revise", "supersede"])
def test_two_targets_that_became_one_memory(tmp_path, mode):
    slot = {"slot": DIET}
    keep = lambda case: Keep(number(case, "eats fish"))  # noqa: E731
    change = update("eats fish and eggs", "eats fish", "still eats fish", mode=mode)
    said = [["eats fish"], ["still eats fish", "and eggs"]]
    found, report = stored(tmp_path, said, [slot] * 3, [keep, change])
    assert [one.text for one in found] == ["eats fish and eggs"] and report.ok


@pytest.mark.parametrize(
    ("roles", "source"),
    [
        ((Role.ASSISTANT, Role.USER), SourceClass.USER),
        ((Role.USER, Role.ASSISTANT), SourceClass.ASSISTANT),
        ((Role.ASSISTANT,), SourceClass.ASSISTANT),
        ((Role.TOOL, Role.USER), SourceClass.TOOL),
        ((Role.SYSTEM, Role.ASSISTANT, Role.USER), SourceClass.DOCUMENT),
        ((), SourceClass.DOCUMENT),
    ],
)
def test_an_answer_makes_the_question_the_users_own_word(roles, source):
    turns = [Turn(str(n), n, Scope("u"), "b", role, "word", None, SAID, True) for n, role in enumerate(roles, 1)]
    assert source_of(turns) is source
