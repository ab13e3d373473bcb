"""A run's folder: what was measured with which settings, and every record, one JSON object a line. Nothing else knows file names.

A record is appended and flushed when it is complete, so a run that is killed has lost nothing but what was under way. A record
with an "error" is tried again by the next sitting; of several records with one key the last one counts.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import recollect

from .errors import RunBusy, RunInvalid, RunMismatch, RunUnwritable
from .model import DataSet, Spent

Kind = Literal["ingest", "stored", "search", "unrelated", "answers", "judgements"]
Record: TypeAlias = dict[str, Any]

FORMAT = 1  # of the folder; another one is not read
KEYS: dict[Kind, tuple[str, ...]] = {
    "ingest": ("conversation",),
    "stored": ("conversation", "id"),
    "search": ("question",),
    "unrelated": ("conversation", "question"),
    "answers": ("question",),
    "judgements": ("question", "system"),
}
_MANIFEST, _LOCK = "run.json", "lock"
_NOT_COMPARED = {"started", "selection", "source", "systems", "reader", "judge", "prompts"}


@functools.cache
def code_digest() -> str:
    """A digest of what is measured and of what measures: of one version, too, a changed line may change every number."""
    found = hashlib.sha256()
    for package in (recollect, sys.modules[__package__]):
        root = Path(str(package.__file__)).parent
        for file in sorted(one for one in root.rglob("*") if one.suffix in {".py", ".sql"}):
            found.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return found.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a run is of. A sitting with other values than the folder's is a RunMismatch; more systems may come to it, and a
    reader or a judge where there was none.

    `source`: what the data set was loaded from. `systems`: by slug, each with its `name` and `settings`. `prompts`: ids, by
    phase. `k`: results asked of a search. `max_tokens`: of a context. `unrelated`: questions of other conversations asked in
    each. `selection`: which questions the last sitting asked. `code`: see `code_digest`.
    """

    data: str
    checksum: str
    source: str = ""
    systems: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    reader: str | None = None
    judge: str | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    k: int = 50
    max_tokens: int = 1000
    unrelated: int = 20
    seed: int = 0
    selection: Mapping[str, Any] = field(default_factory=dict)
    started: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    format: int = FORMAT
    recollect: str = field(default_factory=lambda: version("recollect"))
    code: str = field(default_factory=code_digest)

    def joined(self, wanted: Manifest) -> Manifest:
        """This one with what a sitting brings. Raises RunMismatch, which names what differs."""
        mine, theirs = asdict(self), asdict(wanted)
        if self.checksum != wanted.checksum:
            raise RunMismatch(
                f"this run's data is {self.data} (checksum {self.checksum[:12]}…), not {wanted.data}"
                f" ({wanted.checksum[:12]}…): go on with the same, or start another folder"
            )
        for name in (name for name in mine if name not in _NOT_COMPARED):
            _same(name, mine[name], theirs[name])
        for name in ("reader", "judge"):
            if None not in (mine[name], theirs[name]):
                _same(name, mine[name], theirs[name])
        for name, before in ((f"prompt of {phase}", one) for phase, one in self.prompts.items()):
            _same(name, before, wanted.prompts.get(name.removeprefix("prompt of "), before))
        for slug in self.systems.keys() & wanted.systems.keys():
            _same(f"settings of {slug}", _plain(self.systems[slug]), _plain(wanted.systems[slug]))
        return replace(
            self,
            source=wanted.source or self.source,
            systems={**self.systems, **wanted.systems},
            reader=wanted.reader or self.reader,
            judge=wanted.judge or self.judge,
            prompts={**self.prompts, **wanted.prompts},
            selection=wanted.selection,
        )


def _plain(value: Any) -> Any:
    """A value as JSON has it: tuples are lists."""
    return json.loads(json.dumps(value, default=str))


def _same(name: str, before: Any, now: Any) -> None:
    if before != now:
        raise RunMismatch(f"this run's {name} is {before!r}, not {now!r}: go on with the same, or start another folder")


