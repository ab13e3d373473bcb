"""What a kill, a lost or damaged file, or a folder that cannot be written leaves behind."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import chaos
import pytest

from recollect import Memory
from recollect.errors import StoreCorrupt
from recollect.testing import HashEmbedder, ScriptedLanguage

ROUNDS = int(os.environ.get("RECOLLECT_KILLS", "30"))
A_STORE = 10  # rounds on one store, which grows
WRITERS = {1: ROUNDS, 2: max(10, ROUNDS // 3), 4: max(10, ROUNDS // 3)} if chaos.LONG else {1: ROUNDS, 2: ROUNDS // 3}


def opened(folder):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder())


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("writers", "rounds"), WRITERS.items())
def test_kill_9_at_any_point_loses_nothing_that_was_acknowledged(tmp_path, zygote, writers, rounds):
    """Processes that write for one user to one store, all killed at moments of their own, round after round."""
    chance = random.Random(writers)
    acknowledged = set()
    with chaos.tries("a kill -9 at random, " + ("one writer" if writers == 1 else f"{writers} writers")) as tries:
        for life in range(rounds):
            folder = tmp_path / str(life // A_STORE)
            if life % A_STORE == 0:
                acknowledged = set()
            with tries.one(f"round {life}"):
                acknowledged |= killed_writers(zygote, folder, life, [chance.random() * 0.2 for _ in range(writers)])
                check_acknowledged(folder, acknowledged)
                if life % A_STORE == A_STORE - 1 or life == rounds - 1:
                    assert acknowledged, "nothing was tried"
                    check_finished(folder)


def killed_writers(zygote, folder, life, moments):
    """What writers acknowledged that were killed at these moments; the first one finishes first what others left."""
    cases = [
        {"task": "write", "folder": str(folder), "name": f"{life}.{n}", "resume": n == 0} for n in range(len(moments))
    ]
    acknowledged = set()
    for code, lines in zygote.run_all(cases, kill_after=moments, lines=1 + life % 3):
        assert code == -signal.SIGKILL and lines[0] == "ready", "a writer ended by itself"
        acknowledged |= set(lines[1:])
    return acknowledged


def check_acknowledged(folder, acknowledged):
    """What was acknowledged is there, whole and once."""
    with opened(folder) as memory:
        assert memory.verify().problems == (), "a problem"
        texts = [item.text for item in memory.get_all(user_id="u")]
        assert {f"likes is {one}-{i}" for one in acknowledged for i in range(12)} <= set(texts), "lost"
        assert len(texts) == len(set(texts)), "stored twice"


def check_finished(folder):
    """What is pending is finished; then every batch is there whole."""
    with opened(folder) as memory:
        assert memory.resume().failed == {}
        texts = [item.text for item in memory.get_all(user_id="u")]
        assert memory.pending() == [] and len(texts) == len(set(texts)) and len(texts) % 12 == 0
        assert memory.verify().problems == ()


@pytest.mark.parametrize("infer", [True, False])
@pytest.mark.parametrize(("processes", "threads"), [(1, 16), (4, 1), (4, 4)])
def test_the_same_fact_from_everywhere_at_once_is_one_memory(tmp_path, zygote, processes, threads, infer):
    case = {"task": "tell_the_same", "folder": str(tmp_path), "threads": threads, "infer": infer}
    with chaos.tries("the same fact from 16 at once") as tries:
        for n in range(5 if chaos.LONG else 1):
            folder = tmp_path / str(n)
            with tries.one(f"{processes} × {threads}"):
                told = zygote.run_all([{**case, "folder": str(folder)}] * processes)
                assert [(code, len(lines)) for code, lines in told] == [(0, threads)] * processes
                with opened(folder) as memory:
                    (item,) = memory.get_all(user_id="u")
                    assert len(memory.sources(item.id)) == processes * threads
                    assert memory.verify().problems == ()


def test_every_way_in_which_the_ledger_may_be_gone_is_named(tmp_path):
    with opened(tmp_path) as memory:
        memory.add("home = Rome", user_id="u")
        ledger, log = tmp_path / "ledger.sqlite3", tmp_path / "ledger.sqlite3-wal"
        whole, tail = ledger.read_bytes(), log.read_bytes()
    assert tail
    for content in (None, b""):
        ledger.unlink(missing_ok=True)
        log.write_bytes(tail)
        if content is not None:
            ledger.write_bytes(content)
        with pytest.raises(StoreCorrupt, match="restore it from a backup"):
            opened(tmp_path)
        assert log.read_bytes() == tail
    ledger.write_bytes(whole)
    with opened(tmp_path) as memory:
        assert memory.count(user_id="u") == 1


@pytest.mark.parametrize("page", range(0, 44, 7))
def test_a_damaged_ledger_is_never_taken_for_a_good_one(tmp_path, page):
    with opened(tmp_path) as memory:
        for n in range(20):
            memory.add(f"likes += thing{n}", user_id="u")
    file = tmp_path / "ledger.sqlite3"
    content = bytearray(file.read_bytes())
    assert len(content) > (page + 1) * 4096
    content[page * 4096 : (page + 1) * 4096] = b"\xff" * 4096
    file.write_bytes(content)
    try:
        with opened(tmp_path) as memory:
            assert not memory.verify().ok
    except StoreCorrupt:
        return


def test_another_programs_database_is_refused_untouched(tmp_path):
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()
    with pytest.raises(StoreCorrupt, match="not one of recollect's"):
        opened(tmp_path)
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        assert [row[0] for row in db.execute("SELECT name FROM sqlite_master")] == ["theirs"]
    db.close()


READER = """
import sys, os
from recollect import Memory
from recollect.errors import StorageReadOnly
from recollect.testing import HashEmbedder, ScriptedLanguage
with Memory(sys.argv[2], llm=ScriptedLanguage(), embedder=HashEmbedder()) as warm:  # everything is imported by then
    warm.add("home = Oslo", user_id="u")
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder()).add("home = Oslo", user_id="u")
except StorageReadOnly as error:
    print("StorageReadOnly", error.retryable)
"""


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_that_cannot_be_written(tmp_path, made):
    folder = tmp_path / "store"
    if made:
        opened(folder).close()
        (folder / "ledger.sqlite3").chmod(0o444)
    else:
        folder.mkdir()
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and os.getuid() == 0 and str(parent) != "/" and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    command = [sys.executable, "-c", READER, str(folder), str(tmp_path / "warm")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    folder.chmod(0o755)
    assert (done.stdout, done.stderr) == ("StorageReadOnly False\n", "")


def test_versions_that_are_yet_to_end_are_no_twins(memory):
    ahead = datetime.now(UTC) + timedelta(days=100)
    for value, days in (("A", 9), ("B", 3), ("A", 1)):
        memory.add(f"home = {value}", user_id="u", timestamp=ahead + timedelta(days=days))
    assert memory.verify().problems == ()
    at = {days: ahead + timedelta(days=days, hours=1) for days in (1, 3, 9)}
    assert [memory.get_all(user_id="u", as_of=when)[0].text for when in at.values()] == [
        "home is A",
        "home is B",
        "home is A",
    ]
