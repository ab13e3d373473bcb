"""A process with everything imported and nothing opened, from which each case is forked: 20 ms instead of a second.

Started as `python tests/zygote.py`; a request is a line of JSON, and its answer one. A case names one of the tasks below, with
its arguments.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Say = Callable[[str], object]
Ended = tuple[int, list[str]]  # the exit code (minus the signal that ended it), and the lines that it said


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

    def run(self, **case: Any) -> Ended:
        """One case, to its end."""
        return self.run_all([case])[0]

    def run_all(
        self, cases: Sequence[dict[str, Any]], kill_after: Sequence[float] | None = None, lines: int = 1
    ) -> list[Ended]:
        """Cases side by side. `kill_after`: when the first has said so many `lines`, and all others one, each is given so many
        seconds, and then SIGKILL."""
        request = {"cases": cases, "kill_after": kill_after, "lines": lines}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return [(code, said) for code, said in json.loads(self._process.stdout.readline())]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


# --- in the process ----------------------------------------------------------------------------------------------------


def start(work: Callable[[Say], None]) -> tuple[int, IO[str]]:
    """Work in a child of its own; its process number, and what it says."""
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
    return child, os.fdopen(out)


def ended(child: int, said: IO[str]) -> Ended:
    """Wait for a child's end."""
    with said:
        lines = said.read().splitlines()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), lines


def side_by_side(works: Sequence[Callable[[Say], None]], kill_after: Sequence[float] | None, lines: int) -> list[Ended]:
    """Works in children of their own."""
    children = [start(work) for work in works]
    if kill_after is None:
        return [ended(*child) for child in children]
    heard = [[said.readline().strip() for _ in range(1 if n else lines)] for n, (_, said) in enumerate(children)]
    began = time.monotonic()
    for moment, (child, _) in sorted(zip(kill_after, children, strict=True), key=lambda one: one[0]):
        time.sleep(max(0.0, began + moment - time.monotonic()))
        os.kill(child, signal.SIGKILL)
    ends = [ended(*child) for child in children]
    return [(code, [*before, *after]) for before, (code, after) in zip(heard, ends, strict=True)]


def operate(say: Say, folder: str, operation: str, failpoint: str, nth: int) -> None:
    """Open the store, do an operation, say so, close; with a failpoint armed."""
    failpoints.arm(failpoint, nth)
    with operations.opened(Path(folder)) as memory:
        operations.BY_NAME[operation].act(memory)
        say("done")


def write(say: Say, folder: str, name: str, resume: bool) -> None:
    """Finish what is pending, then add without end, two chunks at once, and say what was acknowledged."""
    memory = operations.opened(Path(folder))
    say("ready")
    if resume:
        memory.resume()
    for n in range(10_000):
        memory.add(operations.said(*(f"likes += {name}-{n}-{i}" for i in range(12))), user_id="u", metadata={"n": n})
        say(f"{name}-{n}")


def tell_the_same(say: Say, folder: str, threads: int, infer: bool) -> None:
    """Threads that add the same fact, each once."""
    with operations.opened(Path(folder)) as memory:

        def tell(n: int) -> None:
            memory.add("home = Rome", user_id="u", session_id=f"{os.getpid()}-{n}", infer=infer)
            say("told")

        tellers = [threading.Thread(target=tell, args=[n]) for n in range(threads)]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()


def add(say: Say, folder: str, url: str, messages: list[Any], options: dict[str, Any]) -> None:
    """Add by the model behind an endpoint; what came of it, as JSON, or the name of the error."""
    with Memory(folder, llm=Loopback(url), embedder=operations.Embedder()) as memory:
        try:
            say(memory.add(messages, **options).model_dump_json())
        except RecollectError as error:
            say(json.dumps({"error": type(error).__name__, "batch_id": error.batch_id}))


def erase(say: Say, folder: str, begin: str, done: str, wanted: dict[str, Any]) -> None:
    """Open the store, wait until the file `begin` is there, erase, make the file `done`; the receipt as JSON."""
    with operations.opened(Path(folder)) as memory:
        while not Path(begin).exists():
            time.sleep(0.005)
        receipt = memory.erase(**wanted)
        Path(done).touch()
        say(receipt.model_dump_json())


def erase_and_weigh(say: Say, folder: str, wanted: dict[str, Any]) -> None:
    """Erase; by how many bytes the process grew meanwhile, at its largest."""
    with operations.opened(Path(folder)) as memory:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert memory.erase(**wanted).complete
        say(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024))


def converse(
    say: Say, folder: str, talk: list[list[str]], first: int, options: dict[str, Any], until: int | None = None
) -> None:
    """Turns of a conversation from `first` on, each said when it is journalled; and when all are learnt, that. Before the turn
    `until` it waits to be killed, however late that comes."""
    with operations.opened(Path(folder)) as memory:
        chat = ChatMemory(memory, user_id="u", session_id="s", recall_seconds=None, **options)
        history = [
            {"role": role, "content": text}
            for turn in talk[:first]
            for role, text in zip(("user", "assistant"), turn, strict=True)
        ]
        for place, (asked, reply) in enumerate(talk[first:until], first):
            history.append({"role": "user", "content": asked})
            chat.after(chat.before(history), reply)
            history.append({"role": "assistant", "content": reply})
            say(str(place))
        if until is not None:
            signal.pause()
        assert chat.close() == []
        say("learnt")


TASKS = {task.__name__: task for task in (operate, converse, write, tell_the_same, add, erase, erase_and_weigh)}


def use_everything(say: Say) -> None:
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
    _, names = ended(*start(use_everything))
    for name in names:
        with contextlib.suppress(ImportError):  # names that modules gave themselves
            importlib.import_module(name)
    for line in sys.stdin:
        assert threading.active_count() == 1
        request = json.loads(line)
        works = []
        for case in request["cases"]:
            task = TASKS[case.pop("task")]
            works.append(functools.partial(task, **case))
        print(json.dumps(side_by_side(works, request["kill_after"], request["lines"])), flush=True)


if __name__ == "__main__":
    import operations
    from contract.loopback import Loopback

    from recollect import Memory, failpoints
    from recollect.chat import ChatMemory
    from recollect.errors import RecollectError

    main()
