"""Decisions without a model: by slot, by near-identical text, by explicit retraction. Never across subjects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..candidates import meant, names
from ..guard import marks
from ..model import (
    Add,
    Candidate,
    Case,
    Decision,
    Delete,
    Fact,
    Keep,
    Kind,
    Mode,
    Precision,
    Reconciliation,
    Update,
    text_key,
)
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
_OVER = r"quit|stopped|cancell?ed|sold|resigned|gave (?:up|away)|given (?:up|away)|got rid of|broke up|split up|died|passed away"
_NEGATIVE = re.compile(rf"\b(?:no longer|not|never|{_OVER})\b|n['’]t\b", re.IGNORECASE)
_QUOTED = "[\"'“‘]?"
_CHANGED = re.compile(
    rf"^(?P<what>.*\b(?:chang|updat|evolv|switch|increas|decreas|rais|went|rose|fell|refin)\w*\b.*?) from {_QUOTED}(?P<old>.{{1,60}}?)[\"'”’]?"
    rf" to {_QUOTED}(?P<new>.{{1,80}}?)[\"'”’]?(?:[,.]|$| due\b| because\b)",
    re.IGNORECASE,
)
_SUBJECT = re.compile(rf"^(?:The )?\w+(?:['’]s (?:\w+ )?(?:{KIN}|{PET})\b(?: [A-Z]\w+)?)?", re.ASCII)
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
_NEVER_WAS = re.compile(r"\bnever (?:was|were|had|has|did|been|lived|worked|owned|said|\w+ed)\b", re.IGNORECASE)
_INSTEAD = re.compile(r"\b(?:instead of|in place of|in exchange for|rather than)\s+(?P<old>[^,;.!?]+)", re.IGNORECASE)
# An end that is an event of its own, or that tells its reason, is worth remembering; what is merely over is not.
_ENDING = re.compile(
    rf"\b(?!stopped)(?:{_OVER}|left|lost|returned|crashed|fired|laid off|called off|divorced|separated)\b",
    re.IGNORECASE,
)
_REASON = re.compile(r"\b(?:because|since|due to|for lack of|owing to)\b", re.IGNORECASE)
_EVERYTHING = re.compile(r"\beverything (?:about|on|of) (?P<whom>.+)", re.IGNORECASE)
_PLANNED = frozenset("plan want wish hope intend will go going".split())
TOLD_MORE = 3  # content words that a fact has and a memory of the same value has not, from which it is no repetition
LOST = 1  # content words of a memory that a fact may leave out and still stand for both
_CHANGE_WORDS = frozenset(
    "chang updat evolv switch increas decreas rais went rose fell refin statu ha have been was".split()
)
_OPPOSITE = {"likes": "dislikes", "dislikes": "likes"}
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
            free = [candidate for candidate in case.candidates if meant(candidate) not in taken]
            decision = _decide(case.fact, free, case.candidates)
            if isinstance(decision, Update | Delete):
                numbered = {candidate.number: candidate for candidate in case.candidates}
                taken |= {meant(numbered[number]) for number in decision.targets}
            decisions.append(decision)
        return Reconciliation(tuple(decisions))


def _decide(fact: Fact, free: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    if fact.retracts:
        return _retract(fact, free, every)
    for candidate in every:
        if _says_the_same(fact, candidate) or _same_value(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    mine = [one for one in free if one.source.trust <= fact.source.trust]
    for ends, mode, reason in _CHANGES:
        targets = [candidate for candidate in mine if ends(fact, candidate)]
        if targets:
            first = max(targets, key=lambda one: (not _CHANGED.match(one.text), one.similarity, one.valid_from))
            return Update((first.number,), mode, fact.text, reason=reason)
    return Add(reason="nothing that it would change")


def _retract(fact: Fact, free: Sequence[Candidate], every: Sequence[Candidate]) -> Decision:
    targets = tuple(one.number for one in free if _is_ended(fact, one))[:MAX_ENDED]
    if targets and not fact.bare_forget and _NEVER_WAS.search(fact.text):
        return Update(targets, "revise", fact.text, reason="it never was so")
    if targets and not fact.bare_forget and _is_event(fact):
        return Update(targets, "supersede", fact.text, reason="it ended, and how is told")
    if targets:
        return Delete(targets, reason="no longer so")
    if fact.bare_forget:
        return Keep(None, reason="nothing like it is known", flag="nothing to forget")
    for candidate in every:
        if _says_the_same(fact, candidate):
            return Keep(candidate.number, reason="says the same")
    return Add(reason="nothing that it would end", flag="unmatched retraction")


def _is_ended(fact: Fact, candidate: Candidate) -> bool:
    if _is_negative(candidate.text) or candidate.source.trust > fact.source.trust:
        return False
    if fact.bare_forget and _all_about(fact) & names(candidate.entities):
        return True
    if candidate.kind is Kind.EVENT and candidate.event is not None and not fact.bare_forget:
        return False  # it has happened, whatever is over now
    if _same_slot(fact, candidate) or _liked_best(fact, candidate):
        if fact.value is None or candidate.value is None:
            return fact.slot is not None and not fact.slot.many and fact.value is None
        return _overlapping(fact.value, candidate.value)
    return _same_subject(fact, candidate) and _shared(_topic(fact), _topic_of(candidate)) >= SAME_TOPIC


def _all_about(fact: Fact) -> set[str]:
    """Of whom or what everything is to be forgotten; who asks for it is not meant."""
    asked = _EVERYTHING.search(fact.text)
    return {name for name in names(fact.entities) if asked and name in asked["whom"].casefold()}


def _is_event(fact: Fact) -> bool:
    """Whether an end is told with its day, its reason, or as something that was done."""
    return fact.event is not None or bool(_ENDING.search(fact.text) or _REASON.search(fact.text))


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
    if fact.kind is not candidate.kind or _adds_words(fact, candidate) or _tells_more(fact, candidate):
        return False
    single = fact.slot is not None and not fact.slot.many
    if not single and not _numbers(fact.text) <= _numbers(candidate.text):
        return False  # another time, as its number tells
    return fact.event == candidate.event or (single and fact.event is None)


def _says_the_same(fact: Fact, candidate: Candidate) -> bool:
    """The candidate has all its words, and nothing else speaks against."""
    if fact.event != candidate.event or _numbers(fact.text) != _numbers(candidate.text):
        return False
    if candidate.kind is Kind.PLAN and fact.kind is Kind.EVENT:
        return False  # it has come about
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
    if fact.kind is candidate.kind and _adds_words(fact, candidate) and candidate.event in (None, fact.event):
        return True
    dated = candidate.event is None and fact.slot is not None and not fact.slot.many
    if not dated and not _within(fact, candidate):
        return False
    if not _same_slot(fact, candidate) or not (fact.value and candidate.value):
        return False
    if _equal(fact.value, candidate.value):
        return dated or _tells_more(fact, candidate)
    return _within(fact, candidate) and _marks(candidate.value) < _marks(fact.value)


def _came_about(fact: Fact, candidate: Candidate) -> bool:
    """The planned thing has happened, or has not; or its time is told more precisely."""
    if not _same_slot(fact, candidate) or not _equal(fact.value, candidate.value) or candidate.event is None:
        return False
    if not _within(fact, candidate) or not _numbers(candidate.text) <= _numbers(fact.text):
        return False
    about = candidate.kind is Kind.PLAN and fact.kind is Kind.EVENT
    return (about or fact.event != candidate.event) and _stands_for(fact, candidate)


def _within(fact: Fact, candidate: Candidate) -> bool:
    """Of the same time, or of a part of it: "on 3 May" where "in May" is known."""
    if fact.event is None or candidate.event is None:
        return fact.event == candidate.event
    return candidate.event.start <= fact.event.start and fact.event.end <= candidate.event.end


def _tells_more(fact: Fact, candidate: Candidate) -> bool:
    """Far more than a memory whose words it has, nearly all of them."""
    return len(_bag(fact.text) - _bag(candidate.text)) >= TOLD_MORE and _stands_for(fact, candidate)


def _stands_for(fact: Fact, candidate: Candidate) -> bool:
    """Whether next to nothing is lost where the fact takes the memory's place."""
    return len(_bag(candidate.text) - _bag(fact.text) - _PLANNED) <= LOST


