"""Every invariant broken in a store that was whole: `verify()` names it, `rebuild()` mends what follows from the rest, and
what cannot be mended is said. The store is altered behind our back, by a connection of its own.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3

import numpy as np
import pytest

from recollect import Memory
from recollect.adapters import seals
from recollect.model import Entity, Extraction, Fact, Relation
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.trace import Checked

NAN = np.full(64, np.nan, dtype="<f4").tobytes()
LONG = np.ones(64, dtype="<f4").tobytes()
SHORT = np.ones(3, dtype="<f4").tobytes()


class Named(ScriptedLanguage):
    """The scripted language, with entities and a relation in every fact."""

    async def extract(self, chunk):
        found = await super().extract(chunk)
        people = (Entity("Ann  Lee", "person"), Entity("Rome", "place"))
        return Extraction(tuple(with_names(fact, people) for fact in found.facts))


def with_names(fact, people):
    relation = Relation("Ann Lee", "lives in", "Rome")
    return Fact(fact.text, fact.kind, fact.evidence, fact.slot, fact.value, people, (relation,), retracts=fact.retracts)


def opened(folder, **more):
    return Memory(folder, llm=Named(), embedder=HashEmbedder(), **more)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with two users, and a bit of everything in it."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    with opened(folder) as memory:
        for said in ("home = Rome", "likes += tea", "home = Oslo", "likes -= tea", "hello there"):
            memory.add([{"role": "user", "content": said}], user_id="u", session_id="s", metadata={"n": 1})
        kept = memory.add("A note, kept whole.", user_id="u", infer=False).changes[0].memory
        memory.update(kept.id, text="A note, kept whole and corrected.")
        memory.delete_all(user_id="u", metadata_filter={"n": 2})
        gone = memory.add("likes += rain", user_id="u", session_id="s").changes[0].memory
        memory.delete(gone.id)
        memory.undo(memory.history(gone.id)[-1].id)
        memory.delete_all(user_id="u", session_id="s")
        memory.add("home = Bern", user_id="u", session_id="s")
        memory.add("likes += milk", user_id="bob")
        assert memory.verify().problems == ()
    return folder


@pytest.fixture
def store(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "store")


def alter(folder, *statements, sealed=False):
    """Alter the ledger; `sealed`: with its digests, so that other checks must notice."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as db:
        if sealed:
            seals.install_function(db)
            seals.install_triggers(db)
        for statement in statements:
            values = () if isinstance(statement, str) else statement[1:]
            assert db.execute(statement if isinstance(statement, str) else statement[0], values).rowcount != 0


def told(folder):
    with opened(folder) as memory:
        return memory.verify().problems


# What is altered, with its seal kept, and what `verify()` must say of it.
BROKEN = [
    ("DELETE FROM changes WHERE space = 1 AND number = 1", "without the change that recorded it"),
    ("DELETE FROM changes WHERE space = 1 AND number = 1", "numbers of changes that are missing"),
    ("UPDATE memory_rows SET retired = 999 WHERE space = 1 AND number = 1", "retired by a change that is missing"),
    ("UPDATE memory_rows SET statement = 999 WHERE space = 2", "a version without its statement"),
    ("DELETE FROM sources WHERE space = 2", "a version without a source"),
    ("DELETE FROM memory_rows WHERE space = 2", "versions, statements, turns' passages, sources or entities that are miss"),
    ("DELETE FROM memory_rows WHERE space = 2", "a statement that no version says"),
    ("DELETE FROM passages WHERE space = 2 AND kind = 'statement'", "a statement that cannot be searched"),
    ("DELETE FROM statements WHERE space = 2", "belongs to no statement and no turn"),
    ("UPDATE passages SET revised = 999 WHERE space = 2", "numbered later than the user's last commit"),
    ("DELETE FROM passages WHERE space = 2 AND kind = 'turn'", "a committed turn that cannot be searched"),
    ("DELETE FROM turns WHERE space = 2", "a quote whose statement or turn is missing"),
    ("DELETE FROM turns WHERE space = 2", "turns that are missing"),
    ("UPDATE sources SET added = 999 WHERE space = 2", "a quote without the change that added"),
    ("UPDATE hidings SET origin = 999 WHERE space = 1", "hidden without the change"),
    ("UPDATE changes SET row = 999 WHERE space = 2", "a change of a version"),
    ("UPDATE changes SET undoes = 'chg_0' WHERE space = 2", "undoing a change, that is missing"),
    ("UPDATE changes SET recorded_at = 9 WHERE space = 1 AND number = 3", "recorded earlier than the change before it"),
    ("UPDATE sources SET quote = 'never said' WHERE space = 2", "a quote that does not stand in its turn"),
    ("UPDATE sources SET quote = '' WHERE space = 2", "a quote that does not stand in its turn"),
    ("UPDATE mentions SET entity = 999 WHERE space = 2 AND entity = 1", "an entity or a relation that is missing"),
    ("UPDATE relations SET object = 999 WHERE space = 2", "an entity or a relation that is missing"),
    ("INSERT INTO identities VALUES (2, 1, 999, 1, 1, 1, NULL)", "merged or told apart without the change"),
    ("INSERT INTO identities VALUES (2, 1, 1, 1, 1, 1, NULL)", "merged or told apart without the change"),
    ("INSERT INTO identities VALUES (2, 1, 2, 0, 999, 1, NULL)", "merged or told apart without the change"),
    ("INSERT INTO identities VALUES (2, 1, 2, 0, 1, 1, 999)", "merged or told apart without the change"),
    ("UPDATE batches SET status = 'pending' WHERE space = 2", "pending with none that is left"),
    ("UPDATE chunks SET state = 'closed' WHERE space = 2", "done with chunks that are not committed"),
    ("UPDATE chunks SET committed = 999 WHERE space = 2", "by one that the user has not reached"),
    ("UPDATE chunks SET last_turn = 2 WHERE space = 2", "turns that are missing"),
    ("UPDATE chunks SET n = 3 WHERE space = 2", "chunks whose numbers have gaps"),
    ("UPDATE chunks SET space = 1 WHERE space = 2", "of another user than its batch"),
    ("UPDATE turns SET committed = NULL, passage = NULL WHERE space = 2", "its turns are not searchable"),
    ("UPDATE turns SET batch_id = 'batch_0' WHERE space = 2", "of no chunk of its batch"),
    ("INSERT INTO facts VALUES ('batch_0', 0, 0, '{}')", "of a chunk that is missing"),
    ("UPDATE chunks SET space = 7 WHERE space = 2", "rows of a user who is not known"),
    ("DELETE FROM users WHERE space = 2", "a reference to what is missing"),
    ("DROP INDEX sources_by_turn", "a table or index that is missing"),
    ("CREATE TABLE theirs (x)", "a table or index that is missing, or is not ours"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "what"), BROKEN)
