"""Times as the ledger keeps them: integer microseconds since 1970 UTC. Naive datetimes are taken as UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def utc(time: datetime) -> datetime:
    """The same instant in UTC; a naive time is taken as UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def to_micros(time: datetime) -> int:
    """Microseconds since 1970, exact (a float timestamp is not)."""
    return (utc(time) - EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return EPOCH + timedelta(microseconds=micros)


def offset_minutes(time: datetime) -> int:
    """How far a time's own clock is ahead of UTC."""
    return (time.utcoffset() or timedelta(0)) // timedelta(minutes=1)


def at_offset(time: datetime, minutes: int) -> datetime:
    """The same instant on a clock so far ahead of UTC."""
    return time.astimezone(timezone(timedelta(minutes=minutes)) if minutes else UTC)


def maybe_micros(time: datetime | None) -> int | None:
    """`to_micros`, None for None."""
    return None if time is None else to_micros(time)


def maybe_time(micros: int | None) -> datetime | None:
    """`from_micros`, None for None."""
    return None if micros is None else from_micros(micros)
