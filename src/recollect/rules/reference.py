"""Words that point at something said elsewhere: put right where that is safe, else the clause is cut before them."""

from __future__ import annotations

import re

from .sentences import FUNCTION_WORDS, words
from .statement import GROUP, KIN, PET, SOMEBODY
from .verbs import is_past
from .vocabulary import MENTAL, VAGUE
from .worth import content_words

_PERSON = re.compile(rf"\b(?:[Mm]y|[Oo]ur) (?:[\w-]+ )?(?:{KIN}|{PET})\b(?!s|-)(?:,? [A-Z][a-z]+)?")
_GROUP = re.compile(rf"\b(?P<group>(?:[Mm]y|[Oo]ur) (?:[\w-]+ )?{GROUP})\b")
_HE_SHE = re.compile(r"^(?P<who>He|She)(?=['’]s\b| )")
_THEY = re.compile(r"^They(?=['’](?:re|ve|ll|d)\b| )")
_MALE = re.compile(
    r"\b(?:father|dad|son|brother|husband|boyfriend|fianc[ée]|uncle|nephew|grand(?:pa|father)|stepfather)\b(?!e)"
)
_FEMALE = re.compile(
    r"\b(?:mother|mom|mum|daughter|sister|wife|girlfriend|fianc[ée]e|aunt|niece|grand(?:ma|mother)|granny|stepmother)\b"
)

_DEMONSTRATIVE = re.compile(r"\b(?P<word>this|that|these|those) (?P<next>[a-z][\w-]{2,})(?= (?P<more>[\w-]+))?")
_POINTS = re.compile(r"\b(?:this|that|these|those)\b(?:['’]\w+)?", re.IGNORECASE)
_SUBJECTS = frozenset("i we he she they it my our his her their i'm i've i'd we're we've there the".split())
_NO_NOUN = frozenset(
    "do did made make like love of to with about for and but after before at on in by from off out up took take got get was is had have bought wrote "
    "read use used finished visited went doing done than all during into through over watched played painted tried saw see".split()
)
_IT = re.compile(r"\b[Ii]ts?\b(?:['’]\w+)?|\bitself\b")
_ONE_PERSON = re.compile(r"\b(?:he|she|him|her|his|hers)\b(?:['’]\w+)?", re.IGNORECASE)
_SEVERAL = re.compile(r"\b(?:they|them|their|theirs)\b(?:['’]\w+)?", re.IGNORECASE)
_THERE = re.compile(r"\b(?:there|here)\b(?!['’]s| (?:is|are|was|were|have|has|will))", re.IGNORECASE)
_END = r"(?=\s*(?:[.,!;]|$|\s(?:of (?:these|those|them|it)|too|and|but|as|with|in|on|from|for)\b))"
_ELSEWHERE = re.compile(
    "|".join(
        (
            r"\bone (?:that|who|which)\b",
            r"\banother (?:one\b|(?=(?:at|in|on|of|from|for)\b))",
            rf"\b(?:another|both|either|neither|others|such|each|same|more)\b{_END}",
            rf"(?<!\bno )\bones?\b(?! (?:day|night|week|month|year|hour|more)\b|-){_END}",
            r"\b(?:some|all|most|any|none|few|many|both|one) of (?:it|them|these|those)\b",
            r"\byou(?! (?:recommended|gave|suggested|sent|told me about|mentioned)\b)(?:['’]\w+)?\b",
            r"\b(?:your|yours|yourself|ya|u|y['’]all)\b",
            r"\bthe (?:same|former|latter|other(?! (?:day|night|week|evening)\b))\b",
            r"\b(?:someone else|something|somewhere)\b",
        )
    ),
    re.IGNORECASE,
)
_THE_THING = re.compile(
    r"\bthe (?:(?:whole|entire|same) )?(?:event|cause|process|idea|experience|situation|project|thing|place|class|story|trip|news|difference"
    r"|challenge|journey|problem|issue|results?|moment|party|show|photos?|picture|pic|item|topic|rest|outcome|changes?|activity|session|meeting)"
    r"(?=\s*(?:[.,!;]|$|\s(?:and|but|too|as|so|because|with (?:my|our|the)|together|at|last|yesterday)\b))",
    re.IGNORECASE,
)
_THING = re.compile(
    rf"\b(?:an?|my|our|some|new|playing|writing|reading)\s+(?!(?:[\w-]+ )?{SOMEBODY}\b)(?:[\w-]+ ){{0,2}}?[a-z]{{3,}}|(?<=\s)(?!I\b)[A-Z]\w+"
)
_SOMEBODY = re.compile(rf"\b(?:{KIN}|{PET}|guy|girl|boy|man|woman|lady|person)\b|(?<!^)(?<![.!?] )\b(?!I\b)[A-Z][a-z]+")
_PLURAL = re.compile(r"\b(?:[a-z]{3,}[^s\W]s|people|children|family|fam|team|group|kids|folks|women|men|band)\b")
_CUT = re.compile(
    r"(?:,\s*|\s+)(?:and|but|so|because|['’]?cause|since|which|as|though|although|while|where|that|when|like)\s+|,\s+|\s+-\s+"
)
_LOOSE_END = FUNCTION_WORDS - {"me", "him", "her", "them", "us", "it", "mine", "there", "name", "now", "not", "did"}
MIN_WORDS = 4


