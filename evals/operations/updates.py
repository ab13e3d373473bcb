"""HaluMem's gold memory points through the real write path, without extraction: are the memories updated that should be?

The points of each session are added in their order; the originals that an update names and that no earlier point told are
stored before them. Their slots are those that the rules' own tables find in the text.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from recollect import AsyncMemory
from recollect.model import Candidate, Evidence, Fact, Kind, Slot, Turn
from recollect.ports import Reconciler
from recollect.results import Change
from recollect.rules import slots

from ..model import Conversation, Point
from .language import Given, spent

Record: TypeAlias = dict[str, Any]

USER = "u"
# The data set plays in the future, where what was superseded would count as not over yet: it is played 20 years earlier.
_EARLIER = timedelta(weeks=1044)
_LABELS = re.compile(r"^(?:\[.*?\])+")


async def updates(
    conversation: Conversation,
    reconciler: Reconciler,
    *,
    embedder: object = None,
    heard: Callable[[int], None] = lambda _: None,
) -> list[Record]:
    """A record per point that is to be remembered:

    {"conversation", "point", "is_update", "op", "outcome", "stored", "shown", "flag", "spent"}. `outcome`: of an update "right",
    "wrong" (another memory was updated), "known" (taken for nothing new) or "omitted"; of a new one "right", "joined" (it refined
    what the same session told before: the data have a taste, and then the taste with its reason), "update" (taken for one) or
    "known". `stored`: the original is in memory; `shown`: it stood among the candidates, None where nothing was
    to be decided. `heard`: how many sessions are done.
    """
    given = Given(reconciler, lambda turn: fact_of(turn, name_of(conversation)), lambda turn: turn.name == _ORIGINAL)
    with tempfile.TemporaryDirectory(prefix="recollect-evals-") as folder:
        async with AsyncMemory(folder, llm=given, embedder=embedder, redact=False) as memory:
            played = _Played(conversation, memory, given)
            for done, session in enumerate(conversation.sessions, start=1):
                said_at = next(
                    (turn.said_at for turn in session.turns if turn.said_at), datetime(2040, 1, 1, tzinfo=UTC)
                )
                points = [one for one in conversation.points if one.session == session.id and not one.interference]
                await played.session(points, said_at - _EARLIER)
                heard(done)
            return played.records


_ORIGINAL = "original"  # who tells what is there before


@dataclass(slots=True)
class _Played:
    """A memory under test, and for which texts each of its memories stands by now."""

    conversation: Conversation
    memory: AsyncMemory
    given: Given
    records: list[Record] = field(default_factory=list)
    stands_for: dict[str, set[str]] = field(default_factory=dict)
    of_session: set[str] = field(default_factory=set)  # memories that began in the session under way

    async def session(self, points: Iterable[Point], at: datetime) -> None:
        """Store the originals, then add the points."""
        points = list(points)
        self.of_session = set()
        for original in dict.fromkeys(key(one) for point in points for one in point.originals):
            if not any(original in texts for texts in self.stands_for.values()):
                text = next(plain(one) for point in points for one in point.originals if key(one) == original)
                await self._add(text, at - timedelta(days=1), name=_ORIGINAL)
        before = set(self.stands_for)
        for place, point in enumerate(points):
            self.records.append(await self._point(point, at + timedelta(seconds=place)))
            self.of_session = set(self.stands_for) - before

    async def _point(self, point: Point, at: datetime) -> Record:
        originals = set(map(key, point.originals))
        of_originals = {memory for memory, texts in self.stands_for.items() if texts & originals}
        added, changes = await self._add(point.text, at)
        candidates = self.given.shown.get(added.turn_ids[0])
        (change,) = changes or (None,)
        updated = change.memory.id if change and change.memory else None
        return {
            "conversation": self.conversation.id,
            "point": point.id,
            "is_update": bool(point.is_update and originals),
            "op": change.op.value if change else None,
            "outcome": outcome(
                change,
                is_update=bool(point.is_update and originals),
                on_original=updated in of_originals,
                on_own=updated in self.of_session,
            ),
            "stored": bool(of_originals),
            "shown": None if candidates is None else _shown(candidates, of_originals),
            "flag": change.flag if change else None,
            "spent": asdict(spent(added.usage)),
        }

    async def _add(self, text: str, at: datetime, **name: str) -> tuple[Any, list[Change]]:
        message = {"role": "user", "content": text, "timestamp": at.isoformat(), **name}
        added = await self.memory.add([message], user_id=USER)
        changes = [one for one in added.changes if one.memory is not None]
        for change in changes:
            if change.memory is not None:
                self.stands_for.setdefault(change.memory.id, set()).update((key(text), key(change.memory.text)))
        return added, changes


def outcome(change: Change | None, *, is_update: bool, on_original: bool, on_own: bool) -> str:
    """What became of a point, in the words of the record."""
    op = change.op.value if change else "NONE"
    if is_update:
        return {"UPDATE": "right" if on_original else "wrong", "NONE": "known"}.get(op, "omitted")
    return {"ADD": "right", "NONE": "known"}.get(op, "joined" if on_own else "update")


def _shown(candidates: Iterable[Candidate], memories: set[str]) -> bool:
    return any(one.row is not None and one.row.memory_id in memories for one in candidates)


def plain(text: str) -> str:
    """A point without its labels, "[…]" before it."""
    return _LABELS.sub("", text).strip()


def key(text: str) -> str:
    """Equal for a point and its mention as an original."""
    return plain(text).rstrip(".").casefold()


def name_of(conversation: Conversation) -> str:
    """Whom the points are about: who speaks as the user."""
    return next((turn.speaker for turn in conversation.turns if turn.role == "user"), "The user")


def fact_of(turn: Turn, name: str) -> Fact:
    """A point as a fact, in the slot that the rules find in it."""
    evidence = (Evidence(turn.id, turn.content),)
    who = slots.about(turn.content, "The user")
    filled = next((one for one in slots.fill_all(who[1]) if one.attribute and one.strong), None) if who else None
    if who is None or filled is None or filled.attribute is None:
        return Fact(turn.content, Kind.KNOWLEDGE, evidence)
    subject = name if who[0].split()[0] in name else who[0]
    return Fact(
        turn.content, filled.kind, evidence, slot=Slot(subject, filled.attribute, filled.many), value=filled.value
    )
