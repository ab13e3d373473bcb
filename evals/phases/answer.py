"""Answer: a reader answers each question from the context that a system packed, and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from pydantic import BaseModel, Field

from recollect.prompts import Prompt, load

from ..model import Question, Spent, Stage
from ..run import Record, Run
from .models import Model
from .selection import Outline, Selection
from .work import Listener, Outcome, each, silent

CONCURRENCY = 4
VERSION = 1  # of the prompt


class AnswerReply(BaseModel):
    """What a reader replies: one field, so that every model may be asked in its own mode, and re-asked where it does not fit."""

    answer: str = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Task:
    """A question with the context that a system gave for it."""

    system: str
    talk: Outline
    question: Question
    context: str


@dataclass(slots=True)
class Job:
    """See `work.Job`."""

    run: Run
    reader: Model
    prompt: Prompt
    phase: Stage = "answer"

    def do(self, task: Task) -> Spent:
        """Ask the reader."""
        said = self.reader.ask(messages(self.prompt, task), AnswerReply)
        record = {"question": task.question.id, "answer": said.value.answer, "spent": asdict(said.spent)}
        self.run.append("answers", {**record, **self.by()}, task.system)
        return said.spent

    def fail(self, task: Task, error: Record, spent: Spent) -> None:
        """See `work.Job`."""
        record = {"question": task.question.id, "error": error, "spent": asdict(spent)}
        self.run.append("answers", {**record, **self.by()}, task.system)

    def by(self) -> Record:
        """Who answers, to which prompt."""
        return {"model": self.reader.name, "prompt": self.prompt.id}


def prompt() -> Prompt:
    """The prompt in use."""
    return load("answer", VERSION)


def messages(prompt: Prompt, task: Task) -> list[dict[str, str]]:
    """What the reader is sent."""
    day = in_words(task.talk.asked_at(task.question))
    return prompt.render(context=task.context.strip(), question=task.question.text, day=day)


def in_words(day: datetime | None) -> str:
    """ "Monday, 8 May 2023"; "" for None."""
    return "" if day is None else f"{day:%A}, {day.day} {day:%B %Y}"


def left(run: Run, selection: Selection, systems: Sequence[str]) -> tuple[list[Task], int]:
    """What is not answered yet, question by question, so that a run that is stopped compares its systems on the same ones;
    and how many questions have no context, for their search failed or is not done."""
    contexts = {slug: run.good("search", slug) for slug in systems}
    answered = {slug: run.good("answers", slug) for slug in systems}
    tasks, skipped = [], 0
    for question_id, (talk, question) in selection.questions.items():
        for slug in systems:
            if question_id in answered[slug]:
                continue
            if question_id in contexts[slug]:
                tasks.append(Task(slug, talk, question, contexts[slug][question_id]["context"]["text"]))
            else:
                skipped += 1
    return tasks, skipped


def answer(
    run: Run,
    selection: Selection,
    systems: Sequence[str],
    reader: Model,
    *,
    concurrency: int = CONCURRENCY,
    progress: Listener = silent,
) -> Outcome:
    """Answer what is not answered yet. `systems`: their slugs."""
    tasks, skipped = left(run, selection, systems)
    return each(Job(run, reader, prompt()), tasks, concurrency=concurrency, progress=progress, skipped=skipped)
