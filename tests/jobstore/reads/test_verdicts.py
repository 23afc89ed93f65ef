"""The verdict that a receipt is about: the one that ended the job, or one that is chosen; none that is nobody's."""

import asyncio

import pytest
from support.factories import SECRETS
from support.jobstore.steps import Steps, unproven, verdict

from contracts.events import hash_result
from contracts.receipts import derive_keys
from contracts.resources import job_message
from contracts.signing import Secrets, make_secret
from jobstore.api.receipt_service import add_keys, list_keys
from jobstore.engine.database import Database
from jobstore.errors import NotFoundError, RefusedError
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import SIGNOFF
from jobstore.jobs.reads import RecordedVerdict, get_job, get_verdict
from signoff.status import Outcome, ReportKind
from signoff.types import Job, read_model
from signoff.values import new_execution_id


async def read(steps: Steps, **chosen: int) -> RecordedVerdict:
    async with steps.database.session() as session:
        return await get_verdict(session, steps.job_id, **chosen)


async def refused(steps: Steps, **chosen: int) -> str:
    with pytest.raises((NotFoundError, RefusedError)) as caught:
        await read(steps, **chosen)
    return caught.value.code


async def resubmitted(steps: Steps) -> None:
    steps.execution_id = new_execution_id()
    await steps.runner.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))


async def judged(steps: Steps, outcome: Outcome, value: object = "blue") -> None:
    """Execute what is requested, and judge its result."""
    claimed = await steps.claim()
    assert claimed.execution is not None
    judging = await steps.claim_judging(claimed.execution.lease, value=value)
    assert judging.execution is not None
    await steps.report(judging.execution.lease, ReportKind.VERDICT, verdict=verdict(outcome))


async def test_the_verdict_that_ended_a_job_is_found_and_earlier_ones_are_chosen(steps: Steps) -> None:
    await steps.requested(tenant="press")
    assert await refused(steps) == "no_verdict"
    await judged(steps, Outcome.FAIL, {"a": 1.50, "b": "\u00e4"})
    first = await read(steps)
    assert (first.status, first.submission, first.verdict.is_valid, first.tenant) == (
        "RESUBMISSION_REQUIRED", 1, False, "press",
    )  # fmt: skip
    assert first.code is None
    assert first.result_hash == hash_result('{"a":1.5,"b":"\u00e4"}')
    assert first.requested_at is not None
    assert first.requested_at < first.judged_at
    await resubmitted(steps)
    assert await refused(steps) == "no_verdict"
    assert await read(steps, submission=1) == first == await read(steps, version=first.version)
    await judged(steps, Outcome.PASS)
    last = await read(steps)
    assert (last.status, last.submission, last.verdict.is_valid) == ("COMPLETED", 2, True)
    assert (last.execution_id, last.result_hash) == (steps.execution_id, hash_result('"blue"'))
    assert await read(steps, submission=1) == first
    assert await read(steps, submission=2) == last == await read(steps, version=last.version, submission=2)
    for chosen in ({"submission": 3}, {"version": last.version - 1}, {"version": first.version, "submission": 2}):
        assert await refused(steps, **chosen) == "no_verdict"


async def test_a_job_that_was_given_to_another_is_not_ended_by_what_was(steps: Steps) -> None:
    """Submissions count from 1 again: the last on that number is meant."""
    await steps.requested(policy={"max_submissions": 1})
    await judged(steps, Outcome.FAIL)
    version = (await read(steps)).version
    await steps.runner.submit.run_one(AssignAgent(steps.job_id, "writer", None, actor=SIGNOFF))
    assert await refused(steps) == "no_verdict"
    assert (await read(steps, submission=1)).version == version
    await resubmitted(steps)
    await judged(steps, Outcome.PASS)
    assert (await read(steps, submission=1)).version == (await read(steps)).version > version