def test_every_broken_invariant_is_named_and_needs_a_backup(store, statement, what):
    alter(store, "PRAGMA foreign_keys = OFF", statement, sealed=True)
    with opened(store) as memory:
        problems = memory.verify().problems
        assert any(what in one.what and not one.mendable for one in problems), problems
        assert not any(word in str(problems) for word in ("Rome", "tea", "milk", "note"))
        assert memory.rebuild().problems


def test_two_versions_of_a_memory_that_hold_at_once(store):
    copy = "INSERT INTO memory_rows SELECT space, {}, memory_id, statement, valid_from - 5, valid_to, recorded, retired, {}"
    alter(store, copy.format("99", "metadata, expires_at, 0, NULL FROM memory_rows WHERE space = 2"), sealed=True)
    said = [one.what for one in told(store)]
    assert "two versions of a memory that hold at the same time" in said
    assert "two live versions that say the same" in said


@pytest.mark.parametrize("table", ["turns", "statements", "memory_rows", "sources", "changes", "entities", "batches"])
def test_what_is_altered_or_removed_behind_our_back_is_told(store, table):
    texts = {
        "turns": "content",
        "statements": "value",
        "memory_rows": "metadata",
        "sources": "quote",
        "changes": "reason",
    }
    column = {**texts, "entities": "kind", "batches": "options"}[table]
    alter(store, f"UPDATE {table} SET {column} = {column} || ' ' WHERE space = 2")
    assert "content that is not as it was written" in [one.what for one in told(store)]
    with opened(store) as memory:  # a later write does not seal the damage
        memory.delete_all(user_id="bob")
        memory.add("likes += more", user_id="bob")
        assert "content that is not as it was written" in [one.what for one in memory.verify().problems]
    alter(store, f"DELETE FROM {table} WHERE space = 2")
    assert "something that was written and is missing" in [one.what for one in told(store)]


MENDED = [
    (("UPDATE passages SET vector = ? WHERE space = 2", NAN), "a vector that is not of unit length"),
    (("UPDATE passages SET vector = ? WHERE space = 2", LONG), "a vector that is not of unit length"),
    (("UPDATE passages SET vector = ? WHERE space = 2", SHORT), "a vector of the wrong length"),
    (("UPDATE passages SET vector = ? WHERE space = 2", b"\0\0"), "a vector of the wrong length"),
    (("UPDATE passages SET terms = '{\"x\":1}' WHERE space = 2",), "term counts that differ from a recount"),
    (("UPDATE passages SET terms = '{' WHERE space = 1",), "term counts that differ from a recount"),
    (("UPDATE statements SET text_key = 'x' WHERE space = 2",), "a key that does not fit its text"),
    (("UPDATE statements SET slot_key = 'x' WHERE space = 1",), "a key that does not fit its text"),
    (("UPDATE entities SET key = 'x' WHERE space = 2 AND number = 1",), "a key that does not fit its text"),
    (("UPDATE users SET last_row = 0, last_turn = 0, last_source = 0 WHERE space = 2",), "would be given out again"),
    (
        ("UPDATE users SET last_entity = 0, last_passage = 0, last_recorded_at = 0 WHERE space = 1",),
        "be given out again",
    ),
]


def answers(memory):
    hits = memory.search("likes milk", user_id="bob", min_score=0, include=("memories", "turns"))
    return [(hit.text, round(hit.score, 5)) for hit in hits], [one.text for one in memory.get_all(user_id="u")]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(("statement", "what"), MENDED)
