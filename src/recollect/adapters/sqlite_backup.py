"""Backups: a consistent copy of the ledger while others write, and a store made of such a copy.

The pages are copied by SQLite's backup API inside one read transaction. It pins a snapshot, so no writer waits, and no writer
makes the copy begin again; `VACUUM INTO` has the same snapshot, but builds every index anew and cannot tell how far it is.

A copy is written under a name of its own, checked, forced to the disk, and only then renamed: a kill leaves a `.partial`, which
the next backup or restore to that place takes away, and never half a file under the name that was asked for.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..errors import InvalidInput, SchemaTooNew, StorageFull, StoreBusy, StoreCorrupt, TargetExists
from ..failpoints import reach
from ..owners import is_gone, new_owner
from ..results import Backup
from .database import FILE_NAME, Database, faults_named, make_folder, migrations, schema_version
from .forking import GATE
from .tombstones import ERASED

Progress = Callable[[int, int], None]  # bytes copied, of how many; what it raises ends the copying

PAGES = 256  # copied between two reports: a megabyte
SLICE = 1 << 20
PARTIAL = ".partial"
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
BESIDE = ("-wal", "-shm", "-journal")


def back_up(database: Database, target: Path, *, overwrite: bool, progress: Progress) -> Backup:
    """Copy the ledger, as it is now, to the file `target`.

    Raises InvalidInput, TargetExists, StorageFull, StorageReadOnly, StoreCorrupt where the ledger itself is damaged; an older
    file under that name is then as it was.
    """
    with faults_named("backup"):
        refuse_target(database.path.parent, target, overwrite=overwrite)
        with database.read() as db, partial(target) as part:
            size = db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
            ensure_room(target.parent, size)
            reach("backup.begun")
            copy_pages(db, part, progress)
            reach("backup.copied")
            counted = settled(part)
            reach("backup.settled")
            refuse_target(database.path.parent, target, overwrite=overwrite)  # it took a while
            placed(part, target)
            reach("backup.placed")
        return Backup(path=str(target), bytes=target.stat().st_size, **counted)


def restore(source: Path, folder: Path, *, force: bool, progress: Progress) -> Backup:
    """Make the store in `folder` of a backup. With `force` the one that is there goes to a folder of its own beside it.

    Raises InvalidInput, TargetExists, StoreCorrupt where `source` is damaged or no backup of ours, SchemaTooNew, StoreBusy
    where the store that is there is in use, StorageFull; what was there is then as it was.
    """
    with faults_named("restore"), GATE.inside():
        refuse_source(source)
        target = folder / FILE_NAME
        if not force and (there := [file.name for file in ledger_files(folder)]):
            raise TargetExists(
                f"{folder} holds a store ({', '.join(there)}); force=True sets it aside", stage="restore"
            )
        make_folder(folder)
        with partial(target) as part:
            ensure_room(folder, source.stat().st_size)
            copy_bytes(source, part, progress)
            counted = settled(part)
            with set_aside(folder):
                placed(part, target)
        return Backup(path=str(target), bytes=target.stat().st_size, **counted)


# --- what is refused ---------------------------------------------------------------------------------------------------


def refuse_target(own: Path, target: Path, *, overwrite: bool) -> None:
    """A backup never goes over a store's files, and over another file only when asked to."""
    if target.is_dir():
        raise InvalidInput("path", f"{target} is a folder; name a file", stage="backup")
    if not target.parent.is_dir():
        raise InvalidInput("path", f"there is no folder {target.parent}", stage="backup")
    if target.name.startswith(FILE_NAME) and target.parent.samefile(own):
        raise InvalidInput("path", f"{target} belongs to the store itself", stage="backup")
    if any(target.with_name(f"{target.name}{end}").exists() for end in BESIDE):
        raise InvalidInput("path", f"{target} is a database in use, not a backup", stage="backup")
    if target.exists() and not overwrite:
        raise TargetExists(f"{target} is there already; overwrite=True replaces it", stage="backup")


def refuse_source(source: Path) -> None:
    """What is surely no backup. The rest is told by `settled`."""
    if not source.is_file():
        problem = "is a folder; name the backup's file" if source.is_dir() else "is not there"
        raise InvalidInput("source", f"{source} {problem}", stage="restore")
    log = source.with_name(f"{source.name}-wal")
    if log.exists() and log.stat().st_size:
        problem = (
            "has a log beside it: that is a store in use, whose last writes the file alone lacks; back it up instead"
        )
        raise InvalidInput("source", f"{source} {problem}", stage="restore")


