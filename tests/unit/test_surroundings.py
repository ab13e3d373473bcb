"""What passages gain from where they stand: neighbours of the same session, and what else of it was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect import Memory
from recollect.retrieval.surroundings import COMPANY, Spots, beside, together
from recollect.testing import HashEmbedder, ScriptedLanguage

SPOTS = {1: (1, 1), 2: (1, 2), 3: (2, 3), 4: (2, 4), 5: (2, 6)}  # (session, turn)


def spots(keys, known=SPOTS):
    return Spots(*np.array([known.get(key, (0, 0)) for key in keys], dtype=np.int64).reshape(-1, 2).T)


def scored(channel):
    return dict(zip(channel.keys.tolist(), channel.scores.tolist(), strict=True))


def after(scores, untold):
    keys = [*scores]
    silent = np.array([key in untold for key in keys])
    return scored(beside(np.array(keys), np.array([*scores.values()]), spots(keys), silent))


def company(orders, known=SPOTS):
    keys = [key for key, _ in orders]
    weights = np.array([weight for _, weight in orders])
    return scored(together(np.array(keys, dtype=np.int64), weights, spots(keys, known)))


def test_a_turn_is_lifted_by_the_turn_after_it_within_its_session():
    scores = {1: 0.1, 2: 0.9, 3: 0.8, 4: 0.0, 5: 0.5}
    # 2 and 3 are of two sessions; 4 was not found; between 4 and 6 stands one not found
    assert after(scores, scores) == {1: 0.9}


def test_what_a_memory_tells_is_not_lifted():
    assert set(after({1: 0.1, 2: 0.9}, {1})) == {1} and after({1: 0.1, 2: 0.9}, {2}) == {}


def test_a_session_counts_by_its_best():
    shares = company([(1, 1.0), (3, 0.5), (2, 0.5), (4, 0.25)])
    assert shares[1] == shares[2] == pytest.approx(2 * shares[3]) and shares[3] == shares[4]
    many = {n: (7, n) for n in range(100, 100 + 3 * COMPANY)} | {1: (8, 1)}
    orders = [(1, COMPANY / 2), *((n, 0.5) for n in many if n > 1)]
    assert company(orders, many)[1] == 1.0  # however long the other is


def test_two_short_sessions_differ_less_than_two_long_ones():
    short = company([(1, 1.0), (2, 1.0), (3, 1.0)])
    assert short[1] == pytest.approx(2 / COMPANY) and short[1] - short[3] < 1 / 2
    known = {n: (1 + n // COMPANY, n) for n in range(1, COMPANY + COMPANY // 2)}
    long = company([(n, 1.0) for n in known], known)
    assert max(long.values()) == pytest.approx((COMPANY - 1) / COMPANY)


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3, 4, 5, 99]), st.floats(0, 9)), unique_by=lambda one: one[0]))
def test_shares_are_shares_and_unknown_places_get_none(orders):
    found = company(orders)
    assert all(0 <= share <= 1 for share in found.values()) and 99 not in found


@pytest.fixture
def memory(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        yield memory


def channels(memory, query):
    hits = memory.search(query, user_id="u", include=["memories", "turns"], min_score=0, explain=True)
    return {(hit.kind, hit.text): {one.name for one in hit.channels} for hit in hits}


def test_a_turn_comes_with_the_reply_to_it_unless_a_memory_tells_it(memory):
    said = ["the harbour then", "which harbour, the old one?", "home = Genoa harbour", "which harbour now"]
    memory.add([{"role": "user", "content": one} for one in said[:2]], user_id="u", session_id="a")
    memory.add([{"role": "user", "content": one} for one in said[2:]], user_id="u", session_id="b")
    found = channels(memory, "which harbour")
    assert "turn-after" in found["turn", said[0]] and "turn-after" not in found["turn", said[2]]
    assert ("memory", "home is Genoa harbour") in found


def test_who_is_named_is_named_whole(memory):
    for name in ("Anna Rossi", "Anna Bianchi"):
        memory.add({"role": "user", "name": name, "content": f"sailing with {name[0]}"}, user_id="u", session_id=name)
    hits = memory.search("Anna Rossi sailing", user_id="u", include=["turns"], min_score=0, explain=True)
    assert [("named" in {one.name for one in hit.channels}, hit.speaker) for hit in hits] == [
        (True, "Anna Rossi"),
        (False, "Anna Bianchi"),
    ]


def test_a_view_that_followed_knows_the_same_places_as_one_made_anew(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        orders = []
        for n in range(4):
            memory.add(["home = Rome", f"likes += thing{n}"][n % 2], user_id="u", session_id=f"s{n}")
            orders.append(channels(memory, "thing home Rome"))
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        assert channels(memory, "thing home Rome") == orders[-1]
