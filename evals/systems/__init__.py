"""What is measured: memory systems and plain rivals, behind one Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..model import Conversation, Found, Ingested, Packed, Question, Stored
from .recollect import Access as Access
from .registry import NAMES as NAMES
from .registry import VARIANTS as VARIANTS
from .registry import Options as Options
from .registry import embedder_of as embedder_of
from .registry import make as make
from .vectors import SharedEmbedder as SharedEmbedder


class System(Protocol):
    """A memory system under test. Calls come from several threads, a conversation's only after its `ingest` ended.

    `name` is what reports call it ("recollect, rules"); `settings` what a run records of it, JSON values without secrets. What it
    raises is recorded against the conversation or question.
    """

    name: str
    settings: Mapping[str, object]

    def ingest(self, conversation: Conversation) -> Ingested:
        """Take a conversation in, whole. Called again after an interruption, it must leave the same state."""

    def search(self, conversation_id: str, question: Question, limit: int) -> Sequence[Found]:
        """What is found for a question in that conversation alone, best first; at most `limit`. Empty: nothing fits."""

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:
        """What a reader is given, within `max_tokens` as `tokens.count` counts them; the full context alone is always whole."""

    def stored(self, conversation_id: str) -> Sequence[Stored]:
        """All memories it has or had, for attribution; empty for systems that have none."""

    def close(self) -> None:
        """Let go of files and processes."""
