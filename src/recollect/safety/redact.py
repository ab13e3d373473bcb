"""Secrets are kept out: what a text holds of them, by their formats, and the text without them.

A secret becomes a mark, `[REDACTED:kind]`. Nothing else of the text changes, and a text with marks stays as it is.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from ..model import (
    Decision,
    Entity,
    Extraction,
    Fact,
    Message,
    Reconciliation,
    Rejected,
    Relation,
    Slot,
    Update,
)
from .secret_formats import HINTS, MARK, Format, start

DecisionT = TypeVar("DecisionT", bound=Decision)

Redacted = tuple[tuple[str, int | None], ...]
"""(kind, message) of each secret, the message counted from 0; None: it stood in the metadata."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a text has a secret, and of which kind. `end` is exclusive."""

    kind: str
    start: int
    end: int


# --- finding -----------------------------------------------------------------------------------------------------------

# One character for one, so that places stay: what keyboards, word processors and Asian input methods put for ASCII.
_PLAIN: dict[int, str] = {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}
for _like, _plain in (
    ("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    ("‐‑‒–—―−", "-"),
    ("“”„‟", '"'),
    ("‘’‚‛", "'"),
):
    _PLAIN |= dict.fromkeys(map(ord, _like), _plain)
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)


MASK = "\x00"  # no text that is stored has one
ROUNDS = 4  # of looking again, so that time stays linear


def find_secrets(text: str) -> list[Secret]:
    """The secrets of a text, in order; those that touch or overlap are one. Linear in the text's length."""
    if text.isascii():
        return _all(text)
    seen = _UNSEEN.sub("", text).translate(_PLAIN)
    found = _all(seen)
    if len(seen) == len(text) or not found:
        return found
    places = [place for place, character in enumerate(text) if not _UNSEEN.match(character)]
    return [Secret(one.kind, places[one.start], places[one.end - 1] + 1) for one in found]


def redact(text: str) -> tuple[str, list[Secret]]:
    """The text with a mark for each secret; and where they stood in the text that was given."""
    found = find_secrets(text)
    return _replaced(text, found, lambda one: f"[REDACTED:{one.kind}]"), found


def _replaced(text: str, found: Sequence[Secret], by: Callable[[Secret], str]) -> str:
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], by(one)]
        at = one.end
    return "".join([*parts, text[at:]])


def _all(text: str) -> list[Secret]:
    """What is glued to a secret may be seen only when that one is gone: it is masked, and the text is looked at again."""
    found: list[Secret] = []
    for _ in range(ROUNDS):
        more = _merged(_found(text))
        if not more:
            break
        found += more
        text = _replaced(text, more, lambda one: MASK * (one.end - one.start))
    return _merged(found)


def _found(text: str) -> Iterator[Secret]:
    folded = text.lower()
    yield from _private_keys(text, folded)
    for known in dict.fromkeys([known for hint, known in HINTS if hint in folded]):
        yield from _of_format(known, text)
    yield from _cards(text)
    yield from _ibans(text)


def _of_format(known: Format, text: str) -> Iterator[Secret]:
    group = 1 if known.compiled.groups else 0

    def real(match: re.Match[str]) -> bool:
        return MASK not in match[group] and not MARK.match(match[group]) and known.real(match[group])

    yield from (Secret(known.kind, *match.span(group)) for match in _matches(known.compiled, text, real))


def _matches(pattern: re.Pattern[str], text: str, real: Callable[[re.Match[str]], bool]) -> Iterator[re.Match[str]]:
    """Matches that stand a second look. One that does not may have a real one inside, hence on from its second character."""
    at = 0
    while match := pattern.search(text, at):
        found = real(match)
        at = match.end() if found else match.start() + 1
        if found:
            yield match


def _merged(found: Iterable[Secret]) -> list[Secret]:
    """In order, without overlaps: the one that starts first, and of those the longest, gives its kind."""
    merged: list[Secret] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if merged and one.start < merged[-1].end:
            merged[-1] = replace(merged[-1], end=max(one.end, merged[-1].end))
        else:
            merged.append(one)
    return merged


# --- private keys ------------------------------------------------------------------------------------------------------

# RFC 7468 and RFC 4880, section 6.2; the files of PuTTY. Lines may stand in JSON or code: with \n, quotes, commas, indents.
_BEGIN = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_END_OF_KEY = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_BREAK = r"(?:\\+[nrt]|[\s\"',+>|#*]){1,64}"
_LINE = rf"{_BREAK}(?:[A-Z][A-Za-z-]{{2,30}}: [^\n\\]{{1,200}}|[A-Za-z0-9+/=]{{16,}})"
_BODY = re.compile(rf"(?:{_LINE})+(?:{_BREAK}[A-Za-z0-9+/=]{{1,64}}(?![A-Za-z ]))?")
_SOME_KEY = re.compile(r"[A-Za-z0-9+/=]{16,}")
_PUTTY = re.compile(r"PuTTY-User-Key-File-[0-9]: ?[A-Za-z0-9-]{1,60}")
_END_OF_PUTTY = re.compile(r"Private-(?:MAC|Hash): ?[0-9A-Za-z]{16,}")
MAX_KEY = 20_000  # characters from the first line of a key to its last; RSA of 16,384 bits takes 12,600


