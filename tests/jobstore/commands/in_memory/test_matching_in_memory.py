"""Which agent a job is given by its capabilities, without a database."""

from collections import Counter

from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.resources import JobPatch
from jobstore.agents.rules import Agents, Candidate
from jobstore.jobs.commands import CreateJob, EditJob, MatchJob
from jobstore.jobs.model import SIGNOFF
from jobstore.jobs.rows import Jobs
from signoff.status import JobStatus


def test_a_job_without_an_agent_is_matched_or_says_what_is_missing(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    assert Life(jobstore).created(agent_id=None, capabilities=["sing"]).job.agent_id == "able"
    nobody = Life(jobstore).created(agent_id=None, capabilities=["sing", "dance"])
    assert nobody.told == ["created", "matching_failed"]
    assert nobody.job.status is JobStatus.PENDING
    assert Life(jobstore).created(agent_id=None).told == ["created"]


def test_a_job_that_waits_is_matched_later_unless_it_has_moved_on(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).created(agent_id=None, capabilities=["sing"])
    jobstore.register("able", "sing")
    jobstore.run(MatchJob(life.job_id, version=1, actor=SIGNOFF))
    assert life.job.agent_id is None
    jobstore.run(MatchJob("nobody knows", version=1, actor=SIGNOFF))
    jobstore.run(MatchJob(life.job_id, version=2, actor=SIGNOFF))
    assert life.told == ["created", "matching_failed", "matched"]


def test_other_capabilities_find_an_agent_at_once(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore).created(agent_id=None, capabilities=["dance"])
    assert jobstore.run(EditJob(life.job_id, JobPatch(capabilities=["sing"]), actor=SIGNOFF))["agent_id"] == "able"
    waiting = Life(jobstore).created(agent_id=None, capabilities=["dance"])
    assert jobstore.run(EditJob(waiting.job_id, JobPatch(title="Another"), actor=SIGNOFF))["agent_id"] is None
    assert jobstore.run(EditJob(waiting.job_id, JobPatch(capabilities=[]), actor=SIGNOFF))["agent_id"] is None
    assert "matched" not in waiting.told


def test_other_capabilities_of_a_job_that_has_an_agent_find_no_other(jobstore: MemoryJobstore) -> None:
    jobstore.register("able", "sing")
    life = Life(jobstore).created()
    assert jobstore.run(EditJob(life.job_id, JobPatch(capabilities=["sing"]), actor=SIGNOFF))["agent_id"] == "writer"
    assert life.told == ["created", "edited"]


def test_each_job_that_an_agent_is_given_is_load_for_the_next_of_its_transaction(jobstore: MemoryJobstore) -> None:
    uow = jobstore.lock()
    for agent_id, load in (("busy", 3), ("idle", 0)):
        uow[Agents].candidates[agent_id] = Candidate(agent_id, frozenset({"sing"}), circuit_closed=True, load=load)
    for number in range(5):
        CreateJob(new_job(agent_id=None, capabilities=["sing"]), f"job-{number}", actor=SIGNOFF).decide(uow)
    assert Counter(job.agent_id for job in uow[Jobs].jobs.changes.values()) == {"idle": 4, "busy": 1}
