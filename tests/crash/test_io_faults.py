"""A disk that fails at the n-th write or fsync, for n = 1, 2, 3 … until an operation runs clean: nothing is acknowledged that
is not there, reads go on, and once the disk is well the same Memory goes on too.

The quick form leaves out most of the greater n; RECOLLECT_CHAOS=1 tries them all.
"""

from __future__ import annotations

import shutil

import chaos
import faults
import pytest
from operations import BY_NAME, image, opened, undisturbed

from recollect.errors import StorageError, StorageFull

pytestmark = pytest.mark.skipif(
    faults.library() is None, reason="the SQLite library that Python uses cannot be found: it may be linked in"
)
OPERATIONS = (
    "the first add",
    "add",
    "update",
    "delete_all",
    "undo of a batch",
    "backfill",
    "reembed",
    "erase of a session",
    "backup",
)
if chaos.LONG:
    OPERATIONS += (
        "add(infer=False)",
        "add(wait=False)",
        "delete",
        "undo of a deletion",
        "retell",
        "erase",
        "erase of a user",
    )
FULL = ("no space left at a write", "write", faults.FULL, StorageFull)
WRITE = ("an I/O error at a write", "write", faults.EIO_WRITE, StorageError)
FSYNC = ("an I/O error at an fsync", "sync", faults.EIO_FSYNC, StorageError)
TRUNCATE = ("an I/O error at a truncation", "truncate", faults.EIO_TRUNCATE, StorageError)
INDEX = ("no room for the log's index", "shm", faults.EIO_SHM, StorageError)
# Each with whether the disk stays ill until it is healed, or fails that once.
FAULTS = ((FULL, True), (WRITE, False), (FSYNC, True), (FSYNC, False))


def name_of(value):
    """How pytest calls a fault."""
    return value[0][0] + (", lasting" if value[1] else ", once") if isinstance(value, tuple) else value


@pytest.fixture
def disk():
    with faults.Disk() as installed:
        yield installed


def steps():
    """n = 1, 2, 3 …; in the quick form with gaps that double."""
    n = 1
    while True:
        yield n
        n += 1 if chaos.LONG else 1 + n


def check_act(name, memory, folder, disk, fault, n):
    """Act while the disk fails at the n-th time; whether it did."""
    (_, operation, code, error_class), lasting = fault
    expected = undisturbed(name)
    disk.fail(operation, code=code, at=n, lasting=lasting)
    try:
        BY_NAME[name].act(memory)
    except StorageError as error:
        assert type(error) is error_class and error.retryable and disk.failed
        check_reads(memory)
        assert {one.batch_id for one in memory.pending()} <= {error.batch_id}
        assert image(folder) in expected.stages, "a state that is not one after a commit"
        acknowledged = False
    else:
        check_reads(memory)
        assert image(folder) == expected.done, "acknowledged, and not there"
        acknowledged = True
    finally:
        failed = disk.failed
        disk.heal()
    BY_NAME[name].judge(folder, acknowledged)
    return bool(failed)


def check_reads(memory):
    """Reads go on while the disk fails."""
    known = memory.get_all(user_id="u")
    assert bool(memory.search("home likes", user_id="u", min_score=0)) == bool(known)
    assert bool(memory.context("home likes", user_id="u", include=("memories",), min_score=0).hits) == bool(known)
    assert all(memory.history(item.id) and memory.sources(item.id) for item in known)


def check_goes_on(name, memory, folder):
    """The disk is well again: what is pending is finished once, what is absent can be done, and the next thing too."""
    expected = undisturbed(name)
    pending = memory.pending()
    assert len(memory.resume(include_failed=True).finished) == len(pending)
    if (now := image(folder)) != expected.end:
        assert not pending and now == expected.stages[0], "neither finished nor absent"
        BY_NAME[name].act(memory)
        memory.resume()
    assert image(folder) == expected.end, "not what an undisturbed run leaves"
    assert memory.resume().finished == () and memory.verify().problems == ()
    memory.add("home = Quito", user_id="third")
    assert memory.count(user_id="third") == 1


@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_disk_that_fails_at_the_nth_time(tmp_path, disk, name, fault):
    before = undisturbed(name).folder
    with chaos.tries(fault[0][0]) as tries:
        for n in steps():
            folder = tmp_path / str(n)
            shutil.copytree(before, folder)
            failed = True
            with tries.one(f"{name}, number {n}"):
                with opened(folder) as memory:
                    failed = check_act(name, memory, folder, disk, fault, n)
                    check_goes_on(name, memory, folder)
                with opened(folder) as memory:
                    assert memory.verify().problems == () and memory.pending() == []
            shutil.rmtree(folder)
            if not failed:
                break
    assert tries.count > 1


def killed_store(folder):
    """A store as a power cut leaves it: its last commits are in the log only."""
    alive = folder.with_name("alive")
    with opened(alive) as memory:
        memory.add("home = Rome", user_id="u")
        shutil.copytree(alive, folder, ignore=shutil.ignore_patterns("*-shm"))


@pytest.mark.parametrize("fault", (FULL, WRITE, FSYNC, TRUNCATE, INDEX), ids=lambda fault: fault[0])
@pytest.mark.parametrize(
    "make", [lambda folder: folder.mkdir(), killed_store], ids=["a new store", "after a power cut"]
)
def test_a_disk_that_fails_while_a_store_is_opened(tmp_path, disk, make, fault):
    what, operation, code, error_class = fault
    before = tmp_path / "before"
    make(before)
    known = len(list(before.iterdir())) > 0
    with chaos.tries(what) as tries:
        for n in steps():
            folder = tmp_path / str(n)
            shutil.copytree(before, folder)
            disk.fail(operation, code=code, at=n)
            with tries.one(f"opening, number {n}"):
                try:
                    opened(folder).close()
                except StorageError as error:
                    assert type(error) is error_class and error.retryable and disk.failed
                finally:
                    failed = disk.failed
                    disk.heal()
                with opened(folder) as memory:
                    assert memory.verify().problems == () and memory.count(user_id="u") == known
            if not failed:
                break
