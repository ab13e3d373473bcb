"""Facts must show their evidence: the check, in code, of what any extractor proposes.

Quotes stand in their turns; dates fit the words that they were told in; what is said twice in one chunk is one fact. What
fails is reported with its reason, never dropped in silence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from ..dates import DateMention, find_dates
from ..model import EventTime, Evidence, Extraction, Fact, Rejected, Turn, text_key
from ..ports import Chunk
from ..records import Extracted
from ..safety.quarantine import Reader
from ..safety.trust import sourced

MAX_TEXT = 2_000  # characters of a fact
MAX_QUOTE = 4_000
MAX_FACTS = 200  # of one chunk
MAX_NAME = 200  # characters of an entity, a slot's subject or attribute
MAX_NAMED = 40  # entities or relations of a fact

_LOOSE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " "})
_SPACE = re.compile(r"\s+")
# Nothing parts the words of Chinese and Japanese: each character is one.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|[^\W\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+")
_EDGE = " \t\n\"'.,;:!?…-。、「」『』《》〈〉【】¿¡«»„"
_BETWEEN = "\x1f"
_CUT = re.compile(r"\.{3,}|…|\[\.\.\.\]")
# Where it is plain which day is meant, another one is wrong; "last Friday" and "last week" are read in more than one way.
_PLAIN_DAY = re.compile(
    r"yesterday|today|tonight|tomorrow|last night|this (?:morning|evening)|days? ago|\d{4}", re.IGNORECASE
)
_READINGS = timedelta(days=8)


def verify(extraction: Extraction, chunk: Chunk, reader: Reader | None = None) -> Extracted:
    """Keep the facts whose quotes stand in their turns; say of the others why not.

    A bad quote is dropped, its fact stays while one quote in a turn of the chunk (not only of its context) holds. `reader`: who
    reads the same turns for more than this.
    """
    own, texts, reader = {turn.id for turn in chunk.turns}, Texts(), reader or Reader()
    facts: list[Fact] = []
    rejected = list(extraction.rejected)
    for fact in extraction.facts:
        held = tuple(one for evidence in fact.evidence if (one := placed(evidence, chunk, texts)) is not None)
        problem = _problem(fact, held, own) or ("too many facts in one chunk" if len(facts) >= MAX_FACTS else None)
        if problem is None:
            told = replace(fact, evidence=held)
            told = replace(told, source=sourced(told, (*chunk.context, *chunk.turns), reader))
            facts.append(rightly_dated(told, chunk, texts))
        else:
            rejected.append(Rejected(fact.text[:MAX_TEXT], problem))
    merged = tuple(once(facts))
    return Extracted(merged, tuple(rejected), extraction.usage, extraction.model, extraction.prompt_id)


def _problem(fact: Fact, held: tuple[Evidence, ...], own: set[str]) -> str | None:
    if not fact.text.strip():
        return "empty text"
    if len(fact.text) > MAX_TEXT:
        return f"text longer than {MAX_TEXT} characters"
    if not held:
        return "no quote of it stands in its turn"
    if not any(evidence.turn_id in own for evidence in held):
        return "it quotes context only"
    if fact.event is not None and fact.event.start > fact.event.end:
        return "its event ends before it starts"
    named = [name for entity in fact.entities for name in (entity.name, entity.kind)]
    named += [name for one in fact.relations for name in (one.subject, one.predicate, one.object)]
    slot = (fact.slot.subject, fact.slot.attribute) if fact.slot else ()
    if len(fact.value or "") > MAX_TEXT:
        return f"value longer than {MAX_TEXT} characters"
    if len(fact.entities) + len(fact.relations) > MAX_NAMED or any(len(one) > MAX_NAME for one in (*named, *slot)):
        return "more or longer names than a fact can have"
    return None


# --- quotes ------------------------------------------------------------------------------------------------------------


class Heard:
    """What was said, made ready for many quotes to be looked for in it. The work is linear in its length, whatever is asked."""

    def __init__(self, text: str) -> None:
        self._text = loosen(text)
        self._words: str | None = None

    def has(self, words: str) -> bool:
        """Whether it has these words, in the sense of `holds`."""
        quote = loosen(words).strip(_EDGE)
        if quote and quote in self._text:
            return True
        return self._in_order([run for part in _CUT.split(quote) if (run := _joined(part)) != _BETWEEN])

    def _in_order(self, runs: list[str]) -> bool:
        """Whether runs of words occur one after the other. No run, no quote."""
        if self._words is None:
            self._words = _joined(self._text)
        at = 0
        for run in runs:
            found = self._words.find(run, at)
            if found < 0:
                return False
            at = found + len(run) - len(_BETWEEN)  # two runs share what is between them
        return bool(runs)


def _joined(text: str) -> str:
    """The words of a text, with a mark before, between and after them."""
    return _BETWEEN + "".join(f"{word}{_BETWEEN}" for word in WORD.findall(text))


class Texts:
    """The turns of a chunk, each made ready once for all of the chunk's facts."""

    def __init__(self) -> None:
        self._heard: dict[str, Heard] = {}
        self._dates: dict[str, list[DateMention]] = {}

    def heard(self, turn: Turn) -> Heard:
        if turn.id not in self._heard:
            self._heard[turn.id] = Heard(turn.content)
        return self._heard[turn.id]

    def dates(self, turn: Turn) -> list[DateMention]:
        if turn.id not in self._dates:
            self._dates[turn.id] = _mentions(turn.content, turn)
        return self._dates[turn.id]


