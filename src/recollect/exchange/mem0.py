"""What another memory has, mem0: its library reads its store in a process of its own, and each memory comes in as it stands.

Nothing of mem0's is imported or unpickled here. The process gets no key of the caller's, and what it says is checked like any
input.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from .. import check
from ..errors import ImportInvalid, InvalidInput, MissingExtra
from ..model import Message, Role

READER = Path(__file__).parents[1] / "workers" / "mem0_reader.py"
PATIENCE = 600.0  # seconds that the reader may be silent
MAX_VERSIONS = 100  # of a memory; the last ones
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE", "OMP_NUM_THREADS")
INSTALL = "python3 -m venv ~/mem0-env && ~/mem0-env/bin/pip install mem0ai"


# --- what it says --------------------------------------------------------------------------------------------------------


class _Event(BaseModel):
    """A line of a memory's history."""

    event: str | None = None
    old_memory: str | None = None
    new_memory: str | None = None
    created_at: str | None = None
    updated_at: str | None = None


class _Memory(BaseModel):
    """A memory, as mem0's `get_all` tells it."""

    id: str = Field(min_length=1, max_length=check.MAX_ID - 20)
    memory: str
    user_id: str | None = None
    agent_id: str | None = None
    run_id: str | None = None
    actor_id: str | None = None
    role: str | None = None
    attributed_to: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    expiration_date: str | None = None
    metadata: dict[str, Any] | None = None


class _Line(BaseModel):
    memory: _Memory | None = None
    history: list[_Event] = []
    end: int | None = None
    error: str | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """A memory of mem0's as it comes in: what it said, from when on, and where it is from. `problems`: what could not be kept."""

    id: str
    user_id: str | None
    agent_id: str | None
    session_id: str | None
    versions: tuple[Message, ...]
    metadata: dict[str, Any]
    expires_at: datetime | None
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A memory of mem0's that cannot come in, by its id there, and why."""

    id: str
    reason: str


def foreign(line: _Line) -> Foreign:
    """A memory, checked. Raises InvalidInput where it cannot come in."""
    told = line.memory
    if told is None:
        raise InvalidInput("memory", "is missing")
    problems: list[str] = []
    versions = _versions(told, line.history, problems)
    return Foreign(
        id=told.id,
        user_id=check.maybe_identifier("user_id", told.user_id or None),
        agent_id=check.maybe_identifier("agent_id", told.agent_id or None),
        session_id=check.maybe_identifier("run_id", told.run_id or None),
        versions=versions,
        metadata=_metadata(told, problems),
        expires_at=_expiry(told.expiration_date, problems),
        problems=tuple(problems),
    )


def _versions(told: _Memory, history: list[_Event], problems: list[str]) -> tuple[Message, ...]:
    """What a memory said, one after the other, with the time of each. The last one is what it says now, whatever its history
    has."""
    role = Role.ASSISTANT if Role.ASSISTANT.value in (told.role, told.attributed_to) else Role.USER
    steps = [one for one in history if one.event in ("ADD", "UPDATE") and one.new_memory]
    steps.sort(key=lambda one: (one.event == "UPDATE", one.updated_at or ""))
    said = [(one.new_memory or "", one.created_at if one.event == "ADD" else one.updated_at) for one in steps]
    if not said or said[-1][0] != told.memory:
        said.append((told.memory, told.updated_at if said else told.created_at))
    kept: list[Message] = []
    for text, at in said:
        message = Message(role, check.text("memory", text), None, _time(at, problems))
        if not kept or kept[-1].content != message.content:
            kept.append(message)
    if len(kept) > MAX_VERSIONS:
        problems.append(f"its {len(kept) - MAX_VERSIONS} oldest versions: more than {MAX_VERSIONS}")
    return tuple(kept[-MAX_VERSIONS:])


def _time(value: str | None, problems: list[str]) -> datetime | None:
    try:
        return check.spoken("time", value)
    except InvalidInput:
        problems.append("a time that does not parse")
        return None


