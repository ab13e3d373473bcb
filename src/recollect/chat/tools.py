"""Tools for models that prefer to ask: search_memory, save_memory, forget_memory, bound to one user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, overload

from ..memory import AsyncMemory, UserId
from ..sync import Memory


class AsyncMemoryTools:
    """A user's memory as tools of OpenAI's chat protocol. The same as `MemoryTools`, awaited."""

    schemas: list[dict[str, Any]]
    """To be given as `tools=`."""

    async def call(self, name: str, arguments: str | Mapping[str, Any]) -> str:
        """Do what the model asks: the result, as JSON for it to read. Its mistakes (a tool that there is not, arguments that do not
        fit, an id of somebody else's) and a memory that fails are told there as `{"error": …}`, never raised."""
        raise NotImplementedError

    async def answer(self, message: object) -> list[dict[str, Any]]:
        """The `tool` messages that answer an assistant's message, one for each of its calls of these tools, in order."""
        raise NotImplementedError


class MemoryTools:
    """A user's memory as tools of OpenAI's chat protocol. The model never chooses the user."""

    schemas: list[dict[str, Any]]
    """To be given as `tools=`."""

    def call(self, name: str, arguments: str | Mapping[str, Any]) -> str:
        """Do what the model asks: the result, as JSON for it to read. Its mistakes are told there, never raised."""
        raise NotImplementedError

    def answer(self, message: object) -> list[dict[str, Any]]:
        """The `tool` messages that answer an assistant's message, one for each of its calls of these tools, in order."""
        raise NotImplementedError


@overload
def tools(
    memory: Memory, *, user_id: UserId, agent_id: str | None = None, session_id: str | None = None
) -> MemoryTools: ...
@overload
def tools(
    memory: AsyncMemory, *, user_id: UserId, agent_id: str | None = None, session_id: str | None = None
) -> AsyncMemoryTools: ...
def tools(
    memory: Memory | AsyncMemory, *, user_id: UserId, agent_id: str | None = None, session_id: str | None = None
) -> MemoryTools | AsyncMemoryTools:
    """`search_memory(query, limit)`, `save_memory(text)` and `forget_memory(memory_id)` for a model to call, on this user's memory
    and nobody else's. `agent_id`, `session_id`: noted with what is saved. Raises InvalidInput."""
    raise NotImplementedError
