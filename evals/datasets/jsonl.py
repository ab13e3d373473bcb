"""Our own format: JSON lines, each a conversation, a session, a turn or a question. docs/evals.md describes it.

It is read strictly, for its files are written by hand: whatever is wrong is told, by file and line, all of it at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from recollect import check
from recollect.errors import InvalidInput

from ..model import Conversation, DataSet, Question, Session, Turn
from . import files
from .turns import as_text, turn

# What a line may have, by the key that says what it is; those that it must have come first.
_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "conversation": (("conversation",), ("about",)),
    "session": (("session", "at"), ()),
    "turn": (("turn", "speaker", "role", "text"), ("at",)),
    "question": (("question", "text", "answer", "category"), ("evidence", "asked_at", "nuggets")),
}
_APART = timedelta(minutes=1)  # between turns that have no time of their own
_NEVER = datetime.fromtimestamp(0, UTC)  # stands in for a time that is wrong, until all that is wrong is told
Default = TypeVar("Default", str, None)


def recognises(path: Path) -> bool:
    """By the first line that says something: an object with a text under one of the four keys."""
    first = next((line for line in files.head(files.listed(path)[0]).splitlines() if line.strip()), "")
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and any(isinstance(found.get(key), str) for key in _KEYS)


def read(path: Path, name: str) -> DataSet:
    """A file, or all files of a folder in the order of their names.

    Raises DataSetInvalid naming every line that is wrong.
    """
    reader = _Reader()
    read = []
    for file in files.listed(path):
        data = files.content(file)
        read.append((file, files.sha256(data)))
        reader.file(file, data)
    if not reader.problems and not reader.found:
        reader.problems.append(f"{path}: holds no conversation")
    if reader.problems:
        raise files.invalid(reader.problems)
    return DataSet(name, tuple(one.done() for one in reader.found), files.digest(read))


@dataclass(slots=True)
class _Sitting:
    """A session as it is being read."""

    id: str
    at: datetime
    where: str
    turns: list[Turn] = field(default_factory=list)


@dataclass(slots=True)
class _Talk:
    """A conversation as it is being read."""

    id: str
    where: str
    sessions: list[_Sitting] = field(default_factory=list)
    questions: list[tuple[str, Question]] = field(default_factory=list)  # with their places
    turns: dict[str, str] = field(default_factory=dict)  # id → place

    def done(self) -> Conversation:
        sessions = tuple(Session(one.id, tuple(one.turns)) for one in self.sessions)
        return Conversation(self.id, sessions, tuple(question for _, question in self.questions))


class _Reader:
    """Goes through lines, remembers what the next one belongs to, and what is wrong."""

    def __init__(self) -> None:
        self.found: list[_Talk] = []
        self.problems: list[str] = []
        self._talk: _Talk | None = None
        self._sitting: _Sitting | None = None
        self._unread = False  # a line could not be read: what comes after it may have belonged to it
        self._conversations: dict[str, str] = {}
        self._questions: dict[str, str] = {}
        self._take = {
            "conversation": self._conversation,
            "session": self._session,
            "turn": self._turn,
            "question": self._question,
        }

    def file(self, file: Path, data: bytes) -> None:
        """Take a file's lines. A conversation ends with its file."""
        for number, text in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
            if not text.strip():
                continue
            where = f"{file.name}:{number}"
            try:
                line = _Line(where, text)
            except ValueError as error:
                self.problems.append(f"{where}: {error}")
                self._unread = True
                continue
            self._take[line.kind](line)
            self.problems += [f"{where}: {problem}" for problem in line.problems]
        self._close()
        self._unread = False

    def _conversation(self, line: _Line) -> None:
        self._close()
        self._unread = False
        line.text("about", None)
        self._talk = _Talk(line.new("conversation", self._conversations), line.where)
        self.found.append(self._talk)

    def _session(self, line: _Line) -> None:
        if self._talk is None:
            self._orphan(line, "a session comes before any conversation")
            return
        name = line.new("session", {one.id: one.where for one in self._talk.sessions})
        self._sitting = _Sitting(name, line.time("at") or _NEVER, line.where)
        self._talk.sessions.append(self._sitting)

    def _turn(self, line: _Line) -> None:
        if self._talk is None or self._sitting is None:
            self._orphan(line, "a turn comes before any session of its conversation")
            return
        name = line.new("turn", self._talk.turns)
        at = line.time("at") or self._sitting.at + _APART * len(self._sitting.turns)
        self._sitting.turns.append(line.turn(name, at))

    def _question(self, line: _Line) -> None:
        if self._talk is None:
            self._orphan(line, "a question comes before any conversation")
            return
        question = Question(
            line.new("question", self._questions),
            line.text("text", ""),
            line.text("answer", None),
            line.text("category", ""),
            line.texts("evidence"),
            line.time("asked_at"),
            line.texts("nuggets"),
        )
        self._talk.questions.append((line.where, question))

    def _orphan(self, line: _Line, problem: str) -> None:
        line.problems += [] if self._unread else [problem]

    def _close(self) -> None:
        """Look up what questions cite, now that all turns of the conversation are known."""
        talk, self._talk, self._sitting = self._talk, None, None
        if talk is None or self._unread:
            return
        for where, question in talk.questions:
            strange = [one for one in question.evidence if one not in talk.turns]
            self.problems += [f"{where}: evidence {one!r} names no turn of its conversation" for one in strange]
        self.problems += [f"{one.where}: session {one.id!r} has no turns" for one in talk.sessions if not one.turns]
        if not talk.sessions:
            self.problems.append(f"{talk.where}: conversation {talk.id!r} has no session")


