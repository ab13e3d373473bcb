"""A store knows whose terms it holds: another version's are counted anew when it is opened, and never searched for in vain."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from recollect import Memory
from recollect.adapters import terms
from recollect.adapters.terms import TermCounter
from recollect.errors import TermsChanged
from recollect.testing import HashEmbedder

SAID = ("Me mudé a Oviedo con mi hermana.", "Ich habe die alten Häuser gesehen.", "我家的猫叫年糕。")


def opened(folder):
    return Memory(folder, llm="rules", embedder=HashEmbedder())


def recorded(folder):
    with closing(sqlite3.connect(folder / "ledger.sqlite3")) as db:
        return db.execute("SELECT value FROM store WHERE key = 'terms'").fetchone()[0]


@pytest.fixture
def store(tmp_path):
    with opened(tmp_path) as memory:
        for user in ("a", "b"):
            memory.add([{"role": "user", "content": text} for text in SAID], user_id=user, infer=False)
    return tmp_path


def by_another_version(monkeypatch):
    """As if the terms of a text were made otherwise."""
    monkeypatch.setattr(terms, "VERSION", 1)
    monkeypatch.setattr(TermCounter, "__call__", lambda _self, text: {"old": len(text)})


def test_a_new_store_says_whose_they_are(store):
    assert recorded(store) == TermCounter().id


def test_what_another_version_wrote_is_counted_anew(tmp_path, monkeypatch, caplog):
    with monkeypatch.context() as before:
        by_another_version(before)
        with opened(tmp_path) as memory:
            memory.add([{"role": "user", "content": text} for text in SAID], user_id="a", infer=False)
    assert recorded(tmp_path) != TermCounter().id
    with opened(tmp_path) as memory:
        assert "the words of 6 texts were counted anew" in caplog.text
        assert [hit.text for hit in memory.search("mudarse", user_id="a", min_score=0)][:1] == [SAID[0]]
        assert memory.verify().problems == ()
    assert recorded(tmp_path) == TermCounter().id
    caplog.clear()
    with opened(tmp_path):
        assert "counted anew" not in caplog.text


def test_one_that_was_opened_before_says_so_and_writes_nothing(store, monkeypatch):
    with opened(store) as old:
        old.search("Oviedo", user_id="a")
        with monkeypatch.context() as later:
            later.setattr(terms, "VERSION", terms.VERSION + 1)
            with opened(store) as new:
                new.add("We like Oviedo.", user_id="a", infer=False)
        for ask in (
            lambda: old.search("Oviedo", user_id="a"),
            lambda: old.search("Oviedo", user_id="b", min_score=0),
            lambda: old.add("Words of the old version.", user_id="b", infer=False),
        ):
            with pytest.raises(TermsChanged) as error:
                ask()
            assert not error.value.retryable
    with opened(store) as again:
        assert again.count(user_id="a") == 4
        assert [item.text for item in again.get_all(user_id="b")][:3] == list(SAID)


def test_a_recount_that_is_cut_short_is_done_again(store, monkeypatch):
    from recollect.adapters.sqlite_audit import SqliteAudit

    counted = SqliteAudit._recount_user

    def cut_short(self, space):
        counted(self, space)
        raise KeyboardInterrupt

    with monkeypatch.context() as later:
        later.setattr(terms, "VERSION", terms.VERSION + 1)
        with monkeypatch.context() as failing:
            failing.setattr(SqliteAudit, "_recount_user", cut_short)
            with pytest.raises(KeyboardInterrupt):
                opened(store)
        assert recorded(store) != TermCounter().id
        with opened(store) as memory:
            assert memory.verify().problems == ()
        assert recorded(store) == TermCounter().id
