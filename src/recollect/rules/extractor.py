"""Turns → facts by rules: deterministic, English, better silent than wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from .. import dates
from ..dates import DateMention
from ..model import Entity, EventTime, Evidence, Extraction, Fact, Kind, Relation, Role, Slot, SourceClass, Turn
from ..ports import Chunk
from . import clauses, reference, worth
from .entities import find_entities
from .instructions import Instruction, instruction
from .retract import Retraction, retraction
from .sentences import is_code, is_english, split
from .slots import Filled, about, fill_all, introduced
from .speakers import Speakers, first_person, rewrite
from .statement import Form, Statement, parse

MAX_FACTS = 150  # of one chunk
MAX_WORDS = 45

_HUMAN = (Role.USER, Role.ASSISTANT)
_NUMBER = re.compile(
    r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|dozen)\b", re.IGNORECASE
)
_RECENT = re.compile(r"^(?P<before>(?:I|[Ww]e|[Mm]y [\w ]+?)(?:['’]\w+| have| has)? )(?:just|recently|finally) (?=\w)")
_OWN = re.compile(r"\b(?:I|[Ww]e)\b")
_TAIL = re.compile(
    r"[\s,]+(?:too|but|and|so|of course|for example|especially|specifically|particularly|including|like|such as|for now|as well|again|though|already|now that|lol|haha|actually|these days)$",
    re.IGNORECASE,
)
_JOKE = re.compile(r"\b(?:kidding|joking|jk|joke)\b", re.IGNORECASE)
_LISTED = ("likes", "dislikes", "languages", "allergies")
_OF = re.compile(r"(?:their|its|his|her|the|my|our)\b")
_ITEMS = re.compile(r",? (?:and|&) |, ")
_PREPOSITIONS = re.compile(r"\b(?:on|in|at|for|to|by|since)\s*$")
_FORGOTTEN = {"address": "home", "job": "occupation", "work": "employer", "allergy": "allergies", "diagnosis": "health"}
_FORM_KIND = {Form.PAST: Kind.EVENT, Form.PERFECT: Kind.EVENT, Form.FUTURE: Kind.PLAN}


@dataclass(frozen=True, slots=True)
class _Setting:
    """What holds for one clause."""

    turn: Turn
    speakers: Speakers
    vocatives: frozenset[str]
    names: frozenset[str]  # of the speakers' people
    before: str  # what the speaker said just before the clause
    quote: str

    @property
    def people(self) -> tuple[str, ...]:
        return tuple(name for name in (self.speakers.speaker, self.speakers.other) if name)


class RulesExtractor:
    """An `Extractor` of rules. No facts from system and tool turns, nor from an assistant without a name."""

    async def extract(self, chunk: Chunk) -> Extraction:
        """Facts in the order of the turns, each text once."""
        people = _people(chunk)
        names = frozenset().union(*(introduced(turn.content) for turn in (*chunk.context, *chunk.turns)))
        facts: dict[str, Fact] = {}
        for turn in chunk.turns:
            if turn.role not in _HUMAN or (turn.role is Role.ASSISTANT and not turn.name):
                continue
            for fact in _of_turn(turn, people, names):
                if len(facts) < MAX_FACTS:
                    facts.setdefault(fact.text, fact)
        return Extraction(tuple(facts.values()))


def _people(chunk: Chunk) -> tuple[str, ...]:
    named = [turn.name for turn in (*chunk.context, *chunk.turns) if turn.name and turn.role in _HUMAN]
    return tuple(dict.fromkeys(named))


def _of_turn(turn: Turn, people: tuple[str, ...], names: frozenset[str]) -> Iterator[Fact]:
    if not is_english(turn.content) or is_code(turn.content):
        return
    others = [name for name in people if name != turn.name]
    other = others[0] if turn.name and len(others) == 1 else None
    called = frozenset(name[:n].casefold() for full in others for name in full.split() for n in range(3, len(name) + 1))
    sentences = list(split(turn.content))
    before = ""
    for sentence, following in zip(sentences, [*sentences[1:], None], strict=False):
        joke = bool(_JOKE.search(sentence.text)) or bool(following and _JOKE.search(following.text))
        for piece in () if joke else clauses.split_clauses(sentence.text):
            last = sentence.asks and sentence.text.endswith(piece)
            company = reference.company(before) or reference.company(piece)
            setting = _Setting(turn, Speakers(turn.speaker, other, company), called, names, before, piece)
            yield from _of_piece(setting, opens=sentence.text.startswith(piece), asks=last)
        before = sentence.text


def _of_piece(setting: _Setting, opens: bool, asks: bool) -> Iterator[Fact]:
    """The facts of what stands between two dashes; it `opens` a sentence, `asks`: its last clause is a question."""
    whole = clauses.with_subject(clauses.strip_lead(setting.quote, setting.vocatives).rstrip(".! \t"), opens)
    to_assistant = not asks and setting.speakers.other is None and setting.turn.role is Role.USER
    if to_assistant and (asked := instruction(whole)):
        yield _instruct(asked, setting)
        return
    parts = clauses.coordinated(whole)
    for part in parts[:-1] if asks else parts:
        clause = clauses.strip_lead(part, setting.vocatives).rstrip(".,! \t")
        clause = reference.resolve_subject(clauses.with_subject(clause), setting.before)
        if found := retraction(clause):
            if fact := _retract(found, setting):
                yield fact
        else:
            yield from (fact for item in _items(clause) if (fact := _state(item, setting)))


def _items(clause: str) -> list[str]:
    """ "I like hiking and swimming" are two likes."""
    listed = next((one for one in fill_all(clause) if one.attribute in _LISTED), None)
    if listed is None:
        return [clause]
    at = clause.find(listed.value)
    items = _ITEMS.split(clause[at:])
    fit = all(1 <= len(item.split()) <= 2 and item[-1].isalnum() and not _OF.match(item) for item in items)
    return [clause[:at] + item for item in items] if at >= 0 and 2 <= len(items) <= 8 and fit else [clause]


# --- one statement -----------------------------------------------------------------------------------------------------


def _state(said: str, setting: _Setting) -> Fact | None:
    """The fact that a clause tells, if it tells one."""
    if worth.MAYBE.search(said) or worth.REQUEST.match(said):
        return None
    clause = reference.trim(reference.indefinite(said))
    if clause is None or len(clause.split()) > MAX_WORDS:
        return None
    clause = _TAIL.sub("", _TAIL.sub("", reference.without_empty_end(clause)))
    statement = parse(clause)
    subject, filled = _slots(clause, statement, setting)
    pointed = clause != said and reference.indefinite(said) != said
    told = [one for one in filled if one.strong and _holds(one, statement, pointed)]
    if statement is None and not (told and first_person(clause)):
        return None
    fact = _fact(clause, setting, statement, subject, next(iter(told or filled), None))
    if fact is None or not (told or (statement and _is_definite(fact, statement, setting, pointed))):
        return None
    return fact


def _slots(clause: str, statement: Statement | None, setting: _Setting) -> tuple[str, list[Filled]]:
    """Whom the clause is about, and the slots of theirs that it fills."""
    speaker = setting.speakers.speaker
    others = statement is not None and not statement.own
    own = fill_all(_OWN.sub("", clause) if others else clause)  # "My boss thinks I live in Rome" tells no home of mine
    if (statement is None or not statement.own) and not any(one.strong for one in own):
        if (other := about(clause, speaker, setting.names)) and (
            filled := [one for one in fill_all(other[1]) if one.attribute]
        ):
            return other[0], filled
    return speaker, own


def _holds(filled: Filled, statement: Statement | None, pointed: bool) -> bool:
    """Whether the slot is filled now, and with something definite."""
    if statement is not None and statement.form is Form.POSSIBLE:
        return filled.attribute in ("avoids", "dislikes")  # "I can't stand mushrooms"
    if filled.kind is Kind.PREFERENCE:
        favourite = (filled.attribute or "").startswith("favorite")
        if not favourite and (statement is None or filled.at > len(statement.lead)):
            return False  # "I remember why I love chess"
        return len(worth.content_words(filled.value)) > pointed or filled.value[:1].isupper()
    negated = statement is not None and statement.form is Form.NEGATED
    return not negated or filled.attribute in ("avoids", "dislikes")


def _is_definite(fact: Fact, statement: Statement, setting: _Setting, pointed: bool) -> bool:
    known = {part.casefold() for name in setting.people for part in name.split()}
    names = sum(not set(entity.name.casefold().split()) <= known for entity in fact.entities)
    dated = (fact.event is not None) + (fact.valid_from is not None)
    statement = replace(statement, rest=_undated(statement.rest, setting.turn.wall))
    return worth.is_definite(statement, names, dated + bool(_NUMBER.search(statement.rest)), pointed)


def _fact(
    clause: str, setting: _Setting, statement: Statement | None, subject: str, filled: Filled | None
) -> Fact | None:
    said_at = setting.turn.wall
    kind = filled.kind if filled and filled.strong else _kind(statement, filled)
    form = statement.form if statement else Form.STATE
    recent = form in (Form.PAST, Form.PERFECT, Form.ONGOING) and _RECENT.search(clause) is not None
    dated, mentions = dates.resolve(_RECENT.sub(r"\g<before>", clause, count=1) if recent else clause, said_at)
    if filled and filled.attribute == "birthday" and not re.search(r"\d{4}", clause):
        dated, mentions = clause, ()  # a day of every year
    event, valid_from = _times(mentions)
    if recent and form is not Form.ONGOING and event is None and valid_from is None:
        told = dates.shortly_before(said_at)
        event, dated = told.event, f"{dated} {told.words}"
    text = rewrite(dated, setting.speakers)
    if text is None:
        return None
    slot, value = _slot(subject, kind, statement, filled, said_at)
    return _build(text, kind, setting, slot=slot, value=value, event=event, valid_from=valid_from, filled=filled)


def _kind(statement: Statement | None, filled: Filled | None) -> Kind:
    if filled and filled.attribute == "plans" and statement and statement.form is not Form.PAST:
        return Kind.PLAN
    return _FORM_KIND.get(statement.form, Kind.PROFILE) if statement else Kind.PROFILE


def _build(
    text: str, kind: Kind, setting: _Setting, *, slot: Slot | None = None, value: str | None = None,
    event: EventTime | None = None, valid_from: datetime | None = None, filled: Filled | None = None,
    retracts: bool = False, bare: bool = False,
) -> Fact:  # fmt: skip
    entities = list(find_entities(text, setting.people))
    relations: tuple[Relation, ...] = ()
    if filled and filled.relation and not retracts:
        predicate, thing, sort = filled.relation
        relations = (Relation(slot.subject if slot else setting.speakers.speaker, predicate, thing),)
        entities = [entity for entity in entities if entity.name.casefold() != thing.casefold()]
        entities.append(Entity(thing, sort))
    return Fact(
        text=text.rstrip(" .!,") + ".", kind=kind, evidence=(Evidence(setting.turn.id, setting.quote),), slot=slot, value=value,
        entities=tuple(entities), relations=relations, event=event, valid_from=valid_from, retracts=retracts,
        bare_forget=bare, source=SourceClass.of(setting.turn.role),
    )  # fmt: skip


def _times(mentions: tuple[DateMention, ...]) -> tuple[EventTime | None, datetime | None]:
    event = next((one.event for one in mentions if not one.since), None)
    valid_from = next((one.event.start for one in mentions if one.since), None)
    return event, valid_from


def _slot(
    subject: str, kind: Kind, statement: Statement | None, filled: Filled | None, said_at: datetime
) -> tuple[Slot | None, str | None]:
    if filled and filled.attribute and filled.strong:
        return Slot(subject, filled.attribute, filled.many), _plain_value(filled.value, said_at)
    if statement and kind in (Kind.EVENT, Kind.PLAN):
        attribute = "events" if kind is Kind.EVENT else "plans"
        told = filled.value if filled and kind is Kind.PLAN else f"{statement.verb} {statement.rest}"
        return Slot(subject, attribute, True), _plain_value(told, said_at)
    return None, None


def _plain_value(value: str, said_at: datetime) -> str:
    """A value without its date, which the event tells."""
    return _undated(value, said_at) or value


def _undated(text: str, said_at: datetime) -> str:
    for mention in reversed(dates.find_dates(text, said_at)):
        shorter = (text[: mention.start].rstrip() + " " + text[mention.end :].lstrip()).strip(" ,")
        text = _PREPOSITIONS.sub("", shorter).strip()
    return text


# --- wishes and retractions --------------------------------------------------------------------------------------------


def _instruct(asked: Instruction, setting: _Setting) -> Fact:
    speakers = setting.speakers
    said, mentions = dates.resolve(asked.text, setting.turn.wall, ahead=True if asked.kind is Kind.PLAN else None)
    body = rewrite(said, replace(speakers, other="the assistant")) or said
    text = f"{speakers.speaker} {asked.verb} {body[0].lower() + body[1:]}"
    if setting.turn.name:
        text = text.replace(f" {speakers.speaker.lower()}", f" {speakers.speaker}")
    slot = Slot(speakers.speaker, asked.attribute, True)
    value = _plain_value(asked.text, setting.turn.wall)
    return _build(text, asked.kind, setting, slot=slot, value=value, event=_times(mentions)[0])


def _retract(found: Retraction, setting: _Setting) -> Fact | None:
    dated, mentions = dates.resolve(found.negative, setting.turn.wall)
    text = rewrite(dated, setting.speakers)
    if text is None or worth.MAYBE.search(found.negative) or not (found.bare or reference.trim(found.negative)):
        return None
    positive = found.positive if first_person(found.positive) else f"I {found.positive}"
    slot, value, kind, filled = _retracted(found, positive, setting)
    event, _ = _times(mentions)
    return _build(
        text, kind, setting, slot=slot, value=value, event=event, filled=filled, retracts=True, bare=found.bare
    )


def _retracted(
    found: Retraction, positive: str, setting: _Setting
) -> tuple[Slot | None, str | None, Kind, Filled | None]:
    """The slot that a retraction empties, and the value that is gone; no value: whatever is in it."""
    subject, said_at = setting.speakers.speaker, setting.turn.wall
    if found.plan is not None:
        return Slot(subject, "plans", True), _plain_value(found.plan, said_at), Kind.PLAN, None
    if found.attribute is not None:
        named = re.search(r" ([A-Z]\w+)$", found.positive)
        return Slot(subject, found.attribute), named[1] if named else None, Kind.RELATIONSHIP, None
    noun = re.match(r"^my (favou?rite [\w ]{2,30}|\w+)$", positive.strip())
    if found.bare and noun:
        attribute = _FORGOTTEN.get(noun[1].casefold(), noun[1].casefold().replace("favourite", "favorite"))
        return Slot(subject, attribute, attribute in _LISTED), None, Kind.PROFILE, None
    statement = parse(positive)
    who, told = _slots(positive, statement, setting)
    if not told and (other := about(positive, subject, setting.names)):
        who, told = other[0], fill_all(other[1])
    filled = next((one for one in told if one.strong), told[0] if told else None)
    kind = filled.kind if filled else _kind(statement, filled)
    slot, value = _slot(who, kind, statement, filled, said_at)
    return slot, value, kind, filled
