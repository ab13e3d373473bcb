"""Intervals and tests: against known values, and what must hold of any sample.

Expected values marked "scipy" were computed with scipy 1.17.1 (`stats.binomtest`, its `proportion_ci(method="wilson")`, and
`stats.bootstrap` with 200,000 resamples); they are written down here because the harness does without scipy.
"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect_evals.statistics import Difference, Estimate, bootstrap, holm, mcnemar, paired_bootstrap, wilson

VALUES = [0.0, 0.0, 1.0, 0.5, 1.0, 1.0, 0.0, 0.25, 1.0, 0.5, 0.0, 1.0]
TALKS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_bootstrap_against_scipy():
    got = bootstrap(VALUES, resamples=20_000)
    assert (got.mean, got.n) == (pytest.approx(0.5208333), 12)
    assert got.low == pytest.approx(0.2708333, abs=0.011) and got.high == pytest.approx(0.7708333, abs=0.011)  # scipy


def test_drawing_conversations_against_all_ways_to_draw_them():
    # Sums 1, 2.5, 1.25, 1.5 of three values each; quantiles over all 4 ** 4 equally likely resamples: 0.375 and 0.7291667.
    got = bootstrap(VALUES, TALKS, resamples=20_000)
    sums = [1.0, 2.5, 1.25, 1.5]
    ways = sorted((a + b + c + d) / 12 for a in sums for b in sums for c in sums for d in sums)
    low, high = (ways[round(q * (len(ways) - 1))] for q in (0.025, 0.975))
    assert got.low == pytest.approx(low, abs=0.011) and got.high == pytest.approx(high, abs=0.011)


def test_conversations_of_unlike_sizes_weigh_by_their_questions():
    got = bootstrap([1.0] * 9 + [0.0], [0] * 9 + [1], resamples=4_000)
    assert (got.mean, got.low, got.high) == (0.9, 0.0, 1.0)  # both drawn, or one of them twice


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    chance = random.Random(7)
    kept = 0
    for seed in range(200):
        sample = [float(chance.random() < 0.3) for _ in range(80)]
        got = bootstrap(sample, resamples=400, seed=seed)
        kept += got.low <= 0.3 <= got.high
    assert 0.88 <= kept / 200 <= 0.99


def test_nothing_has_no_interval():
    assert bootstrap([]) == Estimate(None, None, None, 0)
    assert paired_bootstrap([], []) == Difference(None, None, None, None, 0)
    assert wilson(0, 0) == Estimate(None, None, None, 0)


samples = st.lists(st.floats(0, 1), min_size=1, max_size=40)


@given(samples, st.integers(0, 5))
def test_an_interval_lies_within_the_values(values, seed):
    got = bootstrap(values, resamples=50, seed=seed)
    assert min(values) - 1e-9 <= got.low <= got.high <= max(values) + 1e-9
    assert got == bootstrap(values, resamples=50, seed=seed)


@given(samples, st.randoms(use_true_random=False))
def test_the_order_of_questions_does_not_matter(values, chance):
    pairs = [(value, place % 3) for place, value in enumerate(values)]
    mixed = chance.sample(pairs, len(pairs))
    assert bootstrap([v for v, _ in mixed], resamples=50) == bootstrap(values, resamples=50)
    grouped = [bootstrap([v for v, _ in some], [g for _, g in some], resamples=50) for some in (pairs, mixed)]
    assert grouped[0] == grouped[1]


@given(samples)
def test_a_question_is_a_conversation_of_its_own(values):
    assert bootstrap(values, list(range(len(values))), resamples=50) == bootstrap(values, resamples=50)


@given(samples)
def test_a_higher_level_is_never_narrower(values):
    narrow, wide = (bootstrap(values, resamples=100, level=level) for level in (0.8, 0.99))
    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_more_of_the_same_makes_it_narrower():
    few, many = bootstrap(VALUES), bootstrap(VALUES * 16)
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.25, abs=0.03)  # 1 / √16


@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [
        (5, 14, 0.063568115234375),  # scipy
        (2, 10, 0.03857421875),  # scipy
        (40, 60, 0.05688793364098089),  # scipy
        (300, 400, 0.0001784763144856244),  # scipy
        (0, 6, 0.03125),  # 2 / 2 ** 6
        (8, 10, 0.8145294189453125),  # scipy
        (3, 3, 1.0),
        (0, 0, 1.0),
    ],
)
def test_mcnemar_against_scipy(only_a, only_b, p):
    a = [1] * only_a + [0] * only_b + [1, 0, 0]
    b = [0] * only_a + [1] * only_b + [1, 0, 0]
    got = mcnemar(a, b)
    assert (got.only_a, got.only_b) == (only_a, only_b) and got.p == pytest.approx(p, rel=1e-9)


rights = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), max_size=60)


@given(rights)
def test_mcnemar_is_symmetric_and_blind_to_what_both_did(pairs):
    a, b = [one for one, _ in pairs], [two for _, two in pairs]
    got = mcnemar(a, b)
    assert 0 < got.p <= 1 and mcnemar(b, a).p == got.p
    assert mcnemar([*a, 1, 0], [*b, 1, 0]) == got


def test_mcnemar_is_for_right_and_wrong_over_the_same_questions():
    with pytest.raises(ValueError, match="0 and 1"):
        mcnemar([0.5], [1])
    with pytest.raises(ValueError, match="shorter"):
        mcnemar([1, 0], [1])


def test_a_clear_difference_is_seen_and_none_is_not():
    better = paired_bootstrap([0.0] * 30 + [1.0] * 10, [1.0] * 20 + [0.0] * 10 + [1.0] * 10)
    assert better.mean == 0.5 and better.low > 0 and better.p == pytest.approx(2 / 2001)
    same = paired_bootstrap([0.0, 1.0] * 20, [1.0, 0.0] * 20)
    assert same.mean == 0 and same.low < 0 < same.high and same.p > 0.5


def test_a_pair_needs_both():
    with pytest.raises(ValueError, match="shorter"):
        paired_bootstrap([1.0, 0.0], [1.0])


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_the_other_way_round_the_sign_turns(pairs):
    a, b = [one for one, _ in pairs], [two for _, two in pairs]
    there, back = paired_bootstrap(a, b, resamples=60), paired_bootstrap(b, a, resamples=60)
    assert there.mean == -back.mean and 0 < there.p <= 1
    assert paired_bootstrap(a, a, resamples=60) == Difference(0, 0, 0, 1, len(a))


def test_p_and_interval_agree():
    chance = random.Random(3)
    for _ in range(50):
        a = [chance.random() for _ in range(25)]
        b = [value + chance.gauss(0.04, 0.12) for value in a]
        got = paired_bootstrap(a, b, resamples=1_000)
        if abs(got.p - 0.05) > 0.01:
            assert (got.p < 0.05) == (got.low > 0 or got.high < 0)


def test_holm_by_hand():
    # sorted 0.01, 0.02, 0.03, 0.5: ×4, ×3, ×2, ×1 → 0.04, 0.06, max(0.06, 0.06), 0.5
    assert holm([0.02, 0.5, 0.01, 0.03]) == pytest.approx([0.06, 0.5, 0.04, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0] and holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_only_raises_and_keeps_the_order(p_values):
    adjusted = holm(p_values)
    assert all(p <= higher <= 1 for p, higher in zip(p_values, adjusted, strict=True))
    ranked = sorted(zip(p_values, adjusted, strict=True))
    assert [a for _, a in ranked] == sorted(adjusted)
    assert not p_values or min(adjusted) == pytest.approx(min(1.0, len(p_values) * min(p_values)))


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(0, 20, 0.0, 0.16112515805), (7, 50, 0.06950833427, 0.26186193711), (20, 20, 0.83887484195, 1.0)],
)
def test_wilson_against_scipy(successes, n, low, high):
    got = wilson(successes, n)
    assert (got.mean, got.n) == (successes / n, n)
    assert math.isclose(got.low, low, abs_tol=1e-9) and math.isclose(got.high, high, abs_tol=1e-9)
