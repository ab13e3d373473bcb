"""`recollect retention`: what is asked first, what is told, what a script gets, and how it is stopped."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from typer.testing import CliRunner

from recollect.adapters.database import Database
from recollect.adapters.sqlite_erasure import SqliteErasure
from recollect.errors import StorageFull
from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.common import Terminated


@pytest.fixture
def cli(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "store"))

    def run(*words, code=0, answer=None):
        done = CliRunner().invoke(app, list(map(str, words)), input=answer)
        assert done.exit_code == code, done.output
        return done

    for user, place in (("ann", "zqrome"), ("bob", "zqbonn"), ("eve", "zqkiel")):
        run("add", f"I live in {place}.", "--user", user, "--at", "2024-01-01", "--whole")
        run("add", "I like tea.", "--user", user, "--at", "2024-03-01", "--whole")
    return run


def texts(cli, user="ann"):
    return [item["text"] for item in json.loads(cli("list", "--user", user, "--json").stdout)]


def test_it_asks_first_and_says_what_is_meant(cli, tmp_path):
    asked = cli("retention", "--older-than", "2024-02-01", answer="n\n", code=130)
    assert (
        "everything of anybody that is older than 2024-02-01, and everything of anybody that has expired"
        in " ".join(asked.output.split())
    )
    assert "no undo" in asked.output and len(texts(cli)) == 2
    told = cli("retention", "--older-than", "2024-02-01", answer="y\n")
    assert "3 users; nothing that was said before 2024-02-01" in told.output
    assert "erased: 3 memories, 3 turns" in told.output and texts(cli) == texts(cli, "bob") == ["I like tea."]
    content = b"".join(one.read_bytes() for one in (tmp_path / "store").iterdir())
    assert b"zqrome" not in content and b"zqbonn" not in content


def test_a_script_says_yes_and_gets_the_receipt(cli):
    refused = cli("retention", "--older-than", "1y", "--json", code=2)
    assert "--yes" in refused.stderr and len(texts(cli)) == 2
    receipt = json.loads(cli("retention", "--older-than", "1y", "--user", "ann", "--yes", "--json").stdout)
    assert (receipt["users"], receipt["turns"], receipt["complete"]) == (1, 2, True)
    assert texts(cli) == [] and len(texts(cli, "bob")) == 2
    assert json.loads(cli("retention", "--yes", "--json").stdout)["users"] == 0


def test_a_dry_run_asks_nothing_and_takes_nothing(cli):
    told = cli("retention", "--older-than", "365d", "--dry-run")
    assert "of 3 users would be erased: 6 memories, 6 turns. Nothing was." in told.output and len(texts(cli)) == 2
    receipt = json.loads(cli("retention", "--older-than", "2024-02-01", "--dry-run", "--json").stdout)
    assert (receipt["turns"], receipt["dry_run"], receipt["complete"]) == (3, True, False) and len(texts(cli)) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--no-expired",), "--older-than"),
        (("--older-than", "soon"), "no age such as 365d"),
        (("--older-than", "0d"), "not in the past"),
        (("--older-than", "2999-01-01"), "not in the past"),
        (("--older-than", "9999y"), "calendar"),
        (("--user", "", "--older-than", "1d"), "user"),
    ],
)
def test_what_cannot_be_meant_destroys_nothing(cli, words, told):
    refused = cli("retention", *words, "--yes", code=2)
    assert told in refused.stderr and len(texts(cli)) == 2


def test_where_there_is_no_store_none_is_made(tmp_path):
    done = CliRunner().invoke(app, ["retention", "--store", str(tmp_path / "none"), "--older-than", "1d", "--yes"])
    assert done.exit_code == 2 and "no store" in done.output and not (tmp_path / "none").exists()


@pytest.mark.parametrize(("signal", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_stopped_it_says_what_went_and_the_same_command_goes_on(cli, tmp_path, signal, code):
    erase, users = SqliteErasure.erase, []

    def stopping(self, *arguments, **options):
        users.append(1)
        if len(users) == 2:
            raise signal
        return erase(self, *arguments, **options)

    with mock.patch.object(SqliteErasure, "erase", stopping):
        stopped = cli("retention", "--older-than", "2024-02-01", "--yes", code=code)
    assert (
        "1 of 3 users done, erased so far: 1 memory, 1 turn" in stopped.stderr
        and "goes on from there" in stopped.stderr
    )
    assert [len(texts(cli, user)) for user in ("ann", "bob", "eve")] == [1, 2, 2]
    receipt = json.loads(cli("retention", "--older-than", "2024-02-01", "--yes", "--json").stdout)
    assert receipt["users"] == 2 and receipt["complete"]
    content = b"".join(one.read_bytes() for one in (tmp_path / "store").iterdir())
    assert not any(one in content for one in (b"zqrome", b"zqbonn", b"zqkiel"))


def test_a_fault_between_two_users_and_files_that_cannot_be_cleaned_are_told(cli):
    def full(self, *arguments, **options):
        raise StorageFull("no room")

    with mock.patch.object(SqliteErasure, "erase", full):
        told = cli("retention", "--older-than", "2024-02-01", "--yes", code=1)
    assert "StorageFull: no room" in told.stderr and "0 of 3 users done" in told.stderr
    with mock.patch.object(Database, "rewrite", full):
        told = cli("retention", "--older-than", "2024-02-01", "--yes", code=1)
    assert "not complete: StorageFull" in told.stderr and "resume" in told.stderr
    cli("resume")
    assert json.loads(cli("retention", "--older-than", "2024-02-01", "--yes", "--json").stdout)["complete"] is True
