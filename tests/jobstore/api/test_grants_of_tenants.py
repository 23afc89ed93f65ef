"""A grant says whose the agent is, also where the job is another tenant's, so that executors send no other's values."""

from typing import Any
from uuid import uuid4

import pytest
from support.factories import SECRETS, execute_requested, request_body, signature
from support.jobstore.administered import put_agent
from support.jobstore.registered import register_tenants
from support.jobstore.steps import Steps, new_job, result

from contracts.judging.policy import JudgePolicy
from contracts.resources import NewAgent, NewTenant
from jobstore.agents.commands import RegisterAgent, UpdateAgent
from jobstore.api.work_service import WorkService
from jobstore.errors import ConflictError, InvalidError
from jobstore.jobs.model import SIGNOFF
from jobstore.judging.commands import PutVersion
from jobstore.judging.rules import Kind, Named, format_body
from jobstore.tenants.commands import CreateTenant
from signoff.worker.v1 import work_service_pb2 as pb


async def put(steps: Steps, **fields: Any) -> str:
    agent_id = f"press:{uuid4().hex[:8]}"
    async with steps.database.transaction() as connection:
        new = NewAgent(name="a writer", url="http://127.0.0.1:1/", tenant="press", **fields)
        await put_agent(connection, agent_id, new, create=True)
    return agent_id


async def claim(steps: Steps, **fields: Any) -> pb.ExecutionGrant:
    work: Any = WorkService(steps.database, steps.runner, SECRETS)
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, **fields)
    claims = [pb.ExecutionClaim(request=request_body(event))]
    request = pb.BeginExecutionsRequest(owner=str(steps.executor), room=10, claims=claims)
    (answer,) = (await work.BeginExecutions(request, None)).answers
    assert answer.outcome == pb.CLAIM_OUTCOME_GRANTED, answer
    return answer.grant  # type: ignore[no-any-return]


@pytest.mark.parametrize("is_known", [False, True], ids=["requested by the claim", "requested before"])
@pytest.mark.parametrize("tenant", ["press", "default"])
async def test_a_grant_says_whose_the_agent_and_whose_the_job_is(steps: Steps, is_known: bool, tenant: str) -> None:
    agent_id = await put(steps, shared=True)
    if is_known:
        await steps.requested(agent_id=agent_id, tenant=tenant)
    grant = await claim(steps, job=None if is_known else new_job(agent_id=agent_id, tenant=tenant))
    assert (grant.agent_tenant, grant.tenant) == ("press", tenant)


@pytest.mark.parametrize("field", ["headers", "signing"])
async def test_a_tenant_whose_values_are_named_already_is_not_registered(steps: Steps, field: str) -> None:
    name = f"late-{uuid4().hex[:8]}"
    reference = f"env:SIGNOFF_AGENT_{name.upper().replace('-', '_')}__KEY"
    named: Any = {"headers": {"X-Key": reference}} if field == "headers" else {"signing": reference}
    new = NewAgent(name="a", url="http://127.0.0.1:1/", **named)
    agent_id, make = uuid4().hex, CreateTenant(NewTenant(name=name), actor=SIGNOFF)
    await steps.runner.administer.run_one(RegisterAgent(agent_id, new, actor=SIGNOFF))
    with pytest.raises(ConflictError, match="agents of default name values of late-"):
        await steps.runner.administer.run_one(make)
    plain = NewAgent(name="a", url="http://127.0.0.1:1/")
    await steps.runner.administer.run_one(UpdateAgent(agent_id, plain, actor=SIGNOFF))
    await steps.runner.administer.run_one(make)
    with pytest.raises(InvalidError) as refused:
        await steps.runner.administer.run_one(UpdateAgent(agent_id, new, actor=SIGNOFF))
    assert refused.value.code == "agent_value_forbidden"


@pytest.mark.parametrize(("prefix", "tenant"), [("press.", "press"), ("plain-", "default")])
async def test_a_grant_of_a_judging_says_whose_the_judge_policy_is(steps: Steps, prefix: str, tenant: str) -> None:
    """A job of a tenant may be judged by a policy that is shared, with the keys of that policy's tenant."""
    named = Named(Kind.JUDGE, f"{prefix}{uuid4().hex[:8]}")
    await register_tenants(steps.runner, "press")
    await steps.runner.administer.run_one(PutVersion(named, format_body(JudgePolicy(name="x")), None, actor=SIGNOFF))
    lease = await steps.running(tenant="press", policy={"judge": named.name})
    event = result(steps.execution_id, steps.job_id, lease)
    claims = [pb.JudgingClaim(result=event.model_dump_json().encode(), signature=signature(event))]
    work: Any = WorkService(steps.database, steps.runner, SECRETS)
    request = pb.BeginJudgingsRequest(owner=str(steps.validator), room=10, claims=claims)
    (answer,) = (await work.BeginJudgings(request, None)).answers
    assert (answer.outcome, answer.tenant, answer.policy_tenant) == (pb.CLAIM_OUTCOME_GRANTED, "press", tenant)
