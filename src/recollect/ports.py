"""What the core asks of the outside: Protocols only. Adapters implement them; `build.py` wires them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from .filters import Condition
from .ids import IdKind
from .model import Case, Entity, Extraction, Reconciliation, Relation, Row, Scope, Turn, Usage
from .records import (
    Asked,
    Batch,
    BatchStatus,
    ChangeRecord,
    Claim,
    Commit,
    Delta,
    EmbedderKey,
    EmbedderRecord,
    Extracted,
    Fault,
    Hiding,
    History,
    Identity,
    JournalledChunk,
    Kept,
    Lease,
    Names,
    NewBatch,
    NewTurns,
    PaidChunk,
    PassageRecord,
    PendingVector,
    Quoted,
    Removal,
    Scored,
    SourceRecord,
    Space,
    UserRecord,
    UserState,
)
from .results import Backup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel

    Vectors = NDArray[np.float32]

T = TypeVar("T", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class Chunk:
    """What is extracted together: 1–10 `turns`, and the session's 2–4 turns before them as read-only `context`."""

    turns: tuple[Turn, ...]
    context: tuple[Turn, ...] = ()
    instructions: str | None = None

    def turn(self, turn_id: str) -> Turn | None:
        """The turn of that id, of the chunk or its context."""
        return next((turn for turn in (*self.turns, *self.context) if turn.id == turn_id), None)


class Extractor(Protocol):
    """Turns → facts."""

    async def extract(self, chunk: Chunk) -> Extraction:
        """Facts in the order of the turns. No facts is an answer; raises `ModelError` where it could not tell."""
        ...


class Reconciler(Protocol):
    """Facts and candidates → decisions."""

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """One decision per case, in their order. Targets are candidates' numbers, for the guard to check.

        Raises `ModelError` where it could not tell.
        """
        ...


@dataclass(frozen=True, slots=True)
class Completion(Generic[T]):
    """A schema-valid reply of a language model, and what it cost."""

    value: T
    usage: Usage
    model: str


class ChatModel(Protocol):
    """A language model that answers in a given shape."""

    @property
    def name(self) -> str:
        """Recorded with every change that the model decided."""
        ...

    async def complete(self, messages: Sequence[Mapping[str, str]], response_model: type[T]) -> Completion[T]:
        """A reply to messages of `role` and `content`, read as a `response_model`, whose validators have the last word.

        Never returns a reply that does not fit. Raises `ContextTooLong` and `ReplyTruncated`, after which less at once may
        pass; `ReplyInvalid`, `ModelRefused`, `ModelUnavailable`, `ModelConfigError`; `BudgetExceeded` where the meter in force
        (`budget.metered`) has no room. Each carries `usage`, as the completion does: every call that was answered is in it.
        """
        ...

    async def aclose(self) -> None:
        """Let go of connections. To be awaited in the loop that made them."""
        ...


@runtime_checkable
class Priced(Protocol):
    """A model that can tell what usage costs."""

    def price(self, usage: Usage) -> float | None:
        """US dollars; None where the price is not known."""
        ...


class Embedder(Protocol):
    """Texts → vectors. A caller's own object needs just this; `embed` may also be a coroutine function. One whose attribute
    `batches` is true gets what is asked for at the same time in one call: good where processors of this machine do the work."""

    @property
    def id(self) -> str:
        """Recorded in the store; another id is another embedder."""
        ...

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors | Awaitable[Vectors]:
        """float32 array of shape (len(texts), dim); rows of unit length or not, finite. Called from worker threads."""
        ...


class Reranker(Protocol):
    """(query, text) → how well the text answers. A caller's own object needs just this; `rerank` may also be a coroutine
    function."""

    @property
    def id(self) -> str:
        """Named in traces."""
        ...

    def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float] | Awaitable[Sequence[float]]:
        """A finite number for each of at most 30 texts, in their order; the higher, the better. Called from worker threads."""
        ...


