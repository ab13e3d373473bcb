"""What a search does is counted, not timed: passes over a user's texts, vectors and rows, and what the ledger is asked."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from recollect import Memory
from recollect.adapters import bm25
from recollect.adapters.database import Database
from recollect.adapters.faiss_vectors import _Group, _Restriction
from recollect.build import WORKERS
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.view.intervals import Intervals

BOTH = ("memories", "turns")


@pytest.fixture
def counted(monkeypatch):
    """How often each of the costly steps was done."""
    done: Counter[str] = Counter()

    def count(owner, name, label):
        step = getattr(owner, name)

        def counting(self, *arguments, **more):
            done[label] += 1
            return step(self, *arguments, **more)

        monkeypatch.setattr(owner, name, counting)

    count(bm25._Group, "scored", "groups of texts scored")
    count(_Group, "nearest", "groups of vectors searched")
    count(Intervals, "_served", "histories passed over")
    count(Database, "read", "reads")
    original = _Restriction.of.__func__

    def of(cls, *arguments):
        done["masks packed"] += 1
        return original(cls, *arguments)

    monkeypatch.setattr(_Restriction, "of", classmethod(of))
    return done


def stored(memory, count):
    """Add so many; when that is done, every worker has ended too: what an add has read ahead is waited for by nobody."""
    memory.add([{"role": "user", "content": f"pet{n} = a cat{n}"} for n in range(count)], user_id="u")
    free = threading.Barrier(WORKERS)
    for one in [memory._memory._store.submit(free.wait) for _ in range(WORKERS)]:
        one.result()


def cost(memory, counted, include=BOTH, **asked):
    counted.clear()
    assert memory.search("pet cat", user_id="u", min_score=0, include=include, **asked)
    return dict(counted)


@pytest.fixture
def memory(tmp_path, statements):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        stored(memory, 30)
        yield memory


@pytest.mark.parametrize("include", [("memories",), BOTH])
def test_each_group_of_texts_is_scored_once_and_each_of_vectors_is_searched_once(memory, counted, include):
    memory.search("warm", user_id="u")
    done = cost(memory, counted, include)
    assert done["groups of texts scored"] == 2
    assert done["groups of vectors searched"] == 4  # two kinds, each asked of both groups


def test_what_may_be_served_is_worked_out_once_until_something_comes(memory, counted):
    memory.search("warm", user_id="u")
    for _ in range(3):
        done = cost(memory, counted)
        assert "histories passed over" not in done and "masks packed" not in done
    stored(memory, 1)
    assert cost(memory, counted)["histories passed over"] == 1
    assert "histories passed over" not in cost(memory, counted)


def test_a_search_asks_as_much_of_the_ledger_whatever_a_user_has(memory, counted, statements):
    def asked(**more):
        cost(memory, counted, **more)
        statements.clear()
        cost(memory, counted, **more)
        kinds = Counter(one.split()[0].upper() for one in statements)
        return kinds["SELECT"], kinds["BEGIN"]

    memories = asked(include=("memories",))
    stored(memory, 300)
    assert asked(include=("memories",)) == memories
    assert memories == (5, 1)  # whose it is, what came; in one snapshot what is told
    selects, snapshots = asked()  # turns beside them
    assert selects <= 9 and snapshots == 1


def test_rows_of_hits_alone_are_read(memory, counted, monkeypatch):
    read = []
    ledger = memory._memory._store.ledger
    rows = ledger.rows
    monkeypatch.setattr(ledger, "rows", lambda space, numbers: read.append(len(list(numbers))) or rows(space, numbers))
    hits = memory.search("a pet that purrs", user_id="u", min_score=0, limit=5, include=("memories",))
    assert len(hits) == 5 and max(read) <= 5 + 10
