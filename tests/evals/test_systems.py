"""What every system under test promises, plain rivals and memories alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from knowing import KnowingModel
from small_talk import ANN, CARL, NITROGEN, OSLO, REX

from recollect.testing import HashEmbedder, ModelEndpoint
from recollect_evals import tokens
from recollect_evals.errors import SystemFailed
from recollect_evals.model import Conversation, Spent
from recollect_evals.systems import Access, Options, System, make
from recollect_evals.systems.external import External, Worker

TURNS = {turn.id for turn in ANN.turns}


class Contract:
    """Inherited by each system's tests, which bring `make`: a system on a folder."""

    has_memories = True
    searches = True

    @pytest.fixture
    def make(self) -> Callable[[Path], System]:
        raise NotImplementedError

    @pytest.fixture
    def system(self, make, tmp_path):
        made = make(tmp_path / "state")
        yield made
        made.close()

    @pytest.fixture
    def full(self, system):
        for talk in (ANN, CARL):
            system.ingest(talk)
        return system

    def test_what_was_said_is_found_with_its_turns_and_is_no_other_conversations(self, full):
        for question in (OSLO, REX):
            found = full.search("ann", question, 10)
            assert set(question.evidence) <= {turn for one in found for turn in one.turns} <= TURNS
            assert len({one.id for one in found}) == len(found)
            assert all(one.turns == (one.id,) for one in found if one.kind == "turn")
            if self.searches:
                assert found[0].turns[0] == question.evidence[0]

    def test_no_more_is_found_than_asked_for(self, full):
        assert len(full.search("ann", OSLO, 1)) == 1

    @pytest.mark.parametrize("budget", [1, 30, 120, 1000])
    def test_a_context_fits_its_budget_and_says_which_turns_are_in_it(self, full, budget):
        context = full.context("ann", REX, budget)
        assert context.tokens == tokens.count(context.text) <= budget
        assert set(context.turns) <= TURNS and len(set(context.turns)) == len(context.turns)
        assert bool(context.turns) == bool(context.text)
        assert context.text == "" or budget > 1
        if budget >= 120:
            assert "Rex" in context.text and "s2:3" in context.turns

    def test_what_is_stored_cites_its_turns(self, full):
        stored = full.stored("ann")
        assert bool(stored) == self.has_memories
        assert len({one.id for one in stored}) == len(stored)
        assert all(one.turns and set(one.turns) <= TURNS for one in stored)

    def test_a_second_ingest_leaves_the_same(self, full):
        before = state(full)
        assert same(full.ingest(ANN)) == same(full.ingest(ANN))
        assert state(full) == before

    def test_another_process_takes_it_in_again_and_finds_the_same(self, make, full, tmp_path):
        before, first = state(full), same(full.ingest(ANN))
        full.close()
        again = make(tmp_path / "state")
        assert same(again.ingest(ANN)) == first
        assert state(again) == before
        again.close()

    def test_a_question_about_nothing_of_it_is_no_error(self, full):
        assert len(full.search("ann", NITROGEN, 3)) <= 3
        assert full.context("ann", NITROGEN, 40).tokens <= 40

    def test_a_question_that_has_a_day_is_answered_from_what_was_said_until_then(self, full):
        then = replace(OSLO, asked_at=ANN.sessions[0].turns[1].said_at)
        early = {"s1:1", "s1:2"}
        assert {turn for one in full.search("ann", then, 10) for turn in one.turns} <= early
        assert set(full.context("ann", then, 1000).turns) <= early
        nurse = replace(then, text="Ben, a nurse in Hamburg")
        assert "s1:2" in {turn for one in full.search("ann", nurse, 10) for turn in one.turns}

    def test_an_unknown_conversation_is_an_error(self, system):
        for ask in (
            lambda: system.search("nobody", OSLO, 10),
            lambda: system.context("nobody", OSLO, 100),
            lambda: system.stored("nobody"),
        ):
            with pytest.raises(SystemFailed, match="nobody"):
                ask()

    def test_an_empty_conversation_has_nothing(self, system):
        assert system.ingest(Conversation("empty", ())).memories == 0
        assert (list(system.search("empty", OSLO, 5)), list(system.stored("empty"))) == ([], [])
        assert system.context("empty", OSLO, 100).text == ""

    def test_several_threads_find_what_one_finds(self, full):
        alone = full.search("ann", OSLO, 10)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: full.search("ann", OSLO, 10), range(12))) == [alone] * 12

    def test_its_settings_are_json_and_have_no_path_of_this_machine(self, system, tmp_path):
        assert str(tmp_path) not in json.dumps(dict(system.settings)) and system.name


def same(ingested):
    """All but the time that it took."""
    return replace(ingested, spent=replace(ingested.spent, seconds=0.0), rejected=dict(ingested.rejected))


def state(system):
    """What can be seen of a system."""
    found = [(one.kind, one.text, one.turns) for question in (OSLO, REX) for one in system.search("ann", question, 10)]
    stored = sorted((one.text, one.turns, one.live) for one in system.stored("ann"))
    return found, stored, system.context("ann", REX, 120).turns


# --- plain rivals ------------------------------------------------------------------------------------------------------


