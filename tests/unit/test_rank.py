"""Near duplicates are thinned; what contradicts is not taken for the same."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from recollect import Memory
from recollect.retrieval.rank import Telling, marks, thinned
from recollect.testing import ScriptedLanguage

CONTRADICTORY = [
    ("Anna likes tea.", "Anna doesn't like tea."),
    ("Anna can swim.", "Anna can no longer swim."),
    ("Anna has 3 kids.", "Anna has 4 kids."),
    ("Anna has three kids.", "Anna has four kids."),
    ("Anna moved to Rome in May.", "Anna moved to Rome in June."),
    ("Anna moved to Rome.", "Anna moved to Pisa."),
    ("Tom gave Anna a book.", "Anna gave Tom a book."),
    ("Anna wakes up early.", "Anna wakes up late."),
]
PARAPHRASES = [
    ("Anna likes tea a lot.", "Anna really likes tea."),
    ("The user's favorite color is blue.", "The user's favourite colour is blue."),
    ("Anna works as a nurse at the hospital.", "Anna is a nurse at the hospital."),
    ("Anna has 3 kids, and no dog.", "Anna has 3 children, and no dog."),
]


@pytest.mark.parametrize(("one", "other"), CONTRADICTORY)
def test_contradictions_stay(one, other):
    assert Telling("memory", one).contradicts(Telling("memory", other))
    assert thinned(np.ones((2, 2), bool), {0: Telling("memory", one), 1: Telling("memory", other)}) == [0, 1]


@pytest.mark.parametrize(("one", "other"), PARAPHRASES)
def test_paraphrases_go_behind_what_is_new(one, other):
    assert not Telling("memory", one).contradicts(Telling("memory", other))
    near = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    told = [Telling("memory", text) for text in (one, other, "Tom sails.")]
    assert thinned(near, dict(enumerate(told))) == [0, 2, 1]


def test_values_times_and_kinds_must_agree_too():
    said = Telling("memory", "She moved.", ("anna", "home", "rome"), "May")
    assert said.contradicts(Telling("memory", "She moved.", ("anna", "home", "pisa"), "May"))
    assert said.contradicts(Telling("memory", "She moved.", ("anna", "home", "rome"), "June"))
    assert said.contradicts(Telling("turn", "She moved.", None, "May"))
    assert not said.contradicts(Telling("memory", "She moved.", None, "May"))


def test_marks_are_names_and_numbers_in_their_order():
    assert marks("In May Tom's 2 cats weren't there.") == (("in", "may", "tom", "2"), 1)


DEGREES = {"really": 0.5, "not": 0.2, "slow": 40, "rowing": 60}


class Turned:
    """Texts as directions: each word above turns by so many degrees."""

    id, dim = "turned", 2

    def embed(self, texts):
        angles = np.radians([1 + sum(DEGREES.get(word, 0) for word in text.split()) for text in texts])
        return np.column_stack([np.cos(angles), np.sin(angles)])


def test_search_puts_near_duplicates_last(tmp_path):
    texts = ["boats are fun", "boats are really fun", "boats are not fun", "boats are slow"]
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=Turned()) as memory:
        for text in texts:
            memory.add(text, user_id="u", infer=False)
        found = [hit.text for hit in memory.search("boats are fun", user_id="u", min_score=0, limit=4)]
        assert found[-1] == "boats are really fun" and set(found) == set(texts)
        assert found[:3] == [hit.text for hit in memory.search("boats are fun", user_id="u", min_score=0, limit=3)]


def test_what_two_people_or_two_days_say_is_not_one_thing(tmp_path):
    day = datetime(2024, 1, 1, tzinfo=UTC)
    same = [
        {"role": "user", "name": name, "content": "gone sailing", "timestamp": day.replace(day=n)}
        for name, n in (("Anna", 1), ("Tom", 1), ("Anna", 2), ("Anna", 1))
    ]
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=Turned()) as memory:
        for message in [*same, {"role": "user", "content": "gone rowing"}]:
            memory.add(message, user_id="u")
        hits = memory.search("gone sailing", user_id="u", include=["turns"], min_score=0, limit=4)
        told = [(hit.speaker, hit.created_at.day) for hit in hits if "sailing" in hit.text]
        assert sorted(told) == [("Anna", 1), ("Anna", 2), ("Tom", 1)] and len(hits) == 4
