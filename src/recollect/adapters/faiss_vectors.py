"""Exact inner-product search over one user's vectors, by FAISS.

From `COARSE_FROM` vectors on copies of one byte a number are searched first, a quarter of the memory to read, and only those of
the groups in which anything is allowed: what they find is measured exactly, and stands where no other vector can be nearer. That
is proven for each search, by how far any vector is from its copy; where it cannot be, all are measured.
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
        self._group_of: dict[int, int] = {}  # by key
        self._copies: dict[int, _Copies] = {}  # by group; none while there are few vectors

    def __len__(self) -> int:
        return len(self._group_of)

    def upsert(self, keys: Sequence[int], vectors: Vectors, group: int = 0) -> None:
        import numpy as np

        self.remove(keys)
        _faiss()
        rows, ids = np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(keys, dtype=np.int64)
        self._index.add_with_ids(rows, ids)
        self._group_of.update((key, group) for key in keys)
        if self._copies:
            self._copies_of(group).put(rows, ids)
        elif len(self) >= COARSE_FROM and self.dim % 16 == 0:  # (others have no fast path)
            self._copy_all()

    def _copies_of(self, group: int) -> _Copies:
        if group not in self._copies:
            self._copies[group] = _Copies(self.dim)
        return self._copies[group]

    def _copy_all(self) -> None:
        import numpy as np

        for group in sorted(set(self._group_of.values())):
            ids = np.asarray([key for key, own in self._group_of.items() if own == group], dtype=np.int64)
            self._copies_of(group).put(self._index.reconstruct_batch(ids), ids)

    def remove(self, keys: Sequence[int]) -> None:
        import numpy as np

        present = [key for key in keys if key in self._group_of]
        if not present:
            return
        _faiss()
        self._index.remove_ids(np.asarray(present, dtype=np.int64))
        for group, copies in self._copies.items():
            if own := [key for key in present if self._group_of[key] == group]:
                copies.remove(np.asarray(own, dtype=np.int64))
        for key in present:
            del self._group_of[key]

    def search(self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> list[tuple[int, float]]:
        import numpy as np

        if not self._group_of or k <= 0:
            return []
        one = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        if self._copies and (proven := self._search_copies(one, k, allowed)) is not None:
            return proven
        scores, keys = self._index.search(one, min(k, len(self)), params=_restriction(allowed))
        return _ranked(keys[0], scores[0], k)

    def _search_copies(
        self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None
    ) -> list[tuple[int, float]] | None:
        """The k nearest; None where it is not proven that they are."""
        import numpy as np

        found, rest = [np.empty(0, dtype=np.int64)], -np.inf
        for copies in self._copies.values():
            if allowed is None or copies.any_of(allowed):
                keys, bound = copies.nearest(query, max(8 * k, CANDIDATES), allowed)
                found.append(keys)
                rest = max(rest, bound)
        keys = np.concatenate(found)
        near = _ranked(keys, self._vectors(keys.tolist()) @ query[0], k)
        proven = rest == -np.inf or (len(near) == k and near[-1][1] > rest)
        return near if proven else None

    def cosines(self, query: Vectors, keys: Sequence[int]) -> list[float | None]:
        vectors = self._vectors(keys)
        with GATE.inside():
            cosines = (vectors @ query).tolist()
        return [cosine if key in self._group_of else None for key, cosine in zip(keys, cosines, strict=True)]

    def between(self, keys: Sequence[int]) -> Vectors:
        vectors = self._vectors(keys)
        with GATE.inside():
            cosines: Vectors = vectors @ vectors.T
        return cosines

    def _vectors(self, keys: Sequence[int]) -> Vectors:
        """The vectors under keys, zeros under absent ones."""
        import numpy as np

        vectors: Vectors = np.zeros((len(keys), self.dim), dtype=np.float32)
        present = [place for place, key in enumerate(keys) if key in self._group_of]
        if present:
            _faiss()
            vectors[present] = self._index.reconstruct_batch(np.asarray([keys[i] for i in present], dtype=np.int64))
        return vectors


class _Copies:
    """The vectors of a group, rounded to a byte a number."""

    def __init__(self, dim: int) -> None:
        import numpy as np

        faiss = _faiss()
        kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
        self._index = faiss.IndexIDMap2(faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT))
        self._members: NDArray[np.bool_] = np.zeros(256, dtype=bool)  # by key
        self.farthest = 0.0  # the greatest distance of a vector to its copy

    def put(self, rows: Vectors, ids: NDArray[np.int64]) -> None:
        """Copy vectors of shape (len(ids), dim), none of which is here."""
        import numpy as np

        copies = np.clip(np.rint(rows * SCALE), -127, 127).astype(np.float32)
        self.farthest = max(self.farthest, float(np.linalg.norm(rows - copies / SCALE, axis=1).max()))
        self._index.add_with_ids(copies, ids)
        while ids.max() >= len(self._members):
            self._members = np.concatenate([self._members, np.zeros_like(self._members)])
        self._members[ids] = True

    def remove(self, ids: NDArray[np.int64]) -> None:
        """Take copies out that are here."""
        self._index.remove_ids(ids)
        self._members[ids] = False

    def any_of(self, allowed: NDArray[np.bool_]) -> bool:
        """Whether any of them is allowed."""
        size = min(len(allowed), len(self._members))
        return bool((allowed[:size] & self._members[:size]).any())

    def nearest(
        self, query: Vectors, wanted: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], float]:
        """The keys of those whose copies are nearest, and what any other vector may score; -inf where there is no other.

        By Cauchy–Schwarz: |q·v − q'·v'| ≤ ‖q‖·‖v − v'‖ + ‖q − q'‖·‖v'‖, where v' and q' are the copies. FAISS takes the query
        in whole numbers, too.
        """
        import numpy as np

        scale = 127 / max(float(np.abs(query).max()), 1e-9)
        copy = np.rint(query * scale)
        wanted = min(wanted, self._index.ntotal)
        scores, keys = self._index.search(copy, wanted, params=_restriction(allowed))
        found = keys[0][keys[0] >= 0]
        if len(found) < wanted or not wanted:
            return found, -np.inf
        rest = float(scores[0][-1]) / (SCALE * scale) + self.farthest * float(np.linalg.norm(query))
        return found, rest + float(np.linalg.norm(query - copy / scale)) * (1 + self.farthest)


def _restriction(allowed: NDArray[np.bool_] | None) -> Any:
    """A search's parameters: only what is allowed, by key."""
    import numpy as np

    if allowed is None:
        return None
    faiss = _faiss()
    return faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little")))


def _ranked(keys: NDArray[np.int64], scores: Vectors, k: int) -> list[tuple[int, float]]:
    """The k best (key, score), best first, ties by smaller key; without the places that FAISS could not fill."""
    import numpy as np

    keys, scores = keys[keys >= 0], scores[keys >= 0]
    order = np.lexsort((keys, -scores))[:k]
    return list(zip(keys[order].tolist(), scores[order].tolist(), strict=True))
