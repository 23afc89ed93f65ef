"""OperationsService: limits are set, paused, resumed and removed, and agents are paused by them."""

from typing import Any
from uuid import uuid4

import pytest
from api_calls import ADMINISTRATOR, Status, refused
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from support.jobstore.administered import put_agent

from contracts.resources import NewAgent
from jobstore.agents.store import get_agent
from jobstore.api.operations_service import OperationsService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.insights.overview import WaitingSums
from jobstore.insights.storages import Storages
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from jobstore.publishing.watches import Watches
from servicekit.kafka.broker import LogDir
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources
from signoff.v1.job_service_pb2_grpc import JobServiceStub
from signoff.v1.operations_service_pb2_grpc import OperationsServiceStub

NOBODY: Any = None


@pytest.fixture
async def doors(database: Database, runner: CommandRunner) -> OperationsService:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM limits"))
    batches = Batches(Callers(database), runner, OperationWorker(database, runner))
    return OperationsService(
        Callers(database), runner, Watches(database), batches, WaitingSums(database, runner.terms.alive_s)
    )


async def list_no_dirs() -> list[LogDir]:
    return []


async def test_a_diagnosis_says_how_full_storages_are(database: Database, runner: CommandRunner) -> None:
    storages = Storages(database, list_no_dirs, database_max_bytes=1 << 20, full_at=0.95)
    waiting, batches = (
        WaitingSums(database, 60.0),
        Batches(Callers(database), runner, OperationWorker(database, runner)),
    )
    doors = OperationsService(Callers(database), runner, Watches(database), batches, waiting, storages=storages)
    await storages.look()
    (told,) = (await doors.Diagnose(pb.DiagnoseRequest(), NOBODY)).storages
    assert (told.name, told.total_bytes, told.is_full) == ("database", 1 << 20, True)
    assert told.used_bytes > 1 << 20
    assert not told.HasField("growth_bytes_per_day")
    await waiting.close()


async def test_a_limit_is_set_paused_resumed_and_removed(doors: OperationsService) -> None:
    limit = resources.Limit(name="tenant:a", concurrency=0, weight=2.5, queue_max=7)
    made = (await doors.SetLimit(pb.SetLimitRequest(limit=limit), NOBODY)).limit
    assert (made.concurrency, made.weight, made.queue_max, made.rate_period_s) == (0, 2.5, 7, 1.0)
    paused = (await doors.Pause(pb.PauseRequest(name="tenant:a", paused=True), NOBODY)).limit
    assert (paused.paused, paused.weight) == (True, 2.5)
    await doors.Pause(pb.PauseRequest(name="agent:nobody", paused=True), NOBODY)
    listed = (await doors.ListLimits(pb.ListLimitsRequest(), NOBODY)).limits
    assert [limit.name for limit in listed] == ["agent:nobody", "tenant:a"]
    replaced = resources.Limit(name="tenant:a", rate=3, rate_period_s=60)
    made = (await doors.SetLimit(pb.SetLimitRequest(limit=replaced), NOBODY)).limit
    assert (made.HasField("concurrency"), made.paused, made.rate) == (False, True, 3), "it is paused as it was"
    resumed = (await doors.Pause(pb.PauseRequest(name="tenant:a", paused=False), NOBODY)).limit
    assert (resumed.paused, resumed.rate) == (False, 3)
    await doors.Pause(pb.PauseRequest(name="agent:nobody", paused=False), NOBODY)
    listed = (await doors.ListLimits(pb.ListLimitsRequest(), NOBODY)).limits
    assert [limit.name for limit in listed] == ["tenant:a"]
    await doors.RemoveLimit(pb.RemoveLimitRequest(name="tenant:a"), NOBODY)
    with pytest.raises(NotFoundError) as unknown:
        await doors.RemoveLimit(pb.RemoveLimitRequest(name="tenant:a"), NOBODY)
    assert unknown.value.code == "unknown_limit"


