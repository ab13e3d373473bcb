"""A clause as a statement: an adverbial, a subject of the speaker's, a verb and its form, and the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from .verbs import ADVERBS, PARTICIPLES, is_past

INTRO = (
    r"(?:last|next|this|yesterday|today|tonight|tomorrow|recently|lately|in|on|at|when|since|after|before|once|as|during|for|every|now"
    r"|currently|two|three|four|five|six|a|an|one|until|while|usually|later|earlier|soon|over|from|with|outside|besides|then|first"
    r"|finally|apart|aside|by|each|around|afterwards|also|back|growing|ever|sometimes|early|late|the other|few|several)"
)
KIN = (
    r"(?:(?:grand|step)?(?:mother|father|son|daughter)|mom|mum|dad|(?:step)?(?:brother|sister)|wife|husband|partner|girlfriend|boyfriend"
    r"|fianc[ée]e?|spouse|cousin|uncle|aunt|auntie|niece|nephew|grandma|granny|grandpa|roommate|flatmate|(?:best )?friend|boss|manager"
    r"|colleague|co-?worker|neighbou?r|mentor|teacher|coach|doctor|therapist|twin|(?:mother|father|sister|brother)-in-law|ex(?:-wife|-husband)?"
    r"|kid|child|baby|toddler)"
)
PET = r"(?:dog|cat|puppy|pup|kitten|kitty|hamster|rabbit|bunny|parrot|horse|pony|turtle|tortoise|goldfish|guinea pig|snake|lizard|bird|ferret)"
GROUP = (
    r"(?:kids|children|parents|sisters|brothers|friends|sons|daughters|grandparents|dogs|cats|students|colleagues|co-?workers|pets"
    r"|family|fam|folks|team|buddies|siblings|pups|neighbou?rs|teammates)"
)
SOMEBODY = rf"(?:{KIN}|{PET}s?|{GROUP})"
_AND_I = rf"(?:(?:[Mm]y|[Oo]ur) (?:[\w-]+ ){{0,2}}?{SOMEBODY}(?: (?-i:[A-Z])\w+)?|(?-i:[A-Z])[\w-]+) and I"
_THEIRS = rf"(?:[Mm]y|[Oo]ur) (?:[\w-]+ ){{0,2}}?{SOMEBODY}(?:,? (?-i:[A-Z])\w+\b,?)?"
_THEIR_THING = (
    r"(?:[Mm]y|[Oo]ur) (?:[\w’'-]+ ){0,2}?[\w’'-]+(?= (?:just |also |really |always )?(?:is|are|was|were|has|have|had|got|broke|came|went|ran|lost|won|fell|died|took|gave|made|left"
    r"|\w{3,}ed|includes?|means)\b)"
)
_STATEMENT = re.compile(
    rf"^(?P<lead>{INTRO}\b[^.!?;]{{0,90}}?[\s,]\s*)??(?P<subject>{_AND_I}|I|[Ww]e|{_THEIRS}|{_THEIR_THING})(?P<tail>['’](?:m|re|ve|ll|d|s))?"
    r"\s+(?P<predicate>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_WORD = re.compile(r"[\w’'-]+")
SUBORDINATE = re.compile(
    r"(?:when|while|since|after|before|as|once|until|because|although|though|if|ever)\b", re.IGNORECASE
)
_FINITE = re.compile(r"\b(?:is|was|are|were|has|had|have|will|['’]s|I|we|you|it)\b")
_TIME = re.compile(r"\b(?:day|night|time|days|weeks?|months?|years?|weekend|morning|evening|ago|back|while)\b")


class Form(StrEnum):
    """What the verb's form tells of the time and the truth of a statement."""

    PAST = "past"
    PERFECT = "perfect"
    ONGOING = "ongoing"
    PRESENT = "present"
    STATE = "state"
    FUTURE = "future"
    POSSIBLE = "possible"
    NEGATED = "negated"


@dataclass(frozen=True, slots=True)
class Statement:
    """ "Last week I finally bought a car": lead "Last week ", subject "I", form PAST, verb "bought", rest "a car"."""

    lead: str
    subject: str
    form: Form
    verb: str
    rest: str
    intent: str = ""  # what a plan is told by: "planning to", "will"

    @property
    def own(self) -> bool:
        """Whether the speaker is (among) the subject."""
        return self.subject.casefold() in ("i", "we") or self.subject.endswith(" I")


