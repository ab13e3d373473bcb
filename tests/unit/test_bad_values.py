"""Values of every wrong kind, in every verb: InvalidInput naming the argument, and not a byte of the ledger changed."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect import AsyncMemory, Memory
from recollect.errors import InvalidInput, NotFound, RecollectError
from recollect.testing import HashEmbedder, ScriptedLanguage


class NotATime(datetime):
    """As pandas' NaT: a datetime whose arithmetic is none."""

    def __sub__(self, other):
        return float("nan")


class BrokenZone(tzinfo):
    def utcoffset(self, _):
        return 5


cycle: dict[str, object] = {}
cycle["itself"] = cycle
deep: list[object] = []
for _ in range(10_000):
    deep = [deep]
endless: dict[str, object] = {"AND": []}
endless["AND"].append(endless)  # type: ignore[attr-defined]
BEYOND = datetime.max.replace(tzinfo=timezone(timedelta(hours=-12)))

METADATA = [cycle, {"a": deep}, {"a": {1}}, {"a": b"x"}, {"a": 10**5000}, {"a": np.float32(1)}, {"a": float("inf")},
            {"a": MappingProxyType({})}, {None: 1}, {"a": {"b": {True: 1}}}, {"\ud800": 1}, {"a\x00": 1}, "a=b", 5]  # fmt: skip
TIMES = ["noonish", "", True, float("nan"), 10**400, 1e18, [], b"2024-01-01", BEYOND, np.datetime64("2024-01-01"),
         NotATime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=BrokenZone()), "9999-12-31T23:59:59-12:00"]  # fmt: skip
NAMES = ["", "  ", 5, True, b"u", ["u"], "a\x00", "a\x1bb", "a\u202eb", "a\u2028b", "\ud800", "x" * 600]
FILTERS = [endless, {"\ud800": 1}, {"a": "\ud800"}, {"a": 10**400}, {"a": float("nan")}, {"a": b"x"}, {"a": np.int64(1)},
           {"a": datetime(2024, 1, 1)}, {"a": {"in": list(range(20_000))}}, {"a": {"in": "abc"}}, {"a": {"nin": {"b": 1}}},
           {"a": {5: 1}}, {"a": {"EQ": 1}}, {"a": {}}, {"a": [1]}, {"a": {"eq": [1]}}, {"AND": b"xx"}, {"OR": []},
           {"NOT": {"a": 1}}, {"and": []}, {5: 1}, {"created_at": {"gt": BEYOND}}, {"created_at": "9999-12-31T23:59:59-12:00"},
           {"created_at": 5}, {"a": {"exists": "yes"}}, {"AND": [5]}, "a", 5, [{"a": 1}],
           {"OR": [{f"a{i}": 1} for i in range(201)]}]  # fmt: skip
FLAGS = [1, 0, None, "yes", np.True_, np.array([1, 2])]
WHOLE = [0, -1, True, 1.5, "5", np.int64(5), 10**9]
SHARES = [-0.1, 1.1, float("nan"), True, "0.5"]
INCLUDES = ["memories", [], ["facts"], [["memories"]], [{}], 5, b"memories", {"memories": True}, None]
TEXTS = ["", " \n", 5, None, b"x", "a\x00", "a\ud800", ["x"], np.array(["x"])]
QUERIES = [*TEXTS, "x" * 10_001]
MESSAGES = [*[one for one in TEXTS if not isinstance(one, list)], [], [None], ["x"], range(3), bytearray(b"ab"),
            {"role": [], "content": "x"}, {"role": "USER", "content": "x"}, {"role": "user", "content": ["x"]},
            {"role": "user", "content": "x", 5: 6}, {"role": "user", "content": "x", "\ud800": 6},
            {"role": "user", "content": "x", "name": 5}, {"role": "user", "content": "x", "timestamp": []}]  # fmt: skip
IDS = ["", "mem_1", "mem_" + "G" * 32, "mem_" + "0" * 31, "turn_" + "0" * 32, "mem_" + "0" * 32 + "\n", 5, None, b"mem_",
       "mem_" + "٠" * 32]  # fmt: skip

