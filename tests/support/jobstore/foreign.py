"""What two tenants have, and what each call tells a caller of one of them about the other's."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory

from contracts.access import ACCESS, Of
from signoff.status import FACET_FIELDS

#: Stands in all that is written of the tenant `games`.
CANARY: Final = "canary"
#: For how long a stream is listened to.
LISTENED_S: Final = 0.25

_WAITING: Final = {"reasons": ["no_worker", "no_room", "queue", "limit_paused"]}
_TEXTS: Final = [
    {},
    {"text": CANARY},
    {"id_part": "{job}"},
    {"batch_id": "{operation}"},
    {"tenant": "{tenant}"},
    _WAITING,
]
_NAMED: Final = {"job_ids": ["{job}"]}
#: The requests of each call of tenants, with the names of what they are about. A new call needs an entry.
REQUESTS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "GetJob": [{"job_id": "{job}"}],
    "ExplainJob": [{"job_id": "{waiting}"}],
    "ListJobs": [
        *({"filter": each} for each in _TEXTS),
        *({"order": f"JOB_ORDER_{word}"} for word in ("UPDATED_DESC", "PRIORITY_DESC", "COST", "DURATION_DESC")),
        {"view": "VIEW_FULL"},
    ],
    "CountJobs": [{"filter": each} for each in _TEXTS],
    "ListJobFacets": [{"field": each} for each in (*FACET_FIELDS, "label:team")],
    "ListJobLogs": [{"job_id": "{job}"}, {"job_id": "{job}", "view": "VIEW_FULL", "newest_first": True}],
    "GetResult": [{"job_id": "{job}", "version": 4}],
    "GetExecution": [{"execution_id": "{execution}"}],
    "WatchJobs": [{}, {"after": 0}, {"after": 0, "view": "VIEW_FULL"}, {"job_ids": ["{job}"]}, {"after": 0, **_NAMED}],
    "CreateJob": [],
    "ExecuteJob": [{"job_id": "{job}"}, {"job_id": "{job}", "idempotency_key": "{key}"}],
    "ExecuteJobs": [{"filter": {"tenant": "{tenant}"}}],
    "CancelJob": [{"job_id": "{waiting}"}, {"job_id": "{waiting}", "execution_id": "{queued}"}],
    "UpdateJob": [{"job_id": "{job}", "job": {"title": "mine"}, "update_mask": "title"}],
    "AssignAgent": [{"job_id": "{job}", "agent_id": "writer"}],
    "ResubmitJob": [{"job_id": "{job}"}],
    "GetAgent": [{"agent_id": "{agent}"}],
    "ListAgents": [{}],
    "GetAgentTry": [{"agent_id": "{agent}", "try_id": "{try}"}],
    "ListAgentTries": [{"agent_id": "{agent}"}],
    "CreateAgent": [],
    "UpdateAgent": [{"agent_id": "{agent}", "agent": {"name": "mine"}, "update_mask": "name"}],
    "DisableAgent": [{"agent_id": "{agent}"}],
    "CreateAgentTry": [{"agent_id": "{agent}", "agent_try": {"title": "a title"}}],
    "GetReceipt": [{"job_id": "{job}"}],
    "ListJudgePolicies": [{}],
    "GetJudgePolicy": [{"name": "{policy}"}],
    "GetGoldenSet": [{"name": "{policy}"}],
    "ListCriteriaSets": [{}],
    "GetCriteriaSet": [{"name": "{set}"}],
    "KeepEvaluation": [{"evaluation": "{evaluation}"}],
    "PutGoldenSet": [],
    "RetireGoldenSet": [{"name": "{policy}", "reason": "mine"}],
    "PutCriteriaSet": [],
    "RetireCriteriaSet": [{"name": "{set}", "reason": "mine"}],
    "PutJudgePolicy": [],
    "PromoteJudgePolicy": [{"name": "{policy}", "version": 1, "force_reason": "mine"}],
    "RetireJudgePolicy": [{"name": "{policy}", "reason": "mine"}],
    "GetJudgings": [{"judgings_id": "{judgings}"}],
    "WatchJudgings": [{"judgings_id": "{judgings}"}],
    "GetRejudgeReport": [{"operation_id": "{operation}"}],
    "CreateJudgings": [],
    "GetOperation": [{"operation_id": "{operation}"}],
    "GetOperationGroups": [{"operation_id": "{operation}"}],
    "ListOperationItems": [{"operation_id": "{operation}"}],
    "ListOperations": [{}],
    "WatchOperation": [{"operation_id": "{operation}"}],
    "ListLimits": [{}],
    "GetLimit": [{"name": "tenant:{tenant}"}, {"name": "agent:{agent}"}],
    "GetOverview": [{}],
    "GetQuality": [{}, {"agent_id": "{agent}"}, {"judge": "{policy}"}, {"of_criterion": "It rhymes"}],
    "GetInbox": [{}],
    "UpdateInbox": [{"seen": True}],
    "GetAgentStats": [{}, {"agent_id": "{agent}"}],
    "PreviewOperation": [
        {"operation": {"kind": "OPERATION_KIND_CANCEL", **_NAMED}},
        {"operation": {"kind": "OPERATION_KIND_CANCEL", "filter": {"tenant": "{tenant}"}}},
    ],
    "CreateOperation": [{"operation": {"kind": "OPERATION_KIND_CANCEL", "filter": {"tenant": "{tenant}"}}}],
    "PauseOperation": [{"operation_id": "{operation}"}],
    "ResumeOperation": [{"operation_id": "{operation}"}],
    "CancelOperation": [{"operation_id": "{operation}"}],
    "RetryOperation": [{"operation_id": "{operation}"}],
    "Pause": [{"name": "tenant:{tenant}", "paused": True}, {"name": "agent:{agent}", "paused": True}],
    "SetLimit": [
        {"limit": {"name": "tenant:{tenant}", "weight": 0.1}},
        {"limit": {"name": "agent:{agent}", "rate": 1}},
    ],
    "RemoveLimit": [{"name": "tenant:{tenant}"}, {"name": "agent:{agent}"}],
    "ListRetentions": [{}],
    "GetRetention": [{"name": "tenant:{tenant}"}],
    "PreviewRetention": [{"retention": {"name": "tenant:{tenant}", "completed_s": 60}}],
    "SetRetention": [{"retention": {"name": "tenant:{tenant}", "completed_s": 60}}],
    "DeleteRetention": [{"name": "tenant:{tenant}"}],
    "GetRemovedJob": [{"job_id": "{job}"}],
    "ListHolds": [{}],
    "HoldJob": [{"job_id": "{job}"}],
    "ReleaseJob": [{"job_id": "{job}"}],
    "ListTenants": [{}],
    "ListTokens": [{}],
    "ListAudit": [{}],
    "ExportAudit": [{}],
    "CreateToken": [],
    "RotateToken": [{"name": "{token}"}],
    "RevokeToken": [{"name": "{token}"}],
}
#: What stands in the answers of calls that count, once there is something to count.
COUNTED: Final[Mapping[str, Sequence[str]]] = {
    "CountJobs": ('"counts"',),
    "ListJobFacets": ('"facets"',),
    "GetAgentStats": ('"agents"',),
    "GetOverview": ('"queued"', '"running"', '"judging"', '"waiting"', '"created"', '"oldestWaitS"'),
    "GetQuality": ('"judged"', '"criteria"'),
    "GetInbox": ('"groups"', '"ended"', '"count"'),
    "UpdateInbox": ('"groups"', '"ended"', '"count"'),
    "PreviewOperation": ('"counts"',),
    "ListLimits": ('"limits"',),
    "ListRetentions": ('"retentions"',),
    "ListTenants": ('"{tenant}"',),
    "ListTokens": ('"tokens"',),
}


def find_methods() -> dict[str, str]:
    """The calls that their callers' tenants limit, by their short names: the full names."""
    return {method.rpartition("/")[2]: method for method, access in ACCESS.items() if access.of is Of.TENANT}


