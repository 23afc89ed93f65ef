"""Who judges a result is told what the agent was asked, and the references that are for judges alone."""

import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest
from support.factories import SECRETS, execute_requested, request_body
from support.jobstore.edited import edited
from support.jobstore.steps import Steps, new_job, result, verdict

from contracts.events import hash_task
from contracts.judging.policy import JudgePolicy
from contracts.signing import KeyUse
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.executions.commands import ExecuteJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF
from jobstore.jobs.reads import get_verdict
from jobstore.judging.commands import PutVersion
from jobstore.judging.rules import CUT, TASK_MAX_CHARS, Kind, Named, format_body
from signoff.jsontext import json_text
from signoff.status import Outcome, ReportKind
from signoff.worker.v1 import work_service_pb2 as pb

CRITERIA = "Names the capital\nIs one word"


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.fixture
def work(database: Database, runner: CommandRunner) -> Any:
    return WorkService(database, runner, SECRETS)


async def put(runner: CommandRunner, *task: Any) -> str:
    """A policy that shows these members of a task, by its name."""
    name = f"p-{uuid4().hex[:8]}"
    await runner.administer.run_one(
        PutVersion(Named(Kind.JUDGE, name), format_body(JudgePolicy(name=name, task=list(task))), actor=BOOTSTRAP)
    )
    return name


async def granted(work: Any, steps: Steps, lease: int, value: Any = "Oslo") -> pb.JudgingAnswer:
    """What a validator is granted that claims the result."""
    event = result(steps.execution_id, steps.job_id, lease, value=value)
    body = event.model_dump_json().encode()
    signature = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease).sign(body).encode()
    claims = [pb.JudgingClaim(result=body, signature=signature)]
    request = pb.BeginJudgingsRequest(owner=str(steps.validator), room=1, claims=claims)
    (answer,) = (await work.BeginJudgings(request, None)).answers
    assert answer.outcome == pb.CLAIM_OUTCOME_GRANTED, answer
    return answer


async def test_who_judges_is_granted_the_task_and_the_references_and_the_agent_no_reference(
    work: Any, steps: Steps
) -> None:
    asked = {"title": "Norway", "description": "Its capital?", "payload": {"year": 2026}}
    references = {1: "Oslo", 2: "A single word, such as Bergen"}
    await steps.requested(**asked, acceptance_criteria=CRITERIA, references=references)
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id)
    claims = [pb.ExecutionClaim(request=request_body(event))]
    request = pb.BeginExecutionsRequest(owner=str(steps.executor), room=1, claims=claims)
    (taken,) = (await work.BeginExecutions(request, None)).answers
    assert taken.outcome == pb.CLAIM_OUTCOME_GRANTED
    assert b"Bergen" not in taken.SerializeToString()

    answer = await granted(work, steps, taken.grant.lease.lease)
    assert json.loads(answer.task_json) == asked
    assert (dict(answer.references), answer.acceptance_criteria) == (references, CRITERIA)
    assert "Bergen" not in str([log.request_payload for log in await steps.logs()])


async def test_a_large_task_refuses_no_job_and_is_cut_for_judges(work: Any, steps: Steps) -> None:
    payload, description = "\u00e4\\" * 200_000, "d" * 3_000
    lease = await steps.running(payload=payload, description=description)
    answer = await granted(work, steps, lease)
    shown = json.loads(answer.task_json)
    assert shown["description"] == description
    assert shown["payload"] == json_text(payload)[: TASK_MAX_CHARS - len("A title") - 3_000 - len(CUT)] + CUT
    async with steps.database.session() as session:
        row = await session.driver.fetchrow(
            "SELECT task_hash FROM executions WHERE execution_id = $1", steps.execution_id
        )
    assert row["task_hash"] == hash_task("A title", description, json_text(payload))


async def test_a_policy_says_what_of_it_is_shown_and_feedback_only_where_it_names_that(
    work: Any, steps: Steps, runner: CommandRunner
) -> None:
    policy = {"judge": await put(runner, "title", "feedback"), "max_submissions": 3}
    lease = await steps.running(policy=policy, payload=[1])
    first = await granted(work, steps, lease)
    assert first.task_json == '{"title":"A title"}'
    told = verdict(Outcome.FAIL, judge=f"{policy['judge']}@1", reason="no sky")
    await steps.report(first.lease.lease, ReportKind.VERDICT, verdict=told)

    steps.execution_id = uuid4()
    parameters = ExecutionRequest(comment="Do look up")
    await runner.submit.run_one(
        ExecuteJob(
            steps.job_id, steps.execution_id, chosen=True, resubmission=True, parameters=parameters, actor=SIGNOFF
        )
    )
    claimed = await steps.claim()
    assert claimed.execution is not None
    answer = await granted(work, steps, claimed.execution.lease)
    shown = json.loads(answer.task_json)
    assert (shown["title"], shown["feedback"]["comment"]) == ("A title", "Do look up")
    assert shown["feedback"]["verdict"]["reason"] == "no sky"


async def test_references_in_a_record_are_refused_and_nothing_is_created(work: Any, steps: Steps) -> None:
    job = new_job(references={1: "Oslo"})
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=job)
    claims = [pb.ExecutionClaim(request=request_body(event))]
    request = pb.BeginExecutionsRequest(owner=str(steps.executor), room=1, claims=claims)
    (answer,) = (await work.BeginExecutions(request, None)).answers
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_INVALID, "reference_in_record")
    async with steps.database.session() as session:
        assert await session.driver.fetchval("SELECT count(*) FROM jobs WHERE id = $1", steps.job_id) == 0


async def test_an_edit_gives_references_and_one_of_criteria_alone_drops_them(steps: Steps) -> None:
    await steps.created(acceptance_criteria=CRITERIA)
    assert (await edited(steps, references={2: "Oslo"}))["references"] == {2: "Oslo"}
    assert (await edited(steps, title="T"))["references"] == {2: "Oslo"}
    assert (await edited(steps, references={2: "Oslo"}))["version"] == 3, "the same again changes nothing"
    for number in (0, 3):
        with pytest.raises(InvalidError) as refused:
            await edited(steps, references={number: "Oslo"})
        assert refused.value.code == "reference_unknown"
    assert (await edited(steps, criteria=[{"text": "a"}]))["references"] == {}
    assert (await steps.logs())[-1].message == "edited: acceptance_criteria, references"
    view = await edited(steps, criteria=[{"text": "b"}], references={1: "c"})
    assert view["references"] == {1: "c"}
    assert (await edited(steps, references={1: None}))["references"] == {}


async def test_a_receipt_is_of_the_task_and_of_the_references_that_the_jobstore_knows(work: Any, steps: Steps) -> None:
    lease = await steps.running(acceptance_criteria=CRITERIA, references={1: "Oslo"}, payload=1)
    answer = await granted(work, steps, lease)
    forged = verdict(criteria=CRITERIA, references_sha256="0" * 64)
    await steps.report(answer.lease.lease, ReportKind.VERDICT, verdict=forged)
    await edited_later(steps)
    async with steps.database.session() as session:
        recorded = await get_verdict(session, steps.job_id)
    assert recorded.task_hash == hash_task("A title", "", "1")
    assert recorded.verdict.references_sha256 == hashlib.sha256(b'{"1":"Oslo"}').hexdigest()


async def edited_later(steps: Steps) -> None:
    async with steps.database.session() as session:
        await session.driver.execute("UPDATE jobs SET reference_texts = NULL WHERE id = $1", steps.job_id)
