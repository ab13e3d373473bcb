"""A process that is killed at a failpoint, at each one that an operation reaches, leaves a store that is whole.

The quick form kills after every commit, and at the first and the last time that another failpoint is reached; with
RECOLLECT_CHAOS=1 at every time.
"""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import chaos
import pytest
from operations import BY_NAME, OPERATIONS, image, opened, undisturbed

import recollect
from recollect import failpoints
from recollect.failpoints import FAILPOINTS


def kills(expected):
    """(failpoint, nth) of every kill."""
    for failpoint, count in sorted(expected.reached.items()):
        every = chaos.LONG or failpoint == "database.after_commit"
        for nth in range(1, count + 1) if every else sorted({1, count}):
            yield failpoint, nth


def killed(zygote, name, folder, failpoint, nth):
    """Whether the operation was acknowledged before it was killed."""
    code, lines = zygote.run(task="operate", operation=name, folder=str(folder), failpoint=failpoint, nth=nth)
    assert code == -signal.SIGKILL, f"ended by {code}"
    return lines == ["done"]


def check(name, folder, expected, acknowledged):
    """What was acknowledged is there; the rest is absent, pending, or some of its commits; and it can be finished, once."""
    with opened(folder) as memory:
        left = image(folder)
        assert memory.verify().problems == ()
        assert left in expected.stages, "a state that is not one after a commit"
        if acknowledged:
            assert expected.stages.index(left) >= expected.stages.index(expected.done), "acknowledged and lost"
        BY_NAME[name].judge(folder, acknowledged)
        pending = [one for one in memory.pending() if one.status != "open"]
        assert len(memory.resume().finished) == len(pending)
        if (now := image(folder)) != expected.end:
            done_again = expected.stages if BY_NAME[name].by_parts else expected.stages[:1]
            assert not pending and now in done_again, "neither finished nor absent"
            BY_NAME[name].act(memory)
            memory.resume()
        assert image(folder) == expected.end, "not what an undisturbed run leaves"
        assert memory.pending() == [] and memory.resume().finished == ()
        assert memory.verify().problems == ()


@pytest.mark.parametrize("name", BY_NAME)
def test_a_kill_at_every_failpoint_leaves_what_can_be_finished_once(tmp_path, zygote, name):
    expected = undisturbed(name)
    with chaos.tries("a kill at each failpoint") as tries:
        for failpoint, nth in kills(expected):
            folder = tmp_path / f"{failpoint}-{nth}"
            shutil.copytree(expected.folder, folder)
            with tries.one(f"{name}, {failpoint} × {nth}"):
                acknowledged = killed(zygote, name, folder, failpoint, nth)
                check(name, folder, expected, acknowledged)
            shutil.rmtree(folder)
    assert tries.count >= len(expected.reached) > 0


def test_an_add_of_three_chunks_is_seen_chunk_by_chunk():
    """The stages that a kill may leave are: before, journalled, and one after each chunk."""
    assert len(undisturbed("add").stages) == 2 + 3


def test_making_a_store_is_killed_at_each_failpoint_of_the_migration():
    killed_at = {failpoint for failpoint, _ in kills(undisturbed("make a store"))}
    assert killed_at >= {name for name in FAILPOINTS if name.startswith(("store.", "migration."))}


def test_an_embedder_is_changed_in_batches_and_seen_at_once():
    expected = undisturbed("reembed")
    assert expected.reached["reembed.kept"] > 2 and len(expected.stages) == 2


def test_every_failpoint_is_reached_by_some_operation():
    reached = set().union(*(undisturbed(operation.name).reached for operation in OPERATIONS))
    assert reached == set(FAILPOINTS)


def test_the_registry_holds_each_failpoint_of_the_source_and_no_other():
    sources = Path(recollect.__file__).parent.rglob("*.py")
    called = {name for file in sources for name in re.findall(r'\breach\("([^"]+)"\)', file.read_text("utf-8"))}
    assert called == set(FAILPOINTS) and len(FAILPOINTS) == len(called)
    with pytest.raises(ValueError, match="no failpoint"):
        failpoints.arm("nowhere")


def test_an_armed_failpoint_acts_once_at_its_nth_time():
    acted = []
    failpoints.arm("add.leased", 2, lambda: acted.append(1))
    for name in ("add.leased", "add.decided", "add.leased", "add.leased"):
        failpoints.reach(name)
    failpoints.listen(None)
    failpoints.reach("add.leased")
    assert acted == [1]
