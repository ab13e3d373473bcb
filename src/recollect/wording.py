"""A query in the words that memories are written in: they tell of "the user", who asks of "I" and "my"."""

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
