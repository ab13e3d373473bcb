"""One count of tokens for all systems: cl100k_base, from the file that litellm brings along, so no network is needed."""

from __future__ import annotations

import functools
import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding


@functools.lru_cache(maxsize=1)
def encoding() -> Encoding:
    """The tokenizer."""
    spec = find_spec("litellm")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "litellm_core_utils" / "tokenizers"
        os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(folder))
    import tiktoken

    return tiktoken.get_encoding("cl100k_base")


def count(text: str) -> int:
    """How many tokens a text has. Special tokens in it are plain text."""
    return len(encoding().encode(text, disallowed_special=()))
