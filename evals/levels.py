"""Recorded levels: shares that were reached, and below which a change must not fall by more than chance.

`levels.json` has, by name ("decisions/rules"), the share of right ones, over how many, and the day on which it was measured. A
new level is one more line; one that is reached for good is written in place of the old one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from .errors import DataSetInvalid
from .statistics import wilson

FILE = Path(__file__).parent / "levels.json"


@dataclass(frozen=True, slots=True)
class Level:
    """`share` of `n` that were right, 0..1, on the day `at`."""

    share: float
    n: int
    at: date

    @property
    def floor(self) -> float:
        """The lower end of its interval (Wilson's, 95 %): less is a fall."""
        low = wilson(round(self.share * self.n), self.n).low
        return 0.0 if low is None else low

    def fallen(self, share: float) -> bool:
        """Whether a share is lower than chance explains."""
        return share < self.floor


def recorded(file: Path = FILE) -> dict[str, Level]:
    """The levels by their names. Raises DataSetInvalid where the file cannot be read as such."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return {name: _level(**one) for name, one in told.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataSetInvalid(f"{file.name}: holds no levels ({type(error).__name__}: {error})") from None


def _level(share: float, n: int, at: str) -> Level:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1 or not 0 <= share <= 1:
        raise ValueError("a level is a share from 0 to 1 over at least one")
    return Level(float(share), n, date.fromisoformat(at))
