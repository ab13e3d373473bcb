"""The guard: pure code that no decision passes unchecked, whoever made it.

A refused Update falls back to an Add, a refused Delete to an Add of the negative fact, a bare "forget" to a Keep without
target; all flagged with what was refused. Nothing is ever deleted and its replacement dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never
from unicodedata import normalize

from ..dates import MONTHS, WEEKDAYS
from ..model import Add, Candidate, Case, Decision, Delete, EventTime, Fact, Keep, Update, text_key
from ..safety.quarantine import judge_fact
from ..safety.trust import Trust
from .candidates import candidate_of, meant, names
from .evidence import MAX_TEXT

TRUST = Trust()
MAX_DELETED = 5  # targets of one retraction; more is taken for a mistake
SAME_WORDS = 0.5  # share of common words (Jaccard) from which a retraction is about a row with neither slot nor entity

# Nothing parts Chinese and Japanese from a name or a number: there, each character is a word.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_CHARACTER = re.compile(f"[{_CJK}]")
_NAME_OR_NUMBER = re.compile(rf"\d[\d.,:/-]*|(?<![^\W{_CJK}])[^\W\d_{_CJK}](?:[^\W{_CJK}]|['’-])*")
_DIGITS = re.compile(r"\d+")
_GENITIVE = re.compile(r"['’]s?$")
_GERMAN = re.compile(r"\b(?:der|die|das|und|ist|nicht|eine?|einer|mit|für|von|dem|den|des|hat)\b")


def guard(cases: Sequence[Case], decisions: Sequence[Decision], trust: Trust = TRUST) -> tuple[Decision, ...]:
    """Decisions that can do no harm, one per case."""
    taken: set[tuple[str, object]] = set()
    checked = []
    for case, decision in zip(cases, decisions, strict=True):
        problem = _refusal(case, decision, taken) or _refuse_trust(case, decision, trust)
        final = decision if problem is None else _fallback(case, problem)
        if isinstance(final, Update | Delete):
            taken |= {meant(candidate_of(case, number)) for number in final.targets}
        checked.append(final)
    return tuple(checked)


def _fallback(case: Case, problem: str) -> Decision:
    if case.fact.bare_forget:
        return Keep(None, reason="nothing to forget", flag=problem)
    return Add(reason="kept beside what is known", flag=problem)


def _refusal(case: Case, decision: Decision, taken: set[tuple[str, object]]) -> str | None:
    match decision:
        case Add():
            return "a bare request to forget states nothing" if case.fact.bare_forget else None
        case Keep(target):
            return _refuse_nothing(case) if target is None else _unknown(case, (target,))
        case Update():
            return _refuse_targets(case, decision.targets, taken) or _refuse_update(case, decision)
        case Delete():
            return _refuse_targets(case, decision.targets, taken) or _refuse_delete(case, decision)
        case _:
            assert_never(decision)


def _refuse_nothing(case: Case) -> str | None:
    """A fact that states something is not dropped unless something that says it already is named."""
    return None if case.fact.bare_forget else "nothing that says it was named"


def _unknown(case: Case, targets: Sequence[int]) -> str | None:
    numbers = {candidate.number for candidate in case.candidates}
    return None if set(targets) <= numbers else "unknown target"


def _refuse_targets(case: Case, targets: Sequence[int], taken: set[tuple[str, object]]) -> str | None:
    if not targets or len(set(targets)) != len(targets):
        return "no target, or one twice"
    if problem := _unknown(case, targets):
        return problem
    if any(meant(candidate_of(case, number)) in taken for number in targets):
        return "two operations on one target"
    return None


def _refuse_trust(case: Case, decision: Decision, trust: Trust) -> str | None:
    """What is trusted less neither ends nor replaces what is trusted more."""
    if not isinstance(decision, Update | Delete):
        return None
    targets = [candidate_of(case, number) for number in decision.targets]
    return "a source of lower trust" if any(trust.refuses(case.fact, one) for one in targets) else None


def _refuse_update(case: Case, decision: Update) -> str | None:
    text = decision.text.strip()
    if not text:
        return "empty update"
    if len(text) > MAX_TEXT:
        return f"text longer than {MAX_TEXT} characters"
    if case.fact.bare_forget:
        return "a bare request to forget states nothing"
    targets = [candidate_of(case, number) for number in decision.targets]
    if invented(text, case.fact, targets):
        return "names or numbers that occur nowhere"
    return "orders that the fact does not give" if judge_fact(replace(case.fact, text=text, evidence=()), ()) else None


def _refuse_delete(case: Case, decision: Delete) -> str | None:
    if not case.fact.retracts:
        return "a deletion without a retraction"
    if len(decision.targets) > MAX_DELETED:
        return "mass deletion"
    if not all(is_about(case.fact, candidate_of(case, number)) for number in decision.targets):
        return "the target shares neither slot nor entity"
    return None


def is_about(fact: Fact, candidate: Candidate) -> bool:
    """Whether a retraction concerns a candidate: same slot, a common entity, or largely the same words."""
    if fact.slot and candidate.slot and fact.slot.key == candidate.slot.key:
        return True
    if names(fact.entities) & names(candidate.entities):
        return True
    return overlap(fact.text, candidate.text) >= SAME_WORDS


def overlap(one: str, other: str) -> float:
    """Share of common words (Jaccard), 0..1."""
    left, right = (set(_CHARACTER.sub(r" \g<0> ", text_key(text)).split()) for text in (one, other))
    return len(left & right) / len(left | right) if left | right else 0.0


# --- what an update makes up -------------------------------------------------------------------------------------------


def invented(text: str, fact: Fact, targets: Sequence[Candidate]) -> set[str]:
    """Names and numbers of an update's text that occur neither in the fact, nor in a target, nor in their dates."""
    text = normalize("NFKC", text)  # full-width digits
    known = normalize("NFKC", " ".join((fact.text, fact.value or "", *(target.text for target in targets))))
    words = {_bare(word) for word in _NAME_OR_NUMBER.findall(known)}
    dated = [one for one in (fact.event, *(target.event for target in targets)) if one is not None]
    return marks(text) - marks(known) - words - {mark for event in dated for mark in _told_of(event)}


def marks(text: str) -> set[str]:
    """Numbers (without leading zeros), and words with a capital inside a sentence, without case: what must not be invented.

    German writes every noun with a capital, and inflects it: of a German text only the numbers.
    """
    found = set()
    german = len(set(_GERMAN.findall(text))) > 1
    for match in _NAME_OR_NUMBER.finditer(text):
        word = match[0]
        before = text[: match.start()].rstrip()
        if word[0].isdigit():
            found |= {number.lstrip("0") or "0" for number in _DIGITS.findall(word)}
        elif word[0].isupper() and before and before[-1] not in ".!?" and not german:
            found.add(_bare(word))
    return found


def _bare(word: str) -> str:
    """A word without case and genitive: "Daniel's" and "James'" name Daniel and James."""
    return _GENITIVE.sub("", word.casefold()).rstrip("-")


def _told_of(event: EventTime) -> set[str]:
    """How an event's dates may be written out."""
    ends = (event.start, event.end)
    numbers = {str(part) for end in ends for part in (end.year, end.month, end.day)}
    words = {word.casefold() for end in ends for word in (MONTHS[end.month - 1], WEEKDAYS[end.weekday()])}
    return numbers | words
