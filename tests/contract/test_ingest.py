"""Batch ingestion: side by side with the memories of one by one, stopped and going on, bounded, and what it says beforehand."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest

from recollect import AsyncMemory, Memory
from recollect.adapters import faiss_vectors
from recollect.errors import InvalidInput
from recollect.formats import Conversation, FormatProblem, Session, read
from recollect.ingest import Interrupted, aingest, forecast, ingest
from recollect.ingesting import PART, Rest
from recollect.model import Message, Role
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, ScriptedLanguage

SPOKEN = re.compile(r"^\[(\d+)\] ([^:\n]+): (.+)$", re.M)


def extracts(request):
    return "You turn conversations into memories" in request.text


def reads(request):
    """A model that takes every message for a fact, and finds nothing the same."""
    told = request.body["messages"][-1]["content"]
    if not extracts(request):
        return {
            "decisions": [
                {"fact": int(n), "op": "ADD"} for n in re.findall(r"^\[(\d+)\]", told.split("New facts:")[-1], re.M)
            ]
        }
    return {
        "facts": [
            {"text": f"{name} said: {text}", "kind": "event", "evidence": [{"message": int(n), "quote": text}]}
            for n, name, text in SPOKEN.findall(told.split("New messages:")[-1])
        ]
    }


def talk(name, sessions, messages, say="{name} saw s{s}m{m}."):
    """A conversation of so many sessions of so many messages."""
    return Conversation(
        name,
        tuple(
            Session(f"s{s}", tuple(Message(Role.USER, say.format(name=name, s=s, m=m), "Ann") for m in range(messages)))
            for s in range(sessions)
        ),
    )


def opened(folder, endpoint, **more):
    return Memory(folder, llm="openai/any", api_base=endpoint.url, api_key="none", embedder=HashEmbedder(), **more)


def scripted(folder, **more):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder(), **more)


def asked(endpoint):
    """What was extracted: the new messages of each call, in words."""
    return [
        tuple(text for *_, text in SPOKEN.findall(one.body["messages"][-1]["content"].split("New messages:")[-1]))
        for one in endpoint.requests
        if extracts(one)
    ]


# --- the same memories -------------------------------------------------------------------------------------------------


def changing(users, sessions, seed):
    """Conversations full of changes of mind, for which the order is all."""
    dice = random.Random(seed)
    words = ["home = {}", "likes += {}", "likes -= {}", "pet = {}"]
    return [
        Conversation(
            f"u{u}",
            tuple(
                Session(
                    f"s{s}",
                    tuple(
                        Message(Role.USER, dice.choice(words).format(dice.choice(["Rome", "Oslo", "tea", "Rex"])))
                        for _ in range(dice.randint(1, 19))
                    ),
                )
                for s in range(sessions)
            ),
        )
        for u in range(users)
    ]


class Dawdling(ScriptedLanguage):
    """Takes its time, each time another, so that what begins first does not end first."""

    def __init__(self):
        self.dice = random.Random(5)

    async def extract(self, chunk):
        await asyncio.sleep(self.dice.random() / 50)
        return await super().extract(chunk)

    async def reconcile(self, cases):
        await asyncio.sleep(self.dice.random() / 100)
        return await super().reconcile(cases)


@pytest.mark.parametrize("user_id", ["each", "one"])
def test_side_by_side_gives_the_memories_of_one_by_one(tmp_path, user_id):
    talks = changing(4, 6, seed=3)
    who = {} if user_id == "each" else {"user_id": "alice"}

    def remembered(memory):
        users = ["alice"] if who else [one.id for one in talks]
        return {
            user: [(i.text, [c.op for c in memory.history(i.id)]) for i in memory.get_all(user_id=user)]
            for user in users
        }

    with scripted(tmp_path / "one") as memory:
        for one in talks:
            for session in one.sessions:
                said = [{"role": "user", "content": m.content} for m in session.messages]
                memory.add(said, user_id=who.get("user_id", one.id), session_id=session.id)
        expected = remembered(memory)
    with Memory(tmp_path / "side", llm=Dawdling(), embedder=HashEmbedder()) as memory:
        report = ingest(memory, talks, concurrency=6, **who)
        assert remembered(memory) == expected and memory.verify().ok
    assert report.complete and report.turns == sum(one.turns for one in talks) and report.conversations == 4
    assert sum(report.decisions.values()) > 50


def test_whose_memories_they_become(tmp_path):
    with scripted(tmp_path) as memory:
        ingest(memory, [talk("a", 1, 1, "home = Rome")])
        ingest(memory, [talk("b", 1, 1, "home = Oslo")], user_id=None)
        ingest(memory, [talk("c", 1, 1, "home = Paris")], user_id=lambda one: one.id.upper())
        found = [[one.text for one in memory.get_all(user_id=user)] for user in ("a", None, "C")]
    assert found == [["home is Rome"], ["home is Oslo"], ["home is Paris"]]
    with scripted(tmp_path) as memory, pytest.raises(InvalidInput, match="user_id"):
        ingest(memory, [talk("a", 1, 1)], user_id="")
    with scripted(tmp_path) as memory, pytest.raises(InvalidInput, match="concurrency"):
        ingest(memory, [], concurrency=0)


def test_from_an_async_caller_with_progress(tmp_path):
    told = []

    async def run():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            return await aingest(memory, [talk("a", 2, 20, "likes += {s}x{m}")], on_progress=told.append)

    report = asyncio.run(run())
    assert report.turns == 40 and [one.turns for one in told] == sorted(one.turns for one in told)
    assert told[-1].chunks == report.chunks == 6 and told[-1].seconds_left(80) > 0 == told[-1].seconds_left(40)


# --- how calls go ------------------------------------------------------------------------------------------------------


def test_extraction_runs_ahead_across_sessions_and_no_more_calls_are_made_at_once(tmp_path):
    """Until a decision is allowed, everything up to the window is extracted; never more than `concurrency` at once."""
    gate, seen = threading.Event(), threading.Event()

    def script(request):
        if extracts(request):
            if sum(map(extracts, endpoint.requests)) >= 9:
                seen.set()
            return reads(request)
        return Reply(reads(request), until=gate)

    with ModelEndpoint(script) as endpoint, opened(tmp_path, endpoint) as memory:
        done = []
        work = threading.Thread(target=lambda: done.append(ingest(memory, [talk("a", 12, 8)], concurrency=3)))
        work.start()
        try:
            assert seen.wait(120)  # with the first decision held back, eight chunks behind it are extracted
        finally:
            gate.set()
        work.join()
        assert done[0].complete and done[0].chunks == 12
        assert endpoint.most_at_once <= 3


def test_a_budget_stops_the_run_and_the_next_one_goes_on_without_paying_twice(tmp_path):
    talks = [talk(name, 3, 8) for name in "abc"]
    with ModelEndpoint(reads) as endpoint:
        with opened(tmp_path, endpoint, budget={"run": {"calls": 7}}) as memory:
            report = ingest(memory, talks, concurrency=2)
            assert report.stopped == "BudgetExceeded" and not report.complete and report.usage.llm_calls == 7
            assert type(report.error).__name__ == "BudgetExceeded" and report.error.batch_id
        with opened(tmp_path, endpoint) as memory:
            assert ingest(memory, talks, concurrency=2).complete
            assert sum(memory.count(user_id=name) for name in "abc") == 72 and memory.pending() == []
        assert len(asked(endpoint)) == len(set(asked(endpoint))) == 9


def test_one_bad_conversation_does_not_stop_the_others(tmp_path):
    bad = lambda request: Reply("no JSON at all") if "bad saw" in request.text else reads(request)  # noqa: E731
    talks = [
        talk("a", 2, 8),
        talk("bad", 20, 1),
        FormatProblem("x.json", 3, "is not JSON"),
        talk("b", 2, 8),
        talk("a", 1, 1),
    ]
    with ModelEndpoint(bad) as endpoint, opened(tmp_path, endpoint) as memory:
        report = ingest(memory, talks)
        assert (memory.count(user_id="a"), memory.count(user_id="b"), memory.count(user_id="bad")) == (16, 16, 0)
    assert report.stopped is None and report.left == ("bad",) and report.problem_count == 2
    assert report.problems[0] == "x.json:3: is not JSON" and "another conversation of this name" in report.problems[1]
    assert {(one.conversation, one.error) for one in report.failed} == {("bad", "ExtractionFailed")}
    with ModelEndpoint(reads) as endpoint, opened(tmp_path, endpoint) as memory:
        assert ingest(memory, [talk("bad", 20, 1)]).complete and memory.count(user_id="bad") == 20


def test_three_conversations_that_fail_in_a_row_end_the_run(tmp_path):
    with ModelEndpoint(lambda _: Reply("no JSON at all")) as endpoint, opened(tmp_path, endpoint) as memory:
        report = ingest(memory, [talk(f"u{n}", 1, 1) for n in range(40)], concurrency=2)
    assert report.stopped == "ExtractionFailed" and 3 <= len(report.failed) < 10


def test_a_caller_whose_conversations_or_ears_fail_is_told_so_and_what_is_begun_ends(tmp_path):
    def conversations():
        yield talk("a", 1, 8, "likes += {m}")
        raise OSError("the database is gone")

    def deaf(_):
        raise SystemExit(7)

    with scripted(tmp_path) as memory:
        with pytest.raises(OSError, match="the database is gone"):
            ingest(memory, conversations())
        assert memory.count(user_id="a") == 8
        with pytest.raises(SystemExit):
            ingest(memory, [talk("b", 3, 8, "likes += {m}")], on_progress=deaf)
        assert ingest(memory, [talk("b", 3, 8, "likes += {s}{m}")]).complete and memory.pending() == []


# --- parts, and files that grow ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 399, 400, 402, 403, 405, 801, 1_203])
def test_parts_are_whole_chunks_and_lose_nothing(size):
    said = [Message(Role.USER, str(n)) for n in range(size)]
    rest, parts = Rest(said), []
    while part := rest.part():
        parts.append(part)
    assert list(itertools.chain(*parts)) == said
    assert all(len(part) == PART for part in parts[:-1]) and len(parts[-1]) != 1 + (size == 1) * 9


@pytest.mark.parametrize("sizes", [(5, 12, 12, 20), (400, 402, 403), (402, 410, 1_300)])
def test_a_conversation_that_grows_is_taken_up_where_it_ended(tmp_path, sizes):
    with scripted(tmp_path) as memory:
        before = 0
        for size in sizes:
            report = ingest(memory, [talk("a", 1, size, "likes += {m}")])
            assert (report.turns, report.known) == (size - before, before)
            before = size
        assert memory.count(user_id="a") == sizes[-1] and memory.stats(user_id="a").turns == sizes[-1]


def test_what_was_erased_is_not_brought_back(tmp_path):
    with scripted(tmp_path) as memory:
        said = [talk("a", 2, 8, "likes += {s}{m}")]
        ingest(memory, said)
        memory.erase(user_id="a", session_id="s0")
        report = ingest(memory, said)
        assert report.turns == 0 and memory.count(user_id="a") == 8


def test_a_long_file_takes_bounded_memory(tmp_path, monkeypatch):
    """Beside the user's view, which searches work on and which grows, four times the turns take no more. (Its vectors, which are
    there twice while they move to a larger buffer, have room from the beginning.)"""
    monkeypatch.setattr(faiss_vectors, "ROOM", 10_000)

    def beside_the_view(turns):
        file = tmp_path / f"{turns}.jsonl"
        lines = (
            {"role": "user", "content": f"bought {n} books, all of them long", "conversation": "a"}
            for n in range(turns)
        )
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with scripted(tmp_path / f"{turns}") as memory:
            ingest(memory, [talk("warm", 1, 8)])
            tracemalloc.start()
            assert ingest(memory, read(file)).turns == turns
            held, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        return peak - held

    few, many = beside_the_view(1_200), beside_the_view(4_800)
    print(f"beside the view: {few:,} bytes for 1,200 turns, {many:,} for 4,800")
    assert many < few + 500_000


# --- stopped in the middle -----------------------------------------------------------------------------------------------


def test_ctrl_c_lets_calls_under_way_end_and_the_next_run_goes_on(tmp_path):
    """The thread that waits is interrupted before calls are answered; nothing that was asked is asked again."""
    under_way, go_on, interrupted = threading.Event(), threading.Event(), []

    def slowly(request):
        if len(endpoint.requests) < 6:
            return reads(request)
        under_way.set()
        return Reply(reads(request), until=go_on)

    def interrupt():
        if under_way.wait(120):
            os.kill(os.getpid(), signal.SIGINT)

    def told():
        interrupted.append(1)
        go_on.set()

    with ModelEndpoint(slowly) as endpoint:
        with opened(tmp_path, endpoint) as memory:
            signaller = threading.Thread(target=interrupt)
            signaller.start()
            with pytest.raises(Interrupted) as stopped:
                ingest(memory, [talk("a", 20, 8), talk("b", 20, 8)], concurrency=4, on_interrupt=told)
            signaller.join()
            report = stopped.value.report
            assert interrupted == [1] and report.stopped == "Interrupted" and 0 < report.usage.llm_calls < 60
            assert endpoint.calls == len(endpoint.requests) == report.usage.llm_calls  # none was cut off
        first = len(endpoint.requests)
        with opened(tmp_path, endpoint) as memory:
            assert ingest(memory, [talk("a", 20, 8), talk("b", 20, 8)], concurrency=16).complete
            assert memory.count(user_id="a") == memory.count(user_id="b") == 160 and memory.verify().ok
        assert len(asked(endpoint)) == len(set(asked(endpoint))) == 40 and first < len(endpoint.requests)


CHILD = """
import json, sys
from recollect import Memory
from recollect.ingest import ingest
from recollect.testing import HashEmbedder
sys.path.insert(0, sys.argv[3])
from loopback import Loopback
from test_ingest import talk
with Memory(sys.argv[1], llm=Loopback(sys.argv[2]), embedder=HashEmbedder()) as memory:
    ingest(memory, [talk("a", 12, 8), talk("b", 12, 8)], concurrency=4)
