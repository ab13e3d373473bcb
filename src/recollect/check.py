"""Arguments of the public verbs, checked and normalised. Everything wrong is an InvalidInput that names the argument."""

from __future__ import annotations

import hashlib
import json
import math
import re
import unicodedata
from calendar import monthrange
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import InvalidInput
from .model import Message, Role
from .times import at_offset, from_micros, offset_minutes, to_micros

# docs/api.md lists all limits.
MAX_CONTENT = 1_000_000  # characters of one message
MAX_MESSAGES = 200_000
MAX_TOGETHER = 200_000_000  # characters of all messages of one add
MAX_ID = 512
MAX_NAME = 200
MAX_METADATA = 64_000  # characters of JSON
MAX_DEPTH = 100  # of metadata; SQLite's JSON functions and Python's both end somewhere above
MAX_QUERY = 10_000
MAX_CORRECTION = 10_000  # characters of a text given to `update`
MAX_INSTRUCTIONS = 10_000
MAX_HITS = 100_000  # `limit`
MAX_CONTEXT = 1_000_000  # `max_tokens`
_KEYS = {"role", "content", "name", "timestamp"}
_AGE = re.compile(r"(\d{1,6}) ?([dwmy])")
_SURROGATE = re.compile("[\ud800-\udfff]")


def text(argument: str, value: object, limit: int = MAX_CONTENT) -> str:
    """A text in NFC that says something. NUL and lone surrogates are refused by name."""
    if not isinstance(value, str):
        raise InvalidInput(argument, f"must be a string, not {type(value).__name__}")
    _encodable(argument, value)
    if len(value) > limit:
        raise InvalidInput(argument, f"longer than {limit:,} characters")
    if not value.strip():
        raise InvalidInput(argument, "is empty")
    return unicodedata.normalize("NFC", value)


def _encodable(argument: str, value: str) -> None:
    if "\x00" in value:
        raise InvalidInput(argument, "holds a NUL character")
    if _SURROGATE.search(value):
        raise InvalidInput(argument, "holds a lone surrogate")


