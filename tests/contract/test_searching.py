"""A search by either way, in one worker thread or awaited, gives the same hits, errors and end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from recollect import AsyncMemory, Memory
from recollect.errors import Closed, EmbeddingInvalid, InvalidInput
from recollect.testing import HashEmbedder, ScriptedLanguage


class Local(HashEmbedder):
    """Computes here; a text that it `holds` waits until it is let go, "down" cannot be reached, "nonsense" is no vector."""

    batches = True

    def __init__(self):
        super().__init__()
        self.runs = []
        self.began, self.go = threading.Event(), threading.Event()

    def embed(self, texts):
        self.runs.append((threading.current_thread().name, list(texts)))
        if "held" in texts:
            self.began.set()
            assert self.go.wait(60)
        if "down" in texts:
            raise ConnectionError
        return [[0.0]] if "nonsense" in texts else super().embed(texts)


@pytest.fixture
def embedder():
    return Local()


@pytest.fixture
def memory(tmp_path, embedder):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=embedder) as memory:
        memory.add("likes += tea", user_id="u")
        yield memory


def texts(memory, query):
    return [hit.text for hit in memory.search(query, user_id="u", min_score=0)]


@pytest.fixture
def threads(monkeypatch):
    """In which threads searches went on."""
    from recollect.retrieval.retrieve import Retriever

    seen = []
    search = Retriever.search

    def noting(*arguments):
        seen.append(threading.current_thread().name)
        return search(*arguments)

    monkeypatch.setattr(Retriever, "search", noting)
    return seen


def test_embedding_and_search_are_in_one_worker_thread(memory, embedder, threads):
    embedder.runs.clear()
    assert texts(memory, "tea") == ["likes is tea"]
    assert [(threads[0], ["tea"])] == embedder.runs and threads[0].startswith("recollect_")


def test_also_where_it_is_awaited(tmp_path, embedder, threads):
    async def run():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=embedder) as memory:
            await memory.add("likes += tea", user_id="u")
            embedder.runs.clear()
            return [hit.text for hit in await memory.search("tea", user_id="u", min_score=0)]

    assert asyncio.run(run()) == ["likes is tea"]
    assert [(threads[0], ["tea"])] == embedder.runs


def test_while_the_embedder_is_busy_searches_wait_and_are_embedded_together(memory, embedder):
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(texts, memory, "held")
        assert embedder.began.wait(60)
        embedder.runs.clear()
        others = [pool.submit(texts, memory, f"tea {n}") for n in range(3)]
        waiting = memory._memory._searches.batcher._waiting
        while len(waiting) < 3:
            assert not any(one.done() for one in others)
        embedder.go.set()
        assert all(one.result() == ["likes is tea"] for one in (first, *others))
    assert max(len(asked) for _, asked in embedder.runs) > 1 and sum(len(asked) for _, asked in embedder.runs) == 3


def test_words_serve_where_the_embedder_is_down(memory):
    memory.add("mood = down", user_id="u")
    assert texts(memory, "down") == ["mood is down"]  # no vector finds "likes is tea" beside it


def test_what_is_wrong_with_a_vector_is_named(memory):
    with pytest.raises(EmbeddingInvalid):
        memory.search("nonsense", user_id="u")


def test_a_closed_memory_says_so_and_a_bad_argument_is_named(memory):
    with pytest.raises(InvalidInput):
        memory.search("tea", user_id="u", limit=0)
    memory.close()
    with pytest.raises(Closed):
        memory.search("tea", user_id="u")


def test_closing_waits_for_a_search_that_is_under_way(memory, embedder):
    with ThreadPoolExecutor(2) as pool:
        search = pool.submit(texts, memory, "held")
        assert embedder.began.wait(60)
        closing = pool.submit(memory.close)
        embedder.go.set()
        assert search.result() == ["likes is tea"] and closing.result() is None
