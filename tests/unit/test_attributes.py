"""Which attribute of whom a question asks for."""

from __future__ import annotations

import pytest

from recollect.adapters.terms import TermCounter
from recollect.retrieval.attributes import wanted
from recollect.view.labels import Labels


@pytest.mark.parametrize(
    ("question", "who", "attribute"),
    [
        ("Where does Nora live?", "Nora", "home"),
        ("Where do the user live now?", "the user", "home"),
        ("Where's Jo working?", "Jo", "employer"),
        ("Tell me, what is the user's job?", "the user", "occupation"),
        ("What is the user’s job?", "the user", "occupation"),
        ("What does Mary Ann Smith do for a living?", "Mary Ann Smith", "occupation"),
        ("What is Tom's favourite colour?", "Tom", "favorite colour"),
        ("Who is Tom's wife?", "Tom", "partner"),
        ("How old is Kofi?", "Kofi", "age"),
        ("What is the user allergic to?", "the user", "allergies"),
        ("What does the user's partner do?", "the user's partner", "occupation"),
        ("Where did Nora go in August?", None, None),
        ("What did Nora do in Oslo?", None, None),
        ("Where does", None, None),
        ("", None, None),
    ],
)
def test_the_commonest_questions_tell_whom_and_what(question, who, attribute):
    asked = wanted(question)
    if who is None:
        assert asked is None
    else:
        assert asked is not None
        assert asked.who == who
        assert attribute in asked.attributes


@pytest.fixture
def labels():
    known = Labels(TermCounter())
    slots = [("the user", "home"), ("nora", "home"), ("nora", "home"), ("nora's dog", "home"), ("nora", "employer")]
    known.put({key: "\x1f".join(slot) for key, slot in enumerate(slots, start=1)}, slots=True)
    return known


@pytest.mark.parametrize(
    ("who", "slots"),
    [
        ("the user", [(1,)]),
        ("Nora", [(2, 3)]),
        ("Nora Ruiz", [(2, 3)]),
        ("Nora's dog", [(4,)]),
        ("Tom", []),
        ("Nora's cat", []),
    ],
)
def test_a_slot_is_of_whom_the_words_name(labels, who, slots):
    assert labels.of(who, ["home", "residence"]) == slots
