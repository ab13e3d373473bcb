"""Exact inner-product search over one user's vectors, by FAISS.

From `COARSE_FROM` vectors on a copy of one byte a number is searched first, a quarter of the memory to read: what it finds is
measured exactly, and stands where no other vector can be nearer. That is proven for each search, by how far any vector is from
its copy; where it cannot be, all are measured.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .forking import GATE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..ports import Vectors

COARSE_FROM = 20_000
SCALE = 400.0  # a step of a copy's bytes is 1/400; numbers beyond ±127/400 are cut, which few of a unit vector's are
CANDIDATES = 256  # at least, and eight times what is asked for

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
        self._coarse: Any = None
        self._farthest = 0.0  # the greatest distance of a vector to its copy

    def __len__(self) -> int:
        return len(self._keys)

    def upsert(self, keys: Sequence[int], vectors: Vectors) -> None:
        import numpy as np

        self.remove(keys)
        _faiss()
        rows, ids = np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(keys, dtype=np.int64)
        self._index.add_with_ids(rows, ids)
        self._keys.update(keys)
        if self._coarse is not None:
            self._copy(rows, ids)
        elif len(self._keys) >= COARSE_FROM and self.dim % 16 == 0:  # (others have no fast path)
            self._coarse = self._make_coarse()
            ids = np.fromiter(self._keys, dtype=np.int64)
            self._copy(self._index.reconstruct_batch(ids), ids)

    def _make_coarse(self) -> Any:
        faiss = _faiss()
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        return faiss.IndexIDMap2(faiss.IndexScalarQuantizer(self.dim, kind, faiss.METRIC_INNER_PRODUCT))

    def _copy(self, rows: Vectors, ids: NDArray[np.int64]) -> None:
        import numpy as np

        copies = np.clip(np.rint(rows * SCALE), -127, 127).astype(np.float32)
        self._farthest = max(self._farthest, float(np.linalg.norm(rows - copies / SCALE, axis=1).max()))
        self._coarse.add_with_ids(copies, ids)

    def remove(self, keys: Sequence[int]) -> None:
        import numpy as np

        present = [key for key in keys if key in self._keys]
        if present:
            _faiss()
            self._index.remove_ids(np.asarray(present, dtype=np.int64))
            if self._coarse is not None:
                self._coarse.remove_ids(np.asarray(present, dtype=np.int64))
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
        one = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        if self._coarse is not None and (proven := self._search_coarse(one, k, parameters)) is not None:
            return proven
        scores, keys = self._index.search(one, min(k, len(self._keys)), params=parameters)
        return _ranked(keys[0], scores[0])[:k]

    def _search_coarse(self, query: Vectors, k: int, parameters: Any) -> list[tuple[int, float]] | None:
        """The k nearest; None where it is not proven that they are. FAISS takes the query in whole numbers, too.

        What a vector that was not found may score is bounded by Cauchy–Schwarz: |q·v − q'·v'| ≤ ‖q‖·‖v − v'‖ + ‖q − q'‖·‖v'‖,
        where v' and q' are the copies.
        """
        import numpy as np

        wanted = min(max(8 * k, CANDIDATES), len(self._keys))
        scale = 127 / max(float(np.abs(query).max()), 1e-9)
        copy = np.rint(query * scale)
        scores, keys = self._coarse.search(copy, wanted, params=parameters)
        found = keys[0][keys[0] >= 0]
        near = _ranked(found, self._vectors(found.tolist()) @ query[0])[:k]
        rest = float(scores[0][-1]) / (SCALE * scale) + self._farthest * float(np.linalg.norm(query))
        rest += float(np.linalg.norm(query - copy / scale)) * (1 + self._farthest)
        return near if len(found) < wanted or (len(near) == k and near[-1][1] > rest) else None

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


def _ranked(keys: NDArray[np.int64], scores: Vectors) -> list[tuple[int, float]]:
    """(key, score), best first, ties by smaller key; without the places that FAISS could not fill."""
    found = [(int(key), float(score)) for key, score in zip(keys, scores, strict=True) if key >= 0]
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))
