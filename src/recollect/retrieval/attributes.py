"""Which attribute of whom a question asks for: "Where does Nora live?" is about the slot (Nora, home), though "home" is no
word of it. Pure. English alone, as the rules are; the commonest questions alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple


class Wanted(NamedTuple):
    """Whom a question is about, in its own words, and what such an attribute is called in slots (casefolded)."""

    who: str
    attributes: tuple[str, ...]


_HOME = ("home", "residence", "address", "city", "home city", "current city", "location", "living situation")
_EMPLOYER = ("employer", "workplace", "company")
_JOB = ("occupation", "job", "profession", "job title", "role")
_PARTNER = ("partner", "spouse", "wife", "husband", "girlfriend", "boyfriend", "relationship status", "marital status")
_AGE = ("age", "birth year", "birthday", "date of birth")
_BORN = ("birthday", "date of birth", "birth year")
_PETS = ("pets", "pet", "dog", "cat")
_ALLERGIES = ("allergies", "allergy")
_ORIGIN = ("origin", "hometown", "birthplace", "home country", "nationality")
_SCHOOL = ("school", "university", "college", "studies")
_STUDIES = ("field of study", "studies", "major", "subject")
_LANGUAGES = ("languages", "language")
_HOBBIES = ("hobbies", "hobby", "instrument", "sport")
_CHILDREN = ("children", "child", "kids", "number of children")
_SIBLINGS = ("siblings", "sibling")
_DIET = ("diet", "dietary preference")
_HEALTH = ("health", "health condition", "illness")
_OWNS = ("possessions", "owns", "car", "vehicle")

# "What is Nora's …?": what it may be called in slots beside what the question calls it.
_NAMES: Mapping[str, tuple[str, ...]] = {
    name: names
    for names in (_HOME, _EMPLOYER, _JOB, _PARTNER, _BORN, _PETS, _ALLERGIES, _SCHOOL, _STUDIES, _LANGUAGES, _HOBBIES, _CHILDREN,
                  _SIBLINGS, _DIET, _HEALTH)
    for name in names
} | {"age": _AGE, "work": (*_JOB, *_EMPLOYER), "workplace": _EMPLOYER, "hometown": _ORIGIN, "nationality": _ORIGIN,
     "major": _STUDIES,
      "fiancé": _PARTNER, "fiancée": _PARTNER, "fiance": _PARTNER, "car": _OWNS,
     "email address": ("email", "e-mail")}  # fmt: skip

_WHO = r"(?P<who>[^\W\d_][\w'’.-]*(?: [\w'’.-]+){0,3}?)"
_DO, _BE = r"(?:do|does|did)", r"(?:is|are|am|was|were)"
_NOW = r"(?: (?:currently|now|still|these days))?"
_ASKED: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern.format(who=_WHO, do=_DO, be=_BE, now=_NOW), re.IGNORECASE), names)
    for pattern, names in (
        (r"^(?:where|(?:in )?(?:what|which) (?:city|town|country|place)) {do} {who}{now} (?:live|reside)\b", _HOME),
        (r"^(?:where|(?:in )?(?:what|which) (?:city|town|country|place)) {be} {who}{now} (?:living|based)\b", _HOME),
        (r"^where (?:have|has|did|do|does) {who} moved?(?: to)?\b", _HOME),
        (r"^(?:where|(?:for )?(?:what|which) company) {do} {who}{now} work\b", _EMPLOYER),
        (r"^(?:who|whom) {do} {who}{now} work for\b", _EMPLOYER),
        (r"^(?:where|who) {be} {who}{now} (?:working|employed)\b", _EMPLOYER),
        (r"^what {do} {who}{now} do{now}(?: for (?:a living|work))?\W*$", (*_JOB, *_EMPLOYER)),
        (r"^what {do} {who}{now} work as\b", _JOB),
        (r"^who {be} {who}{now} (?:married to|engaged to|dating|in a relationship with)\b", _PARTNER),
        (r"^{be} {who}{now} (?:married|single|engaged|divorced|in a relationship)\b", _PARTNER),
        (r"^how old {be} {who}\W*$", _AGE),
        (r"^(?:when|on (?:what|which) day) {be} {who} born\b", _BORN),
        (r"^where {be} {who} (?:from|born)\b", _ORIGIN),
        (r"^where {do} {who} (?:come from|grow up)\b", _ORIGIN),
        (r"^(?:where|(?:what|which) (?:school|college|university)) {do} {who}{now}"
         r" (?:study|go to (?:school|college|university)|attend)\b", _SCHOOL),
        (r"^what {do} {who}{now} (?:study|major in)\b", _STUDIES),
        (r"^what {be} {who}{now} studying\b", _STUDIES),
        (r"^what {be} {who} allergic to\b", _ALLERGIES),
        (r"^(?:what|which) languages? {do} {who} (?:speak|know)\b", _LANGUAGES),
        (r"^(?:what|which) (?:pets?|animals?) {do} {who} (?:have|own|keep)\b", _PETS),
        (r"^{do} {who} have (?:any |a )?pets?\b", _PETS),
        (r"^(?:how many|what) (?:children|kids) {do} {who} have\b", _CHILDREN),
        (r"^{do} {who} have (?:any )?(?:children|kids)\b", _CHILDREN),
        (r"^how many (?:siblings|brothers|sisters|brothers and sisters) {do} {who} have\b", _SIBLINGS),
        (r"^(?:what|which) (?:instruments?|sports?) {do} {who} play\b", _HOBBIES),
        (r"^{do} {who} play (?:an|any) (?:instruments?|sports?)\b", _HOBBIES),
        (r"^(?:what|which) (?:car|bike|vehicle) {do} {who} (?:drive|own|have|ride)\b", _OWNS),
    )
)  # fmt: skip
_OF = re.compile(
    rf"^(?:what|who|when|where) {_BE} {_WHO}['’]s? (?P<name>[\w -]{{2,40}}?)(?: now| right now| these days)?\W*$",
    re.IGNORECASE,
)
_MANNERS = re.compile(
    r"^(?:so|and|ok|okay|hey|hi|please|tell me|remind me|do you (?:know|remember))[,:]? ", re.IGNORECASE
)


_IS = re.compile(r"^(what|who|when|where)['’]s\b", re.IGNORECASE)


def wanted(question: str) -> Wanted | None:
    """What a question asks for; None where it is none of the commonest."""
    asked = _IS.sub(r"\1 is", _MANNERS.sub("", question.strip()))
    if match := _OF.match(asked):
        name = " ".join(match["name"].casefold().split())
        spelt = name.replace("favourite", "favorite"), name.replace("favorite", "favourite")
        return Wanted(match["who"], (*dict.fromkeys((*spelt, *_NAMES.get(name, ()))),))
    for pattern, names in _ASKED:
        if match := pattern.match(asked):
            return Wanted(match["who"], names)
    return None
