"""`reembed`: another embedder for a store, while everything goes on; killed or stopped anywhere, it goes on where it was."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from recollect import AsyncMemory, Memory
from recollect.adapters.sqlite_ledger import waiting
from recollect.embedding import check
from recollect.errors import (
    EmbedderConfigError,
    EmbedderUnavailable,
    EmbeddingInvalid,
    EmbeddingModelMismatch,
    InvalidInput,
    StoreBusy,
)
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, ScriptedLanguage
from recollect.trace import Reembedding
from recollect.upkeep import reembed
from recollect.upkeep.backfill import passage_texts

NOW = "2026-01-01T00:00:00Z"
QUERIES = ["home Rome", "likes tea", "likes thing7", "rains", "nothing of the kind"]


class Hooked(HashEmbedder):
    """A hash embedder with an id of its own, that notes its texts and calls `hook(n)` before the n-th batch (from 0)."""

    def __init__(self, name="new", dim=64, hook=lambda n: None):
        super().__init__(dim)
        self.id = name
        self.hook = hook
        self.calls = 0
        self.texts = []

    def embed(self, texts):
        self.calls += 1
        self.hook(self.calls - 1)
        self.texts += texts
        return super().embed([text[::-1] for text in texts])


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(reembed, "BATCH", 8)


def opened(folder, embedder=None, **more):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder() if embedder is None else embedder, **more)


def say(memory, user_id="u", things=10):
    said = ["home = Rome", "and it rains there", "likes += tea", "home = Oslo"]
    said += [f"likes += thing{n}" for n in range(things)]
    messages = [{"role": "user", "content": text, "timestamp": f"2025-01-{n + 1:02}"} for n, text in enumerate(said)]
    memory.add(messages, user_id=user_id, session_id="s")


def found(memory, user_id="u"):
    """Every query's hits with their scores and channels, to the last digit."""
    asked = {"include": ("memories", "turns"), "explain": True, "now": NOW, "min_score": 0, "limit": 50}
    hits = {query: memory.search(query, user_id=user_id, **asked) for query in QUERIES}
    return {query: [(one.kind, one.text, one.score, one.channels) for one in some] for query, some in hits.items()}


def channels(memory):
    """Through which channels anything was found."""
    return {one.name for hits in found(memory).values() for hit in hits for one in hit[3]}


def texts(memory):
    """Every passage's text, by (user, number)."""
    store = memory._memory._store
    with store.reembedding._database.read() as db:
        passages = waiting(db, "passages p", "ORDER BY p.space, p.number", ())
    told = passage_texts(store.journal, passages)
    return {(one.space, one.passage): text for one, text in told.items()}


def fits(memory, embedder):
    """Every vector is the embedder's of its text, partitions included."""
    store, told = memory._memory._store, texts(memory)
    vectors = {}
    for space, _ in store.ledger.spaces():
        vectors |= {(space, one.number): one.vector for part in store.ledger.passages(space) for one in part}
    spelt = list(told.values()) if type(embedder) is HashEmbedder else [text[::-1] for text in told.values()]
    expected = check(HashEmbedder(embedder.dim).embed(spelt), embedder.dim, len(spelt))
    alike = [np.array_equal(vectors[key], row) for key, row in zip(told, expected, strict=True)]
    return all(alike) and memory.verify().ok and memory.stats().embedder == embedder.id


def once_each(memory, *embedded):
    """Every text of the store was embedded just as often as it stands there."""
    return Counter(texts(memory).values()) == sum((Counter(some) for some in embedded), Counter())


