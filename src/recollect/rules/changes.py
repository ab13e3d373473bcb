"""What a fact changes in a memory, and how: it says so itself, it corrects or refines it, or gives its slot a new value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from ..model import Candidate, Fact, Kind, Mode, Precision
from ..writing.guard import marks
from .likeness import (
    SUBJECT,
    adds_words,
    bag,
    equal,
    is_negative,
    numbers,
    same_slot,
    same_subject,
    shared,
    stands_for,
    tells_more,
    tokens,
    within,
)

REWORDED = 0.6  # share of common content words from which, with a cosine of SAME_MEANING, two texts tell one thing
SAME_MEANING = 0.93
_QUOTED = "[\"'“‘]?"
CHANGED = re.compile(
    rf"^(?P<what>.*\b(?:chang|updat|evolv|switch|increas|decreas|rais|went|rose|fell|refin)\w*\b.*?) from {_QUOTED}(?P<old>.{{1,60}}?)[\"'”’]?"
    rf" to {_QUOTED}(?P<new>.{{1,80}}?)[\"'”’]?(?:[,.]|$| due\b| because\b)",
    re.IGNORECASE,
)
_CHANGE_WORDS = frozenset(
    "chang updat evolv switch increas decreas rais went rose fell refin statu ha have been was".split()
)
# "Halle, not Hall": what follows is what was told before. "Not any more" is another matter: the world changed.
_NOT = re.compile(
    r"(?:[,;–—]\s*(?:and |but )?|\band |\bbut )(?:not|nicht) (?P<old>(?:[^,;!?]|(?<=\d),(?=\d))+?)(?=[;!?]|,\s|\.$|\.\s|$| as | that | which | who | with )",
    re.IGNORECASE,
)
_ANY_MORE = re.compile(r"\b(?:any ?more|any longer|no longer|now)\b", re.IGNORECASE)
_MISTAKEN = re.compile(
    r"\b(?:mistaken?|misread\w*|misspoke|misheard|wrongly|mis(?:wrote|written)|typo|(?:mixed|mix) up|was wrong)\b",
    re.IGNORECASE,
)
_INSTEAD = re.compile(r"\b(?:instead of|in place of|in exchange for|rather than)\s+(?P<old>[^,;.!?]+)", re.IGNORECASE)
_OPPOSITE = {"likes": "dislikes", "dislikes": "likes"}


def _stated_change(fact: Fact, candidate: Candidate) -> bool:
    """ "The income was raised from 15700 to 18000": it ends what tells of the income and of 15700, and not yet of 18000."""
    match = CHANGED.match(fact.text)
    if match is None or not same_subject(fact, candidate):
        return False
    known = bag(candidate.text)
    subject = SUBJECT.match(fact.text)
    about = bag(match["what"]) - bag(subject[0] if subject else "") - _CHANGE_WORDS
    already = CHANGED.match(candidate.text)
    now = bag(already["new"]) if already else known
    return bag(match["old"]) <= now and not bag(match["new"]) <= now and len(about & known) * 2 > len(about)


def _replaces(fact: Fact, candidate: Candidate) -> bool:
    """ "A cargo bike in place of the city bike"."""
    replaced = _INSTEAD.search(fact.text)
    if replaced is None or not same_slot(fact, candidate) or not candidate.value:
        return False
    return bag(candidate.value) <= bag(replaced["old"])


def _corrects(fact: Fact, candidate: Candidate) -> bool:
    """It names what was told before as wrong: "Halle, not Hall"; or says of its slot that there was a mistake."""
    if not same_slot(fact, candidate) or _ANY_MORE.search(fact.text):
        return False
    return _denies(fact, candidate) or (within(fact, candidate) and bool(_MISTAKEN.search(fact.text)))


def _denies(fact: Fact, candidate: Candidate) -> bool:
    denied = _NOT.search(fact.text)
    if denied is None or is_negative(candidate.text):
        return False
    old, told = bag(denied["old"]), bag(fact.text[: denied.start()] + fact.text[denied.end() :])
    return bool(old) and bool(told) and old <= bag(candidate.text) and not old <= told


def _came_about(fact: Fact, candidate: Candidate) -> bool:
    """The planned thing has happened, or has not; or its time is told more precisely."""
    if not same_slot(fact, candidate) or not equal(fact.value, candidate.value) or candidate.event is None:
        return False
    if not within(fact, candidate) or not numbers(candidate.text) <= numbers(fact.text):
        return False
    about = candidate.kind is Kind.PLAN and fact.kind is Kind.EVENT
    return (about or fact.event != candidate.event) and stands_for(fact, candidate)


def _refines(fact: Fact, candidate: Candidate) -> bool:
    """Same slot and a value that contains the old one; or more words about the same thing."""
    if CHANGED.match(fact.text) and CHANGED.match(candidate.text):
        return False  # one change after the other
    if is_negative(fact.text) != is_negative(candidate.text) or not same_subject(fact, candidate):
        return False
    if not numbers(candidate.text) <= numbers(fact.text):
        return False
    if fact.kind is candidate.kind and adds_words(fact, candidate) and candidate.event in (None, fact.event):
        return True
    dated = candidate.event is None and fact.slot is not None and not fact.slot.many
    if not dated and not within(fact, candidate):
        return False
    if not same_slot(fact, candidate) or not (fact.value and candidate.value):
        return False
    if equal(fact.value, candidate.value):
        return dated or tells_more(fact, candidate)
    return within(fact, candidate) and tokens(candidate.value) < tokens(fact.value)


def _new_value(fact: Fact, candidate: Candidate) -> bool:
    """In a single-valued slot the new value ends the old one."""
    return (
        same_slot(fact, candidate)
        and fact.slot is not None
        and not fact.slot.many
        and bool(fact.value and candidate.value)
        and not _long_before(fact, candidate)
    )


def _long_before(fact: Fact, candidate: Candidate) -> bool:
    """A time of one's life that was over before the memory began: "lived in Cork from 2012 to 2015" ends no present home."""
    told = fact.event
    return told is not None and told.precision is Precision.RANGE and told.end < candidate.valid_from


