"""Each change says who asked for it, by their credentials; what somebody writes of himself says nothing."""

import json
from typing import Any

import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, VALIDATOR, create
from sqlalchemy import text
from support.factories import SECRETS, execute_requested, incoming, record, request_body
from support.jobstore.steps import Steps, able_agents, new_job, reported, result, swept, verdict
from support.jobstore.terms import IDS

from contracts.events import (
    AgentChanged,
    CancelRequested,
    ExecuteRequested,
    ExecutionRefused,
    JobStatusReported,
    ResultProduced,
)
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secret, Secrets
from jobstore.access.upstreams import OPEN, Upstreams
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.handlers import EventHandlers, check_cancel
from servicekit.kafka.subscription import Incoming
from signoff.jsontext import json_text
from signoff.status import Outcome, ReportKind
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.worker.v1 import work_service_pb2 as work_pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

UPSTREAM, OWN = (Secrets([Secret(name, name.encode() * 32)]) for name in ("shop", "own"))
SIGNED = Upstreams(UPSTREAM, OWN)
#: What a caller may write of himself: metadata that nobody reads.
BOAST = (("actor", "root"), ("signoff-actor", "root"), ("role", "validator"), ("x-forwarded-user", "root"))


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.fixture
def work(channel: Any) -> Any:
    return WorkServiceStub(channel)


async def actors(steps: Steps) -> list[tuple[str, str | None]]:
    """What each entry of the job's log says was asked for, and by whom."""
    return [(row.kind, row.actor) for row in await steps.logs()]


async def claimed(work: Any, steps: Steps) -> int:
    event = ExecuteRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    claims = [work_pb.ExecutionClaim(request=request_body(event))]
    request = work_pb.BeginExecutionsRequest(owner=str(steps.executor), room=10, claims=claims)
    (answer,) = (await work.BeginExecutions(request, metadata=EXECUTOR + BOAST)).answers
    return int(answer.grant.lease.lease)


async def claimed_to_judge(work: Any, steps: Steps, lease: int) -> int:
    body = result(steps.execution_id, steps.job_id, lease).model_dump_json().encode()
    signature = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease).sign(body)
    claims = [work_pb.JudgingClaim(result=body, signature=signature)]
    request = work_pb.BeginJudgingsRequest(owner=str(steps.validator), room=10, claims=claims)
    (answer,) = (await work.BeginJudgings(request, metadata=VALIDATOR + BOAST)).answers
    return int(answer.lease.lease)


async def test_each_step_of_a_life_names_the_role_of_the_token_or_key_that_asked(
    jobs: Any, work: Any, steps: Steps, runner: CommandRunner, database: Database
) -> None:
    metadata = ADMINISTRATOR + BOAST
    await jobs.CreateJob(create(id=steps.job_id, labels={"actor": "root"}), metadata=metadata)
    asked = jobs_pb.ExecuteJobRequest(job_id=steps.job_id, execution_id=str(steps.execution_id))
    await jobs.ExecuteJob(asked, metadata=metadata)
    lease = await claimed(work, steps)
    handlers = EventHandlers(runner, database, SECRETS)
    begun = reported(steps.execution_id, steps.job_id, lease, ReportKind.CALL_BEGUN, message="by root")
    await handlers.on_job_status_reported([incoming(begun)])
    judging = await claimed_to_judge(work, steps, lease)
    told = reported(steps.execution_id, steps.job_id, judging, ReportKind.VERDICT, verdict=verdict())
    await handlers.on_job_status_reported([incoming(told)])
    expected = [
        ("created", "token:bootstrap"),
        ("requested", "token:bootstrap"),
        ("claimed", "executor"),
        ("call_begun", "executor"),
        ("result", "executor"),
        ("met", "validator"),
    ]
    assert await actors(steps) == expected
    logs = await jobs.ListJobLogs(jobs_pb.ListJobLogsRequest(job_id=steps.job_id), metadata=ADMINISTRATOR)
    kinds = [resources_pb.JobLogKind.Name(log.kind).removeprefix("JOB_LOG_KIND_").lower() for log in logs.logs]
    assert list(zip(kinds, (log.actor for log in logs.logs), strict=True)) == expected


