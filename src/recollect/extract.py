"""Facts must show their evidence: the check, in code, of what any extractor proposes."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from .model import Evidence, Extraction, Fact, Rejected, Turn
from .ports import Chunk
from .records import Extracted

MAX_TEXT = 2_000  # characters of a fact
MAX_QUOTE = 4_000
MAX_FACTS = 200  # of one chunk

_LOOSE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})
_SPACE = re.compile(r"\s+")
_EDGE = " \t\n\"'.,;:!?…-"


def verify(extraction: Extraction, chunk: Chunk) -> Extracted:
    """Keep the facts whose quotes stand in their turns; say of the others why not.

    A bad quote is dropped, its fact stays while one quote in a turn of the chunk (not only of its context) holds.
    """
    own = {turn.id for turn in chunk.turns}
    facts: list[Fact] = []
    rejected = list(extraction.rejected)
    for fact in extraction.facts:
        held = tuple(evidence for evidence in fact.evidence if holds(evidence, chunk.turn(evidence.turn_id)))
        problem = _problem(fact, held, own) or ("too many facts in one chunk" if len(facts) >= MAX_FACTS else None)
        if problem is None:
            facts.append(replace(fact, evidence=held))
        else:
            rejected.append(Rejected(fact.text[:MAX_TEXT], problem))
    return Extracted(tuple(facts), tuple(rejected), extraction.usage, extraction.model, extraction.prompt_id)


def _problem(fact: Fact, held: tuple[Evidence, ...], own: set[str]) -> str | None:
    if not fact.text.strip():
        return "empty text"
    if len(fact.text) > MAX_TEXT:
        return f"text longer than {MAX_TEXT} characters"
    if not held:
        return "no quote of it stands in its turn"
    if not any(evidence.turn_id in own for evidence in held):
        return "it quotes context only"
    if fact.event is not None and fact.event.start > fact.event.end:
        return "its event ends before it starts"
    return None


def holds(evidence: Evidence, turn: Turn | None) -> bool:
    """Whether a quote occurs in its turn, typography, case, spacing and outer punctuation aside."""
    if turn is None or len(evidence.quote) > MAX_QUOTE:
        return False
    quote = loosen(evidence.quote).strip(_EDGE)
    return bool(quote) and quote in loosen(turn.content)


def loosen(text: str) -> str:
    """Text without what models tend to change in a quote."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).translate(_LOOSE)).casefold()
