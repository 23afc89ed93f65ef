"""What an upstream may ask for and cancel whose secret is of some tenants alone, without a database."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from support.jobstore.memory import Life, MemoryJobstore
from support.jobstore.steps import new_job

from jobstore.executions.claims import ClaimAnswer, ClaimOutcome
from jobstore.executions.commands import CancelJob
from jobstore.jobs.model import Actor, ExecutionState
from servicekit.errors import PermanentError

SHOP = Actor("upstream:shop")
PRESS, BOTH = frozenset({"press"}), frozenset({"press", "radio"})


def claim(life: Life, tenants: frozenset[str] = PRESS, **fields: Any) -> ClaimAnswer:
    return life.claim(author=SHOP, tenants=tenants, **fields)


def cancel(life: Life, tenants: frozenset[str] = PRESS, *, job_id: str | None = "", execution_id: Any = None) -> None:
    named = life.job_id if job_id == "" else job_id
    life.jobstore.run(CancelJob(named, execution_id or life.execution_id, actor=SHOP, tenants=tenants))


def forbids(answer: ClaimAnswer) -> bool:
    return (answer.outcome, answer.code) == (ClaimOutcome.INVALID, "forbidden_tenant")


def test_it_asks_for_new_jobs_of_its_tenants(jobstore: MemoryJobstore) -> None:
    for tenant in ("press", "radio"):
        life = Life(jobstore)
        assert claim(life, BOTH, inline=new_job(tenant=tenant)).outcome is ClaimOutcome.GRANTED
        assert jobstore.specs[life.job_id].tenant == tenant


@pytest.mark.parametrize("tenant", ["radio", "default", "press-x"])
def test_it_asks_for_no_job_of_another_and_nothing_is_kept_of_that(jobstore: MemoryJobstore, tenant: str) -> None:
    life = Life(jobstore)
    assert forbids(claim(life, inline=new_job(tenant=tenant)))
    assert not jobstore.jobs
    assert not jobstore.executions


def test_another_tenants_job_is_as_one_that_is_not_there(jobstore: MemoryJobstore) -> None:
    theirs, nobodys = Life(jobstore, "radio:1").requested(tenant="radio"), Life(jobstore, "radio:1")
    before = (dict(jobstore.executions), list(jobstore.entries))
    answers = [claim(theirs), claim(nobodys), claim(nobodys, inline=new_job(tenant="press"))]
    assert all(map(forbids, answers))
    assert (jobstore.executions, jobstore.entries) == before
    absent = claim(Life(MemoryJobstore(), "radio:1"))
    assert [_words(each) for each in answers] == [_words(absent)] * 3


def _words(answer: ClaimAnswer) -> list[object]:
    return [answer.outcome, answer.code, answer.message]


def test_it_asks_for_a_job_that_is_there_and_is_its_tenants(jobstore: MemoryJobstore) -> None:
    assert claim(Life(jobstore).created(tenant="press")).outcome is ClaimOutcome.GRANTED
    assert claim(Life(jobstore).requested(tenant="press")).outcome is ClaimOutcome.GRANTED


def test_it_cancels_executions_of_its_tenants(jobstore: MemoryJobstore) -> None:
    for job_id in ("", None):
        life = Life(jobstore).requested(tenant="press")
        cancel(life, BOTH, job_id=job_id)
        assert (life.execution.state, life.execution.answer) == (ExecutionState.DONE, "cancelled")


def test_it_cancels_none_of_another_tenant(jobstore: MemoryJobstore) -> None:
    theirs, own = Life(jobstore).requested(tenant="radio"), Life(jobstore).requested(tenant="press")
    told = set()
    for job_id in (theirs.job_id, own.job_id, None):
        with pytest.raises(PermanentError) as refused:
            cancel(theirs, job_id=job_id)
        told.add((refused.value.code, str(refused.value).replace(str(job_id), "<id>")))
    assert len({code for code, _ in told}) == 1
    assert theirs.execution.answer is None


def test_a_job_that_is_not_there_is_as_another_tenants(jobstore: MemoryJobstore) -> None:
    Life(jobstore, "radio:1").created(tenant="radio")
    told = []
    for job_id in ("radio:1", "radio:2", "nobody:1"):
        with pytest.raises(PermanentError) as refused:
            cancel(Life(jobstore, job_id))
        told.append((refused.value.code, str(refused.value).replace(job_id, "<id>")))
    assert told == [("forbidden_tenant", told[0][1])] * 3
    assert not jobstore.executions, "none is remembered"


@pytest.mark.parametrize("job_id", ["press:1", str(UUID(int=7)), None], ids=["by its tenant", "a UUID", "none"])
def test_a_cancel_before_its_request_is_remembered_where_the_job_may_be_its_tenants(
    jobstore: MemoryJobstore, job_id: str | None
) -> None:
    life = Life(jobstore, job_id)
    cancel(life, job_id=job_id)
    assert life.execution.tenant == "press"
    assert claim(life, inline=new_job(tenant="press")).outcome is ClaimOutcome.DUPLICATE
    assert life.execution.answer == "cancelled"


def test_of_default_it_cancels_beforehand_what_is_no_other_tenants(jobstore: MemoryJobstore) -> None:
    for job_id in ("order-7", "nobody:7"):
        cancel(Life(jobstore, job_id), frozenset({"default"}))
    with pytest.raises(PermanentError, match="default alone"):
        cancel(Life(jobstore, "radio:7"), frozenset({"default"}))
    assert len(jobstore.executions) == 2


def test_a_former_name_of_its_tenant_means_it_still(jobstore: MemoryJobstore) -> None:
    jobstore.tenants["The Press"] = "press"
    life = Life(jobstore, "press:1")
    assert claim(life, inline=new_job(tenant="The Press")).outcome is ClaimOutcome.GRANTED
    assert jobstore.specs["press:1"].tenant == "press"
    jobstore.tenants["The Radio"] = "radio"
    assert forbids(claim(Life(jobstore, "press:2"), inline=new_job(tenant="The Radio")))


def test_a_job_that_is_there_says_itself_whose_it_is(jobstore: MemoryJobstore) -> None:
    """An id from before tenants had prefixes, and one that nobody guesses."""
    own, theirs = Life(jobstore, "old-id").created(), Life(jobstore, str(UUID(int=7)))
    jobstore.specs["old-id"] = replace(jobstore.specs["old-id"], tenant="press")
    theirs.created(tenant="radio")
    cancel(own)
    assert own.execution.answer == "cancelled"
    assert own.execution.tenant == "press"
    with pytest.raises(PermanentError, match="is of press alone, where nothing has the id 00000000-"):
        cancel(theirs)
    assert theirs.execution_id not in jobstore.executions


def test_without_tenants_it_may_name_any(jobstore: MemoryJobstore) -> None:
    life = Life(jobstore).requested(tenant="radio")
    assert life.claim(author=SHOP).outcome is ClaimOutcome.GRANTED
    jobstore.run(CancelJob(life.job_id, life.execution_id, actor=SHOP))
    assert life.execution.answer == "cancelled"
