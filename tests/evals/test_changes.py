"""The data set `changes`: what its questions promise is kept by its conversations.

Answers to relative dates are worked out again here, from the day of the session in which they were told. Where the words are
counted from is in the table below; the words themselves are in the turn that it names.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import recollect_evals
from recollect_evals.model import Question

FOLDER = Path(recollect_evals.__path__[0]) / "datasets" / "data" / "changes"
CATEGORIES = {
    "update",
    "refinement",
    "retraction",
    "relative date",
    "count",
    "who said what",
    "late report",
    "never said",
}
BACK_DATED = {"old-diary": "s4"}  # the session that is older than the one before it, on purpose


@dataclass
class Talk:
    """A conversation as its file tells it."""

    id: str
    sessions: dict[str, datetime] = field(default_factory=dict)
    turns: dict[str, dict[str, Any]] = field(default_factory=dict)
    sitting: dict[str, str] = field(default_factory=dict)  # turn → session
    questions: list[Question] = field(default_factory=list)


def read(path: Path) -> Talk:
    talk, session = Talk(""), ""
    for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        match line:
            case {"conversation": str(name), "about": str()}:
                talk.id = name
            case {"session": str(session), "at": str(at)}:
                assert session not in talk.sessions
                talk.sessions[session] = datetime.fromisoformat(at)
            case {"turn": str(name), "speaker": str(), "role": "user" | "assistant" | "tool", "text": str()}:
                assert name not in talk.turns
                talk.turns[name], talk.sitting[name] = line, session
            case {
                "question": str(name),
                "text": str(text),
                "answer": str() | None as answer,
                "category": str(category),
            }:
                asked = line.get("asked_at")
                talk.questions.append(
                    Question(
                        name,
                        text,
                        answer,
                        category,
                        tuple(line["evidence"]),
                        asked and datetime.fromisoformat(asked),
                    )
                )
            case _:
                pytest.fail(f"{path.name}: {line}")
    return talk


TALKS = {talk.id: talk for talk in map(read, sorted(FOLDER.glob("*.jsonl")))}


def fives(text: str) -> set[tuple[str, ...]]:
    """Each five words of a text that follow one another."""
    words = re.findall(r"\w+", text.lower())
    return set(zip(*(words[n:] for n in range(5)), strict=False))


QUESTIONS = {question.id: (talk, question) for talk in TALKS.values() for question in talk.questions}


def test_there_is_enough_of_everything_and_nothing_twice():
    assert len(TALKS) == len(list(FOLDER.glob("*.jsonl"))) >= 14
    assert len(QUESTIONS) == sum(len(talk.questions) for talk in TALKS.values()) >= 180
    counts = Counter(question.category for _, question in QUESTIONS.values())
    assert set(counts) == CATEGORIES
    assert min(counts.values()) >= 15, counts
    texts = Counter((talk.id, question.text) for talk, question in QUESTIONS.values())
    assert max(texts.values()) == 1


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_a_conversation_has_the_shape_that_its_readme_promises(talk):
    assert all(question.id == f"{talk.id}/q{number}" for number, question in enumerate(talk.questions, start=1))
    assert 4 <= len(talk.sessions) <= 9
    assert 50 <= len(talk.turns) <= 120
    assert all(8 <= number <= 20 for number in Counter(talk.sitting.values()).values())
    assert list(talk.turns) == [
        f"{session}:{number + 1}"
        for session in talk.sessions
        for number in range(sum(one == session for one in talk.sitting.values()))
    ]
    assert all(turn["text"].strip() == turn["text"] != "" for turn in talk.turns.values())
    assert {question.category for question in talk.questions} == CATEGORIES


@pytest.mark.parametrize("talk", TALKS.values(), ids=TALKS)
def test_sessions_are_in_the_order_of_time_but_for_those_that_are_back_dated(talk):
    times = list(talk.sessions.items())
    backwards = [name for (_, previous), (name, at) in pairwise(times) if at <= previous]
    assert backwards == [BACK_DATED[talk.id]] if talk.id in BACK_DATED else not backwards
    assert all(at.tzinfo is not None for _, at in times)
    for session, at in times:  # a turn a minute: what is said is said on the day of its session
        assert (at + timedelta(minutes=19)).date() == at.date(), session


def test_questions_cite_turns_that_exist_and_never_said_ones_none():
    for talk, question in QUESTIONS.values():
        assert set(question.evidence) <= set(talk.turns), question.id
        order = list(talk.turns)
        assert sorted(set(question.evidence), key=order.index) == list(question.evidence), question.id
        never = question.category == "never said"
        assert (question.answer is None) == (not question.evidence) == never, question.id
        assert question.asked_at is None or question.asked_at >= max(talk.sessions.values()), question.id


def test_questions_paraphrase_their_evidence():
    copied = [
        (question.id, " ".join(five))
        for talk, question in QUESTIONS.values()
        for turn in question.evidence
        for five in fives(question.text) & fives(talk.turns[turn]["text"])
    ]
    contained = [
        question.id
        for talk, question in QUESTIONS.values()
        if any(question.text.lower() in talk.turns[turn]["text"].lower() for turn in question.evidence)
    ]
    assert not copied and not contained


def test_the_readme_counts_right():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    categories = next(row[3:-1] for row in rows if row[0] == "conversation")
    told = {row[0]: row[1:] for row in rows if row[0] in TALKS or row[0] == "all"}
    counted = {
        talk.id: [
            len(talk.sessions),
            len(talk.turns),
            *(sum(question.category == one for question in talk.questions) for one in categories),
            len(talk.questions),
        ]
        for talk in TALKS.values()
    }
    counted["all"] = [sum(column) for column in zip(*counted.values(), strict=True)]
    assert told == {name: [str(number) for number in numbers] for name, numbers in counted.items()}
    by_category = {row[0]: row[2] for row in rows if row[0] in CATEGORIES}
    assert by_category == dict(zip(categories, told["all"][2:-1], strict=True))


def test_several_kinds_of_speakers_talk():
    casts = [{(turn["speaker"], turn["role"]) for turn in talk.turns.values()} for talk in TALKS.values()]
    roles = Counter(tuple(sorted(role for _, role in cast)) for cast in casts)
    assert roles["assistant", "user"] > len(TALKS) / 2
    assert roles["user", "user"] >= 2 and roles["user", "user", "user"] >= 1 and roles["assistant", "tool", "user"] >= 2


# --- Dates ---------------------------------------------------------------------------------------------------------------

Rule = Callable[[date], date | str]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
EASTER = {2024: date(2024, 3, 31)}


def days(number: int) -> Rule:
    """ "Yesterday", "in ten days"."""
    return lambda said: said + timedelta(number)


def before(weekday: str, weeks: int = 0, plus: int = 0) -> Rule:
    """ "On Friday", "last Friday": the latest before the day of the words; `weeks` before that; `plus`: so many days later."""

    def found(said: date) -> date:
        back = (said.weekday() - WEEKDAYS.index(weekday)) % 7 or 7
        return said - timedelta(back + 7 * weeks - plus)

    return found


def after(weekday: str, weeks: int = 0) -> Rule:
    """ "On Friday", of what is to come; `weeks` after that."""
    return lambda said: next_one(weekday, said) + timedelta(weeks=weeks)


def day_of_month(day: int, months: int = 0) -> Rule:
    """ "On the 9th", "on the 10th of next month"."""
    return lambda said: moved(said, months).replace(day=day)


def first(weekday: str, months: int, plus: int = 0) -> Rule:
    """ "The first Monday in April"; `plus`: so many days later."""
    return lambda said: next_one(weekday, moved(said, months) - timedelta(1)) + timedelta(plus)


def last_of_month(weekday: str, months: int) -> Rule:
    """ "The last Friday of May"."""
    return lambda said: before(weekday)(moved(said, months + 1))


def past(month: int, day: int) -> Rule:
    """ "On Saint Patrick's day", of what was."""
    return lambda said: max(one for one in on_day(said, month, day) if one < said)


def coming(month: int, day: int) -> Rule:
    """ "On my birthday", of what is to come."""
    return lambda said: min(one for one in on_day(said, month, day) if one > said)


def birthday(month: int, day: int, years: int) -> Rule:
    """So many years after the last one."""

    def found(said: date) -> date:
        last = max(one for one in on_day(said, month, day) if one < said)
        return last.replace(year=last.year + years)

    return found


def easter(number: int) -> Rule:
    """So many days after Easter of the year."""
    return lambda said: EASTER[said.year] + timedelta(number)


def month(number: int) -> Rule:
    """ "In two months"."""
    return lambda said: f"{MONTHS[moved(said, number).month - 1]} {moved(said, number).year}"


def year(number: int) -> Rule:
    """ "Last year"."""
    return lambda said: str(said.year + number)


def next_one(weekday: str, said: date) -> date:
    return said + timedelta((WEEKDAYS.index(weekday) - said.weekday()) % 7 or 7)


def moved(said: date, months: int) -> date:
    """The first day of the month so many months later."""
    count = said.year * 12 + said.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def on_day(said: date, month: int, day: int) -> Iterator[date]:
    return (date(year, month, day) for year in (said.year - 1, said.year, said.year + 1))


def written(found: date | str) -> str:
    return found if isinstance(found, str) else f"{found.day} {MONTHS[found.month - 1]} {found.year}"


def full_years(since: date) -> Callable[[date], int]:
    return lambda asked: asked.year - since.year - ((asked.month, asked.day) < (since.month, since.day))


def days_until(then: date) -> Callable[[date], int]:
    return lambda asked: (then - asked).days


# Counted from the day on which the turn was said.
TOLD: dict[str, tuple[str, Rule]] = {
    "after-midnight/q8": ("s1:5", days(-1)),
    "after-midnight/q9": ("s2:1", before("fri")),
    "after-midnight/q10": ("s2:5", before("wed")),
    "after-midnight/q11": ("s4:1", days(-1)),
    "after-midnight/q12": ("s4:5", before("sat")),
    "after-midnight/q13": ("s6:1", before("fri")),
    "after-midnight/q23": ("s1:9", after("fri", weeks=1)),
    "calendar-clash/q13": ("s1:10", days(2)),
    "calendar-clash/q14": ("s2:1", before("tue")),
    "calendar-clash/q15": ("s3:8", before("mon")),
    "calendar-clash/q16": ("s5:5", before("fri")),
    "calendar-clash/q17": ("s6:5", days(-1)),
    "calendar-clash/q28": ("s1:10", past(12, 31)),
    "choir-tour/q11": ("s2:1", days(-14)),
    "choir-tour/q12": ("s4:1", before("tue")),
    "choir-tour/q13": ("s5:5", days(-2)),
    "choir-tour/q14": ("s1:1", days(-1)),
    "choir-tour/q15": ("s6:8", first("mon", months=2, plus=7)),
    "choir-tour/q16": ("s2:2", before("sat")),
    "co-parents/q12": ("s3:8", after("sat")),
    "co-parents/q13": ("s4:1", days(0)),
    "co-parents/q14": ("s5:4", before("mon")),
    "co-parents/q15": ("s6:1", days(-1)),
    "co-parents/q16": ("s7:9", before("wed")),
    "co-parents/q17": ("s3:9", easter(-3)),
    "co-parents/q29": ("s7:1", day_of_month(10, months=1)),
    "co-parents/q30": ("s7:1", day_of_month(11, months=1)),
    "driving-licence/q10": ("s1:3", before("thu")),
    "driving-licence/q11": ("s1:9", after("wed")),
    "driving-licence/q12": ("s3:1", before("fri")),
    "driving-licence/q13": ("s4:3", before("tue")),
    "driving-licence/q14": ("s5:7", before("fri")),
    "driving-licence/q15": ("s6:1", before("tue")),
    "driving-licence/q16": ("s7:3", days(-5)),
    "flatshare/q13": ("s2:10", before("sun")),
    "flatshare/q14": ("s3:9", before("tue")),
    "flatshare/q15": ("s4:5", before("thu")),
    "flatshare/q16": ("s5:3", days(-1)),
    "flatshare/q17": ("s6:11", before("wed")),
    "flatshare/q18": ("s4:1", days(1)),
    "flatshare/q23": ("s3:9", before("tue", plus=1)),
    "greenhouse-valley/q12": ("s3:1", days(-2)),
    "greenhouse-valley/q13": ("s4:1", easter(4)),
    "greenhouse-valley/q14": ("s5:8", before("fri")),
    "greenhouse-valley/q15": ("s6:3", before("sun", weeks=1)),
    "greenhouse-valley/q16": ("s6:9", before("mon")),
    "kitchen-remodel/q11": ("s2:1", before("tue")),
    "kitchen-remodel/q12": ("s3:1", before("fri")),
    "kitchen-remodel/q13": ("s3:7", before("thu")),
    "kitchen-remodel/q14": ("s4:1", before("wed")),
    "kitchen-remodel/q15": ("s5:7", after("thu")),
    "kitchen-remodel/q16": ("s6:1", before("mon")),
    "kitchen-remodel/q28": ("s3:5", days(-1)),
    "lighthouse-novel/q12": ("s4:1", before("fri")),
    "lighthouse-novel/q13": ("s5:1", before("tue")),
    "lighthouse-novel/q14": ("s6:9", first("thu", months=8)),
    "lighthouse-novel/q15": ("s2:9", past(3, 17)),
    "night-rota/q6": ("s4:1", day_of_month(1)),
    "night-rota/q12": ("s2:8", before("thu")),
    "night-rota/q13": ("s2:11", days(-2)),
    "night-rota/q14": ("s5:11", before("thu")),
    "night-rota/q22": ("s5:5", after("wed", weeks=1)),
    "offers/q11": ("s1:5", before("sun")),
    "offers/q12": ("s2:5", before("thu")),
    "offers/q13": ("s3:7", days(-2)),
    "offers/q14": ("s4:7", before("wed")),
    "offers/q15": ("s5:1", before("thu")),
    "offers/q16": ("s4:5", days(-1)),
    "offers/q27": ("s1:3", coming(3, 3)),
    "old-diary/q10": ("s3:1", before("mon")),
    "old-diary/q11": ("s5:1", before("tue")),
    "old-diary/q12": ("s5:3", before("fri")),
    "old-diary/q13": ("s4:5", before("thu")),
    "old-diary/q14": ("s4:7", day_of_month(1, months=1)),
    "old-diary/q15": ("s6:7", before("wed")),
    "old-diary/q29": ("s5:5", past(2, 17)),
    "pill-box/q14": ("s2:3", before("wed")),
    "pill-box/q15": ("s3:4", days(-2)),
    "pill-box/q16": ("s4:5", before("mon")),
    "pill-box/q17": ("s7:3", days(-21)),
    "pill-box/q18": ("s6:4", before("tue")),
    "pill-box/q19": ("s7:6", day_of_month(9)),
    "railway-memoir/q9": ("s4:9", before("tue")),
    "railway-memoir/q10": ("s3:11", before("sun")),
    "railway-memoir/q11": ("s6:7", year(-1)),
    "saddle-sore/q10": ("s2:1", before("fri")),
    "saddle-sore/q11": ("s3:3", days(-3)),
    "saddle-sore/q12": ("s4:7", before("sun")),
    "saddle-sore/q13": ("s5:1", before("thu")),
    "saddle-sore/q14": ("s5:9", past(12, 24)),
    "salt-flat/q13": ("s1:5", days(2)),
    "salt-flat/q14": ("s2:1", before("sun")),
    "salt-flat/q15": ("s1:5", days(3)),
    "salt-flat/q16": ("s3:7", days(-1)),
    "salt-flat/q17": ("s4:1", before("thu")),
    "salt-flat/q18": ("s7:1", before("fri")),
    "salt-flat/q19": ("s6:9", past(1, 1)),
    "salt-flat/q32": ("s7:11", month(5)),
    "salt-flat/q33": ("s1:7", day_of_month(26)),
    "skipper/q13": ("s5:1", days(-1)),
    "skipper/q14": ("s4:3", before("thu")),
    "skipper/q15": ("s7:1", before("wed")),
    "skipper/q16": ("s1:7", last_of_month("fri", months=1)),
    "skipper/q17": ("s6:1", before("thu")),
    "skipper/q18": ("s1:9", birthday(2, 9, years=4)),
    "skipper/q19": ("s2:5", days(0)),
    "skipper/q39": ("s4:11", days(-85)),
    "skipper/q40": ("s6:3", past(10, 22)),
    "sourdough-books/q11": ("s2:3", before("wed")),
    "sourdough-books/q12": ("s3:3", before("thu")),
    "sourdough-books/q13": ("s4:1", day_of_month(15)),
    "sourdough-books/q14": ("s4:7", days(2)),
    "sourdough-books/q15": ("s6:3", before("thu")),
    "two-sisters/q10": ("s3:6", days(-22)),
    "two-sisters/q11": ("s3:3", before("fri")),
    "two-sisters/q12": ("s5:10", before("thu")),
    "two-sisters/q13": ("s3:8", day_of_month(1)),
}

# Counted from the day on which it is asked.
ASKED: dict[str, Callable[[date], int]] = {
    "after-midnight/q22": days_until(date(2025, 4, 15)),
    "old-diary/q28": full_years(date(2019, 10, 6)),
    "saddle-sore/q24": full_years(date(2013, 12, 24)),
    "skipper/q38": full_years(date(1965, 3, 31)),
    "sourdough-books/q26": full_years(date(2007, 5, 16)),
    "two-sisters/q25": days_until(date(2023, 8, 26)),
}


def test_each_relative_date_is_worked_out_here():
    relative = {name for name, (_, question) in QUESTIONS.items() if question.category == "relative date"}
    assert relative <= TOLD.keys() | ASKED.keys()
    assert TOLD.keys() | ASKED.keys() <= QUESTIONS.keys()


def test_dates_are_what_their_words_mean_on_the_day_they_were_said():
    for name, (turn, rule) in TOLD.items():
        talk, question = QUESTIONS[name]
        assert turn in question.evidence, name
        assert question.answer == written(rule(talk.sessions[talk.sitting[turn]].date())), name


def test_spans_are_what_they_are_on_the_day_they_are_asked_for():
    for name, rule in ASKED.items():
        _, question = QUESTIONS[name]
        assert question.asked_at is not None, name
        assert question.answer == str(rule(question.asked_at.date())), name
