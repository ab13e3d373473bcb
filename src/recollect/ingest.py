"""Batch ingestion: conversations side by side, one user's chunks in order, extraction running ahead of reconciliation.

    from recollect.formats import read
    from recollect.ingest import ingest

    report = ingest(memory, read(Path("talks.jsonl")), concurrency=8)

A user's sessions are journalled one after the other and extracted at once; what they say is decided in their order. So the time
that it takes comes near (chunks of the longest conversation + 1) × the model's latency, as far as `concurrency` allows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .formats import Found
from .ingesting import OWN, TOLD, Names, Progress, Run, Who, parts, user_of
from .memory import AsyncMemory, UserId, add_usage, chunk_sizes
from .results import Estimate, IngestReport
from .sync import Memory
from .usage import Usage
from .writing.estimate import Expected, as_turns

__all__ = ["OWN", "Forecast", "Interrupted", "Progress", "aingest", "forecast", "ingest"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended `ingest`. What was committed stays; the same ingestion goes on from there. `report`: what was done."""

    def __init__(self, report: IngestReport) -> None:
        super().__init__("the ingestion was stopped; the same one goes on from there")
        self.report = report


def ingest(
    memory: Memory,
    conversations: Iterable[Found],
    *,
    user_id: Who = OWN,
    concurrency: int = 8,
    on_progress: Callable[[Progress], None] | None = None,
    on_interrupt: Callable[[], None] | None = None,
) -> IngestReport:
    """Remember conversations, side by side.

    `conversations`: of `formats.read`, or made by hand; what is a FormatProblem goes into the report. They are taken up as they
    are needed. `user_id`: whose memories they become; left out, each conversation is a user of its own, by its id; a function
    tells it by the conversation; None is the shared space. `concurrency`: calls of the model at once. `on_progress` is called
    after every chunk, from another thread.

    What was ingested before is skipped, by its conversation, session and place: the same ingestion may be done again, after a
    failure, a kill, or when a conversation has grown. A session that fails stays pending and the others go on; after three
    failures in a row its conversation is left, after three such conversations in a row all ends, as it does at once for a fault
    that all would meet (`.stopped` of the report). Ctrl-C lets the calls under way end, for at most 10 seconds, and raises
    `Interrupted`, a KeyboardInterrupt with the report; a second one does not wait. `on_interrupt` is called at the first.

    Raises InvalidInput, StorageError before anything was stored.
    """
    run = Run(memory._memory, user_id, concurrency, on_progress)
    try:
        return memory._wait(run.all(conversations))
    except KeyboardInterrupt as first:
        try:
            if on_interrupt is not None:
                on_interrupt()
            run.wait()
        except KeyboardInterrupt:
            run.give_up()
            run.wait()
        raise Interrupted(run.report("Interrupted")) from first


async def aingest(
    memory: AsyncMemory,
    conversations: Iterable[Found],
    *,
    user_id: Who = OWN,
    concurrency: int = 8,
    on_progress: Callable[[Progress], None] | None = None,
) -> IngestReport:
    """As `ingest`, awaited; `on_progress` is called from the loop. Cancelled, it lets the calls under way end, for at most 10
    seconds; cancelled again, it does not wait."""
    return await Run(memory, user_id, concurrency, on_progress).all(conversations)


# --- what it would cost ------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Forecast:
    """What an ingestion would do, where nothing of it is stored yet. `problems`: as in the report."""

    conversations: int = 0
    turns: int = 0
    chunks: int = 0
    expected: Expected = field(default_factory=Expected)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    @property
    def estimate(self) -> Estimate:
        """All of it as one."""
        usual, least, most = (add_usage(one) for one in (self.expected.usual, self.expected.least, self.expected.most))
        return Estimate(turns=self.turns, chunks=self.chunks, usage=usual, least=least, most=most)


def forecast(memory: Memory | None, conversations: Iterable[Found], *, user_id: Who = OWN) -> Forecast:
    """What `ingest` would cost; nothing is sent, nothing stored. `memory` None: conversations and turns alone are counted.

    It takes nothing to be stored yet. How near it comes: docs/models.md.
    """
    found, names, told = Forecast(), Names(), Counter[UserId]()
    for given in conversations:
        one = names.taken(given)
        if isinstance(one, str):
            found.problem_count += 1
            found.problems += [one][: TOLD - len(found.problems)]
            continue
        found.conversations += 1
        found.turns += one.turns
        if memory is None:
            continue
        user = user_of(one, user_id)
        for session in one.sessions:
            for part in parts(session):
                sizes = chunk_sizes(len(part))
                estimate = memory._wait(memory._memory._estimated(as_turns(part), sizes, told[user]))
                told[user] += len(part)
                parts_of = (estimate.usage, estimate.least, estimate.most)
                found.chunks += estimate.chunks
                found.expected += Expected(*(Usage(**{name: getattr(one, name) for name in _PAID}) for one in parts_of))
    return found


_PAID = ("llm_calls", "input_tokens", "output_tokens", "cost_usd")
