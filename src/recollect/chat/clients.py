"""remembering() and remembers(): clients and functions that chat, with a memory. Nothing of openai or litellm is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ..memory import AsyncMemory, UserId
from ..sync import Memory

C = TypeVar("C")


def remembering(
    client: C, memory: Memory | AsyncMemory, *, user_id: UserId, session_id: str | None = None, **options: Any
) -> C:
    """The same client with a memory: `client.chat.completions.create(…)` (and `.parse`) recalls before the call and learns the
    turn after it, streamed or not; all else of the client passes through untouched. Or the same function: `litellm.completion`,
    `litellm.acompletion`, or any other that takes `messages` and returns a completion.

    A client whose calls are awaited needs an `AsyncMemory`, any other one a `Memory`. Cheap: a server makes one per request, with
    the conversation's `session_id`. `options`: those of `ChatMemory`. The conversation's memory is the result's `.recollect`:
    `client.recollect.shown()`.

    A stream passes chunk by chunk as it comes; the reply is gathered on the side. Where it is abandoned half-way, or breaks off,
    the user's message is learnt and the reply is not: half a sentence may say the opposite of the whole. Of a call that fails
    nothing is learnt, and of several choices (`n=2`) no reply. Raises InvalidInput.
    """
    raise NotImplementedError


def remembers(
    memory: Memory | AsyncMemory, *, user_id: UserId, session_id: str | None = None, **options: Any
) -> Callable[[C], C]:
    """A decorator for a function of your own, `chat(messages) -> str`, sync or async: it is handed the messages with what is
    remembered, and what it returns is learnt. `options`: those of `ChatMemory`, which is the function's `.recollect`."""
    raise NotImplementedError
