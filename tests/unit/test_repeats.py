"""Whether a turn only says again what a memory says: of the same person, with its names and numbers, and without denying it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.adapters.terms import TermCounter
from recollect.model import Role, Scope, Turn
from recollect.writing.evidence import quoted
from recollect.writing.repeats import Remembered, Said

TERMS = TermCounter()
DENTIST = "The user has a dentist appointment on 12 December 2026."
HOME = "The user lives in Hamburg."
DOG = "The user has a dog named Rex."
DIET = "The user is vegetarian."
ANN = "The user's sister Ann lives in Hamburg."


def turn(text, role=Role.ASSISTANT, name=None):
    return Turn("turn", 1, Scope("u"), "batch", role, text, name, datetime(2026, 11, 1, tzinfo=UTC), True)


def repeats(memory, text, before=None, role=Role.ASSISTANT, names=(), name=None):
    said = Said(turn(text, role, name), None if before is None else turn(before, Role.USER), TERMS)
    return said.repeats(Remembered(memory, TERMS, names))


@pytest.mark.parametrize(
    ("memory", "text"),
    [
        (DENTIST, "Your dentist appointment is on 12 December 2026."),
        (DENTIST, "You have the dentist on 12 December 2026, bring your card."),
        (DENTIST, "Is your dentist appointment still on 12 December 2026?"),
        (HOME, "You live in Hamburg."),
        (HOME, "Hamburg is where you live."),
        (HOME, "Since you live in Hamburg, take the train to Berlin, where Ann lives."),
        (DOG, "A dog named Rex, how nice!"),
        (DOG, "Your dog's name is Rex."),
        (DIET, "You're vegetarian, so try this."),
        (ANN, "Your sister Ann lives in Hamburg."),
        ("The user no longer works at Acme.", "You no longer work at Acme."),
        ("The assistant recommended Dr. Smith.", "I recommended Dr. Smith."),
        ("用户住在柏林。", "你住在柏林。"),
    ],
)
def test_what_says_a_memory_again(memory, text):
    assert repeats(memory, text) == [text]


@pytest.mark.parametrize(
    ("memory", "text"),
    [
        (DENTIST, "Your dentist appointment is on 13 December 2026."),
        (DENTIST, "Is your dentist appointment still on for December?"),
        (DENTIST, "Your sister's dentist appointment is on 12 December 2026."),
        (HOME, "You live in Berlin."),
        (HOME, "You no longer live in Hamburg."),
        (HOME, "Ann lives in Hamburg."),
        (HOME, "You know Ann lives in Hamburg."),
        (HOME, "Your sister lives in Hamburg."),
        (HOME, "She lives in Hamburg."),
        (HOME, "I live in Hamburg."),
        (HOME, "Hamburg is a large city."),
        (HOME, "Many people who live in Hamburg love the port."),
        (DIET, "Here is a vegetarian recipe."),
        (ANN, "You live in Hamburg."),
        ("The user has 3 cats.", "You have 4 cats."),
        ("The user works at Acme.", "You don't work at Acme any more."),
        (HOME, "Noted."),
    ],
)
def test_what_says_something_else(memory, text):
    assert repeats(memory, text) == []


def test_a_denied_aside_does_not_hide_what_is_said():
    assert repeats(DENTIST, "Don't forget: your dentist appointment is on 12 December 2026.") == [
        "your dentist appointment is on 12 December 2026."
    ]


def test_an_answer_says_it_together_with_its_question():
    assert repeats(HOME, "In Hamburg.", "Where do I live?") == ["In Hamburg."]
    assert repeats(HOME, "In Hamburg.", "Noted.") == []
    assert repeats(HOME, "Hamburg is rainy.", "I live in Hamburg, how is the weather?") == []
    assert repeats(DENTIST, "It's on 12 December 2026.", "When is my dentist appointment?") == [
        "It's on 12 December 2026."
    ]
    assert repeats(DENTIST, "It's on 13 December 2026.", "When is my dentist appointment?") == []


def test_it_is_found_each_time_that_it_is_said():
    text = "You live in Hamburg. It rains there. As you live in Hamburg, take a coat."
    assert repeats(HOME, text) == ["You live in Hamburg.", "As you live in Hamburg, take a coat."]


def test_the_user_speaks_of_themselves_and_may_have_a_name():
    assert repeats(HOME, "I live in Hamburg, as I said.", role=Role.USER) == ["I live in Hamburg, as I said."]
    assert repeats(HOME, "You live in Hamburg.", role=Role.USER) == []
    assert repeats("Caroline lives in Hamburg.", "You live in Hamburg.") == []
    assert repeats("Caroline lives in Hamburg.", "You live in Hamburg.", names=("Caroline",)) == [
        "You live in Hamburg."
    ]


def test_of_two_users_with_names_each_speaks_of_themselves():
    def said_by(name, text, memory="Nate loves coconut milk.", before=None):
        return bool(repeats(memory, text, before, Role.USER, ("Nate", "Joanna"), name))

    assert said_by("Nate", "I love coconut milk!")
    assert said_by("Joanna", "You love coconut milk.")
    assert not said_by("Joanna", "I love coconut milk!")
    assert not said_by("Nate", "You love coconut milk.")
    group = "Joanna got lots of help from a group Joanna attended."
    assert not said_by("Nate", "Joanna!", group, "I got lots of help from a group that I attended. And you?")


@given(st.text(max_size=300), st.sampled_from([DENTIST, HOME, DOG, DIET, ANN]), st.text(max_size=80))
def test_every_quote_stands_in_its_turn(text, memory, before):
    said = f"{text} {memory.replace('The user', 'You')} {text}"
    assert all(quoted(quote, said) for quote in repeats(memory, said, before))
    repeats(text or "x", said, before)
