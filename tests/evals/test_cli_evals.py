"""`recollect eval`, as people and scripts call it: real systems on a small set of our own, reader and judge at an endpoint."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import evals_world as world
import pytest
from evals_world import says
from typer.testing import CliRunner

from recollect.surfaces.cli.commands import app
from recollect.testing import ModelEndpoint, Reply
from recollect_evals.datasets import decisions
from recollect_evals.run import Run

KEY = "sk-a-key-that-nobody-may-see"
COMMANDS = ["run", "baseline", "probe", "rescore", "compare", "report", "datasets", "systems", "operations", "offline"]
RECOLLECT = [sys.executable, "-c", "from recollect.surfaces.cli import main; main()"]


@pytest.fixture
def cli(tmp_path, monkeypatch):
    """Call a command of `recollect eval`. Whatever it answers, no key and no traceback is in it, and no store is opened."""
    monkeypatch.setenv("RECOLLECT_API_KEY", KEY)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))

    def call(*words, code=0):
        done = CliRunner().invoke(app, ["eval", *map(str, words)])
        assert done.exit_code == code, done.output
        assert KEY not in done.output and "Traceback" not in done.output and not (tmp_path / "home").exists()
        return done

    return call


@pytest.fixture
def data(tmp_path):
    """Our own format: three conversations of one person each, four questions about each."""
    return written(tmp_path / "small.jsonl", world.data_set())


def written(file, data):
    lines = []
    for talk in data.conversations:
        lines.append({"conversation": talk.id, "about": "what somebody saw"})
        for session in talk.sessions:
            lines.append({"session": session.id, "at": session.turns[0].said_at.isoformat()})
            lines += [
                {"turn": t.id, "speaker": t.speaker, "role": t.role, "text": t.text, "at": t.said_at.isoformat()}
                for t in session.turns
            ]
        lines += [
            {"question": q.id, "text": q.text, "answer": q.answer, "category": q.category}
            | ({"evidence": list(q.evidence)} if q.evidence else {})
            for q in talk.questions
        ]
    file.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return file


def at(endpoint):
    """The options that lead to a reader and a judge."""
    url = getattr(endpoint, "url", endpoint)
    return ["--reader", "openai/reader", "--judge", "openai/judge", "--api-base", url, "--mode", "json_schema"]


def answer(done):
    return json.loads(done.stdout)


SYSTEMS = ["--system", "bm25", "--system", "recollect-rules"]


# --- a run -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_by_an_example(cli, command):
    assert f"Example: recollect eval {command}" in " ".join(cli(command, "--help").stdout.split())


def test_a_run_through_all_phases_gives_its_numbers_and_again_offline_to_the_digit(cli, data, tmp_path):
    out = tmp_path / "run"
    with ModelEndpoint(says) as endpoint:
        told = answer(cli("run", data, *SYSTEMS, *at(endpoint), "--out", out, "--k", 20, "--json"))
        calls = endpoint.calls
        assert {request.headers["authorization"] for request in endpoint.requests} == {f"Bearer {KEY}"}
    assert told["phases"]["answer"]["done"] == 24 and told["result"]["spent"]["calls"] == calls
    bm25 = told["result"]["systems"]["turns-bm25"]
    assert bm25["tables"]["released"]["overall"]["recall@20"]["mean"] == 1.0
    assert bm25["tables"]["released"]["overall"]["accuracy"]["mean"] == 1.0 and bm25["unrelated"]["n"] == 24
    assert list(bm25["judges"].values()) == [12] and "recall@50" not in bm25["tables"]["released"]["overall"]
    assert answer(cli("rescore", out, "--json")) == told["result"]
    shown = cli("rescore", out).stdout
    assert (
        "turns, BM25" in shown and "recollect, rules" in shown and re.search(r"paid: \d+ calls, price not known", shown)
    )
    assert not [one for one in out.rglob("*") if one.is_file() and KEY.encode() in one.read_bytes()]


def extraction(folder):
    """What a model would have extracted from the small set, recorded: a file a conversation."""
    folder.mkdir()
    for talk in world.data_set().conversations:
        facts = [
            {"text": f"{t.speaker} said: {t.text}", "kind": "event", "evidence": [{"turn": t.id, "quote": t.text}]}
            for t in talk.turns
        ]
        (folder / f"{talk.id}.jsonl").write_text(json.dumps({"session": "s1", "facts": facts}) + "\n")
    return folder


class Tape:
    """Replies by what was asked, to the letter: kept the first time; then only played, and what is not on it is refused."""

    def __init__(self, script):
        self.script, self.kept = script, {}

    def keeps(self, request):
        return self.kept.setdefault(prompt_of(request), self.script(request))

    def plays(self, request):
        return self.kept.get(prompt_of(request), Reply(status=400))


def prompt_of(request):
    return json.dumps(request.body, sort_keys=True)


def asked(endpoint):
    """How often each prompt came in."""
    return Counter(map(prompt_of, endpoint.requests))


RECOLLECTS = ["recollect-model", "recollect-model:memories", "recollect-rules", "recollect-recorded"]


@pytest.fixture
def everything(data, tmp_path):
    """The words of a run of all kinds of systems, but for where to."""
    systems = [word for name in ["bm25", "last-turns", *RECOLLECTS] for word in ("--system", name)]
    words = ["run", data, *systems, "--llm", "openai/memory", "--recorded", extraction(tmp_path / "recorded")]
    return [*words, "--limit", 6, "--unrelated", 2, "--concurrency", 1, "--json"]


@pytest.mark.timeout(900)  # six runs, four of them processes that load everything
def test_recorded_replies_played_again_give_every_number_again_also_after_kills(cli, everything, tmp_path):
    """The same systems on the same questions in a new folder, with stores of their own: the prompts of memory, reader and judge
    are the same to the letter, so that replies kept by their prompts are found again; and the numbers to the digit. Killed in
    each phase that calls a model and resumed, too: only the call that was under way is made again."""
    tape = Tape(says)

    def run(script, folder):
        with ModelEndpoint(script) as endpoint:
            told = answer(cli(*everything, *at(endpoint), "--out", tmp_path / folder))
        return without_times(told["result"]), asked(endpoint)

    first, prompts = run(tape.keeps, "first")
    assert len(first["systems"]) == 6 and first["systems"]["recollect-openai-memory"]["memories"] == 16
    assert run(tape.plays, "again") == (first, prompts)

    again = Counter()
    for phase, nth in (("ingest", 2), ("answer", 14), ("judge", 3)):
        again += killed(everything, tape, phase, nth, tmp_path)
    resumed, rest = run(tape.plays, "killed")
    assert resumed == first and again + rest == prompts


def killed(words, tape, phase, nth, tmp_path):
    """Go on with a run until its nth call of a phase, which is not answered; the calls that were."""
    child, seen, answered = [], Counter(), Counter()

    def kills(request):
        here = world.phase_of(request)
        seen[here] += 1
        if (here, seen[here]) == (phase, nth):
            child[0].kill()
            child[0].wait()
            return Reply(cut="reset")
        answered[prompt_of(request)] += 1
        return tape.plays(request)

    with ModelEndpoint(kills) as endpoint:
        told = process(*words, *at(endpoint), "--out", tmp_path / "killed", home=tmp_path / "home")
        child.append(told)
        with told:
            assert told.wait(timeout=120) == -signal.SIGKILL
    return answered


def without_times(value):
    """Numbers without seconds, and what a run is called and when it began."""
    if isinstance(value, dict):
        return {
            name: without_times(one)
            for name, one in value.items()
            if "seconds" not in name and name not in ("run", "started")
        }
    return [without_times(one) for one in value] if isinstance(value, list) else value


def test_without_a_reader_or_a_judge_their_phases_are_left_out_and_can_come_later(cli, data, tmp_path):
    out = tmp_path / "run"
    done = cli("run", data, "--system", "bm25", "--out", out)
    assert "answer: left out, for no --reader is named" in done.stderr and "judge: left out" in done.stderr
    assert "recall@10" in done.stdout and "right" not in done.stdout
    with ModelEndpoint(says) as endpoint:
        done = cli("run", data, "--system", "bm25", *at(endpoint), "--out", out)
        assert "search: 0 done" in done.stderr and "answer: 12 done" in done.stderr and "right" in done.stdout
        again = cli("run", data, "--system", "bm25", *at(endpoint), "--out", out, "--phase", "judge")
        assert "judge: 0 done" in again.stderr and endpoint.calls == 24


def test_a_baseline_needs_no_model(cli, data, tmp_path):
    told = answer(cli("baseline", data, "--out", tmp_path / "run", "--limit", 6, "--json"))
    assert len(told["result"]["systems"]) == 8 and told["result"]["spent"]["calls"] == 0
    assert told["phases"]["search"]["failed"] == 0 and told["result"]["selection"]["limit"] == 6


def test_systems_of_one_store_take_a_conversation_in_once(cli, data, tmp_path):
    both = ["--system", "recollect-model:memories", "--system", "recollect-model"]
    with ModelEndpoint(says) as endpoint:
        words = ["--llm", "openai/memory", "--api-base", endpoint.url, "--mode", "json_schema", "--phase", "ingest"]
        told = answer(cli("run", data, *both, *words, "--out", tmp_path / "run", "--json"))
        assert told["result"]["spent"]["calls"] == endpoint.calls > 0
        forecast = answer(cli("run", data, *both, *words, "--out", tmp_path / "other", "--json", "--dry-run"))
        assert forecast["phases"]["ingest"]["llm_calls"] <= 2 * endpoint.calls


def test_a_judge_is_probed_with_replies_of_known_worth(cli, data, tmp_path):
    words = [
        "probe",
        data,
        "--judge",
        "openai/judge",
        "--mode",
        "json_schema",
        "--out",
        tmp_path / "run",
        "--per-kind",
        4,
    ]
    with ModelEndpoint(says) as endpoint:
        told = answer(cli(*words, "--api-base", endpoint.url, "--json"))["accepted"]
        assert told["right"]["mean"] > 0 and told["vague"]["mean"] == told["other answer"]["mean"] == 0
        asked = endpoint.calls
        shown = cli(*words, "--api-base", endpoint.url)
        assert endpoint.calls == asked and "taken for right" in shown.stdout
        assert "1 or more" in cli(*words, "--api-base", endpoint.url, "--concurrency", 0, code=2).stderr
    with ModelEndpoint(lambda _: Reply(status=401)) as endpoint:
        done = cli(*words[:-3], tmp_path / "new", "--api-base", endpoint.url, code=1)
        assert "Stopped: ModelConfigError" in done.stderr


# --- beforehand ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_tells_the_price_sends_nothing_and_writes_nothing(cli, data, tmp_path):
    out = tmp_path / "run"
    with ModelEndpoint(says) as endpoint:
        words = ["run", data, *SYSTEMS, *at(endpoint), "--out", out]
        told = answer(cli(*words, "--dry-run", "--json"))
        assert endpoint.requests == [] and not out.exists()
        shown = cli(*words, "--dry-run").stdout
        assert "estimate: answer: 24 to do, at most about 24 calls" in shown and "price not known" in shown
        paid = answer(cli(*words, "--json"))["phases"]
        for phase in ("answer", "judge"):
            forecast, spent = told["phases"][phase], paid[phase]["spent"]
            assert forecast["llm_calls"] >= spent["calls"] and forecast["input_tokens"] >= spent["input_tokens"]
            assert forecast["output_tokens"] >= spent["output_tokens"]
        left = answer(cli(*words, "--dry-run", "--json"))
        assert {phase: one["tasks"] for phase, one in left["phases"].items()} == dict.fromkeys(paid, 0)


def test_a_known_model_has_a_price(cli, data, tmp_path):
    told = answer(cli("run", data, "--reader", "openai/gpt-4o-mini", "--out", tmp_path / "run", "--dry-run", "--json"))
    assert 0 < told["total"]["cost_usd"] < 0.1


# --- stopped -----------------------------------------------------------------------------------------------------------


def test_over_its_budget_a_run_stops_and_a_higher_one_finishes_it(cli, data, tmp_path):
    words = [data, "--system", "bm25", "--out", tmp_path / "run"]
    with ModelEndpoint(says) as endpoint:
        done = cli("run", *words, *at(endpoint), "--budget", "calls=15", code=1)
        assert (
            "Stopped: BudgetExceeded: the budget run.calls = 15" in done.stderr and "goes on from there" in done.stderr
        )
        assert endpoint.calls == 15
        told = json.loads(cli("run", *words, *at(endpoint), "--budget", "calls=15", "--json", code=1).stdout)
        assert told["phases"]["judge"]["stopped"]["error"] == "BudgetExceeded" and endpoint.calls == 15
        cli("run", *words, *at(endpoint), "--budget", "calls=24")
        assert endpoint.calls == 24
        for limit in ("add.calls=3", "calls", "day.cost=1"):
            cli("run", *words, "--budget", limit, code=2)


def test_what_has_no_price_is_said_to_have_none_and_a_budget_in_money_is_refused_before_anything_is_done(
    cli, data, tmp_path
):
    out = tmp_path / "run"
    with ModelEndpoint(says) as endpoint:
        memory = [data, "--system", "recollect-model", "--llm", "openai/memory", "--limit", 2, "--out", out]
        words = ["run", *memory, *at(endpoint)]
        for more in ([], ["--dry-run"], ["--json"]):
            done = cli(*words, "--budget", "cost=1", *more, code=2)
            assert "the price of the model of ingest and answer and judge is not known" in done.stderr
        assert endpoint.calls == 0 and not (out / "systems").exists()
        cli("run", *memory, "--api-base", endpoint.url, "--mode", "json_schema", "--phase", "ingest")
        assert "the run has calls whose price is not known" in cli(*words, "--budget", "cost=1", code=2).stderr
        shown = cli(*words)
        assert "price not known" in shown.stdout and "$0" not in shown.stdout + shown.stderr
    told = answer(cli("rescore", out, "--json"))
    cost = told["systems"]["recollect-openai-memory"]["cost"]
    assert told["spent"]["usd"] is None and [cost[one]["usd"] for one in ("ingest", "answer", "judge")] == [None] * 3
    page = cli("report", out).stdout
    assert len(re.findall(r"\| (ingest|answer|judge) .*\| unpriced +\|", page)) == 3 and "$0" not in page


def test_a_dead_endpoint_leaves_errors_and_the_same_command_goes_on(cli, data, tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.adapters.retry.FIRST_WAIT", 0.001)
    words = [data, "--system", "bm25", "--out", tmp_path / "run"]
    with ModelEndpoint(lambda _: Reply(status=503)) as endpoint:
        done = cli("run", *words, *at(endpoint), code=1)
        assert "Stopped: ModelUnavailable" in done.stderr and re.search(r"answer: 0 done, [5-9] failed", done.stderr)
    with ModelEndpoint(lambda r: "no JSON" if "Ann see on day 1?" in r.text else says(r)) as endpoint:
        done = cli("run", *words, *at(endpoint), code=1)
        assert "1 failed, 1 left out for want of an earlier phase: the same command tries again" in done.stderr
    with ModelEndpoint(says) as endpoint:
        told = answer(cli("run", *words, *at(endpoint), "--json"))
        assert endpoint.calls == 2 and told["result"]["systems"]["turns-bm25"]["failed"] == {}


def process(*words, home, **more):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RECOLLECT_API_KEY": KEY,
        "RECOLLECT_HOME": str(home),
    }
    return subprocess.Popen([*RECOLLECT, "eval", *map(str, words)], stdout=-1, stderr=-1, text=True, env=environment)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_it_records_what_is_under_way_and_says_how_to_go_on(cli, data, tmp_path, number):
    go, child, seen = threading.Event(), [], Counter()

    def waits(request):
        seen[world.phase_of(request)] += 1
        if seen["answer"] == 6:
            child[0].send_signal(number)
        return Reply(says(request), until=go) if seen["answer"] >= 6 else says(request)

    words = ["run", data, "--system", "bm25", "--out", tmp_path / "run"]
    with ModelEndpoint(waits) as endpoint:
        with process(*words, *at(endpoint), home=tmp_path / "home") as stopped:
            child.append(stopped)
            before = [
                *iter(
                    stopped.stderr.readline, "Stopping: what is under way will be recorded. Ctrl-C again leaves it.\n"
                )
            ]
            go.set()
            _, errors = stopped.communicate(timeout=120)
        assert stopped.returncode == 128 + number and "the same command goes on from there" in errors
        told = "".join(before) + errors
        assert "Traceback" not in told and KEY not in told
        assert len(Run.read(tmp_path / "run").good("answers", "turns-bm25")) == endpoint.calls < 12
        cli(*words, *at(endpoint))
        assert endpoint.calls == 24 and seen == {"answer": 12, "judge": 12}


def test_a_second_ctrl_c_ends_it_though_a_conversation_is_taken_in_by_a_model(cli, data, tmp_path):
    go, asked = threading.Event(), threading.Event()

    def waits(request):
        asked.set()
        return Reply(says(request), until=go)

    words = [
        "run",
        data,
        "--system",
        "recollect-model",
        "--llm",
        "openai/memory",
        "--mode",
        "json_schema",
        "--phase",
        "ingest",
    ]
    words += ["--out", tmp_path / "run"]
    with ModelEndpoint(waits) as endpoint:
        with process(*words, "--api-base", endpoint.url, home=tmp_path / "home") as stopped:
            assert asked.wait(timeout=60)
            stopped.send_signal(signal.SIGINT)
            assert any("Ctrl-C again leaves it" in line for line in iter(stopped.stderr.readline, ""))
            stopped.send_signal(signal.SIGINT)
            _, errors = stopped.communicate(timeout=60)
        assert stopped.returncode == 130 and "the same command goes on from there" in errors and not go.is_set()
        go.set()
        cli(*words, "--api-base", endpoint.url)
    assert len(Run.read(tmp_path / "run").good("ingest", "recollect-openai-memory")) == 3


# --- bad input ---------------------------------------------------------------------------------------------------------


def test_a_run_of_other_data_or_settings_is_not_gone_on_with(cli, data, tmp_path):
    out = tmp_path / "run"
    cli("run", data, "--system", "bm25", "--out", out, "--k", 7)
    other = written(tmp_path / "other.jsonl", world.data_set(2))
    for words in ([other], [data, "--k", 8], [data, "--seed", 5], [data, "--max-tokens", 10]):
        done = cli("run", *words, "--system", "bm25", "--out", out, code=1)
        assert re.match(r"RunMismatch: this run's \w+ is .*, not ", done.stderr)
    cli("run", data, "--system", "bm25", "--out", out)  # what is not said stays as it is
    assert Run.read(out).manifest.k == 7
    done = cli("run", other, "--system", "bm25", "--out", out, code=1)
    assert re.search(r"this run's data is small \(checksum \w{12}…\), not other \(\w{12}…\)", done.stderr)
    data.rename(tmp_path / "moved.jsonl")
    assert "is not there" in (lost := cli("rescore", out, code=1).stderr) and "with --data where it is now" in lost
    cli("rescore", out, "--data", tmp_path / "moved.jsonl")
    written(data, world.data_set(2))
    done = cli("rescore", out, code=1)
    assert "RunMismatch" in done.stderr and "name the files that it was made with" in done.stderr
    error = json.loads(cli("rescore", out, "--json", code=1).stderr)
    assert error["error"] == "RunMismatch" and error["exit_code"] == 1


def test_a_run_that_another_process_works_on_is_busy(cli, data, tmp_path):
    cli("run", data, "--system", "bm25", "--out", tmp_path / "run", "--phase", "ingest")
    with Run.open(tmp_path / "run", Run.read(tmp_path / "run").manifest):
        done = cli("run", data, "--system", "bm25", "--out", tmp_path / "run", code=1)
        assert f"RunBusy: another process (process {os.getpid()})" in done.stderr
        cli("rescore", tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--system", "nothing"], "unknown: 'nothing'"),
        (["--system", "recollect-model"], "needs a language model"),
        (["--system", "bm25", "--system", "bm25"], "named twice"),
        (["--phase", "think"], "unknown: 'think'"),
        (["--conversation", "nobody"], "'nobody' is not in"),
        (["--limit", "0"], "1 or more"),
        (["--k", "0"], "1 or more"),
        (["--concurrency", "0"], "1 or more"),
        (["--unrelated", "-1"], "0 or more"),
        (["--reader", "rules"], "language model"),
    ],
)
def test_bad_options_are_said_and_nothing_is_asked(cli, data, tmp_path, words, told):
    assert told in cli("run", data, *words, "--out", tmp_path / "run", code=2).stderr


def test_an_address_needs_a_key_of_its_own(cli, data, tmp_path, monkeypatch):
    monkeypatch.delenv("RECOLLECT_API_KEY")
    done = cli(
        "run", data, "--reader", "openai/x", "--api-base", "http://127.0.0.1:1", "--out", tmp_path / "run", code=1
    )
    assert "ModelConfigError" in done.stderr and "--api-key" in done.stderr


def test_bad_data_is_a_named_error(cli, data, tmp_path):
    assert "DataSetInvalid" in cli("run", tmp_path / "nothing", "--out", tmp_path / "run", code=1).stderr
    cut = tmp_path / "cut.jsonl"
    cut.write_text(data.read_text()[:-20])
    assert "DataSetInvalid" in cli("baseline", cut, "--out", tmp_path / "run", code=1).stderr
    assert "DataSetInvalid" in cli("datasets", cut, code=1).stderr
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(data.read_bytes())[:60])
    assert "cut off" in cli("baseline", packed, "--out", tmp_path / "run", code=1).stderr
    assert "JSON lines?" in cli("datasets", data, "--format", "locomo", code=1).stderr
    assert not (tmp_path / "run").exists()
    assert "RunInvalid" in cli("rescore", tmp_path, code=1).stderr


def test_a_reader_and_a_judge_may_be_at_addresses_and_with_keys_of_their_own(cli, data, tmp_path, monkeypatch):
    monkeypatch.setenv("RECOLLECT_READER_API_KEY", "sk-reader")
    monkeypatch.setenv("RECOLLECT_JUDGE_API_KEY", "sk-judge")
    with ModelEndpoint(says) as one, ModelEndpoint(says) as other:
        own = ["--reader-api-base", one.url, "--judge-api-base", other.url]
        cli("run", data, "--system", "bm25", *at("http://127.0.0.1:1"), *own, "--out", tmp_path / "run", "--limit", 2)
        assert {r.headers["authorization"] for r in one.requests} == {"Bearer sk-reader"}
        assert {r.headers["authorization"] for r in other.requests} == {"Bearer sk-judge"}


# --- beside each other, and reports ------------------------------------------------------------------------------------


@pytest.fixture
def baseline(cli, data, tmp_path):
    cli("run", data, "--system", "bm25", "--system", "last-turns", "--last", 2, "--out", tmp_path / "base")
    return tmp_path / "base"


def test_two_systems_are_tested_on_the_questions_that_both_were_asked(cli, data, tmp_path, baseline):
    pair = ["compare", baseline, baseline, "--system", "turns, BM25", "--with", "last-2-turns"]
    told = answer(cli(*pair, "--json"))["pairs"][0]
    recall = told["metrics"]["recall@10"]["overall"]
    assert (told["a"], told["b"]) == ("turns, BM25", "last 2 turns") and recall["difference"]["mean"] == -1.0
    assert recall["exact"]["only_a"] == 9 and recall["adjusted"] == pytest.approx(2 / 2**9)
    shown = cli(*pair, "--categories").stdout
    assert "-100.0" in shown and "0.004" in shown and "single" in shown
    cli("run", data, "--system", "bm25", "--out", tmp_path / "more")
    same = answer(cli("compare", baseline, tmp_path / "more", "--json"))["pairs"]
    assert [one["b"] for one in same] == ["turns, BM25"] and same[0]["metrics"]["mrr"]["overall"]["difference"][
        "mean"
    ] == 0
    assert "say which" in cli("compare", baseline, baseline, code=2).stderr
    assert "is not in base" in cli("compare", baseline, baseline, "--system", "x", code=2).stderr


def test_runs_of_different_data_are_not_compared(cli, tmp_path, baseline):
    other = written(tmp_path / "other.jsonl", world.data_set(2))
    cli("run", other, "--system", "bm25", "--out", tmp_path / "other-run")
    assert "different data" in cli("compare", baseline, tmp_path / "other-run", code=1).stderr


def test_a_report_is_written_where_it_is_wanted(cli, tmp_path, baseline):
    assert "turns, BM25" in cli("report", baseline, baseline).stdout
    cli("report", baseline, "--out", tmp_path / "new" / "report.html")
    page = (tmp_path / "new" / "report.html").read_text(encoding="utf-8")
    assert "<html" in page and "last 2 turns" in page
    told = answer(cli("report", baseline, "--out", tmp_path / "report.md", "--json"))
    assert Path(told["report"]).read_text(encoding="utf-8").startswith("# ")
    assert "must end in" in cli("report", baseline, "--out", tmp_path / "report.pdf", code=2).stderr
    assert "cannot be written" in cli("report", baseline, "--out", "/dev/null/report.md", code=2).stderr
    assert answer(cli("report", baseline, "--json"))[0]["run"] == "base"


def test_a_rival_that_is_not_installed_is_missing_with_the_lines_that_install_it(cli, data, tmp_path, monkeypatch):
    monkeypatch.delenv("RECOLLECT_MEM0_PYTHON", raising=False)
    words = ["--llm", "openai/x", "--api-base", "http://127.0.0.1:1", "--out", tmp_path / "run"]
    done = cli("run", data, "--system", "mem0", *words, code=1)
    assert done.stderr.startswith("ExtraMissing: ") and "pip install mem0ai" in done.stderr


def test_what_there_is_to_choose_from_is_listed(cli, data):
    assert {"bm25", "recollect-rules", "mem0"} <= set(answer(cli("systems", "--json"))["systems"])
    assert "recollect-rules:turns" in cli("systems").stdout
    assert "changes" in answer(cli("datasets", "--json"))["shipped"] and "locomo" in cli("datasets").stdout
    told = answer(cli("datasets", data, "--json"))
    assert told["questions"] == {"single": 9, "never": 3} and told["turns"] == 24 and told["problems"] == []
    assert "3 conversations, 24 turns, 12 questions" in cli("datasets", data).stdout


# --- without a model ---------------------------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Three labelled decisions in place of all."""
    every = decisions.load().cases
    cases = tuple(case for case in every if case.id in ("value-01", "dup-01", "para-02"))
    monkeypatch.setattr(decisions, "load", lambda: SimpleNamespace(cases=cases))
    return cases


