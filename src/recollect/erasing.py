"""Erasing, step by step: plan and take out in one transaction, forget the view, clean the files."""

from __future__ import annotations

import functools

from .build import Store
from .erase import Wanted, planned
from .records import Space
from .results import Receipt
from .tasks import whole
from .times import now

PATIENCE_S = 5.0  # with readers of an older state, who hold the log


async def erased(store: Store, wanted: Wanted, space: Space | None) -> Receipt:
    """Erase, and say what went. It does not wait in the user's queue: adds under way meet the fence."""
    receipt: Receipt = await whole(store.in_thread(_erase, store, wanted, space))
    return receipt


def _erase(store: Store, wanted: Wanted, space: Space | None) -> Receipt:
    at, taken = now(), dict[str, int]()
    if space is not None:
        plan = functools.partial(planned, wanted=wanted, tokenizer=store.tokenizer)
        taken = store.erasure.erase(space, plan, at)
        store.partitions.drop(space)
    reason = finished(store)
    counts = {name: taken[key] for name, key in _COUNTS.items() if key in taken}
    return Receipt(**counts, complete=reason is None, reason=reason, erased_at=at)


def finished(store: Store) -> str | None:
    """Clean the files of what was erased; None when that is done, else why it is not."""
    return store.erasure.finish(PATIENCE_S)


_COUNTS = {
    "memories": "memories",
    "versions": "versions",
    "turns": "turns",
    "blanked": "blanked",
    "quotes": "sources",
    "entities": "entities",
    "changes": "changes",
    "restored": "restored",
    "facts": "facts",
    "rejected": "rejected",
    "pending": "pending",
    "kept_quotes": "kept_quotes",
}
"""The receipt's names of what an erasure counts."""
