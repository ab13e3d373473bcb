"""Does a text try to steer whoever reads it later? Pure code, linear in the text, asked when something is written.

No list of known attacks: a text is read for *features* (who is addressed, on what condition, with whose authority, what is to be
sent where, how long it shall last, what must not be told …). Features that stand close together add up, and how much is too
much depends on who said it: little from a document or a tool, more from an assistant, most from the user, whose own "always
answer briefly" is an ordinary wish. Of a user's message `claims` must find too much as well. The tables are in `signs`. Other
languages than those there, irony, and lies without an order in them are not found.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from ..model import Fact, SourceClass, Turn
from .claims import Claim, claims
from .legible import decoded, hidden_text, readable
from .signs import (
    ATTACK,
    DESTINATIONS,
    GOT,
    IMAGE,
    NEEDED,
    OF_OTHERS,
    OWN_VOICE,
    PASTED,
    PASTED_BY,
    PATTERNS,
    PLAIN_ADVICE,
    SECRETS,
    SENDS,
    SENTENCE_END,
    SHOWN,
    SHOWN_BY,
    TO_A_MEMORY,
    WEIGHTS,
)

NEAR = 400  # characters within which features add up
ABOUT = 300  # characters behind what was found that belong to it, to the end of the line
LIMITS: Mapping[SourceClass, float] = {
    SourceClass.USER: 3.0,
    SourceClass.ASSISTANT: 2.5,
    SourceClass.TOOL: 2.0,
    SourceClass.DOCUMENT: 2.0,
}
AGREES = 3.5  # from which a claim says the same as a user's words that are too much
FAR_TOO_MUCH = 6.0  # from which a claim alone is put aside
FAR = 120  # characters between "send" and where to
_THE_USER = re.compile(r"\bthe user(?:['’]s)?\b", re.IGNORECASE)


Span: TypeAlias = tuple[int, int, str]
"""(start, end, why) of a passage of the readable text."""


def is_shown(quote: str, text: str) -> bool:
    """Whether a quote stands, wholly or in part, in what a user only shows: a letter, a page, a listing."""
    shown = _shown(text)
    if shown is None:
        return False
    at = text.find(quote)
    return at < 0 or at + len(quote) > shown.end()


def _shown(text: str) -> re.Match[str] | None:
    """A request about a text, and the beginning of the text. Most messages have no mark of it."""
    return (SHOWN if any(mark in text for mark in SHOWN_BY) else GOT).search(text)


def _pasted(text: str) -> re.Match[str] | None:
    return PASTED.search(text) if any(mark in text for mark in PASTED_BY) else None


class Reader:
    """Reads texts, each once, however many facts cite it. A part of a text is a quote that stands there."""

    def __init__(self) -> None:
        self._plain: dict[str, str] = {}
        self._claims: dict[str, list[Claim]] = {}
        self._orders: dict[tuple[str, SourceClass], list[Span]] = {}

    def judge_fact(self, fact: Fact, turns: Sequence[Turn]) -> str | None:
        """Why a fact must not be served before somebody has looked at it; None where it may be. `turns`: those that it cites. Of
        a turn counts what stands at the quote: a page with an order in it may tell facts elsewhere, as a page's word. In a
        fact of the user's, "the user" is who speaks."""
        own = fact.source in (SourceClass.USER, SourceClass.CLAIM)
        told, source = (_THE_USER.sub("I", fact.text), SourceClass.USER) if own else (fact.text, fact.source)
        if spans := self.suspicions(told, source):
            return spans[0][2]
        by_id = {turn.id: turn for turn in turns}
        for evidence in fact.evidence:
            if (turn := by_id.get(evidence.turn_id)) is not None:
                for span in self.suspicions(turn.content, SourceClass.of(turn.role)):
                    if self._touches(evidence.quote, turn.content, span):
                        return span[2]
        return None

    def is_claim(self, quote: str, text: str) -> bool:
        """Whether a part of a user's message stands, at least partly, in what is not for a user to say."""
        if not (found := self.claims(text)):
            return any(self._touches(quote, text, span) for span in self.orders(text, SourceClass.USER))
        at, end = self._place(quote, text)
        return any(at < one.end and end > one.start for one in found)

    def claims(self, text: str) -> list[Claim]:
        """The claims of a user's message."""
        if text not in self._claims:
            self._claims[text] = claims(text, self._readable(text))
        return self._claims[text]

    def orders(self, text: str, source: SourceClass) -> list[Span]:
        """The passages that give more orders to later readers than that source may, the first first."""
        if (text, source) not in self._orders:
            self._orders[text, source] = _orders(text, self._readable(text), source)
        return self._orders[text, source]

    def suspicions(self, text: str, source: SourceClass) -> list[Span]:
        """The passages that are too much for that source, the first first. Of a user's only those that are claims too, or far
        too much of one, and are not told of: who asks about code, or warns of attacks, uses the same words."""
        if source is not SourceClass.USER:
            return self.orders(text, source)
        claimed = self.claims(text)
        return self._agreed(text, claimed) if claimed else []  # as most messages: nothing to agree with

    def _agreed(self, text: str, claimed: Sequence[Claim]) -> list[Span]:
        plain = self._readable(text)
        agreed = [
            one
            for one in self.orders(text, SourceClass.USER)
            if any(one[0] < claim.end and claim.start < one[1] and claim.much >= AGREES for claim in claimed)
        ]
        agreed += [(claim.start, claim.end, claim.why) for claim in claimed if claim.much >= FAR_TOO_MUCH]
        return sorted(one for one in agreed if not ATTACK.search(plain, max(0, one[0] - NEAR), one[1] + NEAR))

    def _touches(self, quote: str, text: str, span: Span) -> bool:
        """Whether a quote stands in, or next to, a passage of its text."""
        at, quoted = self._place(quote, text)
        plain = self._readable(text)
        line_end = plain.find("\n", span[1])
        end = min(span[1] + ABOUT, len(plain) if line_end < 0 else line_end)
        return at < end and quoted > span[0]

    def _place(self, quote: str, text: str) -> tuple[int, int]:
        """Where a quote stands in its readable text. What is not found may be anywhere."""
        plain = self._readable(text)
        at = plain.casefold().find(readable(quote).casefold().strip())
        return (0, len(plain)) if at < 0 else (at, at + len(quote.strip()))

    def _readable(self, text: str) -> str:
        if text not in self._plain:
            self._plain[text] = readable(text)
        return self._plain[text]


