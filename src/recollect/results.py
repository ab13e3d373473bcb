"""What the public verbs return: pydantic models, so that callers can print, compare and serialise them.

`Hit` and `MemoryItem` also answer by key (`hit["text"]`), as users of such libraries are used to.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from .errors import RecollectError
from .model import Kind, Op, Precision, Role, SourceClass


class Result(BaseModel):
    """Base of all results: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # built on first use: import stays light


class ByKey(Result):
    """A result that also answers `item["field"]`."""

    def __getitem__(self, key: str) -> Any:
        if key not in type(self).model_fields:
            raise KeyError(key)
        return getattr(self, key)


class Source(Result):
    """A quote, and the turn that it stands in. `quote` is "" for a turn itself, where nothing is quoted. `echo`: it only says
    again what is remembered (an assistant's reply, mostly), and is no evidence of it."""

    turn_id: str
    role: Role
    speaker: str
    said_at: datetime
    quote: str
    session_id: str | None = None
    agent_id: str | None = None
    echo: bool = False


class MemoryItem(ByKey):
    """One version of a memory.

    `valid_from`/`valid_to`: when it holds (`valid_to` exclusive). `event_from`/`event_to`: when the thing told of happens
    (inclusive), to `event_precision`. `created_at`: when the memory was first recorded, `updated_at` when this version was.
    `agent_ids` and `session_ids` are the union over its sources. `source`: the least trusted of those whose word it is.
    `quarantined`: it was put aside for a review, and is not served.
    """

    id: str
    text: str
    kind: Kind
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    valid_from: datetime
    valid_to: datetime | None = None
    event_from: datetime | None = None
    event_to: datetime | None = None
    event_precision: Precision | None = None
    expires_at: datetime | None = None
    subject: str | None = None
    attribute: str | None = None
    value: str | None = None
    source: SourceClass
    agent_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    user_id: str | None
    quarantined: bool = False


class Channel(Result):
    """With `explain=True`: one way in which a hit was found. `score` is normalised within the query, 0..1."""

    name: str
    rank: int
    score: float


class Hit(ByKey):
    """A search result. Hits come in the order of fusion; `score` (0..1) is calibrated and comparable between queries.

    For `kind="turn"`, `text` is what was said, `id` the turn's, `created_at` the time it was said, and `until` is set
    where all that came of the turn has ended since. `source`: whose word it is, the least trusted one's: the user's own, an
    assistant's, a claim in a user's message, a tool's or a document's. `related_through`: the steps by which the entity graph
    led to a memory, such as "John —sister→ Anna"; none where it did not.
    """

    kind: Literal["memory", "turn"]
    id: str
    text: str
    score: float = Field(ge=0.0, le=1.0)
    metadata: dict[str, Any]
    created_at: datetime
    valid_from: datetime
    valid_to: datetime | None = None
    event_from: datetime | None = None
    event_to: datetime | None = None
    until: datetime | None = None
    speaker: str | None = None
    source: SourceClass
    sources: tuple[Source, ...] = ()
    channels: tuple[Channel, ...] = ()
    related_through: tuple[str, ...] = ()


class Change(Result):
    """A committed effect. `memory` is the version that it brought (for DELETE: the one it ended), None for a NONE
    without target, where only turns were taken out of search, or shown again, and where a caller said who is who. The texts of
    further targets that ended with it are in `also_ended`. `flag` says what the guard refused; it is "quarantined" where a
    memory was put aside, or turns were taken out of search, until `approve` or `drop`: then `reason` says why.
    """

    id: str
    number: int
    op: Op
    memory: MemoryItem | None = None
    previous_text: str | None = None
    also_ended: tuple[str, ...] = ()
    reason: str = ""
    flag: str | None = None
    recorded_at: datetime
    batch_id: str | None = None
    undoes: str | None = None


