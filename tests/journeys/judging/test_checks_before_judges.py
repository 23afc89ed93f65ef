"""What a check refuses costs no judge: the agent hears what the check found, and its next submission is met."""

from support.system import Agent, Judge, System

from signoff.status import JobStatus, Outcome

CRITERIA = 'check: contains "blue"\ncheck: max_words 6'


async def test_a_job_of_checks_is_refused_and_met_without_any_judge(system: System, agent: Agent, judge: Judge) -> None:
    job = await system.create(acceptance_criteria=CRITERIA, policy={"resubmit": "automatic"})
    answers = iter(["The sky is as blue as it can be.", "The sky is blue."])
    agent.answers[job.id] = lambda _: next(answers)
    asked = judge.asked
    await system.client.execute_job(job.id)
    done = await system.at_rest(job.id)
    assert (done.status, done.submission) == (JobStatus.COMPLETED, 2)
    assert judge.asked == asked

    logs = await system.logs(job.id)
    refused, met = (entry.verdict for entry in logs if entry.verdict)
    assert [one.outcome for one in refused.criteria] == [Outcome.PASS, Outcome.FAIL]
    assert [one.evidence for one in refused.criteria] == [["blue"], ["9 words"]]
    assert met.is_valid
    assert [stage.outcomes for stage in (*refused.stages, *met.stages)] == ["pf", "pp"]

    (_, again) = agent.calls[job.id][1]
    assert again["feedback"]["criteria"] == [
        {"text": "max_words 6", "outcome": "fail", "comment": "it has 9 words; at most 6 are allowed"}
    ]
    assert "max_words 6" in again["feedback"]["reason"]


async def test_a_judge_is_asked_only_of_what_passes_the_checks(system: System, agent: Agent, judge: Judge) -> None:
    job = await system.create(acceptance_criteria=f'{CRITERIA}\nSays "sky"', policy={"resubmit": "automatic"})
    answers = iter(["The sky is as blue as it can be.", "The sky is blue."])
    agent.answers[job.id] = lambda _: next(answers)
    asked = judge.asked
    await system.client.execute_job(job.id)
    assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
    assert judge.asked == asked + 2, "once for the pass, and once to refute it, since it is of a second submission"
