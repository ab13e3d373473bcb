"""The schema: steps replayed one by one give what a fresh file has, and the wall is in every key."""

from __future__ import annotations

import re
import sqlite3

import pytest

from recollect.adapters import database
from recollect.adapters.database import Database, migrate, migrations, schema_version, statements_of
from recollect.errors import SchemaTooNew, StoreCorrupt

STEP = """-- a comment; with a semicolon
CREATE TABLE later (space INTEGER, x TEXT DEFAULT ';');
INSERT INTO later VALUES (1, 'y');"""
WITHOUT_A_USER = {"sqlite_stat1", "store"}  # settings of the store
BY_BATCH = {
    "batches",
    "chunks",
    "facts",
    "rejected",
    "calls",
}  # keyed by a batch's random id, which is checked for its user


def schema(db):
    return db.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def test_steps_replayed_one_by_one_equal_a_fresh_file(tmp_path):
    fresh = Database(tmp_path)
    replayed = sqlite3.connect(":memory:")
    for number, _, sql in migrations():
        replayed.executescript(sql)
        replayed.execute(f"PRAGMA user_version = {number}")
    with fresh.read() as db:
        assert [tuple(row) for row in schema(db)] == schema(replayed)
        assert schema_version(db) == schema_version(replayed) == len(migrations())
    fresh.close()


def test_numbers_have_no_gaps():
    assert [number for number, _, _ in migrations()] == list(range(1, len(migrations()) + 1))


def test_a_step_and_its_number_are_one_transaction(tmp_path, monkeypatch):
    Database(tmp_path).close()
    known = migrations()
    number = len(known) + 1
    monkeypatch.setattr(
        database, "migrations", lambda: [*known, (number, "broken", STEP + "\nCREATE TABLE later (y);")]
    )
    with pytest.raises(database.StorageError):
        Database(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        assert schema_version(db) == number - 1
        assert not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'later'").fetchall()
    db.close()
    monkeypatch.setattr(database, "migrations", lambda: [*known, (number, "good", STEP)])
    opened = Database(tmp_path)
    with opened.read() as db:
        assert schema_version(db) == number and db.execute("SELECT x FROM later").fetchone()[0] == "y"
    opened.close()
    monkeypatch.setattr(database, "migrations", lambda: known)
    with pytest.raises(SchemaTooNew, match=f"schema {number}.*upgrade"):
        Database(tmp_path)


def test_a_file_with_tables_of_somebody_else_is_not_migrated():
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreCorrupt):
        migrate(db)
    assert [name for _, name, _ in schema(db)] == ["theirs"]


def test_every_table_with_a_users_data_has_the_space_first_in_its_key(tmp_path):
    opened = Database(tmp_path)
    with opened.read() as db:
        tables = [row["name"] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        keys = {
            table: [row["name"] for row in db.execute(f"PRAGMA table_info({table})") if row["pk"] == 1]
            for table in tables
        }
        columns = {table: {row["name"] for row in db.execute(f"PRAGMA table_info({table})")} for table in tables}
    opened.close()
    assert {"turns", "memory_rows", "changes", "sources", "passages", "statements", "tombstones"} <= set(tables)
    for table in set(tables) - WITHOUT_A_USER - BY_BATCH:
        assert keys[table] == ["space"], table
    assert all("space" in columns[table] or "batch_id" in columns[table] for table in BY_BATCH)


def test_statements_of_a_script_are_whole():
    found = list(statements_of(STEP.removesuffix(";")))
    assert len(found) == 2 and found[1].strip() == "INSERT INTO later VALUES (1, 'y')"
    assert all(re.sub(r"--.*", "", one).strip() for one in found)
