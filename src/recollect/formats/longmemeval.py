"""LongMemEval: a question on a haystack of dated chats between a user and an assistant, each instance a user of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..model import Message
from .parts import checked, each, listed, mapping, messages, named, unused
from .source import Source
from .values import Conversation, Found, Session

_LIKE = re.compile(r'"(haystack_sessions|haystack_session_ids|haystack_dates|answer_session_ids)"\s*:')
_DATE = re.compile(r"(\d{4})/(\d\d?)/(\d\d?)\s*(?:\([A-Za-z]*\))?\s*(\d\d?):(\d\d)")


def recognises(head: str) -> bool:
    """By the names of its fields."""
    return head.lstrip()[:1] in ("{", "[") and _LIKE.search(head) is not None


def read(source: Source) -> Iterator[Found]:
    """Each instance's haystack, its sessions by date."""
    return each(source, _conversation)


def _conversation(item: Mapping[str, Any], unnamed: str, problems: list[str]) -> Conversation | None:
    name = named("question_id", item.get("question_id")) or unnamed
    ids, dates, chats = (listed(key, item.get(key)) for key in (f"haystack_{one}" for one in _LISTS))
    if not len(ids) == len(dates) == len(chats):
        raise ValueError(f"has {len(ids)} session ids, {len(dates)} dates and {len(chats)} sessions")
    found: list[tuple[datetime, Session]] = []
    for told, date, turns in zip(ids, dates, chats, strict=True):
        began = longmemeval_date(date)
        if began is None:
            problems.append(f"{name}: session {str(told)[:80]}: its date does not parse; left out")
            continue
        key = unused(named("haystack_session_ids", told) or f"session-{len(found) + 1}", {one.id for _, one in found})
        said = _session(f"{name} {key}", began, turns, problems)
        if said:
            found.append((began, Session(key, said)))
    # The oracle's are not by date; sessions of one minute stay as they are.
    found.sort(key=lambda one: one[0])
    return Conversation(name, tuple(session for _, session in found)) if found else None


_LISTS = ("session_ids", "dates", "sessions")


def _session(name: str, began: datetime, turns: Any, problems: list[str]) -> tuple[Message, ...]:
    """A second apart, so that order and time agree; a turn in which nothing is said is left out."""
    if not isinstance(turns, list):
        problems.append(f"{name}: is not a list; left out")
        return ()
    dated = (
        (place, {**mapping(one), "at": began + timedelta(seconds=place - 1)} if isinstance(one, dict) else one)
        for place, one in enumerate(turns, start=1)
    )
    return messages(dated, _message, name, problems)


def _message(turn: Mapping[str, Any]) -> Message | None:
    text = turn.get("content")
    if isinstance(text, str) and not text.strip():
        return None
    return checked(turn.get("role"), text, None, turn["at"])


def longmemeval_date(value: object) -> datetime | None:
    """ "2023/05/30 (Tue) 23:40", taken as UTC; None where it does not parse."""
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        return None
    try:
        return datetime(*(int(part) for part in found.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
