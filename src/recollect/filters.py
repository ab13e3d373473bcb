"""The language of `metadata_filter`, parsed and checked. The ledger compiles the result to one SQL condition.

    {"topic": "travel"}                                   plain equality; several keys must all hold
    {"stars": {"gte": 3, "lt": 5}}                        operators; several must all hold
    {"OR": [{"topic": "travel"}, {"NOT": [{"kind": "plan"}]}]}

A missing key satisfies only `exists: False`, `ne` and `nin`. On a list `eq`, `in` and `contains` match any element, `ne` and
`nin` none. Values of unlike types never match. On a string `contains` finds a substring. Built-in fields come first; a
metadata key that is named like one is reached as `metadata.kind`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias

from .errors import InvalidInput
from .times import to_micros

Operator: TypeAlias = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "exists"]
Scalar: TypeAlias = str | int | float | bool | None
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "exists")

TIME_FIELDS = ("created_at", "updated_at", "valid_from", "valid_to", "event_from", "event_to", "expires_at")
TEXT_FIELDS = ("id", "text", "kind", "subject", "attribute", "value", "source", "session_id", "agent_id")
BUILT_IN = frozenset(TIME_FIELDS + TEXT_FIELDS)

MAX_DEPTH = 16
MAX_CONDITIONS = 200
MAX_PARTS = 400  # mappings, empty ones too: SQLite bounds the depth of an expression at 1,000
MAX_CHARACTERS = 1_000_000  # of all names and texts
MAX_LISTED = 10_000  # elements of all `in` and `nin`; SQLite binds at most 32,766 parameters


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition. `built_in` tells a field of ours from a metadata key. Times are microseconds."""

    field: str
    built_in: bool
    operator: Operator
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no parts, always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """Some part holds; with no parts, never."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition: TypeAlias = Compare | All | Either | Not


def parse_filter(spec: object, argument: str = "metadata_filter") -> Condition | None:
    """The condition that `spec` describes; None for None or an empty one. Raises InvalidInput naming the argument."""
    if spec is None:
        return None
    condition = _Parser(argument).mapping(spec, depth=0)
    return condition if condition.parts else None


class _Parser:
    def __init__(self, argument: str) -> None:
        self.argument = argument
        self.conditions = self.parts = self.listed = self.characters = 0

    def refuse(self, problem: str) -> InvalidInput:
        return InvalidInput(self.argument, problem)

    def mapping(self, spec: object, depth: int) -> All:
        if not isinstance(spec, Mapping):
            raise self.refuse("must be a mapping of fields to values or operators")
        if depth > MAX_DEPTH:
            raise self.refuse(f"nested deeper than {MAX_DEPTH}")
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise self.refuse(f"more than {MAX_PARTS} parts")
        return All(tuple(self.entry(key, value, depth) for key, value in spec.items()))

    def entry(self, key: object, value: object, depth: int) -> Condition:
        if not isinstance(key, str):
            raise self.refuse("field names must be strings")
        if key in ("AND", "OR", "NOT"):
            return self.combination(key, value, depth)
        if isinstance(value, Mapping):
            if not value:
                raise self.refuse(f"{shown(key)} has no operator")
            return All(tuple(self.compare(key, operator, operand) for operator, operand in value.items()))
        return self.compare(key, "eq", value)

    def combination(self, key: str, value: object, depth: int) -> Condition:
        if not isinstance(value, Sequence) or isinstance(value, str) or not value:
            raise self.refuse(f"{key} needs a list of conditions")
        parts = tuple(self.mapping(part, depth + 1) for part in value)
        if key == "AND":
            return All(parts)
        return Either(parts) if key == "OR" else Not(Either(parts))

    def compare(self, key: str, operator: object, operand: object) -> Compare:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise self.refuse(f"more than {MAX_CONDITIONS} conditions")
        self.text(key, key)
        built_in = key in BUILT_IN
        field = key if built_in else key.removeprefix("metadata.")
        if operator not in OPERATORS:
            raise self.refuse(f"{shown(key)}: unknown operator {shown(operator)}; there are {', '.join(OPERATORS)}")
        value = self.operand(key, operator, operand, is_time=built_in and key in TIME_FIELDS)
        return Compare(field, built_in, operator, value)

    def operand(self, key: str, operator: str, operand: object, is_time: bool) -> Scalar | tuple[Scalar, ...]:
        if operator == "exists":
            if not isinstance(operand, bool):
                raise self.refuse(f"{shown(key)}: exists needs True or False")
            return operand
        if operator in ("in", "nin"):
            if not isinstance(operand, Sequence | set | frozenset) or isinstance(operand, str | bytes):
                raise self.refuse(f"{shown(key)}: {operator} needs a list")
            self.listed += len(operand)
            if self.listed > MAX_LISTED:
                raise self.refuse(f"more than {MAX_LISTED:,} list elements")
            return tuple(self.scalar(key, element, is_time) for element in operand)
        return self.scalar(key, operand, is_time)

    def scalar(self, key: str, value: object, is_time: bool) -> Scalar:
        if is_time and value is not None:
            return self.time(key, value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(key, value)
        if isinstance(value, int) and -(2**63) <= value < 2**63:
            return value
        if isinstance(value, int | float) and abs(value) <= sys.float_info.max:
            return float(value)
        raise self.refuse(f"{shown(key)}: values are strings, finite numbers, booleans or None (lists with in and nin)")

    def text(self, key: str, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise self.refuse(f"{shown(key)} holds a lone surrogate") from None
        self.characters += len(value)
        if self.characters > MAX_CHARACTERS:
            raise self.refuse(f"more than {MAX_CHARACTERS:,} characters")
        return value

    def time(self, key: str, value: Any) -> int:
        try:
            return to_micros(value if isinstance(value, datetime) else datetime.fromisoformat(value))
        except (TypeError, ValueError, OverflowError):
            raise self.refuse(f"{shown(key)}: a time is a datetime or an ISO 8601 string") from None


def shown(name: object) -> str:
    """A caller's name for a message: its beginning, so that no long text goes into logs."""
    return repr(name[:40] if isinstance(name, str) else type(name).__name__)
