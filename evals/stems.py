"""English words to their stems."""

from __future__ import annotations

import functools
import threading
from typing import Any, Literal

_own = threading.local()


@functools.lru_cache(maxsize=100_000)
def stem(word: str, algorithm: Literal["porter", "english"]) -> str:
    """Of a word in lower case: by Porter's algorithm of 1980, or by Snowball's English one, which followed it."""
    if not hasattr(_own, algorithm):  # a thread's own: a stemmer keeps the word that it works on in itself
        import Stemmer

        setattr(_own, algorithm, Stemmer.Stemmer(algorithm, 0))
    stemmer: Any = getattr(_own, algorithm)
    return str(stemmer.stemWord(word))
