"""The worker of mem0: with a stand-in for mem0 always, with mem0 itself where $RECOLLECT_MEM0_PYTHON names an environment."""

from __future__ import annotations

import importlib
import json
import os
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
from small_talk import ANN, CARL, OSLO, REX

from recollect.errors import InvalidInput
from recollect.testing import HashEmbedder, ModelEndpoint
from recollect_evals import tokens
from recollect_evals.errors import SystemFailed
from recollect_evals.systems import Access, Options, make
from recollect_evals.systems.external import WORKERS, as_json

PYTHON = os.environ.get("RECOLLECT_MEM0_PYTHON")


class StandIn:
    """As much of mem0's `Memory` as the worker uses: one memory a message."""

    def __init__(self, config):
        self.config, self.kept, self.prompts, self.fails_at = config, {}, [], None

    def add(self, messages, *, user_id, metadata, prompt):
        self.prompts.append(prompt)
        for message in messages:
            if message["content"] == self.fails_at:
                raise ConnectionError("down")
            number = str(len(self.prompts)) + message["content"]
            told = {"memory": message["content"], "created_at": metadata.get("created_at"), "metadata": metadata}
            self.kept[number] = {"id": number, "user_id": user_id, "score": 0.5, **told}
        usage = types.SimpleNamespace(prompt_tokens=100, completion_tokens=7)
        count = self.config["llm"]["config"].get("response_callback")
        count(None, types.SimpleNamespace(usage=usage), {})

    def get_all(self, *, filters, top_k):
        return {"results": [one for one in self.kept.values() if one["user_id"] == filters["user_id"]][:top_k]}

    def search(self, query, *, top_k, filters):
        return self.get_all(filters=filters, top_k=top_k)

    def delete(self, memory_id):
        del self.kept[memory_id]

    def close(self):
        pass


@pytest.fixture
def worker(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(WORKERS))
    for name in ("MEM0_TELEMETRY", "MEM0_DIR", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "as it was")
    made = []

    def from_config(config):
        made.append(StandIn(config))
        return made[-1]

    telemetry = types.SimpleNamespace(MEM0_TELEMETRY=False)
    monkeypatch.setitem(
        sys.modules, "mem0", types.SimpleNamespace(Memory=types.SimpleNamespace(from_config=from_config))
    )
    monkeypatch.setitem(sys.modules, "mem0.memory.telemetry", telemetry)
    module = importlib.import_module("mem0_worker")
    monkeypatch.setattr(module, "version", lambda package: "1" if package == "mem0ai" else missing(module))
    worker = module.Mem0()
    worker.telemetry = telemetry
    return worker


def missing(module):
    raise module.PackageNotFoundError


def opening(folder, llm="openai/any"):
    address = {"api_base": "http://127.0.0.1:1/v1", "api_key": "mine", "embedder_api_base": "http://127.0.0.1:2/v1"}
    return {"folder": str(folder), "llm": llm, "embedder": "minilm", "dim": 384, **address}


def progress(_):
    pass


def test_it_is_opened_without_telemetry_and_with_the_key_given_alone(worker, tmp_path):
    told = worker.open(**opening(tmp_path))
    assert told == {"version": "1", "fastembed": None, "spacy": None, "messages_per_add": 2}
    assert os.environ["MEM0_TELEMETRY"] == "False" and "OPENAI_API_KEY" not in os.environ
    assert os.environ["MEM0_DIR"].startswith(str(tmp_path))
    config = worker._memory.config
    assert config["llm"]["config"]["model"] == "any" and config["llm"]["config"]["api_key"] == "mine"
    assert config["llm"]["config"]["openai_base_url"] == "http://127.0.0.1:1/v1"
    assert config["embedder"]["config"]["openai_base_url"] == "http://127.0.0.1:2/v1"


def test_another_provider_goes_by_litellm(worker, tmp_path):
    worker.open(**opening(tmp_path, "anthropic/some"))
    assert worker._memory.config["llm"] == {
        "provider": "litellm",
        "config": {"model": "anthropic/some", "api_key": "mine"},
    }


def test_telemetry_that_is_on_all_the_same_stops_it(worker, tmp_path):
    worker.telemetry.MEM0_TELEMETRY = True
    with pytest.raises(RuntimeError, match="telemetry"):
        worker.open(**opening(tmp_path))