def test_decisions_are_measured_and_the_wrong_ones_listed(cli, few):
    told = cli("operations", "--wrong").stdout
    assert re.search(r"^all +3 +66\.7", told, re.M) and "para-02: right NONE" in told
    records = answer(cli("operations", "--json"))
    assert [one["case"] for one in records] == [case.id for case in few]


def test_memory_points_are_measured(cli, tmp_path):
    text = "Ann lives in Rome."
    point = {"index": 1, "memory_content": text, "memory_type": "Persona Memory", "memory_source": "primary"}
    point |= {"is_update": "False", "original_memories": [], "timestamp": "Sep 04, 2025, 18:42:19", "importance": 0.5}
    said = {"role": "user", "content": "I live in Rome.", "timestamp": "Sep 04, 2025, 18:42:19", "dialogue_turn": 0}
    session = {"start_time": "Sep 04, 2025, 18:42:19", "end_time": "Sep 04, 2025, 19:42:19", "dialogue": [said]}
    session |= {"memory_points": [point], "questions": []}
    user = {"uuid": "u", "persona_info": "Name: Ann; Gender: f", "sessions": [session]}
    (tmp_path / "user.jsonl").write_text(json.dumps(user) + "\n")
    found = answer(cli("operations", tmp_path / "user.jsonl", "--json"))
    assert len(found["updates"]) == 1 and found["extraction"]
    told = cli("operations", tmp_path / "user.jsonl").stdout
    assert re.search(r"^updates +0$", told, re.M) and re.search(r"^resistance +–$", told, re.M)


def test_all_that_needs_no_model_is_measured_into_one_report(cli, data, few, tmp_path, monkeypatch):
    monkeypatch.delenv("RECOLLECT_DATA", raising=False)
    out = tmp_path / "report"
    first = cli("offline", data, "--out", out)
    assert "recollect, rules" in first.stdout and "previous + turn, BM25" in first.stdout
    page, text = (out / "report.html").read_text("utf-8"), (out / "report.md").read_text("utf-8")
    assert "recollect, rules, memories only" in text and "Decisions" in text and "<svg" in page
    records = {file: file.read_bytes() for file in out.rglob("*.jsonl")}
    again = answer(cli("offline", data, "--out", out, "--json"))
    assert again["reports"] == [str(out / "report.html"), str(out / "report.md")] and len(again["runs"]) == 1
    assert {file: file.read_bytes() for file in out.rglob("*.jsonl")} == records, "nothing is measured twice"
    assert (out / "report.md").read_text("utf-8") == text


def test_help_does_not_load_the_harness():
    code = (
        "import sys; import recollect.surfaces.cli as cli; sys.argv = ['recollect', 'eval', '--help']\n"
        "try: cli.main()\nexcept SystemExit: print([n for n in sys.modules if n.startswith(('recollect_evals', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
