"""Erasing, step by step: plan and take out in one transaction, forget the view, clean the files. A retention does so user by
user, and cleans the files once at the end."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ..build import Store
from ..records import Space
from ..results import Receipt, RetentionReceipt
from ..tasks import whole
from ..times import now
from ..trace import Listener, Purged, emit
from .erase import Wanted, outlived, planned

PATIENCE_S = 5.0  # with readers of an older state, who hold the log


async def erased(store: Store, wanted: Wanted, space: Space | None) -> Receipt:
    """Erase, and say what went. It does not wait in the user's queue: adds under way meet the fence."""
    receipt: Receipt = await whole(store.in_thread(_erase, store, wanted, space))
    return receipt


def _erase(store: Store, wanted: Wanted, space: Space | None) -> Receipt:
    at, taken = now(), Counter[str]()
    if space is not None:
        plan = functools.partial(planned, wanted=wanted, tokenizer=store.tokenizer)
        taken.update(store.erasure.erase(space, [plan], at))
        store.partitions.drop(space)
    reason = finished(store)
    return Receipt(**_counts(taken), complete=reason is None, reason=reason, erased_at=at)


def finished(store: Store) -> str | None:
    """Clean the files of what was erased; None when that is done, else why it is not."""
    return store.erasure.finish(PATIENCE_S)


# --- retention ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept no longer: what was said `before` a time, and where `expired`, what has by `at`. `dry_run`: only tell."""

    at: datetime
    before: datetime | None
    expired: bool
    dry_run: bool = False

    @property
    def wanted(self) -> list[Wanted]:
        """What is to be erased of a user. What has expired goes first: it brings back nothing that it ended."""
        found = [Wanted(expired=self.at)] if self.expired else []
        return [*found, Wanted(before=self.before)] if self.before is not None else found


async def retained(
    store: Store, policy: Retention, spaces: Sequence[Space] | None, listener: Listener | None
) -> RetentionReceipt:
    """Erase of users (None: of all) what is kept no longer. Cancelled or failed, it ends between two of them: what went is gone,
    and that the files are to be cleaned is recorded."""
    if spaces is None:
        expired = policy.at if policy.expired else None
        spaces = await store.in_thread(store.erasure.due, policy.before, expired)
    done = _Tally()
    try:
        for space in spaces:
            emit(listener, done.of(len(spaces)))
            await whole(store.in_thread(_purge, store, policy, space, done))
    finally:
        emit(listener, done.of(len(spaces)))
    reason = "a dry run" if policy.dry_run else await whole(store.in_thread(finished, store))
    return RetentionReceipt(
        **_counts(done.taken),
        users=done.users,
        before=policy.before,
        dry_run=policy.dry_run,
        complete=reason is None,
        reason=reason,
        erased_at=policy.at,
    )


@dataclass(slots=True)
class _Tally:
    """How many users were looked at, of how many something was taken, and what, also where nobody waits for it any more."""

    looked_at: int = 0
    users: int = 0
    taken: Counter[str] = field(default_factory=Counter)

    def of(self, users: int) -> Purged:
        return Purged(self.looked_at, users, self.taken["memories"], self.taken["turns"])


def _purge(store: Store, policy: Retention, space: Space, done: _Tally) -> None:
    plans = [functools.partial(outlived, wanted=wanted, tokenizer=store.tokenizer) for wanted in policy.wanted]
    taken = store.erasure.erase(space, plans, policy.at, rehearse=policy.dry_run)
    if taken and not policy.dry_run:
        store.partitions.drop(space)
    done.taken.update(taken)
    done.users += bool(taken)
    done.looked_at += 1


def _counts(taken: Mapping[str, int]) -> dict[str, int]:
    return {name: taken[key] for name, key in _COUNTS.items() if key in taken}


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
