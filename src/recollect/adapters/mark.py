"""A small file beside the ledger that says of which store it is and how many commits were acknowledged.

A log that was lost after a kill, an older copy or another store's file in its place: each is a sound database, only not the
one that was written. The mark is moved after a durable commit, so it never claims more than the disk has; it is not waited
for, so after a power loss it may claim less.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

from ..errors import StoreCorrupt

log = logging.getLogger("recollect")

SUFFIX = "-mark"
_LENGTH = 32  # the store's id (16 bytes), the number of commits (8), a digest of both (8)


class Mark:
    """The mark of an open store. Not thread-safe: the writing connection's lock is held."""

    def __init__(self, ledger: Path, connection: sqlite3.Connection) -> None:
        """Go on from what the ledger has."""
        self._store, commits = _known(connection)
        self._file = os.open(path_of(ledger), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        self.move(commits)

    def move(self, commits: int) -> None:
        """So many commits are acknowledged. A mark that cannot be written is behind, which does no harm."""
        content = self._store + commits.to_bytes(8, "big")
        try:
            os.lseek(self._file, 0, os.SEEK_SET)
            os.write(self._file, content + _digest(content))
        except OSError as error:
            log.warning("the ledger's mark stays behind: %s", os.strerror(error.errno or 0))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def compare(ledger: Path, timeout_s: float) -> None:
    """Raises StoreCorrupt where a ledger is not the one that its mark tells of, or lacks commits that were acknowledged.

    It is opened for reading only: a log that does not belong to it must not be worked into it. `timeout_s`: for a process that
    is just closing it.
    """
    mark = path_of(ledger)
    content = mark.read_bytes() if mark.exists() else b""
    if len(content) != _LENGTH or _digest(content[:24]) != content[24:]:
        return  # a new store's, or torn: it tells nothing
    with closing(sqlite3.connect(f"{ledger.absolute().as_uri()}?mode=ro", timeout=timeout_s, uri=True)) as connection:
        store, commits = _known(connection)
    accept = f"If this copy is the one that you want, delete {mark.name}."
    if content[:16] != store:
        raise StoreCorrupt(f"the ledger or its log is another store's; restore it from a backup. {accept}")
    lost = int.from_bytes(content[16:24], "big") - commits
    if lost > 0:
        raise StoreCorrupt(
            f"the ledger lacks the last {lost} commits that were acknowledged: its log (-wal) was lost, or this is an older"
            f" copy. Put the log back, or restore a backup. {accept}"
        )


def path_of(ledger: Path) -> Path:
    """Where the mark of a ledger is."""
    return ledger.with_name(ledger.name + SUFFIX)


def _known(connection: sqlite3.Connection) -> tuple[bytes, int]:
    """The store's id and its number of commits. Raises StoreCorrupt."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'store'").fetchone():
        raise StoreCorrupt("the database file is not one of recollect's; restore the ledger from a backup")
    found = dict(
        tuple(row) for row in connection.execute("SELECT key, value FROM store WHERE key IN ('id', 'commits')")
    )
    try:
        return bytes.fromhex(found["id"]), int(found["commits"])
    except (KeyError, ValueError):
        raise StoreCorrupt("the ledger does not tell which store it is; restore it from a backup") from None


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=8).digest()
