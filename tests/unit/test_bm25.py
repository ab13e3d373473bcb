"""Term counts are the same from however many threads."""

from __future__ import annotations

import sys
import threading
from itertools import product

import pytest

from recollect.adapters import terms


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