class VectorIndex(Protocol):
    """Exact inner-product search over unit vectors under integer keys. Not thread-safe: its owner holds a lock."""

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Roughly what it takes in memory."""
        ...

    def upsert(self, keys: Sequence[int], vectors: Vectors, group: int = 0) -> None:
        """Put vectors of shape (len(keys), dim) under keys ≥ 0; a key that is there is replaced.

        Those of a `group` are often asked for without the others: a search in which none of it is allowed may leave it out.
        """
        ...

    def remove(self, keys: Sequence[int]) -> None:
        """Take keys out; absent ones are ignored."""
        ...

    def search(self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> Scored:
        """The k nearest keys to a vector of shape (dim,) with their cosines, best first, ties by smaller key.

        `allowed[key]` restricts before the top-k: fewer than k come back only when fewer are allowed.
        """
        ...

    def cosines(self, query: Vectors, keys: Sequence[int]) -> list[float | None]:
        """Cosines of the vector of shape (dim,) to given keys, in their order; None for an absent key."""
        ...

    def between(self, keys: Sequence[int]) -> Vectors:
        """Cosines of given keys to each other, of shape (len(keys), len(keys)); 0.0 for an absent key."""
        ...


class TextIndex(Protocol):
    """BM25 over one user's texts under integer keys. Not thread-safe: its owner holds a lock."""

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Roughly what it takes in memory."""
        ...

    def __contains__(self, term: object) -> bool:
        """Whether any text has the term."""
        ...

    def upsert(self, key: int, terms: Mapping[str, int], group: int = 0) -> None:
        """Put a text's term counts under a key ≥ 0; a key that is there is replaced.

        Whether a text is long is judged among those of its `group`, 0 or 1; whether a term is rare, among all.
        """
        ...

    def remove(self, keys: Sequence[int]) -> None:
        """Take keys out; absent ones are ignored."""
        ...

    def search(self, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None = None) -> Scored:
        """The k best keys by BM25, best first, ties by smaller key, with scores > 0 only."""
        ...

    def idf(self, term: str) -> float:
        """Weight of a term, > 0: the rarer, the higher."""
        ...

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        """For each key the share (0..1) of the query's idf weight whose words occur in the text, as any of their terms; a word
        weighs what its most usual term does."""
        ...


class Tokenizer(Protocol):
    """Text → terms, for BM25: stemmed words; CJK by bigrams."""

    @property
    def id(self) -> str:
        """Recorded in the store; another id may give a text other terms."""
        ...

    def __hash__(self) -> int: ...
    def __call__(self, text: str) -> dict[str, int]:
        """Term counts of a text that is to be found."""
        ...

    def asked(self, text: str, held: Callable[[str], bool]) -> Asked:
        """The terms of a query, among texts of which it can be asked whether any has a term."""
        ...

    def words(self, text: str) -> frozenset[str]:
        """What texts of any languages can be compared by: the same word is always the same here."""
        ...


class Journal(Protocol):
    """Batches, chunks and turns, safe on disk before any model is called. Blocking; called from worker threads."""

    def open_batch(self, new: NewBatch, lease: Lease | None = None) -> tuple[Batch, bool]: ...
    def earlier(self, space: Space, idempotency_key: str) -> Batch | None: ...
    def last_turn(self, space: Space) -> int: ...
    def retellable(self, space: Space) -> list[tuple[int, int]]: ...
    def open_retelling(
        self,
        space: Space,
        cut: Callable[[int, int], Sequence[tuple[int, int]]],
        instructions: str | None,
        at: datetime,
    ) -> tuple[Batch, bool]: ...
    def batch(self, batch_id: str) -> Batch: ...
    def unfinished(self, *statuses: BatchStatus, space: Space | None = None) -> list[Batch]: ...
    def lease(self, batch_id: str, lease: Lease, now: datetime) -> bool: ...
    def release(self, batch_id: str, owner: str, error: str | None, max_attempts: int | None) -> None: ...
    def release_all(self, owner: str) -> None: ...
    def chunk(self, batch_id: str, n: int) -> JournalledChunk: ...
    def turn_ids(self, batch_id: str) -> list[str]: ...
    def store_facts(self, batch_id: str, n: int, extracted: Extracted, erased_at: int) -> None: ...
    def record_usage(self, batch_id: str, n: int, purpose: str, usage: Usage) -> None: ...
    def rejected(self, batch_id: str) -> list[tuple[str, str]]: ...
    def usage(self, batch_id: str) -> list[tuple[int, int, int, float | None]]: ...
    def paid(self, model: str, prompt_id: str, instructions: str | None, limit: int) -> list[PaidChunk]: ...


class Talks(Protocol):
    """Conversations that come message by message: each has an open chunk in the journal. Blocking; called from worker threads."""

    def hear(self, heard: NewTurns) -> Kept:
        """Journal messages into the open chunk of their session, durably; one is opened where there is none, and closed where it
        is full, idle, or of other metadata. The first messages of a session close what else is open of the user, and answered.
        What the session's last turns have already is not taken again, what was erased before is left out."""
        ...

    def close(
        self, space: Space | None = None, session_id: str | None = None, *, idle_at: datetime | None = None
    ) -> list[str]:
        """Close open chunks, durably: of a user's session, of a user, or all; `idle_at`: those alone whose time has come by
        then. The ids of their batches, which are pending from here on, oldest first."""
        ...


