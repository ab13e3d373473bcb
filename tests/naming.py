"""A scripted language that names: "Anna --sister--> Eva" relates two, "meet Dr. Smith & Acme (place)" names them together."""

from __future__ import annotations

import re

from recollect.model import Entity, Evidence, Fact, Kind, Relation, SourceClass
from recollect.testing import ScriptedLanguage

_RELATES = re.compile(r"^(.+?) --(.+?)--> (.+)$")
_ARROW = re.compile(r" --|--> ")
_NAMES = re.compile(r"^meet (.+)$")
_OF_KIND = re.compile(r"^(.+) \((\w+)\)$")


def entity(told):
    """A person, unless a kind is told."""
    match = _OF_KIND.match(told)
    return Entity(match[1], match[2]) if match else Entity(told, "person")


class Naming(ScriptedLanguage):
    """The scripted language, with two kinds of statements more."""

    def _fact(self, turn):
        if match := _RELATES.match(turn.content):
            one, other = entity(match[1]), entity(match[3])
            return told(turn, (one, other), (Relation(one.name, match[2], other.name),))
        if match := _NAMES.match(turn.content):
            return told(turn, tuple(entity(name) for name in match[1].split(" & ")))
        return super()._fact(turn)


def told(turn, entities, relations=()):
    return Fact(
        text=_ARROW.sub(" ", turn.content),
        kind=Kind.RELATIONSHIP,
        evidence=(Evidence(turn.id, turn.content),),
        entities=entities,
        relations=relations,
        source=SourceClass.of(turn.role),
    )
