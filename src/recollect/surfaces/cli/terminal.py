"""A conversation on a terminal: a line read, with the arrow keys, and an answer written as it comes, folded between words."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable

from .safe import shown

_WORD = re.compile(r"\s+|\S+")


class Writer:
    """Writes text in pieces. On a terminal lines are folded between words; nothing in it steers the terminal."""

    def __init__(self) -> None:
        self._width = max(20, shutil.get_terminal_size().columns - 1) if sys.stdout.isatty() else None
        self._column = 0
        self._held = ""  # the beginning of a word whose end is not here yet

    def write(self, piece: str) -> None:
        """The next piece."""
        if self._width is None:
            self._out(shown(piece))
            return
        parts = _WORD.findall(self._held + shown(piece))
        self._held = parts.pop() if parts and not parts[-1].isspace() else ""
        if _cells(self._held) > self._width:  # a script without spaces, or one endless word
            parts, self._held = [*parts, self._held], ""
        for part in parts:
            self._part(part)
        sys.stdout.flush()

    def end(self) -> None:
        """What is held, and the end of the line."""
        self._part(self._held)
        self._held, self._column = "", 0
        self._out("\n")

    def _part(self, part: str) -> None:
        if part.isspace():
            if "\n" in part:
                self._column = _cells(part.rsplit("\n", 1)[1])
                self._out(part)
            elif self._column:
                self._column += len(part)
                self._out(part)
            return
        cells = _cells(part)
        if self._width is not None and self._column and self._column + cells > self._width:
            self._out("\n")
            self._column = 0
        self._column += cells
        self._out(part)

    def _out(self, text: str) -> None:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()


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
