"""Conversation files → conversations. Pure functions, one small reader per format, in a registry.

What does not parse is yielded as a `FormatProblem` that names its line or place; the rest of the file goes on.
The formats are described in `docs/formats.md`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from . import check
from .errors import InvalidInput
from .model import Message


@dataclass(frozen=True, slots=True)
class Session:
    """Messages that were exchanged in one sitting, in their order; never empty."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation: its id in the file, and its sessions in their order."""

    id: str
    sessions: tuple[Session, ...]

    @property
    def turns(self) -> int:
        """How many messages there are."""
        return sum(len(session.messages) for session in self.sessions)


@dataclass(frozen=True, slots=True)
class FormatProblem:
    """Something in a file that could not be read. `line` is counted from 1; None where `problem` names the place."""

    file: str
    line: int | None
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}" if self.line else f"{self.file}: {self.problem}"


Found: TypeAlias = Conversation | FormatProblem


@dataclass(frozen=True, slots=True)
class Format:
    """A known kind of file. `recognises` sees the whole text; `read` gets it with the file's path, for ids and problems."""

    name: str
    description: str
    recognises: Callable[[str], bool]
    read: Callable[[str, Path], Iterator[Found]]


def read(file: Path, format: str | None = None) -> Iterator[Found]:  # noqa: A002 -- the word users know it by
    """The conversations of a file (`-`: standard input), and what could not be read of it.

    `format` None: recognised by its content.

    Raises InvalidInput where the file cannot be opened, is empty, or its format is unknown; before anything is yielded.
    """
    text = _text_of(file)
    return _chosen(format, text).read(text, Path("stdin") if file == STANDARD_INPUT else file)


def detect(text: str) -> Format | None:
    """The first format that recognises the text."""
    return next((known for known in FORMATS.values() if known.recognises(text)), None)


STANDARD_INPUT = Path("-")