_BE = frozenset("am is are was were 'm 're 's".split())
_HAVE = frozenset("have has had 've".split())
_POSSIBLE = frozenset(
    "would could should might may must can 'd ought shall couldn't wouldn't shouldn't can't cannot".split()
)
_NEGATED = frozenset(
    "don't do doesn't didn't did haven't hasn't hadn't isn't wasn't aren't weren't won't never not ain't rarely hardly".split()
)
_INTENT = frozenset("plan plans intend want wants hope hopes aim decided need wanna planned wish".split())


def parse(clause: str) -> Statement | None:
    """The statement that a clause makes about the speaker or somebody of theirs; None where it makes none."""
    head, comma, main = clause.partition(", ")
    if comma and SUBORDINATE.match(head) and (inner := parse(main)) is not None:
        return replace(inner, lead=f"{head}, {inner.lead}")
    match = _STATEMENT.match(clause)
    if match is None or match["subject"] == "i" or not _is_adverbial(match["lead"] or ""):
        return None
    tail = (match["tail"] or "").replace("’", "'").casefold()
    found = _form(
        tail, [(one[0].casefold().replace("’", "'"), one.end()) for one in _WORD.finditer(match["predicate"])]
    )
    if found is None:
        return None
    form, verb, end = found
    predicate = match["predicate"]
    return Statement(match["lead"] or "", match["subject"], form, verb, predicate[end:].strip(), tail + predicate[:end])


def _is_adverbial(lead: str) -> bool:
    """ "Last week", "when I was young" lead in a statement; "one memory for me was" is one already."""
    if SUBORDINATE.match(lead):
        return True
    if re.search(r",\s*(?:when|while|after|before|as)\b", lead):
        return False
    counted = not re.match(r"(?:one|an?|two|three|four|five|six)\b", lead, re.IGNORECASE) or bool(_TIME.search(lead))
    return counted and not _FINITE.search(lead)


def _form(tail: str, tokens: list[tuple[str, int]]) -> tuple[Form, str, int] | None:
    """The form, the main verb, and where it ends."""
    negated = any(word in ("never", "not", "rarely", "hardly") for word, _ in tokens[:2])
    words = [(word, end) for word, end in tokens if word not in ADVERBS or word in ("not", "never")][:4]
    first = tail or (words[0][0] if words else "")
    following = words if tail else words[1:]
    if not first or (not following and tail):
        return None
    if first in _NEGATED or negated:
        return (Form.NEGATED, *(following or words)[0])
    if first in _POSSIBLE:
        return (Form.POSSIBLE, *(following or words)[0])
    if not following:
        return Form.PAST if is_past(first) else Form.PRESENT, *words[0]
    if first in _BE:
        return _be(first, following, 0 if tail else words[0][1])
    if first in _HAVE:
        return _have(first, following, words[0])
    if first in ("will", "'ll", "gonna"):
        return (Form.FUTURE, *following[0])
    if first in _INTENT and following[0][0] == "to" and len(following) > 1:
        return (Form.FUTURE, *following[1])
    return Form.PAST if is_past(first) else Form.PRESENT, *words[0]


def _be(first: str, following: list[tuple[str, int]], after: int) -> tuple[Form, str, int]:
    word, end = following[0]
    if word == "gonna" or (
        word in ("going", "planning", "hoping", "looking") and len(following) > 2 and following[1][0] == "to"
    ):
        later = following[min(len(following) - 1, 1 if word == "gonna" else 2)]
        return (Form.FUTURE, *later) if later[0] not in ("a", "the", "an", "my") else (Form.FUTURE, word, end)
    to = following[1][0] if len(following) > 1 else ""
    if word == "able" and to == "to" and len(following) > 2:
        return (Form.PAST if first in ("was", "were") else Form.POSSIBLE, *following[2])
    if word == "planning" or (word == "going" and (to in ("to", "on", "back", "home") or to.endswith("ing"))):
        return Form.FUTURE, word, end
    if word.endswith("ing") and len(word) > 4:
        return (Form.PAST if first in ("was", "were") else Form.ONGOING), word, end
    return Form.STATE, first, after


def _have(first: str, following: list[tuple[str, int]], own: tuple[str, int]) -> tuple[Form, str, int]:
    word, end = following[0]
    if word == "to":
        return (Form.POSSIBLE, *following[min(1, len(following) - 1)])
    if word == "been" and len(following) > 1:
        after, after_end = following[1]
        if PARTICIPLES.match(after):
            return Form.PERFECT, after, after_end
        return (Form.ONGOING, after, after_end) if after.endswith("ing") else (Form.STATE, after, 0)
    if word == "got" and first != "had":
        return Form.PRESENT, "have", end
    if PARTICIPLES.match(word):
        return Form.PERFECT, word, end
    return (Form.PAST, "had", own[1]) if first == "had" else (Form.PRESENT, "have", own[1])
