"""`Embedder`: what holds of every one, and hosted embedders against a real endpoint on loopback."""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recollect.adapters.litellm_embedder import LitellmEmbedder
from recollect.adapters.minilm import MiniLM
from recollect.embedding import embed
from recollect.errors import (
    EmbedderConfigError,
    EmbedderError,
    EmbedderUnavailable,
    EmbeddingInvalid,
    InvalidInput,
)
from recollect.testing import HashEmbedder, ModelEndpoint, Reply

SECRET = "Caroline told nobody of the operation"


@pytest.fixture
def endpoint():
    with ModelEndpoint(dim=32) as running:
        yield running


def hosted(endpoint: ModelEndpoint, **options) -> LitellmEmbedder:
    return LitellmEmbedder(
        "openai/any", **{"api_base": endpoint.url, "api_key": "none", "sleep": lambda _: None} | options
    )


@pytest.fixture(params=["hash", "minilm", "litellm"])
def embedder(request, endpoint):
    return {"hash": HashEmbedder, "minilm": MiniLM, "litellm": lambda: hosted(endpoint)}[request.param]()


def test_one_finite_row_of_dim_numbers_per_text_in_order(embedder):
    texts = ["a dog", "日本語", "", "a cat " * 300, "\x00 {{ 7*7 }}", "a dog"]
    vectors = embedder.embed(texts)
    assert vectors.shape == (6, embedder.dim) and vectors.dtype == np.float32 and np.isfinite(vectors).all()
    assert embedder.embed([]).shape == (0, embedder.dim)
    assert np.allclose(vectors[0], vectors[5], atol=1e-5)
    for row, text in zip(vectors, texts, strict=True):
        assert np.allclose(row, embedder.embed([text])[0], atol=1e-5)


def test_from_eight_threads_at_once(embedder):
    texts = [f"text {n}" for n in range(32)]
    alone = [embedder.embed([text])[0] for text in texts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: embedder.embed([text])[0], texts))
    assert np.allclose(alone, together, atol=1e-5)


# --- hosted ----------------------------------------------------------------------------------------------------------


def test_the_vectors_are_the_models(endpoint):
    embedder = hosted(endpoint)
    texts = ["a dog", "a cat"]
    assert np.array_equal(embedder.embed(texts), HashEmbedder(32).embed(texts))
    assert embedder.id == "openai/any" and embedder.dim == 32
    assert [request.body["input"] for request in endpoint.requests] == [texts]
    assert endpoint.requests[0].body["model"] == "any"


def test_the_dimension_is_asked_for_once(endpoint):
    embedder = hosted(endpoint)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: embedder.dim, range(8))) == {32}
    assert len(endpoint.requests) == 1
    assert hosted(endpoint, dim=7).dim == 7 and len(endpoint.requests) == 1


def test_batches(endpoint):
    embedder = hosted(endpoint, batch=4)
    texts = [f"text {n}" for n in range(10)]
    assert np.array_equal(embedder.embed(texts), HashEmbedder(32).embed(texts))
    assert [len(request.body["input"]) for request in endpoint.requests] == [4, 4, 2]


def answer(rows, **fields):
    return Reply(
        {"object": "list", "model": "x", "data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}} | fields
    )


def row(index, vector):
    return {"object": "embedding", "index": index, "embedding": vector}


def failing(script, texts=("a", "b"), **options) -> tuple[EmbedderError, ModelEndpoint]:
    with ModelEndpoint(embeddings=script) as endpoint, pytest.raises(EmbedderError) as caught:
        hosted(endpoint, **options).embed(list(texts))
    assert SECRET not in str(caught.value) and caught.value.__context__ in (None, caught.value.__cause__)
    return caught.value, endpoint


@pytest.mark.parametrize(
    "rows",
    [
        [row(1, [0.0, 2.0]), row(0, [1.0, 0.0])],
        [row(1, base64.b64encode(np.array([0, 2], "<f4").tobytes()).decode()), row(0, [1, 0])],
        [{"embedding": [1.0, 0.0]}, {"embedding": [0.0, 2.0]}],
    ],
    ids=["out of order", "base64", "no index"],
)
def test_rows_are_put_in_order_and_decoded(rows):
    with ModelEndpoint(embeddings=[answer(rows)]) as endpoint:
        assert hosted(endpoint).embed(["a", "b"]).tolist() == [[1.0, 0.0], [0.0, 2.0]]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        None,
        "x",
        [row(0, [1.0])],
        [row(0, [1.0]), row(0, [1.0])],
        [row(0, [1.0]), row(2, [1.0])],
        [row(0, [1.0]), row(1, [1.0]), row(2, [1.0])],
        [row(0, [1.0, 2.0]), row(1, [1.0])],
        [row(0, []), row(1, [])],
        [row(0, None), row(1, None)],
        [row(0, ["x"]), row(1, ["y"])],
        [row(0, [[1.0]]), row(1, [[1.0]])],
        [row(0, "no base64!"), row(1, "no base64!")],
        [row(0, "AAA="), row(1, "AAA=")],
    ],
)
def test_a_malformed_answer_is_invalid_and_not_asked_for_again(rows):
    error, endpoint = failing(lambda _: answer(rows))
    assert type(error) is EmbeddingInvalid and len(endpoint.requests) == 1


