"""Matching: which agent does a job that names capabilities and no agent. Pure."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Candidate:
    """An agent that is enabled and not paused.

    `load`: its live executions, up to a number (storage.work.loading); each match within a transaction adds one.
    """

    agent_id: str
    capabilities: frozenset[str]
    circuit_closed: bool
    load: int


def find_best(
    job_id: str, needed: Collection[str], candidates: Iterable[Candidate], without: Collection[str] = ()
) -> Candidate | None:
    """Return the least loaded agent that has all capabilities needed, or None; ties are spread over the agents.

    Agents whose circuit is not closed come last; those in `without` are left out.
    """
    capable = (c for c in candidates if c.capabilities.issuperset(needed) and c.agent_id not in without)
    return min(capable, key=lambda c: (not c.circuit_closed, c.load, _tie_break(job_id, c.agent_id)), default=None)


def describe_missing(needed: Collection[str], candidates: Iterable[Candidate]) -> str:
    """Return why no agent has all capabilities needed.

    The text changes only with what is missing, so that comparing it tells whether a new log entry is due.
    """
    all_needed = frozenset(needed)
    lacking = [all_needed - c.capabilities for c in candidates]
    nobody_has = all_needed.intersection(*lacking)
    if nobody_has:
        return f"no enabled agent has {_quote_all(nobody_has)}"
    nearest = min((sorted(names) for names in lacking), key=lambda names: (len(names), names))
    return f"no enabled agent has all of {_quote_all(all_needed)}: the nearest lacks {_quote_all(nearest)}"


def _quote_all(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))


def _tie_break(job_id: str, agent_id: str) -> bytes:
    return hashlib.blake2b(f"{job_id}\0{agent_id}".encode()).digest()
