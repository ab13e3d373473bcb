"""What all commands share: the options, the store, standard output, and how errors end a command."""

from __future__ import annotations

import copy
import functools
import inspect
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from rich.console import Console

    from ... import Memory
    from ...trace import Listener
    from .settings import Won

DEFAULT_USER = "default"
RULES = "rules"  # as `build` has it, which is not imported for a --help
NO_KEY = (
    "--api-base needs a key of its own: set $RECOLLECT_API_KEY, or pass --api-key none where the server wants none (a provider's"
    " key in the environment is never sent to an address that you name)"
)
ENDLESS = 100_000  # columns
FAULT, BAD_INPUT, NOT_FOUND, INTERRUPTED, TERMINATED = 1, 2, 3, 130, 143
ClickException = cast(type[Exception], typer.BadParameter.__mro__[2])  # public under no name that all versions share

STORE_FILES = "ledger.sqlite3*"  # as `adapters.database` has it
_WHOLE = 32  # hex digits of an id; four do to name one
_ID = re.compile(rf"(?:mem|chg|turn|batch)_[0-9a-f]{{4,{_WHOLE}}}")

_PANEL, _MODELS = "Common options", "Models (docs/models.md)"


def _option(name: str, told: str, panel: str = _PANEL, **more: Any) -> Any:
    return typer.Option(name, help=told, rich_help_panel=panel, **more)


