"""Prompt files: found in the wheel or the checkout, checked, rendered. What is said in a conversation is only ever a value.

A file is front matter (`id`, `version`, `variables`, `response_model`), then the sections `# system` and `# user`, each a
Jinja2 template. It is rendered in a sandbox with `StrictUndefined`: a variable that is missing is an error, never a blank.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import PromptInvalid

if TYPE_CHECKING:
    from jinja2 import Template

_FRONT_MATTER = re.compile(r"---\n(.*?)\n---\n(.*)", re.DOTALL)
_SECTIONS = re.compile(r"\s*^# system\n(.*?)^# user\n(.*)", re.DOTALL | re.MULTILINE)
_KEYS = ("id", "version", "variables", "response_model")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of one version. `digest`: the first hex digits of the file's sha256."""

    name: str
    version: int
    digest: str
    variables: frozenset[str]
    response_model: str
    system: str
    user: str

    @property
    def id(self) -> str:
        """What is recorded with every change that came of it, such as "extract@1#9f3c2a17"."""
        return f"{self.name}@{self.version}#{self.digest}"

    def render(self, **values: object) -> list[dict[str, str]]:
        """The two messages of a call. Raises PromptInvalid where `values` are not just its variables."""
        if set(values) != self.variables:
            raise PromptInvalid(f"{self.name}@{self.version} takes {sorted(self.variables)}, not {sorted(values)}")
        return [
            {"role": "system", "content": _template(self.system).render(values).strip()},
            {"role": "user", "content": _template(self.user).render(values).strip()},
        ]


@functools.lru_cache(maxsize=16)
def load(name: str, version: int) -> Prompt:
    """The prompt of a name ("extract") and version. Raises PromptInvalid where the file is absent or malformed."""
    file = _folder() / name / f"v{version}.md"
    if not file.is_file():
        raise PromptInvalid(f"there is no prompt {name}@{version}")
    return parse(file.read_text(encoding="utf-8"))


def parse(text: str) -> Prompt:
    """A prompt file's text as a prompt. Raises PromptInvalid."""
    front = _FRONT_MATTER.fullmatch(text)
    sections = _SECTIONS.fullmatch(front[2]) if front else None
    if front is None or sections is None:
        raise PromptInvalid("a prompt file is front matter between two lines of ---, then '# system' and '# user'")
    fields = dict(line.split(": ", 1) for line in front[1].splitlines() if ": " in line)
    if tuple(fields) != _KEYS or not fields["version"].isdigit():
        raise PromptInvalid(f"the front matter of a prompt has {', '.join(_KEYS)}, in this order")
    return Prompt(
        name=fields["id"],
        version=int(fields["version"]),
        digest=hashlib.sha256(text.encode()).hexdigest()[:8],
        variables=frozenset(fields["variables"].replace(",", " ").split()),
        response_model=fields["response_model"],
        system=sections[1],
        user=sections[2],
    )


def _folder() -> Traversable:
    """`recollect/_prompts` of a wheel, else `prompts/` of the checkout."""
    packed = resources.files("recollect") / "_prompts"
    return packed if packed.is_dir() else Path(__file__).parents[2] / "prompts"


@functools.lru_cache(maxsize=32)
def _template(source: str) -> Template:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, autoescape=False
    )
    return environment.from_string(source)
