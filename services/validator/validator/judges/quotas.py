"""Read what a server says of its rate limits. Pure."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from servicekit.clock import now, read_retry_after

#: The longest wait that a server may ask for.
RETRY_AFTER_MAX_S: Final = 3_600.0
#: The time in which a quota is full again, where the server does not say: most quotas are per minute.
_RESET_S: Final = 60.0
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_DURATION: Final = re.compile(
    r"(?:(?P<d>[0-9.]{1,9})d)?(?:(?P<h>[0-9.]{1,9})h)?(?:(?P<m>[0-9.]{1,9})m)?(?:(?P<s>[0-9.]{1,12})s)?"
    r"(?:(?P<ms>[0-9.]{1,12})ms)?"
)
_UNITS_S: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
#: A number of seconds that is longer is a moment.
_MOMENT_MIN_S: Final = 1e9


class Quota(NamedTuple):
    """What is left of a quota, of how much, and in how many seconds all of it is there again."""

    left: float
    most: float
    reset_s: float


class Said(NamedTuple):
    """What headers say: which requests and tokens are left, and under which id the server knows the request."""

    requests: Quota | None = None
    tokens: Quota | None = None
    request_id: str | None = None


_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,200}")
#: How headers of quotas are named, by OpenAI and by Anthropic: of what is left, of how much, and when it is full again.
_NAMES: Final = {
    of: [
        (f"x-ratelimit-remaining-{of}", f"x-ratelimit-limit-{of}", f"x-ratelimit-reset-{of}"),
        (f"anthropic-ratelimit-{of}-remaining", f"anthropic-ratelimit-{of}-limit", f"anthropic-ratelimit-{of}-reset"),
    ]
    for of in ("requests", "tokens")
}
_LEFT: Final = {left for names in _NAMES.values() for left, *_ in names}


def read_headers(headers: Mapping[str, str]) -> Said:
    """Return what the headers of an answer say, in OpenAI's form or in Anthropic's; they are found by small letters."""
    headers = dict(headers.items())  # httpx's search all of them for a name
    request_id = read_id(headers.get("x-request-id") or headers.get("request-id"))
    if _LEFT.isdisjoint(headers):
        return Said(request_id=request_id)
    return Said(_read_quota(headers, "requests"), _read_quota(headers, "tokens"), request_id)


def read_id(value: Any) -> str | None:
    """Return an id that a server gave, if it is one that may be stored and shown."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else None


def read_pause_s(headers: Mapping[str, str]) -> float | None:
    """Return for how many seconds a refusal asks to wait; None if it does not say."""
    exact = headers.get("retry-after-ms", "")
    if _NUMBER.fullmatch(exact):
        return min(float(exact) / 1_000, RETRY_AFTER_MAX_S)
    return read_retry_after(headers, RETRY_AFTER_MAX_S)


def _read_quota(headers: Mapping[str, str], of: str) -> Quota | None:
    for names in _NAMES[of]:
        left, most, reset = (headers.get(name, "").strip() for name in names)
        if _NUMBER.fullmatch(left):
            all_of_it = float(most) if _NUMBER.fullmatch(most) else 0.0
            return Quota(float(left), max(all_of_it, float(left), 1.0), _read_reset_s(reset))
    return None


def _read_reset_s(value: str) -> float:
    """Return the seconds that `6m0.5s`, `20`, `1790000000` or `2026-11-26T17:00:00Z` mean."""
    seconds = _RESET_S
    if _NUMBER.fullmatch(value):
        seconds = float(value)
        seconds = seconds - now().timestamp() if seconds > _MOMENT_MIN_S else seconds
    elif value and (parts := _DURATION.fullmatch(value)):
        try:
            seconds = sum(float(number) * _UNITS_S[unit] for unit, number in parts.groupdict().items() if number)
        except ValueError:
            return _RESET_S
    elif value[:4].isdigit():
        try:
            seconds = (datetime.fromisoformat(value) - now()).total_seconds()
        except (TypeError, ValueError):
            return _RESET_S
    return min(max(seconds, 0.0), RETRY_AFTER_MAX_S)
