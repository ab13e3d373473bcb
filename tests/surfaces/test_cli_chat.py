"""`recollect chat` on a terminal of its own, offline and with a real endpoint, and in a pipe."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading

import pytest
from rich.cells import cell_len

from recollect import Memory
from recollect.surfaces.cli import chat
from recollect.surfaces.cli.chat import Heard
from recollect.surfaces.cli.readers import asks
from recollect.surfaces.cli.terminal import Writer
from recollect.testing import ModelEndpoint, Reply

from .terminal import AGAIN, RECOLLECT, Terminal, plain

PROMPT = r"(^|\n)> $"
# As long as recalling takes, on a machine that does something else besides.
PATIENT = [*RECOLLECT[:2], "from recollect.surfaces.cli import chat; chat.RECALL_S = None; " + RECOLLECT[2]]


@pytest.fixture
def environment(tmp_path):
    own = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
    }  # the terminal's size counts
    return {**own, "RECOLLECT_HOME": str(tmp_path / "store"), "PYTHONUNBUFFERED": "1"}


def test_offline_memories_are_quoted_shown_forgotten_and_brought_back(environment):
    with Terminal(["chat"], environment) as terminal:

        def say(line, until=PROMPT):
            terminal.type(line + "\n")
            return terminal.until(until)

        assert "rules, offline · default, 0 memories" in terminal.until(PROMPT)
        assert "Noted." in say("I live in Rome.") and "learnt: ADD" in " ".join(plain(terminal.raw).split())
        answer = say("Where do I live?")
        assert "I remember:" in answer and "The user lives in Rome." in answer
        why = say("/why")
        assert re.search(
            r"1  The user lives in Rome\.\s+The user, \d+ \w+ \d{4} · “I live in Rome\.” · mem_[0-9a-f]{8}", why
        )
        assert "forgotten:  DELETE" in say("/forget 1")
        assert "Nothing is remembered." in say("/memories")
        assert "undone:  ADD" in say("/undo")
        assert "1  The user lives in Rome." in say("/memories")
        assert "As of 2020-01-01" in say("/as-of 2020-01-01", r"as of 2020-01-01 > $")
        assert "I remember nothing" in say("Where do I live?", r"as of 2020-01-01 > $")
        say("I live in Oslo.", r"as of 2020-01-01 > $")
        assert "Now." in say("/as-of now")
        assert "undone:  DELETE" not in say("/as-of yesterday-ish") and "ISO" in terminal.raw
        assert "/bogus: is no command" in say("/bogus")
        assert "no memory says “Oslo”" in say("/forget Oslo")
        terminal.type("half a line")
        terminal.until("half a line$")
        terminal.interrupt(PROMPT)
        terminal.type("\x04")
        assert terminal.rest()[1] == 0
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        assert [item.text for item in memory.get_all(user_id="default")] == ["The user lives in Rome."]
        assert memory.pending() == [] and memory.verify().ok


def test_the_same_question_again_and_again_makes_no_memory(environment):
    asked = "I live in Rome.\n" + "Where do I live?\n" * 6
    done = subprocess.run(
        [*PATIENT, "chat", "--json"],
        input=asked,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(line) for line in lines] == [{"message", "reply", "stopped", "error", "without_memory", "shown"}] * 7
    assert all("The user lives in Rome." in line["reply"] and line["shown"] for line in lines[1:])
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        assert memory.count(user_id="default") == 1


def test_why_lists_what_fits_best_and_all_of_it_where_that_is_wanted(environment):
    kinds = ["tea", "coffee", "milk", "bread", "rice", "cheese", "pasta", "honey", "ginger", "garlic", "pepper", "salt"]
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        for kind in kinds:
            memory.add(f"I like {kind} for breakfast.", user_id="default")
    done = subprocess.run(
        [*PATIENT, "chat"],
        input="What do I like for breakfast? Do I like honey for breakfast?\n/why\n/why all\n",
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=True,
    )
    first, told, rest = re.split(r"The best 8 of (\d+); /why all lists them all\.\n", done.stdout)
    assert (
        len(re.findall(r"^ *\d+  ", first, re.M)) == 8 and len(re.findall(r"^ *\d+  ", rest, re.M)) == int(told) >= 12
    )
    assert re.search(r"^[12]  The user likes honey for breakfast\.$", first, re.M)


def chatting(held):
    """A model that talks, and learns nothing; an answer that is to be long waits for `held` behind its first word."""

    def play(request):
        said = request.body["messages"][-1]["content"]
        if "You turn conversations into memories" in request.text:
            return {"facts": []}
        if "long" in said:
            return Reply("Once upon a time", hold=held)
        if "fail" in said:
            return Reply("no", status=401)
        return Reply("So " + "it is said, and so it was. " * 8)

    return play


def test_with_a_model_answers_stream_stop_and_fail_without_ending_the_conversation(environment):
    held = threading.Event()
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        memory.add("I live in Rome.", user_id="ann")
    with ModelEndpoint(chatting(held)) as endpoint:
        words = ["chat", "--llm", "openai/scripted", "--api-base", endpoint.url, "--api-key", "none", "--user", "ann"]
        with Terminal(words, environment, columns=60) as terminal:
            assert "openai/scripted · ann, 1 memory" in terminal.until(PROMPT)
            terminal.type("Where do I live?\n")
            told = terminal.until(PROMPT)
            assert max(len(line) for line in told.splitlines()) < 60 and "and so it was." in told
            asked = endpoint.requests[-1].body
            assert asked["stream"] and asked["messages"][0]["role"] == "system"
            assert "The user lives in Rome." in asked["messages"][-1]["content"]
            terminal.type("Tell me a long story\n")
            terminal.until(r"Once")
            terminal.type("\x03")
            # Between a word and the waiting for the next one Ctrl-C wakes nobody, and is noticed with that.
            next_word = threading.Timer(AGAIN, held.set)
            next_word.start()
            assert "[stopped]" in terminal.until(PROMPT)
            next_word.cancel()
            held.set()
            terminal.type("fail now\n")
            assert "ModelConfigError" in terminal.until(PROMPT)
            terminal.type("I work at Acme.\n")
            assert "So it is said" in terminal.until(PROMPT)
            history = [(one["role"], one["content"][-20:]) for one in endpoint.requests[-1].body["messages"][1:]]
            assert ("assistant", "Once") in [(role, text.strip()[:4]) for role, text in history]
            assert "fail now" not in str(history)
            terminal.type("/quit\n")
            rest, code = terminal.rest()
            assert code == 1 and "paid:" in rest  # one reply failed
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        kept = {turn.text for turn in memory.search("fail Acme", user_id="ann", include=("turns",), min_score=0)}
        assert {"fail now", "I work at Acme."} <= kept and memory.pending() == []


def test_ctrl_c_behind_an_answer_ends_no_conversation(cli, monkeypatch):
    """Pressed to stop it, a moment too late: while what was learnt is shown."""
    show, shown = Heard.show, []

    def interrupted(self, common):
        show(self, common)
        shown.append(common)
        if len(shown) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Heard, "show", interrupted)
    monkeypatch.setattr(chat, "RECALL_S", None)
    told = cli("chat", given="I live in Rome.\nWhere do I live?\n")
    assert "learnt:" in told.stdout and "- The user lives in Rome." in told.stdout and "stopped" in told.stderr


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Where does she work", True),
        ("my sister", True),
        ("I moved to Rome yesterday.", False),
        ("你住在哪里？", True),
        ("我住在北京。", False),
        ("I moved.", False),
    ],
)
def test_the_offline_reader_tells_questions_from_statements(text, asked):
    assert asks(text) is asked


class Screen:
    """A standard output that says it is a terminal: cells, and a cursor that steps back."""

    encoding = "utf-8"

    def __init__(self):
        self.lines, self.at = [[]], 0

    def isatty(self):
        return True

    def write(self, text):
        for character in text:
            if character == "\n":
                self.lines.append([])
                self.at = 0
            elif character == "\b":
                self.at -= 1
            else:
                cells = [character, ""][: cell_len(character)]
                self.lines[-1][self.at : self.at + len(cells)] = cells
                self.at += len(cells)

    def flush(self):
        pass

    @property
    def text(self):
        return "\n".join("".join(line).rstrip() for line in self.lines)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_answers_are_folded_between_words_and_steer_nothing(monkeypatch, size):
    screen = Screen()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setenv("COLUMNS", "41")
    text = "One two three four five six seven eight nine ten.\n\n- 第一行的文字很长很长很长很长很长很长很长很长\x1b[31m red\u202e"
    writer = Writer()
    for start in range(0, len(text), size):
        writer.write(text[start : start + size])
    writer.end()
    assert screen.text.split() == text.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e").split()
    assert "\x1b" not in screen.text and all(len(line) <= 40 for line in screen.text.splitlines())
    assert "One two three four five six seven eight\nnine" in screen.text
