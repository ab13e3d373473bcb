"""What safety costs a search: the same store, the same queries, with the protections on and off in turns.

Off, for as long as a call takes: the checks of arguments, the quarantine's mask over rows, the fence of a context with the
cleaning of its lines; and whatever `UNPROTECTED` switches off when a memory is opened. At most 1.05 is what we hold ourselves to.
Times are of the processor, of all threads of the process: what other processes do to the clock is more than what is measured.

python benchmarks/security.py [--memories 10000] [--rounds 200] [--json FILE]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

from guarantees import fill
from report import Report

from recollect import Memory, check
from recollect.retrieval import pack
from recollect.safety import fence
from recollect.view.intervals import Intervals, Moment

# Keywords of `Memory` that switch a protection off.
UNPROTECTED: dict[str, Any] = {"redact": False}
LIMIT = 1.05


def believed_quarantined_too(self: Intervals, moment: Moment) -> Any:
    """`Intervals._believed` without its mask."""
    return moment.believes(self._rows["recorded"], self._rows["retired"])


def with_protections(*, on: bool) -> ExitStack:
    """With the protections of reading, or without. What is on is patched too, by itself: patching has a price of its own."""
    stack = ExitStack()
    for target, name, instead in (
        (check, "text", lambda _argument, value, _limit=0: value),
        (check, "maybe_identifier", lambda _argument, value: value),
        (Intervals, "_believed", believed_quarantined_too),
        (pack, "harmless", lambda text, _fence: text),
        (fence, "fence_name", lambda _secret, _user: "0" * 32),
    ):
        stack.enter_context(mock.patch.object(target, name, getattr(target, name) if on else instead))
    return stack


def times_ms(
    guarded: Callable[[int], object], bare: Callable[[int], object], rounds: int
) -> tuple[list[float], list[float]]:
    """Single calls with and without, in milliseconds of the processor; each goes first every other time."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for n in range(rounds):
        for protected in (True, False) if n % 2 else (False, True):
            with with_protections(on=protected):
                start = time.process_time()
                (guarded if protected else bare)(n)
                taken[protected].append((time.process_time() - start) * 1000)
    return taken[True], taken[False]


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        store = Path(name) / "store"
        fill(store, "u", options.memories)
        with Memory(store, llm="rules") as guarded, Memory(store, llm="rules", **UNPROTECTED) as bare:

            def search(memory: Memory) -> Callable[[int], object]:
                return lambda n: memory.search(f"who owns house number {n}?", user_id="u", min_score=0)

            def context(memory: Memory) -> Callable[[int], object]:
                return lambda n: memory.context(f"who owns house number {n}?", user_id="u", min_score=0)

            for what, work in (("search", search), ("context", context)):
                with_it, without = work(guarded), work(bare)
                with_it(-1), without(-1)  # each loads its partition
                protected, plain = times_ms(with_it, without, options.rounds)
                name = f"{what} with all protections, {options.memories:,} memories"
                report.ratio(name, protected, plain, "without", str(LIMIT))
    report.write(options.json)


if __name__ == "__main__":
    main()
