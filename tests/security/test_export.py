"""What is held on a user, given out whole; and who changed it."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import stat
import threading
from contextlib import closing

import numpy as np
import pytest

from recollect import AsyncMemory, Memory, trace
from recollect.errors import InvalidInput, ModelUnavailable, TargetExists
from recollect.model import Entity, Evidence, Extraction, Fact, Kind, Rejected, Relation
from recollect.testing import HashEmbedder, ScriptedLanguage

JSON = ("options", "redacted", "metadata", "payload", "also_ended", "terms")  # columns that hold it


class Telling(ScriptedLanguage):
    """Facts with entities and relations, and one that is rejected."""

    async def extract(self, chunk):
        turn = chunk.turns[0]
        quote = (Evidence(turn.id, turn.content),)
        named = (Entity(f"Ann of {turn.content}", "person"), Entity("Rome", "place"))
        fact = Fact(
            f"told: {turn.content}",
            Kind.PROFILE,
            quote,
            entities=named,
            relations=(Relation(named[0].name, "lives in", "Rome"),),
        )
        return Extraction((fact,), (Rejected(f"doubt about {turn.content}", "no quote"),))

    async def reconcile(self, cases):
        if any("waits" in case.fact.text for case in cases):
            raise ModelUnavailable("down")
        return await super().reconcile(cases)


def fill(folder):
    """A store in which each table that a user's data can be in has some of it, for alice and for bob."""
    for name in ("alice", "bob"):
        with Memory(folder, llm=Telling(), embedder=HashEmbedder(), actor=f"agent of {name}") as memory:
            added = memory.add(
                f"{name} moved", user_id=name, session_id=f"s-{name}", agent_id="a", metadata={"by": name}
            )
            memory.add(
                f"{name} 4242 4242 4242 4242", user_id=name, idempotency_key=f"key-{name}", expires_at="2050-01-01"
            )
            memory.merge_entities("Rome", f"Ann of {name} moved", user_id=name)
            memory.update(added.changes[0].memory.id, f"{name} really moved", user_id=name)
            memory.delete_all(user_id=name, session_id=f"s-{name}")
            with pytest.raises(ModelUnavailable):  # its facts are journalled, and wait for their decisions
                memory.add(f"{name} waits", user_id=name)
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:  # what no verb leaves behind in an ordinary run
        for (space,) in db.execute("SELECT space FROM users").fetchall():
            number, vector = db.execute(
                "SELECT number, vector FROM passages WHERE space = ? LIMIT 1", (space,)
            ).fetchone()
            db.execute("INSERT INTO reembedded VALUES (?, ?, ?)", (space, number, vector))
            db.execute("INSERT INTO tombstones VALUES (?, ?, ?)", (space, f"digest-{space}", 1_700_000_000_000_000))
        for (batch,) in db.execute("SELECT id FROM batches").fetchall():
            db.execute("INSERT INTO calls VALUES (NULL, ?, 0, 'extract', 1700000000000000, 1, 2, 3, 0.5)", (batch,))
        db.commit()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "store"
    fill(folder)
    return folder


