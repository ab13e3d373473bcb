"""Interchange files: everything of one or of all users, a JSON object a line (docs/interchange.md). What a line may be, and the
reading of a file line by line; nothing in it is believed before it is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from .. import check
from ..errors import ImportInvalid
from ..ids import IdKind, check_id
from ..model import Kind, Op, Precision, Role, SourceClass
from ..times import now, offset_minutes, to_micros

FORMAT, VERSION = "recollect", 1
MAX_LINE = 64_000_000  # bytes; a message of a million characters takes at most six of each
MAX_NUMBER = 2**40
GAPS = 100  # turns for each line before, at most: of those that were erased their chunk is left, or the change that a caller made
AHEAD = timedelta(days=1)  # that another machine's clock may be ahead: times of recording never go back


# --- what stands in a line ---------------------------------------------------------------------------------------------


def _clean(value: str) -> str:
    return check.text("text", value) if value.strip() else ""


def _told(value: str) -> str:
    return check.text("text", value)


def _metadata(value: Mapping[str, Any]) -> dict[str, Any]:
    return check.metadata("metadata", value)


def _of_kind(kind: IdKind) -> AfterValidator:
    return AfterValidator(lambda value: check_id("id", value, kind))


Text: TypeAlias = Annotated[str, AfterValidator(_told)]
MaybeEmpty: TypeAlias = Annotated[str, AfterValidator(_clean)]
Name: TypeAlias = Annotated[str, AfterValidator(lambda value: check.identifier("name", value))]
Metadata: TypeAlias = Annotated[dict[str, Any], AfterValidator(_metadata)]
Number: TypeAlias = Annotated[int, Field(ge=1, le=MAX_NUMBER, strict=True)]
Place: TypeAlias = Annotated[int, Field(ge=0, le=MAX_NUMBER, strict=True)]
Flag: TypeAlias = Annotated[bool, Field(strict=True)]
Time: TypeAlias = Annotated[AwareDatetime, AfterValidator(lambda value: check.spoken("time", value))]
MemoryId: TypeAlias = Annotated[str, _of_kind("mem")]
ChangeId: TypeAlias = Annotated[str, _of_kind("chg")]
TurnId: TypeAlias = Annotated[str, _of_kind("turn")]
BatchId: TypeAlias = Annotated[str, _of_kind("batch")]


class _Line(BaseModel):
    """A line. `texts`: its fields that somebody wrote, from which secrets are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    texts: ClassVar[tuple[str, ...]] = ()

    @property
    def kind(self) -> str:
        """Its `type`."""
        return str(getattr(self, "type"))  # noqa: B009 -- each subclass has its own


class EmbedderOf(BaseModel):
    """Whose vectors are in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    dim: Annotated[int, Field(ge=1, le=100_000, strict=True)]


class Header(_Line):
    """The first line. `embedder`: whose vectors are in it; None where it has none."""

    type: Literal["header"]
    format: Literal["recollect"]
    version: Annotated[int, Field(strict=True)]
    exported_at: Time
    embedder: EmbedderOf | None = None


class User(_Line):
    """Whose everything up to the next `user_end` is. `revision`: where the user's numbers stand."""

    type: Literal["user"]
    user_id: Name | None
    revision: Place


class BatchLine(_Line):
    """What was handed in with one call."""

    type: Literal["batch"]
    texts = ("metadata", "instructions")
    id: BatchId
    agent_id: Name | None = None
    session_id: Name | None = None
    status: Literal["pending", "done", "failed"]
    created_at: Time
    finished_at: Time | None = None
    infer: Flag
    metadata: Metadata
    expires_at: Time | None = None
    instructions: MaybeEmpty | None = None
    retells: Flag = False
    dropped: Place = 0
    successive: Flag = False
    idempotency_key: Name | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{0,64}$")] = ""
    redacted: list[tuple[Annotated[str, Field(pattern=r"^\w{1,64}$")], Place | None]] = []
    attempts: Place = 0
    error: Annotated[str, Field(pattern=r"^\w{1,100}$")] | None = None


class ChunkLine(_Line):
    """A part of a batch, by the numbers of its turns."""

    type: Literal["chunk"]
    batch_id: BatchId
    n: Place
    first_turn: Number
    last_turn: Number
    state: Literal["closed", "extracted", "committed"]
    committed: Number | None = None
    model: MaybeEmpty | None = None
    prompt_id: MaybeEmpty | None = None
    erased: Place = 0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EvidenceOf(_Part):
    """A quote in a turn."""

    turn_id: TurnId
    quote: MaybeEmpty


class SlotOf(_Part):
    """What a fact is about."""

    subject: Text
    attribute: Text
    many: Flag = False


class EntityOf(_Part):
    """Who or what a fact names."""

    name: Text
    kind: Text


class RelationOf(_Part):
    """How a fact relates two of them."""

    subject: Text
    predicate: Text
    object: Text