def _private_keys(text: str, folded: str) -> Iterator[Secret]:
    if "private key" in folded:
        yield from _blocks(text, list(_BEGIN.finditer(text)), list(_END_OF_KEY.finditer(text)))
    if "putty-user-key-file-" in folded:
        yield from _blocks(text, list(_PUTTY.finditer(text)), list(_END_OF_PUTTY.finditer(text)))


def _blocks(text: str, begins: Sequence[re.Match[str]], ends: Sequence[re.Match[str]]) -> Iterator[Secret]:
    for i, begin in enumerate(begins):
        until = begins[i + 1].start() if i + 1 < len(begins) else len(text)
        yield from _private_key(text, begin, min(until, begin.end() + MAX_KEY), ends)


def _private_key(text: str, begin: re.Match[str], until: int, ends: Sequence[re.Match[str]]) -> Iterator[Secret]:
    """From the first line to the last; where that is cut off, as far as it looks like a key. A line about keys is none."""
    place = bisect_left(ends, begin.end(), key=lambda match: match.start())
    if place < len(ends) and ends[place].start() < until:
        if _SOME_KEY.search(text, begin.end(), ends[place].start()):
            yield Secret("private_key", begin.start(), ends[place].end())
    elif body := _BODY.match(text, begin.end(), until):
        yield Secret("private_key", begin.start(), body.end())


# --- card numbers and IBANs ----------------------------------------------------------------------------------------------

