"""all-MiniLM-L6-v2 as an ONNX graph: six BERT layers of width 384 with 12 heads, mean pooling and normalisation.

The tokens of all texts of a run stand in one row without padding, for nine tenths of the time go into matrix products over it.
Attention alone is by text: three gathers take the heads of each text's tokens out of that row, and one puts them back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIM = 384
LAYERS = 6
HEADS = 12
HEAD = DIM // HEADS
EPSILON = 1e-12  # layer_norm_eps of the model's config.json
OPSET = 20  # the first with Gelu as a node


def inputs(texts: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
    """What a run of the graph takes for texts given as token ids, of which each has some.

    `ids`, `positions` (tokens): each token, and its place in its text.
    `spread` (texts, 12, longest): for each place and head the row of its query, where a token has 36 rows (query, key, value).
    `join` (tokens, 12): for each token and head the row of its mixture, in an array of the shape of `spread`.
    `absent` (texts, 1, 1, longest): 0 where a text has a token, else -1e9.
    `members` (texts, tokens): 1 where the token is one of the text's.
    """
    import numpy as np

    lengths = np.array([len(one) for one in texts])
    longest = int(lengths.max())
    present = np.arange(longest) < lengths[:, None]
    text, position = np.nonzero(present)
    token = (
        np.cumsum(present).reshape(present.shape) - 1
    )  # behind a text's end, its last one: `absent` makes that nothing
    head = np.arange(HEADS)
    return {
        "ids": np.concatenate([np.array(one, dtype=np.int64) for one in texts]),
        "positions": position,
        "spread": token[:, None] * (3 * HEADS) + head[:, None],
        "join": (text * HEADS * longest + position)[:, None] + head * longest,
        "absent": np.where(present, np.float32(0), np.float32(-1e9))[:, None, None],
        "members": (np.arange(len(texts))[:, None] == text).astype(np.float32),
    }


def build_graph(weights: dict[str, Any]) -> bytes:
    """The model as serialised ONNX, with `inputs` as its inputs: → `vector` (texts, 384) float32, unit vectors."""
    import onnx

    graph = _Graph(weights)
    hidden = graph.embeddings()
    for layer in range(LAYERS):
        hidden = graph.layer(f"encoder.layer.{layer}", hidden)
    graph.pool(hidden)
    shapes = {
        "ids": ("tokens",),
        "positions": ("tokens",),
        "spread": ("texts", HEADS, "longest"),
        "join": ("tokens", HEADS),
        "absent": ("texts", 1, 1, "longest"),
        "members": ("texts", "tokens"),
    }
    kinds = {"absent": onnx.TensorProto.FLOAT, "members": onnx.TensorProto.FLOAT}
    given = [
        onnx.helper.make_tensor_value_info(name, kinds.get(name, onnx.TensorProto.INT64), shape)
        for name, shape in shapes.items()
    ]
    vector = onnx.helper.make_tensor_value_info("vector", onnx.TensorProto.FLOAT, ["texts", DIM])
    model = onnx.helper.make_model(
        onnx.helper.make_graph(graph.nodes, "minilm", given, [vector], graph.constants),
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

    def constant(self, name: str, value: NDArray[Any]) -> str:
        import numpy as np
        import onnx

        if name not in self._known:
            self._known.add(name)
            self.constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def ints(self, name: str, *values: int) -> str:
        import numpy as np

        return self.constant(name, np.array(values, dtype=np.int64))

    def matrix(self, name: str) -> NDArray[np.float32]:
        """A layer's weights, as (in, out)."""
        found: NDArray[np.float32] = self.weights[f"{name}.weight"].T
        return found

    def bias(self, name: str) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.weights[f"{name}.bias"]
        return found

    def linear(self, name: str, x: str, matrix: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        return self.node("Gemm", x, self.constant(f"{name}.matrix", matrix), self.constant(f"{name}.bias", bias))

    def added(self, name: str, x: str, y: str) -> str:
        """The sum, normalised. In two nodes: onnxruntime's one for both (SkipLayerNormalization) takes longer."""
        gain, bias = self.constant(f"{name}.weight", self.weights[f"{name}.weight"]), self.bias(name)
        return self.node(
            "LayerNormalization", self.node("Add", x, y), gain, self.constant(f"{name}.bias", bias), epsilon=EPSILON
        )

    def embeddings(self) -> str:
        words = self.constant("words", self.weights["embeddings.word_embeddings.weight"])
        kind = self.weights["embeddings.token_type_embeddings.weight"][0]
        places = self.constant("places", self.weights["embeddings.position_embeddings.weight"] + kind)
        return self.added(
            "embeddings.LayerNorm", self.node("Gather", words, "ids"), self.node("Gather", places, "positions")
        )

    def layer(self, name: str, x: str) -> str:
        x = self.added(f"{name}.attention.output.LayerNorm", self.attention(f"{name}.attention", x), x)
        wide, narrow = f"{name}.intermediate.dense", f"{name}.output.dense"
        grown = self.node("Gelu", self.linear(wide, x, self.matrix(wide), self.bias(wide)))
        return self.added(
            f"{name}.output.LayerNorm", self.linear(narrow, grown, self.matrix(narrow), self.bias(narrow)), x
        )

    def attention(self, name: str, x: str) -> str:
        """The scale is in the query's weights. A key's bias adds the same to all scores of a query, so it is left out; a value's
        adds itself to every mixture, so it goes into the bias of what follows."""
        import numpy as np

        parts = [f"{name}.self.{part}" for part in ("query", "key", "value")]
        scale = np.float32(HEAD**-0.5)
        matrices = [self.matrix(part) for part in parts]
        bias = np.concatenate([self.bias(parts[0]) * scale, np.zeros(2 * DIM, dtype=np.float32)])
        together = self.linear(f"{name}.self", x, np.concatenate([matrices[0] * scale, *matrices[1:]], axis=1), bias)
        rows = self.node("Reshape", together, self.ints("heads", -1, HEAD))
        query, key, value = (self.node("Gather", rows, self.heads(n)) for n in range(3))
        scores = self.node("MatMul", query, self.node("Transpose", key, perm=[0, 1, 3, 2]))
        mixed = self.node(
            "MatMul", self.node("Softmax", self.node("Add", scores, "absent"), axis=-1), value
        )  # (texts, 12, longest, 32)
        joined = self.node("Gather", self.node("Reshape", mixed, self.ints("heads", -1, HEAD)), "join")
        last = f"{name}.output.dense"
        return self.linear(
            last,
            self.node("Reshape", joined, self.ints("tokens", -1, DIM)),
            self.matrix(last),
            self.bias(last) + self.bias(parts[2]) @ self.matrix(last),
        )

    def heads(self, part: int) -> str:
        """Where the rows of queries, keys or values are."""
        name = f"spread_{part}"
        if name not in self._known:
            self._known.add(name)
            self.node("Add", "spread", self.ints(f"offset_{part}", part * HEADS), out=name)
        return name

    def pool(self, hidden: str) -> None:
        """Unit vectors along the sums over each text's tokens: their lengths do not matter, so no mean is taken."""
        total = self.node("MatMul", "members", hidden)
        self.node("Div", total, self.node("ReduceL2", total, self.ints("one", 1), keepdims=1), out="vector")
