"""A probe of the judge: replies whose worth is known, made by code from the key. How many of the bad ones does it let pass?

Kinds, each a system of its own to the judge (`answers`):

right           the key's own words: what is refused here is refused wrongly
vague           would fit anything ("Sometime that year.")
vague, on topic the same with the question's words around it, as a reader writes that found nothing and will not say so
incomplete      the first item of a list alone
other answer    the key of another question of the category and of the same form; yes for no; anything for what was never said
other date      the key with its dates moved by months or years
other number    the key with its numbers changed
other name      the key with its names replaced by those of people of the data set

Replies that might be right by chance are not made: those that have a content word of the key where they are to have another,
and questions whose answer an audit doubts. A few stay doubtful: a key may be one of several right answers ("What does she
like?")."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, Literal

from .metrics.judge import accuracy
from .model import DataSet, Question, Spent
from .statistics import Estimate, wilson
from .terms import DAY_FIRST, ISO_DAY, MONTH_FIRST, MONTHS, NUMBERS, STOP, days, in_calendar, month_number, terms

Kind = Literal[
    "right", "vague", "vague, on topic", "incomplete", "other answer", "other date", "other number", "other name"
]
KINDS: tuple[Kind, ...] = (
    "right",
    "vague",
    "vague, on topic",
    "incomplete",
    "other answer",
    "other date",
    "other number",
    "other name",
)
PER_KIND = 25
PROMPT = "probe@1"  # what stands for a prompt in the records; a change of these rules is a new number

NOT_SAID = "That was not mentioned."

_YES_NO = re.compile(r"^\W*(likely |probably |most likely )?(yes|no)\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_MONTH_YEAR = re.compile(rf"\b({'|'.join(MONTHS)}),?\s+(\d{{4}})\b", re.IGNORECASE)
_NUMBER = re.compile(rf"\b(?:\d+|{'|'.join(NUMBERS)})\b", re.IGNORECASE)
_NAME = re.compile(r"\b[A-Z][a-z]{2,}\b(?! [A-Z])")
_PERSON = re.compile(r"[A-Z][a-z]{2,}")
_LIKELY = re.compile(r"^\W*(?:most )?(?:likely|probably|presumably)\b", re.IGNORECASE)
_ITEMS = re.compile(r",\s*(?:and\s+)?|\s+and\s+|;\s*")
_ALTERNATIVES = re.compile(r"\bor\b|/", re.IGNORECASE)
_WHO = re.compile(r"\bwho(?:m|se)?\b|\bnames?\b|\bnamed\b|\bcalled\b|\bnickname", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_ASKING = frozenset({"many", "often", "long", "old", "whom", "whose"})
_VAGUE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), reply)
    for pattern, reply in (
        (r"\bwhen\b|\bwhat (?:date|day|month|year)\b|\bwhich (?:date|day|month|year|week)\b", "sometime that year"),
        (r"\bhow (?:many|much|often|long|old)\b", "quite a few"),
        (r"\bwho(?:m|se)?\b", "somebody they know"),
        (r"\bwhere\b|\b(?:what|which) (?:city|country|state|place|town)\b", "somewhere they had been before"),
        (r"\bwhy\b", "for personal reasons"),
        (r"\bhow\b", "in their own way"),
        (r"^(?:is|are|was|were|do|does|did|would|could|can|has|have|had|will)\b", "it depends"),
    )
)
_ANYTHING = "something that mattered to them at the time"


@dataclass(frozen=True, slots=True)
class Probe:
    """A reply of a kind to a question."""

    kind: Kind
    question: str
    answer: str


def probes(data: DataSet, *, per_kind: int = PER_KIND, seed: int = 0) -> list[Probe]:
    """At most `per_kind` replies of each kind, to questions drawn by the seed, the categories in turn. The same data and seed
    give the same replies."""
    asked = [(talk.id, one) for talk in data.conversations for one in talk.questions if "answer" not in one.doubts]
    people = sorted(
        {turn.speaker for talk in data.conversations for turn in talk.turns if _PERSON.fullmatch(turn.speaker)}
    )
    made: list[Probe] = []
    for kind in KINDS:
        chance = random.Random(f"{seed} {kind}")
        replies = ((one, _reply(kind, talk, one, asked, people, chance)) for talk, one in _in_turn(asked, chance))
        made += islice((Probe(kind, one.id, reply) for one, reply in replies if reply is not None), per_kind)
    return made


def answers(made: Iterable[Probe]) -> dict[Kind, list[dict[str, Any]]]:
    """kind → records as an answer phase writes them, for the judge."""
    records: dict[Kind, list[dict[str, Any]]] = {}
    for one in made:
        record = {"question": one.question, "answer": one.answer, "model": "probe", "prompt": PROMPT}
        records.setdefault(one.kind, []).append(record | {"spent": asdict(Spent())})
    return records


def accepted(data: DataSet, judgements: Mapping[Kind, Iterable[Mapping[str, Any]]]) -> dict[Kind, Estimate]:
    """kind → share of its replies that the judge took for right, with Wilson's interval (shares near 0 have one too): the false
    acceptance rate of every kind but "right", whose rate of false refusals is 1 − share. Records with an error do not count."""
    questions = {one.id: one for talk in data.conversations for one in talk.questions}
    verdicts = {
        kind: [accuracy(questions[one["question"]], one) for one in records if "error" not in one]
        for kind, records in judgements.items()
    }
    return {kind: wilson(round(sum(said)), len(said)) for kind, said in verdicts.items()}


Asked = tuple[str, Question]  # with its conversation's id


def _in_turn(asked: Sequence[Asked], chance: random.Random) -> list[Asked]:
    """Shuffled, the categories in turn."""
    places: Counter[str] = Counter()
    order = []
    for talk, one in chance.sample(asked, len(asked)):
        places[one.category] += 1
        order.append((places[one.category], one.category, talk, one))
    return [(talk, one) for _, _, talk, one in sorted(order, key=lambda row: row[:2])]


def _reply(
    kind: Kind, talk: str, one: Question, asked: Sequence[Asked], people: Sequence[str], chance: random.Random
) -> str | None:
    """A reply of a kind; None where the question gives none."""
    if kind == "other answer":
        return _other_answer(talk, one, asked, chance)
    if one.answer is None:
        return NOT_SAID if kind == "right" else None
    if kind == "right":
        return one.answer
    if kind in ("vague", "vague, on topic"):
        return _vague(one, on_topic=kind == "vague, on topic")
    if _YES_NO.match(one.answer) or _LIKELY.match(one.answer):
        return None  # what is added to a judgement may differ
    makers: dict[Kind, Callable[[], str | None]] = {
        "incomplete": lambda: _incomplete(one.answer or ""),
        "other date": lambda: other_date(one.answer or "", chance),
        "other number": lambda: other_number(one.answer or "", chance),
        "other name": lambda: _other_name(one, people, chance),
    }
    return makers[kind]()


def _vague(one: Question, *, on_topic: bool) -> str | None:
    reply = next((reply for pattern, reply in _VAGUE if pattern.search(one.text)), _ANYTHING)
    if terms(reply).words & terms(one.answer or "").words:
        return None
    if not on_topic:
        return f"{reply[0].upper()}{reply[1:]}."
    topic = [word for word in _WORD.findall(one.text) if word.lower() not in STOP and word.lower() not in _ASKING]
    return f"They did talk about that ({' '.join(topic)}). As far as I can tell: {reply}, and it clearly meant a lot."


def _incomplete(answer: str) -> str | None:
    items = [item.strip() for item in _ITEMS.split(answer) if item.strip()]
    whole = len(items) < 2 or _form(answer) == "date" or _ALTERNATIVES.search(answer)
    return None if whole else items[0]


def _other_answer(talk: str, one: Question, asked: Sequence[Asked], chance: random.Random) -> str | None:
    """Of another conversation where there is one; of the same form; with no content word in common."""
    if one.answer is not None and (said := _YES_NO.match(one.answer)):
        return f"{said[1] or ''}{'no' if said[2].lower() == 'yes' else 'yes'}".strip().capitalize()
    mine = terms(one.answer or "")
    others = [
        (elsewhere == talk, other.answer)
        for elsewhere, other in chance.sample(asked, len(asked))
        if other.answer is not None
        and (one.answer is None or (other.category, _form(other.answer)) == (one.category, _form(one.answer)))
        and not _YES_NO.match(other.answer)
        and not (terms(other.answer).words | terms(other.answer).marks) & (mine.words | mine.marks)
    ]
    return min(others, key=lambda row: row[0])[1] if others else None


def _form(answer: str) -> str:
    if days(answer) or _YEAR.search(answer) or _MONTH_YEAR.search(answer):
        return "date"
    return "number" if _NUMBER.search(answer) else "words"


def other_date(answer: str, chance: random.Random) -> str | None:
    """Days by 40 to 200 days, months by 2 to 9, years by 2 to 5, all of an answer in one direction; None without a date."""
    way = chance.choice((-1, 1))
    by_days, by_months, by_years = way * chance.randint(40, 200), way * chance.randint(2, 9), way * chance.randint(2, 5)

    def month(match: re.Match[str]) -> str:
        place = int(match[2]) * 12 + month_number(match[1]) - 1 + by_months
        return f"{MONTHS[place % 12].capitalize()} {place // 12}"

    for pattern in (DAY_FIRST, MONTH_FIRST, ISO_DAY):
        if pattern.search(answer):
            return pattern.sub(lambda match: _moved(match[0], by_days), answer)
    if _MONTH_YEAR.search(answer):
        return _MONTH_YEAR.sub(month, answer)
    return _YEAR.sub(lambda match: str(int(match[0]) + by_years), answer) if _YEAR.search(answer) else None


def _moved(day: str, by: int) -> str:
    found = days(day)
    if not found:
        return day
    moved = next(iter(found)) + timedelta(days=by)
    return f"{moved.day} {MONTHS[moved.month - 1].capitalize()} {moved.year}"


def other_number(answer: str, chance: random.Random) -> str | None:
    """Each number plus 2 to 4; None without one, and where there is a date."""
    if _form(answer) != "number":
        return None
    more = chance.randint(2, 4)
    return _NUMBER.sub(lambda match: str(int(NUMBERS.get(match[0].lower(), match[0])) + more), answer)


def _other_name(one: Question, people: Sequence[str], chance: random.Random) -> str | None:
    """A key that names people, with other people's names. Capitalised words count as such where the question asks who, else
    only the names of those who speak in the data set."""
    answer = one.answer or ""
    names = (
        [name for name in _NAME.findall(answer) if not in_calendar(name) and name.lower() not in STOP]
        if _WHO.search(one.text)
        else []
    )
    names += [person for person in people if re.search(rf"\b{person}\b", answer)]
    strangers = [person for person in people if person not in names and person not in one.text]
    if not names or len(strangers) < len(names):
        return None
    others = dict(zip(names, chance.sample(strangers, len(names)), strict=True))
    return re.sub(rf"\b(?:{'|'.join(names)})\b", lambda match: others[match[0]], answer)


def _is_name(word: str) -> bool:
    return not in_calendar(word) and word.lower() not in STOP
