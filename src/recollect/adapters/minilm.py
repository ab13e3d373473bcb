"""all-MiniLM-L6-v2 without torch: an ONNX graph built from the published safetensors, run by onnxruntime."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .minilm_graph import DIM, build_graph, inputs
from .onnx_session import OnnxSession
from .weights import MODEL, TOKENIZER, find_weights

if TYPE_CHECKING:
    from ..ports import Vectors

MAX_TOKENS = 256  # max_seq_length of its sentence_bert_config.json
AT_ONCE = 1_024  # texts that are tokenised before any is embedded
# Of a run, longest text × texts: what a layer works on then fits a processor's own cache. 256 to 512 are alike.
PLACES = 384


class MiniLM:
    """The default embedder. Loaded on first use (0.3 s); may be used from several threads.

    Raises WeightsMissing or WeightsCorrupt on first use, where the weights are absent or damaged.
    """

    id = "all-MiniLM-L6-v2"
    dim = DIM
    batches = True

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._loaded: tuple[Any, OnnxSession] | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, of shape (len(texts), 384). Texts are cut after 256 word pieces."""
        import numpy as np

        tokenizer, session = self._load()
        vectors = np.empty((len(texts), DIM), dtype=np.float32)
        for start in range(0, len(texts), AT_ONCE):
            encoded = tokenizer.encode_batch_fast(list(texts[start : start + AT_ONCE]))
            tokens = [one.ids for one in encoded]
            for run in _runs([len(one) for one in tokens]):
                vectors[[start + i for i in run]] = session.run(inputs([tokens[i] for i in run]))
        return vectors

    def _load(self) -> tuple[Any, OnnxSession]:
        with self._lock:
            if self._loaded is None:
                folder = self._folder or find_weights()
                self._loaded = _tokenizer(folder / TOKENIZER), _session(folder / MODEL)
            return self._loaded


def _runs(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Which texts go together: alike lengths, for attention pads each one to the longest."""
    run: list[int] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if run and (len(run) + 1) * lengths[i] > PLACES:
            yield run
            run = []
        run.append(i)
    yield run


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return tokenizer


def _session(weights: Path) -> OnnxSession:
    from safetensors.numpy import load_file

    return OnnxSession(build_graph(load_file(str(weights))))
