"""Mistakes of many kinds thrown at every command: each ends in one clear line and a code, never in a traceback."""

from __future__ import annotations

import json

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from recollect import Memory
from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.common import _OPTIONS
from recollect.testing import ScriptedLanguage

NO_STORE = ("setup", "demo")  # with good options they do what they are for, at length
CODES = (0, 1, 2, 3, 130)


def leaves(command, path=()):
    found = {}
    for name, one in command.commands.items():
        found |= leaves(one, (*path, name)) if hasattr(one, "commands") else {" ".join((*path, name)): one}
    return found


COMMANDS = leaves(get_command(app))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call it in an empty folder, with a store beside it; how it ended, checked for what no mistake may lead to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    with Memory(tmp_path / "home", llm=ScriptedLanguage()) as memory:
        memory.add("a = 1", user_id="default")

    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("recollect.surfaces.cli.watch.time.sleep", stop)

    def call(*words):
        done = CliRunner().invoke(app, list(words), input="")
        told = (words, done.exit_code, done.output)
        assert done.exit_code in CODES, told
        assert isinstance(done.exception, SystemExit | None), told
        assert "Traceback" not in done.output and "unexpected" not in done.output, told
        assert "\x1b[31mred" not in done.output, told
        if "--json" in words and done.exit_code in (2, 3):
            assert set(json.loads(done.stderr.splitlines()[-1])) >= {"error", "message", "exit_code"}, told
        elif done.exit_code in (2, 3):
            assert len(done.stderr.splitlines()) == 1 and len(done.stderr) < 3000, told
        return done

    return call


def required(command, word="x"):
    return [word for one in command.params if one.param_type_name == "argument" and one.required]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_there_is_not_and_an_argument_that_is_missing(run, name):
    words = name.split()
    assert run(*words, *required(COMMANDS[name]), "--nonsense").exit_code == 2
    assert run(*words, *required(COMMANDS[name]), "--json", "--limit").exit_code == 2
    if required(COMMANDS[name]):
        assert run(*words).exit_code == 2
    assert run(*words, *["x"] * 9, "--dry-run", "--nonsense", "--json").exit_code == 2


BAD = ["", "-1\x1b[31mred", "9" * 400]


@pytest.mark.parametrize("bad", BAD, ids=[repr(one[:8]) for one in BAD])
def test_every_option_of_every_command_with_a_bad_value(run, bad):
    for name, command in COMMANDS.items():
        if name in NO_STORE or name.startswith("eval "):
            continue
        for option in command.params:
            shared = option.name in _OPTIONS and name != "count"  # those of all commands are tried at one of them
            if option.param_type_name != "option" or option.is_flag or shared:
                continue
            run(*name.split(), *required(command), f"{option.opts[0]}={bad}")


IDS = [
    "x",
    "mem_",
    "mem_zzzz",
    "mem_" + "0" * 32,
    "chg_0000",
    "batch_" + "0" * 32,
    "turn_0000",
    "𝕏",
    "../../x",
    "\x1b[31mred",
    "' OR 1=1",
    "",
]


@pytest.mark.parametrize(
    "name", ["show", "history", "delete", "undo", "erase", "update", "quarantine approve", "quarantine drop"]
)
def test_ids_that_are_none(run, name):
    for identifier in IDS:
        more = {"erase": ["--yes"], "update": ["x"]}.get(name, [])
        for how in ([], ["--json"], ["--user", "bob"]):
            done = run(*name.split(), identifier, *more, *how)
            assert done.exit_code in (2, 3), (identifier, done.output)


@pytest.mark.parametrize("kind", ["file", "damaged", "missing"])
def test_a_store_that_is_none(run, kind, tmp_path):
    place = tmp_path / "wrong"
    if kind == "file":
        place.write_text("hello")
    elif kind != "missing":
        place.mkdir()
        (place / "ledger.sqlite3").write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    for name, command in COMMANDS.items():
        if name in NO_STORE or name.startswith(("eval ", "config", "ingest", "import", "restore", "chat", "add")):
            continue
        more = {"erase": ["x", "--yes"], "timeline": ["--entity", "x"], "update": ["x"], "retention": ["--yes"]}.get(
            name, []
        )
        more += ["--user", "x", "--yes"] if name == "delete-all" else []
        done = run(*name.split(), *required(command), *more, "--store", str(place))
        if name == "doctor" and kind == "missing":
            assert done.exit_code == 0 and "no store yet" in done.output
        else:
            assert done.exit_code in (1, 2), (name, done.output)
    assert place.exists() is (kind != "missing")


def test_debug_shows_where_a_fault_came_from(tmp_path):
    words = ["show", "mem_" + "0" * 32, "--store", str(tmp_path / "none")]
    shown, hidden = (CliRunner().invoke(app, [*words, *more]).output for more in (["--debug"], []))
    assert "Traceback" in shown and "Traceback" not in hidden
