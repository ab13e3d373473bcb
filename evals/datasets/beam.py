"""BEAM: long chats (100K to 10M tokens) of a user with an assistant, each with twenty questions on ten abilities and rubrics.

CC BY-SA 4.0, mohammadtavakoli78/BEAM. A chat is a folder. Its traps are in docs/evals.md.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from recollect.formats.parts import unused

from ..errors import DataSetInvalid
from ..model import Conversation, DataSet, Question, Session, Turn
from . import files
from .dates import month, utc
from .turns import as_answer, as_text, once, turn

# The release has a chat's shortened form beside some; its questions were made for that one. (The spelling is the release's.)
_CHATS = ("chat_trunecated.json", "chat_trunecated.json.gz", "chat.json", "chat.json.gz")
_QUESTIONS = tuple(
    f"{folder}probing_questions.json{packed}" for folder in ("probing_questions/", "") for packed in ("", ".gz")
)
_ANSWERS = ("answer", "ideal_answer", "ideal_response", "ideal_summary", "expected_compliance")
_ANCHOR = re.compile(r"([A-Za-z]{3})[a-z]*-(\d\d?)-(\d{4})")
_MARK = re.compile(r"\s*->->\s*[\d,./NA\s]*$")  # the plan's numbers, left behind by what generated the chats
_ABSTENTION = "abstention"


class _Files(NamedTuple):
    """What a chat consists of."""

    chat: Path
    questions: Path


def recognises(path: Path) -> bool:
    """By the names of its files."""
    return path.name in _CHATS or any(_folders(path))


def read(path: Path, name: str) -> DataSet:
    """One chat's folder (or its chat file), a folder of such folders ("100K"), or a folder of those.

    Raises DataSetInvalid where there are none, or a chat has no questions.
    """
    folder = path if path.is_dir() else path.parent
    folders = list(_folders(folder))
    if not folders:
        raise DataSetInvalid(
            f"{path}: no chat of BEAM's is here; a chat is a folder with chat.json and probing_questions.json"
        )
    problems: list[str] = []
    read, found = [], []
    for one in folders:
        both = _files(one)
        data = {file: files.content(file) for file in both}
        read += [(file, files.sha256(data[file])) for file in both]
        told: list[str] = []
        identifier = f"{one.resolve().parent.name}-{one.resolve().name}"
        chat, questions = (files.document(file, data[file]) for file in both)
        found.append(conversation(identifier, chat, questions, told))
        problems += [f"{one.name}: {problem}" for problem in told]
        if not found[-1].sessions:
            raise files.invalid([f"{both.chat}: holds no turns; it is not a chat of BEAM's", *problems])
    return DataSet(name, tuple(found), files.digest(read), tuple(problems))


def _folders(path: Path, depth: int = 2) -> Iterator[Path]:
    """Those of chats; what is below one (the plans of a chat of 10M) belongs to it."""
    if not path.is_dir():
        return
    if _first(path, _CHATS):
        yield path
    elif depth:
        for one in files.entries(path):
            yield from _folders(one, depth - 1)


def _files(folder: Path) -> _Files:
    chat, questions = _first(folder, _CHATS), _first(folder, _QUESTIONS)
    if chat is None or questions is None:
        raise DataSetInvalid(f"{folder}: has no probing_questions.json, beside the chat or in probing_questions/")
    return _Files(chat, questions)


def _first(folder: Path, names: Collection[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)


def conversation(identifier: str, chat: Any, questions: Any, problems: list[str]) -> Conversation:
    """A chat with its questions; what is wrong goes to `problems`. A session is a batch: what was said from one date on."""
    sessions, used, twice = [], dict[str, None](), set[str]()
    at: datetime | None = None
    for number, batch in enumerate(_batches(chat), start=1):
        turns: list[Turn] = []
        for item in _messages(batch):
            anchor = when(item.get("time_anchor"))
            at = anchor or (at + timedelta(seconds=1) if at else None)
            told = str(item.get("id", f"{number}:{len(turns) + 1}"))
            try:
                said = turn(unused(told, used), item.get("role"), _without_mark(item.get("content")), at)
            except ValueError as error:
                problems.append(f"batch {number}, message {told}: {error}; left out")
                continue
            twice |= {told} if told in used else set()
            used[said.id] = None
            turns.append(said)
        if turns:
            sessions.append(Session(f"b{number}", tuple(turns)))
    if any(turn.said_at is None for session in sessions for turn in session.turns):
        problems.append("has turns before the first date; they have none")
    asked = tuple(_questions(identifier, questions, used.keys() - twice, problems))
    return Conversation(identifier, tuple(sessions), asked)


def _batches(chat: Any) -> Iterator[dict[str, Any]]:
    """Also those of the plans of a chat of 10M, which are under "plan-1", "plan-2" …"""
    if isinstance(chat, dict) and "turns" in chat:
        yield chat
    elif isinstance(chat, dict):
        for key in sorted(chat, key=lambda one: files.natural(Path(one))):
            yield from _batches(chat[key])
    elif isinstance(chat, list):
        for one in chat:
            yield from _batches(one)


def _messages(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A batch's turns are pairs of messages, or four or six where the assistant asked back."""
    for group in batch["turns"] if isinstance(batch["turns"], list) else ():
        yield from (item for item in (group if isinstance(group, list) else [group]) if isinstance(item, dict))


def _without_mark(text: Any) -> Any:
    return _MARK.sub("", text) if isinstance(text, str) else text


def _questions(conversation: str, abilities: Any, turns: Collection[str], problems: list[str]) -> Iterator[Question]:
    if not isinstance(abilities, dict):
        problems.append("probing_questions.json: is not a JSON object of abilities")
        return
    for ability, items in abilities.items():
        for place, item in enumerate(items if isinstance(items, list) else [items], start=1):
            try:
                yield _question(f"{conversation}/{ability}/{place}", ability, item, turns, problems)
            except ValueError as error:
                problems.append(f"{ability}/{place}: {error}; left out")


def _question(identifier: str, ability: str, item: Any, turns: Collection[str], problems: list[str]) -> Question:
    if not isinstance(item, dict):
        raise ValueError("is not a JSON object")
    answer = as_answer(next((item[key] for key in _ANSWERS if item.get(key) is not None), None))
    if answer is None:
        raise ValueError(f"has none of {', '.join(_ANSWERS)}")
    rubric = item.get("rubric", [])
    if not isinstance(rubric, list):
        raise ValueError("rubric: is not a list")
    named = once(str(one) for one in _flat(item.get("source_chat_ids")))
    if strange := [one for one in named if one not in turns]:
        place = identifier.partition("/")[2]
        problems.append(f"{place}: source {', '.join(strange)[:80]} names no message, or two; left out")
    return Question(
        identifier,
        as_text(item.get("question"), "question"),
        None if ability == _ABSTENTION else answer,
        ability,
        tuple(one for one in named if one in turns),
        nuggets=tuple(as_text(one, "rubric") for one in rubric),
    )


def _flat(ids: Any) -> Iterator[Any]:
    """Source ids come as a list, a list with lists in it, or lists under names ("first_statement")."""
    if isinstance(ids, dict):
        ids = list(ids.values())
    if isinstance(ids, list):
        for one in ids:
            yield from _flat(one)
    elif ids is not None:
        yield ids


def when(value: object) -> datetime | None:
    """ "March-15-2024", midnight; None where it does not parse."""
    found = _ANCHOR.fullmatch(value.strip()) if isinstance(value, str) else None
    return utc(found[3], month(found[1]), found[2]) if found else None
