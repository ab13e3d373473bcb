"""Ranking metrics: distinct turns in rank order, values worked out by hand, and what must hold of any ranking."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from questions import memory, question, turn

from recollect_evals.metrics import Asked, retrieval
from recollect_evals.metrics.coverage import coverage
from recollect_evals.metrics.hit import hit
from recollect_evals.metrics.mrr import reciprocal_rank
from recollect_evals.metrics.ndcg import ndcg
from recollect_evals.metrics.order import ranked_turns
from recollect_evals.metrics.precision import precision
from recollect_evals.metrics.recall import recall
from recollect_evals.metrics.session_recall import session_recall
from recollect_evals.metrics.unrelated import silence
from recollect_evals.model import Packed

NAMES = [f"D1:{n}" for n in range(1, 9)]
# Ranks of turns: D1:4 1, D1:2 2, D1:1 3, D1:3 4; the second memory's D1:2 and the turn D1:4 are told already.
FOUND = [memory("a", "D1:4", "D1:2"), memory("b", "D1:2", "D1:1"), turn("D1:4"), memory("c"), turn("D1:3")]
ASKED = question("D1:1", "D1:3", "D1:8")


def test_a_memory_stands_for_its_turns_in_their_order_and_each_turn_counts_once():
    assert ranked_turns(FOUND) == ["D1:4", "D1:2", "D1:1", "D1:3"]


@pytest.mark.parametrize(("k", "expected"), [(1, 0), (2, 0), (3, 1 / 3), (4, 2 / 3), (50, 2 / 3)])
def test_recall_counts_turns_not_results(k, expected):
    assert recall(ASKED, FOUND, k) == pytest.approx(expected)


@pytest.mark.parametrize(("k", "expected"), [(1, 0), (2, 1 / 2), (3, 1 / 2), (50, 1 / 2)])
def test_session_recall_counts_distinct_sessions_though_no_turn_is_marked(k, expected):
    session_of = {"D1:4": "D1", "D1:2": "D1", "D1:1": "D2", "D1:3": "D3", "D1:8": "D4"}
    asked = question(sessions=("D2", "D4"))
    assert session_recall(asked, FOUND, session_of, k) == pytest.approx(expected)
    assert recall(asked, FOUND, k) is None
    assert session_recall(ASKED, FOUND, session_of, k) is None
    assert session_recall(question(sessions=("D2",), answer=None), FOUND, session_of, k) is None


@pytest.mark.parametrize(("k", "expected"), [(2, 0), (3, 1), (50, 1)])
def test_hit(k, expected):
    assert hit(ASKED, FOUND, k) == expected


def test_ndcg_against_its_formula_by_hand():
    # Evidence at ranks 3 and 4: 1/log2(4) + 1/log2(5) = 0.5 + 0.43068; three of them in front: 1 + 0.63093 + 0.5.
    assert ndcg(ASKED, FOUND, 4) == pytest.approx((0.5 + 0.4306766) / 2.1309298, abs=1e-6)
    assert ndcg(ASKED, FOUND, 3) == pytest.approx(0.5 / 2.1309298, abs=1e-6)
    assert ndcg(question("D1:4"), FOUND, 10) == 1


def test_reciprocal_rank_is_over_distinct_turns():
    assert reciprocal_rank(ASKED, FOUND) == pytest.approx(1 / 3)
    assert reciprocal_rank(question("D1:8"), FOUND) == 0


def test_precision_counts_results():
    assert precision(ASKED, FOUND) == pytest.approx(2 / 5)  # b, and the turn D1:3
    assert precision(ASKED, FOUND, 2) == pytest.approx(1 / 2)
    assert precision(ASKED, []) is None


def test_coverage_of_a_context():
    assert coverage(ASKED, Packed("…", 9, ("D1:8", "D1:1", "D1:1"))) == pytest.approx(2 / 3)
    assert coverage(ASKED, Packed("", 0)) == 0


def test_silence():
    assert (silence(0), silence(3)) == (1.0, 0.0)


@pytest.mark.parametrize("asked", [question(), question("D1:1", answer=None)], ids=["no evidence", "never said"])
def test_a_question_without_evidence_takes_no_part(asked):
    one = Asked(asked, FOUND, Packed("…", 9, ("D1:1",)))
    assert {metric(one) for metric in retrieval().values()} == {None}


def test_a_phase_that_was_not_run_takes_no_part():
    assert {metric(Asked(ASKED)) for metric in retrieval().values()} == {None}


def test_nothing_found_is_nought_and_not_left_out():
    named = question(*ASKED.evidence, sessions=("s1",))
    values = {name: metric(Asked(named, [], Packed("", 0))) for name, metric in retrieval((5,)).items()}
    assert values == {
        "recall@5": 0,
        "hit@5": 0,
        "ndcg@5": 0,
        "precision@5": None,
        "session_recall@5": 0,
        "mrr": 0,
        "precision": None,
        "coverage": 0,
    }


results = st.lists(st.lists(st.sampled_from(NAMES), max_size=3), max_size=10).map(
    lambda rows: [memory(f"m{i}", *turns) for i, turns in enumerate(rows)]
)
evidences = st.sets(st.sampled_from(NAMES), min_size=1).map(lambda names: question(*sorted(names)))
ks = st.integers(1, 12)


@given(evidences, results, ks)
def test_all_are_shares(asked, found, k):
    for metric in (recall, hit, ndcg):
        assert 0 <= metric(asked, found, k) <= 1 + 1e-12
    assert 0 <= reciprocal_rank(asked, found) <= 1
    assert precision(asked, found) is None or 0 <= precision(asked, found) <= 1


@given(evidences, results, ks)
def test_recall_and_hit_never_fall_with_k(asked, found, k):
    assert recall(asked, found, k) <= recall(asked, found, k + 1)
    assert hit(asked, found, k) <= hit(asked, found, k + 1)


@given(evidences, results, ks)
def test_what_they_know_of_each_other(asked, found, k):
    assert (hit(asked, found, k) == 1) == (recall(asked, found, k) > 0) == (ndcg(asked, found, k) > 0)
    assert (hit(asked, found, k) == 1) == (reciprocal_rank(asked, found) >= 1 / k)


@given(evidences, st.permutations(NAMES), ks)
def test_evidence_in_front_is_perfect_and_the_order_behind_k_does_not_matter(asked, order, k):
    best = sorted(order, key=lambda name: name not in asked.evidence)
    assert math.isclose(ndcg(asked, [turn(name) for name in best], k), 1)
    kept = [turn(name) for name in [*order[:k], *reversed(order[k:])]]
    for metric in (recall, hit, ndcg):
        assert metric(asked, kept, k) == metric(asked, [turn(name) for name in order], k)


@given(evidences, results, ks, st.randoms(use_true_random=False))
def test_the_order_in_which_evidence_is_named_does_not_matter(asked, found, k, chance):
    names = list(asked.evidence) * 2
    chance.shuffle(names)
    for metric in (recall, hit, ndcg):
        assert metric(question(*names), found, k) == metric(asked, found, k)


@given(evidences, results, ks)
def test_a_result_that_tells_nothing_new_changes_no_ranking(asked, found, k):
    again = [*found[:1], memory("none"), *found[:1], *found[1:]]
    assert [m(asked, again, k) for m in (recall, hit, ndcg)] == [m(asked, found, k) for m in (recall, hit, ndcg)]
