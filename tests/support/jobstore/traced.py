"""A jobstore in memory that publishes the facts of its jobs, as the relay makes them."""

import contextlib
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from jobstore.engine.parts import Command, UnitOfWork
from jobstore.errors import RefusedError
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.rows import Jobs
from jobstore.jobs.store import _quote, log_rows, make_recorded
from jobstore.publishing.fact_reader import make_job_changed
from support.jobstore.memory import MemoryJobstore


class TracedJobstore(MemoryJobstore):
    """Its `facts` are the bodies of records, in order."""

    def __init__(self, **terms: Any) -> None:
        self.facts: list[bytes] = []
        self._responses: dict[tuple[str, int], str | None] = {}
        self._parts: dict[str, Any] = {}
        super().__init__(**terms)

    def after(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def run_if_allowed(self, command: Command[Any]) -> None:
        with contextlib.suppress(RefusedError):
            self.run(command)

    def _write(self, uow: UnitOfWork) -> None:
        super()._write(uow)
        entries = uow[Jobs].entries
        rows = log_rows(entries)
        stored = []
        for entry, row in zip(entries, rows, strict=True):
            quoted = self._responses.get((row["quoted_job_id"], row["quoted_version"]))
            response = _quote(quoted, row["response_payload"]) or row["response_payload"]
            self._responses[entry.job.id, entry.job.version] = response
            seq = len(self.facts) + len(stored) + 1
            is_request = entry.report.kind is TransitionKind.REQUESTED
            fields = {"seq": seq, "id": UUID(int=seq), "agent": None, "labels": "{}", "policy": "{}"}
            fields |= {"job_id": entry.job.id, "version": entry.job.version, "response": response}
            stored.append(SimpleNamespace(**fields, requested_at=self.now if is_request else None))
        recorded = make_recorded(uow, entries, rows, stored)  # type: ignore[arg-type]
        for each in recorded:
            part = self._parts.setdefault(each.job_id, each.job_part)
            vars(each).update(part)
            self.facts.append(make_job_changed(each, {}).value)
