"""Pure scoring: what each channel weighs, and what is told twice."""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..contrasts import MARKED, NEGATIONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Weight of each channel in the fused order, all chosen together on five conversations of LoCoMo and on our own set `changes`,
# those of each in turn left out: docs/retrieval.md.
# "support": what a turn was found by, given to the memories that it supports; "about": whom or what a query names; "asked": the
# slot that it asks for (by questions of small stores: LoCoMo hardly has such); "slot": that of one of the best memories; "time":
# what fits a time that it speaks of; "timeline": all of a kind; "order": the first, or the last, of the best; "named": whose
# subject or speaker is named; "turn-after": what the turn after it was found by, given to a turn that no memory tells; "session":
# how much a session has to do with the query; "untold": a turn of which no memory came, by how many of the user's turns memories
# tell: what most of them leave is small talk.
WEIGHTS: Mapping[str, float] = {
    "memory-vector": 1.0,
    "memory-bm25": 1.0,
    "turn-vector": 1.0,
    "turn-bm25": 1.0,
    "support-vector": 0.8,
    "support-bm25": 0.8,
    "about": 0.5,
    "asked": 2.0,
    "slot": 0.4,
    "time": 2.0,
    "timeline": 0.8,
    "order": 0.2,
    "graph": 1.5,
    "named": 0.6,
    "turn-after": 1.4,
    "session": 0.5,
    "untold": -0.8,
}
LEADERS = 1  # memories, of the best, whose slots' other memories come along: a question often asks for all of a kind
SIBLINGS = 10  # in a slot, at most: a larger one tells little of what its memories have in common
USUAL = 50  # the place, among all that a query finds, whose score counts for hardly anything
TAIL = 0.1  # … which is this times its share of the best

# Every further source that tells the same is worth this much, up to three of them.
EVIDENCE_BOOST = 0.02

# --- near duplicates ---------------------------------------------------------------------------------------------------

# Cosine (MiniLM's) from which two texts may be one thing told twice. Paraphrases of one sentence lie at 0.96 to 0.99, "moved in
# May" and "moved in June" there too: hence the marks.
NEAR = 0.96
_MARK = re.compile(r"\d[\d.,:/-]*|\b[^\W\d_][\w'’-]*")


@dataclass(frozen=True, slots=True)
class Telling:
    """What a hit says, as far as two must agree on it to be one thing told twice. `about`: a slot's key and value, or a
    speaker; `when`: an event's interval, or the day on which a turn was said."""

    kind: str
    text: str
    about: tuple[str, ...] | None = None
    when: object = None

    def contradicts(self, other: Telling) -> bool:
        """Whether they differ in kind, slot or value, time, names or numbers (their order included), or negation."""
        values = None not in (self.about, other.about) and self.about != other.about
        return values or (self.kind, self.when, marks(self.text)) != (other.kind, other.when, marks(other.text))


@functools.lru_cache(maxsize=256)
def marks(text: str) -> tuple[tuple[str, ...], int]:
    """Names, numbers and words of time in their order, and how many negations there are."""
    words = [match[0].rstrip(".,:/-") for match in _MARK.finditer(text)]
    told = [word.casefold().removesuffix("'s").removesuffix("’s") for word in words if _is_mark(word)]
    return tuple(told), sum(word.casefold() in NEGATIONS or word.endswith(("n't", "n’t")) for word in words)


def _is_mark(word: str) -> bool:
    """A digit, a capital, or a letter of a script that has none, in which any word may be a name."""
    return word[0] == word[0].upper() or word.casefold() in MARKED


def thinned(near: NDArray[np.bool_], tellings: Mapping[int, Telling]) -> list[int]:
    """The places of hits, best first, near duplicates of better ones behind all others. `near[i, j]`: i and j are alike;
    `tellings`: by place, of those at least that are like another."""
    import numpy as np

    better: dict[int, list[int]] = {}
    for place, other in np.argwhere(np.tril(near, -1)).tolist():
        better.setdefault(place, []).append(other)
    behind: dict[int, None] = {}
    for place, others in better.items():  # ascending
        if any(one not in behind and not tellings[place].contradicts(tellings[one]) for one in others):
            behind[place] = None
    return [place for place in range(len(near)) if place not in behind] + [*behind]


def crowded(near: NDArray[np.bool_], authors: Sequence[Hashable], limit: int) -> list[int]:
    """The places, best first, of near duplicates of one source beyond a third of `limit`, whether or not their names and numbers
    differ. `near[i, j]`: i and j are alike."""
    import numpy as np

    crowd: list[int] = []
    same = _of_one_source(near, authors)
    like = np.zeros(len(authors), dtype=np.int64)  # those that stay, by place
    for place in range(len(authors)):
        if like[place] >= max(1, limit // 3):
            crowd.append(place)
        else:
            like += same[place]
    return crowd


def spread(near: NDArray[np.bool_], authors: Sequence[Hashable], owned: Sequence[bool], limit: int) -> list[int]:
    """The places, best first, that stay: near duplicates of one source take at most a third of the results where there is
    anything else. What is the user's own word is `owned`: it stays, if only behind the others."""
    import numpy as np

    stay: list[int] = []
    same = _of_one_source(near, authors)
    like = np.zeros(len(authors), dtype=np.int64)
    for place, others in enumerate((~near).sum(axis=1).tolist()):
        if owned[place] or not others or like[place] < max(1, min(limit // 3, others // 2)):
            stay.append(place)
            like += same[place]
    return stay


def _of_one_source(near: NDArray[np.bool_], authors: Sequence[Hashable]) -> NDArray[np.int64]:
    """1 where two are alike and of one source, else 0."""
    import numpy as np

    numbers: dict[Hashable, int] = {}
    own = np.array([numbers.setdefault(author, len(numbers)) for author in authors])
    same: NDArray[np.int64] = (near & (own[:, None] == own)).astype(np.int64)
    return same
