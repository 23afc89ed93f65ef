"""Write money, times and ids as every door has them."""

import re
import secrets
import time
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from uuid import UUID

#: Nano-dollars of a dollar: an amount has this many places after the point.
DIGITS: Final = 9
NANOS: Final = 10**DIGITS
#: Bounds in USD: of an amount in a request or a report; of a sum, which a BIGINT holds; and of an amount that is read.
USD_MAX: Final = 1_000_000
SUM_NANOS_MAX: Final = 9_000_000_000 * NANOS
_READ_USD_MAX: Final = 10**15
#: Longer texts are no amounts.
_CHARS_MAX: Final = 40
_TEXT: Final = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,9}))?")
_NUMBER: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NO_AMOUNT: Final = 'must be an amount in USD, such as "0.0123"'


def usd_text(nanos: int) -> str:
    """Return nano-dollars as a decimal text in USD, without an exponent, and without superfluous zeros."""
    whole, rest = divmod(abs(nanos), NANOS)
    text = f"{whole}.{rest:09d}".rstrip("0") if rest else str(whole)
    return text if nanos >= 0 else f"-{text}"


def to_nanos(usd: Decimal | str | float, *, usd_max: int = _READ_USD_MAX, rounds: bool = True) -> int:
    """Return an amount of USD in nano-dollars, rounded half up. Raise ValueError if it is no amount, or out of bounds.

    Without `rounds` an amount with more than nine digits after the point is refused.
    """
    if isinstance(usd, str) and (plain := _TEXT.fullmatch(usd)) is not None:
        nanos = int(plain[1]) * NANOS + int((plain[2] or "").ljust(DIGITS, "0"))
    else:
        nanos = _read(usd, usd_max, rounds=rounds)
    if nanos > usd_max * NANOS:
        raise ValueError(_say_bounds(usd_max))
    return nanos


def _read(usd: Decimal | str | float, usd_max: int, *, rounds: bool) -> int:
    """Return the nano-dollars of an amount in another form than a plain text: a number, or a text with an exponent."""
    if isinstance(usd, bool) or not isinstance(usd, Decimal | str | int | float):
        raise ValueError(_NO_AMOUNT)  # noqa: TRY004 - a fault of a field
    if isinstance(usd, str) and (len(usd) > _CHARS_MAX or _NUMBER.fullmatch(usd) is None):
        raise ValueError(_NO_AMOUNT)
    # A float is what its shortest text says: 0.1, and not the binary fraction beside it.
    amount = Decimal(repr(usd) if isinstance(usd, float) else usd)
    if not amount.is_finite():
        raise ValueError(_NO_AMOUNT)
    if not 0 <= amount <= usd_max:
        raise ValueError(_say_bounds(usd_max))
    rounded = amount.quantize(Decimal(1).scaleb(-DIGITS), ROUND_HALF_UP)
    if not rounds and rounded != amount:
        raise ValueError(f"must have at most {DIGITS} digits after the point")
    return int(rounded.scaleb(DIGITS))


def _say_bounds(usd_max: int) -> str:
    return f"must be from 0 to {usd_max:,} USD"


def to_usd(nanos: int) -> Decimal:
    """Return nano-dollars in USD."""
    return Decimal(usd_text(nanos))


def time_text(at: datetime) -> str:
    """Return a time in UTC, with six digits, such as `2026-11-30T09:15:02.000000Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def new_execution_id() -> UUID:
    """Make a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random ones, so that ids sort by time."""
    value = (
        (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    )
    return UUID(int=value)
