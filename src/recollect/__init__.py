"""recollect: a memory layer for LLM applications."""

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
