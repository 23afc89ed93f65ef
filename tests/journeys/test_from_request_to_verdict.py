"""A job goes to its agent, its result to the judge, and the verdict decides. Read this first."""

from support.system import Agent, System

from signoff.status import JobLogStatus, JobStatus, Outcome


async def test_a_result_that_meets_every_criterion_is_accepted(system: System, agent: Agent) -> None:
    """A job is created and executed; its result meets all criteria, so the job is completed with evidence for each."""
    job = await system.create(payload={"tone": "plain"})
    assert job.status is JobStatus.ASSIGNED

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED

    ((headers, body),) = agent.calls[job.id]
    assert headers["Idempotency-Key"] == body["execution_id"]
    assert body["payload"] == {"tone": "plain"}
    assert body["acceptance_criteria"] == 'Says "blue"\nIs not empty'
    assert (body["submission"], body["feedback"]) == (1, None)

    last = (await system.logs(job.id))[-1]
    assert last.result == {"text": "The sky is blue."}
    verdict = last.verdict
    assert verdict.is_valid
    assert [c.outcome for c in verdict.criteria] == ["pass", "pass"]
    assert verdict.criteria[0].evidence == ["blue"]


async def test_a_result_that_is_not_met_with_no_submission_left_is_rejected(system: System, agent: Agent) -> None:
    """A result that fails a criterion ends the job as rejected once it may not be submitted again."""
    job = await system.create(policy={"max_submissions": 1})
    agent.answers[job.id] = lambda _: {"text": "It is red."}

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.REJECTED

    verdict = (await system.logs(job.id))[-1].verdict
    assert not verdict.is_valid
    assert verdict.criteria[0].outcome == Outcome.FAIL


async def test_a_result_is_resubmitted_with_the_feedback_and_then_accepted(system: System, agent: Agent) -> None:
    """A rejected result goes back to the agent with what was missing, and the better one is accepted."""
    job = await system.create()
    agent.answers[job.id] = lambda body: {"text": "blue" if body["feedback"] else "red"}

    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.RESUBMISSION_REQUIRED

    async with system.http.post(f"/api/jobs/{job.id}/resubmit") as answer:
        assert answer.status == 201, await answer.text()
    await system.logged(job.id, lambda entry: entry.status is JobLogStatus.COMPLETED)

    (_, first), (_, second) = agent.calls[job.id]
    assert (first["submission"], second["submission"]) == (1, 2)
    assert first["execution_id"] != second["execution_id"]
    assert second["feedback"]["criteria"][0]["text"] == 'Says "blue"'
