"""Dynamic batching: what is asked for while the embedder is busy goes to it in one run, and everybody gets what is theirs."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from recollect.embedding import MOST, Batcher
from recollect.errors import EmbedderUnavailable, EmbeddingInvalid
from recollect.testing import HashEmbedder


class Busy(HashEmbedder):
    """Holds its first run until it is let go; "bad" is answered with NaN."""

    def __init__(self, batches=True):
        super().__init__(8)
        self.batches = batches
        self.runs = []
        self.began, self.go = threading.Event(), threading.Event()

    def embed(self, texts):
        self.runs.append(list(texts))
        self.began.set()
        self.go.wait(60)
        vectors = np.array(super().embed(texts))
        vectors[[text == "bad" for text in texts]] = np.nan
        return vectors


def asked(requests, embedder, cancelled=()):
    """The answers, or errors, of requests made at once while the first one's run is held; `cancelled` are so meanwhile."""

    async def run():
        batcher = Batcher(asyncio.to_thread)
        tasks = [asyncio.create_task(batcher.embed(embedder, texts)) for texts in requests]
        await asyncio.to_thread(embedder.began.wait, 10)
        for i in cancelled:
            tasks[i].cancel()
        await asyncio.sleep(0)
        embedder.go.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert batcher._waiting == []
        return answers

    return asyncio.run(run())


def same(answer, texts):
    return np.allclose(answer, HashEmbedder(8).embed(texts), atol=1e-6)


def test_requests_that_wait_are_answered_in_one_run_each_with_its_own():
    embedder = Busy()
    requests = [["a"], ["b", "c"], ["d"], [], ["e"]]
    answers = asked(requests, embedder)
    assert embedder.runs[0] == ["a"] and embedder.runs[1:] == [["b", "c", "d", "e"]]
    assert all(same(answer, texts) for answer, texts in zip(answers, requests, strict=True) if texts)
    assert answers[3].shape == (0, 8)


def test_an_embedder_that_waits_for_a_network_is_asked_side_by_side():
    embedder = Busy(batches=False)
    answers = asked([["a"], ["b"], ["c"]], embedder)
    assert sorted(embedder.runs) == [["a"], ["b"], ["c"]] and same(answers[1], ["b"])


def test_the_fault_of_one_text_is_not_that_of_others():
    answers = asked([["a"], ["b"], ["bad"], ["c"]], Busy())
    assert [type(answer) for answer in answers] == [np.ndarray, np.ndarray, EmbeddingInvalid, np.ndarray]
    assert same(answers[3], ["c"])


def test_everybody_gets_an_error_of_their_own():
    class Down(Busy):
        def embed(self, texts):
            super().embed(texts)
            raise ConnectionError

    answers = asked([["a"], ["b"], ["c"]], Down())
    assert [type(answer) for answer in answers] == [EmbedderUnavailable] * 3
    assert len({id(answer) for answer in answers}) == 3


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_request_that_is_cancelled_takes_nobody_along(gone):
    requests = [["a"], ["b"], ["c"]]
    answers = asked(requests, Busy(), cancelled=[gone])
    for i, answer in enumerate(answers):
        assert isinstance(answer, asyncio.CancelledError) if i == gone else same(answer, requests[i])


def test_nobody_waits_for_a_crowd():
    embedder = Busy()
    crowd = [[f"{user} {n}" for n in range(20)] for user in range(10)]
    answers = asked([["first"], *crowd], embedder)
    assert max(len(run) for run in embedder.runs) <= MOST and all(
        same(answer, texts) for answer, texts in zip(answers[1:], crowd, strict=True)
    )