@pytest.mark.parametrize("dim", [16, 64, 100])
def test_searches_find_the_same_until_the_switch_and_then_what_a_new_store_would(tmp_path, dim):
    during = []
    with opened(tmp_path / "store") as memory, opened(tmp_path / "fresh", Hooked(dim=dim)) as fresh:
        for user_id in "uv":
            say(memory, user_id)
            say(fresh, user_id)
        before = found(memory)
        new = Hooked(dim=dim, hook=lambda n: during.append(found(memory)))
        result = memory.reembed(new)
        assert (result.embedder, result.passages, result.embedded) == ("new", 54, 54)
        assert len(during) == 7 and all(one == before for one in during)
        new.hook = lambda n: None
        assert found(memory) == found(fresh) != before
        assert found(memory, "v") == found(fresh, "v")
        assert once_each(memory, new.texts[:54]) and fits(memory, new)
        say(memory, "w")
    with opened(tmp_path / "store", Hooked(dim=dim)) as memory:
        assert found(memory) == found(memory, "v") == found(memory, "w")
    with pytest.raises(EmbeddingModelMismatch, match="reembed"):
        opened(tmp_path / "store")


def test_what_comes_and_goes_meanwhile_is_in_it(tmp_path):
    with opened(tmp_path) as memory:
        say(memory, things=25)
        ids = {item.text: item.id for item in memory.get_all(user_id="u")}
        deletion = []
        steps = {
            0: lambda: memory.add("likes += coffee", user_id="u"),
            1: lambda: memory.update(ids["likes is tea"], "likes green tea"),
            2: lambda: memory.delete(ids["likes is thing3"]),
            3: lambda: deletion.append(memory.history(ids["likes is thing3"])[-1].id),
            4: lambda: memory.undo(deletion[0]),
            5: lambda: memory.add("likes += milk", user_id="other"),
            6: lambda: memory.delete_all(user_id="other"),
        }
        new = Hooked(hook=lambda n: steps.pop(n, lambda: None)())
        memory.reembed(new)
        assert steps == {}
        told = {item.text for item in memory.get_all(user_id="u")}
        assert {"likes is coffee", "likes green tea", "likes is thing3"} <= told and memory.count(user_id="other") == 0
        assert once_each(memory, new.texts) and fits(memory, new)


# --- killed --------------------------------------------------------------------------------------------------------------

CHILD = """
import json, os, signal, sys
from recollect import Memory
from recollect.upkeep import reembed
from recollect.testing import ScriptedLanguage
from test_reembed import Hooked, HashEmbedder
folder, notes, batch, statement = sys.argv[1:]
reembed.BATCH = 8
class Noted(Hooked):
    def embed(self, texts):
        vectors = super().embed(texts)
        with open(notes, "a") as file:
            file.write("".join(json.dumps(text) + "\\n" for text in texts))
        return vectors
def die():
    os.kill(os.getpid(), signal.SIGKILL)
new = Noted(hook=lambda n: die() if str(n) == batch else None)
with Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
    database = memory._memory._store.reembedding._database
    if statement:
        def traced(sql):
            if sql.startswith(statement):
                die()
        database._writer.set_trace_callback(traced)
    print("ready", flush=True)
    sys.stdin.readline()
    print(memory.reembed(new).embedded, flush=True)
    if batch == "after":
        die()
"""


def child(folder, notes, batch=-1, statement=""):
    command = [sys.executable, "-c", CHILD, str(folder), str(notes), str(batch), statement]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parent)


def begin(*children):
    """Wait until all are ready, then let them go; what each prints."""
    for one in children:
        assert one.stdout.readline() == "ready\n"
    for one in children:
        one.stdin.write("\n")
        one.stdin.flush()
    return [one.stdout.read() for one in children]


def noted(notes):
    return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []


KILLS = [
    *((n, "", 0) for n in range(4)),  # before the n-th batch
    (-1, "INSERT OR IGNORE INTO reembedded", 8),  # a batch is made, but not kept: it is made again
    (-1, "UPDATE passages SET vector", 0),  # in the switch
    (-1, "UPDATE users SET revision", 0),
]


