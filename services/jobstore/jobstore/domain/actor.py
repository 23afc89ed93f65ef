"""Actor: who asks for a change, by their credentials alone (docs/protocol.md#whose-word-counts). Pure."""

from typing import Final, NewType

#: A role, or an upstream by the id of its secret: the text that is stored and published.
Actor = NewType("Actor", str)

ADMINISTRATOR: Final = Actor("administrator")
EXECUTOR: Final = Actor("executor")
VALIDATOR: Final = Actor("validator")
#: Whoever holds a lease, executor or validator: the stage of the execution says which of them, and that is stored.
WORKER: Final = Actor("worker")
#: Whoever can write to the topics of requests, where upstreams have no secrets.
UPSTREAM: Final = Actor("upstream")
#: Signoff itself: what follows from a policy, from time, or from a rebuild, and nobody asked for.
SIGNOFF: Final = Actor("signoff")


def name_upstream(secret_id: str) -> Actor:
    """Return the actor that signs under an upstream's secret."""
    return Actor(f"{UPSTREAM}:{secret_id}")
