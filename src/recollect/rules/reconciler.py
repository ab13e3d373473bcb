"""Decisions without a model: by slot, by near-identical text, by explicit retraction. Never across subjects."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..model import Add, Candidate, Case, Decision, Delete, Fact, Keep, Reconciliation, Update, text_key
from .sentences import FUNCTION_WORDS, words

SAME_TEXT = 0.85  # share of common content words (Jaccard) from which two texts say the same
SAME_TOPIC = 0.6  # … from which a retraction is about a memory without the same slot
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NEGATIVE = re.compile(r"\b(?:no longer|not|never|stopped|quit|cancelled|canceled|sold)\b|n['’]t\b", re.IGNORECASE)
_PLAIN = FUNCTION_WORDS - frozenset(
    "not never no don't didn't can't won't isn't wasn't he him his she her they them".split()
)


class RulesReconciler:
    """A `Reconciler` of rules: deterministic, no network. Deletes only what shares slot or nearly the words."""

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """One decision per case; no target is hit by two operations."""
        taken: set[tuple[str, object]] = set()
        decisions = []
        for case in cases:
            free = [candidate for candidate in case.candidates if _identity(candidate) not in taken]
            decision = _decide(case.fact, free, case.candidates)
            if isinstance(decision, Update | Delete):
                numbered = {candidate.number: candidate for candidate in case.candidates}
                taken |= {_identity(numbered[number]) for number in decision.targets}
            decisions.append(decision)
        return Reconciliation(tuple(decisions))


def _identity(candidate: Candidate) -> tuple[str, object]:
    return ("row", candidate.row.memory_id) if candidate.row else ("earlier", candidate.earlier)


def _decide(fact: Fact, free: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    if fact.retracts:
        return _retract(fact, free)
    for candidate in every:
        if _says_the_same(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    for candidate in every:
        if _same_value(fact, candidate):
            return Keep(candidate.number, reason="same slot, same value")
    for candidate in free:
        if _refines(fact, candidate):
            return Update((candidate.number,), "revise", fact.text, reason="the same, told in more detail")
    return _supersede(fact, free)


def _supersede(fact: Fact, free: Sequence[Candidate]) -> Decision:
    """In a single-valued slot the new value ends the old ones."""
    if fact.slot is None or fact.slot.many or fact.value is None:
        return Add(reason="nothing that it would change")
    targets = [one for one in free if _same_slot(fact, one) and one.value and one.source.trust <= fact.source.trust]
    if not targets:
        return Add(reason="nothing that it would change")
    targets.sort(key=lambda one: one.valid_from, reverse=True)
    return Update((targets[0].number,), "supersede", fact.text, reason=f"a new {fact.slot.attribute}")


def _retract(fact: Fact, free: Sequence[Candidate]) -> Decision:
    targets = [one for one in free if _is_ended(fact, one)]
    if targets:
        return Delete(tuple(one.number for one in targets[:5]), reason="no longer so")
    if fact.bare_forget:
        return Keep(None, reason="nothing like it is known", flag="nothing to forget")
    return Add(reason="nothing that it would end", flag="unmatched retraction")


def _is_ended(fact: Fact, candidate: Candidate) -> bool:
    if _is_negative(candidate.text) or candidate.source.trust > fact.source.trust:
        return False
    if _same_slot(fact, candidate):
        if fact.value is None or candidate.value is None:
            return fact.slot is not None and not fact.slot.many and fact.value is None
        return _overlapping(fact.value, candidate.value)
    return _same_subject(fact, candidate) and _shared(_topic(fact), _topic_of(candidate)) >= SAME_TOPIC


def _topic(fact: Fact) -> set[str]:
    return _bag(_NEGATIVE.sub(" ", fact.text)) - {"longer", "any", "more", "anymore", "forget", "asks", "asked", "user"}


def _topic_of(candidate: Candidate) -> set[str]:
    return _bag(candidate.text) - {"user"}


def _same_slot(fact: Fact, candidate: Candidate) -> bool:
    return fact.slot is not None and candidate.slot is not None and fact.slot.key == candidate.slot.key


def _same_subject(fact: Fact, candidate: Candidate) -> bool:
    """By slot where both have one; else both texts begin with the same word."""
    if fact.slot and candidate.slot:
        return fact.slot.key[0] == candidate.slot.key[0]
    one, other = fact.text.split(), candidate.text.split()
    skip = 2 if one[:1] == ["The"] else 1
    return [word.casefold() for word in one[:skip]] == [word.casefold() for word in other[:skip]]


def _same_value(fact: Fact, candidate: Candidate) -> bool:
    if not _same_slot(fact, candidate) or not fact.value or not candidate.value or _is_negative(candidate.text):
        return False
    same = " ".join(words(fact.value)) == " ".join(words(candidate.value)) and _numbers(fact.value) == _numbers(
        candidate.value
    )
    if not same or fact.event != candidate.event or fact.kind is not candidate.kind:
        return False
    return not _adds_words(fact, candidate)


def _says_the_same(fact: Fact, candidate: Candidate) -> bool:
    if fact.event != candidate.event or _numbers(fact.text) != _numbers(candidate.text):
        return False
    if text_key(fact.text) == text_key(candidate.text):
        return True
    if not _same_subject(fact, candidate) or _is_negative(fact.text) != _is_negative(candidate.text):
        return False
    if fact.slot and candidate.slot and fact.value and candidate.value and not _same_value(fact, candidate):
        return False
    new, old = _bag(fact.text), _bag(candidate.text)
    return len(new - old) == 0 or _shared(new, old) >= SAME_TEXT


def _refines(fact: Fact, candidate: Candidate) -> bool:
    """Same slot and a value that contains the old one; or more words about the same dated thing."""
    if candidate.source.trust > fact.source.trust or _is_negative(fact.text) != _is_negative(candidate.text):
        return False
    if not _same_subject(fact, candidate) or not _numbers(candidate.text) <= _numbers(fact.text):
        return False
    if _same_slot(fact, candidate) and fact.value and candidate.value:
        old, new = words(candidate.value), words(fact.value)
        if set(old) < set(new) and fact.event == candidate.event:
            return True
    return fact.kind is candidate.kind and fact.event == candidate.event and _adds_words(fact, candidate)


def _adds_words(fact: Fact, candidate: Candidate) -> bool:
    old, new = _bag(candidate.text), _bag(fact.text)
    return old < new and len(old) >= 3


def _overlapping(one: str, other: str) -> bool:
    left, right = _bag(one), _bag(other)
    return bool(left) and bool(right) and (left <= right or right <= left)


def _bag(text: str) -> set[str]:
    return {_stem(word) for word in words(text) if word not in _PLAIN} | _numbers(text)


def _stem(word: str) -> str:
    return word[:-2] if word.endswith("'s") else word[:-1] if word.endswith("s") and len(word) > 3 else word


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _shared(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0


def _is_negative(text: str) -> bool:
    return bool(_NEGATIVE.search(text))
