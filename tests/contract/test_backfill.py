"""What was committed while the embedder was down gets the vectors that it would have had, once it answers again."""

from __future__ import annotations

import numpy as np
import pytest

from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage


class Failing(HashEmbedder):
    """An embedder that is down while `down` is set."""

    down = False

    def embed(self, texts):
        if self.down:
            raise ConnectionError("no route")
        return super().embed(texts)


def opened(folder, embedder):
    return Memory(folder, llm=ScriptedLanguage(), embedder=embedder)


def vectors(memory, user_id="u"):
    """passage → vector, as the ledger has them."""
    ledger = memory._memory._store.ledger
    return {one.number: one.vector for part in ledger.passages(ledger.space(user_id)) for one in part}


def missing(memory, user_id):
    return sum(vector is None for vector in vectors(memory, user_id).values())


def channels(memory, query="home Rome", user_id="u"):
    hits = memory.search(query, user_id=user_id, include=("memories", "turns"), min_score=0, explain=True)
    return {hit.text: {channel.name for channel in hit.channels} for hit in hits}


SAID = ["home = Rome", "and it rains there", "likes += tea"]


def say(memory, user_id="u"):
    memory.add([{"role": "user", "content": text} for text in SAID[:2]], user_id=user_id, session_id="s")
    memory.add(SAID[2], user_id=user_id, session_id="s")


@pytest.fixture
def never_down(tmp_path):
    with opened(tmp_path / "healthy", HashEmbedder()) as memory:
        say(memory)
        yield vectors(memory)


def test_the_next_add_fills_in_the_very_vectors(tmp_path, never_down):
    embedder = Failing()
    with opened(tmp_path / "store", embedder) as memory:
        embedder.down = True
        say(memory)
        assert missing(memory, "u") == len(never_down)
        assert channels(memory)["home is Rome"] == {"memory-bm25", "support-bm25", "about", "session"}
        embedder.down = False
        memory.add("hello", user_id="u")
        filled = vectors(memory)
        assert all(np.array_equal(filled[number], vector) for number, vector in never_down.items())
        assert "memory-vector" in channels(memory)["home is Rome"]
        assert "turn-vector" in channels(memory)["and it rains there"]
        assert memory.verify().ok


@pytest.mark.parametrize("verb", ["resume", "flush"])
def test_all_users_are_made_up_for_across_a_reopen(tmp_path, never_down, verb):
    embedder = Failing()
    with opened(tmp_path / "store", embedder) as memory:
        embedder.down = True
        say(memory, "u")
        say(memory, "v")
    with opened(tmp_path / "store", embedder) as memory:
        getattr(memory, verb)()
        assert missing(memory, "u") == len(never_down)
        embedder.down = False
        getattr(memory, verb)()
        for user_id in "uv":
            filled = vectors(memory, user_id)
            assert all(np.array_equal(filled[number], vector) for number, vector in never_down.items())
        assert memory._memory._store.ledger.pending_vectors(None, 10) == []
        assert memory.verify().ok


def test_an_add_makes_up_for_its_own_user_first_and_for_a_bounded_number(tmp_path):
    embedder = Failing()
    with opened(tmp_path / "store", embedder) as memory:
        embedder.down = True
        many = [{"role": "user", "content": f"likes += thing{n}"} for n in range(50)]
        memory.add(many, user_id="early")
        memory.add(many[:20], user_id="late")
        embedder.down = False
        memory.add("hello", user_id="late")
        pending = {user_id: missing(memory, user_id) for user_id in ("early", "late")}
        assert pending == {"early": 100 - (64 - 40), "late": 0}
        memory.resume()
        assert missing(memory, "early") == 0


def test_a_partition_that_followed_equals_its_rebuild(tmp_path):
    embedder = Failing()
    with opened(tmp_path / "store", embedder) as memory:
        embedder.down = True
        say(memory)
        channels(memory)
        embedder.down = False
        memory.resume()
        followed = channels(memory)
        memory.rebuild()
        assert channels(memory) == followed


class Garbled(HashEmbedder):
    """An embedder that answers nonsense to texts about tea."""

    garbled = True

    def embed(self, texts):
        vectors = super().embed(texts)
        vectors[[self.garbled and "tea" in text for text in texts]] = np.nan
        return vectors


def test_a_text_that_cannot_be_embedded_holds_nothing_else_up(tmp_path):
    down = Failing()
    with opened(tmp_path / "store", down) as memory:
        down.down = True
        say(memory)
    with opened(tmp_path / "store", Garbled()) as memory:
        assert memory.add("home = Oslo", user_id="u").status == "done"
        assert missing(memory, "u") > 0
