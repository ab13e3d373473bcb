"""An embedder without weights, and a scripted language in place of a model."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model import (
    Add,
    Candidate,
    Case,
    Decision,
    Delete,
    Evidence,
    Extraction,
    Fact,
    Keep,
    Kind,
    Reconciliation,
    Slot,
    SourceClass,
    Turn,
    Update,
)
from ..ports import Chunk

if TYPE_CHECKING:
    from ..ports import Vectors


class HashEmbedder:
    """Words hashed into a vector: texts that share words are near, in any language. Deterministic, no weights."""

    def __init__(self, dim: int = 64) -> None:
        self.id = f"hash-{dim}"
        self.dim = dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, of shape (len(texts), dim)."""
        import numpy as np

        vectors = np.full((len(texts), self.dim), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in _words(text.casefold()):
                digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
                vectors[row, int.from_bytes(digest[:4], "big") % self.dim] += 1 if digest[4] & 1 else -1
        unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\W\u3040-\u30ff\u3400-\u9fff]+")


def _words(text: str) -> list[str]:
    """Chinese and Japanese by pairs of characters, as a multilingual embedder would see words in them."""
    found: list[str] = []
    for word in _WORD.findall(text):
        found += [word] if word < "\u3040" else [word[i : i + 2] for i in range(max(1, len(word) - 1))]
    return found


_SET = re.compile(r"^(\w+) = (.+)$")  # home = Berlin: single-valued
_ALSO = re.compile(r"^(\w+) \+= (.+)$")  # likes += tea: many-valued
_DROP = re.compile(r"^(\w+) -= (.+)$")  # likes -= tea: a retraction


class ScriptedLanguage:
    """An extractor and reconciler for a tiny language, one statement per message. What it does not know is no fact."""

    async def extract(self, chunk: Chunk) -> Extraction:
        """A fact for every message of the language."""
        return Extraction(tuple(fact for turn in chunk.turns if (fact := self._fact(turn)) is not None))

    def _fact(self, turn: Turn) -> Fact | None:
        for pattern, many, retracts in ((_SET, False, False), (_ALSO, True, False), (_DROP, True, True)):
            if match := pattern.match(turn.content):
                attribute, value = match[1], match[2]
                return Fact(
                    text=f"{attribute} is {'not ' if retracts else ''}{value}",
                    kind=Kind.PROFILE,
                    evidence=(Evidence(turn.id, turn.content),),
                    slot=Slot("user", attribute, many),
                    value=value,
                    retracts=retracts,
                    source=SourceClass.of(turn.role),
                )
        return None

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """By slot and value."""
        decisions: list[Decision] = []
        taken: set[object] = set()
        for case in cases:
            decision = _decide(case, taken)
            decisions.append(decision)
        return Reconciliation(tuple(decisions))


def _decide(case: Case, taken: set[object]) -> Decision:
    fact = case.fact
    # The latest word on a slot is what an earlier fact of the chunk leaves, hence reversed.
    told = sorted(case.candidates, key=lambda c: (c.earlier is not None, c.earlier if c.row is None else c.row.number))
    slot = [c for c in reversed(told) if c.slot and fact.slot and c.slot.key == fact.slot.key]
    free = [c for c in slot if _mark(c) not in taken]
    if fact.retracts:
        positive = [c for c in free if c.text == fact.text.replace(" is not ", " is ", 1)]
        if positive:
            taken.add(_mark(positive[0]))
            return Delete((positive[0].number,), reason="retracted")
    same = [c for c in slot if c.text == fact.text]
    if fact.retracts and not same:
        return Add(reason="unmatched retraction", flag="unmatched retraction")
    if same:
        return Keep(same[0].number, reason="same value")
    if free and fact.slot and not fact.slot.many:
        taken.add(_mark(free[0]))
        return Update((free[0].number,), "supersede", fact.text, reason="new value")
    return Add(reason="new value")


def _mark(candidate: Candidate) -> object:
    return candidate.row.memory_id if candidate.row is not None else candidate.earlier