def _corrects(fact: Fact, candidate: Candidate) -> bool:
    """It names what was told before as wrong: "Halle, not Hall"; or says of its slot that there was a mistake."""
    if not _same_slot(fact, candidate) or _ANY_MORE.search(fact.text):
        return False
    return _denies(fact, candidate) or (_within(fact, candidate) and bool(_MISTAKEN.search(fact.text)))


def _denies(fact: Fact, candidate: Candidate) -> bool:
    denied = _NOT.search(fact.text)
    if denied is None or _is_negative(candidate.text):
        return False
    old, told = _bag(denied["old"]), _bag(fact.text[: denied.start()] + fact.text[denied.end() :])
    return bool(old) and bool(told) and old <= _bag(candidate.text) and not old <= told


# --- what ends or replaces a memory ------------------------------------------------------------------------------------


def _new_value(fact: Fact, candidate: Candidate) -> bool:
    """In a single-valued slot the new value ends the old one."""
    return (
        _same_slot(fact, candidate)
        and fact.slot is not None
        and not fact.slot.many
        and bool(fact.value and candidate.value)
        and not _long_before(fact, candidate)
    )


def _replaces(fact: Fact, candidate: Candidate) -> bool:
    """ "A cargo bike in place of the city bike"."""
    replaced = _INSTEAD.search(fact.text)
    if replaced is None or not _same_slot(fact, candidate) or not candidate.value:
        return False
    return _bag(candidate.value) <= _bag(replaced["old"])


def _long_before(fact: Fact, candidate: Candidate) -> bool:
    """A time of one's life that was over before the memory began: "lived in Cork from 2012 to 2015" ends no present home."""
    told = fact.event
    return told is not None and told.precision is Precision.RANGE and told.end < candidate.valid_from


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
    (_replaces, "supersede", "it says itself what it takes the place of"),
    (_corrects, "revise", "it was told wrongly"),
    (_came_about, "revise", "the same occasion, and how it came"),
    (_refines, "revise", "the same, told in more detail"),
    (_new_value, "supersede", "a new value of its slot"),
    (_turned, "supersede", "liked and disliked change places"),
    (_reworded, "revise", "the same in other words"),
)


def _adds_words(fact: Fact, candidate: Candidate) -> bool:
    old, new = _bag(candidate.text), _bag(fact.text)
    return old < new and len(old) >= 3


def _marks(value: str) -> set[str]:
    """Words and numbers of a value."""
    return set(words(value)) | _numbers(value)


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
