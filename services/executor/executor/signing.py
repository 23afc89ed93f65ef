"""Sign calls as Standard Webhooks are signed, so that an agent can check who calls it."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

#: A secret may begin so.
PREFIX: Final = "whsec_"
#: Secrets of an agent at most: the one before and the next one, while they rotate.
SECRETS_MAX: Final = 2
#: Bytes of a secret, as the specification bounds them.
KEY_MIN: Final = 24
KEY_MAX: Final = 64


class SigningSecret(NamedTuple):
    """A secret that signs calls: the Base64 text that was found, without its prefix, and the key in it."""

    text: str
    key: bytes


def parse_secrets(value: str) -> list[SigningSecret]:
    """Return the one or two secrets in a text, with a space between them.

    Raise ValueError, without the text, if there are more, or if one is not Base64 of 24 to 64 bytes.
    """
    try:
        parsed = [_parse(text.removeprefix(PREFIX)) for text in value.split()]
    except ValueError:
        parsed = []
    if not 0 < len(parsed) <= SECRETS_MAX or not all(KEY_MIN <= len(secret.key) <= KEY_MAX for secret in parsed):
        raise ValueError(
            f"one or {SECRETS_MAX} secrets with a space between them, each the Base64 of {KEY_MIN} to {KEY_MAX} bytes, "
            f"with {PREFIX} before it or without"
        )
    return parsed


def _parse(text: str) -> SigningSecret:
    return SigningSecret(text, base64.b64decode(text + "=" * (-len(text) % 4), validate=True))


def name_message(key: str, method: str) -> str:
    """Return the id of the message that a request is: the same for each POST, and for each DELETE, of one key.

    A poll is a message of its own each time. The id names the method, which no signature covers otherwise: who has
    seen a signed poll cannot make a request to stop of it.
    """
    if method == "POST":
        return key
    name = f"{key}_{method.lower()}"
    return f"{name}_{secrets.token_hex(8)}" if method == "GET" else name


def sign(keys: Sequence[SigningSecret], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the headers of a signed message, with a signature by each of the secrets."""
    content = f"{message_id}.{timestamp_s}.".encode() + body
    signed = [base64.b64encode(hmac.digest(secret.key, content, hashlib.sha256)).decode() for secret in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signed),
    }
