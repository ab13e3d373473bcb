"""LoCoMo: long chats of two friends, with questions on single and several turns, dates, and things never said.

CC BY-NC 4.0, snap-research/LoCoMo. Its traps are in docs/evals.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from recollect import formats
from recollect.formats.parts import unused

from ..errors import DataSetInvalid
from ..model import Conversation, DataSet, Question, Session, Turn
from . import files
from .turns import as_answer, as_text, of_message, once

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
Doubts = Mapping[str, frozenset[str]]  # by the audit's ids

# The audit numbers the ten conversations of the release; a file may hold some of them.
_RELEASED = ("26", "30", "41", "42", "43", "44", "47", "48", "49", "50")
_AUDIT = "erroneous_question_ids.json"
_EVIDENCE = re.compile(r"D:?\s*(\d+):(\d+)")
_LIKE = re.compile(r'"session_\d+"\s*:|"dia_id"\s*:|"evidence"\s*:\s*\[\s*"D:?\d')


def recognises(path: Path) -> bool:
    """By the names of its sessions, or the form of its evidence: the questions come before the conversation."""
    return _LIKE.search(files.head(files.listed(path)[0])) is not None


def read(path: Path, name: str) -> DataSet:
    """A file of it, or a folder of such files; with an audit of its answer keys where that lies beside.

    Raises DataSetInvalid where nothing of it can be read.
    """
    doubts = audited(path)
    problems: list[str] = []
    read, found = [], []
    for file in files.listed(path):
        data = files.content(file)
        read.append((file, files.sha256(data)))
        problems += files.unlike_published(*read[-1])
        samples = files.document(file, data)
        for place, sample in enumerate(samples if isinstance(samples, list) else [samples], start=1):
            told: list[str] = []
            talk = conversation(sample, place, doubts, told)
            found += [] if talk is None else [talk]
            problems += [f"{file.name}: {problem}" for problem in told]
    if not found:
        raise files.invalid([f"{path}: holds no conversation of LoCoMo's", *problems])
    return DataSet(name, tuple(found), files.digest(read), tuple(problems))


def audited(path: Path) -> Doubts:
    """What the audit of the answer keys says, from its file beside the data; empty where there is none.

    "answer": the key is wrong, made up, incomplete or ambiguous; "evidence": it names the wrong turns.
    """
    folder = path if path.is_dir() else path.parent
    places = (folder, folder / "locomo-audit", folder.parent / "locomo-audit")
    file = next((place / _AUDIT for place in places if (place / _AUDIT).is_file()), None)
    if file is None:
        return {}
    table = files.document(file, files.content(file))
    try:
        by_type = dict(table.get("by_type", {}))
        evidence = {*table["citation_only"], *by_type.pop("WRONG_CITATION", ())}
        answer = {*table["score_corrupting"], *(one for found in by_type.values() for one in found)}
    except (KeyError, TypeError, AttributeError):
        raise DataSetInvalid(
            f"{file} is no audit of LoCoMo's keys: it needs the lists score_corrupting and citation_only"
        ) from None
    kinds = (("answer", answer), ("evidence", evidence))
    return {one: frozenset(kind for kind, ids in kinds if one in ids) for one in answer | evidence}


def conversation(sample: Any, place: int, doubts: Doubts, problems: list[str]) -> Conversation | None:
    """One of the samples; what is wrong with it goes to `problems`. None: nothing of it can be read."""
    talk = sample.get("conversation") if isinstance(sample, dict) else None
    if not isinstance(talk, dict):
        problems.append(f"conversation {place}: has no object 'conversation'")
        return None
    told = sample.get("sample_id")
    name = told if isinstance(told, str) and told else f"conversation-{place}"
    said: list[str] = []
    sessions = tuple(_sessions(talk, said))
    if not sessions:
        problems += [f"{name}: has no turns", *(f"{name} {problem}" for problem in said)]
        return None
    turns = {turn.id for session in sessions for turn in session.turns}
    questions = tuple(_questions(name, sample.get("qa"), turns, doubts, said))
    problems += [f"{name} {problem}" for problem in said]
    return Conversation(name, sessions, questions)


def _sessions(talk: Mapping[str, Any], problems: list[str]) -> Iterator[Session]:
    used: set[str] = set()
    for key in formats.locomo_sessions(talk):
        turns = []
        for found in formats.locomo_session(talk, key):
            if isinstance(found, str):
                problems.append(f"{key}: {found}")
                continue
            place, message = found
            identifier = _turn_id(talk[key][place - 1].get("dia_id"), key, place)
            if identifier in used:
                problems.append(f"{key}: {identifier} is the id of two turns; evidence means the first")
            turn: Turn = of_message(unused(identifier, used), message)
            used.add(turn.id)
            turns.append(turn)
        if turns:
            yield Session(key, tuple(turns))


def _turn_id(told: object, key: str, place: int) -> str:
    found = _EVIDENCE.fullmatch(told.strip()) if isinstance(told, str) else None
    return _normal(found) if found else f"D{int(key.removeprefix('session_')[:9])}:{place}"


def _normal(found: re.Match[str]) -> str:
    """ "D:11:26" and "D11:026" are "D11:26"."""
    return f"D{found[1].lstrip('0') or '0'}:{found[2].lstrip('0') or '0'}"


def _questions(
    name: str, items: Any, turns: Collection[str], doubts: Doubts, problems: list[str]
) -> Iterator[Question]:
    if items is None:
        return
    if not isinstance(items, list):
        problems.append("qa: is not a list")
        return
    number = name.rpartition("-")[2]
    index = _RELEASED.index(number) if number in _RELEASED else None
    for place, item in enumerate(items):
        doubtful = doubts.get(f"locomo_{index}_qa{place}", frozenset())
        try:
            yield _question(f"{name}/qa{place}", item, turns, doubtful, problems)
        except ValueError as error:
            problems.append(f"qa{place}: {error}; left out")


def _question(
    identifier: str, item: Any, turns: Collection[str], doubts: frozenset[str], problems: list[str]
) -> Question:
    if not isinstance(item, dict):
        raise ValueError("is not a JSON object")
    category = item.get("category")
    if not isinstance(category, int) or category not in CATEGORIES:
        raise ValueError(f"category: {json.dumps(category)[:40]} is none of 1 to 5")
    answer = as_answer(item.get("answer"))
    if answer is None and category != 5:
        raise ValueError("has no answer")
    if answer is None and "adversarial_answer" not in item:
        raise ValueError("has neither an answer nor an adversarial_answer")
    # What an adversarial question names is the turn that it twists; no turn carries an answer.
    evidence = [] if category == 5 else item.get("evidence", [])
    named = once(_named(evidence if isinstance(evidence, list) else [evidence]))
    if strange := [one for one in named if one not in turns]:
        place = identifier.rpartition("/")[2]
        problems.append(f"{place}: evidence {', '.join(strange)[:80]} names no turn; left out")
    return Question(
        identifier,
        as_text(item.get("question"), "question"),
        answer,
        CATEGORIES[category],
        tuple(one for one in named if one in turns),
        doubts=doubts,
    )


def _named(evidence: Iterable[Any]) -> Iterator[str]:
    """Turn ids, also those that share a string or are misspelt; what has none is told as it stands."""
    for told in evidence:
        text = told if isinstance(told, str) else json.dumps(told)
        found = [_normal(one) for one in _EVIDENCE.finditer(text)]
        yield from found or [text]
