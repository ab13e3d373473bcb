"""Turns that only say again what is remembered: an assistant's "Your dentist appointment is on 12 December", a restatement of
which no fact came. They become sources of the memory, as echoes: no evidence of it, but what befalls the memory befalls them, so
that what is forgotten, superseded or erased is so in the assistant's replies too.

No model is asked. A passage of a turn repeats a memory where nearly all content words of the memory stand in it, all its names
and numbers among them (or in the question that it answers), it says the same of the same person, and denies it only where the
memory does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple, TypeAlias

from ..model import Role, Row, Turn
from ..ports import Ledger, Tokenizer
from ..records import Space
from ..rules.likeness import is_negative
from ..rules.sentences import FUNCTION_WORDS, split
from ..rules.statement import GROUP, KIN, PET
from ..view.partition import Partition
from .plan import Plan, Why
from .prepare import ChunkWork

REPEATED = "said again by the {}"

NEAR_TURN, NEAR_SENTENCE = 24, 4  # memories that a turn, and each of its sentences, is compared with
MAX_PASSAGES = 60  # of a turn
MISSED = 0.2  # the share of a memory's content words that may be missing, names and numbers apart
STRANGE = 1  # content words of an answer that neither the memory nor the question has
STRANGE_OF_NOBODY = 2  # … of what says the memory without saying of whom

_WORD = re.compile(r"[^\W_]+(?:['’][^\W\d_]+)?")
_NUMBER = re.compile(r"\d+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_PIECE = re.compile(r"[:;,()–—]\s*|\s-\s|\b(?:and|but|so|because|that)\b\s*")
_THE_USER = re.compile(
    r"^\W*(?:the user|user|用户|用戶|使用者|ユーザー|사용자|(?:der|die) nutzer(?:in)?"
    r"|l['’]utilisat(?:eur|rice)|(?:el|la) usuari[oa]|l['’]utente|[oa] usuári[oa])(?:['’]s)?(?![a-z])",
    re.IGNORECASE,
)
_THE_ASSISTANT = re.compile(r"^\W*(?:the assistant|assistant|助手)(?:['’]s)?(?![a-z])", re.IGNORECASE)
_FIRST = re.compile(r"(?:i|me|my|mine|myself|we|us|our|ours)(?:'(?:m|ve|d|ll|re))?")
_SECOND = re.compile(r"(?:you|your|yours|yourself)(?:'(?:re|ve|d|ll))?")
_THIRD = re.compile(r"(?:he|she|they|him|her|them|his|hers|their|theirs)(?:'(?:s|d|ll|re|ve))?")
_SOMEBODY = re.compile(rf"(?:{KIN}|{PET}s?|{GROUP})")
_OPENING = re.compile(  # of a sentence, with a capital letter, and no name
    r"noted|remember(?:ing)?|reminder|currently|sure|great|yes|yeah|yep|okay|ok|right|also|according|based|today|tomorrow|hello|hi|hey"
    r"|thanks|good|nice|lovely|got|well|certainly|absolutely|understood|perfect|correct|indeed|again|still|since|given"
)
_LIGHT = frozenset({"call", "name", "known"})  # "a dog named Rex" is "your dog, Rex"


class Passage(NamedTuple):
    """A sentence of a turn, or a piece of one (not `whole`), as it stands there. `terms`: its content words."""

    text: str
    terms: frozenset[str]
    asks: bool
    negative: bool
    whole: bool


class Remembered:
    """What a memory says, made ready to be compared with many passages."""

    def __init__(self, text: str, tokenizer: Tokenizer, names: Iterable[str] = ()) -> None:
        """`names`: of users."""
        self.about: Role | None = None
        self.name: str | None = None  # of the user that it is about
        rest = text
        for role, whose in ((Role.USER, _THE_USER), (Role.ASSISTANT, _THE_ASSISTANT)):
            if self.about is None and (found := whose.match(text)):
                self.about, rest = role, text[found.end() :]
        for name in names:
            if self.about is None and re.match(rf"{re.escape(name)}\b(?:['’]s)?", text):
                self.about, self.name, rest = Role.USER, name, text[len(name) :]
        self._text, self._rest, self._tokenizer = text, rest, tokenizer
        own = content(rest, tokenizer)
        self.terms = own - content(self.name, tokenizer) if self.name else own

    @cached_property
    def negative(self) -> bool:
        """Whether it denies something."""
        return is_negative(self._text)

    @cached_property
    def _needed(self) -> frozenset[str]:
        """Its names and numbers."""
        named = [word for word in _WORD.findall(self._rest if self.about else self._text) if word[0].isupper()]
        figures = [number for number in _NUMBER.findall(self._rest) if not _YEAR.fullmatch(number)]
        return self.terms & content(" ".join([*named, *figures]), self._tokenizer)

    def lacks_little(self, terms: frozenset[str]) -> bool:
        """Whether nearly all that it says stands in these words. Most memories that are asked say something else."""
        missing = self.terms - terms - _LIGHT
        return (
            len(missing) <= MISSED * len(self.terms) and bool(self.terms & terms) and missing.isdisjoint(self._needed)
        )


@dataclass(frozen=True)
class Said:
    """A turn, made ready to be compared with many memories. `before`: the turn before it."""

    turn: Turn
    before: Turn | None
    tokenizer: Tokenizer

    @cached_property
    def passages(self) -> Sequence[Passage]:
        """Its sentences, each followed by its pieces."""
        return [*islice(self._passages(), MAX_PASSAGES)]

    def _passages(self) -> Iterator[Passage]:
        for sentence in split(self.turn.content):
            pieces = [piece.strip() for piece in _PIECE.split(sentence.text) if piece.strip()]
            for text in (sentence.text, *(pieces if len(pieces) > 1 else ())):
                if terms := content(text, self.tokenizer):
                    yield Passage(text, terms, sentence.asks, is_negative(text), text is sentence.text)

    @cached_property
    def asked(self) -> frozenset[str]:
        """The content words of the questions that it answers."""
        asked = (
            [one.text for one in split(self.before.content) if one.asks or "？" in one.end]
            if self.before is not None
            else []
        )
        return content(" ".join(asked), self.tokenizer)

    @cached_property
    def _words(self) -> frozenset[str]:
        """All content words that it is compared by."""
        return self.asked.union(*(one.terms for one in self.passages if one.whole))

    def repeats(self, memory: Remembered) -> list[str]:
        """The passages that say the memory again, whole sentences where they do."""
        found: list[str] = []
        if not memory.lacks_little(self._words):  # nor does any part of it say it
            return found
        for one in self.passages:
            if self._repeats(memory, one) and not any(one.text in quote for quote in found):
                found.append(one.text)
        return found

    def _repeats(self, memory: Remembered, one: Passage) -> bool:
        if memory.terms.isdisjoint(one.terms) or one.negative != memory.negative:
            return False
        if one.asks and not memory.terms - _LIGHT <= one.terms:
            return False  # it claims nothing, but "is your appointment still on 12 December?" tells all of it
        told = memory.lacks_little(one.terms) or self._answers(memory, one)
        return told and self._of_the_same(memory, one)

    def _answers(self, memory: Remembered, one: Passage) -> bool:
        """Whether it says the memory together with the question that it answers: "Where do I live?" "In Hamburg." """
        brought = (memory.terms & one.terms) - self.asked
        strange = one.terms - memory.terms - self.asked
        return bool(self.asked and brought) and len(strange) <= STRANGE and memory.lacks_little(one.terms | self.asked)

    def _of_the_same(self, memory: Remembered, one: Passage) -> bool:
        """Whether it is about the same person: who is named last before it is told ("your sister lives in Hamburg"); or nobody
        is, and it says next to nothing else ("a dog named Rex, how nice")."""
        if memory.about is None:
            return True  # its names stand in the passage
        itself = self.turn.role is memory.about and memory.name in (None, self.turn.name)
        own, other = (_FIRST, _SECOND) if itself else (_SECOND, _FIRST)
        words = _WORD.findall(one.text)
        plain = [word.casefold().replace("’", "'") for word in words]
        if not any(map(own.fullmatch, plain)):
            strange = one.terms - memory.terms - self.asked
            if len(strange) > (STRANGE_OF_NOBODY if len(memory.terms) > 1 else 0):
                return False
        of = True
        for place, word in enumerate(plain):
            if own.fullmatch(word):
                of = True
            elif not memory.terms.isdisjoint(content(word, self.tokenizer)):
                return of
            elif other.fullmatch(word) or _THIRD.fullmatch(word) or _SOMEBODY.fullmatch(word.removesuffix("'s")):
                of = False
            elif words[place][0].isupper() and word not in FUNCTION_WORDS and (place or not _OPENING.fullmatch(word)):
                of = False  # by name
        return of


@lru_cache(maxsize=512)  # what is near to one chunk is near to the next
def content(text: str, tokenizer: Tokenizer) -> frozenset[str]:
    """The words that carry a text, as they are searched for, in whatever language."""
    return frozenset(term for term in tokenizer(text) if not term.startswith("~"))


Found: TypeAlias = tuple[Row, Sequence[tuple[Said, str]]]
"""What a row says, and what says it again."""


class Repeats:
    """The turns of a chunk that may only say again what is remembered: assistants', and of the user's, of which no fact
    came, those that tell of themselves."""

    def __init__(self, work: ChunkWork, tokenizer: Tokenizer) -> None:
        said = (*work.chunk.context, *work.chunk.turns)
        cited = {turn for content in work.contents for turn, _ in content.quotes}
        self._tokenizer = tokenizer
        self._names = {turn.name for turn in said if turn.role is Role.USER and turn.name}
        before = dict(zip((turn.number for turn in said[1:]), said, strict=False))
        self._all = [
            Said(turn, before.get(turn.number), tokenizer)
            for turn in said
            if turn.number not in work.hidden
            and (turn.role is Role.ASSISTANT or (turn.number not in cited and _of_oneself(turn)))
        ]
        own = {turn.number: keys for turn, keys in zip(work.chunk.turns, work.turn_keys, strict=True)}
        self._own = [(one, *own[one.turn.number]) for one in self._all if one.turn.number in own]
        self._prepared: dict[str, Remembered] = {}
        self._held: set[tuple[int, str]] = set()  # what is planned: turn, quote
        self._past: list[Found] = []

    def of_known(self, plan: Plan, partition: Partition, ledger: Ledger, moment: datetime) -> None:
        """Plan the echoes of what was remembered before the chunk. Blocking."""
        near = self._near(partition)
        rows = {number: row for number, row in ledger.rows(plan.space, near).items() if not plan.has_retired(number)}
        found = [(row, quotes) for number, row in rows.items() if (quotes := self._quotes(row, near[number]))]
        versions = ledger.versions(plan.space, {row.memory_id for row, _ in found})
        plan.know(versions, ledger.sources(plan.space, {row.statement.number for row, _ in found}))
        self._past = _past(plan.space, ledger, [one for one in found if not one[0].is_live(moment)], versions)
        self._echo(plan, [one for one in found if one[0].is_live(moment)])

    def of_new(self, plan: Plan, moment: datetime) -> None:
        """Plan the echoes of what the chunk brought; and of what is remembered no more, where nothing else says so by now."""
        rows = plan.new_rows(moment)
        self._echo(plan, [(row, quotes) for row in rows if (quotes := self._quotes(row, self._all))])
        left = [(row, [one for one in quotes if _key(one) not in self._held]) for row, quotes in self._past]
        self._echo(plan, [(row, quotes) for row, quotes in left if quotes])

    def _near(self, partition: Partition) -> dict[int, list[Said]]:
        """Of what is near to the chunk's turns: the last row that said it → the turns that it is compared with."""
        last = partition.last_rows()
        allowed = last > 0
        near: dict[int, list[Said]] = {}
        for said, terms, vector in self._own if allowed.any() else ():
            beside = partition.search(vector, terms, NEAR_TURN, allowed)
            keys = {*beside.vector.keys.tolist(), *beside.text.keys.tolist()}
            for sentence in (one for one in said.passages if one.whole):
                keys.update(partition.search(None, _counted(sentence), NEAR_SENTENCE, allowed).text.keys.tolist())
            for key in keys:
                near.setdefault(int(last[key]), []).append(said)
        return near

    def _echo(self, plan: Plan, found: Iterable[Found]) -> None:
        for row, quotes in sorted(found, key=lambda one: one[0].number):
            self._held.update(map(_key, quotes))
            who = "assistant" if any(said.turn.role is Role.ASSISTANT for said, _ in quotes) else "user"
            plan.echo(row, sorted(map(_key, quotes)), Why(REPEATED.format(who)))

    def __bool__(self) -> bool:
        return bool(self._all)

    def _quotes(self, row: Row, said: Iterable[Said]) -> list[tuple[Said, str]]:
        text = row.statement.text
        if text not in self._prepared:
            self._prepared[text] = Remembered(text, self._tokenizer, self._names)
        return [(one, quote) for one in said for quote in one.repeats(self._prepared[text])]


def _of_oneself(turn: Turn) -> bool:
    """Whether a user may tell of themselves, with a name or a number: most of what no fact comes of is small talk, and costs."""
    if turn.role is not Role.USER or not re.search(r"\d|\w\W+[A-Z](?![’'])\w", turn.content):
        return False
    return any(_FIRST.fullmatch(word.casefold().replace("’", "'")) for word in _WORD.findall(turn.content))


def _counted(sentence: Passage) -> dict[str, int]:
    return dict.fromkeys(sorted(sentence.terms), 1)


def _key(quote: tuple[Said, str]) -> tuple[int, str]:
    return quote[0].turn.number, quote[1]


def _past(space: Space, ledger: Ledger, found: Sequence[Found], versions: Sequence[Row]) -> list[Found]:
    """Of what is not live: what has ended, or was put aside, or taken back by a caller with all of its memory."""
    believed = {row.memory_id for row in versions}
    ends = {row.retired for row, _ in found if row.retired is not None and row.memory_id not in believed}
    deleted = {change.number for change in ledger.changes_at(space, ends) if change.batch_id is None}
    return [(row, quotes) for row, quotes in found if row.retired is None or row.retired in deleted]
