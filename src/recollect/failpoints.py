"""Named places at which a test may stop the process, or look on. In use nothing is armed, and a place costs one comparison.

Nothing of the environment is read: only code that imports this module can arm a place.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

FAILPOINTS = (
    "store.folder",  # made, or found; the database is not opened yet
    "store.opened",
    "migration.statement",  # before each statement of the schema
    "migration.before_commit",
    "migration.after_commit",
    "database.before_begin",  # these four are in every transaction that writes
    "database.begin",
    "database.before_commit",
    "database.after_commit",
    "add.journalled",
    "add.leased",
    "add.extracted",  # the model has answered, its facts are in memory only
    "add.facts_stored",
    "add.embedded",
    "add.decided",
    "add.committed",
    "talk.heard",  # messages stand in their open chunk
    "talk.closed",
    "retell.journalled",
    "retell.extracted",  # all of it, and nothing given way yet
    "update.embedded",
    "backfill.embedded",
    "rebuild.cleared",
    "reembed.claimed",  # the lease is ours, nothing is embedded yet
    "reembed.embedded",
    "reembed.kept",  # a batch of new vectors stands beside the old ones
    "reembed.switched",  # in the ledger; the partitions still hold the old vectors
    "erase.planned",  # these two are inside the transaction
    "erase.taken_out",
    "erase.committed",  # and remnants may be left in the files
    "erase.rewritten",  # and the log still has them
    "erase.log_emptied",  # and the record that it is to be done still stands
    "backup.begun",  # under a name of its own, with nothing in it
    "backup.copied",  # and not checked yet
    "backup.settled",
    "backup.placed",
    "import.settled",  # a user's part is in the transaction, and checked
    "import.user",  # and committed
    "partition.read",  # the ledger's news, before a partition takes them in
    "close.threads_ended",
    "close.released",
)

Listener = Callable[[str], None]
_listener: Listener | None = None


def reach(name: str) -> None:
    """The process is at the failpoint `name`."""
    if _listener is not None:
        _listener(name)


def die() -> None:
    """End this process as a power cut would: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, nth: int = 1, action: Callable[[], None] = die) -> None:
    """Do `action` when `name` is reached for the n-th time from now on, in whatever thread. Raises ValueError for other names."""
    if name not in FAILPOINTS:
        raise ValueError(f"no failpoint is called {name!r}")
    lock, left = threading.Lock(), nth

    def count(reached: str) -> None:
        nonlocal left
        if reached != name:
            return
        with lock:
            left -= 1
            due = left == 0
        if due:
            action()

    listen(count)


def listen(listener: Listener | None) -> None:
    """Tell `listener` every failpoint that is reached, in the thread that reaches it; None ends that, and disarms."""
    global _listener
    _listener = listener
