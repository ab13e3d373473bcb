"""The wall: what one user has is not seen, not counted and not felt by another."""

from __future__ import annotations

from datetime import datetime

import pytest

from recollect import Memory
from recollect.errors import NotFound
from recollect.testing import HashEmbedder, ScriptedLanguage

FACTS = ["home = Berlin", "likes += tea", "likes += rum", "home = Paris", "job = cook", "likes += tea", "likes -= rum"]
BOTH = ("memories", "turns")


class Listening(ScriptedLanguage):
    """Writes down every case that it is shown: facts, candidates with their cosines, and what it decides."""

    def __init__(self):
        self.seen = []

    async def reconcile(self, cases):
        answer = await super().reconcile(cases)
        for case, decision in zip(cases, answer.decisions, strict=True):
            shown = [(c.number, c.text, c.slot, c.value, c.similarity) for c in case.candidates]
            self.seen.append((case.fact.text, shown, decision))
        return answer


def fill(memory, user_id, **scope):
    return [
        memory.add(one, user_id=user_id, timestamp=f"2024-01-0{n}", **scope) for n, one in enumerate(FACTS, start=1)
    ]


def searches(memory):
    """Every way to search, to the last digit."""
    first = memory.history(memory.get_all(user_id="b")[0].id)[0].recorded_at
    ways = [
        {},
        {"include": BOTH, "explain": True, "min_score": 0},
        {"include": ["turns"], "limit": 3},
        {"agent_id": "x", "min_score": 0},
        {"session_id": "one", "min_score": 0, "include": BOTH},
        {"metadata_filter": {"topic": "me"}, "include": BOTH},
        {"as_of": "2024-01-03", "min_score": 0, "include": BOTH},
        {"known_at": first, "min_score": 0, "include": BOTH},
        {"since": "2024-01-02", "until": "2024-01-04", "min_score": 0, "include": BOTH},
    ]
    found = [hit for way in ways for hit in memory.search("home Paris tea", user_id="b", **{"limit": 50, **way})]
    assert len(found) > 30
    dumped = [hit.model_dump(exclude={"id", "created_at", "sources"}) for hit in found]
    return [{key: "today" if is_recent(value) else value for key, value in one.items()} for one in dumped]


def is_recent(value):
    """Whether it is a time of our own clock: all that the facts are dated by is of 2024."""
    return isinstance(value, datetime) and value.year > 2024


def changed(changes):
    return [
        (c.op, c.number, c.memory and c.memory.text, c.previous_text, c.also_ended, c.reason, c.flag) for c in changes
    ]


def view(memory):
    """What user b sees through every verb; ids and clocks aside."""
    scoped = {"user_id": "b"}
    items = memory.get_all(**scoped)
    seen = [searches(memory), [item.text for item in items]]
    seen += [
        memory.count(**scoped),
        memory.count(**scoped, as_of="2024-01-02"),
        memory.count(**scoped, session_id="one"),
    ]
    seen.append(memory.stats(**scoped).model_dump())
    context = memory.context("home tea", **scoped, max_tokens=300)
    seen += [context.tokens, [hit.text for hit in context.hits]]
    for item in items:
        seen.append(memory.get(item.id, **scoped).model_dump(include={"text", "value", "session_ids", "agent_ids"}))
        seen.append(changed(memory.history(item.id, **scoped)))
        seen.append([source.quote for source in memory.sources(item.id, **scoped)])
    return seen


def live_through(memory):
    """A user's whole life, by every verb that changes something; what was seen on the way."""
    mind = memory._memory._writer.reconciler
    mind.seen.clear()
    added = fill(memory, "b", agent_id="x", session_id="one", metadata={"topic": "me"})
    seen = [changed(one.changes) for one in added]
    seen.append(view(memory))
    home, job = (next(i.id for i in memory.get_all(user_id="b") if i.attribute == a) for a in ("home", "job"))
    seen.append(memory.update(home, "home is Rome", {"by": "hand"}, user_id="b").text)
    memory.delete(job, user_id="b")
    seen.append(view(memory))
    seen.append(changed(memory.undo(memory.history(job)[-1].id, user_id="b")))
    seen.append(changed(memory.add("home = Oslo", user_id="b", timestamp="2024-02-01").changes))
    seen.append(view(memory))
    deleted = memory.delete_all(user_id="b", session_id="one")
    seen += [int(deleted), [hit.text for hit in memory.search("home Oslo tea", user_id="b", include=BOTH, min_score=0)]]
    seen.append(changed(memory.undo(deleted.batch_id, user_id="b")))
    seen.append(view(memory))
    return [*seen, list(mind.seen)]


def crowd_in(memory, user_id):
    """Many memories with b's very texts and texts like them."""
    fill(memory, user_id, agent_id="x", session_id="one", metadata={"topic": "me"})
    said = [{"role": "user", "content": f"likes += tea{n} home Paris"} for n in range(150)]
    memory.add(said, user_id=user_id, session_id="one")
    memory.add([{"role": "user", "content": "home Paris tea"}] * 16, user_id=user_id, session_id="one")


def test_another_users_memories_change_nothing(tmp_path):
    lives, others = [], []
    for crowded in (False, True):
        with Memory(tmp_path / str(crowded), llm=Listening(), embedder=HashEmbedder()) as memory:
            if crowded:
                crowd_in(memory, "a")
                crowd_in(memory, None)
                others = [texts(memory, user_id) for user_id in ("a", None)]
            lives.append(live_through(memory))
            if crowded:
                assert [texts(memory, user_id) for user_id in ("a", None)] == others
    assert lives[0] == lives[1]


def texts(memory, user_id):
    items = [item.model_dump() for item in memory.get_all(user_id=user_id)]
    hits = memory.search("home Paris tea", user_id=user_id, include=BOTH, min_score=0, limit=300)
    assert len(items) > 150 and len(hits) > 300 - 1
    return items, [hit.model_dump() for hit in hits], memory.count(user_id=user_id)


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
    assert memory.count(user_id="a") == 3 and memory.count(user_id="b") == 0


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
