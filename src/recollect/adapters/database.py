"""One SQLite file: connections, transactions, migrations, and the mapping of SQLite's faults to ours.

WAL with `synchronous=FULL`: what was committed survives a power loss; bookkeeping that can be done again may do without the
disk's word (`durable=False`), and survives a kill of the process all the same. One connection writes, under a lock of the
process and `BEGIN IMMEDIATE` between processes; each thread reads on a connection of its own, so readers wait for nobody.
"""

from __future__ import annotations

import errno
import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib import resources
from pathlib import Path

from ..errors import (
    Closed,
    RecollectError,
    SchemaTooNew,
    StorageError,
    StorageFull,
    StorageReadOnly,
    StoreBusy,
    StoreCorrupt,
)
from ..failpoints import reach
from . import seals
from .forking import GATE
from .mark import Mark, compare

FILE_NAME = "ledger.sqlite3"
BUSY_TIMEOUT_S = 30.0
# How often the write lock is asked for while another process has it. SQLite by itself asks ten times a second, and one that
# writes on and on has it again within a fraction of a millisecond: half a minute would pass without meeting such a moment.
POLL_S = 0.001
READER_CACHE_KIB = (
    8_000  # of each thread that reads; with SQLite's 2,000 a search among 10,000 memories takes a tenth longer
)
_MIGRATION = re.compile(r"(\d{4})_(\w+)\.sql")