def _metadata(told: _Memory, problems: list[str]) -> dict[str, Any]:
    """Its own, with where it is from. Its own `source` stays."""
    origin = {
        "mem0_id": told.id,
        "mem0_created_at": told.created_at,
        "mem0_updated_at": told.updated_at,
        "mem0_actor_id": told.actor_id,
    }
    from_here = {name: value for name, value in origin.items() if value is not None}
    try:
        return check.metadata("metadata", {"source": "mem0", **(told.metadata or {}), **from_here})
    except InvalidInput as error:
        problems.append(f"its metadata: {error.problem}")
        return check.metadata("metadata", {"source": "mem0", **from_here})


def _expiry(day: str | None, problems: list[str]) -> datetime | None:
    """The end of the last day on which mem0 serves it."""
    if day is None:
        return None
    try:
        return datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        problems.append("its expiration date, which does not parse")
        return None


# --- the process ---------------------------------------------------------------------------------------------------------


class Reader:
    """A process that reads a mem0 store, and its lines. Blocking."""

    def __init__(self, process: subprocess.Popen[bytes], patience: float) -> None:
        self._process, self._patience = process, patience
        self._lines: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self._stopped = threading.Event()
        threading.Thread(target=self._read, name="recollect-mem0", daemon=True).start()

    def _read(self) -> None:
        with self._process.stdout as out:  # type: ignore[union-attr]  # a pipe, see `reading`
            for line in out:
                self._hand_over(line)
        self._hand_over(b"")

    def _hand_over(self, line: bytes) -> None:
        while not self._stopped.is_set():
            try:
                self._lines.put(line, timeout=0.2)
                return
            except queue.Full:
                continue

    def next(self) -> Foreign | Refused | None:
        """The next memory, or why it cannot come in; None at the end. Raises ImportInvalid, MissingExtra."""
        line = self._line()
        if line.error == "missing":
            raise MissingExtra(f"the named Python lacks {line.module!r}: {INSTALL}")
        if line.error is not None:
            told = f"mem0 raised {line.error} while it read its store"
            raise ImportInvalid(f"{told}: is the configuration the one that it was written with?")
        if line.end is not None:
            return None
        try:
            return foreign(line)
        except InvalidInput as error:
            return Refused("" if line.memory is None else line.memory.id, str(error))

    def _line(self) -> _Line:
        try:
            raw = self._lines.get(timeout=self._patience)
        except queue.Empty:
            raise ImportInvalid(f"mem0 was silent for {self._patience:g} seconds") from None
        if not raw:
            raise ImportInvalid("mem0's process ended before it had told everything")
        try:
            return _Line.model_validate_json(raw)
        except ValidationError:
            raise ImportInvalid("mem0's process said what is no memory") from None

    def stop(self) -> None:
        """End the process, and wait for it."""
        self._stopped.set()
        self._process.kill()
        self._process.wait()


@contextmanager
def reading(python: Path, config: Path, patience: float = PATIENCE) -> Iterator[Reader]:
    """Start the process; it is gone afterwards, whatever happens. Ctrl-C does not reach it, and of the environment it gets what a
    program needs, and no keys. Raises InvalidInput, MissingExtra."""
    _refuse(config)
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="recollect-mem0-") as folder:
        try:
            process = subprocess.Popen(  # noqa: S603 -- a script of ours, by the Python that the caller names
                [str(python), "-u", str(READER), str(config), folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise MissingExtra(f"{python} cannot be run ({error.strerror}): {INSTALL}") from error
        reader = Reader(process, patience)
        try:
            yield reader
        finally:
            reader.stop()


def _refuse(config: Path) -> None:
    """What is surely no configuration."""
    try:
        told = json.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput("config", f"{config} cannot be read: {error.strerror}") from None
    except ValueError:
        raise InvalidInput("config", f"{config} is not JSON") from None
    if not isinstance(told, dict) or not isinstance(told.get("vector_store"), dict):
        raise InvalidInput("config", "needs the vector_store that mem0 was configured with")
