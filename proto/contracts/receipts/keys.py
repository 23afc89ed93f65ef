"""The keys of receipts: one of each secret that signs, for receipts alone, and its public half for whoever verifies."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError, model_validator

from contracts.fields import describe_problem
from contracts.receipts.errors import ReceiptError
from contracts.signing import Secret, Secrets, decode_base64
from signoff.errors import ErrorCode
from signoff.fields import Model, Time
from signoff.jsontext import parse_json

ALGORITHM: Final = "ed25519"
#: Bytes of a public key.
KEY_BYTES: Final = 32
#: What a secret is derived for: whoever has that seed can forge receipts, and nothing else that the secret signs.
_PURPOSE: Final = "signoff,v1,receipts"


class PublicKey(Model):
    """A key that verifies receipts. Its id follows from it, so that no other key can pass for it."""

    keyid: str = Field(description="SHA-256 of the 32 bytes of the key, hexadecimal")
    algorithm: str = Field(
        ALGORITHM, description="`ed25519`; a key of another one, which may come, verifies nothing here"
    )
    public_key: str = Field(description="the 32 bytes of the key, in base64")
    secret_id: str | None = Field(None, description="of the secret from which it is derived")
    added_at: Time | None = Field(None, description="when a jobstore first had the secret")

    @classmethod
    def of(cls, value: bytes, secret_id: str | None = None, added_at: datetime | None = None) -> Self:
        """Make the key of its bytes."""
        encoded = base64.b64encode(value).decode()
        return cls(keyid=make_keyid(value), public_key=encoded, secret_id=secret_id, added_at=added_at)

    @property
    def value(self) -> bytes:
        """The bytes of the key."""
        return decode_base64(self.public_key)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.algorithm != ALGORITHM:
            return self
        try:
            value = self.value
        except ValueError:
            value = b""
        if len(value) != KEY_BYTES:
            msg = f"public_key is not the base64 of {KEY_BYTES} bytes"
            raise ValueError(msg)
        if self.keyid != make_keyid(value):
            msg = "keyid does not follow from public_key: it is another key's, or was changed"
            raise ValueError(msg)
        return self

    def has_signed(self, signature: bytes, message: bytes) -> bool:
        """Return whether a signature is this key's, of this message."""
        if self.algorithm != ALGORITHM:
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.value).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class ReceiptKey:
    """The key with which the jobstore signs receipts while this is its secret."""

    def __init__(self, secret: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret.derive(_PURPOSE))
        self.public = PublicKey.of(self._key.public_key().public_bytes_raw(), secret.id)

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message; the same message has the same one."""
        return self._key.sign(message)


def derive_keys(secrets: Secrets) -> list[ReceiptKey]:
    """Return the keys of secrets, in their order: the first signs."""
    return [ReceiptKey(secret) for secret in secrets]


class PublicKeys:
    """The keys that somebody trusts, by id."""

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = {key.keyid: key for key in keys}

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._keys.values())

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Read the answer of `GET /api/receipt-keys`. Raise ReceiptError if it is none."""
        try:
            answer = parse_json(text)
            items = answer["items"] if isinstance(answer, Mapping) else None
            if not isinstance(items, list):
                raise ReceiptError(
                    'these are no keys of receipts: `{"items": [..]}` is expected', code=ErrorCode.MALFORMED_KEYS
                )
            return cls([PublicKey.model_validate(item) for item in items])
        except ValidationError as error:
            wrong = "; ".join(map(describe_problem, error.errors()))
            raise ReceiptError(f"a key of receipts cannot be used: {wrong}", code=ErrorCode.MALFORMED_KEYS) from None
        except (ValueError, KeyError) as error:
            raise ReceiptError(f"these are no keys of receipts: {error}", code=ErrorCode.MALFORMED_KEYS) from None

    @classmethod
    def parse_one(cls, text: str) -> Self:
        """Read one key in base64. Raise ReceiptError if it is none."""
        try:
            return cls([PublicKey.of(decode_base64(text.strip()))])
        except ValueError:
            message = f"this is no key of receipts: the base64 of {KEY_BYTES} bytes is expected"
            raise ReceiptError(message, code=ErrorCode.MALFORMED_KEYS) from None

    def find(self, keyid: str) -> PublicKey:
        """Return the key with an id. Raise ReceiptError if none has it."""
        if (key := self._keys.get(keyid)) is None:
            message = f"no key that was given has the id {keyid[:80]!r}: the receipt is of another system, or forged"
            raise ReceiptError(message, code=ErrorCode.UNKNOWN_KEY)
        return key


def make_keyid(value: bytes) -> str:
    """Return the id of a public key."""
    return hashlib.sha256(value).hexdigest()
