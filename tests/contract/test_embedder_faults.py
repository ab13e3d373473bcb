"""What an embedder may do wrong, through the public verbs: a bad answer is refused before anything is committed, an outage
leaves vectors pending."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import numpy as np
import pytest

from recollect import AsyncMemory, Memory
from recollect.errors import EmbedderConfigError, EmbeddingInvalid, InvalidInput
from recollect.testing import HashEmbedder, ScriptedLanguage


class Odd(HashEmbedder):
    """Answers as `answer(vectors)` while that is set; what it raises is raised."""

    answer = None

    def embed(self, texts):
        vectors = super().embed(texts)
        return vectors if self.answer is None else self.answer(vectors)


class OddAwaited(Odd):
    """The same, awaited."""

    async def embed(self, texts):
        await asyncio.sleep(0)
        return super().embed(texts)


class OddAnswer(OddAwaited):
    """A plain method that hands out something to be awaited."""

    def embed(self, texts):
        return super().embed(texts)


@pytest.fixture(params=[Odd, OddAwaited, OddAnswer])
def embedder(request):
    return request.param()


@pytest.fixture
def memory(tmp_path, embedder):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=embedder) as opened:
        opened.add("home = Rome", user_id="u")
        yield opened


def spoilt(value):
    def spoil(vectors):
        vectors[-1, 3] = value
        return vectors

    return spoil


def raising(error):
    def fail(vectors):
        raise error

    return fail


INVALID = {
    "NaN": spoilt(np.nan),
    "infinity": spoilt(np.inf),
    "no length": lambda vectors: vectors * 0,
    "too few dimensions": lambda vectors: vectors[:, 1:],
    "too many dimensions": lambda vectors: np.hstack([vectors, vectors]),
    "one vector too few": lambda vectors: vectors[1:],
    "one too many": lambda vectors: np.vstack([vectors, vectors[:1]]),
    "one flat row": lambda vectors: vectors.ravel(),
    "nothing": lambda vectors: None,
    "text": lambda vectors: "vectors",
    "lists of texts": lambda vectors: [["x"] * vectors.shape[1]] * len(vectors),
    "ragged": lambda vectors: [[1.0], *vectors.tolist()[1:]],
    "numbers too large": lambda vectors: vectors.astype(np.float64) * 1e300,
}


@pytest.mark.parametrize("answer", INVALID.values(), ids=INVALID)
def test_a_bad_answer_is_refused_before_anything_is_committed(memory, embedder, answer):
    before = memory.stats()
    (item,) = memory.get_all(user_id="u")
    embedder.answer = answer
    with pytest.raises(EmbeddingInvalid) as caught:
        memory.add("likes += tea", user_id="u")
    with pytest.raises(EmbeddingInvalid):
        memory.update(item.id, "lives in Bergen")
    with pytest.raises(EmbeddingInvalid):
        memory.search("home", user_id="u")
    (waits,) = memory.pending()
    assert (waits.batch_id, waits.error) == (caught.value.batch_id, "EmbeddingInvalid")
    assert memory.get_all(user_id="u") == [item] and memory.stats().changes == before.changes
    embedder.answer = None
    assert memory.resume().finished == (waits.batch_id,)
    assert {one.text for one in memory.get_all(user_id="u")} == {"home is Rome", "likes is tea"} and memory.verify().ok


class Untold(Exception):
    """One that cannot even be shown."""

    def __str__(self):
        raise ValueError


RAISED = [
    ConnectionError("no route"), MemoryError(), Untold(), StopIteration(), StopAsyncIteration(), SystemExit(1), TimeoutError(),
    asyncio.CancelledError(), concurrent.futures.CancelledError(), InvalidInput("theirs", "x"), KeyError("x"),
]  # fmt: skip


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_whatever_it_raises_is_an_outage_and_made_up_for(memory, embedder, error):
    embedder.answer = raising(error)
    assert memory.add("likes += tea", user_id="u").status == "done"
    (hit,) = memory.search("tea", user_id="u", explain=True)
    assert hit.text == "likes is tea" and {one.name for one in hit.channels} == {
        "memory-bm25",
        "support-bm25",
        "session",
    }
    embedder.answer = None
    memory.resume()
    (hit, *_) = memory.search("tea", user_id="u", explain=True)
    assert "memory-vector" in {one.name for one in hit.channels} and memory.verify().ok


def test_what_waiting_does_not_help_leaves_the_batch_pending(memory, embedder):
    embedder.answer = raising(EmbedderConfigError("no such model"))
    with pytest.raises(EmbedderConfigError) as caught:
        memory.add("likes += tea", user_id="u")
    (waits,) = memory.pending()
    assert waits.batch_id == caught.value.batch_id and memory.count(user_id="u") == 1
    embedder.answer = None
    assert memory.resume().finished == (waits.batch_id,) and memory.count(user_id="u") == 2


def test_an_outage_in_the_middle_of_a_back_fill_keeps_what_was_filled(memory, embedder):
    ledger, calls = memory._memory._store.ledger, []

    def flaky(vectors):
        calls.append(len(vectors))
        if len(calls) == 3:
            raise ConnectionError
        return vectors

    embedder.answer = raising(ConnectionError())
    memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(50)], user_id="u")
    assert len(ledger.pending_vectors(None, 1000)) == 100
    embedder.answer = flaky
    memory.resume()
    assert calls == [32, 32, 32] and len(ledger.pending_vectors(None, 1000)) == 36
    memory.resume()
    assert calls == [32, 32, 32, 32, 4] and ledger.pending_vectors(None, 1000) == [] and memory.verify().ok


def test_a_slow_one_that_is_cancelled_leaves_the_batch_pending(tmp_path):
    asked, go_on = threading.Event(), threading.Event()

    def slow(vectors):
        asked.set()
        assert go_on.wait(30)
        return vectors

    class SlowAwaited(HashEmbedder):
        slow = True

        async def embed(self, texts):
            if self.slow:
                asked.set()
                await asyncio.Event().wait()
            return super().embed(texts)

    async def cancelled(memory, embedder):
        adding = asyncio.create_task(memory.add("home = Rome", user_id="u"))
        await asyncio.to_thread(asked.wait, 30)
        adding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await adding
        go_on.set()
        (waits,) = await memory.pending()
        assert waits.attempts == 0 and await memory.count(user_id="u") == 0
        embedder.answer, embedder.slow = None, False
        assert (await memory.resume()).finished == (waits.batch_id,)
        assert (await memory.search("home", user_id="u"))[0].text == "home is Rome"

    async def run():
        for n, embedder in enumerate([Odd(), SlowAwaited()]):
            asked.clear()
            embedder.answer = slow
            async with AsyncMemory(tmp_path / str(n), llm=ScriptedLanguage(), embedder=embedder) as memory:
                await cancelled(memory, embedder)

    asyncio.run(run())
