"""The chat loop's memory: what is known is told to the model before it answers, and what was said is learnt afterwards.

    client = remembering(OpenAI(), memory, user_id="alice", session_id="monday")      # any OpenAI-compatible client
    ask = remembering(litellm.completion, memory, user_id="alice", session_id="monday")

    @remembers(memory, user_id="alice", session_id="monday")                          # a function of your own
    def chat(messages: list[dict]) -> str: ...

    with ChatMemory(memory, user_id="alice", session_id="monday") as chat:            # any other loop
        reply = model(chat.before(messages))
        chat.after(messages, reply)

A failing memory never fails the chat: the turn goes on without it, `on_event` is told, and `pending()` shows what waits.
"""

from ..results import PendingTurns, Shown
from .clients import remembering, remembers
from .loop import AsyncChatMemory
from .tools import AsyncMemoryTools, MemoryTools, tools
from .window import ChatMemory

__all__ = [
    "AsyncChatMemory",
    "AsyncMemoryTools",
    "ChatMemory",
    "MemoryTools",
    "PendingTurns",
    "Shown",
    "remembering",
    "remembers",
    "tools",
]
