"""What is erased is in no byte of the folder, in whatever spelling, and does not come back; and nothing else is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pkgutil
import shutil
import signal
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from unittest import mock

import chaos
import numpy as np
import operations
import pytest
from knowing import KnowingModel
from naming import Naming
from remnants import GONE, STAYS, Pairs, Refining, Tattler, everything_of, found, opened, plant, said, vectors_of

from recollect import failpoints
from recollect.adapters.database import Database
from recollect.errors import (
    EmbedderUnavailable,
    Erased,
    InvalidInput,
    ModelUnavailable,
    NotFound,
    RecollectError,
    StorageFull,
    UndoConflict,
)
from recollect.model import Extraction
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, ScriptedLanguage
from recollect.upkeep.erase import BLANK, spans, without

EARLY, LATE, LATER = "2024-01-01", "2024-03-01", "2024-05-01"


ERASURES = {
    "all of a user": ({"user_id": "zqalice"}, [*GONE, *STAYS, "zqalice", "zqactor", "zqsession", "kept"]),
    "a session": ({"user_id": "zqalice", "session_id": "zqsession"}, [*GONE, "zqsession"]),
    "what was said before a date": ({"user_id": "zqalice", "before": "2024-02-01"}, [*GONE, "zqsession"]),
    "a session, before a date": (
        {"user_id": "zqalice", "session_id": "zqsession", "before": LATE},
        [*GONE, "zqsession"],
    ),
}


@pytest.mark.parametrize("form", ERASURES)
def test_nothing_of_it_is_in_any_byte_of_the_folder_and_others_are_as_they_were(tmp_path, form):
    wanted, secrets = ERASURES[form]
    plant(tmp_path)
    bobs = {word for word in secrets if word in STAYS or word == "kept"}
    secrets = [word for word in secrets if word not in bobs]
    vectors = vectors_of(tmp_path, "user:zqalice", secrets)
    assert len({one for one, _, _ in found(tmp_path, secrets)}) == len(secrets), "planted"
    assert vectors and len(found(tmp_path, (), vectors)) >= len(vectors)
    before = everything_of(tmp_path, "bob")
    with opened(tmp_path) as memory, chaos.tries("a remnant of what was erased") as tries:
        hits = memory.search("home likes", user_id="bob", include=("memories", "turns"), min_score=0)
        with tries.one(form):
            receipt = memory.erase(**wanted)
            assert receipt.complete and receipt.reason is None and receipt.pending == 1
            assert receipt.turns == (14 if form == "all of a user" else 11)
            assert found(tmp_path, secrets, vectors) == []
        assert everything_of(tmp_path, "bob") == before
        assert memory.search("home likes", user_id="bob", include=("memories", "turns"), min_score=0) == hits
        assert memory.verify().problems == () and memory.pending() == []
        left = {item.text for item in memory.get_all(user_id="zqalice")}
        assert left == (set() if form == "all of a user" else {"home is zqhomestays", "likes is zqlikestays"})
        assert memory.rebuild().problems == ()
    assert found(tmp_path, secrets, vectors) == []


def test_all_of_a_user_leaves_no_row_and_not_the_name(tmp_path):
    plant(tmp_path)
    with opened(tmp_path) as memory:
        users = memory.stats().users
        change = memory.history(memory.get_all(user_id="zqalice")[0].id)[0]
        memory.erase(user_id="zqalice")
        assert memory.stats().users == users - 1 and memory.stats(user_id="zqalice").turns == 0
        with pytest.raises(NotFound):
            memory.undo(change.id)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db:
        space = db.execute("SELECT space FROM users WHERE name LIKE 'erased:%'").fetchone()
        for table in (
            "turns",
            "statements",
            "memory_rows",
            "sources",
            "passages",
            "changes",
            "entities",
            "mentions",
            "hidings",
            "relations",
            "identities",
        ):
            assert db.execute(f"SELECT count(*) FROM {table} WHERE space = ?", space).fetchone() == (0,), table
    with opened(tmp_path) as memory:  # who comes back is in the same place, and knows nothing
        memory.add(said("home = Paris"), user_id="zqalice")
        assert [item.text for item in memory.get_all(user_id="zqalice")] == ["home is Paris"]
        assert memory.verify().problems == () and memory.stats().users == users


def test_the_shared_space_goes_when_it_is_said_so(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(said("home = zqshared"), user_id=None)
        memory.add(said("home = zqhers"), user_id="ann")
        assert memory.erase(user_id=None).memories == 1
        assert memory.count(user_id=None) == 0 and memory.count(user_id="ann") == 1
        assert found(tmp_path, ["zqshared"]) == [] and memory.verify().ok


# --- one memory --------------------------------------------------------------------------------------------------------


def of(memory, text, user="u"):
    return next(item for item in memory.get_all(user_id=user) if item.text == text)


def test_a_memory_goes_with_its_versions_history_and_turns(tmp_path):
    with opened(tmp_path) as memory:
        memory.add(said("home = zqone"), user_id="u", timestamp=EARLY)
        memory.add(said("home = zqtwo"), user_id="u", timestamp=LATE)
        memory.add(said("likes += tea"), user_id="u", timestamp=LATER)
        item = of(memory, "home is zqtwo")
        memory.update(item.id, "home is zqthree")
        memory.update(item.id, metadata={"zqmeta": 1})
        memory.delete(item.id)
        vectors = vectors_of(tmp_path, "user:u", ["zq"])
        change = memory.history(item.id)[0]
        receipt = memory.erase(item.id, user_id="u")
        assert (receipt.memories, receipt.turns, receipt.complete) == (1, 3, True)
        assert found(tmp_path, ["zqone", "zqtwo", "zqthree", "zqmeta", item.id], vectors) == []
        assert [one.text for one in memory.get_all(user_id="u")] == ["likes is tea"] and memory.verify().ok
        for gone in (memory.get, memory.history, memory.sources, memory.erase):
            with pytest.raises(NotFound):
                gone(item.id)
        with pytest.raises(UndoConflict, match="erased"):
            memory.undo(change.id)


def test_quotes_are_blanked_where_other_memories_rest_on_the_turn(tmp_path):
    with opened(tmp_path, llm=Pairs()) as memory:
        memory.add(said("home = zqrome; likes += tea"), user_id="u", session_id="s", timestamp=EARLY)
        memory.add(said("likes += milk"), user_id="u", session_id="s", timestamp=LATE)
        vectors = vectors_of(tmp_path, "user:u", ["zqrome"])
        receipt = memory.erase(of(memory, "home is zqrome").id)
        assert (receipt.memories, receipt.turns, receipt.blanked, receipt.kept_quotes) == (1, 0, 1, 0)
        assert found(tmp_path, ["zqrome"], vectors) == []
        assert memory.verify().problems == ()
        (source,) = memory.sources(of(memory, "likes is tea").id)
        assert source.quote == "likes += tea"
        hits = memory.search("tea", user_id="u", include=("turns",), min_score=0)
        assert f"{BLANK}; likes += tea" in {hit.text for hit in hits}
        memory.resume()  # vectors of the turn, and of the one that was found by its words too
        assert memory._memory._store.ledger.pending_vectors(None, 9) == [] and memory.verify().ok
        memory.retell(user_id="u")
        assert {item.text for item in memory.get_all(user_id="u")} == {"likes is tea", "likes is milk"}
        assert found(tmp_path, ["zqrome"], vectors) == []


def test_words_that_another_memory_quotes_stay_and_are_counted(tmp_path):
    class Twice(ScriptedLanguage):
        async def extract(self, chunk):
            told = await super().extract(chunk)
            other = [replace(one, text=f"{one.text}, and so on", slot=None, value=None) for one in told.facts]
            return Extraction((*told.facts, *other))

    with opened(tmp_path, llm=Twice()) as memory:
        memory.add(said("home = Rome"), user_id="u")
        receipt = memory.erase(of(memory, "home is Rome").id)
        assert (receipt.kept_quotes, receipt.blanked, receipt.turns) == (1, 0, 0)
        assert [item.text for item in memory.get_all(user_id="u")] == ["home is Rome, and so on"] and memory.verify().ok


@pytest.mark.parametrize(
    ("text", "taken", "kept", "left"),
    [
        ("I live in Rome. I like tea.", ["I live in Rome"], ["I like tea"], f"{BLANK}. I like tea."),
        ("I live in Rome with Tom", ["I live in Rome"], ["in Rome with Tom"], f"{BLANK}in Rome with Tom"),
        ("I  LIVE in “Rome”", ["i live in 'rome'"], [], f"{BLANK}”"),
        ("one two three four", ["one … three"], [], f"{BLANK} two {BLANK} four"),
        ("Rome, then Rome", ["Rome"], [], f"{BLANK}, then {BLANK}"),
        ("nothing like it", ["quite other words"], ["like it"], f"{BLANK}like it"),
    ],
)
def test_blanking(text, taken, kept, left):
    assert without(text, taken, kept) == left
    assert all(list(spans(quote, left)) for quote in kept)


# --- what is left is what would be there had it never been said --------------------------------------------------------


def texts(memory, **scope):
    return {item.text: item.valid_to for item in memory.get_all(user_id="u", **scope)}


def test_a_version_that_was_ended_by_what_goes_holds_again(memory):
    memory.add(said("home = Rome"), user_id="u", session_id="a", timestamp=EARLY)
    memory.add(said("home = Oslo"), user_id="u", session_id="b", timestamp=LATE)
    receipt = memory.erase(user_id="u", session_id="b")
    assert (receipt.memories, receipt.restored) == (0, 1) and texts(memory) == {"home is Rome": None}
    assert memory.get(memory.get_all(user_id="u")[0].id).text == "home is Rome" and memory.verify().ok


def test_between_two_that_stay_the_first_lasts_until_the_last(memory):
    for place, session, time in (("Rome", "a", EARLY), ("Oslo", "b", LATE), ("Kiel", "a", LATER)):
        memory.add(said(f"home = {place}"), user_id="u", session_id=session, timestamp=time)
    memory.erase(user_id="u", session_id="b")
    assert texts(memory) == {"home is Kiel": None}
    then = memory.get_all(user_id="u", as_of="2024-04-01")
    assert [(item.text, item.valid_to.month) for item in then] == [("home is Rome", 5)] and memory.verify().ok


def test_what_is_told_elsewhere_too_stays_without_the_quotes_that_go(memory):
    memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY, metadata={"from": "a", "both": 1})
    memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE, metadata={"both": 1})
    memory.erase(user_id="u", session_id="a")
    (item,) = memory.get_all(user_id="u")
    assert (item.text, item.session_ids, item.metadata) == ("likes is tea", ("b",), {"both": 1})
    assert [source.said_at.month for source in memory.sources(item.id)] == [3] and memory.verify().ok


def test_a_telling_that_was_undone_keeps_nothing(memory):
    memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    again = memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE)
    memory.undo(again.batch_id)
    assert memory.erase(user_id="u", session_id="a").memories == 1
    assert texts(memory) == {} and memory.verify().ok


def test_to_undo_the_only_telling_that_is_left_takes_the_memory_back(memory):
    memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    again = memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE)
    memory.erase(user_id="u", session_id="a")
    (item,) = memory.get_all(user_id="u")
    (undone,) = memory.undo(again.batch_id)
    assert texts(memory) == {} and memory.verify().ok
    assert (undone.op, undone.memory.id) == ("DELETE", item.id)
    memory.undo(undone.id)
    assert memory.verify().ok and [source.session_id for source in memory.sources(item.id)] == ["b"]


def test_a_retraction_is_no_telling_that_could_be_left(memory):
    memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    again = memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE)
    over = memory.add(said("likes -= tea"), user_id="u", session_id="c", timestamp="2024-06-01")
    memory.erase(user_id="u", session_id="a")
    (undone,) = memory.undo(again.batch_id)
    assert undone.op == "DELETE" and memory.get_all(user_id="u", as_of="2024-05-01") == []
    with pytest.raises(UndoConflict):
        memory.undo(over.batch_id)
    memory.undo(undone.id)
    memory.undo(over.batch_id)
    assert texts(memory) == {"likes is tea": None} and memory.verify().ok


@pytest.mark.parametrize("deed", ["delete", "undo"])
def test_what_was_told_twice_and_taken_back_is_erased_of_either_session_and_comes_back_by_the_other(memory, deed):
    first = memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE)
    (item,) = memory.get_all(user_id="u")
    memory.delete(item.id) if deed == "delete" else memory.undo(first.batch_id)
    taken_back = memory.history(item.id)[-1].id
    kept, gone = ("b", "a") if deed == "delete" else ("a", "b")
    memory.erase(user_id="u", session_id=gone)
    assert texts(memory) == {} and memory.verify().ok
    memory.undo(taken_back)
    assert texts(memory) == {"likes is tea": None} and memory.verify().ok
    assert [source.session_id for source in memory.sources(item.id)] == [kept]


def test_what_was_told_twice_once_undone_and_then_deleted_is_gone_for_good(memory):
    memory.add(said("likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    memory.undo(memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE).batch_id)
    (item,) = memory.get_all(user_id="u")
    memory.delete(item.id)
    memory.erase(user_id="u", session_id="a")
    with pytest.raises(NotFound):
        memory.history(item.id)
    assert memory.verify().ok


def test_what_a_caller_deleted_or_retracted_does_not_come_back(memory):
    memory.add(said("home = Rome", "likes += tea"), user_id="u", session_id="a", timestamp=EARLY)
    memory.add(said("home = Oslo", "likes -= tea"), user_id="u", session_id="b", timestamp=LATE)
    memory.delete(next(item.id for item in memory.get_all(user_id="u") if item.text == "home is Oslo"))
    memory.erase(user_id="u", session_id="b")
    assert texts(memory) == {} and memory.verify().ok
    hits = memory.search("home tea", user_id="u", include=("turns",), min_score=0)
    assert [(hit.text, hit.until.month) for hit in hits] == [("likes += tea", 3)]


def test_a_refinement_goes_with_its_words_and_what_it_refined_is_back(tmp_path):
    with opened(tmp_path, llm=Refining()) as memory:
        memory.add(said("pet = dog"), user_id="u", session_id="a", timestamp=EARLY)
        memory.add(said("pet = zqrex"), user_id="u", session_id="b", timestamp=LATE)
        memory.add(said("pet = brown"), user_id="u", session_id="c", timestamp=LATER)
        assert texts(memory) == {"pet is dog zqrex brown": None}
        memory.erase(user_id="u", session_id="b")
        assert texts(memory) == {"pet is dog": None} and memory.verify().ok
        assert found(tmp_path, ["zqrex"]) == []


# --- the rest of the memory goes on ------------------------------------------------------------------------------------


def test_arguments_that_do_not_go_together(memory):
    memory.add(said("home = Rome"), user_id="u")
    item = memory.get_all(user_id="u")[0]
    for wrong in ({}, {"session_id": "s"}, {"before": EARLY}, {"user_id": "u", "before": "then"}, {"user_id": ""}):
        with pytest.raises(InvalidInput):
            memory.erase(**wrong)
    for wrong in ({"session_id": "s"}, {"before": EARLY}):
        with pytest.raises(InvalidInput):
            memory.erase(item.id, user_id="u", **wrong)
    with pytest.raises(InvalidInput):
        memory.erase("mem_1")
    with pytest.raises(NotFound):
        memory.erase(item.id, user_id="other")
    assert memory.erase(user_id="nobody").turns == 0 and memory.count(user_id="u") == 1


def test_a_scoped_memory_erases_everything_only_where_its_user_is_named(memory):
    memory.add(said("home = Rome"), user_id="u", session_id="s")
    memory.add(said("likes += tea"), user_id="u", session_id="t")
    mine, shared = memory.scoped(user_id="u"), memory.scoped(user_id=None)
    for nothing in ({}, {"session_id": None}, {"memory_id": None, "before": None}):
        with pytest.raises(InvalidInput, match="once more"):
            mine.erase(**nothing)
    for other in ("v", None):
        with pytest.raises(TypeError, match="user_id"):
            mine.erase(user_id=other)
    assert memory.count(user_id="u") == 2
    assert mine.erase(session_id="s").turns == 1 and mine.erase(user_id="u", session_id="t").turns == 1
    memory.add(said("home = Rome"), user_id="u")
    assert mine.erase(user_id=mine.user_id).turns == 1
    memory.add(said("home = Rome"), user_id=None)
    with pytest.raises(InvalidInput):
        shared.erase()
    assert shared.erase(user_id=None).turns == 1


def test_what_was_erased_is_not_taken_in_again_unless_it_is_allowed_or_said_anew(tmp_path):
    with opened(tmp_path) as memory:
        talk = {"user_id": "u", "session_id": "s", "timestamp": EARLY}
        memory.add(said("home = zqrome", "likes += zqtea"), **talk)
        memory.erase(user_id="u")
        result = memory.add(said("home = zqrome", "pet = dog", "likes += zqtea"), **talk)
        assert (result.erased, len(result.turn_ids), result.status) == (2, 1, "done")
        assert texts(memory) == {"pet is dog": None} and memory.verify().problems == ()
        none = memory.add(said("home = zqrome"), **talk)
        assert (none.erased, none.turn_ids, none.status) == (1, (), "done") and memory.verify().problems == ()
        assert found(tmp_path, ["zqrome", "zqtea"]) == []
        assert memory.add(said("home = zqrome"), user_id="other", timestamp=EARLY).erased == 0
        assert memory.add(said("home = zqrome"), allow_erased=True, **talk).erased == 0
        assert memory.add(said("likes += zqtea"), user_id="u").erased == 0  # said now, after the erasure
        assert set(texts(memory)) == {"pet is dog", "home is zqrome", "likes is zqtea"} and memory.verify().ok


def test_of_a_call_that_brings_nothing_but_what_was_erased_nothing_is_kept(tmp_path):
    plant(tmp_path)
    secrets = [*GONE, "zqsession"]
    with opened(tmp_path, instructions="leave zqinstrgone out") as memory:
        memory.erase(user_id="zqalice", session_id="zqsession")
        call = {"user_id": "zqalice", "session_id": "zqsession", "agent_id": "zqagentgone", "timestamp": EARLY}
        call |= {"metadata": {"zqmetagone": 1}, "idempotency_key": "another zqkeygone"}
        result = memory.add(said("home = zqhomegone", "zqhushgone"), **call)
        assert (result.erased, result.turn_ids, result.status) == (2, (), "done")
        assert found(tmp_path, secrets) == []
        assert memory.add(said("home = zqhomegone", "zqhushgone"), **call).batch_id == result.batch_id
        assert memory.add(said("home = zqhomegone"), **call, allow_erased=True).erased == 0
        assert found(tmp_path, secrets) and memory.verify().problems == ()


def test_a_key_is_erased_as_often_as_it_is_used(memory):
    for _ in range(8):  # batches are gone through in the order of their ids, which are random
        added = memory.add(said("home = Rome"), user_id="u", idempotency_key="k", allow_erased=True)
        assert added.erased == 0 and memory.erase(user_id="u").turns == 1
        assert memory.add(said("home = Rome"), user_id="u", idempotency_key="k").batch_id == added.batch_id
    assert memory.verify().problems == ()


def test_a_key_of_what_was_erased_brings_nothing_back(memory):
    first = memory.add(said("home = Rome", "likes += tea"), user_id="u", idempotency_key="k")
    memory.erase(user_id="u")
    again = memory.add(said("home = Rome", "likes += tea"), user_id="u", idempotency_key="k")
    assert (again.batch_id, again.erased, again.turn_ids, again.changes) == (first.batch_id, 2, (), ())
    assert memory.count(user_id="u") == 0 and memory.verify().ok
    assert memory.add(said("home = Rome"), user_id="u", idempotency_key="k", allow_erased=True).erased == 0
    assert memory.count(user_id="u") == 1
    assert memory.add(said("home = Rome"), user_id="u", idempotency_key="k").erased == 0


# --- adds under way ----------------------------------------------------------------------------------------------------


class Slow(ScriptedLanguage):
    """Answers when it is let."""

    def __init__(self):
        self.asked, self.let = threading.Event(), threading.Event()

    async def extract(self, chunk):
        told = await super().extract(chunk)
        self.asked.set()
        await asyncio.to_thread(self.let.wait, 60)
        return told


def adding(memory, messages, **options):
    """An add in a thread, and what it raised or returned."""
    told = []

    def add():
        try:
            told.append(memory.add(messages, **options))
        except RecollectError as error:
            told.append(error)

    thread = threading.Thread(target=add)
    thread.start()
    return thread, told


class Local(HashEmbedder):
    """Computes in the thread that searches, as the default embedder does."""

    batches = True


WANTED = {"user_id": "u", "min_score": 0, "include": ("memories",)}
LOOKS = {  # and after which step of it something is erased
    "search": (lambda memory, _: [hit.text for hit in memory.search("home likes", **WANTED)], "get"),
    "context": (lambda memory, _: [hit.text for hit in memory.context("home likes", **WANTED).hits], "get"),
    "get_all": (lambda memory, _: [item.text for item in memory.get_all(user_id="u")], "rows"),
    "timeline": (lambda memory, _: [one.text for one in memory.timeline(user_id="u", entity="user").entries], "get"),
    "get": (lambda memory, gone: memory.get(gone), "versions"),
    "history": (lambda memory, gone: memory.history(gone), "rows"),
    "sources": (lambda memory, gone: memory.sources(gone), "versions"),
    "changes": (
        lambda memory, _: [one.memory.text for one in memory.changes(user_id="u") if one.memory],
        "changes_after",
    ),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("embedder", [HashEmbedder, Local])
def test_what_is_erased_while_it_is_read_is_not_told_of_and_nothing_seems_damaged(tmp_path, look, embedder):
    """The view has it still, or the ledger's first answer had."""
    look, step = LOOKS[look]
    with opened(tmp_path, embedder=embedder()) as memory, opened(tmp_path, embedder=embedder()) as other:
        gone = memory.add(said("likes += tea"), user_id="u", session_id="a").changes[0].memory.id
        memory.add(said("home = Rome"), user_id="u", session_id="b")
        owner = memory._memory._store.partitions if step == "get" else memory._memory._store.ledger
        method, receipts = getattr(owner, step), []

        def overtaken(*arguments, **more):
            answer = method(*arguments, **more)
            if not receipts:
                receipts.append(other.erase(user_id="u", session_id="a"))
            return answer

        with mock.patch.object(owner, step, overtaken):
            try:
                assert look(memory, gone) == ["home is Rome"]
            except NotFound as error:
                assert gone in str(error)
        assert receipts[0].memories == 1 and memory.verify().ok


