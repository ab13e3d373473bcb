"""How many tokens a text has, roughly: for budgets, where nobody names a tokenizer.

Measured against cl100k_base: docs/retrieval.md has the table. Lines in English come out a few per cent too high, other scripts
somewhat more, as nobody may be promised less than there is.
"""

from __future__ import annotations

import functools
import math
import re

# What cl100k_base never joins: letters (a capital begins a piece), up to three digits, punctuation, line ends, further spaces.
# A hexadecimal number is one piece here, so that its length alone counts: the fence of a context is another in each store.
# A space before a piece belongs to it.
_PIECE = re.compile(
    r" ?([0-9a-f]{32,}|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+|\d{1,3}|\n|[^\w\s]+|_+|[^\S\n]{2,})"
)
_ENGLISH = frozenset(
    ("the", "and", "of", "to", "with", "for", "his", "her", "that", "has", "from", "they", "at", "by", "you", "their", "she")
)  # fmt: skip
LEAST = 0.9  # tokens of a piece: one letter of an alphabet that is not Latin
# Tokens of a character, from the lowest code point of its range on.
_SCRIPTS = (
    (0x20000, 3.0),
    (0x1F000, 2.5),
    (0xAC00, 1.5),
    (0x3400, 1.7),
    (0x3040, 1.2),
    (0x0900, 1.6),
    (0x0590, 1.0),
    (0, LEAST),
)

HEX = 0.8  # tokens of a random hexadecimal digit: 99 of 100 numbers of 32 digits have 25 or fewer


def estimate_tokens(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    return math.ceil(sum(_of_line(line) for line in text.splitlines(keepends=True)))


def fewest_tokens(text: str) -> float:
    """What `estimate_tokens` says at least, at a fraction of its time: a word has a piece, and no piece costs less."""
    return LEAST * len(text.split())


@functools.lru_cache(maxsize=1024)  # what is packed is counted line by line, then as a whole
def _of_line(line: str) -> float:
    pieces = _PIECE.findall(line)
    known = not _ENGLISH.isdisjoint(map(str.lower, pieces))
    return sum(_of_piece(piece, known) for piece in pieces)


@functools.lru_cache(maxsize=8192)  # most words come again and again
def _of_piece(piece: str, english: bool) -> float:
    if not piece.isascii():
        return sum(_of_character(ord(one)) for one in piece)
    if len(piece) >= 32 and piece.isalnum():
        return HEX * len(piece)
    if not piece.isalpha():
        return 1 if piece.isdigit() or piece.isspace() else math.ceil(len(piece) / 2)
    if piece.isupper() and len(piece) > 1:
        return max(1, len(piece) / 2)
    return _of_word(len(piece)) if english else max(1, len(piece) / 3)


def _of_word(letters: int) -> float:
    """Most English words are one token; the longer, the rarer."""
    return 1 + 0.04 * max(letters - 4, 0) + 0.12 * max(letters - 11, 0)


def _of_character(code: int) -> float:
    return next(cost for first, cost in _SCRIPTS if code >= first)
