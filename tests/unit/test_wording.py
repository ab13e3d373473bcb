"""Queries in the words of memories, and that it helps."""

from __future__ import annotations

import pytest

from recollect import Memory
from recollect.retrieval.wording import of_the_user

WORDS = [
    ("Where do I live?", "Where do the user live?"),
    ("what's my dog's name?", "what's the user's dog's name?"),
    ("I'm allergic to what?", "the user am allergic to what?"),
    ("Tell me about myself", "Tell the user about the user"),
    ("Where did Caroline move?", "Where did Caroline move?"),
    ("World War I", "World War I"),
    ("the i.e. of mine", "the i.e. of the user's"),
    ("Wo wohne ich?", "Wo wohne ich?"),
    ("¿Qué me gusta?", "¿Qué me gusta?"),
    ("mama i tata", "mama i tata"),
]


@pytest.mark.parametrize(("query", "words"), WORDS)
def test_the_first_person_is_the_user(query, words):
    assert of_the_user(query) == words


def test_who_asks_of_himself_finds_what_is_told_of_the_user(tmp_path):
    with Memory(tmp_path) as memory:
        for said in ("I moved to Berlin last week.", "I have a dog called Rex.", "I'm allergic to peanuts."):
            memory.add(said, user_id="u")
        for query, answer in (
            ("where do I live?", "Berlin"),
            ("what's my dog's name?", "Rex"),
            ("what am I allergic to?", "peanuts"),
        ):
            assert answer in memory.search(query, user_id="u")[0].text
        for query in ("How do I reset my router?", "can I return my order?", "what should I wear today?"):
            assert memory.search(query, user_id="u") == []
