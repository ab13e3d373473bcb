"""Every error that recollect raises, in one tree.

    RecollectError
    ├── InvalidInput             the caller's argument is wrong; nothing was written     (also a ValueError)
    ├── NotFound                 no such memory, change, batch or turn *for this user*   (also a LookupError)
    ├── UndoConflict             later changes build on what should be undone, or it was erased
    ├── Erased                   what was being added was erased meanwhile; nothing of it was stored
    ├── ImportInvalid            a file that is to be imported is damaged, cut off or breaks an invariant; the line is named
    ├── WrongLoop                an AsyncMemory was used outside the loop it belongs to
    ├── Closed                   the memory was closed
    ├── Forked                   the memory was opened before this process was forked off; open one here
    ├── StorageError             the disk or the database said no
    │   ├── StorageFull
    │   ├── StorageReadOnly
    │   ├── StoreBusy            another process kept the write lock for too long
    │   ├── StoreCorrupt         files of ours do not fit together
    │   ├── SchemaTooNew         written by a newer recollect
    │   ├── LeaseLost            another process has taken a batch over; the write path waits for that one
    │   ├── TermsChanged         another version of recollect counted all words of the store anew; open it again
    │   ├── TargetExists         a backup or restore would replace what is there
    │   └── RevisionConflict     another writer was faster; the write path reads again and goes on
    │       └── UserClaimed      another writer was overtaken too often and goes first; the write path waits for it
    ├── EmbedderError
    │   ├── EmbedderUnavailable
    │   │   └── WeightsMissing       the default embedder was never set up
    │   ├── EmbedderConfigError  a hosted embedder's name, key or address is wrong; waiting does not help
    │   ├── EmbeddingInvalid     NaN, a wrong dimension or a short batch
    │   ├── EmbeddingModelMismatch
    │   └── WeightsCorrupt
    ├── RerankerError
    │   ├── RerankerUnavailable  a search goes on in its own order, and says so
    │   ├── RerankerConfigError  a reranker's name, key, address or files are wrong; waiting does not help
    │   └── RerankerInvalid      not a finite number for each text
    ├── ModelError               what a language model, or the way to it, did wrong
    │   ├── ModelUnavailable
    │   ├── ModelConfigError
    │   ├── ModelRefused
    │   ├── ContextTooLong       more than the model reads at once: halve it
    │   ├── ReplyTruncated       the reply was cut at the model's limit: ask for less at once
    │   ├── ReplyInvalid         no reply fitted the schema, re-asking included
    │   ├── ExtractionFailed
    │   └── ReconciliationFailed
    ├── BudgetExceeded           the caller's `budget=` is used up
    ├── Stopped                  the caller stopped an ingestion before this batch's next call
    ├── PromptInvalid            a prompt file is absent or malformed
    └── MissingExtra             an optional package is needed; the message has the line that installs it

Every error carries `.retryable`, `.stage` and `.batch_id`. Messages never carry the content of a conversation.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from .usage import Usage

NOTHING = Usage()


class RecollectError(Exception):
    """Base of everything that the public verbs raise.

    `retryable`: the same call may succeed later, unchanged. `stage`: the step of the write or read path
    (``"validate"``, ``"journal"``, ``"extract"``, ``"embed"``, ``"reconcile"``, ``"commit"``, ``"search"`` …).
    `batch_id`: the batch that stays pending, where there is one; `resume()` finishes it.
    """

    retryable: ClassVar[bool] = False
    default_stage: ClassVar[str | None] = None

    def __init__(self, message: str, *, stage: str | None = None, batch_id: str | None = None) -> None:
        super().__init__(message)
        self.stage = stage or self.default_stage
        self.batch_id = batch_id


@contextmanager
def of_batch(batch_id: str) -> Iterator[None]:
    """Say in every error of the block which batch stays pending, whatever step it is from."""
    try:
        yield
    except Erased:
        raise  # nothing of it is left to stay pending
    except RecollectError as error:
        error.batch_id = error.batch_id or batch_id
        raise


class InvalidInput(RecollectError, ValueError):
    """An argument of the caller's is wrong. `argument` names it. Nothing was written."""

    default_stage = "validate"

    def __init__(self, argument: str, problem: str, *, stage: str | None = None) -> None:
        super().__init__(f"{argument}: {problem}", stage=stage)
        self.argument = argument
        self.problem = problem


class NotFound(RecollectError, LookupError):
    """No such thing for this user. A foreign id is no different from one that does not exist."""

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(f"no {what} {'called' if what == 'entity' else 'with the id'} {identifier!r}")
        self.what = what
        self.identifier = identifier


class UndoConflict(RecollectError):
    """Later changes build on the one that should be undone; the message names the first of them. Or it was erased."""

    default_stage = "undo"


class Erased(RecollectError):
    """An erasure took the messages that were being added, here or in another process; nothing of them is stored any more."""

    default_stage = "commit"


class ImportInvalid(RecollectError):
    """What is to be imported is damaged, cut off, or would break an invariant. Of the user that it is of nothing was stored.
    `line`: the number of the line, from 1; None where it is not of one line."""

    default_stage = "import"

    def __init__(self, problem: str, *, line: int | None = None) -> None:
        super().__init__(problem if line is None else f"line {line}: {problem}")
        self.problem, self.line = problem, line


