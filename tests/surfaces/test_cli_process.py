"""The command line as a process of its own: signals, pipes, terminals, standard input."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios

import pytest

from recollect import Memory

from .terminal import RECOLLECT, held

PLACES = ["Rome", "Oslo", "Paris", "Berlin", "Madrid", "Lisbon", "Vienna", "Prague", "Warsaw", "Dublin"]


def line(n, **extra):
    content = f"I bought {n + 2} books in {PLACES[n % 10]}."
    return json.dumps({"role": "user", "name": "Ann", "conversation": "long", "content": content, **extra})


@pytest.fixture
def talk(tmp_path):
    """A file of a conversation of so many turns."""

    def write(turns, start=0):
        file = tmp_path / "long.jsonl"
        file.write_text("".join(line(n) + "\n" for n in range(start, turns)), encoding="utf-8")
        return str(file)

    return write


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "RECOLLECT_HOME": str(tmp_path / "store"), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def run(environment):
    def call(*words, **extra):
        settings = {"capture_output": True, "text": True, "timeout": 120, "env": environment, "check": False}
        return subprocess.run([*RECOLLECT, *words], **{**settings, **extra})

    return call


def contents(environment):
    with Memory(environment["RECOLLECT_HOME"]) as memory:
        assert memory.verify().ok
        return [item.text for item in memory.get_all(user_id="long")], memory.pending()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_ingest_keeps_what_was_committed_and_goes_on_when_run_again(run, talk, environment, number):
    words = ["ingest", talk(120)]
    begun = [*held("view.View", "sum(self.ops.values()) >= 8"), *words]
    with subprocess.Popen(begun, stdout=-1, stderr=-1, text=True, env=environment) as child:
        shown = [*iter(child.stdout.readline, "held\n")]
        child.send_signal(number)
        _, errors = child.communicate(timeout=60)
    assert len(shown) >= 8 and all(one.startswith("ADD ") for one in shown)
    if number == signal.SIGKILL:
        assert child.returncode == -signal.SIGKILL
    else:
        assert child.returncode == 128 + number and "What was committed is kept" in errors and "Traceback" not in errors
    kept, pending = contents(environment)
    assert len(shown) <= len(kept) < 120 and len(pending) == 1
    again = run(*words, "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["turns"] == 120 - len(kept)
    stored, pending = contents(environment)
    assert len(stored) == len(set(stored)) == 120 and stored[: len(kept)] == kept and pending == []


def test_a_reader_that_goes_away_ends_it_quietly(run, talk, environment):
    out, into = os.pipe()
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, select.PIPE_BUF)  # less than is to come, however late the reader goes
    with subprocess.Popen(
        [*RECOLLECT, "ingest", talk(130)], stdout=into, stderr=-1, text=True, env=environment
    ) as child:
        os.close(into)
        first = os.read(out, 4)
        os.close(out)
        _, errors = child.communicate(timeout=60)
    assert first == b"ADD " and child.returncode == 1 and "Traceback" not in errors and "Exception" not in errors
    for command in (["list", "--user", "long"], ["list", "--user", "long", "--json"], ["history", "x"]):
        words = " ".join(map(repr, [*RECOLLECT, *command]))
        ended = subprocess.run(
            ["bash", "-c", f"{words} | true"], capture_output=True, text=True, timeout=60, env=environment, check=False
        )
        assert "Traceback" not in ended.stderr and "Exception" not in ended.stderr


def in_terminal(words, environment, columns=80, stdout_too=True):
    """Run on a terminal of that width: (exit code, what the terminal got, what a redirected standard output got)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    out = slave if stdout_too else subprocess.PIPE
    environment = {
        name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")
    }  # the runner's
    child = subprocess.Popen(
        [*RECOLLECT, *words], stdin=slave, stdout=out, stderr=slave, env={**environment, "TERM": "xterm"}
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            got = os.read(master, 65536)
        except OSError:  # the terminal is gone with the child
            break
        seen += got
    os.close(master)
    redirected = b"" if stdout_too else child.stdout.read()
    return child.wait(timeout=60), seen.decode(), redirected.decode()


def test_decisions_go_where_standard_output_goes_and_the_bar_to_the_terminal(talk, environment):
    code, terminal, redirected = in_terminal(["ingest", talk(16)], environment, stdout_too=False)
    assert code == 0 and len(re.findall(r"^ADD ", redirected, re.M)) == 16
    assert "ingesting" in terminal and "ADD" not in terminal


@pytest.mark.parametrize("columns", [20, 60])
def test_on_a_terminal_decisions_are_whole_and_coloured_unless_that_is_not_wanted(talk, environment, columns):
    code, terminal, _ = in_terminal(["ingest", talk(16)], environment, columns)
    assert code == 0 and "\x1b[32mADD" in terminal
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal)
    packed = re.sub(r"\s", "", plain)
    assert all(f"Annbought{n + 2}booksin{PLACES[n % 10]}." in packed for n in range(16))
    assert not re.search(r"(?:turns|━)[^\r\n]*ADD  ", plain), "rests of the bar stand before what was decided"
    lines = [line.rsplit("\r", 1)[-1] for line in plain.replace("\r\n", "\n").split("\n")]
    assert [line for line in lines if len(line) > columns] == []
    _, terminal, _ = in_terminal(["list", "--user", "long"], {**environment, "NO_COLOR": "1"}, columns)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", terminal)


