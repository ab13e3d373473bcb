"""Files of ours damaged in every way that we could think of: all that was acknowledged is there, or an error of ours says
what is wrong, at open, at the read that meets it, or in `verify()`. Never silently empty, never silently wrong.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from chaos import record

from recollect import Memory
from recollect.errors import StorageError, StorageReadOnly, StoreCorrupt
from recollect.testing import HashEmbedder, ScriptedLanguage

LEDGER = "ledger.sqlite3"
LOG, SHARED, MARK = f"{LEDGER}-wal", f"{LEDGER}-shm", f"{LEDGER}-mark"
PAGE = 4096
WRITER = """
import sys
from recollect import Memory
from recollect.testing import HashEmbedder, ScriptedLanguage
memory = Memory(sys.argv[1], llm=ScriptedLanguage(), embedder=HashEmbedder())
for n in range(int(sys.argv[2]), int(sys.argv[3])):
    memory.add(f"likes += {sys.argv[4]}{n}", user_id="u", metadata={"n": n})
print("done", flush=True)
sys.stdin.read()
"""


def opened(folder):
    return Memory(folder, llm=ScriptedLanguage(), embedder=HashEmbedder())


def outcome(folder, expected):
    """What comes of opening, reading and verifying: "whole", or the name of what told. Fails where nothing did."""
    try:
        with opened(folder) as memory:
            report = memory.verify()
            found = None
            with contextlib.suppress(StorageError):
                found = told_by(memory)
            violated = found != expected and report.ok
            record("files damaged", 1, int(violated))
            assert not violated, "silently wrong"
            return "whole" if report.ok else "verify"
    except StorageError as error:
        record("files damaged", 1, 0)
        return type(error).__name__


def told_by(memory):
    hits = memory.search("likes", user_id="u", limit=1000, min_score=0, include=("memories", "turns"))
    items = memory.get_all(user_id="u")
    quotes = [[source.quote for source in memory.sources(item.id)] for item in items]
    return (
        [(item.text, item.valid_from, item.metadata) for item in items],
        quotes,
        sorted((hit.kind, hit.text) for hit in hits),
    )


def written(folder, first, last, word="thing"):
    """A store that was written and killed: its last commits are in the log."""
    command = [sys.executable, "-c", WRITER, str(folder), str(first), str(last), word]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout.readline() == "done\n"
        child.send_signal(signal.SIGKILL)
        child.wait()
    return folder


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Stores made once: closed and whole; killed, with a log; of somebody else; an older copy; and what they hold."""
    base = tmp_path_factory.mktemp("stores")
    for first in (0, 6):
        with opened(base / "closed") as memory:
            for n in range(first, first + 6):
                memory.add(f"likes += thing{n}", user_id="u", metadata={"n": n})
        if first == 0:
            shutil.copytree(base / "closed", base / "older")
            shutil.copytree(base / "closed", base / "killed")
    written(base / "killed", 6, 12)
    written(base / "other", 0, 8, "else")
    with opened(base / "foreign") as memory:
        memory.add("likes += nothing of yours", user_id="u")
    holds = {}
    for name in ("closed", "killed"):
        copy = shutil.copytree(base / name, base / f"{name}-read")
        with opened(copy) as memory:
            holds[name] = told_by(memory)
            assert memory.verify().ok and len(holds[name][0]) == 12
    return base, holds


@pytest.fixture
def store(stores, tmp_path):
    base, holds = stores

    def copied(name):
        return shutil.copytree(base / name, tmp_path / "store"), holds[name]

    return copied


def flip(file, place, bit=0):
    content = bytearray(file.read_bytes())
    content[place] ^= 1 << bit
    file.write_bytes(content)


# --- truncated ---------------------------------------------------------------------------------------------------------

SIZES = [0, 1, 15, 99, 100, 512, 4095, 4096, 5000, 8192, 0.25, 0.5, 0.9, -4096, -1]


def size_of(file, size):
    whole = file.stat().st_size
    return int(whole * size) if isinstance(size, float) else whole + size if size < 0 else size


@pytest.mark.parametrize("name", ["closed", "killed"])
@pytest.mark.parametrize("size", SIZES)
def test_a_truncated_ledger(store, name, size):
    folder, expected = store(name)
    os.truncate(folder / LEDGER, size_of(folder / LEDGER, size))
    result = outcome(folder, expected)
    assert result != "whole" or name == "killed"