def slug_of(name: str) -> str:
    """A system's name as a folder's: "recollect, rules" is "recollect-rules"."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    if not slug:
        raise RunMismatch(f"a system cannot be called {name!r}: its name needs a letter or a digit")
    return slug


class Run:
    """A run's folder, open. A context manager. May be used from several threads."""

    def __init__(self, folder: Path, manifest: Manifest, lock: IO[str] | None = None) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock
        self._files: dict[Path, IO[bytes]] = {}
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path, wanted: Manifest) -> Run:
        """The run in `folder` to go on with, or a new one. Torn last lines are dropped.

        Raises RunBusy where another process has it open, RunMismatch where it is of something else, RunInvalid, RunUnwritable.
        """
        with _faults():
            folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(folder)
        try:
            manifest = _read_manifest(folder).joined(wanted) if (folder / _MANIFEST).exists() else _new(folder, wanted)
            _write_manifest(folder, manifest)
            with _faults():
                for file in (*folder.glob("*.jsonl"), *folder.glob("systems/*/*.jsonl")):
                    _drop_torn_line(file)
        except BaseException:
            lock.close()
            raise
        return cls(folder, manifest, lock)

    @classmethod
    def read(cls, folder: Path) -> Run:
        """A run to look at: nothing is written, and whoever works on it goes on. Raises RunInvalid."""
        return cls(folder, _read_manifest(folder))

    @classmethod
    def planned(cls, folder: Path, wanted: Manifest) -> Run:
        """A run as it would be gone on with, to look at: nothing is written. Raises RunMismatch, RunInvalid."""
        return cls(folder, _read_manifest(folder).joined(wanted) if (folder / _MANIFEST).exists() else wanted)

    def admit(self, systems: Mapping[str, Mapping[str, Any]]) -> None:
        """Take systems into the manifest. Raises RunMismatch where one is there with other settings, RunUnwritable."""
        self.manifest = self.manifest.joined(replace(self.manifest, systems=systems))
        if self._lock is not None:
            _write_manifest(self.folder, self.manifest)

    def store(self, name: str) -> Path:
        """A folder in which systems may keep what they store."""
        return self.folder / "stores" / slug_of(name)

    def append(self, kind: Kind, record: Record, system: str | None = None) -> None:
        """Write a record, and hand it to the operating system before returning. Raises RunUnwritable; no part stays behind."""
        assert self._lock is not None, "this run was opened to be read"
        line = (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")  # lone surrogates
        path = self._path(kind, system)
        with self._writing, _faults():
            if path not in self._files:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._files[path] = path.open("ab", buffering=0)
            _write_line(self._files[path], line)

    def lines(self, kind: Kind, system: str | None = None) -> list[Record]:
        """All records in their order, those that a later one replaced among them: what was paid is in all. Raises RunInvalid."""
        path = self._path(kind, system)
        try:
            *whole, _torn = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunInvalid(f"{path} cannot be read: {error.strerror}") from None
        return [_parsed(path, number, line) for number, line in enumerate(whole, start=1)]

    def records(self, kind: Kind, system: str | None = None) -> dict[Any, Record]:
        """Records by their key, the last one of each: a string, or a pair for "stored" (conversation, id), "unrelated"
        (conversation, question) and "judgements" (question, system). Judgements of one `system` are by question.

        Raises RunInvalid.
        """
        if kind == "judgements" and system is not None:
            return {key[0]: record for key, record in self.records(kind).items() if key[1] == system}
        fields = KEYS[kind]
        try:
            if len(fields) == 1:
                return {record[fields[0]]: record for record in self.lines(kind, system)}
            return {tuple(record[one] for one in fields): record for record in self.lines(kind, system)}
        except KeyError as error:
            raise RunInvalid(f"{self._path(kind, system)}: a record has no {error}") from None

    def good(self, kind: Kind, system: str | None = None) -> dict[Any, Record]:
        """Records without an error."""
        return {key: record for key, record in self.records(kind, system).items() if "error" not in record}

    def discard(self, kind: Kind, system: str | None, unwanted: Callable[[Record], bool]) -> None:
        """Take records out, such as what an interrupted attempt left. Raises RunUnwritable, RunInvalid."""
        path, records = self._path(kind, system), self.lines(kind, system)
        kept = [record for record in records if not unwanted(record)]
        if len(kept) == len(records):
            return
        with self._writing, _faults():
            if path in self._files:
                self._files.pop(path).close()
            text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in kept)
            _write_whole(path, text)

    def spent(self) -> Spent:
        """What all phases paid so far, attempts that failed among them. Its price is None where that of any call is not known."""
        return sum((spent_of(one) for one in self._paid()), Spent())

    def _paid(self) -> Iterator[Record]:
        for slug in self.manifest.systems:
            yield from self.lines("ingest", slug)
            yield from self.lines("answers", slug)
        yield from self.lines("judgements")

    def close(self) -> None:
        """Let go of the folder."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _path(self, kind: Kind, system: str | None) -> Path:
        if kind == "judgements":
            return self.folder / "judgements.jsonl"
        assert system is not None, f"{kind} records are a system's"
        return self.folder / "systems" / system / f"{kind}.jsonl"


def manifest_of(data: DataSet, **given: Any) -> Manifest:
    """A manifest for a data set."""
    return Manifest(data.name, data.checksum, **given)


def spent_of(record: Record) -> Spent:
    """What a record says was paid."""
    return Spent(**record.get("spent", {}))


# --- files -------------------------------------------------------------------------------------------------------------


def _locked(folder: Path) -> IO[str]:
    """The folder's lock. It is the operating system's, which lets go of it when a process ends, by SIGKILL too."""
    import fcntl

    file = (folder / _LOCK).open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read(20).strip()
        file.close()
        by = f" (process {holder})" if holder.isdecimal() else ""
        raise RunBusy(
            f"another process{by} works on {folder}: wait until it has ended, or use another folder"
        ) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _new(folder: Path, wanted: Manifest) -> Manifest:
    if (folder / "systems").exists() or any(folder.glob("*.jsonl")):
        raise RunInvalid(f"{folder} has records and no {_MANIFEST}: put it back, or use another folder")
    return wanted


def _read_manifest(folder: Path) -> Manifest:
    path = folder / _MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            raise RunMismatch(f"{folder} is of format {document['format']!r}, and this recollect reads {FORMAT}")
        return Manifest(**document)
    except (FileNotFoundError, NotADirectoryError):
        raise RunInvalid(f"{folder} is no run: it has no {_MANIFEST}") from None
    except (ValueError, KeyError, TypeError):
        raise RunInvalid(f"{path} is damaged: it is no manifest of a run") from None
    except OSError as error:
        raise RunInvalid(f"{path} cannot be read: {error.strerror}") from None


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    with _faults():
        _write_whole(folder / _MANIFEST, json.dumps(asdict(manifest), indent=1, default=str) + "\n")


def _parsed(path: Path, number: int, line: bytes) -> Record:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise RunInvalid(f"{path}, line {number} is damaged: take the line out, and run again to make up for it")
    return record


def _drop_torn_line(path: Path) -> None:
    """Cut off what a killed process had not written to its end."""
    with path.open("r+b") as file:
        content = file.read()
        if content and not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)


def _write_line(file: IO[bytes], line: bytes) -> None:
    start, left = file.seek(0, os.SEEK_END), memoryview(line)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError:
        with contextlib.suppress(OSError):  # what remains of the line is dropped when the run is opened again
            file.truncate(start)
        raise


def _write_whole(path: Path, text: str) -> None:
    """A file, or nothing of it."""
    part = path.with_suffix(".part")
    part.write_bytes(text.encode("utf-8", "backslashreplace"))
    part.replace(path)


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunUnwritable(f"the run cannot be written: {error.strerror or type(error).__name__}") from error