def placed(evidence: Evidence, chunk: Chunk, texts: Texts | None = None) -> Evidence | None:
    """The evidence if its quote stands in its turn, or with the one other turn that it stands in; else None."""
    texts = texts or Texts()
    if holds(evidence, chunk.turn(evidence.turn_id), texts):
        return evidence
    if len(WORD.findall(evidence.quote)) < 3:
        return None  # too short to tell where it is from
    elsewhere = [turn for turn in (*chunk.turns, *chunk.context) if holds(evidence, turn, texts)]
    return replace(evidence, turn_id=elsewhere[0].id) if len(elsewhere) == 1 else None


def holds(evidence: Evidence, turn: Turn | None, texts: Texts | None = None) -> bool:
    """Whether a quote occurs in its turn, typography, case, spacing, punctuation and "…" for left-out words aside."""
    if turn is None or len(evidence.quote) > MAX_QUOTE:
        return False
    return (texts or Texts()).heard(turn).has(evidence.quote)


def quoted(words: str, text: str) -> bool:
    """Whether a text has these words, in the sense of `holds`, however many they are."""
    return Heard(text).has(words)


def loosen(text: str) -> str:
    """Text without what models tend to change in a quote."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).translate(_LOOSE)).casefold()


# --- dates -------------------------------------------------------------------------------------------------------------


def rightly_dated(fact: Fact, chunk: Chunk, texts: Texts | None = None) -> Fact:
    """The fact, its date worked out anew where it does not fit the only date expression that it quotes.

    Models resolve "yesterday" against today, or against another message. Code knows when the message was said.
    """
    if fact.event is None:
        return fact
    told = [
        mention for evidence in fact.evidence for mention in _mentions(evidence.quote, chunk.turn(evidence.turn_id))
    ]
    if len(told) != 1 or told[0].since or not _contradicts(told[0], fact.event):
        return fact
    if _is_told(fact.event, chunk, texts or Texts()) or _is_news(fact, told[0], chunk):
        return fact
    return replace(fact, text=_reworded(fact.text, fact.event, told[0]), event=told[0].event)


def _mentions(text: str, turn: Turn | None) -> list[DateMention]:
    """The dates that a text tells; not "last week" where it goes on "of April"."""
    found = [] if turn is None else find_dates(text, turn.wall)
    return [mention for mention in found if not text[mention.end :].lstrip().casefold().startswith("of ")]


def _is_told(event: EventTime, chunk: Chunk, texts: Texts) -> bool:
    """Whether any date expression of the chunk or its context may mean that time: "we booked it yesterday", of next May."""
    turns = (*chunk.turns, *chunk.context)
    return any(not _contradicts(one, event) for turn in turns for one in texts.dates(turn))


def _is_news(fact: Fact, mention: DateMention, chunk: Chunk) -> bool:
    """Whether it is dated by its telling, and the quoted time may be of something else: "I just signed up for a class; I did
    some coding a few years back"."""
    cited = [turn for one in fact.evidence if (turn := chunk.turn(one.turn_id)) is not None]
    today = fact.event is not None and any(fact.event.start <= turn.wall <= fact.event.end for turn in cited)
    return today and not _PLAIN_DAY.search(mention.text)


def _contradicts(mention: DateMention, event: EventTime) -> bool:
    gap = max(mention.event.start - event.end, event.start - mention.event.end)
    return gap > (timedelta(0) if _PLAIN_DAY.search(mention.text) else _READINGS)


def _reworded(text: str, wrong: EventTime, right: DateMention) -> str:
    """The text with the wrong date, where it is written out, put right."""
    for mention in reversed(find_dates(text, right.event.start)):
        if mention.event.start <= wrong.end and wrong.start <= mention.event.end:
            text = text[: mention.start] + right.replacement + text[mention.end :]
    return text


# --- the same fact twice -----------------------------------------------------------------------------------------------


def once(facts: Iterable[Fact]) -> list[Fact]:
    """Facts that say the same of one time, as one with all their evidence: the same text, or the same slot and value
    where one text has all the words of the other (else the shorter one's details would be lost)."""
    found: list[Fact] = []
    for fact in facts:
        # From the back, and no further than another word on the same slot: "in Rome", "in Oslo", "in Rome" are three.
        near = next((i for i in reversed(range(len(found))) if _same(fact, found[i]) or _rivals(fact, found[i])), None)
        same = near if near is not None and _same(fact, found[near]) else None
        if same is None:
            found.append(fact)
        else:
            evidence = tuple(dict.fromkeys((*found[same].evidence, *fact.evidence)))
            found[same] = replace(max(found[same], fact, key=lambda one: len(one.text)), evidence=evidence)
    return found


def _rivals(one: Fact, other: Fact) -> bool:
    return one.slot is not None and other.slot is not None and one.slot.key == other.slot.key


def _same(one: Fact, other: Fact) -> bool:
    kept_apart = ("event", "retracts", "bare_forget", "source")  # of two sources: the user's word stays the user's
    if any(getattr(one, name) != getattr(other, name) for name in kept_apart):
        return False
    if text_key(one.text) == text_key(other.text):
        return True
    if one.slot is None or other.slot is None or one.value is None or other.value is None:
        return False
    same_value = one.slot.key == other.slot.key and text_key(one.value) == text_key(other.value)
    left, right = set(WORD.findall(loosen(one.text))), set(WORD.findall(loosen(other.text)))
    return same_value and (left <= right or right <= left)