_BETWEEN = "[ .-]?"
_CARD = re.compile(
    "[2-6]" + start("[2-6]") + r"(?<![0-9][-_.][2-6])(?:"
    rf"(?<=3)(?:[47][0-9]{{2}}{_BETWEEN}[0-9]{{6}}{_BETWEEN}[0-9]{{5}}|[0689][0-9]{{2}}{_BETWEEN}[0-9]{{6}}{_BETWEEN}[0-9]{{4}})"
    rf"|[0-9]{{3}}(?:{_BETWEEN}[0-9]{{4}}){{2}}{_BETWEEN}(?:[0-9]{{4}}{_BETWEEN}[0-9]{{3}}|[0-9]{{4}}|[0-9]{{3}})"
    r")(?![A-Za-z0-9]|[-_.][0-9])"
)
# ISO/IEC 7812 issuer identification numbers in use, as the networks publish them: (first, last, lengths), on as many digits.
_ISSUERS = (
    (4, 4, (16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (6011, 6011, (16, 19)),  # Discover
    (644, 659, (16, 19)),
    (300, 305, (14, 16, 19)),  # Diners Club
    (36, 36, (14, 16, 19)),
    (38, 39, (14, 16, 19)),
    (3528, 3589, (16, 19)),  # JCB
    (62, 62, (16, 19)),  # UnionPay
)


def _cards(text: str) -> Iterator[Secret]:
    yield from (Secret("card_number", *match.span()) for match in _matches(_CARD, text, _is_card))


def _is_card(match: re.Match[str]) -> bool:
    digits = re.sub("[^0-9]", "", match[0])
    return _is_issued(digits) and _luhn(digits)


def _is_issued(digits: str) -> bool:
    return any(
        first <= int(digits[: len(str(first))]) <= last and len(digits) in lengths for first, last, lengths in _ISSUERS
    )


def _luhn(digits: str) -> bool:
    from stdnum import luhn

    return bool(luhn.is_valid(digits))


_IBAN = re.compile("[0-9]{2}(?<=[A-Za-z]{2}[0-9]{2})" + start("[A-Za-z]{2}[0-9]{2}") + "(?=(?:[ -]?[A-Za-z0-9]){11})")
_LENGTHS = re.compile(r"([0-9]+)!")
_CONTINUED = re.compile("[A-Za-z0-9]")  # a letter of another script may follow without a space


def _ibans(text: str) -> Iterator[Secret]:
    for match in _IBAN.finditer(text):
        start = match.start() - 2
        end = _end_of_iban(text, match.end(), _iban_length(text[start : match.start()].upper()))
        if end and not _CONTINUED.match(text, end) and _is_iban(text[start:end]):
            yield Secret("iban", start, end)


def _end_of_iban(text: str, at: int, length: int) -> int:
    """Where the letters and digits after the country and its check digits are as many as they must be; 0 where they never are."""
    left = length - 4
    while left > 0 and at < len(text) and (text[at].isalnum() or text[at] in " -"):
        left -= text[at].isalnum()
        at += 1
    return at if left == 0 else 0


@functools.cache
def _iban_length(country: str) -> int:
    """How long a country's are, as it registered them (ISO 13616); 0 where it has none."""
    from stdnum import numdb

    structure = numdb.get("iban").info(country)[0][1].get("bban", "")
    return 4 + sum(map(int, _LENGTHS.findall(structure))) if structure else 0


def _is_iban(written: str) -> bool:
    from stdnum import iban

    return bool(iban.is_valid(written, check_country=False))


# --- what is kept of a call ------------------------------------------------------------------------------------------------


class Redactor:
    """Takes the secrets out of whatever is stored, sent or logged; switched off, it changes nothing."""

    AT_ONCE: ClassVar[int] = 4_000  # characters that are searched for secrets in less time than a thread takes to begin

    def __init__(self, on: bool = True) -> None:
        self.on = on

    def text(self, text: str) -> str:
        """The text without its secrets."""
        return redact(text)[0] if self.on else text

    def maybe(self, text: str | None) -> str | None:
        """The same, None for None."""
        return None if text is None else self.text(text)

    def call(
        self, messages: Sequence[Message], metadata: Mapping[str, Any]
    ) -> tuple[tuple[Message, ...], dict[str, Any], Redacted]:
        """What an `add` was called with, without its secrets, and which those were. Takes its time with long messages."""
        kept, found = self.messages(messages)
        extra, beside = self.metadata(metadata)
        return kept, extra, (*found, *beside)

    def messages(self, messages: Sequence[Message]) -> tuple[tuple[Message, ...], Redacted]:
        """Contents and names without their secrets, and which those were."""
        if not self.on:
            return tuple(messages), ()
        kept, found = [], []
        for i, message in enumerate(messages):
            content, secrets = redact(message.content)
            name, named = (None, []) if message.name is None else redact(message.name)
            kept.append(replace(message, content=content, name=name) if secrets or named else message)
            found += [(one.kind, i) for one in (*secrets, *named)]
        return tuple(kept), tuple(found)

    def metadata(self, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], Redacted]:
        """Keys and values, however deep, without their secrets, and which those were."""
        found: list[Secret] = []
        kept: dict[str, Any] = _json(metadata, found) if self.on else dict(metadata)
        return kept, tuple((one.kind, None) for one in found)

    def extraction(self, extraction: Extraction) -> Extraction:
        """Facts without what an extractor may have put together. Quotes stay: they stand in turns as they are."""
        if not self.on:
            return extraction
        rejected = tuple(Rejected(self.text(one.text), self.text(one.reason)) for one in extraction.rejected)
        return replace(extraction, facts=tuple(map(self._fact, extraction.facts)), rejected=rejected)

    def _fact(self, fact: Fact) -> Fact:
        slot = fact.slot
        return replace(
            fact,
            text=self.text(fact.text),
            value=self.maybe(fact.value),
            slot=slot and Slot(self.text(slot.subject), self.text(slot.attribute), slot.many),
            entities=tuple(Entity(self.text(one.name), self.text(one.kind)) for one in fact.entities),
            relations=tuple(
                Relation(self.text(one.subject), self.text(one.predicate), self.text(one.object))
                for one in fact.relations
            ),
        )

    def reconciliation(self, answer: Reconciliation) -> Reconciliation:
        """Decisions whose texts and reasons have no secrets."""
        return replace(answer, decisions=tuple(map(self._decision, answer.decisions))) if self.on else answer

    def _decision(self, decision: DecisionT) -> DecisionT:
        reason, flag = self.text(decision.reason), self.maybe(decision.flag)
        if isinstance(decision, Update):
            return replace(decision, reason=reason, flag=flag, text=self.text(decision.text))
        return replace(decision, reason=reason, flag=flag)


def _json(value: Any, found: list[Secret]) -> Any:
    """A JSON value without its secrets, which are added to `found`."""
    if isinstance(value, str):
        text, secrets = redact(value)
        found += secrets
        return text
    if isinstance(value, Mapping):
        kept: dict[str, Any] = {}
        for key, part in value.items():
            kept[_unused(_json(key, found), kept)] = _json(part, found)
        return kept
    if isinstance(value, list | tuple):
        return [_json(part, found) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and (secrets := find_secrets(str(value))):
        found += secrets
        return redact(str(value))[0]
    return value


def _unused(key: str, taken: Mapping[str, Any]) -> str:
    """The key, numbered where two keys became one: no value is lost."""
    number, free = 1, key
    while free in taken:
        number += 1
        free = f"{key} {number}"
    return free
