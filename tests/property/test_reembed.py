"""Any order of adds, corrections, deletions, undos, changes of the embedder that are stopped anywhere, and reopenings: what is
found by vector is what a plain look at all live texts finds."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import machines
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, rule

from recollect import Memory
from recollect.embedding import check
from recollect.errors import EmbedderUnavailable
from recollect.testing import HashEmbedder, ScriptedLanguage
from recollect.upkeep import reembed

DIMS = st.sampled_from([8, 16, 17])
THINGS = ["tea", "coffee", "green tea", "milk", "oat milk", "rye bread"]


class Stopping(HashEmbedder):
    """Down after so many batches; None: never."""

    left: int | None = None

    def embed(self, texts):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise ConnectionError("no route")
        return super().embed(texts)


class Reembedding(machines.Machine):
    memories = Bundle("memories")

    @initialize()
    def begin(self):
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(reembed, "BATCH", 3)
        self.folder = machines.folder()
        self.embedder = Stopping(8)
        self.memory = self.opened()
        self.texts: dict[str, str] = {}
        self.deleted: dict[str, str] = {}

    def opened(self):
        return Memory(Path(self.folder.name), llm=ScriptedLanguage(), embedder=self.embedder)

    @rule(target=memories, thing=st.sampled_from(THINGS), n=st.integers(0, 99), down=st.booleans())
    def add(self, thing, n, down):
        text = f"{thing} number {n} {len(self.texts) + len(self.deleted)}"
        self.embedder.left = 0 if down else None
        change = self.memory.add(text, user_id="u", infer=False).changes[0]
        self.embedder.left = None
        self.texts[change.memory.id] = text
        return change.memory.id

    @rule(memory_id=memories, thing=st.sampled_from(THINGS), n=st.integers(0, 99))
    def correct(self, memory_id, thing, n):
        text = f"{thing} corrected {n} {memory_id[-6:]}"
        if memory_id in self.texts and text not in self.texts.values():
            self.memory.update(memory_id, text)
            self.texts[memory_id] = text

    @rule(memory_id=memories)
    def delete(self, memory_id):
        if memory_id in self.texts:
            self.memory.delete(memory_id)
            history = self.memory._memory._store.ledger.changes(1, memory_id=memory_id)
            self.deleted[history[-1].id] = memory_id + " " + self.texts.pop(memory_id)

    @rule()
    def undo(self):
        if self.deleted:
            change_id, was = self.deleted.popitem()
            self.memory.undo(change_id)
            memory_id, _, text = was.partition(" ")
            self.texts[memory_id] = text

    @rule(dim=DIMS, batches=st.integers(0, 4) | st.none())
    def reembed(self, dim, batches):
        new = Stopping(dim)
        new.left = batches
        with suppress(EmbedderUnavailable):
            assert self.memory.reembed(new).embedder == new.id
            self.embedder = new
        new.left = None

    @rule()
    def reopen(self):
        self.memory.close()
        self.memory = self.opened()

    def look(self):
        """What is found is what a plain look at all texts finds."""
        self.memory.resume()
        assert {one.id: one.text for one in self.memory.get_all(user_id="u")} == self.texts
        if not self.texts:
            return
        for query in ("oat milk", "tea number 7"):
            hits = self.memory.search(query, user_id="u", min_score=0, limit=200, explain=True)
            found = {hit.id: one.rank for hit in hits for one in hit.channels if one.name == "memory-vector"}
            assert found.keys() <= self.texts.keys() and len(found) == min(len(self.texts), 200)
            dim, told = self.embedder.dim, list(self.texts.values())
            vectors = check(self.embedder.embed([*told, query]), dim, len(told) + 1)
            cosines = dict(zip(self.texts, (vectors[:-1] @ vectors[-1]).tolist(), strict=True))
            by_rank = [cosines[memory_id] for memory_id in sorted(found, key=found.__getitem__)]
            assert np.all(np.diff(by_rank) <= 1e-5)

    def teardown(self):
        if hasattr(self, "memory"):
            super().teardown()
            assert self.memory.verify().ok
            self.memory.close()
            self.folder.cleanup()
            self.patch.undo()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", machines.seeds(12))
def test_any_order_of_changes_finds_what_a_plain_look_finds(seed):
    machines.run(Reembedding, seed, quick=(25, 20))
