"""What the fault tests do to a store: each operation with the store that it needs, and what of a store is compared."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from naming import Naming

from recollect import Memory, failpoints
from recollect.chat import ChatMemory
from recollect.errors import EmbeddingModelMismatch
from recollect.testing import HashEmbedder
from recollect.upkeep import reembed

EARLY, LATE, LATER = "2024-01-01", "2024-02-01", "2024-03-01"
OTHER_DIM = 16
BACKUP = Path("backups", "copy")  # within the store's folder
FILE = "import.jsonl"  # the same


class Embedder(HashEmbedder):
    """A HashEmbedder that is down while `down` is set."""

    down = False

    def embed(self, texts):
        if self.down:
            raise ConnectionError("no route")
        return super().embed(texts)


def opened(folder: Path, embedder: HashEmbedder | None = None) -> Memory:
    """The store with the embedder that it recorded, the first one or that of `change_embedder`, unless another is given."""
    try:
        return Memory(folder, llm=Naming(), embedder=embedder or Embedder())
    except EmbeddingModelMismatch:
        if embedder is not None:
            raise
        return Memory(folder, llm=Naming(), embedder=Embedder(OTHER_DIM))


@dataclass(frozen=True)
class Operation:
    """`act` does one thing to a store that `prepare` made. It can be done again where it left nothing behind.

    `judge` looks at what it left outside of the store, and is told whether it was acknowledged. `by_parts`: it may end after any
    of its commits, and goes on from there when it is done again.
    """

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Memory], object]
    judge: Callable[[Path, bool], None] = lambda folder, acknowledged: None
    by_parts: bool = False


def said(*texts):
    return [{"role": "user", "content": text} for text in texts]


def seed(folder):
    with opened(folder) as memory:
        memory.add(said("home = Rome", "likes += tea", "likes += milk"), user_id="u", timestamp=EARLY)
        memory.add(said("home = Bonn", "likes += jam"), user_id="other", timestamp=EARLY)


def seed_batches(folder):
    """Two batches, the second one to be told apart by its key."""
    seed(folder)
    with opened(folder) as memory:
        add(memory)


def seed_named(folder):
    """Two users with entities of the same names; of one of them two were told apart."""
    with opened(folder) as memory:
        for user in ("u", "other"):
            memory.add(said("meet Bob", "meet Rob & Anna"), user_id=user, timestamp=EARLY)
            memory.merge_entities("Rob", "Anna", user_id=user)
        memory.separate_entities("Bob", "Rob", user_id="u")


def seed_deleted(folder):
    seed_batches(folder)
    with opened(folder) as memory:
        memory.delete_all(user_id="u")


def seed_pending(folder):
    seed(folder)
    with opened(folder) as memory:
        memory.add(CONVERSATION, user_id="u", timestamp=LATE, wait=False)
        memory.add(said("home = Kiel"), user_id="other", timestamp=LATE, wait=False, infer=False)


def seed_unembedded(folder):
    """Enough passages without a vector for two batches of one user, and some of another's."""
    embedder = Embedder()
    embedder.down = True
    with opened(folder, embedder) as memory:
        memory.add(said(*(f"likes += thing{n}" for n in range(18))), user_id="u", timestamp=EARLY)
        memory.add(said("home = Bonn"), user_id="other", timestamp=EARLY)


# Three chunks, with all four decisions: a new value ends an old one (within the batch too), a word said again is none.
CONVERSATION = said(
    "home = Oslo", "likes += tea", "likes -= milk", "hello", *(f"likes += thing{n}" for n in range(14)), "home = Kiel"
)


def add(memory):
    memory.add(CONVERSATION, user_id="u", session_id="s", timestamp=LATE, metadata={"n": 1}, idempotency_key="k")


def add_whole(memory):
    memory.add(CONVERSATION[:12], user_id="u", timestamp=LATE, infer=False, idempotency_key="k")


def add_later(memory):
    memory.add(CONVERSATION, user_id="u", timestamp=LATE, wait=False, idempotency_key="k")


TALK = (("home = Oslo", "ok"), ("likes += jam", "fine"), ("likes -= milk", "well"), ("home = Kiel", "so"))


def converse(memory):
    """A conversation, turn by turn from the first one that is not journalled, and learnt at its end."""
    journalled = sum(one["session_id"] == "talk" for one in memory.export(user_id="u")["turns"]) // 2
    with ChatMemory(memory, user_id="u", session_id="talk", close_turns=10, close_idle=None) as chat:
        history = []
        for place, (asked, reply) in enumerate(TALK):
            history.append({"role": "user", "content": asked})
            if place >= journalled:
                chat.after(history, reply)
            history.append({"role": "assistant", "content": reply})


def one(memory, text):
    return next(item.id for item in memory.get_all(user_id="u") if item.text == text)


def undo_change(memory):
    memory.undo(memory.history(one(memory, "home is Kiel"))[-1].id)


