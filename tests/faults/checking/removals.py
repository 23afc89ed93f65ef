"""Whether what is removed stays so and calls nobody, and what is to stay stays."""

from collections.abc import Iterator

from faults.checking.calls import SEEN_LATE_S
from faults.checking.observed import AFTERWARDS, CONCLUDING, Observed

JOB_REMOVED = "job_removed"


def nothing_is_removed_that_stays(seen: Observed) -> Iterator[str]:
    """A removal is the last entry of a job that is not held, and of which no execution is live."""
    live: dict[str, str] = {}
    removed: set[str] = set()
    for entry in sorted(seen.logs, key=lambda e: (e.job_id, e.version)):
        where = f"{entry.job_id} version {entry.version} ({entry.kind})"
        if entry.job_id in removed:
            yield f"{where} stands behind the entry that removed the job"
        elif entry.kind == "removed":
            removed.add(entry.job_id)
            if entry.job_id in live:
                yield f"{where}: the job was removed while {live[entry.job_id]} was live"
            if seen.held.get(entry.job_id, entry.at) < entry.at:
                yield f"{where}: the job was removed {entry.at - seen.held[entry.job_id]:.1f} s after it was held"
        elif entry.kind in {"requested", "rejudged"} and entry.execution_id:
            live[entry.job_id] = entry.execution_id
        elif (
            entry.status in CONCLUDING and entry.kind not in AFTERWARDS and live.get(entry.job_id) == entry.execution_id
        ):
            live.pop(entry.job_id, None)


def nothing_is_left_of_removed_jobs(seen: Observed) -> Iterator[str]:
    """A dump of the database has no payload of a job whose log was cut."""
    for job_id in seen.undying:
        yield f"the database has a payload of {job_id}, which was removed"


def removed_jobs_call_nobody(seen: Observed) -> Iterator[str]:
    """No agent is called for a job that was removed, and what is asked of it by topic leaves nothing."""
    removed_at = {entry.job_id: entry.at for entry in seen.logs if entry.kind == "removed"}
    for call in seen.agent_calls:
        late_s = call.begun_at - removed_at.get(call.job_id, call.begun_at)
        if late_s > SEEN_LATE_S or call.execution_id in seen.in_vain:
            yield f"{call.agent} was called for {call.job_id} {late_s:.1f} s after the job was removed"
    for execution in seen.executions:
        if execution.execution_id in seen.in_vain:
            yield f"{execution.execution_id} was asked for of {execution.job_id}, which was removed, and is {execution}"


def removed_ids_are_refused(seen: Observed) -> Iterator[str]:
    """Each door says of a removed job that it was removed."""
    for one in seen.barred:
        if one.code != JOB_REMOVED:
            yield f"{one.door} of {one.job_id}, which was removed, was answered {one.code}"