@pytest.mark.parametrize(("batch", "statement", "again"), KILLS)
def test_killed_it_goes_on_where_it_was(tmp_path, batch, statement, again):
    folder, notes = tmp_path / "store", tmp_path / "notes"
    with opened(folder) as memory:
        say(memory)
        before = found(memory)
    with child(folder, notes, batch, statement) as killed:
        assert begin(killed) == [""]
    assert killed.returncode == -signal.SIGKILL
    first = noted(notes)
    assert len(first) == {0: 0, 1: 8, 2: 16, 3: 24}.get(batch, 8 if again else 27)
    with opened(folder) as memory:
        assert found(memory) == before and memory.verify().ok  # searchable with the old ones, as ever
        new = Hooked()
        result = memory.reembed(new)
        assert (result.passages, result.embedded) == (27, 27 - len(first) + again)
        assert once_each(memory, first[again:], new.texts) and fits(memory, new)


def test_killed_after_the_switch_it_is_done(tmp_path):
    folder, notes = tmp_path / "store", tmp_path / "notes"
    with opened(folder) as memory:
        say(memory)
    with child(folder, notes, "after") as killed:
        assert begin(killed) == ["27\n"]
    assert killed.returncode == -signal.SIGKILL
    with opened(folder, Hooked()) as memory:
        assert fits(memory, Hooked()) and memory.reembed(Hooked()).embedded == 0


# --- stopped -------------------------------------------------------------------------------------------------------------


def failing(error, when=lambda n: True):
    def hook(n):
        if when(n):
            raise error

    return hook


def fail_at(batch, error):
    return failing(error, lambda n: n == batch)


def test_an_outage_is_named_and_what_was_done_is_kept(tmp_path):
    with opened(tmp_path) as memory:
        say(memory)
        before = found(memory)
        new = Hooked(hook=fail_at(2, ConnectionError("no route")))
        with pytest.raises(EmbedderUnavailable):
            memory.reembed(new)
        assert len(new.texts) == 16 and found(memory) == before
        memory.add("likes += coffee", user_id="u")
        assert memory.reembed(new).embedded == 13
        assert once_each(memory, new.texts) and fits(memory, new)


def test_stopped_it_leaves_the_way_free_to_others(tmp_path):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        say(memory)
        with pytest.raises(EmbedderUnavailable):
            memory.reembed(Hooked(hook=fail_at(2, OSError())))
        new = Hooked("another")
        assert other.reembed(new).embedded == 27 and fits(other, new)


