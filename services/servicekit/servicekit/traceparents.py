"""Take the traceparents that strangers give; those that are none are dropped, and counted."""

from typing import Final

from prometheus_client import Counter

from contracts.traceparent import read_traceparent

DROPPED: Final = Counter(
    "signoff_traceparents_dropped", "Traceparents that are none: jobs that came with them have own traces", ["door"]
)


def take_traceparent(text: str | bytes | None, door: str) -> str | None:
    """Return the traceparent that came in by a door; None if there is none, or it is malformed."""
    if text is None:
        return None
    taken = read_traceparent(text.decode("latin-1") if isinstance(text, bytes) else text)
    if taken is None:
        DROPPED.labels(door).inc()
    return taken
