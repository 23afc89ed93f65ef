"""The time of day by this process's clock: for timestamps, and never to measure durations."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def now() -> datetime:
    """Return the time of day. The clock may be wrong and may jump: no decision may depend on it."""
    return datetime.now(UTC)


def read_retry_after(headers: Mapping[str, str], max_s: float) -> float | None:
    """Return the seconds of a valid header Retry-After (RFC 9110), at most `max_s`; None if there is no such header.

    The value is a number, perhaps with a fraction, or a date by the server's clock, which the header Date shows.
    """
    value = headers.get("Retry-After", "")
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return min(float(value), max_s)
    until = _parse_date(value)
    if until is None:
        return None
    answered_at = _parse_date(headers.get("Date", "")) or now()
    return min(max((until - answered_at).total_seconds(), 0.0), max_s)


def _parse_date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
