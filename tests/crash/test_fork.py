"""A memory, and a process that forks: the child is told, whatever it does harms nothing, and it may open one of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage
from tests.chaos import record

FORKS = 40 if os.environ.get("RECOLLECT_CHAOS") else 12
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

HEAD = """
import asyncio, gc, multiprocessing, os, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: that is what is tried here
from recollect import AsyncMemory, Memory
from recollect.errors import Forked
from recollect.testing import HashEmbedder, ScriptedLanguage

def opened(kind=Memory):
    return kind(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder())

def in_child(work):
    '''The exit code of a child that does the work.'''
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            code = work() or 0
        except BaseException as error:
            print(type(error).__name__, error, file=sys.stderr, flush=True)
            code = 99
        sys.stdout.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(script, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", HEAD + script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def contents(folder):
    with Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
        assert memory.verify().problems == () and memory.pending() == []
        return sorted(item.text for item in memory.get_all(user_id="u"))


TOLD = """
memory = opened()
memory.add("home = Rome", user_id="u")

def child():
    verbs = [
        lambda: memory.search("home", user_id="u"), lambda: memory.add("x = y", user_id="u"), lambda: memory.count(user_id="u"),
        memory.pending, memory.verify, lambda: memory.scoped(user_id="u").get_all(), lambda: memory.backup("copy"),
        lambda: asyncio.run(memory._memory.add("x = y", user_id="u")), lambda: asyncio.run(memory._memory.count(user_id="u")),
    ]
    for verb in verbs:
        try:
            verb()
        except Forked as error:
            print(error, error.retryable)
    memory.close()
    asyncio.run(memory._memory.close())

print(in_child(child))
memory.add("likes += tea", user_id="u")
memory.close()
"""


def test_every_verb_tells_a_child_what_to_do(tmp_path):
    *told, code = run(TOLD, tmp_path).splitlines()
    line = "this memory was opened before the process was forked: open a new one here, on the same folder False"
    assert told == [line] * 9 and code == "0"
    assert contents(tmp_path) == ["home is Rome", "likes is tea"]


ENDS = """
memory = opened()
memory.add("home = Rome", user_id="u")
asynchronous = opened(AsyncMemory)
asyncio.run(asynchronous.count(user_id="u"))

def closes(): memory.close()
def collects():
    global memory, asynchronous
    del memory, asynchronous
    gc.collect()
def leaves():
    with memory: pass

for n in range(3):
    for work in (closes, collects, leaves):
        assert in_child(work) == 0
        memory.add(f"likes += {work.__name__}{n}", user_id="u")
    sys.stdout.flush()
    if not (child := os.fork()):
        sys.exit()  # with everything that is done at an exit
    assert os.waitpid(child, 0)[1] == 0
    memory.add(f"likes += exit{n}", user_id="u")
    assert os.path.getsize(sys.argv[1] + "/ledger.sqlite3-wal") > 0
assert memory.count(user_id="u") == 13 and memory.verify().ok
"""


def test_a_child_that_closes_collects_or_exits_harms_nothing(tmp_path):
    run(ENDS, tmp_path)
    assert len(contents(tmp_path)) == 13


POOL = """
memory = opened()
memory.add("home = Rome", user_id="u")

def search(query):
    return memory.count(user_id="u")

def own(n):
    with opened() as mine:
        return mine.add(f"likes += {n}", user_id="u").status

context = multiprocessing.get_context("fork")
with context.Pool(2) as pool:
    try:
        pool.map(search, ["a", "b"])
    except Forked as error:
        print("Forked")
    print(pool.map(own, range(6)))
print(memory.count(user_id="u"), memory.verify().ok)
"""


def test_a_pool_of_forked_workers(tmp_path):
    assert run(POOL, tmp_path).splitlines() == ["Forked", str(["done"] * 6), "7 True"]


BUSY = """
memory = opened()
memory.add("home = Rome", user_id="u")
memory.search("home", user_id="u")  # everything is imported: a module that is half imported at a fork stays so in the child
stop = threading.Event()
done = [0, 0, 0]

def work(place):
    while not stop.is_set():
        memory.add(f"likes += thread{place}-{done[place]}", user_id="u")
        memory.search("thread", user_id="u")
        done[place] += 1

threads = [threading.Thread(target=work, args=[place]) for place in range(3)]
for thread in threads:
    thread.start()

def child(n):
    with opened() as mine:
        assert mine.count(user_id="u") >= sum(before)
        mine.add(f"likes += child-{n}", user_id="u")
        assert mine.verify().ok

for n in range(int(sys.argv[2])):
    before = list(done)
    assert in_child(lambda: child(n)) == 0
stop.set()
for thread in threads:
    thread.join()
assert memory.verify().ok
print(sum(done))
"""


def test_forks_beside_busy_threads_and_children_that_open_the_store_too(tmp_path):
    added = int(run(BUSY, tmp_path, FORKS))
    assert len(contents(tmp_path)) == added + FORKS + 1
    record("fork beside busy threads", FORKS, 0)


ENTANGLED = """
from recollect.adapters.forking import GATE
memory = opened()
memory.add("home = Rome", user_id="u")
database = memory._memory._store.ledger._database
held, inside, lock = threading.Event(), threading.Event(), threading.Lock()

def read():  # inside, and waits for the other
    held.wait()
    with database.read():
        inside.set()
        with lock:
            pass

def work():  # has what the reader waits for, and comes in when the fork is waiting for the reader
    with lock:
        held.set()
        inside.wait()
        while not GATE._forks:
            pass
        assert memory.count(user_id="u") == 1

threads = [threading.Thread(target=one) for one in (read, work)]
for thread in threads:
    thread.start()
inside.wait()
print(in_child(lambda: opened().close()))
for thread in threads:
    thread.join()
print(memory.count(user_id="u"))
"""


def test_a_fork_waits_for_a_thread_inside_that_waits_for_one_outside(tmp_path):
    assert run(ENTANGLED, tmp_path).split() == ["0", "1"]


STEADY = """
import time
from recollect.adapters.forking import GATE
memory = opened()
lock, stop = threading.Lock(), threading.Event()

def work():  # as commits on a slow disk: there is somebody inside at every moment
    while not stop.is_set():
        with GATE.inside(), lock:
            time.sleep(0.1)

threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
print(in_child(lambda: opened().close()))
stop.set()
for thread in threads:
    thread.join()
"""


def test_a_fork_comes_about_though_threads_are_inside_by_turns_without_a_pause(tmp_path):
    assert run(STEADY, tmp_path) == "0\n"


MEANWHILE = """
from recollect.adapters import forking
forking.PATIENCE_S = 0.05
memory = opened()
memory.add("home = Rome", user_id="u")
database = memory._memory._store.ledger._database
inside, go = threading.Event(), threading.Event()

def read():
    with database.read() as db:
        db.execute("SELECT 1")
        inside.set()
        go.wait()

reader = threading.Thread(target=read)
reader.start()
inside.wait()

def child():
    try:
        opened()
    except Forked as error:
        print(error)

print(in_child(child))
go.set()
reader.join()
print(in_child(lambda: opened().close()), memory.count(user_id="u"))
"""


def test_a_child_of_a_fork_in_the_middle_of_a_long_read_opens_nothing(tmp_path):
    told, *ends = run(MEANWHILE, tmp_path).splitlines()
    assert "spawn" in told and ends == ["0", "0 1"]
