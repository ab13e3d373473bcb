"""A cross-encoder without torch: a model of the Hugging Face hub that is published as ONNX, run by onnxruntime.

The sentence-transformers project publishes its own so ("cross-encoder/ms-marco-MiniLM-L6-v2": 22 million weights, English;
"cross-encoder/mmarco-mMiniLMv2-L12-H384-v1": many languages). A folder with the same files stands for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import MissingExtra, RerankerConfigError
from .onnx_session import OnnxSession

MAX_TOKENS = 512  # of query and text together; what is over is cut from the longer one
TOKENIZER = "tokenizer.json"
GRAPHS = ("onnx/model.onnx", "model.onnx")


class CrossEncoder:
    """Implements `ports.Reranker`. Loaded on first use; may be used from several threads.

    `model`: a name on the hub, or a folder with `tokenizer.json` and `onnx/model.onnx` or `model.onnx`. A name is looked for in
    the Hugging Face cache first, and fetched once where it is not there. On first use raises MissingExtra where the
    package that fetches it is not installed, RerankerConfigError where the files are not to be had or are no cross-encoder.
    """

    def __init__(self, model: str | Path) -> None:
        self.id = str(model)
        self._lock = threading.Lock()
        self._loaded: tuple[Any, OnnxSession] | None = None

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The model's logit for each pair: higher is better, of any size."""
        import numpy as np

        tokenizer, session = self._load()
        encoded = tokenizer.encode_batch([(query, text) for text in texts])
        given = {
            "input_ids": [one.ids for one in encoded],
            "attention_mask": [one.attention_mask for one in encoded],
            "token_type_ids": [one.type_ids for one in encoded],
        }
        feed = {name: np.array(rows, dtype=np.int64) for name, rows in given.items() if name in session.inputs}
        logits = np.asarray(session.run(feed), dtype=np.float64)
        if logits.shape not in ((len(texts), 1), (len(texts),)):
            raise RerankerConfigError(
                f"{self.id}: gives {logits.shape[1:]} numbers for a pair, where a cross-encoder gives one"
            )
        scores: list[float] = logits.reshape(-1).tolist()
        return scores

    def _load(self) -> tuple[Any, OnnxSession]:
        with self._lock:
            if self._loaded is None:
                self._loaded = loaded(self.id)
            return self._loaded


def loaded(model: str) -> tuple[Any, OnnxSession]:
    """Its tokenizer, and itself. Raises MissingExtra, RerankerConfigError."""
    folder = Path(model) if Path(model).is_dir() else fetched(model)
    graph = next((folder / name for name in GRAPHS if (folder / name).is_file()), None)
    if graph is None or not (folder / TOKENIZER).is_file():
        raise RerankerConfigError(f"{model}: needs {TOKENIZER} and one of {', '.join(GRAPHS)}")
    try:
        return _tokenizer(folder / TOKENIZER), OnnxSession(str(graph))
    except Exception as error:  # tokenizers and onnxruntime have no public classes of their own for it
        problem = f"{model}: its files cannot be loaded ({type(error).__name__})"
        raise RerankerConfigError(problem) from error


def fetched(name: str) -> Path:
    """Where the model is: in the Hugging Face cache, else fetched into it. Raises MissingExtra, RerankerConfigError."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra("a cross-encoder by name needs: pip install 'recollect[rerank]'") from None
    wanted = [TOKENIZER, *GRAPHS]
    for local in (True, False):
        try:
            folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=local))
        except Exception as error:  # noqa: BLE001 -- whatever the hub and its transport raise leaves as ours
            problem = type(error).__name__
        else:
            if not local or any((folder / graph).is_file() for graph in GRAPHS):
                return folder
    raise RerankerConfigError(
        f"{name}: not in the Hugging Face cache, and could not be fetched ({problem}): give a folder that has it"
    )


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS, strategy="longest_first")
    tokenizer.enable_padding()
    return tokenizer
