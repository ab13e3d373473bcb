"""Turns → facts by one call to a language model; more only where the reply or the prompt is too long.

The model sees messages under small numbers and answers in the shape of `replies.ExtractReply`. What it says is checked in
`evidence.py` afterwards; here it is only put into our words.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from .. import prompts
from ..errors import BudgetExceeded, ContextTooLong, ExtractionFailed, ModelError, ReplyInvalid, ReplyTruncated
from ..model import (
    Entity,
    EventTime,
    Evidence,
    Extraction,
    Fact,
    Kind,
    Precision,
    Rejected,
    Relation,
    Slot,
    SourceClass,
    Turn,
    Usage,
)
from ..ports import ChatModel, Chunk
from .replies import EventReply, ExtractReply, FactReply

PROMPT = ("extract", 1)
MAX_CHARACTERS = 24_000  # of new messages in one call; a local model may cut what is longer without a word
CONTEXT = 4  # messages before the new ones
CONTEXT_CHARACTERS = 1_000  # of each of them
SPLITS = 12  # how often one chunk may be halved
LEAST = 400  # characters of a single message below which halving it makes no sense


@dataclass(frozen=True, slots=True)
class Line:
    """A message, or a piece of a long one, as the model sees it."""

    turn: Turn
    text: str


class ModelExtractor:
    """An `Extractor` by a language model. Raises ModelError, with `.usage` of all that was paid for."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._prompt = prompts.load(*PROMPT)

    @property
    def prompt_id(self) -> str:
        """Recorded with every chunk."""
        return self._prompt.id

    async def extract(self, chunk: Chunk) -> Extraction:
        """Facts in the order of the turns; in the undisturbed case by one call."""
        run = _Run(self._model, self._prompt, chunk.instructions)
        try:
            for before, lines in pieces(*lines_of(chunk)):
                await run.ask(before, lines)
        except (ModelError, BudgetExceeded) as error:
            error.usage = run.usage
            raise
        return Extraction(tuple(run.facts), tuple(run.rejected), run.usage, run.model, self._prompt.id)

    def questions(self, chunk: Chunk) -> list[list[dict[str, str]]]:
        """The messages of each call that `extract` makes in the undisturbed case."""
        return [question(self._prompt, *piece, chunk.instructions) for piece in pieces(*lines_of(chunk))]


class _Run:
    """The calls for one chunk, and what they gave so far."""

    def __init__(self, model: ChatModel, prompt: prompts.Prompt, instructions: str | None) -> None:
        self._model, self._prompt, self._instructions = model, prompt, instructions
        self._splits = 0
        self.facts: list[Fact] = []
        self.rejected: list[Rejected] = []
        self.usage = Usage()
        self.model: str | None = None

    async def ask(self, before: Sequence[Line], lines: Sequence[Line]) -> None:
        """Ask for the facts of `lines`; halve where that is too much for one call."""
        asked = question(self._prompt, before, lines, self._instructions)
        try:
            done = await self._model.complete(asked, ExtractReply)
        except (ContextTooLong, ReplyTruncated, ReplyInvalid) as error:
            self.usage += error.usage
            halves = halve(lines)
            self._splits += 1
            # A reply without shape rarely gets one from a shorter question: one try, where length is worth many.
            if halves is None or self._splits > (1 if isinstance(error, ReplyInvalid) else SPLITS):
                raise ExtractionFailed(f"no usable reply of the model ({type(error).__name__})") from error
            await self.ask(before, halves[0])
            return await self.ask([*before, *halves[0]], halves[1])
        except (ModelError, BudgetExceeded) as error:
            self.usage += error.usage
            raise
        self.usage += done.usage
        self.model = done.model
        self._read(done.value, shown(before, lines))
        return None

    def _read(self, reply: ExtractReply, numbered: Sequence[Line]) -> None:
        self.rejected += [Rejected(text, f"malformed: {why}") for text, why in reply.malformed]
        for one in reply.facts:
            try:
                self.facts.append(fact_of(one, numbered))
            except ValueError as error:
                self.rejected.append(Rejected(one.text, str(error)))


def lines_of(chunk: Chunk) -> tuple[list[Line], list[Line]]:
    """The messages before the new ones, and the new ones."""
    return [Line(turn, turn.content) for turn in chunk.context], [Line(turn, turn.content) for turn in chunk.turns]


def pieces(before: Sequence[Line], lines: Sequence[Line]) -> list[tuple[Sequence[Line], Sequence[Line]]]:
    """New messages cut into what fits one call, each piece with what is before it."""
    halves = halve(lines) if sum(len(line.text) for line in lines) > MAX_CHARACTERS else None
    if halves is None:
        return [(before, lines)]
    return [*pieces(before, halves[0]), *pieces([*before, *halves[0]], halves[1])]