class Odd(Hooked):
    """Answers its third batch as `answer(vectors)`."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def embed(self, texts):
        vectors = super().embed(texts)
        return self.answer(vectors) if self.calls == 3 else vectors


@pytest.mark.parametrize(
    "answer",
    [
        lambda vectors: vectors * np.nan,
        lambda vectors: vectors * np.inf,
        lambda vectors: vectors * 0,
        lambda vectors: vectors[:, 1:],
        lambda vectors: vectors[1:],
        lambda vectors: [],
        lambda vectors: None,
        lambda vectors: [["x"] * 64] * len(vectors),
    ],
    ids=["NaN", "infinity", "no length", "dimension", "short", "empty", "None", "text"],
)
def test_of_a_batch_that_is_no_good_nothing_is_kept(tmp_path, answer):
    with opened(tmp_path) as memory:
        say(memory)
        before, new = found(memory), Odd(answer)
        with pytest.raises(EmbeddingInvalid):
            memory.reembed(new)
        assert found(memory) == before
        assert memory.reembed(new).embedded == 11 and fits(memory, new)


def test_another_target_discards_what_was_done_for_the_first_and_the_own_one_calls_it_off(tmp_path):
    with opened(tmp_path) as memory:
        say(memory)
        for _ in range(2):
            with pytest.raises(EmbedderUnavailable):
                memory.reembed(Hooked("first", hook=fail_at(2, OSError())))
            other = Hooked("other", 32, hook=fail_at(1, OSError()))
            with pytest.raises(EmbedderUnavailable):
                memory.reembed(other)
            assert len(other.texts) == 8
            result = memory.reembed(HashEmbedder())  # called off
            assert (result.embedder, result.embedded) == ("hash-64", 0) and fits(memory, HashEmbedder())
            assert memory._memory._store.reembedding.progress() == (0, 27)
        with pytest.raises(EmbedderUnavailable):
            memory.reembed(Hooked("first", hook=fail_at(2, OSError())))
        other = Hooked("other", 64)
        assert memory.reembed(other).embedded == 27 and fits(memory, other)


def test_nothing_to_do(tmp_path):
    with opened(tmp_path / "store") as memory:
        say(memory)
        before = found(memory)
        revision = memory._memory._store.ledger.state(1).revision
        assert memory.reembed(HashEmbedder()).embedded == 0
        assert found(memory) == before and memory._memory._store.ledger.state(1).revision == revision
    with opened(tmp_path / "empty") as memory:
        result = memory.reembed(Hooked(dim=7))
        assert (result.embedder, result.passages, result.embedded) == ("new", 0, 0)
        say(memory)
        assert fits(memory, Hooked(dim=7))
    with pytest.raises(EmbeddingModelMismatch):
        opened(tmp_path / "empty")


def test_progress_is_told(tmp_path):
    events = []
    with opened(tmp_path, on_event=events.append) as memory:
        say(memory)
        memory.reembed(Hooked())
    told = [(one.embedder, one.done, one.passages) for one in events if isinstance(one, Reembedding)]
    assert told == [("new", done, 27) for done in (0, 8, 16, 24, 27)]


def test_stopped_by_its_listener_it_goes_on(tmp_path):
    def stop(event):
        if isinstance(event, Reembedding) and event.done == 16:
            raise SystemExit(3)

    new = Hooked()
    with opened(tmp_path) as memory:
        say(memory)
    with opened(tmp_path, on_event=stop) as memory, pytest.raises(SystemExit):
        memory.reembed(new)
    with opened(tmp_path) as memory:
        assert memory.reembed(new).embedded == 11 and once_each(memory, new.texts) and fits(memory, new)


def test_cancelled_a_batch_that_cannot_be_stopped_is_kept(tmp_path):
    started, go_on = threading.Event(), threading.Event()

    def slow(n):
        if n == 1:
            started.set()
            assert go_on.wait(30)

    async def run():
        new = Hooked(hook=slow)
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            running = asyncio.create_task(memory.reembed(new))
            await asyncio.to_thread(started.wait, 30)
            running.cancel()
            await asyncio.sleep(0)
            assert not running.done()
            go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert len(new.texts) == 16
            assert (await memory.reembed(new)).embedded == 11

    with opened(tmp_path) as memory:
        say(memory)
    asyncio.run(run())


class Awaited(Hooked):
    """An async embedder, the second batch of which takes for ever while `slow` is set."""

    def __init__(self):
        super().__init__()
        self.slow = True
        self.waiting = asyncio.Event()

    async def embed(self, texts):
        if self.slow and self.calls == 1:
            self.waiting.set()
            await asyncio.Event().wait()
        return super().embed(texts)


def test_a_slow_async_embedder_is_cancelled_at_once(tmp_path):
    async def run():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            new = Awaited()
            running = asyncio.create_task(memory.reembed(new))
            await new.waiting.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            new.slow = False
            assert (await memory.reembed(new)).embedded == 19

    with opened(tmp_path) as memory:
        say(memory)
    asyncio.run(run())
    with opened(tmp_path, Hooked()) as memory:
        assert fits(memory, Hooked())


# --- embedders -----------------------------------------------------------------------------------------------------------


class Down(HashEmbedder):
    """An embedder that is down."""

    def embed(self, texts):
        raise ConnectionError("no route")


def test_what_waits_for_the_old_one_gets_the_new_ones_vectors(tmp_path):
    with opened(tmp_path, Down()) as memory:
        say(memory)
        new = Hooked()
        assert memory.reembed(new).embedded == 27 and fits(memory, new)


def test_the_old_one_need_not_be_at_hand(tmp_path, caplog):
    with opened(tmp_path, Hooked("old", 9)) as memory:
        say(memory)
    with Memory(tmp_path, llm=ScriptedLanguage()) as memory:
        assert memory.reembed(HashEmbedder()).embedded == 27 and fits(memory, HashEmbedder())
        assert "memory-vector" in channels(memory)


def test_a_hosted_one_by_its_name_goes_on_without(tmp_path):
    def scripted(request):
        """Each text's vector; but the third request is refused."""
        if len(endpoint.requests) == 3:
            return Reply(status=401)
        rows = enumerate(HashEmbedder(32).embed(request.body["input"]).tolist())
        data = [{"object": "embedding", "index": i, "embedding": row} for i, row in rows]
        return Reply({"object": "list", "model": "any", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}})

    with ModelEndpoint(embeddings=scripted) as endpoint, opened(tmp_path) as memory:
        api = {"embedder_api_base": endpoint.url, "embedder_api_key": "none"}
        say(memory)
        with pytest.raises(InvalidInput, match="no reembed is under way"):
            memory.reembed(**api)
        with pytest.raises(EmbedderConfigError):
            memory.reembed("openai/any", **api)
        asked = len(endpoint.requests)
        result = memory.reembed(**api)
        assert (result.embedder, result.embedded) == ("openai/any", 19)
        assert [len(one.body["input"]) for one in endpoint.requests[asked:]] == [8, 8, 3]  # the dimension is known
        assert found(memory)["home Rome"]
    with Memory(
        tmp_path, llm=ScriptedLanguage(), embedder_api_base="http://127.0.0.1:9", embedder_api_key="none"
    ) as memory:
        with pytest.raises(EmbedderUnavailable):
            memory.reembed(Hooked(hook=fail_at(1, OSError())))
        with pytest.raises(InvalidInput, match="hand it over"):
            memory.reembed()
        for bad in (7, "nonsense", object()):
            with pytest.raises(InvalidInput):
                memory.reembed(bad)
        new = Hooked()
        assert memory.reembed(new).embedded == 19 and fits(memory, new)


