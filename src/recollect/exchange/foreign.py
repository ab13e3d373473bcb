"""Taking in what another memory has: each of its memories is journalled and committed as `add(infer=False)` does, under a key of
its own, so that it comes once however often it is tried."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .. import check
from ..build import Store, path_of
from ..errors import ImportInvalid
from ..model import Scope
from ..records import Batch, NewBatch
from ..results import ForeignReport, LeftOut
from ..safety.redact import Redactor
from ..tasks import whole
from ..times import now
from ..trace import Imported, Listener, emit
from . import mem0

Add = Callable[..., Awaitable[tuple[Batch, bool]]]
NO_USER = "it is of an agent or a run, of no user: say whose it becomes (user_id=)"
CHANGED = "it changed there since it was imported; what is here stays"


@dataclass(slots=True)
class Foreigners:
    """One import. `add` brings a batch to its end; `to` is whose that of no user becomes, unless `orphans_stay` out."""

    store: Store
    redactor: Redactor
    add: Add
    to: str | None
    orphans_stay: bool
    dry_run: bool
    allow_erased: bool
    listener: Listener | None
    _users: set[str | None] = field(default_factory=set)
    _left_out: list[LeftOut] = field(default_factory=list)
    _counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("found", "versions", "imported", "there", "erased", "quarantined"), 0)
    )

    async def run(self, python: str | os.PathLike[str], config: str | os.PathLike[str]) -> ForeignReport:
        """Read, and take in one after the other; where it is cancelled, what came stays. Raises as `import_mem0`."""
        with mem0.reading(path_of("python", python, "program"), path_of("config", config, "file")) as reader:
            while (one := await self._next(reader)) is not None:
                await self._take(one)
                emit(self.listener, Imported("reading", self._counts["found"], 0))
        if not self._counts["found"] and not self._left_out:
            raise ImportInvalid("mem0 has no memories there: is the configuration the one that they were written with?")
        return ForeignReport(
            source="mem0",
            users=len(self._users),
            left_out=tuple(self._left_out),
            dry_run=self.dry_run,
            **self._counts,
        )

    async def _next(self, reader: mem0.Reader) -> mem0.Foreign | mem0.Refused | None:
        """The next one. A cancellation ends the process, and with it the wait of the thread."""
        try:
            found: mem0.Foreign | mem0.Refused | None = await self.store.in_thread(reader.next)
            return found
        except asyncio.CancelledError:
            reader.stop()
            raise

    async def _take(self, one: mem0.Foreign | mem0.Refused) -> None:
        if isinstance(one, mem0.Refused):
            self._left_out.append(LeftOut(id=one.id, reason=one.reason))
            return
        self._counts["found"] += 1
        self._counts["versions"] += len(one.versions)
        self._left_out += [LeftOut(id=one.id, reason=problem) for problem in one.problems]
        user = self.to if one.user_id is None else one.user_id
        if self.orphans_stay and user is None:
            self._left_out.append(LeftOut(id=one.id, reason=NO_USER))
            return
        self._users.add(user)
        if not self.dry_run:
            await self._add(one, Scope(user, one.agent_id, one.session_id))

    async def _add(self, one: mem0.Foreign, scope: Scope) -> None:
        messages, metadata, secrets = await self.store.in_thread(self.redactor.call, one.versions, one.metadata)
        new = NewBatch(
            scope=scope,
            messages=messages,
            sizes=(len(messages),),
            received_at=now(),
            infer=False,
            metadata=metadata,
            expires_at=one.expires_at,
            idempotency_key=f"mem0/{one.id}",
            digest=check.digest(scope, messages, one.id),
            redacted=secrets,
            allow_erased=self.allow_erased,
            successive=True,
        )
        batch, again = await self.add(new, wait=True)
        self._counts["there" if again else "imported"] += batch.turns > 0
        self._counts["erased"] += batch.turns == 0
        if again and batch.turns + batch.erased != len(messages):
            self._left_out.append(LeftOut(id=one.id, reason=CHANGED))
        if not again and batch.turns:
            self._counts["quarantined"] += await whole(self.store.in_thread(self._waits, batch))

    def _waits(self, batch: Batch) -> bool:
        """Whether a memory of the batch was put aside for a review."""
        changes = self.store.ledger.changes(batch.space, batch_id=batch.id)
        return any(change.flag == "quarantined" for change in changes)
