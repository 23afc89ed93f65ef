"""Check that requests and cancels that come by topics are an upstream's, once upstreams have secrets."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic_core import from_json

from contracts.signing import KeyUse, Secrets, Signature, SigningKey
from jobstore.jobs.model import SIGNOFF, UPSTREAM, Actor, name_upstream
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Who may ask and cancel by topics: anybody without `secrets`, else who signs under one of them.

    `own` are the jobstore's: it signs its offers, which stand in the same topic, and takes them. ValueError: they are
    missing, or an upstream has one of them, and could sign whatever the jobstore signs.
    """

    secrets: Secrets | None = None
    own: Secrets | None = None

    def __post_init__(self) -> None:
        if self.secrets is None:
            return
        if self.own is None:
            raise ValueError("with SIGNOFF_UPSTREAM_SECRETS the jobstore needs secrets of its own, to sign its offers")
        if {secret.value for secret in self.secrets} & {secret.value for secret in self.own}:
            raise ValueError("SIGNOFF_UPSTREAM_SECRETS has a secret of the jobstore's own: make another one")

    def check(self, use: KeyUse, body: bytes, header: bytes | str | None) -> Actor:
        """Return whose request it is, which is found without parsing it.

        PermanentError (`bad_signature`): it may not count.
        """
        if self.secrets is None:
            return UPSTREAM
        signature = Signature.parse(header)
        author = None if signature is None or signature.lease != 0 else self._find_author(use, signature, body)
        if signature is None or author is None:
            raise _make_error("no upstream has signed this")
        if not _names(body, signature.execution_id):
            raise _make_error("the signature is of a request of another execution")
        return author

    def find_key(self, execution_id: UUID) -> SigningKey | None:
        """Return the key that signs the jobstore's own offer of an execution; None where nothing is signed."""
        if self.secrets is None or self.own is None:
            return None
        return self.own.make_key(KeyUse.EXECUTE, execution_id)

    def _find_author(self, use: KeyUse, signature: Signature, body: bytes) -> Actor | None:
        if self.secrets is not None and self.secrets.verify(use, signature, body):
            return name_upstream(signature.secret_id)
        return SIGNOFF if self.own is not None and self.own.verify(use, signature, body) else None


#: The default: the README's example needs no secret.
OPEN: Final = Upstreams()


def _names(body: bytes, execution_id: UUID) -> bool:
    """Whether a body that is signed names the execution of its signature, or none that can be read."""
    try:
        return UUID(from_json(body)["execution_id"]) == execution_id
    except (ValueError, TypeError, KeyError, AttributeError):
        return True  # whoever parses it says what is wrong


def _make_error(message: str) -> PermanentError:
    return PermanentError(message, code=ErrorCode.BAD_SIGNATURE)
