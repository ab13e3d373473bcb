"""What a model answers: the shapes that are asked of it, and the patience with which an answer is read.

A reply is read item by item: one malformed fact or decision of n costs that one, and is reported. Only where nothing of it
is well formed is the whole reply invalid, and the model asked again. An empty list is an answer.

What can be meant in one way only is read that way: "2" or "[2]" for 2, "update" for UPDATE, one object for a list of one, a
date with a time. What a fact can do without (its slot, an entity) costs itself alone where it cannot be read; what would
change its meaning (its text, its dates, whether it retracts, all of its evidence) costs the fact.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

T = TypeVar("T", bound=BaseModel)

_DATE = r"^\d{4}(-\d{2}){0,2}$"
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"\s*\[?(\d{1,9})\]?\s*")
_DATE_AND_TIME = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{2}:\d{2}\S*")


def _closed(schema: dict[str, Any]) -> None:
    """Every field required, none besides: what providers' strict JSON schemas demand. Reading is more patient."""
    schema["required"] = list(schema.get("properties", {}))
    schema["additionalProperties"] = False
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


# --- what can be meant in one way only ---------------------------------------------------------------------------------


def _number(value: object) -> object:
    """2 for "2", "[2]" and 2.0."""
    if isinstance(value, str) and (digits := _NUMBER.fullmatch(value)):
        return int(digits[1])
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _listed(value: object) -> list[object]:
    """[] for null, [x] for x."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _flag(value: object) -> object:
    """False for null and "false", True for "true"."""
    if isinstance(value, str) and value.strip().casefold() in ("true", "false"):
        return value.strip().casefold() == "true"
    return False if value is None else value


def _day(value: object) -> object:
    """The date of a date with a time; None for ""."""
    if isinstance(value, str):
        with_time = _DATE_AND_TIME.fullmatch(value.strip())
        return with_time[1] if with_time else value.strip() or None
    return value


def _word(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _name(value: object) -> object:
    """A name alone for an entity of that name."""
    return {"name": value} if isinstance(value, str) else value


def _without(default: object) -> WrapValidator:
    """For what a fact can do without: the default in place of what cannot be read."""

    def read(value: object, handler: Any) -> object:
        try:
            return handler(value)
        except ValidationError:
            return default

    return WrapValidator(read)


Number: TypeAlias = Annotated[int, BeforeValidator(_number)]
Flag: TypeAlias = Annotated[bool, BeforeValidator(_flag)]
Day: TypeAlias = Annotated[str, Field(pattern=_DATE), BeforeValidator(_day)]
MaybeDay: TypeAlias = Annotated[str | None, Field(pattern=_DATE), BeforeValidator(_day)]
MaybeText: TypeAlias = Annotated[str | None, _without(None)]


class Item(BaseModel):
    """Base of what a reply is made of: unknown keys are passed over, types are not bent."""

    model_config = ConfigDict(extra="ignore", json_schema_extra=_closed, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: object) -> object:
        if isinstance(value, str) and _UNPRINTABLE.search(value):
            raise PydanticCustomError("unprintable", "holds a NUL or a lone surrogate")
        return value


class EntityReply(Item):
    """Somebody or something that a fact names."""

    name: str = Field(min_length=1)
    kind: Annotated[str, _without("thing")] = "thing"


class RelationReply(Item):
    """A labelled edge."""

    subject: str = Field(min_length=1)
    predicate: str = Field(min_length=1)
    object: str = Field(min_length=1)


Unit: TypeAlias = Literal["day", "week", "month", "season", "year", "range"]


class EventReply(Item):
    """When it happens, as calendar dates: 2023-05-07, 2023-05 or 2023."""

    start: Day
    end: MaybeDay = None
    precision: Annotated[Unit | None, BeforeValidator(_word), _without(None)] = None

    @property
    def unit(self) -> Unit:
        """The precision as it is given, else that of the dates."""
        if self.precision is None and self.end not in (None, self.start):
            return "range"
        return self.precision or ("year", "month", "day")[self.start.count("-")]


class EvidenceReply(Item):
    """The number of a message, and words that stand in it."""

    message: Number
    quote: str = Field(min_length=1)


class FactReply(Item):
    """One fact."""

    text: str = Field(min_length=1)
    kind: Annotated[str, _without("knowledge")] = "knowledge"
    subject: MaybeText = None
    attribute: MaybeText = None
    value: MaybeText = None
    many: Annotated[Flag, _without(default=True)] = True
    entities: list[Annotated[EntityReply, BeforeValidator(_name)]] = Field(default_factory=list)
    relations: list[RelationReply] = Field(default_factory=list)
    event: EventReply | None = None
    since: MaybeDay = None
    retracts: Flag = False
    forget: Flag = False
    evidence: list[EvidenceReply]

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
        return str(value) if number else value

    @field_validator("event", mode="before")
    @classmethod
    def _date_alone(cls, value: object) -> object:
        """A date alone is the event's; an event without any date is none."""
        if isinstance(value, Mapping) and not (value.get("start") or value.get("end")):
            return None
        return ({"start": value} if value else None) if isinstance(value, str) else value

    @field_validator("entities", "relations", "evidence", mode="wrap")
    @classmethod
    def _part_by_part(cls, value: object, handler: Any, info: ValidationInfo) -> object:
        """A bad quote or entity costs itself, not the fact; but evidence of which nothing can be read is no evidence."""
        parts = _listed(value)
        good = [part for one in parts for part in _readable(handler, one)]
        return good if good or info.field_name != "evidence" else handler(parts)