class Database:
    """The ledger's file in `folder`, made and migrated when absent or older."""

    def __init__(self, folder: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        """Raises StorageReadOnly, StoreCorrupt, SchemaTooNew or StorageError."""
        self.path = folder / FILE_NAME
        self._busy_timeout_s = busy_timeout_s
        self._write_lock = threading.RLock()
        self._local = threading.local()
        self._readers: set[sqlite3.Connection] = set()
        self._readers_lock = threading.Lock()
        self._closed = False
        with faults_named("open"), GATE.inside():
            make_folder(folder)
            refuse_remains(self.path)
            reach("store.folder")
            compare(self.path, busy_timeout_s)
            make_private(self.path)
            self._writer = self._connect()
            try:
                migrate(self._writer)
                seals.install_triggers(self._writer)
                self._mark = Mark(self.path, self._writer)
                self._writer.execute("PRAGMA busy_timeout = 0")  # `locked` waits in SQLite's place
            except BaseException:
                self._writer.close()
                raise
            reach("store.opened")
        GATE.add(self)

    def _connect(self) -> sqlite3.Connection:
        # One connection may be closed by another thread than the one that made it, hence check_same_thread=False.
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        use_wal(connection, self._busy_timeout_s)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cell_size_check = ON")
        seals.install_function(connection)
        return connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction; rolled back whole on any error. Where it need not be `durable`, a power loss may take it back,
        and what was committed after it without being durable too."""
        with GATE.inside(), self._write_lock, faults_named("commit"):
            self._check_open()
            self._writer.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            reach("database.before_begin")
            locked(self._writer, "BEGIN IMMEDIATE", self._busy_timeout_s)
            reach("database.begin")
            try:
                before = self._writer.total_changes
                yield self._writer
                reach("database.before_commit")
                commits = self._counted() if durable and self._writer.total_changes != before else None
                self._writer.execute("COMMIT")
                reach("database.after_commit")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            if commits is not None:
                self._mark.move(commits)

    def rewrite(self) -> None:
        """Write all pages anew: SQLite blanks what it deletes, not what it moved from one page to another.

        By a connection of its own, for the copy that SQLite makes on the way is as large as the store: it is not kept in memory,
        but in a file of the store's folder, which has no name once it is made, and nothing of what was erased."""
        with GATE.inside(), self._write_lock, faults_named("erase"):
            self._check_open()
            with closing(self._connect()) as connection, temporary_files(connection, self.path.parent):
                connection.execute("PRAGMA busy_timeout = 0")
                locked(connection, "VACUUM", self._busy_timeout_s)

    def empty_log(self, patience_s: float) -> bool:
        """Work the log into the file, and cut it to nothing; False where a reader of an old snapshot needs it for longer."""
        with GATE.inside(), self._write_lock, faults_named("erase"):
            self._check_open()
            self._writer.execute("PRAGMA synchronous = FULL")
            give_up = time.monotonic() + patience_s
            while self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() > give_up:
                    return False
                time.sleep(POLL_S)
            return True

    def _counted(self) -> int:
        """Count a commit that will be acknowledged; how many there are with it."""
        count = "UPDATE store SET value = value + 1 WHERE key = 'commits' RETURNING value"
        return int(self._writer.execute(count).fetchone()[0])

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """One consistent snapshot. Nested reads in a thread share the outer one's."""
        self._check_open()
        with faults_named("read"), GATE.inside():
            reader = self._reader()
            if reader.in_transaction:
                yield reader
                return
            reader.execute("BEGIN")
            try:
                yield reader
            finally:
                reader.execute("COMMIT")

    def one(self, query: str, values: Sequence[object]) -> sqlite3.Row | None:
        """The first row of one statement: it needs no snapshot to see one state. Within a `read` it sees that one's."""
        self._check_open()
        with faults_named("read"), GATE.inside():
            row: sqlite3.Row | None = self._reader().execute(query, values).fetchone()
            return row

    def _reader(self) -> sqlite3.Connection:
        reader: sqlite3.Connection | None = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._connect()
            reader.execute(f"PRAGMA cache_size = {-READER_CACHE_KIB}")
            self._local.reader = reader
            with self._readers_lock:
                self._readers.add(reader)
        return reader

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("this memory is closed")

    def close(self) -> None:
        """Close all connections; a second time does nothing."""
        with GATE.inside(), self._write_lock, self._readers_lock:
            self.abandon()

    def abandon(self) -> None:
        """Close all connections, with nobody inside one."""
        if self._closed:
            return
        self._closed = True
        for reader in self._readers:
            reader.close()
        self._writer.close()
        self._mark.close()


_TEMPORARY_FILES = threading.Lock()


@contextmanager
def temporary_files(connection: sqlite3.Connection, folder: Path) -> Iterator[None]:
    """Let a connection keep what is temporary in files of that folder: any other might lie on a disk that is not encrypted.
    SQLite has one such folder for the whole process; where it cannot be set, what is temporary stays in memory."""
    with _TEMPORARY_FILES:
        before = _temporary_folder(connection)
        try:
            with suppress(UnicodeEncodeError):  # a path that is no text
                _set_temporary_folder(connection, str(folder))
            if _temporary_folder(connection) == str(folder):
                connection.execute("PRAGMA temp_store = FILE")
            yield
        finally:
            _set_temporary_folder(connection, before)


def _temporary_folder(connection: sqlite3.Connection) -> str:
    row = connection.execute("PRAGMA temp_store_directory").fetchone()
    return "" if row is None else str(row[0])


def _set_temporary_folder(connection: sqlite3.Connection, folder: str) -> None:
    quoted = folder.replace("'", "''")
    connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")


def use_wal(connection: sqlite3.Connection, timeout_s: float) -> None:
    """Where several processes make a store at once SQLite does not wait for this lock by itself: it calls it a deadlock."""
    locked(connection, "PRAGMA journal_mode = WAL", timeout_s)


def locked(connection: sqlite3.Connection, statement: str, timeout_s: float) -> None:
    """Execute what takes a lock, as soon as nobody else has it."""
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(POLL_S)


def make_folder(folder: Path) -> None:
    """The folder, readable by its owner only when we are the ones who make it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except FileExistsError:
        raise StorageError(f"{folder} is a file, not a folder", stage="open") from None
    except OSError as error:
        kind = _SYSTEM_ERRORS.get(error.errno or 0, StorageError)
        raise kind(f"cannot make the folder {folder}: {error.strerror}", stage="open") from error


_MAKING = threading.Lock()


def make_private(path: Path) -> None:
    """The ledger's file, readable by its owner only when we are the ones who make it, wherever its folder is; SQLite gives its
    log the same rights. One that is there is not opened: to close it would release the locks of this process's connections."""
    with _MAKING, suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0), 0o600))


