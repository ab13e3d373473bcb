"""Who works on a batch: each chunk is extracted and committed once, whoever is killed, stopped or hangs in the middle of it."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from recollect import Memory
from recollect.errors import ModelUnavailable
from recollect.results import Resumed
from recollect.testing import HashEmbedder, ModelEndpoint, Reply
from tests.contract.loopback import Loopback

PEOPLE = [f"Person{n}" for n in range(20)]
SAID = [f"I met {name} at the fair." for name in PEOPLE]
TOLD = [f"Ann met {name} at the fair." for name in PEOPLE]
MESSAGES = [{"role": "user", "name": "Ann", "content": one} for one in SAID]
CHUNKS = 3
ROOT = Path(__file__).parents[2]
CHILD = """
import sys
from datetime import timedelta
from recollect import Memory
from recollect.writing import write
from recollect.testing import HashEmbedder
from tests.contract.loopback import Loopback
what, folder, url, lease = sys.argv[1:5]
write.LEASE = timedelta(seconds=float(lease))
with Memory(folder, llm=Loopback(url), embedder=HashEmbedder()) as memory:
    print("ready", flush=True)
    if what == "resume":
        print(len(memory.resume().finished))
    else:
        said = [{"role": "user", "name": "Ann", "content": text} for text in sys.argv[5:]]
        print(memory.add(said, user_id="ann").status)
"""


@pytest.fixture
def model(knowing):
    return knowing({said: {"text": text} for said, text in zip(SAID, TOLD, strict=True)})


def opened(folder, endpoint):
    return Memory(folder, llm=Loopback(endpoint.url), embedder=HashEmbedder())


def child(what, folder, endpoint, lease=120.0, said=SAID):
    command = [
        sys.executable,
        "-c",
        CHILD,
        what,
        str(folder),
        endpoint.url,
        str(lease),
        *(said if what == "add" else ()),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    assert running.stdout.readline() == "ready\n"
    return running


def ended(running, *, lost=False):
    out, errors = running.communicate(timeout=60)
    assert (running.returncode, errors.count("\n"), "was taken over by another process" in errors) == (0, lost, lost)
    return out


def hang(running, folder):
    """Stop it where it stands, but not within a transaction: the file would be locked for as long as it hangs."""
    while True:
        running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, running.pid, os.WSTOPPED)
        if can_be_written(folder, timeout=0):
            return
        running.send_signal(signal.SIGCONT)
        assert can_be_written(folder, timeout=60)


def can_be_written(folder, timeout):
    """Whether nobody is within a transaction, or comes out of it in this many seconds."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3", timeout=timeout, isolation_level=None)) as db:
        try:
            db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            assert error.sqlite_errorcode == sqlite3.SQLITE_BUSY
            return False
        db.execute("ROLLBACK")
        return True


def texts(memory):
    return sorted(item.text for item in memory.get_all(user_id="ann"))


def check_once(memory):
    """Everything is there, once, in one change each, and nothing is held."""
    assert texts(memory) == sorted(TOLD) and memory.pending() == [] and memory.verify().problems == ()
    assert all(len(memory.history(item.id)) == 1 for item in memory.get_all(user_id="ann"))
    assert memory.resume().finished == ()


def kind(request):
    return "reconcile" if "New facts:" in request.text else "extract"


# --- killed in a model call --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nth", range(1, 2 * CHUNKS))
def test_a_process_killed_in_its_nth_call_is_followed_by_one_that_finishes_once(tmp_path, model, nth):
    first, known, count = None, threading.Event(), 0

    def killing(request):
        nonlocal count
        count += 1
        if count == nth:
            assert known.wait(60)
            first.send_signal(signal.SIGKILL)
            first.wait()
        return model(request)

    with ModelEndpoint(killing) as endpoint:
        first = child("add", tmp_path, endpoint)
        known.set()
        first.communicate()
        assert first.returncode == -signal.SIGKILL
        done = {one for request in endpoint.requests for one in PEOPLE if f"{one} " in request.text}
        assert done
        before = len(endpoint.requests)
        assert ended(child("resume", tmp_path, endpoint)) == "1\n"
        with opened(tmp_path, endpoint) as memory:
            check_once(memory)
        # Undisturbed it is five calls (the first chunk has nothing to be decided against); those under way may be made again.
        assert before <= max(nth, CHUNKS) and len(endpoint.requests) <= 2 * CHUNKS - 1 + CHUNKS
        if nth > CHUNKS:  # every extraction was answered
            again = [kind(request) for request in endpoint.requests[before:]]
            assert again.count("extract") <= 1 and again.count("reconcile") <= CHUNKS - 1


# --- alive -------------------------------------------------------------------------------------------------------------


class Gate:
    """A script that holds back the answer to the first request of one kind until `let` is set; `held` tells that it came."""

    def __init__(self, model, of):
        self.model, self.of = model, of
        self.held, self.let = threading.Event(), threading.Event()

    def __call__(self, request):
        if kind(request) != self.of or self.held.is_set():
            return self.model(request)
        self.held.set()
        return Reply(self.model(request), until=self.let)


