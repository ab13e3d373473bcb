"""Whom and what passages are about: the slot of a memory, who said a turn. Each of these labels once, by its number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..ports import Tokenizer
from .intervals import Columns

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .intervals import Integers

# Of a subject's statements, and how many, in a slot of one kind: rules know one for all "events".
KIND_SHARE, LARGEST_KIND = 0.05, 40
BETWEEN = "\x1f"  # a slot's subject and its attribute
LABEL_BYTES = 500  # a label with what finds it, roughly


class Labels:
    """Those of one user's passages."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._numbers: dict[str, int] = {}
        self._texts = [""]  # by number, from 1
        self._of = Columns("label")  # by passage
        self._slots: dict[int, list[int]] = {}  # label → the statements of that slot
        self._subjects: Counter[str] = Counter()  # subject → how many statements have a slot of its
        self._holding: dict[str, list[int]] = {}  # term → the labels that hold it, of those looked at so far
        self._looked_at: set[int] = set()
        self._attributes: dict[str, list[int]] = {}  # attribute → the labels of its slots
        self._words: dict[int, frozenset[str]] = {}  # label → the words of its subject, of those asked for so far

    def put(self, labels: Mapping[int, str], *, slots: bool) -> None:
        """Labels by passage: of statements that came, their slots; of turns, who said them."""
        numbers = [self._numbers.setdefault(label, len(self._numbers) + 1) for label in labels.values()]
        self._texts += list(self._numbers)[len(self._texts) - 1 :]
        self._of.put([*labels], [(number,) for number in numbers])
        for passage, number in zip(labels, numbers, strict=True) if slots else ():
            if number not in self._slots:
                self._attributes.setdefault(self._texts[number].partition(BETWEEN)[2], []).append(number)
            self._slots.setdefault(number, []).append(passage)
            self._subjects[self._subject(number)] += 1

    def __contains__(self, passage: object) -> bool:
        return isinstance(passage, int) and passage < len(self._of) and self._of["label"][passage] > 0

    @property
    def nbytes(self) -> int:
        """Roughly what it takes in memory."""
        return self._of.nbytes + len(self._texts) * LABEL_BYTES

    def snapshot(self) -> list[str]:
        """The label of each passage."""
        return [self._texts[label] for label in self._of["label"].tolist()]

    def text(self, passage: int) -> str:
        """The label of a passage; none where it has none."""
        return self._texts[int(self._of["label"][passage])] if passage < len(self._of) else ""

    def _subject(self, label: int) -> str:
        return self._texts[label].partition(BETWEEN)[0]

    def siblings(self, statement: int) -> Sequence[int]:
        """The statements of the same slot, itself included; none where it has no slot."""
        return tuple(self._slots.get(int(self._of["label"][statement]), ())) if statement in self else ()

    def kinds(self, statements: Iterable[int], words: frozenset[str]) -> dict[str, tuple[int, ...]]:
        """The slots of these statements, each with all its statements: those whose subject is among the words, where any is.
        One that holds more than a twentieth of what is known of its subject is no kind."""
        slots = list(dict.fromkeys(int(self._of["label"][one]) for one in statements if one in self))
        named = [one for one in slots if not self._words_of(one).isdisjoint(words)]
        return {
            self._texts[one]: tuple(members)
            for one in named or slots
            if 1
            < len(members := self._slots[one])
            <= min(KIND_SHARE * self._subjects[self._subject(one)], LARGEST_KIND)
        }

    def of(self, who: str, attributes: Iterable[str]) -> list[tuple[int, ...]]:
        """The statements of the slots of one whom these words name, slot by slot. Somebody's is not theirs: "Nora's dog" has
        slots of its own."""
        named, whole = self._tokenizer.words(who), "'" in who or "’" in who
        slots = [label for one in attributes for label in self._attributes.get(one, ())]
        return [tuple(self._slots[label]) for label in slots if self._is_of(label, who, named, whole)]

    def _is_of(self, label: int, who: str, named: frozenset[str], whole: bool) -> bool:
        words = self._words_of(label)
        if not words or not named:  # "the user" is no word that tells anything
            return self._subject(label) == who.casefold()
        return words == named if whole else words <= named

    def about(self, worth: Mapping[tuple[str, ...], float], keys: Integers) -> tuple[Integers, NDArray[np.float64]]:
        """Of these passages those whose labels hold any of the words, best first, ties by smaller key; and the weight of those
        that they hold, by what each word is worth."""
        import numpy as np

        labels = self._of.at("label", keys)
        self._look_at(labels)
        weights = np.zeros(len(self._texts))
        for word, weight in worth.items():
            for label in frozenset().union(*(self._holding.get(term, ()) for term in word)):
                weights[label] += weight
        found = weights[labels]
        held = found > 0
        keys, found = keys[held], found[held]
        best = np.lexsort((keys, -found))
        return keys[best], found[best]

    def _look_at(self, labels: Integers) -> None:
        for label in set(labels.tolist()) - self._looked_at:
            self._looked_at.add(label)
            for term in self._tokenizer.words(self._texts[label]):
                self._holding.setdefault(term, []).append(label)

    def named(self, terms: Mapping[str, int], keys: Integers) -> Integers:
        """Of these passages those whose subject, or whose speaker, the terms name whole; ascending."""
        import numpy as np

        labels = self._of.at("label", keys)
        named = np.zeros(len(self._texts), dtype=bool)
        for label in set(labels.tolist()):
            words = self._words_of(label)
            named[label] = bool(words) and words <= terms.keys()
        return np.sort(keys[named[labels]])

    def _words_of(self, label: int) -> frozenset[str]:
        if label not in self._words:
            self._words[label] = self._tokenizer.words(self._subject(label))
        return self._words[label]
