"""Ctrl-C while a verb is waited for: wherever it comes in what waits, the store goes on and can be closed."""

from __future__ import annotations

import asyncio
import sys
import threading
from itertools import count

from recollect import Memory

LOCKS = (
    threading.Condition.__enter__.__code__,
    threading.Condition.__exit__.__code__,
)  # Python's own, an instruction each


class CtrlC(BaseException):
    """As `KeyboardInterrupt`, in a thread that is not the main one."""


def waited(memory: Memory, moment: int, ended: list[str]) -> None:
    """Wait for a verb that lasts, and be interrupted there at the so-manieth moment at which Python looks for signals: when it
    calls a function, and when one of C returns. `ended`: what became of the verb."""
    seen = count()

    def interrupt(frame, event, _argument):
        if event in ("call", "c_return") and frame.f_code not in LOCKS and next(seen) == moment:
            sys.setprofile(None)
            raise CtrlC

    under_way = memory._begun(asyncio.sleep(0.02))
    sys.setprofile(interrupt)
    try:
        memory._heard(under_way)
        sys.setprofile(None)
        ended.append("undisturbed")
    except CtrlC:
        ended.append("over" if under_way.done() else "goes on")


def test_the_store_goes_on_wherever_ctrl_c_came(memory):
    ended: list[str] = []
    while "undisturbed" not in ended:
        waits = threading.Thread(target=waited, args=(memory, len(ended), ended), daemon=True)
        goes_on = threading.Thread(target=memory.users, daemon=True)
        for thread in (waits, goes_on):
            thread.start()
            thread.join(60)
        assert not goes_on.is_alive(), f"nothing goes on after an interrupt at moment {len(ended) - 1}"
    # Before the first line nobody waits yet; from then on whoever is interrupted has cancelled the verb.
    assert len(ended) > 5 and set(ended[1:-1]) == {"over"}
