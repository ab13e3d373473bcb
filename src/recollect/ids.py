"""Opaque identifiers: a prefix that tells what they name, and 128 random bits in hex."""

from __future__ import annotations

import re
import secrets
from typing import Literal, cast

from .errors import InvalidInput

IdKind = Literal["mem", "chg", "turn", "batch"]
_FORM = re.compile(r"(mem|chg|turn|batch)_[0-9a-f]{32}")

_BEGINNING = re.compile(r"(mem|chg|turn|batch)_[0-9a-f]{4,32}")


def new_id(kind: IdKind) -> str:
    """A fresh id, such as ``mem_8c5b…``."""
    return f"{kind}_{secrets.token_hex(16)}"


def check_beginning(argument: str, value: object) -> IdKind:
    """Of which kind an id is of which `value` is the beginning: four hex digits at least. Raises InvalidInput."""
    if isinstance(value, str) and (match := _BEGINNING.fullmatch(value)):
        return cast("IdKind", match[1])
    raise InvalidInput(argument, "not the beginning of an id: mem_, chg_, turn_ or batch_ and 4 to 32 hex digits")


def check_id(argument: str, value: object, *kinds: IdKind) -> str:
    """`value` if it has the form of an id of one of `kinds`. Raises InvalidInput naming the argument."""
    if isinstance(value, str) and (match := _FORM.fullmatch(value)) and match[1] in kinds:
        return value
    wanted = " or ".join(f"{kind}_…" for kind in kinds)
    raise InvalidInput(argument, f"not an id of the form {wanted} (32 hex digits)")
