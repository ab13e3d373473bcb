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
from typing import TYPE_CHECKING, NamedTuple

from ..records import Scored, words_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matches = tuple[NDArray[np.int64] | None, NDArray[np.float64]]  # see `_Group.scored`

K1 = 1.2
B = 0.75
GROUPS = 2  # whose texts are compared in length with each other, and searched only where any of them is allowed
ABSENT = -1
COUNT_BITS = 32  # of a posting: a key, then how often its text has the term
COUNT = (1 << COUNT_BITS) - 1
SPARSE = 16  # from how many places of a column to a text it is cheaper to sort the texts than to pass over the column
TERM_BYTES = 270  # a term, its place in a dict, and an array
BLOCK = 64  # scores of which the best is looked at first


class Bm25:
    """Implements `ports.TextIndex`: an inverted index, scored a term at a time.

    A term's postings are all that is kept of a text, 8 bytes for each of its terms. What a text's terms were is not known then:
    taking one out looks through all terms of its group. That is rare, for where a user erases, their index is made anew.
    """

    def __init__(self) -> None:
        import numpy as np

        self._groups = [_Group() for _ in range(GROUPS)]
        self._group_of: NDArray[np.int8] = np.full(16, ABSENT, dtype=np.int8)  # by key
        self._lengths: NDArray[np.int32] = np.zeros(16, dtype=np.int32)  # by key
        self._size = 0
        self._last: _Asked | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def nbytes(self) -> int:
        return self._group_of.nbytes + self._lengths.nbytes + sum(group.nbytes for group in self._groups)

    def __contains__(self, term: object) -> bool:
        one, other = self._groups
        return term in one.postings or term in other.postings

    def upsert(self, key: int, terms: Mapping[str, int], group: int = 0) -> None:
        length = sum(terms.values())
        if key < len(self._group_of) and self._group_of[key] != ABSENT:
            # A text of that length that has these terms so often has no others.
            if self._group_of[key] == group and self._lengths[key] == length and self._groups[group].has(key, terms):
                return
            self.remove([key])
        while key >= len(self._group_of):
            self._grow()
        self._group_of[key], self._lengths[key] = group, length
        self._groups[group].add(key, terms, length)
        self._change(1)

    def _grow(self) -> None:
        import numpy as np

        self._group_of = np.concatenate([self._group_of, np.full_like(self._group_of, ABSENT)])
        self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])

    def _change(self, texts: int) -> None:
        self._size += texts
        self._last = None

    def remove(self, keys: Sequence[int]) -> None:
        known = [key for key in dict.fromkeys(keys) if key < len(self._group_of)]
        for number, group in enumerate(self._groups):
            if gone := [key for key in known if self._group_of[key] == number]:
                group.remove(gone, int(self._lengths[gone].sum()))
                self._group_of[gone], self._lengths[gone] = ABSENT, 0
                self._change(-len(gone))

    def idf(self, term: str) -> float:
        """Weight of a term; that of a term which no text has is the highest."""
        one, other = self._groups
        n = len(one.postings.get(term, ())) + len(other.postings.get(term, ()))
        return math.log(1 + (self._size - n + 0.5) / (n + 0.5))

    def search(self, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None = None) -> Scored:
        import numpy as np

        found = [self._best_of(number, terms, k, allowed) for number in range(GROUPS)]
        keys, scores = np.concatenate([one.keys for one in found]), np.concatenate([one.scores for one in found])
        order = np.lexsort((keys, -scores))[: max(k, 0)]
        return Scored(keys[order], scores[order])

    def _best_of(self, number: int, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None) -> Scored:
        if allowed is not None:
            size = min(len(allowed), len(self._group_of))  # what came after the mask was made is not in it
            allowed = allowed[:size] & (self._group_of[:size] == number)
        if k <= 0 or not (self._groups[number].postings if allowed is None else allowed.any()):
            return Scored.none()
        return _best(*self._matches(number, terms), k, allowed)

    def _matches(self, number: int, terms: Mapping[str, int]) -> Matches:
        """The scores of a group's texts, see `_Group.scored`. The last ones are kept: a query is asked of all that may be served,
        and of what is left of it."""
        if self._last is None or self._last.terms != terms:
            self._last = _Asked(dict(terms), {term: self.idf(term) * asked for term, asked in terms.items()}, {})
        last = self._last
        if number not in last.found:
            last.found[number] = self._groups[number].scored(last.weights, self._lengths)
        return last.found[number]

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        import numpy as np

        weights = {word: min([self.idf(term) for term in word]) for word in words_of(terms)}
        total = sum(weights.values())
        covered = np.zeros(len(keys))
        if not total or not len(keys):
            return covered.tolist()
        wanted = np.asarray(keys, dtype=np.int64)
        for word, weight in weights.items():
            known = [group.holding(term, wanted) for term in word for group in self._groups if term in group.postings]
            if known:
                covered += weight * np.logical_or.reduce(known)
        shares: list[float] = (covered / total).tolist()
        return shares


