"""LoCoMo: conversations of two friends in dated sessions, a list of samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .. import check
from ..model import Message
from .parts import USER, checked, each, named
from .source import Source
from .values import Conversation, Found, Session

_SESSION = re.compile(r"session_([0-9]+)")
_WHEN = re.compile(r"(\d{1,2}):(\d{2})\s*([ap])\.?m\.?\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{4})", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# The questions come before the conversation: by the form of their evidence, too.
_LIKE = re.compile(r'"session_\d+(?:_date_time)?"\s*:|"dia_id"\s*:|"evidence"\s*:\s*\[\s*"D:?\d')


def recognises(head: str) -> bool:
    """By the names of its sessions, or what its questions refer to."""
    return head.lstrip()[:1] in ("{", "[") and _LIKE.search(head) is not None


def read(source: Source) -> Iterator[Found]:
    """Each sample's conversation."""
    return each(source, _conversation)


def _conversation(sample: Mapping[str, Any], unnamed: str, problems: list[str]) -> Conversation | None:
    talk = sample.get("conversation")
    if not isinstance(talk, dict):
        raise ValueError("has no object 'conversation'")
    name = named("sample_id", sample.get("sample_id")) or unnamed
    sessions = []
    for key in locomo_sessions(talk):
        if len(key) > check.MAX_ID:
            problems.append(f"{name}: the name of a session is longer than {check.MAX_ID} characters")
            continue
        found = list(locomo_session(talk, key))
        problems += [f"{name} {key}: {one}" for one in found if isinstance(one, str)]
        if said := tuple(one[1] for one in found if not isinstance(one, str)):
            sessions.append(Session(key, said))
    if not sessions:
        raise ValueError("has no messages")
    return Conversation(name, tuple(sessions))


def locomo_sessions(talk: Mapping[str, Any]) -> list[str]:
    """The keys of the sessions that are there, by number: the files name dates of sessions that do not exist."""
    matches = (_SESSION.fullmatch(key) for key in talk)
    # By length and digits: what is longer than 4,300 digits Python makes no number of.
    digits = ((match[0], match[1].lstrip("0")) for match in matches if match)
    return [key for key, number in sorted(digits, key=lambda one: (len(one[1]), one[1]))]


def locomo_session(talk: Mapping[str, Any], key: str) -> Iterator[tuple[int, Message] | str]:
    """The session's messages with their places in its list, from 1; and what is wrong with it, in words."""
    turns = talk[key]
    if not isinstance(turns, list):
        yield "is not a list"
        return
    began = locomo_date(talk.get(f"{key}_date_time"))
    if began is None and turns:
        yield f"has no date that parses ({key}_date_time); its turns are stored without one"
    for place, turn in enumerate(turns, start=1):
        try:
            yield place, _turn(turn, None if began is None else began + timedelta(seconds=place - 1))
        except ValueError as error:
            yield f"turn {place}: {error}"


def locomo_date(value: object) -> datetime | None:
    """ "1:56 pm on 8 May, 2023", taken as UTC; None where it does not parse. Independent of the locale."""
    match = _WHEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    hour, minute, half, day, month, year = match.groups()
    try:
        return datetime(
            int(year),
            _MONTHS.index(month[:3].lower()) + 1,
            int(day),
            int(hour) % 12 + (12 if half.lower() == "p" else 0),
            int(minute),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _turn(turn: Any, said_at: datetime | None) -> Message:
    """A turn as a user's message with the speaker's name. One second apart, so that order and time agree."""
    if not isinstance(turn, dict):
        raise ValueError("is not a JSON object")
    text, caption = turn.get("text"), turn.get("blip_caption")
    if not isinstance(turn.get("speaker"), str):
        raise ValueError("has no speaker")
    if text is not None and not isinstance(text, str):
        raise ValueError("text: must be a string")
    parts = [text.strip()] if text and text.strip() else []
    if isinstance(caption, str) and caption.strip():
        # A line of its own: what the image shows is not a sentence of the speaker's.
        parts.append(f"[shared an image: {caption.strip()}]")
    return checked(USER, "\n".join(parts), turn["speaker"], said_at)
