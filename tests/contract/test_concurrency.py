"""Threads, tasks and processes on one store: nothing is lost, nothing is there twice, readers see what was acknowledged."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from recollect import AsyncMemory, Memory
from recollect.errors import NotFound, StoreBusy
from recollect.owners import new_owner
from recollect.testing import HashEmbedder, ModelEndpoint, Reply, ScriptedLanguage
from recollect.times import now
from tests.chaos import record
from tests.contract.loopback import Loopback

ROOT = Path(__file__).parents[2]
LONG = 10 if os.environ.get("RECOLLECT_CHAOS") else 1


def opened(folder, llm=None):
    return Memory(folder, llm=llm or ScriptedLanguage(), embedder=HashEmbedder())


def texts(memory, user="u"):
    return sorted(item.text for item in memory.get_all(user_id=user))


def children(folder, script, count, *arguments):
    """Processes that begin together, each with its number; what each of them printed, as JSON."""
    words = [sys.executable, "-c", CHILD + script, str(folder)]
    running = [
        subprocess.Popen(
            [*words, str(n), *map(str, arguments)], stdin=-1, stdout=-1, stderr=-1, text=True, cwd=ROOT, bufsize=1
        )
        for n in range(count)
    ]
    for one in running:
        assert one.stdout.readline() == "ready\n", one.stderr.read()
    for one in running:
        one.stdin.write("go\n")
        one.stdin.flush()
    return running


def answers(running):
    told = []
    for one in running:
        out, errors = one.communicate(timeout=240)
        assert (one.returncode, errors) == (0, "")
        told.append(json.loads(out))
    return told


CHILD = """
import json, random, sys
from recollect import Memory
from recollect.errors import InvalidInput, NotFound, UndoConflict
from recollect.errors import NotFound, StoreBusy
from recollect.owners import new_owner
from recollect.testing import HashEmbedder, ScriptedLanguage
me, rounds = int(sys.argv[2]), int(sys.argv[3])
memory = Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder())
memory.add("warm = up", user_id=f"warm{me}")
print("ready", flush=True)
sys.stdin.readline()
"""


# --- threads and tasks -------------------------------------------------------------------------------------------------


def test_many_threads_on_one_memory(memory):
    def work(n):
        user = f"u{n % 3}"
        first = memory.add(f"likes += thing-{n}", user_id=user).changes[0].memory.id
        assert memory.get(first).text in texts(memory, user)
        assert memory.update(first, f"likes thing {n} a lot").text in texts(memory, user)
        if n % 2:
            memory.delete(first)
            memory.undo(memory.history(first)[-1].id)
        assert memory.search(f"thing {n}", user_id=user, min_score=0, limit=100)

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(24 * LONG)))
    for place in range(3):
        assert texts(memory, f"u{place}") == sorted(f"likes thing {n} a lot" for n in range(place, 24 * LONG, 3))
    assert memory.verify().problems == ()
    record("threads on one memory", 24 * LONG, 0)


def test_many_tasks_on_one_memory(tmp_path):
    async def run():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            await asyncio.gather(*(memory.add(f"likes += {n}", user_id=f"u{n % 4}") for n in range(60 * LONG)))
            await asyncio.gather(*(memory.add("home = Rome", user_id="same") for _ in range(20)))
            assert await memory.count(user_id="same") == 1 and (await memory.verify()).problems == ()
            return [await memory.count(user_id=f"u{n}") for n in range(4)]

    assert asyncio.run(run()) == [15 * LONG] * 4


# --- processes ---------------------------------------------------------------------------------------------------------

WRITES = """
chance, users, mine = random.Random(me), sys.argv[4].split(","), {}
for n in range(rounds):
    user = chance.choice(users)
    added = memory.add(f"likes += thing-{me}-{n}", user_id=user).changes[0].memory
    mine[added.id] = [user, added.text]
    assert memory.get(added.id).text == added.text
    if n % 3 == 0:
        mine[added.id][1] = memory.update(added.id, f"likes thing {me} {n} more").text
    if n % 4 == 1:
        last = memory.history(added.id)[-1].id
        memory.undo(last)
        if n % 3:
            del mine[added.id]
        else:
            mine[added.id][1] = added.text  # it was the correction that was taken back
    if n % 4 == 2:
        memory.delete(added.id)
        memory.undo(memory.history(added.id)[-1].id)
    assert all(memory.get(one).text == told[1] for one, told in mine.items())
print(json.dumps(mine))
"""


@pytest.mark.parametrize("users", ["u", "a,b,c"])
def test_four_processes_write_and_correct_and_undo(tmp_path, users):
    rounds = 8 * LONG
    running = children(tmp_path, WRITES, 4, rounds, users)
    with opened(tmp_path) as memory:
        while any(one.poll() is None for one in running):  # a reader beside them
            for user in users.split(","):
                found = texts(memory, user)
                assert len(found) == len(set(found))
        told = {}
        for mine in answers(running):
            told |= mine
        stored = {
            item.id: [item.user_id, item.text] for user in users.split(",") for item in memory.get_all(user_id=user)
        }
        assert stored == told and len(told) > 4
        assert memory.verify().problems == () and memory.pending() == []
    record("four processes write, correct and undo", 4 * rounds, 0)


def test_two_processes_correct_and_delete_the_same_memories(tmp_path):
    script = """
