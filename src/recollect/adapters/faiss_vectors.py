"""Exact inner-product search over one user's vectors, by FAISS."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .forking import GATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..ports import Vectors

_thread = threading.local()


def _faiss() -> Any:
    """faiss, with one OpenMP thread for the calling thread: the setting binds only the thread that makes it, and for
    small indexes the others cost a thousand times more than they bring."""
    import faiss

    if not getattr(_thread, "single", False):
        faiss.omp_set_num_threads(1)
        _thread.single = True
    return faiss


class FaissVectors:
    """Implements `ports.VectorIndex`. Not thread-safe: its owner holds a lock."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        faiss = _faiss()
        self._index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._keys: set[int] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def upsert(self, keys: Sequence[int], vectors: Vectors) -> None:
        import numpy as np

        self.remove(keys)
        _faiss()
        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(keys, dtype=np.int64))
        self._keys.update(keys)

    def remove(self, keys: Sequence[int]) -> None:
        import numpy as np

        present = [key for key in keys if key in self._keys]
        if present:
            _faiss()
            self._index.remove_ids(np.asarray(present, dtype=np.int64))
            self._keys.difference_update(present)

    def search(self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        import numpy as np

        if not self._keys or k <= 0:
            return []
        faiss = _faiss()
        parameters = None
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            parameters = faiss.SearchParameters(sel=faiss.IDSelectorBitmap(bits))
        scores, keys = self._index.search(
            np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1), min(k, len(self._keys)), params=parameters
        )
        found = [(int(key), float(score)) for key, score in zip(keys[0], scores[0], strict=True) if key >= 0]
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def cosines(self, query: Vectors, keys: Sequence[int]) -> list[float | None]:
        vectors = self._vectors(keys)
        with GATE.inside():
            cosines = (vectors @ query).tolist()
        return [cosine if key in self._keys else None for key, cosine in zip(keys, cosines, strict=True)]

    def between(self, keys: Sequence[int]) -> Vectors:
        vectors = self._vectors(keys)
        with GATE.inside():
            cosines: Vectors = vectors @ vectors.T
        return cosines

    def _vectors(self, keys: Sequence[int]) -> Vectors:
        """The vectors under keys, zeros under absent ones."""
        import numpy as np

        vectors: Vectors = np.zeros((len(keys), self.dim), dtype=np.float32)
        present = [place for place, key in enumerate(keys) if key in self._keys]
        if present:
            _faiss()
            vectors[present] = self._index.reconstruct_batch(np.asarray([keys[i] for i in present], dtype=np.int64))
        return vectors
