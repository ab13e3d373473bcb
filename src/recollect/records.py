"""What is written to and read from the ledger: batches and chunks, effects to commit, and the history.

Effects are data. The write path plans them in pure code against one revision of the user; the ledger applies them in one
transaction, or refuses them all (`RevisionConflict`). So all numbers in a `Commit` are final.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NewType, TypeAlias, TypeVar

from .errors import EmbeddingModelMismatch, StoreCorrupt
from .model import Entity, Message, Metadata, Op, Rejected, Relation, Role, Row, Scope, Statement, Turn, Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .ports import Vectors

K = TypeVar("K")
V = TypeVar("V")


class Known(dict[K, V]):
    """What the ledger was asked for, by key. What it refers to and does not have is a StoreCorrupt, no KeyError."""

    def __missing__(self, key: K) -> V:
        raise StoreCorrupt("the ledger lacks what it refers to: verify() tells where", stage="read")


class Scored(NamedTuple):
    """What an index found, best first: keys, and how well each fits."""

    keys: NDArray[np.int64]
    scores: NDArray[np.float64]

    def pairs(self) -> list[tuple[int, float]]:
        """(key, score), best first."""
        return list(zip(self.keys.tolist(), self.scores.tolist(), strict=True))

    @classmethod
    def none(cls) -> Scored:
        """Nothing."""
        import numpy as np

        return cls(np.empty(0, dtype=np.int64), np.empty(0))


class Asked(dict[str, int]):
    """The terms of a query, and how often each is asked for. `words`: for each word the terms that it may stand in a text as,
    several where its language cannot be told."""

    def __init__(self, words: Sequence[tuple[str, ...]]) -> None:
        super().__init__()
        self.words = tuple(dict.fromkeys(words))
        for word in words:
            for term in word:
                self[term] = self.get(term, 0) + 1


def words_of(terms: Mapping[str, int]) -> Sequence[tuple[str, ...]]:
    """The words of a query; of what was not asked as one, each term is a word."""
    return terms.words if isinstance(terms, Asked) else [(term,) for term in terms]


ERASED = "erased"
"""The flag of a change that an erasure took content of, and its reason."""

Space = NewType("Space", int)
"""A user's key in the ledger. Only the ledger hands it out, for a user id or for the owner of an id."""

BatchStatus: TypeAlias = Literal["open", "pending", "done", "failed"]


class EmbedderKey(NamedTuple):
    """Whose vectors: only those of one id and dimension can be compared."""

    id: str
    dim: int

    def __str__(self) -> str:
        return f"{self.id} ({self.dim} dimensions)"

    def must_be(self, recorded: EmbedderKey) -> None:
        """Raises EmbeddingModelMismatch where the store's vectors are of another embedder than these."""
        if self != recorded:
            raise EmbeddingModelMismatch(
                f"the store was embedded anew by {recorded} after it was opened with {self}: close it and open it again",
                stage="embed",
            )


@dataclass(frozen=True, slots=True)
class EmbedderRecord:
    """What the store records of an embedder. `hosted`: it can be made again by its name."""

    id: str
    dim: int
    hosted: bool

    @property
    def key(self) -> EmbedderKey:
        return EmbedderKey(self.id, self.dim)


Claim: TypeAlias = Literal["ours", "theirs", "done"]
"""What became of a claim to re-embed the store: it is ours to do, another one is at it, or there is nothing to do."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """What `add` asks to be journalled: messages cut into chunks (`sizes` sum to their number)."""

    scope: Scope
    messages: tuple[Message, ...]
    sizes: tuple[int, ...]
    received_at: datetime
    infer: bool = True
    metadata: Metadata = field(default_factory=dict)
    expires_at: datetime | None = None
    instructions: str | None = None
    idempotency_key: str | None = None
    digest: str = ""
    redacted: tuple[tuple[str, int | None], ...] = ()
    allow_erased: bool = False
    successive: bool = False  # the messages are what one memory said, one after the other


@dataclass(frozen=True, slots=True)
class NewTurns:
    """Messages of a conversation, to be journalled into its open chunk. Its scope names a session.

    `known`: how many of its messages, as they are here, the last turns of the session have already; `full`: whether an open
    chunk with these turns is to be closed; both are asked within the transaction. A chunk has at most `most` turns, and closes
    by itself `idle` after its last one (None: never).
    """

    scope: Scope
    messages: tuple[Message, ...]
    received_at: datetime
    known: Callable[[Sequence[Message], Sequence[Message]], int]
    full: Callable[[Sequence[Message]], bool]
    most: int
    idle: timedelta | None
    metadata: Metadata = field(default_factory=dict)
    instructions: str | None = None
    redacted: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of `NewTurns`: how many messages were `new`; when the chunk that is open now closes by itself, None where none
    is, or it never does; and the batches that were closed."""

    space: Space
    new: int
    closes_at: datetime | None
    closed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lease:
    """Who works on a batch; nobody else does until then, unless the owner is gone before."""

    owner: str
    until: datetime