async def test_whatever_is_said_of_a_cancel_the_token_says_who_did(jobs: Any, steps: Steps) -> None:
    await steps.created()
    request = jobs_pb.CancelJobRequest(job_id=steps.job_id, reason="actor=signoff")
    await jobs.CancelJob(request, metadata=ADMINISTRATOR + BOAST)
    assert (await actors(steps))[-1] == ("cancelled", "token:bootstrap")
    assert (await steps.logs())[-1].message == "cancelled by token:bootstrap: actor=signoff"


async def test_a_batch_asks_in_the_name_of_whoever_made_it(jobs: Any, steps: Steps) -> None:
    await steps.created()
    await jobs.ExecuteJobs(jobs_pb.ExecuteJobsRequest(job_ids=[steps.job_id]), metadata=ADMINISTRATOR + BOAST)
    assert (await actors(steps))[-1] == ("requested", "token:bootstrap")


async def test_a_worker_that_stops_gives_its_leases_back_itself(work: Any, steps: Steps) -> None:
    await steps.requested()
    lease = await claimed(work, steps)
    proof = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease).sign(str(steps.executor).encode())
    token = work_pb.Lease(execution_id=str(steps.execution_id), lease=lease, proof=proof)
    given_back = [work_pb.GivenBackLease(lease=token)]
    request = work_pb.RenewLeasesRequest(
        owner=str(steps.executor), kind=work_pb.WORK_KIND_EXECUTING, given_back=given_back
    )
    await work.RenewLeases(request, metadata=EXECUTOR + BOAST)
    assert (await actors(steps))[-1] == ("given_back", "executor")


async def admitted(steps: Steps, upstreams: Upstreams, secrets: Secrets | None, **fields: Any) -> None:
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=new_job(**fields))
    body = request_body(event)
    signature = secrets.make_key(KeyUse.EXECUTE, event.execution_id).sign(body) if secrets else ""
    claims = [work_pb.ExecutionClaim(request=body, signature=signature)]
    request = work_pb.BeginExecutionsRequest(owner=str(steps.executor), room=10, claims=claims)
    service: Any = WorkService(steps.database, steps.runner, SECRETS, upstreams=upstreams)
    await service.BeginExecutions(request, None)


@pytest.mark.parametrize(
    ("upstreams", "secrets", "actor"),
    [
        (OPEN, None, "upstream"),
        (OPEN, UPSTREAM, "upstream"),
        (SIGNED, UPSTREAM, "upstream:shop"),
        (SIGNED, OWN, "signoff"),
    ],
    ids=["open", "a signature that nobody checks", "signed", "signed by the jobstore"],
)
async def test_an_event_of_upstream_is_its_own_and_not_its_executors(
    steps: Steps, upstreams: Upstreams, secrets: Secrets | None, actor: str
) -> None:
    await admitted(steps, upstreams, secrets, labels={"actor": "token:bootstrap"})
    assert (await actors(steps))[:2] == [("created", actor), ("requested", actor)]


@pytest.mark.parametrize(
    ("upstreams", "secrets", "actor"), [(OPEN, None, "upstream"), (SIGNED, UPSTREAM, "upstream:shop")]
)
async def test_a_cancel_by_topic_is_upstreams_whatever_it_says(
    steps: Steps, upstreams: Upstreams, secrets: Secrets | None, actor: str
) -> None:
    await steps.requested()
    event = CancelRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    body = json_text(event.model_dump(mode="json") | {"requested_by": "token:bootstrap"}).encode()
    key = secrets.make_key(KeyUse.CANCEL, event.execution_id) if secrets else None
    headers = [(SIGNATURE_HEADER, key.sign(body).encode())] if key else [("actor", b"token:bootstrap")]
    one = record(body, topic="cancel-requested", headers=headers)
    handlers = EventHandlers(steps.runner, steps.database, SECRETS)
    await handlers.on_cancel_requested([Incoming(event, one, vouched_by=check_cancel(upstreams, one))])
    assert (await actors(steps))[-1] == ("cancelled", actor)