def undo_batch(memory):
    memory.undo(memory.history(one(memory, "home is Kiel"))[-1].batch_id)


def undo_deletion(memory):
    with closing(sqlite3.connect(f"file:{ledger_of(memory)}?mode=ro", uri=True)) as db:
        (batch_id,) = db.execute("SELECT batch_id FROM changes ORDER BY number DESC LIMIT 1").fetchone()
    memory.undo(batch_id)


def ledger_of(memory):
    return memory._memory._store.folder / "ledger.sqlite3"


def rebuild(memory):
    assert memory.search("home", user_id="u", min_score=0)
    memory.rebuild()
    assert memory.search("home", user_id="u", min_score=0)


def change_embedder(memory):
    """In three batches."""
    with mock.patch.object(reembed, "BATCH", 16):
        memory.reembed(Embedder(OTHER_DIM))


def back_up(memory):
    target = ledger_of(memory).parent / BACKUP
    target.parent.mkdir(exist_ok=True)
    memory.backup(target)


def judge_backup(folder, acknowledged):
    """Under the name that was asked for there is the whole store, or nothing."""
    target = folder / BACKUP
    assert target.exists() or not acknowledged, "acknowledged, and not there"
    if target.exists():
        assert image_of(target) == image(folder), "half a backup"


def seed_sessions(folder):
    """An update and a word said twice between two sessions."""
    seed_batches(folder)
    with opened(folder) as memory:
        memory.add(said("home = Lima", "likes += jam"), user_id="u", session_id="t", timestamp=LATER)


def seed_old_and_new(folder):
    """Two users, each with something old and something new."""
    with opened(folder) as memory:
        for user, place in (("u", "Rome"), ("other", "Bonn")):
            memory.add(said(f"home = {place}"), user_id=user, timestamp=EARLY)
            memory.add(said("likes += tea"), user_id=user, timestamp=LATE)


def seed_import(folder):
    """A store of another user, and the file of one with three users, of whom one was erased here before."""
    other = folder / "other"
    seed_sessions(other)
    with opened(other) as memory:
        memory.add(said("home = Rome", "meet Bob & Anna"), user_id="third", timestamp=EARLY)
        memory.export_all(folder / FILE)
    with opened(folder) as memory:
        memory.add(said("home = Lima", "likes += jam"), user_id="here", timestamp=EARLY)
        memory.add(said("likes += jam"), user_id="other", timestamp=EARLY)
        memory.erase(user_id="other")


def scanned(*secrets):
    """A judge: where the store has it no more, no file has, unless it is recorded that this is still to be done."""

    def judge(folder, acknowledged):
        with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
            if db.execute("SELECT 1 FROM store WHERE key = 'erasing'").fetchone():
                return
            if db.execute("SELECT count(*) FROM turns WHERE content LIKE ?", (f"%{secrets[0]}%",)).fetchone()[0]:
                assert not acknowledged, "acknowledged, and there"
                return
        for file in folder.rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            assert not any(secret.encode() in content for secret in secrets), f"a remnant in {file.name}"

    return judge


OPERATIONS = (
    Operation("make a store", lambda folder: None, lambda memory: None),
    Operation("the first add", lambda folder: None, lambda memory: memory.add(said("home = Rome"), user_id="u")),
    Operation("add", seed, add),
    Operation("add(infer=False)", seed, add_whole),
    Operation("add(wait=False)", seed, add_later),
    Operation("a conversation", seed, converse, by_parts=True),
    Operation("resume", seed_pending, lambda memory: memory.resume()),
    Operation("backfill", seed_unembedded, lambda memory: memory.resume()),
    Operation("update", seed, lambda memory: memory.update(one(memory, "likes is tea"), "likes is green tea")),
    Operation("update of metadata", seed, lambda memory: memory.update(one(memory, "likes is tea"), metadata={"n": 1})),
    Operation("delete", seed, lambda memory: memory.delete(one(memory, "likes is tea"))),
    Operation("delete_all", seed_batches, lambda memory: memory.delete_all(user_id="u")),
    Operation("undo of a change", seed_batches, undo_change),
    Operation("undo of a batch", seed_batches, undo_batch),
    Operation("undo of a deletion", seed_deleted, undo_deletion),
    Operation("merge of entities", seed_named, lambda memory: memory.merge_entities("Bob", "Rob", user_id="u")),
    Operation("undo of a merge", seed_named, lambda memory: memory.undo(memory.audit(user_id="u")[-2].change_id)),
    Operation("retell", seed_batches, lambda memory: memory.retell(user_id="u")),
    Operation("rebuild", seed_batches, rebuild),
    Operation("reembed", seed_batches, change_embedder),
    Operation("erase", seed_batches, lambda memory: memory.erase(one(memory, "home is Kiel")), scanned("Kiel", "Oslo")),
    Operation(
        "erase of a session",
        seed_sessions,
        lambda memory: memory.erase(user_id="u", session_id="s"),
        scanned("thing7", "Kiel", "Oslo"),
    ),
    Operation(
        "erase of a user", seed_sessions, lambda memory: memory.erase(user_id="u"), scanned("thing7", "Lima", "Rome")
    ),
    Operation(
        "retention",
        seed_old_and_new,
        lambda memory: memory.retention("2024-01-15"),
        scanned("Bonn", "Rome"),
        by_parts=True,
    ),
    Operation("backup", seed_batches, back_up, judge_backup),
    Operation("import", seed_import, lambda memory: memory.import_file(ledger_of(memory).parent / FILE), by_parts=True),
)
BY_NAME = {operation.name: operation for operation in OPERATIONS}