class Reembedding(Protocol):
    """New vectors for all passages of a store, beside the old ones until the switch. One at a time, by whoever holds the lease.

    Blocking; called from worker threads. All but `target` and `claim` raise `StoreBusy` where `owner` holds the lease no more.
    """

    def target(self) -> EmbedderRecord | None:
        """The embedder that is under way, worked on or not."""
        ...

    def claim(self, target: EmbedderRecord, owner: str, now: datetime, until: datetime) -> Claim:
        """Take the lease until a time. What an earlier one made for another target is discarded; "done", and all of that gone,
        where the store's vectors are the target's already. Raises StoreBusy where somebody works on another target."""
        ...

    def progress(self) -> tuple[int, int]:
        """How many passages have their new vector, of how many there are."""
        ...

    def missing(self, after: tuple[Space, int], limit: int) -> list[PendingVector]:
        """Passages without a new vector, by user and number, from the first behind `after`."""
        ...

    def keep(self, owner: str, until: datetime, vectors: Sequence[tuple[PendingVector, Vectors]]) -> None:
        """Put new vectors (of shape (dim,)) beside the old ones, durably, of passages that are as they were when they were read;
        the lease lasts until then."""
        ...

    def switch(self, owner: str, leaving: int) -> bool:
        """In one transaction: the new vectors take the place of the old ones, their embedder that of the store's, and every
        partition has to be rebuilt. False, and nothing, where more than `leaving` passages have none yet; those that are left
        wait for theirs as after an outage."""
        ...

    def release(self, owner: str) -> None:
        """Give the lease back, where it is held; what was made is kept."""
        ...