VERBS = {  # what is done, and the look before which it is erased
    "update": (lambda memory, gone: memory.update(gone, metadata={"n": 1}), "recollect.view.views.Views.items"),
    "quarantine": (lambda memory, _: memory.quarantine(user_id="u"), "recollect.view.views.Views.quarantine"),
    "estimate_retelling": (
        lambda memory, _: memory.estimate_retelling(user_id="u").turns,
        "recollect.adapters.sqlite_ledger.SqliteLedger.turns",
    ),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_erased_between_two_looks_of_a_verb_makes_nothing_seem_damaged(tmp_path, monkeypatch, verb):
    monkeypatch.setattr("recollect.upkeep.erasing.PATIENCE_S", 0.1)  # it meets a reader of the state before
    act, step = VERBS[verb]
    with opened(tmp_path, trust={"tool": 0}) as memory, opened(tmp_path) as other:
        gone = memory.add(said("likes += tea"), user_id="u", session_id="a").changes[0].memory.id
        memory.add({"role": "tool", "content": "likes += gin"}, user_id="u", session_id="a")
        whole, part = step.rsplit(".", 1)
        owner = pkgutil.resolve_name(whole)
        method, receipts = getattr(owner, part), []

        def overtaken(*arguments):
            if not receipts:
                receipts.append(None)
                receipts.append(other.erase(user_id="u"))
            return method(*arguments)

        with mock.patch.object(owner, part, overtaken):
            if verb == "update":
                with pytest.raises(NotFound):
                    act(memory, gone)
            else:
                assert act(memory, gone)  # as it was when the verb looked first
        assert receipts[1].memories == 2 and memory.verify().problems == ()


def test_what_is_erased_when_a_retelling_begins_is_not_told_anew(tmp_path):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        memory.add(said("likes += tea"), user_id="u", session_id="a")
        memory.add(said("home = Rome"), user_id="u", session_id="b")
        journal = memory._memory._store.journal
        opening = journal.open_retelling

        def overtaken(*arguments):
            assert other.erase(user_id="u", session_id="a").memories == 1
            return opening(*arguments)

        with mock.patch.object(journal, "open_retelling", overtaken):
            assert memory.retell(user_id="u").status == "done"
        assert texts(memory) == {"home is Rome": None} and memory.verify().ok


@pytest.mark.parametrize(
    ("work", "step"),
    [
        (lambda memory, gone: memory.update(gone, "likes is milk"), "versions"),
        (lambda memory, _: memory.delete_all(user_id="u"), "rows"),
    ],
    ids=["update", "delete_all"],
)
def test_what_is_erased_while_it_is_changed_is_gone(tmp_path, monkeypatch, work, step):
    monkeypatch.setattr("recollect.upkeep.erasing.PATIENCE_S", 0.01)  # an older state is being read
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        gone = memory.add(said("likes += tea"), user_id="u", session_id="a").changes[0].memory.id
        ledger, receipts = memory._memory._store.ledger, []
        method = getattr(ledger, step)

        def overtaken(*arguments):
            answer = method(*arguments)
            if not receipts:
                receipts.append(other.erase(user_id="u", session_id="a"))
            return answer

        with mock.patch.object(ledger, step, overtaken), contextlib.suppress(NotFound):
            assert work(memory, gone) == 0
        assert receipts[0].memories == 1 and memory.count(user_id="u") == 0 and memory.verify().ok


@pytest.mark.parametrize("correction", [{"text": "likes is milk"}, {"metadata": {"a": 1}}])
def test_what_is_erased_just_behind_its_correction_is_not_found(tmp_path, correction):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        gone = memory.add(said("likes += tea"), user_id="u").changes[0].memory.id
        ledger = memory._memory._store.ledger
        commit = ledger.commit

        def overtaken(effects):
            at = commit(effects)
            assert other.erase(gone).memories == 1
            return at

        with mock.patch.object(ledger, "commit", overtaken), pytest.raises(NotFound):
            memory.update(gone, **correction)
        assert memory.count(user_id="u") == 0 and memory.verify().ok


def test_what_is_erased_while_its_commit_is_told_of_fails_no_add(tmp_path):
    events = []
    with opened(tmp_path, on_event=events.append) as memory, opened(tmp_path) as other:
        memory.add(said("home = Rome"), user_id="u", session_id="b")
        ledger, receipts = memory._memory._store.ledger, []
        rows = ledger.rows

        def overtaken(*arguments):
            found = rows(*arguments)
            if not receipts and any(row.statement.text == "likes is tea" for row in found.values()):
                receipts.append(other.erase(user_id="u", session_id="a"))
            return found

        with mock.patch.object(ledger, "rows", overtaken):
            told = memory.add(said("likes += tea"), user_id="u", session_id="a")
        assert receipts[0].memories == 1 and told.erased == 1 and texts(memory) == {"home is Rome": None}
        assert [type(one).__name__ for one in events].count("Committed") == 2 and memory.verify().ok


def test_what_is_erased_while_a_retelling_is_estimated_is_estimated_still(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.upkeep.erasing.PATIENCE_S", 0.01)  # the estimate reads an older state
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        memory.add(said("likes += tea"), user_id="u", session_id="a")
        journal = memory._memory._store.journal
        retellable = journal.retellable

        def overtaken(space):
            found = retellable(space)
            assert other.erase(user_id="u", session_id="a").turns == 1
            return found

        with mock.patch.object(journal, "retellable", overtaken):
            assert memory.estimate_retelling(user_id="u").turns == 1
        assert memory.estimate_retelling(user_id="u").turns == 0 and memory.verify().ok


@pytest.mark.parametrize("elsewhere", [False, True], ids=["this memory", "another memory"])
def test_an_add_under_way_is_called_off(tmp_path, elsewhere):
    slow = Slow()
    with opened(tmp_path, llm=slow) as memory, opened(tmp_path) as other:
        thread, told = adding(memory, said("home = zqrome"), user_id="u", metadata={"zqmeta": 1})
        slow.asked.wait(60)
        receipt = (other if elsewhere else memory).erase(user_id="u")
        slow.let.set()
        thread.join(60)
        assert isinstance(told[0], Erased) and told[0].batch_id is None
        assert (receipt.pending, receipt.turns) == (1, 1)
        assert memory.count(user_id="u") == 0 and memory.pending() == [] and other.verify().problems == ()
        assert memory.resume().failed == {}
    assert found(tmp_path, ["zqrome", "zqmeta"]) == []


def test_an_add_under_way_goes_on_with_what_is_left_and_forgets_what_it_read(tmp_path):
    slow = Slow()
    messages = [
        {"role": "user", "content": "home = zqrome", "timestamp": EARLY},
        {"role": "user", "content": "likes += tea", "timestamp": LATE},
    ]
    with opened(tmp_path, llm=slow) as memory:
        thread, told = adding(memory, messages, user_id="u")
        slow.asked.wait(60)
        memory.erase(user_id="u", before="2024-02-01")
        slow.let.set()
        thread.join(60)
        assert (told[0].status, told[0].erased, len(told[0].turn_ids)) == ("done", 1, 1)
        assert texts(memory) == {"likes is tea": None} and memory.verify().problems == ()
    assert found(tmp_path, ["zqrome"]) == []


class There:
    """An event that has happened when a file is there."""

    def __init__(self, file):
        self.is_set = file.exists


@pytest.mark.parametrize("asked", ["extract", "reconcile"])
@pytest.mark.parametrize("form", ["all of a user", "before a date"])
def test_an_add_in_another_process_is_called_off_or_goes_on_with_what_is_left(tmp_path, zygote, form, asked):
    folder, begin, done = tmp_path / "store", tmp_path / "begin", tmp_path / "done"
    sentences = {"I live in zqrome.": EARLY, "I drink milk.": LATE}
    model = KnowingModel({said: {"text": f"The user says: {said}"} for said in sentences})

    def slow(request):
        reply = Reply(model(request))
        if ("New facts:" in request.text) != (asked == "reconcile"):
            return reply
        begin.touch()
        return replace(reply, until=There(done))

    wanted = {"user_id": "u"} if form == "all of a user" else {"user_id": "u", "before": "2024-02-01"}
    messages = [{"role": "user", "content": said, "timestamp": time} for said, time in sentences.items()]
    options = {"user_id": "u", "metadata": {"zqmeta": 1}, "session_id": "zqsession"}
    with opened(folder) as memory:  # what a fact is compared with: else nothing is to be decided
        memory.add(said("likes += tea"), user_id="u", timestamp=LATE)
    with ModelEndpoint(slow) as endpoint, chaos.tries("an add in another process, and an erasure") as tries:
        cases = [
            {"task": "add", "folder": str(folder), "url": endpoint.url, "messages": messages, "options": options},
            {"task": "erase", "folder": str(folder), "begin": str(begin), "done": str(done), "wanted": wanted},
        ]
        (_, [added]), (_, [receipt]) = zygote.run_all(cases)
        added, receipt = json.loads(added), json.loads(receipt)
        with tries.one(f"{form}, while it waits to {asked}"), operations.opened(folder) as memory:
            assert receipt["complete"] and "zqrome" in endpoint.requests[0].text
            if form == "all of a user":
                assert added == {"error": "Erased", "batch_id": None} and memory.stats(user_id="u").turns == 0
                assert found(folder, ["zqrome", "zqmeta", "zqsession", "milk"]) == []
            else:
                assert (added["status"], added["erased"], len(added["turn_ids"])) == ("done", 1, 1)
                assert texts(memory) == {"likes is tea": None, "The user says: I drink milk.": None}
                assert found(folder, ["zqrome"]) == []
            assert memory.pending() == [] and memory.verify().problems == ()


def test_journalled_facts_of_what_is_pending_are_made_anew(tmp_path):
    language = Tattler()
    with opened(tmp_path, llm=language) as memory:
        memory.add(said("home = Rome"), user_id="u", timestamp=EARLY)
        language.down = True
        messages = [
            {"role": "user", "content": f"home = zq{n}", "timestamp": time} for n, time in ((1, EARLY), (2, LATE))
        ]
        with pytest.raises(ModelUnavailable):
            memory.add(messages, user_id="u")
        language.down = False
        receipt = memory.erase(user_id="u", before="2024-02-01")
        assert (receipt.facts, receipt.pending) == (2, 0)
        assert found(tmp_path, ["zq1"]) == [] and memory.verify().problems == ()
        assert len(memory.resume().finished) == 1 and texts(memory) == {"home is zq2": None}


def test_a_vector_of_what_a_text_was_is_not_put_to_what_it_is(tmp_path):
    class Down(HashEmbedder):
        down = True
        hook = None

        def embed(self, texts):
            if self.down:
                raise ConnectionError
            vectors = super().embed(texts)
            if self.hook:
                hook, self.hook = self.hook, None
                hook()
            return vectors

    embedder = Down()
    with opened(tmp_path, llm=Pairs(), embedder=embedder) as memory, opened(tmp_path, embedder=HashEmbedder()) as other:
        memory.add(said("home = zqrome; likes += tea"), user_id="u")
        item = of(memory, "home is zqrome")
        embedder.down = False
        embedder.hook = lambda: other.erase(item.id)
        memory.resume()
        wrong = np.asarray(HashEmbedder().embed(["The user: home = zqrome; likes += tea", "home is zqrome"]))
        assert found(tmp_path, ["zqrome"], [one.tobytes() for one in wrong]) == [] and memory.verify().problems == ()


@pytest.mark.parametrize("wanted", [{"session_id": "s"}, {"before": LATE}], ids=["a chunk", "a part of a chunk"])
@pytest.mark.parametrize("verb", ["add", "resume", "reembed"])
def test_what_is_erased_as_its_vector_is_to_be_made_holds_up_nobody(tmp_path, verb, wanted):
    class Down(HashEmbedder):
        def embed(self, texts):
            raise ConnectionError

    early, late = (dict(said(text)[0], timestamp=time) for text, time in (("home = zqrome", EARLY), ("tea", LATE)))
    with opened(tmp_path, embedder=Down()) as memory:
        memory.add([early, late], user_id="u", session_id="s")
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        journal, erased = memory._memory._store.journal, []
        read = journal.chunk

        def erased_meanwhile(batch_id, n):
            if not erased:
                erased.append(other.erase(user_id="u", **wanted))
            return read(batch_id, n)

        journal.chunk = erased_meanwhile
        if verb == "add":
            assert memory.add(said("home = Bonn"), user_id="v").status == "done"
        elif verb == "resume":
            assert memory.resume().failed == {}
        else:
            assert memory.reembed(HashEmbedder(16)).embedder == "hash-16"
        assert erased and memory.verify().problems == () and found(tmp_path, ["zqrome"]) == []
        assert memory.count(user_id="v") == (verb == "add")


def test_new_vectors_of_a_reembed_under_way_go_too(tmp_path):
    class Cut(HashEmbedder):
        calls = 0

        def embed(self, texts):
            self.calls += 1
            if self.calls > 1:
                raise ConnectionError
            return super().embed(texts)

    with opened(tmp_path) as memory:
        memory.add(said(*(f"likes += zq{n}" for n in range(40))), user_id="u", session_id="s")
        memory.add(said(*(f"likes += thing{n}" for n in range(40))), user_id="u", session_id="t")
        with pytest.raises(EmbedderUnavailable):
            memory.reembed(Cut(16))
        new = [one.tobytes() for one in HashEmbedder(16).embed([f"likes is zq{n}" for n in range(40)])]
        assert found(tmp_path, (), new)
        memory.erase(user_id="u", session_id="s")
        assert found(tmp_path, (), new) == [] and memory.verify().ok


# --- the files ---------------------------------------------------------------------------------------------------------


def test_a_reader_of_an_older_state_keeps_it_from_being_complete_until_it_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr("recollect.upkeep.erasing.PATIENCE_S", 0.2)
    monkeypatch.setattr("recollect.build.PATIENCE_S", 0.2)
    with opened(tmp_path) as memory:
        memory.add(said("home = zqrome"), user_id="u")
        with closing(sqlite3.connect(tmp_path / "ledger.sqlite3", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM turns").fetchone()
            receipt = memory.erase(user_id="u")
            assert not receipt.complete and "reader" in receipt.reason and receipt.turns == 1
            assert memory.count(user_id="u") == 0 and memory.verify().ok
            assert memory.erase(user_id="u").complete is False
        assert memory.erase(user_id="u").complete
        assert found(tmp_path, ["zqrome"]) == []


@pytest.mark.parametrize("way", ["resume", "open"])
def test_what_could_not_be_completed_is_by_resume_or_the_next_opening(tmp_path, monkeypatch, way):
    with opened(tmp_path) as memory:
        memory.add(said("home = zqrome"), user_id="u")

        def full(self):
            raise StorageFull("no room")

        with monkeypatch.context() as patch:
            patch.setattr(Database, "rewrite", full)
            receipt = memory.erase(user_id="u")
            assert not receipt.complete and "StorageFull" in receipt.reason
        if way == "resume":
            memory.resume()
            assert found(tmp_path, ["zqrome"]) == []
    with opened(tmp_path):
        assert found(tmp_path, ["zqrome"]) == []


def test_only_a_rewritten_file_has_no_remnants(tmp_path):
    """What SQLite moves between pages it leaves behind in the old one: blanking what is deleted is not enough."""
    rng = np.random.default_rng(5)
    words = ["".join(chr(97 + n) for n in rng.integers(0, 26, 14)) for _ in range(240)]
    with opened(tmp_path) as memory:
        for start in range(0, len(words), 12):
            texts_ = [f"likes += {word} {'x' * int(rng.integers(0, 300))}" for word in words[start : start + 12]]
            memory.add(said(*texts_), user_id="u", session_id=str(start % 2))
            memory.add(said(*(f"likes += other{start}-{n}" for n in range(6))), user_id="u", session_id="stays")
        for session in ("0", "1"):
            assert memory.erase(user_id="u", session_id=session).complete
        assert found(tmp_path, words) == [] and memory.verify().ok


def test_a_large_store_is_not_rewritten_in_memory(tmp_path, zygote):
    with opened(tmp_path) as memory:
        memory.add(said("home = zqrome"), user_id="v")
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3")) as db:  # in the place of what others said
        db.execute(
            "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 6000)"
            " INSERT INTO store SELECT 'filler' || i, hex(randomblob(4000)) FROM n"
        )
        db.commit()
    size = (tmp_path / "ledger.sqlite3").stat().st_size
    _, [grown] = zygote.run(task="erase_and_weigh", folder=str(tmp_path), wanted={"user_id": "v"})
    assert size > 40_000_000 > 4 * int(grown) and found(tmp_path, ["zqrome"]) == []


@pytest.mark.parametrize("name", ["it's", "a 'folder'; --", "\udcff"])
def test_what_is_temporary_is_in_the_stores_folder_and_gone_afterwards(tmp_path, monkeypatch, name):
    """Whatever the folder is called, and the process's own choice is as it was."""
    folder, seen = tmp_path / name, []
    with opened(folder) as memory, closing(sqlite3.connect(tmp_path / "other", check_same_thread=False)) as other:
        memory.add(said("home = zqrome"), user_id="u")
        other.execute(f"PRAGMA temp_store_directory = '{tmp_path}'")
        chosen = "PRAGMA temp_store_directory"
        monkeypatch.setattr(
            Database, "_connect", watched(Database._connect, lambda: seen.append(other.execute(chosen).fetchone()))
        )
        assert memory.erase(user_id="u").complete
        assert (str(folder),) in seen or not name.isprintable()
        assert other.execute(chosen).fetchone() == (str(tmp_path),)
        other.execute("PRAGMA temp_store_directory = ''")
    assert {file.name for file in folder.iterdir()} <= {"ledger.sqlite3", "ledger.sqlite3-mark"}
    assert found(folder, ["zqrome"]) == []


def watched(connect, look):
    """Connections that look before they rewrite."""

    def watching(self):
        connection = connect(self)
        connection.set_trace_callback(lambda statement: look() if statement == "VACUUM" else None)
        return connection

    return watching


@pytest.mark.parametrize("failpoint", [name for name in failpoints.FAILPOINTS if name.startswith("erase.")])
def test_killed_anywhere_it_is_finished_at_the_next_opening_or_never_began(tmp_path, zygote, failpoint):
    operation = operations.BY_NAME["erase of a user"]
    before = tmp_path / "before"
    before.mkdir()
    operation.prepare(before)
    folder = tmp_path / "store"
    shutil.copytree(before, folder)
    code, _ = zygote.run(task="operate", operation=operation.name, folder=str(folder), failpoint=failpoint, nth=1)
    assert code == -signal.SIGKILL
    with chaos.tries("a kill inside an erasure") as tries, operations.opened(folder) as memory, tries.one(failpoint):
        began = memory.count(user_id="u") == 0
        assert began == (failpoint not in ("erase.planned", "erase.taken_out"))
        if not began:
            assert memory.erase(user_id="u").complete
        assert found(folder, ["Oslo", "Kiel", "thing7"]) == [] and memory.verify().problems == ()
        assert memory.count(user_id="other") == 2


def test_a_store_that_is_open_elsewhere_forgets_it_too(tmp_path):
    with opened(tmp_path) as one, opened(tmp_path) as other:
        one.add(said("home = zqrome", "likes += tea"), user_id="u", session_id="s")
        assert other.search("home", user_id="u")
        one.erase(user_id="u")
        assert other.search("home", user_id="u", include=("memories", "turns"), min_score=0) == []
        one.add(said("home = Bonn"), user_id="u")
        assert [hit.text for hit in other.search("home", user_id="u", min_score=0)] == ["home is Bonn"]
        assert other.verify().ok and one.verify().ok


def test_a_correction_that_stays_does_not_name_whom_only_the_erased_turns_named(tmp_path):
    with opened(tmp_path, llm=Naming()) as memory:
        memory.add(said("meet Zqbob & Anna & Eva", "zqhome = Rome"), user_id="u", session_id="a", timestamp=EARLY)
        memory.add(said("meet Eva"), user_id="u", session_id="b", timestamp=LATE)
        memory.update(of(memory, "meet Zqbob & Anna & Eva").id, "Anna was not there")
        memory.update(of(memory, "zqhome is Rome").id, "lives in Bonn")
        memory.separate_entities("Zqbob", "Anna", user_id="u")
        assert memory.erase(user_id="u", session_id="a").complete
        assert found(tmp_path, ["Zqbob", "zqbob", "zqhome"]) == [] and memory.verify().problems == ()
        assert sorted(texts(memory)) == ["Anna was not there", "lives in Bonn", "meet Eva"]
        named = {one for one, of in memory.entity_graph(user_id="u").nodes(data=True) if of["type"] == "entity"}
        assert named == {"Anna", "Eva"}
        assert [one.text for one in memory.timeline(user_id="u", entity="Eva").entries] == [
            "Anna was not there",
            "meet Eva",
        ]


def test_times_of_the_receipt(memory):
    memory.add(said("home = Rome"), user_id="u")
    before = datetime.now(UTC)
    receipt = memory.erase(user_id="u")
    assert before <= receipt.erased_at <= datetime.now(UTC)


def test_a_retelling_that_has_not_begun_is_called_off_and_one_that_has_goes_on(tmp_path):
    language = Tattler()
    with opened(tmp_path, llm=language) as memory:
        memory.add(said("home = zqrome"), user_id="u", session_id="a", timestamp=EARLY)
        memory.add(said("likes += tea"), user_id="u", session_id="b", timestamp=LATE)
        memory.retell(user_id="u", wait=False)
        assert memory.erase(user_id="u", session_id="a").pending == 1
        assert memory.pending() == [] and memory.verify().problems == ()
        assert texts(memory) == {"likes is tea": None}
        memory.add(said("home = zqkiel"), user_id="u", session_id="c", timestamp=LATER)

        def stop():
            raise ModelUnavailable("down")

        failpoints.arm("add.committed", 1, stop)  # the first chunk has taken back what was told
        try:
            with pytest.raises(ModelUnavailable):
                memory.retell(user_id="u")
        finally:
            failpoints.listen(None)
        assert memory.erase(user_id="u", session_id="c").pending == 1  # nothing but its turn was left to tell
        assert memory.pending() == [] and texts(memory) == {"likes is tea": None} and memory.verify().problems == ()
        assert found(tmp_path, ["zqrome", "zqkiel"]) == []


def test_turns_of_what_was_deleted_stay_out_of_search_when_the_memory_goes(tmp_path):
    with opened(tmp_path, llm=Refining()) as memory:
        memory.add(said("pet = dog"), user_id="u", session_id="a", timestamp=EARLY)
        memory.add(said("pet = zqrex"), user_id="u", session_id="b", timestamp=LATE)
        memory.add(said("pet = brown"), user_id="u", session_id="c", timestamp=LATER)
        memory.delete(memory.get_all(user_id="u")[0].id)
        everywhere = {"user_id": "u", "include": ("memories", "turns"), "min_score": 0}
        assert memory.search("pet dog brown", **everywhere) == []
        memory.erase(user_id="u", session_id="b")
        assert memory.search("pet dog brown", **everywhere) == [] and memory.verify().ok