"""


def test_killed_again_and_again_it_ends_with_everything_once(tmp_path):
    """Only calls that were under way at a kill are asked again, four at most; no memory is there twice."""
    never, kills = threading.Event(), 0

    def answered(request):
        late = most is not None and len(endpoint.requests) - begun > most
        return Reply(reads(request), until=never if late else None)

    with ModelEndpoint(answered) as endpoint:
        words = [sys.executable, "-c", CHILD, str(tmp_path), endpoint.url, str(Path(__file__).parent)]
        for most in (2, 5, 9, 12, None):
            begun = len(endpoint.requests)
            with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as child:
                while child.poll() is None and (most is None or len(endpoint.requests) - begun <= most):
                    time.sleep(0.002)
                if child.poll() is None:
                    child.kill()
                    kills += 1
        assert child.returncode == 0 and kills == 4
        with opened(tmp_path, endpoint) as memory:
            assert memory.pending() == [] and memory.verify().ok
            texts = [one.text for name in "ab" for one in memory.get_all(user_id=name)]
        assert len(texts) == len(set(texts)) == 192
        assert len(asked(endpoint)) - len(set(asked(endpoint))) <= 4 * kills


# --- what it would cost --------------------------------------------------------------------------------------------------

READINGS = Path(__file__).parents[2] / "evals" / "readings" / "readings.py"


def test_a_dry_run_tells_what_is_then_paid(tmp_path):
    """The conversations that a capable model read, as it answered them: conversations, chunks and calls to the letter; tokens and
    money, as a tokenizer counts what was sent and answered, within 15 %; of each alone tokens within 15 % too, and money in the
    range that is told."""
    from recollect.writing.replies import ExtractReply, ReconcileReply
    from recollect_evals.tokens import count

    spec = importlib.util.spec_from_file_location("readings", READINGS)
    readings = sys.modules["readings"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readings)
    names = [name for name in readings.NEEDS if name != "martin" and readings.NEEDS[name].exists()]
    totals = Counter()
    for name in names:
        transcript = readings.Transcript(readings.calls(name), readings.sittings(name))
        paid = Counter()

        def script(request, transcript=transcript, paid=paid):
            answer = transcript.reply(request.body["messages"][-1]["content"])
            schema = (ExtractReply if extracts(request) else ReconcileReply).model_json_schema()
            paid["read"] += count(request.text) + count(json.dumps(schema))
            paid["written"] += count(json.dumps(answer))
            return answer

        said: dict[str, list[Message]] = {}
        for one in readings.sittings(name):
            messages = [Message(Role(m["role"]), m["content"], m.get("name"), m["timestamp"]) for m in one.messages]
            said.setdefault(one.id, []).extend(messages)
        sessions = tuple(Session(key, tuple(messages)) for key, messages in said.items())
        instructions = readings.sittings(name)[0].instructions
        with (
            ModelEndpoint(script) as endpoint,
            Memory(
                tmp_path / name, llm="openai/gpt-5-mini", api_base=endpoint.url, api_key="none", mode="json_schema",
                instructions=instructions,
            ) as memory,
        ):  # fmt: skip
            planned = forecast(memory, [Conversation(name, sessions)])
            assert endpoint.requests == []
            report = ingest(memory, [Conversation(name, sessions)])
        assert report.complete, (name, report)
        assert (planned.conversations, planned.turns, planned.chunks) == (1, report.turns, report.chunks)
        usual, least, most = planned.estimate.usage, planned.estimate.least, planned.estimate.most
        assert usual.llm_calls == report.usage.llm_calls == endpoint.calls
        totals += Counter(read=paid["read"], written=paid["written"])
        totals += Counter(planned_read=usual.input_tokens, planned_written=usual.output_tokens)
        tokens = [
            (one.input_tokens + one.output_tokens) / (paid["read"] + paid["written"]) for one in (least, usual, most)
        ]
        dollars = 0.25e-6 * paid["read"] + 2e-6 * paid["written"]
        money = [one.cost_usd / dollars for one in (least, usual, most)]
        print(name, "tokens", *(f"{one:.3f}" for one in tokens), "money", *(f"{one:.3f}" for one in money))
        assert tokens[0] < 1 < tokens[2] and money[0] < 1 < money[2]
        assert 0.85 < tokens[1] < 1.15 and 0.8 < money[1] < 1.2, (name, tokens, money)
    read, written = (totals[f"planned_{one}"] / totals[one] for one in ("read", "written"))
    print(f"{names}: tokens read {read:.3f}, written {written:.3f} of what was paid")
    assert 0.85 < read < 1.15
    if len(names) > 1:  # one talk alone may hold half as many facts again: its money is in the range that is told
        dollars = (0.25 * totals["planned_read"] + 2 * totals["planned_written"]) / (
            0.25 * totals["read"] + 2 * totals["written"]
        )
        assert 0.85 < written < 1.15 and 0.85 < dollars < 1.15


def test_of_a_file_that_grew_what_came_to_it_is_foretold(tmp_path):
    with ModelEndpoint(reads) as endpoint, opened(tmp_path, endpoint) as memory:
        assert ingest(memory, [talk("a", 2, 11)]).complete
        grown, calls = talk("a", 3, 24), endpoint.calls
        planned = forecast(memory, [grown])
        assert (planned.turns, planned.known, planned.chunks, planned.estimate.turns) == (72, 22, 7, 50)
        report = ingest(memory, [grown])
        assert (report.turns, report.known, report.chunks) == (50, 22, 7)
        assert planned.estimate.usage.llm_calls == endpoint.calls - calls == 14


def test_what_was_erased_since_is_not_foretold(tmp_path):
    with ModelEndpoint(reads) as endpoint, opened(tmp_path, endpoint) as memory:
        assert ingest(memory, [talk("a", 2, 11)]).complete
        memory.erase(user_id="a", session_id="s0")
        planned, calls = forecast(memory, [talk("a", 2, 11)]), endpoint.calls
        assert (planned.turns, planned.known, planned.chunks) == (22, 22, 0)
        assert planned.estimate.usage.llm_calls == 0
        assert ingest(memory, [talk("a", 2, 11)]).turns == 0 and endpoint.calls == calls


def test_what_is_extracted_costs_the_deciding_alone(tmp_path):
    def no_decisions(request):
        return reads(request) if extracts(request) else Reply(status=400)

    with ModelEndpoint(no_decisions) as endpoint, opened(tmp_path, endpoint) as memory:
        assert not ingest(memory, [talk("a", 1, 24)]).complete
    with ModelEndpoint(reads) as endpoint, opened(tmp_path, endpoint) as memory:
        planned = forecast(memory, [talk("a", 1, 24)])
        done = ingest(memory, [talk("a", 1, 24)])
        assert (planned.known, planned.chunks, planned.turns) == (24 - done.turns, done.chunks, 24)
        assert planned.estimate.usage.llm_calls == endpoint.calls == done.chunks > 0


def test_a_dry_run_goes_by_chunks_that_were_read_in_the_same_way(tmp_path):
    """Not by what was told anew, nor by what was erased of, nor by what was stored as it is."""
    with ModelEndpoint(reads) as endpoint, opened(tmp_path, endpoint) as memory:
        assert ingest(memory, [talk("a", 10, 16)]).complete
        memory.add("I live in Rome.", user_id="b", infer=False)

        def learned_from():
            return memory.estimate("I have a dog.").learned_from

        assert learned_from() == 20 == forecast(memory, [talk("c", 1, 8)]).estimate.learned_from
        memory.retell(user_id="a")
        assert learned_from() == memory.estimate_retelling(user_id="a").learned_from == 20
        ingest(memory, [talk("c", 1, 8)])
        assert learned_from() == 21
        memory.erase(user_id="a", session_id="s0")
        assert learned_from() == 0  # 19 are too few


# --- what is written of it -----------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_prints_signatures_and_docstrings_as_they_are():
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    for verb in (ingest, aingest, forecast):
        parts = []
        for name, one in inspect.signature(verb).parameters.items():
            if one.kind is inspect.Parameter.KEYWORD_ONLY and "*" not in parts:
                parts.append("*")
            parts.append(name if one.default is inspect.Parameter.empty else f"{name}={one.default!r}")
        assert f"**`{verb.__name__}({', '.join(parts)})`**" in page
    assert inspect.getdoc(ingest) in page and inspect.getdoc(forecast) in page
    own = inspect.signature(ingest).parameters.keys() - {"on_interrupt"}
    assert own == inspect.signature(aingest).parameters.keys()


def test_the_guide_runs_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("recollect.adapters.minilm.MiniLM.embed", lambda _, texts: HashEmbedder(384).embed(texts))
    for snippet in re.findall(r"```python\n(.*?)```", (DOCS / "ingest.md").read_text(encoding="utf-8"), re.S):
        exec(snippet, {})
    assert capsys.readouterr().out.split("\n")[:2] == ["1", "1 {'ADD': 1} True"]
