"""Rivals without a memory: the whole conversation, its last turns, and its turns by BM25, by vectors and by both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recollect.ports import Embedder, TextIndex, Tokenizer

from ..errors import SystemFailed
from ..model import Conversation, Found, Ingested, Packed, Question, Spent, Stored
from .texts import Part, joined, line, packed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from recollect.ports import Vectors

    Scores = NDArray[np.float64]

RRF = 60  # k of Cormack, Clarke & Büttcher, "Reciprocal Rank Fusion outperforms Condorcet …" (2009)


class _Plain:
    """Conversations as they are, in this process's memory alone: a run that goes on takes them in again."""

    def __init__(self, name: str, settings: Mapping[str, object]) -> None:
        self.name = name
        self.settings = settings
        self._talks: dict[str, list[Part]] = {}

    def ingest(self, conversation: Conversation) -> Ingested:
        """See `System`."""
        self._talks[conversation.id] = [
            Part.of(line(turn), [turn.id], place, turn.said_at) for place, turn in enumerate(conversation.turns)
        ]
        return Ingested(0, Spent())

    def stored(self, conversation_id: str) -> Sequence[Stored]:
        """None: there are no memories."""
        self._parts(conversation_id)
        return ()

    def close(self) -> None:
        """Forget all."""
        self._talks.clear()

    def _parts(self, conversation_id: str) -> list[Part]:
        if conversation_id not in self._talks:
            raise unknown(conversation_id)
        return self._talks[conversation_id]

    def _heard(self, conversation_id: str, question: Question) -> list[Part]:
        return [part for part in self._parts(conversation_id) if part.known(question)]


def unknown(conversation_id: str) -> SystemFailed:
    """The error for a conversation that was never taken in."""
    return SystemFailed(f"the conversation {conversation_id[:100]!r} was not ingested")


def _found(part: Part, score: float | None) -> Found:
    return Found("turn", part.turns[0], part.text, part.turns, score)


# --- without search ----------------------------------------------------------------------------------------------------


class LastTurns(_Plain):
    """The last `last` turns, whatever is asked."""

    def __init__(self, last: int) -> None:
        super().__init__(f"last {last} turns", {"last": last})
        self._last = last

    def search(self, conversation_id: str, question: Question, limit: int) -> list[Found]:
        """The latest first."""
        return [_found(part, None) for part in self._latest(conversation_id, question)[:limit]]

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:
        """The latest that fit."""
        return packed(self._latest(conversation_id, question), max_tokens)

    def _latest(self, conversation_id: str, question: Question) -> list[Part]:
        return self._heard(conversation_id, question)[-self._last :][::-1]


class FullContext(_Plain):
    """All that was said. Its context is the whole conversation, whatever the budget: it is what budgets are compared with."""

    def __init__(self) -> None:
        super().__init__("full context", {"max_tokens": None})
        self._whole: dict[str, Packed] = {}

    def ingest(self, conversation: Conversation) -> Ingested:
        """See `System`."""
        ingested = super().ingest(conversation)
        self._whole[conversation.id] = joined(self._parts(conversation.id))
        return ingested

    def search(self, conversation_id: str, question: Question, limit: int) -> list[Found]:
        """In the order of time, for it prefers none."""
        return [_found(part, None) for part in self._heard(conversation_id, question)[:limit]]

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:  # noqa: ARG002 -- the Protocol's
        """All turns."""
        heard = self._heard(conversation_id, question)
        whole = self._whole[conversation_id]
        return whole if len(heard) == len(whole.turns) else joined(heard)


# --- with search -------------------------------------------------------------------------------------------------------

Channel = Literal["bm25", "vectors"]


@dataclass(frozen=True, slots=True)
class Method:
    """How turns are ranked. `previous`: a turn is found by its own text and that of the turn before it. `fusion` of two
    channels: "sum" of scores normalised within the query, from the least to the best of all turns, or "rrf", of ranks."""

    name: str
    channels: tuple[Channel, ...]
    previous: bool = False
    fusion: Literal["sum", "rrf"] = "sum"


@dataclass(slots=True)
class _Index:
    """The turns of a conversation, ready to be searched. Its rows are the turns, in their order."""

    words: TextIndex | None
    vectors: Vectors | None
    size: int


