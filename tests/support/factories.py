"""Events, grants and records as they are, but for what a test says."""

import time
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from contracts.events import ExecuteRequested, JobStatusReported, ResultProduced
from contracts.resources import Policy
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secrets, Signature, make_secret
from contracts.topics import TOPIC_OF
from executor.ports import Grant
from jobstore.access.upstreams import Author
from jobstore.jobs.model import UPSTREAM
from servicekit.kafka.subscription import Incoming
from servicekit.leasing.worker import Lease
from signoff.jsontext import json_text
from signoff.status import Delivery, ReportKind
from signoff.status import Protocol as AgentProtocol
from signoff.values import new_execution_id

_leases = count(1)
SECRETS = Secrets.parse(make_secret("test", b"a secret of the tests, not shown!"))


def lease(execution_id: UUID | None = None, number: int | None = None, use: KeyUse = KeyUse.EXECUTING) -> Lease:
    return SECRETS.make_key(use, execution_id or new_execution_id(), number or next(_leases))


def grant(**fields: Any) -> Grant:
    """`request` is the body as a value; `policy` adds to what every grant has."""
    policy = {
        "attempt_timeout_s": 10.0,
        "delivery": Delivery.AT_LEAST_ONCE,
        "max_calls": 3,
        "backoff_first_s": 0.0,
        "backoff_max_s": 0.0,
        "backoff_factor": 2.0,
        **fields.pop("policy", {}),
    }
    request = {"title": "A title", "acceptance_criteria": 'Says "blue"', "payload": None, **fields.pop("request", {})}
    whole = {
        "lease": lease(),
        "job_id": "job-1",
        "lease_s": 10.0,
        "attempt": 1,
        "submission": 1,
        "protocol": AgentProtocol.HTTP,
        "url": "http://127.0.0.1:9/agent",
        **fields,
    }
    return Grant(request=json_text(request), policy=Policy(**policy), **whole)


def execute_requested(**fields: Any) -> ExecuteRequested:
    return ExecuteRequested(**{"execution_id": new_execution_id(), "job_id": "job-1", **fields})


def result_produced(**fields: Any) -> ResultProduced:
    whole = {
        "execution_id": new_execution_id(),
        "job_id": "job-1",
        "attempt": 1,
        "lease": 1,
        "acceptance_criteria": 'Says "blue"',
        "result": "blue",
        "produced_at": datetime.now(UTC),
    }
    return ResultProduced(**whole | fields)


def record(value: bytes | None, **fields: Any) -> ConsumerRecord[bytes | None, bytes | None]:
    whole = {
        "topic": "execute-requested",
        "partition": 3,
        "offset": 42,
        "timestamp": int(time.time() * 1000),
        "timestamp_type": 0,
        "key": b"job-1",
        "checksum": None,
        "serialized_key_size": 5,
        "serialized_value_size": len(value or b""),
        "headers": (),
    }
    return ConsumerRecord(**whole | fields, value=value)


def signature(event: ResultProduced | JobStatusReported, secrets: Secrets = SECRETS) -> str:
    """Of the event's body as `incoming` has it, by the lease that it names."""
    is_judged = isinstance(event, JobStatusReported) and event.kind is ReportKind.VERDICT
    key = secrets.make_key(KeyUse.JUDGING if is_judged else KeyUse.EXECUTING, event.execution_id, event.lease)
    return key.sign(event.model_dump_json().encode())


def incoming(event: Any, *, replay: bool = False) -> Incoming[Any]:
    is_report = isinstance(event, ResultProduced | JobStatusReported)
    header = signature(event) if is_report else None
    vouched_by = Author(UPSTREAM) if header is None else Signature.parse(header)
    brought = record(
        event.model_dump_json().encode(),
        topic=TOPIC_OF[type(event)],
        headers=[(SIGNATURE_HEADER, header.encode())] if header else [],
    )
    return Incoming(event, brought, replay, None if replay else vouched_by)


def request_body(event: ExecuteRequested) -> bytes:
    """A request as it stands in its record."""
    return event.model_dump_json(exclude_none=True).encode()


def incoming_request(event: ExecuteRequested, **fields: Any) -> Incoming[bytes]:
    """A request as an executor takes it, unread; `fields` are the record's."""
    body = request_body(event)
    return Incoming(body, record(body, **fields))
