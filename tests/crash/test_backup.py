"""Backups taken while everything goes on, killed, or short of room; and stores made of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest

from recollect import AsyncMemory, Memory
from recollect.adapters import sqlite_backup
from recollect.build import restore_store
from recollect.errors import InvalidInput, SchemaTooNew, StoreBusy, StoreCorrupt, TargetExists
from recollect.owners import new_owner
from recollect.records import Lease
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.times import now
from tests.chaos import record

LONG = bool(os.environ.get("RECOLLECT_CHAOS"))


def opened(folder, **options):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder(), **options)


def texts(memory, user="u"):
    return [item.text for item in memory.get_all(user_id=user)]


@pytest.fixture
def store(tmp_path):
    """A store that is closed, with forty memories."""
    with opened(tmp_path / "store") as memory:
        memory.add([{"role": "user", "content": f"likes += thing{n}"} for n in range(40)], user_id="u")
    return tmp_path / "store"


@pytest.fixture
def copy(store, tmp_path):
    with opened(store) as memory:
        memory.backup(tmp_path / "copy")
    return tmp_path / "copy"


def restored(copy, folder):
    restore_store(copy, folder)
    return opened(folder)


# --- while others write ------------------------------------------------------------------------------------------------

WRITER = """
import sys
from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage
with Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:
    for n in range(100_000):
        memory.add(f"likes += child-{n}", user_id="u")
        print(n, flush=True)
"""


def wait_until_each_goes_on(written, child):
    """Every writer has written more than its first."""
    while min(written.values()) < 1:
        assert child.poll() is None
        time.sleep(0.01)


def test_a_backup_holds_all_that_was_acknowledged_before_it_while_others_write(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_backup, "PAGES", 4)
    rounds, written, stop = 60 if LONG else 5, {"a": -1, "b": -1, "child": 0}, threading.Event()

    def write(name):
        for n in range(1_000_000):
            if stop.is_set():
                return
            memory.add(f"likes += {name}-{n}", user_id="u")
            written[name] = n

    def hear(child):
        for line in child.stdout:
            written["child"] = int(line)

    command = [sys.executable, "-c", WRITER, str(tmp_path / "store")]
    with (
        opened(tmp_path / "store") as memory,
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child,
    ):
        threads = [threading.Thread(target=write, args=[name]) for name in ("a", "b")]
        threads.append(threading.Thread(target=hear, args=[child]))
        assert child.stdout.readline() == "0\n"
        for thread in threads:
            thread.start()
        try:
            wait_until_each_goes_on(written, child)
            for n in range(rounds):
                before = dict(written)
                memory.backup(tmp_path / f"copy{n}")
                with restored(tmp_path / f"copy{n}", tmp_path / f"made{n}") as made:
                    held = set(texts(made))
                    numbers = {
                        name: sorted(int(one.split("-")[1]) for one in held if f" {name}-" in one) for name in written
                    }
                    for name, last in before.items():
                        assert numbers[name] == list(range(len(numbers[name]))) and len(numbers[name]) > last
                    assert made.verify().problems == ()
                shutil.rmtree(tmp_path / f"made{n}")
        finally:
            stop.set()
            child.kill()
            for thread in threads:
                thread.join(60)
    record("backup while others write", rounds, 0)


def test_a_restored_store_answers_to_the_last_digit_and_its_numbers_go_on(store, copy, tmp_path):
    with opened(store) as memory, restored(copy, tmp_path / "made") as made:
        for query in ("thing7", "likes", "what is there?"):
            ask = {"user_id": "u", "min_score": 0, "include": ("memories", "turns"), "explain": True}
            assert made.search(query, **ask) == memory.search(query, **ask) != []
        assert made.get_all(user_id="u") == memory.get_all(user_id="u")
        assert made.verify().problems == () and made.stats().changes == memory.stats().changes
        last = max(change.number for item in memory.get_all(user_id="u") for change in memory.history(item.id))
        assert [one.number for one in made.add("likes += more", user_id="u").changes] == [last + 1]
        assert made.undo(made.history(texts_of(made, "more"))[0].id) and made.verify().problems == ()


def texts_of(memory, word):
    return next(item.id for item in memory.get_all(user_id="u") if word in item.text)


def test_what_is_pending_is_pending_in_the_copy_and_nobody_holds_it(store, tmp_path):
    with opened(store) as memory:
        batch = memory.add("home = Rome", user_id="u", wait=False).batch_id
        journal = memory._memory._store.journal
        assert journal.lease(batch, Lease(new_owner(), now() + timedelta(hours=1)), now())
        made = memory.backup(tmp_path / "copy")
        assert (made.pending, made.users, made.turns, made.changes) == (1, 1, 41, 40)
    with restored(tmp_path / "copy", tmp_path / "made") as other:
        assert other.resume().finished == (batch,) and "home is Rome" in texts(other)
    with opened(store) as memory:
        assert [one.batch_id for one in memory.pending()] == [batch]


def test_a_copy_opens_as_a_store_by_itself(copy, tmp_path):
    (tmp_path / "plain").mkdir()
    shutil.copy(copy, tmp_path / "plain" / "ledger.sqlite3")
    with opened(tmp_path / "plain") as memory:
        assert memory.count(user_id="u") == 40 and memory.verify().ok
    assert copy.stat().st_mode & 0o077 == 0


# --- killed, cancelled, short of room ----------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from recollect import Memory
from recollect.adapters import sqlite_backup
from recollect.build import restore_store
from recollect.testing import HashEmbedder, ScriptedLanguage

what, name, times, store, file = sys.argv[1:]
sqlite_backup.PAGES, sqlite_backup.SLICE, left = 8, 1 << 15, int(times)
def count(*_):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
def killing(function):
    def call(*arguments):
        count()
        return function(*arguments)
    return call
if name != "copied":
    setattr(sqlite_backup, name, killing(getattr(sqlite_backup, name)))
told = count if name == "copied" else lambda *_: None
if what == "backup":
    with Memory(store, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=told) as memory:
        memory.backup(file, overwrite=True)
else:
    restore_store(file, store, force=True, progress=told)
"""
POINTS = [
    ("copied", 1),
    ("copied", 3),
    ("settled", 1),
    ("require_ours", 1),
    ("counts", 1),
    ("placed", 1),
    ("synced", 1),
]


