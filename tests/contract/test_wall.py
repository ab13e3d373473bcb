"""The wall: what one user has is not seen, not counted and not felt by another."""

from __future__ import annotations

import pytest

from recollect import Memory
from recollect.errors import NotFound
from recollect.testing import HashEmbedder, ScriptedLanguage

FACTS = ["home = Berlin", "likes += tea", "likes += rum", "home = Paris", "job = cook"]


def fill(memory, user_id):
    return [memory.add(fact, user_id=user_id, timestamp=f"2024-01-0{n}") for n, fact in enumerate(FACTS, start=1)]


def view(memory):
    hits = memory.search(
        "home Paris tea", user_id="b", include=("memories", "turns"), limit=50, min_score=0, explain=True
    )
    return (
        [(hit.kind, hit.text, hit.score, [(c.name, c.rank, c.score) for c in hit.channels]) for hit in hits],
        [item.text for item in memory.get_all(user_id="b")],
        memory.count(user_id="b"),
        memory.stats(user_id="b").model_dump(exclude={"bytes_on_disk"}),
        [change.number for item in memory.get_all(user_id="b") for change in memory.history(item.id, user_id="b")],
        memory.context("home", user_id="b", max_tokens=300).tokens,
    )


def test_another_users_memories_change_nothing(tmp_path):
    views = []
    for crowd in (0, 300):
        with Memory(tmp_path / str(crowd), llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            said = [{"role": "user", "content": f"likes += tea{n} home Paris"} for n in range(crowd)]
            if crowd:
                memory.add(said, user_id="a")
            fill(memory, "b")
            views.append(view(memory))
    assert views[0] == views[1]


def test_foreign_ids_do_not_exist(memory):
    mine = fill(memory, "a")[0]
    fill(memory, "b")
    memory_id, change_id = mine.changes[0].memory.id, mine.changes[0].id
    absent = "mem_" + "0" * 32
    for verb in (memory.get, memory.history, memory.sources, memory.delete, lambda i, **k: memory.update(i, "x", **k)):
        with pytest.raises(NotFound) as foreign:
            verb(memory_id, user_id="b")
        with pytest.raises(NotFound) as unknown:
            verb(absent, user_id="b")
        assert str(foreign.value).replace(memory_id, "") == str(unknown.value).replace(absent, "")
    for identifier in (change_id, mine.batch_id):
        with pytest.raises(NotFound):
            memory.undo(identifier, user_id="b")
    with pytest.raises(NotFound):
        memory.get_all(user_id="b", after=memory_id)
    assert memory.delete_all(user_id="b") == 4
    assert memory.count(user_id="a") == 4 and memory.count(user_id="b") == 0


def test_the_shared_space_is_a_space_like_any_other(memory):
    memory.add("home = Berlin", user_id=None)
    assert memory.count(user_id=None) == 1
    assert memory.count(user_id="shared") == 0 and memory.search("home Berlin", user_id="u") == []


def test_scoped_is_one_users_memory(memory):
    mine = fill(memory, "a")[0]
    bob = memory.scoped(user_id="b")
    bob.add("home = Rome")
    assert [item.text for item in bob.get_all()] == ["home is Rome"]
    with pytest.raises(NotFound):
        bob.get(mine.changes[0].memory.id)
    assert not hasattr(bob, "rebuild") and not hasattr(bob, "pending")


def test_a_memory_said_again_elsewhere_is_found_there_too(memory):
    memory.add("home = Berlin", user_id="u", agent_id="x", session_id="one")
    memory.add("home = Berlin", user_id="u", agent_id="y", session_id="two")
    for narrow in ({"agent_id": "x"}, {"agent_id": "y"}, {"session_id": "one"}, {"session_id": "two"}):
        assert [hit.text for hit in memory.search("home Berlin", user_id="u", **narrow)] == ["home is Berlin"]
        assert memory.count(user_id="u", **narrow) == 1
    assert memory.count(user_id="u", agent_id="z") == 0
    item = memory.get_all(user_id="u")[0]
    assert item.agent_ids == ("x", "y") and item.session_ids == ("one", "two")
