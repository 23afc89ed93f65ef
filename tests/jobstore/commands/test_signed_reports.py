"""Reports count only when their lease has signed them; what is signed and cannot be recorded ends its lease."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from support.factories import SECRETS, record, signature
from support.jobstore.steps import Steps, reported, result, verdict

from contracts.events import JobStatusReported, ResultProduced
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secrets, make_secret
from contracts.topics import TOPIC_OF
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.commands import CancelJob
from jobstore.handlers import EventHandlers, read_report
from jobstore.jobs.model import SIGNOFF
from servicekit.errors import PermanentError
from servicekit.kafka.dead_letters import Refused, to_dead_letter
from servicekit.retry import isolate_failures
from signoff.status import Outcome, ReportKind
from signoff.worker.v1 import work_service_pb2 as pb

OTHER = Secrets.parse(make_secret("test", b"o" * 32))


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.fixture
def handlers(database: Database, runner: CommandRunner) -> EventHandlers:
    return EventHandlers(runner, database, SECRETS)


async def consume(handlers: EventHandlers, event: type[Any], *records: Any) -> Sequence[Refused]:
    """As a subscription does, without a broker; what becomes a dead letter."""
    good, bad = [], []
    for one in records:
        try:
            vouched_by = handlers.check_report(event, one)
            good.append(replace(read_report(event, one, 1 << 23), vouched_by=vouched_by))
        except PermanentError as error:
            bad.append((one, error))
    is_result = event is ResultProduced
    handle = handlers.on_result_produced if is_result else handlers.on_job_status_reported
    results = await isolate_failures(good, handle)
    bad += [(i.record, error) for i, error in zip(good, results, strict=True) if isinstance(error, PermanentError)]
    return await handlers.choose_dead(event, bad)


def signed(body: bytes, key: Any, topic: type[Any] = JobStatusReported) -> Any:
    return record(body, topic=TOPIC_OF[topic], headers=[(SIGNATURE_HEADER, key.sign(body).encode())])


def of(event: Any, header: str | None) -> Any:
    headers = [] if header is None else [(SIGNATURE_HEADER, header.encode())]
    return record(event.model_dump_json().encode(), topic=TOPIC_OF[type(event)], headers=headers)


def judging_key(execution_id: UUID, lease: int) -> Any:
    return SECRETS.make_key(KeyUse.JUDGING, execution_id, lease)


def codes(dead: Sequence[Refused]) -> list[str]:
    return [error.code for _, error in dead]


async def test_a_verdict_counts_if_its_lease_has_signed_it(steps: Steps, handlers: EventHandlers) -> None:
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=verdict())
    assert await consume(handlers, JobStatusReported, of(event, signature(event))) == []
    assert (await steps.job()).status == "COMPLETED"


async def test_a_strangers_verdict_changes_nothing_and_leaves_one_dead_letter(
    steps: Steps, handlers: EventHandlers
) -> None:
    """Shown: a stranger read a lease in `result-produced`, and completed the job while its judge was at work."""
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=verdict())
    before = await steps.logs()
    genuine = signature(event)
    for header in (None, "nonsense", signature(event, OTHER), genuine[:-1] + ("0" if genuine[-1] != "0" else "1")):
        dead = await consume(handlers, JobStatusReported, of(event, header), of(event, header))
        assert codes(dead) == (["bad_signature"] if header is None else [])
    assert (await steps.logs(), (await steps.row()).state) == (before, "LEASED")


@pytest.mark.parametrize("number", [-1, 1, 7])
async def test_a_forged_report_of_another_lease_is_refused_and_not_buried(
    steps: Steps, handlers: EventHandlers, number: int
) -> None:
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, max(1, lease + number), ReportKind.VERDICT, verdict=verdict())
    assert await consume(handlers, JobStatusReported, of(event, None)) == []
    assert (await steps.row()).state == "LEASED"


async def test_forged_reports_of_ended_and_unknown_executions_are_not_buried(
    steps: Steps, handlers: EventHandlers
) -> None:
    event = result(steps.execution_id, "nobodys", 1)
    assert await consume(handlers, ResultProduced, of(event, None)) == []
    lease = await steps.judging()
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
    over = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    assert await consume(handlers, JobStatusReported, of(over, None)) == []


async def test_a_body_about_another_lease_than_the_one_that_signed_it_is_forged(
    steps: Steps, handlers: EventHandlers
) -> None:
    """Who holds a lease of his own decides nothing about another's."""
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=verdict())
    body, own = event.model_dump_json().encode(), judging_key(UUID(int=7), 1)
    assert codes(await consume(handlers, JobStatusReported, signed(body, own))) == ["bad_signature"]
    assert (await steps.row()).state == "LEASED"


