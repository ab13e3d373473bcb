"""A conversation on a terminal: a line read, with the arrow keys, and an answer written as it comes, folded between words."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable

from .safe import shown

_WORD = re.compile(r"\s+|\S+")


class Writer:
    """Writes text in pieces, at once. On a terminal lines are folded between words: a word that grows over the end of its line is
    taken to the next one. Nothing in the text steers the terminal."""

    def __init__(self) -> None:
        self._width = max(20, shutil.get_terminal_size().columns - 1) if sys.stdout.isatty() else None
        self._column = self._start = 0  # where the line ends, and where its last word begins
        self._word = self._space = ""  # the last word as far as it is here; what stands between it and the one before

    def write(self, piece: str) -> None:
        """The next piece."""
        for part in _WORD.findall(shown(piece)) if self._width is not None else ():
            self._spaced(part) if part.isspace() else self._said(part)
        if self._width is None:
            self._out(shown(piece))
        sys.stdout.flush()

    def end(self) -> None:
        """The end of the line."""
        self._column, self._word, self._space = 0, "", ""
        self._out("\n")
        sys.stdout.flush()

    def _spaced(self, part: str) -> None:
        self._word, self._space = "", part
        if "\n" in part:
            self._out("\n" * part.count("\n"))
            self._column, self._space = 0, part.rsplit("\n", 1)[1]

    def _said(self, part: str) -> None:
        full = self._width is not None and self._column + len(self._space) + _cells(part) > self._width
        if not self._word:
            before = "\n" if full and self._column else self._space
            self._out(before + part)
            self._start = 0 if before == "\n" else self._column + len(before)
        elif full and self._start:
            back = self._column - self._start
            self._out("\b" * back + " " * back + "\n" + self._word + part)
            self._start = 0
        else:
            self._out(part)
        self._word, self._space = self._word + part, ""
        self._column = self._start + _cells(self._word)

    def _out(self, text: str) -> None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def lines(prompt: object) -> Iterable[str | None]:
    """What is typed, line by line, until the end of the input; None for a line that Ctrl-C gave up. Earlier lines come back with
    the arrow keys, as long as the process lives: nothing of them is kept on disk, where no erasure would find it."""
    if not sys.stdin.isatty():
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    try:
        import readline
    except ImportError:  # not on every platform; then there are no arrow keys
        pass
    else:
        readline.set_auto_history(True)
    while True:
        try:
            yield input(str(prompt))
        except EOFError:
            print()
            return
        except KeyboardInterrupt as stop:
            from .common import Terminated

            if isinstance(stop, Terminated):
                raise
            print()
            yield None
