"""BM25 over one user's texts, with that user's own statistics: other users' words never move one's scores.

Scores after Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), k1 = 1.2, b = 0.75, with
the idf of Lucene, ln(1 + (N − n + ½)/(n + ½)), which is never negative. A text's length is held against the average of its own
group, as BM25F does by field: what a turn is found by has twice the words of a memory.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..records import Scored, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1 = 1.2
B = 0.75
GROUPS = 2  # whose texts are compared in length with each other
SPARSE = 16  # from how many places of a column to a text it is cheaper to sort the texts than to pass over the column


class _Postings:
    """The texts that hold a term, and how often: two columns that grow."""

    __slots__ = ("counts", "keys", "term", "weighed")

    def __init__(self, term: str) -> None:
        self.term, self.keys, self.counts = term, array("q"), array("q")
        self.weighed: tuple[int, NDArray[np.float64]] | None = None  # by the norms of which number, see `weights`

    def drop(self, key: int) -> None:
        place = self.keys.index(key)
        del self.keys[place], self.counts[place]

    def weights(self, norms: NDArray[np.float64], number: int) -> NDArray[np.float64]:
        """What each count is worth in a text of that length; kept while the norms stay, which change with every text. By their
        number: norms that are kept for a rare word's sake are as long as the store is large."""
        import numpy as np

        if self.weighed is None or self.weighed[0] != number:
            keys = np.frombuffer(self.keys, dtype=np.int64)
            counts = np.frombuffer(self.counts, dtype=np.int64)
            self.weighed = number, counts * (K1 + 1) / (counts + norms[keys])
        return self.weighed[1]


class _Held(NamedTuple):
    """The terms of a text, by their postings, which all texts share; and how often it has each."""

    postings: tuple[_Postings, ...]
    counts: tuple[int, ...]  # of each

    def same_as(self, terms: Mapping[str, int], counts: tuple[int, ...]) -> bool:
        """Whether it is this text, its terms in this order."""
        return self.counts == counts and [own.term for own in self.postings] == [*terms]


class Bm25:
    """Implements `ports.TextIndex`: an inverted index, scored a term at a time."""

    def __init__(self) -> None:
        import numpy as np

        self._postings: dict[str, _Postings] = {}
        self._texts: dict[int, _Held] = {}
        self._patterns: dict[tuple[int, ...], tuple[int, ...]] = {}  # counts that many texts have alike, kept once
        self._lengths: NDArray[np.int64] = np.zeros(256, dtype=np.int64)  # by key; 0 where there is no text
        self._groups: NDArray[np.int8] = np.zeros(256, dtype=np.int8)  # by key
        self._sizes = [[0, 0] for _ in range(GROUPS)]  # of each group: texts, and terms in them
        self._norms: NDArray[np.float64] | None = None  # what a text's length does to its counts, by key
        self._norms_number = 0  # how often they were made
        self._last: tuple[dict[str, int], NDArray[np.int64], NDArray[np.float64]] | None = None  # see `_matches`

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def upsert(self, key: int, terms: Mapping[str, int], group: int = 0) -> None:
        counts = tuple(terms.values())
        if key in self._texts and self._groups[key] == group and self._texts[key].same_as(terms, counts):
            return
        self.remove([key])
        self._grow(key)
        self._groups[key], self._lengths[key] = group, sum(counts)
        self._count(key, 1)
        postings = []
        for term, count in terms.items():
            if (own := self._postings.get(term)) is None:
                own = self._postings[term] = _Postings(term)
            own.keys.append(key)
            own.counts.append(count)
            postings.append(own)
        self._texts[key] = _Held(tuple(postings), self._patterns.setdefault(counts, counts))

    def _grow(self, key: int) -> None:
        import numpy as np

        while key >= len(self._lengths):
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
            self._groups = np.concatenate([self._groups, np.zeros_like(self._groups)])

    def _count(self, key: int, sign: int) -> None:
        self._norms = self._last = None
        size = self._sizes[self._groups[key]]
        size[0] += sign
        size[1] += sign * int(self._lengths[key])

    def remove(self, keys: Sequence[int]) -> None:
        for key in keys:
            if (held := self._texts.pop(key, None)) is None:
                continue
            for own in held.postings:
                own.drop(key)
                if not own.keys:
                    del self._postings[own.term]
            self._count(key, -1)
            self._lengths[key] = 0

    def idf(self, term: str) -> float:
        """Weight of a term; that of a term which no text has is the highest."""
        n = len(self._postings[term].keys) if term in self._postings else 0
        return math.log(1 + (len(self._texts) - n + 0.5) / (n + 0.5))

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
        norms = self._norms_now()
        held = [np.empty(0, dtype=np.int64)]
        for term, asked in terms.items():
            if term in self._postings:
                keys = np.frombuffer(self._postings[term].keys, dtype=np.int64)
                scores[keys] += self.idf(term) * asked * self._postings[term].weights(norms, self._norms_number)
                held.append(keys)
        # Where few texts hold any of the terms, only those are looked at.
        few = sum(map(len, held)) * SPARSE < len(scores)
        found = np.unique(np.concatenate(held)) if few else np.flatnonzero(scores)
        return found, scores[found]

    def _norms_now(self) -> NDArray[np.float64]:
        import numpy as np

        if self._norms is None:
            average = np.array([terms / texts if terms else 1.0 for texts, terms in self._sizes])
            self._norms = K1 * (1 - B + B * self._lengths / average[self._groups])
            self._norms_number += 1
        return self._norms

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        weights = {word: min([self.idf(term) for term in word]) for word in words_of(terms)}
        total = sum(weights.values())
        if not total:
            return [0.0] * len(keys)
        known = [([self._postings[term] for term in word if term in self._postings], weights[word]) for word in weights]
        plain = [(own[0], weight) for own, weight in known if len(own) == 1]
        several = [(own, weight) for own, weight in known if len(own) > 1]
        held = [self._texts[key].postings if key in self._texts else () for key in keys]
        covered = [sum([weight for one, weight in plain if one in postings]) for postings in held]
        if several:
            more = [sum([weight for own, weight in several if any(one in own for one in text)]) for text in held]
            covered = [one + other for one, other in zip(covered, more, strict=True)]
        return [weight / total for weight in covered]


def _best(keys: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> Scored:
    """The k best, best first, ties by smaller key. `keys` ascend."""
    import numpy as np

    if 0 < k < len(keys):
        best = scores >= np.partition(scores, -k)[-k]
        keys, scores = keys[best], scores[best]
    order = np.argsort(-scores, kind="stable")[: max(k, 0)]
    return Scored(keys[order], scores[order])
