"""Who holds a lease: a name for this process, by which another one can tell whether it still runs."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

_LIFE = secrets.token_hex(4)  # of this process: another one may get its number


def new_owner() -> str:
    """A name for one holder of leases in this process: place/process/life/holder."""
    return f"{_place()}/{os.getpid()}/{_LIFE}/{secrets.token_hex(4)}"


def is_gone(owner: str) -> bool:
    """Whether the process behind a name surely runs no more. False where that cannot be told: then its lease runs out."""
    place, _, rest = owner.rpartition("/")[0].partition("/")
    number, _, life = rest.partition("/")
    if place != _place() or not number.isdecimal() or os.name != "posix":
        return False
    if int(number) == os.getpid():
        return life != _LIFE
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _place() -> str:
    """The machine, and the space in which process numbers mean something (containers have one each)."""
    spaces = Path("/proc/self/ns/pid")
    return f"{socket.gethostname().replace('/', '-')}:{spaces.stat().st_ino if spaces.exists() else 0}"