@pytest.fixture
def filled(store):
    with Memory(store, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        yield memory


def tables(db, column):
    names = [
        name
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    ]
    return [name for name in names if column in {row[1] for row in db.execute(f"PRAGMA table_info({name})")}]


def held(db, name):
    """(table, column, value) of every cell that is about a user, read from the schema: tables with a space or a batch_id."""
    space = db.execute("SELECT space FROM users WHERE name = ?", (f"user:{name}",)).fetchone()[0]
    by_space = tables(db, "space")
    by_batch = [table for table in tables(db, "batch_id") if table not in by_space]
    assert len(by_space) >= 14 and len(by_batch) >= 3
    for table in [*by_space, *by_batch]:
        where = "space = ?" if table in by_space else "batch_id IN (SELECT id FROM batches WHERE space = ?)"
        cursor = db.execute(f"SELECT * FROM {table} WHERE {where}", (space,))
        rows = cursor.fetchall()
        assert rows, f"{table} is empty, so nothing of it was tried"
        columns = [one[0] for one in cursor.description]
        yield from ((table, column, value) for row in rows for column, value in zip(columns, row, strict=True))


def strings(value):
    """Every key, text and number in a document."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)
    else:
        yield value


def as_given_out(column, value):
    """How a document shows a value of the ledger."""
    if isinstance(value, bytes):
        return [base64.b64encode(value).decode()]
    if isinstance(value, str) and value[:1] in "{[" and column in JSON:
        return list(strings(json.loads(value)))
    if isinstance(value, int) and value > 10**15:
        return [str(np.datetime64(value, "us"))[:19]]
    return [value.removeprefix("user:")] if column == "name" and isinstance(value, str) else [value]


def test_everything_in_every_table_that_is_about_a_user_is_given_out_and_nothing_of_others(store, filled):
    document = filled.export(user_id="alice")
    json.dumps(document)
    shown = {str(one)[:19] if str(one)[4:5] == "-" and "T" in str(one)[:12] else str(one) for one in strings(document)}
    with closing(sqlite3.connect(store / "ledger.sqlite3")) as db:
        missing = [
            (table, column, value)
            for table, column, value in held(db, "alice")
            if value is not None
            and column != "space"
            and (table, column) != ("calls", "id")  # counts everybody's
            and not {str(one) for one in as_given_out(column, value)} <= shown
        ]
        theirs = {value for table, column, value in held(db, "bob") if isinstance(value, str) and "bob" in value}
    assert [one for one in missing if one[1:] not in {("last_recorded_at", 0), ("terms", "{}")}] == []
    assert theirs and "bob" not in json.dumps(document)


def test_the_document_says_what_it_has(filled):
    document = filled.export(user_id="alice")
    assert list(document)[:3] == ["user_id", "exported_at", "counts"]
    assert document["counts"] == {name: len(document[name]) for name in list(document)[3:]}
    assert min(document["counts"].values()) > 0
    assert {row["status"] for row in document["batches"]} == {"done", "pending"}
    assert ["card_number", 0] in [one for row in document["batches"] for one in row["redacted"]]
    (first,) = [row for row in document["memories"] if row["text"] == "told: alice moved"]
    assert first["valid_from"] and first["valid_to"] is None and first["recorded_at"] < first["retired_at"]
    assert {row["actor"] for row in document["history"]} == {"agent of alice"}
    vector = np.frombuffer(base64.b64decode(document["passages"][0]["vector"]), "<f4")
    assert vector.shape == (64,) and np.isclose(np.linalg.norm(vector), 1, atol=1e-3)
    assert {row["object_name"] for row in document["relations"]} == {"Rome"}
    assert filled.scoped(user_id="alice").export()["counts"] == document["counts"]


def test_of_an_unknown_user_nothing_is_held_and_nothing_made(filled):
    document = filled.export(user_id="nobody")
    assert set(document["counts"].values()) == {0} and filled.audit(user_id="nobody") == []
    assert all(document[name] == [] for name in document["counts"])
    assert filled.export(user_id=None)["user_id"] is None


def test_a_file_has_the_same_document_for_its_owner_alone(store, tmp_path):
    events, target = [], tmp_path / "alice.json"
    with Memory(store, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=events.append) as memory:
        head = memory.export(user_id="alice", path=target)
        whole = memory.export(user_id="alice")
        written = json.loads(target.read_text("utf-8"))
        assert written | {"exported_at": ""} == whole | {"exported_at": ""}
        assert head == {name: written[name] for name in ("user_id", "exported_at", "counts")}
        assert stat.S_IMODE(target.stat().st_mode) == 0o600 and [file.name for file in tmp_path.iterdir()] == [
            "alice.json"
        ]
        total = sum(head["counts"].values())
        assert [one for one in events if isinstance(one, trace.Exported)][-1] == trace.Exported(total, total)
        with pytest.raises(TargetExists):
            memory.export(user_id="alice", path=target)
        memory.export(user_id="bob", path=target, overwrite=True)
        assert json.loads(target.read_text("utf-8"))["user_id"] == "bob"
        for bad in (tmp_path, tmp_path / "no" / "folder", store / "ledger.sqlite3", "", 7):
            with pytest.raises(InvalidInput):
                memory.export(user_id="alice", path=bad)
        with pytest.raises(InvalidInput):
            memory.export(user_id="", path=tmp_path / "x")


def test_an_export_is_of_one_moment_while_others_write(store, tmp_path):
    """What is committed in the middle of an export is not in it, not even in half of its sections."""
    added = []

    def meddle(event):
        if isinstance(event, trace.Exported) and not added:
            with Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder()) as other:
                added.append(other.add("home = Oslo", user_id="u"))

    folder = tmp_path / "store"
    with Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=meddle) as memory:
        memory.add([{"role": "user", "content": f"n{i} = {i}"} for i in range(120)], user_id="u")
        head = memory.export(user_id="u", path=tmp_path / "u.json")
        document = json.loads((tmp_path / "u.json").read_text("utf-8"))
        assert added and "Oslo" not in json.dumps(document)
        assert head["counts"] == {name: len(document[name]) for name in head["counts"]}
        assert "Oslo" in json.dumps(memory.export(user_id="u"))


def test_an_export_that_is_stopped_leaves_nothing(store, tmp_path):
    async def stop():
        writing, go_on = threading.Event(), threading.Event()

        def wait(event):
            if isinstance(event, trace.Exported):
                writing.set()
                go_on.wait(60)

        memory = AsyncMemory(store, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=wait)
        export = asyncio.create_task(memory.export(user_id="alice", path=tmp_path / "alice.json"))
        assert await asyncio.to_thread(writing.wait, 60)
        export.cancel()
        with pytest.raises(asyncio.CancelledError):
            await export
        go_on.set()
        await memory.close()

    asyncio.run(stop())
    written = list(tmp_path.iterdir())
    assert written in ([], [tmp_path / "alice.json"])  # whole, where all of it was written before the cancellation came
    assert all(json.loads(file.read_text("utf-8"))["user_id"] == "alice" for file in written)


# --- audit -------------------------------------------------------------------------------------------------------------


def test_an_audit_names_who_did_what_and_tells_no_content(tmp_path):
    def opened(actor):
        return Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(), actor=actor)

    with opened("support: Eve") as memory:
        memory_id = memory.add("home = Rome", user_id="u").changes[0].memory.id
    with opened(None) as memory:
        memory.update(memory_id, "home is Bonn", user_id="u")
    with opened("job 7") as memory:
        change = memory.delete(memory_id) or memory.history(memory_id)[-1]
        memory.undo(change.id)
        entries = memory.scoped(user_id="u").audit()
        assert [(one.actor, one.op.value, one.memory_id) for one in entries[:3]] == [
            ("support: Eve", "ADD", memory_id), (None, "UPDATE", memory_id), ("job 7", "DELETE", memory_id),
        ]  # fmt: skip
        assert entries[3].undoes == change.id and entries[3].actor == "job 7"
        assert [one.number for one in entries] == sorted(one.number for one in entries)
        told = json.dumps([one.model_dump(mode="json") for one in entries])
        assert not any(word in told for word in ("Rome", "Bonn", "home", "new value", "corrected"))
        assert memory.audit(user_id="someone else") == [] and memory.verify().ok


def test_an_audit_names_who_erased(tmp_path):
    """What an erasure brings back is a change like any other."""
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder(), actor="job 7") as memory:
        memory.add("home = Rome", user_id="u", session_id="a", timestamp="2024-01-01")
        memory.add("home = Oslo", user_id="u", session_id="b", timestamp="2024-02-01")
        before = {one.number for one in memory.audit(user_id="u")}
        assert memory.erase(user_id="u", session_id="b").restored == 1
        new = [one for one in memory.audit(user_id="u") if one.number not in before]
        assert new and {one.actor for one in new} == {"job 7"}


@pytest.mark.parametrize("actor", ["", "a\x00b", "a\nb", "x" * 600, 7])
def test_an_actor_is_checked_like_an_identifier(tmp_path, actor):
    with pytest.raises(InvalidInput, match="actor"):
        Memory(tmp_path / "store", actor=actor)
    assert not (tmp_path / "store").exists()
