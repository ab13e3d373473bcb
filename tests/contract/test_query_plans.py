"""No verb walks through all of a user's rows: every statement that SQLite is given finds what it wants by an index."""

from __future__ import annotations

import sqlite3

from recollect import Memory
from recollect.chat import ChatMemory
from recollect.testing import HashEmbedder, ScriptedLanguage


def life(memory):
    """One of every verb that is about a few memories; the labels."""
    yield "add"
    memory.add(
        [{"role": "user", "content": line} for line in ("home = Oslo", "pet = a cat", "job = baker")], user_id="u"
    )
    yield "update, delete, none by a fact"
    memory.add(
        [{"role": "user", "content": line} for line in ("home = Rome", "pet = a cat", "forget job")], user_id="u"
    )
    yield "add whole"
    memory.add("I sail", user_id="u", infer=False)
    yield "search"
    (hit, *_) = memory.search("home", user_id="u", include=["memories", "turns"])
    yield "timeline"
    memory.timeline(user_id="u", entity="Rome", slot="home")
    yield "get, history"
    memory.get(hit.id)
    changes = memory.history(hit.id)
    yield "changes, find_id"
    memory.changes(user_id="u", after=1)
    memory.find_id(hit.id[:12])
    for identifier in (hit.id, changes[0].id, changes[0].batch_id, memory.sources(hit.id)[0].turn_id):
        memory.find_id(identifier[:14], user_id="u")
    yield "update"
    memory.update(hit.id, "home is Paris")
    yield "undo"
    memory.undo(memory.history(hit.id)[-1].id)
    memory.undo(changes[0].batch_id) if len(changes) == 1 else None
    yield "delete"
    memory.delete(hit.id)
    yield "a conversation"
    with ChatMemory(memory, user_id="u", session_id="s", close_turns=2) as chat:
        for asked in ("home = Lima", "home = Bern"):
            chat.after(chat.before([{"role": "user", "content": asked}]), "ok")
        chat.pending()
    yield "pending, resume"
    memory.add("car = a van", user_id="u", wait=False)
    memory.pending()
    memory.resume()


def plans(folder, seen):
    """(statement, step) of every query plan."""
    with sqlite3.connect(folder / "ledger.sqlite3") as db:
        for statement in dict.fromkeys(seen):
            if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"):
                    yield statement, row[3]
    db.close()


def test_no_verb_walks_through_all_of_a_users_rows(tmp_path, statements):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        for label in life(memory):
            assert label
    walks = [
        (step, statement)
        for statement, step in plans(tmp_path, statements)
        if (step.endswith("(space=?)") and "batches_unfinished" not in step)  # of which there are few
        or (step.startswith("SCAN") and not step.endswith(("sqlite_master", "pending", "unfinished")))
    ]

    assert walks == [], walks
    assert len(set(statements)) > 50
