"""Sign records with keys that are derived from a secret, and check the signatures (proto/signing/README.md).

A key is derived for one use: the reports under one lease, one request of an upstream. Whoever has a key can derive no
other, and nothing is stored for it.
"""

import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple, Self
from uuid import UUID

#: The Kafka header that carries a signature.
SIGNATURE_HEADER: Final = "signoff-signature"
#: Bytes of a secret at least: as many as the hash has.
SECRET_BYTES_MIN: Final = 32
#: Characters of a MAC, in hexadecimal.
MAC_CHARACTERS: Final = 64
_VERSION: Final = "v1"
SECRET_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_SIGNATURE: Final = re.compile(
    rf"{_VERSION},({SECRET_ID.pattern}),([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}),([0-9]{{1,10}}),([0-9a-f]{{{MAC_CHARACTERS}}})"
)


class KeyUse(StrEnum):
    """What a key signs: the reports under a lease for executing or judging, or a request of an upstream.

    JUDGING_ALONE: the outcome of a judging without a job.
    """

    EXECUTING = "executing"
    JUDGING = "judging"
    JUDGING_ALONE = "judging alone"
    EXECUTE = "execute"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret of the configuration. Its id is public, and stands in each signature."""

    id: str
    value: bytes = field(repr=False)

    def derive(self, purpose: str) -> bytes:
        """Derive the key for a purpose, named by a text that no other purpose has."""
        return hmac.digest(self.value, purpose.encode(), "sha256")


class Signature(NamedTuple):
    """A signature as its header has it; `execution` is a UUID in small letters, `mac` is hexadecimal."""

    secret_id: str
    execution: str
    lease: int
    mac: str

    @property
    def execution_id(self) -> UUID:
        """The execution's id."""
        return UUID(self.execution)

    @classmethod
    def parse(cls, header: bytes | str | None) -> Self | None:
        """Read a header's value; None if it has another form."""
        text = header.decode(errors="replace") if isinstance(header, bytes) else header or ""
        if (match := _SIGNATURE.fullmatch(text)) is None:
            return None
        return cls(match[1], match[2], int(match[3]), match[4])

    def __str__(self) -> str:
        return f"{_VERSION},{self.secret_id},{self.execution},{self.lease},{self.mac}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The key of one lease (`lease` 0: of a request), derived from the secret with this id.

    Keys of one lease are equal, whatever secret they come from: the numbers are the fencing token.
    """

    execution_id: UUID
    lease: int
    secret_id: str = field(compare=False)
    key: bytes = field(repr=False, compare=False)

    def sign(self, value: bytes) -> str:
        """Return the signature of a record's value, as its header has it."""
        return str(Signature(self.secret_id, str(self.execution_id), self.lease, compute_mac(self.key, value)))


class Secrets:
    """Secrets in the order of the configuration: the first signs, all verify."""

    def __init__(self, secrets: list[Secret]) -> None:
        if not secrets:
            msg = "at least one secret is needed, as <id>:<base64 of 32 bytes or more>"
            raise ValueError(msg)
        if len({secret.id for secret in secrets}) < len(secrets):
            msg = "two secrets have the same id: each needs one of its own"
            raise ValueError(msg)
        if len({secret.value for secret in secrets}) < len(secrets):
            msg = "two secrets have the same value: make a new one"
            raise ValueError(msg)
        self._secrets = {secret.id: secret for secret in secrets}
        self.signing = secrets[0]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read pairs `id:base64`, separated by commas or white space. Raise ValueError, which repeats no secret."""
        return cls([_parse_secret(pair, number) for number, pair in enumerate(re.split(r"[\s,]+", text.strip()), 1)])

    def __iter__(self) -> Iterator[Secret]:
        return iter(self._secrets.values())

    def make_key(self, use: KeyUse, execution_id: UUID, lease: int = 0) -> SigningKey:
        """Return the key for one use, of the secret that signs."""
        key = _derive_key(self.signing, use, str(execution_id), lease)
        return SigningKey(execution_id, lease, self.signing.id, key)

    def verify(self, use: KeyUse, signature: Signature, value: bytes) -> bool:
        """Whether a signature was made with the key for this use, of any of these secrets."""
        secret = self._secrets.get(signature.secret_id)
        if secret is None:
            return False
        key = _derive_key(secret, use, signature.execution, signature.lease)
        return hmac.compare_digest(compute_mac(key, value), signature.mac)


def decode_base64(text: str) -> bytes:
    """Decode base64 of either alphabet of RFC 4648, with or without padding. ValueError: it is none."""
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)


def make_secret(secret_id: str, value: bytes) -> str:
    """Return the text of a secret, as the configuration has it."""
    return f"{secret_id}:{base64.b64encode(value).decode()}"


def _derive_key(secret: Secret, use: KeyUse, execution: str, lease: int) -> bytes:
    return secret.derive(f"signoff,{_VERSION},{use},{execution},{lease}")


def compute_mac(key: bytes, value: bytes) -> str:
    """Return the HMAC-SHA-256 of a value, hexadecimal."""
    return hmac.digest(key, value, "sha256").hex()


def _parse_secret(pair: str, number: int) -> Secret:
    secret_id, colon, encoded = pair.partition(":")
    if not colon or SECRET_ID.fullmatch(secret_id) is None:  # perhaps a secret alone, which no message may show
        msg = f"secret {number} has no id: write <id>:<base64>, the id of letters, digits, `.`, `_` and `-`"
        raise ValueError(msg)
    try:
        value = decode_base64(encoded)
    except ValueError:
        msg = f"the secret {secret_id!r} is not base64"
        raise ValueError(msg) from None
    if len(value) < SECRET_BYTES_MIN:
        msg = f"the secret {secret_id!r} has {len(value)} bytes; make one with `openssl rand -base64 32`"
        raise ValueError(msg)
    return Secret(secret_id, value)