class Named(Contract):
    """A system by its name."""

    name = ""

    @pytest.fixture
    def make(self):
        return lambda folder: make(self.name, folder=folder, options=Options(embedder=HashEmbedder(256)))


class Plain(Named):
    has_memories = False


class TestBm25(Plain):
    name = "bm25"

    def test_turns_that_share_no_word_are_not_found(self, full):
        assert full.search("ann", NITROGEN, 10) == []
        assert full.context("ann", NITROGEN, 100).text == ""

    def test_a_context_is_in_the_order_of_time_with_days_and_speakers(self, full):
        context = full.context("ann", replace(OSLO, text="Rex, Oslo and Hamburg"), 100)
        assert context.turns == ("s1:2", "s2:1", "s2:3")
        assert context.text.splitlines()[0] == "[2024-03-01] Ben: I work as a nurse in Hamburg."


class TestMinilm(Plain):
    name = "minilm"


class TestBoth(Plain):
    name = "bm25+minilm"


class TestRrf(Plain):
    name = "rrf"


class TestPrevious(Plain):
    name = "previous-bm25"
    searches = False

    def test_a_turn_is_found_by_what_was_said_before_it_in_its_session(self, full):
        named = [one.id for one in full.search("ann", replace(OSLO, text="Oslo or Hamburg?"), 10)]
        assert sorted(named) == ["s1:2", "s1:3", "s2:1", "s2:2"]


class TestPreviousBoth(Plain):
    name = "previous-bm25+minilm"
    searches = False


class TestLastTurns(Plain):
    name = "last-turns"
    searches = False

    def test_only_the_last_ones_are_given(self, tmp_path):
        system = make("last-turns", folder=tmp_path, options=Options(last=2))
        system.ingest(ANN)
        assert [one.id for one in system.search("ann", OSLO, 10)] == ["s2:3", "s2:2"]
        assert system.context("ann", OSLO, 1000).turns == ("s2:2", "s2:3")
        assert system.name == "last 2 turns"


class TestFullContext(Plain):
    name = "full-context"
    searches = False

    @pytest.mark.parametrize("budget", [1, 1000])
    def test_a_context_fits_its_budget_and_says_which_turns_are_in_it(self, full, budget):
        """Its context is whole, whatever the budget."""
        context = full.context("ann", REX, budget)
        assert context.turns == tuple(turn.id for turn in ANN.turns)
        assert context.tokens == tokens.count(context.text)

    def test_a_question_about_nothing_of_it_is_no_error(self, full):
        assert "Hamburg" in full.context("ann", NITROGEN, 40).text


# --- memories ----------------------------------------------------------------------------------------------------------


class TestRules(Named):
    name = "recollect-rules"


class TestMemoriesOnly(Named):
    name = "recollect-rules:memories"

    def test_no_turn_is_found(self, full):
        assert {one.kind for one in full.search("ann", OSLO, 10)} == {"memory"}


class TestTurnsOnly(Named):
    name = "recollect-rules:turns:no-graph"

    def test_no_memory_is_found_and_two_turns_of_the_same_words_are_two(self, full):
        found = full.search("ann", replace(OSLO, text="A good morning to you"), 10)
        assert {one.kind for one in found} == {"turn"}
        assert {one.id for one in found if one.text == "A good morning to you."} == {"s1:3", "s2:2"}
        assert full.name == "recollect, rules, turns only, without graph"


class TestModel(Contract):
    """recollect with a language model, through its real client, at an endpoint that is scripted."""

    @pytest.fixture
    def make(self):
        known = {turn.text: {"text": f"{turn.speaker} said: {turn.text}"} for turn in (*ANN.turns, *CARL.turns)}
        with ModelEndpoint(KnowingModel(known)) as endpoint:
            access = Access("openai/any", api_base=endpoint.url, api_key="none")
            options = Options(embedder=HashEmbedder(256), access=access)
            yield lambda folder: make("recollect-model", folder=folder, options=options)

    def test_what_it_costs_is_told_and_not_paid_twice(self, system):
        first = system.ingest(ANN).spent
        assert first.calls > 0 and first.input_tokens > 0 and first.seconds > 0
        assert replace(system.ingest(ANN).spent, seconds=0) == replace(first, seconds=0)
        assert system.estimate(ANN).llm_calls >= 2
        assert system.name == "recollect, openai/any" and "none" not in system.settings.values()


STORES = Path(__file__).with_name("keeps_turns.py")


class TestExternal(Contract):
    """A worker in a process of its own that keeps turns in a file, and finds them by common words."""

    @pytest.fixture
    def make(self):
        def made(folder):
            worker = Worker(Path(sys.executable), STORES, folder, patience=60)
            return External("keeper", worker, {"folder": str(folder)}, {"of": "tests"}, install=["pip install keeper"])

        return made

    def test_what_it_says_of_itself_is_in_the_settings(self, system):
        assert dict(system.settings) == {"of": "tests", "version": "7"}

    def test_what_it_cost_is_told(self, system):
        spent = system.ingest(ANN).spent
        assert replace(spent, seconds=0) == Spent(calls=6, input_tokens=60, usd=None) and spent.seconds > 0
