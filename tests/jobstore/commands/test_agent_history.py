"""The history of agents: who had a job, and what was judged, as its log tells."""

from types import SimpleNamespace

import pytest
from support.jobstore.builders import TIMES, job, report

from contracts.status import JobStatus
from jobstore.commands.resubmission import past_of
from jobstore.commands.unit_of_work import Past
from jobstore.domain.model import Decision, Kind
from jobstore.domain.transitions import decide

CREATED, FIRST, SECOND = (Kind.CREATED, "a"), (Kind.NOT_MET, "a", b"1"), (Kind.NOT_MET, "a", b"2")
HANDED_ON, BY_B = (Kind.HANDED_ON, "b"), (Kind.NOT_MET, "b", b"3")


@pytest.mark.parametrize(
    ("told", "past"),
    [
        ([(Kind.CREATED, None)], Past()),
        ([(Kind.CREATED, None), (Kind.MATCHED, "a")], Past(frozenset("a"))),
        ([CREATED, FIRST, SECOND], Past(frozenset("a"), 2, b"2")),
        ([CREATED, FIRST, HANDED_ON], Past(frozenset("ab"), 0, b"1")),
        ([CREATED, FIRST, HANDED_ON, BY_B], Past(frozenset("ab"), 1, b"3")),
        ([CREATED, FIRST, HANDED_ON, BY_B, (Kind.ASSIGNED, "c")], Past(frozenset("c"))),
    ],
)
def test_verdicts_count_for_the_agent_that_has_the_job_since_it_was_assigned(
    told: list[tuple[object, ...]], past: Past
) -> None:
    names = ("kind", "agent_id", "result_hash")
    assert past_of([SimpleNamespace(**dict(zip(names, (*row, None)[:3], strict=True))) for row in told]) == past


def test_a_job_that_is_handed_on_keeps_what_was_judged() -> None:
    stands = job(JobStatus.RESUBMISSION_REQUIRED, live=False, not_met=2, feedback="{}")
    decision = decide(stands, None, report(Kind.HANDED_ON, agent_id="other"), TIMES)
    assert isinstance(decision, Decision)
    assert (decision.job.agent_id, decision.job.not_met, decision.job.feedback) == ("other", 2, "{}")
