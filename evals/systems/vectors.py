"""An embedder for several systems: what one of them had embedded the next one does not pay for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recollect.ports import Embedder

if TYPE_CHECKING:
    from recollect.ports import Vectors


class SharedEmbedder:
    """Implements `recollect.ports.Embedder` by another one, and remembers its vectors.

    A call of one text is a question, whose time is measured: it always goes to the embedder.
    """

    batches = True

    def __init__(self, embedder: Embedder) -> None:
        self.id, self.dim = embedder.id, embedder.dim
        self._embedder = embedder
        self._known: dict[str, Vectors] = {}
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dim)."""
        import numpy as np

        if len(texts) == 1:
            return self._ask(texts)
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
        vectors = dict(zip(new, self._ask(new), strict=True)) if new else {}
        with self._lock:
            self._known |= vectors
            return np.array([self._known[text] for text in texts], dtype=np.float32).reshape(len(texts), self.dim)

    def _ask(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._embedder.embed(texts)  # type: ignore[assignment]  # MiniLM and HashEmbedder are not awaited
        return vectors