@dataclass
class Things:
    """Ids of what there is, or is not, by the names that REQUESTS has for them."""

    ids: dict[str, str] = field(default_factory=dict)

    def fill(self, template: Any) -> Any:
        """Put the ids in place of their names."""
        text = json.dumps(template)
        for name, value in self.ids.items():
            text = text.replace(f"{{{name}}}", value)
        return json.loads(text)

    def hide(self, text: str) -> str:
        """Put the names in place of the ids."""
        for name, value in self.ids.items():
            text = text.replace(value, f"{{{name}}}")
        return text


def make_absent(there: Things) -> Things:
    """Ids of the same form that nothing has."""
    return Things({name: _make_other(value) for name, value in there.ids.items()})


def _make_other(value: str) -> str:
    head, _, tail = value.rpartition(":")
    try:
        UUID(tail)
    except ValueError:
        return f"{value[:-4]}none"
    return f"{head}:{uuid4()}" if head else str(uuid4())


async def ask(channel: grpc.aio.Channel, method: str, fields: Mapping[str, Any], token: str) -> str:
    """What a call answers: its responses as JSON, those of a stream for some time, or its status and details."""
    service, _, name = method.lstrip("/").partition("/")
    described = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    kinds = [message_factory.GetMessageClass(each) for each in (described.input_type, described.output_type)]
    request = json_format.ParseDict(fields, kinds[0]())
    metadata = (("authorization", f"Bearer {token}"),)
    is_stream = described.server_streaming
    opened = (channel.unary_stream if is_stream else channel.unary_unary)(
        method, request_serializer=kinds[0].SerializeToString, response_deserializer=kinds[1].FromString
    )
    responses: list[Any] = []
    try:
        if not is_stream:
            responses.append(await opened(request, metadata=metadata))
        else:
            call = opened(request, metadata=metadata)
            try:
                async with asyncio.timeout(LISTENED_S):
                    while (response := await call.read()) is not grpc.aio.EOF:
                        responses.append(response)
            except TimeoutError:
                call.cancel()
    except grpc.aio.AioRpcError as error:
        trailers = dict(error.trailing_metadata() or ())
        return f"{error.code().name} {error.details()} {trailers.get('signoff-code')}"
    return "\n".join(json_format.MessageToJson(each, indent=None) for each in responses)


@dataclass(frozen=True)
class Told:
    """What a call tells of what there is, and of what is not there."""

    name: str
    request: str
    there: str
    absent: str

    @property
    def leaks(self) -> bool:
        """Whether these differ, or something of the other tenant stands in the answer."""
        told = (CANARY, *COUNTED.get(self.name, ()))
        differs = "{" in self.request.strip("{}") and self.there != self.absent
        return differs or any(word in self.there for word in told)


async def walk(
    channel: grpc.aio.Channel, token: str, there: Things, only: Collection[str] = tuple(REQUESTS)
) -> AsyncIterator[Told]:
    """Ask everything of what is another tenant's, and of what is not there."""
    absent, methods = make_absent(there), find_methods()
    for name in only:
        for template in REQUESTS[name]:
            answers = [
                things.hide(await ask(channel, methods[name], things.fill(template), token))
                for things in (there, absent)
            ]
            yield Told(name, json.dumps(template), *answers)
