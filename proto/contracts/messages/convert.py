"""Convert resources to their gRPC messages (`x_message`) and back (`x_of`)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from contracts.criteria import CRITERIA_MAX, Criterion, parse_stored_criteria
from contracts.jsontext import json_text
from contracts.messages.json_fields import get_value, put_json
from contracts.messages.waiting import past_wait_messages, past_waits_of, waiting_message, waiting_of
from contracts.resources import Agent, Execution, Job, JobLog, Limit, NewAgent, NewJob, NewLimit, Policy
from contracts.status import Circuit, Delivery, EmptyResult, ExecutionState, JobLogStatus, JobStatus, Protocol, Resubmit
from signoff.v1 import resources_pb2 as pb

#: The fields of a job, and of an entry of its log, that are on the wire as they are in resources.
_JOB: Final = {
    *("id", "title", "description", "acceptance_criteria", "version", "agent_id", "execution_id"),
    *("submission", "tenant", "progress", "progress_message", "batch_id", "cost_usd", "tokens"),
    *("cancelled", "code", "duration_s"),
}
_LOG: Final = {
    *("id", "job_id", "version", "agent_id", "message", "code", "execution_id", "attempt", "lease"),
    *("submission", "event_id", "cursor", "progress", "cost_usd", "tokens", "kind", "max_calls"),
    *("spent_calls", "actor", "duration_s"),
}
#: Times of an execution.
_TIMES: Final = ("not_before", "deadline_at", "created_at", "ended_at")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
#: Policies that were read last. Jobs have few different ones, and to make one takes as long as all else of a job.
_POLICIES_MAX: Final = 1_000


def _enum(enum: Any, prefix: str, word: str) -> Any:
    return enum.Value(f"{prefix}_{word.upper()}")


def _word(enum: Any, prefix: str, number: int) -> str:
    return str(enum.Name(number)).removeprefix(f"{prefix}_")


def _time(stamp: Timestamp) -> datetime:
    # The jobstore's own is within bounds: ToDatetime, which looks, takes six times as long.
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)


def _stamp(at: datetime) -> Timestamp:
    # As above: what gRPC makes of a datetime by itself takes three times as long.
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def time_of(message: Any, field: str) -> datetime | None:
    """Return the time in a field; None if it is not set. Raise ValueError if it is out of bounds."""
    return getattr(message, field).ToDatetime(tzinfo=UTC) if message.HasField(field) else None


@cache
def status_message(status: JobStatus) -> pb.JobStatus.ValueType:
    """Return the enum value of a status."""
    result: pb.JobStatus.ValueType = _enum(pb.JobStatus, "JOB_STATUS", status)
    return result


@cache
def status_of(number: int) -> JobStatus:
    """Return the status of an enum value; ValueError for UNSPECIFIED."""
    return JobStatus(_word(pb.JobStatus, "JOB_STATUS", number))


#: Fields of a policy that are one of a few words: the enum on the wire, the prefix of its names, and the words.
_POLICY_WORDS: Final[dict[str, tuple[Any, str, Callable[[str], StrEnum]]]] = {
    "delivery": (pb.Delivery, "DELIVERY", Delivery),
    "resubmit": (pb.Resubmit, "RESUBMIT", Resubmit),
    "empty_result": (pb.EmptyResult, "EMPTY_RESULT", EmptyResult),
}


def policy_message(policy: Policy) -> pb.Policy:
    """Return a policy as it is sent."""
    fields = policy.model_dump(exclude_none=True)
    for name, (wire, prefix, _) in _POLICY_WORDS.items():
        if name in fields:
            fields[name] = _enum(wire, prefix, fields[name])
    return pb.Policy(**fields)


def policy_of(message: pb.Policy) -> Policy:
    """Return a policy as the jobstore sent it, which checked it when it was new."""
    return _read_policy(message.SerializeToString(deterministic=True)).model_copy()


@lru_cache(maxsize=_POLICIES_MAX)
def _read_policy(serialized: bytes) -> Policy:
    return Policy.model_construct(**_policy_fields(pb.Policy.FromString(serialized)))


def new_policy_of(message: pb.Policy) -> Policy:
    """Return a new policy as received. Raise ValidationError if a value is out of its bounds."""
    return Policy(**_policy_fields(message))


def _policy_fields(message: pb.Policy) -> dict[str, Any]:
    fields: dict[str, Any] = {field.name: value for field, value in message.ListFields()}
    fields |= {name: list(fields[name]) for name in ("retry_codes", "no_retry_codes") if name in fields}
    for name, (wire, prefix, words) in _POLICY_WORDS.items():
        if name in fields:
            fields[name] = words(_word(wire, prefix, fields[name]).lower())
    return fields


_NEW_JOB = {"id", "title", "description", "acceptance_criteria", "agent_id", "priority", "tenant"}


def new_job_message(job: NewJob) -> pb.NewJob:
    """Return a new job as it is sent; its payload as text, exact."""
    return pb.NewJob(
        **job.model_dump(include=_NEW_JOB | {"references", "labels", "capabilities", "not_before"}),
        payload_json=json_text(job.payload),
        policy=policy_message(job.policy),
    )


def new_job_of(message: pb.NewJob) -> NewJob:
    """Return a new job as received. Raise ValidationError or ValueError if it is malformed."""
    criteria = {"criteria": criteria_of(message)} if message.criteria else {}
    return NewJob(
        **fields_of(message, _NEW_JOB),
        **criteria,
        references=dict(message.references),
        payload=get_value(message, "payload"),
        capabilities=list(message.capabilities),
        not_before=time_of(message, "not_before"),
        labels=dict(message.labels),
        policy=new_policy_of(message.policy),
    )


def criteria_of(message: Any) -> list[Criterion]:
    """Return the list of criteria of a new job, or a set, as received, or one more than a job may have.

    Raise ValidationError if a text is malformed.
    """
    return [
        Criterion(text=one.text, required=not one.HasField("required") or one.required, kind=one.kind or "meets")
        for one in message.criteria[: CRITERIA_MAX + 1]
    ]


def fields_of(message: Any, names: set[str]) -> dict[str, Any]:
    """Return those of the named fields that are set."""
    return {name: value for field, value in message.ListFields() if (name := field.name) in names}


def job_message(job: Mapping[str, Any], *, as_text: bool) -> pb.Job:
    """Return a job as it is sent, from a row: the fields of Job, `payload` as JSON text, `policy` as a Policy."""
    message = pb.Job(
        id=job["id"],
        title=job["title"],
        description=job["description"],
        acceptance_criteria=job["acceptance_criteria"],
        criteria=[pb.Criterion(**dict(one)) for one in parse_stored_criteria(job["acceptance_criteria"])],
        references=job["references"],
        status=status_message(job["status"]),
        version=job["version"],
        agent_id=job["agent_id"],
        execution_id=_str(job["execution_id"]),
        submission=job["submission"],
        priority=job["priority"],
        tenant=job["tenant"],
        labels=job["labels"],
        policy=policy_message(job["policy"]),
        progress=job["progress"],
        progress_message=job["progress_message"],
        capabilities=job["capabilities"],
        not_before=job["not_before"],
        batch_id=_str(job["batch_id"]),
        cost_usd=job["cost_usd"],
        tokens=job["tokens"],
        live=job["live"],
        cancelled=job["cancelled"],
        code=job["code"],
        duration_s=job["duration_s"],
        created_at=_stamp(job["created_at"]),
        updated_at=_stamp(job["updated_at"]),
    )
    put_json(message, "payload", job["payload"], as_text=as_text)
    if job.get("last_log"):
        message.last_log.CopyFrom(job_log_message(job["last_log"], as_text=as_text))
    if job.get("waiting"):
        message.waiting.CopyFrom(waiting_message(job["waiting"]))
    return message


def job_of(message: pb.Job) -> Job:
    """Return a job as received."""
    return Job(
        **fields_of(message, _JOB),
        references=dict(message.references),
        payload=get_value(message, "payload"),
        status=status_of(message.status),
        priority=message.priority,
        capabilities=list(message.capabilities),
        not_before=time_of(message, "not_before"),
        labels=dict(message.labels),
        policy=policy_of(message.policy),
        live=message.live if message.HasField("live") else None,
        created_at=_time(message.created_at),
        updated_at=_time(message.updated_at),
        last_log=job_log_of(message.last_log) if message.HasField("last_log") else None,
        waiting=waiting_of(message.waiting) if message.HasField("waiting") else None,
    )


def execution_message(execution: Mapping[str, Any]) -> pb.Execution:
    """Return an execution as it is sent: the fields of Execution."""
    times = {name: _stamp(at) for name in _TIMES if (at := execution[name]) is not None}
    fields = {name: value for name, value in execution.items() if name not in _TIMES and value is not None}
    words = {"id": str(execution["id"]), "batch_id": _str(execution["batch_id"])}
    state = _enum(pb.ExecutionState, "EXECUTION_STATE", execution["state"])
    return pb.Execution(**fields | words | times | {"state": state})


def execution_of(message: pb.Execution) -> Execution:
    """Return an execution as received."""
    return Execution(
        **fields_of(message, Execution.model_fields.keys() - {*_TIMES, "state"}),
        **{name: time_of(message, name) for name in _TIMES},
        state=ExecutionState(_word(pb.ExecutionState, "EXECUTION_STATE", message.state)),
    )


def job_log_message(log: Mapping[str, Any], *, as_text: bool) -> pb.JobLog:
    """Return an entry of a job's log as it is sent, from a row: the fields of JobLog, payloads as JSON text."""
    message = pb.JobLog(
        id=str(log["id"]),
        job_id=log["job_id"],
        version=log["version"],
        status=_log_status_message(log["status"]),
        agent_id=log["agent_id"],
        message=log["message"],
        code=log["code"],
        execution_id=_str(log["execution_id"]),
        attempt=log["attempt"],
        lease=log["lease"],
        submission=log["submission"],
        event_id=_str(log["event_id"]),
        cursor=log["cursor"],
        created_at=_stamp(log["created_at"]),
        job_status=status_message(JobStatus(log["job_status"])),
        progress=log["progress"],
        cost_usd=log["cost_usd"],
        tokens=log["tokens"],
        next_attempt_at=log["next_attempt_at"],
        kind=log["kind"],
        max_calls=log["max_calls"],
        spent_calls=log["spent_calls"],
        actor=log["actor"],
        duration_s=log["duration_s"],
        waited=past_wait_messages(log["waited"]),
    )
    put_json(message, "request_payload", log["request_payload"], as_text=as_text)
    put_json(message, "response_payload", log["response_payload"], as_text=as_text)
    return message


