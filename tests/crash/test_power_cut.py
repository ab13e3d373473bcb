"""A power cut takes every write back that was not waited for. What was acknowledged is there all the same, and the rest whole.

Real cuts may also keep some of the later writes; losing all of them is what an acknowledgement must hold against.
"""

from __future__ import annotations

import shutil

import chaos
import faults
import pytest
from operations import BY_NAME, image, opened, undisturbed

from recollect.adapters import sqlite_backup

pytestmark = pytest.mark.skipif(
    faults.library() is None, reason="the SQLite library that Python uses cannot be found: it may be linked in"
)
OPERATIONS = [name for name in BY_NAME if name not in ("make a store", "resume", "backfill", "rebuild")]


class Survivor:
    """The folder as it would be found after a power cut: every file as at its last fsync. A copy of it per fsync."""

    def __init__(self, store, folder):
        self.store, self.folder, self.cuts = store, folder, []
        self.contents: dict[int, bytes] = {}  # of files that no database holds, by inode
        shutil.copytree(store, folder / "now", ignore=shutil.ignore_patterns("*-shm"))

    def synced(self, path):
        shutil.copy(path, self.folder / "now")
        for file in (self.folder / "now").iterdir():  # SQLite waits for the folder too where it deletes a file
            if not (self.store / file.name).exists():
                file.unlink()
        self.cut()

    def forced(self, path):
        """An fsync that is not SQLite's: of a file's content, or of the names in a folder within the store's."""
        if path.is_dir():
            place = self.folder / "now" / path.relative_to(self.store)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for file in path.iterdir():
                (place / file.name).write_bytes(self.contents.get(file.stat().st_ino, b""))
        else:
            self.contents[path.stat().st_ino] = path.read_bytes()
        self.cut()

    def cut(self):
        self.cuts.append(self.folder / str(len(self.cuts)))
        shutil.copytree(self.folder / "now", self.cuts[-1])


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_was_acknowledged_survives_a_power_cut_at_any_moment(tmp_path, monkeypatch, name):
    expected, store = undisturbed(name), tmp_path / "store"
    shutil.copytree(expected.folder, store)
    survivor = Survivor(store, tmp_path)
    monkeypatch.setattr(sqlite_backup, "synced", survivor.forced)
    with faults.Disk() as disk:
        disk.synced = survivor.synced
        with opened(store) as memory:
            BY_NAME[name].act(memory)
            survivor.cuts.append(survivor.folder / "now")
            disk.synced = lambda path: None  # closing syncs too
    monkeypatch.setattr("recollect.owners._LIFE", "after the cut")  # the leases of this process are those of a dead one
    with chaos.tries("a power cut after each fsync") as tries:
        for cut in survivor.cuts:
            with tries.one(cut.name), opened(cut) as memory:
                assert memory.verify().problems == ()
                assert image(cut) in expected.stages, "a state that is not one after a commit"
                BY_NAME[name].judge(cut, cut == survivor.cuts[-1])
                if cut == survivor.cuts[-1]:
                    assert image(cut) == expected.done, "acknowledged and lost"
                memory.resume()
                assert {one.status for one in memory.pending()} <= {"open"}, "what is open waits for more"
                assert memory.verify().problems == ()
                assert image(cut) in (expected.stages if BY_NAME[name].by_parts else (expected.stages[0], expected.end))
    assert tries.count > 1
