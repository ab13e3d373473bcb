"""Turns → facts by rules: deterministic, English, better silent than wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from .. import dates
from ..dates import DateMention
from ..model import Entity, EventTime, Evidence, Extraction, Fact, Kind, Relation, Role, Slot, SourceClass, Turn
from ..ports import Chunk
from . import clauses, worth
from .concrete import is_concrete
from .entities import find_entities
from .instructions import Instruction, instruction
from .retract import Retraction, retraction
from .sentences import Sentence, is_code, is_english, split, words
from .slots import Filled, fill_all
from .speakers import Speakers, first_person, rewrite, second_person
from .verbs import ADVERBS, is_past

MAX_FACTS = 150  # of one chunk
MAX_WORDS = 50

_HUMAN = (Role.USER, Role.ASSISTANT)
_FUTURE = re.compile(
    r"['’]ll\b|\b(?:will|going to|gonna|plan(?:ning)? (?:to|on|a)|planning|intend|hope to|hoping to|aim to|decided to|want to)\b",
    re.IGNORECASE,
)
_LIKING = re.compile(
    r"\b(?:I|[Ww]e|and|\w+) (?:(?:really|also|still|always|just) )?(?:like|love|enjoy|prefer|hate|dislike|adore|can['’]t stand)\b(?! (?:that|them|him|her)\b)|\bfavou?rite\b|\bfan of\b",
    re.IGNORECASE,
)
_JUST = re.compile(r"\bI(?:['’]ve| have)? (?:just|finally) (\w+)", re.IGNORECASE)
_STATE = re.compile(r"\b(?:used to|always|every|usually|as a (?:kid|child)|when I was|growing up)\b", re.IGNORECASE)
_AND_I = re.compile(r",? and (?=(?:I|my|I['’]m|I['’]ve)\b)")
_LISTED = ("likes", "dislikes", "languages", "allergies")
_FORGOTTEN = {"address": "home", "job": "occupation", "work": "employer", "allergy": "allergies", "diagnosis": "health"}
_ITEMS = re.compile(r",? (?:and|&) |, ")
_PREPOSITIONS = re.compile(r"\b(?:on|in|at|for|to|by|since)\s*$")


@dataclass(frozen=True, slots=True)
class _Setting:
    """What holds for one turn."""

    turn: Turn
    speakers: Speakers
    vocatives: frozenset[str]
    to_assistant: bool
    before: str  # what the speaker said just before the clause


class RulesExtractor:
    """An `Extractor` of rules. No facts from system and tool turns, nor from an assistant without a name."""

    async def extract(self, chunk: Chunk) -> Extraction:
        """Facts in the order of the turns, each text once."""
        people = _people(chunk)
        facts: dict[str, Fact] = {}
        for turn in chunk.turns:
            if turn.role not in _HUMAN or (turn.role is Role.ASSISTANT and not turn.name):
                continue
            for fact in _of_turn(turn, people):
                if len(facts) < MAX_FACTS:
                    facts.setdefault(fact.text, fact)
        return Extraction(tuple(facts.values()))


def _people(chunk: Chunk) -> tuple[str, ...]:
    named = [turn.name for turn in (*chunk.context, *chunk.turns) if turn.name and turn.role in _HUMAN]
    return tuple(dict.fromkeys(named))


def _of_turn(turn: Turn, people: tuple[str, ...]) -> Iterator[Fact]:
    if not is_english(turn.content) or is_code(turn.content):
        return
    others = [name for name in people if name != turn.name]
    other = others[0] if len(people) == 2 and turn.name and len(others) == 1 else None
    called = frozenset(name[:n].casefold() for full in others for name in full.split() for n in range(3, len(name) + 1))
    before = ""
    for sentence in split(turn.content):
        for start, clause in clauses.split_clauses(sentence.text):
            company = clauses.company(clause) or clauses.company(before)
            setting = _Setting(turn, Speakers(turn.speaker, other, company), called, other is None, before)
            yield from _of_clause(clause.strip(), sentence, setting)
            del start
        before = sentence.text


def _of_clause(quote: str, sentence: Sentence, setting: _Setting) -> Iterator[Fact]:
    if sentence.asks and not sentence.text.endswith(quote):
        sentence = Sentence(sentence.start, quote, ".")
    if sentence.asks:
        return
    clause = worth.strip_lead(quote, setting.vocatives).rstrip(".! \t")
    clause = clauses.resolve_subject(clauses.with_subject(clause), setting.before)
    if len(clause) < 4:
        return
    if setting.to_assistant and setting.turn.role is Role.USER and (asked := instruction(clause)):
        yield _instruct(asked, quote, setting)
    elif found := retraction(clause):
        if fact := _retract(found, quote, setting):
            yield fact
    else:
        for part in (item for piece in _parts(clause) for item in _items(piece)):
            if fact := _state(part, quote, setting):
                yield fact


def _parts(clause: str) -> list[str]:
    """ "My name is Tom and I live in Berlin" are two facts; "I went home and I slept" is one."""
    parts = [part[0].upper() + part[1:] for part in _AND_I.split(clause) if part]
    telling = [any(filled.strong for filled in fill_all(part)) for part in parts]
    return parts if len(parts) > 1 and all(telling) else [clause]


def _items(clause: str) -> list[str]:
    """ "I like hiking and swimming" are two likes."""
    listed = next((one for one in fill_all(clause) if one.attribute in _LISTED), None)
    if listed is None:
        return [clause]
    at = clause.find(listed.value)
    items = _ITEMS.split(clause[at:])
    if (
        at < 0
        or not 2 <= len(items) <= 8
        or any(not 1 <= len(item.split()) <= 2 or not item[-1].isalnum() for item in items)
    ):
        return [clause]
    return [clause[:at] + item for item in items]


def _state(clause: str, quote: str, setting: _Setting) -> Fact | None:
    filled = fill_all(clause)
    strong = any(one.strong and one.kind is not Kind.PREFERENCE for one in filled)
    if not clauses.has_subject(clause) and not (strong and first_person(clause)):
        return None
    if worth.is_reaction(clause) or worth.is_maybe(clause) or worth.is_request(clause):
        return None
    if second_person(clause) and (setting.speakers.other is None or not (strong or _kind(clause) is Kind.EVENT)):
        return None
    trimmed = clauses.trim(clause)
    if trimmed is None or len(trimmed.split()) > MAX_WORDS:
        return None
    clause, filled = trimmed, fill_all(trimmed)
    if not _says_enough(clause, filled):
        return None
    fact = _fact(clause, quote, setting, filled[0] if filled else None)
    people = tuple(name for name in (setting.speakers.speaker, setting.speakers.other) if name)
    strong = any(one.strong for one in filled)
    return fact if fact is not None and is_concrete(fact, strong, people) else None


def _says_enough(clause: str, filled: list[Filled]) -> bool:
    if any(one.strong for one in filled):
        return bool(worth.content_words(filled[0].value)) or filled[0].kind is not Kind.PREFERENCE
    return len(words(clause)) >= 4 and len(worth.content_words(clause)) >= 2


def _fact(clause: str, quote: str, setting: _Setting, filled: Filled | None) -> Fact | None:
    said_at = setting.turn.said_at
    dated, mentions = dates.resolve(clause, said_at)
    if filled and filled.attribute == "birthday" and not re.search(r"\d{4}", clause):
        dated, mentions = clause, ()  # a day of every year
    text = rewrite(dated, setting.speakers)
    if text is None:
        return None
    kind = filled.kind if filled else _kind(clause)
    event, valid_from = _times(mentions)
    if event is None and kind is Kind.EVENT and (match := _JUST.search(clause)) and is_past(match[1]):
        event = dates.day(said_at)
        text = re.sub(r" just (?=\w)", " ", text, count=1) + f" (told on {dates.day_words(said_at)})"
    slot, value = _slot(clause, kind, filled, setting)
    return _build(text, kind, quote, setting, slot=slot, value=value, event=event, valid_from=valid_from, filled=filled)


def _build(
    text: str, kind: Kind, quote: str, setting: _Setting, *, slot: Slot | None = None, value: str | None = None,
    event: EventTime | None = None, valid_from: datetime | None = None, filled: Filled | None = None,
    retracts: bool = False, bare: bool = False,
) -> Fact:  # fmt: skip
    people = tuple(name for name in (setting.speakers.speaker, setting.speakers.other) if name)
    entities = list(find_entities(text, people))
    relations: tuple[Relation, ...] = ()
    if filled and filled.relation and not retracts:
        predicate, thing, sort = filled.relation
        relations = (Relation(setting.speakers.speaker, predicate, thing),)
        entities = [entity for entity in entities if entity.name.casefold() != thing.casefold()]
        entities.append(Entity(thing, sort))
    return Fact(
        text=text.rstrip(" .!,") + ".", kind=kind, evidence=(Evidence(setting.turn.id, quote),), slot=slot, value=value,
        entities=tuple(entities), relations=relations, event=event, valid_from=valid_from, retracts=retracts,
        bare_forget=bare, source=SourceClass.of(setting.turn.role),
    )  # fmt: skip


def _times(mentions: tuple[DateMention, ...]) -> tuple[EventTime | None, datetime | None]:
    event = next((one.event for one in mentions if not one.since), None)
    valid_from = next((one.event.start for one in mentions if one.since), None)
    return event, valid_from


def _slot(clause: str, kind: Kind, filled: Filled | None, setting: _Setting) -> tuple[Slot | None, str | None]:
    subject = setting.speakers.speaker
    if filled and filled.attribute:
        return Slot(subject, filled.attribute, filled.many), _plain_value(filled.value, setting.turn.said_at)
    if kind in (Kind.EVENT, Kind.PLAN) and (match := re.search(r"(?:^|[\s,])(?:I|[Ww]e)(?:['’]\w+)?\s+(.+)", clause)):
        attribute = "events" if kind is Kind.EVENT else "plans"
        return Slot(subject, attribute, True), _plain_value(match[1], setting.turn.said_at)
    return None, None


def _plain_value(value: str, said_at: datetime) -> str:
    """A value without its date, which the event tells."""
    for mention in reversed(dates.find_dates(value, said_at)):
        shorter = (value[: mention.start].rstrip() + " " + value[mention.end :].lstrip()).strip(" ,")
        value = _PREPOSITIONS.sub("", shorter).strip() or value
    return value


def _kind(clause: str) -> Kind:
    if _FUTURE.search(clause):
        return Kind.PLAN
    if _LIKING.search(clause):
        return Kind.PREFERENCE
    subject = re.search(r"\b(?:I|[Ww]e|[Mm]y \w+)(['’]\w+)?\s+((?:\w+\s+){0,3}?)(\w+)", clause)
    verb = next((word for word in words(clause[subject.start() :])[1:] if word not in ADVERBS), "") if subject else ""
    contracted = subject is not None and subject[1] is not None and subject[1][1:] in ("m", "re", "ll")
    if not contracted and is_past(verb) and not _STATE.search(clause):
        return Kind.EVENT
    return Kind.PROFILE


def _instruct(asked: Instruction, quote: str, setting: _Setting) -> Fact:
    said, mentions = dates.resolve(asked.text, setting.turn.said_at)
    body = rewrite(said, Speakers(setting.speakers.speaker, "the assistant", setting.speakers.company)) or said
    text = f"{setting.speakers.speaker} {asked.verb} {body[0].lower() + body[1:]}" if asked.verb else body
    text = (
        text.replace(f" {setting.speakers.speaker.lower()}", f" {setting.speakers.speaker}")
        if setting.turn.name
        else text
    )
    event, _ = _times(mentions)
    slot = Slot(setting.speakers.speaker, asked.attribute, True)
    return _build(
        text, asked.kind, quote, setting, slot=slot, value=_plain_value(asked.text, setting.turn.said_at), event=event
    )


def _retract(found: Retraction, quote: str, setting: _Setting) -> Fact | None:
    positive = found.positive if first_person(found.positive) else f"I {found.positive}"
    filled = next(iter(fill_all(positive)), None)
    dated, mentions = dates.resolve(found.negative, setting.turn.said_at)
    text = rewrite(dated, setting.speakers)
    trimmed = found.negative if found.bare else clauses.trim(found.negative)
    if text is None or trimmed is None or worth.is_maybe(found.negative):
        return None
    slot: Slot | None
    value: str | None
    noun = re.match(r"^my (favou?rite [\w ]{2,30}|\w+)$", found.positive.strip())
    plan = re.match(r"^my ((?:trip|plan|visit|holiday|vacation|wedding|appointment)\w*\b.*)", found.positive)
    if found.bare and noun and not plan:
        attribute = _FORGOTTEN.get(noun[1].casefold(), noun[1].casefold().replace("favourite", "favorite"))
        slot, value, kind = Slot(setting.speakers.speaker, attribute, attribute in _LISTED), None, Kind.PROFILE
    elif found.plan is not None or (found.bare and plan):
        slot = Slot(setting.speakers.speaker, "plans", True)
        value = _plain_value(found.plan or (plan[1] if plan else ""), setting.turn.said_at)
        kind = Kind.PLAN
    else:
        slot, value = _slot(positive, filled.kind if filled else Kind.PROFILE, filled, setting)
        kind = filled.kind if filled else _kind(found.negative)
    event, _ = _times(mentions)
    return _build(text, kind, quote, setting, slot=slot, value=value, event=event, retracts=True, bare=found.bare)
