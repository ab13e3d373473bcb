"""Operations and HaluMem's figures: values worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect_evals.metrics.halumem import extracting, updating
from recollect_evals.metrics.operations import Verdict, confusion, judged, per_kind, shares, told


def answer(op, *targets, mode=None):
    return {"op": op, "targets": list(targets), "mode": mode}


REVISE, SUPERSEDE = answer("UPDATE", 1, mode="revise"), answer("UPDATE", 1, mode="supersede")
ADD, NOTHING, DELETE = answer("ADD"), answer("NONE"), answer("DELETE", 1, 2)


def record(right, got, *also, kind="k", harmed=()):
    return {"case": "c", "kind": kind, "right": right, "also": list(also), "got": got, "harmed": list(harmed)}


JUDGED = [
    # right, got, other right ones, operation, targets, mode
    (REVISE, REVISE, (), True, True, True),
    (REVISE, SUPERSEDE, (), True, True, False),
    (REVISE, answer("UPDATE", 2, mode="revise"), (), True, False, True),
    (REVISE, answer("NONE", 1), (), False, True, False),
    (REVISE, ADD, (), False, False, False),
    (REVISE, SUPERSEDE, (SUPERSEDE,), True, True, True),
    (REVISE, ADD, (ADD,), True, None, None),
    (REVISE, answer("UPDATE", 2, mode="revise"), (ADD,), True, False, True),
    (ADD, ADD, (), True, None, None),
    (ADD, SUPERSEDE, (), False, None, None),
    (DELETE, answer("DELETE", 2, 1), (), True, True, None),
    (DELETE, answer("DELETE", 1), (), True, False, None),
    (NOTHING, NOTHING, (), True, None, None),
    (NOTHING, answer("NONE", 1), (), True, False, None),
    (answer("NONE", 1), NOTHING, (), True, False, None),
]


@pytest.mark.parametrize(("right", "got", "also", "op", "targets", "mode"), JUDGED)
def test_each_part_is_judged_alone(right, got, also, op, targets, mode):
    verdict = judged(record(right, got, *also))
    assert verdict == Verdict(op, targets, mode)
    assert verdict.whole == (op and targets is not False and mode is not False)


def test_shares_are_over_those_that_take_part():
    records = [
        record(REVISE, REVISE),
        record(REVISE, SUPERSEDE),
        record(ADD, SUPERSEDE, harmed=[1]),
        record(DELETE, answer("DELETE", 1), harmed=[3]),
    ]
    found = shares(records)
    assert (found.n, found.right, found.op, found.harmless) == (4, 1 / 4, 3 / 4, 2 / 4)
    assert (found.targets, found.mode) == (2 / 3, 1 / 2)
    assert shares([record(ADD, ADD)]).mode is None
    assert shares([]) is None


def test_no_decision_is_a_wrong_one_and_does_no_harm():
    failed = {
        "case": "c",
        "kind": "k",
        "right": REVISE,
        "also": [],
        "error": {"type": "ModelUnavailable", "message": ""},
    }
    found = shares([failed, record(REVISE, REVISE)])
    assert (found.right, found.op, found.failed, found.harmless) == (1 / 2, 1 / 2, 1, 1.0)
    assert confusion([failed]) == {("UPDATE revise", "none"): 1}


def test_kinds_and_the_table_of_confusions():
    records = [
        record(REVISE, SUPERSEDE, kind="b"),
        record(REVISE, SUPERSEDE, SUPERSEDE, kind="a"),
        record(ADD, NOTHING, kind="b"),
        record(ADD, NOTHING, kind="b"),
    ]
    assert {kind: (one.n, one.right) for kind, one in per_kind(records).items()} == {"b": (3, 0), "a": (1, 1)}
    assert list(per_kind(records)) == ["b", "a"]
    assert confusion(records) == {
        ("UPDATE revise", "UPDATE supersede"): 1,
        ("UPDATE supersede", "UPDATE supersede"): 1,
        ("ADD", "NONE"): 2,
    }
    assert told(answer("UPDATE", 1, 3, mode="revise")) == "UPDATE revise 1, 3"
    assert (told(ADD), told(None)) == ("ADD", "none")


ANSWERS = st.sampled_from([REVISE, SUPERSEDE, ADD, NOTHING, DELETE, answer("UPDATE", 2, mode="revise")])


@given(ANSWERS, ANSWERS, st.lists(ANSWERS, max_size=3))
def test_who_gives_an_accepted_answer_is_right_and_nobody_else(right, got, also):
    assert judged(record(right, got, *also)).whole == (got in [right, *also])
    assert judged(record(right, right, *also)).whole


def updated(outcome, *, is_update=True, stored=True, shown=True):
    return {"outcome": outcome, "is_update": is_update, "stored": stored, "shown": shown}


def test_what_became_of_updates():
    records = [
        updated("right"),
        updated("wrong"),
        updated("omitted", shown=False),
        updated("known", shown=None),
        updated("right", is_update=False),
        updated("update", is_update=False),
        updated("joined", is_update=False),
        updated("known", is_update=False),
    ]
    assert updating(records) == {
        "updates": 4,
        "updates, right": 0.25,
        "updates, wrong": 0.25,
        "updates, known": 0.25,
        "updates, omitted": 0.25,
        "originals shown": 2 / 3,
        "new": 4,
        "new, right": 0.25,
        "new, joined": 0.25,
        "new, update": 0.25,
        "new, known": 0.25,
    }
    assert set(updating([]).values()) == {0, None}


def point(name, match, *, interference=False, importance=1.0):
    return {"id": name, "match": match, "interference": interference, "importance": importance}


def test_what_was_extracted():
    first = {
        "conversation": "u",
        "points": [point("1", 0), point("2", None, importance=0.5), point("3", 1, interference=True)],
        "memories": [{"text": "a", "match": "1"}, {"text": "b", "match": "3"}, {"text": "c", "match": None}],
    }
    second = {
        "conversation": "u",
        "points": [point("4", 0, importance=None), point("5", None, interference=True)],
        "memories": [{"text": "d", "match": "4"}],
    }
    assert extracting([first, second]) == {
        "points": 3,
        "recall": 2 / 3,
        "weighted recall": 2 / 2.5,
        "memories": 4,
        "precision": 2 / 4,
        "interference points": 2,
        "resistance": 1 / 2,
    }
    assert set(extracting([]).values()) == {0, None}
