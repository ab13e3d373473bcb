"""Wiring: settings → a store with its adapters. The one importer of `adapters`."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import EmbedderUnavailable, EmbeddingModelMismatch, InvalidInput
from .partition import DEFAULT_MEMORY_BUDGET, Partition, Partitions
from .ports import Embedder, Extractor, Journal, Ledger, Reconciler, Tokenizer
from .records import Space

log = logging.getLogger("recollect")

HOME_VARIABLE = "RECOLLECT_HOME"
LLM_VARIABLE = "RECOLLECT_LLM"
PROVIDER_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "GROQ_API_KEY")
WORKERS = 8


@dataclass(slots=True)
class Store:
    """An open store with everything that works on it."""

    folder: Path
    journal: Journal
    ledger: Ledger
    partitions: Partitions
    embedder: Embedder
    tokenizer: Tokenizer
    extractor: Extractor
    reconciler: Reconciler
    executor: ThreadPoolExecutor

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run blocking code in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, functools.partial(function, *arguments))

    def record_embedder(self) -> None:
        """Record which embedder the store's vectors are of, at the first write. Raises EmbeddingModelMismatch."""
        mine = describe(self.embedder)
        check_same(json.loads(self.ledger.record_setting("embedder", json.dumps(mine))), mine)

    def close(self) -> None:
        """Let go of threads, partitions and the database."""
        self.executor.shutdown(wait=True)
        self.partitions.clear()
        self.ledger.close()


def open_store(
    path: str | os.PathLike[str] | None, llm: object, embedder: object, memory_budget: int = DEFAULT_MEMORY_BUDGET
) -> Store:
    """Open or make the store in a folder.

    Raises StorageError and its subclasses, SchemaTooNew, EmbeddingModelMismatch, InvalidInput.
    """
    from .adapters.bm25 import Bm25, TermCounter
    from .adapters.database import Database
    from .adapters.sqlite_journal import SqliteJournal
    from .adapters.sqlite_ledger import SqliteLedger

    extractor, reconciler = language(llm)
    folder = folder_of(path)
    database = Database(folder)
    ledger = SqliteLedger(database)
    try:
        chosen = choose_embedder(embedder, ledger.setting("embedder"))
    except BaseException:
        database.close()
        raise

    def make(space: Space) -> Partition:
        from .adapters.faiss_vectors import FaissVectors

        return Partition(space, ledger, functools.partial(FaissVectors, chosen.dim), Bm25)

    return Store(
        folder=folder,
        journal=SqliteJournal(database),
        ledger=ledger,
        partitions=Partitions(make, memory_budget),
        embedder=chosen,
        tokenizer=TermCounter(),
        extractor=extractor,
        reconciler=reconciler,
        executor=ThreadPoolExecutor(WORKERS, thread_name_prefix="recollect"),
    )


def folder_of(path: str | os.PathLike[str] | None) -> Path:
    """The store's folder: the one given, `$RECOLLECT_HOME`, or the user's data folder."""
    if path is not None:
        if not isinstance(path, str | os.PathLike) or "\x00" in str(path) or not str(path):
            raise InvalidInput("path", "must be the path of a folder")
        return Path(path).expanduser()
    if home := os.environ.get(HOME_VARIABLE):
        return Path(home)
    import platformdirs

    return Path(platformdirs.user_data_dir("recollect")) / "store"


def language(llm: object) -> tuple[Extractor, Reconciler]:
    """The extractor and reconciler that a model's name stands for; an object that has both methods stands for itself."""
    if hasattr(llm, "extract") and hasattr(llm, "reconcile"):
        return llm, llm
    from .rules import RulesExtractor, RulesReconciler

    if llm is not None and not isinstance(llm, str):
        raise InvalidInput("llm", "must be a string, or an object with extract() and reconcile()")
    name = llm or os.environ.get(LLM_VARIABLE)
    if name is None:
        warn_of_key()
    if name not in (None, "rules"):
        raise InvalidInput("llm", 'only "rules" (offline, English) is built in so far')
    return RulesExtractor(), RulesReconciler()


@functools.lru_cache(maxsize=1)
def warn_of_key() -> None:
    """Say once that a provider's key is there and not used."""
    if any(os.environ.get(key) for key in PROVIDER_KEYS):
        log.warning('a provider\'s key is set, but no model is chosen: going on with llm="rules"')


# --- the embedder ------------------------------------------------------------------------------------------------------


def choose_embedder(given: object, recorded: str | None) -> Embedder:
    """The embedder to open a store with: the one given if it is the store's own, else the recorded one, else MiniLM."""
    from .adapters.minilm import MiniLM

    known = None if recorded is None else json.loads(recorded)
    if given is None:
        default = MiniLM()
        if known is not None and known != describe(default):
            raise EmbedderUnavailable(
                f"the store was embedded by {known['id']!r}: hand that embedder over (embedder=…)"
            )
        return default
    chosen = MiniLM() if given in ("minilm", MiniLM.id) else own(given)
    if known is not None:
        check_same(known, describe(chosen))
    return chosen


def own(given: object) -> Embedder:
    """A caller's own embedder, its shape checked."""
    if isinstance(given, str):
        raise InvalidInput(
            "embedder", f"unknown: {given[:100]!r}; there is 'minilm', or an object with id, dim and embed"
        )
    name, dim = getattr(given, "id", None), getattr(given, "dim", None)
    if not isinstance(name, str) or not name or isinstance(dim, bool) or not isinstance(dim, int) or dim < 1:
        raise InvalidInput("embedder", "needs an id (a string) and a dim (a whole number)")
    if not callable(getattr(given, "embed", None)):
        raise InvalidInput("embedder", "needs a method embed(texts)")
    return given  # type: ignore[return-value]  # its shape was just checked


def describe(embedder: Embedder) -> dict[str, object]:
    """What the store records of an embedder."""
    return {"id": embedder.id, "dim": embedder.dim}


def check_same(recorded: Mapping[str, object], mine: Mapping[str, object]) -> None:
    """Raises EmbeddingModelMismatch where they differ."""
    if dict(recorded) != dict(mine):
        raise EmbeddingModelMismatch(
            f"the store was embedded by {recorded['id']!r} ({recorded['dim']} dimensions), not by {mine['id']!r}"
            f" ({mine['dim']}): open it with the recorded one and call reembed(embedder)"
        )
