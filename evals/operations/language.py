"""Who extracts and who decides: a real language, or one whose extraction is given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from recollect.build import Language, Settings, language
from recollect.model import Add, Candidate, Case, Extraction, Fact, Reconciliation, Turn, Usage
from recollect.ports import Chunk, Reconciler
from recollect.results import AddUsage

from ..model import Spent


@asynccontextmanager
async def opened(
    llm: object = "rules", *, api_base: str | None = None, api_key: str | None = None, mode: str | None = None
) -> AsyncIterator[Language]:
    """A language by its name, as `Memory` takes them. Raises InvalidInput, ModelConfigError."""
    found = language(Settings(llm=llm, api_base=api_base, api_key=api_key, mode=mode))
    try:
        yield found
    finally:
        if found.model is not None:
            await found.model.aclose()


class Given:
    """A language whose extraction is given, one fact a message, and whose reconciler is real.

    What a turn in `stored` tells is added as it is, without a decision: it is what there is before the measurement begins.
    `shown`: what each fact that was decided on stood beside, by its turn's id.
    """

    def __init__(
        self, reconciler: Reconciler, fact_of: Callable[[Turn], Fact], stored: Callable[[Turn], bool] = lambda _: False
    ) -> None:
        self._reconciler, self._fact_of, self._stored = reconciler, fact_of, stored
        self._as_it_is: set[str] = set()
        self.shown: dict[str, tuple[Candidate, ...]] = {}

    async def extract(self, chunk: Chunk) -> Extraction:
        """The turns' facts."""
        self._as_it_is |= {turn.id for turn in chunk.turns if self._stored(turn)}
        return Extraction(tuple(map(self._fact_of, chunk.turns)))

    async def reconcile(self, cases: Sequence[Case]) -> Reconciliation:
        """Of the real reconciler, but for what is stored as it is."""
        if all(_turn(case) in self._as_it_is for case in cases):
            return Reconciliation(tuple(Add(reason="stored as it is") for _ in cases))
        self.shown |= {_turn(case): case.candidates for case in cases}
        return await self._reconciler.reconcile(cases)


def _turn(case: Case) -> str:
    return case.fact.evidence[0].turn_id


def spent(usage: AddUsage | Usage) -> Spent:
    """What an add or a call cost, in the harness's words."""
    return Spent(usage.llm_calls, usage.input_tokens, usage.output_tokens, usage.cost_usd)