# --- what of a store is compared ---------------------------------------------------------------------------------------

# Ids, numbers and the times of our clock differ between two stores with the same content: none of them is in here.
_IMAGE = {
    "turns": "SELECT u.name, t.content, t.session_id, t.said_at * t.dated, t.metadata, t.passage IS NULL,"
    " (SELECT count(*) FROM hidings h WHERE h.space = t.space AND h.turn = t.number AND h.retired IS NULL)"
    " FROM turns t JOIN users u USING (space) WHERE t.batch_id <> '' OR t.committed IS NOT NULL"
    " ORDER BY t.space, t.number",
    "changes": "SELECT u.name, c.op, c.previous_text, c.also_ended, c.reason, c.flag, c.chunk, c.undoes IS NULL,"
    " (SELECT o.number - c.number FROM changes o WHERE o.space = c.space AND o.id = c.undoes),"
    " (SELECT count(DISTINCT r.memory_id) FROM memory_rows r WHERE r.space = c.space AND r.number <= c.row)"
    " FROM changes c JOIN users u USING (space) ORDER BY c.space, c.number",
    "rows": "SELECT u.name, m.text, r.metadata, r.valid_to IS NULL, r.retired IS NULL, r.restores IS NULL,"
    " (SELECT count(DISTINCT e.memory_id) FROM memory_rows e WHERE e.space = r.space AND e.number <= r.number)"
    " FROM memory_rows r JOIN users u USING (space) JOIN statements m ON m.space = r.space AND m.number = r.statement"
    " ORDER BY r.space, r.number",
    "sources": "SELECT u.name, m.text, t.content, s.quote, s.retired IS NULL FROM sources s JOIN users u USING (space)"
    " JOIN statements m ON m.space = s.space AND m.number = s.statement"
    " JOIN turns t ON t.space = s.space AND t.number = s.turn ORDER BY s.space, s.number",
    "identities": "SELECT u.name, a.name, b.name, i.same, i.retired IS NULL FROM identities i JOIN users u USING (space)"
    " JOIN entities a ON a.space = i.space AND a.number = i.one JOIN entities b ON b.space = i.space AND b.number = i.other"
    " ORDER BY i.space, i.added, i.one, i.other",
    "passages": "SELECT u.name, p.kind, p.terms, hex(p.vector) FROM passages p JOIN users u USING (space)"
    " ORDER BY p.space, p.number",
}


def image(folder: Path) -> str:
    """What a store remembers, as text: equal for stores to which the same was done."""
    return image_of(folder / "ledger.sqlite3")


def image_of(file: Path) -> str:
    """What a ledger's file holds."""
    nothing: dict[str, list[object]] = {name: [] for name in _IMAGE}
    if not file.exists() or not file.stat().st_size:
        return json.dumps(nothing)
    with closing(sqlite3.connect(file)) as db:
        made = db.execute("SELECT 1 FROM sqlite_master").fetchone()
        return json.dumps({name: db.execute(query).fetchall() for name, query in _IMAGE.items()} if made else nothing)


# --- what happens where nothing fails ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Undisturbed:
    """What an operation does where nothing happens to it."""

    folder: Path  # the store before it
    reached: Counter[str]  # failpoints
    stages: list[str]  # images of the store: before, and after each commit that changed something
    done: str  # when it was acknowledged
    end: str  # after what was left to `resume`


@functools.cache
def undisturbed(name: str) -> Undisturbed:
    """Prepare an operation's store, and do it in a copy."""
    operation = BY_NAME[name]
    root = Path(tempfile.mkdtemp(prefix="recollect-tests-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    folder, work = root / "before", root / "work"
    folder.mkdir()
    operation.prepare(folder)
    shutil.copytree(folder, work)
    reached, stages = Counter[str](), [image(folder)]

    def look_on(failpoint: str) -> None:
        reached[failpoint] += 1
        if failpoint in ("database.after_commit", "migration.after_commit") and (now := image(work)) != stages[-1]:
            stages.append(now)

    failpoints.listen(look_on)
    try:
        with opened(work) as memory:
            operation.act(memory)
            done = image(work)
    finally:
        failpoints.listen(None)
    with opened(work) as memory:
        memory.resume()
        assert memory.verify().problems == ()
    end = image(work)
    return Undisturbed(folder, reached, stages if end in stages else [*stages, end], done, end)
