"""Reuse: the keys under which results and verdicts are found again instead of a call. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts.criteria import parse_stored_criteria
from contracts.judging.verdict import Verdict


@dataclass(frozen=True, slots=True)
class ReuseTerms:
    """Settings of reuse: for how long, in seconds (0: never), and how many entries are kept."""

    verdict_age_s: float = 86_400.0
    result_age_s: float = 86_400.0
    entries_max: int = 100_000


@dataclass(frozen=True, slots=True)
class Reusable:
    """The log entry that holds what may be reused, with its verdict, or the hash of its result."""

    job_id: str
    version: int
    verdict: Verdict | None = None
    result_hash: bytes | None = None

    def __str__(self) -> str:
        return f"job {self.job_id} version {self.version}"


def verdict_key(
    tenant: str, result_hash: bytes, acceptance_criteria: str, judge: str, policy: Mapping[str, object] | None = None
) -> bytes:
    """Return the key of a verdict: of a result, the list of criteria, however it is spelled, and who judges.

    `judge` names the judge policy, too, if there is one (`name_judging`). A criteria set is in the execution's policy.
    """
    criteria = map(str, parse_stored_criteria(acceptance_criteria))
    of_set = [str(reference)] if policy and (reference := policy.get("criteria_set")) else []
    return _hash(("verdict", tenant, result_hash.hex(), "\n".join(criteria), judge, *of_set))


def may_reuse(verdict: Verdict, submission: int) -> bool:
    """Return whether a verdict may stand for one on a submission: a later one needs more to pass than an earlier."""
    return not verdict.is_valid or submission <= (verdict.submission or 1)


def result_key(tenant: str, agent_id: str, changed_at: datetime, request: str) -> bytes:
    """Return the key of a result: a request to an agent, as the agent is since it was last changed."""
    return _hash(("result", tenant, agent_id, changed_at.isoformat(), request))


def _hash(parts: Iterable[str]) -> bytes:
    """Hash each part after its length, so that no two sequences of parts have the same input."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8) + text)
    return digest.digest()
