"""`recollect export --format jsonl` and `recollect import`, as people and scripts call them."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
from contextlib import closing

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder, ScriptedLanguage

from .terminal import held


@pytest.fixture
def elsewhere(tmp_path):
    """The command line on another store."""

    def call(*words, code=0):
        done = CliRunner().invoke(app, ["--store", str(tmp_path / "elsewhere"), *map(str, words)])
        assert done.exit_code == code, done.output
        return done

    return call


@pytest.fixture
def file(cli, tmp_path):
    cli("add", "I live in Rome.", "--user", "ann", "--at", "2024-01-01")
    cli("add", "I live in Oslo.", "--user", "ann", "--at", "2024-02-01")
    cli("add", "I have a dog called Rex.", "--user", "bob")
    out = tmp_path / "all.jsonl"
    told = cli("export", "--all", "--format", "jsonl", "--out", out).stdout
    assert "lines on 2 users, readable for you alone" in told and "3 turns, 4 versions of memories, 3 changes" in told
    return out


def test_everything_of_everybody_goes_to_another_store(cli, elsewhere, file, tmp_path):
    told = elsewhere("import", file, "--dry-run").stdout
    assert (
        "ann: would come: 2 turns, 3 versions, 2 changes" in told and "2 users would come; nothing was written" in told
    )
    assert not (tmp_path / "elsewhere").exists()
    assert "ann: imported: 2 turns" in (told := elsewhere("import", file).stdout) and "2 users imported" in told
    for user in ("ann", "bob"):
        assert elsewhere("list", "--user", user, "--json").stdout == cli("list", "--user", user, "--json").stdout
    memory = json.loads(cli("list", "--user", "ann", "--json").stdout)[0]["id"]
    assert elsewhere("history", memory, "--json").stdout == cli("history", memory, "--json").stdout
    assert "ann: there already, nothing to do" in elsewhere("import", file).stdout
    assert "All is well" in elsewhere("doctor").stdout
    report = json.loads(elsewhere("import", file, "--json").stdout)
    assert [one["status"] for one in report["users"]] == ["there", "there"] and report["embedded"] == 0


def test_one_user_goes_under_another_name(cli, elsewhere, file, tmp_path):
    cli("export", "--user", "ann", "--format", "jsonl", "--out", tmp_path / "ann.jsonl", "--no-vectors")
    assert (tmp_path / "ann.jsonl").stat().st_size < file.stat().st_size / 2
    told = elsewhere("import", tmp_path / "ann.jsonl", "--user", "carl").stdout
    assert "carl: imported" in told and "4 texts embedded" in told
    assert "Oslo" in elsewhere("search", "where", "--user", "carl").stdout
    assert json.loads(elsewhere("list", "--user", "ann", "--json").stdout) == []
    assert "one user" in elsewhere("import", file, "--user", "carl", code=2).stderr


def test_who_has_other_memories_is_refused_or_left_out(elsewhere, file):
    elsewhere("add", "I live in Bern.", "--user", "bob")
    assert "bob: would be refused" in elsewhere("import", file, "--dry-run").stdout
    assert "TargetExists" in elsewhere("import", file, code=1).stderr
    assert json.loads(elsewhere("list", "--user", "ann", "--json").stdout) == []
    told = elsewhere("import", file, "--skip-existing").stdout
    assert "bob: left out" in told and "1 user imported" in told


def test_a_damaged_file_is_told_by_its_line(elsewhere, file, tmp_path):
    lines = file.read_text("utf-8").splitlines()
    for what, text in (("cut", "\n".join(lines[:5])), ("damaged", "\n".join([*lines[:4], "{", *lines[5:], ""]))):
        bad = tmp_path / f"{what}.jsonl"
        bad.write_text(text, encoding="utf-8")
        assert "ImportInvalid: line 5: " in elsewhere("import", bad, code=2).stderr
        error = json.loads(elsewhere("import", bad, "--json", code=2).stderr)
        assert error["error"] == "ImportInvalid" and error["stage"] == "import"
    assert json.loads(elsewhere("list", "--user", "ann", "--json").stdout) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["import"], "name the file"),
        (["import", "--from", "mem1"], "there is mem0"),
        (["import", "x.jsonl", "--from", "mem0"], "goes without --from"),
        (["import", "--from", "mem0", "--mem0-config", "c.json"], "--mem0-python"),
        (["import", "--from", "mem0", "--mem0-python", "p"], "--mem0-config"),
        (["export", "--format", "xml", "--out", "x"], "json or jsonl"),
        (["export", "--format", "jsonl"], "--out"),
        (["export", "--all", "--out", "x"], "--format jsonl"),
        (["export", "--all", "--format", "jsonl", "--out", "x", "--user", "ann"], "without --user"),
    ],
)
def test_what_does_not_go_together_is_said(cli, file, monkeypatch, words, told):
    monkeypatch.delenv("RECOLLECT_MEM0_PYTHON", raising=False)
    assert told in cli(*words, code=2).stderr


@pytest.mark.parametrize("step", ["importing", "embedding"])
def test_ctrl_c_leaves_whole_users_and_the_same_command_goes_on(elsewhere, tmp_path, step):
    """While the users come, or while their vectors are made."""
    out, ledger = tmp_path / "many.jsonl", tmp_path / "elsewhere" / "ledger.sqlite3"
    with Memory(tmp_path / "many", llm=ScriptedLanguage(), embedder=HashEmbedder(16)) as memory:
        for user in ("a", "b", "c"):
            said = [{"role": "user", "content": f"line {n} of {user}"} for n in range(30)]
            memory.add(said, user_id=user, infer=False)
        memory.export_all(out)
    words = ["--store", str(tmp_path / "elsewhere"), "import", str(out)]
    begun = [*held("importing.Bar", f"getattr(event, 'step', '') == {step!r} and event.done"), *words]
    with subprocess.Popen(begun, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped; everything that was committed is kept" in told
    there = users(ledger)
    assert there and set(there.values()) == {30}
    assert "a: there already" in elsewhere("import", out).stdout
    assert users(ledger) == {"user:a": 30, "user:b": 30, "user:c": 30}
    elsewhere("resume")
    assert "All is well" in elsewhere("doctor").stdout


def users(ledger):
    """How many messages each user has."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as db:
        return dict(
            db.execute("SELECT u.name, count(*) FROM users u JOIN turns USING (space) GROUP BY u.name").fetchall()
        )
