"""The time of day as this process takes it: to stamp what people read, and never to measure how long anything takes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def now() -> datetime:
    """Return the time of day. Its clock may be wrong, and may jump, so that nothing may be decided by it."""
    return datetime.now(UTC)


def read_retry_after(headers: Mapping[str, str], max_s: float) -> float | None:
    """Return the seconds that an answer's Retry-After means, at most `max_s`; None if it means none (RFC 9110).

    It is a number, with a fraction too, or a date by the clock of whoever answered, which the header Date tells.
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
