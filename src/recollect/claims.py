"""What a user's message says that is not for the user to say: a claim, which is served as one and ends nothing.

A user's word is believed most, so whoever gets text into a user's message has most to win: a query with a "note for later" behind
it, a prepared link, a forged role, a rule for everybody. Such text need not look like an attack; what it has in common is that it
speaks of others, of safeguards, addresses, ranks or what shall be answered, and not of the one who says it. So words count by
what they do (`word_classes`), in up to three neighbouring units (sentences, and what stands in quotes or behind a colon), and for
less where somebody speaks of themselves. Linear in the text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .legible import decoded, readable
from .word_classes import A_NAME, CLASSES, I_SAY, I_SAY_UNSPACED, NO_NAMES, NOT_ONES_OWN, PHRASES, WE_SAY

LIMIT = 3.0  # from which a passage is a claim
OF_ONESELF, OF_US = 0.4, 0.75  # what a word counts for in a unit that says "I", or "we"
TOGETHER = 3  # neighbouring units that are read as one
_MAX_STEM = 14  # characters

_UNIT_END = re.compile(
    r"(?<=[.!?;:])\s+|(?<=[。！？；：])|[\n\"“”„«»()\[\]{}|]+|\s(?:--|–|—|->|-)\s"  # noqa: RUF001 - as people write
)
_WORD = re.compile(r"[^\W_]+(?:[-'][^\W_]+)*")
_PATTERNS = {name: re.compile(pattern, re.MULTILINE) for name, (_, pattern) in PHRASES.items()}
_WEIGHTS = {name: weight for name, (weight, *_) in (*CLASSES.items(), *PHRASES.items())}
HALF = 0.5  # what a word counts for that is often something else


def _tables() -> tuple[_Table, _Table, _Table]:
    """Of words, of stems, and of scripts that leave no spaces: word → (class, its weight)."""
    words, stems, unspaced = defaultdict[str, _Classes](list), defaultdict[str, _Classes](list), defaultdict[str, _Classes](list)
    for name, (weight, strong, weak) in CLASSES.items():
        for listed, share in ((strong, 1.0), (weak, HALF)):
            for word in listed.split():
                table = unspaced if ord(word[0]) > 0x2E80 else stems if word.endswith("*") else words
                table[word.rstrip("*")].append((name, weight * share))
    return words, stems, unspaced


_Classes: TypeAlias = list[tuple[str, float]]
_Table: TypeAlias = Mapping[str, _Classes]
_WORDS, _STEMS, _UNSPACED = _tables()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A sentence or a part of one. `counts`: how much each class that it has counts for."""

    start: int
    end: int
    counts: Mapping[str, float]


def claims(text: str) -> list[tuple[int, int, str]]:
    """(start, end, why) of the passages of a user's readable text that are claims, the first first."""
    found = list(_claims(readable(text), LIMIT))
    return found or [(at, end, f"encoded: {why}") for at, end, words in decoded(text) for _, _, why in _claims(words, LIMIT / 2)]


def _claims(plain: str, limit: float) -> Iterator[tuple[int, int, str]]:
    units = list(_units(plain))
    for place in range(len(units)):
        for size in range(1, TOGETHER + 1):
            near = units[place : place + size]
            counts = _together(near)
            if sum(counts.values()) >= limit:
                yield near[0].start, near[-1].end, ", ".join(sorted(counts, key=lambda one: (-counts[one], one))[:3])
                break


def _together(units: Sequence[_Unit]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for unit in units:
        for name, much in unit.counts.items():
            counts[name] = max(counts.get(name, 0.0), much)
    return counts


def _units(plain: str) -> Iterator[_Unit]:
    start = 0
    for match in _UNIT_END.finditer(plain):
        if match.start() > start:
            yield _unit(plain, start, match.start())
        start = match.end()
    if start < len(plain):
        yield _unit(plain, start, len(plain))


def _unit(plain: str, start: int, end: int) -> _Unit:
    said = plain[start:end]
    low = said.lower()
    words = _WORD.findall(low)
    found = {name: _WEIGHTS[name] for name, pattern in _PATTERNS.items() if pattern.search(low)}
    for name, weight in _classes(said, words):
        found[name] = max(found.get(name, 0.0), weight)
    if _has_a_name(said):
        found["a name"] = A_NAME
    share = _share(said, words)
    kept = {name for together in NOT_ONES_OWN if together <= found.keys() for name in together}
    return _Unit(start, end, {name: weight * (1.0 if name in kept else share) for name, weight in found.items()})


def _classes(said: str, words: Sequence[str]) -> Iterator[tuple[str, float]]:
    for word in words:
        yield from _WORDS.get(word, ())
        for length in range(3, min(len(word), _MAX_STEM) + 1):
            yield from _STEMS.get(word[:length], ())
    if not said.isascii():
        for word, names in _UNSPACED.items():
            if word in said:
                yield from names


def _share(said: str, words: Sequence[str]) -> float:
    """For how much a unit counts, by who speaks in it."""
    heads = {word.split("'")[0] for word in words}
    if not heads.isdisjoint(I_SAY) or any(one in said for one in I_SAY_UNSPACED):
        return OF_ONESELF
    return 1.0 if heads.isdisjoint(WE_SAY) else OF_US


def _has_a_name(said: str) -> bool:
    """Whether a word behind the first has a capital."""
    names = (word for word in _WORD.findall(said)[1:] if len(word) > 2 and word[0].isupper() and not word.isupper())
    return any(name.lower() not in NO_NAMES for name in names)
