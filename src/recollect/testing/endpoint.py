"""A model's HTTP endpoint on loopback: OpenAI's chat completions and embeddings, and reranking, scripted. Standard library only.

with ModelEndpoint([{"facts": []}, Reply(status=429, headers={"Retry-After": "1"}), "no JSON at all"]) as endpoint:
    Memory(llm="openai/any", api_base=endpoint.url, api_key="none")
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, TypeAlias

from ..ports import Embedder
from .scripted import HashEmbedder


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. Header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def text(self) -> str:
        """The contents of all messages, or all texts to embed, one after the other."""
        if self.path.endswith("/embeddings"):
            return "\n".join(texts_of(self.body))
        if self.path.endswith("/rerank"):
            return "\n".join([self.body["query"], *self.body["documents"]])
        return "\n".join(str(message.get("content") or "") for message in self.body.get("messages", ()))

    @property
    def tool(self) -> str | None:
        """The name of the tool that the request asks for."""
        tools = self.body.get("tools") if isinstance(self.body, dict) else None
        return tools[0]["function"]["name"] if tools else None


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the endpoint.

    `content`: a string is the model's text as it stands, anything else is written as JSON; where the request asks for a tool,
    it is the tool's arguments. `message`: fields laid over the assistant's message. `extra`: fields laid over the whole
    completion (`{"usage": None}`, `{"choices": []}`). `body` in place of a completion: the bytes of the HTTP body. `delay` in
    seconds. `until`: an event that the answer waits for. What is asked for as a stream comes word by word, `gap` seconds apart;
    what is behind the first word waits for the event `hold`. `cut`: the connection is reset before the answer, or closed in the
    middle of it.
    """

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    finish_reason: str = "stop"
    message: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    body: bytes | str | None = None
    delay: float = 0.0
    until: threading.Event | None = None
    gap: float = 0.0
    hold: threading.Event | None = None
    cut: Literal["reset", "half"] | None = None


Script: TypeAlias = Iterable[Any] | Callable[[Request], Any]