class FactOf(_Part):
    """A verified fact. Its times are microseconds since 1970."""

    text: Text
    kind: Kind
    evidence: list[EvidenceOf]
    slot: SlotOf | None = None
    value: MaybeEmpty | None = None
    entities: list[EntityOf] = []
    relations: list[RelationOf] = []
    event: tuple[int | None, int | None, Precision | None] = (None, None, None)
    valid_from: int | None = None
    retracts: Flag = False
    bare_forget: Flag = False
    source: SourceClass = SourceClass.USER


class FactLine(_Line):
    """A fact that waits for its decision."""

    type: Literal["fact"]
    batch_id: BatchId
    chunk: Place
    n: Place
    fact: FactOf


class RejectedLine(_Line):
    """A fact that was not believed."""

    type: Literal["rejected"]
    texts = ("text", "reason")
    batch_id: BatchId
    chunk: Place
    n: Place
    text: MaybeEmpty
    reason: MaybeEmpty


class HidingLine(_Line):
    """A turn that was taken out of search."""

    type: Literal["hiding"]
    turn: Number
    added: Number
    origin: Number
    retired: Number | None = None


class TurnLine(_Line):
    """What was said. `batch_id` None: a caller's correction. `vector`: float32, little-endian, in base64."""

    type: Literal["turn"]
    texts = ("content", "name", "metadata")
    number: Number
    id: TurnId
    batch_id: BatchId | None = None
    agent_id: Name | None = None
    session_id: Name | None = None
    role: Role
    name: Name | None = None
    content: Text
    said_at: Time
    dated: Flag
    metadata: Metadata
    committed: Number | None = None
    blanked: Flag = False
    vector: str | None = None


class ChangeLine(_Line):
    """A committed effect."""

    type: Literal["change"]
    texts = ("previous_text", "also_ended", "reason")
    number: Number
    id: ChangeId
    op: Op
    memory_id: MemoryId | None = None
    row: Number | None = None
    previous_text: MaybeEmpty | None = None
    also_ended: list[MaybeEmpty] = []
    reason: MaybeEmpty
    flag: MaybeEmpty | None = None
    batch_id: BatchId | None = None
    chunk: Place | None = None
    recorded_at: Time
    actor: Name | None = None
    model: MaybeEmpty | None = None
    prompt_id: MaybeEmpty | None = None
    undoes: ChangeId | None = None

    @model_validator(mode="after")
    def _recorded(self) -> ChangeLine:
        if self.recorded_at > now() + AHEAD:
            raise ValueError("recorded in the future")
        return self


class EntityLine(_Line):
    """Somebody or something that statements name."""

    type: Literal["entity"]
    texts = ("name", "kind_of")
    number: Number
    name: Text
    kind_of: Text = Field(alias="kind")


class StatementLine(_Line):
    """What versions of a memory say. `entities`, and the ends of `relations`, are entities' numbers."""

    type: Literal["statement"]
    texts = ("text", "subject", "attribute", "value", "relations")
    number: Number
    text: Text
    kind_of: Kind = Field(alias="kind")
    subject: Text | None = None
    attribute: Text | None = None
    many: Flag = False
    value: MaybeEmpty | None = None
    event_from: Time | None = None
    event_to: Time | None = None
    event_precision: Precision | None = None
    source: SourceClass
    entities: list[Number] = []
    relations: list[tuple[Number, Text, Number]] = []
    vector: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> StatementLine:
        if (self.subject is None) != (self.attribute is None):
            raise ValueError("a slot has a subject and an attribute")
        if len({one is None for one in (self.event_from, self.event_to, self.event_precision)}) > 1:
            raise ValueError("an event has a start, an end and a precision")
        if self.event_from is not None and self.event_to is not None and self.event_from > self.event_to:
            raise ValueError("an event that ends before it begins")
        return self


class VersionLine(_Line):
    """A version of a memory: when it holds, and by which changes it was believed and taken back."""

    type: Literal["version"]
    texts = ("metadata",)
    number: Number
    memory_id: MemoryId
    statement: Number
    valid_from: Time
    valid_to: Time | None = None
    recorded: Number
    retired: Number | None = None
    metadata: Metadata
    expires_at: Time | None = None
    quarantined: Flag = False
    restores: Number | None = None

    @model_validator(mode="after")
    def _ordered(self) -> VersionLine:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("a version that ends before it begins")
        return self


class SourceLine(_Line):
    """A quote behind a statement."""

    type: Literal["source"]
    texts = ("quote",)
    number: Number
    statement: Number
    turn: Number
    quote: Text
    echo: Flag = False
    added: Number
    retired: Number | None = None


class IdentityLine(_Line):
    """That two entities are one, or are not, by a caller's word."""

    type: Literal["identity"]
    one: Number
    other: Number
    same: Flag
    added: Number
    origin: Number
    retired: Number | None = None


class UserEnd(_Line):
    """The end of a user, with how many lines of each type there were."""

    type: Literal["user_end"]
    counts: dict[str, Place]


class End(_Line):
    """The last line."""

    type: Literal["end"]
    users: Place
    counts: dict[str, Place]