# Name → type, and what stands in the help. What is None, False or () was not said.
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "store": (
        Path | None,
        _option("--store", "The store's folder (default: $RECOLLECT_HOME or the data folder)", metavar="PATH"),
    ),
    "user": (
        str | None,
        _option("--user", "Whose memories (default: $RECOLLECT_USER, else the user named default)", metavar="ID"),
    ),
    "json": (bool, _option("--json", "Answer in JSON (docs/cli.md)")),
    "config": (
        Path | None,
        _option("--config", "The settings file (default: $RECOLLECT_CONFIG; see `recollect config`)", metavar="FILE"),
    ),
    "no_redact": (
        bool,
        _option("--no-redact", "Keep secrets of known formats (keys, tokens, card numbers …), which are left out otherwise"),
    ),
    "actor": (str | None, _option("--actor", "Who does this, for the audit", metavar="NAME")),
    "debug": (bool, _option("--debug", "Show the traceback of an error")),
    "llm": (
        str | None,
        _option(
            "--llm",
            "The language model, such as openai/gpt-5-mini; 'rules' is offline (default: $RECOLLECT_LLM or rules)",
            _MODELS,
            metavar="NAME",
        ),
    ),
    "api_base": (str | None, _option("--api-base", "A server of your own; needs a key of its own", _MODELS, metavar="URL")),
    "api_key": (
        str | None,
        _option(
            "--api-key",
            "Better set $RECOLLECT_API_KEY: a key on the command line is seen by `ps` and kept by the shell",
            _MODELS,
            metavar="KEY",
        ),
    ),
    "mode": (str | None, _option("--mode", "How to ask for JSON: json_schema, tools or md_json", _MODELS)),
    "timeout": (float | None, _option("--timeout", "Seconds for one request (default: 60)", _MODELS)),
    "budget": (
        list[str] | None,
        _option(
            "--budget",
            "A limit: calls=200, tokens=2000000 or cost=1.50 of this run, add.calls=20 of one add, day.cost=5 of a day;"
            " may be repeated",
            _MODELS,
            metavar="LIMIT=NUMBER",
        ),
    ),
    "instructions": (
        str | None,
        _option("--instructions", "What to remember and what to leave out", _MODELS, metavar="TEXT"),
    ),
    "embedder": (
        str | None,
        _option(
            "--embedder", "Of a new store, such as openai/text-embedding-3-small (default: minilm)", _MODELS, metavar="NAME"
        ),
    ),
    "embedder_api_base": (str | None, _option("--embedder-api-base", "A server of your own", _MODELS, metavar="URL")),
    "embedder_api_key": (
        str | None,
        _option("--embedder-api-key", "Better set $RECOLLECT_EMBEDDER_API_KEY", _MODELS, metavar="KEY"),
    ),
    "rerank": (
        str | None,
        _option(
            "--rerank",
            "What puts the best 30 hits in order, such as cross-encoder/ms-marco-MiniLM-L6-v2 or cohere/rerank-v3.5",
            _MODELS,
            metavar="NAME",
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Common:
    """The common options of one call, as they were said: those after the command win over those before it. What holds where
    one was not said is in the environment, in the settings file, or a default: `value`."""

    store: Path | None = None
    user: str | None = None
    json: bool = False
    config: Path | None = None
    no_redact: bool = False
    actor: str | None = None
    debug: bool = False
    llm: str | None = None
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    mode: str | None = None
    timeout: float | None = None
    budget: list[str] | None = None
    instructions: str | None = None
    embedder: str | None = None
    embedder_api_base: str | None = None
    embedder_api_key: str | None = field(default=None, repr=False)
    rerank: str | None = None

    _won: dict[str, Won] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def settings(self) -> dict[str, Won]:
        """Every setting, and what won. Raises InvalidInput where the settings file, or a variable, is wrong."""
        if not self._won:
            from . import settings

            flags = {name: getattr(self, name, None) for name in settings.KINDS}
            flags |= {"redact": False if self.no_redact else None, "budget": self.budget or None}
            self._won.update(settings.resolve(flags, settings.read(self.config)))
        return self._won

    def value(self, name: str) -> Any:
        """What holds for a setting: by flag, environment or file; None where nobody said."""
        return self.settings[name].value

    @property
    def user_id(self) -> str:
        """Whose memories a verb that needs a user works on."""
        user: str | None = self.value("user")
        return DEFAULT_USER if user is None else user

    @property
    def owner(self) -> dict[str, str]:
        """For verbs by id: without `--user` the caller is the operator, and any user's id is good."""
        return {} if self.user is None else {"user_id": self.user}

    def over(self, before: Common) -> Common:
        """These options, filled up with those that stood before the command."""
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return replace(
            before,
            **{name: value for name, value in said.items() if not (value is None or value is False or value == [])},
        )

    @property
    def model(self) -> str | None:
        """The language model's name; None where there is none, and the rules work."""
        name: str | None = self.value("llm")
        return None if name in (None, "", RULES) else name

    @property
    def key(self) -> str | None:
        """The model's key."""
        return self.value("api_key") or None

    def folder(self) -> Path:
        """Where the store is, or would be."""
        from ...build import folder_of

        return folder_of(self.value("store"))

    def open(self, on_event: Listener | None = None) -> Memory:
        """The store, made where there is none."""
        from ...errors import EmbeddingModelMismatch, ModelConfigError

        if self.model and self.value("api_base") and not self.key:
            raise ModelConfigError(NO_KEY)
        self._warn()
        try:
            return self._opened(self.value("embedder"), on_event)
        except EmbeddingModelMismatch:
            if self.embedder is not None:
                raise
            return self._opened(None, on_event)  # a setting is a wish for new stores; this one has its own

    def _opened(self, embedder: str | None, on_event: Listener | None) -> Memory:
        from ... import Memory

        return Memory(
            self.value("store"),
            llm=self.value("llm"),
            api_base=self.value("api_base"),
            api_key=self.key,
            mode=self.value("mode"),
            timeout=self.value("timeout"),
            budget=limits_of(self.value("budget") or ()),
            instructions=self.value("instructions") or None,
            redact=self.value("redact") is not False,
            actor=self.value("actor"),
            embedder=embedder,
            embedder_api_base=self.value("embedder_api_base"),
            embedder_api_key=self.value("embedder_api_key") or None,
            reranker=self.value("rerank") or None,
            on_event=on_event,
        )

    def _warn(self) -> None:
        """Say what is amiss with the settings file, unless a script reads."""
        from .settings import read

        for warning in () if self.json else read(self.config).warnings:
            say(f"warning: {warning}", stderr=True)

    def has_store(self) -> bool:
        """Whether there is a store, or what is left of one. Raises InvalidInput where that cannot be told."""
        from ...errors import InvalidInput

        try:
            return any(self.folder().glob(STORE_FILES))
        except OSError as error:
            raise InvalidInput("--store", f"{self.folder()} cannot be looked into: {error.strerror}") from None

    def existing(self, on_event: Listener | None = None) -> Memory:
        """The store that is there: asking makes none. Raises InvalidInput."""
        from ...errors import InvalidInput

        if not self.has_store():
            way = "name another by --store, or `recollect add` something"
            raise InvalidInput("--store", f"there is no store in {self.folder()}: {way}")
        return self.open(on_event)

    @contextmanager
    def open_or_try(self, on_event: Listener | None = None, *, dry: bool) -> Iterator[Memory]:
        """The store, made where there is none; for a dry run, which makes none, one that is gone afterwards."""
        if not dry or self.has_store():
            with self.open(on_event) as memory:
                yield memory
            return
        with (
            tempfile.TemporaryDirectory(prefix="recollect-") as folder,
            replace(self, store=Path(folder)).open(on_event) as memory,
        ):
            yield memory

    def whole_id(self, memory: Memory, said: str, argument: str = "ID") -> str:
        """The id that begins so. Raises NotFound, and InvalidInput where several do, or where it is no id."""
        from ...errors import InvalidInput

        if not _ID.fullmatch(said):
            raise InvalidInput(
                argument, f"{said[:40]!r} is no id; one is like mem_1f83c2d0 (`recollect list` shows them)"
            )
        return said if len(said) == _WHOLE + said.index("_") + 1 else memory.find_id(said, **self.owner)

    def console(self) -> Console:
        """Where people read: nothing in what is printed becomes markup, an emoji or a highlighted number by itself."""
        return console()

    def answer(self, value: Any) -> None:
        """The one JSON document of a command."""
        from .safe import as_json

        put(as_json(value))


def limits_of(said: Sequence[str]) -> dict[str, dict[str, float]] | None:
    """`--budget` as `Memory` takes it: "calls=200" is per run, "day.cost=1.5" per day, "add.tokens=9000" per add."""
    limits: dict[str, dict[str, float]] = {}
    for one in said:
        period, measure, number = _limit(one)
        if measure in limits.setdefault(period, {}):
            raise typer.BadParameter(
                f"{one!r} comes on top of another limit of {period}.{measure}", param_hint="--budget"
            )
        limits[period][measure] = number
    return limits or None


def _limit(said: str) -> tuple[str, str, float]:
    match = re.fullmatch(r"(?:(add|day|run)\.)?(calls|tokens|cost)=(\d[\d_]*(?:\.\d+)?)", said.strip())
    if match is None or (match[2] != "cost" and "." in match[3]):
        known = "calls=200, tokens=2000000, cost=1.50, and the same after add., day. or run."
        raise typer.BadParameter(f"{said!r} is no limit; there are {known}", param_hint="--budget")
    if match[2] == "cost":
        return match[1] or "run", "cost_usd", float(match[3])
    return match[1] or "run", match[2], int(match[3])


def console(*, stderr: bool = False) -> Console:
    """A rich console that shows text as it is. Where no terminal is, nobody's lines are folded."""
    from rich.console import Console

    width = None if (sys.stderr if stderr else sys.stdout).isatty() else ENDLESS
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False, width=width)


def put(text: str, *, stderr: bool = False) -> None:
    """Bare output, a line or several, whatever the terminal's encoding; nothing in it steers the terminal."""
    from .safe import shown

    stream = sys.stderr if stderr else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(shown(text).encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def say(text: str, *, stderr: bool = False) -> None:
    """Sentences for people: on a terminal each line is folded between words."""
    if (sys.stderr if stderr else sys.stdout).isatty():
        columns = max(20, shutil.get_terminal_size().columns - 1)
        text = "\n".join(folded(line, columns) for line in text.split("\n"))
    put(text, stderr=stderr)


def folded(line: str, columns: int) -> str:
    """A line as several, none wider than that, but for a word that is wider by itself."""
    if line.isascii():
        return textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)
    from rich.cells import cell_len  # letters of some scripts, and emoji, take two cells

    first, *words = re.findall(r"^\s*\S*|\s+\S+", line)
    lines, width = [first], cell_len(first)
    for word in words:
        taken = cell_len(word)
        if width + taken <= columns:
            lines[-1] += word
            width += taken
        else:
            lines.append(word.lstrip())
            width = cell_len(lines[-1])
    return "\n".join(lines)


# --- options on every command ------------------------------------------------------------------------------------------

Command = TypeVar("Command", bound=Callable[..., Any])


# What is told of options before a command; the others may stand there too.
_FIRST = ("store", "user", "json", "config", "debug")


def _briefly(options: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The same options, most of them hidden."""
    brief = {}
    for name, (kind, option) in options.items():
        brief[name] = (kind, copy.copy(option))
        brief[name][1].hidden = name not in _FIRST
    return brief


def with_common(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the common options; it takes them as its first argument, a `Common`. They may stand before it too."""
    inner = inspect.signature(command, eval_str=True)
    own = list(inner.parameters.values())[1:]
    options = _OPTIONS if command.__name__ != "before" else _briefly(_OPTIONS)
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False if kind is bool else None,
            annotation=Annotated[kind, option],
        )
        for name, (kind, option) in options.items()
    ]
    context = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)

    @functools.wraps(command)
    def run(**given: Any) -> None:
        context = given.pop("ctx")
        before = context.find_root().obj or Common()
        context.obj = Common(**{name: given.pop(name) for name in _OPTIONS}).over(before)
        if context.obj.json and not context.obj.debug:
            logging.getLogger("recollect").addHandler(logging.NullHandler())  # nothing but JSON for a script
        command(context.obj, **given)

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + added + [context]
    for one in parameters:
        _takes_no_value(one.annotation)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _takes_no_value(annotation: Any) -> None:
    """A switch is shown without "<bool>" behind it, which reads as if it took one."""
    for option in getattr(annotation, "__metadata__", ()):
        if annotation.__origin__ is bool and option.metavar is None:
            option.metavar = ""


