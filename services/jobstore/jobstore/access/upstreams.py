"""Check who may request and cancel by topics, and for which tenants."""

from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from contracts.signing import KeyUse, Secrets, Signature, SigningKey
from jobstore.jobs.model import SIGNOFF, UPSTREAM, Actor
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode


class Author(NamedTuple):
    """The actor who requests or cancels by a topic, and the tenants that the actor may name; None: all."""

    actor: Actor
    tenants: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Check who may request and cancel by topics: without `secrets` anybody, else whoever signs with one of them.

    `own` are the jobstore's secrets: it accepts its own offers, which stand in the topic of requests. ValueError: `own`
    is missing, or an upstream has one of these secrets, and could sign all that the jobstore signs.
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

    def check(self, use: KeyUse, body: bytes, header: bytes | str | None) -> Author:
        """Return who signed a request. PermanentError (`bad_signature`): nobody who may request signed it."""
        if self.secrets is None:
            return Author(UPSTREAM)
        signature = Signature.parse(header)
        author = None if signature is None or signature.lease != 0 else self._find_author(use, signature, body)
        if signature is None or author is None:
            raise _refuse_signature("no upstream has signed this")
        if not _names_execution(body, signature.execution_id):
            raise _refuse_signature("the signature is of a request of another execution")
        return author

    def find_key(self, execution_id: UUID) -> SigningKey | None:
        """Return the key that signs the jobstore's own offer of an execution; None if requests are not signed."""
        if self.secrets is None or self.own is None:
            return None
        return self.own.make_key(KeyUse.EXECUTE, execution_id)

    def _find_author(self, use: KeyUse, signature: Signature, body: bytes) -> Author | None:
        if self.secrets is not None and self.secrets.verify(use, signature, body):
            tenants = self.secrets.find_tenants(signature.secret_id)
            return Author(Actor(f"{UPSTREAM}:{signature.secret_id}"), tenants)
        return Author(SIGNOFF) if self.own is not None and self.own.verify(use, signature, body) else None


#: The default: the README's example needs no secret.
OPEN: Final = Upstreams()


def make_forbidden_message(author: Actor, tenants: frozenset[str], what: str) -> str:
    """Return the message of the code `forbidden_tenant`: the same for what is not there and for another tenant's."""
    return f"the secret of {author} is of {', '.join(sorted(tenants))} alone, where nothing has the id {what}"


def _names_execution(body: bytes, execution_id: UUID) -> bool:
    """Return whether a signed body names this execution, or names none that can be parsed."""
    try:
        return UUID(from_json(body)["execution_id"]) == execution_id
    except (ValueError, TypeError, KeyError, AttributeError):
        return True  # its parser says what is wrong


def _refuse_signature(message: str) -> PermanentError:
    return PermanentError(message, code=ErrorCode.BAD_SIGNATURE)
