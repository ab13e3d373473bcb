"""Labelled decisions: a new fact, the memories that there are, and what is right to do with it.

docs/evals.md describes the format. It is read strictly, for it is written by hand: whatever is wrong is told, by file and
line, all of it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from recollect.model import EventTime, Kind, Slot, text_key
from recollect.writing.extract import event_of, span
from recollect.writing.replies import EventReply

from . import files

KINDS = (
    "change of value",
    "refinement",
    "correction",
    "duplicate",
    "paraphrase",
    "negation",
    "other person",
    "other time",
    "list-valued slot",
    "retraction",
    "less trusted source",
    "late report",
)
MOST_KNOWN = 5


def _noon(value: object) -> object:
    """A date alone is said at noon, a time without a zone in UTC."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(f"{value}T12:00" if len(value) == len("2024-09-14") else value)
        except ValueError:
            raise PydanticCustomError("when", "is no date or time in ISO 8601") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return value


def _date(value: object) -> object:
    """A day, month or year that there is."""
    if isinstance(value, str):
        try:
            span(value)
        except ValueError as error:
            raise PydanticCustomError("date", "{problem}", {"problem": f"{error}"[:60]}) from None
    return value


Moment: TypeAlias = Annotated[datetime, BeforeValidator(_noon)]
Date: TypeAlias = Annotated[str, Field(pattern=r"^\d{4}(-\d{2}){0,2}$"), BeforeValidator(_date)]
Said: TypeAlias = Annotated[str, Field(min_length=1)]
Op: TypeAlias = Literal["ADD", "UPDATE", "DELETE", "NONE"]
Mode: TypeAlias = Literal["revise", "supersede"]


class Line(BaseModel):
    """Base of what a line is made of: no key besides, no type bent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Told(Line):
    """What an extractor made of a message, new or known. `many`: its slot holds several values; `retracts`: it says only that
    something is over or never was; `forget`: it only asks to forget. `since`: when it began to be so. `said_by`: the role that
    said it ("user", "assistant", "tool"), or the name of a user."""

    text: Said
    kind: Kind
    subject: Said | None = None
    attribute: Said | None = None
    value: Said | None = None
    many: bool = False
    entities: tuple[Said, ...] = ()
    event_from: Date | None = None
    event_to: Date | None = None
    since: Date | None = None
    retracts: bool = False
    forget: bool = False
    said_at: Moment
    said_by: Said = "user"

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.subject is None) != (self.attribute is None) or (self.value is not None and self.subject is None):
            raise PydanticCustomError("slot", "a slot has a subject and an attribute, and a value only with them")
        if self.event_to is not None and self.event_from is None:
            raise PydanticCustomError("event", "event_to comes without event_from")
        if self.event is not None and self.event.start > self.event.end:
            raise PydanticCustomError("event", "its event ends before it starts")
        if self.forget and not self.retracts:
            raise PydanticCustomError("forget", "what asks to forget retracts")
        return self

    @property
    def slot(self) -> Slot | None:
        """What it is about."""
        if self.subject is None or self.attribute is None:
            return None
        return Slot(self.subject, self.attribute, self.many)

    @property
    def event(self) -> EventTime | None:
        """When the thing told of happens."""
        if self.event_from is None:
            return None
        return event_of(EventReply(start=self.event_from, end=self.event_to))

    @property
    def valid_from(self) -> datetime | None:
        """Its stated start."""
        return None if self.since is None else span(self.since)[0]


class Answer(Line):
    """What is done with the new fact. `targets`: places in `known`, from 1; in any order."""

    op: Op
    targets: tuple[Annotated[int, Field(ge=1)], ...] = ()
    mode: Mode | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(set(self.targets)) < len(self.targets):
            raise PydanticCustomError("targets", "a target is named twice")
        if (self.op in ("UPDATE", "DELETE")) != bool(self.targets) and self.op != "NONE":
            raise PydanticCustomError("targets", "UPDATE and DELETE have targets, ADD has none")
        if self.op == "NONE" and len(self.targets) > 1:
            raise PydanticCustomError("targets", "NONE has one target, or none")
        if (self.op == "UPDATE") != (self.mode is not None):
            raise PydanticCustomError("mode", "UPDATE has a mode, and nothing else has")
        return self


class Labelled(Line):
    """A decision with its label. `also`: other answers that are as right."""

    id: Said
    kind: Literal[KINDS]  # type: ignore[valid-type]  # a tuple of texts is what it is made of
    fact: Told
    known: Annotated[tuple[Told, ...], Field(max_length=MOST_KNOWN)]
    right: Answer
    also: tuple[Answer, ...] = ()
    why: Said

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if any(target > len(self.known) for answer in self.accepted for target in answer.targets):
            raise PydanticCustomError("targets", "a target is not among the known")
        if len(set(self.accepted)) < len(self.accepted):
            raise PydanticCustomError("also", "the same answer stands there twice")
        if any(known.said_at == self.fact.said_at for known in self.known):
            raise PydanticCustomError("said_at", "something known was said at the very time of the fact")
        texts = [text_key(known.text) for known in self.known]
        if len(set(texts)) < len(texts):
            raise PydanticCustomError("known", "the same text is known twice")
        return self

    @property
    def accepted(self) -> tuple[Answer, ...]:
        """Every right answer."""
        return (self.right, *self.also)


@dataclass(frozen=True, slots=True)
class Decisions:
    """Labelled decisions of one file. `checksum`: its sha256, in hex."""

    name: str
    cases: tuple[Labelled, ...]
    checksum: str


def load(path: Path | None = None) -> Decisions:
    """Those that recollect ships, or those of a file. Raises DataSetInvalid naming every line that is wrong."""
    path = path or Path(__file__).parent / "data" / "decisions.jsonl"
    data = files.content(path)
    cases: list[Labelled] = []
    problems: list[str] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            cases.append(_new(Labelled.model_validate_json(line), cases))
        except ValidationError as error:
            problems += [f"{path.name}:{number}: {problem}" for problem in _told(error)]
        except ValueError as error:
            problems.append(f"{path.name}:{number}: {error}")
    if not cases and not problems:
        problems.append(f"{path}: holds no decision")
    if problems:
        raise files.invalid(problems)
    return Decisions(files.stem(path), tuple(cases), files.sha256(data))


def _new(case: Labelled, before: Sequence[Labelled]) -> Labelled:
    """The case, where neither its id nor its fact stood there before. Raises ValueError."""
    if any(one.id == case.id for one in before):
        raise ValueError(f"the id {case.id!r} is there already")
    if any(text_key(one.fact.text) == text_key(case.fact.text) for one in before):
        raise ValueError("the text of its fact is there already")
    return case


def _told(error: ValidationError) -> list[str]:
    """What is wrong, by field; never the values."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return [f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in found]
