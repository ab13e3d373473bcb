"""What the harness speaks of: conversations with questions, and what a system answers. Plain values, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Stage = Literal["ingest", "search", "answer", "judge"]


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody said. `id`: what evidence names it by, unique in its conversation, such as "D3:11". `speaker`: a name, or the
    role where nobody is named."""

    id: str
    speaker: str
    role: str
    text: str
    said_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Turns of one sitting, in their order."""

    id: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a conversation.

    `id` is unique in its data set. `answer` None: it was never said, and a right reply says so. `evidence`: ids of the turns
    that carry the answer. `asked_at`: the day on which it is asked; None: after the last session. `nuggets`: what a right answer
    must have, where the data set says so. `doubts`: what an audit found wrong with the key ("answer", "evidence").
    `points`: ids of the conversation's points that carry the answer, where the data set names those instead of turns.
    `sessions`: ids of the sessions that carry the answer, where the data set names sessions.
    """

    id: str
    text: str
    answer: str | None
    category: str
    evidence: tuple[str, ...] = ()
    asked_at: datetime | None = None
    nuggets: tuple[str, ...] = ()
    doubts: frozenset[str] = frozenset()
    points: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A memory that a session should leave behind, or must not: the gold of HaluMem.

    `id` is unique in its conversation ("s4/7"), `session` the id of the session that it was told in, and after which it is looked
    for. `type` and `source` are the data set's own words ("Persona Memory"; "secondary", "system", "interference").
    `is_update`: it changes the memories `originals`, whose texts may be those of points of earlier sessions, word by word, or
    of none.
    """

    id: str
    session: str
    text: str
    type: str
    source: str
    is_update: bool = False
    originals: tuple[str, ...] = ()
    importance: float | None = None  # 0..1

    @property
    def interference(self) -> bool:
        """It was only insinuated (by the assistant, mostly), and a right memory does not have it."""
        return self.source == "interference"


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation with the questions about it. `points`: gold memories in the order of the sessions, where there are any."""

    id: str
    sessions: tuple[Session, ...]
    questions: tuple[Question, ...] = ()
    points: tuple[Point, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Of all sessions, in their order."""
        return tuple(turn for session in self.sessions for turn in session.turns)


@dataclass(frozen=True, slots=True)
class DataSet:
    """Conversations of one source. `checksum`: sha256 of the files that it was read from, in hex; a run names it.

    `conversations` may be read from disk whenever one is asked for, where all of them would fill the memory: go over them once
    rather than several times.
    """

    name: str
    conversations: Sequence[Conversation]
    checksum: str
    problems: tuple[str, ...] = ()  # what could not be read, by file and place; the rest goes on


@dataclass(frozen=True, slots=True)
class Spent:
    """What something cost. `usd` is what the model's price list says, 0 for local work, None where a price is not known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            None if self.usd is None or other.usd is None else self.usd + other.usd,
            self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Found:
    """One search result, in rank order. `turns`: ids of the turns that it stands for: a turn for itself, a memory for its
    sources, best first. Empty where a system does not tell."""

    kind: Literal["memory", "turn"]
    id: str
    text: str
    turns: tuple[str, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """A context for a reader. `tokens` is counted by the harness (`tokens.count`), for all systems alike; `turns`: what its parts
    stand for."""

    text: str
    tokens: int
    turns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a conversation: memories stored, facts rejected with their reasons, what it cost."""

    memories: int
    spent: Spent
    rejected: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stored:
    """A memory that a system has, or had, for attribution. `live` False: superseded, deleted or put aside."""

    id: str
    text: str
    turns: tuple[str, ...]
    live: bool
