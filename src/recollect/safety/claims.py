"""What a user's message says that is not for the user to say: a claim, which is served as one and ends nothing.

A user's word is believed most, so whoever gets text into a user's message has most to win: a query with a "note for later" behind
it, a prepared link, a forged role, a rule for everybody. Such text need not look like an attack; what it has in common is that it
speaks of others, of safeguards, addresses, ranks or what shall be answered, and not of the one who says it. So words count by
what they do (`word_classes`), in a sentence or two (and what stands in quotes or behind a colon), and for less where somebody
speaks of themselves, asks, or shows code. Linear in the text.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from .legible import decoded, readable
from .word_classes import (
    A_NAME,
    A_NUMBER,
    CLASSES,
    I_SAY,
    I_SAY_UNSPACED,
    NEEDED_BY_PHRASES,
    NO_NAMES,
    NOT_ONES_OWN,
    PHRASES,
    SOMEBODY,
    WE_SAY,
)

LIMIT = 2.0  # from which a passage is a claim, by what its words do
LIMIT_ENCODED = 1.0  # … that is written so that no reader sees what it says
OF_ONESELF, OF_US = 0.4, 0.75  # what a word counts for in a sentence that says "I", or "we"
OF_A_QUESTION = OF_CODE = 0.4
OF_A_WEAK_WORD = 0.5  # of one that is often something else
GENERAL = frozenset({"a name", "a number", "nobody in it"})  # what alone makes no claim, but a clear one clearer
NOBODY = 0.5  # what it counts for that it is of no person
AN_ASIDE = 1.0  # what it counts for that something is told behind a request, of others
SOME_WORDS = 5
MOST = 0.6  # the share of a passage that one of its units has so that it is the passage
TOGETHER = 2  # neighbouring units that are read as one
LONG = 160  # characters from which a sentence is read comma by comma: much that is said is not much that is claimed
SHORT = 30  # characters of what stands before a colon and belongs to what follows it

_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])|\s(?:--|–|—|->)\s")
_PART_END = re.compile(r"[\"“”„«»()\[\]{}|]+|(?<=[:：])\s*")
_COMMA = re.compile(r",\s")
_WORD = re.compile(r"\w+(?:[-']\w+)*")
_CODE = re.compile(r"[={}<>]|;(?=\s|$)|\w\(|\)\.|::")
_REQUEST = re.compile(
    r"[?？]\W*$|https?://|^\W*(?:give|show|list|find|tell|explain|what|how|which|who|where|can|could|would|please|buy|order|book|translate|look|visit|open|read|check)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
# Somebody who tells of themselves as memories do: "The user lives in Rome", "Ebba is the user's niece".
_OF_THE_USER = re.compile(r"^\W*the user(?:['’]s)?\b|\bthe user['’]s|(?<=that )the user\b", re.IGNORECASE)
# What a wish waits for is no order: "when I mention Rex", "when you write to clients".
_ASKED = re.compile(
    r"\b(?:i|you) (?:ever |next |only )?(?:mention|say|ask|talk|speak|tell|told|answer|write|recommend|suggest|call|show"
    r"|summari[sz]e|give|type|plan)\b"
)
# Where "me" asks for something, and "I" only vouches for what is said.
_NOT_OF_ME = re.compile(
    r"\b(?:for|give|tell|show|let|help|find|get|send) me\b|\bi (?:have |can |hereby |do |must )?(?:told|tell|confirm|certify"
    r"|declare|state|repeat|say|said|assure"
    r"|inform|authori[sz]e|swear|guarantee|attest|promise)(?: you)?\b"
)
_PATTERNS = {name: re.compile(pattern, re.MULTILINE) for name, (_, pattern) in PHRASES.items()}
_WEIGHTS = {name: weight for name, (weight, *_) in PHRASES.items()}
_NEEDED = {name: words.split("|") for name, words in NEEDED_BY_PHRASES.items()}
_MAX_STEM = 14  # characters

_Classes: TypeAlias = list[tuple[str, float]]
_Table: TypeAlias = Mapping[str, _Classes]


def _tables() -> tuple[_Table, _Table, _Table]:
    """Of words, of stems, and of scripts that leave no spaces: word → its classes, each with the weight that it has there."""
    words, stems, unspaced = (defaultdict[str, _Classes](list) for _ in range(3))
    for name, (weight, strong, weak) in CLASSES.items():
        for listed, share in ((strong, 1.0), (weak, OF_A_WEAK_WORD)):
            for word in listed.split():
                table = unspaced if ord(word[0]) > 0x2E80 else stems if word.endswith("*") else words
                table[word.rstrip("*")].append((name, weight * share))
    return words, stems, unspaced


_WORDS, _STEMS, _UNSPACED = _tables()
_HEADS = {stem[:3] for stem in _STEMS}  # most words begin like none


@dataclass(frozen=True, slots=True)
class Claim:
    """A passage of the readable text, how much of a claim it is, and by which classes most."""

    start: int
    end: int
    much: float
    why: str


class _Part(NamedTuple):
    """A sentence or a part of one, as it is `said`, with the classes that its words have. `asked`: what stands before it in its
    line asks for something."""

    start: int
    end: int
    said: str
    sentence: str
    counts: Mapping[str, float]
    asked: bool
    code: bool


class _Unit(NamedTuple):
    """The same. `counts`: how much each class counts for, there."""

    start: int
    end: int
    counts: Mapping[str, float]


def claims(text: str, plain: str | None = None) -> list[Claim]:
    """The passages of a user's message that are claims, the first first; else those that are encoded. `plain`: the text,
    readable, where it is at hand."""
    found = list(_crowded(readable(text) if plain is None else plain, LIMIT))
    if found:
        return found
    hidden = ((at, end, next(_crowded(words, LIMIT_ENCODED), None)) for at, end, words in decoded(text))
    return [Claim(at, end, one.much, f"encoded: {one.why}") for at, end, one in hidden if one is not None]


def _crowded(plain: str, limit: float) -> Iterator[Claim]:
    """Units that reach the limit, alone or with the next. Where one of the two has most of it, the passage is that one."""
    parts = list(_parts_of(plain))
    aside = AN_ASIDE if any(part.asked for part in parts) else 0.0
    if _done(_together(parts)) + aside < limit:
        return  # as most texts: all that their words do is too little
    units = [_unit(part) for part in parts]
    for place in range(len(units)):
        near = units[place : place + TOGETHER]
        counts = _together(near)
        if _done(counts) >= limit:
            much = sum(counts.values())
            alone = [one for one in near if _done(one.counts) >= limit]
            own = [one for one in alone if sum(one.counts.values()) >= MOST * much] or alone or near
            why = ", ".join(sorted(counts, key=lambda one: (-counts[one], one))[:3])
            yield Claim(own[0].start, own[-1].end, much, why)


def _done(counts: Mapping[str, float]) -> float:
    """How much the words do."""
    return sum(much for name, much in counts.items() if name not in GENERAL)


def _together(units: Sequence[_Unit | _Part]) -> dict[str, float]:
    counts: dict[str, float] = {}
    for unit in units:
        for name, much in unit.counts.items():
            counts[name] = max(counts.get(name, 0.0), much)
    return counts


# --- units -------------------------------------------------------------------------------------------------------------


def _parts_of(plain: str) -> Iterator[_Part]:
    at, asked, phrases = 0, False, _phrases(plain)
    for line in plain.split("\n"):
        code = len(_CODE.findall(line)) > 1
        for start, end in _pieces(line, 0, len(line), _SENTENCE_END):
            sentence = _as_i(line[start:end])
            for first, last in _parts(line, start, end):
                said = line[first:last]
                if (counts := _classes(said, phrases)) is not None:
                    yield _Part(at + first, at + last, said, sentence, counts, asked, code)
            asked = bool(_REQUEST.search(sentence))
        at += len(line) + 1


def _unit(part: _Part) -> _Unit:
    counts = dict(part.counts)
    if _has_a_name(part.said):
        counts["a name"] = A_NAME
    if _NUMBER.search(part.said):
        counts["a number"] = A_NUMBER
    if part.asked:
        counts["an aside"] = AN_ASIDE
    if _impersonal(part.said):
        counts["nobody in it"] = NOBODY
    return _Unit(part.start, part.end, _shared(counts, OF_CODE if part.code else _share(part.sentence)))


def _pieces(text: str, start: int, end: int, at: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in at.finditer(text, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _parts(line: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What a sentence is read by: its parts between quotes, brackets and colons, and between commas where it is long."""
    held = None
    for first, last in _pieces(line, start, end, _PART_END):
        first, held = (first if held is None else held), None
        if last - first < SHORT and last < end:
            held = first
        elif last - first > LONG:
            yield from _pieces(line, first, last, _COMMA)
        else:
            yield first, last
    if held is not None:
        yield held, end


