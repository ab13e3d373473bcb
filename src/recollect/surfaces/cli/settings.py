"""The command line's settings: flag over environment over file over default, and which of them won.

They are of the command line alone: `Memory()` in Python takes what it is given, `$RECOLLECT_HOME` and `$RECOLLECT_LLM`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ...errors import InvalidInput

Origin = Literal["flag", "environment", "file", "default"]
CONFIG_VARIABLE = "RECOLLECT_CONFIG"
SECRETS = ("api_key", "embedder_api_key")
# What goes to a model's server, or says how to ask it: meant for the model that the same place names.
OF_MODEL = {"llm": ("api_base", "api_key", "mode"), "embedder": ("embedder_api_base", "embedder_api_key")}
ADDRESS_OF = {"api_key": "api_base", "embedder_api_key": "embedder_api_base"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One setting: its environment variable, what its value is, what it says of itself in a new file, and its default."""

    variable: str
    type: type
    told: str
    default: str = ""


KINDS: dict[str, Kind] = {
    "store": Kind("RECOLLECT_HOME", str, "the store's folder", "the data folder"),
    "user": Kind("RECOLLECT_USER", str, "whose memories, where a command needs a user and --user is not given", "default"),
    "llm": Kind("RECOLLECT_LLM", str, 'the language model, such as "openai/gpt-5-mini"', "rules"),
    "api_base": Kind("RECOLLECT_API_BASE", str, "a server of your own; needs a key of its own"),
    "api_key": Kind("RECOLLECT_API_KEY", str, "the model's key; without, the provider's variable, such as $OPENAI_API_KEY"),
    "mode": Kind("RECOLLECT_MODE", str, 'how to ask for JSON: "json_schema", "tools" or "md_json"', "by the model"),
    "timeout": Kind("RECOLLECT_TIMEOUT", float, "seconds for one request", "60"),
    "budget": Kind("RECOLLECT_BUDGET", list, 'limits, such as ["run.calls=200", "day.cost=5"]', "no limit"),
    "instructions": Kind("RECOLLECT_INSTRUCTIONS", str, "what to remember and what to leave out"),
    "embedder": Kind("RECOLLECT_EMBEDDER", str, 'of a new store, such as "openai/text-embedding-3-small"', "minilm"),
    "embedder_api_base": Kind("RECOLLECT_EMBEDDER_API_BASE", str, "a server of your own"),
    "embedder_api_key": Kind("RECOLLECT_EMBEDDER_API_KEY", str, "the embedder's key"),
    "rerank": Kind("RECOLLECT_RERANK", str, "what puts the best 30 hits in order", "nothing"),
    "redact": Kind("RECOLLECT_REDACT", bool, "keep secrets of known formats out", "true"),
    "actor": Kind("RECOLLECT_ACTOR", str, "who does this, for the audit"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Won:
    """A setting's value (None: it was not said), what won, and where that is: an option, a variable, a file. `unused` says
    why a value that was found is not taken."""

    value: Any
    origin: Origin
    where: str = ""
    unused: str | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A settings file. `told`: what stands in it, checked; `exists`: whether it is there."""

    path: Path
    exists: bool
    told: Mapping[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What is amiss without being wrong: a key that others on this machine can read."""
        named = [name for name in SECRETS if name in self.told]
        if not named or os.name == "nt" or not self.path.stat().st_mode & 0o077:
            return []
        return [f"{self.path} has {' and '.join(named)}, and others can read it: chmod 600 {self.path}"]


def file_of(named: Path | None) -> tuple[Path, bool]:
    """Which file, and whether somebody named it: by --config, by $RECOLLECT_CONFIG; else the one in the user's config folder.
    None is looked for in the folder where a command is run: one that came with a download would say where your words go."""
    if named is not None:
        return named.expanduser().absolute(), True
    if variable := os.environ.get(CONFIG_VARIABLE):
        return Path(variable).expanduser().absolute(), True
    import platformdirs

    return Path(platformdirs.user_config_dir("recollect")) / "config.toml", False


def read(named: Path | None) -> File:
    """The settings file, checked. Raises InvalidInput where it was named and is not there, or is not what it should be."""
    path, wanted = file_of(named)
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if wanted:
            raise InvalidInput("--config", f"there is no file {path} (`recollect config --init` makes one)") from None
        return File(path, exists=False, told={})
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput("--config", f"{path} is not TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("--config", f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return File(path, exists=True, told={name: checked(path, name, value) for name, value in told.items()})


def checked(path: Path, name: str, value: object) -> Any:
    """A file's value, of the setting's type. Raises InvalidInput."""
    kind = KINDS.get(name)
    if kind is None:
        raise InvalidInput("--config", f"{path} has {name!r}, which is no setting; there are {', '.join(KINDS)}")
    said: Any = value
    if kind.type is list and isinstance(said, str):
        said = [said]
    if kind.type is float and isinstance(said, int) and not isinstance(said, bool):
        said = float(said)
    if not _fits(said, kind.type):
        wanted = {str: "a text", float: "a number", bool: "true or false", list: "a list of texts"}[kind.type]
        raise InvalidInput("--config", f"{path}: {name} must be {wanted}")
    return str(path.parent / Path(said).expanduser()) if name == "store" and said else said


def _fits(said: Any, kind: type) -> bool:
    if kind is list:
        return isinstance(said, list) and all(isinstance(one, str) for one in said)
    return isinstance(said, kind)


def from_environment(kind: Kind) -> Any:
    """A variable's value, of the setting's type; None where it is not set, or empty. Raises InvalidInput."""
    text = os.environ.get(kind.variable)
    if not text:
        return None
    try:
        return PARSED[kind.type](text)
    except (ValueError, KeyError):
        wanted = "true or false" if kind.type is bool else "a number"
        raise InvalidInput(f"${kind.variable}", f"must be {wanted}") from None


def _switch(text: str) -> bool:
    return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.casefold()]


def _parts(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]


PARSED: dict[type, Callable[[str], Any]] = {str: str, float: float, bool: _switch, list: _parts}


def resolve(flags: Mapping[str, Any], file: File) -> dict[str, Won]:
    """Each setting as it holds for one command. `flags`: what the command line says, None where it does not."""
    won = {name: _won(name, kind, flags, file) for name, kind in KINDS.items()}
    for model, group in OF_MODEL.items():
        for name in group:
            if reason := _of_another(name, model, won, file):
                won[name] = Won(None, "default", unused=reason)
    if won["llm"].value in (None, "", "rules"):
        for name in ("api_base", "api_key", "mode", "timeout"):
            if won[name].origin in ("environment", "file"):
                won[name] = Won(None, "default", unused=f"{won[name].where}: goes with a language model")
    return won


def _won(name: str, kind: Kind, flags: Mapping[str, Any], file: File) -> Won:
    if flags.get(name) is not None:
        option = "--no-redact" if name == "redact" else "--" + name.replace("_", "-")
        return Won(flags[name], "flag", option)
    if (said := from_environment(kind)) is not None:
        return Won(said, "environment", f"${kind.variable}")
    if file.told.get(name) not in (None, "", []):
        return Won(file.told[name], "file", str(file.path))
    return Won(None, "default")


def _of_another(name: str, model: str, won: Mapping[str, Won], file: File) -> str | None:
    """Why a file's address, key or mode does not hold: it goes with the model that the file names, a key with its address too.
    None where it does. So a key in a file is sent nowhere but where that file says."""
    if won[name].origin != "file":
        return None
    own = file.told.get(model)
    if own is not None and won[model].value != own:
        return f"{file.path}: goes with {model} = {own!r}"
    address = ADDRESS_OF.get(name)
    if address is not None and won[address].value != (file.told.get(address) or None):
        return f"{file.path}: goes with its own {address}"
    return None


def masked(name: str, value: Any) -> Any:
    """A value to be shown: of a key, that it is set, and its last four characters where it is long enough to have them."""
    if name not in SECRETS or value is None:
        return value
    return f"…{value[-4:]}" if len(value) >= 20 else "set"


def template() -> str:
    """A new settings file: every setting, said to be nothing yet."""
    lines = [
        "# Settings of the recollect command line. A flag wins over the environment, the environment over this file.\n"
    ]
    for name, kind in KINDS.items():
        sample = {str: '""', float: "60", bool: "true", list: "[]"}[kind.type]
        default = f" (default: {kind.default})" if kind.default else ""
        lines.append(f"# {kind.told}{default}; ${kind.variable}\n# {name} = {sample}\n")
    return "\n".join(lines)


def make(named: Path | None) -> Path:
    """Write a new settings file, readable for its owner alone. Raises InvalidInput where one is there."""
    path, _ = file_of(named)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidInput("--init", f"{path} is there already") from None
    except OSError as error:
        raise InvalidInput("--init", f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(template())
    return path
