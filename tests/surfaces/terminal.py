"""A terminal of our own: a command on it, keys typed when something stands there, and what the terminal was sent. And a command
that is held where a signal shall find it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

RECOLLECT = [sys.executable, "-c", "from recollect.surfaces.cli import main; main()"]
PATIENCE = 90.0  # seconds; what is waited for either comes, or the test fails
AGAIN = 5.0  # seconds until Ctrl-C is pressed once more
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """`recollect` with these words, on a terminal of so many columns that is its own: Ctrl-C reaches it. A context manager."""

    def __init__(self, words, environment, columns=80):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._process = subprocess.Popen(
            [sys.executable, "-c", _OWNING, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment, "TERM": "xterm"},
            start_new_session=True,
        )
        os.close(slave)
        self.raw = ""  # all that came
        self._decoded = codecs.getincrementaldecoder("utf-8")(
            "replace"
        ).decode  # a read may end in the middle of a letter
        self._told = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def until(self, pattern):
        """Wait until what came since the last call matches; that, without escapes and carriage returns."""
        shown, matches = self._until(pattern, time.monotonic() + PATIENCE)
        assert matches, f"{pattern!r} never came after {shown!r}"
        return shown

    def interrupt(self, pattern):
        """Ctrl-C, then the same; pressed again where that does not come. A prompt is printed a moment before keys are waited
        for, and an interrupt between the two is noticed with the next one only."""
        ends = time.monotonic() + PATIENCE
        while True:
            self.type("\x03")
            shown, matches = self._until(pattern, time.monotonic() + AGAIN)
            if matches:
                return shown
            assert time.monotonic() < ends, f"{pattern!r} never came after {shown!r}"

    def _until(self, pattern, ends):
        """What came since the last match, and whether it matches before that time; if so it is told, else it is kept."""
        while True:
            shown = plain(self.raw[self._told :])
            if re.search(pattern, shown):
                self._told = len(self.raw)
                return shown, True
            if (piece := self._read(ends)) is None:
                return shown, False
            self.raw += piece

    def rest(self):
        """What comes until the end, and the exit code."""
        ends = time.monotonic() + PATIENCE
        while (piece := self._read(ends)) is not None:
            self.raw += piece
        shown, self._told = plain(self.raw[self._told :]), len(self.raw)
        return shown, self._process.wait(timeout=PATIENCE)

    def _read(self, ends):
        if not select.select([self._master], [], [], max(0.0, ends - time.monotonic()))[0]:
            return None
        try:
            got = os.read(self._master, 65536)
        except OSError:  # the terminal is gone with the process
            return None
        return self._decoded(got) if got else None

    def type(self, text):
        """Keys."""
        os.write(self._master, text.encode())


def held(view, when):
    """`recollect` that says "held" when what it shows progress by (module.class) is told of an event of which `when` is true, and
    goes on when a signal has reached the work: what the signal finds does not hang on how fast anybody is."""
    module, name = view.split(".")
    return [sys.executable, "-c", _HELD.format(module=module, name=name, when=when)]


_HELD = """
import threading
from concurrent.futures import Future
from recollect.surfaces.cli import {module}, main

view, reached = {module}.{name}, threading.Event()
told, cancel = view.on_event, Future.cancel

def on_event(self, event):
    told(self, event)
    if not reached.is_set() and ({when}):
        print("held", flush=True)
        reached.wait()

def cancelled(self):
    done = cancel(self)
    reached.set()
    return done

view.on_event, Future.cancel = on_event, cancelled
main()
"""


# The terminal becomes the process' own before anything else happens in it.
_OWNING = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from recollect.surfaces.cli import chat, main
chat.RECALL_S = None  # a machine that does something else besides takes as long as it takes
main()
"""


def plain(text):
    """What a reader sees, line by line."""
    return _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "")
