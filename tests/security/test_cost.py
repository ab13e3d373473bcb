"""Attacks on cost: whatever comes in, the work and the memory that it takes are bounded by what it is long."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import chaos
import pytest

from recollect import check, filters
from recollect.errors import InvalidInput
from recollect.model import (
    Candidate,
    Case,
    Entity,
    Evidence,
    Extraction,
    Fact,
    Keep,
    Kind,
    Relation,
    Role,
    Scope,
    SourceClass,
    Turn,
    Update,
)
from recollect.ports import Chunk
from recollect.times import now
from recollect.writing.evidence import MAX_FACTS, MAX_NAME, MAX_TEXT, Heard, quoted, verify
from recollect.writing.guard import guard
from recollect.writing.reconcile import MAX_REASON, decision_of
from recollect.writing.replies import DecisionReply

HERE = Path(__file__).parent
API = (HERE.parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
LIMITS = re.findall(r"^\| (.+?) \| ([\d,]+) \| `([\w.]+)\.(\w+)` \|$", API, re.M)


# --- limits ------------------------------------------------------------------------------------------------------------


def test_the_table_of_limits_tells_what_is_in_force():
    assert len(LIMITS) > 25
    for what, number, module, name in LIMITS:
        assert getattr(importlib.import_module(f"recollect.{module}"), name) == int(number.replace(",", "")), what
    told = {(module, name) for _, _, module, name in LIMITS}
    for module in (check, filters):
        own = {name for name in vars(module) if name.startswith("MAX_")}
        assert {(module.__name__.split(".")[1], name) for name in own} <= told


def laughing(levels, width, leaf):
    """A few objects that hold each other often: `width ** levels` values, were they written out."""
    for _ in range(levels):
        leaf = {"x": [leaf] * width}
    return leaf


def filter_of(levels, width):
    one = {}
    for _ in range(levels):
        one = {"AND": [one] * width}
    return one


def message(content="home = Oslo", **more):
    return {"role": "user", "content": content, **more}


OVER = {
    "a message": ("add", {"messages": "x" * (check.MAX_CONTENT + 1)}),
    "messages": ("add", {"messages": [message()] * (check.MAX_MESSAGES + 1)}),
    "a user's id": ("add", {"user_id": "x" * (check.MAX_ID + 1)}),
    "a session's id": ("add", {"session_id": "x" * (check.MAX_ID + 1)}),
    "an idempotency key": ("add", {"idempotency_key": "x" * (check.MAX_ID + 1)}),
    "a speaker's name": ("add", {"messages": [message(name="x" * (check.MAX_NAME + 1))]}),
    "metadata": ("add", {"metadata": {"x": "y" * check.MAX_METADATA}}),
    "keys of metadata": ("add", {"metadata": {f"key {n}": n for n in range(20_000)}}),
    "depth of metadata": ("add", {"metadata": laughing(check.MAX_DEPTH, 1, 1)}),
    "a billion laughs": ("add", {"metadata": laughing(30, 10, 1)}),
    "laughs of lists": ("update", {"metadata": {"x": laughing(40, 1_000, [])}}),
    "a query": ("search", {"query": "x" * (check.MAX_QUERY + 1)}),
    "limit": ("search", {"limit": check.MAX_HITS + 1}),
    "max_tokens": ("context", {"max_tokens": check.MAX_CONTEXT + 1}),
    "a correction": ("update", {"text": "x" * (check.MAX_CORRECTION + 1)}),
    "depth of a filter": ("search", {"metadata_filter": filter_of(filters.MAX_DEPTH + 1, 1)}),
    "conditions": ("count", {"metadata_filter": {f"a{n}": n for n in range(filters.MAX_CONDITIONS + 1)}}),
    "empty conditions": ("count", {"metadata_filter": {"AND": [{}] * (filters.MAX_PARTS + 1)}}),
    "a filter that laughs": ("count", {"metadata_filter": filter_of(16, 1_000)}),
    "listed": ("get_all", {"metadata_filter": {"a": {"in": list(range(filters.MAX_LISTED + 1))}}}),
    "a filter's texts": ("count", {"metadata_filter": {"a": {"in": ["x" * 10_000] * 101}}}),
    "a filter's names": ("delete_all", {"metadata_filter": {"x" * (filters.MAX_CHARACTERS + 1): 1}}),
}
GOOD = {
    "add": {"messages": "home = Oslo", "user_id": "u"}, "search": {"query": "home", "user_id": "u"},
    "context": {"query": "home", "user_id": "u"}, "count": {"user_id": "u"}, "get_all": {"user_id": "u"},
    "delete_all": {"user_id": "u"}, "update": {"memory_id": "mem_" + "0" * 32},
}  # fmt: skip


def test_what_is_over_a_limit_is_named_and_nothing_is_written(memory):
    with chaos.tries("cost: more than each limit of an argument allows") as tries:
        for what, (verb, wrong) in OVER.items():
            with tries.one(what):
                with pytest.raises(InvalidInput) as raised:
                    getattr(memory, verb)(**{**GOOD[verb], **wrong})
                assert len(str(raised.value)) < 300, "a message as long as what it is about"
                assert memory.stats().turns == 0 and memory.pending() == []


def test_messages_that_are_too_long_together(memory, monkeypatch):
    monkeypatch.setattr(check, "MAX_TOGETHER", 100)
    memory.add([message("x" * 50)] * 2, user_id="u")
    with pytest.raises(InvalidInput, match="together"):
        memory.add([message("x" * 50)] * 3, user_id="u")


def test_what_is_just_within_the_limits_of_a_filter_is_answered(memory):
    memory.add("home = Oslo", user_id="u", metadata={"a": 1})
    widest = {"OR": [{f"a{n}": n} for n in range(filters.MAX_CONDITIONS)]}
    empty = {"AND": [{}] * (filters.MAX_PARTS - 1)}
    deepest = {"a": 1}
    for _ in range(filters.MAX_DEPTH):
        deepest = {"NOT": [{"NOT": [deepest]}]} if len(repr(deepest)) < 100 else {"AND": [deepest]}
    for spec, found in ((widest, 0), (empty, 1), ({"a": {"in": list(range(filters.MAX_LISTED))}}, 1)):
        assert memory.count(user_id="u", metadata_filter=spec) == found


# --- what a model's reply may have too much of -------------------------------------------------------------------------


def turn(content="I moved to Rome."):
    return Turn("t1", 1, Scope("u"), "b", Role.USER, content, None, now(), True)


def fact(text="The user moved to Rome.", quote="I moved to Rome", **more):
    return Fact(text, Kind.EVENT, (Evidence("t1", quote),), **more)


TOO_MUCH = {
    "text": fact("x" * (MAX_TEXT + 1)),
    "value": fact(value="x" * (MAX_TEXT + 1)),
    "an entity's name": fact(entities=(Entity("x" * (MAX_NAME + 1)),)),
    "an entity's kind": fact(entities=(Entity("x", "y" * (MAX_NAME + 1)),)),
    "a predicate": fact(relations=(Relation("x", "y" * (MAX_NAME + 1), "z"),)),
    "entities": fact(entities=tuple(Entity(f"e{n}") for n in range(100))),
}


def test_a_fact_that_is_too_large_is_rejected_and_the_others_stay():
    chunk = Chunk((turn(),))
    with chaos.tries("cost: facts that are too large, or too many") as tries:
        for what, large in TOO_MUCH.items():
            with tries.one(what):
                kept = verify(Extraction((fact(), large)), chunk)
                assert [one.text for one in kept.facts] == ["The user moved to Rome."] and len(kept.rejected) == 1
        with tries.one("facts of a chunk"):
            many = Extraction(tuple(fact(f"The user moved to Rome {n} times.") for n in range(MAX_FACTS + 50)))
            kept = verify(many, chunk)
            assert (len(kept.facts), len(kept.rejected)) == (MAX_FACTS, 50)


def test_a_decision_that_is_too_long_is_refused_or_cut():
    candidate = Candidate(
        1, "The user lives in Rome.", Kind.PROFILE, None, None, None, (), now(), SourceClass.USER, earlier=0
    )
    case = Case(fact(), now(), (candidate,), 2)
    decision = guard([case], [Update((1,), "supersede", "long " * MAX_TEXT)])[0]
    assert "longer" in decision.flag
    told = decision_of(DecisionReply(fact=2, op="NONE", targets=[1], reason="x" * 100_000), case)
    assert told == Keep(1, reason="x" * MAX_REASON)


def test_quotes_are_looked_for_in_linear_time():
    """Of the same word over and over, where every place but the last fails at the end; and runs in their order still hold."""
    text = "la " * 200_000
    assert not quoted("la " * 1_300 + "lo", text)
    said = Heard(text)
    for _ in range(50):
        assert not said.has("la " * 1_000 + "… " + "lo")
    assert said.has("la la … la la la … la") and not said.has("la … lo … la")


# --- hostile texts -----------------------------------------------------------------------------------------------------


def test_no_text_takes_longer_than_it_is_long(tmp_path):
    """Each reader of text, each text of a hostile shape, in a child process under a limit of processor time for each."""
    size, every = ("200000", "8") if chaos.LONG else ("10000", "24")
    done = subprocess.run(
        [sys.executable, str(HERE / "hostile_texts.py"), size, every],
        capture_output=True, text=True, check=False, timeout=1_000, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout)
    chaos.record(f"cost: hostile texts of {int(size):,} characters, by reader", told["tries"], len(told["late"]))
    assert told["tries"] > 500 and told["late"] == []


# --- memory ------------------------------------------------------------------------------------------------------------

BYTES_A_TURN = (
    12_000  # of a short turn while it is added: its journal entry, vectors and result; twice what it took when measured
)


def peak(tmp_path, how, turns):
    """The most memory that a process took that added so many turns, in bytes."""
    done = subprocess.run(
        [sys.executable, str(HERE / "long_input.py"), how, str(turns), str(tmp_path / f"{how}-{turns}")],
        capture_output=True, text=True, check=False, timeout=2_400,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RECOLLECT_LLM": "rules"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["turns"] == turns
    return told["peak"]


@pytest.mark.parametrize("how", ["add", "ingest"])
def test_a_long_input_takes_bounded_memory(tmp_path, how):
    few, many = (10_000, 100_000) if chaos.LONG else (400, 1_600)
    a_turn = (peak(tmp_path, how, many) - peak(tmp_path, how, few)) / (many - few)
    chaos.record(
        f"cost: {many:,} turns at once, at most {BYTES_A_TURN:,} bytes of memory a turn", 1, a_turn >= BYTES_A_TURN
    )
    print(f"{how}: {a_turn:,.0f} bytes a turn")
    assert a_turn < BYTES_A_TURN
