"""The default embedder: the same vectors as sentence-transformers, without torch."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recollect.adapters import minilm as module
from recollect.adapters import weights
from recollect.adapters.minilm import DIM, PLACES, MiniLM
from recollect.errors import EmbedderUnavailable, WeightsCorrupt

GOLDEN = json.loads(Path(__file__).with_name("golden_minilm.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["text"][:20])
def test_vectors_equal_the_golden_ones(minilm, golden):
    vector = minilm.embed([golden["text"]])[0]
    assert np.abs(vector - np.array(golden["vector"], dtype=np.float32)).max() < 1e-5


def test_vectors_do_not_depend_on_the_batch(minilm):
    texts = [golden["text"] for golden in GOLDEN] * 5
    together = minilm.embed(texts)
    assert together.shape == (len(texts), DIM) and together.dtype == np.float32
    assert np.abs(together[: len(GOLDEN)] - np.array([g["vector"] for g in GOLDEN])).max() < 1e-5
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("at_once", [3, 1_000])
def test_texts_of_any_length_get_their_own_vectors_in_their_order(minilm, monkeypatch, at_once):
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    texts = ["rain " * n for n in (40, 0, 300, 1, 7, 256, 7, 90, 2)]  # of which 300 and 256 are cut
    alone = np.stack([minilm.embed([text])[0] for text in texts])
    assert np.abs(minilm.embed(tuple(texts)) - alone).max() < 1e-5
    assert np.abs(alone[2] - alone[5]).max() < 1e-5
    assert np.unique(np.round(alone, 2), axis=0).shape[0] == 7


@given(st.lists(st.integers(2, 256), min_size=1, max_size=60))
def test_a_run_holds_each_text_once_and_no_more_places_than_it_may(lengths):
    runs = list(module._runs(lengths))
    assert sorted(i for run in runs for i in run) == list(range(len(lengths)))
    assert all(len(run) == 1 or len(run) * max(lengths[i] for i in run) <= PLACES for run in runs)


def test_no_texts_no_vectors(minilm):
    assert minilm.embed([]).shape == (0, DIM)


def test_threads_get_their_own_answers(minilm):
    texts = [f"sentence number {n}" for n in range(16)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda text: minilm.embed([text])[0], texts))
    assert np.abs(np.stack(answers) - minilm.embed(texts)).max() < 1e-5


def test_torch_is_never_loaded(minilm):
    minilm.embed(["x"])
    assert "torch" not in sys.modules and "sentence_transformers" not in sys.modules


def test_absent_weights_name_the_command_that_gets_them(monkeypatch, tmp_path):
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(EmbedderUnavailable, match="recollect setup"):
        MiniLM().embed(["x"])


def test_a_flipped_byte_is_noticed(monkeypatch, tmp_path):
    folder = weights.find_weights()
    for name in weights.SHA256:
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (tmp_path / name).write_bytes(data)
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(WeightsCorrupt, match="sha256"):
        MiniLM().embed(["x"])
