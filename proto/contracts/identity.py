"""Make the ids that cross processes: execution ids and event ids."""

import secrets
import time
from uuid import UUID, uuid5

_EVENTS = UUID("6b0f3d0e-4f0c-5a7e-9d57-1d5b1f0c5e11")


def new_execution_id() -> UUID:
    """Make a UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 random ones, so that ids sort by time."""
    value = (
        (time.time_ns() // 1_000_000) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    )
    return UUID(int=value)


def event_id(execution_id: UUID, lease: int, name: str) -> UUID:
    """Derive an event's id: an event that is published again has the same id."""
    return uuid5(_EVENTS, f"{execution_id}/{lease}/{name}")


def fact_id(subject: str, cursor: int) -> UUID:
    """Derive the event id of a fact about an agent or an execution from the number of its row."""
    return uuid5(_EVENTS, f"fact/{subject}/{cursor}")
