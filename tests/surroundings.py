"""What the tests of this folder share: results made comparable, strings that do harm where they can, and a look at all files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_ID = re.compile(r"\b(mem|chg|turn|batch)_[0-9a-f]{32}\b")
_CLOCK = re.compile(r"\b20(?:2[5-9]|[3-9]\d)-\d\d-\d\d(?:T[\d:.]+(?:Z|\+00:00)?)?")  # what the tests say is of 2024
_FENCE = re.compile(r'(?<=id=\\")[0-9a-f]{32}')


class Comparable:
    """Results as text that is the same in two stores to which the same was done: ids by the order in which they appear, so that
    the same one is the same everywhere; the times of our clock, and the store's own fence, by their kind."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def __call__(self, value: Any) -> str:
        text = _CLOCK.sub("now", exact(value))
        return _FENCE.sub("fence", _ID.sub(self._named, text))

    def _named(self, match: re.Match[str]) -> str:
        return self._ids.setdefault(match[0], f"{match[1]}#{len(self._ids)}")


def exact(value: Any) -> str:
    """A result as text, to the last digit."""
    return json.dumps(value, default=_plain, ensure_ascii=False, sort_keys=True, indent=1)


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, Iterable) else str(value)


# Strings that do harm where they become code, a pattern, a template, a path or a terminal's command.
NASTY = [
    "'", '"', "`", "''; --", "a' OR '1'='1", "'); DROP TABLE turns; --", "x' UNION SELECT content FROM turns --",
    "\\", "\\'", "%", "_", "*", "?", "[a-z]", "a%", "%a%", "^.*$", "(((((", "a{1000}", "$.a", "$[0]", "a.b", "#",
    "--", "/*", ";", "?1", ":space", "{{ 7*7 }}", "{% for x in y %}", "{0}", "{__class__}", "${HOME}", "$(id)",
    "%s%n", "<script>", "]]>", "</memory>", "&amp;", ".", "..", "../", "../../etc/passwd", "/etc/passwd", "~",
    "~root", "C:\\x", "file:///etc/passwd", "ledger.sqlite3", "ledger.sqlite3-wal", "-rf", "--store", "CON", "a/b",
    "a//b", "user:a", "user:b", "shared", "SHARED", "null", "None", "true", "0", "1", "-1", "1e999", "NaN", " a",
    "a ", "A", "ａ", "á", "a\u0301", "\x00", "a\x00", "a\x00b", "\ud800", "a\udfff", "\ufeff", "\u200b", "\u202e",
    "a\u202eb", "\u2028", "\x1b[31m", "\r\n", "\t", "\x7f", "😀", "👩‍👩‍👧", "שלום", "مرحبا", "中文", "ﷺ",
    "e" + "\u0301" * 300, "İ", "ß", "x" * 511, "x" * 512, "x" * 513, "x" * 10_240, "{" * 5_000, "'" * 10_240, "",
]  # fmt: skip


def files(root: Path, but: Sequence[Path] = ()) -> dict[str, tuple[int, int]]:
    """Everything below a folder but what is below some others: path → size and time of its last change."""
    found = {}
    for folder, names, plain in os.walk(root):
        names[:] = [name for name in names if Path(folder, name) not in but]
        for name in (*names, *plain):
            state = Path(folder, name).lstat()
            found[str(Path(folder, name))] = (0, 0) if name in names else (state.st_size, state.st_mtime_ns)
    return found
