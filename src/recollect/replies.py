"""What a model answers: the shapes that are asked of it, and the patience with which an answer is read.

A reply is read item by item: one malformed fact or decision of n costs that one, and is reported. Only where nothing of it
is well formed is the whole reply invalid, and the model asked again. An empty list is an answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

T = TypeVar("T", bound=BaseModel)

_DATE = r"^\d{4}(-\d{2}){0,2}$"
_UNPRINTABLE = re.compile("[\x00\ud800-\udfff]")


def _closed(schema: dict[str, Any]) -> None:
    """Every field required, none besides: what providers' strict JSON schemas demand. Reading is more patient."""
    schema["required"] = list(schema.get("properties", {}))
    schema["additionalProperties"] = False
    for field in schema.get("properties", {}).values():
        field.pop("default", None)


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
    kind: str = "thing"


class RelationReply(Item):
    """A labelled edge."""

    subject: str = Field(min_length=1)
    predicate: str = Field(min_length=1)
    object: str = Field(min_length=1)


class EventReply(Item):
    """When it happens, as calendar dates: 2023-05-07, 2023-05 or 2023."""

    start: str = Field(pattern=_DATE)
    end: str | None = Field(default=None, pattern=_DATE)
    precision: Literal["day", "week", "month", "season", "year", "range"] = "day"


class EvidenceReply(Item):
    """The number of a message, and words that stand in it."""

    message: int
    quote: str = Field(min_length=1)


class FactReply(Item):
    """One fact."""

    text: str = Field(min_length=1)
    kind: str
    subject: str | None = None
    attribute: str | None = None
    value: str | None = None
    many: bool = True
    entities: list[EntityReply] = Field(default_factory=list)
    relations: list[RelationReply] = Field(default_factory=list)
    event: EventReply | None = None
    since: str | None = Field(default=None, pattern=_DATE)
    retracts: bool = False
    forget: bool = False
    evidence: list[EvidenceReply]

    @field_validator("value", mode="before")
    @classmethod
    def _number_as_text(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("entities", "relations", "evidence", mode="before")
    @classmethod
    def _well_formed_parts(cls, value: object) -> object:
        """A bad quote or entity costs itself, not the fact."""
        return [part for part in value if isinstance(part, Mapping)] if isinstance(value, list) else value or []


class DecisionReply(Item):
    """What becomes of one new fact. `text` None: the fact's own."""

    fact: int
    op: Literal["ADD", "UPDATE", "DELETE", "NONE"]
    targets: list[int] = Field(default_factory=list)
    mode: Literal["revise", "supersede"] | None = None
    text: str | None = None
    reason: str = ""

    @field_validator("targets", "reason", mode="before")
    @classmethod
    def _absent(cls, value: object, info: Any) -> object:
        return value if value is not None else ([] if info.field_name == "targets" else "")


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
        found = {cls.items_field: data} if isinstance(data, list) and data else data
        items = found.get(cls.items_field) if isinstance(found, Mapping) else None
        if not isinstance(items, list):
            raise PydanticCustomError("shape", f'the reply must be a JSON object with a list "{cls.items_field}"')
        read = [_read(cls.item, one) for one in items]
        good = [one for one in read if isinstance(one, Item)]
        bad = [(_told(one), why) for one, why in zip(items, read, strict=True) if isinstance(why, str)]
        if bad and not good:
            raise PydanticCustomError("items", f'no item of "{cls.items_field}" is well formed: {bad[0][1]}')
        reply: Self = handler({cls.items_field: good})
        reply._malformed = bad
        return reply


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
