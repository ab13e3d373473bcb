"""What statements are about: the slots that they fill, of the speaker or of somebody that the speaker tells of.

A statement about somebody else ("My sister Anna lives in Rome", "Anna's job title is director") is put into the first
person by `about`, and read with the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..model import Kind
from .slot_table import RULES, Rule
from .statement import KIN, PET


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot that a sentence fills. `strong`: the statement is worth keeping for this alone."""

    attribute: str | None  # None: only a relation is named in passing
    value: str
    many: bool
    kind: Kind
    relation: tuple[str, str, str] | None = None  # predicate, object, its entity kind
    strong: bool = True
    at: int = 0  # where in the sentence it is told


_FAVOURITE = re.compile(
    r"\b[Mm]y (?:all-time |current |new |absolute )?(?:favou?rite|fave) (?P<what>[\w -]{2,30}?)(?: ever)?(?: (?:is|are|has to be)|['’]s) "
    r"(?:now |actually |definitely |probably |currently )?(?P<v>[^,;.!?–—]{1,80}?)(?: now| these days| anymore)?(?=\s*(?:[,;.!?–—]|$|\s-\s| because\b| and (?:I|my)\b| but\b))"
)
_IS_FAVOURITE = re.compile(
    r"^(?P<v>[A-Z][\w ]{1,40}) (?:is|are) my (?:all-time )?favou?rite (?P<what>[\w ]{2,30}?)(?=[,;.!?–—]|$)"
)
_KIN_NAMED = re.compile(
    rf"\b[Mm]y (?:\w+ )??(?P<kin>{KIN})(?P<is>['’]s name is|,? (?:is )?(?:called|named)| is)?,? (?P<v>[A-Z][a-z]+)\b(?! (?:is )?(?:University|Street|Day))"
)
_PET_NAMED = re.compile(
    rf"\b[Mm]y (?:[\w-]+ ){{0,2}}(?P<pet>{PET})s?(?P<is>['’]s? names? (?:is|are)|,? (?:is |are )?(?:called|named)| is| are)?,? (?P<v>[A-Z][a-z]+(?:,? (?:and|&) [A-Z][a-z]+)?)\b"
)
_PARTNERS = frozenset("wife husband girlfriend boyfriend fiancée fiancee fiancé fiance spouse partner".split())
_SAME_KIN = {"mom": "mother", "mum": "mother", "dad": "father", "son": "child", "daughter": "child", "kid": "child", "brother": "sibling",
             "sister": "sibling", "grandma": "grandmother", "granny": "grandmother", "grandpa": "grandfather", "neighbour": "neighbor",
             "manager": "boss", "auntie": "aunt"}  # fmt: skip
_SINGLE = frozenset(("mother", "father", "partner", "boss", "best friend"))
_SAME_ATTRIBUTE = {
    "title": "occupation",
    "job title": "occupation",
    "profession": "occupation",
    "fave": "favorite",
    "nickname": "name",
}
_PRONOUN = re.compile(r"\b(?:it|that|this|them|him|her|you|he|she|they|those|these|there)\b", re.IGNORECASE)
_EDGES = " \t'\"“”’‘,:."
_ABOUT_KIN = re.compile(
    rf"^(?P<poss>[Mm]y|[Oo]ur) (?P<what>(?:[\w-]+ )?(?:{KIN}|{PET}))(?P<name>,? [A-Z][a-z]+)?,?(?P<s>['’]s)? (?P<rest>.+)$"
)
_ABOUT_NAME = re.compile(r"^(?P<name>[A-Z][\w-]+(?: [A-Z][\w-]+)?)(?P<s>['’]s)? (?P<rest>[a-z].+)$")
_TO_FIRST = {"is": "am", "has": "have", "does": "do", "was": "was", "isn't": "am not", "doesn't": "don't", "goes": "go"}


def fill_all(sentence: str) -> list[Filled]:
    """All slots that a first-person sentence fills, the most telling one first, each attribute once."""
    seen: dict[str, Filled] = {}
    for filled in _fills(sentence):
        seen.setdefault(filled.attribute or "", filled)
    return list(seen.values())


