"""Turns → sentences, with their places in the turn; and whether a text is English at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_SENTENCE = 600  # characters; what is longer is no conversational sentence
MAX_TURN = 200_000

# From the beginning of a run on, and all of it: 200,000 dots are looked at once, not from each of them on.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)]*+(?=\s|$)|\n+|[。！？]")
_LONG_RUN = re.compile(
    r"(\W)\1{39,}"
)  # forty spaces or commas are of no sentence, and cost the patterns a square of their number
_ABBREVIATION = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|approx|No|Jr|Sr|a\.m|p\.m)|\b[A-Z])$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CODE = re.compile(r"```|</?\w+>|[{}<>|\\]{2,}|https?://|=>|;\s*$")
_BULLET = re.compile(r"^[\s>*•#\-–—\d.)]*")

FUNCTION_WORDS = frozenset(
    "a an the i me my mine we us our you your he him his she her it its they them their is am are was were be been do does "
    "did have has had will would can could should may might must not no and or but if so because as of in on at to from by "
    "for with about into after before since until than that this these those there here what when where who which how why "
    "i'm i've i'll i'd it's that's don't didn't can't won't isn't wasn't we're we've you're he's she's they're let's name "
    "just really very always never now actually please thanks hi hello".split()
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A piece of a turn. `text` is verbatim: `turn.content[start:start + len(text)] == text`."""

    start: int
    text: str
    end: str  # its closing punctuation: ".", "!", "?" or ""

    @property
    def asks(self) -> bool:
        return "?" in self.end


def split(content: str) -> Iterator[Sentence]:
    """The sentences of a turn, in order, without bullets and outer space."""
    start = 0
    text = content[:MAX_TURN]
    for match in _END.finditer(text):
        closing = match[0]
        if closing == "." and _ABBREVIATION.search(text[max(0, match.start() - 8) : match.start()]):
            if not text[max(0, match.start() - 2) : match.start()].endswith(" I"):
                continue
        yield from _sentence(content, start, match.end(), closing.strip())
        start = match.end()
    yield from _sentence(content, start, len(text), "")


def _sentence(content: str, start: int, end: int, closing: str) -> Iterator[Sentence]:
    piece = content[start:end]
    bullet = _BULLET.match(piece)
    lead = (
        bullet.end() if bullet and not piece[: bullet.end()].strip()[:1].isdigit() else len(piece) - len(piece.lstrip())
    )
    body = piece[lead:].rstrip()
    if 3 <= len(body) <= MAX_SENTENCE and not _LONG_RUN.search(body):
        yield Sentence(start + lead, body, closing)


def words(text: str) -> list[str]:
    """The words of a text in lower case, with straight apostrophes."""
    return [word.casefold().replace("’", "'") for word in _WORD.findall(text)]


def is_english(text: str) -> bool:
    """Whether enough of the words are English function words, and the letters Latin."""
    found = words(text)
    if not found:
        return False
    if sum(word.isascii() for word in found) < 0.7 * len(found):
        return False
    common = sum(word in FUNCTION_WORDS or word.endswith(("'s", "n't", "'ve", "'ll", "'re", "'m")) for word in found)
    return common >= max(1, len(found) // 8)


def is_code(text: str) -> bool:
    """Code, markup and links say nothing that stands alone."""
    return bool(_CODE.search(text))
