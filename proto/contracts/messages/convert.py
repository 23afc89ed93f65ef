"""Convert resources to their gRPC messages (`x_message`) and back (`x_of`)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final
from uuid import UUID

from contracts.criteria import CRITERIA_MAX, Criterion, parse_stored_criteria
from contracts.messages.waiting import past_wait_messages, waiting_message
from contracts.resources import Agent, Execution, Job, JobLog, Limit, NewAgent, NewJob, NewLimit, Policy
from signoff.json_fields import get_value, put_json
from signoff.jsontext import json_text, parse_json
from signoff.status import Delivery, EmptyResult, JobStatus, Protocol, Resubmit
from signoff.v1 import resources_pb2 as pb
from signoff.v1 import verdict_pb2
from signoff.wire import read_fields, read_time, read_with, read_word, write_message, write_time

#: What entries of a log have as text in rows.
_LOG_TEXTS: Final = ("request", "payload", "before", "after", "result", "partial", "verdict")
#: Policies that were read last. Jobs have few different ones, and to make one takes as long as all else of a job.
_POLICIES_MAX: Final = 1_000


def _enum(enum: Any, prefix: str, word: str) -> Any:
    return enum.Value(f"{prefix}_{word.upper()}")


def _word(enum: Any, prefix: str, number: int) -> str:
    return str(enum.Name(number)).removeprefix(f"{prefix}_")


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
    for name, (wire, _, _) in _POLICY_WORDS.items():
        if name in fields:
            fields[name] = read_word(wire.DESCRIPTOR, fields[name])
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
        result_version=job.get("result_version"),
        created_at=write_time(job["created_at"]),
        updated_at=write_time(job["updated_at"]),
    )
    put_json(message, "payload", job["payload"], as_text=as_text)
    put_json(message, "result", job.get("result"), as_text=as_text)
    if (verdict := job.get("verdict")) is not None:
        message.verdict.CopyFrom(write_message(verdict_pb2.Verdict, parse_json(verdict)))
    if job.get("last_log"):
        message.last_log.CopyFrom(job_log_message(job["last_log"], as_text=as_text))
    if job.get("waiting"):
        message.waiting.CopyFrom(waiting_message(job["waiting"]))
    return message


def job_of(message: pb.Job) -> Job:
    """Return a job as received."""
    return Job(**_read(message))


def _read(message: Any) -> Any:
    """Return the fields of a message; of a policy the Policy, which is read once for all that have it."""
    if isinstance(message, pb.Policy):
        return policy_of(message)
    fields = read_with(message, _read)
    return {**fields, "waited": fields["waited"] or None} if isinstance(message, pb.JobLog) else fields


def execution_message(execution: Mapping[str, Any]) -> pb.Execution:
    """Return an execution as it is sent: the fields of Execution."""
    return write_message(pb.Execution, execution)


def execution_of(message: pb.Execution) -> Execution:
    """Return an execution as received."""
    return Execution(**read_fields(message))


def job_log_message(log: Mapping[str, Any], *, as_text: bool) -> pb.JobLog:
    """Return an entry of a job's log as it is sent, from a row: the fields of JobLog, JSON and the verdict as text."""
    texts = {name: text for name in _LOG_TEXTS if (text := log.get(name)) is not None}
    fields = {**log, **dict.fromkeys(_LOG_TEXTS), "waited": past_wait_messages(log["waited"])}
    if "verdict" in texts:
        fields["verdict"] = parse_json(texts.pop("verdict"))
    message = write_message(pb.JobLog, fields)
    for name, text in texts.items():
        put_json(message, name, text, as_text=as_text)
    return message


def job_log_of(message: pb.JobLog) -> JobLog:
    """Return an entry of a job's log as received."""
    return JobLog(**_read(message))


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
    return Agent(**_read(message))


def limit_message(name: str, limit: NewLimit) -> pb.Limit:
    """Return the limit of a name as it is sent."""
    return pb.Limit(**{**limit.model_dump(), "name": name})


def new_limit_of(message: pb.Limit) -> NewLimit:
    """Return a limit to set as received. Raise ValidationError if a value is out of its bounds."""
    return NewLimit(**fields_of(message, set(NewLimit.model_fields)))


def limit_of(message: pb.Limit) -> Limit:
    """Return a limit as received."""
    fields = {"name": message.name, "version": message.version, "updated_at": read_time(message.updated_at)}
    return Limit(**dict(new_limit_of(message)), **fields)


def protocol_message(protocol: Protocol) -> pb.Protocol.ValueType:
    """Return the enum value of a protocol."""
    result: pb.Protocol.ValueType = _enum(pb.Protocol, "PROTOCOL", protocol)
    return result


def protocol_of(number: int) -> Protocol:
    """Return the protocol of an enum value; ValueError for UNSPECIFIED."""
    return Protocol(_word(pb.Protocol, "PROTOCOL", number).lower())


def _str(value: UUID | None) -> str | None:
    return None if value is None else str(value)