GOOD = {
    "add": {"messages": "home = Oslo", "user_id": "u"},
    "search": {"query": "home", "user_id": "u"},
    "context": {"query": "home", "user_id": "u"},
    "get_all": {"user_id": "u"},
    "count": {"user_id": "u"},
    "delete_all": {"user_id": "u"},
    "update": {"memory_id": "mem_" + "0" * 32, "text": "x"},
    **{verb: {"memory_id": "mem_" + "0" * 32} for verb in ("get", "delete", "history", "sources")},
    "undo": {"change_or_batch_id": "chg_" + "0" * 32},
    "stats": {},
    "resume": {},
}
WRONG = {
    "messages": MESSAGES, "query": QUERIES, "text": [one for one in TEXTS if one is not None], "memory_id": IDS,
    "change_or_batch_id": IDS, "after": [one for one in IDS if one is not None], "user_id": NAMES, "agent_id": NAMES,
    "session_id": NAMES, "idempotency_key": NAMES, "metadata": METADATA, "metadata_filter": FILTERS, "include": INCLUDES,
    "limit": WHOLE, "max_tokens": [*WHOLE[:-1], None], "min_score": SHARES, "tokenizer": ["x", 5, b"x", [], {}, True],
    **dict.fromkeys(("timestamp", "expires_at", "as_of", "known_at", "since", "until", "now"), TIMES),
    **dict.fromkeys(("infer", "wait", "allow_erased", "graph", "explain", "include_failed"), FLAGS),
}  # fmt: skip
CASES = [
    (verb, argument)
    for verb in GOOD
    for argument in inspect.signature(getattr(Memory, verb)).parameters
    if argument != "self"
]


def content(folder):
    """Everything that the ledger holds."""
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        lines = list(db.iterdump())
    db.close()
    return lines


@pytest.fixture
def filled(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u", session_id="s", metadata={"topic": "travel"})
        yield memory


@pytest.mark.parametrize(("verb", "argument"), CASES, ids=lambda one: one)
def test_every_argument_of_every_verb_is_checked_before_anything_is_written(filled, tmp_path, verb, argument):
    before = content(tmp_path)
    for value in WRONG[argument]:
        with pytest.raises(InvalidInput) as raised:
            getattr(filled, verb)(**{**GOOD[verb], argument: value})
        assert raised.value.argument.startswith(argument), (argument, raised.value)
        assert raised.value.stage == "validate" and not raised.value.retryable
    assert content(tmp_path) == before


def test_the_asynchronous_verbs_check_the_same(tmp_path):
    async def every():
        memory = AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())
        for verb, argument in CASES:
            for value in WRONG[argument][:3]:
                with pytest.raises(InvalidInput):
                    await getattr(memory, verb)(**{**GOOD[verb], argument: value})
        await memory.close()

    asyncio.run(every())


@pytest.mark.parametrize("verb", [*GOOD, "pending", "flush", "verify", "rebuild", "close", "scoped"])
def test_unknown_keywords_are_type_errors_in_every_verb(filled, verb):
    with pytest.raises(TypeError, match="colour"):
        getattr(filled, verb)(**{**GOOD.get(verb, {"user_id": "u"} if verb == "scoped" else {}), "colour": "blue"})


@pytest.mark.parametrize("path", [5, "", b"/tmp/x", "a\x00b", "\ud800", "~no-such-user-here/x"])
def test_paths_that_are_none(path):
    with pytest.raises(InvalidInput, match="path"):
        Memory(path)


ANYTHING = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.binary(max_size=3), st.datetimes(),
        st.text(st.characters(), max_size=6), st.sampled_from(["u", "memories", "mem_" + "0" * 32, "2024-01-01"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=4) | st.sampled_from(["AND", "in", "gt", "role", "content"]), inner, max_size=3),
        st.tuples(inner),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_foreign_escapes_a_verb(filled, data):
    verb = data.draw(st.sampled_from(sorted(GOOD)))
    names = [name for owner, name in CASES if owner == verb]
    wild = data.draw(st.dictionaries(st.sampled_from(names), ANYTHING, max_size=3)) if names else {}
    try:
        getattr(filled, verb)(**{**GOOD[verb], **wild})
    except RecollectError as error:
        assert isinstance(error, InvalidInput | NotFound), error


def test_numbers_and_strings_of_numpy_are_taken_where_they_are_pythons_own(filled):
    result = filled.add(np.str_("home = Oslo"), user_id=np.str_("u"), metadata={"stars": np.float64(4.5)})
    assert result.changes[0].op.value == "UPDATE"
    assert filled.count(user_id="u", metadata_filter={"stars": 4.5}) == 1
