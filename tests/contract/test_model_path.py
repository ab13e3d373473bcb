"""The path of a conversation through a model: how often it is asked, what it sees, and what is paid for only once."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from recollect import AsyncMemory, Memory
from recollect.build import Store
from recollect.errors import BudgetExceeded, ModelConfigError, ModelUnavailable
from recollect.ports import Completion
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, Request
from recollect.usage import Usage

PEOPLE = [f"Person{n}" for n in range(40)]
SAID = [f"I met {name} at the fair." for name in PEOPLE]
TOLD = [f"Ann met {name} at the fair." for name in PEOPLE]
FACTS = {said: {"text": text} for said, text in zip(SAID, TOLD, strict=True)}


def messages(said):
    return [{"role": "user", "name": "Ann", "content": one} for one in said]


def opened(folder, endpoint, **options):
    options = {"llm": "openai/any", "api_base": endpoint.url, "api_key": "none"} | options
    return Memory(folder, embedder=HashEmbedder(), **options)


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("recollect.adapters.retry.FIRST_WAIT", 0.01)


@pytest.fixture
def model(knowing):
    return knowing(FACTS)


@pytest.fixture
def endpoint(model):
    with ModelEndpoint(model) as running:
        yield running


@pytest.fixture
def memory(tmp_path, endpoint):
    with opened(tmp_path, endpoint) as one:
        yield one


def texts(memory, user="ann"):
    return sorted(item.text for item in memory.get_all(user_id=user))


def asked(endpoint):
    """Which question each request was."""
    return ["reconcile" if "New facts:" in request.text else "extract" for request in endpoint.requests]


class Direct:
    """A caller's own model: an object with `complete`."""

    name = "mine"

    def __init__(self, model):
        self.model, self.calls = model, 0

    async def complete(self, messages, response_model):
        self.calls += 1
        reply = self.model(Request("POST", "/", {}, {"messages": messages}))
        return Completion(response_model.model_validate(reply), Usage(1, 10, 5, 0.0), self.name)

    async def aclose(self):
        self.closed = True


# --- calls ---------------------------------------------------------------------------------------------------------------


def test_two_calls_per_chunk_and_none_to_read(memory, endpoint):
    memory.add(messages(SAID[:1]), user_id="ann")
    assert asked(endpoint) == ["extract"]  # nothing is known: nothing to decide
    result = memory.add(messages(SAID[1:17]), user_id="ann")
    assert sorted(asked(endpoint)[1:]) == ["extract"] * 2 + ["reconcile"] * 2
    assert result.usage.llm_calls == 4 and texts(memory) == sorted(TOLD[:17])
    memory.add(messages(SAID[:1]), user_id="ann")
    assert asked(endpoint)[5:] == ["extract"]  # an exact duplicate needs no decision
    memory.search("whom did Ann meet?", user_id="ann", include=("memories", "turns"))
    str(memory.context("the fair", user_id="ann"))
    assert len(memory.get_all(user_id="ann")) == memory.count(user_id="ann") == 17
    memory.add(messages(SAID[:20]), user_id="bob", infer=False)
    assert len(endpoint.requests) == endpoint.calls == 6


def test_chunks_are_extracted_side_by_side_and_committed_in_order(tmp_path, model):
    together, others, events = threading.Event(), threading.Event(), []

    def late(request):
        """All four extractions are under way before the first one ends; the first chunk's comes last."""
        if asked(endpoint).count("extract") == 4:
            together.set()
        first = "Person0 " in request.text and "New facts" not in request.text
        return Reply(model(request), until=others if first else together)

    def heard(event):
        events.append((type(event).__name__, getattr(event, "chunk", None)))
        if [name for name, _ in events].count("Extracted") == 3:
            others.set()

    with ModelEndpoint(late) as endpoint, opened(tmp_path, endpoint, on_event=heard) as memory:
        memory.add(messages(SAID[:32]), user_id="ann")
        assert endpoint.most_at_once >= 4
    assert [chunk for name, chunk in events if name == "Committed"] == [0, 1, 2, 3]
    assert [chunk for name, chunk in events if name == "Extracted"][-1] == 0