def test_what_follows_from_the_rest_is_mended(store, statement, what, sealed):
    with opened(store) as memory:
        right, changes = answers(memory), memory.stats().changes
    alter(store, statement, sealed=sealed)
    with opened(store) as other, opened(store) as memory:
        other.search("x", user_id="bob")  # a partition of another process's, with the damage in it
        problems = memory.verify().problems
        assert any(what in one.what for one in problems) and all(one.mendable for one in problems), problems
        rebuilt = memory.rebuild()
        assert set(rebuilt.mended) == set(problems) and rebuilt.problems == ()
        assert memory.verify().problems == () and memory.stats().changes == changes
        assert answers(memory) == answers(other) == right and other.verify().ok
        assert memory.rebuild().mended == ()
        memory.add("likes += more", user_id="bob")
        assert memory.verify().ok


@pytest.mark.parametrize("vector", [NAN, SHORT, b"\0"])
def test_a_damaged_vector_is_left_out_and_its_text_found_by_its_words(store, vector, caplog):
    alter(store, ("UPDATE passages SET vector = ? WHERE space = 2", vector))
    with opened(store) as memory:
        hits = memory.search("milk", user_id="bob", include=("memories", "turns"))
        assert {hit.kind for hit in hits} == {"memory", "turn"} and all(0 < hit.score <= 1 for hit in hits)
        assert "a damaged vector of space 2 is left out" in caplog.text


def test_a_vector_that_is_pending_again_leaves_the_views_that_have_it(store):
    with opened(store) as memory:
        memory.search("milk", user_id="bob")
        again = "UPDATE passages SET vector = NULL, revised = 99 WHERE space = 2"
        alter(store, again, "UPDATE users SET revision = 99 WHERE space = 2", sealed=True)
        assert memory.verify().problems == ()


def test_an_index_is_made_anew(store):
    as_it_is = "SELECT sql FROM sqlite_master WHERE name = 'statements_by_slot'"
    for was, becomes in ((" IS NOT NULL", " IS NULL"), (" IS NULL", " IS NOT NULL")):
        with contextlib.closing(sqlite3.connect(store / "ledger.sqlite3", isolation_level=None)) as db:
            sql = db.execute(as_it_is).fetchone()[0].replace(was, becomes)
            if becomes == " IS NOT NULL":
                db.execute("REINDEX statements_by_slot")  # of the wrong rows
            db.execute("PRAGMA writable_schema = ON")
            db.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'statements_by_slot'", (sql,))
    with opened(store) as memory:
        (problem,) = memory.verify().problems
        assert problem.mendable and problem.where == "index statements_by_slot"
        rebuilt = memory.rebuild()
        assert rebuilt.mended == (problem,) and rebuilt.problems == ()
        assert memory.add("home = Rome", user_id="u").changes[0].op == "UPDATE"


def test_a_view_that_cannot_be_read_hides_nothing_else(store):
    with opened(store) as memory:
        memory.search("x", user_id="bob")
        alter(store, "UPDATE passages SET terms = '{', revised = 99 WHERE space = 2", "UPDATE users SET revision = 99")
        found = [one.what for one in memory.verify().problems]
        assert "term counts that differ from a recount" in found and "stored values that cannot be read" in found


def test_a_partition_that_went_astray_is_told_and_made_anew(store):
    with opened(store) as memory:
        right = answers(memory)
        (partition,) = [one for one in memory._memory._store.partitions.loaded() if one.space == 2]
        keys = np.flatnonzero(partition._intervals._passages["turn"]).tolist()
        partition._texts.upsert(keys[0], {"stray": 1})
        (problem,) = memory.verify().problems
        assert "a partition that differs" in problem.what and problem.mendable
        assert memory.rebuild().mended == (problem,) and answers(memory) == right
        (partition,) = [one for one in memory._memory._store.partitions.loaded() if one.space == 2]
        partition._vectors.upsert(keys, np.eye(64, dtype=np.float32)[: len(keys)])
        assert [one.what for one in memory.verify().problems] == ["a partition that differs from its rebuild"]


def test_many_faults_of_a_kind_are_one_problem_and_progress_is_told(store):
    events = []
    alter(store, "UPDATE sources SET quote = 'never said' WHERE space = 1", sealed=True)
    with opened(store, on_event=events.append) as memory:
        (problem,) = memory.verify().problems
        assert problem.where.startswith("space 1: source 1, 2, 3, 4, 5 and ") and problem.where.endswith(" more")
    assert [one for one in events if isinstance(one, Checked)] == [Checked(1, 2), Checked(2, 2)]


def test_a_long_message_kept_whole_is_its_own_quote(memory):
    memory.add("word " * 2_000, user_id="u", infer=False)
    assert memory.verify().problems == ()


def test_a_turn_after_hidden_ones_is_counted_as_it_was_told(memory):
    for n in range(6):
        memory.add(f"number {n} is said", user_id="u", session_id="s")
        if n == 3:
            memory.delete_all(user_id="u", session_id="s")
    assert memory.verify().problems == ()
