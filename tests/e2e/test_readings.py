"""What a capable reader answered to our prompts (evals/readings), played again over SQLite, FAISS and MiniLM."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from recollect import Memory, check, prompts
from recollect.adapters.litellm_model import LitellmModel
from recollect.errors import ModelError
from recollect.memory import chunk_sizes
from recollect.testing import ModelEndpoint, Reply
from recollect.tokens import estimate_tokens
from recollect.usage import Usage
from recollect.writing.estimate import as_turns, asked, in_chunks, shape_tokens, usage_of
from recollect.writing.replies import ExtractReply, ReconcileReply

FILE = Path(__file__).parents[2] / "evals" / "readings" / "readings.py"
spec = importlib.util.spec_from_file_location("readings", FILE)
readings = sys.modules["readings"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readings)


class Reader:
    """Answers from a transcript; remembers what it had no reply to."""

    def __init__(self, name):
        self.calls = readings.calls(name)
        self.transcript = readings.Transcript(self.calls, readings.sittings(name))
        self.missing = []
        self.read = self.written = 0  # tokens

    def __call__(self, request):
        messages = request.body["messages"]
        shape = ExtractReply if "New messages:" in messages[-1]["content"] else ReconcileReply
        self.read += sum(estimate_tokens(one["content"]) for one in messages) + shape_tokens(shape)
        try:
            reply = self.transcript.reply(messages[-1]["content"])
            self.written += estimate_tokens(json.dumps(reply, ensure_ascii=False))
            return reply
        except LookupError as error:
            self.missing.append(str(error))
            return Reply(status=400)


def remembered(memory, name):
    """What is remembered at the end of the conversation, which may lie in the future."""
    return memory.get_all(user_id=name, as_of=readings.sittings(name)[-1].messages[-1]["timestamp"])


def expected(name, calls):
    """The operations of a transcript, and the texts that they leave: read plainly, one after the other."""
    live = [message["content"] for one in readings.sittings(name) if not one.infer for message in one.messages]
    ops = Counter()
    decided = {(c["session"], c["chunk"]): c["reply"]["decisions"] for c in calls if c["step"] == "reconcile"}
    for call in (c for c in calls if c["step"] == "extract"):
        by_fact = {one["fact"]: one for one in decided.get((call["session"], call["chunk"]), [])}
        became = {}
        for fact in call["reply"]["facts"]:
            decision = by_fact.get(fact["text"], {"op": "ADD", "targets": [], "text": None})
            ops[decision["op"]] += 1
            targets = [became.get(text, text) for text in decision["targets"]]
            if decision["op"] in ("UPDATE", "DELETE"):
                assert all(live.count(text) == 1 for text in targets)
                live = [text for text in live if text not in targets]
            if decision["op"] in ("ADD", "UPDATE"):
                became[fact["text"]] = decision["text"] or fact["text"]
                live.append(became[fact["text"]])
    return ops, sorted(live)


@pytest.fixture(params=list(readings.NEEDS), scope="module")
def played(request, tmp_path_factory):
    name = request.param
    if not readings.NEEDS[name].exists():
        pytest.skip(f"{readings.NEEDS[name].name} is not there: see $RECOLLECT_DATA")
    store, reader = tmp_path_factory.mktemp(name) / "store", Reader(name)
    with ModelEndpoint(reader) as endpoint:
        model = {"api_base": endpoint.url, "api_key": "none", "mode": "json_schema"}
        try:
            results = list(readings.run(name, store, "openai/reader", **model))
        except ModelError as error:
            pytest.fail(f"{error}: {reader.missing}")
    with Memory(store, llm="rules") as memory:
        yield name, reader, endpoint, results, memory


def test_every_question_has_a_reply_and_every_reply_is_asked_for(played):
    _, reader, _, _, _ = played
    assert reader.missing == [] and reader.transcript.unasked() == []


def test_the_prompts_are_those_that_were_read(played):
    name, *_ = played
    assert readings.kept(name)["prompts"] == {step: prompts.load(step, 1).id for step in ("extract", "reconcile")}


def test_what_was_decided_is_what_is_remembered(played):
    name, reader, _, results, memory = played
    ops, live = expected(name, reader.calls)
    changes = [
        change
        for result in results
        for change in result.changes
        if (change.memory or change.flag != "quarantined") and not change.reason.startswith("said again by the ")
    ]
    assert Counter(change.op.value for change in changes) == ops
    assert sorted(item.text for item in remembered(memory, name)) == live
    assert memory.verify().ok


def test_nothing_was_rejected_or_refused(played):
    _, _, _, results, _ = played
    assert [one for result in results for one in result.rejected] == []
    flagged = [change for result in results for change in result.changes if change.flag]
    hidden = [change for change in flagged if change.flag == "quarantined" and change.memory is None]
    assert flagged == hidden  # Mira's house rules, which give orders to assistants; the facts in them are kept


def test_every_memory_shows_its_evidence(played):
    name, _, _, _, memory = played
    found = remembered(memory, name)
    assert found and all(memory.sources(item.id) for item in found)


def test_at_most_two_calls_a_chunk_and_every_token_counted(played):
    _, reader, endpoint, results, _ = played
    assert endpoint.calls == len(reader.calls) <= 2 * len({(one["session"], one["chunk"]) for one in reader.calls})
    used = [
        sum(getattr(result.usage, of) for result in results) for of in ("llm_calls", "input_tokens", "output_tokens")
    ]
    assert used == [endpoint.calls, endpoint.input_tokens, endpoint.output_tokens]


def test_the_ledger_knows_of_each_chunk_how_many_facts_it_held_and_what_it_cost(played):
    """What a dry run learns from: a turn that only says again what is remembered is no fact."""
    name, reader, endpoint, _, memory = played
    told = dict.fromkeys(one.instructions for one in readings.sittings(name))
    prompt = prompts.load("extract", 1).id
    paid = [
        one for how in told for one in memory._memory._store.journal.paid("openai/reader", prompt, how, 100)
    ]  # of the rules' memory: what was paid is in the ledger, whoever opens it
    paid.sort(key=lambda one: one.chunk.record.first_turn)
    read = [call for call in reader.calls if call["step"] == "extract"]
    assert [one.facts for one in paid] == [len(call["reply"]["facts"]) for call in read]
    used = sum((one.extracting + one.deciding for one in paid), Usage())
    assert (used.llm_calls, used.input_tokens) == (endpoint.calls, endpoint.input_tokens)
    decided = [call for call in reader.calls if call["step"] == "reconcile"]
    assert sum(one.deciding.llm_calls for one in paid) == len(decided)


def test_the_past_can_be_asked_for(played):
    name, _, _, _, memory = played
    if name != "mira":
        pytest.skip("asked of our own conversation only")
    diet = {
        day: [item.text for item in memory.get_all(user_id=name, as_of=day) if item.attribute == "diet"]
        for day in ("2018-06-01", "2025-02-01", "2025-03-01")
    }
    vegetarian = ["The user has been vegetarian since the summer of 2018."]
    assert diet["2018-06-01"] == diet["2025-02-01"] == vegetarian
    assert len(diet["2025-03-01"]) == 1 and "Fisch" in diet["2025-03-01"][0]


def test_what_a_talk_alone_costs_is_near_the_estimate(played):
    """How many facts a talk holds is not known beforehand: the money is, in the range that the estimate names."""
    name, reader, _, _, _ = played
    model, told, chunks = LitellmModel("openai/gpt-5-mini", mode="json_schema"), 0, []
    for one in readings.sittings(name):
        messages = check.messages(list(one.messages), None)
        if one.infer:
            chunks += in_chunks(as_turns(messages), chunk_sizes(len(messages)), one.instructions, told)
        told += len(messages)
    planned = usage_of(model, [asked(model, one) for one in chunks])
    paid = Usage(len(reader.calls), reader.read, reader.written)
    least, usual, most, real = (
        (one.input_tokens + one.output_tokens, model.price(one))
        for one in (planned.least, planned.usual, planned.most, paid)
    )
    assert planned.usual.llm_calls == paid.llm_calls
    assert least[0] < real[0] < most[0] and least[1] < real[1] < most[1]
    assert abs(usual[0] / real[0] - 1) < 0.15 and abs(usual[1] / real[1] - 1) < 0.2