Content: TypeAlias = (
    BatchLine
    | ChunkLine
    | FactLine
    | RejectedLine
    | HidingLine
    | TurnLine
    | ChangeLine
    | EntityLine
    | StatementLine
    | VersionLine
    | SourceLine
    | IdentityLine
)
"""A line of a user's part."""
ORDER = (
    "batch", "chunk", "fact", "rejected", "hiding", "turn", "change", "entity", "statement", "version", "source", "identity",
)  # fmt: skip
"""The order of their types within a part."""

_LINE: TypeAdapter[Header | User | Content | UserEnd | End] = TypeAdapter(
    Annotated[Header | User | Content | UserEnd | End, Field(discriminator="type")],
    config=ConfigDict(cache_strings="keys"),  # values hardly ever come twice
)


# --- reading -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Reading:
    """Reads a file once, line by line: the order of its lines and its counts are checked as it goes. Raises ImportInvalid, with
    the line's number. `line` is the last one read, `at` how many bytes that were."""

    file: BinaryIO
    line: int = 0
    at: int = 0
    users: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def header(self) -> Header:
        """The first line."""
        looks_like_one = b'"header"' in self.file.readline(1_000)
        self.file.seek(0)
        first = self._next() if looks_like_one else None
        if not isinstance(first, Header):
            self.line = 1
            raise self.fault('not a file that `export` wrote with format="jsonl" (conversations are for `ingest`)')
        if first.version != VERSION:
            raise self.fault(f"version {first.version} of the format; this recollect reads version {VERSION}")
        return first

    def parts(self) -> Iterator[tuple[User, Iterator[Content]]]:
        """Each user, with an iterator over the lines of that part, to be read through before the next one."""
        while True:
            line = self._next()
            if isinstance(line, End):
                if line.users != self.users or line.counts != dict(self.counts):
                    raise self.fault("other counts than the file has: lines are missing, or were added")
                if self.file.read(1):
                    self.line += 1
                    raise self.fault("something after the end")
                return
            if not isinstance(line, User):
                raise self.fault(f"a {line.kind!r} outside of a user")
            self.users += 1
            yield line, self._part()

    def _part(self) -> Iterator[Content]:
        counted, place = Counter[str](), 0
        while True:
            line = self._next()
            if isinstance(line, UserEnd):
                if line.counts != dict(counted):
                    raise self.fault("other counts than the user has: lines are missing, or were added")
                self.counts += counted
                return
            if isinstance(line, Header | User | End):
                raise self.fault(f"a {line.kind!r} before the end of a user")
            if ORDER.index(line.kind) < place:
                raise self.fault(f"a {line.kind!r} after what comes later")
            place = ORDER.index(line.kind)
            counted[line.kind] += 1
            self._check_number(line, counted)
            yield line

    def _check_number(self, line: Content, counted: Counter[str]) -> None:
        """What is searched is kept in arrays by its number: a number may not be far from how many things there are."""
        if isinstance(line, StatementLine | VersionLine | SourceLine) and line.number != counted[line.kind]:
            raise self.fault(f"{line.kind}s are numbered from 1, without gaps")
        if isinstance(line, ChunkLine | TurnLine):
            number = line.last_turn if isinstance(line, ChunkLine) else line.number
            if number > GAPS * (counted.total() + GAPS):
                raise self.fault("a turn's number beyond all that were ever given out")

    def _next(self) -> Header | User | Content | UserEnd | End:
        raw = self.file.readline(MAX_LINE + 1)
        self.line += 1
        self.at += len(raw)
        if not raw:
            raise self.fault("the file ends too early")
        if len(raw) > MAX_LINE:
            raise self.fault(f"longer than {MAX_LINE:,} bytes")
        if not raw.endswith(b"\n"):
            raise self.fault("the file ends in the middle of a line")
        try:
            return _LINE.validate_json(raw)
        except ValidationError as error:
            raise self.fault(_problem(error)) from None
        except RecursionError:
            raise self.fault("nested too deeply") from None

    def fault(self, problem: str) -> ImportInvalid:
        """An error at the line that was read last."""
        return ImportInvalid(problem, line=self.line)


def _problem(error: ValidationError) -> str:
    """What is wrong and where, and nothing of what stands there: keys of the file are content too."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    if first["type"] == "extra_forbidden":
        return "a field that the format does not have"
    known = [str(part) for part in first["loc"][1:] if isinstance(part, int) or str(part).isidentifier()]
    return f"{'.'.join(known[:1]) or 'line'}: {first['type'].replace('_', ' ')}"


def opened(path: Path) -> BinaryIO:
    """The file, for reading. Raises ImportInvalid where there is none."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportInvalid(f"{path} cannot be read: {error.strerror}") from None


# --- what is put in the ledger -----------------------------------------------------------------------------------------


def values_of(line: Content) -> dict[str, Any]:
    """A line's fields as the ledger takes them: times in microseconds, a turn's offset beside its time."""
    fields = {name: _value(value) for name, value in line}
    if isinstance(line, TurnLine):
        fields["utc_offset"] = offset_minutes(line.said_at)
    if isinstance(line, FactLine):
        fields["fact"] = line.fact.model_dump(mode="json")
    return fields


def _value(value: Any) -> Any:
    return to_micros(value) if hasattr(value, "utcoffset") else value
