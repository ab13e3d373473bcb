"""Search by copies of one byte a number finds what exact search finds, or leaves it to that."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.adapters import faiss_vectors
from recollect.adapters.faiss_vectors import FaissVectors

DIM = 32


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def texts():
    """Vectors in bunches, as texts are: what is near is near to many."""
    random = np.random.default_rng(7)
    centres = random.standard_normal((40, DIM))
    return unit(np.repeat(centres, 30, axis=0) + 0.4 * random.standard_normal((1200, DIM)))


@pytest.fixture
def coarse_from(monkeypatch):
    monkeypatch.setattr(faiss_vectors, "COARSE_FROM", 500)
    monkeypatch.setattr(faiss_vectors, "CANDIDATES", 60)


def filled(rows, steps=1, groups=1):
    vectors = FaissVectors(rows.shape[1])
    for part in np.array_split(np.arange(len(rows)), steps):
        for group in range(groups):
            own = part[part % groups == group]
            vectors.upsert((own + 1).tolist(), rows[own], group)
    return vectors


def brute_force(rows, query, k, allowed):
    scores = rows @ query
    keys = [key for key in range(1, len(rows) + 1) if allowed is None or allowed[key]]
    return sorted(keys, key=lambda key: (-scores[key - 1], key))[:k]


@pytest.mark.parametrize("steps", [1, 7])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_the_nearest_are_those_of_brute_force(texts, coarse_from, steps, groups, masked):
    random = np.random.default_rng(1)
    vectors = filled(texts, steps, groups)
    assert all(group._copies for group in vectors._groups.values()) and len(vectors._groups) == groups
    allowed = random.random(len(texts) + 1) < 0.5 if masked else None
    for query in unit(texts[::50] + 0.2 * random.standard_normal((24, DIM))):
        found = vectors.search(query, 5, allowed).pairs()
        assert [key for key, _ in found] == brute_force(texts, query, 5, allowed)
        assert np.allclose([score for _, score in found], [texts[key - 1] @ query for key, _ in found], atol=1e-6)


def test_what_is_taken_out_or_changed_is_so_in_the_copies_too(texts, coarse_from):
    vectors = filled(texts)
    query = texts[10]
    vectors.remove([11])
    vectors.upsert([700], query[None])
    found = vectors.search(query, 3).pairs()
    assert found[0] == (700, pytest.approx(1.0)) and 11 not in [key for key, _ in found]


def test_a_group_with_nothing_allowed_in_it_is_left_out(texts, coarse_from, monkeypatch):
    vectors = filled(texts, groups=2)
    allowed = np.arange(len(texts) + 1) % 2 == 1  # keys of group 0
    monkeypatch.setattr(vectors._groups[1], "_rows", None)
    monkeypatch.setattr(vectors._groups[1]._copies, "nearest", None)
    assert [key for key, _ in vectors.search(texts[4], 5, allowed).pairs()] == brute_force(texts, texts[4], 5, allowed)
    assert vectors.search(texts[4], 5, np.zeros(9, dtype=bool)).pairs() == []


def test_a_vector_may_change_its_group(texts, coarse_from):
    vectors = filled(texts, groups=2)
    vectors.upsert([1], texts[:1], 1)
    assert vectors.search(texts[0], 1).pairs() == [(1, pytest.approx(1.0))]
    assert 1 not in vectors._groups[0].keys and 1 in vectors._groups[1].keys


def test_what_cannot_be_proven_is_searched_exactly(coarse_from):
    """All of them lie closer together than the copies can tell apart; more of them than are looked at twice."""
    random = np.random.default_rng(3)
    rows = unit(np.ones((1000, DIM)) + 0.001 * random.standard_normal((1000, DIM)))
    vectors = filled(rows)
    group = vectors._groups[0]
    assert group._proven(group._copies, rows[:1], 5, group._restriction(None)) is None
    scores = rows @ rows[0]
    found = vectors.search(rows[0], 5).pairs()
    assert np.allclose([score for _, score in found], np.sort(scores)[::-1][:5], atol=1e-6)


def test_numbers_that_are_cut_widen_the_bound(coarse_from):
    """Vectors along an axis: a copy holds at most 127/400 of a number."""
    rows = unit(np.eye(DIM)[np.arange(1000) % DIM] + 0.05 * np.random.default_rng(5).standard_normal((1000, DIM)))
    vectors = filled(rows)
    assert vectors._groups[0]._copies.farthest > 0.5
    assert [key for key, _ in vectors.search(rows[3], 4).pairs()] == brute_force(rows, rows[3], 4, None)


def test_few_vectors_and_odd_dimensions_have_no_copies(texts, coarse_from):
    assert filled(texts[:400])._groups[0]._copies is None
    assert filled(unit(np.random.default_rng(2).standard_normal((600, 20))))._groups[0]._copies is None
