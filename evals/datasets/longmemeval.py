"""LongMemEval: one question on a haystack of chats between a user and an assistant; S, M, and the oracle's haystacks.

MIT, xiaowu0162/LongMemEval. M has 2.7 GB: an instance is read when it is asked for. Its traps are in docs/evals.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, overload

from recollect.formats.longmemeval import longmemeval_date
from recollect.formats.parts import unused
from recollect.formats.streams import Malformed, Object, objects

from ..errors import DataSetInvalid
from ..model import Conversation, DataSet, Question, Session
from . import files
from .turns import as_answer, as_text, turn

_LIKE = re.compile(r'"(haystack_sessions|haystack_session_ids|haystack_dates|answer_session_ids)"\s*:')


def recognises(path: Path) -> bool:
    """By the names of its fields."""
    return _LIKE.search(files.head(files.listed(path)[0])) is not None


def read(path: Path, name: str) -> DataSet:
    """One file of instances. The whole file is read once, to check and hash it; instances again, as they are asked for.

    Raises DataSetInvalid where it is not whole, or nothing of it can be read.
    """
    file = files.single(path)
    problems: list[str] = []
    spans, seen = [], set()
    with files.opened(file) as stream:
        hashed = files.Hashed(stream)
        files.refuse_strangers(file, hashed.peek())
        for number, (start, _, data) in enumerate(_objects(file, hashed), start=1):
            told: list[str] = []
            found = instance(_parsed(file, number, start, data), number, told)
            problems += [f"{file.name}: {problem}" for problem in told]
            if found is None:
                continue
            if found.id in seen:
                raise DataSetInvalid(f"{file}: instance {number}: question_id {found.id} occurs twice")
            seen.add(found.id)
            spans.append(Span(start, len(data), number))
    if not spans:
        raise files.invalid([f"{file}: holds no instance of LongMemEval's", *problems])
    checksum = hashed.checksum
    return DataSet(name, Instances(file, spans), checksum, (*files.unlike_published(file, checksum), *problems))


def _objects(file: Path, stream: files.Hashed) -> Iterator[Object]:
    try:
        yield from objects(stream.read)
    except Malformed as error:
        raise DataSetInvalid(f"{file}: {error} (byte {error.at:,}); {files.CUT_OFF}") from None


def _parsed(file: Path, number: int, start: int, data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise DataSetInvalid(f"{file}: instance {number} (byte {start:,}) is not JSON; {files.CUT_OFF}") from None


class Span(NamedTuple):
    """Where an instance stands in its file: first byte, length in bytes, number from 1."""

    start: int
    length: int
    number: int


class Instances(Sequence[Conversation]):
    """Conversations of a file, read from it each time one is asked for. Going over them in order reads the file once.

    Raises DataSetInvalid where the file is no longer the one that was checked.
    """

    def __init__(self, file: Path, spans: Sequence[Span]) -> None:
        self._file = file
        self._spans = tuple(spans)
        self._state = _state(file)

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, index: int) -> Conversation: ...
    @overload
    def __getitem__(self, index: slice) -> Instances: ...
    def __getitem__(self, index: int | slice) -> Conversation | Instances:
        if isinstance(index, slice):
            part = Instances(self._file, self._spans[index])
            part._state = self._state
            return part
        return next(self._read((self._spans[index],)))

    def __iter__(self) -> Iterator[Conversation]:
        return self._read(self._spans)

    def _read(self, spans: Sequence[Span]) -> Iterator[Conversation]:
        if _state(self._file) != self._state:
            raise DataSetInvalid(f"{self._file} was changed after it was read; load it again")
        with files.opened(self._file) as stream:
            for span in spans:
                stream.seek(span.start)
                found = instance(
                    _parsed(self._file, span.number, span.start, stream.read(span.length)), span.number, []
                )
                if found is None:
                    raise DataSetInvalid(f"{self._file} was changed after it was read; load it again")
                yield found


def _state(file: Path) -> tuple[int, int]:
    try:
        told = file.stat()
    except OSError as error:
        raise DataSetInvalid(f"{file} cannot be read: {error.strerror}") from None
    return told.st_size, told.st_mtime_ns


def instance(item: Any, number: int, problems: list[str]) -> Conversation | None:
    """One question with its haystack; what is wrong with it goes to `problems`. None: it cannot be used."""
    name = item.get("question_id") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name:
        problems.append(f"instance {number}: has no question_id")
        return None
    told: list[str] = []
    try:
        stack = _haystack(item, told)
        questions = tuple(_questions(name, item, stack))
    except ValueError as error:
        problems.append(f"{name}: {error}; left out")
        return None
    problems += [f"{name}: {problem}" for problem in told]
    return Conversation(name, tuple(one.session for one in stack), questions)


@dataclass(frozen=True, slots=True)
class _Straw:
    """A session of a haystack. `name`: as the file has it, which may occur twice; `marked`: turns that carry an answer."""

    name: str
    session: Session
    marked: tuple[str, ...]


def _haystack(item: dict[str, Any], problems: list[str]) -> list[_Straw]:
    """Its sessions by date; empty ones are left out. Raises ValueError where the lists do not fit together."""
    names, dates, sessions = (item.get(f"haystack_{key}") for key in ("session_ids", "dates", "sessions"))
    if not (isinstance(names, list) and isinstance(dates, list) and isinstance(sessions, list)):
        raise ValueError("haystack_session_ids, haystack_dates and haystack_sessions must be lists")
    if not len(names) == len(dates) == len(sessions):
        raise ValueError(f"has {len(names)} session ids, {len(dates)} dates and {len(sessions)} sessions")
    found: list[tuple[datetime, _Straw]] = []
    used: set[str] = set()
    for name, date, turns in zip(map(str, names), dates, sessions, strict=True):
        began = longmemeval_date(date)
        if began is None:
            raise ValueError(f"session {name[:80]}: its date does not parse")
        straw = _straw(name, unused(name, used), began, turns, problems)
        if straw is not None:
            used.add(straw.session.id)
            found.append((began, straw))
    if not found:
        raise ValueError("has no turns")
    found.sort(key=lambda one: one[0])  # the oracle's are not by date; sessions of one minute stay as they are
    return [straw for _, straw in found]


def _straw(name: str, identifier: str, began: datetime, items: Any, problems: list[str]) -> _Straw | None:
    if not isinstance(items, list):
        problems.append(f"session {name}: is not a list; left out")
        return None
    turns, marked = [], []
    for place, item in enumerate(items, start=1):
        if not isinstance(item, dict):
            problems.append(f"session {name}, turn {place}: is not a JSON object; left out")
            continue
        text, carries = item.get("content"), item.get("has_answer") is True
        if isinstance(text, str) and not text.strip() and not carries:
            continue  # nothing was said, and nobody asks for it
        try:
            said = turn(f"{identifier}:{place}", item.get("role"), text, began + timedelta(seconds=place - 1))
        except ValueError as error:
            problems.append(f"session {name}, turn {place}: {error}; left out")
            continue
        turns.append(said)
        marked += [said.id] if carries else []
    return _Straw(name, Session(identifier, tuple(turns)), tuple(marked)) if turns else None


def _questions(name: str, item: dict[str, Any], stack: Sequence[_Straw]) -> Iterator[Question]:
    """One, or with a shared haystack several: then their texts, answers and sessions are lists. Raises ValueError."""
    asked_at = longmemeval_date(item.get("question_date"))
    if asked_at is None:
        raise ValueError("question_date does not parse")
    told = item.get("question_type")
    category = told if isinstance(told, str) and told else "unknown"
    texts = item.get("questions", [item.get("question")])
    answers = item.get("answers", [item.get("answer")])
    sources = item.get("answer_session_ids", [])
    if "questions" not in item:
        sources = [sources]
    if not (isinstance(texts, list) and isinstance(answers, list) and isinstance(sources, list)):
        raise ValueError("questions, answers and answer_session_ids must be lists")
    if not len(texts) == len(answers) == len(sources):
        raise ValueError(f"has {len(texts)} questions, {len(answers)} answers and {len(sources)} lists of sessions")
    for place, (text, key, named) in enumerate(zip(texts, answers, sources, strict=True), start=1):
        identifier = name if "questions" not in item else f"{name}/{place}"
        unsaid = name.endswith("_abs")
        answer = as_answer(key)
        if answer is None:
            raise ValueError("has no answer")
        carrying = [] if unsaid else _carrying(named, stack)
        yield Question(
            identifier,
            as_text(text, "question"),
            None if unsaid else answer,
            "abstention" if unsaid else category,
            tuple(one for straw in carrying for one in straw.marked),
            asked_at,
            sessions=tuple(straw.session.id for straw in carrying),
        )


def _carrying(named: Any, stack: Sequence[_Straw]) -> list[_Straw]:
    """The sessions that carry the answer; of one that occurs twice, the first."""
    wanted = set(map(str, named if isinstance(named, list) else []))
    return [straw for straw in stack if straw.name in wanted and straw.name == straw.session.id]
