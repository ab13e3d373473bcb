"""A model's threads are on a core each, of those that the process may use, and whoever calls begins where none of them is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from recollect.adapters import onnx_session
from recollect.adapters.onnx_session import cores, move_to, numbered, siblings

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no threads")


def test_processors_of_one_core_are_told_together(tmp_path, monkeypatch):
    for processor, told in enumerate(["0,2", "1,3", "0,2", "1,3", "4-5", "4-5"]):
        folder = tmp_path / f"cpu{processor}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(told + "\n")
    monkeypatch.setattr(onnx_session, "TOPOLOGY", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 3, 4, 5})
    assert cores() == [{0}, {1, 3}, {4, 5}]  # 2 is not for this process
    assert numbered(cores()[1:]) == "2,4;5,6"
    assert siblings(7) == {7}  # nothing is told of it


def test_where_the_system_does_not_tell_there_is_nothing_to_bind(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    assert cores() == []


def test_who_calls_begins_there_and_may_be_moved_again(monkeypatch):
    mine, bound = os.sched_getaffinity(0), []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, processors: bound.append((thread, processors)))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    move_to(frozenset([1, 3]))
    assert bound == [(0, {1}), (0, {0, 1, 2})]
    monkeypatch.undo()
    move_to(frozenset([min(mine)]))
    assert os.sched_getaffinity(0) == mine


def test_who_was_told_to_be_elsewhere_stays_there(monkeypatch):
    def never(*_):
        raise AssertionError

    monkeypatch.setattr(os, "sched_setaffinity", never)
    mine = os.sched_getaffinity(0)
    for processors in (frozenset([max(mine) + 1]), frozenset(mine), frozenset()):
        move_to(processors)


def test_where_threads_must_not_be_moved_all_goes_on(monkeypatch):
    def forbidden(*_):
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    move_to(frozenset([min(os.sched_getaffinity(0))]))


USED = """
import os
one = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {one})
from recollect.adapters.minilm import MiniLM
MiniLM().embed(["What did I do last summer?"])
print({processor for task in os.listdir("/proc/self/task") for processor in os.sched_getaffinity(int(task))} == {one})
"""


def test_no_thread_runs_where_the_process_must_not():
    done = subprocess.run([sys.executable, "-c", USED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "True"
