"""Abstention: saying that it was not said.

Three shares, each the mean of a value per question over those that take part: recall over the questions whose answer was never
said, precision over the answers that abstain, and wrong abstentions over the questions that have an answer. Two detectors: the
judge's verdict, and phrases, which need no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..model import Question

_NOT = r"(?:\bnot|\bnever|n['’]t)"
_SOURCE = r"(?:information|info|mention|records?|memory|memories|evidence|indication|data|details?|answer)"
_TOLD = r"(?:mention(?:ed)?|specif(?:y|ied)|stated?|sa(?:y|id)|provided?|discuss(?:ed)?|disclosed?|indicated?|recorded)"
_ENDS = r"(?=\W*$|[,.;]|\s+(?:about|available|as|can|for|from|given|here|in|is|of|on|provided|regarding|that|to|was|whether)\b)"
# Each says that nothing is known, of the conversation or of the one who answers; "Tom does not know" says it of Tom.
_PHRASES = (
    rf"\b(?:no|insufficient|not\s+enough|not\s+sufficient)\s+(?:\w+\s+){{0,2}}{_SOURCE}{_ENDS}",
    rf"\bno\s+(?:\w+\s+){{1,3}}(?:is|was|are|were|has\s+been|have\s+been)\s+(?:{_TOLD}|given|known|found)\b",
    rf"{_NOT}\s+(?:\w+\s+){{0,2}}{_TOLD}\b",
    rf"{_NOT}\s+(?:\w+\s+)?(?:have|contain|include|find)\s+(?:\w+\s+){{0,3}}{_SOURCE}\b",
    rf"(?:\b(?:i|we)\s+\w+\s*{_NOT}|\b(?:i|we)\s+\w*{_NOT}|^\W*do(?:\s+not|n['’]t)|\bcannot)\s+(?:\w+\s+)?"
    r"(?:know|recall|remember|tell|say|answer|determine)\b",
    r"\b(?:i\s+am|i['’]m)\s+(?:not\s+(?:sure|aware|certain|able)|unsure|unaware|unable)\b",
    r"\b(?:cannot|can\s+not|can['’]t|could\s+not|couldn['’]t)\s+be\s+(?:\w+\s+)?(?:determined|answered|inferred|known|established)\b",
    r"\b(?:is|was|are|were|remains?)\s+(?:unknown|unclear|unspecified)\b",
    r"^\W*(?:unknown|unanswerable|unspecified|not\s+(?:known|sure|answerable|available|specified)|n/a|none|nothing)\W*$",
)
_UNKNOWN = re.compile("|".join(_PHRASES), re.IGNORECASE)
_GUESS = re.compile(
    r"\b(?:likely|probably|possibly|perhaps|maybe|presumably|seems?|appears?|suggests?|implie[sd])\b", re.IGNORECASE
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def says_unknown(given: str) -> bool:
    """Whether an English answer says that it was not said, by phrases: its first sentence must say so, and not go
    on with a guess ("not stated, but probably Rome").

    An empty answer says it too. It errs where somebody in the answer is told not to have said a thing ("Tom never said it" as
    an answer to "What did Tom never say?"), where an answer gives a guess after abstaining in a sentence of its own (counted
    as abstaining), and in wordings that it does not know. The judge's verdict is the better one; this is for runs without a
    judge."""
    sentences = [one for one in _SENTENCE.split(given.strip()) if one]
    if not sentences:
        return True
    match = _UNKNOWN.search(sentences[0])
    return match is not None and not _GUESS.search(sentences[0], match.end())


def judged_unknown(question: Question, judgement: Mapping[str, Any]) -> bool:
    """Whether the judge took the answer for an abstention: its verdict says so, or it is right where nothing else is."""
    return judgement["verdict"] == "abstained" or (question.answer is None and judgement["verdict"] == "right")


def recall(question: Question, abstained: bool) -> float | None:
    """1 where an answer abstains that should, 0 where it makes something up; None where the question has an answer."""
    return float(abstained) if question.answer is None else None


def precision(question: Question, abstained: bool) -> float | None:
    """1 where an abstention is right, 0 where the question has an answer; None where the answer does not abstain."""
    return float(question.answer is None) if abstained else None


def wrong(question: Question, abstained: bool) -> float | None:
    """1 where an answer abstains though the question has an answer, else 0; None where it has none. Lower is better."""
    return None if question.answer is None else float(abstained)
