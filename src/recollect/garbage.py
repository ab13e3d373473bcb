"""Python's garbage collections, during a long work: what was there before is not looked through each time.

A model's client brings half a million objects, and all of them stay. While a work makes many of its own, full collections walk
through them again and again, each for a third of a second in which no thread goes on. `gc.freeze` sets aside what is there; it
is for a process to say so for good, so a library takes it back when its work is done, and does nothing where the process has
said so itself. What becomes garbage of that meanwhile is found afterwards.
"""

from __future__ import annotations

import gc
import threading

_lock = threading.Lock()
_holders = 0
_ours = False  # whether what is set aside was set aside here


class SetAside:
    """One work's wish; the first one sets aside, the last one takes it back."""

    def __init__(self) -> None:
        self._wished = False

    def set_aside(self) -> None:
        """What is there by now; again, what has come since. Nothing, where another work or the process itself has done it."""
        global _holders, _ours
        with _lock:
            if not self._wished:
                self._wished = True
                _holders += 1
                _ours = _ours or not gc.get_freeze_count()
            if _ours and _holders == 1:
                gc.freeze()

    def take_back(self) -> None:
        """Leave everything as it was. Without a wish, and a second time, it does nothing."""
        global _holders, _ours
        with _lock:
            if not self._wished:
                return
            self._wished = False
            _holders -= 1
            if not _holders and _ours:
                _ours = False
                gc.unfreeze()