async def test_of_a_job_that_failed_and_of_none_there_is_no_verdict(steps: Steps) -> None:
    assert await refused(steps) == "unknown_job"
    await steps.report(await steps.running(), ReportKind.FAILED)
    assert await refused(steps) == "no_verdict"
    assert await refused(steps, submission=1) == "no_verdict"


async def test_what_was_reused_or_judged_again_says_so(steps: Steps) -> None:
    lease = await steps.judging()
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.PASS), code="verdict_reused")
    assert (await read(steps)).code == "verdict_reused"


async def test_what_the_judge_did_not_judge_is_not_stated(steps: Steps) -> None:
    lease = await steps.judging()
    told = verdict(Outcome.CANNOT_ASSESS).model_copy(update={"judge_error": "judge_refused"})
    await steps.report(lease, ReportKind.VERDICT, verdict=told)
    assert await refused(steps) == "unjudged"
    assert await refused(steps, submission=1) == "unjudged"


async def test_what_the_judge_did_not_prove_is_not_stated(steps: Steps) -> None:
    await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=unproven())
    version = (await steps.job()).version
    assert await refused(steps) == await refused(steps, version=version) == "unjudged"
    (entry,) = (each for each in await steps.logs() if each.version == version)
    assert (entry.kind, entry.code, entry.response_payload["result"]) == ("failed", "verdict_unproven", "blue")
    assert entry.response_payload["verdict"]["criteria"][0]["unproven"] is True


async def test_keys_are_added_once_by_however_many_and_stay(database: Database) -> None:
    """Two jobstores start at once, each with its own order of the secrets; a third has the new one alone."""
    before, after = [make_secret(name, name.encode() * 8) for name in ("2026", "2027")]
    old, new = derive_keys(Secrets.parse(f"{before},{after}"))

    async def start(secrets: str) -> None:
        async with database.session() as session:
            await add_keys(session, [key.public for key in derive_keys(Secrets.parse(secrets))])

    await start(before)
    await asyncio.gather(*(start(secrets) for secrets in (f"{before},{after}", f"{after},{before}") * 5))
    await start(after)
    async with database.session() as session:
        kept = await list_keys(session, 500)
    assert [(key.keyid, key.secret_id) for key in kept] == [(new.public.keyid, "2027"), (old.public.keyid, "2026")]
    assert all(key.added_at is not None for key in kept)
    async with database.session() as session:
        (first,) = await list_keys(session, 1)
        rest = await list_keys(session, 500, (first.added_at, first.value))
    assert [first, *rest] == kept
    assert SECRETS.signing.id not in {key.secret_id for key in kept}


async def test_a_job_that_is_read_alone_has_the_result_and_verdict_of_what_was_judged_last(steps: Steps) -> None:
    async def shown() -> Job:
        async with steps.database.session() as session:
            view = await get_job(session, steps.job_id)
        assert view is not None
        return read_model(job_message(view, as_text=True))

    await steps.requested()
    job = await shown()
    assert (job.result, job.verdict, job.result_version) == (None, None, None)
    await judged(steps, Outcome.FAIL, {"n": 2**53 + 1})
    job = await shown()
    assert job.result_version == job.version
    assert job.verdict is not None
    assert (job.result, job.verdict.is_valid) == ({"n": 2**53 + 1}, False)
    await resubmitted(steps)
    assert (await shown()).result == {"n": 2**53 + 1}, "until the next is judged"
    await judged(steps, Outcome.PASS)
    job = await shown()
    assert job.verdict is not None
    assert (job.result, job.verdict.is_valid, job.result_version) == ("blue", True, job.version)


async def test_what_would_not_fit_an_answer_is_left_in_its_entry(steps: Steps) -> None:
    await steps.requested(payload="x" * 1_040_000)
    await judged(steps, Outcome.PASS, "y" * 2_150_000)
    async with steps.database.session() as session:
        view = await get_job(session, steps.job_id)
    assert view is not None
    assert (view["result"], view["verdict"], view["result_version"]) == (None, None, view["version"])
