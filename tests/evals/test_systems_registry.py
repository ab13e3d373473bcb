"""Systems by name: what there is, what is refused, and how its parts share what they have."""

from __future__ import annotations

import numpy as np
import pytest
from small_talk import ANN, OSLO

from recollect.errors import InvalidInput
from recollect.testing import HashEmbedder
from recollect_evals.errors import ExtraMissing
from recollect_evals.systems import NAMES, VARIANTS, Access, Options, SharedEmbedder, make

NEED_MORE = {"recollect-model", "recollect-recorded", "mem0"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - NEED_MORE))
def test_every_name_makes_a_system_that_is_called_differently(name, tmp_path):
    names = set()
    for one in sorted(set(NAMES) - NEED_MORE):
        system = make(one, folder=tmp_path / one, options=Options(embedder=HashEmbedder()))
        names.add(system.name)
        system.close()
    assert len(names) == len(NAMES) - len(NEED_MORE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bm26", "full-context.*mem0"),
        ("", "unknown"),
        ("bm25:turns", "no variants"),
        ("recollect-rules:both", "memories, turns, no-graph"),
        ("recollect-rules:turns:memories", "memories only or turns only"),
        ("recollect-model", "language model"),
        ("recollect-recorded", "RECOLLECT_DATA"),
    ],
)
def test_a_name_that_cannot_be_made_says_what_is_missing(name, said, tmp_path, monkeypatch):
    monkeypatch.delenv("RECOLLECT_DATA", raising=False)
    with pytest.raises(InvalidInput, match=said):
        make(name, folder=tmp_path, options=Options(embedder=HashEmbedder()))


def test_mem0_without_an_environment_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.delenv("RECOLLECT_MEM0_PYTHON", raising=False)
    options = Options(embedder=HashEmbedder(), access=Access("openai/any"))
    with pytest.raises(ExtraMissing, match=r"pip install mem0ai(.|\n)*--mem0-python"):
        make("mem0", folder=tmp_path, options=options)


def test_every_variant_is_described():
    assert all(VARIANTS.values()) and all(NAMES.values())


def test_variants_on_one_folder_share_what_was_ingested(tmp_path):
    options = Options(embedder=HashEmbedder(256))
    both = make("recollect-rules", folder=tmp_path, options=options)
    turns = make("recollect-rules:turns", folder=tmp_path, options=options)
    first = both.ingest(ANN)
    changes = len(both.memory.audit(user_id="ann"))
    assert turns.ingest(ANN).memories == first.memories
    assert len(both.memory.audit(user_id="ann")) == changes
    assert turns.search("ann", OSLO, 1)[0].id == "s2:1"
    both.close()
    turns.close()


class Counting(HashEmbedder):
    def __init__(self):
        super().__init__()
        self.asked = []

    def embed(self, texts):
        self.asked += texts
        return super().embed(texts)


def test_a_shared_embedder_embeds_a_text_once_and_a_question_every_time():
    counting = Counting()
    shared = SharedEmbedder(counting)
    first = shared.embed(["a b", "c d", "a b"])
    assert counting.asked == ["a b", "c d"]
    assert np.array_equal(first, HashEmbedder().embed(["a b", "c d", "a b"]))
    assert np.array_equal(shared.embed(["c d", "e f"]), HashEmbedder().embed(["c d", "e f"]))
    assert counting.asked == ["a b", "c d", "e f"]
    for _ in range(2):
        assert np.array_equal(shared.embed(["a b"]), HashEmbedder().embed(["a b"]))
    assert counting.asked == ["a b", "c d", "e f", "a b", "a b"]
    assert shared.embed([]).shape == (0, 64) and (shared.id, shared.dim) == ("hash-64", 64)