def _text_of(file: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if file == STANDARD_INPUT else file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise InvalidInput("file", f"{file} cannot be read: {reason}") from None
    # Broken bytes become lone surrogates: whoever reads the line finds it, and the other lines are still good.
    text = data.decode("utf-8-sig", errors="surrogateescape")
    if not text.strip():
        raise InvalidInput("file", f"{file} is empty")
    return text


def _chosen(name: str | None, text: str) -> Format:
    known = ", ".join(FORMATS)
    if name is not None:
        if name not in FORMATS:
            raise InvalidInput("format", f"unknown: {name[:100]!r}; there are {known}")
        return FORMATS[name]
    found = detect(text)
    if found is None:
        raise InvalidInput("format", f"not recognised; name it ({known})")
    return found


def _parsed(text: str) -> Any:
    """JSON, or a ValueError that says what is wrong in words."""
    if _BROKEN.search(text):
        raise ValueError("is not UTF-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at column {error.colno}") from None
    except RecursionError:
        raise ValueError("is not JSON: nested too deeply") from None


_BROKEN = re.compile(r"[\udc80-\udcff]")


def _checked(message: Mapping[str, Any]) -> Message:
    """A message that `add` will take. Raises ValueError saying what is wrong with it."""
    try:
        return check.messages(dict(message), None)[0]
    except InvalidInput as error:
        field = error.argument.removeprefix("messages").lstrip(".") or "message"
        raise ValueError(f"{field}: {error.problem}") from None


# --- chat: one JSON object a line --------------------------------------------------------------------------------------

_ROLES = {"developer": "system", "human": "user", "ai": "assistant"}
_HEAD = 50  # lines that are looked at to recognise the format


def _is_chat(text: str) -> bool:
    return any(_is_chat_line(line) for line in text.split("\n", _HEAD)[:_HEAD])


def _is_chat_line(line: str) -> bool:
    try:
        value = _parsed(line)
    except ValueError:
        return False
    return isinstance(value, dict) and ("messages" in value or ("role" in value and "content" in value))


@dataclass(frozen=True, slots=True)
class _Line:
    """A message of a chat file and where it belongs."""

    conversation: str
    session: str | None
    message: Message


def _read_chat(text: str, file: Path) -> Iterator[Found]:
    """Messages of one conversation may be anywhere in the file; conversations come in the order of their first message."""
    conversations: dict[str, dict[str, list[Message]]] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        for found in _chat_line(line, number, file):
            if isinstance(found, FormatProblem):
                yield found
            else:
                sessions = conversations.setdefault(found.conversation, {})
                sessions.setdefault(found.session or found.conversation, []).append(found.message)
    for conversation, sessions in conversations.items():
        yield Conversation(conversation, tuple(Session(name, tuple(said)) for name, said in sessions.items()))


def _chat_line(line: str, number: int, file: Path) -> Iterator[_Line | FormatProblem]:
    try:
        value = _parsed(line)
        if not isinstance(value, dict):
            raise ValueError("is not a JSON object")
        if "messages" not in value:
            yield _chat_message(value, file.stem, None)
            return
        messages = value["messages"]
        if not isinstance(messages, list):
            raise ValueError("messages: must be a list")
        conversation = _name("id", value.get("id")) or f"{file.stem}-{number}"
        session = _name("session", value.get("session"))
    except ValueError as error:
        yield FormatProblem(str(file), number, str(error))
        return
    for place, message in enumerate(messages, start=1):
        try:
            yield _chat_message(message, conversation, session)
        except ValueError as error:
            yield FormatProblem(str(file), number, f"message {place}: {error}")


def _chat_message(value: Any, conversation: str, session: str | None) -> _Line:
    if not isinstance(value, Mapping):
        raise ValueError("is not a JSON object")
    if missing := [key for key in ("role", "content") if key not in value]:
        raise ValueError(f"has no {' and no '.join(missing)}")
    role = value["role"]
    message = {
        "role": _ROLES.get(role, role) if isinstance(role, str) else role,
        "content": _plain(value["content"]),
        "name": value.get("name"),
        "timestamp": value.get("timestamp"),
    }
    return _Line(
        _name("conversation", value.get("conversation")) or conversation,
        _name("session", value.get("session")) or session,
        _checked(message),
    )


def _plain(content: Any) -> Any:
    """The text of a message whose content is a list of parts; what has no text (images, files) is named by its type."""
    if not isinstance(content, list):
        return content
    texts = []
    for part in content:
        if not isinstance(part, Mapping):
            raise ValueError("content: a part is not a JSON object")
        told = part.get("text")
        texts.append(told if isinstance(told, str) else f"[{part.get('type', 'attachment')}]")
    return "\n".join(texts)


def _name(field: str, value: Any) -> str | None:
    """An id of the file's: a string, or a number as a string."""
    if value is None:
        return None
    try:
        return check.identifier(field, str(value) if isinstance(value, int) and not isinstance(value, bool) else value)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


# --- LoCoMo ------------------------------------------------------------------------------------------------------------

_SESSION = re.compile(r"session_([0-9]+)")
_WHEN = re.compile(r"(\d{1,2}):(\d{2})\s*([ap])\.?m\.?\s+on\s+(\d{1,2})\s+([a-z]+),?\s+(\d{4})", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def _is_locomo(text: str) -> bool:
    start = text.lstrip()[:1]
    return start in ("[", "{") and '"conversation"' in text and re.search(r'"session_\d+"\s*:', text) is not None


def _read_locomo(text: str, file: Path) -> Iterator[Found]:
    try:
        samples = _parsed_whole(text)
    except _Broken as error:
        yield FormatProblem(str(file), error.line, str(error))
        return
    for place, sample in enumerate(samples if isinstance(samples, list) else [samples], start=1):
        yield from _locomo_sample(sample, place, str(file))


class _Broken(ValueError):
    """A whole file that is not JSON, and the line where that shows."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.line = line


def _parsed_whole(text: str) -> Any:
    if broken := _BROKEN.search(text):
        raise _Broken("is not UTF-8", text.count("\n", 0, broken.start()) + 1)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise _Broken(f"is not JSON: {error.msg}", error.lineno) from None
    except (ValueError, RecursionError):
        raise _Broken("is not JSON", None) from None


def _locomo_sample(sample: Any, place: int, file: str) -> Iterator[Found]:
    talk = sample.get("conversation") if isinstance(sample, dict) else None
    if not isinstance(talk, dict):
        yield FormatProblem(file, None, f"conversation {place}: has no object 'conversation'")
        return
    try:
        name = _name("sample_id", sample.get("sample_id")) or f"conversation-{place}"
    except ValueError as error:
        yield FormatProblem(file, None, f"conversation {place}: {error}")
        return
    sessions = []
    for key in locomo_sessions(talk):
        if len(key) > check.MAX_ID:
            yield FormatProblem(file, None, f"{name}: the name of a session is longer than {check.MAX_ID} characters")
            continue
        messages = []
        for found in locomo_session(talk, key):
            if isinstance(found, str):
                yield FormatProblem(file, None, f"{name} {key}: {found}")
            else:
                messages.append(found[1])
        if messages:
            sessions.append(Session(key, tuple(messages)))
    if sessions:
        yield Conversation(name, tuple(sessions))
    else:
        yield FormatProblem(file, None, f"{name}: has no messages")


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
            yield place, _locomo_turn(turn, None if began is None else began + timedelta(seconds=place - 1))
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


def _locomo_turn(turn: Any, said_at: datetime | None) -> Message:
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
    return _checked({"role": "user", "name": turn["speaker"], "content": "\n".join(parts), "timestamp": said_at})


FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format("locomo", "LoCoMo's JSON: a list of conversations with dated sessions", _is_locomo, _read_locomo),
        Format("chat", "JSONL: a message or a conversation per line", _is_chat, _read_chat),
    )
}
