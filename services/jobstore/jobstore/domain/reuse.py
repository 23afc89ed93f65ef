"""What may be reused instead of asking for it again: which verdicts and results are as good as each other; pure."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from contracts.resources import Verdict


@dataclass(frozen=True, slots=True)
class ReuseTerms:
    """For how long a verdict and a result may be reused, in seconds; 0: never. And how many are remembered."""

    verdict_age_s: float = 86_400.0
    result_age_s: float = 86_400.0
    entries_max: int = 100_000


@dataclass(frozen=True, slots=True)
class Reusable:
    """The entry of a job's log that holds what may be reused: a verdict, or the result with this hash."""

    job_id: str
    version: int
    verdict: Verdict | None = None
    result_hash: bytes | None = None

    def __str__(self) -> str:
        return f"job {self.job_id} version {self.version}"


def verdict_key(result_hash: bytes, acceptance_criteria: str, judge: str) -> bytes:
    """The same for the identical result, criteria and judge; space around a criterion and empty lines are nothing."""
    lines = (line.strip() for line in acceptance_criteria.splitlines())
    return _hash(("verdict", result_hash.hex(), "\n".join(line for line in lines if line), judge))


def result_key(agent_id: str, changed_at: datetime, request: str) -> bytes:
    """The same for the identical request to an agent that was not changed in between."""
    return _hash(("result", agent_id, changed_at.isoformat(), request))


def _hash(parts: Iterable[str]) -> bytes:
    """Of parts and where each ends, so that no two sequences of them are one."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8, "big") + text)
    return digest.digest()
