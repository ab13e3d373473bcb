"""The command line with a model: a real endpoint on loopback, its script stands for the model alone."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from recollect import Memory
from recollect.errors import RecollectError
from recollect.surfaces.cli.commands import app
from recollect.surfaces.cli.common import limits_of
from recollect.testing import ModelEndpoint, Reply

KEY = "sk-a-key-that-nobody-may-see"
SPOKEN = re.compile(r"^\[(\d+)\] ([^:\n]+): (.+)$", re.M)


def extracts(request):
    return "You turn conversations into memories" in request.text


def reads(request):
    """A model that takes every message for a fact of its speaker's, and finds nothing the same."""
    told = request.body["messages"][-1]["content"]
    if not extracts(request):
        new = told.split("New facts:")[-1]
        return {"decisions": [{"fact": int(n), "op": "ADD"} for n in re.findall(r"^\[(\d+)\]", new, re.M)]}
    return {
        "facts": [
            {
                "text": f"{name} said: {text}",
                "kind": "event",
                "entities": [{"name": name, "kind": "person"}],
                "evidence": [{"message": int(n), "quote": text}],
            }
            for n, name, text in SPOKEN.findall(told.split("New messages:")[-1])
        ]
    }


def failing(wrong, *, on):
    """`reads`, but for requests in which `on` occurs."""
    return lambda request: wrong if on in request.text else reads(request)


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Call a command. Whatever it answers, the key is not in it."""
    monkeypatch.setenv("RECOLLECT_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words, code=0):
        done = CliRunner().invoke(app, ["--store", str(tmp_path / "store"), *map(str, words)])
        assert done.exit_code == code, done.output
        assert KEY not in done.output and "Traceback" not in done.output
        return done

    return call


def at(endpoint):
    """The options that lead to an endpoint."""
    return ["--llm", "openai/any", "--api-base", getattr(endpoint, "url", endpoint)]


def answer(done):
    return json.loads(done.stdout)


@pytest.fixture
def talk(tmp_path):
    """A conversation of so many sessions of so many messages."""

    def write(sessions, messages, conversation="talk"):
        lines = [
            {
                "role": "user",
                "name": "Ann",
                "conversation": conversation,
                "session": f"s{s}",
                "content": f"I saw s{s}m{m}.",
            }
            for s, m in itertools.product(range(sessions), range(messages))
        ]
        file = tmp_path / f"{conversation}.jsonl"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return file

    return write


# --- add ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [True, False])
def test_add_asks_the_model_and_tells_what_it_cost(cli, before):
    with ModelEndpoint(reads) as endpoint:
        words = ["add", "I have a dog."]
        done = cli(*at(endpoint), *words) if before else cli(*words, *at(endpoint))
        assert "said: I have a dog." in done.stdout and "paid: 1 call, " in done.stdout
        told = answer(cli("add", "I have a cat.", *at(endpoint), "--json"))["usage"]
        first, second = (int(told[name]) for name in ("input_tokens", "output_tokens"))
        assert told["llm_calls"] == 2 and endpoint.calls == 3 and told["cost_usd"] is None
        assert first < endpoint.input_tokens and second < endpoint.output_tokens
        assert {request.headers["authorization"] for request in endpoint.requests} == {f"Bearer {KEY}"}


def test_instructions_mode_and_a_key_of_the_command_line_reach_the_model(cli):
    with ModelEndpoint(reads) as endpoint:
        asked = ["--instructions", "Only pets.", "--mode", "tools", "--timeout", "7"]
        done = CliRunner().invoke(app, ["--api-key", "sk-typed", *at(endpoint), "add", "I have a dog.", *asked])
        assert done.exit_code == 0 and "sk-typed" not in done.output
        request = endpoint.requests[0]
        assert "Only pets." in request.text and request.tool and request.headers["authorization"] == "Bearer sk-typed"
        cli("add", "x", *at(endpoint), "--mode", "xml", code=2)
        cli("add", "x", *at(endpoint), "--timeout", "0", code=2)


def test_a_key_in_the_environment_is_no_fault_without_a_model(cli):
    assert "paid" not in cli("add", "I have a dog.").stdout
    assert "--api-base" in cli("add", "I have a cat.", "--api-base", "http://127.0.0.1:1/v1", code=2).stderr


def test_an_embedder_by_its_name_and_the_stores_own_afterwards(cli, monkeypatch):
    monkeypatch.setenv("RECOLLECT_EMBEDDER_API_KEY", KEY)
    with ModelEndpoint() as endpoint:
        own = ["--embedder-api-base", endpoint.url]
        cli("add", "I have a dog.", "--embedder", "openai/embed", *own)
        assert "dog" in cli("search", "dog", *own).stdout
        assert endpoint.requests and {request.body["model"] for request in endpoint.requests} == {"embed"}
        assert "was embedded by openai/embed" in cli("list", "--embedder", "minilm", code=1).stderr


def test_the_help_warns_of_a_key_that_others_see(cli):
    told = " ".join(cli("ingest", "--help").stdout.replace("│", " ").split())
    assert "Better set $RECOLLECT_API_KEY: a key on the command line is seen by `ps`" in told
    assert "calls=200, tokens=2000000 or cost=1.50 of this run" in told


# --- what a budget says --------------------------------------------------------------------------------------------------


def test_a_budget_as_it_is_written():
    said = ["calls=200", "cost=1.50", "day.cost=5", "add.calls=20", "run.tokens=2_000_000"]
    assert limits_of(said) == {
        "run": {"calls": 200, "cost_usd": 1.5, "tokens": 2_000_000},
        "day": {"cost_usd": 5.0},
        "add": {"calls": 20},
    }
    assert limits_of([]) is None


@pytest.mark.parametrize(
    "said", ["pounds=3", "calls", "calls=", "calls=1.5", "calls=-1", "week.calls=3", "cost=nan", "=3"]
)
def test_a_budget_that_is_none_names_the_option(cli, said):
    done = cli("add", "x", "--budget", said, code=2)
    assert "--budget" in done.stderr and "calls=200" in done.stderr
    assert "run.calls" in cli("add", "x", "--budget", "calls=3", "--budget", "run.calls=4", code=2).stderr


# --- ingest --------------------------------------------------------------------------------------------------------------


def test_the_estimate_is_what_is_called_and_a_dry_run_calls_nothing(cli, talk):
    with ModelEndpoint(reads) as endpoint:
        words = ["ingest", talk(2, 9), *at(endpoint)]
        dry = cli(*words, "--dry-run")
        assert dry.stdout.startswith("estimate for openai/any: 18 turns in 2 chunks; about 4 calls, ")
        told = re.search(r"by how many facts the messages hold: ([\d,]+) to ([\d,]+) tokens\n", dry.stdout)  # no price
        estimate = answer(cli(*words, "--dry-run", "--json"))
        assert (estimate["turns"], estimate["chunks"], estimate["usage"]["llm_calls"]) == (18, 2, 4)
        least, usual, most = (estimate[name]["tokens"] for name in ("least", "usage", "most"))
        assert least < usual < most and [f"{one:,}" for one in (least, most)] == [*told.groups()]
        assert endpoint.requests == [] and "there is no store" in cli("stats", code=2).stderr
        told = answer(cli(*words, "--json"))
        assert told["estimate"] == estimate["usage"] and told["decisions"] == {"ADD": 18}
        assert told["usage"]["llm_calls"] == endpoint.calls == 4
        assert told["usage"]["input_tokens"] == endpoint.input_tokens <= estimate["usage"]["input_tokens"]
        again = cli(*words)
        assert (
            "estimate for openai/any" in again.stderr and "0 new turns" in again.stdout and "paid" not in again.stdout
        )
        assert endpoint.calls == 4


def test_a_dry_run_by_rules_costs_nothing(cli, talk):
    assert "18 turns in 2 chunks, by rules: no calls, no cost" in cli("ingest", talk(2, 9), "--dry-run").stdout


def test_a_session_that_fails_stays_pending_and_the_next_one_goes_in(cli, talk):
    file = talk(3, 2)
    with ModelEndpoint(failing(Reply("no JSON at all"), on="s1m")) as endpoint:
        done = cli("ingest", file, *at(endpoint), code=1)
        assert "1 conversation, 4 new turns: 4 ADD" in done.stdout
        assert "failed: talk, session s1: ExtractionFailed: " in done.stderr and "Stopped" not in done.stderr
        batch = re.search(
            r"pending: (batch_\w+) of talk, .*0 of 1 chunk done, 1 attempt, ExtractionFailed", done.stderr
        )[1]
        assert [one["batch_id"] for one in answer(cli("pending", "--json"))] == [batch]
        assert batch in cli("pending", "--user", "talk").stdout
        assert cli("pending", "--user", "bob").stdout == "Nothing is pending.\n"
        told = answer(cli("ingest", file, *at(endpoint), "--json", code=1))
        assert [(one["session"], one["error"], one["batch_id"]) for one in told["failed"]] == [
            ("s1", "ExtractionFailed", batch)
        ]
        assert [one["attempts"] for one in told["pending"]] == [2] and told["stopped"] is None
    with ModelEndpoint(reads) as endpoint:
        assert "--llm" in cli("resume", code=2).stderr  # the rules must not finish silently what a model began
        told = answer(cli("resume", *at(endpoint), "--json"))
        assert told["finished"] == [batch] and told["failed"] == {} and told["decisions"] == {"ADD": 2}
        assert told["usage"]["llm_calls"] == endpoint.calls
    assert cli("pending").stdout == "Nothing is pending.\n"
    assert len(answer(cli("list", "--user", "talk", "--json"))) == 6
    assert answer(cli("doctor", "--json"))["ok"]


def test_a_model_that_fails_again_and_again_ends_the_run(cli, talk):
    with ModelEndpoint(lambda _: Reply("no JSON at all")) as endpoint:
        done = cli("ingest", talk(20, 1), *at(endpoint), code=1)
    assert "left: talk: 3 sessions in a row failed; the same command goes on" in done.stderr
    assert 3 <= done.stderr.count("\npending: ") == done.stderr.count("\nfailed: talk") < 20
    with ModelEndpoint(reads) as endpoint:
        assert answer(cli("ingest", talk(20, 1), *at(endpoint), "--json"))["decisions"] == {"ADD": 20}
    assert cli("pending").stdout == "Nothing is pending.\n"


def test_what_was_given_up_is_finished_on_request_only(cli, talk):
    with ModelEndpoint(lambda _: Reply("no JSON at all")) as endpoint:
        cli("ingest", talk(1, 1), *at(endpoint), code=1)
        for _ in range(4):
            done = cli("resume", *at(endpoint), code=1)
            assert re.search(r"still pending: batch_\w+: ExtractionFailed", done.stderr)
    with ModelEndpoint(reads) as endpoint:
        assert "`recollect resume --include-failed`" in cli("pending").stdout
        assert answer(cli("resume", *at(endpoint), "--json"))["finished"] == [] and endpoint.requests == []
        assert "1 batch finished: 1 ADD\npaid: 1 call" in cli("resume", *at(endpoint), "--include-failed").stdout


def test_a_budget_stops_a_run_and_the_next_one_goes_on(cli, talk):
    with ModelEndpoint(reads) as endpoint:
        words = ["ingest", talk(4, 2), *at(endpoint)]
        done = cli(*words, "--budget", "calls=3", code=1)
        assert endpoint.calls == 3 and "paid: 3 calls" in done.stdout
        assert re.search(r"Stopped: BudgetExceeded: .*run.calls = 3 .*the same command goes on from there", done.stderr)
        assert "\npending: " in done.stderr and "`recollect resume`" in done.stderr
        told = answer(cli(*words, "--budget", "calls=3", "--json", code=1))
        assert told["stopped"]["error"] == "BudgetExceeded" and told["usage"]["llm_calls"] == 3
        assert cli(*words).exit_code == 0 and endpoint.calls == 8  # no call is paid twice
    assert len(answer(cli("list", "--user", "talk", "--json"))) == 8


def test_a_user_that_cannot_be_is_bad_input(cli, talk):
    assert "--user" in cli("ingest", talk(1, 1), "--user", "", code=2).stderr


def test_a_price_that_is_not_known_cannot_be_limited(cli):
    with ModelEndpoint(reads) as endpoint:
        done = cli("add", "I have a dog.", *at(endpoint), "--budget", "cost=1.50", code=1)
        assert "price of a call is not known" in done.stderr and endpoint.requests == []


# --- what is wrong at once -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["ingest", "add"])
def test_a_wrong_key_is_told_at_once(cli, talk, command):
    refused = Reply({"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}, status=401)
    with ModelEndpoint(lambda _: refused) as endpoint:
        done = cli(command, talk(3, 1), *at(endpoint), *(["--json"] if command == "add" else []), code=1)
        assert 1 <= len(endpoint.requests) <= (1 if command == "add" else 3)  # three sessions, side by side
    assert "ModelConfigError" in done.stderr and "HTTP 401" in done.stderr and "check --api-key" in done.stderr
    assert "batch_" in done.stderr


@pytest.mark.parametrize("command", ["ingest", "add"])
def test_a_traceback_does_not_show_the_key(talk, monkeypatch, command):
    monkeypatch.setenv("RECOLLECT_API_KEY", KEY)
    refused = Reply({"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401)
    with ModelEndpoint(lambda _: refused) as endpoint:
        done = CliRunner().invoke(app, [command, str(talk(1, 1)), *at(endpoint), "--debug"])
    assert done.exit_code == 1 and "Traceback" in done.stderr and "ModelConfigError" in done.stderr
    assert KEY not in done.output


def test_a_server_that_is_not_there(cli):
    done = cli("add", "I have a dog.", *at("http://127.0.0.1:1/v1"), code=1)
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("ModelUnavailable: openai/any: no answer")
    assert "`recollect resume`, with the same model, finishes it" in done.stderr
    told = json.loads(cli("add", "I have a dog.", *at("http://127.0.0.1:1/v1"), "--json", code=1).stderr)
    assert told["error"] == "ModelUnavailable" and told["batch_id"].startswith("batch_") and told["retryable"] is True


def test_an_address_of_ones_own_needs_a_key_of_ones_own(cli, monkeypatch):
    monkeypatch.delenv("RECOLLECT_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ModelEndpoint(reads) as endpoint:
        done = cli("add", "I have a dog.", *at(endpoint), code=1)
        assert "set $RECOLLECT_API_KEY, or pass --api-key none" in done.stderr and endpoint.requests == []
        cli("add", "I have a dog.", *at(endpoint), "--api-key", "none")
        assert endpoint.requests[0].headers["authorization"] == "Bearer none"


# --- retell --------------------------------------------------------------------------------------------------------------


def test_what_the_rules_stored_is_told_anew_and_can_be_taken_back(cli, tmp_path):
    file = tmp_path / "ann.jsonl"
    said = ["I live in Rome.", "I have a dog named Rex.", "The bouncy castle was magical."]
    lines = [{"role": "user", "name": "Ann", "conversation": "ann", "content": text} for text in said]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    cli("ingest", file)
    by_rules = {item["text"] for item in answer(cli("list", "--user", "ann", "--json"))}
    with ModelEndpoint(reads) as endpoint:
        words = ["retell", "--user", "ann", *at(endpoint)]
        assert "3 turns in 1 chunk; about 2 calls" in cli(*words, "--dry-run").stdout
        assert answer(cli(*words, "--dry-run", "--json"))["usage"]["llm_calls"] == 2 and endpoint.requests == []
        done = cli(*words)
        assert f"{len(by_rules)} memories before, 3 after: 3 ADD, {len(by_rules)} DELETE" in done.stdout
        assert "estimate for openai/any" in done.stderr and "paid: " in done.stdout
        assert {item["text"] for item in answer(cli("list", "--user", "ann", "--json"))} == {
            f"Ann said: {one}" for one in said
        }
        undo = re.search(r"recollect (undo batch_\w+)", done.stdout)[1].split()
        cli(*undo)
        assert {item["text"] for item in answer(cli("list", "--user", "ann", "--json"))} == by_rules
        told = answer(cli(*words, "--json"))
        assert (told["before"], told["after"], told["decisions"]["ADD"]) == (len(by_rules), 3, 3)
        assert told["usage"]["llm_calls"] >= 1 and told["batch_id"].startswith("batch_")


def test_a_retelling_that_fails_changes_nothing_and_is_resumed(cli):
    cli("add", "I have a dog.")
    before = answer(cli("list", "--json"))
    with ModelEndpoint(lambda _: Reply("no JSON at all")) as endpoint:
        done = cli("retell", *at(endpoint), code=1)
    assert "ExtractionFailed" in done.stderr and answer(cli("list", "--json")) == before
    with ModelEndpoint(reads) as endpoint:
        cli("resume", *at(endpoint))
    assert [item["text"] for item in answer(cli("list", "--json"))] == ["The user said: I have a dog."]


def test_nothing_to_retell(cli):
    with ModelEndpoint(reads) as endpoint:
        cli("add", "I live in Rome.", "--user", "somebody-else", "--llm", "rules")
        assert "0 memories before, 0 after: no decisions" in cli("retell", *at(endpoint)).stdout
        assert endpoint.requests == []


# --- the estimate of a retelling, and what was spent, from Python ----------------------------------------------------------


def test_what_was_spent_is_what_the_endpoint_answered(tmp_path):
    script = failing(Reply("no JSON at all"), on="broken")
    with (
        ModelEndpoint(script) as endpoint,
        Memory(tmp_path, llm="openai/any", api_base=endpoint.url, api_key="k") as memory,
    ):
        assert memory.spent.llm_calls == 0 and memory.estimate_retelling(user_id="nobody").turns == 0
        memory.add("I have a dog.", user_id="u")
        with pytest.raises(RecollectError):
            memory.add("This is broken.", user_id="u")
        spent = memory.spent
        assert (spent.llm_calls, spent.input_tokens) == (endpoint.calls, endpoint.input_tokens) and endpoint.calls > 2
        assert memory.scoped(user_id="u").estimate_retelling().usage.llm_calls == 2


# --- as a process ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_is_committed_and_tells_how_to_go_on(cli, talk, tmp_path):
    file = talk(6, 1)
    words = [sys.executable, "-c", "from recollect.surfaces.cli import main; main()", "ingest", str(file)]
    environment = {**os.environ, "RECOLLECT_HOME": str(tmp_path / "store"), "PYTHONUNBUFFERED": "1"}
    slow = failing(Reply(delay=300), on="s3m")
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    with ModelEndpoint(slow) as endpoint, subprocess.Popen([*words, *at(endpoint)], **settings) as child:
        shown = [child.stdout.readline() for _ in range(3)]
        while not any("s3m" in request.text for request in endpoint.requests):
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, errors = child.communicate(timeout=60)
    assert shown == [f"ADD     Ann said: I saw s{n}m0.\n" for n in range(3)]
    assert child.returncode == 130 and "paid: " in out and "same command goes on from there" in errors
    assert "pending: batch_" in errors and "Traceback" not in errors and KEY not in out + errors
    with ModelEndpoint(reads) as endpoint:
        assert answer(cli("ingest", file, *at(endpoint), "--json"))["decisions"] == {"ADD": 3}
