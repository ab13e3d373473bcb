"""Whom and what passages are about: found by the words of a query, whole names, and the slots' other members."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect.adapters.terms import TermCounter
from recollect.view.labels import BETWEEN, LARGEST_KIND, Labels

SLOTS = [
    BETWEEN.join(one) for one in (("Anna", "sister"), ("Anna", "pets"), ("Anna Rossi", "home"), ("the user", "pets"))
]


def labels(slots, speakers=()):
    made = Labels(TermCounter())
    made.put(dict(enumerate(slots, start=1)), slots=True)
    made.put(dict(enumerate(speakers, start=len(slots) + 1)), slots=False)
    return made


def keys(*numbers):
    return np.array(numbers, dtype=np.int64)


WORTH = st.dictionaries(st.sampled_from(["anna", "pet", "home", "user"]), st.floats(0.1, 9))


@settings(deadline=None)
@given(st.lists(st.sampled_from(SLOTS), max_size=12), WORTH)
def test_what_is_named_weighs_what_its_words_do(slots, worth):
    count, made = TermCounter(), labels(slots)
    found, weights = made.about({(word,): weight for word, weight in worth.items()}, np.arange(1, len(slots) + 2))
    told = {key: sum(worth.get(word, 0.0) for word in count.words(slot)) for key, slot in enumerate(slots, start=1)}
    assert set(found.tolist()) == {key for key, weight in told.items() if weight > 0}
    assert weights.tolist() == pytest.approx([told[key] for key in found.tolist()])
    best = list(zip((-weights).tolist(), found.tolist(), strict=True))
    assert best == sorted(best)


def test_who_is_named_is_named_whole():
    made = labels(SLOTS, ["Anna", "Anna Rossi"])
    assert made.named({"anna": 1}, keys(6, 5, 4, 3, 2, 1)).tolist() == [1, 2, 5]
    assert made.named({"anna": 1, "rossi": 1}, keys(1, 3, 5, 6)).tolist() == [1, 3, 5, 6]
    assert made.named({"anna": 1}, keys(99)).tolist() == []  # of no label


def test_the_members_of_a_slot_are_its_siblings():
    made = labels([SLOTS[0], SLOTS[1], SLOTS[0]], ["Anna"])
    assert made.siblings(1) == made.siblings(3) == (1, 3) and made.siblings(2) == (2,)
    assert made.siblings(4) == made.siblings(99) == () and 4 in made and 99 not in made


def test_a_large_slot_is_no_kind():
    few, many = BETWEEN.join(("Anna", "cities")), BETWEEN.join(("Anna", "events"))
    made = labels([few, few, *[many] * (LARGEST_KIND + 1), *[BETWEEN.join(("Anna", f"a{n}")) for n in range(20)]])
    assert made.kinds([1, 3], frozenset()) == {few: (1, 2)}
    assert made.kinds([1], frozenset({"tom"})) == {few: (1, 2)}  # nobody of them is named
