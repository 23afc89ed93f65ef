"""Derive the ids of events."""

from uuid import UUID, uuid5

_EVENTS = UUID("6b0f3d0e-4f0c-5a7e-9d57-1d5b1f0c5e11")


def event_id(execution_id: UUID, lease: int, name: str) -> UUID:
    """Derive an event's id: an event that is published again has the same id."""
    return uuid5(_EVENTS, f"{execution_id}/{lease}/{name}")


def fact_id(subject: str, cursor: int) -> UUID:
    """Derive the event id of a fact about an agent or an execution from the number of its row."""
    return uuid5(_EVENTS, f"fact/{subject}/{cursor}")