async def test_a_failure_is_the_workers_whose_lease_it_is(steps: Steps) -> None:
    lease = await steps.running()
    await steps.report(lease, ReportKind.FAILED, code="agent_status", message="validator")
    judged = Steps(steps.database, steps.runner)
    judging = await judged.judging()
    await judged.report(judging, ReportKind.FAILED, code="judge_refused", message="executor")
    assert [(await actors(one))[-1] for one in (steps, judged)] == [("failed", "executor"), ("failed", "validator")]


async def test_what_follows_from_policy_and_from_time_is_signoffs_own(
    steps: Steps, database: Database, runner: CommandRunner
) -> None:
    judging = await steps.judging(policy={"resubmit": "automatic", "max_submissions": 5})
    await steps.report(judging, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    assert (await actors(steps))[-2:] == [("not_met", "validator"), ("requested", "signoff")]
    steps.execution_id = IDS.derive_next(steps.execution_id)
    await steps.claim()
    await steps.due(-1)
    await swept(database, runner)
    assert (await actors(steps))[-1] == ("lapsed", "signoff")
    await steps.deadline_passed()
    await swept(database, runner)
    assert (await actors(steps))[-1] == ("deadline", "signoff")


async def test_a_match_is_signoffs_choice_even_where_the_job_is_somebody_elses(
    jobs: Any, steps: Steps, database: Database
) -> None:
    await able_agents(database)
    await jobs.CreateJob(create(id=steps.job_id, agent_id=None, capabilities=["able"]), metadata=ADMINISTRATOR)
    assert await actors(steps) == [("created", "token:bootstrap"), ("matched", "signoff")]


async def facts_of(steps: Steps, key: str) -> list[Any]:
    async with steps.database.session() as session:
        query = text("SELECT body::text FROM facts WHERE key = :key ORDER BY seq")
        return [json.loads(body) for body in await session.scalars(query, {"key": key})]


async def test_facts_of_agents_and_of_refusals_name_who_asked(agents: Any, steps: Steps) -> None:
    agent = resources_pb.NewAgent(id=steps.job_id, name="an agent", url="http://127.0.0.1:1/")
    metadata = ADMINISTRATOR + BOAST
    await agents.CreateAgent(agents_pb.CreateAgentRequest(agent=agent), metadata=metadata)
    await agents.DisableAgent(agents_pb.DisableAgentRequest(agent_id=steps.job_id), metadata=metadata)
    changed = await facts_of(steps, steps.job_id)
    assert [(fact["agent"]["enabled"], fact["actor"]) for fact in changed] == [
        (True, "token:bootstrap"),
        (False, "token:bootstrap"),
    ]
    assert all(AgentChanged.model_validate(fact).actor == "token:bootstrap" for fact in changed)
    refused = Steps(steps.database, steps.runner)
    await admitted(refused, SIGNED, UPSTREAM, agent_id=None)  # PENDING
    (fact,) = await facts_of(refused, refused.job_id)
    assert (fact["answer"], ExecutionRefused.model_validate(fact).actor) == ("refused", "upstream:shop")


def test_no_report_and_no_request_has_a_field_that_names_its_actor() -> None:
    for event in (ExecuteRequested, CancelRequested, ResultProduced, JobStatusReported):
        assert "actor" not in event.model_fields
    for message in (
        *jobs_pb.DESCRIPTOR.message_types_by_name.values(),
        *work_pb.DESCRIPTOR.message_types_by_name.values(),
    ):
        assert "actor" not in message.fields_by_name, message.name