def identifier(argument: str, value: object) -> str:
    """A caller's own id (user, agent, session, idempotency key) or name: printable, of bounded length."""
    checked = text(argument, value, MAX_ID)
    if any(unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp") for character in checked):
        raise InvalidInput(argument, "holds control characters")
    return checked


def maybe_identifier(argument: str, value: object) -> str | None:
    """`identifier`, None for None."""
    return None if value is None else identifier(argument, value)


def time(argument: str, value: object) -> datetime:
    """A datetime, or an ISO 8601 string, or seconds since 1970; naive ones are UTC."""
    try:
        if isinstance(value, datetime):
            # Through the ledger's own form: what other libraries derive from datetime (a NaT, say) ends here.
            return from_micros(to_micros(value))
        if isinstance(value, str):
            return from_micros(to_micros(datetime.fromisoformat(value)))
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return datetime.fromtimestamp(value, tz=UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        raise InvalidInput(argument, "is not a time that parses (ISO 8601, or seconds since 1970)") from None
    raise InvalidInput(argument, f"must be a datetime, an ISO 8601 string or seconds, not {type(value).__name__}")


def spoken(argument: str, value: object) -> datetime | None:
    """A message's time on the speaker's own clock, for "yesterday" is a day of theirs; None for None."""
    if value is None:
        return None
    instant = time(argument, value)
    own = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at_offset(instant, offset_minutes(own)) if isinstance(own, datetime) else instant


def maybe_time(argument: str, value: object) -> datetime | None:
    """`time`, None for None."""
    return None if value is None else time(argument, value)


def cutoff(argument: str, value: object, present: datetime) -> datetime:
    """From when on something is not older: an age before the present, as a timedelta or as "365d", "52w", "12m" or "1y" (days,
    weeks, months and years of the calendar); or a date in the past, as a datetime or an ISO 8601 string."""
    try:
        since = _ago(value, present)
    except OverflowError:
        raise InvalidInput(argument, "goes back further than the calendar does") from None
    if since is None:
        if not isinstance(value, datetime | str):
            raise InvalidInput(argument, f"must be an age or a date, not {type(value).__name__}")
        try:
            since = time(argument, value)
        except InvalidInput:
            raise InvalidInput(argument, "is no age such as 365d, 52w, 12m or 1y, and no date (ISO 8601)") from None
    if since >= present:
        raise InvalidInput(argument, "is not in the past")
    return since


def _ago(value: object, present: datetime) -> datetime | None:
    """The present less an age; None for what is none. Raises OverflowError."""
    if isinstance(value, timedelta):
        return present - value
    match = _AGE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit = int(match[1]), match[2]
    if unit in "dw":
        return present - timedelta(days=number * (7 if unit == "w" else 1))
    months = present.year * 12 + present.month - 1 - number * (12 if unit == "y" else 1)
    if months < 12:
        raise OverflowError
    year, month = months // 12, months % 12 + 1
    return present.replace(year=year, month=month, day=min(present.day, monthrange(year, month)[1]))


def metadata(argument: str, value: object) -> dict[str, Any]:
    """A mapping that is JSON: string keys, finite numbers."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(argument, f"must be a mapping, not {type(value).__name__}")
    _Nested(argument).look_at(value)
    try:
        dumped = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidInput(argument, "is not JSON") from None
    _encodable(argument, dumped.replace("\\u0000", "\x00"))
    if len(dumped) > MAX_METADATA:
        raise InvalidInput(argument, f"longer than {MAX_METADATA:,} characters of JSON")
    loaded: dict[str, Any] = json.loads(dumped)
    return loaded


class _Nested:
    """A look at nested values before they are written out: a few objects that hold each other often can be as long as they
    like ("a billion laughs"), and JSON would turn keys that are no strings into such."""

    def __init__(self, argument: str) -> None:
        self._argument = argument
        self._seen = 0

    def look_at(self, value: object, depth: int = 0) -> None:
        self._seen += 1
        if depth > MAX_DEPTH:
            raise InvalidInput(self._argument, f"is nested deeper than {MAX_DEPTH}, or holds itself")
        if self._seen > MAX_METADATA:  # each takes a character of JSON at least
            raise InvalidInput(self._argument, f"longer than {MAX_METADATA:,} characters of JSON")
        if isinstance(value, Mapping):
            for key, part in value.items():
                if not isinstance(key, str):
                    raise InvalidInput(self._argument, "has a key that is not a string")
                self.look_at(part, depth + 1)
        elif isinstance(value, list | tuple):
            for part in value:
                self.look_at(part, depth + 1)


def flag(argument: str, value: object) -> bool:
    """True or False, and nothing that merely counts as such."""
    if not isinstance(value, bool):
        raise InvalidInput(argument, "must be True or False")
    return value


def whole(argument: str, value: object, least: int = 1, most: int = MAX_HITS) -> int:
    """A whole number within limits."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidInput(argument, f"must be a whole number from {least} to {most:,}")
    return value


def positive(argument: str, value: object) -> float:
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise InvalidInput(argument, "must be a number above 0")
    return float(value)


def share(argument: str, value: object) -> float | None:
    """A number from 0 to 1, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InvalidInput(argument, "must be a number from 0 to 1")
    return float(value)


def include(value: object) -> frozenset[str]:
    """What search returns: memories, turns or both."""
    if not isinstance(value, Sequence | set | frozenset) or isinstance(value, str):
        raise InvalidInput("include", 'must be a list of "memories" and "turns"')
    if not value or not all(one in ("memories", "turns") for one in value):
        raise InvalidInput("include", 'must name "memories", "turns" or both')
    return frozenset(value)


def messages(value: object, timestamp: datetime | None) -> tuple[Message, ...]:
    """What `add` takes: a string, a message, or a list of messages; `timestamp` is for those that have none."""
    if isinstance(value, str):
        return (Message(Role.USER, text("messages", value), timestamp=timestamp),)
    if isinstance(value, Mapping):
        return (_message("messages", value, timestamp),)
    if not isinstance(value, Sequence) or isinstance(value, bytes):
        raise InvalidInput("messages", f"must be a string, a message or a list of them, not {type(value).__name__}")
    if not value:
        raise InvalidInput("messages", "is empty")
    if len(value) > MAX_MESSAGES:
        raise InvalidInput("messages", f"more than {MAX_MESSAGES:,}")
    checked = tuple(_message(f"messages[{i}]", one, timestamp) for i, one in enumerate(value))
    if sum(len(one.content) for one in checked) > MAX_TOGETHER:
        raise InvalidInput("messages", f"together longer than {MAX_TOGETHER:,} characters")
    return checked


def _message(argument: str, value: object, timestamp: datetime | None) -> Message:
    if not isinstance(value, Mapping):
        raise InvalidInput(argument, f"must be a mapping with role and content, not {type(value).__name__}")
    if unknown := [str(key)[:40] for key in value if key not in _KEYS]:
        raise InvalidInput(argument, f"has unknown keys: {', '.join(sorted(unknown)[:5])!r}")
    role = value.get("role")
    if not isinstance(role, str) or role not in {known.value for known in Role}:
        raise InvalidInput(f"{argument}.role", f"must be one of {', '.join(known.value for known in Role)}")
    name = value.get("name")
    if name is not None and len(identifier(f"{argument}.name", name)) > MAX_NAME:
        raise InvalidInput(f"{argument}.name", f"longer than {MAX_NAME} characters")
    said_at = spoken(f"{argument}.timestamp", value.get("timestamp"))
    return Message(Role(role), text(f"{argument}.content", value.get("content")), name, said_at or timestamp)


def digest(*parts: object) -> str:
    """A fingerprint of a request. Long sequences are read one by one: their text as a whole would take as much again."""
    hashed = hashlib.sha256()
    for part in parts:
        for one in part if isinstance(part, tuple) else (part,):
            hashed.update(repr(one).encode())
            hashed.update(b"\x00")
        hashed.update(b"\x01")
    return hashed.hexdigest()
