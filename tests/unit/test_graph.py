"""What comes along by the graph: over which edges, how much, and by what path."""

from __future__ import annotations

import numpy as np
import pytest

from recollect.adapters.terms import TermCounter
from recollect.records import Names
from recollect.view.graph import ALIKE, NODES, EntityGraph

TOKENIZER = TermCounter()


def graph(*told, kind="person"):
    """Statement n tells the nth: a relation, or a name alone. The entities are numbered as they come."""
    number, relations, mentions = {}, [], []
    for statement, one in enumerate(told, start=1):
        if isinstance(one, str):
            mentions.append((statement, number.setdefault(one, len(number) + 1)))
        else:
            ends = [number.setdefault(name, len(number) + 1) for name in (one[0], one[2])]
            relations.append((statement, ends[0], one[1], ends[1]))
    made = EntityGraph(TOKENIZER)
    entities = tuple((n, name, kind) for name, n in number.items())
    made.learn(Names(entities, tuple(mentions), tuple(relations)), len(told))
    everything = np.ones(len(told) + 1, dtype=bool)
    made.resolve(lambda: everything, lambda: everything, (), 1)
    return made, everything


def related(made, allowed, query="", leaders=()):
    return made.related(TOKENIZER.words(query) | ({"user"} if "user" in query else set()), leaders, allowed)


def test_what_a_hit_s_entity_has_under_the_same_label_comes_along():
    made, all_of_it = graph(
        ("John", "likes", "yoga"), ("John", "likes", "tea"), ("Eva", "likes", "rum"), ("John", "met", "Eva")
    )
    found = related(made, all_of_it, leaders=[(1, 1.0)])
    assert [one.statement for one in found] == [1, 2]
    assert found[1].path == ("John —likes→ tea",)
    assert related(made, all_of_it, leaders=[(4, 1.0)]) == []  # nobody else was met: it would only lead to itself


def test_the_query_leads_over_labels_that_it_names():
    made, all_of_it = graph(
        ("user", "sister", "Anna"),
        ("Anna", "works at", "Acme"),
        ("user", "works at", "Bay"),
        ("Eva", "works at", "Coop"),
        "Anna",
    )
    found = {one.statement: one for one in related(made, all_of_it, "Where does the user's sister work?")}
    assert found[2].path == ("user —sister→ Anna", "Anna —works at→ Acme")
    assert found[1].path == ("user —sister→ Anna",)
    assert found[5].path == ("user —sister→ Anna",)  # it names her
    assert 3 in found and 4 not in found  # the user's own work too; Eva has nothing to do with it
    assert related(made, all_of_it, "Where does Anna live?") == []


def test_what_may_not_be_served_neither_comes_nor_leads():
    made, all_of_it = graph(("user", "sister", "Anna"), ("Anna", "works at", "Acme"))
    allowed = all_of_it.copy()
    allowed[1] = False
    assert related(made, allowed, "Where does the user's sister work?") == []
    assert (
        related(made, all_of_it[:2], "Where does the user's sister work?")[0].statement == 1
    )  # later ones are not known
    assert len(related(made, all_of_it[:2], "Where does the user's sister work?")) == 1


def test_activation_is_shared_by_edges_and_less_for_a_usual_label():
    few, _ = graph(*[("John", "likes", f"thing{n}") for n in range(2)], *[("Eva", f"did{n}", "x") for n in range(30)])
    many, _ = graph(*[("John", "likes", f"thing{n}") for n in range(20)], *[("Eva", f"did{n}", "x") for n in range(12)])
    mask = np.ones(40, dtype=bool)
    one, other = (related(made, mask, leaders=[(1, 1.0)])[0].score for made in (few, many))
    assert 0 < other < one / 3
    only, mask = graph(*[("John", "likes", f"thing{n}") for n in range(5)])
    assert related(only, mask, leaders=[(1, 1.0)]) == []  # a label that everything bears tells nothing


def test_a_label_of_too_many_edges_is_left_out():
    others = [("Eva", "met", "x")]
    for size, comes in ((ALIKE, ALIKE), (ALIKE + 1, 0)):
        made, mask = graph(*[("John", "likes", f"thing{n}") for n in range(size)], *others)
        assert len(related(made, mask, leaders=[(1, 1.0)])) == comes


def test_no_more_than_a_bound_is_reached():
    told = [(f"p{n}", "likes", f"thing{n}-{m}") for n in range(40) for m in range(ALIKE)]
    made, mask = graph(*told, ("q", "met", "r"))
    leaders = [(1 + n * ALIKE, 1.0) for n in range(40)]
    assert len(related(made, mask, leaders=leaders)) == NODES


def test_ties_go_to_the_smaller_number_and_it_is_the_same_each_time():
    made, mask = graph(*[("John", "likes", f"t{n}") for n in range(9)], ("Eva", "met", "x"))
    found = related(made, mask, leaders=[(5, 1.0)])
    assert [one.statement for one in found] == list(range(1, 10)) and found == related(made, mask, leaders=[(5, 1.0)])


def test_it_learns_on_and_works_only_where_something_changed():
    made, _ = graph(("John", "likes", "tea"), ("Eva", "met", "x"))
    asked = []
    mask = np.ones(4, dtype=bool)

    def believed():
        asked.append(1)
        return mask

    made.learn(Names(((5, "milk", "thing"),), (), ((3, 1, "likes", 5),)), 3)
    for version in (2, 2, 3):
        made.resolve(believed, lambda: mask, (), version)
    assert len(asked) == 2 and made.last_statement == 3 and made.last_entity == 5
    assert {one.statement for one in related(made, mask, leaders=[(1, 1.0)])} == {1, 3}


def test_an_entity_that_is_missing_is_left_out_and_told(caplog):
    made = EntityGraph(TOKENIZER)
    made.learn(Names(((1, "John", "person"),), ((1, 1), (1, 7)), ((1, 1, "likes", 9),)), 1)
    mask = np.ones(2, dtype=bool)
    made.resolve(lambda: mask, lambda: mask, (), 1)
    assert "an entity is missing" in caplog.text
    assert [one.name for one in made.view([1]).entities] == ["John"] and made.view([1]).edges == ()
    assert related(made, mask, "John likes", [(1, 1.0)]) == []


@pytest.mark.parametrize("query", ["", "?", "the of and", "John John John", "Ünïcode 日本"])
def test_odd_queries(query):
    made, mask = graph(("John", "likes", "tea"), ("of", "of", "of"), ("日本", "near", "海"))
    assert isinstance(related(made, mask, query), list)
