"""Operations on all jobs that match: made of what matches then, carried out once, and reported job by job."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from batch_world import CALLER, NOBODY, World, asked, ended, judged
from pydantic import ValidationError
from support.jobstore.administered import pause_limit
from support.jobstore.steps import Steps, unproven

from contracts.resources import NewAgent, NewOperation
from jobstore.agents.commands import RegisterAgent
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.executions.commands import CancelJob
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.operations.batches import Batches
from jobstore.operations.worker import OperationWorker
from signoff.status import OperationKind, Outcome, ReportKind
from signoff.types import Operation, OperationItem, read_model
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources
from signoff.wire import write_word


async def made(world: World, kind: str, key: str = "", **fields: Any) -> Operation:
    number = write_word(resources.OperationKind.DESCRIPTOR, kind) if kind in [*OperationKind] else 77
    new = resources.NewOperation(kind=number, **fields)
    request = pb.CreateOperationRequest(operation=new, idempotency_key=key)
    return read_model((await world.doors.CreateOperation(request, NOBODY)).operation)


async def reported(world: World, operation_id: Any, *outcomes: str) -> list[OperationItem]:
    """The items of these outcomes, page by page."""
    found: list[OperationItem] = []
    token = ""
    while True:
        request = asked(
            pb.ListOperationItemsRequest,
            operation_id,
            outcomes=[f"ITEM_OUTCOME_{word}" for word in outcomes],
            page_size=2,
            page_token=token,
        )
        page = await world.doors.ListOperationItems(request, NOBODY)
        found += map(read_model, page.items)
        if not (token := page.next_page_token):
            return found


async def agent(world: World) -> str:
    agent_id = f"other-{uuid4().hex}"
    await world.runner.administer.run_one(
        RegisterAgent(agent_id, NewAgent(name="Other", url="http://127.0.0.1:1/"), actor=SIGNOFF)
    )
    return agent_id


async def kinds_of(world: World, job: Steps) -> list[str]:
    """What the log of a job tells, in order."""
    rows = await world.sql("SELECT kind FROM job_logs WHERE job_id = :id ORDER BY version", id=job.job_id)
    return [row.kind for row in rows]


class Frozen:
    """CommandRunner of a process that is stopped when it is about to carry out a chunk, until it is let go."""

    def __init__(self, world: World) -> None:
        self.submit, self.world = self, world
        self.runner, self.terms, self.administer = world.runner, world.runner.terms, world.runner.administer
        self.is_stopped, self.goes_on = asyncio.Event(), asyncio.Event()

    async def work(self) -> None:
        await OperationWorker(self.world.database, self).work()  # type: ignore[arg-type]

    async def run(self, commands: Any) -> Any:
        self.is_stopped.set()
        await self.goes_on.wait()
        return await self.runner.submit.run(commands)


async def test_an_operation_is_not_of_what_its_filter_leaves_out(world: World) -> None:
    tenant = uuid4().hex
    await world.jobs(2, tenant=tenant, labels={"team": "red"})
    others = await world.jobs(3, tenant=tenant)
    operation = await made(world, "cancel", filter={"tenant": tenant, "not_labels": ["team:red"]})
    assert operation.filter is not None
    assert (operation.total, operation.filter.not_labels) == (3, ["team:red"])
    items = await reported(world, operation.id)
    assert {item.job_id for item in items} == {job.job_id for job in others}


async def test_an_operation_is_of_what_waits_for_a_reason_or_of_none_of_it(world: World) -> None:
    """Beyond what an operation may hold, some that match would be left out: it is refused."""
    tenant = uuid4().hex
    waiting = [await Steps(world.database, world.runner).requested(tenant=tenant) for _ in range(3)]
    await world.jobs(2, tenant=tenant)
    async with world.database.transaction() as connection:
        await pause_limit(connection, f"tenant:{tenant}", paused=True)
    named = {"tenant": tenant, "reasons": [f"limit_paused:tenant:{tenant}", "no_agent_matches"]}
    small = Batches(Callers(world.database), world.runner, world.operator, items_max=2)
    with pytest.raises(InvalidError) as refused:
        await small.create(NewOperation(kind="cancel", filter=named), "", BOOTSTRAP)
    assert refused.value.code == "batch_too_large"
    assert "more than 2 jobs wait for" in str(refused.value), "to choose fewer of these by their age is no way out"
    preview = await small.preview(NewOperation(kind="cancel", filter=named))
    assert preview.total > preview.items_max, "what is refused is not promised"
    new = resources.NewOperation(kind="OPERATION_KIND_CANCEL", filter=named)
    assert (await world.doors.PreviewOperation(pb.PreviewOperationRequest(operation=new), CALLER)).total == 3
    operation = await made(world, "cancel", filter=named)
    assert (operation.total, operation.filter and operation.filter.reasons) == (3, named["reasons"])
    assert {item.job_id for item in await reported(world, operation.id)} == {job.job_id for job in waiting}


async def test_what_waits_for_a_reason_is_looked_up_among_the_jobs_of_the_tenant_that_is_asked_for(
    world: World,
) -> None:
    """Else those of others, which wait for the same, take the places of its own."""
    mine, other = uuid4().hex, uuid4().hex
    waiting = await Steps(world.database, world.runner).requested(tenant=mine)
    await Steps(world.database, world.runner).requested(tenant=other)
    async with world.database.transaction() as connection:
        for tenant in (mine, other):
            await pause_limit(connection, f"tenant:{tenant}", paused=True)
    small = Batches(Callers(world.database), world.runner, world.operator, items_max=1)
    new = NewOperation(kind="cancel", filter={"tenant": mine, "reasons": ["limit_paused"]})
    assert [job["id"] for job in (await small.preview(new)).sample] == [waiting.job_id]
    assert (await small.create(new, "", BOOTSTRAP)).value.total == 1


async def test_all_that_match_are_assigned_each_once_whatever_dies(world: World) -> None:
    tenant, to = uuid4().hex, await agent(world)
    jobs = await world.jobs(5, tenant=tenant)
    operation = await made(world, "assign", filter={"tenant": tenant}, agent_id=to, name="to the other")
    assert (operation.name, operation.total, operation.counts) == ("to the other", 5, {"WAITING": 5})
    assert operation.filter is not None
    assert (operation.filter.tenant, operation.agent_id) == (tenant, to)
    (late,) = await world.jobs(1, tenant=tenant)  # it matches, and is no part of the snapshot

    await world.operator.work()  # a chunk of two; then its process is killed, and two others go on
    assert (await world.stands(operation.id)).counts == {"DONE": 2, "WAITING": 3}
    others = [OperationWorker(world.database, world.runner, items_max=2) for _ in range(2)]
    await asyncio.gather(*(other.run_until_answered(operation.id) for other in others))
    done = await world.stands(operation.id)
    assert (done.state, done.counts) == ("DONE", {"DONE": 5})
    assert [await kinds_of(world, job) for job in jobs] == [["created", "assigned"]] * 5
    assert await kinds_of(world, late) == ["created"]
    found = await reported(world, operation.id)
    assert [(item.item, item.job_id, item.title) for item in found] == [
        (number, job.job_id, "A title") for number, job in enumerate(jobs)
    ]


async def test_who_was_frozen_while_others_carried_its_items_out_does_nothing_afterwards(world: World) -> None:
    jobs, to = await world.jobs(2), await agent(world)
    operation = await made(world, "assign", job_ids=[job.job_id for job in jobs], agent_id=to)
    frozen = Frozen(world)
    late = asyncio.create_task(frozen.work())
    await frozen.is_stopped.wait()
    await world.sql("UPDATE operations SET turn_at = now()")  # its claim has expired
    await world.worked()
    frozen.goes_on.set()
    await late
    assert [await kinds_of(world, job) for job in jobs] == [["created", "assigned"]] * 2
    assert (await world.stands(operation.id)).counts == {"DONE": 2}


async def test_an_assignment_whose_answer_a_restored_backup_lacks_is_made_again_unless_its_job_is_live(
    world: World,
) -> None:
    """Facts have the assignments, and the operation is as the backup has it (docs/operations/backup.md)."""
    (edited, live), to, chosen_since = await world.jobs(2), await agent(world), await agent(world)
    operation = await made(world, "assign", job_ids=[job.job_id for job in (edited, live)], agent_id=to)
    await world.worked()
    await world.runner.submit.run_one(AssignAgent(edited.job_id, chosen_since, actor=BOOTSTRAP))
    await world.executed([live])
    await world.sql(
        "UPDATE operation_items SET answered = false WHERE operation_id = CAST(:id AS uuid)", id=str(operation.id)
    )
    await world.sql(
        "UPDATE operations SET state = 'RUNNING', finished_at = NULL, turn_at = now() WHERE id = CAST(:id AS uuid)",
        id=str(operation.id),
    )
    await world.worked()
    assert await kinds_of(world, edited) == ["created", "assigned", "assigned", "assigned"]
    assert (await edited.job()).agent_id == to
    (refused,) = await reported(world, operation.id, "REFUSED")
    assert (refused.job_id, refused.code) == (live.job_id, "execution_live")


@pytest.mark.parametrize(("door", "outcome"), [("Pause", "WAITING"), ("Cancel", "CANCELLED")])
async def test_nothing_is_carried_out_any_more_once_it_is_said_so(world: World, door: str, outcome: str) -> None:
    """Not even what a worker has in its hands: its command finds that the operation does not run."""
    jobs, to = await world.jobs(3), await agent(world)
    operation = await made(world, "assign", job_ids=[job.job_id for job in jobs], agent_id=to)
    frozen = Frozen(world)
    late = asyncio.create_task(frozen.work())
    await frozen.is_stopped.wait()
    move = getattr(world.doors, f"{door}Operation")
    answer = read_model((await move(asked(getattr(pb, f"{door}OperationRequest"), operation.id), NOBODY)).operation)
    assert (answer.state, answer.counts) == ("PAUSED" if door == "Pause" else "CANCELLED", {outcome: 3})
    frozen.goes_on.set()
    await late
    await world.worked()
    stopped = await world.stands(operation.id)
    assert (stopped.state, stopped.counts) == (answer.state, answer.counts)
    assert {(item.outcome, item.code) for item in await reported(world, operation.id)} == {
        (outcome, None if door == "Pause" else "cancelled")
    }
    assert len(await reported(world, operation.id, outcome)) == 3
    assert [await kinds_of(world, job) for job in jobs] == [["created"]] * 3
    if door == "Pause":
        await world.doors.ResumeOperation(asked(pb.ResumeOperationRequest, operation.id), NOBODY)
        await world.worked()
        assert (await world.stands(operation.id)).counts == {"DONE": 3}


async def test_what_was_live_is_cancelled_and_nothing_that_began_since(world: World) -> None:
    tenant = uuid4().hex
    live, over, again, idle = await world.jobs(4, tenant=tenant)
    (done,) = await world.jobs(1, tenant=tenant)
    await world.executed([live, over, again, done])
    await ended(done, ReportKind.DECLINED)
    said = {"reason": "enough"}
    operation = await made(world, "cancel", filter={"tenant": tenant}, **said)
    await ended(over)
    await again.runner.submit.run_one(CancelJob(again.job_id, actor=SIGNOFF))
    await world.executed([again])  # somebody asked for it once more: that is none of the operation's business
    await world.worked()

    items = {item.job_id: item for item in await reported(world, operation.id)}
    assert {job_id: (item.outcome, item.code) for job_id, item in items.items()} == {
        live.job_id: ("DONE", None),
        over.job_id: ("REFUSED", "moved_on"),
        again.job_id: ("REFUSED", "moved_on"),
        idle.job_id: ("DONE", None),
        done.job_id: ("REFUSED", "illegal_transition"),
    }
    assert items[live.job_id].execution_id == live.execution_id
    assert [item.job_id for item in await reported(world, operation.id, "REFUSED")] == [
        over.job_id,
        again.job_id,
        done.job_id,
    ]
    assert (await again.row()).state != "DONE"
    ((message,),) = await world.sql(
        "SELECT message FROM job_logs WHERE job_id = :id AND kind = 'cancelled'", id=live.job_id
    )
    assert message == "cancelled by token:bootstrap: enough"
    assert (await world.stands(operation.id)).state == "DONE"


async def test_what_failed_is_retried_and_what_moved_on_is_not(world: World) -> None:
    tenant = uuid4().hex
    jobs = await world.jobs(3, tenant=tenant)
    batch = await world.executed(jobs)
    for job in jobs[:2]:
        await ended(job)
    operation = await made(world, "retry", filter={"batch_id": batch.id})
    assert (operation.total, str(operation.retry_of)) == (2, batch.id)
    await world.executed([jobs[1]])  # before the operation comes to it
    await world.worked()
    items = await reported(world, operation.id)
    assert [(item.outcome, item.code) for item in items] == [("ASSIGNED", None), ("REFUSED", "moved_on")]
    followed = await reported(world, batch.id)
    assert [item.retried_by for item in followed] == [operation.id, operation.id, None]
    assert [item.retry_execution_id for item in followed] == [items[0].execution_id, None, None]


async def test_only_what_a_verdict_sent_back_is_resubmitted(world: World) -> None:
    one, other = await world.jobs(2)
    await world.executed([one])
    await judged(one, Outcome.FAIL)
    operation = await made(world, "resubmit", job_ids=[one.job_id, other.job_id, "unknown"], comment="be brief")
    await world.worked()
    items = await reported(world, operation.id)
    assert [item.code for item in items] == [None, "illegal_transition", "unknown_job"]
    ((body,),) = await world.sql(
        "SELECT l.request_payload::text FROM job_logs l JOIN executions e ON (e.job_id, e.request_version) = "
        "(l.job_id, l.version) WHERE e.execution_id = :id",
        id=items[0].execution_id,
    )
    assert "be brief" in body


@pytest.mark.parametrize(
    ("kind", "fields", "error", "code"),
    [
        ("execute", {"filter": {"tenant": "nobody's"}}, RefusedError, "nothing_matches"),
        ("execute", {"filter": {}}, ValidationError, None),
        ("execute", {}, ValidationError, None),
        ("execute", {"job_ids": ["a"], "filter": {"tenant": "a"}}, ValidationError, None),
        ("delete", {"job_ids": ["a"]}, ValidationError, None),
        ("assign", {"job_ids": ["a"]}, ValidationError, None),
        ("assign", {"job_ids": ["a"], "agent_id": "nobody"}, InvalidError, "unknown_agent"),
        ("cancel", {"job_ids": ["a"], "comment": "c"}, ValidationError, None),
        ("execute", {"job_ids": ["a"], "name": "\0"}, ValidationError, None),
        ("execute", {"job_ids": ["a"], "name": " "}, ValidationError, None),
        ("execute", {"job_ids": ["a"], "name": "n" * 201}, ValidationError, None),
        ("execute", {"job_ids": ["a"] * 10_001}, ValidationError, None),
        ("execute", {"filter": {"batch_id": "no uuid"}}, ValidationError, None),
    ],
)
async def test_what_is_no_operation_leaves_none(
    world: World, kind: str, fields: Any, error: type[Exception], code: str | None
) -> None:
    with pytest.raises(error) as refused:
        await made(world, kind, **fields)
    assert getattr(refused.value, "code", None) == code
    assert await world.sql("SELECT 1 FROM operations") == []


async def test_more_than_an_operation_may_hold_is_refused_whole(world: World) -> None:
    tenant = uuid4().hex
    await world.jobs(6, tenant=tenant)
    batches = Batches(Callers(world.database), world.runner, world.operator, items_max=5)
    new = NewOperation(kind="cancel", filter={"tenant": tenant})
    with pytest.raises(InvalidError) as refused:
        await batches.create(new, "", BOOTSTRAP)
    assert refused.value.code == "batch_too_large"
    assert await world.sql("SELECT 1 FROM operation_items") == []
    preview = await batches.preview(new)
    assert (preview.total, preview.items_max, len(preview.sample)) == (6, 5, 5)


async def test_a_key_is_one_operation_and_of_another_a_conflict(world: World) -> None:
    one, other = await world.jobs(2)
    first = await made(world, "cancel", "key", job_ids=[one.job_id])
    await world.worked()
    assert (await made(world, "cancel", "key", job_ids=[one.job_id])).id == first.id
    for changed in ({"job_ids": [other.job_id]}, {"job_ids": [one.job_id], "reason": "why"}):
        with pytest.raises(InvalidError) as refused:
            await made(world, "cancel", "key", **changed)
        assert refused.value.code == "idempotency_key_reused"


async def test_operations_are_listed_by_kind_and_unknown_ones_have_no_items(world: World) -> None:
    (job,) = await world.jobs(1)
    cancel = await made(world, "cancel", job_ids=[job.job_id])
    batch = await world.executed([job])
    listed = [
        [operation.id for operation in (await world.doors.ListOperations(request, NOBODY)).operations]
        for request in (pb.ListOperationsRequest(), pb.ListOperationsRequest(kinds=["OPERATION_KIND_CANCEL"]))
    ]
    assert listed == [[batch.id, str(cancel.id)], [str(cancel.id)]]
    for unknown in ("?", uuid4()):
        with pytest.raises(NotFoundError):
            await reported(world, unknown)


async def test_a_preview_tells_how_many_some_of_them_and_what_they_may_cost(world: World) -> None:
    tenant, costly, unknown = uuid4().hex, await agent(world), await agent(world)
    spent = await world.jobs(2, agent_id=costly)
    for job, nanos in zip(spent, (1_000_000_000, 3_000_000_000), strict=True):
        await world.sql(
            "UPDATE jobs SET status = 'COMPLETED', cost_nanos = :nanos WHERE id = :id", id=job.job_id, nanos=nanos
        )
    jobs = await world.jobs(6, tenant=tenant, agent_id=costly)
    await world.jobs(1, tenant=tenant, agent_id=unknown)
    new = resources.NewOperation(kind="OPERATION_KIND_EXECUTE", filter={"tenant": tenant})
    preview = await world.doors.PreviewOperation(pb.PreviewOperationRequest(operation=new), CALLER)
    assert (preview.total, dict(preview.counts)) == (7, {"ASSIGNED": 7})
    assert [job.id for job in preview.sample] == [job.job_id for job in jobs[:5]]
    assert (preview.cost_usd, preview.cost_of) == ("12", 6)

    new = resources.NewOperation(kind="OPERATION_KIND_CANCEL", job_ids=[jobs[0].job_id, jobs[0].job_id, "unknown"])
    preview = await world.doors.PreviewOperation(pb.PreviewOperationRequest(operation=new), CALLER)
    assert (preview.total, dict(preview.counts), preview.HasField("cost_usd")) == (2, {"ASSIGNED": 1}, False)
    assert await world.sql("SELECT 1 FROM operations") == []


def test_an_operation_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValidationError, match="comment goes with resubmit"):
        NewOperation(kind="cancel", job_ids=["a"], comment="b")


async def test_a_retry_passes_by_what_is_unproven_unless_it_names_the_code(world: World) -> None:
    tenant = uuid4().hex
    failed, left = await world.jobs(2, tenant=tenant)
    batch = await world.executed([failed, left])
    await ended(failed)
    await judged(left, unproven())
    await world.worked()
    for chosen, matching in (({}, [failed]), ({"codes": ["verdict_unproven"]}, [left])):
        operation = await made(world, "retry", filter={"tenant": tenant, **chosen})
        assert [item.job_id for item in await reported(world, operation.id)] == [job.job_id for job in matching]
        await world.worked()
        assert (await world.stands(operation.id)).counts == {"ASSIGNED": 1}, batch.id


async def test_what_is_unproven_by_the_time_of_its_retry_calls_no_agent(world: World) -> None:
    (job,) = await world.jobs(1)
    await world.executed([job])
    await judged(job, unproven())
    named = await made(world, "retry", job_ids=[job.job_id])
    await world.worked()
    (item,) = await reported(world, named.id)
    assert (item.outcome, item.code) == ("REFUSED", "verdict_unproven")
    assert (await job.job()).live is False
