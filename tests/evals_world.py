"""A small world for the harness's tests: a data set, systems, and what a reader and a judge behind an endpoint say.

`python tests/evals_world.py CASE` works on a run as a process of its own, to be killed. CASE is JSON: see `work`.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from recollect import Memory
from recollect.testing import HashEmbedder
from recollect_evals import tokens
from recollect_evals.model import Conversation, DataSet, Found, Ingested, Packed, Question, Session, Spent, Stored, Turn
from recollect_evals.phases.answer import answer
from recollect_evals.phases.ingest import ingest
from recollect_evals.phases.judge import judge
from recollect_evals.phases.models import Model, meter_of
from recollect_evals.phases.search import search
from recollect_evals.phases.selection import select
from recollect_evals.phases.subjects import described, subjects
from recollect_evals.run import Run, manifest_of

THINGS = ["tea", "a dog", "Rome", "chess", "a red car", "jazz", "the sea", "a bakery"]
PEOPLE = ["Ann", "Bob", "Cleo", "Dan"]
START = datetime(2024, 3, 1, 9, tzinfo=UTC)


def data_set(talks=3, questions=4):
    """Conversations of one person each, who tells of a thing a turn and is asked for each; the last question has no answer."""
    return DataSet("small", tuple(talk(n, questions) for n in range(talks)), checksum=f"{talks}-{questions}")


def talk(n, questions):
    who = PEOPLE[n]
    turns = tuple(
        Turn(f"s1:{i}", who, "user", f"I saw {thing} number {n} on day {i}.", START + timedelta(days=i))
        for i, thing in enumerate(THINGS)
    )
    asked = [
        Question(f"{who}/q{i}", f"What did {who} see on day {i}?", f"{THINGS[i]} number {n}", "single", (f"s1:{i}",))
        for i in range(questions - 1)
    ]
    return Conversation(
        who.lower(), (Session("s1", turns),), (*asked, Question(f"{who}/never", f"What did {who} eat?", None, "never"))
    )


class Turns:
    """Turns by the words they share with the question; all in memory. `fails`: conversations or questions that it cannot do."""

    def __init__(self, name="turns, by words", *, fails=()):
        self.name, self.settings, self.fails = name, {"fails": list(fails)}, fails
        self.dies_at = None
        self.talks, self.log = {}, []

    def ingest(self, conversation):
        self.log.append(("ingest", conversation.id))
        self._check(conversation.id)
        self.talks[conversation.id] = conversation
        return Ingested(len(conversation.turns), Spent(), {"too short": 1})

    def search(self, conversation_id, question, limit):
        self.log.append(("search", f"{question.id} in {conversation_id}"))
        self._check(question.id, conversation_id)
        return self._ranked(conversation_id, question)[:limit]

    def _ranked(self, conversation_id, question):
        words = set(re.findall(r"\w+", question.text.casefold()))
        scored = [
            (len(words & set(re.findall(r"\w+", f"{t.speaker} {t.text}".casefold()))) / len(words), t)
            for t in self.talks[conversation_id].turns
        ]
        ranked = sorted(scored, key=lambda one: -one[0])
        return [Found("turn", t.id, t.text, (t.id,), score) for score, t in ranked if score > 0]

    def context(self, conversation_id, question, max_tokens):
        found = self._ranked(conversation_id, question)[:3]
        text = "\n".join(one.text for one in found)
        return Packed(text, tokens.count(text), tuple(one.id for one in found))

    def stored(self, conversation_id):
        return [Stored(t.id, t.text, (t.id,), True) for t in self.talks[conversation_id].turns]

    def close(self):
        self.log.append(("close", None))

    def _check(self, name, place=None):
        if name in self.fails:
            raise LookupError(f"cannot do {name}")
        if f"{name} in {place}" == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


class Memories:
    """recollect with a model, kept on disk; each conversation is a user's, and its session one add under a key of its own."""

    def __init__(self, folder, url):
        self.name, self.settings = "recollect, model", {"llm": "openai/memory"}
        model = {"api_base": url, "api_key": "none", "mode": "json_schema"}
        self.memory = Memory(folder, llm="openai/memory", embedder=HashEmbedder(), **model)

    def ingest(self, conversation):
        used = Spent()
        for session in conversation.sessions:
            said = [
                {"role": t.role, "name": t.speaker, "content": t.text, "timestamp": t.said_at} for t in session.turns
            ]
            done = self.memory.add(said, user_id=conversation.id, session_id=session.id, idempotency_key=session.id)
            used += Spent(done.usage.llm_calls, done.usage.input_tokens, done.usage.output_tokens)
        return Ingested(self.memory.count(user_id=conversation.id), used)

    def search(self, conversation_id, question, limit):
        hits = self.memory.search(question.text, user_id=conversation_id, limit=limit)
        return [Found(hit.kind, hit.id, hit.text, (), hit.score) for hit in hits]

    def context(self, conversation_id, question, max_tokens):
        packed = self.memory.context(question.text, user_id=conversation_id, max_tokens=max_tokens)
        return Packed(str(packed), tokens.count(str(packed)))

    def stored(self, conversation_id):
        return [Stored(one.id, one.text, (), True) for one in self.memory.get_all(user_id=conversation_id)]

    def close(self):
        self.memory.close()


