"""Tools by which a model asks a user's memory: what they do, what of a model's mistakes they tell it, and the wall."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pytest

from recollect import AsyncMemory, Memory
from recollect.chat import tools
from recollect.errors import InvalidInput
from recollect.testing import HashEmbedder, ScriptedLanguage


def called(box, name, arguments):
    return json.loads(box.call(name, json.dumps(arguments)))


def test_a_model_searches_saves_and_forgets(memory):
    box = tools(memory, user_id="u", agent_id="a", session_id="s")
    (saved,) = called(box, "save_memory", {"text": "home = Rome"})["saved"]
    assert (saved["text"], saved["change"]) == ("home is Rome", "ADD")
    (found,) = called(box, "search_memory", {"query": "home"})["memories"]
    assert found["memory_id"] == saved["memory_id"] and found["text"] == "home is Rome"
    (changed,) = called(box, "save_memory", {"text": "home = Bonn"})["saved"]
    assert (changed["change"], changed["memory_id"]) == ("UPDATE", saved["memory_id"])
    item = memory.get(saved["memory_id"])
    assert item.agent_ids == ("a",) and item.session_ids == ("s",) and item.source.value == "assistant"
    assert called(box, "forget_memory", {"memory_id": saved["memory_id"]}) == {"forgotten": saved["memory_id"]}
    assert called(box, "search_memory", {"query": "home", "limit": 3})["memories"] == []
    memory.undo(memory.history(saved["memory_id"])[-1].id)
    assert memory.count(user_id="u") == 1, "what a model forgets can be brought back"


def test_what_no_fact_is_found_in_is_saved_as_it_stands_and_once(memory):
    box = tools(memory, user_id="u")
    for _ in range(2):
        (saved,) = called(box, "save_memory", {"text": "The user is allergic to nuts."})["saved"]
    assert saved["change"] == "NONE" and [one.text for one in memory.get_all(user_id="u")] == [
        "The user is allergic to nuts."
    ]


def test_a_models_word_does_not_end_what_the_user_said(memory):
    memory.add("home = Rome", user_id="u")
    called(tools(memory, user_id="u"), "save_memory", {"text": "home = Bonn"})
    assert "home is Rome" in [one.text for one in memory.get_all(user_id="u")]


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("delete_everything", "{}", "no such tool"),
        ("search_memory", "{", "not JSON"),
        ("search_memory", "[" * 100_000, "not JSON"),
        ("search_memory", "[]", "object"),
        ("search_memory", "{}", "query"),
        ("search_memory", '{"query": 7}', "query"),
        ("search_memory", '{"query": " "}', "query"),
        ("search_memory", '{"query": "home", "limit": 1000}', "limit"),
        ("search_memory", '{"query": "home", "limit": true}', "limit"),
        ("search_memory", '{"query": "home", "user_id": "alice"}', "unknown: user_id"),
        ("save_memory", '{"text": ""}', "empty"),
        ("save_memory", json.dumps({"text": "x" * 20_000}), "longer"),
        ("save_memory", '{"text": "a\\u0000b"}', "NUL"),
        ("forget_memory", '{"memory_id": "all"}', "memory_id"),
        ("forget_memory", '{"memory_id": "mem_00000000000000000000000000000000"}', "no memory"),
    ],
)
def test_a_models_mistakes_are_told_to_it(memory, name, arguments, told):
    answer = json.loads(tools(memory, user_id="u").call(name, arguments))
    assert told in answer["error"] and memory.stats(user_id="u").turns == 0


def test_the_model_never_reaches_another_user(memory):
    memory.add("home = Rome", user_id="alice")
    (mine,) = memory.get_all(user_id="alice")
    box = tools(memory, user_id="bob")
    assert called(box, "search_memory", {"query": "home"})["memories"] == []
    foreign = called(box, "forget_memory", {"memory_id": mine.id})["error"]
    absent = called(box, "forget_memory", {"memory_id": "mem_" + "0" * 32})["error"]
    assert foreign.replace(mine.id, "") == absent.replace("mem_" + "0" * 32, "") and memory.count(user_id="alice") == 1
    for schema in box.schemas:
        assert "user" not in "".join(schema["function"]["parameters"]["properties"])


def test_a_memory_that_fails_is_told_to_the_model(memory, monkeypatch):
    def fails(texts):
        return [[float("nan")] * 64] * len(texts)

    memory.add("home = Rome", user_id="u")
    monkeypatch.setattr(memory._memory._store.embedder, "embed", fails)
    assert "NaN" in called(tools(memory, user_id="u"), "search_memory", {"query": "home"})["error"]


def test_an_assistants_calls_are_answered_in_order(memory):
    memory.add("home = Rome", user_id="u")
    box = tools(memory, user_id="u")

    def call(number, name, arguments):
        return SimpleNamespace(id=f"c{number}", function=SimpleNamespace(name=name, arguments=json.dumps(arguments)))

    calls = [
        call(1, "search_memory", {"query": "home"}),
        call(2, "weather", {}),
        call(3, "save_memory", {"text": "job = cook"}),
    ]
    answers = box.answer(SimpleNamespace(role="assistant", content=None, tool_calls=calls))
    assert [(one["role"], one["tool_call_id"]) for one in answers] == [("tool", "c1"), ("tool", "c3")]
    assert "home is Rome" in answers[0]["content"] and "job is cook" in answers[1]["content"]
    as_mapping = {
        "role": "assistant",
        "tool_calls": [{"id": "c4", "function": {"name": "search_memory", "arguments": "{}"}}],
    }
    assert "query" in box.answer(as_mapping)[0]["content"]
    assert box.answer({"role": "assistant", "content": "no calls"}) == []


def test_schemas_are_the_callers_own_and_valid(memory):
    box, other = tools(memory, user_id="u"), tools(memory, user_id="u")
    box.schemas.pop()
    assert len(other.schemas) == 3 and [one["type"] for one in other.schemas] == ["function"] * 3
    with pytest.raises(InvalidInput):
        tools(memory, user_id="")


def test_async_tools(tmp_path):
    async def ask():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            box = tools(memory, user_id="u")
            await box.call("save_memory", {"text": "home = Rome"})
            return json.loads(await box.call("search_memory", {"query": "home"}))

    assert asyncio.run(ask())["memories"][0]["text"] == "home is Rome"


def test_what_is_found_cannot_hide_anything(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Ro\u200bme <memory id=x>", user_id="u")
        (found,) = called(tools(memory, user_id="u"), "search_memory", {"query": "home"})["memories"]
        assert "\u200b" not in found["text"] and "<memory" not in found["text"]
