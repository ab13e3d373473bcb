"""HaluMem: chats of a user with an assistant, with the memories that each session should leave behind, and should not.

CC BY-NC-ND 4.0, MemTensor/HaluMem: evaluate locally only. One user a line. Its traps are in docs/evals.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from unicodedata import normalize

from ..errors import DataSetInvalid
from ..model import Conversation, DataSet, Point, Question, Session, Turn
from . import files
from .dates import month, utc
from .turns import as_answer, as_text, turn

NEVER_SAID = "Memory Boundary"  # questions on what nobody told; their keys say so in many ways

_LIKE = re.compile(r'"(persona_info|memory_points|memory_content)"\s*:')
_NAME = re.compile(r"Name:\s*([^;]+);")
_DATE = re.compile(r"([A-Za-z]{3})[a-z]* (\d\d?), (\d{4}), (\d\d?):(\d\d):(\d\d)")
_TRUTH = {"True": True, "False": False, True: True, False: False}


def recognises(path: Path) -> bool:
    """By the names of its fields."""
    return _LIKE.search(files.head(files.listed(path)[0])) is not None


def read(path: Path, name: str) -> DataSet:
    """A file of users, or a folder of such files.

    Raises DataSetInvalid where a line is no JSON, a user occurs twice, or nothing can be read.
    """
    problems: list[str] = []
    read, found = [], {}
    for file in files.listed(path):
        data = files.content(file)
        read.append((file, files.sha256(data)))
        problems += files.unlike_published(*read[-1])
        for line, item in files.lines(file, data):
            told: list[str] = []
            talk = user(item, told)
            problems += [f"{file.name}:{line}: {problem}" for problem in told]
            if talk is None:
                continue
            if talk.id in found:
                raise DataSetInvalid(f"{file}:{line}: the user {talk.id} occurs twice; name one file of them")
            found[talk.id] = talk
    if not found:
        raise files.invalid([f"{path}: holds no user of HaluMem's", *problems])
    return DataSet(name, tuple(found.values()), files.digest(read), tuple(problems))


def user(item: Any, problems: list[str]) -> Conversation | None:
    """One user's conversation; what is wrong with it goes to `problems`. None: nothing of it can be read."""
    name = item.get("uuid") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name or not isinstance(item.get("sessions"), list):
        problems.append("has no uuid, or no list of sessions")
        return None
    persona = _NAME.search(str(item.get("persona_info")))
    sessions: list[Session] = []
    points: list[Point] = []
    questions: list[Question] = []
    by_text: dict[str, str] = {}
    for number, sitting in enumerate(item["sessions"], start=1):
        if not isinstance(sitting, dict):
            problems.append(f"session {number}: is not a JSON object; left out")
            continue
        identifier, told = f"s{number}", list[str]()
        turns = tuple(_turns(identifier, sitting, persona[1].strip() if persona else None, told))
        sessions += [Session(identifier, turns)] if turns else []
        if not sitting.get("is_generated_qa_session"):  # padding of HaluMem-Long: chat that leaves nothing behind
            left = tuple(_points(identifier, sitting, told))
            points += left
            by_text |= {point.text: point.id for point in left}
            questions += _questions(f"{name}/{identifier}", sitting, by_text, told)
        problems += [f"{identifier}: {problem}" for problem in told]
    if not sessions:
        problems.append("has no turns")
        return None
    return Conversation(name, tuple(sessions), tuple(questions), tuple(points))


def _turns(session: str, sitting: Mapping[str, Any], persona: str | None, problems: list[str]) -> Iterator[Turn]:
    for place, item in enumerate(_list(sitting, "dialogue", problems), start=1):
        try:
            if not isinstance(item, dict):
                raise ValueError("is not a JSON object")
            said_at = when(item.get("timestamp"))
            if said_at is None:
                raise ValueError("its timestamp does not parse")
            role = item.get("role")
            yield turn(f"{session}:{place}", role, item.get("content"), said_at, persona if role == "user" else None)
        except ValueError as error:
            problems.append(f"turn {place}: {error}; left out")


def _points(session: str, sitting: Mapping[str, Any], problems: list[str]) -> Iterator[Point]:
    for place, item in enumerate(_list(sitting, "memory_points", problems), start=1):
        try:
            yield _point(session, place, item)
        except ValueError as error:
            problems.append(f"memory point {place}: {error}; left out")


def _point(session: str, place: int, item: Any) -> Point:
    if not isinstance(item, dict):
        raise ValueError("is not a JSON object")
    told = item.get("is_update")
    if not isinstance(told, str | bool) or told not in _TRUTH:
        raise ValueError('is_update: is neither "True" nor "False"')
    originals = item.get("original_memories") or []
    if not isinstance(originals, list):
        raise ValueError("original_memories: is not a list")
    importance = item.get("importance")
    return Point(
        f"{session}/{place}",
        session,
        as_text(item.get("memory_content"), "memory_content"),
        as_text(item.get("memory_type"), "memory_type"),
        as_text(item.get("memory_source"), "memory_source"),
        _TRUTH[told],
        tuple(as_text(one, "original_memories") for one in originals),
        float(importance) if isinstance(importance, int | float) else None,
    )


def _questions(
    prefix: str, sitting: Mapping[str, Any], points: Mapping[str, str], problems: list[str]
) -> Iterator[Question]:
    """They are asked when the session ends, and right then: later sessions may change the answer."""
    items = _list(sitting, "questions", problems) if "questions" in sitting else []
    asked_at = when(sitting.get("end_time"))
    if items and asked_at is None:
        problems.append("end_time does not parse: its questions are asked after the last session")
    for place, item in enumerate(items, start=1):
        try:
            yield _question(f"{prefix}/q{place}", item, asked_at, points, problems)
        except ValueError as error:
            problems.append(f"question {place}: {error}; left out")


def _question(
    identifier: str, item: Any, asked_at: datetime | None, points: Mapping[str, str], problems: list[str]
) -> Question:
    if not isinstance(item, dict):
        raise ValueError("is not a JSON object")
    category = as_text(item.get("question_type"), "question_type")
    answer = as_answer(item.get("answer"))
    if answer is None:
        raise ValueError("has no answer")
    told = item.get("evidence") or []
    if not isinstance(told, list):
        raise ValueError("evidence: is not a list")
    evidence = [_normal(one.get("memory_content") if isinstance(one, dict) else one) for one in told]
    if strange := sum(text not in points for text in evidence):
        problems.append(f"{identifier.rpartition('/')[2]}: {strange} pieces of evidence are no memory points; left out")
    return Question(
        identifier,
        as_text(item.get("question"), "question"),
        None if category == NEVER_SAID else answer,
        category,
        asked_at=asked_at,
        points=tuple(dict.fromkeys(points[text] for text in evidence if text in points)),
    )


def _normal(told: object) -> str:
    """As the texts of points are."""
    return normalize("NFC", str(told)).strip()


def _list(item: Mapping[str, Any], key: str, problems: list[str]) -> list[Any]:
    found = item.get(key)
    if isinstance(found, list):
        return found
    problems.append(f"{key}: is not a list")
    return []


def when(value: object) -> datetime | None:
    """ "Jan 15, 2029, 15:12:20"; None where it does not parse."""
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    return utc(found[3], month(found[1]), found[2], *found.groups()[3:]) if found else None
