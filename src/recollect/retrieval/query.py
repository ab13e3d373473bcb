"""What a search asks for, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from ..filters import Condition
from ..model import Scope
from .calibration import FLOOR, GATE, GATE_TO_FILL


@dataclass(frozen=True, slots=True)
class Query:
    """A checked search. `min_score` None: the floor, unless a metadata filter selects already. `fill`: a context's, with no floor
    for a hit, and a lower gate."""

    text: str
    scope: Scope
    now: datetime
    condition: Condition | None = None
    limit: int = 10
    as_of: datetime | None = None
    known_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_score: float | None = None
    include: frozenset[str] = field(default_factory=lambda: frozenset({"memories"}))
    graph: bool = True
    fill: bool = False
    explain: bool = False

    @property
    def floor(self) -> float:
        """Hits of a lower score are not returned."""
        if self.min_score is not None:
            return self.min_score
        return FLOOR if self.gated and not self.fill else 0.0

    @property
    def gated(self) -> bool:
        """Whether nothing is returned where the store has nothing on it: the caller has selected by neither score nor filter."""
        return self.min_score is None and self.condition is None

    def gate(self, calibrated: bool) -> float:
        """How sure it must be that the store has anything on it, see `calibration.answerable`; lower for a context where the
        embedder is `calibrated`."""
        if not self.gated:
            return 0.0
        return GATE_TO_FILL if self.fill and calibrated else GATE