def ensure_room(folder: Path, size: int) -> None:
    """Raises StorageFull before anything is written that cannot fit."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise StorageFull(f"{folder} has room for {free:,} bytes, the copy needs {size:,}", stage="backup")


# --- the copy ----------------------------------------------------------------------------------------------------------


@contextmanager
def partial(target: Path) -> Iterator[Path]:
    """A new file beside the target that nobody else can read, gone afterwards unless it was renamed. Those that killed
    processes left go too: the name says whose a file is."""
    for left in target.parent.glob(f"{target.name}.*{PARTIAL}*"):
        owner = left.name.removeprefix(f"{target.name}.").partition(PARTIAL)[0]
        if is_gone(owner.replace(",", "/")):
            left.unlink(missing_ok=True)
    part = target.with_name(f"{target.name}.{new_owner().replace('/', ',')}{PARTIAL}")
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        yield part
    finally:
        for file in (part, *(part.with_name(f"{part.name}{end}") for end in BESIDE)):
            file.unlink(missing_ok=True)


def copy_pages(db: sqlite3.Connection, part: Path, progress: Progress) -> None:
    """Copy every page of the snapshot that `db` reads."""
    page_size = db.execute("PRAGMA page_size").fetchone()[0]

    def report(_: int, remaining: int, total: int) -> None:
        progress((total - remaining) * page_size, total * page_size)

    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")  # nobody reads it yet, and it is forced to the disk as a whole
        copy.execute("PRAGMA synchronous = OFF")
        db.backup(copy, pages=PAGES, progress=report)


def copy_bytes(source: Path, part: Path, progress: Progress) -> None:
    """Copy a file, a slice at a time."""
    total, done = source.stat().st_size, 0
    with source.open("rb") as reading, part.open("wb") as writing:
        while piece := reading.read(SLICE):
            writing.write(piece)
            done += len(piece)
            progress(done, total)


def settled(part: Path) -> dict[str, int]:
    """Make a copy a whole store in one file, without the original's log and leases; what it holds.

    Raises StoreCorrupt where it is damaged or not one of ours, SchemaTooNew.
    """
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            db.execute("PRAGMA trusted_schema = OFF")
            require_ours(db)
            db.execute("PRAGMA journal_mode = DELETE")  # a log is made again by the store that is opened
            db.execute("PRAGMA synchronous = OFF")
            for table in ("batches", "users"):
                db.execute(f"UPDATE {table} SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL")
            faults = sum(row[0] != "ok" for row in db.execute("PRAGMA integrity_check(100)"))
            if faults:
                raise StoreCorrupt(f"the copy has {faults} damaged pages or indexes, and so has what it was made of")
            return counts(db)
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            raise StoreCorrupt("the file is damaged, or not a backup of recollect's") from error
        raise


def require_ours(db: sqlite3.Connection) -> None:
    """Raises StoreCorrupt, SchemaTooNew."""
    version, newest = schema_version(db), migrations()[-1][0]
    tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if version == 0 or not {"batches", "changes", "memory_rows", "users"} <= tables:
        raise StoreCorrupt("the file is not a backup of recollect's")
    if version > newest:
        raise SchemaTooNew(f"the backup has schema {version}, this recollect knows {newest}: upgrade recollect")


def counts(db: sqlite3.Connection) -> dict[str, int]:
    """How much a copy holds."""
    tables = {
        "users": f"users WHERE name NOT LIKE '{ERASED}%'",
        "turns": "turns",
        "changes": "changes",
        "pending": "batches WHERE status <> 'done'",
    }
    found = {name: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for name, table in tables.items()}
    return {**found, "schema_version": schema_version(db)}


def placed(part: Path, target: Path) -> None:
    """Give a copy its name, for good: content first, then the name."""
    synced(part)
    part.replace(target)
    synced(target.parent)


def synced(path: Path) -> None:
    """Force a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- the store that is there -------------------------------------------------------------------------------------------


def ledger_files(folder: Path) -> list[Path]:
    """The ledger's file and what belongs to it, those that there are."""
    return sorted(file for name in (FILE_NAME, f"{FILE_NAME}-*") for file in folder.glob(name))


@contextmanager
def set_aside(folder: Path) -> Iterator[None]:
    """Keep the ledger that is there in a folder of its own, where it can be opened as a store, and take its log away, for it
    must not be read as the new one's. Its name stays until the new one takes it: there is a ledger at every moment."""
    if not ledger_files(folder):
        yield
        return
    with alone(folder / FILE_NAME):
        aside = folder / f"set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        make_folder(aside)
        there = ledger_files(folder)
        for file in there:
            os.link(file, aside / file.name)
        synced(aside)
        synced(folder)
        for file in there:
            if file.name != FILE_NAME:
                file.unlink()
        yield


@contextmanager
def alone(ledger: Path) -> Iterator[None]:
    """Fold the log into the ledger and keep everybody else out. Raises StoreBusy where somebody is in. One that is absent or
    damaged cannot be locked, and is taken as it lies."""
    if not ledger.exists() or not ledger.stat().st_size:  # SQLite would make it anew, and delete the log
        yield
        return
    with closing(sqlite3.connect(ledger, timeout=0, isolation_level=None)) as old:
        try:
            old.execute("PRAGMA journal_mode = DELETE")
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            code = error.sqlite_errorcode & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StoreBusy("the store that is there is in use; end what uses it first", stage="restore") from error
            if code not in DAMAGED:
                raise
        yield