ids, outcomes = json.loads(sys.argv[4]), []
random.Random(me).shuffle(ids)
for n, one in enumerate(ids * rounds):
    try:
        [lambda: memory.update(one, f"likes what {me} said {n}"), lambda: memory.delete(one),
         lambda: memory.undo(memory.history(one)[-1].id)][(n + me) % 3]()
        outcomes.append("done")
    except (NotFound, UndoConflict) as error:
        outcomes.append(type(error).__name__)
print(json.dumps(outcomes))
"""
    with opened(tmp_path) as memory:
        ids = [memory.add(f"likes += {n}", user_id="u").changes[0].memory.id for n in range(6)]
        outcomes = answers(children(tmp_path, script, 2, 2 * LONG, json.dumps(ids)))
        assert all("done" in one for one in outcomes)
        assert memory.verify().problems == ()
        journal = [change.number for one in ids for change in memory.history(one)]
        assert len(journal) == len(set(journal)) >= 6 + sum(one.count("done") for one in outcomes)


def test_the_same_fact_from_sixteen_threads_and_four_processes_is_one_memory(tmp_path):
    script = """
results = [memory.add("home = Rome", user_id="u") for _ in range(rounds)]
print(json.dumps([change.op.value for one in results for change in one.changes]))
"""
    running = children(tmp_path, script, 4, 4)
    with opened(tmp_path) as memory:
        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda _: memory.add("home = Rome", user_id="u"), range(16)))
        told = {change.op.value for one in results for change in one.changes}
        told |= {op for one in answers(running) for op in one}
        assert texts(memory) == ["home is Rome"] and told == {"ADD", "NONE"}
        ops = [change.op.value for change in memory.history(memory.get_all(user_id="u")[0].id)]
        assert ops.count("ADD") == 1 and memory.verify().problems == ()


def test_a_reader_sees_every_write_of_another_process_as_soon_as_it_is_acknowledged(tmp_path):
    script = """
for n in range(rounds):
    print(memory.add(f"likes += thing-{n}", user_id="u").changes[0].memory.id, flush=True)
    sys.stdin.readline()
"""
    (writer,) = children(tmp_path, script, 1, 12)
    with opened(tmp_path) as memory:
        for n in range(12):
            written = writer.stdout.readline().strip()
            assert written in [item.id for item in memory.get_all(user_id="u")] and memory.count(user_id="u") == n + 1
            assert written in [hit.id for hit in memory.search(f"thing {n}", user_id="u", min_score=0, limit=50)]
            writer.stdin.write("next\n")
            writer.stdin.flush()
        assert writer.wait(60) == 0
        writer.communicate()


def test_a_slow_decision_is_overtaken_three_times_and_then_goes_first(tmp_path, monkeypatch):
    """Every commit of the other's changes what is to be decided: without a turn of its own the slow one never got through."""
    tried, claimed, stop = [], threading.Event(), threading.Event()

    class Slow(ScriptedLanguage):
        async def reconcile(self, cases):
            seen = other.count(user_id="v")
            while not claimed.is_set() and other.count(user_id="v") < seen + 2:  # noqa: ASYNC110 -- the other is busy
                await asyncio.sleep(0.001)
            return await super().reconcile(cases)

    with opened(tmp_path) as other, opened(tmp_path, Slow()) as slow:
        other.add("home = Rome", user_id="u")
        ledger = slow._memory._store.ledger
        claim, commit = ledger.claim, ledger.commit
        monkeypatch.setattr(ledger, "claim", lambda *turn: (claim(*turn), claimed.set()))
        monkeypatch.setattr(ledger, "commit", lambda one: (tried.append(claimed.is_set()), commit(one))[1])

        def hurry():
            n = 0
            while not stop.is_set():
                other.add(f"home = Town{n}", user_id="u")
                other.add(f"likes += {n}", user_id="v")
                n += 1

        hurrying = threading.Thread(target=hurry)
        hurrying.start()
        try:
            assert slow.add("home = Oslo", user_id="u").status == "done"
        finally:
            stop.set()
            hurrying.join(60)
        assert tried == [False, False, False, True] and slow.verify().problems == ()
        other.update(other.get_all(user_id="u")[0].id, "home is Bergen")  # nobody is kept out any more
        assert texts(slow) == ["home is Bergen"]


