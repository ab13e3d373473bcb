"""A hosted reranker by its litellm name (Cohere, Jina, Voyage, vLLM, Infinity …): retried in one place, its answer checked."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import InvalidInput, RerankerConfigError, RerankerError, RerankerInvalid, RerankerUnavailable
from . import litellm_setup as setup
from .litellm_errors import Failure, Kind, failure
from .retry import Patience

TIMEOUT = 10.0  # seconds for one request: somebody waits for the search
DEADLINE = 20.0  # seconds for one `rerank`, with its waits and retries
ERRORS: dict[Kind, type[RerankerError]] = {Kind.UNAVAILABLE: RerankerUnavailable, Kind.INVALID: RerankerInvalid}


class LitellmReranker:
    """Implements `ports.Reranker` over any provider that litellm knows. litellm is imported by the first call.

    `model`: litellm's name, such as "cohere/rerank-v3.5"; it is the reranker's `id`. `api_base` needs an `api_key` of its own.
    `timeout`: seconds for one request; `deadline`: with its retries. `sleep` and `clock` (seconds, monotonic) are for tests.
    Raises RerankerConfigError for an `api_base` without a key.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        deadline: float = DEADLINE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(model, str) or "/" not in model:
            raise InvalidInput("reranker", 'must be "cross-encoder/NAME", "provider/model", a folder or an object')
        setup.check_address(api_base, api_key, RerankerConfigError, "reranker_")
        self.id = model
        self._deadline, self._sleep, self._clock = deadline, sleep, clock
        always = {"model": model, "timeout": timeout, "api_base": api_base, "api_key": api_key}
        self._always = {key: value for key, value in always.items() if value is not None} | setup.ONE_LAYER

    def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """The relevance of each text. Blocking: to be called in a worker thread.

        Raises RerankerUnavailable after three tries or at the deadline, RerankerConfigError where waiting does not help,
        RerankerInvalid for an answer that leaves out or doubles a text.
        """
        from tenacity import Retrying

        litellm = setup.load()
        patience = Patience(self._clock() + self._deadline, self._clock)
        try:
            response = Retrying(sleep=self._sleep, **patience.policy())(self._try, litellm, query, list(texts))
            return scores_of(response, len(texts))
        except Failure as error:
            problem = error
        # Outside of the handler: what failed may quote the texts and must not hang on to what is raised.
        raise ERRORS.get(problem.kind, RerankerConfigError)(f"{self.id}: {problem}") from problem.cause

    def _try(self, litellm: Any, query: str, texts: list[str]) -> Any:
        try:
            with setup.our_call():
                return litellm.rerank(
                    query=query, documents=texts, top_n=len(texts), return_documents=False, **self._always
                )
        except Exception as error:  # noqa: BLE001 -- whatever litellm and its providers raise leaves as ours
            found = failure(error)
        raise found


def scores_of(response: Any, count: int) -> list[float]:
    """The answer's scores in the order of the texts. Raises Failure where they are not one for each."""
    results = getattr(response, "results", None)
    scores: dict[int, float] = {}
    for one in results if isinstance(results, list) else ():
        index, score = one.get("index"), one.get("relevance_score")
        if isinstance(index, bool) or not isinstance(index, int) or not isinstance(score, int | float):
            raise Failure(Kind.INVALID, "a result without an index or a score")
        scores[index] = float(score)
    if not isinstance(results, list) or len(results) != count or scores.keys() != set(range(count)):
        raise Failure(Kind.INVALID, f"not one score for each of {count} texts")
    return [scores[place] for place in range(count)]
