"""Which agent a job goes to that names none: the least loaded of those that can do it; pure."""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

#: Executions of an agent are counted up to here: with a million queued, one agent is as good as the next.
LOAD_MAX = 1_000


@dataclass(slots=True)
class Candidate:
    """An agent that is enabled and not paused. `load`: its live executions; it grows with each job it is matched to."""

    agent_id: str
    capabilities: frozenset[str]
    closed: bool = True
    load: int = 0


def best(
    job_id: str, needs: Collection[str], candidates: Iterable[Candidate], without: Collection[str] = ()
) -> Candidate | None:
    """Of those that have all that is needed, agents with an open circuit last, the least loaded; ties are spread."""
    able = (c for c in candidates if c.capabilities.issuperset(needs) and c.agent_id not in without)
    return min(able, key=lambda c: (not c.closed, c.load, _spread(job_id, c.agent_id)), default=None)


def missing(needs: Collection[str], candidates: Iterable[Candidate]) -> str:
    """Why none has all that is needed: the same words for as long as the same is missing, whoever comes and goes."""
    wanted = frozenset(needs)
    lacks = [wanted - c.capabilities for c in candidates]
    nobodys = wanted.intersection(*lacks)
    if nobodys:
        return f"no enabled agent has {_listed(nobodys)}"
    nearest = min((sorted(lack) for lack in lacks), key=lambda lack: (len(lack), lack))
    return f"no enabled agent has all of {_listed(wanted)}: the nearest lacks {_listed(nearest)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in sorted(names))


def _spread(job_id: str, agent_id: str) -> bytes:
    return hashlib.blake2b(f"{job_id}\0{agent_id}".encode(), digest_size=8).digest()
