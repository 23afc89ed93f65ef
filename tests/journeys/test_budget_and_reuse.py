"""A job costs no more than its budget, and what was paid for once is reused."""

import asyncio
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from support.system import WAIT_S, Agent, Judge, System, signoff

from contracts.resources import NewAgent
from signoff import SignoffError
from signoff.status import JobLogStatus, JobStatus


def charging(result: Any, status: int = 200, **usage: Any) -> web.Response:
    """An agent's answer that says what it cost."""
    return web.json_response(result, status=status, headers={"Signoff-Usage": json.dumps(usage)})


async def test_a_job_stops_when_its_budget_is_used_up(system: System, agent: Agent) -> None:
    """An agent that fails at a price is not called again once the budget of the job is spent."""
    job = await system.create(policy={"budget_usd": 0.5, "max_calls": 5})
    agent.answers[job.id] = lambda _: charging("later", 503, input_tokens=100, cost_usd=0.25)
    await system.client.execute_job(job.id)
    stopped = await system.at_rest(job.id)
    assert (stopped.status, stopped.cost_usd, stopped.tokens) == (JobStatus.FAILED, 0.5, 200)
    assert len(agent.calls[job.id]) == 2

    last = (await system.logs(job.id))[-1]
    assert last.code == "budget_exhausted"
    assert (last.message or "").startswith("0.5 of 0.5 USD are spent, and the agent is not called again; call 2 failed")
    with pytest.raises(SignoffError) as refused:
        await system.client.execute_job(job.id)
    assert refused.value.code == "budget_exhausted"
    async with system.http.get(f"/api/jobs/{job.id}") as answer:
        assert (await answer.json())["cost_usd"] == "0.5"
    (shown,) = await signoff(system, "jobs", "get", job.id)
    assert shown["tokens"] == 200


async def test_what_calls_cost_is_added_up_exactly_and_is_the_same_text_at_every_door(
    system: System, agent: Agent
) -> None:
    """Three calls of 0.1 USD have cost 0.3 USD, over REST, in lists, the log, a filter, the client and the command."""
    job = await system.create(policy={"max_calls": 3, "backoff_first_s": 0.01, "backoff_max_s": 0.01})
    agent.answers[job.id] = lambda _: charging("later", 503, cost_usd=0.1)
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).cost_usd == Decimal("0.3")
    async with system.http.get(f"/api/jobs/{job.id}") as answer:
        assert (await answer.json())["cost_usd"] == "0.3"
    async with system.http.get(f"/api/jobs/{job.id}/logs") as answer:
        told = [entry["cost_usd"] for entry in (await answer.json())["items"] if "cost_usd" in entry]
    assert sorted(set(told)) == ["0.1", "0.2", "0.3"]
    for bounds, has in ({"cost_usd_min": "0.3", "cost_usd_max": "0.3"}, True), ({"cost_usd_min": "0.300000001"}, False):
        async with system.http.get("/api/jobs", params=bounds | {"id_part": job.id}) as answer:
            assert [each["cost_usd"] for each in (await answer.json())["items"]] == ["0.3"] * has
    async with system.http.get("/api/jobs", params={"cost_usd_min": "0.0000000001"}) as answer:
        assert (answer.status, "at most 9 digits after the point" in await answer.text()) == (422, True)
    (shown,) = await signoff(system, "jobs", "get", job.id)
    assert shown["cost_usd"] == "0.3"


async def test_a_tenant_that_has_spent_its_day_waits_and_goes_on_once_it_may_spend_more(
    system: System, agent: Agent, judge: Judge
) -> None:
    """Its executions and its results wait, and tell until when; another tenant's do not."""
    tenant, other = (f"press-{uuid4().hex[:8]}" for _ in range(2))
    await signoff(system, "tenants", "create", tenant)
    (limit,) = await signoff(system, "limits", "set", f"tenant:{tenant}", "--usd-per-day", "1")
    assert limit["usd_per_day"] == "1"
    first, second = await system.create(tenant=tenant), await system.create(tenant=tenant)
    agent.answers[first.id] = lambda _: charging({"text": f"blue {first.id}"}, cost_usd=1.5)
    asked = judge.asked
    await system.client.execute_job(first.id)

    async with asyncio.timeout(WAIT_S):
        while [each.code for each in (await system.client.explain_job(first.id)).reasons] != ["limit_usd_per_day"]:  # noqa: ASYNC110 - told by no event
            await asyncio.sleep(0.1)
    assert judge.asked == asked
    await system.client.execute_job(second.id)
    ((told,),) = [each["reasons"] for each in await signoff(system, "jobs", "explain", second.id)]
    assert (told["allowed_usd"], told["agents_usd"], told["judges_usd"]) == ("1", "1.5", "0")
    assert told["until"].endswith("T00:00:00.000000Z")
    beside = await system.create(tenant=other)
    await system.client.execute_job(beside.id)
    assert (await system.at_rest(beside.id)).status is JobStatus.COMPLETED

    async with system.http.patch(f"/api/limits/tenant:{tenant}", json={"usd_per_day": "5"}) as answer:
        assert (await answer.json())["agents_usd"] == "1.5"
    for job in (first, second):
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    await signoff(system, "limits", "remove", f"tenant:{tenant}")