# --- others --------------------------------------------------------------------------------------------------------------

STALE = """
import sys
from recollect import Memory
from recollect.errors import RecollectError
from recollect.testing import HashEmbedder, ScriptedLanguage
class Waiting(HashEmbedder):
    waited = False
    def embed(self, texts):  # once, or twice for one add: its turns may be embedded before its facts are there
        if any("held" in text for text in texts) and not self.waited:
            self.waited = True
            print("embedding", flush=True)
            sys.stdin.readline()
        return super().embed(texts)
with Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=Waiting()) as memory:
    memory_id = memory.get_all(user_id="u")[0].id
    verbs = {
        "search": lambda: memory.search("home", user_id="u"),
        "search of another": lambda: memory.search("home", user_id="v"),
        "add": lambda: memory.add("likes += ale", user_id="u"),
        "held": lambda: memory.add("likes += held", user_id="u"),
        "update": lambda: memory.update(memory_id, "lives in Bergen"),
        "get_all": lambda: memory.get_all(user_id="u"),
        "delete_all": lambda: memory.delete_all(user_id="u"),
        "resume": lambda: memory.resume().failed.values(),
        "history": lambda: memory.history(memory_id),
    }
    print("ready", flush=True)
    for verb in sys.stdin:
        try:
            print(list(map(str, verbs[verb.strip()]()))[:1] or "[]", flush=True)
        except RecollectError as error:
            print(type(error).__name__, error.batch_id is not None, error, flush=True)
"""


