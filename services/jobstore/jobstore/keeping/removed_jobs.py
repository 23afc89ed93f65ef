"""Read a removed job from the parts of the archive that have its facts: the job, its log, and its last verdict."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic_core import from_json, to_json
from sqlalchemy import text

from contracts.events import JobChanged, hash_result, hash_task
from contracts.judging.policy import Verdict
from contracts.resources import Job
from contracts.topics import TOPIC_OF
from jobstore.engine.sql import Connection
from jobstore.errors import RefusedError
from jobstore.jobs.model import members, read_removal, read_verdict
from jobstore.jobs.reads import RecordedVerdict
from jobstore.jobs.transitions import is_verdict
from jobstore.judging.rules import read_task
from jobstore.recovery.fact_parsing import Fact, read_by_pydantic
from servicekit.archive.parts import Archive, Beginning, iterate_records
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.jobs import JobLog
from signoff.jsontext import parse_json
from signoff.status import JobStatus

_JOBS: Final = TOPIC_OF[JobChanged]
#: Members of a job that stand in the fact of version 1 and of edits alone.
_TEXTS: Final = ("description", "acceptance_criteria", "references", "payload")
_ENTRY: Final = text(
    "SELECT version, created_at, response_payload::text AS removal FROM job_logs "
    "WHERE job_id = :job_id AND kind = 'removed'"
)


@dataclass(frozen=True, slots=True)
class RemovalEntry:
    """The entry that stays of a removed job, as far as it is needed to find the others."""

    version: int
    removed_at: datetime
    tenant: str
    parts: Sequence[int]


async def find_removal(connection: Connection, job_id: str) -> RemovalEntry | None:
    """Return what stays of a removed job; None: no job with this id was removed, or it was long ago."""
    row = (await connection.execute(_ENTRY, {"job_id": job_id})).one_or_none()
    if row is None:
        return None
    removal = from_json(read_removal(row.removal))
    return RemovalEntry(row.version, row.created_at, removal["tenant"], removal["parts"])


async def read_facts(archive: Archive, job_id: str, entry: RemovalEntry) -> list[Fact]:
    """Return all facts of a removed job but the last, which removes it; each whole, if it is whole in a part.

    RefusedError (`not_archived`): some stood in parts that were let go. PermanentError (`wrong_archive`): the archive
    lacks some that it should have.
    """
    beginning = await archive.find_beginning()
    if beginning is not None and any(number < beginning.number for number in entry.parts):
        raise _make_gone(archive, job_id, beginning)
    found: dict[int, Fact] = {}
    for number in entry.parts:
        data = await archive.read_data(await archive.read_part(number))
        for fact in await asyncio.to_thread(_find_facts, data, job_id):
            if fact.event.version not in found or fact.is_whole:
                found[fact.event.version] = fact
    if lacking := next((version for version in range(1, entry.version) if version not in found), None):
        if beginning is not None:
            raise _make_gone(archive, job_id, beginning)
        raise PermanentError(
            f"the archive {archive.place} lacks version {lacking} of the job {job_id}", code=ErrorCode.WRONG_ARCHIVE
        )
    return [found[version] for version in range(1, entry.version)]


def _make_gone(archive: Archive, job_id: str, beginning: Beginning) -> RefusedError:
    return RefusedError(
        f"the archive {archive.place} has let go of the parts that had the job {job_id} (SIGNOFF_ARCHIVE_KEPT_S): it "
        f"begins with part {beginning.number}",
        code=ErrorCode.NOT_ARCHIVED,
    )


def _find_facts(data: bytes, job_id: str) -> list[Fact]:
    key = b',"key":' + to_json(job_id) + b","
    lines = b"\n".join(line for line in data.splitlines() if key in line)
    of_job = (record for record in iterate_records(lines, _JOBS) if record.key == job_id.encode())
    return [read_by_pydantic(record.value or b"") for record in of_job]


def make_job(facts: Sequence[Fact], *, texts: bool) -> Job:
    """Return a job as it last stood, with the texts that its facts gave last if `texts`."""
    job = facts[-1].event.job.model_copy(update={"live": False})
    if not texts:
        return job.model_copy(update=dict.fromkeys(_TEXTS))
    given = {name: fact.job[name] for fact in facts for name in _TEXTS if name in fact.job}
    return job.model_copy(update={name: parse_json(value) for name, value in given.items()})


def make_logs(facts: Iterable[Fact], *, texts: bool) -> list[JobLog]:
    """Return the entries that facts tell, with the texts that stand in the job's members alone, or without bodies."""
    return [
        fact.event.log.model_copy(
            update={"tenant": fact.event.job.tenant} | (_find_texts(fact) if texts else dict.fromkeys(_BODIES))
        )
        for fact in facts
    ]


_BODIES: Final = ("request", "payload", "before", "after", "result", "partial", "verdict")


def _find_texts(fact: Fact) -> dict[str, object]:
    """Return the members of an entry that its fact has in the job alone."""
    log, job = fact.event.log, members(members(fact.body.decode())["job"])
    if log.before is not None:
        return {"after": {name: parse_json(job[name]) for name in log.before if name in job}}
    return {"payload": parse_json(job["payload"])} if fact.event.version == 1 and "payload" in job else {}


def find_verdict(facts: Sequence[Fact]) -> RecordedVerdict | None:
    """Return the verdict that ended a job; None: it ended without one, or what is archived does not hold it."""
    last = facts[-1].event
    for fact in reversed(facts):
        log = fact.event.log
        if log.kind is None or not is_verdict(log.kind, log.code):
            continue
        has_ended_it = (log.execution_id, log.job_status) == (last.job.execution_id, last.job.status)
        if not has_ended_it or log.execution_id is None or not {"verdict", "result"} <= fact.log.keys():
            return None
        verdict = Verdict.model_validate_json(fact.log["verdict"])
        if read_verdict(verdict)[1] is not None:
            return None
        requested = _find_request(facts, fact)
        return RecordedVerdict(
            job_id=fact.event.job_id,
            tenant=fact.event.job.tenant,
            version=fact.event.version,
            status=JobStatus(log.job_status),
            execution_id=log.execution_id,
            submission=log.submission or 1,
            code=log.code,
            requested_at=None if requested is None else requested[0],
            judged_at=log.created_at,
            verdict=verdict,
            result_hash=hash_result(fact.log["result"]),
            task_hash=None if requested is None else requested[1],
        )
    return None


def _find_request(facts: Iterable[Fact], judged: Fact) -> tuple[datetime, bytes] | None:
    """Return when the execution of a verdict was requested, and the hash of its agent's task."""
    for fact in facts:
        requested, log = fact.event.requested, fact.event.log
        if requested is not None and log.execution_id == judged.event.log.execution_id:
            return requested.created_at, hash_task(*read_task(members(fact.log["request"]))[:3])
    return None
