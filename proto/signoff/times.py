"""Write times as all JSON has them."""

from datetime import UTC, datetime


def time_text(at: datetime) -> str:
    """Return a time in UTC, with six digits, such as `2026-11-30T09:15:02.000000Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"
