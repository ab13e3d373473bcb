"""remembering() and remembers(): clients and functions that chat, with a memory. Nothing of openai or litellm is imported."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from ..errors import Closed, InvalidInput
from ..memory import AsyncMemory, UserId
from ..sync import Memory
from .loop import AsyncChatMemory
from .messages import NOT_YET, calls_tools, field, text_of
from .window import ChatMemory

log = logging.getLogger("recollect")

C = TypeVar("C")
CLOSED = "the memory was closed during a turn of a chat, which is not learnt"


def remembering(
    client: C, memory: Memory | AsyncMemory, *, user_id: UserId, session_id: str | None = None, **options: Any
) -> C:
    """The same client with a memory: `client.chat.completions.create(…)` (and `.parse`, `.stream`, `client.beta.chat`) recalls
    before the call and learns the turn after it, streamed or not; all else of the client passes through untouched. Or the same
    function: `litellm.completion`, `litellm.acompletion`, or any other that takes `messages` and returns a completion.

    A client whose calls are awaited needs an `AsyncMemory`, any other one a `Memory`. Cheap: a server makes one per request, with
    the conversation's `session_id`. `options`: those of `ChatMemory`. The conversation's memory is the result's `.recollect`:
    `client.recollect.shown()`. Closing the client, or leaving its `with`, closes that first.

    A stream passes chunk by chunk as it comes; the reply is gathered on the side. Where it is abandoned half-way, or breaks off,
    the user's message is learnt and the reply is not: half a sentence may say the opposite of the whole. Of a call that fails
    nothing is learnt, and of several choices (`n=2`) no reply. Raises InvalidInput.
    """
    create = _create_of(client)
    if create is None and not callable(client):
        raise InvalidInput("client", "has no chat.completions.create, and is no function")
    chat = _chat(create or client, memory, user_id, session_id, options)
    return cast("C", _with_memory(client, chat) if create is None else _Client(client, chat))


def remembers(
    memory: Memory | AsyncMemory, *, user_id: UserId, session_id: str | None = None, **options: Any
) -> Callable[[C], C]:
    """A decorator for a function of your own, `chat(messages) -> str`, sync or async: it is handed the messages with what is
    remembered, and what it returns is learnt. It may yield its reply in pieces, which is then learnt at their end. `options`:
    those of `ChatMemory`, which is the function's `.recollect`."""

    def decorate(function: C) -> C:
        if not callable(function):
            raise InvalidInput("function", "must be a function of messages")
        chat = _chat(function, memory, user_id, session_id, options)
        return cast("C", _with_memory(function, chat))

    return decorate


Chat = ChatMemory | AsyncChatMemory


def _create_of(client: object) -> Any:
    """The client's `chat.completions.create`, None where it has none."""
    found: Any = client
    for name in ("chat", "completions", "create"):
        found = getattr(found, name, None)
    return found


def _chat(
    function: object, memory: Memory | AsyncMemory, user_id: UserId, session_id: str | None, options: dict[str, Any]
) -> Chat:
    """The conversation's memory: awaited where the function is."""
    if _is_async(function):
        if not isinstance(memory, AsyncMemory):
            raise InvalidInput("memory", "a client or function that is awaited needs an AsyncMemory")
        return AsyncChatMemory(memory, user_id=user_id, session_id=session_id, **options)
    if not isinstance(memory, Memory):
        raise InvalidInput("memory", "a client or function that is not awaited needs a Memory, not an AsyncMemory")
    return ChatMemory(memory, user_id=user_id, session_id=session_id, **options)


def _is_async(function: Any) -> bool:
    """Whether its calls are awaited; decorators that wrap a coroutine function are looked through."""
    called = function if inspect.isroutine(function) else type(function).__call__
    found = (function, inspect.unwrap(function), called)
    return any(inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) for one in found)


def _with_memory(function: Any, chat: Chat) -> Any:
    """The function, with a turn's messages on their way in and its reply on the way out."""
    at = _place_of_messages(function)
    if isinstance(chat, AsyncChatMemory) and inspect.isasyncgenfunction(inspect.unwrap(function)):

        @functools.wraps(function)
        async def call(*arguments: Any, **keywords: Any) -> Any:
            async for piece in _yielded(chat, function, at, arguments, keywords):
                yield piece
    elif isinstance(chat, AsyncChatMemory):

        @functools.wraps(function)
        async def call(*arguments: Any, **keywords: Any) -> Any:
            return await _awaited(chat, function, at, arguments, keywords)
    else:

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            return _called(chat, function, at, arguments, keywords)

    call.recollect = chat  # type: ignore[attr-defined]
    return call


