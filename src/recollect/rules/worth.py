"""What is worth keeping: a statement with something definite in it. Positive evidence, no list of phrases to drop."""

from __future__ import annotations

import re

from .sentences import FUNCTION_WORDS, words
from .statement import Form, Statement
from .verbs import ADVERBS
from .vocabulary import INNER, LIGHT, MENTAL, VAGUE

MAYBE = re.compile(
    r"\b(?:if|whether|unless|maybe|perhaps|imagine|suppose|wish|hopefully|kidding|joking|(?:could|would|should)(?:['’]ve| have)"
    r"|might|probably|in case|was I|am I)\b",
    re.IGNORECASE,
)
REQUEST = re.compile(
    r"^(?:please|can|could|would|will|recommend|suggest|tell|give|show|help|explain|write|let'?s?|what|how|why|when did|where|who|which)\b",
    re.IGNORECASE,
)
_ACTIVITY = re.compile(
    r"(?:work|live|run|own|teach|volunteer|study|practi[cs]e|train|attend|coach|collect|drive|commute|write|play|paint|draw|cook|bake|bike|hike"
    r"|swim|dance|sing|read|watch|eat|drink|visit|wear|sell|rent|raise|meet|go|take|use|speak|own|lead|head|belong|walk|manage|sleep"
    r"|wake|get up|prefer|avoid|stream|code|garden|knit|sew|fish|camp|surf|ski|lift|jog|exercise|meditate|organi[sz]e|host|earn)s?"
)
_BEING = re.compile(
    r"(?:an?|the|my|our|in|at|on|from|full of|born|based|married|engaged|named|called|promoted|hired|diagnosed|invited|(?:\w+ed|hit) by|\d+)\b"
)
_PLANNED = re.compile(r"plan|going|gonna|decid|intend|sign")
_SOMEBODY = re.compile(r"\b(?:someone|somebody|some (?:\w+ )?(?:people|friends|folks))\b(?! (?:named|called)\b)")
_OBJECT = re.compile(r"(?:an?|my|our|some|two|three|four|five|to|from|in|at|into)\b", re.IGNORECASE)
_OFTEN = re.compile(
    r"\b(?:every|each|once|twice|times|daily|weekly|monthly|on (?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends|mornings|since)\b",
    re.IGNORECASE,
)
_THOUGHT = re.compile(r"(?:out )?(?:that|how|what|why|whether|I|we|it|there|sure|my \w+ (?:is|was))\b")
_ATTEMPT = re.compile(r"(?:trying|tried) to\b|having (?:a hard time|trouble|difficult|issues|problems)")
_GAP = re.compile(r"(?:on|with|for|about|to|at|of)(?:$| (?:for|since|lately|and|because)\b)")  # "[what] I worked on"
_WANTS_OBJECT = frozenset(
    "started finished began played worked used went ran called asked stopped happened was were".split()
)
_SPEAKER = ("i", "we")
NEVER = 99


def content_words(text: str) -> list[str]:
    """The words that name something."""
    empty = (FUNCTION_WORDS, VAGUE, MENTAL, ADVERBS)
    return [word for word in words(text) if len(word) > 2 and not any(word in some for some in empty)]


def is_definite(statement: Statement, names: int, dates: int, pointed: bool = False) -> bool:
    """Whether a statement says something that a question could ask for. `names` and `dates` (or numbers) are what it
    can be held by; `pointed`: something in it was pointed at ("this one") and is not known further."""
    told = max(len(content_words(statement.rest)), names)
    if _is_empty(statement, told, names + dates):
        return False
    weight = told - pointed - bool(_SOMEBODY.search(statement.rest))
    weight += statement.form is not Form.STATE and statement.verb not in MENTAL
    weight += statement.subject.casefold() not in _SPEAKER  # who it is about tells something too
    return weight >= _needed(statement, names + dates > 0)


def _is_empty(statement: Statement, told: int, anchors: int) -> bool:
    """Nothing but a mood, an attempt, a thought, or a verb without its object."""
    whole = statement.form is Form.PAST and statement.verb not in _WANTS_OBJECT | MENTAL  # "I graduated in May"
    if not told and not (anchors and whole):
        return True
    if statement.subject.casefold() not in _SPEAKER and not content_words(statement.subject):
        return True
    if statement.verb in INNER or statement.verb == "be" or _ATTEMPT.match(f"{statement.verb} {statement.rest}"):
        return True
    if statement.verb in LIGHT and _THOUGHT.match(statement.rest):
        return True
    return bool(_GAP.match(statement.rest)) or (statement.rest.startswith("forward") and not anchors)


def _needed(statement: Statement, anchored: bool) -> int:
    """The words that a statement of its form must have, less where a name, a date or a number holds it."""
    light, rest = statement.verb in MENTAL, statement.rest
    general = statement.subject.casefold() == "we" and not anchored
    match statement.form:
        case Form.STATE if _BEING.match(rest):
            return 2 if anchored else NEVER if statement.subject.casefold() in _SPEAKER else 3
        case Form.PRESENT if _ACTIVITY.fullmatch(statement.verb) or (anchored and statement.verb == "have"):
            return 3 - light - (anchored or bool(_OFTEN.search(rest)))
        case Form.FUTURE:
            planned = not light and bool(_PLANNED.search(statement.intent))
            return 3 - planned if anchored else 3 + general if planned else NEVER
        case Form.PAST | Form.PERFECT | Form.ONGOING:
            whole = not light and (statement.form is Form.ONGOING or bool(_OBJECT.match(rest)))
            return 3 - light - (anchored or whole) + general
        case _:
            return NEVER
