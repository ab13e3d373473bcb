"""Exact inner-product search over one user's vectors, by FAISS: an index for each group, of which only those are searched in
which anything is allowed.

From `COARSE_FROM` vectors of a group on copies of one byte a number are searched first, a quarter of the memory to read: what
they find is measured exactly, and stands where no other vector can be nearer. That is proven for each search, by how far any
vector is from its copy; where it cannot be, all are measured.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..records import Scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..ports import Vectors

ABSENT = -1
COARSE_FROM = 12_000
SCALE = 400.0  # a step of a copy's bytes is 1/400; numbers beyond ±127/400 are cut, which few of a unit vector's are
CANDIDATES = 256  # at least, and eight times what is asked for
ALONE = 250_000  # multiplications that OpenBLAS does in the calling thread; see `_products`
ROOM = 8  # vectors that a buffer begins with
KEPT = 4  # masks whose bitmaps are kept: searches of one user mostly have the same ones

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
        import numpy as np

        self.dim = dim
        self._groups: dict[int, _Group] = {}
        self._group_of: NDArray[np.int64] = np.full(16, ABSENT)  # by key
        self._place_of: NDArray[np.int64] = np.full(16, ABSENT)  # in its group, by key
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        return self._group_of.nbytes + self._place_of.nbytes + sum(one.nbytes for one in self._groups.values())

    def upsert(self, keys: Sequence[int], vectors: Vectors, group: int = 0) -> None:
        import numpy as np

        self.remove(keys)
        if not len(keys):
            return
        rows, ids = np.ascontiguousarray(vectors, dtype=np.float32), np.asarray(keys, dtype=np.int64)
        self._grow(int(ids.max()))
        own = self._groups.setdefault(group, _Group(self.dim))
        self._group_of[ids] = group
        self._place_of[ids] = len(own) + np.arange(len(ids))
        own.put(rows, ids)
        self._size += len(ids)

    def _grow(self, key: int) -> None:
        import numpy as np

        while key >= len(self._group_of):
            more = np.full(len(self._group_of), ABSENT)
            self._group_of = np.concatenate([self._group_of, more])
            self._place_of = np.concatenate([self._place_of, more])

    def remove(self, keys: Sequence[int]) -> None:
        import numpy as np

        ids = np.unique(np.asarray(keys, dtype=np.int64))
        ids = ids[self._groups_of(ids) != ABSENT]
        for group in np.unique(self._group_of[ids]).tolist():
            own, gone = self._groups[group], ids[self._group_of[ids] == group]
            own.remove(self._place_of[gone])
            self._place_of[own.keys] = np.arange(len(own))
        self._group_of[ids] = ABSENT
        self._size -= len(ids)

    def _groups_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The groups of keys, `ABSENT` for one that is not there."""
        import numpy as np

        known = ids < len(self._group_of)
        return np.where(known, self._group_of[np.where(known, ids, 0)], ABSENT)

    def search(self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None = None) -> Scored:
        import numpy as np

        if k <= 0:
            return Scored.none()
        one = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        found = [group.nearest(one, k, allowed) for group in self._groups.values()]
        if not found:
            return Scored.none()
        return _ranked(np.concatenate([keys for keys, _ in found]), np.concatenate([scores for _, scores in found]), k)

    def cosines(self, query: Vectors, keys: Sequence[int]) -> list[float | None]:
        ids = _ids(keys)
        vectors = self._vectors(ids)
        cosines = _products(vectors, query).tolist()
        present = (self._groups_of(ids) != ABSENT).tolist()
        return [cosine if there else None for there, cosine in zip(present, cosines, strict=True)]

    def between(self, keys: Sequence[int]) -> Vectors:
        import numpy as np

        vectors = self._vectors(_ids(keys))
        cosines = np.empty((len(vectors), len(vectors)), dtype=np.float32)
        step = max(1, ALONE // max(1, vectors.size))
        for start in range(0, len(vectors), step):
            np.matmul(vectors[start : start + step], vectors.T, out=cosines[start : start + step])
        return cosines

    def _vectors(self, ids: NDArray[np.int64]) -> Vectors:
        """The vectors under keys, zeros under absent ones."""
        import numpy as np

        vectors: Vectors = np.zeros((len(ids), self.dim), dtype=np.float32)
        groups = self._groups_of(ids)
        for group, own in self._groups.items():
            if (here := groups == group).any():
                vectors[here] = own.rows[self._place_of[ids[here]]]
        return vectors


class _Group:
    """Vectors in the order in which they came; their number in it is their place."""

    def __init__(self, dim: int) -> None:
        import numpy as np

        self._dim = dim
        self._rows: Vectors = np.empty((ROOM, dim), dtype=np.float32)
        self._copies: _Copies | None = None  # none while there are few vectors
        self.keys: NDArray[np.int64] = np.empty(0, dtype=np.int64)  # by place
        self._restrictions: list[tuple[NDArray[np.bool_], _Restriction]] = []  # of masks that nobody can write to

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def nbytes(self) -> int:
        """A number of a vector takes four bytes, its copy one."""
        return self.keys.nbytes + len(self) * self._dim * (4 if self._copies is None else 5)

    @property
    def rows(self) -> Vectors:
        """The vectors by place, to be read before anything is put or removed."""
        return self._rows[: len(self)]

    def put(self, rows: Vectors, ids: NDArray[np.int64]) -> None:
        """Append vectors of shape (len(ids), dim), none of which is here."""
        import numpy as np

        size = len(self) + len(rows)
        if size > len(self._rows):
            grown = np.empty((max(2 * len(self._rows), size), self._dim), dtype=np.float32)
            grown[: len(self)] = self.rows  # the rest takes no memory before something is written there
            self._rows = grown
        self._rows[len(self) : size] = rows
        self.keys = np.concatenate([self.keys, ids])
        self._restrictions.clear()
        if self._copies is not None:
            self._copies.put(rows)
        elif len(self) >= COARSE_FROM and self._dim % 16 == 0:  # (others have no fast path)
            self._copies = _Copies(self._dim)
            self._copies.put(self.rows)

    def remove(self, places: NDArray[np.int64]) -> None:
        """Take out what is at these places; the others keep their order."""
        import numpy as np

        first = int(places.min())
        behind = np.delete(np.arange(first, len(self)), places - first)
        self._rows[first : first + len(behind)] = self._rows[behind]
        if self._copies is not None:
            _faiss()
            self._copies.remove(places)
        self.keys = np.delete(self.keys, places)
        self._restrictions.clear()

    def nearest(
        self, query: Vectors, k: int, allowed: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The keys and cosines of the k nearest to a query of shape (1, dim), in any order; fewer where fewer are allowed."""
        import numpy as np

        only = self._restriction(allowed)
        if not only.number:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        found = None if self._copies is None else self._proven(self._copies, query, k, only)
        if found is None:
            found = self._exactly(query, min(k, only.number), only)
        return self.keys[found[0]], found[1]

    def _exactly(self, query: Vectors, k: int, only: _Restriction) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The places and cosines of the k nearest, as FAISS's flat index finds them: its vectors would be in its own memory, of
        small pages, and twice there whenever they need more."""
        import numpy as np

        faiss = _faiss()
        places, scores = np.empty(k, dtype=np.int64), np.empty(k, dtype=np.float32)
        question, rows, *into = (faiss.swig_ptr(one) for one in (query, self._rows, scores, places))
        selected = None if only.parameters is None else only.parameters.sel
        faiss.knn_inner_product(question, rows, self._dim, 1, len(self), k, *into, selected)
        return places, scores

    def _proven(
        self, copies: _Copies, query: Vectors, k: int, only: _Restriction
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """The places and cosines of the k nearest; None where it is not proven that they are."""
        import numpy as np

        places, bound = copies.nearest(query, max(8 * k, CANDIDATES), only)
        cosines = _products(self.rows[places], query[0])
        if bound == -np.inf or len(places) <= k:
            return places, cosines
        best = np.argpartition(-cosines, k - 1)[:k]
        return (places[best], cosines[best]) if cosines[best].min() > bound else None

    def _restriction(self, allowed: NDArray[np.bool_] | None) -> _Restriction:
        if allowed is None:
            return _Restriction(len(self), None)
        for mask, restriction in self._restrictions:
            if mask is allowed:
                return restriction
        restriction = _Restriction.of(self.keys, allowed)
        if not allowed.flags.writeable:
            self._restrictions = [*self._restrictions[1 - KEPT :], (allowed, restriction)]
        return restriction


class _Restriction(NamedTuple):
    """How many vectors of a group are allowed; FAISS's parameters of a search among them, None where all are."""

    number: int
    parameters: Any

    @classmethod
    def of(cls, keys: NDArray[np.int64], allowed: NDArray[np.bool_]) -> _Restriction:
        """By a mask over keys."""
        import numpy as np

        known = keys < len(allowed)  # what came after the mask was made is not in it
        chosen = known & allowed[np.where(known, keys, 0)] if len(allowed) else known
        count = int(chosen.sum())
        if count in (0, len(keys)):
            return cls(count, None)
        faiss = _faiss()
        return cls(count, faiss.SearchParameters(sel=faiss.IDSelectorBitmap(np.packbits(chosen, bitorder="little"))))


class _Copies:
    """The vectors of a group, rounded to a byte a number, at the same places."""

    def __init__(self, dim: int) -> None:
        faiss = _faiss()
        self._index = faiss.IndexScalarQuantizer(
            dim, faiss.ScalarQuantizer.QT_8bit_direct_signed, faiss.METRIC_INNER_PRODUCT
        )
        self.farthest = 0.0  # the greatest distance of a vector to its copy

    def put(self, rows: Vectors) -> None:
        """Copy vectors of shape (…, dim)."""
        import numpy as np

        copies = np.clip(np.rint(rows * SCALE), -127, 127).astype(np.float32)
        self.farthest = max(self.farthest, float(np.linalg.norm(rows - copies / SCALE, axis=1).max()))
        self._index.add(copies)

    def remove(self, places: NDArray[np.int64]) -> None:
        """Take copies out."""
        self._index.remove_ids(places)

    def nearest(self, query: Vectors, wanted: int, only: _Restriction) -> tuple[NDArray[np.int64], float]:
        """The places of those whose copies are nearest, and what any other vector may score; -inf where there is no other.

        By Cauchy–Schwarz: |q·v − q'·v'| ≤ ‖q‖·‖v − v'‖ + ‖q − q'‖·‖v'‖, where v' and q' are the copies. FAISS takes the query
        in whole numbers, too.
        """
        import numpy as np

        _faiss()
        scale = 127 / max(float(np.abs(query).max()), 1e-9)
        copy = np.rint(query * scale)
        scores, places = self._index.search(copy, min(wanted, only.number), params=only.parameters)
        if only.number <= wanted:
            return places[0], -np.inf
        rest = float(scores[0][-1]) / (SCALE * scale) + self.farthest * float(np.linalg.norm(query))
        return places[0], rest + float(np.linalg.norm(query - copy / scale)) * (1 + self.farthest)


def _products(vectors: Vectors, query: Vectors) -> NDArray[np.float32]:
    """Inner products of vectors with a query, without BLAS: OpenBLAS would wake its threads for it, which takes milliseconds, as
    much again until they rest; and it ends them at a fork, after which a product under way would never end."""
    import numpy as np

    products: NDArray[np.float32] = np.einsum("ij,j->i", vectors, query)
    return products


def _ids(keys: Sequence[int]) -> NDArray[np.int64]:
    import numpy as np

    return np.asarray(keys, dtype=np.int64)


def _ranked(keys: NDArray[np.int64], scores: Vectors, k: int) -> Scored:
    """The k best, best first, ties by smaller key."""
    import numpy as np

    order = np.lexsort((keys, -scores))[:k]
    return Scored(keys[order], scores[order].astype(np.float64))
