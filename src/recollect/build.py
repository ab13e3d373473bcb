"""Wiring: settings → a store with its adapters. The one importer of `adapters`."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import check
from .budget import Budget, Purse
from .embedding import EmbedderInUse
from .errors import Closed, EmbedderUnavailable, EmbeddingModelMismatch, InvalidInput, StoreCorrupt
from .failpoints import reach
from .ports import (
    Audit,
    ChatModel,
    Embedder,
    Erasure,
    Export,
    Extractor,
    Interchange,
    Journal,
    Ledger,
    Reconciler,
    Reembedding,
    Reranker,
    Talks,
    Tokenizer,
)
from .records import EmbedderKey, EmbedderRecord, Space
from .results import Backup
from .safety.trust import Trust
from .view.partition import DEFAULT_MEMORY_BUDGET, Partition, Partitions

if TYPE_CHECKING:
    from networkx import MultiDiGraph

    from .model import Row
    from .ports import Vectors
    from .view.graph import View

log = logging.getLogger("recollect")

T = TypeVar("T")

HOME_VARIABLE = "RECOLLECT_HOME"
LLM_VARIABLE = "RECOLLECT_LLM"
RULES = "rules"
CROSS_ENCODER = "cross-encoder/"
PROVIDER_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY")
WORKERS = 8
PATIENCE_S = 2.0  # with readers of an older state, when a store is opened that has remnants of what was erased


@dataclass(frozen=True, slots=True)
class Settings:
    """What a caller chose. Where things are looked up that are not given: see `AsyncMemory`."""

    path: str | os.PathLike[str] | None = None
    llm: object = None
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float | None = None
    mode: str | None = None
    embedder: object = None
    embedder_api_base: str | None = None
    embedder_api_key: str | None = field(default=None, repr=False)
    reranker: object = None
    reranker_api_base: str | None = None
    reranker_api_key: str | None = field(default=None, repr=False)
    budget: object = None
    actor: str | None = None
    trust: Trust = field(default_factory=Trust)
    memory_budget: int = DEFAULT_MEMORY_BUDGET


@dataclass(frozen=True, slots=True)
class Language:
    """What reads and decides. `model` is None where no language model is behind it."""

    extractor: Extractor
    reconciler: Reconciler
    model: ChatModel | None = None


@dataclass(slots=True)
class Store:
    """An open store with everything that works on it."""

    folder: Path
    journal: Journal
    talks: Talks
    ledger: Ledger
    audit: Audit
    export: Export
    partitions: Partitions
    in_use: EmbedderInUse
    tokenizer: Tokenizer
    language: Language
    purse: Purse
    reembedding: Reembedding
    erasure: Erasure
    interchange: Interchange
    executor: ThreadPoolExecutor
    reranker: Reranker | None = None
    embedder_recorded: bool = False

    @property
    def embedder(self) -> Embedder:
        """The one in use."""
        return self.in_use.embedder

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run blocking code in a worker thread. Raises Closed where the store was closed meanwhile."""
        return await asyncio.wrap_future(self.submit(function, *arguments))

    async def steady(self, look: Callable[[], Awaitable[T]]) -> T:
        """What comes of work that only reads; done again where something was erased meanwhile, for then the ledger lacks what
        was seen of it before. Raises StoreCorrupt where nothing was."""
        erasures = None
        while True:
            try:
                return await look()
            except StoreCorrupt:
                before, erasures = erasures, await self.in_thread(self.ledger.erasures)
                if erasures in (0, before):
                    raise

    def submit(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """As `in_thread`, from a thread without a loop."""
        try:
            return self.executor.submit(function, *arguments)
        except RuntimeError:  # the executor takes no more
            raise Closed("this memory was closed meanwhile") from None

    def record_embedder(self) -> None:
        """Record which embedder the store's vectors are of, at the first write. Raises EmbeddingModelMismatch."""
        embedder = self.embedder
        mine = describe(embedder)
        try:
            check_same(as_record(self.ledger.record_setting("embedder", json.dumps(asdict(mine)))), mine)
            self.embedder_recorded = True
        except EmbeddingModelMismatch:
            if self.in_use.settled() is embedder:
                raise
            self.record_embedder()

    def close(self, owner: str) -> None:
        """Let go of threads, the leases of `owner`, partitions and the database."""
        self.executor.shutdown(wait=True)
        reach("close.threads_ended")
        try:
            self.journal.release_all(owner)
            self.reembedding.release(owner)
            reach("close.released")
        finally:
            self.partitions.clear()
            self.ledger.close()


def open_store(settings: Settings) -> Store:
    """Open or make the store in a folder.

    Raises StorageError and its subclasses, SchemaTooNew, EmbeddingModelMismatch, InvalidInput, ModelConfigError.
    """
    from .adapters.bm25 import Bm25
    from .adapters.database import Database
    from .adapters.sqlite_audit import SqliteAudit
    from .adapters.sqlite_erasure import SqliteErasure
    from .adapters.sqlite_export import SqliteExport
    from .adapters.sqlite_interchange import SqliteInterchange
    from .adapters.sqlite_journal import SqliteJournal
    from .adapters.sqlite_ledger import SqliteLedger
    from .adapters.sqlite_reembedding import SqliteReembedding
    from .adapters.sqlite_talks import SqliteTalks
    from .adapters.terms import TermCounter

    reads, reranker = language(settings), choose_reranker(settings)
    budget = Budget.of(settings.budget)
    folder = folder_of(settings.path)
    database = Database(folder)
    tokenizer = TermCounter()
    ledger, audit = SqliteLedger(database, tokenizer.id, settings.actor), SqliteAudit(database, tokenizer)
    erasure = SqliteErasure(database, tokenizer, settings.actor)
    try:
        in_use = EmbedderInUse(choose_embedder(settings, ledger.setting("embedder")))
        ledger.secret()  # made with the store: reading never writes
        if changed := audit.recount():
            log.warning("the words of %d texts were counted anew, as this version counts them", changed)
        if erasure.unfinished() and (reason := erasure.finish(PATIENCE_S)):
            log.warning("an erasure is not complete: %s", reason)
    except BaseException:
        database.close()
        raise

    def make(space: Space, embedder: EmbedderKey) -> Partition:
        from .adapters.faiss_vectors import FaissVectors

        return Partition(space, embedder, ledger, functools.partial(FaissVectors, embedder.dim), Bm25, tokenizer)

    return Store(
        folder=folder,
        journal=SqliteJournal(database),
        talks=SqliteTalks(database),
        ledger=ledger,
        audit=audit,
        export=SqliteExport(database),
        partitions=Partitions(make, in_use, settings.memory_budget),
        in_use=in_use,
        tokenizer=tokenizer,
        language=reads,
        purse=Purse(budget, ledger.spent_since),
        reembedding=SqliteReembedding(database),
        erasure=erasure,
        interchange=SqliteInterchange(database, tokenizer, erasure),
        executor=ThreadPoolExecutor(WORKERS, thread_name_prefix="recollect"),
        reranker=reranker,
    )


def as_networkx(view: View, rows: Sequence[Row]) -> MultiDiGraph:
    """A view of a user's graph with its memories, for callers; networkx is imported here."""
    from .adapters.networkx_graph import as_networkx

    return as_networkx(view, rows)


def folder_of(path: str | os.PathLike[str] | None) -> Path:
    """The store's folder: the one given, `$RECOLLECT_HOME`, or the user's data folder."""
    if path is not None:
        return path_of("path", path, "folder")
    if home := os.environ.get(HOME_VARIABLE):
        return path_of(HOME_VARIABLE, home, "folder")
    import platformdirs

    return Path(platformdirs.user_data_dir("recollect")) / "store"


def path_of(argument: str, path: object, kind: str) -> Path:
    """A checked path, with `~` for the user's home; absolute, for SQLite may read one that begins with "file:" as an address,
    and a process may change its folder while a store is open."""
    if not isinstance(path, str | os.PathLike) or "\x00" in str(path) or not str(path):
        raise InvalidInput(argument, f"must be the path of a {kind}")
    try:
        os.fsencode(path)
        return Path(path).expanduser().absolute()
    except (TypeError, UnicodeEncodeError, RuntimeError):  # a path of bytes, a lone surrogate, an unknown ~user
        raise InvalidInput(argument, "is not a path that can be opened") from None


def restore_store(
    source: str | os.PathLike[str],
    path: str | os.PathLike[str] | None = None,
    *,
    force: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Backup:
    """Make the store in the folder `path` (default: as `Memory`'s) of a backup's file.

    Beside a store that is there only with `force`, which sets that one aside in a folder of its own. `progress` is called with
    the bytes copied and of how many. Raises InvalidInput, TargetExists, StoreCorrupt, SchemaTooNew, StoreBusy, StorageFull.
    """
    from .adapters.sqlite_backup import restore

    return restore(path_of("source", source, "file"), folder_of(path), force=force, progress=progress)


def language(settings: Settings) -> Language:
    """What a model's name stands for. An object that extracts and reconciles, or that completes, stands for itself.

    Raises InvalidInput, ModelConfigError.
    """
    llm = settings.llm
    if isinstance(llm, str | None):
        name = llm or os.environ.get(LLM_VARIABLE) or None  # a variable that is empty is none
        if name is None:
            warn_of_key()
        return rules(settings) if name in (None, RULES) else by_model(litellm_model(str(name), settings))
    if hasattr(llm, "extract") and hasattr(llm, "reconcile"):
        return Language(llm, llm)
    if hasattr(llm, "complete"):
        return by_model(llm)  # type: ignore[arg-type]  # its shape was just checked
    raise InvalidInput("llm", "must be a model's name, or an object with extract() and reconcile(), or with complete()")


def rules(settings: Settings) -> Language:
    """Offline; what only a model could use is an error rather than passed over."""
    from .rules import RulesExtractor, RulesReconciler

    for argument in ("api_base", "api_key", "timeout", "mode"):
        if getattr(settings, argument) is not None:
            raise InvalidInput(argument, 'goes with a language model: choose one by llm=… (without, it is "rules")')
    return Language(RulesExtractor(), RulesReconciler(settings.trust))


def by_model(model: ChatModel) -> Language:
    """A language model with our prompts."""
    from .writing.extract import ModelExtractor
    from .writing.reconcile import ModelReconciler

    return Language(ModelExtractor(model), ModelReconciler(model), model)


def litellm_model(name: str, settings: Settings) -> ChatModel:
    """A model by its litellm name; litellm itself is imported by the first call."""
    from .adapters.litellm_model import DEADLINE, LitellmModel
    from .adapters.retry import TRIES

    given = {"api_base": settings.api_base, "api_key": settings.api_key, "timeout": settings.timeout}
    if settings.timeout is not None:
        given["timeout"] = timeout = check.positive("timeout", settings.timeout)
        given["deadline"] = max(DEADLINE, TRIES * timeout)  # a slow server of one's own gets all its tries
    chosen = {key: value for key, value in {**given, "mode": settings.mode}.items() if value is not None}
    return LitellmModel(name, **chosen)  # type: ignore[arg-type]  # it checks them


@functools.lru_cache(maxsize=1)
def warn_of_key() -> None:
    """Say once that a provider's key is there and not used."""
    if any(os.environ.get(key) for key in PROVIDER_KEYS):
        log.warning('a provider\'s key is set, but no model is chosen: going on with llm="rules"')


def choose_reranker(settings: Settings) -> Reranker | None:
    """What `reranker=` stands for: a cross-encoder by its name or folder, a hosted one by its litellm name, or a caller's object.

    Raises InvalidInput, RerankerConfigError.
    """
    given, base, key = settings.reranker, settings.reranker_api_base, settings.reranker_api_key
    if isinstance(given, str) and not given.startswith(CROSS_ENCODER) and not is_folder(given):
        from .adapters.litellm_reranker import LitellmReranker

        return LitellmReranker(given, api_base=base, api_key=key)
    if base is not None or key is not None:
        raise InvalidInput("reranker_api_base", 'goes with a hosted reranker, "provider/model"')
    if isinstance(given, str):
        from .adapters.cross_encoder import CrossEncoder

        return CrossEncoder(given)
    if given is None:
        return None
    if not isinstance(getattr(given, "id", None), str) or not callable(getattr(given, "rerank", None)):
        raise InvalidInput("reranker", "needs an id (a string) and a method rerank(query, texts)")
    return given  # type: ignore[return-value]  # its shape was just checked


def is_folder(name: str) -> bool:
    """Whether there is a folder of that name; of one that is too long for a path there is none."""
    try:
        return Path(name).is_dir()
    except OSError:
        return False


# --- the embedder ------------------------------------------------------------------------------------------------------


def choose_embedder(settings: Settings, recorded: str | None) -> Embedder:
    """The embedder to open a store with: the one given if it is the store's own, else the recorded one, else MiniLM.

    Raises EmbeddingModelMismatch, InvalidInput, EmbedderConfigError.
    """
    from .adapters.minilm import MiniLM

    known = None if recorded is None else as_record(recorded)
    given = settings.embedder
    if given is None:
        return MiniLM() if known is None else recorded_embedder(known, settings)
    if isinstance(given, str) and given not in ("minilm", MiniLM.id) and known is not None and known.id != given:
        raise mismatch(known, given)
    chosen = embedder_of(given, settings, None if known is None else known.dim)
    if known is not None:
        check_same(known, describe(chosen))
    return chosen


def embedder_of(given: object, settings: Settings, dim: int | None = None) -> Embedder:
    """What `embedder=` stands for: MiniLM, a hosted one (of `dim` dimensions; None: it is asked), or a caller's own object.

    Raises InvalidInput, EmbedderConfigError.
    """
    from .adapters.minilm import MiniLM

    if not isinstance(given, str):
        return own(given)
    return MiniLM() if given in ("minilm", MiniLM.id) else hosted(given, settings, dim)


def hosted(name: str, settings: Settings, dim: int | None) -> Embedder:
    """An embedder by its litellm name."""
    from .adapters.litellm_embedder import LitellmEmbedder

    if "/" not in name:
        raise InvalidInput("embedder", f'unknown: {name[:100]!r}; there is "minilm", "provider/model" or an object')
    return LitellmEmbedder(name, api_base=settings.embedder_api_base, api_key=settings.embedder_api_key, dim=dim)


def recorded_embedder(known: EmbedderRecord, settings: Settings) -> Embedder:
    """The store's own embedder: by its name where that is enough, else one that is awaited."""
    named = by_name(known, settings)
    if named is not None:
        return named
    log.warning("the store was embedded by %r: until it is handed over (embedder=…), BM25 serves", known.id)
    return Awaited(known.id, known.dim)


def by_name(known: EmbedderRecord, settings: Settings) -> Embedder | None:
    """A recorded embedder, made again: MiniLM or a hosted one; None where it was a caller's own object."""
    from .adapters.minilm import MiniLM

    if known == describe(MiniLM()):
        return MiniLM()
    return hosted(known.id, settings, known.dim) if known.hosted else None


@dataclass(frozen=True, slots=True)
class Awaited:
    """In the place of a caller's embedder that is not at hand: nothing is embedded until it is."""

    id: str
    dim: int

    def embed(self, texts: Sequence[str]) -> Vectors:  # noqa: ARG002 -- the port's signature
        """Raises EmbedderUnavailable."""
        raise EmbedderUnavailable(f"the store was embedded by {self.id!r}: hand that embedder over (embedder=…)")


def own(given: object) -> Embedder:
    """A caller's own embedder, its shape checked."""
    name, dim = getattr(given, "id", None), getattr(given, "dim", None)
    if not isinstance(name, str) or not name or isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
        raise InvalidInput("embedder", "needs an id (a string) and a dim (a whole number)")
    if not callable(getattr(given, "embed", None)):
        raise InvalidInput("embedder", "needs a method embed(texts)")
    return given  # type: ignore[return-value]  # its shape was just checked


def describe(embedder: Embedder) -> EmbedderRecord:
    """What the store records of an embedder. Asks a hosted one for its dimension where that is not known yet."""
    from .adapters.litellm_embedder import LitellmEmbedder

    return EmbedderRecord(embedder.id, embedder.dim, isinstance(embedder, LitellmEmbedder))


def as_record(recorded: str) -> EmbedderRecord:
    """What the store recorded."""
    return EmbedderRecord(**json.loads(recorded))


def check_same(recorded: EmbedderRecord, mine: EmbedderRecord) -> None:
    """Raises EmbeddingModelMismatch where they differ."""
    if recorded.key != mine.key:
        raise mismatch(recorded, str(mine.key))


def mismatch(recorded: EmbedderRecord, given: str) -> EmbeddingModelMismatch:
    """The error that names the way out."""
    return EmbeddingModelMismatch(
        f"the store was embedded by {recorded.key}, not by {given}: open it with the recorded one (embedder=None) and call"
        " reembed(embedder), or run `recollect reembed --embedder NAME`"
    )
