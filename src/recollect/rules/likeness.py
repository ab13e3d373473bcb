"""When a fact and a memory say the same, or nearly: by slot, value, time, and the words that carry a statement."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Set

from ..model import Candidate, Fact, Kind, text_key
from .sentences import FUNCTION_WORDS, words
from .statement import KIN, PET

TOLD_MORE = 3  # content words that a fact has and a memory of the same value has not, from which it is no repetition
LOST = 1  # content words of a memory that a fact may leave out and still stand for both
_NUMBER = re.compile(
    r"\d+(?:[.,:/-]\d+)*|\b(?:first|second|third|fourth|fifth|sixth|one|two|three|four|five|six|seven|eight|nine|ten)\b",
    re.IGNORECASE,
)
OVER = r"quit|stopped|cancell?ed|sold|resigned|gave (?:up|away)|given (?:up|away)|got rid of|broke up|split up|died|passed away"
NEGATIVE = re.compile(rf"\b(?:no longer|not|never|{OVER})\b|n['’]t\b", re.IGNORECASE)
SUBJECT = re.compile(rf"^(?:The )?\w+(?:['’]s (?:\w+ )?(?:{KIN}|{PET})\b(?: [A-Z]\w+)?)?", re.ASCII)
_PLANNED = frozenset("plan want wish hope intend will go going".split())
_PLAIN = FUNCTION_WORDS - frozenset(
    "not never no don't didn't can't won't isn't wasn't he him his she her they them".split()
)


def says_the_same(fact: Fact, candidate: Candidate) -> bool:
    """The candidate has all its words, and nothing else speaks against."""
    if fact.event != candidate.event or numbers(fact.text) != numbers(candidate.text):
        return False
    if candidate.kind is Kind.PLAN and fact.kind is Kind.EVENT:
        return False  # it has come about
    if text_key(fact.text) == text_key(candidate.text):
        return True
    if not same_subject(fact, candidate) or is_negative(fact.text) != is_negative(candidate.text):
        return False
    if fact.slot and candidate.slot and fact.value and candidate.value:
        if not (same_slot(fact, candidate) and set(words(fact.value)) <= set(words(candidate.value))):
            return False
    return bag(fact.text) <= bag(candidate.text)


def same_value(fact: Fact, candidate: Candidate) -> bool:
    """The slot holds that value already: in a single-valued slot whenever it was told, else of the same time."""
    if not same_slot(fact, candidate) or not equal(fact.value, candidate.value) or is_negative(candidate.text):
        return False
    if fact.kind is not candidate.kind or adds_words(fact, candidate) or tells_more(fact, candidate):
        return False
    single = fact.slot is not None and not fact.slot.many
    if not single and not numbers(fact.text) <= numbers(candidate.text):
        return False  # another time, as its number tells
    return fact.event == candidate.event or (single and fact.event is None)


def same_slot(fact: Fact, candidate: Candidate) -> bool:
    """Both have one, and it is the same."""
    return fact.slot is not None and candidate.slot is not None and fact.slot.key == candidate.slot.key


def same_subject(fact: Fact, candidate: Candidate) -> bool:
    """By slot where both have one; else both texts begin with the same somebody ("Ann" is not "Ann's sister")."""
    if fact.slot and candidate.slot:
        return fact.slot.key[0] == candidate.slot.key[0]
    one, other = SUBJECT.match(fact.text), SUBJECT.match(candidate.text)
    return bool(one and other) and one[0].casefold() == other[0].casefold()  # type: ignore[index]


def equal(one: str | None, other: str | None) -> bool:
    return bool(one and other) and (words(one or ""), numbers(one or "")) == (
        words(other or ""),
        numbers(other or ""),
    )


def within(fact: Fact, candidate: Candidate) -> bool:
    """Of the same time, or of a part of it: "on 3 May" where "in May" is known."""
    if fact.event is None or candidate.event is None:
        return fact.event == candidate.event
    return candidate.event.start <= fact.event.start and fact.event.end <= candidate.event.end


def adds_words(fact: Fact, candidate: Candidate) -> bool:
    """All the words of the memory, and more."""
    old, new = bag(candidate.text), bag(fact.text)
    return old < new and len(old) >= 3


def tells_more(fact: Fact, candidate: Candidate) -> bool:
    """Far more than a memory whose words it has, nearly all of them."""
    return len(bag(fact.text) - bag(candidate.text)) >= TOLD_MORE and stands_for(fact, candidate)


def stands_for(fact: Fact, candidate: Candidate) -> bool:
    """Whether next to nothing is lost where the fact takes the memory's place."""
    return len(bag(candidate.text) - bag(fact.text) - _PLANNED) <= LOST


def overlapping(one: str, other: str) -> bool:
    left, right = bag(one), bag(other)
    return bool(left) and bool(right) and (left <= right or right <= left)


def tokens(value: str) -> set[str]:
    """Words and numbers of a value."""
    return set(words(value)) | numbers(value)


@functools.lru_cache(maxsize=1024)  # the same memories are looked at turn after turn
def bag(text: str) -> frozenset[str]:
    return frozenset(_stems(text)) | numbers(text)


def may_lie_within(text: str, bags: Set[str]) -> bool:
    """Whether all words of a text's bag, its numbers left aside, are in `bags`; known from the first that is not."""
    return all(stem in bags for stem in _stems(text))


def _stems(text: str) -> Iterator[str]:
    return (_stem(word) for word in words(text) if word not in _PLAIN)


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def numbers(text: str) -> set[str]:
    return {number.casefold() for number in _NUMBER.findall(text)}


def shared(one: Set[str], other: Set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def is_negative(text: str) -> bool:
    return bool(NEGATIVE.search(text))