def shown(before: Sequence[Line], lines: Sequence[Line]) -> list[Line]:
    """What one call sees, in the order of its numbers, which begin at 1."""
    return [*before[-CONTEXT:], *lines]


def question(
    prompt: prompts.Prompt, before: Sequence[Line], lines: Sequence[Line], instructions: str | None
) -> list[dict[str, str]]:
    """The messages of one call."""
    context = shown(before, ())
    return prompt.render(
        context=transcript(context, 1, CONTEXT_CHARACTERS),
        messages=transcript(lines, len(context) + 1),
        instructions=instructions or "",
    )


def halve(lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]] | None:
    """Two halves, of a single message at the break nearest to its middle; None where that makes no sense."""
    if len(lines) > 1:
        middle = len(lines) // 2
        return lines[:middle], lines[middle:]
    line = lines[0]
    if len(line.text) < LEAST:
        return None
    at = _break(line.text)
    return [replace(line, text=line.text[:at])], [replace(line, text=line.text[at:])]


def _break(text: str) -> int:
    """Where to cut a text: after a paragraph, a line, a sentence or a word of its middle half, else in the middle."""
    low, high = len(text) // 4, 3 * len(text) // 4
    for mark in ("\n\n", "\n", ". ", " "):
        at = text.rfind(mark, low, high)
        if at >= 0:
            return at + len(mark)
    return len(text) // 2


def transcript(lines: Sequence[Line], first: int, limit: int | None = None) -> str:
    """Messages under their numbers and dates. What follows in a message of several lines is indented: it cannot pass for
    another message."""
    told, date = [], ""
    for number, line in enumerate(lines, start=first):
        if (today := f"— {line.turn.wall:%A}, {_day(line.turn.wall)}") != date:
            told.append(today)
            date = today
        text = line.text if limit is None or len(line.text) <= limit else f"{line.text[:limit]} …"
        told.append(f"[{number}] {line.turn.speaker}: {text}".replace("\n", "\n    "))
    return "\n".join(told)


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


# --- the reply in our words --------------------------------------------------------------------------------------------


def fact_of(reply: FactReply, numbered: Sequence[Line]) -> Fact:
    """A well-formed fact of a reply as ours. Raises ValueError, with the reason, where its dates are none."""
    cited = [one for one in reply.evidence if 1 <= one.message <= len(numbered)]
    return Fact(
        text=" ".join(reply.text.split()),
        kind=_kind(reply.kind),
        evidence=tuple(Evidence(numbered[one.message - 1].turn.id, one.quote) for one in cited),
        slot=_slot(reply),
        value=reply.value or None,
        entities=tuple(
            {entity.name.casefold(): Entity(entity.name, entity.kind) for entity in reply.entities}.values()
        ),
        relations=tuple(Relation(one.subject, one.predicate, one.object) for one in reply.relations),
        event=None if reply.event is None else event_of(reply.event),
        valid_from=None if reply.since is None else span(reply.since)[0],
        retracts=reply.retracts or reply.forget,
        bare_forget=reply.forget,
        source=SourceClass.DOCUMENT,  # until `evidence.verify` has seen whose turns it cites
    )


def _kind(name: str) -> Kind:
    """The kind of that name; what a model calls otherwise is knowledge."""
    known = name.strip().casefold()
    return Kind(known) if known in {kind.value for kind in Kind} else Kind.KNOWLEDGE


def _slot(reply: FactReply) -> Slot | None:
    if not reply.subject or not reply.attribute:
        return None
    return Slot(reply.subject, " ".join(reply.attribute.replace("_", " ").casefold().split()), reply.many)


def event_of(reply: EventReply) -> EventTime:
    """An event's calendar dates as its first and last moment. Raises ValueError where they are none."""
    start, one_unit = span(reply.start)
    end = span(reply.end)[1] if reply.end else one_unit
    if end < start:
        raise ValueError("its event ends before it starts")
    return EventTime(start, end, Precision(reply.unit))


def span(date: str) -> tuple[datetime, datetime]:
    """The first and last moment (UTC) of a day, month or year: "2023-05-07", "2023-05", "2023". Raises ValueError."""
    year, month, day = (int(part) for part in (*date.split("-"), "0", "0")[:3])
    try:
        if day and not month:
            raise ValueError
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        last_month = month or 12
        last = datetime(year, last_month, day or monthrange(year, last_month)[1], tzinfo=UTC)
        return start, last + timedelta(days=1) - timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise ValueError(f"{date} is no date") from None
