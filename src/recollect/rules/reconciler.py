"""Decisions without a model: by slot, by near-identical text, by explicit retraction. Never across subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..candidates import meant
from ..guard import marks
from ..model import Add, Candidate, Case, Decision, Delete, Fact, Keep, Mode, Reconciliation, Update, text_key
from ..trust import Trust
from .sentences import FUNCTION_WORDS, words
from .statement import KIN, PET

SAME_TOPIC = (
    0.6  # share of common content words (Jaccard) from which a retraction is about a memory without the same slot
)
REWORDED = 0.6  # … from which, with a cosine of SAME_MEANING, two statements tell one thing in other words
SAME_MEANING = 0.93
MAX_ENDED = 5  # memories that one retraction ends
_NUMBER = re.compile(
    r"\d+(?:[.,:/-]\d+)*|\b(?:first|second|third|fourth|fifth|sixth|one|two|three|four|five|six|seven|eight|nine|ten)\b",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(r"\b(?:no longer|not|never|stopped|quit|cancelled|canceled|sold)\b|n['’]t\b", re.IGNORECASE)
_QUOTED = "[\"'“‘]?"
_CHANGED = re.compile(
    rf"^(?P<what>.*\b(?:chang|updat|evolv|switch|increas|decreas|rais|went|rose|fell|refin)\w*\b.*?) from {_QUOTED}(?P<old>.{{1,60}}?)[\"'”’]?"
    rf" to {_QUOTED}(?P<new>.{{1,80}}?)[\"'”’]?(?:[,.]|$| due\b| because\b)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(rf"^(?:The )?\w+(?:['’]s (?:\w+ )?(?:{KIN}|{PET})\b(?: [A-Z]\w+)?)?", re.ASCII)
_CHANGE_WORDS = frozenset(
    "chang updat evolv switch increas decreas rais went rose fell refin statu ha have been was".split()
)
_OPPOSITE = {"likes": "dislikes", "dislikes": "likes"}
_PLAIN = FUNCTION_WORDS - frozenset(
    "not never no don't didn't can't won't isn't wasn't he him his she her they them".split()
)


class RulesReconciler:
    """A `Reconciler` of rules: deterministic, no network. Deletes only what shares slot or nearly the words, and changes nothing
    that is trusted more, by the `trust` that the guard goes by."""

    def __init__(self, trust: Trust | None = None) -> None:
        self._trust = trust or Trust()

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """One decision per case; no target is hit by two operations."""
        taken: set[tuple[str, object]] = set()
        decisions = []
        for case in cases:
            free = [candidate for candidate in case.candidates if meant(candidate) not in taken]
            mine = [candidate for candidate in free if not self._trust.refuses(case.fact, candidate)]
            decision = _decide(case.fact, mine, case.candidates)
            if isinstance(decision, Update | Delete):
                numbered = {candidate.number: candidate for candidate in case.candidates}
                taken |= {meant(numbered[number]) for number in decision.targets}
            decisions.append(decision)
        return Reconciliation(tuple(decisions))


def _decide(fact: Fact, mine: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    """`mine`: the candidates that the fact may change."""
    if fact.retracts:
        return _retract(fact, mine, every)
    for candidate in every:
        if _says_the_same(fact, candidate) or _same_value(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    for ends, mode, reason in _CHANGES:
        targets = [candidate for candidate in mine if ends(fact, candidate)]
        if targets:
            first = max(targets, key=lambda one: (not _CHANGED.match(one.text), one.similarity, one.valid_from))
            return Update((first.number,), mode, fact.text, reason=reason)
    return Add(reason="nothing that it would change")


def _retract(fact: Fact, mine: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    targets = [one for one in mine if _is_ended(fact, one)]
    if targets:
        return Delete(tuple(one.number for one in targets[:MAX_ENDED]), reason="no longer so")
    if fact.bare_forget:
        return Keep(None, reason="nothing like it is known", flag="nothing to forget")
    for candidate in every:
        if _says_the_same(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    return Add(reason="nothing that it would end", flag="unmatched retraction")


def _is_ended(fact: Fact, candidate: Candidate) -> bool:
    if _is_negative(candidate.text):
        return False
    if _same_slot(fact, candidate) or _liked_best(fact, candidate):
        if fact.value is None or candidate.value is None:
            return fact.slot is not None and not fact.slot.many and fact.value is None
        return _overlapping(fact.value, candidate.value)
    return _same_subject(fact, candidate) and _shared(_topic(fact), _topic_of(candidate)) >= SAME_TOPIC


def _liked_best(fact: Fact, candidate: Candidate) -> bool:
    """What is no longer liked is no favourite either."""
    if not (fact.slot and candidate.slot) or not _same_subject(fact, candidate):
        return False
    return fact.slot.attribute == "likes" and candidate.slot.attribute.startswith("favorite ")


def _topic(fact: Fact) -> set[str]:
    return _bag(_NEGATIVE.sub(" ", fact.text)) - {"longer", "any", "more", "anymore", "forget", "asks", "asked", "user"}


def _topic_of(candidate: Candidate) -> set[str]:
    return _bag(candidate.text) - {"user"}


def _same_slot(fact: Fact, candidate: Candidate) -> bool:
    return fact.slot is not None and candidate.slot is not None and fact.slot.key == candidate.slot.key


def _same_subject(fact: Fact, candidate: Candidate) -> bool:
    """By slot where both have one; else both texts begin with the same somebody ("Ann" is not "Ann's sister")."""
    if fact.slot and candidate.slot:
        return fact.slot.key[0] == candidate.slot.key[0]
    one, other = _SUBJECT.match(fact.text), _SUBJECT.match(candidate.text)
    return bool(one and other) and one[0].casefold() == other[0].casefold()  # type: ignore[index]


def _equal(one: str | None, other: str | None) -> bool:
    return bool(one and other) and (words(one or ""), _numbers(one or "")) == (
        words(other or ""),
        _numbers(other or ""),
    )


def _same_value(fact: Fact, candidate: Candidate) -> bool:
    """The slot holds that value already: in a single-valued slot whenever it was told, else of the same time."""
    if not _same_slot(fact, candidate) or not _equal(fact.value, candidate.value) or _is_negative(candidate.text):
        return False
    if fact.kind is not candidate.kind or _adds_words(fact, candidate):
        return False
    single = fact.slot is not None and not fact.slot.many
    return fact.event == candidate.event or (single and fact.event is None)


def _says_the_same(fact: Fact, candidate: Candidate) -> bool:
    """The candidate has all its words, and nothing else speaks against."""
    if fact.event != candidate.event or _numbers(fact.text) != _numbers(candidate.text):
        return False
    if text_key(fact.text) == text_key(candidate.text):
        return True
    if not _same_subject(fact, candidate) or _is_negative(fact.text) != _is_negative(candidate.text):
        return False
    if fact.slot and candidate.slot and fact.value and candidate.value:
        if not (_same_slot(fact, candidate) and set(words(fact.value)) <= set(words(candidate.value))):
            return False
    return _bag(fact.text) <= _bag(candidate.text)


def _refines(fact: Fact, candidate: Candidate) -> bool:
    """Same slot and a value that contains the old one; or more words about the same thing."""
    if _CHANGED.match(fact.text) and _CHANGED.match(candidate.text):
        return False  # one change after the other
    if _is_negative(fact.text) != _is_negative(candidate.text) or not _same_subject(fact, candidate):
        return False
    if not _numbers(candidate.text) <= _numbers(fact.text):
        return False
    dated = candidate.event is None and fact.slot is not None and not fact.slot.many
    if fact.event != candidate.event and not (dated and _equal(fact.value, candidate.value)):
        return False
    if _same_slot(fact, candidate) and fact.value and candidate.value:
        if (dated and _equal(fact.value, candidate.value)) or set(words(candidate.value)) < set(words(fact.value)):
            return True
    return fact.kind is candidate.kind and _adds_words(fact, candidate)


# --- what ends or replaces a memory ------------------------------------------------------------------------------------


def _new_value(fact: Fact, candidate: Candidate) -> bool:
    """In a single-valued slot the new value ends the old one."""
    return (
        _same_slot(fact, candidate)
        and fact.slot is not None
        and not fact.slot.many
        and bool(fact.value and candidate.value)
    )


def _turned(fact: Fact, candidate: Candidate) -> bool:
    """Liked before, disliked now."""
    if not (fact.slot and candidate.slot) or not _same_subject(fact, candidate):
        return False
    return _OPPOSITE.get(fact.slot.attribute) == candidate.slot.attribute and _equal(fact.value, candidate.value)


def _stated_change(fact: Fact, candidate: Candidate) -> bool:
    """ "The income was raised from 15700 to 18000": it ends what tells of the income and of 15700, and not yet of 18000."""
    match = _CHANGED.match(fact.text)
    if match is None or not _same_subject(fact, candidate):
        return False
    known = _bag(candidate.text)
    subject = _SUBJECT.match(fact.text)
    about = _bag(match["what"]) - _bag(subject[0] if subject else "") - _CHANGE_WORDS
    already = _CHANGED.match(candidate.text)
    now = _bag(already["new"]) if already else known
    return _bag(match["old"]) <= now and not _bag(match["new"]) <= now and len(about & known) * 2 > len(about)


def _reworded(fact: Fact, candidate: Candidate) -> bool:
    """One thing in other words: nearly the same words and meaning, the same names, numbers and time."""
    if fact.kind is not candidate.kind or fact.event != candidate.event or not _same_subject(fact, candidate):
        return False
    if (
        fact.slot and candidate.slot and not _equal(fact.value, candidate.value)
    ) or candidate.similarity < SAME_MEANING:
        return False
    alike = (_numbers(fact.text), _is_negative(fact.text)) == (_numbers(candidate.text), _is_negative(candidate.text))
    named = marks(fact.text) == marks(candidate.text)
    return alike and named and _shared(_bag(fact.text), _bag(candidate.text)) >= REWORDED


_Ends: TypeAlias = Callable[[Fact, Candidate], bool]
_CHANGES: tuple[tuple[_Ends, Mode, str], ...] = (
    (_stated_change, "supersede", "it says itself what it changes"),
    (_refines, "revise", "the same, told in more detail"),
    (_new_value, "supersede", "a new value of its slot"),
    (_turned, "supersede", "liked and disliked change places"),
    (_reworded, "revise", "the same in other words"),
)


def _adds_words(fact: Fact, candidate: Candidate) -> bool:
    old, new = _bag(candidate.text), _bag(fact.text)
    return old < new and len(old) >= 3


def _overlapping(one: str, other: str) -> bool:
    left, right = _bag(one), _bag(other)
    return bool(left) and bool(right) and (left <= right or right <= left)


def _bag(text: str) -> set[str]:
    return {_stem(word) for word in words(text) if word not in _PLAIN} | _numbers(text)


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for suffix in ("ing", "ed", "es", "s", "e"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            return word[: -len(suffix)]
    return word


def _numbers(text: str) -> set[str]:
    return {number.casefold() for number in _NUMBER.findall(text)}


def _shared(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _is_negative(text: str) -> bool:
    return bool(_NEGATIVE.search(text))
