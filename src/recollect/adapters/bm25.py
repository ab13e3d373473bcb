"""BM25 over one user's texts, with that user's own statistics: other users' words never move one's scores.

Scores after Robertson & Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), k1 = 1.2, b = 0.75, with
the idf of Lucene, ln(1 + (N − n + ½)/(n + ½)), which is never negative.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

K1 = 1.2
B = 0.75

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
                found.append(_stem(word.replace("’", "'").removesuffix("'s")))
        return found


def _bigrams(word: str) -> list[str]:
    found: list[str] = []
    for run in _CJK.findall(word):
        found += [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    found += [part for part in _CJK.split(word) if part]
    return found


@lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(word)) if word.isascii() and word.isalpha() else word


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer("english")


class Bm25:
    """Implements `ports.TextIndex`: an inverted index in plain dictionaries."""

    def __init__(self) -> None:
        self._postings: dict[str, dict[int, int]] = {}
        self._terms: dict[int, Mapping[str, int]] = {}
        self._lengths: dict[int, int] = {}
        self._total = 0

    def __len__(self) -> int:
        return len(self._terms)

    def upsert(self, key: int, terms: Mapping[str, int]) -> None:
        self.remove([key])
        self._terms[key] = terms
        self._lengths[key] = sum(terms.values())
        self._total += self._lengths[key]
        for term, count in terms.items():
            self._postings.setdefault(term, {})[key] = count

    def remove(self, keys: Sequence[int]) -> None:
        for key in keys:
            for term in self._terms.pop(key, ()):
                self._postings[term].pop(key)
                if not self._postings[term]:
                    del self._postings[term]
            self._total -= self._lengths.pop(key, 0)

    def idf(self, term: str) -> float:
        """Weight of a term; that of a term which no text has is the highest."""
        n = len(self._postings.get(term, ()))
        return math.log(1 + (len(self._terms) - n + 0.5) / (n + 0.5))

    def search(
        self, terms: Mapping[str, int], k: int, allowed: NDArray[np.bool_] | None = None
    ) -> list[tuple[int, float]]:
        scores: dict[int, float] = {}
        average = self._total / len(self._terms) if self._terms else 1.0
        for term, asked in terms.items():
            weight = self.idf(term) * asked
            for key, count in self._postings.get(term, {}).items():
                if allowed is None or allowed[key]:
                    norm = K1 * (1 - B + B * self._lengths[key] / (average or 1.0))
                    scores[key] = scores.get(key, 0.0) + weight * count * (K1 + 1) / (count + norm)
        return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))[:k]

    def coverage(self, terms: Mapping[str, int], keys: Sequence[int]) -> list[float]:
        weights = {term: self.idf(term) for term in terms}
        total = sum(weights.values())
        if not total:
            return [0.0] * len(keys)
        return [sum(w for term, w in weights.items() if term in self._terms.get(key, ())) / total for key in keys]