class TimelineEntry(ByKey):
    """A state or an event of a timeline. `start`, `end`: of an event, when it happened (inclusive, to `precision`), else when it
    was told; of a state, from when (to `precision`) to when it holds, `end` exclusive, None where it still does.

    `ended`: since when it is no longer so, a state that was superseded or an event that was contradicted. `tellings`: the ids of
    the memories that tell it, the first of which is `id`. `valid_from`: when it was told, or a state's stated start.
    """

    id: str
    text: str
    what: Literal["event", "state"]
    kind: Kind
    start: datetime
    end: datetime | None = None
    precision: Precision | None = None
    ended: datetime | None = None
    valid_from: datetime
    subject: str | None = None
    attribute: str | None = None
    value: str | None = None
    source: SourceClass
    tellings: tuple[str, ...]


class Timeline(Result):
    """What is known of an entity, a slot, or both, in the order of time. Events that were told twice are there once."""

    entity: str | None = None
    slot: str | None = None
    entries: tuple[TimelineEntry, ...] = ()

    @property
    def events(self) -> tuple[TimelineEntry, ...]:
        """The events that hold."""
        return tuple(one for one in self.entries if one.what == "event" and one.ended is None)

    @property
    def states(self) -> tuple[TimelineEntry, ...]:
        """The states, those that ended too."""
        return tuple(one for one in self.entries if one.what == "state")

    @property
    def count(self) -> int:
        """How many different events hold: how many times."""
        return len(self.events)

    @property
    def first(self) -> TimelineEntry | None:
        """The earliest entry that holds."""
        return next((one for one in self.entries if one.ended is None), None)

    @property
    def last(self) -> TimelineEntry | None:
        """The latest entry that holds."""
        return next((one for one in reversed(self.entries) if one.ended is None), None)

    def before(self, time: datetime) -> TimelineEntry | None:
        """The last entry that began before a time, one that has ended too."""
        return next((one for one in reversed(self.entries) if one.start < time), None)

    def after(self, time: datetime) -> TimelineEntry | None:
        """The first entry that began after a time."""
        return next((one for one in self.entries if one.start > time), None)


class Quarantined(ByKey):
    """What waits for a review: a memory that was put aside, or (`kind` "turn") a message that was taken out of search and of
    which no memory came that waits too. `reason`: what about it was doubted; `change_id` did it. `sources` are its quotes.
    """

    kind: Literal["memory", "turn"]
    id: str
    text: str
    reason: str
    source: SourceClass
    speaker: str
    said_at: datetime
    quarantined_at: datetime
    change_id: str
    sources: tuple[Source, ...] = ()


class RejectedFact(Result):
    """A proposed fact that was not believed, and why."""

    text: str
    reason: str


class Redaction(Result):
    """A secret that was kept out: its kind, and the message (from 0) that it stood in; None where that was the metadata.
    Never the secret itself."""

    kind: str
    message: int | None


class AddUsage(Result):
    """What models were paid for; `cost_usd` is None where a price is unknown."""

    llm_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    tokens: int = 0
    cost_usd: float | None = 0.0


class Estimate(Result):
    """What an `add` would cost. The prompts are counted; how many facts the messages hold, and so how much is written and
    compared, nobody knows before they are read: `usage` is usual, `least` and `most` are of talks that hold few, or many.
    `learned_from`: by so many chunks that the same model was paid for in this store, of late; 0 where they are too few: then it
    goes by measurements made elsewhere, of the undisturbed case."""

    turns: int
    chunks: int
    usage: AddUsage
    least: AddUsage
    most: AddUsage
    learned_from: int = 0


class Failed(Result):
    """Messages that had to stay pending, and why; `resume()` or the same ingestion finishes them."""

    conversation: str
    session: str
    batch_id: str | None
    error: str
    message: str


class IngestReport(Result):
    """What an ingestion did.

    `conversations`: how many were gone through; `turns`: new ones that were committed; `known`: those that were there already, or
    were erased since. `decisions`: by op. `problems`: what could not be read, the first 1,000 of `problem_count`. `failed`: what
    stayed pending. `left`: conversations that were given up after three failures in a row. `stopped`: the name of the error that
    ended it before its time, `message` what it said, `.error` that error. `usage`: what was paid meanwhile.
    """

    _error: RecollectError | None = PrivateAttr(default=None)

    conversations: int
    turns: int
    known: int
    chunks: int
    decisions: dict[str, int]
    rejected: int
    problems: tuple[str, ...]
    problem_count: int
    failed: tuple[Failed, ...]
    left: tuple[str, ...]
    usage: AddUsage
    seconds: float
    stopped: str | None = None
    message: str | None = None

    @property
    def error(self) -> RecollectError | None:
        """What ended it before its time."""
        return self._error

    @property
    def complete(self) -> bool:
        """Whether everything was read, and is in."""
        return not (self.problem_count or self.failed or self.left or self.stopped)


