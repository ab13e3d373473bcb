"""AsyncChatMemory: one conversation's memory, before and after each turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Literal

from ..memory import AsyncMemory, UserId
from ..results import Hit, Result

Message = Mapping[str, Any]
Time = datetime | str | float | None


class Shown(Result):
    """What a model was shown at one turn. `turn`: counted from 1 in this conversation's memory. `hits`: the memories, and
    messages behind them, in the order of the block; `text`: the block itself, "" where there was nothing to tell. `seconds`: how
    long recall took. `error`: why the turn went on without memory: "TimedOut" where it took longer than `recall_seconds`, else an
    error's name."""

    turn: int
    query: str
    text: str
    hits: tuple[Hit, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    error: str | None = None


class PendingTurns(Result):
    """Messages of a conversation of which nothing is learnt yet. `status`: "unsaved" (not on disk, for the store refused them;
    they are handed in again with the next turn, by `flush` and by `close`), "open" (in a chunk that still grows), "pending"
    (closed; being learnt, or to be tried again), "failed" (after five attempts; `flush` tries again). `error`: the name of the
    last failure."""

    status: Literal["unsaved", "open", "pending", "failed"]
    turns: int
    batch_id: str | None = None
    error: str | None = None


class AsyncChatMemory:
    """A conversation with a memory. The same verbs as `ChatMemory`, awaited; belongs to the event loop of its `AsyncMemory`.

    messages = await chat.before(messages)
    reply = await model(messages)
    await chat.after(messages, reply)
    """

    def __init__(
        self,
        memory: AsyncMemory,
        *,
        user_id: UserId,
        agent_id: str | None = None,
        session_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        max_tokens: int = 1000,
        recall_seconds: float | None = 0.150,
        close_turns: int = 8,
        close_tokens: int = 4000,
        close_idle: float | None = 120.0,
        tokenizer: Callable[[str], int] | None = None,
    ) -> None:
        """`user_id`: whose memory; the model never chooses it. `agent_id`: narrows what is recalled, and is noted with what is
        learnt. `session_id`: the conversation's name, noted with what is learnt; recall reaches over all of the user's. Give one
        that lasts as long as the conversation where each request of a server makes a `ChatMemory` of its own; None makes one up.

        `max_tokens`: at most so many for what is recalled, as `tokenizer` counts them. `recall_seconds`: so long a turn waits for
        it (None: as long as it takes); the embedder's own loading, once per process, is not counted.

        Messages are learnt in chunks. One is closed, and learnt in the background, at `close_turns` messages (1 to 10) and a
        reply, at about `close_tokens` tokens, or `close_idle` seconds after its last message (None: never).

        Raises InvalidInput.
        """
        raise NotImplementedError

    async def before(self, messages: Sequence[Message], *, now: Time = None) -> list[dict[str, Any]]:
        """The messages to hand to the model: a copy, with what is remembered on the user's last message in front of that message's
        own text, fenced as data. Nothing of `messages` is changed.

        There and nowhere else, so that prompt caches stay warm: the system prompt and the history are the same from turn to turn,
        byte by byte, and all that is new stands behind them. In the system prompt a block that changes each turn would undo the
        cache of the whole conversation; a message of its own in the middle breaks servers that want user and assistant in turn.
        Within a turn, while a model calls tools, the block stays as it was. Older blocks in the history are taken out: they may
        tell what is no longer so.

        Never raises for a memory that fails or is slow: see `Shown.error` and `trace.Recalled`. `now`: when it is asked, default
        the present.
        """
        raise NotImplementedError

    async def after(self, messages: Sequence[Message], reply: object = None, *, now: Time = None) -> None:
        """Learn a turn: the user's messages behind the last answer, and the reply: a string, a message (with role and content),
        or a whole completion. Hand in `messages` as they went to `before`, or as they came from it.

        When it returns they are safe on disk, in the conversation's open chunk; learning goes on in the background, a user's
        conversations in the order in which their chunks were closed. Where the store refuses them (`trace.Unheard`) they wait in
        this process, see `pending`. What the history repeats is not taken twice, nor a message that is asked again for another
        reply. Left out are our own block, system prompts, tool calls and their results, and what is no text: of a picture there
        stands "[image]". Never raises for a memory that fails.
        """
        raise NotImplementedError

    def shown(self, turn: int = -1) -> Shown:
        """What the model was shown at a turn, from 1; -1 is the last one. Of the last 1,000 turns since this object was made.
        Raises NotFound."""
        raise NotImplementedError

    async def pending(self) -> list[PendingTurns]:
        """What of this conversation is not learnt yet, oldest first."""
        raise NotImplementedError

    async def flush(self) -> list[PendingTurns]:
        """Close the open chunk, and learn all that is closed, now; what stays pending, with the reason why."""
        raise NotImplementedError

    async def close(self) -> list[PendingTurns]:
        """`flush`, and let go; the memory itself stays open. A second time does nothing. A process that is killed before leaves
        its chunk open: the same conversation goes on in it, and `resume()` closes it when its time has come."""
        raise NotImplementedError

    async def __aenter__(self) -> AsyncChatMemory:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
