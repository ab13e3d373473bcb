"""Tables at every width: nothing is cut, nothing is wider than the terminal, nothing in them steers it; piped, one line each."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from rich.cells import cell_len

from recollect.results import Change, Hit, MemoryItem, Source
from recollect.surfaces.cli import showing
from recollect.surfaces.cli.common import Common, folded, say

TEXTS = [
    "Ann lives in Rome.",
    "卡罗琳住在一个很大很大的城市里，她每天早上都会去公园散步，然后回家写作，晚上和朋友们一起吃饭。",
    "See https://example.org/" + "a-very-long-path/" * 12 + " for more.",
    "An escape \x1b[31mred\x1b[0m, a direction \u202e, a zero width \u200b, [bold]markup[/bold] and :smile:.",
    "Word " * 60,
    "👩‍👩‍👧 family ✨",
]
DAY = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


class Output(io.StringIO):
    """A standard output, on a terminal or not."""

    encoding = "utf-8"

    def __init__(self, terminal):
        super().__init__()
        self._terminal = terminal

    def isatty(self):
        return self._terminal


@pytest.fixture
def printed(monkeypatch):
    """What a function prints on a terminal of so many columns; None: into a pipe."""

    def call(columns, show, *arguments):
        out = Output(columns is not None)
        monkeypatch.setattr("sys.stdout", out)
        monkeypatch.setenv("COLUMNS", str(columns or 80))
        monkeypatch.setenv("TERM", "xterm")
        show(Common(), *arguments)
        return out.getvalue()

    return call


def item(n, text):
    return MemoryItem(
        id=f"mem_{n:032x}",
        text=text,
        kind="event",
        metadata={},
        created_at=DAY,
        updated_at=DAY,
        valid_from=DAY,
        source="user",
        user_id="u",
    )


def hit(n, text):
    source = Source(turn_id=f"turn_{n:032x}", role="user", speaker="Ann", said_at=DAY, quote=text)
    return Hit(
        kind="turn" if n % 2 else "memory", id=f"mem_{n:032x}", text=text, score=0.5, metadata={}, created_at=DAY, valid_from=DAY,
        source="user", speaker="Ann", sources=(source,),
    )  # fmt: skip


def change(n, text):
    return Change(id=f"chg_{n:032x}", number=n, op="UPDATE", memory=item(n, text), previous_text=text, recorded_at=DAY)


SHOWN = {
    "items": (showing.show_items, [item(n, text) for n, text in enumerate(TEXTS)]),
    "hits": (showing.show_hits, [hit(n, text) for n, text in enumerate(TEXTS)]),
    "changes": (showing.show_changes, [change(n, text) for n, text in enumerate(TEXTS)]),
    "properties": (showing.show_properties, [("memory", text) for text in TEXTS]),
}


def letters(text):
    """Without white space and colours; what would steer is shown as an escape."""
    seen = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return re.sub(r"\s+", "", seen)


@pytest.mark.parametrize("columns", [30, 59, 80, 140, None])
@pytest.mark.parametrize("what", SHOWN)
def test_every_text_is_whole_and_within_the_terminal(printed, what, columns):
    show, things = SHOWN[what]
    text = printed(columns, show, things)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" not in plain and "\u202e" not in plain and "\u200b" not in plain
    if columns is not None:
        assert all(cell_len(line) <= columns for line in plain.splitlines())
    for wanted in (TEXTS[0], "[bold]markup[/bold] and :smile:.", "\\x1b[31mred"):
        assert letters(wanted) in letters(plain) or columns is not None
    if what == "items" and columns is None:
        assert len(plain.splitlines()) == len(TEXTS) + 2 and not re.search(r" $", plain, re.M) and "\x1b" not in text
        assert all(f"mem_{n:032x}" in plain for n in range(len(TEXTS)))
    if what == "properties":  # two columns: what is folded stays in order
        found = letters(plain.replace("memory", ""))
        for wanted in TEXTS[:3]:
            assert letters(wanted) in found


def test_colours_are_for_terminals_that_want_them(printed, monkeypatch):
    show, things = SHOWN["changes"]
    assert "\x1b[33m" in printed(80, show, things)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", printed(80, show, things))
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b" not in printed(None, show, things)


def test_sentences_are_folded_on_terminals_alone(printed):
    told = "No memories of default. --user says whose; `recollect users` lists everybody."
    assert printed(None, lambda _: say(told)) == told + "\n"
    folded = printed(40, lambda _: say(told))
    assert folded.split() == told.split() and max(map(len, folded.splitlines())) < 40


def test_what_is_empty_says_how_to_go_on(printed):
    assert "`recollect users`" in printed(200, showing.show_items, [])
    assert "Nothing known" in printed(200, showing.show_hits, [])


def test_changes_stand_below_each_other_and_are_folded_beside_their_operation(printed):
    """One after the other, as `watch` prints them: a short name takes the room of a long one."""

    def show(common):
        for name in ("alice", "bob"):
            showing.show_change(common, change(1, TEXTS[4].strip()), f"{name:<8}")

    lines = printed(60, show).splitlines()
    places = {re.sub(r"\x1b\[[0-9;]*m", "", line).find("Word") for line in lines}
    assert places == {18} and len(lines) > 10
    assert len(printed(None, show).splitlines()) == 2


def test_folding_counts_cells_and_keeps_an_indent():
    for text in ("  " + TEXTS[1].replace("，", "， "), "  two  spaces and 👩‍👩‍👧 family " * 9, "x" * 70):
        lines = folded(text, 30).split("\n")
        assert all(cell_len(line) <= 30 or " " not in line.strip() for line in lines)
        assert lines[0].startswith(text[:3]) and "".join("".join(lines).split()) == "".join(text.split())
