"""`recollect erase`: what is asked first, what is told, and what a script gets."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from typer.testing import CliRunner

from recollect.adapters.database import Database
from recollect.errors import StorageFull
from recollect.surfaces.cli.commands import app


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "store"))

    def run(*words, code=0, answer=None):
        done = CliRunner().invoke(app, list(map(str, words)), input=answer)
        assert done.exit_code == code, done.output
        return done

    run("add", "My favorite color is zqblue.", "--user", "ann", "--session", "one", "--at", "2024-01-01", "--whole")
    run("add", "My favorite color is green.", "--user", "ann", "--session", "two", "--at", "2024-02-01", "--whole")
    run("add", "I like tea.", "--user", "bob", "--whole")
    return run


def texts(cli, user="ann"):
    return [item["text"] for item in json.loads(cli("list", "--user", user, "--json").stdout)]


def test_it_asks_first_and_says_what_is_meant(cli):
    asked = cli("erase", "--user", "ann", "--before", "2024-01-15", answer="n\n", code=130)
    assert "everything said by ann before 2024-01-15" in asked.output and "no undo" in asked.output
    assert len(texts(cli)) == 2
    told = cli("erase", "--user", "ann", "--before", "2024-01-15", answer="y\n")
    assert "erased: 1 memory, 1 turn" in told.output and texts(cli) == ["My favorite color is green."]


def test_a_script_says_yes_and_gets_the_receipt(cli):
    refused = cli("erase", "--user", "ann", "--json", code=2)
    assert "--yes" in refused.stderr and len(texts(cli)) == 2
    receipt = json.loads(cli("erase", "--user", "ann", "--session", "one", "--yes", "--json").stdout)
    assert (receipt["memories"], receipt["turns"], receipt["complete"]) == (1, 1, True)
    (item,) = json.loads(cli("list", "--user", "ann", "--json").stdout)
    assert json.loads(cli("erase", item["id"], "--yes", "--json").stdout)["memories"] == 1
    assert texts(cli) == [] and texts(cli, "bob") == ["I like tea."]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--session", "one"), 2),
        (("--shared", "--user", "ann"), 2),
        (("--user", "ann", "--before", "soon"), 2),
        (("mem_1",), 2),
        (("mem_" + "0" * 32,), 3),
        (("mem_" + "0" * 32, "--session", "one"), 2),
    ],
)
def test_what_does_not_go_together_destroys_nothing(cli, words, code):
    cli("erase", *words, "--yes", code=code)
    assert len(texts(cli)) == 2 and len(texts(cli, "bob")) == 1


def test_what_is_not_complete_is_said_and_resume_completes_it(cli):
    def full(self):
        raise StorageFull("no room")

    with mock.patch.object(Database, "rewrite", full):
        told = cli("erase", "--user", "ann", "--yes", code=1)
    assert "not complete: StorageFull" in told.output and "resume" in told.output
    cli("resume")
    assert json.loads(cli("erase", "--user", "ann", "--yes", "--json").stdout)["complete"] is True


def test_an_ingest_that_is_run_again_brings_nothing_back(cli, tmp_path):
    file = tmp_path / "talks.jsonl"
    messages = [{"role": "user", "content": f"My sister lives in zqtown{n}."} for n in range(3)]

    def ingest():
        file.write_text(json.dumps({"id": "talk", "messages": messages}) + "\n", encoding="utf-8")
        cli("ingest", file, "--json")
        return json.loads(cli("stats", "--user", "talk", "--json").stdout)["turns"]

    assert ingest() == 3
    cli("erase", "--user", "talk", "--yes")
    assert ingest() == 0
    messages.append({"role": "user", "content": "My brother lives in Bonn."})
    assert ingest() == 1 and ingest() == 1
    assert all(b"zqtown" not in one.read_bytes() for one in (tmp_path / "store").iterdir())
