"""A removed job is read from the archive: as it last stood, with its log, and with the receipt that was handed out."""

from typing import Any

import pytest
from support.jobstore.archiving import Archiving
from support.jobstore.removed import RETENTION
from support.jobstore.steps import Steps, verdict

from contracts.receipts import derive_keys
from contracts.resources import JobPatch
from contracts.signing import Secrets, make_secret
from jobstore.access.callers import CALLER, Caller
from jobstore.api.job_service import JobService
from jobstore.api.keeping_service import KeepingService
from jobstore.api.receipt_service import ReceiptService
from jobstore.engine.scoped import Callers
from jobstore.errors import NotFoundError, RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.insights.rollups import Rollups
from jobstore.jobs.commands import EditJob
from jobstore.jobs.model import SIGNOFF, Actor
from jobstore.jobs.texts import TextIndex
from jobstore.keeping.removal import RemoveJobs
from servicekit.archive.parts import Beginning
from servicekit.errors import PermanentError
from signoff.status import Outcome, ReportKind, Role
from signoff.v1 import job_service_pb2, keeping_service_pb2, receipt_service_pb2, resources_pb2

RECEIPT_KEYS = derive_keys(Secrets.parse(make_secret("a", b"a" * 32)))
CONTEXT: Any = type("Context", (), {"invocation_metadata": staticmethod(tuple)})()


class Removed:
    """A job that was edited, executed and judged, and how the doors answered of it; then it is removed."""

    def __init__(self, steps: Steps, archiving: Archiving) -> None:
        self.steps, self.archiving = steps, archiving
        self.callers = Callers(steps.database)

    @property
    def service(self) -> KeepingService:
        return KeepingService(
            self.callers, self.steps.runner, open_archive=lambda: self.archiving.archive, receipt_key=RECEIPT_KEYS[0]
        )

    async def read(self, **fields: Any) -> keeping_service_pb2.GetRemovedJobResponse:
        request = keeping_service_pb2.GetRemovedJobRequest(job_id=self.steps.job_id, **fields)
        return await self.service.GetRemovedJob(request, CONTEXT)

    async def remember(self) -> None:
        unused: Any = None
        jobs = JobService(self.callers, self.steps.runner, unused, unused, 1 << 20)
        self.job = (await jobs.GetJob(job_service_pb2.GetJobRequest(job_id=self.steps.job_id), CONTEXT)).job
        request = job_service_pb2.ListJobLogsRequest(job_id=self.steps.job_id, view=resources_pb2.VIEW_FULL)
        self.logs = list((await jobs.ListJobLogs(request, CONTEXT)).logs)
        receipts = ReceiptService(self.callers, RECEIPT_KEYS)
        asked = receipt_service_pb2.GetReceiptRequest(job_id=self.steps.job_id)
        self.receipt = (await receipts.GetReceipt(asked, CONTEXT)).envelope_json

    async def remove(self) -> None:
        await self.archiving.publish()
        await self.archiving.run()
        rollups = Rollups(self.steps.database)
        while await TextIndex(self.steps.database).index() or await rollups.count():
            pass
        await rollups.count_judgings()
        command = RemoveJobs({self.steps.job_id: None}, "tenant:* completed_s", actor=RETENTION)
        assert await self.steps.runner.administer.run_one(command) == {}


def describe(log: Any) -> list[str]:
    """The lines of an entry, but those that say false, as is also said of what is not set."""
    return [line for line in str(log).splitlines() if not line.endswith(": false")]


@pytest.fixture
async def removed(steps: Steps, archiving: Archiving) -> Removed:
    about = {"title": "a title", "description": "what to do", "payload": {"n": 1.0, "odd": "\N{SNOWMAN} \U0001f600"}}
    await steps.created(**about, labels={"team": "x"})
    await steps.runner.submit.run_one(EditJob(steps.job_id, JobPatch(description="said anew"), None, actor=SIGNOFF))
    command = ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF)
    await steps.runner.submit.run_one(command)
    lease = (await steps.claim()).execution.lease
    lease = (await steps.claim_judging(lease)).execution.lease
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS))
    removed = Removed(steps, archiving)
    await removed.remember()
    await removed.remove()
    return removed


async def test_a_removed_job_its_log_and_its_receipt_are_as_the_doors_answered_before(removed: Removed) -> None:
    found = await removed.read()

    for left_out in ("last_log", "result", "result_json", "verdict", "result_version", "waiting"):
        if left_out in removed.job.DESCRIPTOR.fields_by_name:
            removed.job.ClearField(left_out)
    assert found.job == removed.job
    assert [*map(describe, found.logs[:-1])] == [*map(describe, removed.logs)]
    assert (found.logs[-1].version, found.logs[-1].removed.tenant) == (len(removed.logs) + 1, "default")
    assert found.receipt == removed.receipt
    assert found.removed_at == found.logs[-1].created_at
    assert list(found.parts) == [1]


async def test_a_log_comes_by_pages_and_ends_with_the_removal(removed: Removed) -> None:
    versions, token = [], ""
    while True:
        page = await removed.read(page_size=2, page_token=token)
        versions += [log.version for log in page.logs]
        token = page.next_page_token
        if not token:
            break
    assert versions == [*range(1, len(removed.logs) + 2)]


async def test_a_basic_view_has_no_texts_and_no_bodies(removed: Removed) -> None:
    found = await removed.read(view=resources_pb2.VIEW_BASIC)

    assert "what to do" not in str(found)
    assert "said anew" not in str(found)
    assert found.job.title == "a title"


async def test_callers_of_other_tenants_are_told_of_no_removed_job(removed: Removed) -> None:
    CALLER.set(Caller("other", Actor("token:other"), Role.VIEWER, tenants=frozenset({"press"})))

    with pytest.raises(NotFoundError, match="was removed"):
        await removed.read()


async def test_a_part_that_is_gone_is_named(removed: Removed) -> None:
    (path,) = removed.archiving.folder.glob("parts/000000000001-*.jsonl.zst")
    path.unlink()

    with pytest.raises(PermanentError, match=r"part 1 of the archive .* has no data any more"):
        await removed.read()


@pytest.mark.parametrize("parts", ["[1]", "[]"], ids=["listed", "gone before it was removed"])
async def test_a_job_whose_parts_were_let_go_is_told_so(removed: Removed, parts: str) -> None:
    await removed.archiving.publish()
    await removed.archiving.run()
    archive = removed.archiving.archive
    second = await archive.read_part(2)
    before = second.manifest.before or ""
    await archive.begin_at(Beginning(number=2, before=before, installation="here", checkpoint=1, seq=9))
    await removed.archiving.execute(
        f"UPDATE job_logs SET response_payload = jsonb_set(response_payload::jsonb, '{{3}}', '{parts}')::json "
        "WHERE kind = 'removed'"
    )

    with pytest.raises(RefusedError, match=r"let go of the parts .* it begins with part 2") as error:
        await removed.read()
    assert error.value.code == "not_archived"


async def test_without_an_archive_it_is_said_that_there_is_none(removed: Removed) -> None:
    service = KeepingService(removed.callers, removed.steps.runner)

    with pytest.raises(RefusedError, match="SIGNOFF_ARCHIVE"):
        await service.GetRemovedJob(keeping_service_pb2.GetRemovedJobRequest(job_id=removed.steps.job_id), CONTEXT)


async def test_a_job_that_was_not_removed_is_not_found(removed: Removed) -> None:
    with pytest.raises(NotFoundError, match="was removed"):
        await removed.service.GetRemovedJob(keeping_service_pb2.GetRemovedJobRequest(job_id="none"), CONTEXT)