class AddResult(Result):
    """What an `add` did. `status`: "done", or "pending" with `wait=False`. `erased`: how many of its messages were left out, for
    they had been erased before, or were erased since; with `turn_ids` they are as many as were handed in.
    """

    batch_id: str
    status: Literal["done", "pending"]
    changes: tuple[Change, ...] = ()
    rejected: tuple[RejectedFact, ...] = ()
    redacted: tuple[Redaction, ...] = ()
    usage: AddUsage = AddUsage()
    turn_ids: tuple[str, ...] = ()
    erased: int = 0


class Deleted(int):
    """How many memories a `delete_all` took back: a number that also knows the batch of its changes.

    `undo(batch_id)` brings all of them back, and the turns; None where there was nothing to delete.
    """

    batch_id: str | None

    def __new__(cls, count: int, batch_id: str | None = None) -> Deleted:
        """`count` memories went."""
        deleted = super().__new__(cls, count)
        deleted.batch_id = batch_id
        return deleted


class Receipt(Result):
    """What an `erase` took, as counts, never as content. `memories` are gone with all their `versions`, others may have lost
    some; `quotes` went with them or with their `turns`; `blanked` turns stay without their quotes. `changes` of the history went
    or are bare now; `restored` versions hold again, for what ended them is gone. `pending` adds were called off.

    `kept_quotes`: quotes of the erased memory whose words other memories quote too: those stay. `complete`: nothing is left in
    the store's files; else `reason` says why not yet, and `erase` again, `resume()` or the next opening completes it.
    """

    memories: int = 0
    versions: int = 0
    turns: int = 0
    blanked: int = 0
    quotes: int = 0
    entities: int = 0
    changes: int = 0
    restored: int = 0
    facts: int = 0
    rejected: int = 0
    pending: int = 0
    kept_quotes: int = 0
    complete: bool
    reason: str | None = None
    erased_at: datetime


class RetentionReceipt(Receipt):
    """What a `retention` took from all its users together, of whom it took something from `users`. `before`: what was said before
    then went; None where only what had expired did. Of a `dry_run` it is what would go: nothing is erased, or `complete`.
    """

    users: int = 0
    before: datetime | None = None
    dry_run: bool = False


class Context(Result):
    """Memories packed into a token budget. `str(context)` is ready for a prompt, fenced as data."""

    text: str
    hits: tuple[Hit, ...]
    tokens: int

    def __str__(self) -> str:
        return self.text


class AuditEntry(Result):
    """Who changed what, and when; no content. `number` orders a user's changes, `actor` is the caller's name for who acted, None
    where none was given. `model` and `prompt_id`: what decided, None where that was code or the caller. `undoes`: the change
    that this one took back."""

    number: int
    change_id: str
    recorded_at: datetime
    actor: str | None
    op: Op
    memory_id: str | None
    batch_id: str | None
    model: str | None
    prompt_id: str | None
    undoes: str | None


class User(Result):
    """Somebody of whom the store has something; `user_id` None is the shared space. `number`: that of the last commit, beyond
    which `changes` has nothing yet; `changed_at`: when that was, None where nothing was committed so far."""

    user_id: str | None
    number: int
    changed_at: datetime | None


class PendingBatch(Result):
    """An accepted batch that is not finished. `status`: "open" is a conversation's that still grows, "failed" one that is tried
    again on request only. `error` is the name of the last failure; it never carries content."""

    batch_id: str
    user_id: str | None
    status: Literal["open", "pending", "failed"]
    created_at: datetime
    chunks: int
    chunks_done: int
    attempts: int
    error: str | None = None


