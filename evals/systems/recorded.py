"""An extraction that a model made once, in place of a model: its facts go through the real verification, the rules' reconciler
and the real retriever.

One file per conversation, named by its id, with one line per session, in the shape of `RecordedSession`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recollect.model import (
    Case,
    Entity,
    EventTime,
    Evidence,
    Extraction,
    Fact,
    Kind,
    Precision,
    Reconciliation,
    Rejected,
    Relation,
    Slot,
    SourceClass,
)
from recollect.ports import Chunk, Embedder
from recollect.rules import RulesReconciler
from recollect.writing.extract import span

from ..errors import DataSetInvalid, SystemFailed
from ..model import Conversation, Ingested
from .recollect import BOTH, Access, Include, Recollect

# What the recording calls an instruction is advice of one friend to another; ours is how the user wants to be treated.
KINDS: Mapping[str, Kind] = {kind.value: kind for kind in Kind} | {"instruction": Kind.EVENT}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class RecordedQuote(_Record):
    """A quote and the conversation's id of its turn."""

    turn: str
    quote: str


class RecordedEntity(_Record):
    """Somebody or something that a fact names."""

    name: str
    type: str = "thing"


class RecordedFact(_Record):
    """A fact as the recording has it. Dates are days, "2023-05-07". With only one of them it is open on the other side."""

    text: str
    kind: str
    subject: str | None = None
    attribute: str | None = None
    value: str | None = None
    many: bool = False
    entities: tuple[RecordedEntity, ...] = ()
    relations: tuple[tuple[str, str, str], ...] = ()
    event_from: str | None = None
    event_to: str | None = None
    precision: str | None = None
    retracts: bool = False
    evidence: tuple[RecordedQuote, ...] = Field(min_length=1)


class RecordedSession(_Record):
    """The facts of a session."""

    session: str
    facts: tuple[RecordedFact, ...]


def read(folder: Path) -> dict[str, tuple[RecordedFact, ...]]:
    """Recorded facts by conversation. Raises DataSetInvalid, naming file and line."""
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise DataSetInvalid(f"{folder} has no recorded extraction (*.jsonl, one file a conversation)")
    return {file.stem: tuple(_facts(file)) for file in files}


def _facts(file: Path) -> list[RecordedFact]:
    found: list[RecordedFact] = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataSetInvalid(f"{file} cannot be read: {type(error).__name__}") from error
    for number, line in enumerate(lines, start=1):
        try:
            found += RecordedSession.model_validate_json(line).facts
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DataSetInvalid(f"{file}:{number}: {place}: {first['msg']}") from None
    return found


class Recorded:
    """Implements `Extractor` and `Reconciler`. A fact is extracted with the last turn that it cites."""

    def __init__(self, facts: Mapping[str, Sequence[RecordedFact]]) -> None:
        self._facts = facts
        self._rules = RulesReconciler()
        self._names: dict[str, list[str]] = {}
        self._by_turn: dict[tuple[str, str], list[RecordedFact]] = {}

    def know(self, conversation: Conversation) -> None:
        """What the turns of a conversation are called. Raises SystemFailed where there is no recording of it, DataSetInvalid
        where that one cites other turns."""
        if conversation.id not in self._facts:
            raise SystemFailed(f"there is no recorded extraction of {conversation.id[:100]!r}")
        names = [turn.id for session in conversation.sessions for turn in session.turns]
        places = {name: place for place, name in enumerate(names)}
        by_turn: dict[tuple[str, str], list[RecordedFact]] = {}
        for fact in self._facts[conversation.id]:
            if strange := [one.turn for one in fact.evidence if one.turn not in places]:
                raise DataSetInvalid(
                    f"the recorded extraction of {conversation.id} cites {strange[0]}, which is no turn"
                )
            last = max((one.turn for one in fact.evidence), key=places.__getitem__)
            by_turn.setdefault((conversation.id, last), []).append(fact)
        self._names[conversation.id] = names
        self._by_turn |= by_turn

    async def extract(self, chunk: Chunk) -> Extraction:
        """The facts whose last evidence stands in the chunk. A turn is known by its number, its place in the conversation."""
        user = str(chunk.turns[0].scope.user_id)
        names = self._names[user]
        turns = {names[turn.number - 1]: turn.id for turn in (*chunk.context, *chunk.turns)}
        facts: list[Fact] = []
        rejected: list[Rejected] = []
        for turn in chunk.turns:
            for told in self._by_turn.get((user, names[turn.number - 1]), ()):
                try:
                    facts.append(fact_of(told, turns, turn.wall))
                except ValueError as error:
                    rejected.append(Rejected(told.text, str(error)))
        return Extraction(tuple(facts), tuple(rejected))

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """As the rules do."""
        return await self._rules.reconcile(cases)


def fact_of(told: RecordedFact, turns: Mapping[str, str], said_at: datetime) -> Fact:
    """A recorded fact as ours. `turns`: the store's ids, by the conversation's; a turn that is not in the chunk is cited under
    its name, for the verification to look its quote up. Raises ValueError where its dates are none."""
    return Fact(
        text=told.text,
        kind=KINDS.get(told.kind, Kind.KNOWLEDGE),
        evidence=tuple(Evidence(turns.get(one.turn, one.turn), one.quote) for one in told.evidence),
        slot=Slot(told.subject, told.attribute, told.many) if told.subject and told.attribute else None,
        value=told.value,
        entities=tuple({one.name.casefold(): Entity(one.name, one.type) for one in told.entities}.values()),
        relations=tuple(Relation(*one) for one in told.relations),
        event=event_of(told, said_at),
        valid_from=since_of(told, said_at),
        retracts=told.retracts,
        source=SourceClass.DOCUMENT,  # until the verification has seen whose turns it cites
    )


def since_of(told: RecordedFact, said_at: datetime) -> datetime | None:
    """The start of what has begun and has no end."""
    if told.event_from is None or told.event_to is not None:
        return None
    start = span(told.event_from)[0]
    return start if start <= said_at else None


def event_of(told: RecordedFact, said_at: datetime) -> EventTime | None:
    """When it happens: an interval, or what is yet to begin. None where only the end is known: ours has both ends."""
    if told.event_from is None or (told.event_to is None and since_of(told, said_at) is not None):
        return None
    precision = Precision(told.precision) if told.precision else Precision.RANGE
    return EventTime(span(told.event_from)[0], span(told.event_to or told.event_from)[1], precision)


class RecollectRecorded(Recollect):
    """recollect over a recorded extraction."""

    def __init__(
        self, folder: Path, *, recorded: Path, embedder: Embedder, include: Include = BOTH, graph: bool = True
    ) -> None:
        self._recorded = Recorded(read(recorded))
        access = Access(llm=self._recorded)
        super().__init__(folder, label="recorded", embedder=embedder, access=access, include=include, graph=graph)

    def ingest(self, conversation: Conversation) -> Ingested:
        """As `Recollect` does."""
        self._recorded.know(conversation)
        return super().ingest(conversation)
