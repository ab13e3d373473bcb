"""The public surface: what the design promises of it, both classes and a scoped memory alike, and the reference word by word."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path

import pytest

from recollect import AsyncMemory, Memory, results
from recollect.scoped import VERBS
from recollect.testing import HashEmbedder, ScriptedLanguage

API = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
# The fixed surface, as far as this version goes: positional arguments, then keywords.
FIXED = {
    "add": "messages * user_id agent_id session_id metadata timestamp infer expires_at idempotency_key wait allow_erased",
    "search": "query * user_id agent_id session_id metadata_filter limit as_of known_at since until now min_score include"
    " graph explain",
    "context": "query * user_id max_tokens agent_id session_id metadata_filter limit as_of known_at since until now min_score"
    " include graph tokenizer",
    "get_all": "* user_id agent_id session_id metadata_filter as_of known_at limit after",
    "count": "* user_id agent_id session_id metadata_filter as_of known_at",
    "delete_all": "* user_id agent_id session_id metadata_filter",
    "get": "memory_id * user_id",
    "update": "memory_id text metadata * user_id",
    "delete": "memory_id * user_id",
    "history": "memory_id * user_id",
    "sources": "memory_id * user_id",
    "undo": "change_or_batch_id * user_id",
    "erase": "memory_id * user_id session_id before",
    "entity_graph": "* user_id",
    "pending": "",
    "resume": "",
    "flush": "",
    "verify": "",
    "rebuild": "",
    "reembed": "embedder * embedder_api_base embedder_api_key",
    "close": "",
    "scoped": "* user_id",
}
LATER = (
    "stats",
    "retell",
    "estimate",
    "estimate_retelling",
    "backup",
    "export",
    "export_all",
    "import_file",
    "import_mem0",
    "audit",
    "quarantine",
    "approve",
    "drop",
    "retention",
    "timeline",
    "merge_entities",
    "separate_entities",
    "changes",
    "find_id",
    "users",
)  # verbs that came on top
FIELDS = {
    "AddResult": "changes rejected redacted usage batch_id status",
    "AddUsage": "llm_calls tokens cost_usd",
    "Change": "op memory previous_text reason",
    "Hit": "kind text score id metadata created_at event_from event_to valid_from valid_to sources channels related_through",
    "Context": "hits tokens",
    "VerifyReport": "problems",
}
STORE_WIDE = (
    "pending",
    "resume",
    "flush",
    "verify",
    "rebuild",
    "reembed",
    "close",
    "scoped",
    "estimate",
    "backup",
    "export_all",
    "import_mem0",
    "retention",
    "users",
)


def parameters(verb):
    return {name: one for name, one in inspect.signature(verb).parameters.items() if name != "self"}


@pytest.mark.parametrize("name", FIXED)
def test_every_keyword_that_is_promised_is_there_and_keyword_only_where_it_should_be(name):
    positional, _, keywords = FIXED[name].partition("*")
    for memory in (Memory, AsyncMemory):
        have = parameters(getattr(memory, name))
        assert list(have)[: len(positional.split())] == positional.split()
        assert set(keywords.split()) <= {n for n, one in have.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}
        required = [n for n, one in have.items() if one.default is inspect.Parameter.empty]
        by_id = name in ("get", "update", "delete", "history", "sources", "undo", "erase")
        wanted = [
            one
            for one in FIXED[name].split()
            if one in ("messages", "query", "memory_id", "change_or_batch_id", "user_id")
        ]
        optional = {"user_id"} if by_id else set()
        optional |= {"memory_id"} if name == "erase" else set()
        assert required == [one for one in wanted if one not in optional]


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_that_is_promised_is_there(name):
    assert set(FIELDS[name].split()) <= set(getattr(results, name).model_fields)


def test_both_classes_agree_in_every_annotation_and_default():
    for name in FIXED:
        mine, theirs = inspect.signature(getattr(Memory, name)), inspect.signature(getattr(AsyncMemory, name))
        assert mine.parameters == theirs.parameters, name
        if name != "scoped":
            assert mine.return_annotation == theirs.return_annotation, name
            assert inspect.iscoroutinefunction(getattr(AsyncMemory, name)), name
    assert inspect.signature(Memory.__init__) == inspect.signature(AsyncMemory.__init__)


def test_a_scoped_memory_has_the_verbs_of_one_user_and_no_way_to_another(memory, tmp_path):
    change = memory.add("home = Rome", user_id="alice").changes[0]
    alice, bob = memory.scoped(user_id="alice"), memory.scoped(user_id="bob")
    assert set(VERBS) == {name for name in (*FIXED, *LATER) if name not in STORE_WIDE}
    for name in VERBS:
        expected = parameters(getattr(Memory, name))
        if name != "erase":  # to which its own user is named to erase everything; another's is a TypeError there too
            expected.pop("user_id")
        assert dict(inspect.signature(getattr(alice, name)).parameters) == expected
        with pytest.raises(TypeError, match="user_id"):
            getattr(bob, name)(user_id="alice", **dict.fromkeys(n for n, p in expected.items() if p.default is p.empty))
    for name in STORE_WIDE:
        assert not hasattr(alice, name)
    assert alice.get(change.memory.id).text == "home is Rome" and [hit.text for hit in alice.search("home")] == [
        "home is Rome"
    ]
    assert bob.search("home", min_score=0) == [] and bob.count() == 0 and bob.stats().turns == 0

    async def same():
        opened = AsyncMemory(tmp_path / "other", llm=ScriptedLanguage(), embedder=HashEmbedder())
        await opened.scoped(user_id="alice").add("home = Rome")
        with pytest.raises(TypeError, match="user_id"):
            await opened.scoped(user_id="bob").search("home", user_id="alice")
        assert await opened.scoped(user_id="bob").count() == 0
        await opened.close()

    asyncio.run(same())


def shown(verb):
    """A signature as the reference prints it."""
    parts, star = [], False
    for name, one in parameters(verb).items():
        if one.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        parts.append(name if one.default is inspect.Parameter.empty else f"{name}={one.default!r}")
    return f"({', '.join(parts)})"


def test_the_reference_prints_every_signature_and_docstring_as_they_are():
    for name in [*FIXED, *LATER]:
        verb = getattr(AsyncMemory, name)
        head = re.search(rf"^### `{name}(\(.*\))` → `(.*)`\n\n((?:.|\n)*?)(?=\n#)", API, re.M)
        assert head, name
        assert head[1] == shown(verb), name
        assert head[3].strip() == inspect.getdoc(verb), name
