"""The command line: `recollect --help`. Exit codes: 0 done, 1 a fault, 2 bad input, 3 not found, 130 interrupted."""

from .commands import main

__all__ = ["main"]
