"""Names in sentences, conservatively: what has a capital where English needs none."""

from __future__ import annotations

import re

from ..dates import MONTHS, WEEKDAYS
from ..model import Entity
from .sentences import FUNCTION_WORDS

_CAPITALS = re.compile(r"\b[A-Z][\w&'’-]*(?:\s+(?:of\s+the\s+|of\s+|the\s+|de\s+|&\s+)?[A-Z][\w&'’-]*){0,5}")
_TITLED = re.compile(r"[\"“]([A-Z][^\"“”]{1,80})[\"”]")
_NOT_NAMES = (
    {name.casefold() for name in (*MONTHS, *WEEKDAYS)}
    | FUNCTION_WORDS
    | set("ok okay tv wow yeah mom dad mum i'm oh well yes lol omg diy pm am spring summer winter fall autumn".split())
)
_PLACE_BEFORE = re.compile(r"\b(?:in|to|from|near|around|visit(?:ed|ing)?|via)\s+(?:the\s+)?$")
_ORGANISATION = re.compile(
    r"\b(?:University|College|School|Institute|Inc|Corp|Ltd|Company|Hospital|Bank|Museum|Church|Club|Association)\b"
)
MAX_ENTITIES = 12


def find_entities(text: str, people: tuple[str, ...]) -> tuple[Entity, ...]:
    """The people known to speak, and other names inside the sentence."""
    found: dict[str, Entity] = {}
    for name in people:
        if re.search(rf"\b{re.escape(name)}\b", text):
            found[name.casefold()] = Entity(name, "person")
    for match in _TITLED.finditer(text):
        found.setdefault(match[1].casefold(), Entity(match[1], "work"))
    for match in _CAPITALS.finditer(text):
        entity = _entity(text, match, people)
        if entity and len(found) < MAX_ENTITIES:
            found.setdefault(entity.name.casefold(), entity)
    return tuple(found.values())


def _entity(text: str, match: re.Match[str], people: tuple[str, ...]) -> Entity | None:
    name = re.sub(r"['’]s$", "", match[0]).rstrip("'’-&")
    if (
        len(name) < 2
        or name.casefold() in _NOT_NAMES
        or any(word in _NOT_NAMES for word in name.casefold().split()[:1])
    ):
        return None
    if match.start() == 0 or any(name.casefold() in person.casefold() for person in people):
        return None
    if text[: match.start()].rstrip()[-1:] in '.!?"“':
        return None
    if any(quote.start() < match.start() < quote.end() for quote in _TITLED.finditer(text)):
        return None
    if _ORGANISATION.search(name):
        return Entity(name, "organisation")
    return Entity(name, "place" if _PLACE_BEFORE.search(text[: match.start()]) else "thing")