def _share(sentence: str) -> float:
    """For how much a sentence counts, by who speaks in it."""
    words = _WORD.findall(_NOT_OF_ME.sub(" ", sentence.lower()))
    heads = {word.split("'")[0] for word in words}
    if any(word.startswith(("j'", "m'")) for word in words):  # je, me
        return OF_ONESELF
    if not heads.isdisjoint(I_SAY) or any(one in sentence for one in I_SAY_UNSPACED):
        return OF_ONESELF
    if sentence.rstrip().endswith(("?", "？")):
        return OF_A_QUESTION
    return 1.0 if heads.isdisjoint(WE_SAY) else OF_US


def _impersonal(said: str) -> bool:
    """Whether a sentence of some length is about nobody."""
    words = _WORD.findall(said.lower())
    return len(words) >= SOME_WORDS and not any(word.split("'")[0] in SOMEBODY for word in words)


def _shared(counts: Mapping[str, float], share: float) -> Mapping[str, float]:
    kept = {name for together in NOT_ONES_OWN if together <= counts.keys() for name in together}
    return {name: much if name in kept else much * share for name, much in counts.items()}


# --- classes -----------------------------------------------------------------------------------------------------------


def _phrases(plain: str) -> Sequence[str]:
    """The phrases that it is worth looking for in any part of a text. Where "the user" is read as "I" more may come about."""
    low = plain.lower()
    if not low.isascii() or "the user" in low:
        return list(_PATTERNS)
    return [name for name in _PATTERNS if name not in _NEEDED or any(map(low.__contains__, _NEEDED[name]))]