def job_log_of(message: pb.JobLog) -> JobLog:
    """Return an entry of a job's log as received."""
    return JobLog(
        **fields_of(message, _LOG),
        status=_log_status_of(message.status),
        request_payload=get_value(message, "request_payload"),
        response_payload=get_value(message, "response_payload"),
        next_attempt_at=time_of(message, "next_attempt_at"),
        waited=past_waits_of(message.waited),
        created_at=_time(message.created_at),
        job_status=status_of(message.job_status),
    )


@cache
def _log_status_message(status: str) -> pb.JobLogStatus.ValueType:
    result: pb.JobLogStatus.ValueType = _enum(pb.JobLogStatus, "JOB_LOG_STATUS", status)
    return result


@cache
def _log_status_of(number: int) -> JobLogStatus:
    return JobLogStatus(_word(pb.JobLogStatus, "JOB_LOG_STATUS", number))


def new_agent_message(agent: NewAgent) -> pb.NewAgent:
    """Return an agent to register as it is sent."""
    return pb.NewAgent(
        **agent.model_dump(include={"id", "name", "url", "capabilities", "enabled", "deterministic", "headers"}),
        protocol=protocol_message(agent.protocol),
        policy=policy_message(agent.policy),
    )


def new_agent_of(message: pb.NewAgent) -> NewAgent:
    """Return an agent to register as received. Raise ValidationError if it is malformed."""
    fields = fields_of(message, {"id", "name", "url", "enabled", "deterministic"})
    if message.protocol:
        fields["protocol"] = protocol_of(message.protocol)
    return NewAgent(
        **fields,
        capabilities=list(message.capabilities),
        policy=new_policy_of(message.policy),
        headers=dict(message.headers),
    )


