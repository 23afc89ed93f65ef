"""Every door: an RPC, or a route of REST, with a request about one tenant's things."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import grpc
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from promises.__main__ import DOCUMENT

from access.credentials import OWN, Credential
from access.things import CANARY, Things
from contracts.access import ACCESS, OPEN, Access
from signoff.status import Role
from signoff.worker.v1 import work_service_pb2 as work_pb

_WORK_KINDS = {Role.EXECUTOR: work_pb.WORK_KIND_EXECUTING, Role.VALIDATOR: work_pb.WORK_KIND_JUDGING}
#: Seconds for which an open stream is read.
SILENT_S = 1.0

#: The requests of RPCs about a thing, by the name of the method, in protobuf's JSON; others have an empty request.
REQUESTS: Mapping[str, Any] = {
    "AssignAgent": {"job_id": "{job_id}", "agent_id": "{agent_id}", "version": 99},
    "BeginExecutions": {"owner": "{execution_id}"},
    "BeginJudgings": {"owner": "{execution_id}"},
    "CancelJob": {"job_id": "{job_id}", "version": 99},
    "CancelOperation": {"operation_id": "{operation_id}"},
    "CountJobs": {"filter": {"labels": {"canary": CANARY}}},
    "CreateAgent": {"agent": {"name": "x", "url": "ftp://no", "protocol": "PROTOCOL_HTTP"}},
    "CreateAgentTry": {"agent_id": "{agent_id}", "agent_try": {"title": "x", "acceptance_criteria": "x"}},
    "CreateJob": {"job": {"title": "", "acceptance_criteria": "x"}},
    "CreateOperation": {"operation": {"kind": "OPERATION_KIND_CANCEL", "job_ids": ["{job_id}"]}},
    "CreateToken": {"token": {"name": "NO NAME", "role": "ROLE_VIEWER", "all_tenants": True}},
    "DeleteRetention": {"name": "{retention}", "version": 99},
    "HoldJob": {"job_id": "{job_id}"},
    "DisableAgent": {"agent_id": "{agent_id}", "version": 99},
    "EndSession": {"session_id": "{session_id}"},
    "ExecuteJob": {"job_id": "{job_id}", "version": 99},
    "ExecuteJobs": {"job_ids": ["{job_id}"]},
    "ExplainJob": {"job_id": "{job_id}"},
    "FinishTask": {"owner": "{execution_id}"},
    "GetAgent": {"agent_id": "{agent_id}"},
    "GetAgentTry": {"agent_id": "{agent_id}", "try_id": "{try_id}"},
    "GetCriteriaSet": {"name": "{criteria_set}"},
    "GetExecution": {"execution_id": "{execution_id}"},
    "GetGoldenSet": {"name": "{judge}"},
    "GetJob": {"job_id": "{job_id}"},
    "GetJudgePolicy": {"name": "{judge}"},
    "GetJudgings": {"judgings_id": "{judgings_id}"},
    "GetLimit": {"name": "{limit}"},
    "GetOperation": {"operation_id": "{operation_id}"},
    "GetOperationGroups": {"operation_id": "{operation_id}"},
    "GetReceipt": {"job_id": "{job_id}"},
    "GetRejudgeReport": {"operation_id": "{operation_id}"},
    "GetRemovedJob": {"job_id": "{job_id}"},
    "GetResult": {"job_id": "{job_id}", "version": 1},
    "GetRetention": {"name": "{retention}"},
    "KeepEvaluation": {"evaluation": "{evaluation}"},
    "LintCriteria": {"acceptance_criteria": "x"},
    "ListAgentTries": {"agent_id": "{agent_id}"},
    "ListJobFacets": {"field": "label"},
    "ListJobLogs": {"job_id": "{job_id}"},
    "ListOperationItems": {"operation_id": "{operation_id}"},
    "ListTokens": {"include_ended": False},
    "Pause": {"name": "{limit}", "paused": False, "version": 99},
    "PauseOperation": {"operation_id": "{operation_id}"},
    "PreviewOperation": {"operation": {"kind": "OPERATION_KIND_CANCEL", "filter": {"labels": {"canary": CANARY}}}},
    "PreviewRetention": {"retention": {"name": "{retention}"}, "update_mask": ""},
    "PromoteJudgePolicy": {"name": "{judge}", "version": 99},
    "PutCriteriaSet": {"name": "{criteria_set}", "acceptance_criteria": "", "version": 99},
    "PutGoldenSet": {"name": "{judge}", "cases_jsonl": "", "version": 99},
    "PutJudgePolicy": {"policy_json": "no json"},
    "RemoveLimit": {"name": "{limit}", "version": 99},
    "RenewLeases": {"owner": "{execution_id}"},
    "ReportJudge": {"owner": "{execution_id}"},
    "ResubmitJob": {"job_id": "{job_id}", "version": 99},
    "ResumeOperation": {"operation_id": "{operation_id}"},
    "RetireCriteriaSet": {"name": "{criteria_set}", "version": 99},
    "RetireGoldenSet": {"name": "{judge}"},
    "RetireJudgePolicy": {"name": "{judge}", "version": 99},
    "RetryOperation": {"operation_id": "{operation_id}"},
    "RevokeToken": {"name": "{token}"},
    "RotateToken": {"name": "{token}"},
    "SetLimit": {"limit": {"name": "{limit}", "concurrency": 5}, "version": 99},
    "ReleaseJob": {"job_id": "{job_id}"},
    "SetRetention": {"retention": {"name": "{retention}", "completed_s": 7776000}, "version": 99},
    "SpendLoginCode": {"code": "no code"},
    "UpdateAgent": {"agent_id": "{agent_id}", "agent": {"name": "x"}, "version": 99},
    "UpdateJob": {"job_id": "{job_id}", "job": {"title": "x"}, "version": 99},
    "WatchJobs": {"job_ids": ["{job_id}"]},
    "WatchJudgings": {"judgings_id": "{judgings_id}"},
    "WatchOperation": {"operation_id": "{operation_id}"},
    "WatchTasks": {"owner": "{execution_id}"},
}
#: The bodies and queries of routes about a thing, where the description has no example that names it.
BODIES: Mapping[str, Any] = {
    "create_tenant": {"name": "{tenant}"},
    "preview_retention": {"name": "{retention}"},
    "create_token": {"name": "{token}", "role": "viewer", "tenants": [OWN]},
    "put_judge_policy": {"policy": {"name": "{judge}", "stages": [{"kind": "single", "judges": [{"model": "m"}]}]}},
}
QUERIES = {"list_job_facets": {"field": "label"}}
_BY_NAME = {name.rpartition("/")[2]: access for name, access in ACCESS.items() if name.startswith("/signoff.")}
_OPEN_NAMES = {name.rpartition("/")[2] for name in OPEN}
#: What a route's parameter `{name}` names, by the beginning of its address.
_NAMES = {
    "/api/judges/": "judge",
    "/api/criteria-sets/": "criteria_set",
    "/api/limits/": "limit",
    "/api/retentions/": "retention",
    "/api/tokens/": "token",
}
#: Addresses of the console that are no API: what they show needs no credential.
OPEN_PAGES = ("/", "/login", "/docs", "/openapi.json", "/icon.svg")


@dataclass(frozen=True)
class Answer:
    """What a door answered: `ok`, or the code of the error; and all that it said."""

    code: str
    text: str


class Door:
    """A door by its name in the table, and what its calls need."""

    name: str
    #: None: it needs no credential.
    access: Access | None
    #: Whether it reads what it is about before it changes that: absence is told first, and then who may.
    reads_first = False

    async def ask(self, credential: Credential, things: Things) -> Answer:
        raise NotImplementedError


def find_access(method: str) -> Access | None:
    """Return what a call of an RPC needs, by the name of its method; None: no credential."""
    return None if method in _OPEN_NAMES else _BY_NAME[method]


class Rpc(Door):
    """An RPC at a channel."""

    def __init__(self, name: str, method: MethodDescriptor, channel: grpc.aio.Channel) -> None:
        self.name, self.access = name, None if name in OPEN else ACCESS.get(name)
        self._request, response = (GetMessageClass(each) for each in (method.input_type, method.output_type))
        self._streams, self._takes_stream = method.server_streaming, method.client_streaming
        kinds: Any = {False: channel.unary_unary, True: channel.unary_stream}
        kind = channel.stream_stream if self._takes_stream else kinds[self._streams]
        self._call: Any = kind(
            name, request_serializer=self._request.SerializeToString, response_deserializer=response.FromString
        )

    async def ask(self, credential: Credential, things: Things) -> Answer:
        """Call with a credential about some things."""
        asked = _fill(REQUESTS.get(self.name.rpartition("/")[2], {}), things)
        request: Any = json_format.ParseDict(asked, self._request())
        if self.name.endswith("/RenewLeases"):  # each kind of worker renews its own
            request.kind = _WORK_KINDS.get(credential.role, 0)
        metadata = () if credential.secret is None else (("authorization", f"Bearer {credential.secret}"),)
        call, said = self._call([request] if self._takes_stream else request, metadata=metadata, timeout=60.0), ""
        try:
            if not self._streams:
                return Answer("ok", str(await call))
            await call.initial_metadata()  # which is sent once a call is admitted, or comes with the refusal
            async with asyncio.timeout(SILENT_S):
                async for each in call:
                    said += str(each)
        except TimeoutError:
            call.cancel()
        except grpc.aio.AioRpcError as error:
            code = dict(error.trailing_metadata() or ()).get("signoff-code", error.code().name.lower())
            return Answer(str(code), said + str(error.details()))
        return Answer("ok", said)


class Route(Door):
    """A route of REST."""

    def __init__(self, method: str, path: str, operation: Mapping[str, Any], url: str, http: ClientSession) -> None:
        self.name = f"{method} {path}"
        calls = operation.get("x-calls", [])
        needed = [_BY_NAME[call] for call in calls if call not in _OPEN_NAMES]
        self.access = min(needed, key=lambda each: len(each.roles), default=None)
        self.reads_first = len(needed) > 1
        self._method, self._path, self._operation = method, path, operation
        self._url, self._http = url, http

    async def ask(self, credential: Credential, things: Things) -> Answer:
        """Request with a credential about some things."""
        headers = {"If-Match": '"99"'}
        if credential.secret is not None:
            headers["Authorization"] = f"Bearer {credential.secret}"
        name = self._operation["operationId"]
        body = BODIES.get(name, _find_example(self._operation))
        path = self._path.replace("{name}", _name_of(self._path))
        is_stream = self._path.endswith("/events")
        options: dict[str, Any] = {"params": QUERIES.get(name), "timeout": ClientTimeout(total=30.0)}
        if body is not None:
            options["json"] = _fill(body, things)
        async with self._http.request(
            self._method, self._url + _fill(path, things), headers=headers, **options
        ) as answer:
            if is_stream and answer.ok:
                return Answer("ok", await _read_begin(answer))
            text = await answer.text()
            return Answer("ok" if answer.ok else json.loads(text).get("code", f"{answer.status} without a code"), text)


async def _read_begin(answer: ClientResponse) -> str:
    """Return what an open stream sends at its begin."""
    read = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(SILENT_S):
            while part := await answer.content.readany():
                read += part
    return read.decode()


def _name_of(path: str) -> str:
    return next((f"{{{name}}}" for begin, name in _NAMES.items() if path.startswith(begin)), "{name}")


def _find_example(operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return None
    return content.get("example", next((each["value"] for each in content.get("examples", {}).values()), {}))


def _fill(asked: Any, things: Things) -> Any:
    """Put the ids of things in place of their names, wherever these stand."""
    text = json.dumps(asked)
    for name, value in things.ids.items():
        text = text.replace(f"{{{name}}}", str(value))
    return json.loads(text)


def list_routes(url: str, http: ClientSession) -> Iterator[Route]:
    """Yield the routes of the API's description."""
    for path, methods in json.loads(DOCUMENT.read_text("utf-8"))["paths"].items():
        for method, operation in methods.items():
            yield Route(method.upper(), path, operation, url, http)
