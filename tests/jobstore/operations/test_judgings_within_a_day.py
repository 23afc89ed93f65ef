"""What judgings without a job cost is their tenant's, and they wait, and say so, once it has spent what it may."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from batch_world import NOBODY, World
from rejudge_world import MET, Validator, made, rested
from support.jobstore.administered import put_limit

from contracts.judging.policy import JudgeModel, JudgePolicy, Stage
from contracts.resources import NewJudgings, NewLimit
from contracts.waiting import WaitCode
from jobstore.access.callers import CALLER, Caller
from jobstore.api.judging_service import JudgingService
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError, NotFoundError
from jobstore.jobs.model import Actor
from jobstore.judging.queue import JudgingQueue
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.status import Role
from signoff.v1 import judging_service_pb2 as pb
from signoff.wire import write_message


class Tenants:
    """Callers of tenants who have results judged, and a validator."""

    def __init__(self, world: World, validator: Validator) -> None:
        self.world, self.validator = world, validator
        self.service = JudgingService(Callers(world.database), world.runner, JudgingQueue(world.database, world.runner))

    async def limit(self, tenant: str, **fields: Any) -> None:
        async with self.world.database.transaction() as connection:
            await put_limit(connection, f"tenant:{tenant}", NewLimit(**fields))

    def call_as(self, *tenants: str) -> None:
        CALLER.set(Caller("eve", Actor("token:eve"), Role.OPERATOR, frozenset(tenants)))

    async def ask(self, tenants: tuple[str, ...] = ("press",), key: str | None = None, **fields: Any) -> str:
        """Have a result judged by a caller of these tenants."""
        self.call_as(*tenants)
        cases = [{"result": "blue", "acceptance_criteria": 'Says "blue"'}]
        request = write_message(pb.CreateJudgingsRequest, NewJudgings(cases=cases, **fields))
        if key is not None:
            request.idempotency_key = key
        return (await self.service.CreateJudgings(request, NOBODY)).id

    async def progress(self, group_id: str) -> pb.WatchJudgingsResponse:
        async with aclosing(self.service.WatchJudgings(pb.WatchJudgingsRequest(judgings_id=group_id), NOBODY)) as all_:
            return await anext(all_)

    async def judge(self, cost_usd: str = "0") -> int:
        """Judge what a validator is given, at this cost each, and return how many these were."""
        taken = await self.validator.take()
        await self.validator.say(taken, MET, cost_usd=cost_usd)
        return len(taken)

    async def spent(self) -> dict[str, tuple[int, int]]:
        rows = await self.world.sql("SELECT tenant, agents_nanos, judges_nanos FROM spending")
        return {row.tenant: (row.agents_nanos, row.judges_nanos) for row in rows}


@pytest.fixture
async def tenants(world: World, validator: Validator) -> AsyncIterator[Tenants]:
    await world.sql("DELETE FROM spending")
    yield Tenants(world, validator)
    for table in ("limits", "spending"):
        await world.sql(f"DELETE FROM {table}")


async def test_what_a_judging_costs_is_spent_by_the_tenant_of_who_asks(tenants: Tenants) -> None:
    for tenant in ("press", "games"):
        await tenants.ask((tenant,))
    assert await tenants.judge("0.25") == 2
    assert await tenants.spent() == {"press": (0, 250_000_000), "games": (0, 250_000_000)}


async def test_judgings_wait_until_the_day_ends_and_no_others_wait_for_them(tenants: Tenants) -> None:
    await tenants.limit("press", usd_per_day="0.5")
    await tenants.ask()
    assert await tenants.judge("0.5") == 1
    held, other = await tenants.ask(), await tenants.ask(("games",))
    assert await tenants.judge() == 1
    assert (await tenants.progress(other)).answered == 1
    tenants.call_as("press")
    told = await tenants.progress(held)
    assert (told.answered, told.HasField("held_back_until")) == (0, True)
    until = told.held_back_until.ToDatetime(UTC)
    assert (until.hour, until > datetime.now(UTC)) == (0, True)
    await tenants.validator.queue.look()
    assert tenants.validator.queue.waiting == 0
    await tenants.world.sql("UPDATE spending SET day = day - 1")
    await tenants.validator.queue.look()
    assert tenants.validator.queue.waiting == 1
    assert not (await tenants.progress(held)).HasField("held_back_until")
    assert await tenants.judge() == 1


async def test_a_wildcard_holds_back_judgings_and_tells_who_does_not_see_it(tenants: Tenants) -> None:
    await tenants.limit("*", usd_per_day="0.5")
    await tenants.ask()
    await tenants.judge("0.5")
    held = await tenants.ask()
    assert await tenants.judge() == 0
    assert (await tenants.progress(held)).HasField("held_back_until")


async def test_results_of_jobs_that_are_judged_again_are_spent_by_their_tenant_and_wait(tenants: Tenants) -> None:
    jobs = [await rested(tenants.world, tenant=tenant) for tenant in ("press", "games")]
    await tenants.limit("press", usd_per_day="0.5")
    await made(tenants.world, jobs)
    assert await tenants.judge("0.5") == 2
    assert await tenants.spent() == {"press": (0, 500_000_000), "games": (0, 500_000_000)}
    again = await made(tenants.world, jobs)
    shadow = await made(tenants.world, jobs, shadow=True)
    assert await tenants.judge() == 2
    for operation in (again, shadow):
        (reason,) = (await tenants.world.batches.get_operation(str(operation.id))).waiting
        assert (reason.code, reason.name, reason.count) == (WaitCode.LIMIT_USD_PER_DAY, "tenant:press", 1)


async def test_a_judging_that_was_cancelled_is_spent_all_the_same(tenants: Tenants) -> None:
    job = await rested(tenants.world, tenant="press")
    operation = await made(tenants.world, [job])
    taken = await tenants.validator.take()
    await tenants.world.sql("UPDATE judgings SET state = 'DONE', code = 'cancelled', owner = NULL, due_at = NULL")
    await tenants.validator.say(taken, MET, cost_usd="0.5")
    assert await tenants.spent() == {"press": (0, 500_000_000)}
    assert operation.total == 1


async def test_a_tenant_sees_its_own_judgings_alone(tenants: Tenants) -> None:
    group_id = await tenants.ask()
    tenants.call_as("games")
    request = pb.GetJudgingsRequest(judgings_id=group_id)
    with pytest.raises(NotFoundError) as foreign:
        await tenants.service.GetJudgings(request, NOBODY)
    with pytest.raises(NotFoundError) as absent:
        await tenants.service.GetJudgings(pb.GetJudgingsRequest(judgings_id=(other := str(uuid4()))), NOBODY)
    assert str(foreign.value).replace(group_id, other) == str(absent.value)
    with pytest.raises(NotFoundError):
        await tenants.progress(group_id)
    tenants.call_as("press")
    assert len((await tenants.service.GetJudgings(request, NOBODY)).judgings) == 1


async def test_a_key_is_of_its_tenant(tenants: Tenants) -> None:
    ids = [await tenants.ask((tenant,), key="one") for tenant in ("press", "games", "press")]
    assert (ids[0] == ids[2], ids[0] == ids[1]) == (True, False)


@pytest.mark.parametrize(
    ("of", "given", "code"),
    [
        (("press", "games"), {}, ErrorCode.TENANT_NEEDED),
        (("press",), {"tenant": "games"}, ErrorCode.UNKNOWN_TENANT),
        (("press", "games"), {"tenant": "default"}, ErrorCode.UNKNOWN_TENANT),
    ],
)
async def test_a_caller_names_a_tenant_of_its_own(tenants: Tenants, of: Any, given: Any, code: ErrorCode) -> None:
    with pytest.raises(InvalidError) as caught:
        await tenants.ask(of, **given)
    assert caught.value.code == code


async def test_a_tenant_has_nothing_judged_by_a_policy_that_it_may_not_name(tenants: Tenants) -> None:
    await tenants.limit("press", judge_policies=["cheap"])
    for named in ({"judge": "dear"}, {"judge": "dear@2"}, {"judge_policy": {"name": "cheap"}}):
        with pytest.raises(PermanentError) as caught:
            await tenants.ask(**named)
        assert caught.value.code == ErrorCode.JUDGE_POLICY_FORBIDDEN
    await tenants.ask()
    await tenants.ask(("games",), judge_policy={"name": "cheap"})


@pytest.mark.parametrize("tenant", ["press", "default"])
async def test_a_draft_of_a_policy_is_asked_with_keys_of_the_tenant_of_who_gives_it(
    tenants: Tenants, tenant: str
) -> None:
    """Whatever its name says of a policy that is stored."""
    stage = Stage(kind="single", judges=[JudgeModel(model="m", key="house")])
    await tenants.ask((tenant,), judge_policy=JudgePolicy(name="default", version=1, stages=[stage]))
    await tenants.ask((tenant,))
    drafted, plain = await tenants.validator.take()
    assert (drafted.policy_tenant, plain.policy_tenant) == (tenant, "default")
    assert "house" in drafted.judge_policy_json
