"""How channels are added: scale-free, monotone, with ties by number; what a query names; the others of a slot."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect import Memory
from recollect.rank import SIBLINGS, TAIL, USUAL, WEIGHTS, Span, fuse, places
from recollect.testing import HashEmbedder, ScriptedLanguage

SCORES = st.lists(st.floats(-1, 50, allow_nan=False).map(lambda one: round(one, 3)), max_size=80)


def channel(scores: list[float], first: int = 0) -> list[tuple[int, float]]:
    return sorted(enumerate(scores, start=first), key=lambda one: (-one[1], one[0]))


def total(key: int, *found: list[tuple[int, float]]) -> float:
    span = Span.of(*found)
    names = ("memory-vector", "turn-vector")
    fused = fuse([places(name, one, span) for name, one in zip(names, found, strict=True)])
    return fused[key][0] if key in fused else 0.0


@given(SCORES, SCORES)
def test_scores_are_normalised_to_between_0_and_1_in_their_order(own, said):
    span = Span.of(channel(own), channel(said))
    told = [span(score) for score in sorted([*own, *said], reverse=True)]
    assert all(0 <= one <= 1 for one in told) and all(a >= b for a, b in pairwise(told))
    if told and max(own + said) > 0:
        assert told[0] == pytest.approx(1)


@given(SCORES, SCORES, st.sampled_from([0.25, 2.0, 8.0]))
def test_the_unit_of_a_channel_does_not_matter(own, said, factor):
    span = Span.of(channel(own), channel(said))
    other = Span.of(channel([one * factor for one in own]), channel([one * factor for one in said]))
    assert [other(one * factor) for one in own] == pytest.approx([span(one) for one in own])


@given(SCORES.filter(bool), SCORES, st.data())
def test_a_better_score_never_lowers_a_key(own, said, data):
    key = data.draw(st.integers(0, len(own) - 1))
    better = [*own]
    better[key] += data.draw(st.floats(0, 20))
    others = channel(said, first=1000)
    assert total(key, channel(better), others) >= total(key, channel(own), others) - 1e-9


def test_what_is_usual_counts_for_hardly_anything():
    many = channel([10.0, *[5.0 - n / 100 for n in range(USUAL * 2)]])
    span = Span.of(many)
    assert span(10.0) == pytest.approx(1) and 0 < span(span.usual) <= TAIL and span(4.0) < span(span.usual)
    assert Span.of(many[: USUAL - 1]).usual == 0  # too few to tell


def test_nothing_found_is_no_score():
    assert Span.of([], [])(1.0) == 0 and places("about", [], Span.of([])) == {}


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


def test_every_channel_has_a_weight():
    assert all(weight > 0 for name, weight in WEIGHTS.items() if name != "untold") and WEIGHTS["untold"] < 0