async def test_a_limit_has_versions_and_a_write_that_names_another_is_refused(doors: OperationsService) -> None:
    limit = resources.Limit(name="tenant:a", concurrency=1)
    set_limit = (await doors.SetLimit(pb.SetLimitRequest(limit=limit), NOBODY)).limit
    assert set_limit.version == 1
    await doors.Pause(pb.PauseRequest(name="tenant:a", paused=True), NOBODY)
    for stale in (1, 3):
        with pytest.raises(RefusedError) as refused:
            await doors.SetLimit(pb.SetLimitRequest(limit=limit, version=stale), NOBODY)
        assert refused.value.code == "version_conflict"
        with pytest.raises(RefusedError) as refused:
            await doors.RemoveLimit(pb.RemoveLimitRequest(name="tenant:a", version=stale), NOBODY)
        assert refused.value.code == "version_conflict"
    assert (await doors.SetLimit(pb.SetLimitRequest(limit=limit, version=2), NOBODY)).limit.version == 3
    assert (await doors.GetLimit(pb.GetLimitRequest(name="tenant:a"), NOBODY)).limit.version == 3
    await doors.RemoveLimit(pb.RemoveLimitRequest(name="tenant:a", version=3), NOBODY)
    with pytest.raises(NotFoundError):
        await doors.GetLimit(pb.GetLimitRequest(name="tenant:a"), NOBODY)


async def test_a_mask_says_what_of_a_limit_changes(doors: OperationsService) -> None:
    limit = resources.Limit(name="tenant:a", concurrency=1, weight=2)
    await doors.SetLimit(pb.SetLimitRequest(limit=limit), NOBODY)
    change = resources.Limit(name="tenant:a", rate=5, concurrency=9)
    request = pb.SetLimitRequest(limit=change, update_mask=FieldMask(paths=["rate", "weight"]), version=1)
    made = (await doors.SetLimit(request, NOBODY)).limit
    assert (made.concurrency, made.rate, made.HasField("weight"), made.version) == (1, 5, False, 2)
    with pytest.raises(ValueError, match="cannot be changed: name"):
        await doors.SetLimit(pb.SetLimitRequest(limit=change, update_mask=FieldMask(paths=["name"])), NOBODY)
    rest = pb.SetLimitRequest(
        limit=resources.Limit(name="tenant:a"), update_mask=FieldMask(paths=["rate", "concurrency"])
    )
    await doors.SetLimit(rest, NOBODY)
    assert not (await doors.ListLimits(pb.ListLimitsRequest(), NOBODY)).limits, "nothing is left of it"


async def test_a_pause_names_the_version_of_the_agent_or_else_of_the_limit(
    doors: OperationsService, database: Database
) -> None:
    async with database.transaction() as connection:
        await put_agent(connection, "paused", NewAgent(name="a", url="http://a/"), create=True)

    async def pause(name: str, version: int, *, paused: bool = True) -> None:
        await doors.Pause(pb.PauseRequest(name=name, paused=paused, version=version), NOBODY)

    await doors.SetLimit(pb.SetLimitRequest(limit=resources.Limit(name="tenant:a", rate=1)), NOBODY)
    await doors.SetLimit(pb.SetLimitRequest(limit=resources.Limit(name="agent:paused", rate=1)), NOBODY)
    for name in ("agent:paused", "tenant:a"):
        with pytest.raises(RefusedError) as refused:
            await pause(name, 3)
        assert refused.value.code == "version_conflict"
        await pause(name, 1)
        with pytest.raises(RefusedError):
            await pause(name, 1, paused=False)
        await pause(name, 2, paused=False)


