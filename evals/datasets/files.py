"""Data files: found, opened plain or gzipped, hashed. What is wrong with one is said in words that tell what to do."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files as resources
from pathlib import Path
from typing import IO, Any, cast

from ..errors import DataSetInvalid

SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
HEAD = 65_536  # bytes by which a format is recognised
CUT_OFF = "it was cut off or damaged on its way here: get it again"
_TOLD = 20  # problems in one message

# What arrives instead of the data, by how it starts.
_STRANGERS = {
    b"version https://git-lfs": "is a pointer of Git LFS, not the data: run `git lfs pull` where it was cloned",
    b"<": "is a web page, not the data: the download was answered by a site; get the file itself",
    b"PAR1": "is Parquet; only JSON is read: take the JSON files of the same release",
    b"PK\x03\x04": "is a zip archive: unpack it first",
}


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked where it is gzipped, whatever its name.

    Raises DataSetInvalid for what the disk or gzip has against it, while it is opened or read.
    """
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        raise DataSetInvalid(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'not a path'}") from None
    try:
        with file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                yield file
            else:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield cast(IO[bytes], unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataSetInvalid(f"{path}: the gzip file ends too early or is not whole; {CUT_OFF}") from None
    except OSError as error:
        raise DataSetInvalid(f"{path} cannot be read: {error.strerror}") from None


def content(path: Path) -> bytes:
    """All of it, unpacked. Raises DataSetInvalid where there is nothing, or something that cannot be data."""
    with opened(path) as file:
        data = file.read()
    refuse_strangers(path, data[:HEAD])
    return data


def head(path: Path) -> str:
    """How it starts. What is cut at its end, or is no UTF-8, is left out: this is for recognising it."""
    with opened(path) as file:
        data = file.read(HEAD)
    refuse_strangers(path, data)
    return data.decode("utf-8-sig", errors="ignore")


def refuse_strangers(path: Path, start: bytes) -> None:
    """Raise DataSetInvalid for an empty file, and for what often arrives in place of one."""
    if not start.strip():
        raise DataSetInvalid(f"{path} is empty; {CUT_OFF}")
    for beginning, problem in _STRANGERS.items():
        if start.lstrip().startswith(beginning):
            raise DataSetInvalid(f"{path} {problem}")


def document(path: Path, data: bytes) -> Any:
    """JSON. Raises DataSetInvalid with the line where it ends to be that."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise DataSetInvalid(
                f"{path}:{error.lineno}: has more behind its end; is it of another format, such as JSON lines?"
            ) from None
        raise DataSetInvalid(f"{path}:{error.lineno}: is not JSON ({fault(error)}); {CUT_OFF}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataSetInvalid(f"{path}:{line}: is not UTF-8; {CUT_OFF}") from None
    except (RecursionError, ValueError):
        raise DataSetInvalid(
            f"{path}: is not JSON that can be read (nested too deeply, or a number too long)"
        ) from None


def fault(error: json.JSONDecodeError) -> str:
    """What is wrong with it, without the place."""
    return error.msg.removesuffix(" starting at")


def lines(path: Path, data: bytes) -> Iterator[tuple[int, Any]]:
    """JSON lines with their numbers, from 1; blank ones are passed over. Raises DataSetInvalid at the first that is not JSON."""
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise DataSetInvalid(f"{path}:{number}: is not JSON; {CUT_OFF}") from None


def listed(path: Path) -> list[Path]:
    """The data files of a folder, by name and with numbers in their order; or the file itself.

    Raises DataSetInvalid where there are none.
    """
    if not path.is_dir():
        return [path]
    found = [one for one in entries(path) if one.name.endswith(SUFFIXES) and one.is_file()]
    if not found:
        raise DataSetInvalid(f"{path} holds no data file ({', '.join('*' + suffix for suffix in SUFFIXES)})")
    return found


def entries(folder: Path) -> list[Path]:
    """What is in a folder, by name and with numbers in their order. Raises DataSetInvalid where it may not be looked into."""
    try:
        return sorted(folder.iterdir(), key=natural)
    except OSError as error:
        raise DataSetInvalid(f"{folder} cannot be read: {error.strerror}") from None


def single(path: Path) -> Path:
    """The one data file that is meant. Raises DataSetInvalid where a folder has several."""
    found = listed(path)
    if len(found) > 1:
        raise DataSetInvalid(f"{path} holds several data files; name one of {', '.join(one.name for one in found)}")
    return found[0]


def natural(path: Path) -> tuple[object, ...]:
    """A sort key by which 2 comes before 10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", path.name))


def stem(path: Path) -> str:
    """A file's name without what tells its form; a folder's whole name."""
    return re.sub(r"(\.jsonl?)?(\.gz)?$", "", path.resolve().name)


def digest(read: Iterable[tuple[Path, str]]) -> str:
    """One checksum for all that was read: that of a single file, else one over the lines "checksum  name"."""
    read = list(read)
    if len(read) == 1:
        return read[0][1]
    lines = "".join(f"{checksum}  {path.name}\n" for path, checksum in read)
    return sha256(lines.encode())


class Hashed:
    """A stream that is hashed as it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._hash = hashlib.sha256()
        self._peeked = b""

    def peek(self) -> bytes:
        """How it starts; it is read nevertheless."""
        self._peeked = self._peeked or self.read(HEAD)
        return self._peeked

    def read(self, size: int) -> bytes:
        """Up to so many further bytes."""
        if self._peeked:
            data, self._peeked = self._peeked, b""
            return data
        data = self._stream.read(size)
        self._hash.update(data)
        return data

    @property
    def checksum(self) -> str:
        """Of what was read, in hex."""
        return self._hash.hexdigest()


def sha256(data: bytes) -> str:
    """In hex."""
    return hashlib.sha256(data).hexdigest()


@functools.cache
def known() -> dict[str, dict[str, str]]:
    """Published files by name: their `sha256`, unpacked, and the `source` that it was taken from."""
    text = (resources(__package__) / "checksums.json").read_text(encoding="utf-8")
    table: dict[str, dict[str, str]] = json.loads(text)
    return table


def unlike_published(path: Path, checksum: str) -> list[str]:
    """A warning where a file has the name of a published one and another checksum."""
    published = known().get(path.name.removesuffix(".gz"))
    if published is None or published["sha256"] == checksum:
        return []
    return [
        f"{path.name}: its sha256 is {checksum[:12]}…, that of {published['source']} is {published['sha256'][:12]}…: "
        "what is measured on it cannot be compared with what others measured"
    ]


def invalid(problems: Sequence[str]) -> DataSetInvalid:
    """One error for several problems, a line each."""
    more = [f"… and {len(problems) - _TOLD} more"] if len(problems) > _TOLD else []
    return DataSetInvalid("\n".join([*problems[:_TOLD], *more]))


def located(source: str | Path) -> Path:
    """A path that is there: as it stands, else below `$RECOLLECT_DATA`. Raises DataSetInvalid."""
    path, home = Path(source), os.environ.get("RECOLLECT_DATA")
    try:
        candidates = [path, *([Path(home) / path] if home and not path.is_absolute() else [])]
        found = next((one for one in candidates if one.exists()), None)
    except (OSError, ValueError):
        raise DataSetInvalid(f"{str(source)[:200]!r} is not a path") from None
    if found is None:
        where = " or ".join(str(one) for one in candidates)
        raise DataSetInvalid(
            f"{where} is not there; name a file, a folder (also below $RECOLLECT_DATA), or a shipped set: recollect eval datasets"
        )
    return found
