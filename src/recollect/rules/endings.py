"""What a retraction ends: what its slot holds, or what is about the same matter; and whether the end is worth remembering."""

from __future__ import annotations

import re

from ..model import Candidate, Fact, Kind
from ..writing.candidates import names
from .likeness import NEGATIVE, OVER, bag, is_negative, overlapping, same_slot, same_subject, shared
from .sentences import words

SAME_TOPIC = (
    0.6  # share of common content words (Jaccard) from which a retraction is about a memory without the same slot
)
_NEVER_WAS = re.compile(r"\bnever (?:was|were|had|has|did|been|lived|worked|owned|said|\w+ed)\b", re.IGNORECASE)
# An end that is an event of its own, or that tells its reason, is worth remembering; what is merely over is not.
_ENDING = re.compile(
    rf"\b(?!stopped)(?:{OVER}|left|lost|returned|crashed|fired|laid off|called off|divorced|separated)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"\b(?:because|since|due to|for lack of|owing to)\b", re.IGNORECASE)
_EVERYTHING = re.compile(r"\beverything (?:about|on|of) (?P<whom>.+)", re.IGNORECASE)


def is_ended(fact: Fact, candidate: Candidate) -> bool:
    """Whether a retraction is about a memory: by its slot and value, or by most of its words."""
    if is_negative(candidate.text):
        return False
    if fact.bare_forget and _all_about(fact) & names(candidate.entities):
        return True
    if candidate.kind is Kind.EVENT and candidate.event is not None and not fact.bare_forget:
        return False  # it has happened, whatever is over now
    if same_slot(fact, candidate) or _liked_best(fact, candidate):
        if fact.value is None or candidate.value is None:
            return fact.slot is not None and not fact.slot.many and fact.value is None
        return overlapping(fact.value, candidate.value)
    return same_subject(fact, candidate) and shared(_topic(fact), _topic_of(candidate)) >= SAME_TOPIC


def is_event(fact: Fact) -> bool:
    """Whether an end is told with its day, its reason, or as something that was done."""
    return fact.event is not None or bool(_ENDING.search(fact.text) or _REASON.search(fact.text))


def _all_about(fact: Fact) -> set[str]:
    """Of whom or what everything is to be forgotten; who asks for it is not meant."""
    asked = _EVERYTHING.search(fact.text)
    whom = f" {' '.join(words(asked['whom']))} " if asked else ""
    return {name for name in names(fact.entities) if f" {' '.join(words(name))} " in whom}


def _liked_best(fact: Fact, candidate: Candidate) -> bool:
    """What is no longer liked is no favourite either."""
    if not (fact.slot and candidate.slot) or not same_subject(fact, candidate):
        return False
    return fact.slot.attribute == "likes" and candidate.slot.attribute.startswith("favorite ")


def _topic(fact: Fact) -> frozenset[str]:
    return bag(NEGATIVE.sub(" ", fact.text)) - {"longer", "any", "more", "anymore", "forget", "asks", "asked", "user"}


def _topic_of(candidate: Candidate) -> frozenset[str]:
    return bag(candidate.text) - {"user"}


def never_was(fact: Fact) -> bool:
    """Whether it says that something never was so, and not that it is over."""
    return bool(_NEVER_WAS.search(fact.text))