async def test_limits_and_figures_of_agents_come_in_pages(doors: OperationsService, database: Database) -> None:
    names = [f"tenant:{name}" for name in ("a", "b", "law", "press", "t")]
    for name in names:
        await doors.SetLimit(pb.SetLimitRequest(limit=resources.Limit(name=name, concurrency=1)), NOBODY)
    assert await read_pages(lambda **page: doors.ListLimits(pb.ListLimitsRequest(**page), NOBODY), "limits") == names
    ids = [f"paged-{n}" for n in range(3)]
    async with database.transaction() as connection:
        now = "date_trunc('minute', signoff_now())"
        for agent_id in ids:
            await connection.execute(text(f"INSERT INTO agent_rollups VALUES ('{agent_id}', {now}{', 1' * 9})"))
    found = await read_pages(
        lambda **page: doors.GetAgentStats(pb.GetAgentStatsRequest(**page), NOBODY), "agents", "agent_id"
    )
    assert [each for each in found if each.startswith("paged-")] == ids


async def read_pages(read: Any, items: str, name: str = "name") -> list[str]:
    """The names in all pages of two."""
    found, token = [], ""
    while True:
        page = await read(page_size=2, page_token=token)
        assert len(getattr(page, items)) <= 2
        found += [getattr(each, name) for each in getattr(page, items)]
        if not (token := page.next_page_token):
            return found


@pytest.mark.parametrize(
    "limit",
    [
        {"name": ""},
        {"name": "writer"},
        {"name": "label:key"},
        {"name": "batch:" + str(uuid4())},
        {"name": "tenant:a\0"},
        {"name": "agent:a", "weight": 1.0},
        {"name": "label:a=b", "queue_max": 1},
        {"name": "tenant:a", "weight": 0.0},
        {"name": "agent:a", "rate": 0},
        {"name": "agent:a", "concurrency": -1},
    ],
)
async def test_a_limit_that_is_not_well_formed_is_refused(doors: OperationsService, limit: Any) -> None:
    with pytest.raises((InvalidError, ValueError)):
        await doors.SetLimit(pb.SetLimitRequest(limit=limit), NOBODY)
    assert not (await doors.ListLimits(pb.ListLimitsRequest(), NOBODY)).limits


@pytest.mark.parametrize(
    ("paused", "is_paused"),
    [
        ({}, False),
        ({"agent:writer": True}, True),
        ({"agent:*": True}, True),
        ({"agent:*": True, "agent:writer": False}, False),
        ({"tenant:press": True, "agent:other": True}, False),
    ],
)
async def test_an_agent_is_paused_by_its_name_or_with_all_that_have_no_limit_of_their_own(
    doors: OperationsService, database: Database, paused: dict[str, bool], is_paused: bool
) -> None:
    for name, value in paused.items():
        await doors.Pause(pb.PauseRequest(name=name, paused=value), NOBODY)
    async with database.session() as session:
        agent = await get_agent(session, "writer")
    assert agent is not None
    assert agent.paused is is_paused


@pytest.mark.parametrize("number", [0, 77])
async def test_a_filter_with_a_status_that_is_not_known_is_refused(channel: Any, number: int) -> None:
    jobs, operations = JobServiceStub(channel), OperationsServiceStub(channel)
    chosen = resources.JobFilter(statuses=[number])
    new = resources.NewOperation(kind=resources.OPERATION_KIND_EXECUTE, filter=chosen)
    for call, request in (
        (jobs.ListJobs, jobs_pb.ListJobsRequest(filter=chosen)),
        (jobs.ExecuteJobs, jobs_pb.ExecuteJobsRequest(filter=chosen)),
        (operations.CreateOperation, pb.CreateOperationRequest(operation=new)),
        (operations.PreviewOperation, pb.PreviewOperationRequest(operation=new)),
        (operations.RetryOperation, pb.RetryOperationRequest(operation_id=str(uuid4()), statuses=[number])),
    ):
        status, code, message = await refused(call(request, metadata=ADMINISTRATOR))
        assert (status, code) == (Status.INVALID_ARGUMENT, "invalid_request")
        assert "statuses.0: must be PENDING" in message or message == f"{number} is not a valid JobStatus"
