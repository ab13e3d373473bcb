"""Bad input is named, and nothing is written."""

from __future__ import annotations

import inspect
import sqlite3

import pytest

from recollect import AsyncMemory, Memory
from recollect.errors import (
    Closed,
    EmbeddingInvalid,
    EmbeddingModelMismatch,
    InvalidInput,
    NotFound,
    SchemaTooNew,
    StoreCorrupt,
)
from recollect.testing import HashEmbedder, ScriptedLanguage

MESSAGE = {"role": "user", "content": "home = Berlin"}
ADDS = [
    ({"messages": 5}, "messages"),
    ({"messages": ""}, "messages"),
    ({"messages": "   "}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": [MESSAGE, "x"]}, r"messages\[1\]"),
    ({"messages": [{"role": "wizard", "content": "x"}]}, r"messages\[0\].role"),
    ({"messages": [{"role": "user"}]}, r"messages\[0\].content"),
    ({"messages": [{**MESSAGE, "colour": 1}]}, "colour"),
    ({"messages": [{**MESSAGE, "timestamp": "noonish"}]}, r"messages\[0\].timestamp"),
    ({"messages": [{**MESSAGE, "name": "a\x1bb"}]}, r"messages\[0\].name"),
    ({"messages": "a\x00b"}, "NUL"),
    ({"messages": "a\ud800b"}, "surrogate"),
    ({"messages": "x" * 1_000_001}, "longer"),
    ({"timestamp": "32 May"}, "timestamp"),
    ({"timestamp": True}, "timestamp"),
    ({"timestamp": float("inf")}, "timestamp"),
    ({"expires_at": []}, "expires_at"),
    ({"user_id": ""}, "user_id"),
    ({"user_id": 5}, "user_id"),
    ({"user_id": "a\nb"}, "user_id"),
    ({"user_id": "a\u202eb"}, "user_id"),
    ({"user_id": "x" * 600}, "user_id"),
    ({"session_id": "\x00"}, "session_id"),
    ({"agent_id": 3}, "agent_id"),
    ({"metadata": {"a": object()}}, "metadata"),
    ({"metadata": {1: 2}}, "metadata"),
    ({"metadata": {"a": {2: 1}}}, "metadata"),
    ({"metadata": {"a": float("nan")}}, "metadata"),
    ({"metadata": {"a": "\ud800"}}, "metadata"),
    ({"metadata": {"a": "\x00"}}, "metadata"),
    ({"metadata": [1]}, "metadata"),
    ({"idempotency_key": ""}, "idempotency_key"),
    ({"infer": "yes"}, "infer"),
]
SEARCHES = [
    ({"query": ""}, "query"),
    ({"query": 3}, "query"),
    ({"query": "x" * 10_001}, "query"),
    ({"limit": 0}, "limit"),
    ({"limit": True}, "limit"),
    ({"min_score": 2}, "min_score"),
    ({"include": "memories"}, "include"),
    ({"include": ["facts"]}, "include"),
    ({"as_of": "soon"}, "as_of"),
    ({"known_at": "soon"}, "known_at"),
    ({"since": object()}, "since"),
]


@pytest.mark.parametrize(("wrong", "named"), ADDS, ids=[str(i) for i in range(len(ADDS))])
def test_add_names_the_argument_and_writes_nothing(memory, wrong, named):
    with pytest.raises(InvalidInput, match=named):
        memory.add(**{"messages": "home = Berlin", "user_id": "u", **wrong})
    assert memory.stats().turns == 0 and memory.pending() == []


@pytest.mark.parametrize(("wrong", "named"), SEARCHES, ids=[str(i) for i in range(len(SEARCHES))])
def test_search_names_the_argument(memory, wrong, named):
    with pytest.raises(InvalidInput, match=named):
        memory.search(**{"query": "home", "user_id": "u", **wrong})


@pytest.mark.parametrize("verb", ["get", "delete", "history", "sources", "undo"])
@pytest.mark.parametrize(
    "identifier", ["", "mem_1", "mem_" + "g" * 32, 5, None, "../etc/passwd", "mem_" + "0" * 32 + "\n"]
)
def test_ids_of_the_wrong_form(memory, verb, identifier):
    with pytest.raises(InvalidInput, match="_id"):
        getattr(memory, verb)(identifier)


def test_ids_of_nothing(memory):
    for verb in (memory.get, memory.delete, memory.history, memory.sources):
        with pytest.raises(NotFound):
            verb("mem_" + "0" * 32)
    with pytest.raises(InvalidInput, match="text"):
        memory.update("mem_" + "0" * 32)


def test_unknown_keywords_are_type_errors(memory):
    for verb in (memory.add, memory.search, memory.get_all, memory.count, memory.delete_all):
        with pytest.raises(TypeError):
            verb("x", user_id="u", colour="blue") if verb in (memory.add, memory.search) else verb(
                user_id="u", colour="blue"
            )
    with pytest.raises(TypeError):
        memory.add("x")
    with pytest.raises(TypeError):
        Memory(colour="blue")


def test_a_store_of_a_newer_schema(tmp_path):
    Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    with pytest.raises(SchemaTooNew, match="upgrade"):
        Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 5000])
def test_a_file_that_is_no_ledger(tmp_path, content):
    (tmp_path / "ledger.sqlite3").write_bytes(content)
    with pytest.raises(StoreCorrupt):
        Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())


def test_a_ledger_missing_beside_its_log(tmp_path):
    (tmp_path / "ledger.sqlite3-wal").write_bytes(b"x")
    with pytest.raises(StoreCorrupt, match="missing"):
        Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder())


def test_another_embedder_than_the_stores(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(64)) as memory:
        memory.add("home = Berlin", user_id="u")
    with pytest.raises(EmbeddingModelMismatch, match="reembed"):
        Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(32))


@pytest.mark.parametrize("embedder", [5, "unknown", type("E", (), {"id": "x", "dim": 0, "embed": print})()])
def test_what_is_no_embedder(tmp_path, embedder):
    with pytest.raises(InvalidInput, match="embedder"):
        Memory(tmp_path, llm=ScriptedLanguage(), embedder=embedder)


@pytest.mark.parametrize("answer", [[[float("nan")] * 4], [[0.0] * 4], [[1.0] * 3], [], "x", [[1.0] * 4] * 5])
def test_vectors_that_are_none(tmp_path, answer):
    class Broken:
        id, dim = "broken", 4

        def embed(self, texts):
            return answer

    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=Broken()) as memory:
        with pytest.raises(EmbeddingInvalid) as raised:
            memory.add("home = Berlin", user_id="u")
        assert [one.batch_id for one in memory.pending()] == [raised.value.batch_id]
        assert memory.count(user_id="u") == 0


def test_a_closed_memory(memory):
    memory.close()
    memory.close()
    with pytest.raises(Closed):
        memory.add("home = Berlin", user_id="u")


def test_both_classes_have_the_same_verbs():
    for name, verb in inspect.getmembers(AsyncMemory, inspect.isfunction):
        if not name.startswith("_"):
            mine, other = inspect.signature(verb), inspect.signature(getattr(Memory, name))
            assert str(mine).split(" -> ")[0] == str(other).split(" -> ")[0], name
    public = {name for name in dir(Memory) if not name.startswith("_")}
    assert public == {name for name in dir(AsyncMemory) if not name.startswith("_")}
