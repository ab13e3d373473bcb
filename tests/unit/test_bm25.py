"""Term counts are the same from however many threads; an index that changes stays what it would be made anew."""

from __future__ import annotations

import sys
import threading
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.adapters import terms
from recollect.adapters.bm25 import Bm25


@pytest.fixture
def switching_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_several_threads_stem_the_same_words_to_the_same_terms(switching_often):
    words = [
        "".join(parts) for parts in product("bcdfglmnprst", "aeiou", ("ng", "ll", "rt"), ("ingly", "ations", "ed"))
    ]
    texts = [" ".join(words[start::7]) for start in range(7)]
    count = terms.TermCounter()
    alone = [count(text) for text in texts]
    terms._stem.cache_clear()
    found: list[list[dict[str, int]]] = []
    threads = [threading.Thread(target=lambda: found.append([count(text) for text in texts])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


TEXTS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 3), min_size=1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.none() | TEXTS, st.integers(0, 1)), max_size=12), TEXTS)
def test_an_index_that_changed_answers_as_one_made_anew(changes, query):
    index, held = Bm25(), {}
    for key, counts, group in changes:
        index.search(query, 5)  # what is kept of it must not outlive the change
        if counts is None:
            index.remove([key])
            held.pop(key, None)
        else:
            index.upsert(key, counts, group)
            held[key] = counts, group
        anew = Bm25()
        for other, (kept, own) in held.items():
            anew.upsert(other, kept, own)
        masks = [None, np.arange(7) % 2 == 0, np.arange(4) > 1]
        for mask in masks:
            assert index.search(query, 5, mask).pairs() == anew.search(query, 5, mask).pairs()
        assert index.coverage(query, range(8)) == anew.coverage(query, range(8))
        assert len(index) == len(held)


def test_words_that_were_asked_for_once_keep_nothing_of_what_the_index_was_then():
    """A process that writes for long asks for another rare word at every size that the index has."""
    index = Bm25()
    tracemalloc.start()
    try:
        for n in range(1_000):
            index.upsert(n, {f"word{n}": 1, "day": 1})
            assert index.search({f"word{n}": 1}, 3).keys.tolist() == [n]
        assert tracemalloc.get_traced_memory()[0] < 3_000_000  # half of all sizes, 8 bytes a text, would be 4 MB more
    finally:
        tracemalloc.stop()
