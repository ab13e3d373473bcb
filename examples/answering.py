"""Who answers in these examples: the model that is named, else a reader that quotes what is remembered and makes nothing up."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from recollect import Hit


class NoAnswer(Exception):
    """The model did not answer: no key, no network, too many requests …"""


def reply(messages: Sequence[Mapping[str, Any]], hits: Sequence[Hit], model: str | None = None) -> str:
    """An answer to `messages`. `hits` is what was found for it: all that the offline reader has to go by. Raises NoAnswer."""
    name = model or os.environ.get("RECOLLECT_LLM") or "rules"
    if name == "rules":
        return quoted(hits)
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # its own prices: importing it asks no network
    import litellm
    from openai import OpenAIError  # litellm's errors are openai's

    try:
        return str(litellm.completion(model=name, messages=list(messages)).choices[0].message.content)
    except OpenAIError as error:
        raise NoAnswer(f"{name} did not answer ({type(error).__name__})") from error


def quoted(hits: Sequence[Hit]) -> str:
    """The best of what was found, word for word."""
    best = sorted(hits, key=lambda hit: -hit.score)[:2]
    return " ".join(hit.text for hit in best if hit.score >= 0.3) or "Nothing that I remember has to do with it."