# --- errors ------------------------------------------------------------------------------------------------------------


class Terminated(KeyboardInterrupt):
    """SIGTERM: ends a command as Ctrl-C does, with an exit code of its own."""


def listen_for_termination() -> None:
    """Let SIGTERM release what the command holds before it ends."""

    def stop(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)


@contextmanager
def interrupts_noted() -> Iterator[list[KeyboardInterrupt]]:
    """Ctrl-C and SIGTERM for who looks, in the main thread, whether they came: raised wherever Python is, one that comes in a
    callback of a weak reference is lost, and a call that was just made is warned of. The second one is raised."""
    noted: list[KeyboardInterrupt] = []

    def note(number: int, _frame: object) -> None:
        noted.append(Terminated() if number == signal.SIGTERM else KeyboardInterrupt())
        if len(noted) > 1:
            raise noted[-1]

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code_of(error: KeyboardInterrupt) -> int:
    """128 and the signal's number, as shells have it."""
    return TERMINATED if isinstance(error, Terminated) else INTERRUPTED


class Group(TyperGroup):
    """Ends every error in one clear line and an exit code; under `--json` in one JSON document on standard error."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **extra: Any) -> Any:
        """As click's `main`, with our own ending."""
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        extra["standalone_mode"] = False
        try:
            code = super().main(words, *rest, **extra)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- the outermost place: everything ends here
            code = end(error, words)
        sys.exit(code if isinstance(code, int) else 0)