def test_another_process_that_has_the_store_open_is_told_to_open_it_anew(tmp_path):
    with opened(tmp_path) as memory:
        say(memory)
        say(memory, "v")
        command = [sys.executable, "-c", STALE, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:

            def ask(verb):
                other.stdin.write(verb + "\n")
                other.stdin.flush()
                return other.stdout.readline()

            assert other.stdout.readline() == "ready\n"
            assert "home is Oslo" in ask("search")
            assert ask("held") == "embedding\n"  # an add is under way
            new = Hooked(dim=16)
            assert memory.reembed(new).embedded == 54
            assert ask("").startswith("EmbeddingModelMismatch True")  # nothing committed, the batch stays
            for verb in ("search", "search of another", "add", "update", "get_all", "delete_all"):
                answer = ask(verb)  # what is added is kept, and stays pending
                assert answer.startswith(f"EmbeddingModelMismatch {verb == 'add'}") and "open it" in answer, verb
            assert "home is Rome" in ask("history")
            other.stdin.close()
        waiting = memory.pending()
        assert {(one.error, one.attempts, one.status) for one in waiting} == {("EmbeddingModelMismatch", 0, "pending")}
        assert memory.resume().finished == tuple(one.batch_id for one in waiting)
        assert {"likes is held", "likes is ale"} <= {item.text for item in memory.get_all(user_id="u")}
        assert len(waiting) == 2 and fits(memory, new)


def test_another_memory_of_this_process_goes_on_when_it_is_handed_the_new_one(tmp_path):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        say(memory)
        found(other)
        memory.reembed(Hooked(dim=16))
        with pytest.raises(EmbeddingModelMismatch, match="open it again"):
            found(other)
        new = Hooked(dim=16)
        assert other.reembed(new).embedded == 0 and found(other) == found(memory) and fits(other, new)


def test_a_partition_from_before_two_changes_is_rebuilt(tmp_path):
    """What it saw without a vector has one now, and nothing but the changes tells it."""
    with opened(tmp_path) as memory, opened(tmp_path) as other, opened(tmp_path, Down()) as down:
        say(down)
        assert "memory-vector" not in channels(other)
        memory.reembed(Hooked())
        memory.reembed(HashEmbedder())
        assert found(other) == found(memory)
        assert "memory-vector" in channels(other)


def test_another_process_fills_in_no_vector_of_the_old_one(tmp_path):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        say(memory)
        new = Hooked()
        memory.reembed(new)
        new.hook = failing(OSError())
        memory.add("likes += coffee", user_id="u")
        new.hook = lambda n: None
        waiting = memory._memory._store.ledger.pending_vectors(None, 9)
        assert len(waiting) == 2
        other.resume()
        assert memory._memory._store.ledger.pending_vectors(None, 9) == waiting
        memory.resume()
        assert fits(memory, new)


def test_two_processes_at_once_share_the_work(tmp_path):
    folder, notes = tmp_path / "store", tmp_path / "notes"
    with opened(folder) as memory:
        say(memory, things=25)
        with child(folder, notes) as one, child(folder, notes) as other:
            assert sorted(begin(one, other)) == ["0\n", "57\n"]
    with opened(folder, Hooked()) as memory:
        assert once_each(memory, noted(notes)) and fits(memory, Hooked())


def test_while_one_works_another_waits_takes_over_or_is_refused(tmp_path):
    working, go_on = threading.Event(), threading.Event()

    def slow(n):
        if n == 1:
            working.set()
            assert go_on.wait(30)

    waited = []
    with opened(tmp_path) as memory, opened(tmp_path, on_event=waited.append) as other:
        say(memory)
        new, second = Hooked(hook=slow), Hooked()
        first = threading.Thread(target=memory.reembed, args=[new])
        first.start()
        assert working.wait(30)
        with pytest.raises(StoreBusy, match="new"):
            other.reembed(Hooked("third"))
        waits = threading.Thread(target=other.reembed, args=[second])
        waits.start()
        while not any(isinstance(one, Reembedding) for one in waited):
            time.sleep(0.01)
        assert waits.is_alive() and second.texts == []
        go_on.set()
        first.join()
        waits.join()
        assert once_each(memory, new.texts) and second.texts == []
        assert found(memory) == found(other) and fits(other, new)


def test_one_whose_lease_another_has_taken_stops(tmp_path):
    with opened(tmp_path) as memory, opened(tmp_path) as other:
        say(memory)
        new, second = Hooked(), Hooked()

        def lose(n):
            if n == 1:
                vectors = memory._memory._store.reembedding
                vectors.release(memory._memory._writer.owner)  # as if it had slept for longer than the lease
                other.reembed(second)

        new.hook = lose
        with pytest.raises(StoreBusy, match="taken the reembed over"):
            memory.reembed(new)
        assert len(second.texts) == 19 and fits(other, second)
        assert memory.reembed(new).embedded == 0 and fits(memory, new)


def test_those_who_add_without_a_pause_do_not_hold_it_up(tmp_path):
    def busy(n):
        if memory.stats().embedder == "hash-64":
            memory.add(f"likes += more{n}", user_id="u")

    with opened(tmp_path) as memory:
        say(memory)
        new = Hooked(hook=busy)
        result = memory.reembed(new)
        assert result.embedded < result.passages and fits(memory, new)  # the last were back-filled
        assert once_each(memory, new.texts)


# --- under way -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["add", "whole", "update", "search", "resume"])
def test_what_is_under_way_at_the_switch_is_made_again_by_the_new_one(tmp_path, verb):
    """The old embedder's work begins before the switch, and comes back after it."""
    new = Hooked(dim=16)
    with opened(tmp_path / "before", Down() if verb == "resume" else None) as memory:
        say(memory)
    (tmp_path / "before").rename(tmp_path / "store")

    class Old(HashEmbedder):
        armed = False

        def embed(self, texts):
            if self.armed:
                self.armed = False
                memory.reembed(new)
            return super().embed(texts)

    old = Old()
    with opened(tmp_path / "store", old) as memory:
        memory_id = memory.get_all(user_id="u")[0].id
        found_before = None if verb == "resume" else memory.search("home Oslo", user_id="u")
        old.armed = True
        if verb == "add":
            memory.add([{"role": "user", "content": f"likes += far{n}"} for n in range(90)], user_id="u")
            assert memory.count(user_id="u") == 102
        elif verb == "whole":
            memory.add("I like whole milk", user_id="u", infer=False)
        elif verb == "update":
            assert memory.update(memory_id, "lives in Bergen").text == "lives in Bergen"
        elif verb == "search":
            hits = memory.search("home Oslo", user_id="u")
            assert hits[0].text == found_before[0].text and hits[0].score != found_before[0].score
        else:
            memory.resume()
        assert not old.armed and memory.pending() == [] and fits(memory, new)
        assert found(memory)["home Rome"]


def test_searches_adds_and_listings_from_many_threads_over_several_switches(tmp_path):
    done, problems = threading.Event(), []

    def busy(n):
        try:
            for turn in range(10_000):
                if done.is_set():
                    return
                memory.add(f"likes += thing{n}x{turn}", user_id=f"u{n % 2}")
                assert memory.search(f"thing{n}x{turn}", user_id=f"u{n % 2}", min_score=0)
                assert memory.count(user_id=f"u{n % 2}") > turn
        except Exception as error:
            problems.append(error)
            raise

    with opened(tmp_path) as memory:
        threads = [threading.Thread(target=busy, args=[n]) for n in range(4)]
        for thread in threads:
            thread.start()
        for dim in (16, 100, 64):
            memory.reembed(Hooked(f"new-{dim}", dim))
        done.set()
        for thread in threads:
            thread.join()
        assert problems == [] and memory.pending() == [] and fits(memory, Hooked("new-64"))


@pytest.mark.parametrize("place", ["audit.of_user", "partitions.loaded", "partitions.fresh", "ledger.passages"])
@pytest.mark.parametrize("dim", [16, 64])
def test_a_store_that_is_verified_while_the_vectors_are_exchanged_is_as_whole_as_before(
    tmp_path, monkeypatch, place, dim
):
    with opened(tmp_path) as memory:
        say(memory)
        memory.search("home", user_id="u")
        part, look = place.split(".")
        looked, done = getattr(getattr(memory._memory._store, part), look), []

        def exchanged_meanwhile(*arguments):
            found = looked(*arguments) if look == "loaded" else None
            if not done:
                done.append(1)  # first: others look there too
                memory.reembed(Hooked(dim=dim))
            return looked(*arguments) if found is None else found

        monkeypatch.setattr(getattr(memory._memory._store, part), look, exchanged_meanwhile)
        assert memory.verify().problems == () and done and fits(memory, Hooked(dim=dim))
