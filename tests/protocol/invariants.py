"""What must hold in the tables after every step (docs/protocol.md#invariants), read from nothing but the tables."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import text

from jobstore.engine.database import Database

_JOBS = "SELECT id, status, version, execution_id, live, progress, progress_message, tokens FROM jobs ORDER BY id"
_RESTING = {"COMPLETED", "FAILED", "REJECTED", "RESUBMISSION_REQUIRED"}
_UNDER_A_LEASE = {"call_begun", "progress", "attempt_failed", "result", "declined"}
#: (from, to, log) of docs/protocol.md#states-of-a-job, written down once more.
ARROWS = {
    *((None, status, status) for status in ("PENDING", "ASSIGNED")),
    ("PENDING", "PENDING", "CANCELLED"),
    ("PENDING", "PENDING", "MATCHING_FAILED"),
    *((status, "ASSIGNED", "ASSIGNED") for status in ("PENDING", "ASSIGNED", "FAILED", "REJECTED")),
    ("RESUBMISSION_REQUIRED", "ASSIGNED", "ASSIGNED"),
    *((status, "IN_PROGRESS", "IN_PROGRESS") for status in ("ASSIGNED", "IN_PROGRESS")),
    *(("IN_PROGRESS", status, status) for status in _RESTING),
    *((status, "FAILED", "FAILED") for status in ("PENDING", "ASSIGNED")),
    *((status, "ASSIGNED", "CANCELLED") for status in ("ASSIGNED", "IN_PROGRESS")),
}


@dataclass
class Tables:
    """All rows, at one moment."""

    jobs: dict[str, Any]
    executions: dict[UUID, Any]
    logs: list[Any]
    circuits: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def read(cls, database: Database) -> "Tables":
        async with database.session() as session:
            jobs = await session.execute(text(_JOBS))
            executions = await session.execute(text("SELECT * FROM executions ORDER BY execution_id"))
            logs = await session.execute(
                text(
                    "SELECT job_id, version, status, job_status, kind, execution_id, attempt, lease, submission, "
                    "event_id, code, progress, message, tokens FROM job_logs ORDER BY seq"
                )
            )
            circuits = await session.execute(text("SELECT *, open_until > clock_timestamp() AS open FROM circuits"))
            return cls(
                {r.id: r for r in jobs},
                {r.execution_id: r for r in executions},
                list(logs),
                {r.agent_id: r for r in circuits},
            )

    @property
    def live(self) -> list[Any]:
        return [row for row in self.executions.values() if row.state != "DONE"]

    def check(self, before: "Tables") -> None:
        """Of these rows, and of the step from those before."""
        assert self.logs[: len(before.logs)] == before.logs, "the log was rewritten"
        by_job = defaultdict(list)
        by_execution = defaultdict(list)
        for row in self.logs:
            by_job[row.job_id].append(row)
            if row.execution_id is not None:
                by_execution[row.execution_id].append(row)
        for job_id, job in self.jobs.items():
            self._check_job(job, by_job[job_id])
        for rows in by_execution.values():
            _check_execution(rows)
        for execution_id, row in before.executions.items():
            if row.state == "DONE":
                now = self.executions[execution_id]
                assert (now.state, now.answer, now.lease) == (row.state, row.answer, row.lease), "an answer changed"

    def check_grants(self, before: "Tables") -> None:
        """What was granted since: nothing while the circuit was open, and one probe while it was half open."""
        for agent_id, circuit in before.circuits.items():
            rows = [row for row in self.executions.values() if row.agent_id == agent_id and row.state == "LEASED"]
            granted = {row.execution_id for row in rows if row.stage == "EXECUTING" and row.lease > before.lease(row)}
            probe = before.executions.get(circuit.probe_id)
            probing = probe is not None and probe.stage == "EXECUTING" and probe.state in {"OFFERED", "LEASED"}
            if circuit.open:
                assert not granted, f"granted while the circuit is open: {granted}"
            elif circuit.open is False:
                assert len(granted) <= 1, f"more than one probe: {granted}"
                assert not probing or granted <= {circuit.probe_id}, f"beside the probe: {granted}"

    def lease(self, row: Any) -> int:
        """The number of an execution's last lease, here."""
        return self.executions[row.execution_id].lease if row.execution_id in self.executions else 0

    def _check_job(self, job: Any, rows: Sequence[Any]) -> None:
        assert [row.version for row in rows] == list(range(1, len(rows) + 1)), "versions have a gap or a repeat"
        assert (job.version, job.status) == (len(rows), rows[-1].job_status), "the job stands elsewhere than its log"
        for before, row in pairwise([None, *rows]):
            assert row is not None
            start = before.job_status if before else None
            late = row.kind == "result" and row.status == "CANCELLED" and start == row.job_status
            stays = start == row.job_status == row.status and start not in {"COMPLETED", "IN_PROGRESS"}
            late = late or (row.kind == "spent" and start == row.job_status == row.status)
            assert late or (row.kind == "edited" and stays) or (start, row.job_status, row.status) in ARROWS, (
                f"no arrow: {start} to {row}"
            )
            assert row.kind != "requested" or start not in {"PENDING", "REJECTED"}, f"requested of a job {start}"
        fraction = message = None
        for row in rows:
            if row.kind == "requested":
                fraction = message = None
            if row.kind == "progress":
                fraction, message = row.progress, row.message
            assert row.progress == fraction, f"{row} after the progress {fraction}"
        assert (job.progress, job.progress_message) == (fraction, message), "the job's progress is not its log's last"
        spent = [row.tokens or 0 for row in rows]
        assert (spent, spent[-1]) == (sorted(spent), job.tokens), "what was spent is not its log's last"
        live = [row.execution_id for row in self.live if row.job_id == job.id]
        assert live == ([job.execution_id] if job.live else []), f"live executions of {job}: {live}"


def _check_execution(rows: Sequence[Any]) -> None:
    """Leases in order, what is said under them by their owners alone, and nothing after the end but a late result."""
    lease = 0
    ended: list[Any] = []
    for row in rows:
        if ended:
            is_late = (ended[0].status, row.kind) == ("CANCELLED", "result") or row.kind == "spent"
            assert (len(ended), is_late) == (1, True), f"{row} after {ended}"
            continue
        if row.status in _RESTING or row.status == "CANCELLED":
            ended.append(row)
        if row.kind == "claimed":
            assert row.lease > lease, "a lease was granted twice"
            lease = row.lease
        if row.kind in _UNDER_A_LEASE:
            assert row.lease == lease, f"{row} under another lease than {lease}"
