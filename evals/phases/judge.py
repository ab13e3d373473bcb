"""Judge: is a reply right? The judge sees a question, what is right, and one reply; not whose it is, and in no order of systems.

Systems that replied in the very same words share a verdict: it is asked for once, and the others' records cost nothing.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, create_model

from recollect.prompts import Prompt, load

from ..model import Question, Spent, Stage
from ..run import Record, Run
from .models import Model
from .selection import Selection
from .work import Listener, Outcome, each, silent

CONCURRENCY = 4
VERSION = 1  # of the prompt
NEVER_SAID = "It was never said"  # as the prompt has it


class Verdict(BaseModel):
    """What a judge says. `abstained`: the reply says that it was not said, or is not known."""

    reason: str
    verdict: Literal["right", "wrong", "abstained"]


class VerdictOnNothing(BaseModel):
    """On a question to which there is no answer: a right reply abstains."""

    reason: str
    verdict: Literal["wrong", "abstained"]


@functools.lru_cache(maxsize=64)
def reply_to(answered: bool, nuggets: int) -> type[BaseModel]:
    """The shape of a verdict: with `nuggets`, one true or false for each."""
    base = Verdict if answered else VerdictOnNothing
    if not nuggets:
        return base
    each_one = Annotated[list[bool], Field(min_length=nuggets, max_length=nuggets)]
    return create_model(f"{base.__name__}With{nuggets}", __base__=base, nuggets=(each_one, ...))


@dataclass(frozen=True, slots=True)
class Task:
    """A reply to a question, and the systems that gave it. `known`: the record of a verdict on it, from an earlier sitting."""

    question: Question
    reply: str
    systems: tuple[str, ...]
    known: Record | None = None


@dataclass(slots=True)
class Job:
    """See `work.Job`."""

    run: Run
    judge: Model
    prompt: Prompt
    phase: Stage = "judge"

    def do(self, task: Task) -> Spent:
        """Ask the judge, unless the verdict is known; a record for each system, the first one with what it cost."""
        record, spent = (task.known, Spent()) if task.known is not None else self.asked(task)
        for n, slug in enumerate(task.systems):
            cost = asdict(Spent() if n else spent)
            self.run.append("judgements", {"question": task.question.id, "system": slug, **record, "spent": cost})
        return spent

    def asked(self, task: Task) -> tuple[Record, Spent]:
        """A verdict as a record has it, and what it cost."""
        shape = reply_to(task.question.answer is not None, len(task.question.nuggets))
        said = self.judge.ask(messages(self.prompt, task.question, task.reply), shape)
        return {**said.value.model_dump(), **self.by()}, said.spent

    def fail(self, task: Task, error: Record, spent: Spent) -> None:
        """See `work.Job`."""
        for n, slug in enumerate(task.systems):
            record = {"question": task.question.id, "system": slug, "error": error, **self.by()}
            self.run.append("judgements", {**record, "spent": asdict(Spent() if n else spent)})

    def by(self) -> Record:
        """Who judges, by which prompt."""
        return {"model": self.judge.name, "prompt": self.prompt.id}


def prompt() -> Prompt:
    """The prompt in use."""
    return load("judge", VERSION)


def messages(prompt: Prompt, question: Question, reply: str) -> list[dict[str, str]]:
    """What the judge is sent."""
    key = NEVER_SAID if question.answer is None else question.answer
    return prompt.render(question=question.text, key=key, nuggets=list(question.nuggets), reply=reply.strip())


def left(run: Run, selection: Selection, systems: Sequence[str]) -> tuple[list[Task], int]:
    """Replies that are not judged yet, shuffled by the run's seed; and how many questions have no reply to judge."""
    replies = {slug: run.good("answers", slug) for slug in systems}
    judged = run.good("judgements")
    tasks, skipped = [], 0
    for question_id, (_, question) in selection.questions.items():
        said: dict[str, list[str]] = {}
        for slug in systems:
            if question_id in replies[slug]:
                said.setdefault(replies[slug][question_id]["answer"].strip(), []).append(slug)
            else:
                skipped += 1
        for reply, slugs in said.items():
            waiting = tuple(slug for slug in slugs if (question_id, slug) not in judged)
            known = [judged[question_id, slug] for slug in slugs if slug not in waiting]
            if waiting:
                tasks.append(Task(question, reply, waiting, verdict_of(known[0]) if known else None))
    random.Random(run.manifest.seed).shuffle(tasks)
    return tasks, skipped


def verdict_of(record: Record) -> Record:
    """A judgement without whom it is of and what it cost."""
    return {name: value for name, value in record.items() if name not in ("question", "system", "spent")}


def judge(
    run: Run,
    selection: Selection,
    systems: Sequence[str],
    by: Model,
    *,
    concurrency: int = CONCURRENCY,
    progress: Listener = silent,
) -> Outcome:
    """Judge what is not judged yet. `systems`: their slugs."""
    tasks, skipped = left(run, selection, systems)
    return each(Job(run, by, prompt()), tasks, concurrency=concurrency, progress=progress, skipped=skipped)