def test_without_a_terminal_there_is_no_bar(run, talk):
    done = run("ingest", talk(8))
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "1 conversation, 8 new turns: 8 ADD"


def test_standard_input(run):
    done = run("ingest", "-", "--json", input=f"{line(0)}\n{{broken\n")
    told = json.loads(done.stdout)
    assert (done.returncode, told["turns"], told["conversations"]) == (1, 1, 1)
    assert told["problems"][0].startswith("stdin:2: is not JSON")


def test_a_file_that_grew_is_ingested_from_where_it_ended(run, talk):
    assert json.loads(run("ingest", talk(5), "--json").stdout)["turns"] == 5
    assert json.loads(run("ingest", talk(12), "--json").stdout)["turns"] == 7
    assert json.loads(run("ingest", talk(12), "--json").stdout)["turns"] == 0
    assert json.loads(run("ingest", talk(20), "--json").stdout)["turns"] == 8


def test_two_conversations_of_one_name_are_not_taken_for_one(run, talk, tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text(line(7) + "\n", encoding="utf-8")
    done = run("ingest", talk(2), str(other), "--json")
    told = json.loads(done.stdout)
    assert (
        done.returncode == 1
        and told["turns"] == 2
        and told["problems"]
        == ["long: another conversation of this name is in the files; rename it, or ingest it with its own --user"]
    )


def test_windows_files_and_long_lines(run, tmp_path, environment):
    file = tmp_path / "win.jsonl"
    long = json.dumps({"role": "user", "content": "x" * 1_000_001})
    lines = [
        line(0),
        "{broken",
        line(1),
        '{"role": "user"}',
        "[]",
        long,
        "",
        line(2, role="wizard"),
        line(3, timestamp="noon"),
    ]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b'\r\n"\xff"\r\n' + b"[" * 100_000 + b"\r\n")
    done = run("ingest", str(file), "--json")
    told = json.loads(done.stdout)
    named = [int(re.match(r".*win\.jsonl:(\d+): ", one)[1]) for one in told["problems"]]
    assert done.returncode == 1 and told["turns"] == 2 and named == [2, 4, 5, 6, 8, 9, 10, 11]


@pytest.mark.parametrize(
    "command", ["add x", "search x", "list", "stats", "doctor", "show mem_" + "0" * 32, "ingest -"]
)
def test_json_is_one_document_on_one_stream(run, command):
    done = run(*command.split(), "--json", input=line(0, content="\x1b[31m\u202e red"))
    stream, other = (done.stdout, done.stderr) if done.returncode == 0 else (done.stderr, done.stdout)
    json.loads(stream)
    assert other == "" and not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", stream)


@pytest.mark.parametrize(("words", "code"), [([], 0), (["--version"], 0), (["-h"], 0), (["nonsense"], 2), (["add"], 2)])
def test_bare_and_wrong_commands(run, words, code):
    done = run(*words)
    assert done.returncode == code and "Traceback" not in done.stderr
    assert ("--help" in done.stderr and done.stdout == "") if code else (done.stdout and done.stderr == "")


def test_defaults_are_told_in_the_help(run):
    told = " ".join(run("ingest", "--help").stdout.replace("│", " ").split())
    for default in (
        "$RECOLLECT_HOME or the data folder",
        "else the user named default",
        "$RECOLLECT_LLM or rules",
        "default: recognised",
    ):
        assert default in told
