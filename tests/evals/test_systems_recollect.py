"""recollect under test: an interrupted ingestion goes on, what ended is told, and what stays pending is an error."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from small_talk import session

from recollect import Memory
from recollect.errors import ModelUnavailable
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect_evals import tokens
from recollect_evals.errors import SystemFailed
from recollect_evals.model import Conversation, Question, Stored
from recollect_evals.systems import Access
from recollect_evals.systems.recollect import Recollect

CITIES = ("Rome", "Oslo", "Lima", "Lima")
HOMES = Conversation(
    "homes",
    tuple(
        session(f"s{month}", datetime(2024, month, 1, tzinfo=UTC), ("Ann", f"home = {city}"), ("Ben", "Oh."))
        for month, city in enumerate(CITIES, start=1)
    ),
)
WHERE = Question("homes/q1", "What is home, is it Lima?", "Lima", "update", ("s3:1", "s4:1"))


class Failing(ScriptedLanguage):
    """Fails on what has a word, as often as told."""

    def __init__(self, word: str, times: int) -> None:
        self.word, self.times = word, times

    async def extract(self, chunk):
        if self.times and any(self.word in turn.content for turn in chunk.turns):
            self.times -= 1
            raise ModelUnavailable("down")
        return await super().extract(chunk)


def opened(folder, language=None):
    access = Access(language or ScriptedLanguage())
    return Recollect(folder, label="scripted", embedder=HashEmbedder(256), access=access)


def seen(system):
    stored = sorted((one.text, one.turns, one.live) for one in system.stored("homes"))
    return stored, [(one.text, one.turns) for one in system.search("homes", WHERE, 10)]


def test_what_ended_is_told_beside_what_is_live_with_the_turns_of_each(tmp_path):
    system = opened(tmp_path)
    assert system.ingest(HOMES).memories == 1
    stored = system.stored("homes")
    (live,) = [one for one in stored if one.live]
    assert (live.text, live.turns) == ("home is Lima", ("s3:1", "s4:1"))
    ended = {one for one in stored if not one.live}
    assert {(one.text, one.turns) for one in ended} == {("home is Rome", ("s1:1",)), ("home is Oslo", ("s2:1",))}
    assert all(one.id.startswith(f"{live.id}#") for one in ended)
    system.close()


def test_a_deleted_memory_is_told_as_one_that_is_not_live(tmp_path):
    system = opened(tmp_path)
    system.ingest(Conversation("homes", HOMES.sessions[:1]))
    (live,) = system.stored("homes")
    system.memory.delete(live.id)
    (told,) = system.stored("homes")
    assert told == Stored(told.id, live.text, live.turns, False) and told.id.startswith(f"{live.id}#")
    system.close()


def test_an_ingestion_that_failed_in_the_middle_goes_on_and_leaves_the_same(tmp_path):
    whole = opened(tmp_path / "whole")
    whole.ingest(HOMES)
    system = opened(tmp_path / "broken", Failing("Oslo", 1))
    with pytest.raises(ModelUnavailable):
        system.ingest(HOMES)
    with pytest.raises(SystemFailed, match="not ingested"):
        system.search("homes", WHERE, 5)
    assert system.ingest(HOMES).memories == 1
    assert seen(system) == seen(whole)
    for one in (system, whole):
        one.close()


def test_what_is_pending_is_finished_before_anything_is_asked(tmp_path):
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder(256)) as memory:
        memory.add("likes += tea", user_id="homes", session_id="before", timestamp="2023-01-01", wait=False)
    system = opened(tmp_path)
    assert system._pending("homes") == ["no error"]
    assert system.ingest(HOMES).memories == 2
    assert system._pending("homes") == []
    system.close()


def test_what_stays_pending_is_an_error(tmp_path):
    with Memory(tmp_path / "store", llm=ScriptedLanguage(), embedder=HashEmbedder(256)) as memory:
        memory.add("likes += tea", user_id="homes", session_id="before", timestamp="2023-01-01", wait=False)
    system = opened(tmp_path, Failing("tea", 1_000))
    with pytest.raises(SystemFailed, match="1 batches stay pending: ModelUnavailable"):
        system.ingest(HOMES)
    system.close()


def test_a_context_is_counted_as_the_harness_counts(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.retrieval.pack.estimate_tokens", lambda text: 1)  # much too low
    system = opened(tmp_path)
    system.ingest(HOMES)
    context = system.context("homes", WHERE, 90)
    assert 0 < context.tokens == tokens.count(context.text) <= 90
    assert system.context("homes", WHERE, 5).text == ""
    system.close()


def test_a_question_is_asked_on_its_day(tmp_path):
    system = opened(tmp_path)
    system.ingest(HOMES)
    then = replace(WHERE, text="What is home, is it Oslo?", asked_at=datetime(2024, 2, 10, tzinfo=UTC))
    assert ("home is Oslo", ("s2:1",)) in [(one.text, one.turns) for one in system.search("homes", then, 10)]
    system.close()
