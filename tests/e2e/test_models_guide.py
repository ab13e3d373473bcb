"""docs/models.md: snippets and commands run as printed, against an endpoint on loopback; names and modes are litellm's."""

from __future__ import annotations

import importlib.util
import inspect
import re
import shlex
import sys
from itertools import cycle, islice
from pathlib import Path

import pages
import pytest
from typer.testing import CliRunner

from recollect import AsyncMemory, Memory
from recollect.adapters import litellm_setup as setup
from recollect.build import Settings, litellm_model
from recollect.surfaces.cli.commands import app
from recollect.testing import ModelEndpoint

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080/v1"
SNIPPETS = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
COMMANDS = [shlex.split(line)[1:] for line in re.findall(r"^recollect .+$", GUIDE, re.M)]


def benchmark(name):
    found = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


costs, talks = benchmark("costs"), benchmark("talks")
TALK = '{"role": "user", "name": "Ann", "conversation": "alice", "content": "I have a dog named Rex."}\n'


def berlin(request):
    """One fact, of the last message that tells of Berlin; all that is new is added."""
    if "You keep somebody's memories" in request.text:
        return {"decisions": [{"fact": int(n), "op": "ADD"} for n in re.findall(r"^\[(\d+)\]", request.text, re.M)]}
    told = re.findall(r"^\[(\d+)\] [^:\n]+: (I moved to Berlin.*)", request.text, re.M)
    return {
        "facts": [
            {"text": f"The user: {text}", "kind": "event", "evidence": [{"message": int(n), "quote": text}]}
            for n, text in told[-1:]
        ]
    }


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    """A model at the guide's address, and at OpenAI's for whoever names that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECOLLECT_HOME", str(tmp_path / "home"))
    with ModelEndpoint(berlin) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_API_BASE", server.url)
        yield server


@pytest.mark.parametrize("snippet", SNIPPETS, ids=range(len(SNIPPETS)))
def test_snippets_run_as_printed(endpoint, snippet):
    names: dict[str, object] = {}
    exec(snippet.replace(ADDRESS, endpoint.url), names)
    assert isinstance(names["memory"], Memory)
    sent = ".add(" in snippet and '"calls": 0' not in snippet
    assert bool(endpoint.requests) == sent
    if "instructions=" in snippet:
        assert "Remember training, injuries and races." in endpoint.requests[0].text


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_commands_run_as_printed(endpoint, tmp_path, words):
    (tmp_path / "talks.jsonl").write_text(TALK, encoding="utf-8")
    with Memory() as memory:
        memory.add("I have a dog named Rex.", user_id="alice")
    done = CliRunner().invoke(app, [word.replace(ADDRESS, endpoint.url) for word in words])
    assert done.exit_code == 0, done.output
    assert bool(endpoint.requests) == ("--llm" in words and "--dry-run" not in words and "resume" not in words)


def test_the_guide_has_snippets_and_commands_for_everything():
    assert len(SNIPPETS) >= 5
    assert {words[0] for words in COMMANDS} == {"add", "ingest", "pending", "resume", "retell"}


def test_what_is_never_sent(endpoint):
    with Memory(llm="openai/gpt-5-mini") as memory:
        told = {
            "user_id": "user-17",
            "session_id": "session-18",
            "agent_id": "agent-19",
            "metadata": {"hue": "meta-20"},
        }
        memory.add("I moved to Berlin.", **told)
        memory.add("I moved to Berlin, and I like it.", **told)
        memory.add("I moved to Berlin, as everybody does.", user_id="other")
        asked = len(endpoint.requests)
        assert asked == 4  # the second one was compared with the first, nobody's with another user's
        memory.search("Berlin", user_id="user-17")
        memory.add("kept whole", user_id="user-17", infer=False)
    assert len(endpoint.requests) == asked
    for request in endpoint.requests:
        assert not re.search(r"user-17|session-18|agent-19|meta-20|(mem|turn|batch)_[0-9a-f]{8}", str(request.body))


def rows(heading, columns):
    """The cells of the table under a heading."""
    table = GUIDE.split(f"## {heading}\n")[1].split("\n##")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:] if line.count("|") == columns + 1
    ]


@pytest.mark.parametrize(
    ("heading", "place", "default"),
    [("Hosted models", 3, r"^`(\w+)`$"), ("A server of your own", 4, r"^leave out \(`(\w+)`\)$")],
)
def test_names_and_modes_are_those_of_litellm(heading, place, default):
    litellm, modes = setup.load(), 0
    for row in rows(heading, place + 1):
        name = re.search(r"`([^`]+)`", row[1])[1]
        assert litellm.get_llm_provider(name)[1] == name.split("/")[0]
        if told := re.search(default, row[place]):
            assert setup.default_mode(litellm, name) == told[1], name
            modes += 1
    assert modes >= 2


@pytest.mark.parametrize("column", range(3), ids=lambda column: f"{costs.AT_ONCE[column]} an add")
def test_what_a_thousand_messages_cost_is_the_estimate(column):
    usage = costs.asked(costs.usual(), costs.AT_ONCE[column])
    table = {row[0].strip("`"): row[column + 1] for row in pages.rows(GUIDE, "What it costs")}
    assert int(table.pop("calls").replace(",", "")) == usage.llm_calls
    read, written = table.pop("million tokens read, written").split(", ")
    assert usage.input_tokens == pytest.approx(float(read) * 1e6, rel=0.02)
    assert usage.output_tokens == pytest.approx(float(written) * 1e6, rel=0.02)
    assert list(table) == list(costs.MODELS)
    for name, told in table.items():
        assert costs.price(name, usage) == pytest.approx(float(told.strip("$")), abs=0.01), name


@pytest.mark.parametrize("at_once", costs.AT_ONCE)
def test_what_is_said_of_longer_messages_is_so(at_once):
    told = re.search(r"Messages of ([\d,]+) characters on average cost (\d+) to (\d+) % more", GUIDE)
    length, low, high = (int(one.replace(",", "")) for one in told.groups())
    much, usual = (costs.asked(talk, at_once) for talk in (costs.long(), costs.usual()))
    more = [100 * (costs.price(name, much) / costs.price(name, usual) - 1) for name in costs.MODELS]
    assert low <= min(more) and max(more) <= high
    said = list(islice(cycle(costs.long()), costs.SAMPLE))
    assert sum(len(one["content"]) for one in said) / len(said) == pytest.approx(length, abs=1)


def test_costs_of_ones_own_messages_and_models_are_printed(tmp_path, capsys):
    (tmp_path / "talks.jsonl").write_text(TALK, encoding="utf-8")
    costs.main(["--file", str(tmp_path / "talks.jsonl"), "--llm", "openai/gpt-5-mini", "openai/nobody-knows-it"])
    printed = capsys.readouterr().out
    assert "yours: 1,000 messages of 23 characters" in printed
    assert printed.count("not known") == len(costs.AT_ONCE) == len(re.findall(r"\$\d", printed))


def test_dimensions_and_names_of_embedders_are_those_of_the_list():
    litellm = setup.load()
    for name, _, dimensions in rows("Embedders", 3):
        given = re.search(r"`(\w+/[^`]+)`", name)
        if given is not None:
            assert litellm.get_llm_provider(given[1])[1] == given[1].split("/")[0]
            known = litellm.model_cost.get(given[1]) or litellm.model_cost.get(given[1].split("/")[1]) or {}
            if size := known.get("output_vector_size"):
                assert dimensions.replace(",", "") == str(size), name


def test_the_reference_prints_the_constructor_as_it_is():
    opening = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split("## Opening\n")[1].split("\n## ")[0]
    shown: list[str] = []
    for name, one in inspect.signature(Memory.__init__).parameters.items():
        if one.default is not inspect.Parameter.empty:
            shown += (["*"] if name == "llm" else []) + [f"{name}={one.default!r}"]
    assert f"### `Memory({', '.join(shown)})`" in opening
    assert inspect.getdoc(AsyncMemory.__init__) in opening


def test_a_longer_timeout_leaves_time_for_all_tries():
    for timeout, deadline in ((None, 180.0), (10, 180.0), (300, 900.0)):
        assert litellm_model("openai/any", Settings(timeout=timeout))._deadline == deadline


def test_how_near_the_estimate_comes_is_as_it_is_measured():
    """Of the talk that is our own; the others want data that is not here."""
    (mira,) = talks.of_readings(["mira"])
    (row,) = [row for row in pages.rows(GUIDE, "How near the estimate comes") if row[0] == "mira"]
    assert row[1:5] == [
        str(len(mira.paid)),
        f"{mira.facts / mira.turns:.2f}",
        ", ".join(talks.off(mira, talks.ASSUMED)),
        talks.between(mira),
    ]
