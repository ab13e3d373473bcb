"""`metadata_filter` against a plain evaluator in Python, on everything that takes one: memories, counts, hits and turns."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage

START = datetime(2024, 1, 1, tzinfo=UTC)
TEXTS = ["", "a", "ab", "A", "5", "true", "ä", "a'b", "%", "x\ny"]
NUMBERS = [0, 1, -1, 5, 5.0, 0.1, 1e300, 2**53 + 1, -(2**63), 2**63 - 1]
SCALARS = st.one_of(st.none(), st.booleans(), st.sampled_from(TEXTS), st.sampled_from(NUMBERS))
KEYS = st.sampled_from(["k", "l", "k.l", "$", "kind", 'q"uote', "ü"])
VALUES = st.one_of(SCALARS, st.lists(SCALARS, max_size=3), st.just({"deep": 1}))
ROWS = [
    {"k": 1, "l": [1, "a", None]},
    {"k": "a", "l": []},
    {"k": None, "ü": 5.0},
    {"k": True, "l": ["ab"]},
    {"k": {"deep": 1}, "k.l": "5"},
    {"k": ["a", True, 5], "$": "a", 'q"uote': 0.1},
    {"k": -(2**63), "l": 2**53 + 1, "kind": "a"},
    {"k": 1e300, "l": False, "kind": "profile"},
    {},
]


def operators(values):
    return st.one_of(
        values,
        st.dictionaries(
            st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "contains"]), values, min_size=1, max_size=2
        ),
        st.dictionaries(st.sampled_from(["in", "nin"]), st.lists(values, max_size=3), min_size=1),
        st.fixed_dictionaries({"exists": st.booleans()}),
    )


FIELDS = st.one_of(
    st.dictionaries(KEYS, operators(SCALARS), max_size=2),
    st.dictionaries(st.just("metadata.kind"), operators(SCALARS), min_size=1),
    st.dictionaries(st.just("kind"), operators(st.sampled_from(["profile", "knowledge", "", "a"])), min_size=1),
    st.dictionaries(st.just("session_id"), operators(st.sampled_from(["s0", "s1", "s"])), min_size=1),
    st.dictionaries(
        st.just("valid_from"),
        operators(st.integers(-1, 9).map(lambda n: (START + timedelta(days=n)).isoformat())).filter(
            lambda one: not (isinstance(one, dict) and "contains" in one)
        ),
        min_size=1,
    ),
)
FILTERS = st.recursive(
    FIELDS,
    lambda inner: st.dictionaries(
        st.sampled_from(["AND", "OR", "NOT"]), st.lists(inner, min_size=1, max_size=2), max_size=2
    ),
    max_leaves=5,
)


# --- the plain reading -------------------------------------------------------------------------------------------------


def type_of(value):
    if isinstance(value, bool) or value is None:
        return repr(value)
    return {str: "text", int: "number", float: "number"}.get(type(value), "nested")


def equal(one, other):
    return type_of(one) == type_of(other) and (one == other or type_of(one) in ("None", "True", "False"))


def ordered(operator, one, other):
    if type_of(one) != type_of(other) or type_of(one) not in ("text", "number"):
        return False
    if isinstance(one, str):  # the database compares code points, and so does Python
        one, other = one.encode(), other.encode()
    return {"gt": one > other, "gte": one >= other, "lt": one < other, "lte": one <= other}[operator]


def holds_operator(values, listed, operator, operand):
    """`values`: of the field, none where it is missing; `listed`: they are a list's elements."""
    if operator == "exists":
        return bool(values or listed) == operand
    if operator in ("ne", "nin"):
        return not holds_operator(values, listed, {"ne": "eq", "nin": "in"}[operator], operand)
    if operator == "eq":
        return any(equal(one, operand) for one in values)
    if operator == "in":
        return any(equal(one, wanted) for one in values for wanted in operand)
    if operator == "contains":
        return any(
            equal(one, operand) or (not listed and isinstance(one, str) and isinstance(operand, str) and operand in one)
            for one in values
            if listed or isinstance(one, str)
        ) or (not listed and any(equal(one, operand) and type_of(one) in ("None", "True", "False") for one in values))
    return not listed and any(ordered(operator, one, operand) for one in values)


def field_of(item, metadata, key):
    """(values, listed) of a field."""
    if key in ("kind", "session_id", "valid_from"):
        return ([] if item[key] is None else [item[key]]), key == "session_id"
    key = key.removeprefix("metadata.")
    if key not in metadata:
        return [], False
    value = metadata[key]
    if isinstance(value, list):
        return [one for one in value if not isinstance(one, dict | list)], True
    return [value], False


def holds(item, metadata, spec):
    for key, value in spec.items():
        if key in ("AND", "OR", "NOT"):
            parts = [holds(item, metadata, part) for part in value]
            if not {"AND": all(parts), "OR": any(parts), "NOT": not any(parts)}[key]:
                return False
            continue
        values, listed = field_of(item, metadata, key)
        for operator, operand in (value if isinstance(value, dict) else {"eq": value}).items():
            if key == "valid_from" and operator != "exists":
                operand = [when(one) for one in operand] if operator in ("in", "nin") else when(operand)
            if not holds_operator(values, listed, operator, operand):
                return False
    return True


def when(text):
    return datetime.fromisoformat(text).timestamp()


# --- the comparison ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    with Memory(tmp_path_factory.mktemp("filters"), llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        for n, row in enumerate(ROWS):
            text = f"likes += thing{n}" if n % 2 else f"words about thing{n}"
            memory.add(
                text,
                user_id="u",
                session_id=f"s{n % 2}",
                metadata=row,
                timestamp=START + timedelta(days=n),
                infer=False,
            )
        memory.add("words about thing0", user_id="other", metadata={"k": 1})
        yield memory


def expected(spec):
    found = set()
    for n, metadata in enumerate(ROWS):
        item = {"kind": "knowledge", "session_id": f"s{n % 2}", "valid_from": (START + timedelta(days=n)).timestamp()}
        if holds(item, metadata, spec):
            found.add(n)
    return found


def numbers(texts):
    return {int(text.rsplit("thing", 1)[1]) for text in texts}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@example(spec={"k": {"in": list(range(5000))}})
@example(spec={"l": {"nin": [None, "a"]}, "k": {"exists": True}})
@example(spec={"NOT": [{"NOT": [{"k": {"contains": None}}]}]})
@given(spec=FILTERS)
def test_every_verb_agrees_with_the_plain_reading(stored, spec):
    wanted = expected(spec)
    assert numbers(item.text for item in stored.get_all(user_id="u", metadata_filter=spec)) == wanted
    assert stored.count(user_id="u", metadata_filter=spec) == len(wanted)
    hits = stored.search("thing0 words likes", user_id="u", metadata_filter=spec, min_score=0, limit=50)
    assert numbers(hit.text for hit in hits) == wanted
    assert all(math.isfinite(hit.score) and hit.kind == "memory" for hit in hits)


# A turn has no kind: what is said of kinds is tested on memories.
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(spec=FILTERS.filter(lambda spec: "'kind'" not in repr(spec)))
def test_turns_agree_with_the_plain_reading(stored, spec):
    hits = stored.search(
        "thing0 words likes", user_id="u", metadata_filter=spec, min_score=0, limit=50, include=["turns"]
    )
    assert {hit.kind for hit in hits} <= {"turn"}
    assert numbers(hit.text for hit in hits) == expected(spec)