class Ledger(Protocol):
    """The only truth. Every read is of one `Space`: the wall. Blocking; called from worker threads.

    Raises `StorageError` and its subclasses; `owner`, `owned`, `change` `NotFound`, `commit` `RevisionConflict`; what brings or
    takes vectors of an `embedder` raises `EmbeddingModelMismatch` where the store's are of another one.
    """

    def snapshot(self) -> AbstractContextManager[object]:
        """What this thread reads within is of one moment, and costs less. Not to be held while waiting for a lock."""
        ...

    def setting(self, key: str) -> str | None: ...
    def record_setting(self, key: str, value: str) -> str: ...
    def secret(self) -> bytes: ...
    def counts(self, space: Space | None) -> dict[str, int]: ...
    def spent_since(self, moment: datetime) -> Usage: ...
    def bytes_on_disk(self) -> int: ...
    def spaces(self) -> list[tuple[Space, str | None]]: ...
    def users(self) -> list[UserRecord]: ...
    def erasures(self) -> int: ...
    def beginning(self, kind: IdKind, beginning: str, space: Space | None, limit: int) -> list[str]: ...
    def space(self, user_id: str | None) -> Space | None: ...
    def ensure_space(self, user_id: str | None) -> Space: ...
    def user_id(self, space: Space) -> str | None: ...
    def owner(self, kind: IdKind, identifier: str) -> Space: ...
    def owned(self, kind: IdKind, identifier: str, user_id: str | None) -> Space: ...
    def state(self, space: Space) -> UserState: ...
    def number_at(self, space: Space, known_at: datetime) -> int: ...
    def commit(self, commit: Commit) -> datetime: ...
    def claim(self, space: Space, owner: str, until: datetime) -> None: ...
    def unclaim(self, space: Space, owner: str) -> None: ...
    def backfill(
        self, space: Space, vectors: Sequence[tuple[PendingVector, Vectors]], embedder: EmbedderKey
    ) -> None: ...
    def revision(self, space: Space) -> int: ...
    def delta(self, space: Space, since: int, embedder: EmbedderKey | None = None) -> Delta: ...
    def passages(self, space: Space, since: int = 0) -> Iterator[Sequence[PassageRecord]]: ...
    def memories_of(self, space: Space, rows: Iterable[int]) -> dict[int, str]: ...
    def first_rows(self, space: Space, memory_ids: Iterable[str]) -> dict[str, int]: ...
    def rows(self, space: Space, numbers: Iterable[int]) -> dict[int, Row]: ...
    def versions(self, space: Space, memory_ids: Iterable[str], *, retired: bool = False) -> list[Row]: ...
    def statements_of_slot(self, space: Space, slot_key: tuple[str, str]) -> list[int]: ...
    def statements_of_entity(self, space: Space, name: str) -> list[int]: ...
    def rows_by_text(self, space: Space, text_keys: Iterable[str]) -> list[Row]: ...
    def rows_touched(self, space: Space, number: int) -> tuple[list[Row], list[Row]]: ...
    def allowed_rows(self, space: Space, scope: Scope, condition: Condition | None) -> list[int]: ...
    def allowed_turns(self, space: Space, scope: Scope, condition: Condition | None) -> list[int]: ...
    def turns(self, space: Space, numbers: Iterable[int]) -> dict[int, Turn]: ...
    def sources(self, space: Space, statements: Iterable[int], at: int | None = None) -> list[SourceRecord]: ...
    def quoted(self, space: Space, statements: Iterable[int], at: int | None = None) -> list[Quoted]: ...
    def sources_touched(self, space: Space, number: int) -> tuple[list[SourceRecord], list[SourceRecord]]: ...
    def hidings(self, space: Space, numbers: Iterable[int]) -> list[Hiding]: ...
    def hidings_touched(self, space: Space, number: int) -> tuple[list[Hiding], list[Hiding]]: ...
    def identities(self, space: Space, numbers: Iterable[int] | None = None) -> list[Identity]: ...
    def identities_touched(self, space: Space, number: int) -> tuple[list[Identity], list[Identity]]: ...
    def entity_number(self, space: Space, name: str) -> int | None: ...
    def names(self, space: Space, after: int, entity: int) -> Names: ...
    def quarantined(self, space: Space) -> tuple[list[Row], list[Hiding]]: ...
    def turn_number(self, turn_id: str) -> int: ...
    def known_texts(self, space: Space, text_keys: Iterable[str]) -> set[str]: ...
    def entities(self, space: Space, statements: Iterable[int]) -> dict[int, tuple[Entity, ...]]: ...
    def relations(self, space: Space, statements: Iterable[int]) -> dict[int, tuple[Relation, ...]]: ...
    def created_at(self, space: Space, memory_ids: Iterable[str]) -> dict[str, datetime]: ...
    def recorded_at(self, space: Space, numbers: Iterable[int]) -> dict[int, datetime]: ...
    def change(self, change_id: str) -> ChangeRecord: ...
    def changes(
        self, space: Space, *, memory_id: str | None = None, batch_id: str | None = None, undoes: str | None = None
    ) -> list[ChangeRecord]: ...
    def changes_after(self, space: Space, number: int, limit: int) -> list[ChangeRecord]: ...
    def changes_at(self, space: Space, numbers: Iterable[int]) -> list[ChangeRecord]: ...
    def undone(self, change_ids: Iterable[str]) -> set[str]: ...
    def next_turn(self, space: Space) -> int: ...
    def pending_vectors(self, first: Space | None, limit: int) -> list[PendingVector]: ...
    def back_up(self, target: Path, *, overwrite: bool, progress: Callable[[int, int], None]) -> Backup: ...
    def close(self) -> None: ...