def _classes(said: str, phrases: Sequence[str]) -> dict[str, float] | None:
    """class → its weight in what is said; None where no word is."""
    low = _ASKED.sub(" ", _as_i(said.lower()))
    words = _WORD.findall(low)
    if not words:
        return None
    found = {name: _WEIGHTS[name] for name in phrases if _PATTERNS[name].search(low)}
    for name, weight in _of_words(said, words):
        found[name] = max(found.get(name, 0.0), weight)
    return found


def _as_i(said: str) -> str:
    """What tells of "the user" as they would tell it themselves."""
    return _OF_THE_USER.sub("i", said) if "the user" in said.lower() else said


def _of_words(said: str, words: Sequence[str]) -> Iterator[tuple[str, float]]:
    for word in words:
        yield from _WORDS.get(word, ())
        if word[:3] in _HEADS and "_" not in word:
            for length in range(3, min(len(word), _MAX_STEM) + 1):
                yield from _STEMS.get(word[:length], ())
    if not said.isascii():
        for word, names in _UNSPACED.items():
            if word in said:
                yield from names


def _has_a_name(said: str) -> bool:
    """Whether a word behind the first has a capital."""
    names = (word for word in _WORD.findall(said)[1:] if len(word) > 2 and word[0].isupper() and not word.isupper())
    return any(name.lower() not in NO_NAMES for name in names)
