"""State machines under hypothesis: one run in the quick form, with RECOLLECT_CHAOS=1 many, each with a seed that repeats it.

A history is neither about the disk nor about threads. The long form does without both, in a folder in memory and with everything
in one thread, which halves its time; the quick form has them.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import chaos
import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test

from recollect.build import Store

LOOKS = 10 if chaos.LONG else 1  # steps from one look at everything to the next; a look takes longer than a step
LONG_RUN = (40, 50)  # histories, and the steps of each
IN_MEMORY = Path("/dev/shm")


class Machine(RuleBasedStateMachine):
    """Counts its steps, and looks at everything after each, in the long form after every tenth and the last one."""

    executed: ClassVar[int] = 0  # rules, by all machines

    def __init__(self) -> None:
        super().__init__()
        self.steps_taken = -1  # hypothesis asks for the invariants before the first step too

    def look(self) -> None:
        """Compare everything with what it should be."""
        raise NotImplementedError

    @invariant()
    def after_each_step(self) -> None:
        self.steps_taken += 1
        Machine.executed += self.steps_taken > 0
        if self.steps_taken % LOOKS == 0:
            self.look()

    def look_again(self) -> None:
        """Look where steps were taken since the last time: before what they did is covered up, and at the end."""
        if self.steps_taken % LOOKS:
            self.look()

    def teardown(self) -> None:
        self.look_again()


def folder() -> tempfile.TemporaryDirectory[str]:
    """Where a history's store is."""
    return tempfile.TemporaryDirectory(dir=IN_MEMORY if chaos.LONG and IN_MEMORY.is_dir() else None)


def one_thread() -> AbstractContextManager[Any]:
    """What a Memory would do in a worker thread it does at once."""

    async def at_once(_: Store, function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    return mock.patch.object(Store, "in_thread", at_once) if chaos.LONG else nullcontext()


def seeds(runs: int) -> list[int | None]:
    """A seed for each run of the long form, from RECOLLECT_SEED on; the quick form's only one is hypothesis' own choice."""
    first = int(os.environ.get(chaos.SEED, "0"))
    return [first + n for n in range(runs)] if chaos.LONG else [None]


def run(machine: type[Machine], seed: int | None, quick: tuple[int, int]) -> None:
    """Run histories of a machine: so many, of so many steps each."""
    examples, steps = quick if seed is None else LONG_RUN
    form = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    if seed is not None:  # nothing of an earlier run, and no minutes for a shorter history that fails too
        machine, form = hypothesis.seed(seed)(machine), settings(form, database=None, phases=[Phase.generate])
    before, violations = Machine.executed, 1
    try:
        with one_thread():
            run_state_machine_as_test(machine, settings=form)
        violations = 0
    finally:
        chaos.record("steps of the history under hypothesis", Machine.executed - before, violations, seed)
