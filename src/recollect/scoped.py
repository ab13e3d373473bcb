"""A memory bound to one user: the same verbs without `user_id`, and no way to another user's ids."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .memory import AsyncMemory
    from .sync import Memory

VERBS = (
    "add", "search", "context", "get_all", "count", "delete_all",
    "get", "update", "delete", "erase", "history", "sources", "undo", "stats", "retell",
    "estimate_retelling", "export", "audit", "quarantine", "approve", "drop",
)  # fmt: skip


class _Scoped:
    def __init__(self, memory: Memory | AsyncMemory, user_id: str | None) -> None:
        self._memory = memory
        self.user_id = user_id

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb not in VERBS:
            raise AttributeError(f"{type(self).__name__} has no {verb!r}; it has {', '.join(VERBS)}")
        bound = getattr(self._memory, verb)

        @functools.wraps(bound)
        def call(*arguments: Any, **keywords: Any) -> Any:
            if "user_id" in keywords:
                raise TypeError(f"{verb}() of a scoped memory takes no user_id: it is bound to one user")
            return bound(*arguments, **keywords, user_id=self.user_id)

        own = inspect.signature(bound)
        parameters = [one for one in own.parameters.values() if one.name != "user_id"]
        call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # help() reads it
        return call

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *VERBS]


class ScopedMemory(_Scoped):
    """`Memory.scoped(user_id=…)`."""


class AsyncScopedMemory(_Scoped):
    """`AsyncMemory.scoped(user_id=…)`."""