# --- what models say ---------------------------------------------------------------------------------------------------


def phase_of(request):
    """Which phase a request is of."""
    return {"reader": "answer", "judge": "judge", "memory": "ingest"}[request.body["model"]]


def says(request):
    """A memory that takes every message for a fact, a reader that finds the day in the notes, a judge that compares."""
    return {"ingest": extracts, "answer": answers, "judge": judges}[phase_of(request)](
        request.body["messages"][-1]["content"]
    )


def extracts(told):
    if "New facts:" in told:
        new = told.split("New facts:")[-1]
        return {"decisions": [{"fact": int(n), "op": "ADD"} for n in re.findall(r"^\[(\d+)\]", new, re.M)]}
    spoken = re.findall(r"^\[(\d+)\] ([^:\n]+): (.+)$", told.split("New messages:")[-1], re.M)
    return {
        "facts": [
            {"text": f"{who} said: {text}", "kind": "event", "evidence": [{"message": int(n), "quote": text}]}
            for n, who, text in spoken
        ]
    }


def answers(told):
    day = re.search(r"on day (\d+)\?", told)
    seen = re.search(rf"I saw (.+) on day {day[1]}\.", told) if day else None
    return {"answer": seen[1] if seen else "Not said."}


def judges(told):
    key, reply = re.search(r"^Key: (.+)$", told, re.M)[1], re.search(r"^Reply: (.+)$", told, re.M)[1]
    if reply == "Not said.":
        return {"reason": "it abstains", "verdict": "abstained"}
    return {"reason": "compared", "verdict": "right" if key == reply else "wrong"}


# --- a run -------------------------------------------------------------------------------------------------------------


def opened(folder, data, systems, **more):
    """A run's folder for systems, with both models."""
    return Run.open(
        folder,
        manifest_of(
            data, systems=described(subjects(systems)), **{"reader": "openai/reader", "judge": "openai/judge", **more}
        ),
    )


def model(name, url, **more):
    return Model(f"openai/{name}", api_base=url, api_key="none", mode="json_schema", **more)


def phases(run, data, systems, url, *, only=("ingest", "search", "answer", "judge"), concurrency=1, limit=None, **more):
    """Work on phases; their outcomes. `limit`: a budget; `more`: of `select`, and `progress`."""
    progress = {"progress": more.pop("progress")} if "progress" in more else {}
    progress["concurrency"] = concurrency
    selection, found, meter = select(data, **more), subjects(systems), meter_of(limit, run.spent())
    slugs, ended = [one.slug for one in found], {}
    with model("reader", url, meter=meter) as reader, model("judge", url, meter=meter) as by:
        steps = {
            "ingest": lambda: ingest(run, selection, found, meter=meter, **progress),
            "search": lambda: search(run, selection, found, **progress),
            "answer": lambda: answer(run, selection, slugs, reader, **progress),
            "judge": lambda: judge(run, selection, slugs, by, **progress),
        }
        for phase in only:
            ended[phase] = steps[phase]()
    return ended


def recorded(run):
    """All that a run has, without times."""
    kinds = ("ingest", "stored", "search", "unrelated", "answers")
    found = {(kind, slug): run.records(kind, slug) for slug in run.manifest.systems for kind in kinds}
    found["judgements", None] = run.records("judgements")
    return {where: {key: timeless(one) for key, one in records.items()} for where, records in found.items()}


def timeless(record):
    spent = {name: value for name, value in record.get("spent", {}).items() if name != "seconds"}
    rest = {name: value for name, value in record.items() if not name.endswith("_seconds")}
    return {**rest, "spent": spent} if spent else rest


def made(system, folder, url):
    """A system, by what it is called here."""
    return Memories(Path(folder) / "memories", url) if system == "memories" else Turns()


def work(folder, url, system, only, concurrency=1, dies_at=None):
    """Work on a run of three conversations until it is done, or this process is killed; by itself, at a question."""
    data, mine = data_set(), made(system, folder, url)
    if dies_at:
        mine.dies_at = dies_at
    with opened(Path(folder) / "run", data, [mine]) as run:
        phases(run, data, [mine], url, only=only, concurrency=concurrency, progress=stopping)
    mine.close()


def stopping(progress):
    """Say so when Ctrl-C was heard."""
    if progress.stopping:
        print("stopping", flush=True)


def related(system):
    """Questions that a system was asked of their own conversation, in order."""
    asked = [name.split(" in ") for verb, name in system.log if verb == "search"]
    return [question for question, talk in asked if question.split("/")[0].lower() == talk]


@contextmanager
def full_disk(most):
    """Files of more bytes than these cannot be written: the write that crosses the line is a short one, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def counted(run, slug):
    """How many records of each kind."""
    return Counter(
        {kind: len(run.records(kind, slug)) for kind in ("ingest", "stored", "search", "unrelated", "answers")}
    )


if __name__ == "__main__":
    work(**json.loads(sys.argv[1]))
