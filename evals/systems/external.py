"""A rival in an environment and process of its own: asked over its standard input, one JSON object a line.

The protocol is in `workers/worker_protocol.py`. A worker that ends, is silent for too long or says what is no answer is stopped,
and what was asked is a SystemFailed; the next question starts it again, on the folder that it keeps its state in.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ..errors import ExtraMissing, SystemFailed
from ..model import Conversation, Found, Ingested, Packed, Question, Spent, Stored, Turn
from .plain import unknown
from .texts import Part, packed

WORKERS = Path(__file__).parent / "workers"
PATIENCE = 600.0  # seconds that a worker may be silent, its own retries of a model included
GRACE = 10.0  # seconds to end in, when told to close
DEPTH = 100  # results that a context is packed from
_PASSED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "SSL_CERT_FILE", "OMP_NUM_THREADS")


class Worker:
    """A process that answers one request at a time. `folder` gets its log, which may have content."""

    def __init__(self, python: Path, script: Path, folder: Path, patience: float = PATIENCE) -> None:
        self._command = [str(python), "-u", str(script)]
        self._folder, self._patience = folder, patience
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._number = 0

    @property
    def running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process. Ctrl-C does not reach it: what is under way ends. Of the environment it gets what a program needs,
        and no keys. Raises ExtraMissing."""
        self._folder.mkdir(parents=True, exist_ok=True)
        environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise ExtraMissing(f"{self._command[0]} cannot be run: {error.strerror}") from error
        self._lines = queue.SimpleQueue()
        _in_thread(_read, self._process, self._lines)

    def ask(self, do: str, **fields: Any) -> Any:
        """The answer to a request. Raises WorkerError for an error of the worker's, SystemFailed where it does not answer."""
        assert self._process is not None
        self._number += 1
        _in_thread(_write, self._process, json.dumps({"id": self._number, "do": do, **fields}).encode() + b"\n")
        while True:
            said = self._said()
            if said.get("id") != self._number:
                raise self._failed("said what is no answer")
            if "answer" in said:
                return said["answer"]
            if isinstance(told := said.get("error"), Mapping):
                raise WorkerError(str(told.get("type")), self._log)
            if "progress" not in said:
                raise self._failed("said what is no answer")

    def _said(self) -> Mapping[str, Any]:
        """The next line."""
        try:
            line = self._lines.get(timeout=self._patience)
        except queue.Empty:
            raise self._failed(f"was silent for {self._patience:g} seconds") from None
        if not line:
            raise self._failed(f"ended (exit status {self.stop(GRACE)})")
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise self._failed("said what is no answer")
        return said

    def _failed(self, what: str) -> SystemFailed:
        self.stop()
        return SystemFailed(f"the worker {what}; what it said is in {self._log}")

    @property
    def _log(self) -> Path:
        return self._folder / "worker.log"

    def stop(self, grace: float = 0.0) -> int | None:
        """End the process, by force where it does not end by itself within `grace` seconds; its exit status."""
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            code = process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        with suppress(OSError):  # what was not written is of no use any more
            process.stdin.close()  # type: ignore[union-attr]  # a pipe, see `start`
        return code


def _in_thread(function: Callable[..., None], *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, name="eval-worker", daemon=True).start()


def _write(process: subprocess.Popen[bytes], request: bytes) -> None:
    """Hand over a request. One that is not taken is seen by the silence after it."""
    with suppress(OSError, ValueError):  # the worker ended; reading tells
        process.stdin.write(request)  # type: ignore[union-attr]  # a pipe, see `Worker.start`
        process.stdin.flush()  # type: ignore[union-attr]


