"""`recollect doctor`: what it finds, what it says to do, what it mends, and what it says of a store that cannot be opened."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder, ScriptedLanguage


@pytest.fixture
def folder(tmp_path):
    with Memory(tmp_path / "store") as memory:
        memory.add("My favorite color is blue.", user_id="u")
        memory.add("A secret word, kept whole.", user_id="u", infer=False)
    return tmp_path / "store"


@pytest.fixture
def doctor(folder):
    def call(*words, code):
        done = CliRunner().invoke(app, ["doctor", "--store", str(folder), *words])
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output and "secret" not in done.output
        return " ".join(done.stdout.split())

    return call


def alter(folder, statement):
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3", isolation_level=None)) as db:
        assert db.execute(statement).rowcount


def test_a_healthy_store(doctor):
    assert doctor(code=0).endswith("All is well.")
    told = json.loads(doctor("--json", code=0))
    assert told["ok"] is True and told["problems"] == [] and told["checked"]["users"] == 1


def test_what_can_be_mended_is_when_asked(doctor, folder):
    alter(folder, "UPDATE passages SET vector = zeroblob(9), terms = '{}'")
    told = json.loads(doctor("--json", code=1))
    assert not told["ok"] and all(one["mendable"] for one in told["problems"])
    assert (
        "a vector of the wrong length (space 1: passage 1, 2, 3, 4): `recollect doctor --mend` puts it right"
        in doctor(code=1)
    )
    mended = doctor("--mend", code=0)
    assert "mended a vector of the wrong length (space 1: passage 1, 2, 3, 4)" in mended
    assert doctor(code=0).endswith("All is well.")
    with Memory(folder) as memory:
        assert memory.search("which color does the user like", user_id="u")


def test_what_cannot_be_mended_needs_a_backup(doctor, folder):
    alter(folder, "UPDATE turns SET content = 'another secret' WHERE number = 2")
    for words in ([], ["--mend"]):
        said = doctor(*words, code=1)
        assert "content that is not as it was written (space 1: turn 2): restore a backup" in said
        assert "a quote that does not stand in its turn (space 1: source 2): restore a backup" in said


def test_a_store_that_cannot_be_opened_and_what_is_left_of_it(doctor, folder):
    (folder / "ledger.sqlite3").unlink()
    said = doctor(code=1)
    assert "StoreCorrupt" in said and "is missing beside ledger.sqlite3-mark" in said and "restore a backup" in said
    assert "there is ledger.sqlite3-mark, 32 bytes" in said
    told = json.loads(doctor("--json", code=1))
    assert told["files"] == {"ledger.sqlite3-mark": 32} and told["problems"][0]["advice"].startswith("restore a backup")


def test_a_newer_store_and_a_file_in_the_folders_place(doctor, folder, tmp_path):
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        db.execute("PRAGMA user_version = 9999")
    assert "SchemaTooNew" in doctor(code=1) and "upgrade recollect" in doctor(code=1)
    (tmp_path / "file").write_text("x")
    assert "check the disk and the path" in doctor("--store", str(tmp_path / "file"), code=1)


def test_what_waits_is_told_with_the_way_on(doctor, folder):
    with Memory(folder, llm=ScriptedLanguage()) as memory:
        batch = memory.add("home = Rome", user_id="u", wait=False).batch_id
    assert f"an add is pending (not begun) ({batch}): `recollect resume` finishes it" in doctor(code=1)


def test_a_store_of_another_embedder_is_checked_too(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u")
    done = CliRunner().invoke(app, ["doctor", "--store", str(tmp_path), "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["ok"]
