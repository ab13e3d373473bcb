"""`metadata_filter` → one SQL condition. Field names of ours come from a fixed table; everything else is a bound parameter."""

from __future__ import annotations

from collections.abc import Mapping

from ..filters import All, Compare, Condition, Either, Not, Scalar

Sql = tuple[str, list[object]]

_SOURCE_TURNS = (
    "SELECT t.{column} FROM sources s JOIN turns t ON t.space = s.space AND t.number = s.turn"
    " WHERE s.space = r.space AND s.statement = r.statement AND s.retired IS NULL AND s.echo = 0"
)
# What a built-in field is, of a memory row `r` with its statement `m`. Multi-valued ones are sub-selects.
MEMORY_FIELDS: Mapping[str, str] = {
    "id": "r.memory_id",
    "text": "m.text",
    "kind": "m.kind",
    "subject": "m.subject",
    "attribute": "m.attribute",
    "value": "m.value",
    "source": "m.source",
    "created_at": "(SELECT min(c.recorded_at) FROM memory_rows f JOIN changes c ON c.space = f.space AND c.number = f.recorded"
    " WHERE f.space = r.space AND f.memory_id = r.memory_id)",
    "updated_at": "(SELECT c.recorded_at FROM changes c WHERE c.space = r.space AND c.number = r.recorded)",
    "valid_from": "r.valid_from",
    "valid_to": "r.valid_to",
    "event_from": "m.event_from",
    "event_to": "m.event_to",
    "expires_at": "r.expires_at",
    "session_id": _SOURCE_TURNS.format(column="session_id"),
    "agent_id": _SOURCE_TURNS.format(column="agent_id"),
}
# The same of a turn `r`. A turn has no kind, slot or event: those are missing.
TURN_FIELDS: Mapping[str, str] = {
    "id": "r.id",
    "text": "r.content",
    "created_at": "r.said_at",
    "valid_from": "r.said_at",
    "session_id": "SELECT r.session_id",
    "agent_id": "SELECT r.agent_id",
}
_LISTS = (
    "session_id",
    "agent_id",
)  # a memory has those of all its sources, but for echoes; a turn's are lists of one, so that both agree
_COMPARISON = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def compile_filter(condition: Condition, fields: Mapping[str, str]) -> Sql:
    """SQL text that is true, never NULL, for the rows `r` that match, and its parameters."""
    match condition:
        case All(parts):
            return _join(parts, fields, " AND ", "1")
        case Either(parts):
            return _join(parts, fields, " OR ", "0")
        case Not(part):
            sql, values = compile_filter(part, fields)
            return f"NOT {sql}", values
        case Compare():
            return _compare(condition, fields)


def _join(parts: tuple[Condition, ...], fields: Mapping[str, str], word: str, empty: str) -> Sql:
    compiled = [compile_filter(part, fields) for part in parts]
    if not compiled:
        return f"({empty})", []
    return f"({word.join(sql for sql, _ in compiled)})", [value for _, values in compiled for value in values]


def _compare(one: Compare, fields: Mapping[str, str]) -> Sql:
    if one.operator in ("ne", "nin"):
        sql, values = _compare(
            Compare(one.field, one.built_in, "eq" if one.operator == "ne" else "in", one.value), fields
        )
        return f"NOT {sql}", values
    elements, parameters = _elements(one, fields)
    if one.operator == "exists":
        return f"{'' if one.value else 'NOT '}EXISTS ({elements})", parameters
    tests = _any_of(one.value) if isinstance(one.value, tuple) else [_test(one.operator, one.value)]
    if not tests:
        return "(0)", []
    condition = " OR ".join(sql for sql, _ in tests)
    values = [value for _, values in tests for value in values]
    return f"EXISTS (SELECT 1 FROM ({elements}) WHERE {condition})", [*parameters, *values]


def _elements(one: Compare, fields: Mapping[str, str]) -> Sql:
    """A sub-select of the field's values as (v, t, listed): value, JSON type, and whether it is an element of a list."""
    if not one.built_in:
        key = "SELECT value, type FROM json_each(r.metadata) WHERE key = ?"
        scalars = f"SELECT value AS v, type AS t, 0 AS listed FROM ({key}) WHERE type <> 'array'"
        if one.operator == "exists":
            return key, [one.field]
        if one.operator in ("eq", "in", "contains"):
            lists = f"SELECT e.value, e.type, 1 FROM ({key}) a, json_each(a.value) e WHERE a.type = 'array'"
            return f"{scalars} UNION ALL {lists}", [one.field, one.field]
        return scalars, [one.field]
    source = fields.get(one.field, "NULL")
    source = source if source.startswith("SELECT") else f"SELECT {source}"
    listed = int(one.field in _LISTS)
    return (
        f"SELECT v, CASE typeof(v) WHEN 'null' THEN 'missing' ELSE typeof(v) END AS t, {listed} AS listed"
        f" FROM (SELECT NULL AS v WHERE 0 UNION ALL {source}) WHERE v IS NOT NULL",
        [],
    )


def _any_of(wanted: tuple[Scalar, ...]) -> list[Sql]:
    """Tests of which one must hold. One for all strings, one for all numbers: SQLite bounds the depth of an OR."""
    texts: list[object] = [value for value in wanted if isinstance(value, str)]
    numbers: list[object] = [v for v in wanted if isinstance(v, int | float) and not isinstance(v, bool)]
    tests = [_test("eq", value) for value in (None, True, False) if any(value is one for one in wanted)]
    for types, values in (("'text'", texts), ("'integer', 'real'", numbers)):
        if values:
            tests.append((f"(t IN ({types}) AND v IN ({', '.join('?' * len(values))}))", values))
    return tests


def _test(operator: str, value: Scalar) -> Sql:
    if isinstance(value, bool):
        return (f"t = '{'true' if value else 'false'}'", []) if operator in ("eq", "contains") else ("0", [])
    if value is None:
        return ("t = 'null'", []) if operator in ("eq", "contains") else ("0", [])
    like = "t = 'text'" if isinstance(value, str) else "t IN ('integer', 'real')"
    if operator == "contains":
        inside = " OR (NOT listed AND instr(v, ?) > 0)" if isinstance(value, str) else ""
        values: list[object] = [value, value] if inside else [value]
        return f"({like} AND ((listed AND v = ?){inside}))", values
    scalar = "" if operator == "eq" else " AND NOT listed"
    return f"({like}{scalar} AND v {_COMPARISON[operator]} ?)", [value]
