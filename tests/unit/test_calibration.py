"""The score of a hit and the gate over a query: what moves them, and which way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.retrieval.calibration import FURTHER, GATE, Nearest, Scale, answerable, calibrated, company, logistic
from recollect.retrieval.wording import names

SHARES = st.floats(0, 1)
COSINES = st.floats(-1, 1)
SIZES = st.integers(0, 1_000_000)
NEAREST = st.builds(Nearest, st.none() | COSINES, SHARES, COSINES, st.booleans(), SIZES, SIZES)


@given(NEAREST)
def test_the_gate_says_how_sure_it_is(near):
    assert 0 <= answerable(near) <= 1


@given(NEAREST, SHARES, SHARES)
def test_more_words_in_one_passage_never_close_the_gate(near, less, more):
    less, more = sorted((less, more))
    assert answerable(near._replace(coverage=less)) <= answerable(near._replace(coverage=more))


@given(NEAREST, COSINES, COSINES)
def test_a_nearer_passage_never_closes_the_gate(near, less, more):
    less, more = sorted((less, more))
    assert answerable(near._replace(cosine=less)) <= answerable(near._replace(cosine=more))


@given(NEAREST, SIZES, SIZES)
def test_a_larger_store_must_come_nearer(near, fewer, more):
    fewer, more = sorted((fewer, more))
    assert answerable(near._replace(turns=fewer)) >= answerable(near._replace(turns=more))


@given(NEAREST)
def test_names_that_nobody_knows_speak_against_it(near):
    assert answerable(near._replace(strange=True)) <= answerable(near._replace(strange=False))


@given(NEAREST)
def test_a_passage_with_all_words_of_the_query_opens_the_gate(near):
    assert answerable(near._replace(coverage=1.0)) == 1


@given(COSINES, COSINES, SHARES, SHARES)
def test_a_score_grows_with_cosine_and_coverage(cosine, other, coverage, share):
    (cosine, other), (coverage, share) = sorted((cosine, other)), sorted((coverage, share))
    assert 0 < calibrated(cosine, coverage) <= calibrated(other, share) < 1
    assert 0 < calibrated(None, coverage) <= calibrated(None, share) < 1


@pytest.mark.parametrize("turns", [0, 1, 20, 600, 50_000])
def test_what_is_nowhere_near_is_shut_out_of_stores_of_any_size(turns):
    far, near = Nearest(0.15, 0.1, 0.15, False, turns, turns), Nearest(0.7, 0.5, 0.7, False, turns, turns)
    assert answerable(far) < GATE <= answerable(near)


def test_the_first_memories_of_a_user_are_found_by_less():
    """ "What is my job?" of "I work as a nurse.": cosine 0.3, no word in common."""
    assert answerable(Nearest(0.3, 0.0, 0.3, False, 2, 2)) >= GATE > answerable(Nearest(0.3, 0.0, 0.3, False, 600, 300))


@given(NEAREST, COSINES, COSINES)
def test_better_company_never_closes_the_gate(near, less, more):
    less, more = sorted((less, more))
    assert answerable(near._replace(company=less)) <= answerable(near._replace(company=more))


def test_company_is_of_the_closest_of_fewer_where_there_are_few_texts():
    hits = [(0.1, 0.0), (0.6, 0.4), (0.4, 0.0), (0.2, 0.4)]
    assert company(hits, 1000) == pytest.approx((0.7 + 0.4 + 0.3) / 3)
    assert company(hits, 2) == pytest.approx(0.7 - 2 * FURTHER) and company([], 1000) == 0.0


@given(st.floats(allow_nan=False))
def test_logistic_never_overflows(x):
    assert 0 <= logistic(x) <= 1 and logistic(x) + logistic(-x) == pytest.approx(1)


@given(st.floats(-1, 0.98), st.integers(0, 100_000), COSINES, COSINES)
def test_a_scale_keeps_the_order_of_cosines(mean, pairs, one, other):
    scale = Scale.of_background(mean, pairs)
    one, other = sorted((one, other))
    assert scale(one) <= scale(other) <= 1 + 1e-6


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("What did Caroline and Dr. Seuss write in May?", ["Caroline", "Dr", "Seuss"]),
        ("Who is Anthony?", ["Anthony"]),
        ("Where do I live? What is Rex's age?", ["Rex's"]),
        ("what did caroline do?", []),
        ("What Pets Does Melanie Have At Home?", []),
        ("WHERE IS MY DOG", []),
        ("Caroline's plans", []),
        ("Wo ist der Hund von Anna?", []),
        ("I'm asking when I'd see Elif on Monday", ["Elif"]),
        ("", []),
        ("卡罗琳的工作是什么？", []),
    ],
)
def test_names_are_told_by_their_capitals_in_english(query, expected):
    assert names(query) == expected


@given(st.text())
def test_any_text_has_its_names_in_it(query):
    assert all(name in query for name in names(query))
