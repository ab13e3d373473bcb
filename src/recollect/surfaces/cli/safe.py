"""Stored text on its way to a terminal: nothing in it may steer the terminal or be read as markup."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from rich.text import Text

# C1 controls, zero-width and direction marks, separators, and what cannot be encoded at all. (C0 comes on top below.)
_UNSAFE = r"\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f"
_STEERING = re.compile(rf"[\x00-\x1f{_UNSAFE}]")
_BUT_LINES = re.compile(rf"[\x00-\x08\x0b-\x1f{_UNSAFE}]")
_SPACES = re.compile(r"[ \t\r\n]+")
_IN_JSON = re.compile(rf"[{_UNSAFE}]")  # C0 is escaped by JSON itself


def plain(text: object) -> str:
    """One line: white space is folded, every other control character is shown as an escape (ESC as ``\\x1b``)."""
    return _STEERING.sub(_escaped, _SPACES.sub(" ", str(text)).strip())


def shown(text: object) -> str:
    """`plain` for a text of several lines: line breaks and tabs stay as they are."""
    return _BUT_LINES.sub(_escaped, str(text).replace("\r\n", "\n"))


def words(text: object, style: str = "") -> Text:
    """`plain` as rich text, never read as markup."""
    return Text(plain(text), style=style)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def as_json(value: Any, indent: int | None = 2) -> str:
    """JSON for standard output: readable in every script, and without a raw control character."""
    dumped = json.dumps(value, ensure_ascii=False, indent=indent, default=_told)
    return _IN_JSON.sub(_json_escape, dumped)


def _json_escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def _told(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def day(time: datetime | None) -> str:
    """A date for people: "8 May 2023"; "" for None."""
    return "" if time is None else f"{time.day} {time:%b %Y}"


def span(start: datetime | None, end: datetime | None, precision: str | None) -> str:
    """When something happened, as exactly as it is known: "7 May 2023", "week of 1 May 2023", "May 2023", "2023"; "" for None."""
    if start is None:
        return ""
    known = {"year": f"{start:%Y}", "month": f"{start:%b %Y}", "week": f"week of {day(start)}", "day": day(start)}
    whole = {"year": 366, "month": 31, "week": 7, "day": 1}  # days; what takes longer is told with its end
    if precision in known and (end is None or (end - start).days <= whole[precision]):
        return known[precision]
    return day(start) if end is None or day(end) == day(start) else f"{day(start)} – {day(end)}"


def moment(time: datetime | None) -> str:
    """A date and time for people, in UTC: "2023-05-08 13:56"; "" for None."""
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """ "1 turn", "1,234 turns"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def cut(text: str, width: int) -> str:
    """At most `width` characters, with an ellipsis where something is left out."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
