"""A text as it is meant to be read: without what cannot be seen, look-alike, spelt-out and encoded letters put right."""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote_plus

MAX_DECODED = 20  # encoded passages of one text that are read

_SPELT = re.compile(r"\b(?:\w[ .\-_*]){5,}\w\b")
_BLOB = re.compile(r"\b[A-Za-z0-9+/]{24,}={0,2}|\b(?:[0-9a-fA-F]{2}){20,}\b")
_URL_QUERY = re.compile(r"\?\S{8,2000}")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_LEET_WORD = re.compile(r"\b(?:[a-z]{1,20}[013457]{1,3}[a-z]{1,20}|[013457]{1,2}[a-z]{2,20})\w{0,20}", re.IGNORECASE)
_LEET = str.maketrans("013457", "oieast")
_MANY_LEET = 3  # words from which digits stand for letters
_FILLERS = frozenset({0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0})
_TAGS = re.compile("[\U000e0020-\U000e007e]{6,}")
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏԛԝАВЕКМНОРСТХІЅοανερτικΑΒΕΗΙΚΜΝΟΡΤΧ", "aeopcyxijsdhlqwABEKMHOPCTXISoaveptikABEHIKMNOPTX"
)
_MIXED = re.compile(r"\b(?=\w*[a-zA-Z])(?=\w*[Ѐ-ӿͰ-Ͽ])\w+\b")


def hidden_text(text: str) -> re.Match[str] | None:
    """Where letters stand that nobody sees."""
    return _TAGS.search(text)


def decoded(text: str) -> Iterator[tuple[int, int, str]]:
    """What is written in base64, in hexadecimal, in escapes, or in a link's query."""
    for place, match in enumerate(_URL_QUERY.finditer(text)):
        if place < MAX_DECODED:
            yield match.start(), match.end(), readable(unquote_plus(match[0]).replace("=", ": ").replace("&", ". "))
    runs = re.finditer(r"\S+", text) if "%" in text else ()
    for place, match in enumerate(one for one in runs if len(_ESCAPED.findall(one[0])) > 3):
        if place < MAX_DECODED:
            yield match.start(), match.end(), readable(unquote_plus(match[0]))
    for place, match in enumerate(_BLOB.finditer(text)):
        if place < MAX_DECODED and (words := _plain_bytes(match[0])):
            yield match.start(), match.end(), readable(words)


def _plain_bytes(blob: str) -> str | None:
    """The text that a blob stands for, if it stands for one."""
    try:
        raw = (
            bytes.fromhex(blob)
            if re.fullmatch(r"[0-9a-fA-F]+", blob)
            else base64.b64decode(blob + "=" * (-len(blob) % 4))
        )
        words = raw.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return words if sum(one.isprintable() or one.isspace() for one in words) > 0.95 * len(words) else None


# Two blessings, of 18 and 8 letters when they are spelt out: a text of them would be eighteen times as long.
_LONG_LIGATURES = {0xFDFA: " ", 0xFDFB: " "}


def readable(text: str) -> str:
    """A text as it is meant to be read: without what cannot be seen, with look-alike and spelt-out letters put right."""
    text = unicodedata.normalize("NFKC", html.unescape(text).translate(_LONG_LIGATURES))
    if not text.isascii():
        text = "".join(one for one in text if one in "\n\t" or not unseen(one)).replace("’", "'")
        text = _MIXED.sub(lambda match: match[0].translate(_LOOKALIKES), text)
    if len(_LEET_WORD.findall(text)) >= _MANY_LEET:
        text = _LEET_WORD.sub(lambda match: match[0].translate(_LEET), text)
    return _SPELT.sub(lambda match: re.sub(r"[ .\-_*]", "", match[0]), text)


_LETTERS = 10_000  # more than a language has


class _Seen(dict[int, int | None]):
    """For `str.translate`: what cannot be seen is None. Letters are looked up once, as far as there is room."""

    def __missing__(self, code: int) -> int | None:
        seen = None if unseen(chr(code)) else code
        if len(self) < _LETTERS:
            self[code] = seen
        return seen


_SEEN = _Seen()


def seen(text: str) -> str:
    """A text without what cannot be seen, line ends and tabs too."""
    return text if text.isascii() and text.isprintable() else text.translate(_SEEN)


def unseen(character: str) -> bool:
    """Control, zero-width, bidi and tag characters, variation selectors and fillers: they steer or hide, and say nothing."""
    code = ord(character)
    if 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFF or code in _FILLERS:
        return True
    return code < 32 or (code > 126 and unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