def test_two_messages_at_once_with_their_day_and_turns(worker, tmp_path):
    worker.open(**opening(tmp_path))
    told = worker.ingest(as_json(ANN), progress)
    assert told == {"memories": 6, "spent": {"calls": 4, "input_tokens": 400, "output_tokens": 28}}
    assert "2024-03-01T09:01:00+00:00" in worker._memory.prompts[0] and "2024-04-02" in worker._memory.prompts[2]
    stored = worker.stored("ann")
    assert stored[0]["text"] == "Ann: My favorite color is blue." and stored[0]["turns"] == ["s1:1", "s1:2"]
    assert stored[2]["turns"] == ["s1:3"] and stored[3]["turns"] == ["s2:1", "s2:2"]
    assert worker.search("ann", "Oslo?", None, 1) == [{name: stored[0][name] for name in stored[0] if name != "live"}]


def test_an_interrupted_ingestion_takes_back_what_was_not_completed_and_pays_nothing_twice(worker, tmp_path):
    worker.open(**opening(tmp_path))
    worker._memory.fails_at = "Ben: A good morning to you."
    with pytest.raises(ConnectionError):
        worker.ingest(as_json(replace(ANN, sessions=ANN.sessions[1:])), progress)
    assert len(worker._memory.kept) == 1  # the half of an add
    worker._memory.fails_at = None
    told = worker.ingest(as_json(replace(ANN, sessions=ANN.sessions[1:])), progress)
    assert told["memories"] == 3 and told["spent"]["calls"] == 2
    asked = len(worker._memory.prompts)
    assert worker.ingest(as_json(replace(ANN, sessions=ANN.sessions[1:])), progress) == told
    assert len(worker._memory.prompts) == asked
    worker.ingest(as_json(CARL), progress)
    assert {one["turns"][0] for one in worker.stored("carl")} == {"s1:1"}


def test_without_a_model_it_cannot_be_made(tmp_path):
    options = Options(embedder=HashEmbedder(), mem0_python=Path(sys.executable))
    with pytest.raises(InvalidInput, match="language model"):
        make("mem0", folder=tmp_path, options=options)


@pytest.mark.skipif(not PYTHON, reason="$RECOLLECT_MEM0_PYTHON names no environment with mem0")
class TestItself:
    """mem0 itself, with a model whose replies are scripted: it tells every new message as a memory."""

    @pytest.fixture
    def endpoint(self):
        def tell(request):
            new = request.text.rpartition("## New Messages")[2].partition("##")[0]
            said = [turn for turn in (*ANN.turns, *CARL.turns) if turn.text in new]
            return {"memory": [{"id": str(n), "text": f"{one.speaker}: {one.text}"} for n, one in enumerate(said)]}

        with ModelEndpoint(tell) as running:
            yield running

    @pytest.fixture
    def system(self, endpoint, tmp_path):
        access = Access("openai/any", api_base=endpoint.url, api_key="none")
        options = Options(embedder=HashEmbedder(64), access=access, patience=120)
        made = make("mem0", folder=tmp_path / "mem0", options=options)
        yield made
        made.close()

    def test_it_ingests_finds_and_tells_what_it_has(self, system, endpoint, tmp_path):
        ingested = system.ingest(ANN)
        system.ingest(CARL)
        assert (
            ingested.spent.calls == 4 == sum("Oslo" in one.text or "blue" in one.text for one in endpoint.requests[:4])
        )
        assert ingested.memories == len(system.stored("ann")) >= 5
        for question in (OSLO, REX):
            first = system.search("ann", question, 3)[0]
            assert set(question.evidence) <= set(first.turns)
        context = system.context("ann", OSLO, 60)
        assert (
            "[2024-04-02] Ann: I moved to Oslo" in context.text and context.tokens == tokens.count(context.text) <= 60
        )
        assert system.settings["version"] and str(tmp_path) not in json.dumps(dict(system.settings))
        with pytest.raises(SystemFailed):
            system.search("nobody", OSLO, 3)

    def test_a_second_ingestion_pays_nothing(self, system, endpoint):
        before = system.ingest(ANN)
        asked = len(endpoint.requests)
        assert replace(system.ingest(ANN).spent, seconds=0) == replace(before.spent, seconds=0)
        assert len(endpoint.requests) == asked
