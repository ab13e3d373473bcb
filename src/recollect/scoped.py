"""A memory bound to one user: the same verbs without `user_id`, and no way to another user's ids.

But for `erase`: to destroy all that a user has, the user is named once more (`erase(user_id=…)`). Arguments that were left
out, or are None by mistake, do not say so.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import InvalidInput

if TYPE_CHECKING:
    from .memory import AsyncMemory
    from .sync import Memory

VERBS = (
    "add", "search", "context", "get_all", "count", "delete_all",
    "get", "update", "delete", "erase", "history", "sources", "undo", "stats", "retell",
    "estimate_retelling", "export", "import_file", "audit", "quarantine", "approve", "drop", "entity_graph", "merge_entities",
    "separate_entities", "timeline", "changes", "find_id",
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
            if verb == "erase":
                keywords = self._meant(*arguments, **keywords)
            if "user_id" in keywords:
                raise TypeError(f"{verb}() of a scoped memory takes no user_id: it is bound to one user")
            return bound(*arguments, **keywords, user_id=self.user_id)

        own = inspect.signature(bound)
        parameters = [one for one in own.parameters.values() if verb == "erase" or one.name != "user_id"]
        call.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # help() reads it
        return call

    def _meant(self, *arguments: Any, **keywords: Any) -> dict[str, Any]:
        """What `erase` was given, without the user where that is this one. Raises InvalidInput where it is given nothing else."""
        named = "user_id" in keywords and keywords["user_id"] == self.user_id
        if named:
            return {name: value for name, value in keywords.items() if name != "user_id"}
        if "user_id" not in keywords and all(one is None for one in (*arguments, *keywords.values())):
            raise InvalidInput(
                "user_id", "name the user once more to erase all of it, or say a memory_id, session_id or before"
            )
        return keywords

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *VERBS]


class ScopedMemory(_Scoped):
    """`Memory.scoped(user_id=…)`."""


class AsyncScopedMemory(_Scoped):
    """`AsyncMemory.scoped(user_id=…)`."""
