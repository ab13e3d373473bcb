"""What every VectorIndex and every TextIndex must do; a backend inherits the class and names itself."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.adapters.bm25 import Bm25
from recollect.adapters.faiss_vectors import FaissVectors
from recollect.adapters.terms import TermCounter


class VectorIndexContract:
    """Order equals brute force, restrictions come before the top-k, what is removed is gone."""

    dim = 16

    @pytest.fixture
    def vectors(self):
        made = np.random.default_rng(7).normal(size=(200, self.dim)).astype(np.float32)
        return made / np.linalg.norm(made, axis=1, keepdims=True)

    def test_a_vector_finds_itself_first(self, index, vectors):
        index.upsert(range(200), vectors)
        assert all(index.search(vectors[n], 1).pairs()[0][0] == n for n in range(0, 200, 17))
        assert len(index) == 200

    def test_the_order_is_that_of_brute_force(self, index, vectors):
        index.upsert(range(200), vectors)
        query = vectors[3] * 0.5 + vectors[5] * 0.5
        expected = np.argsort(-(vectors @ query), kind="stable")[:20].tolist()
        found = index.search(query, 20).pairs()
        assert [key for key, _ in found] == expected
        assert np.allclose([score for _, score in found], (vectors @ query)[expected], atol=1e-5)

    def test_a_restriction_comes_before_the_top_k(self, index, vectors):
        index.upsert(range(200), vectors)
        allowed = np.zeros(150, dtype=bool)
        allowed[[11, 140, 149]] = True
        assert {key for key, _ in index.search(vectors[0], 10, allowed).pairs()} == {11, 140, 149}

    def test_what_is_replaced_or_removed_is_gone(self, index, vectors):
        index.upsert([1, 2], vectors[:2])
        index.upsert([1], vectors[5:6])
        assert len(index) == 2 and index.search(vectors[5], 1).pairs()[0][0] == 1
        index.remove([1, 99])
        assert [key for key, _ in index.search(vectors[5], 5).pairs()] == [2]

    def test_more_than_there_is_and_nothing_at_all(self, index, vectors):
        assert index.search(vectors[0], 5).pairs() == []
        index.upsert([4], vectors[:1])
        assert len(index.search(vectors[0], 50).pairs()) == 1

    def test_cosines_of_given_keys(self, index, vectors):
        index.upsert(range(5), vectors[:5])
        near, absent, same = index.cosines(vectors[1], [4, 99, 1])
        assert absent is None and np.allclose([near, same], [vectors[1] @ vectors[4], 1], atol=1e-5)
        assert np.allclose(index.between([4, 99, 1])[0], [1, 0, vectors[1] @ vectors[4]], atol=1e-5)


class TestFaiss(VectorIndexContract):
    @pytest.fixture
    def index(self):
        return FaissVectors(self.dim)


class TextIndexContract:
    """Rare words weigh more, restrictions come before the top-k, what is removed is gone."""

    texts = ("a red boat", "a red car", "a red red house", "a blue boat by the lake", "何か東京の話")

    @pytest.fixture
    def filled(self, index):
        for key, text in enumerate(self.texts):
            index.upsert(key, TermCounter()(text))
        return index

    def found(self, index, query, k=10, allowed=None):
        return [key for key, _ in index.search(TermCounter()(query), k, allowed).pairs()]

    def test_the_rarer_word_wins(self, filled):
        assert self.found(filled, "red lake")[0] == 3
        assert self.found(filled, "boats")[:2] == [0, 3]
        assert self.found(filled, "東京") == [4]
        assert self.found(filled, "zebra") == []

    def test_a_restriction_comes_before_the_top_k(self, filled):
        assert self.found(filled, "red", 1, np.array([False, True, False, False, False])) == [1]

    def test_what_is_removed_is_gone(self, filled):
        filled.remove([0, 77])
        assert len(filled) == 4 and self.found(filled, "boat") == [3]
        filled.upsert(3, TermCounter()("nothing of the kind"))
        assert self.found(filled, "boat") == []

    def test_coverage_is_the_share_of_weight_that_occurs(self, filled):
        assert filled.coverage(TermCounter()("red boat"), [0, 4, 99]) == [1.0, 0.0, 0.0]
        assert 0 < filled.coverage(TermCounter()("red boat"), [1])[0] < 0.5
        assert filled.coverage({}, [0]) == [0.0]

    def test_it_has_the_terms_of_its_texts_and_no_others(self, filled):
        assert "boat" in filled and "nitrogen" not in filled
        filled.remove([0, 1, 2, 3, 4])
        assert "boat" not in filled


class TestBm25(TextIndexContract):
    @pytest.fixture
    def index(self):
        return Bm25()