class ModelEndpoint:
    """The server, in a thread of its own. A context manager.

    `script` answers chat requests: replies in order, or a function of the request. A plain value stands for `Reply(value)`. A
    script that has run out answers 410. `embeddings` does the same for embedding requests; without it they are answered with
    the vectors of `embedder`, by default `HashEmbedder(dim)`. `reranking`: the same for
    rerankers, by those vectors' cosines. `latency`: seconds before every answer.

    `url`: the base address, to be given as `api_base`. `requests`: what came in; `most_at_once`: how many of them together.
    `calls`, `input_tokens`, `output_tokens`: what was answered with a whole completion, as a provider would bill it, the tokens
    by the `usage` that was sent.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        embeddings: Script | None = None,
        reranking: Script | None = None,
        latency: float = 0.0,
        dim: int = 64,
        embedder: Embedder | None = None,
    ) -> None:
        self._chat = _player(script)
        self._embeddings = None if embeddings is None else _player(embeddings)
        self._reranking = None if reranking is None else _player(reranking)
        self._embedder: Embedder = embedder or HashEmbedder(dim)
        self._latency = latency
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-endpoint", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self.requests: list[Request] = []
        self.calls = self.input_tokens = self.output_tokens = 0
        self.most_at_once = self._now = 0

    def __enter__(self) -> ModelEndpoint:
        self._thread.start()
        self._server = self._wait(asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _stop(self) -> None:
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # a connection may be just coming in
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                self._now += 1
                self.most_at_once = max(self.most_at_once, self._now)
                try:
                    going_on = await self._answer(request, writer)
                finally:
                    self._now -= 1
                if not going_on:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client hung up, as a client with a timeout does
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        plays = {"embeddings": self._embeddings, "rerank": self._reranking}
        play = plays.get(request.path.rpartition("/")[2], self._chat)
        reply = Reply() if play is None else play(request)
        await asyncio.sleep(self._latency + reply.delay)
        while reply.until is not None and not reply.until.is_set():  # noqa: ASYNC110 -- set by another thread
            await asyncio.sleep(0.005)
        if reply.cut == "reset":
            _reset(writer)
            return False
        if play is self._chat and _is_streamed(request, reply):
            return await self._stream(request, reply, writer)
        payload, kind = self._payload(request, reply, computed=play is None)
        head = {"Content-Type": kind, "Content-Length": str(len(payload)), **reply.headers}
        lines = [f"HTTP/1.1 {reply.status} {_phrase(reply.status)}", *(f"{name}: {head[name]}" for name in head)]
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        writer.write(payload[: len(payload) // 2] if reply.cut else payload)
        await writer.drain()
        return reply.cut is None

    async def _stream(self, request: Request, reply: Reply, writer: asyncio.StreamWriter) -> bool:
        """The completion as server-sent events, each as soon as it is written. Whether the connection goes on."""
        whole = completion(request, reply)
        events = [json.dumps(event) for event in streamed(whole, request)]
        if reply.cut:
            events = events[: len(events) // 2]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for place, event in enumerate(events if reply.cut else [*events, "[DONE]"]):
            if place:
                await asyncio.sleep(reply.gap)
            while place > 1 and reply.hold is not None and not reply.hold.is_set():  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.001)
            data = f"data: {event}\n\n".encode()
            writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await writer.drain()
        if reply.cut is None:
            self._count(whole["usage"], whole=True)  # before its end is there: who has read it may look at once
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return reply.cut is None

    def _payload(self, request: Request, reply: Reply, *, computed: bool) -> tuple[bytes, str]:
        if reply.body is not None:
            body = reply.body if isinstance(reply.body, bytes) else reply.body.encode()
            return body, reply.headers.get("Content-Type", "text/html" if body[:1] == b"<" else "application/json")
        if reply.status != HTTPStatus.OK:
            value: Any = reply.content or {"error": {"message": _phrase(reply.status), "type": "error", "code": None}}
        elif request.path.endswith("/embeddings"):
            value = self._embedded(request) if computed else reply.content
        elif request.path.endswith("/rerank"):
            value = self._reranked(request) if computed else reply.content
        else:
            value = completion(request, reply)
            self._count(value["usage"], whole=reply.cut is None)
        return json.dumps(value).encode(), "application/json"

    def _count(self, usage: Any, *, whole: bool) -> None:
        if whole:
            self.calls += 1
            self.input_tokens += _number(usage, "prompt_tokens")
            self.output_tokens += _number(usage, "completion_tokens")

    def _embedded(self, request: Request) -> dict[str, Any]:
        texts = texts_of(request.body)
        vectors: Any = self._embedder.embed(texts)
        coded = request.body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode() if coded else vector.tolist(),
            }
            for i, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": count_tokens(request.text), "total_tokens": count_tokens(request.text)}
        return {"object": "list", "model": request.body.get("model"), "data": data, "usage": usage}

    def _reranked(self, request: Request) -> dict[str, Any]:
        vectors: Any = self._embedder.embed([request.body["query"], *request.body["documents"]])
        scores = (vectors[1:] @ vectors[0]).tolist()
        results = [{"index": i, "relevance_score": score} for i, score in enumerate(scores)]
        usage = {"total_tokens": count_tokens(str(request.body))}
        return {"id": "rerank-1", "results": sorted(results, key=lambda one: -one["relevance_score"]), "usage": usage}


def completion(request: Request, reply: Reply) -> dict[str, Any]:
    """A chat completion as OpenAI's API writes it."""
    text = reply.content if isinstance(reply.content, str | None) else json.dumps(reply.content)
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if request.tool is not None and text is not None:
        call = {"id": "call_1", "type": "function", "function": {"name": request.tool, "arguments": text}}
        message |= {"content": None, "tool_calls": [call]}
    message |= reply.message
    used, made = count_tokens(request.text), count_tokens(text or "")
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": request.body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": None}],
        "usage": {"prompt_tokens": used, "completion_tokens": made, "total_tokens": used + made},
        **reply.extra,
    }


def streamed(whole: Mapping[str, Any], request: Request) -> Iterator[dict[str, Any]]:
    """A completion as the chunks of a stream: the role, a word each (or the tool calls), why it ended, and where the request
    asks for it what it took."""
    head = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for choice in whole["choices"]:
        message, index = choice["message"], choice["index"]
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        deltas += [{"content": piece} for piece in re.findall(r"\s*\S+\s*$|\s*\S+", message.get("content") or "")]
        if calls := message.get("tool_calls"):
            deltas.append({"tool_calls": [{"index": i, **call} for i, call in enumerate(calls)]})
        for delta in deltas:
            yield {**head, "choices": [{"index": index, "delta": delta, "finish_reason": None}]}
        yield {**head, "choices": [{"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}]}
    if (request.body.get("stream_options") or {}).get("include_usage"):
        yield {**head, "choices": [], "usage": whole["usage"]}


def _is_streamed(request: Request, reply: Reply) -> bool:
    return reply.body is None and reply.status == HTTPStatus.OK and bool(request.body.get("stream"))


def count_tokens(text: str) -> int:
    """The endpoint's own idea of a token: four characters, at least one."""
    return max(1, len(text) // 4)


def texts_of(body: Any) -> list[str]:
    """The texts of an embedding request."""
    given = body.get("input", [])
    return [given] if isinstance(given, str) else list(given)


def _number(usage: Any, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
    return value if isinstance(value, int) else 0


def _player(script: Script) -> Callable[[Request], Reply]:
    if callable(script):
        function = script
        return lambda request: _reply(function(request))
    replies = iter(script)
    out = Reply(status=HTTPStatus.GONE)
    return lambda _: _reply(next(replies, out))


def _reply(value: Any) -> Reply:
    return value if isinstance(value, Reply) else Reply(value)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    """The next request of a connection, None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, json.loads(body) if body else {})


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST in place of FIN (SO_LINGER with zero seconds)."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
