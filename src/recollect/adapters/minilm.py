"""all-MiniLM-L6-v2 without torch: an ONNX graph built from the published safetensors, run by onnxruntime.

Six BERT layers of width 384 with 12 heads; mean pooling over the tokens and normalisation are in the graph.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .weights import MODEL, TOKENIZER, find_weights

if TYPE_CHECKING:
    from ..ports import Vectors

DIM = 384
LAYERS = 6
HEADS = 12
EPSILON = 1e-12  # layer_norm_eps of the model's config.json
MAX_TOKENS = 256  # max_seq_length of its sentence_bert_config.json
BATCH = 32
OPSET = 20  # the first with Gelu as a node


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
        # Alike lengths together: padding is what a mixed batch pays for.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            vectors[batch] = self._run([texts[i] for i in batch])
        return vectors

    def _load(self) -> None:
        with self._lock:
            if self._session is not None:
                return
            folder = self._folder or find_weights()
            self._tokenizer = _tokenizer(folder / TOKENIZER)
            self._session = _session(folder / MODEL)

    def _run(self, texts: list[str]) -> Any:
        import numpy as np

        encoded = self._tokenizer.encode_batch(texts)
        ids = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        return self._session.run(None, {"ids": ids, "mask": mask})[0]


def _tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(file))
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.enable_padding()
    return tokenizer


def _session(weights: Path) -> Any:
    import onnxruntime
    from safetensors.numpy import load_file

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # threads that wait for work burn no processor
    graph = build_graph(load_file(str(weights)))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def build_graph(weights: dict[str, Any]) -> bytes:
    """The model as serialised ONNX: `ids`, `mask` (batch, tokens) int64 → `vector` (batch, 384) float32."""
    import onnx

    graph = _Graph(weights)
    hidden = graph.embeddings()
    bias = graph.attention_bias()
    for layer in range(LAYERS):
        hidden = graph.layer(f"encoder.layer.{layer}", hidden, bias)
    graph.pool(hidden)
    inputs = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, ["batch", "tokens"])
        for name in ("ids", "mask")
    ]
    output = onnx.helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, ["batch", DIM])
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "minilm", inputs, [output], graph.constants),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    return bytes(model.SerializeToString())


class _Graph:
    """Nodes and constants under construction. Each method adds nodes and returns the name of its output."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._known: set[str] = set()

    def node(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        import onnx

        out = out or f"{kind}_{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, list(inputs), [out], **attributes))
        return out

    def constant(self, name: str, value: Any) -> str:
        import onnx

        if name not in self._known:
            self._known.add(name)
            self.constants.append(onnx.numpy_helper.from_array(value, name))
        return name

    def ints(self, name: str, *values: int) -> str:
        import numpy as np

        return self.constant(name, np.array(values, dtype=np.int64))

    def number(self, name: str, value: float) -> str:
        import numpy as np

        return self.constant(name, np.array(value, dtype=np.float32))

    def weight(self, name: str) -> str:
        return self.constant(name, self.weights[name])

    def linear(self, name: str, x: str) -> str:
        import numpy as np

        transposed = self.constant(f"{name}.weight.T", np.ascontiguousarray(self.weights[f"{name}.weight"].T))
        return self.node("Add", self.node("MatMul", x, transposed), self.weight(f"{name}.bias"))

    def norm(self, name: str, x: str) -> str:
        return self.node(
            "LayerNormalization", x, self.weight(f"{name}.weight"), self.weight(f"{name}.bias"), epsilon=EPSILON
        )

    def embeddings(self) -> str:
        length = self.node("Gather", self.node("Shape", "ids"), self.ints("one", 1))
        positions = self.node(
            "Slice", self.weight("embeddings.position_embeddings.weight"), self.ints("zero", 0), length, "zero"
        )
        types = self.constant("types.0", self.weights["embeddings.token_type_embeddings.weight"][0])
        words = self.node("Gather", self.weight("embeddings.word_embeddings.weight"), "ids")
        return self.norm("embeddings.LayerNorm", self.node("Add", self.node("Add", words, positions), types))

    def attention_bias(self) -> str:
        """0 where there is a token, -1e9 where there is padding; shape (batch, 1, 1, tokens)."""
        import onnx

        floats = self.node("Cast", "mask", to=onnx.TensorProto.FLOAT, out="mask_float")
        absent = self.node("Sub", self.number("1.0", 1.0), floats)
        return self.node("Unsqueeze", self.node("Mul", absent, self.number("-1e9", -1e9)), self.ints("axes12", 1, 2))

    def heads(self, x: str, *permutation: int) -> str:
        """(batch, tokens, 384) → (batch, 12, tokens, 32), or with the last two swapped."""
        split = self.node("Reshape", x, self.ints("split", 0, 0, HEADS, DIM // HEADS))
        return self.node("Transpose", split, perm=list(permutation))

    def layer(self, name: str, x: str, bias: str) -> str:
        query = self.heads(self.linear(f"{name}.attention.self.query", x), 0, 2, 1, 3)
        key = self.heads(self.linear(f"{name}.attention.self.key", x), 0, 2, 3, 1)
        value = self.heads(self.linear(f"{name}.attention.self.value", x), 0, 2, 1, 3)
        scale = self.number("scale", (DIM // HEADS) ** -0.5)
        scores = self.node("Add", self.node("Mul", self.node("MatMul", query, key), scale), bias)
        mixed = self.node("MatMul", self.node("Softmax", scores, axis=-1), value)
        joined = self.node("Reshape", self.node("Transpose", mixed, perm=[0, 2, 1, 3]), self.ints("join", 0, 0, DIM))
        attended = self.linear(f"{name}.attention.output.dense", joined)
        x = self.norm(f"{name}.attention.output.LayerNorm", self.node("Add", attended, x))
        grown = self.node("Gelu", self.linear(f"{name}.intermediate.dense", x))
        return self.norm(f"{name}.output.LayerNorm", self.node("Add", self.linear(f"{name}.output.dense", grown), x))

    def pool(self, hidden: str) -> None:
        """Mean over the tokens that are there, then unit length."""
        mask = self.node("Unsqueeze", "mask_float", self.ints("axis2", 2))
        total = self.node("ReduceSum", self.node("Mul", hidden, mask), self.ints("one", 1), keepdims=0)
        count = self.node("ReduceSum", mask, self.ints("one", 1), keepdims=0)
        mean = self.node("Div", total, count)
        length = self.node("ReduceL2", mean, self.ints("one", 1), keepdims=1)
        self.node("Div", mean, length, out="vector")
