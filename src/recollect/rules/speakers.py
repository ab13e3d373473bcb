"""Sentences that stand alone: the speaker's name instead of "I", the other's instead of "you"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .verbs import ADVERBS, BASE, d_means_had, third_person

_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|\s+|[^\w\s]|_")
_FIRST = re.compile(r"\b(?:I|me|my|mine|myself|we|us|our|ours|ourselves)\b(?!-)", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|yours|yourself|ya|u)\b", re.IGNORECASE)
_ME_AND_MINE = re.compile(
    r"\b(?:me|I) and my ((?:[\w-]+ ){0,2}[\w-]+)(?= (?:are|were|have|went|had|do|will|love|like|got|made|took)\b)"
)
_MINE_AND_I = re.compile(r"\b[Mm]y ([\w-]+(?: [\w-]+)?) and I\b")
_ONE_AND_I = re.compile(r"\b([A-Z][\w-]+) and I\b")
_SUFFIX = {"'m": "am", "'ve": "have", "'ll": "will", "'re": "are"}
_CLAUSE_START = frozenset(
    "and but or so that because when while since if as after before until though although".split()
)


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who says "I", who is "you" (None where that is not clear), and who "we" are besides the speaker."""

    speaker: str
    other: str | None = None
    company: str | None = None

    @property
    def we(self) -> str:
        return f"{self.speaker} and {self.company or 'others'}"


def first_person(text: str) -> bool:
    return bool(_FIRST.search(text))


def second_person(text: str) -> bool:
    return bool(_YOU.search(text))


def rewrite(text: str, speakers: Speakers) -> str | None:
    """The sentence in the third person; None where "you" has nobody to mean."""
    if second_person(text) and speakers.other is None:
        return None
    text = re.sub(r"\b(?!(?:I|we|you|they)\b)(\w+)['’]ve\b", r"\1 have", text, flags=re.IGNORECASE)
    pairs = _ME_AND_MINE.sub(lambda match: f"{speakers.speaker} and their {match[1]}", text)  # a name is no template
    pairs = _MINE_AND_I.sub(lambda match: f"{speakers.speaker} and their {match[1]}", pairs)
    pairs = _ONE_AND_I.sub(lambda match: f"{speakers.speaker} and {match[1]}", pairs)
    return _Rewriter(_TOKEN.findall(pairs), speakers, named=pairs != text).run()


class _Rewriter:
    """One pass over the tokens of a sentence."""

    def __init__(self, tokens: list[str], speakers: Speakers, *, named: bool) -> None:
        self._in = tokens
        self._out: list[str] = []
        self._speakers = speakers
        self._named = named  # the speaker is a subject in the sentence already
        self._present = False  # the last verb was put into the third person: "Ann runs and" (swim → swims)
        self._at = 0

    def run(self) -> str:
        while self._at < len(self._in):
            token = self._in[self._at]
            self._at += 1
            low = token.casefold().replace("’", "'")
            if low == "to":
                self._present = False  # an infinitive: "plans to run and swim"
            if self._present and low in BASE and "".join(self._out).endswith(("and ", "or ")):
                self._out.append(third_person(token))
            elif not self._subject(token, low):
                self._out.append(self._object(token, low))
        return self._join()

    def _subject(self, token: str, low: str) -> bool:
        stem, suffix = (low.split("'", 1)[0], "'" + low.split("'", 1)[1]) if "'" in low else (low, "")
        if stem == "i" and (token[0] == "I" or suffix or self._alone()):
            self._put_subject(self._speakers.speaker, suffix)
        elif stem in ("you", "u", "ya") and self._you_is_subject(suffix):
            self._put_subject(self._speakers.other or "", suffix)
        elif stem == "we" and suffix != "'s":
            self._out.append(self._speakers.we)
            self._named = True
            if suffix:
                self._plural_suffix(suffix)
        else:
            return False
        return True

    def _plural_suffix(self, suffix: str) -> None:
        word = _SUFFIX.get(suffix)
        if suffix == "'d":
            word = "had" if d_means_had(self._next_word()) else "would"
        self._out.append(f" {word}" if word else suffix)

    def _alone(self) -> bool:
        return not self._out or self._out[-1].isspace()

    def _you_is_subject(self, suffix: str) -> bool:
        following = self._next_word()
        return bool(suffix) or following in ("are", "were", "have", "do", "don't", "did", "will", "can", "had", "was")

    def _put_subject(self, name: str, suffix: str) -> None:
        self._out.append(self._inside(name))
        if name == self._speakers.speaker:
            self._named = True
        if suffix:
            self._suffix(suffix)
        else:
            self._verb()

    def _inside(self, name: str) -> str:
        """ "The user" inside a sentence is "the user"."""
        return "the" + name[3:] if name.startswith("The ") and "".join(self._out).strip() else name

    def _suffix(self, suffix: str) -> None:
        if suffix == "'d":
            self._out.append(" had" if d_means_had(self._next_word()) else " would")
        elif suffix in _SUFFIX:
            self._out.append(" " + third_person(_SUFFIX[suffix]))
        else:
            self._out.append(suffix)

    def _verb(self) -> None:
        """Copy spaces and adverbs up to the verb, and put that into the third person."""
        for _ in range(8):
            if self._at >= len(self._in):
                return
            token = self._in[self._at]
            low = token.casefold()
            if not (token.isspace() or low in ADVERBS):
                if token[0].isalpha() and low not in _CLAUSE_START:
                    self._at += 1
                    self._out.append(third_person(token))
                    self._present = self._out[-1] != token and low not in ("am", "have", "do")
                return
            self._at += 1
            self._out.append(token)

    def _object(self, token: str, low: str) -> str:
        speaker, other, named = self._speakers.speaker, self._speakers.other or "", self._named
        table = {
            "me": self._inside(speaker), "my": "their" if named else f"{self._inside(speaker)}'s",
            "mine": "theirs" if named else f"{speaker}'s", "myself": "themselves", "our": "their" if named else
            f"{speaker}'s", "us": "them" if named else self._speakers.we, "ours": "theirs", "ourselves": "themselves",
            "you": other, "your": f"{other}'s", "yours": f"{other}'s", "yourself": other, "ya": other,
        }  # fmt: skip
        if low not in table or (token.isupper() and low == "us"):
            return token
        return table[low]

    def _next_word(self) -> str:
        for token in self._in[self._at : self._at + 3]:
            if token[0].isalpha():
                return token.casefold()
        return ""

    def _join(self) -> str:
        text = re.sub(r"\s+", " ", "".join(self._out)).strip()
        return text[:1].upper() + text[1:]
