"""Views of the ledger: brought up to date, rebuilt, let go; and search while the embedder is down."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

import pytest

from recollect import Memory
from recollect.adapters import sqlite_ledger
from recollect.errors import StorageError
from recollect.model import Evidence, Scope, Update
from recollect.retrieval.ordering import Sought, order
from recollect.retrieval.query import Query
from recollect.testing import HashEmbedder, ScriptedLanguage


class Failing(HashEmbedder):
    """An embedder that is down while `down` is set."""

    down = False

    def embed(self, texts):
        if self.down:
            raise ConnectionError("no route")
        return super().embed(texts)


def test_a_partition_follows_another_process_and_equals_its_rebuild(tmp_path):
    first, second = (Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) for _ in range(2))
    with first, second:
        first.add("home = Rome", user_id="u")
        assert second.count(user_id="u") == 1
        second.add("home = Oslo", user_id="u")
        assert [hit.text for hit in first.search("home", user_id="u", min_score=0)] == ["home is Oslo"]
        store = first._memory._store
        partition = store.partitions.get(store.ledger.space("u"))
        before = partition.snapshot()
        partition.rebuild()
        assert partition.snapshot() == before
        first.rebuild()
        assert store.partitions.loaded() == [] and first.count(user_id="u") == 1


def test_texts_are_loaded_some_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_ledger, "AT_ONCE", 3)
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(10)], user_id="u")
        memory.add("home = Rome", user_id="u")
        memory.add([{"role": "user", "content": f"likes += place{n}"} for n in range(9)], user_id="u")  # in parts, too
        store = memory._memory._store
        space = store.ledger.space("u")
        parts = [[one.number for one in part] for part in store.ledger.passages(space)]
        assert [*chain(*parts)] == [*range(1, 41)] and all(0 < len(part) <= 3 for part in parts)
        followed, fresh = store.partitions.get(space), store.partitions.fresh(space)
        assert followed.snapshot() == fresh.snapshot() and len(fresh) == 40
        assert memory.verify().ok
        assert next(hit.text for hit in memory.search("thing9", user_id="u", min_score=0)) == "likes is thing9"


def test_a_view_never_goes_back_to_what_a_thread_saw_before(memory):
    memory.add("home = Rome", user_id="u")
    store = memory._memory._store
    space = store.ledger.space("u")
    partition = store.partitions.get(space)
    with store.ledger.snapshot():
        seen = store.ledger.revision(space)
        memory.add("job = cook", user_id="u")  # by other threads
        assert memory.search("cook", user_id="u", min_score=0)
        assert partition.catch_up() == partition.watermark > seen == store.ledger.revision(space)
    assert partition.snapshot() == store.partitions.fresh(space).snapshot()


def test_a_view_that_failed_to_load_is_loaded_whole_the_next_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_ledger, "AT_ONCE", 100)
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add([{"role": "user", "content": f"thing{n}"} for n in range(150)], user_id="u", infer=False)
        store = memory._memory._store
        space = store.ledger.space("u")
        whole = store.partitions.fresh(space).snapshot()
        store.partitions.clear()
        passages = store.ledger.passages

        def failing(*asked):
            parts = passages(*asked)
            yield next(parts)
            raise StorageError("the disk is gone", stage="read")

        monkeypatch.setattr(store.ledger, "passages", failing)
        for _ in range(2):
            with pytest.raises(StorageError):
                store.partitions.get(space)
        assert [len(one) for one in store.partitions.loaded()] == [0]
        monkeypatch.setattr(store.ledger, "passages", passages)
        assert store.partitions.get(space).snapshot() == whole


def test_a_view_holds_few_bytes_of_a_text_and_is_not_held_twice_while_it_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_ledger, "AT_ONCE", 100)
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        told = [f"message {n} tells of thing{n % 50} and place{n % 70} at length, as messages do" for n in range(1_500)]
        memory.add([{"role": "user", "content": one} for one in told], user_id="u", infer=False)
        store = memory._memory._store
        space = store.ledger.space("u")
        store.partitions.get(space)  # what a first one imports is no part of it
        store.partitions.clear()
        tracemalloc.start()
        try:
            partition = store.partitions.get(space)
            gc.collect()
            held, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        # A vector has 256 bytes, in a buffer with room for as many; 10 terms in a memory, 20 in a turn, 8 each; 20 columns.
        assert len(partition) == 3_000
        assert held < 800 * len(partition) and most < 2 * held
        assert held < 1.5 * partition.bytes


def test_partitions_over_the_memory_budget_are_let_go_and_come_back(memory):
    partitions = memory._memory._store.partitions
    partitions._budget = 5_000
    for n in range(6):
        memory.add([{"role": "user", "content": f"likes += thing{i}"} for i in range(10)], user_id=f"u{n}")
        memory.count(user_id=f"u{n}")
    assert len(partitions.loaded()) < 6
    assert [memory.count(user_id=f"u{n}") for n in range(6)] == [10] * 6


def test_the_last_used_stay_within_the_memory_budget(memory):
    def told(n):
        memory.add([{"role": "user", "content": f"likes += thing{i} of {n}"} for i in range(10)], user_id=f"u{n}")
        memory.count(user_id=f"u{n}")
        return store.ledger.space(f"u{n}")

    store = memory._memory._store
    partitions = store.partitions
    spaces = [told(0)]
    partitions._budget = 3.5 * partitions.loaded()[0].bytes
    spaces += [told(n) for n in range(1, 8)]
    assert [one.space for one in partitions.loaded()] == spaces[-3:]
    assert sum(one.bytes for one in partitions.loaded()) <= partitions._budget
    partitions.drop(spaces[-1])
    partitions.get(spaces[0])
    assert [one.space for one in partitions.loaded()] == [spaces[-3], spaces[-2], spaces[0]]
    partitions.clear()
    for n in range(20):  # nobody who has nothing yet is forgotten in the count
        partitions.get(store.ledger.ensure_space(f"new{n}"))
    assert len(partitions.loaded()) < 20


def test_opening_a_store_loads_no_partition(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u")
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        assert memory._memory._store.partitions.loaded() == []


def test_while_the_embedder_is_down_words_are_found(tmp_path):
    embedder = Failing()
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=embedder) as memory:
        memory.add("home = Rome", user_id="u")
        embedder.down = True
        assert memory.add("job = cook", user_id="u").status == "done"
        assert [hit.text for hit in memory.search("cook", user_id="u", min_score=0)] == ["job is cook"]
        embedder.down = False
        assert "job is cook" in [hit.text for hit in memory.search("job cook", user_id="u", min_score=0)]


def test_turns_are_served_while_they_support_what_is_live(memory):
    def turns(query):
        return {hit.text: hit.until for hit in memory.search(query, user_id="u", include=["turns"], min_score=0)}

    memory.add("hello there, friend", user_id="u")
    memory.add("home = Rome", user_id="u", timestamp="2024-01-01")
    memory.add("home = Oslo", user_id="u", timestamp="2024-02-01")
    served = turns("home Rome Oslo friend")
    assert served["hello there, friend"] is None and served["home = Oslo"] is None
    assert served["home = Rome"].isoformat() == "2024-02-01T00:00:00+00:00"
    memory.delete(memory.get_all(user_id="u")[0].id)
    assert set(turns("home Rome Oslo friend")) == {"hello there, friend"}


def test_metadata_and_expiry(memory):
    memory.add("home = Rome", user_id="u", metadata={"a": 1, "b": 1}, expires_at="2999-01-01")
    memory.add("home = Oslo", user_id="u", metadata={"b": 2})
    item = memory.get_all(user_id="u")[0]
    assert item.metadata == {"a": 1, "b": 2}
    assert memory.update(item.id, metadata={"c": 3}).metadata == {"a": 1, "b": 2, "c": 3}
    memory.add("job = cook", user_id="u", expires_at="2020-01-01")
    assert [one.text for one in memory.get_all(user_id="u")] == ["home is Oslo"]
    assert memory.search("job cook", user_id="u", min_score=0)[0].text == "home is Oslo"


def test_a_corrected_text_is_the_callers_and_hides_what_was_wrong(memory):
    memory.add("home = Rome", user_id="u")
    item = memory.get_all(user_id="u")[0]
    fixed = memory.update(item.id, "home is Rimini")
    assert fixed.id == item.id and [one.quote for one in memory.sources(item.id)] == ["home is Rimini"]
    assert [h.text for h in memory.search("home Rome", user_id="u", include=["turns"], min_score=0)] == [
        "home is Rimini"
    ]
    assert [change.op.value for change in memory.history(item.id)] == ["ADD", "UPDATE"]


class Rewording(ScriptedLanguage):
    """A reconciler that words its updates itself, as a model does."""

    async def reconcile(self, cases):
        answer = await super().reconcile(cases)
        worded = [
            replace(one, text=f"{one.text} by now") if isinstance(one, Update) else one for one in answer.decisions
        ]
        return replace(answer, decisions=tuple(worded))


def test_an_update_in_other_words_is_found_by_them(tmp_path):
    with Memory(tmp_path, llm=Rewording(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u")
        memory.add("home = Oslo", user_id="u")
        hits = memory.search("home is Oslo by now", user_id="u", explain=True)
        assert [hit.text for hit in hits] == ["home is Oslo by now"] and memory.verify().ok
        store = memory._memory._store
        (near,) = store.partitions.get(store.ledger.space("u")).relevance(
            store.embedder.embed(["home is Oslo by now"])[0], {}, [hits_passage(store)]
        )
        assert near[0] > 0.999


class Citing(ScriptedLanguage):
    """Cites the context beside the turn itself."""

    async def extract(self, chunk):
        answer = await super().extract(chunk)
        before = tuple(Evidence(turn.id, turn.content) for turn in chunk.context)
        return replace(answer, facts=tuple(replace(one, evidence=one.evidence + before) for one in answer.facts))


def test_a_search_goes_on_with_what_it_saw_while_another_thread_adds(tmp_path):
    with Memory(tmp_path, llm=Citing(), embedder=HashEmbedder()) as memory:
        memory.add("home = Rome", user_id="u", session_id="s")
        store, retriever = memory._memory._store, memory._memory._retriever
        space = store.ledger.space("u")
        partition, query = store.partitions.get(space), Query("home Rome", Scope("u"), datetime.now(UTC))
        moment = retriever.moment(space, query)
        vector, terms = store.embedder.embed([query.text])[0], store.tokenizer(query.text)
        sought = Sought(partition, query, moment, retriever.served(partition, query, moment), terms, vector)
        memory.add("likes += tea", user_id="u", session_id="s")
        memory.add([{"role": "user", "content": f"likes += home{n}"} for n in range(300)], user_id="u", infer=False)
        partition.catch_up()
        assert sought.served.rows[order(sought).keys].tolist() == [1]


def hits_passage(store):
    """The passage of the one live row."""
    space = store.ledger.space("u")
    rows = store.ledger.rows(space, store.partitions.get(space).believed_rows()).values()
    return next(row.statement.number for row in rows if row.valid_to is None)
