"""What commands decide, without a database, where a caller asks again since it did not hear the answer."""

from dataclasses import replace

from support.jobstore.memory import Life

from jobstore.executions.commands import CancelJob
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import ADMINISTRATOR, UPSTREAM


def test_a_cancel_that_comes_again_is_recorded_once(life: Life) -> None:
    """Its caller did not hear the answer: nothing was live, or nothing is any more."""
    run = life.created().jobstore.run
    cancel = CancelJob(life.job_id, reason="no more", by_call=True, actor=ADMINISTRATOR)
    assert run(cancel)["version"] == run(cancel)["version"] == 2
    assert [view["version"] for view in life.jobstore.carry_out(cancel, cancel)] == [2, 2]
    life.execute()
    assert [view["version"] for view in life.jobstore.carry_out(cancel, cancel)] == [4, 4]
    assert run(cancel)["version"] == 4
    others = [replace(cancel, reason="too late"), replace(cancel, actor=UPSTREAM)]
    assert [run(other)["version"] for other in others] == [5, 6]
    run(AssignAgent(life.job_id, "writer", actor=ADMINISTRATOR))
    assert run(replace(cancel, actor=UPSTREAM))["version"] == 8