class Shown(Result):
    """What a model was shown at one turn. `turn`: counted from 1 in this conversation's memory. `hits`: the memories, and
    messages behind them, in the order of the block; `text`: the block itself, "" where there was nothing to tell. `seconds`: how
    long recall took. `error`: why the turn went on without memory: "TimedOut" where it took longer than `recall_seconds`, else an
    error's name."""

    turn: int
    query: str
    text: str
    hits: tuple[Hit, ...] = ()
    tokens: int = 0
    seconds: float = 0.0
    error: str | None = None


class PendingTurns(Result):
    """Messages of a conversation of which nothing is learnt yet. `status`: "unsaved" (not on disk, for the store refused them;
    they are handed in again with the next turn, by `flush` and by `close`), "open" (in a chunk that still grows), "pending"
    (closed; being learnt, or to be tried again), "failed" (after five attempts; `flush` tries again). `error`: the name of the
    last failure."""

    status: Literal["unsaved", "open", "pending", "failed"]
    turns: int
    batch_id: str | None = None
    error: str | None = None


class Resumed(Result):
    """What `resume()` finished, and what it could not (batch id → error name)."""

    finished: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)


class Reembedded(Result):
    """What a `reembed` did. `passages`: all texts that are searched, whose vectors are `embedder`'s now (its id);
    `embedded`: how many of them this call embedded. The others an earlier or another one had done."""

    embedder: str
    passages: int
    embedded: int


class Stats(Result):
    """How much a user's memory holds, or the whole store (`users` tells which). `bytes_on_disk` is None for a single user: the
    file is everybody's, and its size would tell of others."""

    users: int
    turns: int
    memories: int
    rows: int
    changes: int
    pending: int
    entities: int
    quarantined: int
    bytes_on_disk: int | None
    embedder: str | None
    schema_version: int


class Backup(Result):
    """A backup that was written or restored: the file, and what is in it."""

    path: str
    bytes: int
    users: int
    turns: int
    changes: int
    pending: int
    schema_version: int


class ImportedUser(Result):
    """A user of an import. `status`: "imported"; "there": all of it was there already; "skipped": left out, for the store has
    memories of this user that are not in the file. Of a dry run "new", "there" and "refused". The counts are of what the file
    has; `erased` turns were left out, for they had been erased here before, with what came of them; from `redacted` lines
    secrets were left out. `waiting`: texts whose vectors were not in the file, or not of this store's embedder.
    """

    user_id: str | None
    status: Literal["new", "there", "refused", "imported", "skipped"]
    turns: int = 0
    versions: int = 0
    changes: int = 0
    quotes: int = 0
    entities: int = 0
    erased: int = 0
    redacted: int = 0
    waiting: int = 0


class ImportReport(Result):
    """What an import did, or would do (`dry_run`), user by user. `embedded`: texts whose vectors were made anew; `waiting`: those
    that still wait for one, for the embedder is down; `resume()` makes up for them."""

    users: tuple[ImportedUser, ...]
    dry_run: bool = False
    embedded: int = 0
    waiting: int = 0


class LeftOut(Result):
    """What an import from another memory could not take over: the memory's id there, and what of it, or why."""

    id: str
    reason: str


class ForeignReport(Result):
    """What an import from another memory did, or would do (`dry_run`). `found` memories with `versions` of theirs were read, of
    `users` users; `imported` are new here, `there` came with an earlier import; `erased` were left out, for they had been erased
    here; `quarantined` wait for a review. `left_out`: what did not come, or not whole."""

    source: str
    users: int = 0
    found: int = 0
    versions: int = 0
    imported: int = 0
    there: int = 0
    erased: int = 0
    quarantined: int = 0
    left_out: tuple[LeftOut, ...] = ()
    dry_run: bool = False


class Problem(Result):
    """Something that `verify()` found wrong. `what` names the invariant, `where` the rows or file; no content. `mendable`:
    `rebuild()` puts it right from what the store has; the rest needs a backup.
    """

    what: str
    where: str
    mendable: bool = False


class VerifyReport(Result):
    """What `verify()` checked and found. `ok` is True when there are no problems."""

    checked: dict[str, int]
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


class Rebuilt(Result):
    """What `rebuild()` mended, and the `problems` that are left."""

    mended: tuple[Problem, ...] = ()
    problems: tuple[Problem, ...] = ()
