"""Edit jobs that no execution is live of: change what they ask for. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.criteria import format_criteria, parse_stored_criteria
from contracts.resources import JobPatch, NewJob, Policy
from jobstore.commands.assigning import match_agent
from jobstore.commands.base import Command, Locks, Reads, check_version, merge_patch, raise_refusal, require_job
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
    patch: JobPatch
    version: int | None = None

    def locks(self) -> Locks:
        return Locks(jobs=frozenset({self.job_id}), specs=frozenset({self.job_id}))

    def reads(self, stored: Stored) -> Reads:
        may_be_matched = self._may_be_matched(stored.jobs.get(self.job_id))
        named = read_named(self.patch.policy or Policy())
        return replace(named, capabilities=frozenset(self.patch.capabilities or ())) if may_be_matched else named

    def _may_be_matched(self, job: Job | None) -> bool:
        return job is not None and job.status is JobStatus.PENDING and "capabilities" in self.patch.model_fields_set

    def decide(self, uow: UnitOfWork) -> JobView:
        job = require_job(uow, self.job_id)
        before = uow.specs[self.job_id]
        after = _apply(before, self.patch)
        named = self.patch.model_fields_set | {"references"}  # which new criteria drop
        changed = [name for name in sorted(named) if _field_json(before, name) != _field_json(after, name)]
        if not changed:
            return uow.show_job(self.job_id)
        uow.check_spec_size(after)
        check_criteria(after)
        check_references(after)
        if "policy" in changed and self.patch.policy is not None:
            check_named(uow, self.patch.policy)
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


def _apply(before: Spec, patch: JobPatch) -> Spec:
    given = patch.model_fields_set
    if "acceptance_criteria" not in given:
        changes = merge_patch(before, patch, NewJob)
    else:
        changes = merge_patch(replace(before, references={}), patch, NewJob)
        changes.setdefault("references", {})
        criteria = patch.criteria or []
        is_same = criteria == parse_stored_criteria(before.acceptance_criteria)  # perhaps spelled otherwise
        given_text = format_criteria(criteria) if criteria else ""
        changes["acceptance_criteria"] = before.acceptance_criteria if is_same else given_text
    if "payload" in given:
        changes["payload"] = json_text(patch.payload)
    return replace(before, **changes)


def _field_json(spec: Spec, name: str) -> str:
    """Return a field of a spec as JSON text."""
    value = getattr(spec, name)
    if name == "payload":
        return str(value)
    if isinstance(value, datetime):
        return json_text(time_text(value))
    return json_text(value.model_dump(exclude_none=True) if name == "policy" else value)
