"""How channels are added: scale-free, monotone, with ties by number; what a query names; the others of a slot."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recollect import Memory
from recollect.retrieval.channels import Channel, Fusion, Span
from recollect.retrieval.ordering import Support, lifted, of_the_best
from recollect.retrieval.rank import SIBLINGS, TAIL, USUAL, WEIGHTS
from recollect.testing import HashEmbedder, ScriptedLanguage

SCORES = st.lists(st.floats(-1, 50, allow_nan=False).map(lambda one: round(one, 3)), max_size=80)


def best_first(scores: list[float]) -> np.ndarray:
    return np.array(sorted(scores, reverse=True))


def channel(name: str, scores: list[float], span: Span, first: int = 0) -> Channel:
    keys = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    return Channel.of(name, [key + first for key in keys], span(best_first(scores)))


def total(key: int, own: list[float], said: list[float]) -> float:
    span = Span.of(best_first(own), best_first(said))
    fusion = Fusion(2000)
    fusion.add(channel("memory-vector", own, span))
    fusion.add(channel("turn-vector", said, span, first=1000))
    return float(fusion.sums[key])


@settings(deadline=None)
@given(SCORES, SCORES)
def test_scores_are_normalised_to_between_0_and_1_in_their_order(own, said):
    span = Span.of(best_first(own), best_first(said))
    told = span(best_first([*own, *said])).tolist()
    assert all(0 <= one <= 1 for one in told) and all(a >= b for a, b in pairwise(told))
    if told and max(own + said) > 0:
        assert told[0] == pytest.approx(1)


@settings(deadline=None)
@given(SCORES, SCORES, st.sampled_from([0.25, 2.0, 8.0]))
def test_the_unit_of_a_channel_does_not_matter(own, said, factor):
    span = Span.of(best_first(own), best_first(said))
    other = Span.of(best_first(own) * factor, best_first(said) * factor)
    assert other(np.array(own) * factor) == pytest.approx(span(np.array(own)))


@settings(deadline=None)
@given(SCORES.filter(bool), SCORES, st.data())
def test_a_better_score_never_lowers_a_key(own, said, data):
    key = data.draw(st.integers(0, len(own) - 1))
    better = [*own]
    better[key] += data.draw(st.floats(0, 20))
    assert total(key, better, said) >= total(key, own, said) - 1e-9


def test_what_is_usual_counts_for_hardly_anything():
    many = np.array([10.0, *[5.0 - n / 100 for n in range(USUAL * 2)]])
    span = Span.of(many)
    best, usual, less = span(np.array([10.0, span.usual, 4.0]))
    assert best == pytest.approx(1) and 0 < usual <= TAIL and less < usual
    assert Span.of(many[: USUAL - 1]).usual == 0  # too few to tell


def test_nothing_found_is_no_score():
    assert Span.of(np.empty(0), np.empty(0))(np.ones(2)).tolist() == [0, 0]
    fusion = Fusion(3)
    fusion.add(Channel.of("about", [], []))
    assert fusion.channels == [] and len(fusion.best_first()) == 0


CHANNELS = st.lists(
    st.tuples(
        st.sampled_from(sorted(WEIGHTS)),
        st.dictionaries(st.integers(0, 30), st.floats(0, 1, allow_nan=False), max_size=20),
    ),
    max_size=6,
    unique_by=lambda one: one[0],
)


@settings(deadline=None)
@given(CHANNELS)
def test_columns_add_up_to_what_one_by_one_would(channels):
    fusion, sums, places = Fusion(31), {}, {}
    for name, found in channels:
        fusion.add(Channel.of(name, [*found], [*found.values()]))
        for rank, (key, score) in enumerate(found.items(), start=1):
            sums[key] = sums.get(key, 0.0) + WEIGHTS[name] * score
            places.setdefault(key, []).append((name, rank, score))
    assert fusion.best_first().tolist() == sorted(sums, key=lambda key: (-sums[key], key))
    assert all(fusion.sums[key] == one for key, one in sums.items())  # to the digit
    assert all(list(fusion.places(key)) == one for key, one in places.items())
    strong = {key for key, one in places.items() for name, _, score in one if name == "slot" and score >= 0.5}
    assert set(fusion.reached(frozenset({"slot"}), 0.5).nonzero()[0].tolist()) == strong


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        yield memory


def turns(memory, query, **options):
    hits = memory.search(query, user_id="u", include=["turns"], min_score=0, explain=True, **options)
    return [(hit.speaker, {one.name for one in hit.channels}) for hit in hits]


def test_who_is_named_comes_first(memory):
    for name in ("Tom", "Anna"):
        other = "Anna" if name == "Tom" else "Tom"
        memory.add({"role": "user", "name": name, "content": f"sailing, {other}?"}, user_id="u", session_id=name)
    assert turns(memory, "What of Anna's sailing?")[0][0] == "Anna"
    assert turns(memory, "What of Tom's sailing?")[0][0] == "Tom"
    assert [("about" in channels) for _, channels in turns(memory, "What of Tom's sailing?")] == [True, False]


def found(memory, query, **options):
    hits = memory.search(query, user_id="u", min_score=0, explain=True, **options)
    return {hit.text: {one.name for one in hit.channels} for hit in hits}


def test_the_others_of_a_slot_come_along(memory):
    for thing in ("tea", "rowing", "chess"):
        memory.add(f"likes += {thing}", user_id="u")
    memory.add("home = Rome", user_id="u")
    texts = found(memory, "likes tea", limit=4)
    along = [text for text, channels in texts.items() if "slot" in channels]
    assert sorted(along) == sorted(text for text in texts if "likes" in text) and len(along) == 3


def test_a_slot_that_holds_very_much_tells_nothing(memory):
    memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(SIBLINGS + 1)], user_id="u")
    assert not any("slot" in channels for channels in found(memory, "likes thing1", limit=20).values())


def test_all_of_a_kind_come_along_where_all_are_asked_for(memory):
    for place in ("Rome", "Oslo"):
        memory.add(f"visited += {place}", user_id="u")
    memory.add([{"role": "user", "content": f"trait{n} = no{n}"} for n in range(40)], user_id="u")
    memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(4)], user_id="u")
    lifted = {
        text for text, channels in found(memory, "Which cities has she visited?").items() if "timeline" in channels
    }
    assert lifted == {"visited is Rome", "visited is Oslo"}
    assert not any("timeline" in channels for channels in found(memory, "Where is visited Rome?").values())
    # One slot that holds a large part of what is known of its subject is no kind.
    liked = found(memory, "Which things has she? likes", limit=20)
    assert not any("timeline" in channels for text, channels in liked.items() if text.startswith("likes"))
    assert sum(text.startswith("likes") for text in liked) == 4


def test_the_others_of_a_slot_stay_within_the_filter(memory):
    memory.add("likes += tea", user_id="u", session_id="a")
    memory.add("likes += chess", user_id="u", session_id="b")
    assert len(found(memory, "likes tea", session_id="a")) == 1


def test_equal_stores_give_equal_orders(tmp_path):
    orders = []
    for name in ("one", "other"):
        with Memory(tmp_path / name, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(30)], user_id="u")
            memory.add([{"role": "user", "content": "nothing here"}] * 5, user_id="u")
            both = memory.search("thing likes", user_id="u", include=["memories", "turns"], min_score=0, limit=50)
            orders.append([(hit.kind, hit.text) for hit in both])
    assert orders[0] == orders[1] and len(orders[0]) > 30


def test_what_is_due_is_a_share_of_the_best_at_its_place():
    worth, places = np.array([0.2, 0.8, 0.0, 0.0, 0.5]), np.array([0, 0, 3, 3, 4])
    assert of_the_best(worth, places).tolist() == [0.25, 1.0, 1.0, 1.0, 1.0]  # words that none of them has are of all


def test_a_memory_gets_the_most_of_what_is_due_to_it():
    spoken = Channel.of("turn-bm25", [10, 11, 12], [1.0, 0.6, 0.5])
    support = Support(np.array([0, 0, 1, 2]), np.array([7, 8, 7, 8]), np.array([0.1, 1.0, 1.0, 1.0]))
    found = lifted("support-bm25", spoken, support)
    assert (found.keys.tolist(), found.scores.tolist(), found.ranks.tolist()) == ([7, 8], [0.6, 1.0], [2, 1])


def test_words_of_what_has_ended_lift_nothing_else_that_was_said_with_it(tmp_path):
    with Memory(tmp_path, embedder=HashEmbedder()) as memory:
        for said in ("I live in Hamburg and I work as a nurse.", "I moved to Berlin."):
            memory.add(said, user_id="u")
        hits = memory.search("nurse", user_id="u", min_score=0, explain=True)
        asked = memory.search("Hamburg", user_id="u", min_score=0, explain=True)
        due = [
            {hit.text: one.score for hit in found for one in hit.channels if one.name == "support-bm25"}
            for found in (hits, asked)
        ]
    job = "The user works as a nurse."
    assert due[0][job] > 0.5 and due[1].get(job) == 0.0


def test_every_channel_has_a_weight():
    assert all(weight > 0 for name, weight in WEIGHTS.items() if name != "untold") and WEIGHTS["untold"] < 0