async def test_an_executors_key_gives_no_verdict(steps: Steps, handlers: EventHandlers) -> None:
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, lease - 1, ReportKind.VERDICT, verdict=verdict())
    key = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease - 1)
    assert await consume(handlers, JobStatusReported, signed(event.model_dump_json().encode(), key)) == []
    assert (await steps.row()).state == "LEASED"


async def test_a_header_that_is_no_text_is_no_signature(steps: Steps, handlers: EventHandlers) -> None:
    lease = await steps.judging()
    event = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=verdict())
    body, headers = event.model_dump_json().encode(), [(SIGNATURE_HEADER, b"\xff")]
    garbled = record(body, topic=TOPIC_OF[JobStatusReported], headers=headers)
    assert codes(await consume(handlers, JobStatusReported, garbled, garbled)) == ["bad_signature"]


async def test_a_copy_with_other_headers_is_the_same_report(steps: Steps, handlers: EventHandlers) -> None:
    """Headers are not signed: a stranger who adds one to a result that he read ends no lease by that."""
    lease = await steps.running()
    event = result(steps.execution_id, steps.job_id, lease)
    copied = of(event, signature(event))
    copied.headers.append(("x", b"\xff"))
    assert await consume(handlers, ResultProduced, copied) == []
    assert (await steps.row()).stage == "JUDGING"


async def test_of_what_nobody_vouches_for_and_nobody_can_read_the_beginning_is_buried_and_not_for_ever(
    handlers: EventHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobstore.handlers.UNREADABLE_MAX", 2)
    garbage = record(b"{" * 100_000, topic=TOPIC_OF[ResultProduced])
    dead = await consume(handlers, ResultProduced, *[garbage] * 3)
    assert codes(dead) == ["malformed_json"] * 2
    assert len(to_dead_letter("q", *dead[0]).value) == 65_536


@pytest.mark.parametrize("is_judged", [False, True])
async def test_a_validators_key_gives_no_result(steps: Steps, handlers: EventHandlers, *, is_judged: bool) -> None:
    lease = await (steps.judging() if is_judged else steps.running())
    body = result(steps.execution_id, steps.job_id, lease, "forged").model_dump_json().encode()
    forged = signed(body, judging_key(steps.execution_id, lease), ResultProduced)
    assert codes(await consume(handlers, ResultProduced, forged)) == ["bad_signature"]
    assert ((await steps.row()).state, "forged" in str(await steps.logs())) == ("LEASED", False)


async def test_a_result_that_its_lease_has_not_signed_is_not_judged(steps: Steps) -> None:
    """Also the very result that is recorded: whoever claims it must have it from who made it."""
    lease = await steps.running()
    event = result(steps.execution_id, steps.job_id, lease)
    body, work = event.model_dump_json().encode(), WorkService(steps.database, steps.runner, SECRETS)
    other = result(steps.execution_id, steps.job_id, lease + 1).model_dump_json().encode()
    judging = judging_key(steps.execution_id, lease).sign(body)
    own = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease)
    for claimed, header in ((body, ""), (body, signature(event, OTHER)), (body, judging), (other, own.sign(other))):
        claim = pb.JudgingClaim(result=claimed, signature=header)
        request = pb.BeginJudgingsRequest(owner=str(steps.validator), room=1, claims=[claim])
        (answer,) = (await work.BeginJudgings(request, None)).answers  # type: ignore[arg-type]
        assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_REFUSED, "bad_signature")
    assert (await steps.row()).result_lease is None


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"kind":"verdict"}'])
async def test_a_signed_outcome_that_cannot_be_read_fails_an_executing_lease_with_its_code(
    steps: Steps, handlers: EventHandlers, body: bytes
) -> None:
    lease = await steps.running()
    key = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease)
    (code,) = codes(await consume(handlers, JobStatusReported, signed(body, key)))
    assert code in {"malformed_json", "schema_mismatch"}
    job, last = await steps.job(), (await steps.logs())[-1]
    assert (job.status, last.code) == ("FAILED", code)


async def test_a_signed_outcome_that_cannot_be_read_is_judged_again_and_at_last_failed(
    steps: Steps, handlers: EventHandlers
) -> None:
    lease = await steps.judging()
    for again in (True, True, False):
        assert codes(await consume(handlers, JobStatusReported, signed(b"{", judging_key(steps.execution_id, lease))))
        if again:
            assert ((await steps.row()).state, (await steps.job()).status) == ("QUEUED", "IN_PROGRESS")
            answer = await steps.claim_judging((await steps.row()).result_lease)
            assert answer.execution is not None
            assert answer.execution.lease > lease + 1, "the number of the lease was not spent"
            lease = answer.execution.lease
    assert ((await steps.job()).status, (await steps.logs())[-1].code) == ("FAILED", "malformed_json")


