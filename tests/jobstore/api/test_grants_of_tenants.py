"""A grant says whose the agent is, also where the job is another tenant's, so that executors send no other's values."""

from typing import Any
from uuid import uuid4

import pytest
from support.factories import SECRETS, execute_requested, request_body
from support.jobstore.administered import put_agent
from support.jobstore.steps import Steps, new_job

from contracts.resources import NewAgent
from jobstore.api.work_service import WorkService
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
