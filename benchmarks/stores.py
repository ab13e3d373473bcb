"""Large synthetic stores, made in minutes: what the benchmarks of search are asked of.

A user's memories are facts as an extractor gives them: a slot, a value, the turn that is quoted, in chunks of ten turns; half of
what is stored are turns. They are committed through the ledger, a thousand at a time. The first `EMBEDDED` memories and turns
have MiniLM's own vectors, the others one of those with noise: cosines are as usual, and 100,000 need no hour of embedding.
Further users are copies of the first with ids of their own, row by row in SQL; `verify` would miss their seals.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recollect import Memory
from recollect.adapters.database import FILE_NAME
from recollect.adapters.minilm import MiniLM
from recollect.embedding import key_of
from recollect.model import Kind, Message, Role, Scope, Slot, SourceClass
from recollect.records import ChunkDone, Lease, NewBatch, TurnPassage
from recollect.writing.plan import Content, Plan, Why

if TYPE_CHECKING:
    from recollect.ports import Vectors

EMBEDDED = 1_000
NOISE = 0.6  # length of the noise beside a vector's 0.8
AT_ONCE = 1_000
CHUNK = 10
COPIED = ("passages", "turns", "statements", "memory_rows", "sources", "changes")
IDS = {"turns": ("id",), "memory_rows": ("memory_id",), "changes": ("id", "memory_id")}

PEOPLE = (
    "Anna Ben Clara David Elena Felix Greta Hassan Iris Jonas Katja Liam Maria Nadia Oscar Paula Quentin Rosa Samir Tara"
    " Ulrich Vera Wanda Xavier Yusuf Zoe"
).split()
THINGS = (
    "guitar boat garden violin camera bicycle telescope piano canoe kiln loom tent drone kayak easel trumpet microscope"
    " greenhouse motorbike skateboard accordion typewriter aquarium sledge surfboard"
).split()
PLACES = (
    "Lisbon Oslo Porto Vienna Kyoto Lima Bergen Leipzig Ghent Tartu Cork Graz Turin Malmo Basel Bilbao Riga Split Tampere Utrecht"
    " Nairobi Quito Hanoi Perth Calgary"
).split()
DEEDS: tuple[tuple[str, str, str], ...] = (  # attribute, of a third person, of the first
    ("possession", "bought a {colour} {thing} in {place}", "I finally bought a {colour} {thing} when I was in {place}"),
    (
        "home",
        "moved to {place} with a {colour} {thing}",
        "We moved to {place} last week, and the {colour} {thing} came along",
    ),
    (
        "hobby",
        "practises with a {colour} {thing} on {day}s",
        "Every {day} I practise with my {colour} {thing} from {place}",
    ),
    (
        "plan",
        "will travel to {place} on a {day} in {month}",
        "I want to go to {place} in {month}, on a {day} if I can",
    ),
    (
        "job",
        "repairs every {thing} at a workshop in {place}",
        "At the workshop in {place} they let me repair each {colour} {thing}",
    ),
    (
        "dislike",
        "cannot stand the {colour} walls of the flat in {place}",
        "Those {colour} walls in {place}, I cannot stand them",
    ),
    ("friend", "met {other} in {place} in {month}", "In {month} I met {other} in {place}, what a {day} that was"),
    ("course", "takes a {thing} course with {other}", "{other} and I take a {thing} course now, it is in {place}"),
)
COLOURS = "red blue green yellow black white purple orange silver brown".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """A memory and the turn that it was told in."""

    speaker: str
    slot: Slot
    value: str
    text: str
    said: str
    key: str  # what the turn is found by


def told(count: int) -> Iterator[Told]:
    """The first memories of a user; the same ones whenever they are asked for."""
    chance = random.Random(0)
    before = ""
    for number in range(count):
        attribute, third, first = DEEDS[number % len(DEEDS)]
        speaker, other = chance.sample(PEOPLE, 2)
        words = {
            "colour": chance.choice(COLOURS),
            "thing": chance.choice(THINGS),
            "place": chance.choice(PLACES),
            "day": chance.choice(DAYS),
            "month": chance.choice(MONTHS),
            "other": other,
        }
        text = f"{speaker} {third.format(**words)}, as told on the {number}th visit."
        said = f"{first.format(**words)}. Visit {number}."
        spoken = f"{speaker}: {said}"
        value = f"{words['thing']} {words['place']}"
        yield Told(speaker, Slot(speaker, attribute, many=True), value, text, said, f"{before}{spoken}")
        before = f"{spoken}\n"


def questions(count: int) -> list[str]:
    """As different as users' are."""
    chance = random.Random(1)
    shapes = (
        "Who bought a {colour} {thing}?",
        "When did {person} move to {place}?",
        "What does {person} do with the {thing} on {day}s?",
        "Where did {person} meet {other} in {month}?",
        "Which {thing} course did {person} take?",
        "what are {person}'s travel plans for {month}?",
    )
    return [
        shapes[number % len(shapes)].format(
            person=chance.choice(PEOPLE),
            other=chance.choice(PEOPLE),
            colour=chance.choice(COLOURS),
            thing=chance.choice(THINGS),
            place=chance.choice(PLACES),
            day=chance.choice(DAYS),
            month=chance.choice(MONTHS),
        )
        for number in range(count)
    ]