def _readable(handler: Any, part: object) -> list[Any]:
    try:
        return list(handler([part]))
    except ValidationError:
        return []


class DecisionReply(Item):
    """What becomes of one new fact. `text` None: the fact's own."""

    fact: Number
    op: Literal["ADD", "UPDATE", "DELETE", "NONE"]
    targets: Annotated[list[Number], BeforeValidator(_listed)] = Field(default_factory=list)
    mode: Literal["revise", "supersede"] | None = None
    text: str | None = None
    reason: Annotated[str, _without("")] = ""

    @field_validator("op", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.strip().upper() if isinstance(value, str) else value

    @field_validator("mode", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return (value.strip().casefold() or None) if isinstance(value, str) else value


class ListReply(BaseModel):
    """A reply that holds one list. `malformed`: (what it was, what is wrong with it) of the items that could not be read."""

    model_config = ConfigDict(extra="ignore", json_schema_extra=_closed)
    items_field: ClassVar[str]
    item: ClassVar[type[Item]]
    _malformed: list[tuple[str, str]] = PrivateAttr(default_factory=list)

    @property
    def malformed(self) -> list[tuple[str, str]]:
        return self._malformed

    @model_validator(mode="wrap")
    @classmethod
    def _item_by_item(cls, data: Any, handler: Any) -> Self:
        items = cls._items(data)
        if items is None:
            raise PydanticCustomError("shape", f'the reply must be a JSON object with a list "{cls.items_field}"')
        read = [_read(cls.item, one) for one in items]
        good = [one for one in read if isinstance(one, Item)]
        bad = [(_told(one), why) for one, why in zip(items, read, strict=True) if isinstance(why, str)]
        if bad and not good:
            raise PydanticCustomError("items", f'no item of "{cls.items_field}" is well formed: {bad[0][1]}')
        reply: Self = handler({cls.items_field: good})
        reply._malformed = bad
        return reply

    @classmethod
    def _items(cls, data: object) -> list[Any] | None:
        """The items under their name, or alone: a list that is not empty, or one object that has what an item must have."""
        items = data[cls.items_field] if isinstance(data, Mapping) and cls.items_field in data else data
        needed = {name for name, field in cls.item.model_fields.items() if field.is_required()}
        if isinstance(items, Mapping) and needed <= set(items):
            return [items]
        return items if isinstance(items, list) and (items or items is not data) else None


def _read(item: type[Item], value: object) -> Item | str:
    """The item, or what is wrong with it: names of fields and rules, never the content."""
    try:
        return item.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"


def _told(value: object) -> str:
    """The text of a malformed fact, as far as it has one, for the list of what was rejected."""
    text = value.get("text") if isinstance(value, Mapping) else value
    return _UNPRINTABLE.sub("�", text)[:500] if isinstance(text, str) else ""


class ExtractReply(ListReply):
    """What an extraction prompt asks for."""

    items_field = "facts"
    item = FactReply
    facts: list[FactReply]


class ReconcileReply(ListReply):
    """What a reconciliation prompt asks for."""

    items_field = "decisions"
    item = DecisionReply
    decisions: list[DecisionReply]