def end(error: BaseException, arguments: Sequence[str]) -> int:
    """Report an error; the exit code that goes with it."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--debug" in options and not isinstance(error, ClickException | typer.Abort):
        show_traceback(error)
    if isinstance(error, BrokenPipeError):
        # The reader of our output has seen enough (`| head`): nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAULT
    if type(error).__name__ == "NoArgsIsHelpError":  # the help of a group of commands, which was shown
        return 0
    name, message, code = describe(error)
    report(name, message, code, as_json="--json" in options, error=error)
    return code


def show_traceback(error: BaseException) -> None:
    """Where an error came from, on standard error, for --debug."""
    import traceback

    put("".join(traceback.format_exception(error)).rstrip(), stderr=True)


def describe(error: BaseException) -> tuple[str, str, int]:
    """An error's name, its message for people, and its exit code."""
    from ...errors import ImportInvalid, InvalidInput, NotFound, RecollectError

    if isinstance(error, InvalidInput):
        return "InvalidInput", as_options(f"{as_said(error.argument)}: {error.problem}"), BAD_INPUT
    if isinstance(error, NotFound):
        return "NotFound", str(error), NOT_FOUND
    if isinstance(error, RecollectError):
        return type(error).__name__, as_options(str(error)), BAD_INPUT if isinstance(error, ImportInvalid) else FAULT
    if isinstance(error, ClickException):
        return "UsageError", error.format_message() + _where(error), BAD_INPUT  # type: ignore[attr-defined]
    if isinstance(error, typer.Abort):
        return "Interrupted", "not agreed to; nothing was done", INTERRUPTED
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted", "stopped; everything that was committed is kept", exit_code_of(error)
    return type(error).__name__, f"unexpected: {error} (run it again with --debug to see where)", FAULT


