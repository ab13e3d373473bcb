"""What a dry run assumes of what nobody can know beforehand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.memory import chunk_sizes
from recollect.model import Message, Role
from recollect.ports import Completion
from recollect.usage import Usage
from recollect.writing.candidates import MAX_CANDIDATES
from recollect.writing.estimate import Expected, as_turns, beside, estimate


class Priced:
    name = "priced"

    async def complete(self, messages, response_model):
        return Completion(response_model(), Usage(), self.name)

    async def aclose(self):
        pass

    def price(self, usage):
        return usage.input_tokens + 8.0 * usage.output_tokens


def told(turns, known, model=None):
    messages = [Message(Role.USER, f"I saw the sea on day {n}, and it rained.") for n in range(turns)]
    return estimate(model or Priced(), as_turns(messages), chunk_sizes(turns), None, known)


@given(st.floats(0.1, 200), st.floats(0, 1e6))
def test_no_more_memories_stand_beside_facts_than_are_known_or_each_may_have(facts, known):
    found = beside(facts, known)
    assert 0 <= found <= known + 1e-6 and found <= MAX_CANDIDATES * max(1, facts) + 1e-6
    assert beside(facts, known + 1) >= found - 1e-6 and beside(facts + 1, known) >= found - 1e-6


@given(st.integers(1, 60), st.integers(0, 5_000))
def test_the_usual_is_between_a_talk_of_few_facts_and_one_of_many(turns, known):
    expected = told(turns, known)
    for of in ("llm_calls", "input_tokens", "output_tokens", "cost_usd"):
        least, usual, most = (getattr(one, of) for one in (expected.least, expected.usual, expected.most))
        assert least <= usual <= most


def test_nothing_costs_nothing():
    assert told(0, 0).usual == Usage(0, 0, 0, 0.0) and Expected() + Expected() == Expected()


def test_what_is_remembered_is_read_again_with_every_chunk_until_there_are_enough():
    """At first nothing stands beside the facts of a chunk, later a hundred memories: then it is read in two calls."""
    first, later, much_later = (told(10, known).usual for known in (0, 400, 40_000))
    assert first.llm_calls == 2 and first.input_tokens + 2_000 < later.input_tokens
    assert later.input_tokens < much_later.input_tokens < 1.5 * later.input_tokens
    assert first.output_tokens == later.output_tokens
    rich = told(10, 400).most
    assert rich.llm_calls > 2


@pytest.mark.parametrize("cut", [(20, 20), (5, 35)])
def test_a_talk_in_parts_costs_what_it_costs_whole(cut):
    whole = told(40, 0).usual
    parts = told(cut[0], 0).usual + told(cut[1], cut[0]).usual
    assert parts.output_tokens == pytest.approx(whole.output_tokens, rel=0.01)
    assert parts.input_tokens == pytest.approx(whole.input_tokens, rel=0.25)  # other chunks


def test_the_price_is_not_known_where_the_model_tells_none():
    class Unpriced(Priced):
        price = None

    assert told(9, 0, Unpriced()).most.cost_usd is None