def refuse_remains(path: Path) -> None:
    """Never start empty beside the log of a database that is gone, its mark or a copy: its writes would be lost silently.

    SQLite itself would delete the log of a database of no length.
    """
    if path.is_dir():
        raise StoreCorrupt(f"{path} is a folder, not the ledger's file; restore it from a backup")
    # A journal may be there: SQLite makes the first page with one, and a kill or another process may be at just that.
    remains = sorted({one.name for one in path.parent.glob(f"{path.name}?*")} - {f"{path.name}-journal"})
    if remains and not (path.exists() and path.stat().st_size):
        state = "is empty" if path.exists() else "is missing"
        raise StoreCorrupt(f"{path} {state} beside {', '.join(remains)}; restore it from a backup")


# --- migrations --------------------------------------------------------------------------------------------------------


def migrations() -> list[tuple[int, str, str]]:
    """(number, name, SQL) of every migration, in order."""
    files = resources.files("recollect.adapters").joinpath("sql").iterdir()
    named_files = [(match, file) for file in files if (match := _MIGRATION.fullmatch(file.name))]
    found = [(int(match[1]), match[2], file.read_text(encoding="utf-8")) for match, file in named_files]
    return sorted(found)


def schema_version(connection: sqlite3.Connection) -> int:
    """The number of the last migration that the file has seen; 0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to the newest schema, each step in a transaction that also records it."""
    known = migrations()
    newest = known[-1][0]
    if schema_version(connection) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)
        if version > newest:
            raise SchemaTooNew(f"the store has schema {version}, this recollect knows {newest}: upgrade recollect")
        if version == 0 and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StoreCorrupt("the database file is not one of recollect's")
        for number, _name, sql in known:
            if number > version:
                for statement in statements_of(sql):
                    reach("migration.statement")
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        reach("migration.before_commit")
        connection.execute("COMMIT")
        reach("migration.after_commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements_of(sql: str) -> Iterator[str]:
    """The single statements of a script (`executescript` would commit the transaction around it)."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending


# --- faults ------------------------------------------------------------------------------------------------------------

_ERRORS: dict[int, type[StorageError]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_READONLY: StorageReadOnly,
    sqlite3.SQLITE_CANTOPEN: StorageReadOnly,
    sqlite3.SQLITE_PERM: StorageReadOnly,
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
    sqlite3.SQLITE_CORRUPT: StoreCorrupt,
    sqlite3.SQLITE_NOTADB: StoreCorrupt,
}

_SYSTEM_ERRORS: dict[int, type[StorageError]] = {
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EROFS: StorageReadOnly,
    errno.EACCES: StorageReadOnly,
    errno.EPERM: StorageReadOnly,
}


@contextmanager
def faults_named(stage: str) -> Iterator[None]:
    """Turn SQLite's and the system's errors into ours. Messages tell the code, never the statement's values."""
    try:
        yield
    except RecollectError:
        raise
    except sqlite3.Error as error:
        raise named(error, stage) from error
    except UnicodeDecodeError as error:  # a text of the schema, or SQLite's message that quotes it
        raise StoreCorrupt("a stored text is no text any more", stage=stage) from error
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        if stage != "read":
            raise
        raise StoreCorrupt(f"a stored value cannot be read: {type(error).__name__}", stage=stage) from error
    except OSError as error:
        kind = _SYSTEM_ERRORS.get(error.errno or 0, StorageError)
        where = f": {error.filename}" if isinstance(error.filename, str) else ""
        raise kind(f"{type(error).__name__}: {os.strerror(error.errno or 0)}{where}", stage=stage) from error


def named(error: sqlite3.Error, stage: str) -> StorageError:
    """Our error for one of SQLite's, by its primary result code."""
    undecoded = isinstance(error, sqlite3.OperationalError)  # without a code it is Python's own: a text is not UTF-8
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT if undecoded else sqlite3.SQLITE_ERROR)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    kind = _ERRORS.get(code & 0xFF, StorageError)
    told = _TOLD.get(kind)
    return kind(f"the ledger: {name}" if told is None else f"{told} ({name})", stage=stage)


_TOLD: dict[type[StorageError], str] = {
    StorageFull: "there is no room left on the disk of the store",
    StorageReadOnly: "the store's folder or a file in it cannot be written to",
    StoreBusy: "another process holds the store",
}
