"""`recollect backup` and `recollect restore`, as people and scripts call them."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app


@pytest.fixture
def cli(tmp_path):
    runner = CliRunner()

    def call(store, *words, code=0):
        done = runner.invoke(app, ["--store", str(tmp_path / store), *map(str, words)])
        assert done.exit_code == code, done.output
        return done

    return call


def test_a_store_through_a_backup_and_back(cli, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    cli("store", "add", "My favorite color is blue.", "--whole")
    done = cli("store", "backup", copy)
    assert "checked and safe on disk" in done.stdout and "1 user, 1 turn, 1 change\n" in done.stdout
    cli("store", "add", "My favorite color is red.", "--whole")
    made = json.loads(cli("other", "restore", copy, "--json").stdout)
    assert made["path"] == str(tmp_path / "other" / "ledger.sqlite3") and made["bytes"] == copy.stat().st_size
    assert "blue" in cli("other", "list").stdout and "red" not in cli("other", "list").stdout
    assert json.loads(cli("other", "doctor", "--json").stdout)["ok"] is True
    cli("store", "restore", copy, "--force")
    assert "red" not in cli("store", "list").stdout
    (aside,) = (tmp_path / "store").glob("set-aside-*")
    assert "red" in cli(aside, "list").stdout


def test_what_is_there_is_kept_and_errors_have_names_and_codes(cli, tmp_path):
    copy = tmp_path / "copy.sqlite3"
    assert "no store in" in cli("store", "backup", copy, code=2).stderr
    (tmp_path / "store").mkdir()
    cli("store", "backup", copy, code=2)
    assert not copy.exists() and not list((tmp_path / "store").iterdir())
    cli("store", "add", "My favorite color is blue.", "--whole")
    cli("store", "backup", copy)
    error = json.loads(cli("store", "backup", copy, "--json", code=1).stderr)
    assert (error["error"], error["exit_code"], error["retryable"]) == ("TargetExists", 1, False)
    cli("store", "backup", copy, "--overwrite")
    assert "force" in cli("store", "restore", copy, code=1).stderr
    copy.write_bytes(b"garbage")
    assert cli("other", "restore", copy, code=1).stderr.startswith("StoreCorrupt: ")
    cli("other", "restore", tmp_path / "none", code=2)
