"""BM25 over one user's texts, with that user's own statistics: other users' words never move one's scores.

Scores after Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), k1 = 1.2, b = 0.75, with
the idf of Lucene, ln(1 + (N − n + ½)/(n + ½)), which is never negative. A text's length is held against the average of its own
group, as BM25F does by field: what a turn is found by has twice the words of a memory.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..records import Scored, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1 = 1.2
B = 0.75
GROUPS = 2  # whose texts are compared in length with each other
ABSENT = -1
BLOCK = 64  # scores of which the best is looked at first
SPARSE = 16  # from how many places of a column to a text it is cheaper to sort the texts than to pass over the column


COUNT_BITS = 32  # of a posting: a key, then how often its text has the term


class Bm25:
    """Implements `ports.TextIndex`: an inverted index, scored a term at a time.

    A term's postings are all that is kept of a text: 8 bytes for each of its terms, and those are 25 of a message with the one
    before it. What a text's terms were is not known then: taking one out looks through all terms. That is rare, for what a
    user erases makes their index anew.
    """

    def __init__(self) -> None:
        import numpy as np

        self._postings: dict[str, array[int]] = {}  # term → its postings, ascending
        self._lengths: NDArray[np.int32] = np.zeros(16, dtype=np.int32)  # by key
        self._groups: NDArray[np.int8] = np.full(16, ABSENT, dtype=np.int8)  # by key
        self._last_key = -1
        self._sizes = [[0, 0] for _ in range(GROUPS)]  # of each group: texts, and terms in them
        self._norms: NDArray[np.float64] | None = None  # what a text's length does to its counts, by key
        self._weights: dict[
            str, NDArray[np.float64]
        ] = {}  # of the postings of terms that were asked for, by those norms
        self._last: tuple[dict[str, int], NDArray[np.int64], NDArray[np.float64]] | None = None  # see `_matches`

    def __len__(self) -> int:
        return sum(texts for texts, _ in self._sizes)

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def upsert(self, key: int, terms: Mapping[str, int], group: int = 0) -> None:
        if self._has(key):
            if self._groups[key] == group and self._is(key, terms):
                return
            self.remove([key])
        while key >= len(self._groups):
            self._grow()
        self._groups[key], self._lengths[key] = group, sum(terms.values())
        self._count(key, 1)
        is_last, self._last_key = key > self._last_key, max(key, self._last_key)
        postings, place = self._postings, key << COUNT_BITS
        for term, count in terms.items():
            if (own := postings.get(term)) is None:
                postings[term] = array("q", (place | count,))
            elif is_last:
                own.append(place | count)
            else:
                insort(own, place | count)

    def _has(self, key: int) -> bool:
        return key < len(self._groups) and self._groups[key] != ABSENT

    def _is(self, key: int, terms: Mapping[str, int]) -> bool:
        """Whether these are the terms of the text that is there. It has no others where its length is the same."""
        return bool(self._lengths[key] == sum(terms.values())) and all(
            (own := self._postings.get(term)) is not None
            and (place := _place(own, key)) is not None
            and own[place] == key << COUNT_BITS | count
            for term, count in terms.items()
        )

    def _grow(self) -> None:
        import numpy as np

        self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        self._groups = np.concatenate([self._groups, np.full_like(self._groups, ABSENT)])

    def _count(self, key: int, sign: int) -> None:
        self._norms = self._last = None
        self._weights.clear()
        size = self._sizes[self._groups[key]]
        size[0] += sign
        size[1] += sign * int(self._lengths[key])

    def remove(self, keys: Sequence[int]) -> None:
        gone = [key for key in dict.fromkeys(keys) if self._has(key)]
        for term, own in [*self._postings.items()] if gone else ():
            for key in gone:
                if (place := _place(own, key)) is not None:
                    del own[place]
            if not own:
                del self._postings[term]
        for key in gone:
            self._count(key, -1)
            self._groups[key], self._lengths[key] = ABSENT, 0

    def idf(self, term: str) -> float:
        """Weight of a term; that of a term which no text has is the highest."""
        n = len(self._postings.get(term, ()))
        return math.log(1 + (len(self) - n + 0.5) / (n + 0.5))

    def search(self, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None = None) -> Scored:
        import numpy as np

        found, scores = self._matches(terms)
        if allowed is not None:
            inside = found[: np.searchsorted(found, len(allowed))]  # what came after the mask was made is not in it
            chosen = allowed[inside]
            found, scores = inside[chosen], scores[: len(inside)][chosen]
        return _best(found, scores, k)

    def _matches(self, terms: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The keys, ascending, of the texts that hold any of the terms, and their scores. The last ones are kept: a query is
        asked of memories, of turns, and of what is left of them."""
        if self._last is None or self._last[0] != terms:
            self._last = (dict(terms), *self._scored(terms))
        return self._last[1:]

    def _scored(self, terms: Mapping[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        import numpy as np

        scores = np.zeros(len(self._lengths))
        held = [np.empty(0, dtype=np.int64)]
        for term, asked in terms.items():
            if term in self._postings:
                keys, weights = self._weighed(term)
                scores[keys] += self.idf(term) * asked * weights
                held.append(keys)
        # Where few texts hold any of the terms, only those are looked at.
        few = sum(map(len, held)) * SPARSE < len(scores)
        found = np.unique(np.concatenate(held)) if few else np.flatnonzero(scores)
        return found, scores[found]

    def _weighed(self, term: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The texts that hold a term, and what its count is worth in texts of their lengths: kept while the norms stay, which
        every text changes."""
        import numpy as np

        postings = np.frombuffer(self._postings[term], dtype=np.int64)
        keys = postings >> COUNT_BITS
        if (weights := self._weights.get(term)) is None:
            counts = postings & (1 << COUNT_BITS) - 1
            weights = self._weights[term] = counts * (K1 + 1) / (counts + self._norms_now()[keys])
        return keys, weights

    def _norms_now(self) -> NDArray[np.float64]:
        import numpy as np

        if self._norms is None:
            average = np.array([terms / texts if terms else 1.0 for texts, terms in self._sizes])
            self._norms = K1 * (1 - B + B * self._lengths / average[self._groups])
        return self._norms

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        import numpy as np

        weights = {word: min([self.idf(term) for term in word]) for word in words_of(terms)}
        total = sum(weights.values())
        covered = np.zeros(len(keys))
        if not total or not len(keys):
            return covered.tolist()
        wanted = np.asarray(keys, dtype=np.int64) << COUNT_BITS
        for word, weight in weights.items():
            known = [self._holding(term, wanted) for term in word if term in self._postings]
            if known:
                covered += weight * np.logical_or.reduce(known)
        shares: list[float] = (covered / total).tolist()
        return shares

    def _holding(self, term: str, wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some keys, each at its place in a posting, hold a term."""
        import numpy as np

        postings = np.frombuffer(self._postings[term], dtype=np.int64)
        places = np.minimum(postings.searchsorted(wanted), len(postings) - 1)
        held: NDArray[np.bool_] = postings[places] >> COUNT_BITS == wanted >> COUNT_BITS
        return held


def _place(postings: array[int], key: int) -> int | None:
    """Where a text is among postings; None where it is not."""
    place = bisect_left(postings, key << COUNT_BITS)
    return place if place < len(postings) and postings[place] >> COUNT_BITS == key else None


def _best(keys: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> Scored:
    """The k best, best first, ties by smaller key. `keys` ascend."""
    import numpy as np

    if 0 < k <= len(keys) // BLOCK:  # no worse than the worst of the best of k blocks: as many are no worse
        tops = scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK).max(axis=1)
        best = scores >= np.partition(tops, -k)[-k]
        keys, scores = keys[best], scores[best]
    if 0 < k < len(keys):
        best = scores >= np.partition(scores, -k)[-k]
        keys, scores = keys[best], scores[best]
    order = np.argsort(-scores, kind="stable")[: max(k, 0)]
    return Scored(keys[order], scores[order])