class Noisy:
    """Vectors for any number of texts: MiniLM's of the first, then those again with noise. The same for every store."""

    def __init__(self, minilm: MiniLM) -> None:
        self._minilm = minilm
        self._base: Vectors | None = None

    def of(self, texts: Sequence[str], start: int) -> Vectors:
        """Unit vectors of shape (len(texts), dim), float32, of a user's texts from place `start` on."""
        if self._base is None:
            self._base = self._minilm.embed([text for one in told(EMBEDDED) for text in (one.text, one.key)])
        if start < len(self._base):
            return self._base[start : start + len(texts)]
        noise = np.random.default_rng(start).standard_normal((len(texts), self._minilm.dim), dtype=np.float32)
        noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        mixed = 0.8 * self._base[: len(texts)] + noise
        unit: Vectors = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        return unit


def fill(folder: Path, user: str, count: int, minilm: MiniLM, noisy: Noisy) -> None:
    """Give a user `count` memories, and as many turns."""
    everything = list(told(count))
    with Memory(folder, llm="rules", embedder=minilm) as memory:
        store = memory._memory._store
        store.record_embedder()
        for start in range(0, count, AT_ONCE):
            _commit(memory, user, everything[start : start + AT_ONCE], start, noisy)


def _commit(memory: Memory, user: str, part: Sequence[Told], start: int, noisy: Noisy) -> None:
    """One batch, each ten of its turns a chunk, with one memory of each turn; in one commit, as no `add` would."""
    store = memory._memory._store
    count = store.tokenizer
    times = [BEGINNING + timedelta(minutes=start + n) for n in range(len(part))]
    lease = Lease("benchmark", datetime.now(UTC) + timedelta(hours=1))
    messages = [
        Message(Role.USER, one.said, name=one.speaker, timestamp=at) for one, at in zip(part, times, strict=True)
    ]
    new = NewBatch(
        Scope(user, session_id=f"session {start}"), tuple(messages), (len(part),), times[0], digest=str(start)
    )
    batch, _ = store.journal.open_batch(new, lease)
    plan = Plan(batch.space, store.ledger.state(batch.space), batch.id, 0)
    vectors = noisy.of([text for one in part for text in (one.text, one.key)], 2 * start)
    first, turns = batch.chunks[0].first_turn, []
    for n, (one, at) in enumerate(zip(part, times, strict=True)):
        plan.add(
            Content(
                text=one.text,
                kind=Kind.PROFILE,
                source=SourceClass.USER,
                terms=count(one.text),
                vector=vectors[2 * n],
                quotes=((first + n, one.said),),
                slot=one.slot,
                value=one.value,
            ),
            at,
            Why("told"),
        )
        turns.append((first + n, count(one.key), vectors[2 * n + 1]))
    passages = [TurnPassage(turn, plan.next_passage(), terms, vector) for turn, terms, vector in turns]
    done = ChunkDone(batch.id, 0, "benchmark")
    store.ledger.commit(plan.commit(turns=passages, done=done, embedder=key_of(store.embedder)))


def multiply(folder: Path, users: int) -> None:
    """Copies of the one user there is, until there are so many; called `user 2`, `user 3` …"""
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        db.execute("PRAGMA cache_size = -1000000")
        db.execute("PRAGMA journal_mode = OFF")  # nothing is lost with it but a benchmark
        (template,) = db.execute("SELECT space FROM users").fetchone()
        db.execute("BEGIN IMMEDIATE")
        for space in range(template + 1, template + users):
            _copy(db, "users", template, space, {"name": f"'user:user {space}'"})
            for table in COPIED:
                changed = {
                    name: f"substr({name}, 1, length({name}) - 6) || printf('%06x', :to)" for name in IDS.get(table, ())
                }
                _copy(db, table, template, space, changed)
        db.execute("COMMIT")


def _copy(db: sqlite3.Connection, table: str, template: int, space: int, changed: dict[str, str]) -> None:
    """A user's rows of a table as another's."""
    names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    values = {name: name for name in names} | changed | {"space": ":to"}
    columns = ", ".join(names)
    told = ", ".join(values[name] for name in names)
    db.execute(
        f"INSERT INTO {table} ({columns}) SELECT {told} FROM {table} WHERE space = :template",
        {"template": template, "to": space},
    )