def killed(what, name, times, store, file):
    words = [sys.executable, "-c", KILLED, what, name, str(times), str(store), str(file)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("older", [True, False])
def test_a_killed_backup_leaves_an_older_one_as_it_was_and_no_half_file(store, tmp_path, older):
    target = tmp_path / "there" / "copy"
    target.parent.mkdir()
    if older:
        with opened(store) as memory:
            memory.backup(target)
            memory.add("home = Rome", user_id="u")
    whole = target.read_bytes() if older else None
    for name, times in [*POINTS, ("synced", 2)]:
        done = killed("backup", name, times, store, target)
        assert done.returncode == -signal.SIGKILL, done.stderr
        renamed = (name, times) == ("synced", 2)
        assert (target.read_bytes() if target.exists() else None) == whole or renamed
        assert len(list(target.parent.glob("*.partial"))) == (not renamed)
    with opened(store) as memory:
        memory.backup(target, overwrite=True)
    assert [file.name for file in target.parent.iterdir()] == ["copy"]
    with restored(target, tmp_path / "made") as made:
        assert len(texts(made)) == 40 + older and made.verify().ok
    record("backup killed", len(POINTS) + 1, 0)


def test_a_killed_restore_leaves_the_store_that_was_there_or_the_new_one(store, copy, tmp_path):
    with opened(store) as memory:
        memory.add("home = Rome", user_id="u")
    points = [*POINTS, *(("synced", n) for n in (2, 3, 4)), ("alone", 1), ("make_folder", 2)]
    for name, times in points:
        folder = tmp_path / f"{name}{times}"
        shutil.copytree(store, folder)
        done = killed("restore", name, times, folder, copy)
        assert done.returncode == -signal.SIGKILL, (name, times, done.stderr)
        renamed = (name, times) == ("synced", 4)
        with opened(folder) as memory:
            assert len(texts(memory)) == (40 if renamed else 41) and memory.verify().ok
        restore_store(copy, folder, force=True)
        assert not list(folder.glob("*partial*"))
        with opened(folder) as memory:
            assert len(texts(memory)) == 40
    record("restore killed", len(points), 0)


def test_a_backup_that_is_cancelled_stops_and_leaves_nothing(store, tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_backup, "PAGES", 1)
    begun, go, events = threading.Event(), threading.Event(), []

    def hold(event):
        events.append(event)
        begun.set()
        assert go.wait(30)

    async def run():
        async with AsyncMemory(store, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=hold) as memory:
            copying = asyncio.create_task(memory.backup(tmp_path / "copy"))
            assert await asyncio.to_thread(begun.wait, 30)
            copying.cancel()
            with pytest.raises(asyncio.CancelledError):
                await copying
            go.set()
            assert (await memory.add("home = Rome", user_id="u")).status == "done"

    asyncio.run(run())
    assert not [file for file in tmp_path.iterdir() if file.name.startswith("copy")]
    assert sum(type(event).__name__ == "Copied" for event in events) == 1 and events[0].of > 40 * 4096


FULL = """
import os, sys
from pathlib import Path
from recollect import Memory
from recollect.adapters import sqlite_backup
from recollect.build import restore_store
from recollect.errors import RecollectError
from recollect.testing import HashEmbedder, ScriptedLanguage

store, good, room = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
sqlite_backup.PAGES, sqlite_backup.SLICE = 8, 1 << 15
small, filler = room / "copy", room / "filler"
small.write_bytes(b"an older file")
def fill(*_):
    try:
        with filler.open("wb", buffering=0) as file:
            while file.write(b"x" * 4096): pass
    except OSError: pass
def attempt(work):
    try:
        work()
    except RecollectError as error:
        print(type(error).__name__, error.retryable, sorted(one.name for one in room.iterdir()))
with Memory(store, llm=ScriptedLanguage(), embedder=HashEmbedder(), on_event=fill) as memory:
    fill()
    attempt(lambda: memory.backup(small, overwrite=True))  # it is seen beforehand
    filler.unlink()
    attempt(lambda: memory.backup(small, overwrite=True))  # it comes in the middle
    filler.unlink()
    attempt(lambda: restore_store(good, room / "made", progress=fill))
    filler.unlink()
    print(memory.count(user_id="u"), small.read_bytes() == b"an older file", list((room / "made").iterdir()))
    memory._memory._listener = None
    memory.backup(small, overwrite=True)
    restore_store(small, room / "made")
"""


def test_a_full_disk_is_named_and_nothing_is_lost(store, copy, tmp_path):
    room = tmp_path / "room"
    room.mkdir()
    size = copy.stat().st_size * 5 // 2
    script = f"mount -t tmpfs -o size={size} tmpfs '{room}' && exec \"$@\""
    words = ["unshare", "-rm", "sh", "-c", script, "-", sys.executable, "-c", FULL, str(store), str(copy), str(room)]
    if shutil.which("unshare") is None or subprocess.run([*words[:2], "true"], check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    named = "StorageFull True ['copy', 'filler'{}]\n"
    assert (done.stdout, done.stderr) == (
        named.format("") * 2 + named.format(", 'made'") + "40 True []\n",
        "",
    )
    record("disk full during a backup", 3, 0)


# --- what is refused ---------------------------------------------------------------------------------------------------


def test_a_backup_goes_over_nothing_unless_asked_and_never_over_a_store(store, copy, tmp_path):
    whole = copy.read_bytes()
    with opened(store) as memory:
        memory.add("home = Rome", user_id="u")
        with pytest.raises(TargetExists):
            memory.backup(copy)
        assert copy.read_bytes() == whole
        (tmp_path / "beside").symlink_to(store)
        for path in (
            store,
            tmp_path / "none" / "copy",
            store / "ledger.sqlite3",
            tmp_path / "beside" / "ledger.sqlite3-wal",
        ):
            with pytest.raises(InvalidInput, match="path"):
                memory.backup(path, overwrite=True)
        with opened(tmp_path / "other") as other:
            other.add("home = Oslo", user_id="u")
            with pytest.raises(InvalidInput, match="in use"):
                memory.backup(tmp_path / "other" / "ledger.sqlite3", overwrite=True)
            assert texts(other) == ["home is Oslo"]
        memory.backup(copy, overwrite=True)
        assert copy.read_bytes() != whole and memory.verify().ok


def test_a_damaged_store_makes_no_backup_and_spoils_none(store, tmp_path):
    with opened(store) as memory:
        memory.backup(tmp_path / "copy")
    whole = (tmp_path / "copy").read_bytes()
    damage(store / "ledger.sqlite3")
    with opened(store) as memory, pytest.raises(StoreCorrupt):
        memory.backup(tmp_path / "copy", overwrite=True)
    assert (tmp_path / "copy").read_bytes() == whole and len(list(tmp_path.iterdir())) == 2


def damage(file):
    """Overwrite a leaf of the turns."""
    content = bytearray(file.read_bytes())
    place = content.rindex(b"likes += thing7") // 4096 * 4096
    content[place : place + 200] = b"\xff" * 200
    file.write_bytes(content)


def newer(file):
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")


def theirs(file):
    file.unlink()
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE users (x)")
        db.execute("PRAGMA user_version = 1")


SPOILT = {
    "garbage": (lambda file: file.write_bytes(b"not a database at all" * 1000), StoreCorrupt),
    "empty": (lambda file: file.write_bytes(b""), StoreCorrupt),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:90_000]), StoreCorrupt),
    "damaged": (damage, StoreCorrupt),
    "another program's": (theirs, StoreCorrupt),
    "newer": (newer, SchemaTooNew),
    "absent": (lambda file: file.unlink(), InvalidInput),
    "a folder": (lambda file: (file.unlink(), file.mkdir()), InvalidInput),
    "in use": (lambda file: file.with_name(f"{file.name}-wal").write_bytes(b"frames"), InvalidInput),
}


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_no_whole_backup_is_named_and_leaves_the_store_alone(store, copy, spoil):
    change, error = SPOILT[spoil]
    change(copy)
    with pytest.raises(error):
        restore_store(copy, store, force=True)
    assert {file.name for file in store.iterdir()} == {"ledger.sqlite3", "ledger.sqlite3-mark"}
    with opened(store) as memory:
        assert memory.count(user_id="u") == 40 and memory.verify().ok


