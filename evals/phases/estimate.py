"""What a run would cost, before anything is sent: calls, tokens and money of each phase, of what is not done yet.

Input is counted from the very prompts; a context that is not searched yet counts as full. How long replies are is not known
beforehand: the numbers below are rounded up from replies to these prompts. A model that thinks before it answers writes more.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel

from recollect.usage import Usage
from recollect.writing.estimate import shape_tokens

from .. import tokens
from ..model import Question, Stage
from ..run import Run
from ..systems.plain import FullContext
from . import answer, ingest, judge, search
from .models import Model
from .selection import Outline, Selection, unrelated_to
from .subjects import Subject

ANSWER_TOKENS = 50
VERDICT_TOKENS = 60
LINE_TOKENS = 15  # of a turn's date and speaker in a context


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is left of a phase: `tasks`, and what they cost at most. `usage.cost_usd` None: a price is not known."""

    phase: Stage
    tasks: int
    usage: Usage


def of_ingest(run: Run, selection: Selection, subjects: Sequence[Subject]) -> Forecast:
    """What systems say themselves that taking conversations in would cost."""
    tasks, total, paid = ingest.left(run, selection, subjects), Usage(), ingest.in_stores(run, subjects)
    for task in tasks:
        if task.place not in paid:
            total += task.subject.estimate(functools.partial(selection.read, task.talk))
            paid.add(task.place)
    return Forecast("ingest", len(tasks), total)


def of_search(run: Run, selection: Selection, subjects: Sequence[Subject]) -> Forecast:
    """Searching costs no calls of a language model."""
    number = 0
    for subject in subjects:
        done = {kind: run.good(kind, subject.slug) for kind in search.KINDS}
        for talk in selection.chosen:
            number += sum(question.id not in done["search"] for question in talk.questions)
            strangers = unrelated_to(talk, selection, run.manifest.unrelated, run.manifest.seed)
            number += sum((talk.id, question.id) not in done["unrelated"] for question in strangers)
    return Forecast("search", number, Usage())


def of_answer(run: Run, selection: Selection, subjects: Sequence[Subject], reader: Model) -> Forecast:
    """The reader's calls."""
    prompt, number, read = answer.prompt(), 0, 0
    for subject in subjects:
        done, searched = run.good("answers", subject.slug), run.good("search", subject.slug)
        for talk in selection.chosen:
            full = context_tokens(subject, selection, talk, run.manifest.max_tokens)
            for question in talk.questions:
                if question.id not in done:
                    told = answer.messages(prompt, answer.Task(subject.slug, talk, question, ""))
                    context = searched[question.id]["context"]["tokens"] if question.id in searched else full
                    number, read = number + 1, read + asked(told, answer.AnswerReply) + context
    return priced("answer", reader, Usage(number, read, number * ANSWER_TOKENS))


def context_tokens(subject: Subject, selection: Selection, talk: Outline, most: int) -> int:
    """Of a context that is not made yet: the budget, or all of the conversation where that is what a system gives."""
    if not isinstance(subject.system, FullContext):
        return most
    return sum(tokens.count(turn.text) + LINE_TOKENS for turn in selection.read(talk).turns)


def of_judge(run: Run, selection: Selection, systems: Sequence[str], by: Model) -> Forecast:
    """The judge's calls, if no two systems reply in the same words."""
    prompt, number, read, judged = judge.prompt(), 0, 0, run.good("judgements")
    for slug in systems:
        replies = run.good("answers", slug)
        for question_id, (_, question) in selection.questions.items():
            if (question_id, slug) not in judged:
                reply = replies.get(question_id, {}).get("answer")
                said = ANSWER_TOKENS if reply is None else tokens.count(reply)
                told = judge.messages(prompt, question, "")
                number, read = number + 1, read + asked(told, shape(question)) + said
    return priced("judge", by, Usage(number, read, number * VERDICT_TOKENS))


def asked(messages: Sequence[dict[str, str]], reply: type[BaseModel]) -> int:
    """Tokens of a call's messages, and of the schema that goes with them."""
    return sum(counted(message["content"]) for message in messages) + shape_tokens(reply)


@functools.lru_cache(maxsize=4096)
def counted(text: str) -> int:
    """Tokens of a text; the same system message is counted once."""
    return tokens.count(text)


def shape(question: Question) -> type[BaseModel]:
    """Of a verdict on it."""
    return judge.reply_to(question.answer is not None, len(question.nuggets))


def priced(phase: Stage, model: Model, usage: Usage) -> Forecast:
    """With what it costs."""
    return Forecast(phase, usage.llm_calls, replace(usage, cost_usd=model.price(usage) if usage.llm_calls else 0.0))
