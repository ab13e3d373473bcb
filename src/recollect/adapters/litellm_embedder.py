"""A hosted embedder by its litellm name: batched, retried in one place, its answers put in order and checked."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import EmbedderConfigError, EmbedderError, EmbedderUnavailable, EmbeddingInvalid, InvalidInput
from . import litellm_setup as setup
from .litellm_errors import Failure, Kind, failure
from .retry import Patience

if TYPE_CHECKING:
    from ..ports import Vectors

TIMEOUT = 60.0  # seconds for one request
DEADLINE = 180.0  # seconds for one `embed`, with its waits and retries
BATCH = 256  # texts in one request; OpenAI takes 2,048, others fewer
SHORTEST_CUT = 256  # characters; what is too long for a model at this length is not too long
ERRORS: dict[Kind, type[EmbedderError]] = {Kind.UNAVAILABLE: EmbedderUnavailable, Kind.INVALID: EmbeddingInvalid}


class LitellmEmbedder:
    """`Embedder` over any provider that litellm knows. litellm is imported by the first call. May be used from several threads.

    `model`: litellm's name, such as "openai/text-embedding-3-small"; it is the embedder's `id`. `dim`: the length of a
    vector, None = asked of the model by embedding one word, once, when it is first needed. `api_base` needs an `api_key` of
    its own. `timeout`: seconds for one request; `deadline`: for one `embed` with its retries. `sleep`, `clock` (seconds,
    monotonic) and `now` are for tests.

    Raises EmbedderConfigError for an `api_base` without a key, InvalidInput for other bad arguments.
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        timeout: float = TIMEOUT,
        deadline: float = DEADLINE,
        dim: int | None = None,
        batch: int = BATCH,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise InvalidInput("embedder", "must be the name of a model")
        if batch < 1 or (dim is not None and dim < 1):
            raise InvalidInput("embedder", "batch and dim must be 1 or more")
        setup.check_address(api_base, api_key, EmbedderConfigError, "embedder_")
        self.id = model
        self._dim = dim
        self._batch = batch
        self._deadline = deadline
        self._sleep, self._clock, self._now = sleep, clock, now
        self._probe = threading.Lock()
        always = {"model": model, "timeout": timeout, "api_base": api_base, "api_key": api_key}
        self._always = {key: value for key, value in always.items() if value is not None}
        self._always |= setup.ONE_LAYER

    @property
    def dim(self) -> int:
        """Length of a vector. Raises as `embed` does where the model must be asked first."""
        with self._probe:
            if self._dim is None:
                self._dim = int(self._embed(["dimension"]).shape[1])
            return self._dim

    def embed(self, texts: Sequence[str]) -> Vectors:
        """float32, of shape (len(texts), dim), as the model gives them. Blocking: to be called in a worker thread.

        Texts that are too long for the model are cut at their end until they fit, as the default embedder cuts its own. Raises
        EmbedderUnavailable after three tries or at the deadline, EmbedderConfigError where waiting does not help,
        EmbeddingInvalid for a short, doubled or malformed answer.
        """
        import numpy as np

        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        vectors = self._embed(texts)
        with self._probe:
            self._dim = self._dim or vectors.shape[1]
        if vectors.shape[1] != self._dim:
            raise EmbeddingInvalid(f"{self.id}: vectors of {vectors.shape[1]} dimensions, not {self._dim}")
        return vectors

    def _embed(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        litellm = setup.load()
        patience = Patience(self._clock() + self._deadline, self._clock)
        starts = range(0, len(texts), self._batch)
        try:
            batches = [self._request(litellm, patience, texts[start : start + self._batch]) for start in starts]
            return np.concatenate(batches)
        except Failure as error:
            problem = error
        except ValueError:  # batches of unlike width
            problem = Failure(Kind.INVALID, "vectors of different lengths")
        # Outside of the handler: what failed may quote the texts and must not hang on to what is raised.
        raise ERRORS.get(problem.kind, EmbedderConfigError)(f"{self.id}: {problem}") from problem.cause

    def _request(self, litellm: Any, patience: Patience, texts: Sequence[str]) -> Vectors:
        from tenacity import Retrying

        try:
            response = Retrying(sleep=self._sleep, **patience.policy())(self._try, litellm, patience, texts)
        except Failure as problem:
            longest = max(map(len, texts))
            if problem.kind is not Kind.TOO_LONG or longest <= SHORTEST_CUT:
                raise
            return self._request(litellm, patience, [text[: longest // 2] for text in texts])
        return vectors_of(response, len(texts))

    def _try(self, litellm: Any, patience: Patience, texts: Sequence[str]) -> Any:
        if patience.left <= 0:
            raise Failure(Kind.UNAVAILABLE, "out of time")
        try:
            return litellm.embedding(input=list(texts), **self._always)
        except Exception as error:  # noqa: BLE001 — whatever litellm and its providers raise leaves as ours
            found = failure(error, self._now)
        raise found


def vectors_of(response: Any, count: int) -> Vectors:
    """The answer's vectors by their `index`, of shape (count, n). Raises Failure where they are not `count` of one length."""
    import numpy as np

    data = getattr(response, "data", None)
    if not isinstance(data, list) or len(data) != count:
        given = len(data) if isinstance(data, list) else "no list of"
        raise Failure(Kind.INVALID, f"{given} vectors for {count} texts")
    rows = [_row(item) for item in data]
    places = [_field(item, "index") for item in data]
    if sorted(places, key=str) != sorted(range(count), key=str):
        if any(place is not None for place in places):
            raise Failure(Kind.INVALID, "the vectors' indices are not those of the texts")
        places = list(range(count))
    if len({len(row) for row in rows}) != 1 or not len(rows[0]):
        raise Failure(Kind.INVALID, "vectors of different lengths")
    vectors = np.empty((count, len(rows[0])), dtype=np.float32)
    for place, row in zip(places, rows, strict=True):
        vectors[place] = row
    return vectors


def _field(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _row(item: Any) -> Any:
    """One vector, sent as numbers or as base64 of little-endian float32."""
    import numpy as np

    given = _field(item, "embedding")
    try:
        if isinstance(given, str):
            return np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4")
        row = np.asarray(given if isinstance(given, list) else [[]], dtype=np.float32)
    except (TypeError, ValueError, binascii.Error):
        raise Failure(Kind.INVALID, "a vector is not an array of numbers") from None
    if row.ndim != 1:
        raise Failure(Kind.INVALID, "a vector is not an array of numbers")
    return row
