"""Stores that have something everywhere, and a look for it in every byte of every file."""

from __future__ import annotations

import base64
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from recollect import Memory
from recollect.errors import ModelUnavailable
from recollect.model import Add, Entity, Extraction, Reconciliation, Rejected, Relation, Update
from recollect.testing import HashEmbedder, ScriptedLanguage

EARLY, LATE = "2024-01-01", "2024-03-01"

# --- where it may hide -------------------------------------------------------------------------------------------------


def spellings(secret):
    """(how, bytes) of everything that would give a text away."""
    plain = secret.encode()
    yield "plain", plain
    yield "UTF-16 LE", secret.encode("utf-16-le")
    yield "UTF-16 BE", secret.encode("utf-16-be")
    yield "JSON", json.dumps(secret)[1:-1].encode()
    for skip in range(3):  # what stands before it decides at which of three places base64 cuts it
        coded = base64.b64encode(b"\0" * skip + plain)
        yield f"base64, {skip}", coded[-(-skip * 8 // 6) : (skip + len(plain)) * 8 // 6]


def found(folder, secrets, vectors=()):
    """What of it is in any file of the folder: (what, how, file)."""
    told = []
    for file in sorted(Path(folder).rglob("*")):
        content = file.read_bytes() if file.is_file() else b""
        told += [(one, how, file.name) for one in secrets for how, look in spellings(one) if look in content]
        told += [("a vector", "float32", file.name) for vector in vectors if vector in content]
    return told


def vectors_of(folder, user, words):
    """The bytes of the vectors of all texts that have one of the words, where no other text has the same vector."""
    query = (
        "SELECT p.vector, coalesce(m.text, t.content) AS text FROM passages p JOIN users u USING (space)"
        " LEFT JOIN statements m ON m.space = p.space AND m.number = p.number AND p.kind = 'statement'"
        " LEFT JOIN turns t ON t.space = p.space AND t.passage = p.number AND p.kind = 'turn'"
        " WHERE u.name = ? AND p.vector IS NOT NULL"
    )
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        rows = db.execute(query, (user,)).fetchall()
    return [vector for vector, text in rows if any(word in text for word in words)]


def everything_of(folder, user):
    """All rows of a user, in every table."""
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        space = db.execute("SELECT space FROM users WHERE name = ?", (f"user:{user}",)).fetchone()
        kept = {"users": db.execute("SELECT * FROM users WHERE space = ?", space).fetchall()}
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            if "space" in {row[1] for row in db.execute(f"PRAGMA table_info({table})")}:
                kept[table] = db.execute(f"SELECT * FROM {table} WHERE space = ? ORDER BY 1, 2, 3", space).fetchall()
        of_batches = "WHERE batch_id IN (SELECT id FROM batches WHERE space = ?)"
        for table in ("facts", "rejected", "calls"):
            kept[table] = db.execute(f"SELECT * FROM {table} {of_batches} ORDER BY 1, 2, 3", space).fetchall()
    return kept


# --- a store that has it everywhere ------------------------------------------------------------------------------------


class Tattler(ScriptedLanguage):
    """Tells what it hears in all that a model may write: names, relations, reasons, and facts that are rejected."""

    down = False

    async def extract(self, chunk):
        told = await super().extract(chunk)
        facts = [
            replace(
                one, entities=(Entity(f"Ms {one.value}"),), relations=(Relation("user", f"met {one.value}", one.value),)
            )
            for one in told.facts
        ]
        return Extraction(tuple(facts), tuple(Rejected(f"a rumour: {one.content}", "it is one") for one in chunk.turns))

    async def reconcile(self, cases):
        if self.down:
            raise ModelUnavailable("down")
        answer = await super().reconcile(cases)
        told = [
            replace(one, reason=f"{case.fact.text} beside {[c.text for c in case.candidates]}")
            for one, case in zip(answer.decisions, cases, strict=True)
        ]
        return Reconciliation(tuple(told), model="tattler")


def said(*texts, name=None):
    return [{"role": "user", "content": text, **({"name": name} if name else {})} for text in texts]


def opened(folder, **options):
    return Memory(folder, **{"llm": Tattler(), "embedder": HashEmbedder(), **options})


# Of these words each stands in one place only, in a session that is erased and in the one that stays.
GONE = [
    f"zq{what}gone"
    for what in ("home", "city", "like", "pet", "name", "meta", "key", "agent", "hush", "fill", "draft", "instr")
]
GONE += ["zqhüttegone", "zq日本gone"]
STAYS = [f"zq{what}stays" for what in ("home", "like", "meta", "hush", "instr")]


def plant(folder):
    """Alice has two sessions, the one to be erased all over the place; Bob has his own."""
    with opened(folder, instructions="leave zqinstrstays out") as memory:
        for user in ("bob", "zqalice"):
            memory.add(
                said("home = zqhomestays", "likes += zqlikestays", "zqhushstays, by the way"),
                user_id=user,
                session_id="kept",
                timestamp=LATE,
                metadata={"topic": "zqmetastays"},
            )
    with opened(folder, instructions="leave zqinstrgone out", actor="zqactor") as memory:
        early = {"user_id": "zqalice", "session_id": "zqsession", "agent_id": "zqagentgone", "timestamp": EARLY}
        memory.add(
            said(
                "home = zqhomegone", "likes += zqlikegone", "pet = zqhüttegone", "pet = zq日本gone", name="zqnamegone"
            ),
            metadata={"zqmetagone": ["zqmetagone"]},
            idempotency_key="zqkeygone",
            **early,
        )
        memory.add(said("home = zqcitygone", "likes += zqpetgone", "likes -= zqlikegone", "zqhushgone"), **early)
        memory.add(said("keeps = zqfillgone"), infer=False, **early)
        memory.undo(memory.add(said("likes += zqlikegone again"), **early).batch_id)
        memory.add(said("draft = zqdraftgone"), wait=False, **early)
    return folder


class Pairs(Tattler):
    """Two facts of one turn: "home = Rome; likes += tea"."""

    async def extract(self, chunk):
        facts, own = [], await super().extract(chunk)
        for turn in chunk.turns:
            for part in turn.content.split("; "):
                halves = replace(turn, content=part)
                told = await ScriptedLanguage.extract(self, replace(chunk, turns=(halves,), context=()))
                facts += told.facts
        return Extraction(tuple(facts), own.rejected)


class Refining(ScriptedLanguage):
    """A second word on a pet refines the first one."""

    async def reconcile(self, cases):
        known = [[c for c in case.candidates if c.slot and c.slot.key == case.fact.slot.key] for case in cases]
        return Reconciliation(
            tuple(
                Update((c[0].number,), "revise", f"{c[0].text} {case.fact.value}") if c else Add()
                for case, c in zip(cases, known, strict=True)
            )
        )