async def test_a_verdict_that_cannot_be_stored_is_judged_again_and_at_last_failed(
    steps: Steps, handlers: EventHandlers
) -> None:
    """PostgreSQL takes U+0000 in JSON, but not in the message."""
    lease = await steps.judging()
    for _ in range(3):
        told = verdict(reason="a reason with \0")
        event = reported(steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=told)
        assert codes(await consume(handlers, JobStatusReported, of(event, signature(event)))) == ["invalid_data"]
        if (await steps.job()).status == "IN_PROGRESS":
            answer = await steps.claim_judging((await steps.row()).result_lease)
            assert answer.execution is not None
            lease = answer.execution.lease
    assert ((await steps.job()).status, (await steps.logs())[-1].code) == ("FAILED", "unstorable")


async def test_a_signed_record_that_was_copied_to_the_other_topic_ends_no_lease(
    steps: Steps, handlers: EventHandlers
) -> None:
    lease = await steps.running()
    key = SECRETS.make_key(KeyUse.EXECUTING, steps.execution_id, lease)
    begun = reported(steps.execution_id, steps.job_id, lease, ReportKind.CALL_BEGUN).model_dump_json().encode()
    produced = result(steps.execution_id, steps.job_id, lease).model_dump_json().encode()
    assert codes(await consume(handlers, ResultProduced, signed(begun, key, ResultProduced))) == ["schema_mismatch"]
    assert codes(await consume(handlers, JobStatusReported, signed(produced, key))) == ["schema_mismatch"]
    assert (await steps.row()).state == "LEASED"


async def test_a_late_result_of_a_cancelled_execution_must_be_signed_too(
    steps: Steps, handlers: EventHandlers, runner: CommandRunner
) -> None:
    lease = await steps.running()
    await runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    event, before = result(steps.execution_id, steps.job_id, lease), await steps.logs()
    assert codes(await consume(handlers, ResultProduced, of(event, None))) == ["bad_signature"]
    assert await steps.logs() == before
    assert await consume(handlers, ResultProduced, of(event, signature(event))) == []
    assert len(await steps.logs()) == len(before) + 1


@pytest.mark.parametrize(
    "criteria",
    [
        [],
        [{"text": 'Says "red"', "outcome": "pass", "evidence": ["blue"]}],
        [{"text": 'Says "blue"', "outcome": "pass"}],
        [{"text": 'Says "blue"', "outcome": "pass", "evidence": ["blue"], "required": False}],
        [{"text": 'Says "blue"', "outcome": "pass", "evidence": ["blue"]}] * 2,
        [{"text": 'Says "blue"', "outcome": "pass", "evidence": ["blue"], "kind": "never"}],
    ],
    ids=["none", "another", "without evidence", "not required", "twice", "of another kind"],
)
async def test_a_verdict_on_other_criteria_is_judged_again_and_never_counts(
    steps: Steps, handlers: EventHandlers, criteria: list[Any]
) -> None:
    """Of a stolen validator's token, or of a validator that is wrong."""
    lease = await steps.judging()
    for _ in range(3):
        fields = {"is_valid": True, "reason": "so it is", "criteria": criteria}
        event = reported(
            steps.execution_id, steps.job_id, lease, ReportKind.VERDICT, verdict=fields, model_and_prompt="j"
        )
        assert await consume(handlers, JobStatusReported, of(event, signature(event))) == []
        row = await steps.row()
        if row.state == "QUEUED":
            answer = await steps.claim_judging(row.result_lease)
            assert answer.execution is not None
            lease = answer.execution.lease
    assert ((await steps.job()).status, (await steps.logs())[-1].code) == ("FAILED", "verdict_mismatch")
    async with steps.database.session() as session:
        assert not await session.execute(text("SELECT key FROM reusable WHERE job_id = :id"), {"id": steps.job_id})


async def test_what_a_claim_says_of_criteria_is_not_used(steps: Steps) -> None:
    """Shown: who published a result again with other criteria had the validator judge by those."""
    lease = await steps.running()
    answer = await steps.claim_judging(lease, acceptance_criteria="Says anything")
    assert answer.question is not None
    assert (answer.question.acceptance_criteria, answer.task) == ('Says "blue"', '{"title":"A title"}')


async def test_a_second_result_under_one_lease_is_not_judged(steps: Steps) -> None:
    """A stolen executor's token may sign two results: the one in the log is judged."""
    lease = await steps.running()
    await steps.result(lease)
    assert (await steps.claim_judging(lease, value="red")).outcome == "DUPLICATE"
    assert (await steps.claim_judging(lease)).outcome == "GRANTED"