@pytest.mark.parametrize("size", [0, 20, 32, 5000, 0.5, 0.9, -1])
def test_a_truncated_log_lacks_commits_that_were_acknowledged(store, size):
    folder, expected = store("killed")
    os.truncate(folder / LOG, size_of(folder / LOG, size))
    kept = (folder / LOG).read_bytes()
    assert outcome(folder, expected) == "StoreCorrupt"
    assert (folder / LOG).read_bytes() == kept


@pytest.mark.parametrize("size", [0, 1, 100, 0.5])
def test_a_truncated_index_of_the_log(store, size):
    folder, expected = store("killed")
    os.truncate(folder / SHARED, size_of(folder / SHARED, size))
    assert outcome(folder, expected) == "whole"


# --- flipped -----------------------------------------------------------------------------------------------------------


def test_a_flipped_bit_anywhere_in_the_ledger(stores, store, tmp_path):
    folder, expected = store("closed")
    file, chance = folder / LEDGER, random.Random(5)
    whole = file.read_bytes()
    places = [*range(0, 100, 7), *(page * PAGE + chance.randrange(PAGE) for page in range(len(whole) // PAGE))]
    seen = set()
    for place in places:
        (folder / MARK).unlink(missing_ok=True)
        file.write_bytes(whole)
        flip(file, place, chance.randrange(8))
        seen.add(outcome(folder, expected))
        for left in (LOG, SHARED):
            (folder / left).unlink(missing_ok=True)
    assert "verify" in seen or "StoreCorrupt" in seen


def test_a_schema_that_is_no_text_any_more_is_named(store):
    """SQLite's message quotes it."""
    folder, _ = store("closed")
    file = folder / LEDGER
    whole = file.read_bytes()
    place = whole.index(b"content    TEXT") + len(b"content    T")
    file.write_bytes(whole[:place] + b"\xa0" + whole[place + 1 :])
    with pytest.raises(StoreCorrupt):
        opened(folder)


@pytest.mark.parametrize("word", ["thing7", "is thing7", "+= thing7", "chg_", "mem_", '"n":7'])
def test_a_flipped_bit_in_a_text_is_found_though_sqlite_sees_nothing(store, word):
    folder, expected = store("closed")
    content = (folder / LEDGER).read_bytes()
    places = [at for at in range(len(content)) if content.startswith(word.encode(), at)]
    assert places
    for place in places:
        (folder / LEDGER).write_bytes(content)
        flip(folder / LEDGER, place + len(word) - 1)
        assert outcome(folder, expected) != "whole"


@pytest.mark.parametrize("name", ["log", "mark", "shared"])
def test_a_flipped_bit_beside_the_ledger(store, name):
    folder, expected = store("killed")
    file = folder / {"log": LOG, "mark": MARK, "shared": SHARED}[name]
    whole = {one: (folder / one).read_bytes() for one in (LEDGER, LOG, SHARED, MARK)}
    for place in range(0, file.stat().st_size, max(1, file.stat().st_size // 12)):
        for one, content in whole.items():
            (folder / one).write_bytes(content)
        flip(file, place)
        result = outcome(folder, expected)
        assert name == "log" or result == "whole", (place, result)


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 8000, b"not a database " * 999]
)
def test_garbage_in_the_ledgers_place(store, content):
    folder, expected = store("closed")
    (folder / LEDGER).write_bytes(content)
    assert outcome(folder, expected) == "StoreCorrupt"


# --- swapped -----------------------------------------------------------------------------------------------------------


def test_another_stores_ledger_or_log(stores, store):
    base, _ = stores
    folder, expected = store("closed")
    shutil.copy(base / "foreign" / LEDGER, folder / LEDGER)
    assert outcome(folder, expected) == "StoreCorrupt"


def test_the_log_of_another_store_is_refused_and_left_alone(stores, tmp_path):
    base, holds = stores
    for name in ("closed", "killed"):
        folder = shutil.copytree(base / name, tmp_path / name)
        shutil.copy(base / "other" / LOG, folder / LOG)
        shutil.rmtree(folder / SHARED, ignore_errors=True)
        (folder / SHARED).unlink(missing_ok=True)
        kept = (folder / LEDGER).read_bytes(), (folder / LOG).read_bytes()
        assert outcome(folder, holds[name]) == "StoreCorrupt"
        assert kept == ((folder / LEDGER).read_bytes(), (folder / LOG).read_bytes())


def test_an_older_copy_of_the_ledger(stores, tmp_path):
    base, holds = stores
    folder = shutil.copytree(base / "closed", tmp_path / "store")
    shutil.copy(base / "older" / LEDGER, folder / LEDGER)
    assert outcome(folder, holds["closed"]) == "StoreCorrupt"
    (folder / MARK).unlink()  # the way that the error names: this copy is the one that is wanted
    with opened(folder) as memory:
        assert memory.count(user_id="u") == 6 and memory.verify().ok


def test_an_older_ledger_beside_a_newer_log(stores, tmp_path):
    base, _ = stores
    folder = shutil.copytree(base / "closed", tmp_path / "store")
    with opened(folder) as memory:  # pages that the log to come will not have
        for n in range(30):
            memory.add(f"note {n} " + "and so on " * 60, user_id="u", infer=False)
    written(folder, 12, 14)
    with opened(shutil.copytree(folder, tmp_path / "read")) as memory:
        expected = told_by(memory)
        assert len(expected[0]) == 44
    shutil.copy(base / "closed" / LEDGER, folder / LEDGER)
    assert outcome(folder, expected) in ("verify", "StoreCorrupt")


# --- absent ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [(LOG, SHARED, MARK), (LOG,), (SHARED,), (MARK,), (f"{LEDGER}.backup",)])
def test_the_ledger_absent_beside_remains(store, left):
    folder, expected = store("killed")
    (folder / f"{LEDGER}.backup").write_bytes((folder / LEDGER).read_bytes())
    for file in [file for file in folder.iterdir() if file.name not in left]:
        file.unlink()
    assert outcome(folder, expected) == "StoreCorrupt"
    assert sorted(file.name for file in folder.iterdir()) == sorted(left)


@pytest.mark.parametrize("gone", [(LOG,), (LOG, SHARED)])
def test_the_log_absent_after_a_kill(store, gone):
    folder, expected = store("killed")
    for name in gone:
        (folder / name).unlink()
    assert outcome(folder, expected) == "StoreCorrupt"


@pytest.mark.parametrize("gone", [(SHARED,), (MARK,), (SHARED, MARK)])
def test_what_can_be_made_anew_is(store, gone):
    folder, expected = store("killed")
    for name in gone:
        (folder / name).unlink()
    assert outcome(folder, expected) == "whole"
    assert outcome(folder, expected) == "whole" and (folder / MARK).exists()


def test_a_store_whose_making_was_cut_short_is_made(tmp_path):
    for name in (LEDGER, f"{LEDGER}-journal"):
        (tmp_path / name).touch()
    assert outcome(tmp_path, ([], [], [])) == "whole"


# --- in the way --------------------------------------------------------------------------------------------------------


def test_a_folder_in_the_ledgers_place(store):
    folder, expected = store("closed")
    (folder / LEDGER).unlink()
    (folder / LEDGER).mkdir()
    assert outcome(folder, expected) == "StoreCorrupt"


def test_a_file_in_the_folders_place(tmp_path):
    (tmp_path / "store").write_text("x")
    with pytest.raises(StorageError):
        opened(tmp_path / "store")


@pytest.mark.parametrize("beside_mark", [True, False])
def test_another_programs_database(store, beside_mark):
    folder, expected = store("closed")
    (folder / LEDGER).unlink()
    if not beside_mark:
        (folder / MARK).unlink()
    with contextlib.closing(sqlite3.connect(folder / LEDGER)) as db:
        db.execute("CREATE TABLE theirs (x)")
    assert outcome(folder, expected) == "StoreCorrupt"


@pytest.mark.skipif(os.getuid() == 0, reason="root writes everywhere; test_durability gives its rights up")
def test_a_ledger_that_cannot_be_written(store):
    folder, _ = store("closed")
    (folder / LEDGER).chmod(0o444)
    with pytest.raises(StorageReadOnly):
        opened(folder).add("likes += x", user_id="u")


def test_the_errors_say_what_to_do(store):
    folder, _ = store("killed")
    (folder / LOG).unlink()
    with pytest.raises(StoreCorrupt, match=r"lacks the last \d+ commits .* Put the log back, or restore a backup"):
        opened(folder)