class Export(Protocol):
    """Everything that the ledger holds on one user, as one JSON document. Blocking; called from worker threads."""

    def document(self, space: Space, head: Mapping[str, Any]) -> dict[str, Any]:
        """The head, `counts` of the records of each section, and the sections, each a list."""
        ...

    def write(
        self,
        space: Space,
        head: Mapping[str, Any],
        target: Path,
        *,
        overwrite: bool,
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        """The same into a file, in bounded memory; the head with its `counts`. Raises TargetExists, InvalidInput."""
        ...


class Taking(Protocol):
    """A user's part of an interchange file on its way into the ledger, in one transaction."""

    space: Space
    buried: set[int]  # turns that were erased before

    def begin(self, revision: int) -> None:
        """Where the numbers of the part end."""
        ...

    def put(self, kind: str, fields: dict[str, Any]) -> None:
        """A line. Raises ImportInvalid where it does not fit those before it."""
        ...

    def quotes(self) -> Iterator[tuple[int, str, int, str]]:
        """(source, quote, turn, its text) where the quote does not stand in the turn letter by letter."""
        ...

    def quote(self, source: int, text: str) -> None: ...
    def alike(self) -> list[Row]: ...
    def settle(self) -> Fault | None:
        """Set the user's counters; the first thing that breaks an invariant then."""
        ...

    def waiting(self) -> int:
        """How many texts have no vector."""
        ...

    def forget(self, plan: Callable[[History], Removal]) -> None: ...


class Interchange(Protocol):
    """Interchange files, the ledger's side. Blocking; called from worker threads."""

    def write(
        self,
        spaces: Sequence[tuple[Space, str | None]] | None,
        target: Path,
        *,
        exported_at: datetime,
        vectors: bool,
        overwrite: bool,
        progress: Callable[[int, int], None],
    ) -> dict[str, Any]:
        """Users (None: all), of one moment, into a file, in bounded memory; the counts. Raises TargetExists, InvalidInput."""
        ...

    def standing(self, user_id: str | None) -> tuple[Space | None, bool]:
        """The user's key, and whether there is anything of the user's."""
        ...

    def holds(self, space: Space, user_id: str | None, kind: IdKind, identifier: str) -> bool:
        """Whether something was taken in for the user before."""
        ...

    def is_buried(self, space: Space, content: str, said_at: int) -> bool: ...

    def taking(
        self, user_id: str | None, *, fresh_ids: bool, embedder: EmbedderKey | None, at: datetime
    ) -> AbstractContextManager[Taking]:
        """One transaction. `fresh_ids`: no id is kept. Raises TargetExists where there is something of the user's."""
        ...


class Erasure(Protocol):
    """The one way in which anything is destroyed. Blocking; called from worker threads."""

    def erase(
        self, space: Space, plans: Sequence[Callable[[History], Removal]], at: datetime, *, rehearse: bool = False
    ) -> dict[str, int]:
        """Plan on all that the user has and do it, plan after plan, in one transaction: nobody commits in between, and what was
        read before is refused afterwards. How much of what went; {} where there is nothing to take. The texts of turns that went
        are known again in messages dated before `at`. `rehearse`: all of it is taken back.
        """
        ...

    def due(self, before: datetime | None, expired: datetime | None) -> list[Space]:
        """Users of whom something was said before a time, or may have expired by one."""
        ...

    def unfinished(self) -> bool:
        """Whether files of the store may still have remnants of what was erased."""
        ...

    def finish(self, patience_s: float) -> str | None:
        """Rewrite the store without remnants, and empty its log; None when that is done, else why it is not."""
        ...


class Audit(Protocol):
    """Whether the ledger fits together, and its mending from itself. Blocking; called from worker threads.

    What cannot be read for damage is a `Fault` too; raises `StorageError` for what the disk refuses.
    """

    def of_store(self) -> Iterator[Fault]: ...
    def of_user(self, space: Space, dim: int | None) -> Iterator[Fault]: ...
    def doubtful_quotes(self, space: Space) -> Iterator[tuple[int, str, str]]: ...
    def twins(self, space: Space) -> list[int]: ...
    def recount(self) -> int: ...
    def mend_indexes(self) -> None: ...
    def mend_user(self, space: Space, dim: int | None) -> None: ...