class _Line:
    """One line: its values, checked as they are taken. What is wrong goes to `problems`, and a value of the kind is given."""

    def __init__(self, where: str, text: bytes) -> None:
        """Raises ValueError where it is no JSON object, or not of one kind."""
        self.where = where
        self.problems: list[str] = []
        self._values = _object(text)
        kinds = [key for key in _KEYS if key in self._values]
        if len(kinds) != 1:
            raise ValueError(
                f"has {'several' if kinds else 'none'} of the keys {', '.join(_KEYS)}; one says what a line is"
            )
        self.kind = kinds[0]
        needed, allowed = _KEYS[self.kind]
        if missing := [key for key in needed if key not in self._values]:
            self.problems.append(f"has no {', no '.join(missing)}")
        if unknown := [key for key in self._values if key not in needed + allowed]:
            known = ", ".join(needed + allowed)
            self.problems.append(f"unknown key {', '.join(map(repr, unknown))[:80]}; a {self.kind} has {known}")

    def new(self, key: str, taken: dict[str, str]) -> str:
        """An id that nothing of its kind had before; `taken` learns it, with its place."""
        try:
            name = check.identifier(key, self._values[key])
        except InvalidInput as error:
            self.problems.append(str(error))
            return ""
        if name in taken:
            self.problems.append(f"{key} {name!r} is there already, at {taken[name]}")
        taken.setdefault(name, self.where)
        return name

    def text(self, key: str, default: Default) -> str | Default:
        """A text that says something. Without a value: the default, and `null` is a value only where that is None."""
        value = self._values.get(key)
        if key not in self._values or (value is None and default is None):
            return default
        try:
            return as_text(value, key)
        except ValueError as error:
            self.problems.append(str(error))
            return default

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, none of them twice; empty where it is not there."""
        values = self._values.get(key, [])
        try:
            if not isinstance(values, list):
                raise ValueError(f"{key}: must be a list")
            found = tuple(as_text(value, key) for value in values)
            if len(set(found)) < len(found):
                raise ValueError(f"{key}: names something twice")
        except ValueError as error:
            self.problems.append(str(error))
            return ()
        return found

    def time(self, key: str) -> datetime | None:
        """A time in ISO 8601, without a zone in UTC; None where it is not there."""
        if key not in self._values:
            return None
        value = self._values[key]
        try:
            if not isinstance(value, str):
                raise InvalidInput(key, "must be a text, in ISO 8601")
            return check.spoken(key, value)
        except InvalidInput as error:
            self.problems.append(str(error))
            return None

    def turn(self, name: str, at: datetime) -> Turn:
        """The turn that it tells."""
        role, text, speaker = [self._values.get(key) for key in ("role", "text", "speaker")]
        try:
            if not isinstance(speaker, str):
                raise ValueError("speaker: must be a text")
            return turn(name, role, text, at, speaker)
        except ValueError as error:
            missing = not {"role", "text", "speaker"} <= self._values.keys()
            self.problems += [] if missing else [str(error)]  # what is not there was told
            return Turn(name, "", "", "", at)


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object. Raises ValueError in words."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {files.fault(error)} at column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except RecursionError:
        raise ValueError("is not JSON: nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("has a key twice")
    return found
