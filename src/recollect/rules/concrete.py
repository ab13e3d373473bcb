"""Is there anything to hold on to? A fact that names no slot, date, number or name is a mood, and of little use later."""

from __future__ import annotations

import re

from ..model import Fact, Kind

_NUMBER = re.compile(r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|once|twice|dozen)\b", re.IGNORECASE)
_POINTS = re.compile(
    r"\b(?:these|those|such)\b|\b(?:this|that)\b(?! (?:is|was|has|have|had|are|were|will|would|can|could|\w+s|\w+ed)\b)"
    r"|\b(?:the (?:same|other|whole) (?:thing|one)|somehow|something|someone|everyone|everything|things)\b",
    re.IGNORECASE,
)
_MOOD = re.compile(
    r"\b(?:felt|feels?|feeling|realiz\w+|remember\w*|wanted|wants|hopes?|hoping|tried|tries|trying|cherish\w*|vibes?|rocks?|moments?"
    r"|memories|journey|experiences?|energy|mindset|confidence|atmosphere|excited|thrilled|proud|grateful|lucky|determined|passionate"
    r"|gonna be|going to be|aim|goal|dream|first step|looks? forward|looking forward|get(?:ting)? better|keep(?:s|ing)? (?:me|them) )\b",
    re.IGNORECASE,
)
FULL = 9  # words from which an event without date or name tells enough


def is_concrete(fact: Fact, strong: bool, people: tuple[str, ...]) -> bool:
    """Whether a fact says something that a question could ask for. `strong`: a slot pattern of its own was met."""
    known = {part.casefold() for name in people for part in name.split()}
    named = any(not set(entity.name.casefold().split()) <= known for entity in fact.entities)
    anchored = named or fact.event is not None or fact.valid_from is not None
    if _MOOD.search(fact.text):
        return False
    if _POINTS.search(fact.text):
        return anchored and fact.kind is Kind.EVENT
    full = fact.kind is Kind.EVENT and len(fact.text.split()) >= FULL
    return strong or anchored or full or bool(_NUMBER.search(fact.text))
