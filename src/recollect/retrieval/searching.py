"""From a checked query to its hits, and what is made of them: embedded, found, reranked. Where nothing of that is awaited, one
worker thread does it all: to go from thread to thread costs more than half of what the search itself does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..build import Store
from ..embedding import Batcher, is_local
from ..errors import EmbedderError, EmbedderUnavailable, EmbeddingModelMismatch, StoreCorrupt
from ..ports import Embedder, Reranker
from ..results import Hit
from ..trace import Listener, emit
from .query import Query
from .retrieve import Retriever

if TYPE_CHECKING:
    from ..ports import Vectors

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Searches:
    """Those of a store."""

    store: Store
    batcher: Batcher
    retriever: Retriever
    listener: Listener | None = None

    async def hits(self, asked: Query) -> list[Hit]:
        """Hits, best first."""
        return await self.made(asked, list)

    async def made(self, asked: Query, of: Callable[[list[Hit]], T]) -> T:
        """What a worker thread makes of the hits."""
        made = partial(self._made, asked, of)
        return await self.store.steady(lambda: self.store.in_use.apply(made, self.store.in_thread))

    def begin(self, asked: Query, of: Callable[[list[Hit]], T]) -> Future[T | None] | None:
        """The same by one worker thread, without a loop; from any thread. None, at once or as what comes of it, where that cannot
        be: then `made` does it. Raises Closed."""
        embedder = self.store.embedder
        return self.store.submit(self._now, asked, of, embedder) if self._is_plain(embedder) else None

    def _is_plain(self, embedder: Embedder) -> bool:
        """Whether nothing of a search is awaited."""
        return self.store.reranker is None and is_local(embedder)

    def _now(self, asked: Query, of: Callable[[list[Hit]], T], embedder: Embedder) -> T | None:
        """None where the embedder is busy, fails, or is not the store's any more, or where what was found is gone: who awaits can
        do something about it."""
        try:
            vectors = self.batcher.now(embedder, [asked.text])
            found = None if vectors is None else self.retriever.search(asked, vectors[0], embedder)
        except (EmbedderError, EmbeddingModelMismatch, StoreCorrupt):
            return None
        return None if found is None else of(found)

    async def _made(self, asked: Query, of: Callable[[list[Hit]], T], embedder: Embedder) -> T:
        made: T | None = None
        if self._is_plain(embedder):
            made = await self.store.in_thread(self._now, asked, of, embedder)
        if made is None:
            made = await self.store.in_thread(of, await self._awaited(asked, embedder))
        return made

    async def _awaited(self, asked: Query, embedder: Embedder) -> list[Hit]:
        vector = await self._vector(embedder, asked.text)
        if self.store.reranker is not None:
            ranked = await self._reranked(self.store.reranker, asked, vector, embedder)
            if ranked is not None:
                return ranked
        hits: list[Hit] = await self.store.in_thread(self.retriever.search, asked, vector, embedder)
        return hits

    async def _vector(self, embedder: Embedder, text: str) -> Vectors | None:
        """The query's vector; None where the embedder is down: BM25 serves meanwhile."""
        try:
            vector: Vectors = (await self.batcher.embed(embedder, [text]))[0]
        except EmbedderUnavailable as error:
            if not error.retryable:
                raise
            return None
        return vector

    async def _reranked(
        self, reranker: Reranker, asked: Query, vector: Vectors | None, embedder: Embedder
    ) -> list[Hit] | None:
        """Hits in the reranker's order; None where it is down."""
        from .reranking import CANDIDATES, rerank

        in_thread = self.store.in_thread
        wide = replace(asked, limit=max(asked.limit, CANDIDATES))
        found = await in_thread(self.retriever.find, wide, vector, embedder, CANDIDATES)
        texts = [] if found is None else found.texts(CANDIDATES)
        if len(texts) < 2:
            return None  # nothing to put in order
        scores = await rerank(reranker, asked.text, texts, in_thread, partial(emit, self.listener))
        return None if scores is None else await in_thread(self.retriever.reranked, found, asked.limit, scores)
