"""The values that flow through recollect: what a caller says, what is believed, what was decided, what is found.

Plain frozen dataclasses; what crosses the public boundary as a result is in `results.py`. Every time is an aware `datetime`,
in UTC where nothing else is said. A user's *number* orders that user's commits (never the clock): each committed change
has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from .usage import Usage as Usage

Metadata: TypeAlias = Mapping[str, Any]


class Role(StrEnum):
    """Who speaks in a message, as in OpenAI's chat protocol."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class SourceClass(StrEnum):
    """Where a fact comes from. Trust falls in this order; a lower one never overrides a higher one."""

    USER = "user"
    ASSISTANT = "assistant"
    CLAIM = "claim"  # what stands in a user's message, and is not for a user to say
    TOOL = "tool"
    DOCUMENT = "document"

    @property
    def trust(self) -> int:
        """3 for the user's own words, 2 for an assistant's, 1 for claims, tools and documents."""
        return {"user": 3, "assistant": 2}.get(self.value, 1)

    @classmethod
    def of(cls, role: Role) -> SourceClass:
        """The class of what a speaker in `role` says; a system prompt is a document, not the user's words."""
        return _SOURCE_OF_ROLE[role]


_SOURCE_OF_ROLE = {
    Role.USER: SourceClass.USER,
    Role.ASSISTANT: SourceClass.ASSISTANT,
    Role.TOOL: SourceClass.TOOL,
    Role.SYSTEM: SourceClass.DOCUMENT,
}


class Kind(StrEnum):
    """What sort of thing a fact tells."""

    PROFILE = "profile"  # what is so of a person: name, age, home, work, health
    PREFERENCE = "preference"
    EVENT = "event"  # something that happened
    PLAN = "plan"  # something intended
    RELATIONSHIP = "relationship"
    KNOWLEDGE = "knowledge"  # what is so of the world, or of anything that is not a person
    INSTRUCTION = "instruction"  # how the user wants to be treated


class Precision(StrEnum):
    """The unit to which an event's date is known."""

    INSTANT = "instant"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    SEASON = "season"
    YEAR = "year"
    RANGE = "range"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory, and narrower. The user is the wall; `None` is the shared space, a space like any other."""

    user_id: str | None
    agent_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a caller hands in, checked and normalised."""

    role: Role
    content: str
    name: str | None = None
    timestamp: datetime | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A stored message. `number` is its place among the user's turns, from 1; `said_at` the message's time, with the
    speaker's offset from UTC, or the time it was handed in (`dated` says which)."""

    id: str
    number: int
    scope: Scope
    batch_id: str
    role: Role
    content: str
    name: str | None
    said_at: datetime
    dated: bool
    metadata: Metadata = field(default_factory=dict, hash=False)

    @property
    def wall(self) -> datetime:
        """`said_at` on the speaker's own clock and calendar, labelled as UTC: what "yesterday" is counted from."""
        return self.said_at.replace(tzinfo=UTC)

    @property
    def speaker(self) -> str:
        """A name to tell of: the speaker's own, else "The user" or "The assistant" …"""
        return speaker(self.name, self.role)


def speaker(name: str | None, role: Role) -> str:
    """Who said a turn: a name, else "The user" or "The assistant" …"""
    return name or f"The {role.value}"


@dataclass(frozen=True, slots=True)
class EventTime:
    """When the thing told of happens: both ends inclusive, `end` the last microsecond of the last unit."""

    start: datetime
    end: datetime
    precision: Precision


@dataclass(frozen=True, slots=True)
class Slot:
    """What a fact is about: *(Caroline, employer)*. In a single-valued slot a new value ends the old one."""

    subject: str
    attribute: str
    many: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Two slots are the same when their keys are: case and spacing of names do not matter."""
        return (" ".join(self.subject.casefold().split()), self.attribute.casefold())


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote and the turn it stands in."""

    turn_id: str
    quote: str


@dataclass(frozen=True, slots=True)
class Entity:
    """Somebody or something that a fact names. `kind`: person, place, organisation, animal, thing, work …"""

    name: str
    kind: str = "thing"


