"""Undos of undos: whatever their order, a memory never says two things at the same time."""

from __future__ import annotations

import pytest

from recollect import Memory
from recollect.errors import UndoConflict
from recollect.testing import HashEmbedder, ScriptedLanguage


def test_an_undo_does_not_bring_back_what_another_version_stands_in_place_of(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:

        def undo(change):
            return memory.undo(change.id)[0]

        added = memory.add("likes += rum", user_id="u").changes[0]
        taken = undo(added)
        back = undo(taken)
        memory.update(added.memory.id, "likes is tea")
        corrected = memory.history(added.memory.id)[-1]
        restored = undo(corrected)
        taken_again = undo(back)
        undo(taken)
        taken_at_last = undo(added)
        undo(taken_again)
        undo(restored)
        assert [item.text for item in memory.get_all(user_id="u")] == ["likes is tea"]
        with pytest.raises(UndoConflict, match="says something else by now"):
            memory.undo(taken_at_last.id)
        assert [item.text for item in memory.get_all(user_id="u")] == ["likes is tea"]
        assert memory.verify().ok


def test_what_an_undo_brings_back_has_its_evidence_though_another_undo_took_it(tmp_path):
    with Memory(tmp_path, llm=ScriptedLanguage(), embedder=HashEmbedder()) as memory:

        def undo(change):
            return memory.undo(change.id)[0]

        added = memory.add("likes += rum", user_id="u").changes[0]
        memory.delete(added.memory.id)
        deleted = memory.history(added.memory.id)[-1]
        taken = undo(undo(deleted))
        undo(deleted)
        undo(added)
        undo(taken)
        assert [source.quote for source in memory.sources(added.memory.id)] == ["likes += rum"]
        assert memory.verify().ok
