"""How far a fact is believed: by where it comes from, and by what kind of thing it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import InvalidInput
from ..model import Candidate, Fact, Kind, SourceClass, Turn
from .quarantine import Reader, is_claim, is_shown

Member = TypeVar("Member", SourceClass, Kind)

MOST = 3  # the trust in the user's own words
# How the user wants to be treated is the user's to say. A page that says so is not believed at all; nor is a tool.
_DEFAULTS: Mapping[tuple[SourceClass, Kind], int] = {
    (SourceClass.ASSISTANT, Kind.INSTRUCTION): 1,
    (SourceClass.TOOL, Kind.INSTRUCTION): 0,
    (SourceClass.DOCUMENT, Kind.INSTRUCTION): 0,
}


@dataclass(frozen=True, slots=True)
class Trust:
    """From 0 (not believed: quarantined) to 3 (the user's own words). Nothing ends or replaces what is trusted more."""

    own: Mapping[tuple[SourceClass, Kind], int] = field(default_factory=dict)

    def of(self, source: SourceClass, kind: Kind) -> int:
        """The trust in facts of that kind from that source."""
        place = (source, kind)
        return self.own.get(place, _DEFAULTS.get(place, source.trust))

    def refuses(self, fact: Fact, known: Candidate) -> bool:
        """Whether a fact is trusted less than what is known, and so neither ends nor replaces it. What a user told of others is
        no better than a claim of theirs; what they told of themselves is."""
        if fact.source is SourceClass.CLAIM and known.source is SourceClass.USER and not of_the_user(known):
            return False
        return self.of(fact.source, fact.kind) < self.of(known.source, known.kind)

    @classmethod
    def given(cls, value: object) -> Trust:
        """A caller's `{"tool": 3}` or `{"tool": {"knowledge": 3}}` over the defaults. Raises InvalidInput."""
        if value is None:
            return cls()
        if not isinstance(value, Mapping):
            raise InvalidInput("trust", "must map source classes to a trust from 0 to 3, or kinds to one")
        own: dict[tuple[SourceClass, Kind], int] = {}
        for name, levels in value.items():
            source = _member(SourceClass, name)
            of_kinds = levels if isinstance(levels, Mapping) else {kind.value: levels for kind in Kind}
            own |= {(source, _member(Kind, kind)): _level(level) for kind, level in of_kinds.items()}
        return cls(own)


def of_the_user(known: Candidate) -> bool:
    """Whether a memory tells of the user themself, or of what is theirs."""
    return "the user" in f"{known.slot.subject if known.slot else ''} {known.text}".casefold()


def _member(of: type[Member], name: object) -> Member:
    known = {one.value: one for one in of}
    if not isinstance(name, str) or name not in known:
        raise InvalidInput("trust", f"knows {', '.join(known)}, and not {name!r:.40}")
    return known[name]


def _level(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST:
        raise InvalidInput("trust", f"must be a whole number from 0 to {MOST}")
    return value


def source_of(cited: Sequence[Turn]) -> SourceClass:
    """Whose word a fact is that cites these turns: the least trusted's. But an answer of the user's ("Yes, from Monday") makes
    the assistant's question before it the user's own word; what a tool or a document says stays theirs, whoever agrees."""
    last = max((turn.number for turn in cited if SourceClass.of(turn.role) is SourceClass.USER), default=0)
    counted = [
        turn for turn in cited if not (SourceClass.of(turn.role) is SourceClass.ASSISTANT and turn.number < last)
    ]
    sources = {SourceClass.of(turn.role) for turn in counted} or {SourceClass.DOCUMENT}
    return min(sources, key=lambda source: source.trust)


def told_by(turn: Turn) -> SourceClass:
    """Whose word a whole message is."""
    source = SourceClass.of(turn.role)
    claimed = source is SourceClass.USER and is_claim(turn.content)
    return SourceClass.CLAIM if claimed else source


def sourced(fact: Fact, turns: Sequence[Turn], reader: Reader | None = None) -> SourceClass:
    """The source class of a fact, by the roles of the turns that it cites, whatever its extractor says. What a user only shows (a
    letter to translate, a listing) is a document's word; what is not for them to say, a claim. `reader`: where many facts
    of the same turns are asked for."""
    reader = reader or Reader()
    cited = {evidence.turn_id: evidence.quote for evidence in fact.evidence}
    said = [turn for turn in turns if turn.id in cited]
    users = [turn for turn in said if SourceClass.of(turn.role) is SourceClass.USER]
    if any(is_shown(cited[turn.id], turn.content) for turn in users):
        return SourceClass.DOCUMENT
    source = source_of(said)
    claimed = source.trust > SourceClass.CLAIM.trust and any(
        reader.is_claim(cited[turn.id], turn.content) for turn in users
    )
    return SourceClass.CLAIM if claimed else source