def test_a_user_does_not_wait_for_another(tmp_path, model):
    class Slow(Direct):
        async def complete(self, messages, response_model):
            if "Person0 " in messages[1]["content"]:
                await self.go.wait()
            return await super().complete(messages, response_model)

    async def run():
        slow = Slow(model)
        slow.go = asyncio.Event()
        async with AsyncMemory(tmp_path, llm=slow, embedder=HashEmbedder()) as memory:
            waiting = asyncio.create_task(memory.add(messages(SAID[:1]), user_id="ann"))
            done = await memory.add(messages(SAID[1:3]), user_id="bob")  # would hang if it waited
            assert done.status == "done" and not waiting.done()
            slow.go.set()
            assert (await waiting).status == "done"

    asyncio.run(run())


def test_an_object_that_completes_is_a_model(tmp_path, model):
    mine = Direct(model)
    with Memory(tmp_path, llm=mine, embedder=HashEmbedder()) as memory:
        result = memory.add(messages(SAID[:9]), user_id="ann")
        assert texts(memory) == sorted(TOLD[:9])
        assert (result.usage.llm_calls, result.usage.tokens, result.usage.cost_usd) == (
            mine.calls,
            15 * mine.calls,
            0.0,
        )
    assert mine.closed


# --- what the model sees -------------------------------------------------------------------------------------------------


def test_the_sessions_last_turns_are_shown_across_batches(memory, endpoint):
    memory.add("What is the name of your cat?", user_id="ann", session_id="s")
    memory.add("Something of another session.", user_id="ann", session_id="t")
    memory.add("Something of Bob's.", user_id="bob", session_id="s")
    memory.add("Pixel.", user_id="ann", session_id="s")
    question = endpoint.requests[-1].body["messages"][1]["content"]
    earlier, new = question.split("New messages:")
    assert "What is the name of your cat?" in earlier and "Pixel." in new
    assert "Something" not in question


def test_instructions_are_shown(tmp_path, endpoint):
    with opened(tmp_path, endpoint, instructions="Only what is said of boats {{ 7*7 }}.") as memory:
        memory.add("Hello.", user_id="ann")
    assert "Only what is said of boats {{ 7*7 }}." in endpoint.requests[0].body["messages"][0]["content"]


def test_nothing_that_is_said_is_a_template(tmp_path, model, endpoint):
    odd = "I met {{ 7*7 }} {% raw %} {# x #} ${HOME} %s {0} \\1 at the fair."
    told = {"text": f"Ann met someone: {odd}", "subject": "{{ 7*7 }}", "attribute": "{% if %}"}
    model.facts = {**FACTS, odd: told}
    with opened(tmp_path, endpoint) as memory:
        memory.add(messages(SAID[:1]), user_id="ann")
        memory.add([{"role": "user", "name": "{{ 6*6 }}", "content": odd}], user_id="ann")
        assert told["text"] in texts(memory) and asked(endpoint)[1:] == ["extract", "reconcile"]
    extract, reconcile = (request.body["messages"][1]["content"] for request in endpoint.requests[1:])
    assert f"{{{{ 6*6 }}}}: {odd}" in extract and told["text"] in reconcile and "{{ 7*7 }}, {% if %}" in reconcile
    assert "49" not in extract + reconcile and "36" not in extract + reconcile


# --- too long ------------------------------------------------------------------------------------------------------------


def test_a_long_message_is_cut_and_every_piece_is_asked_about(memory, endpoint):
    filler = "We talked for long. " * 900
    long = f"{SAID[0]} {filler}{SAID[1]} {filler}{SAID[2]} {filler}{SAID[3]}"
    planned = memory.estimate(messages([long]))
    result = memory.add(messages([long]), user_id="ann")
    assert texts(memory) == sorted(TOLD[:4]) and asked(endpoint).count("extract") > 2
    assert result.usage.llm_calls == endpoint.calls and planned.usage.llm_calls == endpoint.calls + 1
    assert all(len(request.body["messages"][1]["content"]) < 40_000 for request in endpoint.requests)


TOO_LONG = Reply(
    {"error": {"message": "maximum context length is 10 tokens", "code": "context_length_exceeded"}}, status=400
)
CUT = Reply('{"facts": [', finish_reason="length")


