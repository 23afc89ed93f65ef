"""Reuse: the keys under which results and verdicts are found again instead of a call. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple

from contracts.criteria import parse_stored_criteria
from contracts.judging.verdict import Verdict

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReuseTerms:
    """Settings of reuse: for how long, in seconds (0: never), and how many entries are kept."""

    verdict_age_s: float = 86_400.0
    result_age_s: float = 86_400.0
    entries_max: int = 100_000


@dataclass(frozen=True, slots=True)
class Reusable:
    """The log entry that holds what may be reused, with its verdict, or the hash of its result; and since when."""

    job_id: str
    version: int
    verdict: Verdict | None = None
    result_hash: bytes | None = None
    kept_at: datetime = _LONG_AGO

    def __str__(self) -> str:
        return f"job {self.job_id} version {self.version}"


class Asked(NamedTuple):
    """What is judged by what: hashes of a result and of the task, the criteria, and references as JSON text."""

    result_hash: bytes
    task_hash: bytes | None
    acceptance_criteria: str
    tenant: str
    references: str | None


def verdict_key(asked: Asked, judge: str, policy: Mapping[str, object] | None = None) -> bytes:
    """Return the key of a verdict: of what is asked, however its criteria are spelled, and who judges.

    `judge` names the judge policy, too, if there is one (`name_judging`). A criteria set is in the execution's policy.
    """
    criteria = map(str, parse_stored_criteria(asked.acceptance_criteria))
    of_set = [str(reference)] if policy and (reference := policy.get("criteria_set")) else []
    about = (asked.result_hash.hex(), (asked.task_hash or b"").hex(), asked.references or "")
    return _hash(("verdict", asked.tenant, *about, "\n".join(criteria), judge, *of_set))


def rejudged_key(asked: Asked, policy: Mapping[str, object] | None = None) -> bytes:
    """Return the key of the last time that a result was judged again for real: whoever judges, as no name says it."""
    return verdict_key(asked, "", policy)


def is_overruled(kept: Reusable, rejudged: Reusable | None) -> bool:
    """Return whether a verdict is not newer than the last time that its result was judged again for real."""
    return rejudged is not None and kept.kept_at <= rejudged.kept_at


def may_reuse(verdict: Verdict, submission: int) -> bool:
    """Return whether a verdict may stand for one on a submission: a later one needs more to pass than an earlier."""
    own = verdict.submission or 1
    if verdict.is_valid:
        return submission <= own
    return submission >= own or not _was_doubted(verdict)


def _was_doubted(verdict: Verdict) -> bool:
    """Return whether a verdict would have been a pass, but for what later submissions need: their stages come last."""
    stages = verdict.stages or []
    return any(stage.kind == "refute" or (stage.kind == "checks" and place > 0) for place, stage in enumerate(stages))


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
