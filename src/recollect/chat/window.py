"""ChatMemory: a window onto AsyncChatMemory, as `Memory` is onto `AsyncMemory`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from ..memory import UserId
from ..sync import Memory
from .loop import Message, PendingTurns, Shown, Time


class ChatMemory:
    """A conversation with a memory, for any loop. May be used from many threads.

    messages = chat.before(messages)
    reply = model(messages)
    chat.after(messages, reply)
    """

    def __init__(
        self,
        memory: Memory,
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
        """As `AsyncChatMemory`."""
        raise NotImplementedError

    def before(self, messages: Sequence[Message], *, now: Time = None) -> list[dict[str, Any]]:
        """The messages to hand to the model, with what is remembered in front of the user's last message."""
        raise NotImplementedError

    def after(self, messages: Sequence[Message], reply: object = None, *, now: Time = None) -> None:
        """Learn a turn: the user's messages behind the last answer, and the reply."""
        raise NotImplementedError

    def shown(self, turn: int = -1) -> Shown:
        """What the model was shown at a turn, from 1; -1 is the last one. Raises NotFound."""
        raise NotImplementedError

    def pending(self) -> list[PendingTurns]:
        """What of this conversation is not learnt yet, oldest first."""
        raise NotImplementedError

    def flush(self) -> list[PendingTurns]:
        """Close the open chunk, and learn all that is closed, now; what stays pending, with the reason why."""
        raise NotImplementedError

    def close(self) -> list[PendingTurns]:
        """`flush`, and let go; the memory itself stays open."""
        raise NotImplementedError

    def __enter__(self) -> ChatMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