@pytest.mark.parametrize("reply", [TOO_LONG, CUT], ids=["context", "reply"])
@pytest.mark.parametrize("most", [1, 3])
def test_too_much_at_once_is_halved_and_nothing_is_lost(tmp_path, model, reply, most):
    def small(request):
        question = request.body["messages"][1]["content"]
        if "New facts:" in question:
            return reply if question.split("New facts:")[1].count("\n[") > most else model(request)
        return reply if question.split("New messages:")[1].count("\n[") > most else model(request)

    with ModelEndpoint(small) as endpoint, opened(tmp_path, endpoint) as memory:
        memory.add(messages(SAID[10:11]), user_id="ann")
        result = memory.add(messages(SAID[:8]), user_id="ann")
        assert texts(memory) == sorted([*TOLD[:8], TOLD[10]]) and result.rejected == ()
        assert result.usage.llm_calls == endpoint.calls - 1


# --- paid once -----------------------------------------------------------------------------------------------------------


def test_facts_are_not_paid_for_again_after_an_error(memory, model, endpoint):
    memory.add(messages(SAID[:1]), user_id="ann")
    model.odd_decisions = Reply(status=503)
    with pytest.raises(ModelUnavailable) as caught:
        memory.add(messages(SAID[1:3]), user_id="ann", idempotency_key="k")
    assert caught.value.batch_id and texts(memory) == TOLD[:1]
    model.odd_decisions, before = None, len(endpoint.requests)
    assert memory.resume().finished == (caught.value.batch_id,)
    assert asked(endpoint)[before:] == ["reconcile"] and texts(memory) == sorted(TOLD[:3])
    again = memory.add(messages(SAID[1:3]), user_id="ann", idempotency_key="k")
    assert again.usage.llm_calls == 2 and memory.resume().finished == ()


WRITER = """
import sys
from recollect import Memory
from recollect.testing import HashEmbedder
with Memory(sys.argv[1], llm="openai/any", api_base=sys.argv[2], api_key="none", embedder=HashEmbedder()) as memory:
    said = [{"role": "user", "name": "Ann", "content": text} for text in sys.argv[3:]]
    memory.add(said[:1], user_id="ann")
    memory.add(said[1:], user_id="ann")
"""


def test_facts_are_not_paid_for_again_after_a_kill(tmp_path, model):
    child, known = None, threading.Event()

    def killing(request):
        assert known.wait(60)
        if "New facts:" in request.text and child.poll() is None:
            child.send_signal(signal.SIGKILL)
        return model(request)

    with ModelEndpoint(killing) as endpoint:
        command = [sys.executable, "-c", WRITER, str(tmp_path), endpoint.url, *SAID[:3]]
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        known.set()
        assert child.wait() == -signal.SIGKILL
        with opened(tmp_path, endpoint) as memory:
            (pending,) = memory.pending()
            assert texts(memory) == TOLD[:1] and memory.verify().ok
            before = len(endpoint.requests)
            assert memory.resume().finished == (pending.batch_id,)
            assert asked(endpoint)[before:] == ["reconcile"]
            assert texts(memory) == sorted(TOLD[:3]) and memory.verify().ok


def test_what_a_budget_stopped_is_finished_step_by_step_and_paid_once(tmp_path, endpoint):
    """A budget per add is one per attempt."""
    with opened(tmp_path, endpoint, budget={"add": {"calls": 1}}) as memory:
        first = memory.add(messages(SAID[:1]), user_id="ann")
        with pytest.raises(BudgetExceeded) as caught:
            memory.add(messages(SAID[1:18]), user_id="ann", idempotency_key="k")
        assert texts(memory) == TOLD[:1] and endpoint.calls == 2
        for left in (3, 2, 1):
            (pending,) = memory.pending()
            assert (pending.batch_id, pending.attempts, pending.status) == (caught.value.batch_id, 0, "pending")
            assert endpoint.calls == 5 - left
            memory.resume()
        assert memory.pending() == [] and texts(memory) == sorted(TOLD[:18])
        assert sorted(asked(endpoint)) == ["extract"] * 3 + ["reconcile"] * 2
        second = memory.add(messages(SAID[1:18]), user_id="ann", idempotency_key="k")
        assert first.usage.llm_calls + second.usage.llm_calls == endpoint.calls
        assert first.usage.tokens + second.usage.tokens == endpoint.input_tokens + endpoint.output_tokens


