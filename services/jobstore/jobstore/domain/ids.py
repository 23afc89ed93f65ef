"""Make ids that nobody outside can foretell, so that nobody can claim or cancel what they name before it is there."""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import UUID

from contracts.signing import decode_base64
from signoff.jsontext import json_text

#: Bytes of the key: as many as the hash has.
KEY_BYTES: Final = 32
#: The version of the UUIDs that are made here (RFC 9562); no other part makes such.
VERSION: Final = 8
#: The tenant of what has none of its own.
DEFAULT_TENANT: Final = "default"
_LAYOUT: Final = VERSION << 76 | 0b10 << 62
_DIGEST: Final = ~(0xF << 76 | 0b11 << 62)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The idempotency key of a request: one of its method and tenant, which is the job's where `tenant` is None.

    `body_hash` tells whether another request under the key asks for the same. `job_id` is of the job that it executes
    or creates.
    """

    method: str
    key: str
    body_hash: bytes
    tenant: str | None = None
    job_id: str | None = None

    @classmethod
    def of(cls, method: str, key: str, body: object, *, tenant: str | None = None, job_id: str | None = None) -> Self:
        """Return the key of a request whose body is JSON, in which the order of members does not count."""
        text = json.dumps([job_id, body], sort_keys=True, separators=(",", ":"))
        return cls(method, key, hashlib.sha256(text.encode()).digest(), tenant, job_id)


@dataclass(frozen=True, slots=True)
class IdKey:
    """The key of ids that follow from something. It is never changed: with another, a repeat would be a new request."""

    value: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read base64, also of the alphabet for URLs. ValueError, which repeats no secret: it has too few bytes."""
        try:
            value = decode_base64(text.strip())
        except ValueError:
            raise ValueError("it is not base64: `openssl rand -base64 32` makes one") from None
        if len(value) < KEY_BYTES:
            raise ValueError(f"it has {len(value)} bytes, not {KEY_BYTES}: `openssl rand -base64 32` makes one")
        return cls(value)

    def derive(self, purpose: str, *names: str) -> UUID:
        """Return the id that these names stand for, a UUID of version 8. Each purpose has ids of its own."""
        digest = hmac.digest(self.value, json_text([purpose, *names]).encode(), "sha256")
        return UUID(int=int.from_bytes(digest[:16]) & _DIGEST | _LAYOUT)

    def derive_request(self, key: RequestKey, tenant: str) -> UUID:
        """Return the id under which a request with an idempotency key is remembered."""
        return self.derive("request", key.method, tenant, key.key)

    @property
    def installation(self) -> str:
        """The id of this installation, which events name as their source: the same for as long as the key is."""
        return self.derive("installation").hex[:12]

    def derive_next(self, execution_id: UUID) -> UUID:
        """Return the id of the execution that follows one by policy: the same for each repeat of the verdict."""
        return self.derive("resubmission", str(execution_id))