class _Asked(NamedTuple):
    """A query, what each of its terms weighs, and what was found in groups."""

    terms: dict[str, int]
    weights: dict[str, float]
    found: dict[int, Matches]


class _Group:
    """Texts that are compared in length with each other."""

    def __init__(self) -> None:
        self.postings: dict[str, array[int]] = {}  # term → the texts that hold it, ascending
        self._last_key = -1
        self._texts = self._terms = self._places = 0
        self._norms: NDArray[np.float64] | None = None  # what a text's length does to its counts, by key
        self._weights: dict[str, NDArray[np.float64]] = {}  # of the postings of terms that were asked for, by the norms

    @property
    def nbytes(self) -> int:
        """What terms take, and what postings do."""
        return len(self.postings) * TERM_BYTES + self._places * 8

    def has(self, key: int, terms: Mapping[str, int]) -> bool:
        """Whether a text has terms so often."""
        for term, count in terms.items():
            own = self.postings.get(term, ())
            place = bisect_left(own, key << COUNT_BITS | count)
            if place == len(own) or own[place] != key << COUNT_BITS | count:
                return False
        return True

    def add(self, key: int, terms: Mapping[str, int], length: int) -> None:
        """Put a text that is not here."""
        is_last, self._last_key = key > self._last_key, max(key, self._last_key)
        postings, place = self.postings, key << COUNT_BITS
        for term, count in terms.items():
            if (own := postings.get(term)) is None:
                postings[term] = array("q", (place | count,))
            elif is_last:
                own.append(place | count)
            else:
                insort(own, place | count)
        self._places += len(terms)
        self._change(1, length)

    def remove(self, keys: Sequence[int], length: int) -> None:
        """Take texts out that are here, so many terms in all."""
        for term, own in [*self.postings.items()]:
            for key in keys:
                place = bisect_left(own, key << COUNT_BITS)
                if place < len(own) and own[place] >> COUNT_BITS == key:
                    del own[place]
                    self._places -= 1
            if not own:
                del self.postings[term]
        self._change(-len(keys), -length)

    def _change(self, texts: int, terms: int) -> None:
        self._texts += texts
        self._terms += terms
        self._norms = None
        self._weights.clear()

    def scored(self, weights: Mapping[str, float], lengths: NDArray[np.int32]) -> Matches:
        """The keys, ascending, of the texts that hold any of these terms, and what they are worth together; where they are not
        few, all scores by key."""
        import numpy as np

        scores = np.zeros(len(lengths))
        held = [np.empty(0, dtype=np.int64)]
        for term, weight in weights.items():
            if term in self.postings:
                keys, own = self._weighed(term, lengths)
                scores[keys] += weight * own
                held.append(keys)
        if sum(map(len, held)) * SPARSE < len(scores):
            found = np.unique(np.concatenate(held))
            return found, scores[found]
        return None, scores

    def _weighed(self, term: str, lengths: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The texts that hold a term, and what its count is worth in texts of their lengths: kept while the norms stay, which
        every text changes."""
        import numpy as np

        postings = np.frombuffer(self.postings[term], dtype=np.int64)
        keys = postings >> COUNT_BITS
        if (weights := self._weights.get(term)) is None:
            counts = postings & COUNT
            weights = self._weights[term] = counts * (K1 + 1) / (counts + self._norms_of(lengths)[keys])
        return keys, weights

    def _norms_of(self, lengths: NDArray[np.int32]) -> NDArray[np.float64]:
        import numpy as np

        if self._norms is None:
            average = self._terms / self._texts if self._terms else 1.0
            self._norms = K1 * (1 - B + B * lengths.astype(np.float64) / average)
        return self._norms

    def holding(self, term: str, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which texts hold a term that some do."""
        import numpy as np

        postings = np.frombuffer(self.postings[term], dtype=np.int64)
        places = np.minimum(postings.searchsorted(keys << COUNT_BITS), len(postings) - 1)
        held: NDArray[np.bool_] = postings[places] >> COUNT_BITS == keys
        return held


def _best(
    keys: NDArray[np.int64] | None, scores: NDArray[np.float64], k: int, allowed: NDArray[np.bool_] | None
) -> Scored:
    """The k best of those allowed that are above 0, best first, ties by smaller key. See `_Group.scored`."""
    import numpy as np

    if allowed is not None and keys is None:
        scores = scores[: len(allowed)] * allowed
    elif allowed is not None and keys is not None:
        keys = keys[: keys.searchsorted(len(allowed))]
        scores = scores[: len(keys)] * allowed[keys]
    best = scores > 0
    if k <= len(scores) // BLOCK:  # the k-th best is no worse than the worst of the best of k blocks
        tops = scores[: len(scores) // BLOCK * BLOCK].reshape(-1, BLOCK).max(axis=1)
        best &= scores >= np.partition(tops, -k)[-k]
    places = np.flatnonzero(best)
    scores = scores[places]
    if k < len(scores):
        best = scores >= np.partition(scores, -k)[-k]
        places, scores = places[best], scores[best]
    order = np.argsort(-scores, kind="stable")[:k]
    places = places[order]
    return Scored(places if keys is None else keys[places], scores[order])
