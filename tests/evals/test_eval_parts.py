"""Parts of an evaluation in processes of their own: what they bring, and what becomes of them when something fails."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from recollect.errors import InvalidInput
from recollect.surfaces.cli.eval_offline import forget_other_code
from recollect.surfaces.cli.eval_parts import Part, side_by_side, silent
from recollect_evals.errors import PartFailed
from recollect_evals.run import Manifest, Run

MAIN = "from recollect.surfaces.cli import main; main()"


def squared(number, heard):
    heard("square", 1, 1)
    print("noise on standard output")
    print(f"{number} squared", file=sys.stderr)
    return number * number, os.getpid()


def refused(heard):
    raise InvalidInput("k", "must be 1 or more")


def killed(heard):
    os.kill(os.getpid(), signal.SIGKILL)


def endless(file, heard):
    Path(file).write_text(str(os.getpid()))
    time.sleep(600)


def met(mine, theirs, heard):
    """Ends only once the other has begun."""
    Path(mine).touch()
    while not Path(theirs).exists():
        time.sleep(0.01)


def test_each_part_brings_what_it_found_and_what_it_said():
    heard = []
    parts = [Part(f"{n}²", partial(squared, n)) for n in (3, 4, 5)]
    ended = {one.part.name: one for one in side_by_side(parts, 2, lambda *told: heard.append(told))}
    assert {name: one.value[0] for name, one in ended.items()} == {"3²": 9, "4²": 16, "5²": 25}
    assert ended["4²"].said == "4 squared\n"
    assert sorted(heard) == [("3²", "square", 1, 1), ("4²", "square", 1, 1), ("5²", "square", 1, 1)]
    assert os.getpid() not in {one.value[1] for one in ended.values()}


def test_two_at_once_are_under_way_together(tmp_path):
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    parts = [Part("a", partial(met, a, b)), Part("b", partial(met, b, a))]
    assert {one.part.name for one in side_by_side(parts, 2, silent)} == {"a", "b"}


def test_a_part_that_fails_says_which_and_why():
    with pytest.raises(PartFailed, match="bad: InvalidInput: --k: must be 1 or more"):
        list(side_by_side([Part("bad", refused)], 1, silent))


def test_a_part_whose_process_is_killed_is_no_empty_result():
    with pytest.raises(PartFailed, match=r"gone: its process ended by itself \(-9\)"):
        list(side_by_side([Part("gone", killed)], 1, silent))


def test_the_others_end_with_the_one_that_failed(tmp_path):
    file = tmp_path / "pid"

    with pytest.raises(PartFailed):
        list(
            side_by_side(
                [Part("endless", partial(endless, str(file))), Part("late", partial(failing_after, str(file)))],
                2,
                silent,
            )
        )
    assert not alive(int(file.read_text()))


def failing_after(file, heard):
    while not Path(file).exists() or not Path(file).read_text():
        time.sleep(0.01)
    raise InvalidInput("k", "must be 1 or more")


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_ctrl_c_ends_the_evaluation_and_the_same_command_goes_on(tmp_path):
    out = tmp_path / "report"
    command = [sys.executable, "-c", MAIN, "eval", "offline", "changes", "--out", str(out), "--at-once", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    records = out / "changes" / "systems" / "turns-bm25" / "ingest.jsonl"
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not records.exists() or not records.read_bytes():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130 and "Interrupted: stopped" in told
    before = records.read_bytes()
    with Run.open(out / "changes", Run.read(out / "changes").manifest) as run:  # nobody holds it
        assert run.good("ingest", "turns-bm25")
    assert before.endswith(b"\n") and records.read_bytes() == before


def test_what_other_code_measured_is_measured_anew(tmp_path, capsys):
    mine, old = Manifest("set", "sum"), Manifest("set", "sum", code="0" * 12)
    for name, manifest in (("mine", mine), ("old", old)):
        Run.open(tmp_path / name, manifest).close()
        forget_other_code(tmp_path / name)
    assert (tmp_path / "mine" / "run.json").exists() and not (tmp_path / "old").exists()
    assert "of other code, measured anew" in capsys.readouterr().err