def _place_of_messages(function: Any) -> int | None:
    """Where the function takes messages by position; None where by keyword only."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # built in C, say
        return 0
    by_position = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if "messages" in by_position:
        return by_position.index("messages")
    return None if "messages" in {one.name for one in parameters} else 0


def _messages(at: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    if "messages" in keywords:
        return keywords["messages"]
    return arguments[at] if at is not None and at < len(arguments) else None


def _with(messages: Any, at: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    """The arguments, with other messages."""
    if "messages" in keywords:
        return arguments, {**keywords, "messages": messages}
    return tuple(messages if place == at else one for place, one in enumerate(arguments)), keywords


def _read(messages: Any) -> list[Any] | None:
    """A list of messages, which may be read more than once; None for what is none: the function or the server says what is wrong
    with it, as it does without a memory."""
    if isinstance(messages, str) or not isinstance(messages, Iterable):
        return None
    told = list(messages)
    return told if all(isinstance(field(one, "role"), str) for one in told) else None


def _called(
    chat: ChatMemory, function: Any, at: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    messages = _read(_messages(at, arguments, keywords))
    if messages is None:
        return function(*arguments, **keywords)
    told, more = _with(chat.before(messages), at, arguments, keywords)
    reply = function(*told, **more)
    if keywords.get("stream") or inspect.isgenerator(reply):
        return _Stream(reply, chat, messages)
    _learn(chat, messages, reply)
    return reply


async def _awaited(
    chat: AsyncChatMemory, function: Any, at: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> Any:
    messages = _read(_messages(at, arguments, keywords))
    if messages is None:
        return await function(*arguments, **keywords)
    told, more = _with(await chat.before(messages), at, arguments, keywords)
    reply = await function(*told, **more)
    if keywords.get("stream"):
        return _AsyncStream(reply, chat, messages)
    await _learnt(chat, messages, reply)
    return reply


async def _yielded(
    chat: AsyncChatMemory, function: Any, at: int | None, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> AsyncIterator[Any]:
    """What an asynchronous generator yields."""
    messages = _read(_messages(at, arguments, keywords))
    if messages is not None:
        arguments, keywords = _with(await chat.before(messages), at, arguments, keywords)
    pieces = function(*arguments, **keywords)
    async for piece in pieces if messages is None else _AsyncStream(pieces, chat, messages):
        yield piece


def _learn(chat: ChatMemory, messages: list[Any], reply: object) -> None:
    """Learn a turn. A reply that is paid for is not lost to its caller, whatever became of the memory meanwhile."""
    try:
        chat.after(messages, reply)
    except Closed:
        log.warning(CLOSED)


async def _learnt(chat: AsyncChatMemory, messages: list[Any], reply: object) -> None:
    """The same, awaited."""
    try:
        await chat.after(messages, reply)
    except Closed:
        log.warning(CLOSED)


# --- clients -----------------------------------------------------------------------------------------------------------


_OURS = ("recollect", "create", "parse", "stream")  # attributes that we set on what looks like another object


class _Proxy:
    """Looks like another object, and is it but for what its class has."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name in _OURS:
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    def __getattr__(self, name: str) -> Any:
        if name == "_inner":  # of one that is not made yet, as `copy` makes it
            raise AttributeError(name)
        return getattr(self._inner, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(self._inner)

    def __repr__(self) -> str:
        return f"remembering({self._inner!r})"

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._inner.__exit__(*error)

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> Any:
        return await self._inner.__aexit__(*error)


class _Client(_Proxy):
    """A client whose chat completions have a memory, and those of its copies."""

    def __init__(self, inner: Any, chat: Chat) -> None:
        super().__init__(inner)
        self.recollect = chat
        self._chats: _Chat | None = None

    @property
    def chat(self) -> Any:
        """With `completions` that remember."""
        if self._chats is None:
            self._chats = _Chat(self._inner.chat, self.recollect)
        return self._chats

    @property
    def beta(self) -> Any:
        """Where its `chat` is the same, it remembers too."""
        return _Beta(self._inner.beta, self.chat)

    def close(self) -> Any:
        """Close the conversation's memory, and the client as it does."""
        if isinstance(self.recollect, AsyncChatMemory):
            return self._closed()
        self.recollect.close()
        return self._inner.close()

    async def _closed(self) -> Any:
        await cast("AsyncChatMemory", self.recollect).close()
        return await self._inner.close()

    def __exit__(self, *error: Any) -> Any:
        cast("ChatMemory", self.recollect).close()
        return self._inner.__exit__(*error)

    async def __aexit__(self, *error: Any) -> Any:
        await cast("AsyncChatMemory", self.recollect).close()
        return await self._inner.__aexit__(*error)

    def with_options(self, *arguments: Any, **keywords: Any) -> Any:
        """The client's own, remembering too."""
        return _Client(self._inner.with_options(*arguments, **keywords), self.recollect)

    def copy(self, *arguments: Any, **keywords: Any) -> Any:
        """The client's own, remembering too."""
        return _Client(self._inner.copy(*arguments, **keywords), self.recollect)


class _Beta(_Proxy):
    """The client's `beta`, with the chat that remembers."""

    def __init__(self, inner: Any, chat: Any) -> None:
        super().__init__(inner)
        self._chat = chat

    @property
    def chat(self) -> Any:
        """The client's own; where `beta` has none, that is what is said."""
        return self._chat if hasattr(self._inner, "chat") else self._inner.chat


class _Chat(_Proxy):
    def __init__(self, inner: Any, chat: Chat) -> None:
        super().__init__(inner)
        self._completions = _Completions(inner.completions, chat)

    @property
    def completions(self) -> Any:
        """With `create`, `parse` and `stream` that remember."""
        return self._completions


class _Completions(_Proxy):
    def __init__(self, inner: Any, chat: Chat) -> None:
        super().__init__(inner)
        self.create = _with_memory(inner.create, chat)
        if callable(parse := getattr(inner, "parse", None)):
            self.parse = _with_memory(parse, chat)
        if callable(stream := getattr(inner, "stream", None)):
            kind = _AsyncManager if isinstance(chat, AsyncChatMemory) else _Manager
            self.stream = functools.partial(kind, stream, chat)


# --- streams -----------------------------------------------------------------------------------------------------------


class _Gathered:
    """A reply, chunk by chunk."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_answer = True

    def take(self, chunk: object) -> None:
        if isinstance(chunk, str):  # a function of one's own
            self._pieces.append(chunk)
            return
        for choice in field(chunk, "choices") or ():
            delta = field(choice, "delta")
            if field(choice, "index") not in (0, None) or (delta is not None and calls_tools(delta)):
                self._is_answer = False  # one of several, or no answer yet
            elif delta is not None:
                self._pieces.append(text_of(field(delta, "content")))

    @property
    def reply(self) -> str | None:
        """The text, where it is an answer."""
        return "".join(self._pieces) or None if self._is_answer else None


class _Stream(_Proxy):
    """A stream that is learnt at its end. What the user said is learnt at its beginning, beside it."""

    def __init__(self, inner: Any, chat: ChatMemory, messages: list[Any]) -> None:
        super().__init__(inner)
        self._chat, self._gathered = chat, _Gathered()
        self._begun = chat._begin(messages)
        self._chunks = self._passed()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._chunks)

    def _passed(self) -> Iterator[Any]:
        for chunk in self._inner:
            self._gathered.take(chunk)
            yield chunk
        if (reply := self._gathered.reply) is not None:
            self._chat._over(self._begun, reply)
            _learn(self._chat, [], None)


class _AsyncStream(_Proxy):
    """The same, awaited."""

    def __init__(self, inner: Any, chat: AsyncChatMemory, messages: list[Any]) -> None:
        super().__init__(inner)
        self._chat, self._gathered = chat, _Gathered()
        self._begun = chat._begin(messages)
        self._chunks = self._passed()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await anext(self._chunks)

    async def _passed(self) -> AsyncIterator[Any]:
        async for chunk in self._inner:
            self._gathered.take(chunk)
            yield chunk
        if (reply := self._gathered.reply) is not None:
            self._chat._over(self._begun, reply)
            await _learnt(self._chat, [], None)


class _Managed:
    """What `completions.stream(…)` gives: entered, it asks; left, it learns what was answered whole."""

    def __init__(self, make: Any, chat: Chat, *arguments: Any, **keywords: Any) -> None:
        self._make, self._chat, self._arguments, self._keywords = make, chat, arguments, keywords
        self._messages = _read(keywords.get("messages"))
        self._manager = self._stream = None

    def _made(self, told: list[Any] | None) -> Any:
        """The client's own manager, of the messages with what is remembered; None: of what it was called with."""
        keywords = self._keywords if told is None else {**self._keywords, "messages": told}
        return self._make(*self._arguments, **keywords)

    def _reply(self) -> object:
        """The completion, where it is whole; else that there is none."""
        try:
            completion = cast("Any", self._stream).current_completion_snapshot
        except AssertionError:  # nothing came
            return NOT_YET
        return completion if all(field(one, "finish_reason") for one in completion.choices) else NOT_YET


class _Manager(_Managed):
    def __enter__(self) -> Any:
        chat = cast("ChatMemory", self._chat)
        manager = self._made(None if self._messages is None else chat.before(self._messages))
        self._stream, self._manager = manager.__enter__(), manager
        return self._stream

    def __exit__(self, *error: Any) -> Any:
        try:
            if self._messages is not None:
                _learn(cast("ChatMemory", self._chat), self._messages, self._reply())
        finally:
            left = cast("Any", self._manager).__exit__(*error)
        return left


class _AsyncManager(_Managed):
    async def __aenter__(self) -> Any:
        chat = cast("AsyncChatMemory", self._chat)
        manager = self._made(None if self._messages is None else await chat.before(self._messages))
        self._stream, self._manager = await manager.__aenter__(), manager
        return self._stream

    async def __aexit__(self, *error: Any) -> Any:
        try:
            if self._messages is not None:
                await _learnt(cast("AsyncChatMemory", self._chat), self._messages, self._reply())
        finally:
            left = await cast("Any", self._manager).__aexit__(*error)
        return left
