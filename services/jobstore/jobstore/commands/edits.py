"""Edits: a job that rests, or waits to be executed, asks for something else from now on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.jsontext import json_text
from contracts.resources import JobEdit
from contracts.status import JobStatus
from jobstore.commands.assigning import match_agent
from jobstore.commands.base import Command
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.model import Refusal, Report, TransitionKind
from jobstore.domain.spec import Spec
from jobstore.errors import NotFoundError, RefusedError


@dataclass(frozen=True, slots=True)
class EditJob(Command):
    """Change what a job asks for; whoever says which version is meant, changes no other.

    What is as it was already is no change, so that whoever asks again is answered again.
    """

    needs_spec = True
    job_id: str
    edit: JobEdit
    version: int | None = None

    @property
    def job(self) -> str:
        return self.job_id

    def needs(self, uow: UnitOfWork) -> Iterable[str]:
        return self.edit.capabilities if self._waits_for_an_agent(uow) else ()

    def _waits_for_an_agent(self, uow: UnitOfWork) -> bool:
        job = uow.jobs.get(self.job_id)
        return job is not None and job.status is JobStatus.PENDING and "capabilities" in self.edit.model_fields_set

    def apply(self, uow: UnitOfWork) -> dict[str, Any]:
        job = uow.jobs.get(self.job_id)
        if job is None:
            raise NotFoundError(f"no job has the id {self.job_id}", code="unknown_job")
        before = uow.specs[self.job_id]
        after = replace(before, **_values(self.edit))
        names = [name for name in sorted(self.edit.model_fields_set) if _text(before, name) != _text(after, name)]
        if not names:
            return uow.view(self.job_id)
        if self.version is not None and self.version != job.version:
            raise RefusedError(f"the job is at version {job.version}, not {self.version}", code="version_conflict")
        request = _edit(before, after, names)
        report = Report(TransitionKind.EDITED, code="edited", message=f"edited: {', '.join(names)}", request=request)
        decision = uow.record(self.job_id, None, report)
        if isinstance(decision, Refusal):
            raise RefusedError(decision.message, code=decision.code)
        uow.specs[self.job_id] = after
        uow.edited.add(self.job_id)
        if after.capabilities and "capabilities" in names and self._waits_for_an_agent(uow):
            match_agent(uow, self.job_id)
        return uow.view(self.job_id)


def _values(edit: JobEdit) -> Mapping[str, Any]:
    values = {name: getattr(edit, name) for name in edit.model_fields_set}
    return values | ({"payload": json_text(edit.payload)} if "payload" in values else {})


def _text(spec: Spec, name: str) -> str:
    """A part of it as JSON."""
    value = getattr(spec, name)
    if name == "payload":
        return str(value)
    return json_text(value.model_dump(mode="json", exclude_none=True) if name == "policy" else value)


def _edit(before: Spec, after: Spec, names: Iterable[str]) -> str:
    """The request payload of an edit: the payload as it is then, as in an assignment; what changed, and what was."""
    parts = (",".join(f'"{name}":{_text(spec, name)}' for name in names) for spec in (after, before))
    changed, was = parts
    return f'{{"payload":{after.payload},"changed":{{{changed}}},"before":{{{was}}}}}'