def _turned(fact: Fact, candidate: Candidate) -> bool:
    """Liked before, disliked now."""
    if not (fact.slot and candidate.slot) or not same_subject(fact, candidate):
        return False
    return _OPPOSITE.get(fact.slot.attribute) == candidate.slot.attribute and equal(fact.value, candidate.value)


def _reworded(fact: Fact, candidate: Candidate) -> bool:
    """One thing in other words: nearly the same words and meaning, the same names, numbers and time."""
    if fact.kind is not candidate.kind or fact.event != candidate.event or not same_subject(fact, candidate):
        return False
    if (fact.slot and candidate.slot and not equal(fact.value, candidate.value)) or candidate.similarity < SAME_MEANING:
        return False
    alike = (numbers(fact.text), is_negative(fact.text)) == (numbers(candidate.text), is_negative(candidate.text))
    named = marks(fact.text) == marks(candidate.text)
    return alike and named and shared(bag(fact.text), bag(candidate.text)) >= REWORDED


_Ends: TypeAlias = Callable[[Fact, Candidate], bool]
CHANGES: tuple[tuple[_Ends, Mode, str], ...] = (
    (_stated_change, "supersede", "it says itself what it changes"),
    (_replaces, "supersede", "it says itself what it takes the place of"),
    (_corrects, "revise", "it was told wrongly"),
    (_came_about, "revise", "the same occasion, and how it came"),
    (_refines, "revise", "the same, told in more detail"),
    (_new_value, "supersede", "a new value of its slot"),
    (_turned, "supersede", "liked and disliked change places"),
    (_reworded, "revise", "the same in other words"),
)
