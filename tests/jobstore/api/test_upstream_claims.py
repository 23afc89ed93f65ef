"""With secrets of upstreams, an executor's claim of what nobody signed changes nothing; without, all is as it was."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.factories import SECRETS, execute_requested, record, request_body
from support.jobstore.steps import Published, Steps, new_job, seen

from contracts.events import CancelRequested, ExecuteRequested
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secret, Secrets
from jobstore.access.upstreams import OPEN, Upstreams
from jobstore.api.work_service import WorkService
from jobstore.engine.database import Database
from jobstore.executions.dispatcher import Dispatcher
from jobstore.handlers import EventHandlers, check_cancel
from jobstore.jobs.model import ExecutionStage
from servicekit.errors import PermanentError
from servicekit.kafka.subscription import Incoming
from signoff.values import new_execution_id
from signoff.worker.v1 import work_service_pb2 as pb


def bind(name: str, *tenants: str) -> Secrets:
    return Secrets([Secret(name, name.encode() * 32, frozenset(tenants))])


UPSTREAM, OTHER, OWN = (Secrets([Secret(name, name.encode() * 32)]) for name in ("upstream", "other", "own"))
SIGNED = Upstreams(UPSTREAM, OWN)
PRESS, BOTH = (Upstreams(bind("upstream", *names), OWN) for names in (["press"], ["press", "radio"]))


async def claim(
    steps: Steps, body: bytes, signature: str = "", *, upstreams: Upstreams = SIGNED, replay: bool = False
) -> Any:
    work: Any = WorkService(steps.database, steps.runner, SECRETS, upstreams=upstreams)
    claims = [pb.ExecutionClaim(request=body, signature=signature, replay=replay)]
    request = pb.BeginExecutionsRequest(owner=str(steps.executor), room=10, claims=claims)
    (answer,) = (await work.BeginExecutions(request, None)).answers
    return answer


def asks(steps: Steps, **fields: Any) -> ExecuteRequested:
    return execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=new_job(), **fields)


def sign(event: ExecuteRequested, secrets: Secrets = UPSTREAM) -> str:
    return secrets.make_key(KeyUse.EXECUTE, event.execution_id).sign(request_body(event))


async def test_a_request_that_is_signed_is_admitted(steps: Steps) -> None:
    event = asks(steps)
    answer = await claim(steps, request_body(event), sign(event))
    assert (answer.outcome, answer.job_id) == (pb.CLAIM_OUTCOME_GRANTED, steps.job_id)
    assert answer.grant.lease.execution_id == str(steps.execution_id)
    assert (await steps.job()).status == "IN_PROGRESS"


async def test_a_request_for_another_tenant_than_its_secrets_changes_nothing(steps: Steps) -> None:
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=new_job(tenant="radio"))
    answer = await claim(steps, request_body(event), sign(event), upstreams=PRESS)
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_INVALID, "forbidden_tenant")
    async with steps.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM executions")) == 0
    assert (await claim(steps, request_body(event), sign(event), upstreams=BOTH)).outcome == pb.CLAIM_OUTCOME_GRANTED


async def test_one_for_a_job_that_is_there_is_refused_where_the_job_is_anothers(steps: Steps) -> None:
    await steps.created(tenant="radio")
    event = ExecuteRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    assert (await claim(steps, request_body(event), sign(event), upstreams=PRESS)).code == "forbidden_tenant"
    assert (await claim(steps, request_body(event), sign(event), upstreams=BOTH)).outcome == pb.CLAIM_OUTCOME_GRANTED


async def test_a_job_that_names_no_tenant_is_of_the_only_one_of_its_secret(steps: Steps) -> None:
    event = asks(steps)
    body = request_body(event).replace(b'"tenant":"default",', b"")
    assert b'"tenant"' not in body
    signature = UPSTREAM.make_key(KeyUse.EXECUTE, event.execution_id).sign(body)
    assert (await claim(steps, body, signature, upstreams=BOTH)).code == "forbidden_tenant"
    assert (await claim(steps, body, signature, upstreams=PRESS)).grant.tenant == "press"


@pytest.mark.parametrize("body", [None, b"{", b"x" * 200_000], ids=["a request", "malformed", "large"])
async def test_one_that_is_not_signed_is_not_even_read(steps: Steps, body: bytes | None) -> None:
    event = asks(steps)
    for signature in ("", "nonsense", sign(event, OTHER)):
        answer = await claim(steps, body or request_body(event), signature)
        assert (answer.outcome, answer.code, answer.job_id) == (pb.CLAIM_OUTCOME_INVALID, "bad_signature", "")
    async with steps.database.session() as session:
        assert await session.scalar(text("SELECT count(*) FROM executions")) == 0
        assert await session.scalar(text("SELECT count(*) FROM jobs WHERE id = :id"), {"id": steps.job_id}) == 0


async def test_a_signature_is_good_for_the_execution_that_it_names(steps: Steps) -> None:
    event = asks(steps)
    stranger = execute_requested(execution_id=new_execution_id(), job_id=steps.job_id, job=new_job())
    body = request_body(stranger)
    named = UPSTREAM.make_key(KeyUse.EXECUTE, event.execution_id).sign(body)
    assert (await claim(steps, body, named)).code == "bad_signature"


async def test_a_forged_offer_of_an_execution_that_is_known_takes_nothing(steps: Steps, database: Database) -> None:
    await steps.requested()
    event = ExecuteRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    assert (await claim(steps, request_body(event))).code == "bad_signature"
    assert (await steps.row()).state == "QUEUED"
    published = Published()
    await seen(database, ExecutionStage.EXECUTING, 5)
    await Dispatcher(database, published, steps.runner.terms, SECRETS, upstreams=SIGNED).offer()  # type: ignore[arg-type]
    (offer,) = published.records
    signature = dict(offer.headers)[SIGNATURE_HEADER]
    assert signature is not None
    assert (await claim(steps, offer.value or b"", signature.decode())).outcome == pb.CLAIM_OUTCOME_GRANTED


async def test_offers_are_signed_only_where_requests_must_be(steps: Steps, database: Database) -> None:
    await steps.requested()
    published = Published()
    await seen(database, ExecutionStage.EXECUTING, 5)
    await Dispatcher(database, published, steps.runner.terms, SECRETS, upstreams=Upstreams(None, OWN)).offer()  # type: ignore[arg-type]
    (offer,) = published.records
    assert SIGNATURE_HEADER not in dict(offer.headers)
    assert (await claim(steps, offer.value or b"", upstreams=OPEN)).outcome == pb.CLAIM_OUTCOME_GRANTED


async def test_replayed_records_change_nothing_and_need_no_signature(steps: Steps) -> None:
    answer = await claim(steps, request_body(asks(steps)), replay=True)
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_REFUSED, "replayed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "malformed_json"),
        (b"\xff", "malformed_json"),
        (b"{}", "schema_mismatch"),
        (b'{"execution_id":"no uuid","job_id":"a"}', "schema_mismatch"),
    ],
)
async def test_a_body_that_cannot_be_read_says_why(steps: Steps, body: bytes, code: str) -> None:
    answer = await claim(steps, body, upstreams=OPEN)
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_INVALID, code)
    assert answer.message


async def test_a_job_inline_is_made_whole_and_with_its_id(steps: Steps) -> None:
    job = new_job(payload={"a": [1.0, "ü"]}, priority=7)
    event = execute_requested(execution_id=steps.execution_id, job_id=steps.job_id, job=job)
    assert (await claim(steps, request_body(event), upstreams=OPEN)).outcome == pb.CLAIM_OUTCOME_GRANTED
    again = execute_requested(execution_id=new_execution_id(), job_id=steps.job_id, job=job)
    assert (await claim(steps, request_body(again), upstreams=OPEN)).code != "job_conflict"


async def test_what_begins_later_waits(steps: Steps) -> None:
    event = asks(steps, not_before="2100-01-01T00:00:00Z")
    answer = await claim(steps, request_body(event), upstreams=OPEN)
    assert (answer.outcome, answer.code) == (pb.CLAIM_OUTCOME_QUEUED, "not_due")


def cancel_of(secrets: Secrets | None, named: Any = None) -> Any:
    event = CancelRequested(execution_id=uuid4())
    body = event.model_dump_json().encode()
    key = secrets.make_key(KeyUse.CANCEL, named or event.execution_id) if secrets else None
    return record(body, headers=[(SIGNATURE_HEADER, key.sign(body).encode())] if key else ())


def test_a_cancel_needs_an_upstreams_signature_once_there_are_secrets() -> None:
    check_cancel(OPEN, cancel_of(None))
    check_cancel(SIGNED, cancel_of(UPSTREAM))
    for forged in (cancel_of(None), cancel_of(OTHER), cancel_of(UPSTREAM, uuid4()), record(None)):
        with pytest.raises(PermanentError) as refused:
            check_cancel(SIGNED, forged)
        assert refused.value.code == "bad_signature"


async def test_a_cancel_by_topic_of_another_tenants_execution_is_a_dead_letter(steps: Steps) -> None:
    await steps.requested(tenant="radio")
    event = CancelRequested(execution_id=steps.execution_id, job_id=steps.job_id)
    body = event.model_dump_json().encode()
    signature = UPSTREAM.make_key(KeyUse.CANCEL, event.execution_id).sign(body)
    one = record(body, topic="cancel-requested", headers=[(SIGNATURE_HEADER, signature.encode())])
    handlers = EventHandlers(steps.runner, steps.database, SECRETS)
    answers = [
        await handlers.on_cancel_requested([Incoming(event, one, vouched_by=check_cancel(upstreams, one))])
        for upstreams in (PRESS, BOTH)
    ]
    assert [getattr(answer, "code", None) for (answer,) in answers] == ["forbidden_tenant", None]
    assert (await steps.row()).answer == "cancelled"
