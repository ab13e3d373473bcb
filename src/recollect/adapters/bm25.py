"""BM25 over one user's texts, with that user's own statistics: other users' words never move one's scores.

Scores after Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), k1 = 1.2, b = 0.75, with
the idf of Lucene, ln(1 + (N − n + ½)/(n + ½)), which is never negative. A text's length is held against the average of its own
group, as BM25F does by field: what a turn is found by has twice the words of a memory.
"""

from __future__ import annotations

import math
import re
import threading
import unicodedata
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1 = 1.2
B = 0.75
LONGEST = 64  # characters of a word that is stemmed
GROUPS = 2  # whose texts are compared in length with each other
SPARSE = 16  # from how many places of a column to a text it is cheaper to sort the texts than to pass over the column

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]+")
# Words that say nothing of what a text is about. The list is kept short: "not", "before", "no" do matter.
_STOP = frozenset(
    (
        "a an and are as at be been but by did do does for from had has have he her hers him his how i in is it its me my"
        " of on or our she so that the their them then there these they this to was we were what when where which who whom"
        " whose why will with you your user"
    ).split()
)


class TermCounter:
    """Implements `ports.Tokenizer`: lower-cased, accents folded, English words stemmed (Snowball), CJK as bigrams."""

    def __call__(self, text: str) -> dict[str, int]:
        return dict(Counter(self._terms(text)))

    def _terms(self, text: str) -> list[str]:
        folded = unicodedata.normalize("NFKD", text.casefold())
        plain = unicodedata.normalize(
            "NFC", "".join(c for c in folded if not unicodedata.combining(c) or ord(c) > 0x3000)
        )
        found: list[str] = []
        for word in _WORD.findall(plain):
            if _CJK.search(word):
                found += _bigrams(word)
            elif word not in _STOP:
                found.append(_stemmed(word.replace("’", "'").removesuffix("'s")))
        return found


def _bigrams(word: str) -> list[str]:
    found: list[str] = []
    for run in _CJK.findall(word):
        found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    found += [part for part in _CJK.split(word) if part]
    return found


def _stemmed(word: str) -> str:
    return word if len(word) > LONGEST else _stem(word)  # what is no word at all is not kept in the cache


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word)) if word.isascii() and word.isalpha() else word


def _stemmer() -> Any:
    """This thread's own: a stemmer keeps the word that it works on in itself."""
    if not hasattr(_own, "english"):
        import snowballstemmer

        _own.english = snowballstemmer.stemmer("english")
    return _own.english


_own = threading.local()


class _Postings:
    """The texts that hold a term, and how often: two columns that grow."""

    __slots__ = ("counts", "keys")

    def __init__(self) -> None:
        self.keys, self.counts = array("q"), array("q")

    def put(self, key: int, count: int) -> None:
        self.keys.append(key)
        self.counts.append(count)

    def drop(self, key: int) -> None:
        place = self.keys.index(key)
        del self.keys[place], self.counts[place]


class Bm25:
    """Implements `ports.TextIndex`: an inverted index, scored a term at a time."""

    def __init__(self) -> None:
        import numpy as np

        self._postings: dict[str, _Postings] = {}
        self._terms: dict[int, Mapping[str, int]] = {}
        self._lengths: NDArray[np.int64] = np.zeros(256, dtype=np.int64)  # by key; 0 where there is no text
        self._groups: NDArray[np.int8] = np.zeros(256, dtype=np.int8)  # by key
        self._sizes = [[0, 0] for _ in range(GROUPS)]  # of each group: texts, and terms in them
        self._norms: NDArray[np.float64] | None = None  # what a text's length does to its counts, by key

    def __len__(self) -> int:
        return len(self._terms)

    def __contains__(self, term: object) -> bool:
        return term in self._postings

    def upsert(self, key: int, terms: Mapping[str, int], group: int = 0) -> None:
        if self._terms.get(key) == terms and self._groups[key] == group:
            return
        self.remove([key])
        self._terms[key] = terms
        self._grow(key)
        self._groups[key], self._lengths[key] = group, sum(terms.values())
        self._count(key, 1)
        for term, count in terms.items():
            self._postings.setdefault(term, _Postings()).put(key, count)

    def _grow(self, key: int) -> None:
        import numpy as np

        while key >= len(self._lengths):
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
            self._groups = np.concatenate([self._groups, np.zeros_like(self._groups)])

    def _count(self, key: int, sign: int) -> None:
        self._norms = None
        size = self._sizes[self._groups[key]]
        size[0] += sign
        size[1] += sign * int(self._lengths[key])

    def remove(self, keys: Sequence[int]) -> None:
        for key in keys:
            if (terms := self._terms.pop(key, None)) is None:
                continue
            for term in terms:
                self._postings[term].drop(key)
                if not self._postings[term].keys:
                    del self._postings[term]
            self._count(key, -1)
            self._lengths[key] = 0

    def idf(self, term: str) -> float:
        """Weight of a term; that of a term which no text has is the highest."""
        n = len(self._postings[term].keys) if term in self._postings else 0
        return math.log(1 + (len(self._terms) - n + 0.5) / (n + 0.5))

    def search(
        self, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        import numpy as np

        scores = np.zeros(len(self._lengths))
        norms = self._norms_now()
        held = [np.empty(0, dtype=np.int64)]
        for term, asked in terms.items():
            if term in self._postings:
                keys = np.frombuffer(self._postings[term].keys, dtype=np.int64)
                counts = np.frombuffer(self._postings[term].counts, dtype=np.int64)
                scores[keys] += self.idf(term) * asked * counts * (K1 + 1) / (counts + norms[keys])
                held.append(keys)
        # Where few texts hold any of the terms, only those are looked at.
        few = sum(map(len, held)) * SPARSE < len(scores)
        found = np.unique(np.concatenate(held)) if few else np.flatnonzero(scores)
        if allowed is not None:
            found = found[found < len(allowed)]  # what came after the mask was made is not in it
            found = found[allowed[found]]
        return _best(found, scores[found], k)

    def _norms_now(self) -> NDArray[np.float64]:
        import numpy as np

        if self._norms is None:
            average = np.array([terms / texts if terms else 1.0 for texts, terms in self._sizes])
            self._norms = K1 * (1 - B + B * self._lengths / average[self._groups])
        return self._norms

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        weights = {term: self.idf(term) for term in terms}
        total = sum(weights.values())
        if not total:
            return [0.0] * len(keys)
        held = (self._terms.get(key, {}) for key in keys)
        return [sum([weight for term, weight in weights.items() if term in terms]) / total for terms in held]


def _best(keys: NDArray[np.int64], scores: NDArray[np.float64], k: int) -> list[tuple[int, float]]:
    """The k best (key, score), best first, ties by smaller key. `keys` ascend."""
    import numpy as np

    if 0 < k < len(keys):
        best = scores >= np.partition(scores, -k)[-k]
        keys, scores = keys[best], scores[best]
    order = np.argsort(-scores, kind="stable")[: max(k, 0)]
    return list(zip(keys[order].tolist(), scores[order].tolist(), strict=True))
