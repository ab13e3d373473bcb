"""Batch ingestion: conversations side by side, one user's chunks in order, extraction running ahead of reconciliation.

    from recollect.formats import read
    from recollect.ingest import ingest

    report = ingest(memory, read(Path("talks.jsonl")), concurrency=8)

A user's sessions are journalled one after the other and extracted at once; what they say is decided in their order. So the time
that it takes comes near (chunks of the longest conversation + 1) × the model's latency, as far as `concurrency` allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .formats import Conversation, Found
from .ingesting import OWN, TOLD, Names, Progress, Rest, Run, Who, key_of, user_of
from .memory import AsyncMemory, UserId, add_usage, chunk_sizes, scope_of
from .results import Estimate, IngestReport
from .sync import Memory
from .usage import Usage
from .writing.estimate import Asked

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


NOTHING = Estimate(turns=0, chunks=0, usage=add_usage(Usage()), least=add_usage(Usage()), most=add_usage(Usage()))


@dataclass(slots=True)
class Forecast:
    """What an ingestion would do. `known`: turns that are there already; `chunks` and `estimate`: of the others. `problems`: as
    in the report."""

    conversations: int = 0
    turns: int = 0
    known: int = 0
    chunks: int = 0
    estimate: Estimate = NOTHING
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0


def forecast(memory: Memory | None, conversations: Iterable[Found], *, user_id: Who = OWN) -> Forecast:
    """What `ingest` would cost; nothing is sent, nothing stored. `memory` None: conversations and turns alone are counted.

    What is in already costs nothing again, what is extracted only the deciding. How near it comes: docs/models.md.
    """
    found, names, told, asked = Forecast(), Names(), dict[UserId, int](), list[Asked]()
    for given in conversations:
        one = names.taken(given)
        if isinstance(one, str):
            found.problem_count += 1
            found.problems += [one][: TOLD - len(found.problems)]
            continue
        found.conversations += 1
        if memory is None:
            found.turns += one.turns
            continue
        asked += memory._wait(_counted(memory._memory, one, user_of(one, user_id), told, found))
    if memory is not None:
        left = found.turns - found.known
        found.estimate = memory._wait(memory._memory._expected(left, found.chunks, asked))
    return found


async def _counted(
    memory: AsyncMemory, talk: Conversation, user: UserId, told: dict[UserId, int], found: Forecast
) -> list[Asked]:
    """A conversation's chunks that are to be done, part by part as `Run` goes through them. `told`: the turns of each user."""
    asked: list[Asked] = []
    estimator, space = memory._estimator, await memory._find(scope_of(user, None, None))
    if user not in told:
        told[user] = 0 if space is None else await memory._run(memory._store.journal.last_turn, space)
    for session in talk.sessions:
        start, rest = 0, Rest(session.messages)
        while part := await memory._run(rest.part):
            key = key_of(talk.id, session.id, start)
            begun = None if space is None else await memory._run(estimator.begun, space, key)
            if begun is None:
                begun = len(part), estimator.new(part, chunk_sizes(len(part)), told[user])
                told[user] += len(part)
            there, waiting = begun
            rest.took(part, there)
            start += there
            found.turns += there
            found.known += there - sum(len(one.chunk.turns) for one in waiting)
            found.chunks += len(waiting)
            asked += await memory._run(estimator.counted, waiting)
    return asked
