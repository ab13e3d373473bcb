"""`metadata_filter`: every operator, against a plain reading of its definition; nothing a caller writes becomes SQL."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recollect.errors import InvalidInput

ROWS = {
    "paris": {"topic": "travel", "stars": 5, "tags": ["city", "food"], "done": True, "note": None},
    "rome": {"topic": "travel", "stars": 3, "tags": ["city"], "done": False},
    "tea": {"topic": "food", "stars": 4.5, "tags": [1, 2]},
    "bare": {},
}
CASES = [
    ({"topic": "travel"}, "paris rome"),
    ({"topic": {"ne": "travel"}}, "tea bare"),
    ({"topic": {"in": ["food", "art"]}}, "tea"),
    ({"topic": {"in": []}}, ""),
    ({"topic": {"nin": ["food"]}}, "paris rome bare"),
    ({"stars": {"gt": 3}}, "paris tea"),
    ({"stars": {"gte": 3, "lt": 5}}, "rome tea"),
    ({"stars": {"lte": 4.5}}, "rome tea"),
    ({"stars": "5"}, ""),
    ({"stars": {"gt": "1"}}, ""),
    ({"stars": 5.0}, "paris"),
    ({"done": True}, "paris"),
    ({"done": 1}, ""),
    ({"done": {"ne": True}}, "rome tea bare"),
    ({"tags": "city"}, "paris rome"),
    ({"tags": {"contains": "food"}}, "paris"),
    ({"tags": {"contains": "foo"}}, ""),
    ({"topic": {"contains": "rave"}}, "paris rome"),
    ({"tags": {"ne": "food"}}, "rome tea bare"),
    ({"tags": {"nin": ["food", 1]}}, "rome bare"),
    ({"tags": {"gt": 0}}, ""),
    ({"note": None}, "paris"),
    ({"note": {"exists": True}}, "paris"),
    ({"note": {"exists": False}}, "rome tea bare"),
    ({"AND": [{"topic": "travel"}, {"stars": 3}]}, "rome"),
    ({"OR": [{"topic": "food"}, {"stars": 3}]}, "rome tea"),
    ({"NOT": [{"topic": "food"}, {"stars": 3}]}, "paris bare"),
    ({"NOT": [{"OR": [{"topic": "food"}, {"topic": "travel"}]}]}, "bare"),
    ({"kind": "knowledge"}, "paris rome tea bare"),
    ({"metadata.kind": "knowledge"}, ""),
    ({"session_id": "s"}, "paris rome tea bare"),
    ({"session_id": {"ne": "s"}}, ""),
    ({"created_at": {"gt": "2020-01-01"}}, "paris rome tea bare"),
    ({"valid_to": {"exists": False}}, "paris rome tea bare"),
    ({}, "paris rome tea bare"),
    ({"to'pic\"]": "x"}, ""),
    ({"x') OR 1=1 --": {"exists": True}}, ""),
    ({"topic": "travel' OR '1'='1"}, ""),
]
WRONG = [
    "topic",
    {"topic": {}},
    {"topic": {"like": "x"}},
    {"topic": {"exists": 1}},
    {"topic": {"in": "travel"}},
    {"topic": ["travel"]},
    {"topic": float("nan")},
    {"topic": "\ud800"},
    {"AND": {}},
    {"OR": []},
    {1: 2},
    {"created_at": "yesterday-ish"},
    {"topic": {1, 2}},
]


@pytest.fixture
def stored(memory):
    for text, metadata in ROWS.items():
        memory.add(text, user_id="u", session_id="s", infer=False, metadata=metadata)
    return memory


@pytest.mark.parametrize(("spec", "expected"), CASES, ids=str)
def test_get_all_and_search_agree_on_a_filter(stored, spec, expected):
    assert {item.text for item in stored.get_all(user_id="u", metadata_filter=spec)} == set(expected.split())
    assert stored.count(user_id="u", metadata_filter=spec) == len(expected.split())
    hits = stored.search("paris rome tea bare", user_id="u", metadata_filter=spec, min_score=0)
    assert {hit.text for hit in hits} == set(expected.split())


@pytest.mark.parametrize("spec", WRONG, ids=repr)
def test_what_makes_no_sense_is_named(stored, spec):
    with pytest.raises(InvalidInput, match="metadata_filter"):
        stored.search("x", user_id="u", metadata_filter=spec)


def test_too_deep_is_refused(stored):
    spec: dict[str, object] = {"topic": "travel"}
    for _ in range(50):
        spec = {"NOT": [spec]}
    with pytest.raises(InvalidInput, match="nested"):
        stored.get_all(user_id="u", metadata_filter=spec)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    key=st.text(max_size=12),
    operator=st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte", "contains"]),
    value=SCALARS,
)
def test_any_key_and_value_is_data(stored, key, operator, value):
    try:
        found = stored.get_all(user_id="u", metadata_filter={key: {operator: value}})
    except InvalidInput:
        return
    assert {item.text for item in found} <= set(ROWS)
