"""all-MiniLM-L6-v2 without torch: an ONNX graph built from the published safetensors, run by onnxruntime."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .minilm_graph import DIM, build_graph, inputs
from .weights import MODEL, TOKENIZER, find_weights

if TYPE_CHECKING:
    from ..ports import Vectors

MAX_TOKENS = 256  # max_seq_length of its sentence_bert_config.json
AT_ONCE = 1_024  # texts that are tokenised before any is embedded
PLACES = (
    384  # of a run, longest text × texts: what a layer works on then fits a processor's own cache. 256 to 512 are alike
)


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
        self._tokenizer: Any = None
        self._session: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors, float32, of shape (len(texts), 384). Texts are cut after 256 word pieces."""
        import numpy as np

        self._load()
        vectors = np.empty((len(texts), DIM), dtype=np.float32)
        for start in range(0, len(texts), AT_ONCE):
            encoded = self._tokenizer.encode_batch_fast(list(texts[start : start + AT_ONCE]))
            tokens = [one.ids for one in encoded]
            for run in _runs([len(one) for one in tokens]):
                found = self._session.run(None, inputs([tokens[i] for i in run]))[0]
                vectors[[start + i for i in run]] = found
        return vectors

    def _load(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            folder = self._folder or find_weights()
            self._tokenizer = _tokenizer(folder / TOKENIZER)
            self._session = _session(folder / MODEL)


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


def _session(weights: Path) -> Any:
    import onnxruntime
    from safetensors.numpy import load_file

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # threads that wait for work burn no processor
    options.enable_mem_pattern = False  # it would keep a plan for every shape that ever came
    graph = build_graph(load_file(str(weights)))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
