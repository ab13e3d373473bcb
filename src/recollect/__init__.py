"""recollect: a memory layer for LLM applications."""

from typing import TYPE_CHECKING

# Imported by whoever asks for them: what needs none of them (a `--help`, a shell that completes a word) does not wait.
if TYPE_CHECKING:
    from .errors import RecollectError
    from .memory import AsyncMemory
    from .results import AddResult, Change, Context, Hit, MemoryItem, Source
    from .sync import Memory

__all__ = [
    "AddResult",
    "AsyncMemory",
    "Change",
    "Context",
    "Hit",
    "Memory",
    "MemoryItem",
    "RecollectError",
    "Source",
]

_ROOMS = {"AsyncMemory": "memory", "Memory": "sync", "RecollectError": "errors"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f".{_ROOMS.get(name, 'results')}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
