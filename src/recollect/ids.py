"""Opaque identifiers: a prefix that tells what they name, and 128 random bits in hex."""

from __future__ import annotations

import re
import secrets
from typing import Literal

from .errors import InvalidInput

IdKind = Literal["mem", "chg", "turn", "batch"]
_FORM = re.compile(r"(mem|chg|turn|batch)_[0-9a-f]{32}")


def new_id(kind: IdKind) -> str:
    """A fresh id, such as ``mem_8c5b…``."""
    return f"{kind}_{secrets.token_hex(16)}"


def check_id(argument: str, value: object, *kinds: IdKind) -> str:
    """`value` if it has the form of an id of one of `kinds`. Raises InvalidInput naming the argument."""
    if isinstance(value, str) and (match := _FORM.fullmatch(value)) and match[1] in kinds:
        return value
    wanted = " or ".join(f"{kind}_…" for kind in kinds)
    raise InvalidInput(argument, f"not an id of the form {wanted} (32 hex digits)")