@dataclass(frozen=True, slots=True)
class ChunkRecord:
    """A chunk's place in its batch (`n` from 0), its turns' numbers (inclusive), how far it is, and how many were erased."""

    n: int
    first_turn: int
    last_turn: int
    state: Literal["open", "closed", "extracted", "committed"]
    erased: int = 0

    @property
    def turns(self) -> int:
        """How many of its turns are there."""
        return self.last_turn - self.first_turn + 1 - self.erased


@dataclass(frozen=True, slots=True)
class Batch:
    """A journalled `add`; or, where it `retells`, turns of earlier ones that are extracted anew."""

    id: str
    space: Space
    scope: Scope
    status: BatchStatus
    created_at: datetime
    infer: bool
    metadata: Metadata
    expires_at: datetime | None
    instructions: str | None
    redacted: tuple[tuple[str, int | None], ...]
    attempts: int
    error: str | None
    chunks: tuple[ChunkRecord, ...]
    retells: bool = False
    talk: bool = False  # its turns came one by one, into an open chunk
    dropped: int = 0  # messages that were not taken in, for they had been erased
    successive: bool = False

    @property
    def turns(self) -> int:
        """How many of its turns are there."""
        return sum(chunk.turns for chunk in self.chunks)

    @property
    def erased(self) -> int:
        """Messages that were not taken in, and turns that were erased since."""
        return self.dropped + (0 if self.retells else sum(chunk.erased for chunk in self.chunks))

    @property
    def chunks_done(self) -> int:
        return sum(chunk.state == "committed" for chunk in self.chunks)

    @property
    def chunks_left(self) -> int:
        return len(self.chunks) - self.chunks_done


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user with the number of the last commit, and when that was; None where there was none."""

    user_id: str | None
    number: int
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserState:
    """Where a user's numbers stand; a `Commit` planned on it holds only while `revision` is the same."""

    revision: int = 0
    last_row: int = 0
    last_passage: int = 0
    last_source: int = 0


@dataclass(frozen=True, slots=True)
class NewStatement:
    """A statement to insert, with what is searched and linked by it. `vector` None: embedding pending."""

    statement: Statement
    terms: Mapping[str, int]
    vector: Vectors | None
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True, slots=True)
class TurnPassage:
    """A turn that becomes searchable with its chunk. The key is its text after the turn before it."""

    turn: int
    passage: int
    terms: Mapping[str, int]
    vector: Vectors | None


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A quote behind a statement. `echo`: it only says again what is remembered, and is no evidence of it."""

    number: int
    statement: int
    turn: int
    quote: str
    added: int
    retired: int | None = None
    echo: bool = False


class Quoted(NamedTuple):
    """A quote behind a statement, with what is told of the turn that it stands in."""

    statement: int
    quote: str
    turn_id: str
    role: Role
    speaker: str
    said_at: datetime
    session_id: str | None
    agent_id: str | None
    echo: bool


@dataclass(frozen=True, slots=True)
class Retirement:
    """A row or source (`number`) that a change takes back."""

    number: int
    by: int


@dataclass(frozen=True, slots=True)
class Hiding:
    """A turn that change `added` took out of search; change `retired` shows it again.

    `origin`: the change that first hid it. A hiding that an undo brings back is, to later undos, one with the first.
    """

    turn: int
    added: int
    origin: int
    retired: int | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """By a caller's word entities `one` < `other` are the `same`, or are not: from change `added` until change `retired`.

    `origin`: the change that first said so. One that an undo brings back is, to later undos, one with the first.
    """

    one: int
    other: int
    same: bool
    added: int
    origin: int
    retired: int | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """What statements name: entities (number, name, kind), mentions (statement, entity), and relations (statement, subject,
    predicate, object), the ends of which are entities' numbers."""

    entities: tuple[tuple[int, str, str], ...] = ()
    mentions: tuple[tuple[int, int], ...] = ()
    relations: tuple[tuple[int, int, str, int], ...] = ()


