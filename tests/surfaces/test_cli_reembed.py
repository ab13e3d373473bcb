"""`recollect reembed`, as people and scripts call it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter

import pytest

from recollect import Memory
from recollect.testing import ModelEndpoint, Reply, ScriptedLanguage

from .terminal import RECOLLECT, held


@pytest.fixture
def endpoint():
    with ModelEndpoint(dim=32) as running:
        yield running


@pytest.fixture
def environment(tmp_path, endpoint):
    api = {"embedder_api_base": endpoint.url, "embedder_api_key": "none"}
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder="openai/old", **api) as memory:
        said = [{"role": "user", "content": f"likes += thing{n}"} for n in range(200)]
        memory.add(said, user_id="u")
    endpoint.requests.clear()
    own = {"RECOLLECT_HOME": str(tmp_path), "RECOLLECT_EMBEDDER_API_KEY": "none", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own}


@pytest.fixture
def run(environment):
    def call(*words):
        settings = {"capture_output": True, "text": True, "timeout": 120, "env": environment, "check": False}
        return subprocess.run([*RECOLLECT, "reembed", *words], **settings)

    return call


def hosted(endpoint):
    return ["--embedder", "openai/any", "--embedder-api-base", endpoint.url]


def asked(endpoint):
    """Every text that the endpoint embedded, but the word that the dimension is asked by."""
    return Counter(text for one in endpoint.requests for text in one.body["input"] if text != "dimension")


def test_it_says_how_much_there_is_to_do_and_what_was_done(run, endpoint, tmp_path):
    done = run(*hosted(endpoint))
    assert done.returncode == 0 and "to embed by openai/any: 400 passages\n" in done.stderr
    assert done.stdout == "400 passages by openai/any now, 400 embedded in this run.\n"
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder_api_base=endpoint.url, embedder_api_key="none") as memory:
        assert memory.verify().ok and memory.stats().embedder == "openai/any"
        assert memory.search("thing7", user_id="u")[0].text == "likes is thing7"
    before = len(endpoint.requests)
    assert run(*hosted(endpoint)).stdout == "Nothing to do: the store is by openai/any already.\n"
    assert len(endpoint.requests) == before
    told = json.loads(run("--embedder", "minilm", "--json").stdout)
    assert told == {"embedder": "all-MiniLM-L6-v2", "passages": 400, "embedded": 400}


def test_without_a_name_it_goes_on_with_the_one_under_way_or_asks_for_one(run, endpoint):
    assert "Example: recollect reembed --embedder" in " ".join(run("--help").stdout.split())
    refused = run("--json")
    assert refused.returncode == 2 and json.loads(refused.stderr)["argument"] == "embedder"
    endpoint._embeddings = lambda _: (_ for _ in ()).throw(AssertionError)  # no request is expected
    assert "name the new one" in run().stderr and endpoint.requests == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_loses_nothing_and_says_how_to_go_on(run, endpoint, environment, number):
    begun = [*held("reembed.Bar", "event.done == 192"), "reembed", *hosted(endpoint)]  # three batches of 64
    with subprocess.Popen(begun, stdout=-1, stderr=-1, text=True, env=environment) as child:
        assert child.stdout.readline() == "held\n"
        child.send_signal(number)
        _, errors = child.communicate(timeout=60)
    before = len(endpoint.requests)
    assert child.returncode == 128 + number and "Traceback" not in errors
    assert "192 of 400 passages embedded, and kept: the same command goes on from there" in errors
    done = run("--embedder-api-base", endpoint.url)
    assert done.returncode == 0 and "done already" in done.stderr and before < len(endpoint.requests)
    assert sum(asked(endpoint).values()) == 400


def test_a_fault_is_named_and_says_how_to_go_on(run, endpoint):
    def refused_at_last(request):
        return Reply(endpoint._embedded(request)) if len(endpoint.requests) <= 3 else Reply(status=401)

    endpoint._embeddings = refused_at_last
    failed = run(*hosted(endpoint))
    assert failed.returncode == 1 and "EmbedderConfigError" in failed.stderr
    assert "128 of 400 passages embedded, and kept: the same command goes on from there" in failed.stderr
    done = run(*hosted(endpoint), "--json")
    assert done.stdout == "" and json.loads(done.stderr)["error"] == "EmbedderConfigError"
