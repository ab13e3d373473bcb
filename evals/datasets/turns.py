"""Turns as `recollect` would store them: checked and normalised by its own check of messages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from recollect import check
from recollect.errors import InvalidInput
from recollect.model import Message

from ..model import Turn


def turn(identifier: str, role: object, text: object, said_at: datetime | None, speaker: object = None) -> Turn:
    """A turn; without a `speaker`, the role speaks. Raises ValueError saying what is wrong with it."""
    message = {"role": role, "content": text, "name": speaker, "timestamp": said_at}
    try:
        (checked,) = check.messages([message], None)
    except InvalidInput as error:
        field = error.argument.removeprefix("messages[0]").lstrip(".") or "message"
        raise ValueError(f"{_FIELDS.get(field, field)}: {error.problem}") from None
    return of_message(identifier, checked)


_FIELDS = {"content": "text", "name": "speaker", "timestamp": "at"}


def of_message(identifier: str, message: Message) -> Turn:
    """A checked message under an id."""
    role = message.role.value
    return Turn(identifier, message.name or role, role, message.content, message.timestamp)


def as_answer(value: Any) -> str | None:
    """An answer of a key as text: several data sets have numbers among them. Raises ValueError for what is neither."""
    if value is None:
        return None
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("answer: is neither a text nor a number")


def once(items: Iterable[str]) -> tuple[str, ...]:
    """Without repetitions, in the order of first sight."""
    return tuple(dict.fromkeys(items))


def as_text(value: Any, field: str) -> str:
    """A text that says something. Raises ValueError naming the field."""
    try:
        return check.text(field, value).strip()
    except InvalidInput as error:
        raise ValueError(f"{field}: {error.problem}") from None