def test_what_is_stopped_by_a_budget_never_counts_as_failed(tmp_path, endpoint):
    with opened(tmp_path, endpoint, budget={"run": {"calls": 0}}) as memory:
        with pytest.raises(BudgetExceeded) as caught:
            memory.add(messages(SAID[:2]), user_id="ann")
        for _ in range(6):
            assert memory.resume().failed == {caught.value.batch_id: "BudgetExceeded"}
        (pending,) = memory.pending()
        assert (pending.batch_id, pending.attempts, pending.status) == (caught.value.batch_id, 0, "pending")
    with opened(tmp_path, endpoint) as memory:
        assert memory.resume().finished == (caught.value.batch_id,) and texts(memory) == TOLD[:2]


def test_a_model_that_cannot_be_used_is_counted_and_given_up(tmp_path, endpoint, model):
    model.odd = Reply(status=401)
    with opened(tmp_path, endpoint) as memory:
        with pytest.raises(ModelConfigError):
            memory.add(messages(SAID[:2]), user_id="ann")
        for _ in range(6):
            memory.resume()
        (pending,) = memory.pending()
        assert (pending.attempts, pending.status) == (5, "failed") and len(endpoint.requests) == 5
        model.odd = None
        assert memory.resume().finished == () and memory.resume(include_failed=True).finished == (pending.batch_id,)
        assert texts(memory) == TOLD[:2]


# --- interrupted -----------------------------------------------------------------------------------------------------------


class Stopper:
    """Cancels a task at the n-th thing that it waits for."""

    def __init__(self, at, *, begun):
        self.at, self.begun, self.count, self.task = at, begun, 0, None

    async def step(self):
        if self.task is None or (asyncio.current_task() is not self.task and not self.begun):
            return
        self.count += 1
        if self.count == self.at:
            self.task.cancel()
            if not self.begun:
                await asyncio.sleep(0)


@pytest.mark.parametrize("begun", [True, False], ids=["under way", "before it begins"])
def test_an_add_that_is_cancelled_anywhere_leaves_what_resume_finishes_once(tmp_path, monkeypatch, model, begun):
    in_thread = Store.in_thread
    stopper = Stopper(0, begun=begun)

    async def watched(self, function, *arguments):
        await stopper.step()
        return await in_thread(self, function, *arguments)

    class Watched(Direct):
        async def complete(self, messages, response_model):
            await stopper.step()
            return await super().complete(messages, response_model)

    monkeypatch.setattr(Store, "in_thread", watched)

    async def once(n):
        """Whether the add was cancelled."""
        folder = tmp_path / str(n)
        stopper.at, stopper.count, stopper.task = n, 0, None
        mine, other = Watched(model), Direct(model)
        async with AsyncMemory(folder, llm=mine, embedder=HashEmbedder()) as memory:
            await memory.add(messages(SAID[:1]), user_id="ann")
            stopper.task = asyncio.create_task(memory.add(messages(SAID[1:12]), user_id="ann"))
            with contextlib.suppress(asyncio.CancelledError):
                await stopper.task
            cancelled, stopper.task = stopper.task.cancelled(), None
            async with AsyncMemory(folder, llm=other, embedder=HashEmbedder()) as second:
                assert (await second.resume()).failed == {} and await second.pending() == []
                assert (await second.resume()).finished == () and (await second.verify()).problems == ()
                found = sorted(item.text for item in await second.get_all(user_id="ann"))
                assert found == sorted(TOLD[:12]) or (found == TOLD[:1] and n < 4)
                assert mine.calls + other.calls <= 5 + 2  # a call under way may have to be made again
        return cancelled

    async def run():
        n = 1
        while await once(n):
            n += 1
        assert n > (12 if begun else 4)  # writes are waited for in tasks of their own, which are not cancelled

    asyncio.run(run())


def test_another_writer_in_between_means_to_decide_again(tmp_path, model, endpoint):
    model.facts = {
        "I live in Oslo.": {"text": "Ann lives in Oslo.", "subject": "Ann", "attribute": "home"},
        "I moved to Rome.": {"text": "Ann lives in Rome.", "subject": "Ann", "attribute": "home"},
    }
    told = []

    def decide(n):
        if not told:
            told.append(other.add("Ann lives in Bergen.", user_id="ann", infer=False, timestamp="2024-02-01"))
        targets = [n("lives in Oslo"), *([n("in Bergen")] if n("in Bergen") else [])]
        return [{"fact": n("in Rome"), "op": "UPDATE", "targets": targets, "mode": "supersede", "text": None}]

    with opened(tmp_path, endpoint) as memory, Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as other:
        memory.add(messages(["I live in Oslo."]), user_id="ann", timestamp="2024-01-01")
        model.decide = decide
        result = memory.add(messages(["I moved to Rome."]), user_id="ann", timestamp="2024-03-01")
        assert asked(endpoint)[1:] == ["extract", "reconcile", "reconcile"] and result.usage.llm_calls == 3
        assert texts(memory) == ["Ann lives in Rome."] and memory.verify().ok
        (change,) = result.changes
        assert change.also_ended == ("Ann lives in Bergen.",)