def test_a_turn_of_the_living_is_waited_for_and_one_of_the_dead_is_not(memory, monkeypatch):
    first = memory.add("home = Rome", user_id="u").changes[0].memory.id
    ledger, living = memory._memory._store.ledger, new_owner()
    place, number, _, holder = living.split("/")
    space, later = ledger.space("u"), now() + timedelta(hours=1)
    monkeypatch.setattr("recollect.writing.write.PATIENCE", timedelta(0))
    ledger.claim(space, living, later)
    ledger.claim(space, new_owner(), later)  # does not take it away
    for verb in (lambda: memory.delete(first), lambda: memory.add("home = Oslo", user_id="u")):
        with pytest.raises(StoreBusy):
            verb()
    assert memory.add("home = Oslo", user_id="v").status == "done" and texts(memory) == ["home is Rome"]
    ledger.unclaim(space, new_owner())  # nor does that
    with pytest.raises(StoreBusy):
        memory.delete(first)
    ledger.unclaim(space, living)
    assert memory.update(first, "home is Paris")
    for owner, until in ((f"{place}/{number}/00000000/{holder}", later), (living, now())):
        ledger.claim(space, owner, until)
        assert memory.update(first, f"home is {until}")
    memory.delete(first)
    assert len(memory.resume().finished) == 1


# --- readers and models ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["extract", "reconcile"])
def test_readers_do_not_wait_for_a_model_that_the_same_user_waits_for(tmp_path, knowing, of):
    said = {f"I met {name}.": {"text": f"Ann met {name}."} for name in ("Bob", "Cleo", "Dan")}
    model, held, let = knowing(said), threading.Event(), threading.Event()

    def holding(request):
        if "Cleo" not in request.text or ("New facts:" in request.text) != (of == "reconcile"):
            return model(request)
        held.set()
        return Reply(model(request), until=let)

    with ModelEndpoint(holding) as endpoint, opened(tmp_path, Loopback(endpoint.url)) as memory:
        memory.add("I met Bob.", user_id="ann")
        adding = threading.Thread(target=lambda: memory.add("I met Cleo.", user_id="ann"))
        adding.start()
        assert held.wait(30)
        with opened(tmp_path) as other:
            for one in (memory, other):  # each of these would hang if it waited
                assert texts(one, "ann") == ["Ann met Bob."] and one.count(user_id="ann") == 1
                assert one.search("Bob", user_id="ann", min_score=0) and str(one.context("Bob", user_id="ann"))
                (bob,) = one.get_all(user_id="ann")
                assert (
                    one.history(bob.id) and one.sources(bob.id) and len(one.pending()) == 1 and one.stats().pending == 1
                )
                assert one.add("I met Dan.", user_id="bob", infer=False).status == "done" and one.verify().ok
        assert adding.is_alive() and not let.is_set()
        let.set()
        adding.join(60)
        assert texts(memory, "ann") == ["Ann met Bob.", "Ann met Cleo."]


class Watching(ScriptedLanguage):
    """Thinks until the user's partition is in memory, or for a minute."""

    async def extract(self, chunk):
        for _ in range(6000):
            if self.memory._store.partitions.loaded():
                return await super().extract(chunk)
            await asyncio.sleep(0.01)
        raise AssertionError("nobody read it meanwhile")


def test_a_cold_partition_is_read_while_a_model_thinks(tmp_path):
    async def run():
        async with AsyncMemory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
            await memory.add("likes += tea", user_id="u")
        model = Watching()
        async with AsyncMemory(tmp_path, llm=model, embedder=HashEmbedder()) as memory:
            model.memory = memory
            return await memory.add("likes += tea", user_id="u")

    assert [change.op for change in asyncio.run(run()).changes] == ["NONE"]


CHANGED_MEANWHILE = {  # what is done to a memory, or to one that waits for a review; before which look another takes both away
    "update": (lambda memory, one, _: memory.update(one, "likes is rum"), 2, NotFound),
    "update of metadata": (lambda memory, one, _: memory.update(one, metadata={"n": 1}), 2, NotFound),
    "delete_all": (lambda memory, *_: memory.delete_all(user_id="u"), 1, 1),
    "drop": (lambda memory, _, waits: memory.drop(waits), 1, NotFound),
    "approve": (lambda memory, _, waits: memory.approve(waits), 1, NotFound),
}


@pytest.mark.parametrize("verb", CHANGED_MEANWHILE)
def test_a_change_is_planned_on_one_state_of_what_another_process_changes_meanwhile(tmp_path, verb):
    act, place, outcome = CHANGED_MEANWHILE[verb]
    options = {"llm": ScriptedLanguage(), "embedder": HashEmbedder(), "trust": {"tool": 0}}
    with Memory(tmp_path, **options) as memory, Memory(tmp_path, **options) as other:
        memory.add("home = Rome", user_id="u")
        one = memory.add("likes += tea", user_id="u").changes[0].memory.id
        memory.add({"role": "tool", "content": "likes += gin"}, user_id="u")
        (waits,) = memory.quarantine(user_id="u")
        ledger, looks = memory._memory._store.ledger, []
        look = ledger.versions

        def overtaken(*arguments, **options):
            looks.append(1)
            if len(looks) == place:
                other.delete(one)
                other.drop(waits.id)
            return look(*arguments, **options)

        ledger.versions = overtaken
        if outcome is NotFound:
            with pytest.raises(NotFound):
                act(memory, one, waits.id)
        else:
            assert act(memory, one, waits.id) == outcome
        assert len(looks) >= place and memory.verify().problems == ()
