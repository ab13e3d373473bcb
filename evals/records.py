"""What a run has of one system, as dicts in the form of its files, and the values in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .metrics import Asked
from .model import DataSet, Found, Packed, Stored

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Records:
    """By key: search, answers and judgements by the question's id, ingest by the conversation's, the others by any. A record
    with "error" is of something that failed."""

    ingest: Mapping[Any, Record] = field(default_factory=dict)
    stored: Mapping[Any, Record] = field(default_factory=dict)
    search: Mapping[Any, Record] = field(default_factory=dict)
    unrelated: Mapping[Any, Record] = field(default_factory=dict)
    answers: Mapping[Any, Record] = field(default_factory=dict)
    judgements: Mapping[Any, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, read: Callable[[Any, str], Mapping[Any, Record]], system: str) -> Records:
        """What `read(kind, system)` has: `Run.records`."""
        return cls(**{one.name: read(one.name, system) for one in fields(cls)})

    def asked(self, data: DataSet) -> Iterator[tuple[str, Asked]]:
        """Each question that was searched, answered or judged, with its conversation's id, in the data set's order."""
        for conversation in data.conversations:
            named = any(question.sessions for question in conversation.questions)
            session_of = {turn.id: one.id for one in conversation.sessions for turn in one.turns} if named else {}
            for question in conversation.questions:
                kinds = (self.search, self.answers, self.judgements)
                search, answer, judgement = (kind.get(question.id) for kind in kinds)
                if search is not None or answer is not None or judgement is not None:
                    yield (
                        conversation.id,
                        Asked(
                            question,
                            found_of(search),
                            context_of(search),
                            answer_of(answer),
                            judgement if judgement is not None and "error" not in judgement else None,
                            session_of,
                        ),
                    )

    @property
    def names_turns(self) -> bool:
        """Whether the system tells which turns its results stand for. One that never does cannot be measured by them. (One that
        found nothing at all can: it lost everything.)"""
        results = [found for record in self.search.values() for found in found_of(record) or ()]
        return not results or any(found.turns for found in results)


def answer_of(record: Record | None) -> str | None:
    """The answer in a record of one."""
    return None if record is None or "error" in record else str(record["answer"])


def found_of(record: Record | None) -> tuple[Found, ...] | None:
    """The results in a record of a search."""
    if record is None or "error" in record:
        return None
    return tuple(Found(**{**one, "turns": tuple(one["turns"])}) for one in record["found"])


def context_of(record: Record | None) -> Packed | None:
    """The context in a record of a search."""
    if record is None or "error" in record or record.get("context") is None:
        return None
    return Packed(**{**record["context"], "turns": tuple(record["context"]["turns"])})


def stored_of(record: Record) -> Stored:
    """The memory in a record of what is stored."""
    return Stored(record["id"], record["text"], tuple(record["turns"]), record["live"])
