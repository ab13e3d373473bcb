"""Dates as data sets write them: in English, without a zone, whatever this machine's locale is. They are taken as UTC."""

from __future__ import annotations

from datetime import UTC, datetime

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def month(name: str) -> int:
    """1 to 12, by the first three letters; 0 for no month."""
    start = name[:3].lower()
    return _MONTHS.index(start) + 1 if start in _MONTHS else 0


def utc(year: str | int, month: int, day: str | int, *clock: str | int) -> datetime | None:
    """A time from its parts; None where there is no such time."""
    try:
        return datetime(int(year), month, int(day), *(int(part) for part in clock), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