def lease_of(folder):
    """When the one lease there is runs out."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        return db.execute("SELECT lease_until FROM batches WHERE lease_owner IS NOT NULL").fetchone()[0]


def returned(monkeypatch, owner, name):
    """An event that is set when a method has returned."""
    event, method = threading.Event(), getattr(owner, name)

    def telling(*arguments):
        answer = method(*arguments)
        event.set()
        return answer

    monkeypatch.setattr(owner, name, telling)
    return event


@pytest.mark.parametrize("of", ["extract", "reconcile"])
def test_a_living_process_renews_its_lease_and_is_waited_for(tmp_path, model, of, monkeypatch):
    gate = Gate(model, of)
    with ModelEndpoint(gate) as endpoint, opened(tmp_path, endpoint) as memory:
        first = child("add", tmp_path, endpoint, lease=9.0)
        assert gate.held.wait(60)
        seen = {lease_of(tmp_path)}
        while len(seen) < 5:  # long past the first lease
            time.sleep(0.1)
            seen.add(lease_of(tmp_path))
        (pending,) = memory.pending()
        assert (pending.attempts, pending.error, pending.chunks) == (0, None, CHUNKS)
        assert memory.resume().failed == {pending.batch_id: "StoreBusy"}
        same = []
        waiting = threading.Thread(target=lambda: same.append(memory.add(MESSAGES, user_id="ann")))
        flushing = threading.Thread(target=lambda: same.append(memory.flush()))
        journalled = returned(monkeypatch, memory._memory._store.journal, "open_batch")
        for thread in (waiting, flushing):
            thread.start()
        assert journalled.wait(60)  # else it may come when the first is done, and be a new one
        gate.let.set()
        assert ended(first) == "done\n"
        for thread in (waiting, flushing):
            thread.join(60)
        added, flushed = sorted(same, key=lambda one: type(one).__name__)
        assert added.batch_id == pending.batch_id and added.status == "done" and len(added.changes) == len(TOLD)
        assert flushed.failed == {} and set(flushed.finished) <= {pending.batch_id}
        check_once(memory)
        assert len(endpoint.requests) == 2 * CHUNKS - 1


@pytest.mark.parametrize("of", ["extract", "reconcile"])
def test_a_process_that_hangs_past_its_lease_is_taken_over_and_cannot_commit_when_it_wakes(tmp_path, model, of):
    gate = Gate(model, of)
    with ModelEndpoint(gate) as endpoint, opened(tmp_path, endpoint) as memory:
        first = child("add", tmp_path, endpoint, lease=0.3)
        assert gate.held.wait(60)
        hang(first, tmp_path)
        try:
            while not memory.resume().finished:
                pass
            check_once(memory)
        finally:
            gate.let.set()
            first.send_signal(signal.SIGCONT)
        assert ended(first, lost=True) == "done\n"
        check_once(memory)
        assert memory.pending() == [] and state_of(tmp_path) == ("done", 0, None, None)


def state_of(folder):
    """Of the one batch: status, attempts, error, who holds it."""
    with contextlib.closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM facts").fetchone() == (0,)
        return db.execute("SELECT status, attempts, error, lease_owner FROM batches").fetchone()


def test_one_that_wakes_while_another_is_at_it_commits_nothing_and_takes_no_lease_away(tmp_path, model):
    slow, fast = Gate(model, "extract"), Gate(model, "reconcile")
    with ModelEndpoint(slow) as mine, ModelEndpoint(fast) as theirs, opened(tmp_path, theirs) as memory:
        first = child("add", tmp_path, mine, lease=0.3)
        assert slow.held.wait(60)
        hang(first, tmp_path)
        finished = []

        def resume():
            while not finished:
                finished.extend(memory.resume().finished)

        resuming = threading.Thread(target=resume)
        resuming.start()
        assert fast.held.wait(60)  # it has committed the first chunk, and asks about the second
        held = lease_of(tmp_path)
        slow.let.set()
        first.send_signal(signal.SIGCONT)
        while len(mine.requests) < CHUNKS:
            pass
        assert memory.count(user_id="ann") in (8, 10) and lease_of(tmp_path) >= held
        fast.let.set()
        assert ended(first, lost=True) == "done\n"
        resuming.join(60)
        assert len(finished) == 1
        check_once(memory)
        assert state_of(tmp_path) == ("done", 0, None, None)


# --- what fails ----------------------------------------------------------------------------------------------------------


def test_attempts_and_the_last_error_are_seen_from_any_process_and_five_failures_wait_to_be_asked_for(tmp_path, model):
    model.odd = Reply(status=503)
    with ModelEndpoint(model) as endpoint, opened(tmp_path, endpoint) as memory, opened(tmp_path, endpoint) as other:
        with pytest.raises(ModelUnavailable) as caught:
            memory.add(MESSAGES[:3], user_id="ann")
        model.odd = {"facts": "none"}
        assert other.resume().failed == {caught.value.batch_id: "ExtractionFailed"}
        for attempts in (2, 3, 4):
            for one in (memory, other):
                (pending,) = one.pending()
                assert (pending.attempts, pending.error, pending.status) == (attempts, "ExtractionFailed", "pending")
            memory.flush()
        asked = len(endpoint.requests)
        (pending,) = other.pending()
        assert (pending.attempts, pending.status, pending.chunks_done) == (5, "failed", 0)
        assert other.resume() == memory.flush() == Resumed() and len(endpoint.requests) == asked
        assert list(memory.resume(include_failed=True).failed) == [pending.batch_id]
        (pending,) = other.pending()
        assert (pending.attempts, pending.status) == (6, "failed")
        model.odd = None
        assert other.resume(include_failed=True).finished == (pending.batch_id,)
        assert texts(memory) == sorted(TOLD[:3]) and memory.pending() == other.pending() == []


def test_flush_finishes_what_was_not_waited_for_in_the_order_in_which_it_came(tmp_path, model):
    with ModelEndpoint(model) as endpoint, opened(tmp_path, endpoint) as memory:
        batches = [memory.add(one["content"], user_id="ann", wait=False).batch_id for one in MESSAGES[:4]]
        assert endpoint.requests == [] and [one.batch_id for one in memory.pending()] == batches
        assert memory.flush().finished == tuple(batches) and texts(memory) == sorted(TOLD[:4])
        assert memory.flush() == Resumed()