def agent_message(agent: Agent) -> pb.Agent:
    """Return an agent as it is sent."""
    return pb.Agent(
        **agent.model_dump(exclude={"protocol", "policy", "circuit"}),
        protocol=protocol_message(agent.protocol),
        policy=policy_message(agent.policy),
        circuit=_enum(pb.Circuit, "CIRCUIT", agent.circuit),
    )


def agent_of(message: pb.Agent) -> Agent:
    """Return an agent as received."""
    return Agent(
        **fields_of(message, {"id", "name", "url"}),
        enabled=message.enabled,
        deterministic=message.deterministic,
        paused=message.paused,
        circuit=Circuit(_word(pb.Circuit, "CIRCUIT", message.circuit or pb.CIRCUIT_CLOSED).lower()),
        circuit_open_until=time_of(message, "circuit_open_until"),
        protocol=protocol_of(message.protocol),
        capabilities=list(message.capabilities),
        policy=policy_of(message.policy),
        headers=dict(message.headers),
        created_at=_time(message.created_at),
        updated_at=_time(message.updated_at),
    )


def limit_message(name: str, limit: NewLimit) -> pb.Limit:
    """Return the limit of a name as it is sent."""
    return pb.Limit(**{**limit.model_dump(), "name": name})


def new_limit_of(message: pb.Limit) -> NewLimit:
    """Return a limit to set as received. Raise ValidationError if a value is out of its bounds."""
    return NewLimit(**fields_of(message, set(NewLimit.model_fields)))


def limit_of(message: pb.Limit) -> Limit:
    """Return a limit as received."""
    return Limit(**dict(new_limit_of(message)), name=message.name, updated_at=_time(message.updated_at))


def protocol_message(protocol: Protocol) -> pb.Protocol.ValueType:
    """Return the enum value of a protocol."""
    result: pb.Protocol.ValueType = _enum(pb.Protocol, "PROTOCOL", protocol)
    return result


def protocol_of(number: int) -> Protocol:
    """Return the protocol of an enum value; ValueError for UNSPECIFIED."""
    return Protocol(_word(pb.Protocol, "PROTOCOL", number).lower())


def _str(value: UUID | None) -> str | None:
    return None if value is None else str(value)
