"""A process with everything imported and nothing opened, from which each case is forked: 20 ms instead of a second.

Started as `python tests/zygote.py`; a case is a line of JSON, and its answer one.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Zygote:
    """The way to the process, for tests."""

    def __init__(self) -> None:
        here = Path(__file__).parent
        path = os.pathsep.join([str(here), *sys.path])
        self._process = subprocess.Popen(
            [sys.executable, str(here / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": path},
        )

    def run(self, **case: Any) -> tuple[int, list[str]]:
        """A case's exit code (minus the signal that ended it), and the lines that it said before."""
        print(json.dumps(case), file=self._process.stdin, flush=True)
        code, lines = json.loads(self._process.stdout.readline())
        return code, lines

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def forked(work: Callable[[Callable[[str], object]], None]) -> tuple[int, list[str]]:
    """Work in a child of its own; its exit code (minus the signal that ended it), and what it said."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        code = 70
        try:
            work(lambda line: os.write(into, f"{line}\n".encode()))
            code = 0
        except BaseException:  # noqa: BLE001 -- the child ends here, whatever happened
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(into)
    with os.fdopen(out) as said:
        lines = said.read().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), lines


def do(case: dict[str, Any], say: Callable[[str], object]) -> None:
    """Open the store, act, say so, close; with a failpoint armed."""
    failpoints.arm(case["failpoint"], case["nth"])
    with operations.opened(Path(case["folder"])) as memory:
        operations.BY_NAME[case["operation"]].act(memory)
        say("done")


def use(say: Callable[[str], object]) -> None:
    """Use everything once, and say what that imported."""
    with tempfile.TemporaryDirectory() as folder:
        operations.seed_batches(Path(folder))
        with operations.opened(Path(folder)) as memory:
            operations.rebuild(memory)
            assert memory.verify().ok
    for name in sys.modules:
        say(name)


def main() -> None:
    """Import what a child needs, then answer. No store is opened here, for its threads would not outlive a fork."""
    _, names = forked(use)
    for name in names:
        with contextlib.suppress(ImportError):  # names that modules gave themselves
            importlib.import_module(name)
    for line in sys.stdin:
        assert threading.active_count() == 1
        print(json.dumps(forked(functools.partial(do, json.loads(line)))), flush=True)


if __name__ == "__main__":
    import operations

    from recollect import failpoints

    main()
