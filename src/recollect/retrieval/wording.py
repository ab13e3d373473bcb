"""What the words of a query tell by themselves: who asks, and whom or what it names."""

from __future__ import annotations

import re

_THE_USER = {"i": "the user", "me": "the user", "myself": "the user", "my": "the user's", "mine": "the user's"}
_CONTRACTED = re.compile(r"\bI['’](m|ve|d|ll)\b", re.IGNORECASE)
_FULL = {"m": "I am", "ve": "I have", "d": "I would", "ll": "I will"}
_ENGLISH = re.compile(
    r"\b(?:what|where|when|who|which|how|why|do|does|did|am|are|can|should|the|about|have)\b", re.IGNORECASE
)
_FIRST_PERSON = re.compile(r"\b(?:I|me|myself|my|mine)\b(?!['’.]\w)", re.IGNORECASE)


def of_the_user(query: str) -> str:
    """ "Where do I live?" → "Where do the user live?". The grammar does not matter to an embedder, the person does: beside
    "The user moved to Berlin." the one is below the floor, the other well above it."""
    if not _ENGLISH.search(query):
        return query  # "i" is "and" in Polish, "me" is "myself" in Spanish
    full = _CONTRACTED.sub(lambda match: _FULL[match[1].casefold()], query)
    return _FIRST_PERSON.sub(lambda match: _THE_USER[match[0].casefold()], full)


_WORD = re.compile(r"[^\W\d_](?:[\w'’-]*\w)?")
_SENTENCE = re.compile(r"""[.!?:"“]\s*$""")
_TITLE = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|Prof)\.\s*$")
# No word of German, whose nouns have capitals too.
_ASKS = {"what", "where", "when", "which", "who", "whose", "how", "why", "the", "of", "does", "did", "are"}
_NO_NAMES = {
    "i", "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "jan", "feb", "mar", "apr", "jun",
    "jul", "aug", "sep", "sept", "oct", "nov", "dec",
}  # fmt: skip


def names(query: str) -> list[str]:
    """The words of an English query that its capitals tell to be names, in their order: neither the first word of a sentence
    nor a month or a day. None where most words have capitals: then those tell nothing."""
    words = [(match[0], match.start()) for match in _WORD.finditer(query)]
    if _ASKS.isdisjoint(word.casefold() for word, _ in words):
        return []
    found = [word for word, start in words if word[0].isupper() and not _opens(query[:start]) and not _usual(word)]
    return found if 2 * len(found) <= len(words) else []


def _opens(before: str) -> bool:
    """Whether a sentence begins after this."""
    return not before.strip() or (_SENTENCE.search(before) is not None and _TITLE.search(before) is None)


def _usual(word: str) -> bool:
    """Whether a word has its capital by spelling alone: "I'm", "May"."""
    return re.split(r"['’]", word)[0].casefold() in _NO_NAMES