def judge(text: str, source: SourceClass) -> str | None:
    """Why a text of that source must not be served before somebody has looked at it; None where it may be."""
    spans = Reader().suspicions(text, source)
    return spans[0][2] if spans else None


def judge_fact(fact: Fact, turns: Sequence[Turn]) -> str | None:
    """The same of one fact."""
    return Reader().judge_fact(fact, turns)


def is_claim(text: str) -> bool:
    """Whether anything in a user's message is not for a user to say."""
    return Reader().is_claim(text, text)


def _orders(text: str, plain: str, source: SourceClass) -> list[Span]:
    """(start, end, why) of passages of the readable text that give orders to later readers, the first first."""
    if hidden := hidden_text(text):
        return [(hidden.start(), hidden.end(), "text that is not seen")]
    found = list(_crowded(plain, source))
    if not found and source is SourceClass.USER and (pasted := _shown(plain) or _pasted(plain)):
        shift = pasted.start()
        found = [(a + shift, b + shift, why) for a, b, why in _crowded(plain[shift:], SourceClass.DOCUMENT)]
    if not found:
        found = [
            (at, end, f"encoded: {why}")
            for at, end, words in decoded(text)
            if (why := next((one[2] for one in _crowded(words, SourceClass.DOCUMENT)), None))
        ]
    return found


def _crowded(plain: str, source: SourceClass) -> Iterator[Span]:
    """Neighbourhoods whose features add up to the source's limit."""
    near: deque[tuple[int, int, str]] = deque()
    held: Counter[str] = Counter()
    for start, end, name in _found(plain, source):
        near.append((start, end, name))
        held[name] += 1
        while start - near[0][0] > NEAR:
            held[near.popleft()[2]] -= 1
        names = [one for one, times in held.items() if times]
        advice = PLAIN_ADVICE.issuperset(names) and not TO_A_MEMORY.issubset(names)
        if sum(WEIGHTS[one] for one in names) >= LIMITS[source] and not advice:
            yield near[0][0], end, ", ".join(sorted(names, key=lambda one: (-WEIGHTS[one], one))[:3])
            near.clear()
            held.clear()


def _found(plain: str, source: SourceClass) -> list[tuple[int, int, str]]:
    """(start, end, feature) in the order of the text. Advice alone is not looked for: it counts only beside something else."""
    low = plain.lower()
    if len(low) != len(plain):
        low = "".join(one.lower() if len(one.lower()) == 1 else one for one in plain)
    found = [
        (match.start(), match.end(), name)
        for name, groups in NEEDED.items()
        if all(any(map(low.__contains__, group)) for group in groups)
        for match in PATTERNS[name].finditer(low)
    ]
    found += _sendings(low)
    lasting = [(match.start(), match.end(), "is to last") for match in PATTERNS["is to last"].finditer(low)]
    if not found and not lasting:
        return []
    found += lasting
    for name in PLAIN_ADVICE - {"is to last"}:
        found += [(match.start(), match.end(), name) for match in PATTERNS[name].finditer(low)]
    if source is SourceClass.USER:
        found = [one for one in found if not (one[2] in OF_OTHERS and OWN_VOICE.search(_around(plain, one)))]
    return sorted(found)


def _sendings(low: str) -> Iterator[tuple[int, int, str]]:
    """Where something is to be sent, and what is private: a word of sending with an address, or a secret, in one sentence."""
    sends = [(match.start(), match.end()) for match in SENDS.finditer(low)]
    if sends:
        starts = [start for start, _ in sends]
        for name, pattern, back in (
            ("sends something somewhere", DESTINATIONS, 20),
            ("sends what is private", SECRETS, 40),
        ):
            for match in pattern.finditer(low):
                if (at := _beside(low, sends, starts, match, back)) is not None:
                    yield min(at, match.start()), match.end(), name
    yield from ((match.start(), match.end(), "sends what is private") for match in IMAGE.finditer(low))


def _beside(
    low: str, sends: Sequence[tuple[int, int]], starts: Sequence[int], match: re.Match[str], back: int
) -> int | None:
    """Where the sending stands that a match belongs to: the nearest before it, or a little behind it."""
    place = bisect_left(starts, match.start())
    if (
        place
        and match.start() - sends[place - 1][1] <= FAR
        and not SENTENCE_END.search(low, sends[place - 1][1], match.start())
    ):
        return sends[place - 1][0]
    if (
        place < len(sends)
        and 0 <= starts[place] - match.end() <= back
        and not SENTENCE_END.search(low, match.end(), starts[place])
    ):
        return starts[place]
    return None


def _around(plain: str, found: tuple[int, int, str]) -> str:
    return plain[max(0, found[0] - 30) : found[1] + 30]
