"""Edit jobs that no execution is live of: change what they ask for. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.criteria import format_criteria, parse_stored_criteria
from contracts.resources import JobEdit
from jobstore.commands.assigning import match_agent
from jobstore.commands.base import Command, Locks, Reads, check_version, raise_refusal, require_job
from jobstore.commands.judging.freezing import check_criteria, check_named, check_references, read_named
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import JobView, UnitOfWork
from jobstore.domain.model import Job, Report, TransitionKind
from jobstore.domain.spec import Spec, format_edit
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import JobStatus
from signoff.times import time_text


@dataclass(frozen=True, slots=True)
class EditJob(Command[JobView]):
    """Change fields of a job's spec. An edit that changes nothing is accepted, so that it may be repeated.

    With a `version`, RefusedError (`version_conflict`) if the job is at another one.
    """

    job_id: str
    edit: JobEdit
    version: int | None = None

    def locks(self) -> Locks:
        return Locks(jobs=frozenset({self.job_id}), specs=frozenset({self.job_id}))

    def reads(self, stored: Stored) -> Reads:
        may_be_matched = self._may_be_matched(stored.jobs.get(self.job_id))
        named = read_named(self.edit.policy)
        return replace(named, capabilities=frozenset(self.edit.capabilities)) if may_be_matched else named

    def _may_be_matched(self, job: Job | None) -> bool:
        return job is not None and job.status is JobStatus.PENDING and "capabilities" in self.edit.model_fields_set

    def decide(self, uow: UnitOfWork) -> JobView:
        job = require_job(uow, self.job_id)
        before = uow.specs[self.job_id]
        after = _apply_edit(before, self.edit)
        changed = [n for n in sorted(self.edit.model_fields_set) if _field_json(before, n) != _field_json(after, n)]
        if not changed:
            return uow.show_job(self.job_id)
        uow.check_spec_size(after)
        check_criteria(after)
        check_references(after)
        if "policy" in changed:
            check_named(uow, after.policy)
        check_version("the job", job.version, self.version)
        new, old = ({name: _field_json(spec, name) for name in changed} for spec in (after, before))
        request = format_edit(after.payload, new, old)
        message = f"edited: {', '.join(changed)}"
        report = Report(
            TransitionKind.EDITED, code=ErrorCode.EDITED, message=message, request=request, actor=self.actor
        )
        raise_refusal(uow.record(self.job_id, None, report))
        uow.specs[self.job_id] = after
        if after.capabilities and "capabilities" in changed and self._may_be_matched(job):
            match_agent(uow, self.job_id)
        return uow.show_job(self.job_id)


def _apply_edit(before: Spec, edit: JobEdit) -> Spec:
    after = replace(before, **{name: getattr(edit, name) for name in edit.model_fields_set})
    if "payload" in edit.model_fields_set:
        after = replace(after, payload=json_text(edit.payload))
    if "acceptance_criteria" in edit.model_fields_set:
        is_same = edit.criteria == parse_stored_criteria(before.acceptance_criteria)  # perhaps spelled otherwise
        given = format_criteria(edit.criteria) if edit.criteria else ""
        criteria = before.acceptance_criteria if is_same else given
        after = replace(after, acceptance_criteria=criteria)
    return after


def _field_json(spec: Spec, name: str) -> str:
    """Return a field of a spec as JSON text."""
    value = getattr(spec, name)
    if name == "payload":
        return str(value)
    if isinstance(value, datetime):
        return json_text(time_text(value))
    return json_text(value.model_dump(exclude_none=True) if name == "policy" else value)
