"""Who is who: the rule, case by case, and what holds whatever the names are."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.records import Identity
from recollect.view.resolve import Doubles, Name, Told, resolved, says_who


def groups(names, told=(), words=(), beside=()):
    """The groups of more than one, as sets of names. A name is of a person, unless it is a pair with its kind."""
    read = [Name(n, *(one if isinstance(one, tuple) else (one, "person"))) for n, one in enumerate(names, start=1)]
    number = {one.name: one.number for one in read}
    said = [
        Identity(*sorted((number[one], number[other])), same, n, n)
        for n, (one, other, same) in enumerate(words, start=1)
    ]
    pairs = {frozenset(number[name] for name in pair) for pair in beside}
    facts = [Told(number[one], label, number[other]) for one, label, other in told]
    heads = resolved(read, facts, said, lambda one, other: frozenset((one, other)) in pairs)
    found = {}
    for one in read:
        found.setdefault(heads[one.number], set()).add(one.name)
    assert all(head == min(n for n, h in heads.items() if h == head) for head in heads.values())
    return sorted((group for group in found.values() if len(group) > 1), key=sorted)


@pytest.mark.parametrize(
    ("names", "joined"),
    [
        (["Dr. Smith", "Smith"], [{"Dr. Smith", "Smith"}]),
        (["Smith", "Dr Smith", "DR. SMITH"], [{"Smith", "Dr Smith", "DR. SMITH"}]),
        (["Doctor Smith", "Dr. Smith"], [{"Doctor Smith", "Dr. Smith"}]),
        (["Dr. Smith", "Smith", "Anna Smith"], [{"Dr. Smith", "Smith", "Anna Smith"}]),
        (["Dr. Anna Smith", "Mr. Smith", "Dr. Smith"], [{"Dr. Anna Smith", "Dr. Smith"}]),
        (["Anna's", "Anna", "James’"], [{"Anna's", "Anna"}]),
        (["the Beatles", "Beatles"], [{"the Beatles", "Beatles"}]),
        (["the user", "me", "User"], [{"the user", "me", "User"}]),
        (["my mum", "the user's mother", "my  Mother"], [{"my mum", "the user's mother", "my  Mother"}]),
        (["Tom's wife", "tom’s wife"], [{"Tom's wife", "tom’s wife"}]),
    ],
)
def test_names_that_are_one(names, joined):
    assert groups(names) == joined


@pytest.mark.parametrize(
    "names",
    [
        ["Dr. Smith", "Mrs. Smith", "Smith"],  # which one?
        ["Dr. Smith", "Mr. Smith"],
        ["John Smith", "John Miller", "John"],  # two Johns
        ["John Smith", "John"],  # … and there may be another: a first name alone says too little
        ["Anna Smith", "Eva Smith", "Dr. Smith"],
        ["Dr. Smith", "Mrs. Smith", "Anna Smith", "Smith"],
        ["Smith", "Smithson", "Blacksmith"],
        ["Anna", "Anna's sister", "Anna's dog"],
        ["Anna's kids", "my kids"],
        ["my sister", "Tom's sister"],
        [("The Office", "work"), ("office", "place"), ("Office!", "thing")],
        [("Captain America", "work"), ("America", "place")],
        [("Smith", "organisation"), "Dr. Smith"],
        ["a", "the", "'s", "Dr.", "…"],
    ],
)
def test_names_that_are_not(names):
    assert groups(names) == []


def test_two_who_are_named_side_by_side_are_two():
    assert groups(["Dr. Smith", "Smith"], beside=[{"Dr. Smith", "Smith"}]) == []


@pytest.mark.parametrize(
    ("told", "who"),
    [
        ([("user", "sister", "Anna")], "Anna"),
        ([("user", "has sister", "Anna")], "Anna"),
        ([("Anna", "is the sister of", "user")], "Anna"),
        ([("user", "sis", "Anna"), ("Anna", "sister of", "user")], "Anna"),
        ([("user", "sister", "Anna"), ("user", "sister", "Eva")], None),
        ([("user", "sister", "Anna"), ("Eva", "sister of", "user")], None),
        ([("user", "brother", "Anna")], None),
        ([("Tom", "sister", "Anna")], None),
        ([], None),
    ],
)
def test_a_part_that_one_has_one_of_is_who_facts_say(told, who):
    found = groups(["user", "Anna", "Eva", "Tom", "my sister", "the user's sister"], told)
    mine = {"my sister", "the user's sister"}
    assert found == [mine if who is None else mine | {who}]


def test_parts_of_parts_and_marriages():
    names = ["user", "Anna", "Bob", "my sister", "my sister's husband", "Anna's partner"]
    told = [("user", "sister", "Anna"), ("Anna", "married to", "Bob")]
    assert groups(names, told) == [{"Anna", "my sister"}, {"Bob", "my sister's husband", "Anna's partner"}]


def test_who_is_known_already_is_not_joined_by_another_fact():
    names = ["user", "Anna", "Eva", "my sister"]
    told = [("user", "sister", "Anna"), ("user", "sister", "Eva")]
    assert groups(names, told, [("Anna", "my sister", True)]) == [{"Anna", "my sister"}]
    married = [("Tom", "married to", "Tom's wife"), ("Tom", "wife", "Eva")]
    assert groups(["Tom", "Eva", "Tom's wife"], married) == [{"Eva", "Tom's wife"}]


def test_an_alias_is_whose_it_is_and_one_of_two_is_nobodys():
    names = ["Anna", "Annika", "Annie"]
    assert groups(names, [("Anna", "also known as", "Annie")]) == [{"Anna", "Annie"}]
    assert groups(names, [("Anna", "nickname", "Annie"), ("Annika", "is called", "Annie")]) == []


def test_a_callers_word_wins():
    assert groups(["Rex", "Max"], words=[("Rex", "Max", True)]) == [{"Rex", "Max"}]
    assert groups(["Dr. Smith", "Smith"], words=[("Dr. Smith", "Smith", False)]) == []
    told = [("user", "sister", "Anna")]
    names = ["user", "Anna", "my sister"]
    assert groups(names, told, [("Anna", "my sister", False)]) == []
    # What was told apart stays so also where each is merged with a third.
    chain = [("a", "c", False), ("a", "b", True), ("b", "c", True)]
    assert groups(["a1", "b1", "c1"], words=[(f"{x}1", f"{y}1", same) for x, y, same in chain]) == [{"a1", "b1"}]


@pytest.mark.parametrize("label", ["sister", "is the brother of", "also known as", "married to", "Nickname"])
def test_labels_that_say_who(label):
    assert says_who(label)


@pytest.mark.parametrize("label", ["likes", "works at", "cousin", "friend of", "kids", ""])
def test_labels_that_do_not(label):
    assert not says_who(label)


POOL = [
    "Smith",
    "Dr. Smith",
    "Anna Smith",
    "Mr Smith",
    "Anna",
    "my sister",
    "the user's sister",
    "user",
    "Anna's husband",
    "Bob",
]
LABELS = ["sister", "sister of", "married to", "nickname", "likes"]
facts = st.lists(st.tuples(st.sampled_from(POOL), st.sampled_from(LABELS), st.sampled_from(POOL)), max_size=4)
words = st.lists(
    st.tuples(*[st.sampled_from(POOL)] * 2, st.booleans()).filter(lambda one: one[0] != one[1]), max_size=4
)
chosen = st.lists(st.sampled_from(POOL), unique=True, min_size=1)


@given(chosen, facts, words, st.randoms(use_true_random=False))
def test_the_order_of_what_is_known_does_not_matter_and_what_was_told_apart_stays_apart(names, told, said, shuffled):
    read = [Name(n, name, "person") for n, name in enumerate(POOL, start=1) if name in names]
    number = {one.name: one.number for one in read}
    facts = [Told(number[a], label, number[b]) for a, label, b in told if {a, b} <= number.keys()]
    identities = [
        Identity(*sorted((number[a], number[b])), same, n, n)
        for n, (a, b, same) in enumerate(said)
        if {a, b} <= number.keys()
    ]
    found = resolved(read, facts, identities)
    for one in identities:
        assert one.same or found[one.one] != found[one.other]
    few = Doubles()
    for one in read:
        few.add(one)
    doubtful = few.numbers | {end for one in facts if says_who(one.predicate) for end in (one.subject, one.object)}
    doubtful |= {end for one in identities for end in (one.one, one.other)}
    told_of = [one for one in facts if {one.subject, one.object} <= doubtful]
    assert found == {n: n for n in found} | resolved(
        [one for one in read if one.number in doubtful], told_of, identities
    )
    shuffle: random.Random = shuffled
    for items in (read, facts, identities):
        shuffle.shuffle(items)
    assert resolved(read, facts, identities) == found