def test_after_small_talk_in_between_the_decision_stands_and_is_still_the_models(tmp_path, model, endpoint):
    with opened(tmp_path, endpoint) as memory, Memory(tmp_path, llm="rules", embedder=HashEmbedder()) as other:
        memory.add(messages(SAID[:1]), user_id="ann")
        talk = iter(["Hello there!"])

        def interrupted(request):
            for text in talk:
                other.add(text, user_id="ann")
            return {"decisions": model.decisions(request.body["messages"][1]["content"])}

        model.odd_decisions = interrupted
        result = memory.add(messages(SAID[1:2]), user_id="ann")
        assert asked(endpoint)[1:] == ["extract", "reconcile"] and result.usage.llm_calls == 2
        assert texts(memory) == sorted(TOLD[:2])
    assert recorded(tmp_path)[-1][2] == "openai/any"


# --- what is kept of it ----------------------------------------------------------------------------------------------------


def recorded(folder):
    """Of each change, in order: the model and prompt that extracted, and those that decided."""
    (file,) = Path(folder).glob("*.sqlite3")
    with contextlib.closing(sqlite3.connect(file)) as db:
        return db.execute(
            "SELECT k.model, k.prompt_id, c.model, c.prompt_id FROM changes c"
            " JOIN chunks k ON k.batch_id = c.batch_id AND k.n = c.chunk ORDER BY c.number"
        ).fetchall()


def test_which_model_and_which_prompts_is_recorded(tmp_path, endpoint):
    with opened(tmp_path, endpoint) as memory:
        memory.add(messages(SAID[:1]), user_id="ann")
        memory.add(messages(SAID[1:3]), user_id="ann")
    rows = recorded(tmp_path)
    assert len(rows) == 3 and {row[0] for row in rows} == {"openai/any"}
    assert all(row[1].startswith("extract@1#") for row in rows)
    assert rows[0][2:] == (None, None)  # nothing was known: no model decided
    assert all(row[2] == "openai/any" and row[3].startswith("reconcile@1#") for row in rows[1:])


@pytest.mark.parametrize("count", [1, 8, 30])
def test_an_estimate_is_near_what_is_used(tmp_path, model, endpoint, count):
    """Within 0.7 and 3: it counts the prompts, and takes the facts to be as many and as long as measured on dialogues, of a user
    of whom more is remembered than of this one."""
    talk = [
        f"{said} We had a long talk about the weather, the harvest and her brother, and it rained." for said in SAID
    ]
    model.facts = {said: rich(name) for said, name in zip(SAID, PEOPLE, strict=True)}
    with opened(tmp_path, endpoint) as memory:
        memory.add(messages(talk[30:38]), user_id="ann")
        before = (endpoint.calls, endpoint.input_tokens, endpoint.output_tokens)
        planned = memory.estimate(messages(talk[:count])).usage
        memory.add(messages(talk[:count]), user_id="ann")
    calls, read, written = (
        now - then
        for now, then in zip((endpoint.calls, endpoint.input_tokens, endpoint.output_tokens), before, strict=True)
    )
    assert calls <= planned.llm_calls <= 1.2 * calls
    assert 0.7 * read <= planned.input_tokens <= 3 * read
    assert 0.7 * written <= planned.output_tokens <= 3 * written


def rich(name):
    """A fact with all its fields, as models write them."""
    return {
        "text": f"Ann met {name} at the fair on 7 May 2023; they talked for long of the weather, the harvest and her brother.",
        "kind": "event",
        "subject": "Ann",
        "attribute": "acquaintance",
        "value": f"{name}, met at the fair",
        "many": True,
        "entities": [{"name": "Ann", "kind": "person"}, {"name": name, "kind": "person"}],
        "relations": [{"subject": "Ann", "predicate": "met", "object": name}],
        "event": {"start": "2023-05-07", "end": "2023-05-07", "precision": "day"},
        "since": None,
        "retracts": False,
        "forget": False,
    }
