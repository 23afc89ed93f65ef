"""What asks for too much is refused, whatever door it comes by; what a worker reports too largely ends its lease."""

from typing import Any

import pytest
from support.jobstore.edited import edited
from support.jobstore.steps import CRITERIA, Steps, new_job

from contracts.judging.policy import Verdict
from contracts.topics import LIMIT_MAX_BYTES, MESSAGE_MAX_CHARS, PAYLOAD_MAX_BYTES, measure_job
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.executions.commands import RESPONSE_MAX_BYTES, CancelJob
from jobstore.jobs.commands import AssignAgent
from jobstore.jobs.model import SIGNOFF
from servicekit.errors import PermanentError
from signoff.judging import CriterionVerdict
from signoff.status import Outcome, ReportKind


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


def payload_of(size: int) -> str:
    """A payload with which a job asks for so many bytes, of characters of three."""
    marks, rest = divmod(size - measure_job(new_job(), '""'), 3)
    return "€" * marks + "x" * rest


async def test_a_job_is_as_large_as_its_bytes_after_an_edit_and_an_assignment_too(steps: Steps) -> None:
    with pytest.raises(InvalidError, match=f"{PAYLOAD_MAX_BYTES + 1} bytes") as error:
        await steps.created(payload=payload_of(PAYLOAD_MAX_BYTES + 1))
    assert error.value.code == "payload_too_large"
    await steps.created(payload=payload_of(PAYLOAD_MAX_BYTES))
    for fields in ({"title": "A longer title"}, {"labels": {"a": "b"}}, {"payload": payload_of(PAYLOAD_MAX_BYTES + 1)}):
        with pytest.raises(InvalidError, match="bytes"):
            await edited(steps, **fields)
    payload = f'"{payload_of(PAYLOAD_MAX_BYTES + 1)}"'
    with pytest.raises(InvalidError, match="bytes"):
        await steps.runner.submit.run_one(AssignAgent(steps.job_id, "writer", payload, actor=SIGNOFF))
    assert len(await steps.logs()) == 1
    await edited(steps, payload="", description=payload_of(PAYLOAD_MAX_BYTES))


async def test_a_control_character_counts_what_it_takes_in_json(steps: Steps) -> None:
    with pytest.raises(InvalidError):
        await steps.created(description="\x01" * (PAYLOAD_MAX_BYTES // 6))


async def test_an_inline_job_that_asks_for_too_much_is_invalid(steps: Steps) -> None:
    with pytest.raises(InvalidError) as error:  # the claim is answered INVALID with its code
        await steps.claim(inline=new_job(payload=payload_of(PAYLOAD_MAX_BYTES + 1)))
    assert error.value.code == "payload_too_large"


async def test_a_result_beyond_every_limit_fails_its_job(steps: Steps) -> None:
    lease = await steps.running()
    await steps.result(lease, "€" * (LIMIT_MAX_BYTES // 3))
    await _failed_with(steps, "result_too_large")


async def test_a_result_beyond_every_limit_that_is_claimed_first_fails_its_job(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = await steps.running()
    monkeypatch.setattr("jobstore.executions.commands.LIMIT_MAX_BYTES", 5)
    answer = await steps.claim_judging(lease)
    assert answer.outcome == "DUPLICATE"
    await _failed_with(steps, "result_too_large")


async def test_a_verdict_beyond_every_limit_fails_its_job(steps: Steps) -> None:
    lease = await steps.judging()
    words = CriterionVerdict(text=CRITERIA, outcome=Outcome.PASS, comment="€" * (RESPONSE_MAX_BYTES // 3))
    await steps.report(lease, ReportKind.VERDICT, verdict=Verdict.of([words], "a reason"))
    await _failed_with(steps, "verdict_too_large")


async def test_a_partial_result_beyond_every_limit_is_a_dead_letter_and_the_work_goes_on(steps: Steps) -> None:
    lease = await steps.running()
    with pytest.raises(PermanentError) as error:
        await steps.report(lease, ReportKind.PROGRESS, progress=0.5, partial="x" * RESPONSE_MAX_BYTES)
    assert error.value.code == "payload_too_large"
    assert (await steps.job()).status == "IN_PROGRESS"


async def test_words_of_any_length_are_kept_in_part(steps: Steps) -> None:
    lease = await steps.running()
    words: dict[str, Any] = {"message": "m" * 100_000, "progress": 0.5}
    await steps.report(lease, ReportKind.PROGRESS, **words)
    await steps.runner.record.run_one(CancelJob(None, steps.execution_id, "r" * 100_000, "b" * 100_000, actor=SIGNOFF))
    told = [row.message for row in await steps.logs() if row.kind in {"progress", "cancelled"}]
    assert [len(message) for message in told] == [MESSAGE_MAX_CHARS] * 2
    assert len((await steps.job()).progress_message) == MESSAGE_MAX_CHARS


async def _failed_with(steps: Steps, code: str) -> None:
    last = (await steps.logs())[-1]
    assert (last.status, last.code, last.response_payload) == ("FAILED", code, None)
    assert (await steps.row()).state == "DONE"
