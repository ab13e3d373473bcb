"""Text → terms, for BM25: folded, without accents, stemmed as its language is; scripts without spaces by pairs of characters.

A stored text is stemmed as the one language that it is in (`languages.py`), and says so by a term of its own. A query does not
have to be told apart: each of its words is asked for as every language that the user's texts are in would write it down, so
that the same word finds itself whatever the two were taken for. Texts have each character of Chinese too, many of which are
words: a query asks for one that stands alone. Words in Cyrillic, Greek and Arabic are stemmed by their script.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import Any

from ..records import Asked
from .irregular import BASES
from .languages import LANGUAGES, STOP_WORDS, language_of

VERSION = 3  # of what this module does to a text
LONGEST = 64  # characters of a word that is stemmed

_UNSPACED = (  # scripts whose words nothing parts; Hangul too, whose particles are joined to the word
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_LETTER = r"(?:[^\W_]|[\u0900-\u0dff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])"  # there, vowels are marks
_WORD = re.compile(f"{_LETTER}+(?:['’]{_LETTER}+)?")
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)?")
_RUN = re.compile(f"[{_UNSPACED}]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
# Accents, points and vowel marks; not the breve of й, which is a letter of its own.
_MARKS = re.compile(
    "[\u0300-\u0305\u0307-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7"
    "\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]|(?<!и)\u0306"
)
_UNACCENTED = str.maketrans({"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "’": "'"})
_ELIDED = re.compile(r"(?:[dljmtscn]|qu|dell|all|nell|sull|dall|un)'(?=.)")
# Words that say nothing of what a text is about. The list is kept short: "not", "before", "no" do matter.
_ENGLISH = frozenset(
    (
        "a an and are as at be been but by did do does for from had has have he her hers him his how i in is it its"
        " me my of on or our she so that the their them then there these they this to was we were what when where"
        " which who whom whose why will with you your user"
    ).split()
)
# What a question in Chinese is made of, and tells nothing of what it is about.
_ASKING = re.compile(
    "什么|甚麼|什麼|怎么样|怎么|怎麼|为什么|為什麼|哪里|哪裡|哪儿|哪个|哪些|哪|谁|誰|多少|几时|何时|是不是|有没有|的|了|吗|嗎|呢|吧|过|過"
)
_STOP = {"english": _ENGLISH, **STOP_WORDS}
_MARK_OF = {language: f"~{language[:2]}" for language in LANGUAGES}


class TermCounter:
    """Implements `ports.Tokenizer`."""

    @property
    def id(self) -> str:
        """Changes where the same text may get other terms."""
        stems = ".".join(version("PyStemmer").split(".")[:2])  # as the algorithms of Snowball that it has
        return f"terms-{VERSION} snowball-{stems}"

    def __call__(self, text: str) -> dict[str, int]:
        words = _words(text)
        language = language_of(set(words), text)
        terms = Counter(_terms(words, language))
        if language != "english":
            terms[_MARK_OF[language]] = 1
        return dict(terms)

    def asked(self, text: str, held: Callable[[str], bool]) -> Asked:
        words = _words(text)
        spoken = ["english", *(language for language in LANGUAGES if held(_MARK_OF[language]))]
        stop = _STOP[language_of(set(words), text, enough=1)]
        asked: list[tuple[str, ...]] = []
        for word in words:
            if _is_spaced(word):
                if word not in stop:
                    asked.append(tuple(dict.fromkeys(_stemmed(word, language) for language in spoken)))
            else:
                asked += [(term,) for part in _ASKING.split(word) for term in _pairs(part)]
        return Asked(asked)

    def words(self, text: str) -> frozenset[str]:
        return frozenset(_terms(_words(text), "english"))


def _words(text: str) -> list[str]:
    """Folded: without case, accents and widths."""
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    folded = _MARKS.sub("", unicodedata.normalize("NFKD", text).casefold())
    return _WORD.findall(unicodedata.normalize("NFC", folded).translate(_UNACCENTED))


def _terms(words: list[str], language: str) -> Iterator[str]:
    stop = _STOP[language]
    for word in words:
        if not _is_spaced(word):
            yield from _pairs(word)
            yield from (one for run in _RUN.findall(word) if len(run) > 1 for one in _HAN.findall(run))
        elif word not in stop:
            yield _stemmed(word, language)


def _is_spaced(word: str) -> bool:
    return word.isascii() or _RUN.search(word) is None


def _pairs(word: str) -> Iterator[str]:
    """Of what is written without spaces, one character where it stands alone; other letters between them as they are."""
    for run in _RUN.findall(word):
        yield from [run[i : i + 2] for i in range(len(run) - 1)] or [run]
    yield from (part for part in _RUN.split(word) if part)


def _stemmed(word: str, language: str) -> str:
    return word if len(word) > LONGEST else _stem(word, language)  # what is no word at all is not kept in the cache


@lru_cache(maxsize=50_000)
def _stem(word: str, language: str) -> str:
    word = word.removesuffix("'s")
    if not word.isascii():
        return _of_script(word)
    if language in ("french", "italian"):
        word = _ELIDED.sub("", word, count=1) if _ELIDED.match(word) else word
    if not word.isalpha() and language != "english":
        return word
    if language == "english":
        word = BASES.get(word, word)
    stem = _by(language, word) if word.isalpha() else word
    # "Annas Schwester": Snowball leaves the genitive of what ends in a vowel.
    return stem[:-1] if language == "german" and len(stem) > 3 and stem[-2:] in ("as", "os", "us", "is") else stem


def _of_script(word: str) -> str:
    first = word[0]
    if "\u0400" <= first <= "\u04ff":
        return _by("russian", word)
    if "\u0370" <= first <= "\u03ff":
        return _by("greek", word)
    return _by("arabic", word) if "\u0600" <= first <= "\u06ff" else word


def _by(language: str, word: str) -> str:
    """By this thread's own stemmer: one keeps the word that it works on in itself."""
    import Stemmer

    known = _own.__dict__.setdefault("stemmers", {})
    if language not in known:
        known[language] = Stemmer.Stemmer(language, 0)  # no cache of its own: `_stem` has one
    return str(known[language].stemWord(word))


_own: Any = threading.local()