def resolve_subject(clause: str, before: str) -> str:
    """ "She …" after "My sister Anna …" → "My sister Anna …"; unchanged where it is not clear."""
    if match := _HE_SHE.match(clause):
        found = {one[0].replace(",", "") for one in _PERSON.finditer(before) if _may_be(match["who"], one[0])}
        if len(found) == 1 and not _GROUP.search(before):
            return _capital(found.pop()) + clause[match.end() :]
    if _THEY.match(clause):
        groups = {match["group"] for match in _GROUP.finditer(before)}
        if len(groups) == 1 and not _PERSON.search(before):
            return _THEY.sub(lambda _: _capital(groups.pop()), clause)
    return clause


def _may_be(pronoun: str, person: str) -> bool:
    other = _FEMALE if pronoun == "He" else _MALE
    return not other.search(person)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def company(text: str) -> str | None:
    """Who "we" are, where the text names them before: "my kids" → "their kids"."""
    text = re.split(r"\b[Ww]e\b", text, maxsplit=1)[0]
    groups = {match["group"].split(" ", 1)[1] for match in _GROUP.finditer(text)}
    people = {match[0].split(" ", 1)[1] for match in _PERSON.finditer(text) if not re.search(rf"\b{PET}\b", match[0])}
    named = groups | people
    return f"their {named.pop()}" if len(named) == 1 else None


def indefinite(clause: str) -> str:
    """ "I made this bowl" → "I made a bowl": what is pointed at is not in sight later."""

    def replace(match: re.Match[str]) -> str:
        word, following, more = match["word"], match["next"], match["more"] or "the"
        vague = following in VAGUE and (more in VAGUE or more in FUNCTION_WORDS)
        verbal = word in ("this", "that") and following.endswith("s") and not following.endswith("ss")  # "this helps"
        if vague or verbal or following in FUNCTION_WORDS or _joins(clause, match.start()):
            return match[0]
        if word in ("these", "those"):
            return following
        return ("an " if following[0] in "aeio" else "a ") + following

    return _DEMONSTRATIVE.sub(replace, clause)


def _joins(clause: str, at: int) -> bool:
    """ "a book that is …" and "I learnt that people …": the word joins, it does not point."""
    before = words(clause[:at])
    if clause[at : at + 4].casefold() != "that" or not before or not clause[at + 4 : at + 6].strip(" .,!").isalnum():
        return False
    last, following = before[-1], words(clause[at + 4 :])
    if following and following[0] in _SUBJECTS:
        return True
    if last in MENTAL or last in ("me", "us", "him", "her"):
        return last not in (
            "get",
            "got",
            "made",
            "make",
            "had",
            "have",
            "took",
            "love",
            "loved",
            "like",
            "liked",
            "see",
            "saw",
            "did",
            "do",
        )
    return not (last in _NO_NOUN or is_past(last) or last.endswith("ing"))


def trim(clause: str) -> str | None:
    """The clause up to its first word that refers to nothing in it; None where too little is left."""
    for _ in range(6):
        at = _first_dangling(clause)
        if at is None:
            return clause
        cuts = [match for match in _CUT.finditer(clause) if 0 < match.start() < at]
        if not cuts:
            return None
        clause = clause[: cuts[-1].start()].rstrip(" ,")
        while clause and clause.split()[-1].casefold() in _LOOSE_END:
            clause = clause.rsplit(None, 1)[0] if " " in clause else ""
        if len(clause.split()) < MIN_WORDS:
            return None
    return None


def without_empty_end(clause: str) -> str:
    """ "We hiked, swam and made great memories" → "We hiked, swam"."""
    match = re.search(r",? and (?!(?:I|we|my|our)\b)(?P<end>\w+(?: [^,]+)?)$", clause)
    if match:
        verb, *rest = words(match["end"]) or [""]
        if not content_words(" ".join(rest)) and (rest or verb in MENTAL):
            return clause[: match.start()]
    return clause


def _first_dangling(clause: str) -> int | None:
    places = [match.start() for match in _POINTS.finditer(clause) if not _points_back(clause, match)]
    for pattern, antecedent in ((_IT, _THING), (_ONE_PERSON, _SOMEBODY), (_SEVERAL, _PLURAL)):
        places += [
            match.start() for match in pattern.finditer(clause) if not antecedent.search(clause[: match.start()])
        ]
    for pattern in (_THERE, _ELSEWHERE, _THE_THING):
        places += [match.start() for match in pattern.finditer(clause)]
    return min(places, default=None)


def _points_back(clause: str, match: re.Match[str]) -> bool:
    return _joins(clause, match.start())