def test_a_store_that_is_there_is_set_aside_as_one_that_can_be_opened(store, copy):
    with opened(store) as memory:
        memory.add("home = Rome", user_id="u")
    with pytest.raises(TargetExists):
        restore_store(copy, store)
    restore_store(copy, store, force=True)
    (aside,) = store.glob("set-aside-*")
    with opened(store) as memory, opened(aside) as old:
        assert len(texts(memory)) == 40 and texts(old)[-1] == "home is Rome" and memory.verify().ok and old.verify().ok


def test_a_store_in_use_is_not_restored_over(store, copy):
    with opened(store) as memory:
        memory.add("home = Rome", user_id="u")
        with pytest.raises(StoreBusy):
            restore_store(copy, store, force=True)
        memory.add("home = Oslo", user_id="u")
        assert memory.verify().ok and not list(store.glob("set-aside-*"))
    with opened(store) as memory:
        assert texts(memory)[-1] == "home is Oslo"


@pytest.mark.parametrize("state", ["damaged", "absent", "empty", "garbage"])
def test_what_is_left_of_a_lost_store_is_kept_aside_with_its_log(store, copy, state):
    with opened(store) as memory:
        memory.add("home = Rome", user_id="u")
        files = {name: (store / name).read_bytes() for name in ("ledger.sqlite3", "ledger.sqlite3-wal")}
    for name, content in files.items():
        (store / name).write_bytes(content)
    ledger = store / "ledger.sqlite3"
    {"damaged": damage, "absent": lambda file: file.unlink()}.get(
        state, lambda file: file.write_bytes(b"x" * 9000 if state == "garbage" else b"")
    )(ledger)
    restore_store(copy, store, force=True)
    (aside,) = store.glob("set-aside-*")
    if state != "damaged":
        assert (aside / "ledger.sqlite3-wal").read_bytes() == files["ledger.sqlite3-wal"]
    with opened(store) as memory:
        assert len(texts(memory)) == 40 and memory.verify().ok
