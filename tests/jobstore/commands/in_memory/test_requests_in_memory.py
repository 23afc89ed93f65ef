"""What commands decide, without a database: what is asked for, and refused, at each door."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from support.jobstore.builders import NOW
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from contracts.resources import JobPatch, Policy
from jobstore.agents.rules import Agents, Candidate
from jobstore.errors import ConflictError, InvalidError, NotFoundError, RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.executions.requesting import ExecutionRequest
from jobstore.executions.rows import Executions
from jobstore.executions.states import Openings
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob, MatchJob
from jobstore.jobs.model import BOOTSTRAP, SIGNOFF, UPSTREAM, ExecutionState, Job, TransitionKind
from jobstore.jobs.rows import Jobs, generate_id
from jobstore.limits.rules import batch_limit
from signoff.status import JobStatus, Outcome
from signoff.values import new_execution_id


def code_of(run: Any) -> str:
    with pytest.raises((ConflictError, InvalidError, NotFoundError, RefusedError)) as error:
        run()
    return error.value.code


def test_a_job_is_created_once_and_another_one_of_its_id_refused(life: Life) -> None:
    shown = [life.jobstore.run(CreateJob(new_job(), life.job_id, actor=SIGNOFF)) for _ in range(2)]
    assert shown[0]["version"] == shown[1]["version"] == 1
    assert code_of(lambda: life.created(title="Another")) == "job_conflict"
    assert code_of(lambda: Life(life.jobstore).created(agent_id="nobody")) == "unknown_agent"
    assert Life(life.jobstore, generate_id()).created().job.version == 1


def test_a_job_that_asks_for_too_much_is_refused() -> None:
    small = MemoryJobstore(job_max_bytes=200)
    assert code_of(lambda: Life(small).created(payload="x" * 200)) == "payload_too_large"
    assign = AssignAgent(Life(small).created().job_id, "writer", '"' + "x" * 200 + '"', actor=SIGNOFF)
    assert code_of(lambda: small.run(assign)) == "payload_too_large"


def test_an_agent_is_assigned_by_hand_also_with_another_payload(life: Life) -> None:
    run = life.created().jobstore.run
    life.jobstore.register("other")
    assert run(AssignAgent(life.job_id, "other", '{"n":1}', actor=SIGNOFF))["payload"] == '{"n":1}'
    assert run(AssignAgent(life.job_id, "writer", actor=SIGNOFF))["agent_id"] == "writer"
    assert code_of(lambda: run(AssignAgent(life.job_id, "nobody", actor=SIGNOFF))) == "unknown_agent"
    assert code_of(lambda: run(AssignAgent("nobody knows", "writer", actor=SIGNOFF))) == "unknown_job"
    life.execute()
    assert code_of(lambda: run(AssignAgent(life.job_id, "other", '"not taken"', actor=SIGNOFF))) == "execution_live"
    assert life.jobstore.specs[life.job_id].payload == '{"n":1}'


def test_an_assignment_that_comes_again_is_recorded_once(life: Life) -> None:
    life.created()
    life.jobstore.register("other")
    first = life.jobstore.run(AssignAgent(life.job_id, "other", '{"n":1}', actor=SIGNOFF))
    assert life.jobstore.run(AssignAgent(life.job_id, "other", '{"n":1}', actor=SIGNOFF)) == first
    assert life.jobstore.run(AssignAgent(life.job_id, "other", actor=SIGNOFF)) == first
    assert life.told == ["created", "assigned"]
    life.jobstore.run(AssignAgent(life.job_id, "other", '{"n":2}', actor=SIGNOFF))
    assert life.told == ["created", "assigned", "assigned"]
    life.execute()
    life.jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))
    life.jobstore.run(AssignAgent(life.job_id, "other", actor=SIGNOFF))  # its cancel says nothing of it any more
    assert life.told[-2:] == ["cancelled", "assigned"]


def test_an_edit_of_a_version_that_comes_again_is_the_same_edit(life: Life) -> None:
    life.created()
    edit = JobPatch(title="Another", payload={"n": 1.50}, policy={"max_calls": 2})
    first = life.jobstore.run(EditJob(life.job_id, edit, version=1, actor=SIGNOFF))
    assert life.jobstore.run(EditJob(life.job_id, edit, version=1, actor=SIGNOFF)) == first
    assert life.told == ["created", "edited"]


def test_an_edit_tells_times_in_the_form_of_all_times(life: Life) -> None:
    life.created()
    edit = JobPatch(not_before=datetime(2026, 12, 24, 18, tzinfo=UTC))
    life.jobstore.run(EditJob(life.job_id, edit, actor=SIGNOFF))
    request = life.jobstore.log(life.job_id)[-1].report.request
    assert "2026-12-24T18:00:00.000000Z" in str(request)


def test_an_edit_changes_what_it_names_and_only_where_that_differs(life: Life) -> None:
    run = life.created().jobstore.run
    assert run(EditJob(life.job_id, JobPatch(title="A title"), actor=SIGNOFF))["version"] == 1
    edit = JobPatch(title="Another", payload={"n": 1}, acceptance_criteria="Says red", policy={"max_calls": 2})
    assert run(EditJob(life.job_id, edit, version=1, actor=SIGNOFF))["acceptance_criteria"] == "Says red"
    dashed, plain = JobPatch(acceptance_criteria="- Says red"), JobPatch(acceptance_criteria="Says red")
    assert run(EditJob(life.job_id, dashed, actor=SIGNOFF))["version"] == 2, "spelled otherwise"
    spelled, third = "1. Says red", JobPatch(title="A third")
    life.jobstore.specs[life.job_id] = replace(life.jobstore.specs[life.job_id], acceptance_criteria=spelled)
    assert run(EditJob(life.job_id, plain, actor=SIGNOFF))["acceptance_criteria"] == spelled
    assert code_of(lambda: run(EditJob(life.job_id, third, version=1, actor=SIGNOFF))) == "version_conflict"
    assert code_of(lambda: run(EditJob("nobody knows", third, actor=SIGNOFF))) == "unknown_job"
    life.execute()
    assert code_of(lambda: run(EditJob(life.job_id, third, actor=SIGNOFF))) == "execution_live"


def test_an_execution_is_requested_once_and_its_answer_repeated(life: Life) -> None:
    life.created()
    assert life.execute() == life.execute()
    assert life.job.version == 2
    other = Life(life.jobstore).created()
    other.execution_id = life.execution_id
    assert code_of(other.execute) == "execution_conflict"
    assert code_of(Life(life.jobstore).execute) == "unknown_job"


def test_what_is_asked_of_a_running_job_says_that_it_runs(life: Life) -> None:
    life.running()
    run, other = life.jobstore.run, life.jobstore.register("other")
    assert code_of(lambda: run(AssignAgent(life.job_id, other, actor=SIGNOFF))) == "execution_live"
    assert code_of(lambda: run(ExecuteJob(life.job_id, new_execution_id(), actor=SIGNOFF))) == "execution_live"


def test_what_a_policy_allows_by_now_is_how_often_a_job_is_submitted(life: Life) -> None:
    life.judging()
    life.judged(Outcome.FAIL)
    for most in (1, 2):
        edit = JobPatch(policy={"max_submissions": most})
        life.jobstore.run(EditJob(life.job_id, edit, actor=SIGNOFF))
        life.execution_id = new_execution_id()
        if most == 1:
            assert code_of(life.execute) == "submissions_exhausted"
    assert life.execute()["submission"] == 2


def test_a_refusal_is_the_answer_of_an_id_that_was_chosen_and_of_no_other(life: Life) -> None:
    life.created().execute()
    chosen = Life(life.jobstore, life.job_id)
    assert [code_of(chosen.execute) for _ in range(2)] == ["execution_live"] * 2
    assert chosen.execution.answer == "refused:execution_live"
    not_chosen = ExecuteJob(life.job_id, new_execution_id(), actor=SIGNOFF)
    assert code_of(lambda: life.jobstore.run(not_chosen)) == "execution_live"
    assert not_chosen.execution_id not in life.jobstore.executions


def test_a_resubmission_by_hand_needs_feedback(life: Life) -> None:
    life.created()
    assert code_of(lambda: life.execute(resubmission=True)) == "illegal_transition"
    judged = Life(life.jobstore).judging()
    judged.judged(Outcome.FAIL)
    judged.execution_id = new_execution_id()
    assert judged.execute(resubmission=True, parameters=ExecutionRequest(comment="bluer"))["submission"] == 2
    request = life.jobstore.log(judged.job_id)[-1].report.request or ""
    assert '"comment":"bluer","verdict":' in request
    once_more = Life(life.jobstore).created()
    once_more.execute(parameters=ExecutionRequest(comment="blue"))
    assert '"feedback":{"comment":"blue"}' in (life.jobstore.log(once_more.job_id)[-1].report.request or "")


def test_what_is_created_and_executed_at_once_is_asked_for_once(jobstore: MemoryJobstore) -> None:
    jobstore.queue_room["default"] = 1
    life = Life(jobstore)
    request = ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=SIGNOFF)
    command = CreateAndExecute(CreateJob(new_job(), life.job_id, actor=SIGNOFF), request, actor=SIGNOFF)
    assert {jobstore.run(command)["id"] for _ in range(2)} == {life.execution_id}
    assert life.job.version == 2
    other = replace(command, creation=CreateJob(new_job(title="Another"), life.job_id, actor=SIGNOFF))
    assert code_of(lambda: jobstore.run(other)) == "job_conflict"
    jobstore.queue_room["default"] = 0
    full = Life(jobstore).created()
    assert code_of(full.execute) == "queue_full"


def test_what_was_cancelled_before_it_came_makes_no_job(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore)
    jobstore.run(CancelJob(None, life.execution_id, actor=SIGNOFF))
    request = ExecuteJob(life.job_id, life.execution_id, chosen=True, actor=SIGNOFF)
    command = CreateAndExecute(CreateJob(new_job(), life.job_id, actor=SIGNOFF), request, actor=SIGNOFF)
    assert code_of(lambda: jobstore.run(command)) == "cancelled"
    assert life.job_id not in jobstore.jobs


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"agent_id": None, "capabilities": ["dance"]}, "no_agent_matches"),
        ({"agent_id": None}, "illegal_transition"),
        ({"policy": {"budget_usd": 0.0}}, "budget_exhausted"),
        ({"policy": {"budget_tokens": 0}}, "budget_exhausted"),
    ],
)
def test_what_stands_in_the_way_of_a_request_is_said(life: Life, fields: dict[str, Any], code: str) -> None:
    life.created(**fields)
    assert code_of(life.execute) == code


def test_the_agents_policy_stands_in_the_way_where_the_jobs_says_nothing(life: Life) -> None:
    life.jobstore.register("poor", policy=Policy(budget_usd=0.0))
    life.created(agent_id="poor")
    assert code_of(life.execute) == "budget_exhausted"


def test_a_disabled_agent_and_criteria_that_break_todays_bounds_are_given_nothing(life: Life) -> None:
    life.created()
    jobstore = life.jobstore
    jobstore.agents["writer"] = jobstore.agents["writer"].model_copy(update={"enabled": False})
    assert code_of(life.execute) == "agent_disabled"
    older = Life(jobstore).created()
    jobstore.specs[older.job_id] = replace(jobstore.specs[older.job_id], acceptance_criteria="x" * 100_000)
    assert code_of(older.execute).startswith("criteri")


def test_all_that_is_asked_for_is_frozen_with_the_execution(life: Life) -> None:
    """As told.txt has it: here everything is asked for that may be."""
    policy = {"deadline_s": 60.0, "budget_usd": 2.0, "budget_tokens": 100, "max_calls": 2, "max_submissions": 4}
    life.created(priority=7, tenant="press", labels={"team": "red"}, title="A haiku", policy=policy)
    later = life.jobstore.now + timedelta(hours=1)
    life.execute(parameters=ExecutionRequest(comment="bluer", batch_id=uuid4(), not_before=later))
    assert (life.execution.priority, life.execution.tenant, life.execution.not_before) == (7, "press", later)


def test_what_has_a_limit_of_its_own_is_in_the_flow(life: Life) -> None:
    limited, batch_id = batch_limit(uuid4()), uuid4()
    life.jobstore.limit_names |= {limited, batch_limit(batch_id)}
    life.created().execute(parameters=ExecutionRequest(batch_id=batch_id))
    assert life.execution.flow == ["agent:writer", batch_limit(batch_id)]


def test_a_request_may_wait_and_has_a_deadline_from_when_it_begins(life: Life) -> None:
    later = life.jobstore.now + timedelta(hours=1)
    life.requested(not_before=later.isoformat(), policy={"deadline_s": 60.0})
    assert life.execution.due_at == later
    assert life.execution.deadline_at == later + timedelta(seconds=60)


def test_a_job_is_cancelled_whether_or_not_it_runs(life: Life) -> None:
    life.requested()
    view = life.jobstore.run(CancelJob(life.job_id, reason="no more", actor=SIGNOFF))
    assert (view["status"], life.execution.answer) == (JobStatus.ASSIGNED, "cancelled")
    assert life.jobstore.log(life.job_id)[-1].report.message == "cancelled by somebody: no more"
    assert life.jobstore.run(CancelJob(life.job_id, actor=SIGNOFF))["version"] == 4
    assert code_of(lambda: life.jobstore.run(CancelJob("nobody knows", actor=SIGNOFF))) == "unknown_job"
    done = Life(life.jobstore).judging()
    done.judged()
    assert code_of(lambda: life.jobstore.run(CancelJob(done.job_id, actor=SIGNOFF))) == "illegal_transition"
    by_id = CancelJob(done.job_id, done.execution_id, by_call=True, actor=SIGNOFF)
    assert code_of(lambda: life.jobstore.run(by_id)) == "illegal_transition", "which execution it was changes nothing"
    assert life.jobstore.run(replace(by_id, by_call=False)) is None


def test_a_repeated_cancel_by_id_is_no_error_and_one_in_anothers_name_is(life: Life) -> None:
    life.requested()
    run = life.jobstore.run
    assert code_of(lambda: run(CancelJob("another job", life.execution_id, actor=SIGNOFF))) == "execution_conflict"
    for _ in range(2):
        assert run(CancelJob(None, life.execution_id, actor=SIGNOFF)) is None
    assert life.told == ["created", "requested", "cancelled"]


def test_a_call_that_cancels_an_execution_never_meets_the_next(life: Life) -> None:
    life.requested()
    first, run = life.execution_id, life.jobstore.run
    assert run(CancelJob(life.job_id, first, by_call=True, actor=SIGNOFF))["status"] is JobStatus.ASSIGNED
    life.execution_id = uuid4()
    life.execute()
    for job_id in (life.job_id, None):
        view = run(CancelJob(job_id, first, by_call=True, actor=SIGNOFF))
        assert (view["live"], view["execution_id"]) == (True, life.execution_id)
    assert life.told == ["created", "requested", "cancelled", "requested"]
    assert code_of(lambda: run(CancelJob("nobody knows", first, by_call=True, actor=SIGNOFF))) == "unknown_job"
    other = Life(life.jobstore).created()
    assert code_of(lambda: run(CancelJob(other.job_id, first, by_call=True, actor=SIGNOFF))) == "execution_conflict"


def test_a_call_is_of_the_version_that_it_names_unless_it_comes_again(life: Life) -> None:
    life.created()
    assert code_of(lambda: life.execute(version=life.job.version + 1)) == "version_conflict"
    life.execute(version=life.job.version)
    version = life.job.version
    asked = CancelJob(life.job_id, life.execution_id, by_call=True, version=version, actor=SIGNOFF)
    assert code_of(lambda: life.jobstore.run(replace(asked, version=version - 1))) == "version_conflict"
    of_job = CancelJob(life.job_id, version=version - 1, actor=SIGNOFF)
    assert code_of(lambda: life.jobstore.run(of_job)) == "version_conflict"
    for _ in range(2):
        assert life.jobstore.run(asked)["version"] == version + 1, "by then it is another one"
    unknown = replace(asked, execution_id=uuid4())
    assert code_of(lambda: life.jobstore.run(unknown)) == "version_conflict"


def test_a_call_that_cancels_what_nobody_has_asked_for_is_told_so() -> None:
    jobstore = MemoryJobstore(remembered_max=2)
    life = Life(jobstore).created()
    unknown = CancelJob(None, uuid4(), by_call=True, actor=SIGNOFF)
    assert [jobstore.run(unknown) for _ in range(2)] == [None, None]
    assert jobstore.run(CancelJob(life.job_id, life.execution_id, by_call=True, actor=SIGNOFF))["id"] == life.job_id
    assert code_of(lambda: jobstore.run(CancelJob(None, uuid4(), by_call=True, actor=SIGNOFF))) == "too_many_cancels"
    assert code_of(life.execute) == "cancelled"


def test_cancels_of_one_transaction_share_the_room_that_is_left() -> None:
    jobstore = MemoryJobstore(remembered_max=2)
    jobstore.carry_out(*(CancelJob(None, uuid4(), actor=SIGNOFF) for _ in range(4)))
    assert jobstore.refused() == ["too_many_cancels"] * 2
    assert len(jobstore.executions) == 2


def test_a_cancel_that_names_no_job_is_of_the_one_that_asks_for_its_execution(life: Life) -> None:
    life.created()
    for job_id in (None, life.job_id):
        life.jobstore.run(CancelJob(job_id, life.execution_id, actor=SIGNOFF))
    assert code_of(life.execute) == "cancelled"


def test_a_cancel_that_comes_first_is_the_answer_once_its_execution_is_asked_for() -> None:
    jobstore = MemoryJobstore(remembered_max=1)
    life = Life(jobstore).created()
    jobstore.run(CancelJob(life.job_id, life.execution_id, actor=SIGNOFF))
    assert life.execution.is_early_cancel
    jobstore.run(CancelJob(life.job_id, uuid4(), actor=SIGNOFF))
    told_of = [(job_id, refusal.code) for job_id, *_, refusal in jobstore.uow[Jobs].refusals]
    assert told_of == [(life.job_id, "too_many_cancels")]
    assert code_of(life.execute) == "cancelled"
    assert life.execution.due_at is None, "for good"
    assert jobstore.uow[Executions].final_answers.keys() == {life.execution_id}
    assert code_of(life.execute) == "cancelled"
    assert jobstore.uow[Executions].final_answers == {}


def test_a_request_is_offered_at_once_where_nothing_is_in_its_way(jobstore: MemoryJobstore) -> None:
    jobstore.openings = Openings(room=1)
    first, second = Life(jobstore).created(), Life(jobstore).created()
    requests = [ExecuteJob(each.job_id, each.execution_id, actor=SIGNOFF) for each in (first, second)]
    jobstore.carry_out(*requests)
    assert [each.execution.state for each in (first, second)] == [ExecutionState.OFFERED, ExecutionState.QUEUED]
    assert jobstore.uow[Executions].find_offered() == [first.execution]
    assert first.execution.due_at == jobstore.now + timedelta(seconds=jobstore.terms.offer_again_s)
    assert second.claim().outcome is ClaimOutcome.GRANTED


def test_requests_of_one_transaction_share_the_places_of_a_queue_and_are_counted(jobstore: MemoryJobstore) -> None:
    jobstore.queue_room["default"] = 2
    lives = [Life(jobstore) for _ in range(3)]
    creates = [CreateJob(new_job(), each.job_id, actor=SIGNOFF) for each in lives]
    jobstore.carry_out(*creates)
    assert jobstore.uow[Jobs].recorded_counts == {TransitionKind.CREATED: 3}
    jobstore.carry_out(*(ExecuteJob(each.job_id, each.execution_id, actor=SIGNOFF) for each in lives))
    assert jobstore.refused() == ["queue_full"]
    assert jobstore.uow[Jobs].recorded_counts == {TransitionKind.REQUESTED: 2}


def test_a_job_is_shown_with_all_that_is_known_of_it(jobstore: MemoryJobstore) -> None:
    later = jobstore.now + timedelta(hours=1)
    new = new_job(
        title="A haiku",
        description="On bridges",
        acceptance_criteria="Says red",
        payload={"n": 1},
        capabilities=["write"],
        tenant="press",
        labels={"team": "red"},
        priority=3,
        policy={"max_calls": 2},
        not_before=later.isoformat(),
    )
    created = jobstore.run(CreateJob(new, "press:1", actor=SIGNOFF))
    execution_id, batch_id = uuid4(), uuid4()
    ended = Job(
        "press:1",
        JobStatus.IN_PROGRESS,
        7,
        agent_id="writer",
        execution_id=execution_id,
        live=True,
        not_met=2,
        progress=0.5,
        progress_message="half",
        batch_id=batch_id,
        cost_nanos=1_500_000_000,
        tokens=9,
        cancelled=True,
        code="cancelled",
        duration_s=2.5,
    )
    jobstore.jobs["press:1"], jobstore.now = ended, later
    assert jobstore.run(CreateJob(new, "press:1", actor=SIGNOFF)) == {
        "id": "press:1",
        "title": "A haiku",
        "description": "On bridges",
        "references": {},
        "acceptance_criteria": "Says red",
        "payload": '{"n":1}',
        "status": JobStatus.IN_PROGRESS,
        "version": 7,
        "agent_id": "writer",
        "execution_id": execution_id,
        "submission": 3,
        "priority": 3,
        "tenant": "press",
        "labels": {"team": "red"},
        "policy": Policy(max_calls=2),
        "progress": 0.5,
        "progress_message": "half",
        "capabilities": ["write"],
        "not_before": later,
        "batch_id": batch_id,
        "cost_nanos": 1_500_000_000,
        "tokens": 9,
        "live": True,
        "cancelled": True,
        "code": "cancelled",
        "duration_s": 2.5,
        "created_at": created["created_at"],
        "updated_at": created["updated_at"],
    }
    assert created["updated_at"] == NOW, "of what nobody changed, it is as stored; of what changed, it is now"
    jobstore.jobs["press:1"] = replace(ended, live=False, status=JobStatus.ASSIGNED)
    assert jobstore.run(EditJob("press:1", JobPatch(title="Another"), actor=SIGNOFF))["updated_at"] == later
    for status, submission in ((JobStatus.REJECTED, 2), (JobStatus.RESUBMISSION_REQUIRED, 2), (JobStatus.COMPLETED, 3)):
        jobstore.jobs["press:1"] = replace(ended, status=status)
        assert jobstore.run(CreateJob(new, "press:1", actor=SIGNOFF))["submission"] == submission


def test_what_is_offered_at_once_takes_no_place_of_a_queue(jobstore: MemoryJobstore) -> None:
    jobstore.openings, jobstore.queue_room["default"] = Openings(room=12), 1
    lives = [Life(jobstore).created() for _ in range(4)]
    jobstore.carry_out(*(ExecuteJob(each.job_id, each.execution_id, actor=SIGNOFF) for each in lives))
    assert [each.execution.state for each in lives] == [*[ExecutionState.OFFERED] * 3, ExecutionState.QUEUED]


@pytest.mark.parametrize("openings", [{"room": 0}, {"is_waiting": True}])
def test_what_must_wait_for_its_turn_is_not(jobstore: MemoryJobstore, openings: dict[str, Any]) -> None:
    jobstore.openings = Openings(**{"room": 1, **openings})
    assert Life(jobstore).requested().execution.state is ExecutionState.QUEUED


def test_what_has_its_time_or_a_limit_is_not(jobstore: MemoryJobstore) -> None:
    jobstore.openings = Openings(room=1)
    later = (jobstore.now + timedelta(hours=1)).isoformat()
    assert Life(jobstore).requested(not_before=later).execution.state is ExecutionState.QUEUED
    jobstore.limit_names.add("tenant:another")
    assert Life(jobstore).requested().execution.state is ExecutionState.OFFERED
    jobstore.openings = Openings(room=1)
    jobstore.limit_names.add("tenant:*")
    assert Life(jobstore).requested().execution.state is ExecutionState.QUEUED


def test_a_worker_counts_for_a_while_longer_than_a_lease(jobstore: MemoryJobstore) -> None:
    assert jobstore.terms.alive_s == 1.5 * jobstore.terms.lease_s


def test_a_cancel_that_comes_again_is_recorded_once(life: Life) -> None:
    """Its caller did not hear the answer: nothing was live, or nothing is any more."""
    run = life.created().jobstore.run
    cancel = CancelJob(life.job_id, reason="no more", by_call=True, actor=BOOTSTRAP)
    assert run(cancel)["version"] == run(cancel)["version"] == 2
    assert [view["version"] for view in life.jobstore.carry_out(cancel, cancel)] == [2, 2]
    life.execute()
    assert [view["version"] for view in life.jobstore.carry_out(cancel, cancel)] == [4, 4]
    assert run(cancel)["version"] == 4
    others = [replace(cancel, reason="too late"), replace(cancel, actor=UPSTREAM)]
    assert [run(other)["version"] for other in others] == [5, 6]
    run(AssignAgent(life.job_id, "writer", actor=BOOTSTRAP))
    assert run(replace(cancel, actor=UPSTREAM))["version"] == 8


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