class WrongLoop(RecollectError, RuntimeError):
    """An AsyncMemory belongs to the event loop that first used it."""


class Closed(RecollectError, RuntimeError):
    """The memory was closed."""


class Forked(RecollectError, RuntimeError):
    """The memory belongs to the process that opened it; a forked child opens one of its own, on the same folder."""


class StorageError(RecollectError):
    """The disk or the database refused; nothing was acknowledged, reads go on."""

    retryable = True
    default_stage = "commit"


class StorageFull(StorageError):
    """No space left on the device."""


class StorageReadOnly(StorageError):
    """The folder or the database file cannot be written."""

    retryable = False


class StoreBusy(StorageError):
    """Another process kept the write lock for longer than the busy timeout."""


class StoreCorrupt(StorageError):
    """The database is damaged, or absent beside other files of ours."""

    retryable = False
    default_stage = "open"


class SchemaTooNew(StorageError):
    """The store was written by a newer recollect; upgrade the package to open it."""

    retryable = False
    default_stage = "open"


class LeaseLost(StorageError):
    """Another process has taken the batch over, as it does where one hangs for longer than its lease, or an erasure came between;
    nothing was committed."""


class TermsChanged(StorageError):
    """The store was opened by another version of recollect, or of its stemmers, which counted all words anew: this memory would
    look for words that are not there. Open it again, by one version at a time."""

    retryable = False
    default_stage = "open"


class TargetExists(StorageError):
    """A backup, or a restored store, would replace what is there; it is done only when asked for."""

    retryable = False
    default_stage = "backup"


class RevisionConflict(StorageError):
    """The user's revision moved between reading and committing (compare-and-set failed)."""


class UserClaimed(RevisionConflict):
    """Another process was overtaken too often, and has the user's memories to itself until it has committed."""


class EmbedderError(RecollectError):
    """What an embedder, or the way to it, did wrong."""

    default_stage = "embed"


class EmbedderUnavailable(EmbedderError):
    """The embedder, or its weights, cannot be had now."""

    retryable = True


class WeightsMissing(EmbedderUnavailable):
    """The default embedder's weights are not installed; `recollect setup` gets them. Waiting does not help."""

    retryable = False


class EmbedderConfigError(EmbedderError):
    """A wrong model name, key, base address or request to a hosted embedder (400, 401, 403, 404)."""


class EmbeddingInvalid(EmbedderError):
    """NaN or infinity, a wrong dimension, or another number of vectors than of texts."""


class EmbeddingModelMismatch(EmbedderError):
    """The store was embedded by another model; the message names the way out."""

    default_stage = "open"


class WeightsCorrupt(EmbedderError):
    """A weights file does not have its published sha256; `recollect setup` fetches it anew."""


class RerankerError(RecollectError):
    """What a reranker, or the way to it, did wrong."""

    default_stage = "search"


class RerankerUnavailable(RerankerError):
    """The reranker failed or cannot be reached. A search goes on without it, and tells of it: `trace.Reranked`, and the log."""

    retryable = True


class RerankerConfigError(RerankerError):
    """The reranker's name, key, address or files are wrong; waiting does not help."""


class RerankerInvalid(RerankerError):
    """The reranker's answer is not a finite number for each text."""


class ModelError(RecollectError):
    """What a language model, or the way to it, did wrong. `usage`: what was paid for all the same."""

    default_stage = "model"

    def __init__(
        self, message: str, *, stage: str | None = None, batch_id: str | None = None, usage: Usage = NOTHING
    ) -> None:
        super().__init__(message, stage=stage, batch_id=batch_id)
        self.usage = usage


class ModelUnavailable(ModelError):
    """Timeouts, rate limits, 5xx or connection errors, after all tries."""

    retryable = True


class ModelConfigError(ModelError):
    """A wrong model name, key, base address or request (400, 401, 403, 404)."""


class ModelRefused(ModelError):
    """The model declined to answer, or a content filter did."""


class ContextTooLong(ModelError):
    """More tokens than the model reads at once. Halve the input and go on."""


class ReplyTruncated(ModelError):
    """The reply ended at the model's limit of tokens; nothing of it was used. Ask for less at once."""


class ReplyInvalid(ModelError):
    """No reply fitted the schema, the re-asked ones included."""

    retryable = True


class ExtractionFailed(ModelError):
    """No valid reply to the extraction prompt after re-asking and splitting."""

    retryable = True
    default_stage = "extract"


class ReconciliationFailed(ModelError):
    """No valid reply to the reconciliation prompt after re-asking."""

    retryable = True
    default_stage = "reconcile"


class BudgetExceeded(RecollectError):
    """Calls, tokens or money beyond the caller's `budget=`. `usage`: what this call had paid for before it was stopped."""

    default_stage = "model"

    def __init__(
        self, message: str, *, stage: str | None = None, batch_id: str | None = None, usage: Usage = NOTHING
    ) -> None:
        super().__init__(message, stage=stage, batch_id=batch_id)
        self.usage = usage


class Stopped(RecollectError):
    """Work side by side was stopped before this part's next call; what was under way is journalled."""

    retryable = True
    default_stage = "model"


class PromptInvalid(RecollectError):
    """A prompt file is absent or malformed, or was given other variables than its own."""


class MissingExtra(RecollectError, ImportError):
    """An optional package is needed; the message has the line that installs it."""