@dataclass(frozen=True, slots=True)
class Relation:
    """A labelled edge between two entities' names: *(Caroline) —sister→ (Anna)*."""

    subject: str
    predicate: str
    object: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What an extractor proposes: a sentence that stands alone, with its evidence.

    `value` is the slot's value ("Berlin" of *(Anna, home)*). `valid_from` is a stated start of a state ("since 2019");
    without one a fact holds from the time of the turn that tells it. `retracts`: it says that something is no longer so
    (or asks to forget it); `bare_forget`: it only asks to forget, and states nothing itself.
    """

    text: str
    kind: Kind
    evidence: tuple[Evidence, ...]
    slot: Slot | None = None
    value: str | None = None
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    event: EventTime | None = None
    valid_from: datetime | None = None
    retracts: bool = False
    bare_forget: bool = False
    source: SourceClass = SourceClass.USER


@dataclass(frozen=True, slots=True)
class Rejected:
    """A proposed fact that did not show its evidence, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Statement:
    """The unchanging content of one or more rows; its number is that of its passage."""

    number: int
    text: str
    kind: Kind
    slot: Slot | None
    value: str | None
    event: EventTime | None
    source: SourceClass

    @property
    def text_key(self) -> str:
        """The text without its accidents: case, spacing, a closing full stop."""
        return text_key(self.text)


def text_key(text: str) -> str:
    """Equal for texts that differ only in case, spacing and a closing full stop."""
    return " ".join(text.casefold().split()).rstrip(".")


@dataclass(frozen=True, slots=True)
class Row:
    """One version of a memory. Only `retired` ever changes, once.

    `valid_from`/`valid_to`: when it holds (`valid_to` exclusive, `None` = until contradicted).
    `recorded`/`retired`: the numbers of the user's changes that brought it and took it back.
    `restores`: the number of the row that an undo brought back with this one; the two are one row to later undos.
    """

    number: int
    memory_id: str
    statement: Statement
    valid_from: datetime
    valid_to: datetime | None
    recorded: int
    retired: int | None = None
    metadata: Metadata = field(default_factory=dict)
    expires_at: datetime | None = None
    quarantined: bool = False
    restores: int | None = None

    @property
    def identity(self) -> int:
        """The same for a row and for every copy that undos made of it."""
        return self.number if self.restores is None else self.restores

    def is_live(self, now: datetime) -> bool:
        """Believed, not ended, not expired, not quarantined."""
        return (
            self.retired is None
            and (self.valid_to is None or self.valid_to > now)
            and (self.expires_at is None or self.expires_at > now)
            and not self.quarantined
        )


# --- decisions ---------------------------------------------------------------------------------------------------------

Mode: TypeAlias = Literal["revise", "supersede"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An existing memory, or an earlier fact of the same chunk, beside a new fact, under its number in the chunk.

    Exactly one of `row` and `earlier` is set; `earlier` is the position (from 0) of the fact in its chunk. `similarity`
    is the cosine to the fact, -1..1 (0 where no vector is at hand).
    """

    number: int
    text: str
    kind: Kind
    slot: Slot | None
    value: str | None
    event: EventTime | None
    entities: tuple[Entity, ...]
    valid_from: datetime
    source: SourceClass
    similarity: float = 0.0
    row: Row | None = None
    earlier: int | None = None
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One fact and what it is to be reconciled with. `number`: the fact's own, after those of all memories that are shown
    (later facts name it by that). `stated_at` is the `valid_from` that the fact would get."""

    fact: Fact
    stated_at: datetime
    candidates: tuple[Candidate, ...]
    number: int = 0


@dataclass(frozen=True, slots=True)
class Add:
    """A new memory."""

    reason: str = ""
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """`revise`: the same thing, told better. `supersede`: the world changed. The first target keeps its id."""

    targets: tuple[int, ...]
    mode: Mode
    text: str
    reason: str = ""
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """The targets are no longer so."""

    targets: tuple[int, ...]
    reason: str = ""
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing new. The target gains the fact's evidence where the two are equivalent (`target` given)."""

    target: int | None = None
    reason: str = ""
    flag: str | None = None


Decision: TypeAlias = Add | Update | Delete | Keep


class Op(StrEnum):
    """How decisions and changes read in results."""

    ADD = "ADD"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    NONE = "NONE"


# --- accounting --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extraction:
    """What an extractor answers for one chunk. No facts is an answer; a failure is an error, never this."""

    facts: tuple[Fact, ...]
    rejected: tuple[Rejected, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One decision per case, in their order."""

    decisions: tuple[Decision, ...]
    usage: Usage = Usage()
    model: str | None = None
    prompt_id: str | None = None
