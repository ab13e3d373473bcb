"""The scripted endpoint that we ship: what it answers, and what it counts as billed."""

from __future__ import annotations

import gc
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from recollect.testing import HashEmbedder, ModelEndpoint, Reply


def post(endpoint: ModelEndpoint, path: str = "chat/completions", **body) -> tuple[int, dict]:
    connection = http.client.HTTPConnection(endpoint.url.split("/")[2], timeout=30)
    try:
        connection.request("POST", f"/v1/{path}", json.dumps(body), {"Content-Type": "application/json", "X-Mark": "7"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


HELLO = {"model": "m", "messages": [{"role": "user", "content": "hello there, you"}]}
TOOL = {"tools": [{"type": "function", "function": {"name": "F", "parameters": {}}}]}


def test_a_script_is_played_in_order_and_then_over():
    with ModelEndpoint([{"a": 1}, "text", Reply(status=503, headers={"Retry-After": "2"})]) as endpoint:
        contents = [post(endpoint, **HELLO)[1]["choices"][0]["message"]["content"] for _ in range(2)]
        assert [post(endpoint, **HELLO)[0] for _ in range(2)] == [503, 410]
    assert contents == ['{"a": 1}', "text"]
    assert (endpoint.calls, endpoint.input_tokens, endpoint.output_tokens) == (2, 8, 3)
    assert endpoint.requests[0].body == HELLO and endpoint.requests[0].headers["x-mark"] == "7"
    assert endpoint.requests[0].text == "hello there, you"


def test_a_function_answers_by_the_request_and_a_tool_is_called_where_one_is_asked_for():
    with ModelEndpoint(lambda request: {"said": request.text}) as endpoint:
        message = post(endpoint, **HELLO, **TOOL)[1]["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert message["content"] is None and call["function"]["name"] == "F"
    assert json.loads(call["function"]["arguments"]) == {"said": "hello there, you"}


def test_what_broke_off_is_not_billed():
    with ModelEndpoint(
        [Reply("x", cut="reset"), Reply("x", cut="half"), Reply(body="{}"), Reply(status=500)]
    ) as endpoint:
        with pytest.raises(ConnectionError):
            post(endpoint, **HELLO)
        with pytest.raises(http.client.IncompleteRead):
            post(endpoint, **HELLO)
        assert post(endpoint, **HELLO) == (200, {}) and post(endpoint, **HELLO)[0] == 500
    assert endpoint.calls == endpoint.input_tokens == 0 and len(endpoint.requests) == 4


def test_sixty_four_at_once():
    together = threading.Event()

    def waits(_):
        if endpoint.most_at_once == 64:
            together.set()
        return Reply("x", until=together)

    with ModelEndpoint(waits) as endpoint, ThreadPoolExecutor(64) as pool:
        done = list(pool.map(lambda _: post(endpoint, **HELLO)[0], range(64)))
    assert done == [200] * 64 and endpoint.calls == 64


def test_it_ends_with_connections_that_are_just_coming_in(monkeypatch):
    """Else what is left of them ends when it is collected, in the middle of another test."""
    gc.collect()  # what others left
    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    for _ in range(50):
        with ModelEndpoint() as endpoint:
            address = "127.0.0.1", int(endpoint.url.split(":")[2].split("/")[0])
            endpoint._loop.call_soon_threadsafe(time.sleep, 0.002)
            clients = [socket.create_connection(address, 30) for _ in range(3)]
        assert endpoint._connections == set()
        for client in clients:
            client.close()
    gc.collect()
    assert unraisable == []


def test_embeddings_are_computed_or_scripted():
    with ModelEndpoint(dim=8) as endpoint:
        status, answer = post(endpoint, "embeddings", model="m", input=["a", "b"])
        _, one = post(endpoint, "embeddings", model="m", input="a")
    assert status == 200 and [len(row["embedding"]) for row in answer["data"]] == [8, 8]
    assert one["data"][0]["embedding"] == answer["data"][0]["embedding"]
    with ModelEndpoint(embeddings=[Reply({"data": []})]) as endpoint:
        assert post(endpoint, "embeddings", model="m", input=["a"]) == (200, {"data": []})


def test_texts_are_embedded_by_the_embedder_that_it_is_given():
    with ModelEndpoint(embedder=HashEmbedder(8)) as endpoint:
        told = post(endpoint, "embeddings", model="m", input=["a b", "c"])[1]
    assert [one["embedding"] for one in told["data"]] == HashEmbedder(8).embed(["a b", "c"]).tolist()