def test_another_dimension_than_the_stores_is_invalid():
    error, _ = failing([answer([row(0, [1.0]), row(1, [1.0])])], dim=2)
    assert type(error) is EmbeddingInvalid and "not 2" in str(error)


def test_nan_is_invalid_before_it_is_stored():
    class InThread:
        async def __call__(self, function, *arguments):
            return await asyncio.to_thread(function, *arguments)

    nan = Reply(body='{"object": "list", "model": "x", "data": [{"index": 0, "embedding": [NaN, 1.0]}], "usage": null}')
    with ModelEndpoint(embeddings=lambda _: nan) as endpoint, pytest.raises(EmbeddingInvalid):
        asyncio.run(embed(hosted(endpoint, dim=2), ["a"], InThread()))


PASSING = {
    "429": Reply(status=429),
    "500": Reply(status=500),
    "503": Reply(status=503),
    "reset": Reply(cut="reset"),
    "half": Reply(body="x" * 1000, cut="half"),
    "HTML": Reply(body="<html>hello</html>"),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_three_times_in_all(reply):
    slept = []
    error, endpoint = failing(lambda _: reply, sleep=slept.append)
    assert type(error) is EmbedderUnavailable and error.retryable
    assert len(endpoint.requests) == 3 and len(slept) == 2  # litellm and openai retry nothing beneath
    good = answer([row(0, [1.0]), row(1, [2.0])])
    with ModelEndpoint(embeddings=[reply, reply, good]) as endpoint:
        assert hosted(endpoint).embed(["a", "b"]).tolist() == [[1.0], [2.0]]


def test_a_slow_endpoint_and_one_that_is_gone_are_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system takes connections in, and nobody answers
        silent.setblocking(False)
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        embedder = LitellmEmbedder("openai/any", api_base=address, api_key="none", timeout=0.1, sleep=lambda _: None)
        with pytest.raises(EmbedderUnavailable):
            embedder.embed(["a"])
        for _ in range(3):
            silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))  # nobody else gets the port, and nobody listens
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
        embedder = LitellmEmbedder("openai/any", api_base=address, api_key="none", sleep=lambda _: None)
        with pytest.raises(EmbedderUnavailable) as caught:
            embedder.embed(["a"])
        assert caught.value.__cause__ is not None


def test_retry_after_and_the_deadline():
    slept = []
    reply = Reply(status=429, headers={"Retry-After": "9"})
    failing(lambda _: reply, deadline=20.0, sleep=slept.append, clock=lambda: sum(slept))
    assert slept == [9.0, 9.0]  # to be told when to come again is no failed try, and the deadline holds
    error, endpoint = failing(lambda _: reply, deadline=5.0, sleep=slept.append)
    assert type(error) is EmbedderUnavailable and len(slept) == 2 and len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_what_will_not_pass_is_tried_once(status):
    reply = Reply({"error": {"message": f"sk-hidden {SECRET}"}}, status=status)
    error, endpoint = failing(lambda _: reply)
    assert type(error) is EmbedderConfigError and not error.retryable and len(endpoint.requests) == 1
    assert str(status) in str(error) and "sk-hidden" not in str(error)


def test_texts_that_are_too_long_are_cut_until_they_fit():
    def narrow(request):
        if any(len(text) > 1000 for text in request.body["input"]):
            return Reply({"error": {"message": "This model's maximum context length is 250 tokens"}}, status=400)
        return answer([row(i, [float(len(text))]) for i, text in enumerate(request.body["input"])])

    with ModelEndpoint(embeddings=narrow) as endpoint:
        assert hosted(endpoint).embed(["short", "x" * 3000]).tolist() == [[5.0], [750.0]]
    error, _ = failing([Reply({"error": {"message": "maximum context length"}}, status=400)], texts=["short"])
    assert type(error) is EmbedderConfigError


def test_a_custom_address_needs_its_own_key_and_gets_no_other(endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    with pytest.raises(EmbedderConfigError, match='embedder_api_key="none"'):
        LitellmEmbedder("openai/any", api_base=endpoint.url)
    with pytest.raises(EmbedderConfigError, match="http"):
        LitellmEmbedder("openai/any", api_base="ftp://host", api_key="none")
    hosted(endpoint).embed(["a"])
    assert endpoint.requests[0].headers["authorization"] == "Bearer none"
    assert "sk-environment" not in str(endpoint.requests[0])


def test_bad_settings_are_named(endpoint):
    for bad in ({"batch": 0}, {"dim": 0}):
        with pytest.raises(InvalidInput):
            hosted(endpoint, **bad)


def test_nothing_of_the_texts_reaches_a_log(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    odd = [Reply(status=500), answer([row(0, SECRET)])]
    failing(odd, texts=[SECRET])
    out, err = capfd.readouterr()
    assert SECRET not in caplog.text + out + err


def test_different_errors_in_different_threads_stay_apart():
    def by_text(request):
        return Reply(status=401) if request.body["input"] == ["bad"] else answer([row(0, [1.0])])

    with ModelEndpoint(embeddings=by_text) as endpoint:
        embedder = hosted(endpoint)
        found = {}

        def run(text):
            try:
                found[text] = embedder.embed([text]).tolist()
            except EmbedderConfigError as error:
                found[text] = error

        threads = [threading.Thread(target=run, args=(text,)) for text in ("good", "bad")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found["good"] == [[1.0]] and isinstance(found["bad"], EmbedderConfigError)