QUARANTINED = "quarantined"  # the flag of a change that put a memory aside, or took turns out of search, for a review


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A committed effect. `row`: the version that it brought (ADD, UPDATE), ended (DELETE) or kept (NONE)."""

    id: str
    number: int
    op: Op
    memory_id: str | None = None
    row: int | None = None
    previous_text: str | None = None
    also_ended: tuple[str, ...] = ()
    reason: str = ""
    flag: str | None = None
    batch_id: str | None = None
    chunk: int | None = None
    recorded_at: datetime | None = None  # set by the ledger
    actor: str | None = None
    model: str | None = None
    prompt_id: str | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """Which chunk a commit finishes, in the name of which holder of the batch's lease, and what deciding it cost.

    `erased_at`: the user's last erasure when the chunk was read; where another one came since, the ledger refuses.
    """

    batch_id: str
    n: int
    owner: str
    usage: Usage = Usage()
    erased_at: int = 0


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A turn that a verb journals together with its commit (`update(text=)` quotes the caller)."""

    number: int
    id: str
    scope: Scope
    content: str
    said_at: datetime
    passage: int
    terms: Mapping[str, int]
    vector: Vectors | None


@dataclass(frozen=True, slots=True)
class Commit:
    """All effects of one transaction on one user, planned at revision `at.revision`; afterwards it is `revision`.

    `embedder`: whose its vectors are, None where it cannot have any. The ledger refuses those of another than its own.
    """

    space: Space
    at: UserState
    revision: int
    statements: tuple[NewStatement, ...] = ()
    rows: tuple[Row, ...] = ()
    retired_rows: tuple[Retirement, ...] = ()
    sources: tuple[SourceRecord, ...] = ()
    retired_sources: tuple[Retirement, ...] = ()
    hidings: tuple[Hiding, ...] = ()
    retired_hidings: tuple[Hiding, ...] = ()
    identities: tuple[Identity, ...] = ()
    retired_identities: tuple[Identity, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    turns: tuple[TurnPassage, ...] = ()
    new_turns: tuple[NewTurn, ...] = ()
    done: ChunkDone | None = None
    embedder: EmbedderKey | None = None

    @property
    def all_turns(self) -> tuple[TurnPassage, ...]:
        """Every turn that becomes searchable."""
        return (*self.turns, *(TurnPassage(new.number, new.passage, new.terms, new.vector) for new in self.new_turns))


@dataclass(frozen=True, slots=True)
class JournalledChunk:
    """A chunk as the journal has it: its turns, the session's turns before it, and its facts once extracted. Metadata and
    expiry are those that the turns were added with."""

    record: ChunkRecord
    turns: tuple[Turn, ...]
    context: tuple[Turn, ...]
    facts: tuple[Any, ...] | None  # of Fact; None = not extracted yet
    metadata: Metadata = field(default_factory=dict)
    expires_at: datetime | None = None
    erased_at: int = 0  # the user's last erasure when it was read


@dataclass(frozen=True, slots=True)
class PaidChunk:
    """A committed chunk that a model read: how many facts it held; `characters` of the memories that came of them, as they are
    shown beside new facts; what was paid for extracting and for deciding them."""

    chunk: JournalledChunk
    facts: int
    characters: int
    extracting: Usage
    deciding: Usage


@dataclass(frozen=True, slots=True)
class Extracted:
    """What call 1 gave for a chunk, verified."""

    facts: tuple[Any, ...]  # of Fact
    rejected: tuple[Rejected, ...]
    usage: Usage
    model: str | None = None
    prompt_id: str | None = None


@dataclass(frozen=True, slots=True)
class PassageRecord:
    """A searchable text as a partition loads it. `turn` is None for a statement's; `said_at` (microseconds), `committed`
    (the user's number), `speaker` (a name, else a role) and `session` (else its batch) are the turn's, 0 and None for a
    statement's."""

    number: int
    turn: int | None
    terms: Mapping[str, int]
    vector: Vectors | None
    said_at: int = 0
    committed: int = 0
    speaker: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class PendingVector:
    """A passage that waits for its vector: a statement by its `text`; a turn by its number, in `chunk` (batch, n). `revised`: the
    number at which it last changed; a vector of what it was before is not taken."""

    space: Space
    passage: int
    text: str
    turn: int = 0
    chunk: tuple[str, int] | None = None
    revised: int = 0


@dataclass(frozen=True, slots=True)
class RowSpan:
    """A row without its content: what a partition needs to know whether it may be served, and when. Microseconds."""

    number: int
    statement: int
    valid_from: int
    valid_to: int | None
    recorded: int
    retired: int | None
    expires_at: int | None
    quarantined: bool
    event: tuple[int, int] | None = None
    slot: str | None = None  # casefolded subject and attribute


class SourceSpan(NamedTuple):
    """A source without its quote."""

    number: int
    statement: int
    turn: int
    added: int
    retired: int | None = None
    echo: bool = False


@dataclass(frozen=True, slots=True)
class Delta:
    """What happened to a user after a number, beside passages: rows, sources, hidings and identities that came or went.

    `cleared`: an erasure or a `reembed` lies between; patching is not enough, rebuild from 0.
    """

    revision: int
    cleared: bool
    rows: tuple[RowSpan, ...]
    sources: tuple[SourceSpan, ...]
    hidings: tuple[Hiding, ...] = ()
    identities: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the ledger that breaks an invariant: what, and where (a `noun` and its number or id; never content).

    `mends`: it can be put right from the ledger itself.
    """

    what: str
    noun: str
    place: str
    mends: bool = False


# --- erasing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SaidTurn:
    """A turn as an erasure looks at it. `talk`: its session, else its batch. `said_at`, and `expires_at`, which its add was
    given: microseconds."""

    number: int
    talk: str
    session_id: str | None
    batch_id: str
    said_at: int
    content: str
    metadata: Metadata
    searchable: bool
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """All of a user's ledger that an erasure is planned on. `words`: of each statement, all its texts in one. `names`: of
    (statement, entity) where one mentions the other."""

    state: UserState
    turns: Mapping[int, SaidTurn]
    words: Mapping[int, str]
    names: Mapping[tuple[int, int], str]
    rows: Mapping[int, Row]
    sources: Mapping[int, SourceRecord]
    hidden: frozenset[int]  # turns that were ever taken out of search
    changes: tuple[ChangeRecord, ...]
    chunks: tuple[tuple[str, int, int, int], ...]  # batch, n, first and last turn


@dataclass(frozen=True, slots=True)
class Removal:
    """What an erasure takes, and what it leaves otherwise than it was; afterwards the user is at `revision`.

    `everything`: all of the user. Rows go with their `statements`. `blanked`: turns and what is left of them. `echoes`: turns
    that are found by words of one that went or was blanked before them. `talks`: batches of the talks that it touches.
    `altered`: rows that stay with other metadata or times. `unnamed`: (statement, entity) of those that stay without mentioning
    it; `unslotted`: statements that stay without their slot. `scrubbed`: changes that lose all content; `unexplained`: those that
    lose their reason. `dated_before`: of which messages the texts are known again, None for those dated before the erasure. The
    rest comes on top.
    """

    revision: int
    everything: bool = False
    turns: frozenset[int] = frozenset()
    statements: frozenset[int] = frozenset()
    sources: frozenset[int] = frozenset()
    blanked: Mapping[int, str] = field(default_factory=dict)
    echoes: frozenset[int] = frozenset()
    talks: frozenset[str] = frozenset()
    altered: tuple[Row, ...] = ()
    unnamed: frozenset[tuple[int, int]] = frozenset()
    unslotted: frozenset[int] = frozenset()
    scrubbed: frozenset[int] = frozenset()
    unexplained: frozenset[int] = frozenset()
    retired: tuple[Retirement, ...] = ()
    restored: tuple[Row, ...] = ()
    hidings: tuple[Hiding, ...] = ()
    changes: tuple[ChangeRecord, ...] = ()
    kept_quotes: int = 0
    dated_before: datetime | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to take."""
        return not (self.everything or self.turns or self.statements or self.sources or self.blanked)
