"""`recollect retention`: what is asked first, what is told, what a script gets, and how it is stopped."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from unittest import mock

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.adapters.database import Database
from recollect.adapters.minilm import MiniLM
from recollect.adapters.sqlite_erasure import SqliteErasure
from recollect.errors import StorageFull
from recollect.surfaces.cli.commands import app
from recollect.testing import HashEmbedder

from .terminal import held


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Three users, each with something old and something new."""
    folder, embedder = tmp_path_factory.mktemp("retention") / "store", HashEmbedder(MiniLM.dim)
    with (
        mock.patch.object(MiniLM, "embed", lambda self, texts: embedder.embed(texts)),
        Memory(folder, llm="rules") as memory,
    ):
        for user, place in (("ann", "zqrome"), ("bob", "zqbonn"), ("eve", "zqkiel")):
            memory.add(f"I live in {place}.", user_id=user, timestamp="2024-01-01", infer=False)
            memory.add("I like tea.", user_id=user, timestamp="2024-03-01", infer=False)
    return folder


@pytest.fixture
def cli(seeded, tmp_path, monkeypatch):
    shutil.copytree(seeded, tmp_path / "store")
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "store"))

    def run(*words, code=0, answer=None):
        done = CliRunner().invoke(app, list(map(str, words)), input=answer)
        assert done.exit_code == code, done.output
        return done

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
    assert "Would erase 6 memories, 6 turns of 3 users. Nothing was erased." in told.output and len(texts(cli)) == 2
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


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_says_what_went_and_the_same_command_goes_on(cli, tmp_path, number, code):
    words = ["retention", "--older-than", "2024-02-01", "--yes"]
    begun = [
        *held("retention.Bar", "event.users == 1"),
        *words,
    ]  # before the second one, who is gone through to the end
    with subprocess.Popen(begun, stdout=-1, stderr=-1, text=True) as stopped:
        assert stopped.stdout.readline() == "held\n"
        stopped.send_signal(number)
        _, errors = stopped.communicate(timeout=60)
    assert stopped.returncode == code, errors
    assert "2 of 3 users done, erased so far: 2 memories, 2 turns" in errors
    assert "goes on from there" in errors and "Traceback" not in errors
    assert [len(texts(cli, user)) for user in ("ann", "bob", "eve")] == [1, 1, 2]
    receipt = json.loads(cli(*words, "--json").stdout)
    assert receipt["users"] == 1 and receipt["complete"]
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