async def test_no_judge_is_asked_by_a_job_whose_agent_has_spent_it_all(
    system: System, agent: Agent, judge: Judge
) -> None:
    """A result that used up the budget is kept in the log, and no judge is paid for it."""
    job = await system.create(policy={"budget_tokens": 1000})
    agent.answers[job.id] = lambda _: charging({"text": f"blue {job.id}"}, input_tokens=900, output_tokens=200)
    asked = judge.asked
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.FAILED
    *_, result, last = await system.logs(job.id)
    assert result.result == {"text": f"blue {job.id}"}
    assert last.message == "1100 of 1000 tokens are spent, and the judge was not called any more"
    assert judge.asked == asked


async def test_what_agent_and_judge_consumed_is_on_the_job(system: System, agent: Agent) -> None:
    """Tokens and prices of agent and judge add up on the job and in its log."""
    job = await system.create(policy={"budget_usd": 100.0})
    answer = {"text": f"blue {job.id}"}
    agent.answers[job.id] = lambda _: charging(answer, input_tokens=1_000_000, model="gpt-4o-mini")
    await system.client.execute_job(job.id)
    done = await system.at_rest(job.id)
    assert done.status is JobStatus.COMPLETED
    after_agent, after_judge = (entry.cost_usd for entry in (await system.logs(job.id))[-2:])
    assert after_agent == Decimal("0.15")
    assert after_judge == done.cost_usd
    assert 0.15 < done.cost_usd < 0.16, "the judge has a price too"
    assert done.tokens > 1_000_000


async def test_an_identical_result_is_judged_without_the_model(system: System, agent: Agent, judge: Judge) -> None:
    """A result that was judged before for the same task gets that verdict without the model, and the log says so."""
    text = f"The sky is blue, {uuid4()}."
    jobs = [await system.create(title="One") for _ in range(2)]
    for job in jobs:
        agent.answers[job.id] = lambda _: {"text": text}
    first, second = jobs
    await system.client.execute_job(first.id)
    assert (await system.at_rest(first.id)).status is JobStatus.COMPLETED
    asked = judge.asked
    await system.client.execute_job(second.id)
    done = await system.at_rest(second.id)
    assert (done.status, done.cost_usd, done.tokens) == (JobStatus.COMPLETED, 0.0, 0)
    assert judge.asked == asked

    source, last = (await system.logs(first.id))[-1], (await system.logs(second.id))[-1]
    assert last.code == "verdict_reused"
    assert (last.message or "").startswith(f"verdict reused of job {first.id} version {source.version}: ")
    assert (last.result, last.verdict) == (source.result, source.verdict)

    for number, fields in enumerate(({"policy": {"reuse_verdict": False}}, {"title": "Another"}), 1):
        other = await system.create(**{"title": "One"} | fields)
        agent.answers[other.id] = lambda _: {"text": text}
        await system.client.execute_job(other.id)
        await system.at_rest(other.id)
        assert judge.asked == asked + number


async def test_a_deterministic_agent_is_not_asked_the_same_again(system: System, agent: Agent, judge: Judge) -> None:
    """An agent that says it is deterministic is not called twice with the same request."""
    sure = NewAgent(id=f"sure-{uuid4().hex[:8]}", name="sure", url=agent.url, deterministic=True)
    await system.client.create_agent(sure)
    payload = {"n": str(uuid4())}
    first, second, other = [
        await system.create(sure.id, payload=asked) for asked in (payload, payload, {"n": "another"})
    ]
    for job in (first, other):
        agent.answers[job.id] = lambda body: {"text": f"blue {body['payload']}"}
        await system.client.execute_job(job.id)
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    asked = judge.asked
    await system.client.execute_job(second.id)
    assert (await system.at_rest(second.id)).status is JobStatus.COMPLETED
    assert second.id not in agent.calls
    assert judge.asked == asked

    logs = await system.logs(second.id)
    assert [entry.code for entry in logs[-3:]] == ["result_reused", "result_reused", "verdict_reused"]
    assert logs[-2].status is JobLogStatus.IN_PROGRESS
    assert (logs[-2].message or "").startswith(f"result reused of job {first.id} version ")
    assert logs[-1].verdict == (await system.logs(first.id))[-1].verdict
