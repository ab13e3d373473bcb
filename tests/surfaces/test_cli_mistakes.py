"""Mistakes of many kinds thrown at every command: each ends in one clear line and a code, never in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

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

    monkeypatch.setattr("recollect.surfaces.cli.watch.time", SimpleNamespace(sleep=stop))  # its own: others may sleep

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


@pytest.fixture
def files(tmp_path):
    """What a folder may hold: a program, a picture, somebody else's JSON, a talk, a backup's name that is taken."""
    (tmp_path / "notes.py").write_text("print('hello')\n")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (tmp_path / "other.json").write_text('[{"mapping": {}}]')
    (tmp_path / "talk.txt").write_text("Ann: I live in Rome.\n")
    (tmp_path / "taken").write_text("x")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("export --out nowhere/x.json", 2, "--out: there is no folder"),
        ("export --format jsonl --out nowhere/x.jsonl", 2, "--out: there is no folder"),
        ("backup nowhere/x", 2, "DESTINATION: there is no folder"),
        ("backup taken", 1, "taken is there already; --overwrite replaces it"),
        ("restore taken", 1, "--force sets it aside"),
        ("show 7ca2116f", 2, "ID: '7ca2116f' is no id; one is like mem_1f83c2d0"),
        ("list --after 7ca2116f", 2, "--after: '7ca2116f' is no id"),
        ("entity merge Anna Ann", 3, "no entity called 'Anna'"),
        ("ingest picture.png", 2, "FILE: picture.png is no text"),
        ("ingest notes.py", 2, "--format: notes.py: not recognised; name it, where it is one of "),
        ("ingest nothing.json", 2, "FILE: nothing.json cannot be read"),
        ("ingest talk.txt --report nowhere/x.json", 2, "--report: nowhere/x.json cannot be written"),
        ("import", 2, "FILE: name the file"),
        ("import other.json", 2, "line 1: not a file that `export` wrote"),
        ("import taken/x", 2, "cannot be read"),
        ("add hello --store taken/x", 1, "cannot make the folder"),
        ("erase --user bob", 130, "not agreed to; nothing was done"),
        ("context a --max-tokens 1", 0, "fits into 1 token."),
        ("resume", 0, "Nothing is pending."),
    ],
)
@pytest.mark.usefixtures("files")
def test_an_error_names_the_option_and_the_way_on(run, words, code, told):
    done = run(*words.split())
    assert done.exit_code == code and told in done.output, done.output


def test_a_group_of_commands_shows_its_help_and_no_error(run):
    for group in ("entity", "quarantine", "eval"):
        done = run(group)
        assert done.exit_code == 0 and "Usage" in done.output and "UsageError" not in done.output


def test_standard_input_that_is_no_text(tmp_path):
    done = CliRunner().invoke(app, ["add", "-", "--store", str(tmp_path / "s")], input=b"I like \xff tea")
    assert done.exit_code == 2 and "is not UTF-8" in done.stderr and not (tmp_path / "s").exists()


@pytest.mark.usefixtures("files")
def test_a_dry_run_makes_no_store(run, tmp_path):
    """Its report is what it tells; where it fails no empty one is left."""
    done = run("ingest", "talk.txt", "--dry-run", "--store", "new", "--report", "dry.json")
    assert "1 turn in 1 chunk" in done.output and not (tmp_path / "new").exists()
    assert json.loads((tmp_path / "dry.json").read_text())["turns"] == 1
    assert run("ingest", "talk.txt", "--conversation", "none", "--report", "none.json").exit_code == 2
    assert not (tmp_path / "none.json").exists()


@pytest.mark.usefixtures("files")
def test_a_report_that_finds_the_disk_full_comes_behind_the_summary(run):
    """The hours before it are not lost with it."""
    done = run("ingest", "talk.txt", "--report", "/dev/full")
    assert done.exit_code == 1 and "1 conversation, 1 new turn" in done.stdout
    assert "StorageError: /dev/full cannot be written: No space left on device" in done.stderr


def test_a_script_reads_json_and_nothing_else(tmp_path):
    """What goes to the log, as that a key is set which nobody uses, is not in a script's way."""
    code = "from recollect.surfaces.cli import main; main()"
    environment = {**os.environ, "OPENAI_API_KEY": "sk-x", "RECOLLECT_HOME": str(tmp_path / "s"), "RECOLLECT_LLM": ""}

    def call(*words):
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=60)

    added = call("add", "I live in Rome.", "--json")
    assert json.loads(added.stdout)["status"] == "done" and added.stderr == ""
    failed = call("show", "mem_0000", "--json")
    assert failed.stdout == "" and json.loads(failed.stderr)["error"] == "NotFound"
    assert "a provider's key is set" in call("list").stderr
