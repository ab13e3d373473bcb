"""`recollect watch`: other processes' changes, as they are committed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest

from recollect import Memory
from recollect.surfaces.cli import watch
from recollect.testing import HashEmbedder, ScriptedLanguage

from .terminal import RECOLLECT, Terminal


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "RECOLLECT_HOME": str(tmp_path / "store"), "PYTHONUNBUFFERED": "1"}


def test_json_lines_of_everybody_until_it_is_interrupted(environment, tmp_path):
    with Memory(tmp_path / "store") as memory:
        memory.add("I live in Rome.", user_id="alice")
        words = ["watch", "--json", "--since", "1d", "--interval", "0.05"]
        with subprocess.Popen([*RECOLLECT, *words], stdout=-1, stderr=-1, text=True, env=environment) as child:
            first = json.loads(child.stdout.readline())
            memory.add("My dog is called Rex.", user_id="bob")
            second = json.loads(child.stdout.readline())
            memory.erase(user_id="bob")
            memory.add("My cat is called Tom.", user_id="bob")
            third = json.loads(child.stdout.readline())
            child.send_signal(signal.SIGINT)
            rest, errors = child.communicate(timeout=60)
    assert [(one["user_id"], one["op"]) for one in (first, second, third)] == [
        ("alice", "ADD"),
        ("bob", "ADD"),
        ("bob", "ADD"),
    ]
    assert "Tom" in third["memory"]["text"] and rest == errors == "" and child.returncode == 130


def test_on_a_terminal_of_one_user_lines_and_control_c(environment, tmp_path):
    with Memory(tmp_path / "store") as memory:
        memory.add("I live in Rome.", user_id="alice")
        with Terminal(["watch", "--user", "alice", "--interval", "0.05"], environment) as terminal:
            terminal.until(r"Following alice in\s[^>]*ends it\.\n")
            memory.add("My dog is called Rex.", user_id="bob")
            memory.add("I work at Acme.", user_id="alice")
            shown = terminal.until(r"Acme.*\n")
            assert re.search(
                r"^\d{4}-\d\d-\d\d \d\d:\d\d  chg_[0-9a-f]{8}  ADD     The user works at Acme\.$", shown, re.M
            )
            assert "Rex" not in shown and "Rome" not in shown
            terminal.type("\x03")
            assert terminal.rest()[1] == 130


def test_each_look_is_bounded_and_nothing_is_left_out(memory, monkeypatch):
    monkeypatch.setattr(watch, "MOST", 3)
    follower = watch.Follower(memory, None, None)
    memory.add("a = 1", user_id="seen")
    for number in range(8):
        memory.add(f"key{number} = value", user_id=f"user{number % 2}")
    looks = []
    while (found := follower.look())[0]:
        looks.append(found)
    assert all(len(changes) <= 3 for changes, _ in looks) and [more for _, more in looks] == [True, True, True]
    ids = [change.id for changes, _ in looks for _, change in changes]
    assert len(ids) == len(set(ids)) == 9


def test_what_was_there_is_not_told_unless_since_says_so(memory):
    memory.add("a = 1", user_id="alice")
    assert watch.Follower(memory, None, None).look() == ([], False)
    first = memory.changes(user_id="alice")[0]
    told, _ = watch.Follower(memory, None, first.recorded_at).look()
    assert [change.id for _, change in told] == [first.id]


def test_two_stores_writers_are_told_alike(memory, tmp_path):
    follower = watch.Follower(memory, "alice", None)
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder()) as other:
        other.add("b = 2", user_id="alice")
        other.add("b = 2", user_id="bob")
    assert [(user, change.memory.text) for user, change in follower.look()[0]] == [("alice", "b is 2")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cuts_no_look_short(cli, monkeypatch, number, code):
    """In the middle of one it could be lost."""
    cli("add", "I live in Rome.")
    look, looks = watch.Follower.look, []

    def interrupted(self):
        os.kill(os.getpid(), number)
        looks.append(look(self))
        return looks[-1]

    monkeypatch.setattr(watch.Follower, "look", interrupted)
    told = cli("watch", "--since", "1d", code=code).stdout
    assert len(looks) == 1 and "Rome" in told
