"""ChatMemory: a window onto AsyncChatMemory, as `Memory` is onto `AsyncMemory`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from ..errors import Closed
from ..memory import UserId
from ..results import PendingTurns, Shown
from ..sync import Memory
from .loop import AsyncChatMemory, Messages, Time
from .outbox import Begun


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
        self._memory = memory
        self._chat = AsyncChatMemory(
            memory._memory,
            user_id=user_id,
            agent_id=agent_id,
            session_id=session_id,
            metadata=metadata,
            max_tokens=max_tokens,
            recall_seconds=recall_seconds,
            close_turns=close_turns,
            close_tokens=close_tokens,
            close_idle=close_idle,
            tokenizer=tokenizer,
        )
        self.user_id, self.session_id = self._chat.user_id, self._chat.session_id

    def before(self, messages: Messages, *, now: Time = None) -> list[dict[str, Any]]:
        """The messages to hand to the model, with what is remembered in front of the user's last message."""
        self._memory._check_open()
        asking = self._chat._asking(messages, now)
        told = self._chat._before_at_once(asking, self._memory._heard)
        return self._memory._wait(self._chat._before(asking)) if told is None else told

    def after(self, messages: Messages, reply: object = None, *, now: Time = None) -> None:
        """Learn a turn: the user's messages behind the last answer, and the reply."""
        self._memory._check_open()
        if (begun := self._chat._after_at_once(messages, reply, now)) is None:
            return self._memory._wait(self._chat.after(messages, reply, now=now))
        journalled = self._memory._heard(begun)
        if not self._chat._put_off(journalled):
            self._memory._in_loop(self._chat._go_on, journalled)
        return self._chat._tell(journalled)

    def _begin(self, messages: Messages) -> Begun:
        """A turn whose reply is on its way."""
        begun = self._chat._asks(messages)
        with suppress(Closed):  # the reply is not lost to its caller
            self._memory._begun(self._chat._soon())
        return begun

    def _over(self, begun: Begun, reply: object) -> None:
        """The reply is there, and is learnt with what comes next."""
        self._chat._over(begun, reply)

    def shown(self, turn: int = -1) -> Shown:
        """What the model was shown at a turn, from 1; -1 is the last one. Raises NotFound."""
        return self._chat.shown(turn)

    def pending(self) -> list[PendingTurns]:
        """What of this conversation is not learnt yet, oldest first."""
        return self._memory._wait(self._chat.pending())

    def flush(self) -> list[PendingTurns]:
        """Close the open chunk, and learn all that is closed, now; what stays pending, with the reason why."""
        return self._memory._wait(self._chat.flush())

    def close(self) -> list[PendingTurns]:
        """`flush`, and let go; the memory itself stays open."""
        return [] if self._memory._closed else self._memory._wait(self._chat.close())

    def __enter__(self) -> ChatMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
