"""Sign the records of facts, and make the markers that stand before the first fact of each key."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.events import fact_id
from contracts.fact_keys import FactKeys
from contracts.signing import SIGNATURE_HEADER
from contracts.topic_prefix import bare_name
from contracts.topics import FACT_TOPICS, TOPICS
from servicekit.errors import TransientError
from servicekit.kafka.publisher import Outgoing, name_source
from signoff.errors import ErrorCode

#: The CloudEvents type of markers.
MARKER_TYPE: Final = b"signoff.marker.v1"


class FactSigner:
    """Sign with the first of the keys; `name` tells it from all others.

    `markers`: one for every partition. Without a key, and `{}` instead of null, they delete nothing anywhere, and a
    reader that knows none leaves them out by their type. `places` are those partitions, as `topic/number`.
    """

    def __init__(self, keys: FactKeys, installation: str = "") -> None:
        self._keys = keys
        self.name = keys.signing.name
        self._source = ("ce_source", name_source("jobstore", installation).encode())
        self.markers = [
            Outgoing(topic, b"{}", None, self._make_headers(topic, partition), partition)
            for topic in FACT_TOPICS
            for partition in range(TOPICS[topic].partitions)
        ]
        self.places = {f"{marker.topic}/{marker.partition}" for marker in self.markers}

    def sign(self, fact: Outgoing) -> Outgoing:
        """Return the record of a fact with its source and signature."""
        signature = self._keys.signing.sign(fact.topic, fact.key, fact.value)
        return replace(fact, headers=[*fact.headers, self._source, (SIGNATURE_HEADER, signature.encode())])

    def _make_headers(self, topic: str, partition: int) -> list[tuple[str, bytes]]:
        """Return the headers of a marker, which is a CloudEvent, too."""
        marker_id = fact_id(f"{bare_name(topic)}/{partition}/{self.name}", 0)
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(marker_id).encode()),
            ("ce_type", MARKER_TYPE),
            self._source,
            ("content-type", b"application/json"),
            *self._keys.signing.make_marker(topic, partition),
        ]

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
