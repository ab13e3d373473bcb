"""What a memory does with what it knows: labelled decisions, and HaluMem's memory points, through the real write path.

Each module gives records, one JSON object each; `metrics.operations` turns them into numbers.
"""

from __future__ import annotations

from .decisions import decisions
from .extraction import by_words, extraction
from .language import opened
from .updates import updates

__all__ = ["by_words", "decisions", "extraction", "opened", "updates"]
