"""Check that a request is signed as Standard Webhooks are, by one of the secrets that the agent shares with Signoff."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import Final

#: Seconds that the clock of a sender may differ; an older request is not taken.
TOLERANCE_S: Final = 300
#: Bytes of a secret, as the specification bounds them.
SECRET_MIN, SECRET_MAX = 24, 64
_PREFIX: Final = "whsec_"
_ID: Final = re.compile(r"[!-~]{1,256}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


class SignatureError(Exception):
    """A request that is not signed, or not by a known secret, or not now."""


def parse_secrets(texts: str | Iterable[str]) -> list[bytes]:
    """Return secrets from one text, separated by spaces, or several. Raise ValueError, without them, if one is none."""
    texts = texts.split() if isinstance(texts, str) else list(texts)
    try:
        parsed = [base64.b64decode(text.removeprefix(_PREFIX), validate=True) for text in texts]
    except (binascii.Error, ValueError):
        parsed = []
    if not parsed or not all(SECRET_MIN <= len(secret) <= SECRET_MAX for secret in parsed):
        raise ValueError(
            f"a signing secret is Base64 of {SECRET_MIN} to {SECRET_MAX} bytes, {_PREFIX} before it or not"
        )
    return parsed


def sign(secret: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Return the signature of a message, as it stands in the header `webhook-signature`."""
    content = f"{message_id}.{timestamp_s}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()}"


def check(known: Iterable[bytes], headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """Return the id of a signed message. Raise SignatureError, which says what to look at, but nothing of a secret."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("the request is not signed: give the agent the reference `signing`")
    if abs(now_s - int(timestamp)) > TOLERANCE_S:
        raise SignatureError(f"the signature is of another time: both clocks may differ by {TOLERANCE_S} s")
    given = headers.get("webhook-signature", "").encode().split(b" ")
    expected = [sign(secret, message_id, int(timestamp), body).encode() for secret in known]
    if not any([hmac.compare_digest(one, other) for one in expected for other in given]):  # noqa: C419 - in one time
        raise SignatureError("the signature is of no known secret")
    return message_id
