"""Keep the one-time codes of login links, as hashes alone: what is stored opens nothing, and tells no token."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final

from sqlalchemy import text

from jobstore.storage.sql import Connection

#: Seconds for which a code can be spent.
LASTS_S: Final = 900

_FORGET: Final = text("DELETE FROM login_codes WHERE ends_at <= signoff_now()")
_ADD: Final = text(
    """
    INSERT INTO login_codes (code_hash, token_mac, ends_at)
    VALUES (:code_hash, :token_mac, signoff_now() + make_interval(secs => :lasts_s))
    """
)
_SPEND: Final = text(
    """
    DELETE FROM login_codes WHERE code_hash = :code_hash
    RETURNING CASE WHEN ends_at > signoff_now() THEN token_mac END
    """
)


async def create_code(connection: Connection, token: str) -> str:
    """Make a code for a token. Forget those that have ended."""
    code = token_urlsafe()
    await connection.execute(_FORGET)
    new = {"code_hash": _hash(code), "token_mac": _sign(code, token), "lasts_s": float(LASTS_S)}
    await connection.execute(_ADD, new)
    return code


async def spend_code(connection: Connection, code: str, tokens: Iterable[str]) -> str | None:
    """Spend a code, and return which of these tokens it is for; None: it is none, was spent, or has ended."""
    mac = await connection.scalar(_SPEND, {"code_hash": _hash(code)})
    return next((token for token in tokens if mac and hmac.compare_digest(mac, _sign(code, token))), None)


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


def _sign(code: str, token: str) -> bytes:
    return hmac.digest(code.encode(), token.encode(), "sha256")
