"""The history of agents: who had a job, and what was judged, as its log tells."""

from types import SimpleNamespace

import pytest
from support.jobstore.builders import TIMES, job, report

from jobstore.agents.rules import AgentHistory
from jobstore.executions.requesting import build_history
from jobstore.jobs.model import Decision, TransitionKind
from jobstore.jobs.transitions import decide
from signoff.status import JobStatus

CREATED, FIRST, SECOND = (
    (TransitionKind.CREATED, "a"),
    (TransitionKind.NOT_MET, "a", b"1"),
    (TransitionKind.NOT_MET, "a", b"2"),
)
HANDED_ON, BY_B = (TransitionKind.HANDED_ON, "b"), (TransitionKind.NOT_MET, "b", b"3")


@pytest.mark.parametrize(
    ("told", "past"),
    [
        ([(TransitionKind.CREATED, None)], AgentHistory()),
        ([(TransitionKind.CREATED, None), (TransitionKind.MATCHED, "a")], AgentHistory(frozenset("a"))),
        ([CREATED, FIRST, SECOND], AgentHistory(frozenset("a"), 2, b"2")),
        ([CREATED, FIRST, HANDED_ON], AgentHistory(frozenset("ab"), 0, b"1")),
        ([CREATED, FIRST, HANDED_ON, BY_B], AgentHistory(frozenset("ab"), 1, b"3")),
        ([CREATED, FIRST, HANDED_ON, BY_B, (TransitionKind.ASSIGNED, "c")], AgentHistory(frozenset("c"))),
    ],
)
def test_verdicts_count_for_the_agent_that_has_the_job_since_it_was_assigned(
    told: list[tuple[object, ...]], past: AgentHistory
) -> None:
    names = ("kind", "agent_id", "result_hash")
    assert build_history([SimpleNamespace(**dict(zip(names, (*row, None)[:3], strict=True))) for row in told]) == past


def test_a_job_that_is_handed_on_keeps_what_was_judged() -> None:
    stands = job(JobStatus.RESUBMISSION_REQUIRED, live=False, not_met=2, feedback="{}")
    decision = decide(stands, None, report(TransitionKind.HANDED_ON, agent_id="other"), TIMES)
    assert isinstance(decision, Decision)
    assert (decision.job.agent_id, decision.job.not_met, decision.job.feedback) == ("other", 2, "{}")