def about(sentence: str, speaker: str, names: frozenset[str] | None = None) -> tuple[str, str] | None:
    """Whom a sentence about somebody else tells of, and how that one would say it: "My sister Anna lives in Rome" →
    ("Anna", "I live in Rome"), "My mother is a nurse" of Tom's → ("Tom's mother", "I am a nurse"). `names` are those
    that may begin it (None: any)."""
    if match := _ABOUT_KIN.match(sentence):
        name = (match["name"] or "").strip(" ,")
        return name or f"{speaker}'s {match['what'].casefold()}", _first(match["s"], match["rest"])
    match = _ABOUT_NAME.match(sentence)
    if match and (names is None or match["name"] in names):
        return match["name"], _first(match["s"], match["rest"])
    return None


def introduced(text: str) -> frozenset[str]:
    """The names of the speakers' people and animals that a text tells: "my sister Clara"."""
    return frozenset(match["v"] for pattern in (_KIN_NAMED, _PET_NAMED) for match in pattern.finditer(text))


def _first(possessive: str | None, rest: str) -> str:
    if possessive:
        return f"My {rest}"
    verb, _, more = re.sub(r"\b(?:I|[Ww]e)\b", "", rest).partition(" ")  # what the speaker does is not theirs
    plain = _TO_FIRST.get(verb) or (re.sub(r"(?<=[sxzh])es$|(?<!s)s$", "", verb) if verb.endswith("s") else verb)
    return f"I {plain} {more}"


def _fills(sentence: str) -> Iterator[Filled]:
    yield from _favourites(sentence)
    yield from _named(sentence)
    for rule in RULES:
        yield from _apply(rule, sentence)


def _favourites(sentence: str) -> Iterator[Filled]:
    if match := _FAVOURITE.search(sentence) or _IS_FAVOURITE.search(sentence):
        value = match["v"].strip(_EDGES)
        if (
            value
            and not _PRONOUN.match(value)
            and match["what"].split()[0] not in ("thing", "part", "one", "time", "place")
        ):
            yield Filled(f"favorite {match['what'].strip().casefold()}", value, False, Kind.PREFERENCE)


def _named(sentence: str) -> Iterator[Filled]:
    if match := _KIN_NAMED.search(sentence):
        kin = match["kin"].casefold()
        attribute = "partner" if kin in _PARTNERS else _SAME_KIN.get(kin, kin)
        many = attribute not in _SINGLE
        told = bool(match["is"])
        yield Filled(
            attribute if told else None, match["v"], many, Kind.RELATIONSHIP, (kin, match["v"], "person"), told
        )
    if match := _PET_NAMED.search(sentence):
        value = f"a {match['pet']} called {match['v']}" if " " not in match["v"] else f"{match['pet']}s {match['v']}"
        told = bool(match["is"])
        yield Filled("pets" if told else None, value, True, Kind.PROFILE, ("has pet", match["v"], "animal"), told)


def _apply(rule: Rule, sentence: str) -> Iterator[Filled]:
    match = next(filter(None, (pattern.search(sentence) for pattern in rule.patterns)), None)
    if match is None:
        return
    groups = match.groupdict()
    value = groups["v"].strip(_EDGES)
    if not value or _PRONOUN.match(value) or (rule.attribute in ("likes", "dislikes") and _PRONOUN.search(value)):
        return
    attribute = groups["a"].casefold() if "a" in groups else rule.attribute
    relation = (rule.says, _bare(value), rule.entity) if rule.says and len(value.split()) <= 4 else None
    yield Filled(
        _SAME_ATTRIBUTE.get(attribute, attribute), value, rule.many, rule.kind, relation, rule.strong, match.start()
    )


def _bare(value: str) -> str:
    if called := re.search(r"(?:called|named) ([A-Z]\w+)", value):
        return called[1]
    return re.sub(r"^(?:an?|the|my|our)\s+", "", value)
