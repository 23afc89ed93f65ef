"""Sign the records of facts, and make the markers that stand before the first fact of each key."""

from collections.abc import Sequence
from dataclasses import replace

from contracts.errors import ErrorCode
from contracts.fact_keys import FactKeys
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import FACT_TOPICS, TOPICS
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing


class FactSigner:
    """Sign with the first of the keys; `name` tells it from all others.

    `markers`: one for every partition. Without a key, and empty instead of null, they delete nothing anywhere. `places`
    are those partitions, as `topic/number`.
    """

    def __init__(self, keys: FactKeys) -> None:
        self._keys = keys
        self.name = keys.signing.name
        self.markers = [
            Outgoing(topic, b"", None, keys.signing.make_marker(topic, partition), partition)
            for topic in FACT_TOPICS
            for partition in range(TOPICS[topic].partitions)
        ]
        self.places = {f"{marker.topic}/{marker.partition}" for marker in self.markers}

    def sign(self, fact: Outgoing) -> Outgoing:
        """Return the record of a fact with its signature."""
        signature = self._keys.signing.sign(fact.topic, fact.key, fact.value)
        return replace(fact, headers=[*fact.headers, (SIGNATURE_HEADER, signature.encode())])

    def check_order(self, signers: Sequence[str]) -> None:
        """Raise TransientError if a fact signed now would be worth nothing, given the keys that have signed so far.

        Whoever reads facts takes the order of the secrets for their age: a secret that was replaced must not sign
        again. A jobstore that has not been told of its successor leaves the relay to those that have.
        """
        names = [key.name for key in self._keys]
        values = {name.partition(":")[0]: name for name in names}
        for name in signers:
            secret_id = name.partition(":")[0]
            if values.get(secret_id, name) != name:
                raise _make_error(f"the secret {secret_id!r} has another value than when it signed facts; give it back")
        known = [name for name in reversed(signers) if name in names]
        if known != [name for name in names if name in signers] or self.name in signers[:-1]:
            newest = signers[-1].partition(":")[0]
            raise _make_error(f"{newest!r} signs facts by now, and no older secret will again; list the newest first")


def _make_error(message: str) -> TransientError:
    return TransientError(f"SIGNOFF_SECRETS: {message}", code=ErrorCode.WRONG_SECRETS)