def as_said(argument: str) -> str:
    """An argument of the library's by the name that it has on the command line."""
    if not re.fullmatch(r"\w+", argument) or argument.isupper():
        return argument
    return _SAID.get(argument) or "--" + argument.replace("_", "-")


@contextmanager
def called(**names: str) -> Iterator[None]:
    """A verb's arguments under the names that they have in this command: `called(path="--out")`."""
    from ...errors import InvalidInput

    try:
        yield
    except InvalidInput as error:
        if error.argument not in names:
            raise
        raise InvalidInput(names[error.argument], error.problem) from error


_SAID = {
    "memory_id": "ID",
    "change_or_batch_id": "ID",
    "beginning": "ID",
    "messages": "TEXT",
    "text": "TEXT",
    "query": "QUERY",
    "path": "--store",
    "source": "SOURCE",
    "file": "FILE",
    "one": "NAME",
    "other": "NAME",
    "user_id": "--user",
    "session_id": "--session",
    "agent_id": "--agent",
    "timestamp": "--at",
    "expires_at": "--expires",
    "metadata_filter": "--filter",
    "reranker": "--rerank",
    "RECOLLECT_HOME": "$RECOLLECT_HOME",
}


def as_options(message: str) -> str:
    """A message of the library's with its arguments under the names that they have here: `api_base` is `--api-base`."""
    return _ARGUMENT.sub(lambda match: _option_of(match[0]), message)


def _option_of(argument: str) -> str:
    name = argument.removesuffix("=True").removesuffix("=")
    return _SAID.get(name) or "--" + name.replace("_", "-")


_ARGUMENT = re.compile(
    r"\b(?:embedder_)?api_(?:base|key)\b|\b(?:llm|mode|timeout|budget|instructions)(?==)"
    r"|\b(?:force|overwrite|skip_existing)=True|\buser_id=(?=\))"
)


def _where(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context is not None else ""


def report(name: str, message: str, code: int, *, as_json: bool, error: BaseException | None = None) -> None:
    """An error on standard error: `{"error", "message", "exit_code", …}` or one line."""
    from .safe import as_json as dump
    from .safe import plain

    if as_json:
        document: dict[str, Any] = {"error": name, "message": message, "exit_code": code}
        for field in ("argument", "stage", "batch_id", "retryable"):
            if (value := getattr(error, field, None)) is not None and not callable(value):
                document[field] = value
        put(dump(document, indent=None), stderr=True)
        return
    say(f"{name}: {plain(message)}{way_on(error)}", stderr=True)


def way_on(error: BaseException | None) -> str:
    """How to go on: after an error that left a batch pending, and after one of the disk; "" where nothing is to be said."""
    from ...errors import BudgetExceeded, StorageFull, StorageReadOnly

    stays = getattr(error, "batch_id", None)
    if not stays:
        if isinstance(error, StorageFull):
            return " (make room on the disk and run it again: nothing that was committed is lost)"
        return " (give yourself the right to write there)" if isinstance(error, StorageReadOnly) else ""
    how = "a higher --budget, or none" if isinstance(error, BudgetExceeded) else "the same model"
    return f" ({stays} stays pending: `recollect resume`, with {how}, finishes it)"
