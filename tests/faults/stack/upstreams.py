"""The secrets of those who request by topics: clients, of all tenants; strangers and a hostile tenant, of their own."""

from collections.abc import Mapping
from typing import Final
from uuid import uuid4

from contracts.events import CancelRequested, ExecuteRequested
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secret, Secrets, make_secret
from faults.checking.canaries import HOSTILE
from servicekit.kafka.publisher import Outgoing, to_record

#: Tenants of strangers on the broker, in which these may ask.
STRANGERS: Final = tuple(f"strangers-{number}" for number in range(20))
CLIENTS, ADVERSARY = "clients", "strangers"
_TENANTS: Final[Mapping[str, tuple[str, ...]]] = {CLIENTS: (), ADVERSARY: STRANGERS, HOSTILE: (HOSTILE,)}
SECRETS: Final = {name: Secrets([Secret(name, (name * 32).encode()[:32])]) for name in _TENANTS}
#: What jobstores are given.
VARIABLE: Final = "SIGNOFF_UPSTREAM_SECRETS"
TEXT: Final = ",".join(
    make_secret(f"{name}@{'+'.join(tenants)}" if tenants else name, SECRETS[name].signing.value)
    for name, tenants in _TENANTS.items()
)


_USES: Final = {"execute-requested": KeyUse.EXECUTE, "cancel-requested": KeyUse.CANCEL}


def sign_value(topic: str, value: bytes, by: str) -> Outgoing:
    """Return a record of any value, signed if its topic is one of requests: unsigned ones are not all dead letters."""
    if (use := _USES.get(topic)) is None:
        return Outgoing(topic, value)
    signature = SECRETS[by].make_key(use, uuid4()).sign(value)
    return Outgoing(topic, value, headers=[(SIGNATURE_HEADER, signature.encode())])


def sign(event: ExecuteRequested | CancelRequested, by: str) -> Outgoing:
    """Return the record of a request, signed with the secret of `by`."""
    use = KeyUse.CANCEL if isinstance(event, CancelRequested) else KeyUse.EXECUTE
    return to_record(event, by, signed_by=SECRETS[by].make_key(use, event.execution_id))
