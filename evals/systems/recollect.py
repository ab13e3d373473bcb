"""recollect itself: a store of its own, a user per conversation, in which everything happens by public verbs."""

from __future__ import annotations

import hashlib
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, TypeAlias

from recollect import Memory
from recollect.check import digest
from recollect.ports import Embedder
from recollect.results import AddResult, AddUsage, Hit
from recollect.usage import Usage

from .. import tokens
from ..errors import SystemFailed
from ..model import Conversation, Found, Ingested, Packed, Question, Session, Spent, Stored, Turn
from .plain import unknown
from .texts import distinct

Include: TypeAlias = tuple[Literal["memories", "turns"], ...]
MEMORIES: Include = ("memories",)
TURNS: Include = ("turns",)
BOTH: Include = ("memories", "turns")

# Only our own fence looks like this: in what users said, `context` has taken the sign before "memory" out.
_FENCE = re.compile(r'(?<=<memory id=")[0-9a-f]{32}(?=">)|(?<=</memory id=")[0-9a-f]{32}(?=">)')


@dataclass(frozen=True, slots=True)
class Access:
    """A language model by its litellm name, or an object as `Memory` takes it; and the way to it."""

    llm: object = "rules"
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float | None = None

    @property
    def arguments(self) -> dict[str, Any]:
        """As `Memory` takes them."""
        given = {"api_base": self.api_base, "api_key": self.api_key, "timeout": self.timeout}
        return {"llm": self.llm} | {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class _Talk:
    """What is known of a conversation beside what the store has. `turns`: the conversation's ids of turns, by the store's.
    `ended`: when its last dated turn was said."""

    turns: Mapping[str, str]
    ended: datetime | None


class Recollect:
    """recollect with one extractor and reconciler. `include`: what it searches for; `graph`: whether along entities too.

    A turn is known by the place that it has in what `add` returns, never by its text, for people say the same thing twice.
    `memory`: the store, open.
    """

    def __init__(
        self,
        folder: Path,
        *,
        label: str,
        embedder: Embedder,
        access: Access = Access(),
        include: Include = BOTH,
        graph: bool = True,
    ) -> None:
        only = "" if include == BOTH else f", {include[0]} only"
        self.name = f"recollect, {label}{only}{'' if graph else ', without graph'}"
        self.settings: Mapping[str, object] = {
            "llm": access.llm if isinstance(access.llm, str) else label,
            "embedder": embedder.id,
            "include": list(include),
            "graph": graph,
            "version": version("recollect"),
        }
        self.memory = Memory(folder / "store", embedder=embedder, **access.arguments)
        self._include, self._graph = include, graph
        self._talks: dict[str, _Talk] = {}

    # --- ingest --------------------------------------------------------------------------------------------------------

    def ingest(self, conversation: Conversation) -> Ingested:
        """Session by session, under keys: what is there already is not added again, what is pending is finished.

        Raises RecollectError as `add` does; SystemFailed where something stays pending all the same.
        """
        began = time.perf_counter()
        results = [self._add(conversation, n) for n, one in enumerate(conversation.sessions) if one.turns]
        self._settle(conversation.id)
        ids = (turn.id for session in conversation.sessions for turn in session.turns)
        stored = (identifier for result in results for identifier in result.turn_ids)
        told = [turn.said_at for turn in conversation.turns if turn.said_at is not None]
        self._talks[conversation.id] = _Talk(dict(zip(stored, ids, strict=True)), max(told, default=None))
        return Ingested(
            memories=self.memory.count(user_id=conversation.id),
            spent=spent(results, time.perf_counter() - began),
            rejected=Counter(one.reason for result in results for one in result.rejected),
        )

    def estimate(self, conversation: Conversation) -> Usage:
        """What taking it in would cost at most: nothing with rules."""
        told = [self.memory.estimate(messages(one)).usage for one in conversation.sessions if one.turns]
        return sum((usage_of(one) for one in told), Usage())

    def _add(self, conversation: Conversation, place: int) -> AddResult:
        session = conversation.sessions[place]
        return self.memory.add(
            messages(session),
            user_id=conversation.id,
            session_id=session.id,
            timestamp=session.turns[0].said_at,
            idempotency_key=digest(conversation.id, place),
        )

    def _settle(self, conversation_id: str) -> None:
        """Finish what is pending of a conversation. Raises SystemFailed where that fails."""
        if self._pending(conversation_id):
            self.memory.resume(include_failed=True)
        if left := self._pending(conversation_id):
            raise SystemFailed(f"{len(left)} batches stay pending: {', '.join(sorted(set(left)))}")

    def _pending(self, conversation_id: str) -> list[str]:
        """The last errors of what is pending."""
        found = [one for one in self.memory.pending() if one.user_id == conversation_id]
        return [one.error or "no error" for one in found]

    # --- search --------------------------------------------------------------------------------------------------------

    def search(self, conversation_id: str, question: Question, limit: int) -> list[Found]:
        """Memories and turns as `include` says, in recollect's order; none below its floor."""
        talk = self._talk(conversation_id)
        hits = self.memory.search(question.text, limit=limit, **self._asked(conversation_id, talk, question))
        return [Found(hit.kind, _named(hit, talk), hit.text, _told_by(hit, talk), hit.score) for hit in hits]

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:
        """What `context` packs, counted as all systems' are, with a fence that is the same in every store."""
        talk = self._talk(conversation_id)
        arguments = self._asked(conversation_id, talk, question)

        def count(text: str) -> int:
            return tokens.count(refenced(text, conversation_id))

        context = self.memory.context(question.text, max_tokens=max_tokens, tokenizer=count, **arguments)
        named = (turn for hit in context.hits for turn in _told_by(hit, talk))
        return Packed(refenced(context.text, conversation_id), context.tokens, distinct(named))

    def _asked(self, conversation_id: str, talk: _Talk, question: Question) -> dict[str, Any]:
        """A question that has a day is asked of what held then. Without one it is asked after the last turn."""
        then = question.asked_at
        now = then or (None if talk.ended is None else talk.ended + timedelta(minutes=1))
        return {"user_id": conversation_id, "now": now, "as_of": then, "include": self._include, "graph": self._graph}

    def _talk(self, conversation_id: str) -> _Talk:
        if conversation_id not in self._talks:
            raise unknown(conversation_id)
        return self._talks[conversation_id]

    # --- what is there -------------------------------------------------------------------------------------------------

    def stored(self, conversation_id: str) -> list[Stored]:
        """Every statement that a memory has or had. One that is live has the memory's id, others have their number after it."""
        talk = self._talk(conversation_id)
        held = self.memory.export(user_id=conversation_id)
        turns = {turn["number"]: talk.turns[turn["id"]] for turn in held["turns"]}
        behind: dict[int, list[str]] = {}
        for source in held["sources"]:
            behind.setdefault(source["statement"], []).append(turns[source["turn"]])
        versions: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in held["memories"]:
            versions.setdefault((row["memory_id"], row["statement"]), []).append(row)
        return [
            Stored(
                memory_id if live(rows) else f"{memory_id}#{statement}",
                rows[-1]["text"],
                distinct(behind.get(statement, ())),
                live(rows),
            )
            for (memory_id, statement), rows in versions.items()
        ]

    def close(self) -> None:
        """Close the store."""
        self.memory.close()


def refenced(text: str, conversation_id: str) -> str:
    """A context, or a part of it, fenced by a mark that follows from the conversation.

    A store's own mark is a secret of that store. Readers of two runs would be sent different prompts, of different lengths: what
    one replied could not be played again in the other.
    """
    return _FENCE.sub(hashlib.sha256(conversation_id.encode("utf-8", "backslashreplace")).hexdigest()[:32], text)


def messages(session: Session) -> list[dict[str, Any]]:
    """Turns as `add` takes them."""
    return [_message(turn) for turn in session.turns]


def _message(turn: Turn) -> dict[str, Any]:
    named = {} if turn.speaker == turn.role else {"name": turn.speaker}
    dated = {} if turn.said_at is None else {"timestamp": turn.said_at}
    return {"role": turn.role, "content": turn.text, **named, **dated}


def spent(results: Sequence[AddResult], seconds: float) -> Spent:
    """What adds were paid; `seconds` is what they took now."""
    paid = sum((usage_of(result.usage) for result in results), Usage())
    return Spent(paid.llm_calls, paid.input_tokens, paid.output_tokens, paid.cost_usd, seconds)


def usage_of(paid: AddUsage) -> Usage:
    """Usage of a result."""
    return Usage(paid.llm_calls, paid.input_tokens, paid.output_tokens, paid.cost_usd)


def live(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of a statement's rows is believed, has not ended and is not put aside."""
    return any(not (row["retired_number"] or row["valid_to"] or row["quarantined"]) for row in rows)


def _named(hit: Hit, talk: _Talk) -> str:
    return talk.turns[hit.id] if hit.kind == "turn" else hit.id


def _told_by(hit: Hit, talk: _Talk) -> tuple[str, ...]:
    if hit.kind == "turn":
        return (talk.turns[hit.id],)
    return distinct(talk.turns[source.turn_id] for source in hit.sources)