def _read(process: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Hand over what a worker says, and an empty line at its end."""
    with process.stdout as out:  # type: ignore[union-attr]  # a pipe, see `Worker.start`
        for line in out:
            lines.put(line)
    lines.put(b"")


class WorkerError(SystemFailed):
    """The rival raised. Its own words may quote a conversation: they are in the worker's log."""

    def __init__(self, kind: str, log: Path) -> None:
        super().__init__(f"the worker raised {kind}; what it said is in {log}")
        self.kind = kind


class External:
    """A rival behind a `Worker`. `opening`: what its `open` is asked with, every time that it is started.

    Its `open` answers a mapping that becomes part of the settings. Contexts are packed here, from its search results.
    """

    def __init__(
        self,
        name: str,
        worker: Worker,
        opening: Mapping[str, object],
        settings: Mapping[str, object],
        *,
        install: Sequence[str],
    ) -> None:
        self.name = name
        self._worker, self._opening, self._install = worker, opening, install
        self._lock = threading.Lock()
        self._ingested: dict[str, dict[str, datetime | None]] = {}
        with self._lock:
            self.settings: Mapping[str, object] = {**settings, **self._open()}

    def _open(self) -> dict[str, object]:
        """Start the worker. Raises ExtraMissing where the rival is not installed, SystemFailed."""
        self._worker.start()
        try:
            told = self._worker.ask("open", **self._opening)
        except WorkerError as error:
            self._worker.stop()
            if error.kind in ("ModuleNotFoundError", "ImportError", "PackageNotFoundError"):
                raise missing(self.name, self._install) from error
            raise
        return dict(told) if isinstance(told, dict) else {}

    def _ask(self, do: str, **fields: Any) -> Any:
        with self._lock:
            if not self._worker.running:
                self._open()
            return self._worker.ask(do, **fields)

    def ingest(self, conversation: Conversation) -> Ingested:
        """See `System`; the worker knows what it has already."""
        began = time.perf_counter()
        told = self._ask("ingest", conversation=as_json(conversation))
        self._ingested[conversation.id] = {turn.id: turn.said_at for turn in conversation.turns}
        with self._understood():
            price = None if told["spent"].get("calls") else 0.0  # unless the worker knows it
            spent = Spent(**{"usd": price, **told["spent"]}) + Spent(seconds=time.perf_counter() - began)
            return Ingested(int(told["memories"]), spent, dict(told.get("rejected", {})))

    def search(self, conversation_id: str, question: Question, limit: int) -> list[Found]:
        """The rival's results in its order."""
        with self._understood():
            return [
                Found("memory", str(one["id"]), str(one["text"]), tuple(one["turns"]), one.get("score"))
                for one in self._results(conversation_id, question, limit)
            ]

    def context(self, conversation_id: str, question: Question, max_tokens: int) -> Packed:
        """The best results that fit, in the order of time, each with its day."""
        with self._understood():
            results = self._results(conversation_id, question, DEPTH)
            return packed((_part(one) for one in results), max_tokens)

    def stored(self, conversation_id: str) -> list[Stored]:
        """All memories that the rival tells of."""
        self._known(conversation_id)
        with self._understood():
            told = self._ask("stored", conversation=conversation_id)
            return [Stored(str(one["id"]), str(one["text"]), tuple(one["turns"]), bool(one["live"])) for one in told]

    def close(self) -> None:
        """End the worker, by force where it does not end by itself."""
        with self._lock:
            if self._worker.running:
                with suppress(SystemFailed):  # it ends either way
                    self._worker.ask("close")
                self._worker.stop(GRACE)

    def _results(self, conversation_id: str, question: Question, limit: int) -> list[dict[str, Any]]:
        """Results of what had been said when the question is asked: those of later turns alone are passed over."""
        said = self._known(conversation_id)
        asked = {"conversation": conversation_id, "question": question.text, "asked_at": _iso(question.asked_at)}
        found: list[dict[str, Any]] = list(self._ask("search", **asked, limit=limit))
        return [one for one in found[:limit] if _heard(question, [said.get(turn) for turn in one["turns"]])]

    def _known(self, conversation_id: str) -> dict[str, datetime | None]:
        """When each turn of a conversation was said."""
        if conversation_id not in self._ingested:
            raise unknown(conversation_id)
        return self._ingested[conversation_id]

    @contextmanager
    def _understood(self) -> Iterator[None]:
        """Say so where an answer has another shape than the protocol's."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise SystemFailed(f"the worker of {self.name} said what is no answer ({type(error).__name__})") from error


def missing(name: str, install: Sequence[str]) -> ExtraMissing:
    """The error for a rival that is not installed, with the commands that install it."""
    return ExtraMissing(f"{name} needs an environment of its own: {' && '.join(install)}")


def as_json(conversation: Conversation) -> dict[str, Any]:
    """A conversation as workers get it."""
    sessions = [{"id": one.id, "turns": [_turn(turn) for turn in one.turns]} for one in conversation.sessions]
    return {"id": conversation.id, "sessions": sessions}


def _turn(turn: Turn) -> dict[str, Any]:
    return {"id": turn.id, "speaker": turn.speaker, "role": turn.role, "text": turn.text, "at": _iso(turn.said_at)}


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _heard(question: Question, said: Sequence[datetime | None]) -> bool:
    if question.asked_at is None or not said:
        return True
    return any(time is None or time <= question.asked_at for time in said)


def _part(result: Mapping[str, Any]) -> Part:
    day = f"[{str(result['at'])[:10]}] " if result.get("at") else ""
    return Part.of(f"- {day}{result['text']}", tuple(result["turns"]), str(result.get("at") or ""))
