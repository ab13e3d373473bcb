"""A disk that fails when told to: a VFS of SQLite's own kind, over the real one, in the library that `sqlite3` uses.

with Disk() as disk:
    disk.fail("write", code=FULL, at=3)         # the third write from now on fails, and all after it
    ...
    disk.heal()
    disk.synced = lambda path: ...              # told after every fsync of a file: so far it would survive a power cut

Stores that are opened while it is installed use it, for as long as they are open.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

FULL = sqlite3.SQLITE_FULL  # as the real VFS says of ENOSPC
EIO_WRITE = sqlite3.SQLITE_IOERR_WRITE
EIO_FSYNC = sqlite3.SQLITE_IOERR_FSYNC
EIO_TRUNCATE = sqlite3.SQLITE_IOERR_TRUNCATE
EIO_SHM = sqlite3.SQLITE_IOERR_SHMSIZE

_pointer, _int, _i64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
_OPEN = ctypes.CFUNCTYPE(_int, _pointer, _pointer, _pointer, _int, _pointer)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs, as far as it is looked into. Its size is that of version 3."""

    _fields_ = (
        ("version", _int),
        ("file_size", _int),
        ("longest_path", _int),
        ("next", _pointer),
        ("name", ctypes.c_char_p),
        ("data", _pointer),
        ("open", _OPEN),
        *((f"method{n}", _pointer) for n in range(15)),
    )


# The methods of sqlite3_io_methods that may fail, with their place in it and the types of their arguments.
_METHODS = {
    "write": (3, (_pointer, _pointer, _int, _i64)),
    "truncate": (4, (_pointer, _i64)),
    "sync": (5, (_pointer, _int)),
    "shm": (13, (_pointer, _int, _int, _int, _pointer)),
}
_SLOTS = 19  # the version, and 18 methods of version 3
_Methods = _pointer * _SLOTS


def library() -> ctypes.CDLL | None:
    """The very libsqlite3 that the module `sqlite3` calls; None where it cannot be found (it may be linked in statically)."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    mapped = {line.split()[-1] for line in maps.read_text().splitlines() if "sqlite3" in line.rpartition("/")[2]}
    for path in sorted(mapped, key=lambda name: "libsqlite3" not in name):
        candidate = ctypes.CDLL(path)
        if hasattr(candidate, "sqlite3_vfs_find"):
            candidate.sqlite3_libversion.restype = ctypes.c_char_p
            if candidate.sqlite3_libversion().decode() == sqlite3.sqlite_version:
                return candidate
    return None


class Disk:
    """The default VFS, its calls counted, some of which fail."""

    _names = itertools.count()
    _ever: ClassVar[list[Disk]] = []  # a store that is open beyond the block holds pointers into these

    def __init__(self) -> None:
        found = library()
        assert found is not None, "look at `library()` first"
        self._sqlite = found
        self._sqlite.sqlite3_vfs_find.restype = ctypes.POINTER(_Vfs)
        self._lock = threading.Lock()
        self._kept: list[object] = []  # what SQLite holds pointers to
        self._wrapped: dict[int, ctypes.Array[ctypes.c_void_p]] = {}
        self._paths: dict[int, Path] = {}
        self.synced: Callable[[Path], object] = lambda path: None
        self._real = self._sqlite.sqlite3_vfs_find(None)
        self._vfs = _Vfs.from_buffer_copy(self._real.contents)
        self._vfs.name = f"failing-{next(self._names)}".encode()
        self._vfs.open = _OPEN(self._open)
        self._ever.append(self)
        self.heal()

    def __enter__(self) -> Disk:
        assert self._sqlite.sqlite3_vfs_register(ctypes.byref(self._vfs), 1) == 0
        return self

    def __exit__(self, *error: object) -> None:
        self._sqlite.sqlite3_vfs_register(self._real, 1)
        self._sqlite.sqlite3_vfs_unregister(ctypes.byref(self._vfs))

    def fail(self, operation: str, *, code: int, at: int = 1, lasting: bool = True) -> None:
        """Answer `code` to the call number `at` from now on of `operation`; where it is `lasting`, to all after it too."""
        with self._lock:
            self._operation, self._code, self._at, self._lasting = operation, code, at, lasting
            self.failed = 0

    def heal(self) -> None:
        """Let every call through."""
        self.fail("", code=0)

    def _fails(self, operation: str) -> bool:
        with self._lock:
            if operation != self._operation:
                return False
            self._at -= 1
            failing = self._at == 0 or (self._at < 0 and self._lasting)
            self.failed += failing
            return failing

    def _open(self, vfs: int, name: int, file: int, flags: int, out: int) -> int:
        answer = self._real.contents.open(ctypes.addressof(self._real.contents), name, file, flags, out)
        methods = ctypes.cast(file, ctypes.POINTER(_pointer))  # a file begins with the pointer to its methods
        if answer == 0 and methods[0]:
            methods[0] = ctypes.addressof(self._failing(methods[0]))
            self._paths[file] = Path(os.fsdecode(ctypes.string_at(name))) if name else Path()
        return int(answer)

    def _failing(self, real: int) -> ctypes.Array[ctypes.c_void_p]:
        """A copy of a table of methods, with those that may fail in the place of the real ones."""
        with self._lock:
            if real not in self._wrapped:
                table = _Methods()
                length = ctypes.sizeof(_pointer) * (_SLOTS if ctypes.cast(real, ctypes.POINTER(_int))[0] > 2 else 17)
                ctypes.memmove(table, real, length)
                for operation, (slot, arguments) in _METHODS.items():
                    if table[slot]:
                        kind = ctypes.CFUNCTYPE(_int, *arguments)
                        wrapper = kind(self._method(operation, kind(table[slot])))
                        table[slot] = ctypes.cast(wrapper, _pointer).value
                        self._kept.append(wrapper)
                self._wrapped[real] = table
            return self._wrapped[real]

    def _method(self, operation: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(file: int, *arguments: int) -> int:
            # A map of the log's index takes room only where it makes it longer: its third argument says so.
            if (operation != "shm" or arguments[2]) and self._fails(operation):
                if operation == "write" and arguments[1] > 1:  # what fails may have been done in half
                    real(file, arguments[0], arguments[1] // 2, arguments[2])
                return self._code
            answer = real(file, *arguments)
            if operation == "sync" and answer == 0:
                self.synced(self._paths[file])
            return answer

        return call
