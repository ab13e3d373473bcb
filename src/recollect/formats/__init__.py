"""Conversation files → conversations. One small reader per format, in a registry.

What does not parse is yielded as a `FormatProblem` that names its line or place; the rest of the file goes on.
The formats are described in `docs/formats.md`.
"""

from __future__ import annotations

from .files import Input, Passed, inputs, read
from .locomo import locomo_date, locomo_session, locomo_sessions
from .registry import FORMATS, Format, detect
from .source import STANDARD_INPUT
from .values import Conversation, FormatProblem, Found, Session

__all__ = [
    "FORMATS",
    "STANDARD_INPUT",
    "Conversation",
    "Format",
    "FormatProblem",
    "Found",
    "Input",
    "Passed",
    "Session",
    "detect",
    "inputs",
    "locomo_date",
    "locomo_session",
    "locomo_sessions",
    "read",
]