class TurnSearch(_Plain):
    """Turns found by a `Method`, over an index of each conversation's own."""

    def __init__(self, method: Method, embedder: Embedder) -> None:
        from recollect.adapters.terms import TermCounter

        told = {"channels": list(method.channels), "previous": method.previous, "fusion": method.fusion}
        super().__init__(method.name, told | ({"embedder": embedder.id} if "vectors" in method.channels else {}))
        self._method, self._embedder = method, embedder
        self._tokenizer: Tokenizer = TermCounter()
        self._indexes: dict[str, _Index] = {}

    def ingest(self, conversation: Conversation) -> Ingested:
        """Index the turns."""
        texts = searched(conversation, previous=self._method.previous)
        vectors = embedded(self._embedder, texts) if "vectors" in self._method.channels else None
        words = self._words(texts) if "bm25" in self._method.channels else None
        self._indexes[conversation.id] = _Index(words, vectors, len(texts))
        return super().ingest(conversation)

    def search(self, conversation_id: str, question: Question, limit: int) -> list[Found]:
        """The best first. By words alone: those that share one with the question; else all of them."""
        return [_found(part, score) for part, score in self._ranked(conversation_id, question)[:limit]]

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:
        """The best turns that fit."""
        return packed((part for part, _ in self._ranked(conversation_id, question)), max_tokens)

    def close(self) -> None:
        """Forget all."""
        super().close()
        self._indexes.clear()

    def _words(self, texts: Sequence[str]) -> TextIndex:
        from recollect.adapters.bm25 import Bm25

        index = Bm25()
        for key, text in enumerate(texts):
            index.upsert(key, self._tokenizer(text))
        return index

    def _ranked(self, conversation_id: str, question: Question) -> list[tuple[Part, float]]:
        import numpy as np

        parts = self._parts(conversation_id)
        if not parts:
            return []
        fused = self._fused(self._scores(self._indexes[conversation_id], question.text))
        best = (row for row in np.argsort(-fused, kind="stable") if np.isfinite(fused[row]))
        return [(parts[row], float(fused[row])) for row in best if parts[row].known(question)]

    def _scores(self, index: _Index, question: str) -> list[Scores]:
        """Of each channel, for all turns."""
        import numpy as np

        scores: list[Scores] = []
        if index.words is not None:
            scores.append(np.zeros(index.size))
            for key, score in index.words.search(self._tokenizer(question), index.size).pairs():
                scores[-1][key] = score
        if index.vectors is not None:
            scores.append((index.vectors @ embedded(self._embedder, [question])[0]).astype(np.float64))
        return scores

    def _fused(self, scores: Sequence[Scores]) -> Scores:
        """One score per turn; -inf for those that are not found."""
        import numpy as np

        if len(scores) > 1:
            one, other = (reciprocal(one) if self._method.fusion == "rrf" else spread(one) for one in scores)
            return one + other
        return np.where(scores[0] > 0, scores[0], -np.inf) if self._method.channels == ("bm25",) else scores[0]


def searched(conversation: Conversation, *, previous: bool) -> list[str]:
    """What each turn is found by: its speaker and words, after those of the turn before it in its session where `previous`.

    On the development conversations the speaker's name is worth 4 points of recall at 10 to BM25, and 18 to MiniLM.
    """
    texts: list[str] = []
    for session in conversation.sessions:
        before = ""
        for turn in session.turns:
            said = f"{turn.speaker}: {turn.text}"
            texts.append(f"{before}{said}")
            before = f"{said}\n" if previous else ""
    return texts


def embedded(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """Unit vectors of shape (len(texts), dim)."""
    import numpy as np

    vectors = np.asarray(embedder.embed(texts), dtype=np.float32).reshape(len(texts), embedder.dim)
    unit: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def spread(scores: Scores) -> Scores:
    """Scores from 0, of the least, to 1, of the best; all 0 where they do not differ."""
    least, best = scores.min(), scores.max()
    return (scores - least) / (best - least) if best > least else scores * 0.0


def reciprocal(scores: Scores) -> Scores:
    """1 / (k + rank), ranks from 1; 0 for a score of 0 or less."""
    import numpy as np

    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return np.where(scores > 0, 1 / (RRF + ranks), 0.0)


METHODS: Mapping[str, Method] = {
    "bm25": Method("turns, BM25", ("bm25",)),
    "minilm": Method("turns, MiniLM", ("vectors",)),
    "bm25+minilm": Method("turns, BM25 + MiniLM", ("bm25", "vectors")),
    "rrf": Method("turns, BM25 and MiniLM by ranks", ("bm25", "vectors"), fusion="rrf"),
    "previous-bm25": Method("previous + turn, BM25", ("bm25",), previous=True),
    "previous-bm25+minilm": Method("previous + turn, BM25 + MiniLM", ("bm25", "vectors"), previous=True),
}
