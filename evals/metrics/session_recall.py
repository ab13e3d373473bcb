"""Session recall at k: for data sets that name the sessions that carry an answer, whether or not they mark turns in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..model import Found, Question
from .order import ranked_turns


def session_recall(question: Question, found: Sequence[Found], session_of: Mapping[str, str], k: int) -> float | None:
    """|answer's sessions ∩ first k distinct sessions| / |answer's sessions|, 0..1; None where no sessions are named, or there is
    no answer. A turn stands for its session (Wu et al., LongMemEval, 2024, §5.1). `session_of`: a session's id, by the
    turn's."""
    wanted = set(question.sessions) if question.answer is not None else set()
    ranked = list(dict.fromkeys(session_of[turn] for turn in ranked_turns(found) if turn in session_of))
    return len(wanted & set(ranked[:k])) / len(wanted) if wanted else None
