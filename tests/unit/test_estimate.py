"""What a dry run assumes of what nobody can know beforehand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.memory import chunk_sizes
from recollect.model import Message, Role, Scope, Turn
from recollect.ports import Chunk, Completion
from recollect.records import ChunkRecord, JournalledChunk, PaidChunk
from recollect.usage import Usage
from recollect.writing.candidates import MAX_CANDIDATES
from recollect.writing.estimate import (
    ASSUMED,
    ENOUGH,
    Asked,
    Waiting,
    as_turns,
    asked,
    beside,
    in_chunks,
    learned,
    usage_of,
)


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
    model = model or Priced()
    return usage_of(
        model, [asked(model, one) for one in in_chunks(as_turns(messages), chunk_sizes(turns), None, known)]
    )


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
    assert told(0, 0).usual == told(0, 0).most == Usage(0, 0, 0, 0.0)


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


# --- what was paid ------------------------------------------------------------------------------------------------------


def turn(number, words, role=Role.USER):
    said = " ".join(["garden"] * words)
    return Turn("", number, Scope(None), "", role, said, None, datetime(2025, 1, 1, tzinfo=UTC), True)


def chunk(n, words=12, role=Role.USER):
    """The n-th chunk of a user, of eight messages of so many words each."""
    turns = tuple(turn(8 * n + i + 1, words, role) for i in range(8))
    return JournalledChunk(ChunkRecord(n, 8 * n + 1, 8 * n + 8, "committed", 0), turns, (), None)


def paid(count, facts=5, calls=1, read=4_000, written=900, **of_chunk):
    """So many chunks, and what each cost."""
    extracting, deciding = Usage(calls, read, written, 0.25), Usage(1, 3_000 + 50 * facts, 60 * facts, 0.75)
    return [PaidChunk(chunk(n, **of_chunk), facts, 120 * facts, extracting, deciding) for n in range(count)]


def of(chunks, model):
    return [asked(model, Waiting(Chunk(one.chunk.turns), one.chunk.record.first_turn - 1)) for one in chunks]


@given(
    count=st.integers(ENOUGH, 3 * ENOUGH), facts=st.integers(1, 30), calls=st.integers(1, 3), read=st.integers(2_500, 9_000),
    written=st.integers(1, 9_000),
)  # fmt: skip
def test_what_chunks_cost_is_what_is_expected_of_the_same(count, facts, calls, read, written):
    """Whatever the model finds, how much of it it tells, how its tokens are counted, and how often it is asked again."""
    model = Priced()
    chunks = paid(count, facts, calls, calls * read, written)
    rates, real = learned(model, chunks, None), sum((one.extracting + one.deciding for one in chunks), Usage())
    told = usage_of(model, of(chunks, model), rates)
    assert rates.chunks == count and told.usual.llm_calls == real.llm_calls
    assert told.usual.output_tokens == pytest.approx(real.output_tokens, abs=1)
    assert told.least.output_tokens < told.usual.output_tokens < told.most.output_tokens or written == 1
    assert told.usual.cost_usd / model.price(told.usual) == pytest.approx(real.cost_usd / model.price(real))
    assert told.usual.input_tokens == pytest.approx(real.input_tokens, rel=0.001)


def test_of_few_chunks_nothing_is_learned():
    assert learned(Priced(), paid(ENOUGH - 1), None) == ASSUMED != learned(Priced(), paid(ENOUGH), None)


@pytest.mark.parametrize("told", [Usage(), Usage(1, 0, 0, 0.0), Usage(0, 3_000, 500, 0.0)], ids=str)
def test_of_a_model_that_does_not_tell_what_it_used_nothing_is_learned(told):
    assert learned(Priced(), [replace(one, extracting=told) for one in paid(ENOUGH)], None) == ASSUMED


def test_facts_go_by_what_people_say_and_not_by_what_an_assistant_does():
    rates, model = learned(Priced(), paid(ENOUGH), None), Priced()
    short, long = (of(paid(1, words=words), model)[0] for words in (12, 24))
    silent = of(paid(1, role=Role.ASSISTANT), model)[0]
    assert rates.facts(short) == pytest.approx(5) and rates.facts(long) == pytest.approx(10)
    assert rates.facts(silent) == 0 and ASSUMED.facts(silent) == ASSUMED.facts(short) == ASSUMED.facts(long)


def test_of_chunks_in_which_no_person_speaks_facts_go_by_messages():
    rates = learned(Priced(), paid(ENOUGH, role=Role.ASSISTANT), None)
    assert rates.chunks == ENOUGH and rates.facts(of(paid(1), Priced())[0]) == pytest.approx(5)


def test_no_facts_at_all_are_an_answer():
    model, chunks = Priced(), paid(ENOUGH, facts=0)
    chunks = [replace(one, deciding=Usage()) for one in chunks]
    told = usage_of(model, of(chunks, model), learned(model, chunks, None)).usual
    assert (told.llm_calls, told.output_tokens) == (ENOUGH, 900 * ENOUGH)


def test_what_is_extracted_is_not_extracted_again():
    one = Asked(turns=8, said=200, told=0, facts=4, calls=0, tokens=0)
    nothing = Asked(turns=8, said=200, told=0, facts=0, calls=0, tokens=0)
    usual = usage_of(Priced(), [one, nothing]).usual
    assert usual.llm_calls == 1 and usual.output_tokens == round(4 * ASSUMED.decision_tokens)


def test_the_price_is_the_listed_one_where_what_was_paid_is_not_known():
    chunks = [replace(one, extracting=replace(one.extracting, cost_usd=None)) for one in paid(ENOUGH)]
    assert learned(Priced(), chunks, None).price == 1.0
