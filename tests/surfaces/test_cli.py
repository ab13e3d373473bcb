"""The command line, as people and scripts call it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COMMANDS = [
    "setup",
    "add",
    "search",
    "list",
    "timeline",
    "show",
    "history",
    "delete",
    "undo",
    "stats",
    "doctor",
    "ingest",
    "demo",
    "backup",
    "restore",
    "export",
    "audit",
]


def answer(done):
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_an_example(cli, command):
    assert "Example: recollect" in cli(command, "--help").stdout


def test_a_memory_through_its_life(cli):
    added = answer(cli("add", "My favorite color is blue.", "--json"))
    memory_id, change_id = added["changes"][0]["memory"]["id"], added["changes"][0]["id"]
    assert answer(cli("search", "favorite color", "--json"))[0]["id"] == memory_id
    assert [item["id"] for item in answer(cli("list", "--json"))] == [memory_id]
    shown = answer(cli("show", memory_id, "--json"))
    assert shown["sources"][0]["quote"] == "My favorite color is blue."
    assert "blue" in cli("show", memory_id).stdout
    cli("delete", memory_id)
    cli("show", memory_id, code=3)
    history = answer(cli("history", memory_id, "--json"))
    assert [change["op"] for change in history] == ["ADD", "DELETE"]
    cli("undo", history[-1]["id"])
    assert "blue" in cli("list").stdout
    cli("undo", change_id)
    assert answer(cli("list", "--json")) == []
    assert answer(cli("stats", "--json"))["turns"] == 1
    assert answer(cli("doctor", "--json"))["ok"] is True


def test_errors_are_one_line_and_a_code(cli):
    cli("add", "My favorite color is blue.")
    done = cli("show", "mem_1", code=2)
    assert "Traceback" not in done.output and "is no id; one is like" in done.stderr
    error = json.loads(cli("show", "mem_" + "0" * 32, "--json", code=3).stderr)
    assert error["error"] == "NotFound" and error["exit_code"] == 3
    cli("serach", "x", code=2)
    cli("list", "--filter", "nonsense", code=2)
    cli("search", "x", "--as-of", "soon", code=2)


def test_one_users_memory_is_not_anothers(cli):
    cli("add", "My favorite color is blue.", "--user", "alice")
    memory_id = answer(cli("list", "--user", "alice", "--json"))[0]["id"]
    assert answer(cli("list", "--user", "bob", "--json")) == []
    cli("show", memory_id, "--user", "bob", code=3)


def test_stored_text_neither_steers_the_terminal_nor_is_markup(cli):
    cli("add", "[bold red]x[/] \x1b[31m evil \u202e", "--whole")
    for words in (["list"], ["search", "evil"], ["search", "evil", "--turns"]):
        output = cli(*words).stdout
        assert "[bold red]x[/]" in output and "\x1b[31m" not in output and "\u202e" not in output


def line(content, **extra):
    return json.dumps({"role": "user", "name": "Ann", "content": content, "conversation": "talk", **extra})


def test_ingest_reports_broken_lines_and_stores_nothing_twice(cli, tmp_path):
    file = tmp_path / "talk.jsonl"
    good = [line("I live in Rome.", timestamp="2024-01-01T10:00:00Z"), line("I have a dog.")]
    file.write_text("\n".join([good[0], "{broken", good[1]]) + "\n", encoding="utf-8")
    done = cli("ingest", file, code=1)
    assert "talk.jsonl:2" in done.stderr
    assert {item["text"] for item in answer(cli("list", "--user", "talk", "--json"))} == {
        "Ann lives in Rome.",
        "Ann has a dog.",
    }
    again = answer(cli("ingest", file, "--json", code=1))
    assert again["decisions"] == {} and again["turns"] == 0 and len(again["problems"]) == 1


def test_ingest_locomo(cli, tmp_path):
    talk = {
        "speaker_a": "Ann",
        "speaker_b": "Bob",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [{"speaker": "Ann", "dia_id": "D1:1", "text": "I moved to Rome yesterday."}],
    }
    file = tmp_path / "locomo.json"
    file.write_text(json.dumps([{"sample_id": "conv-1", "conversation": talk, "qa": []}]), encoding="utf-8")
    cli("ingest", file, "--format", "locomo", "--conversation", "conv-1")
    items = answer(cli("list", "--user", "conv-1", "--json"))
    assert [item["text"] for item in items] == ["Ann moved to Rome on 7 May 2023."]
    cli("ingest", file, "--conversation", "conv-2", code=2)


LIGHT = """
import sys
import recollect.surfaces.cli as cli
sys.argv = ["recollect", "--help"]
try:
    cli.main()
except SystemExit:
    print([name for name in ("faiss", "litellm", "numpy") if name in sys.modules])
"""


def test_help_is_light():
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
