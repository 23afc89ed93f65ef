"""One thing has one name and one form at each door: what differs stands here, with its reason.

Calls of gRPC and routes of REST of one name are compared member by member, with all that they lead to; and likewise the
facts and the models of the Python client with gRPC's messages. Members of `--json` are the fields of the messages by
the same names (signoff.wire), which tests/contracts/test_answers_as_records.py compares with the models.
"""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from promises.__main__ import CATALOGUE, DOCUMENT, ROOT, read_schemas
from signoff.types import MODELS

API = json.loads(DOCUMENT.read_text("utf-8"))
FILES = [
    import_module(f"signoff.v1.{path.stem}_pb2").DESCRIPTOR for path in (ROOT / "proto/signoff/v1").glob("*.proto")
]
MESSAGES = {name: message for file in FILES for name, message in file.message_types_by_name.items()}
CALLS = {call.name: call for file in FILES for each in file.services_by_name.values() for call in each.methods}

Schema = Mapping[str, Any]


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def routes() -> Iterator[tuple[str, Schema]]:
    for path, methods in API["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


ROUTES = {operation["operationId"]: operation for _, operation in routes()}


class Comparing:
    """Compares members of messages with those of schemas, each pair once, and keeps what differs."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self._components = components
        self._seen: set[tuple[str, int]] = set()
        self.found: set[str] = set()

    def resolve(self, schema: Schema) -> Schema:
        """Return a schema itself, without a name and without null."""
        while True:
            if "$ref" in schema:
                schema = self._components[schema["$ref"].rpartition("/")[2]]
            elif "anyOf" in schema or "oneOf" in schema:
                some = [each for each in schema.get("anyOf", schema.get("oneOf")) if each.get("type") != "null"]
                if len(some) != 1:
                    return schema
                schema = some[0]
            else:
                return schema

    def compare(self, message: Descriptor, schema: Schema) -> None:
        """Compare a message with a schema, by the names of their members."""
        schema = self.resolve(schema)
        if (message.full_name, id(schema)) in self._seen:
            return
        self._seen.add((message.full_name, id(schema)))
        self.compare_members(message.name, fields_of(message), schema.get("properties", {}))

    def compare_members(self, name: str, fields: Mapping[str, FieldDescriptor], members: Mapping[str, Schema]) -> None:
        """Compare fields with members; those of one name by their form, too."""
        for each in fields.keys() - members.keys():
            self.found.add(f"{name}.{each} is not there otherwise")
        for each in members.keys() - fields.keys():
            self.found.add(f"{name}.{each} is not there in gRPC")
        for each in fields.keys() & members.keys():
            self.compare_form(f"{name}.{each}", fields[each], members[each])

    def compare_form(self, name: str, field: FieldDescriptor, schema: Schema) -> None:
        """Compare one member, and what it leads to."""
        schema = self.resolve(schema)
        if is_json(field):
            return
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if field.is_repeated:
            kind = "object" if is_map else "array"
            if schema.get("type") != kind:
                self.found.add(f"{name} is {schema.get('type')}, and not {kind}")
                return
            if is_map:
                field, schema = field.message_type.fields_by_name["value"], schema.get("additionalProperties", {})
            else:
                schema = schema["items"]
            schema = self.resolve(schema)
        if field.enum_type is not None:
            words = {word.upper() for word in schema.get("enum", schema.get("x-extensible-enum", ()))}
            prefix = field.enum_type.values[0].name.removesuffix("UNSPECIFIED")
            known = {word.name.removeprefix(prefix) for word in field.enum_type.values if word.number}
            if {re.sub(r"\W", "_", word.strip("-")) for word in words} != known:
                self.found.add(f"{name} has the words {sorted(words ^ known)} at one door alone")
        elif field.message_type is not None and field.message_type.full_name.startswith("signoff."):
            self.compare(field.message_type, schema)
        elif (form := FORMS[form_of(field)]) and form_in(schema) not in form:
            self.found.add(f"{name} is {form_in(schema)}, and not {' or '.join(form)}")


#: By the form of a field, that of a member.
FORMS = {
    "google.protobuf.Timestamp": {"string date-time"},
    "google.protobuf.FieldMask": set(),
    "string": {"string", "string uuid", "string date-time"},
    "int32": {"integer"},
    "int64": {"integer"},
    "double": {"number"},
    "bool": {"boolean"},
    "bytes": {"string"},
}


def form_of(field: FieldDescriptor) -> str:
    if field.message_type is not None:
        return field.message_type.full_name
    names = {field.TYPE_STRING: "string", field.TYPE_INT32: "int32", field.TYPE_INT64: "int64", field.TYPE_BOOL: "bool"}
    return names.get(field.type, "double" if field.type == field.TYPE_DOUBLE else "bytes")


def form_in(schema: Schema) -> str:
    kinds = {each.get("type") for each in schema.get("anyOf", [schema])}
    if len(kinds) > 1:
        return " ".join(sorted(map(str, kinds)))
    form = schema.get("format", "").replace("double", "")  # which says the size alone
    return f"{schema.get('type')} {form}".strip()


def is_json(field: FieldDescriptor) -> bool:
    return field.name.endswith("_json") or form_of(field) == "google.protobuf.Value"


def fields_of(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the fields of a message by their names; JSON has one, whether as text or as a value."""
    return {field.name.removesuffix("_json"): field for field in message.fields}


def compare_call(comparing: Comparing, call: MethodDescriptor, route: Schema) -> None:
    """Compare a call with the route of its name: parameters, headers and body with the request, and the answers."""
    asked: dict[str, Schema] = {}
    for one in route.get("parameters", ()):
        asked[HEADERS.get(one["name"].lower(), one["name"])] = one["schema"]
    for content in route.get("requestBody", {}).get("content", {}).values():
        asked |= comparing.resolve(content["schema"]).get("properties", {})
    fields = fields_of(call.input_type)
    for name in SPREAD:
        if name in fields and fields[name].message_type is not None and name not in asked:
            fields |= {key: each for key, each in fields_of(fields.pop(name).message_type).items() if key not in fields}
    asked = {PLURALS.get(name, name) if PLURALS.get(name) in fields else name: each for name, each in asked.items()}
    comparing.compare_members(call.input_type.name, fields, asked)
    for status, answer in route["responses"].items():
        for media, content in answer.get("content", {}).items() if status < "300" else ():
            events = content["schema"].get("x-events", {})
            schemas = [content["schema"]] if media == "application/json" else map(events.get, EVENTS & events.keys())
            for schema in schemas:
                compare_answer(comparing, call.output_type, schema)


def compare_answer(comparing: Comparing, message: Descriptor, schema: Schema) -> None:
    """Compare an answer: REST has what a response holds without the response around it, and a list's as `items`."""
    members = comparing.resolve(schema).get("properties", {})
    fields = fields_of(message)
    held = {
        name: each
        for name, each in fields.items()
        if name not in members and form_of(each).startswith("signoff.") and each.is_repeated <= ("items" in members)
    }
    name = max(held, key=lambda name: len(set(fields_of(held[name].message_type)) & set(members)), default=None)
    if name is not None and held[name].is_repeated:
        fields["items"] = fields.pop(name)
    elif name is not None:
        one = fields.pop(name).message_type
        beside = {name: each for name, each in fields.items() if name in members}
        for each in fields.keys() - beside.keys():
            comparing.found.add(f"{message.name}.{each} is not there otherwise")
        inside = {name: each for name, each in members.items() if name not in beside}
        comparing.compare(one, {**comparing.resolve(schema), "properties": inside} if beside else schema)
        fields, members = beside, {name: members[name] for name in beside}
    comparing.compare_members(message.name, fields, members)


#: Events of REST's streams that have what a watch answers.
EVENTS = {"job-changed", "operation"}
#: REST names headers as HTTP does.
HEADERS = {"if-match": "version", "idempotency-key": "idempotency_key"}
#: Fields of a request whose own fields are members of REST's bodies, or parameters.
SPREAD = ("job", "agent", "operation", "limit", "filter", "judgings", "agent_try", "tenant", "token", "retention")
#: A parameter that is given once for each value is named for one.
PLURALS = {
    "actor": "actors",
    "action": "actions",
    "tenant": "tenants",
    "status": "statuses",
    "label": "labels",
    "code": "codes",
    "kind": "kinds",
    "reason": "reasons",
    "not_agent_id": "not_agent_ids",
    "not_tenant": "not_tenants",
    "not_label": "not_labels",
    "not_batch_id": "not_batch_ids",
    "not_code": "not_codes",
    "not_criterion_not_met": "not_criteria_not_met",
    "outcome": "outcomes",
}


#: Routes that have not the name of their call: their addresses name what they are about.
ROUTES_OF_CALLS = {
    "AssignAgent": ["assign_job"],
    "UpdateJob": ["edit_job"],
    "UpdateAgent": ["update_agent", "patch_agent"],
    "SetLimit": ["set_limit", "patch_limit"],
    "SetRetention": ["set_retention", "patch_retention"],
    "ExecuteJobs": ["create_batch"],
    "CancelJob": ["cancel_job", "cancel_execution"],
    "WatchJobs": ["watch_jobs", "watch_job"],
    **{
        f"{verb}Operation": [f"{verb.lower()}_operation", f"{verb.lower()}_batch"]
        for verb in ("Get", "Pause", "Resume", "Cancel", "Retry", "Watch")
    },
    "ListOperations": ["list_operations", "list_batches"],
    "GetOperationGroups": ["get_operation_groups", "get_batch_groups"],
    "ListOperationItems": ["list_operation_items", "list_batch_items"],
}
#: Calls without a route, and routes without a call.
ALONE = {
    "CreateSession": "signing in at the page begins one",
    "WatchCaller": "streams of events end with the credential",
    "GetSignIn": "the command line asks, and the console has it in its settings",
    "CreateLoginCode": "the command line asks for a link",
    "SpendLoginCode": "the console spends the code of a link",
    "Diagnose": "`signoff doctor` alone asks",
    "KeepEvaluation": "`signoff judge evaluate` alone asks",
    "WatchJudgings": "REST's are read until they are done",
    "get_health": "gRPC has a health service of its own",
    "get_result_as_html": "a page to look at",
    "Pause": "of REST, what is paused has an address, and answers as it is since",
    "pause_agent": "see Pause",
    "resume_agent": "see Pause",
    "pause_tenant": "see Pause",
    "resume_tenant": "see Pause",
}
#: What differs between two doors, and why.
DIFFERENCES = {
    "*Request.version is string, and not integer": "REST's is an entity tag, in If-Match",
    "*Request.If-None-Match is not there in gRPC": "HTTP asks so whether something is new",
    "*Request.labels is array, and not object": "a parameter has texts: `name:value`",
    "REST: CancelJobRequest.job_id is not there otherwise": "of an execution that is cancelled by its own address",
    "REST: CancelJobRequest.version is not there otherwise": "the same: the execution is named, and no version counts",
    "REST: CancelJobResponse.* is not there otherwise": "each route answers what it is about, job or execution",
    "REST: ConfirmLimitsResponse.* is not there in gRPC": "REST answers what is confirmed",
    "REST: CountJobsRequest.statuses is not there otherwise": "it is ignored, as all statuses are counted",
    "*: CriterionVerdict.evidence_spans is not there in gRPC": "only REST finds quotations in the result, for pages",
    "REST: GetOverviewRequest.range* is not there *": "REST has some ranges by their names, for pages",
    "REST: GetQualityRequest.range* is not there *": "REST has some ranges by their names, for pages",
    "REST: GetReceiptResponse.* is not there *": "the body is the envelope itself",
    "REST: GetResultRequest.download is not there in gRPC": "a browser's way to keep it",
    "REST: GetResultResponse.result is not there otherwise": "the body is the result itself",
    "REST: Job.* is not there otherwise": "an event of a stream has of a job what changes alone",
    "REST: ListJobsRequest.order has the words *": "a sign says the direction, as is usual in addresses",
    "REST: SetLimitRequest.*s_usd is not there otherwise": "gRPC has one message for a limit, given or answered",
    "REST: SetLimitRequest.updated_at is not there otherwise": "gRPC has one message for a limit, given or answered",
    "REST: *RetentionRequest.updated_at is not there otherwise": "gRPC has one message, given or answered",
    "REST: PreviewRetentionRequest.version is not there otherwise": "gRPC's message has one, which is ignored",
    "REST: UpdateJobRequest.* is not there otherwise": "REST's body has the members to change alone, and needs no mask",
    "REST: *Request.update_mask is not there otherwise": "see there",
    "REST: UpdateAgentRequest.id is not there otherwise": "the agent is named by its address, and has no other id",
    "REST: UpdateAgentRequest.tenant is not there otherwise": "an agent is its tenant's for good",
    "REST: PromoteJudgePolicyRequest.newest is not there otherwise": "it is If-Match, beside the version of the body",
    "REST: Caller.may is not there in gRPC": "it is about operations of REST",
    "REST: WatchJobs* is not there *": "a stream of server-sent events: Last-Event-ID goes on, an event has one change",
    "*: OverviewPoint.at is not there otherwise": "totals begin with the range",
    "*: QualityPoint.at is not there otherwise": "totals begin with the range",
    "*: Quality*.acceptance_rate is not there in gRPC": "it is the counts beside it, divided",
    "*: OverviewPoint.acceptance_rate is not there in gRPC": "it is the counts beside it, divided",
    "REST: PutJudgePolicyRequest.name is not there in gRPC": "gRPC's is within the policy",
    "events: Job.criteria is not there otherwise": "facts have texts once: acceptance_criteria say the same",
}


def find_all() -> set[str]:
    comparing = Comparing(API["components"]["schemas"])
    for name, call in CALLS.items():
        for route in ROUTES_OF_CALLS.get(name, [snake(name)]):
            if route in ROUTES:
                compare_call(comparing, call, ROUTES[route])
    found = {f"REST: {each}" for each in comparing.found}
    for topic, members in FACTS.items():
        schema = read_schemas()[topic]
        comparing = Comparing(schema["$defs"])
        for member, message in members.items():
            comparing.compare(MESSAGES[message], schema["properties"][member])
        found |= {f"events: {each}" for each in comparing.found}
    for name, model in MODELS.items():
        kind = MESSAGES[name]
        schema = model.model_json_schema(mode="serialization")
        comparing = Comparing(schema.get("$defs", {}))
        compare_answer(comparing, kind, schema) if name.endswith("Response") else (comparing.compare(kind, schema))
        found |= {f"client: {each}" for each in comparing.found}
    return found


#: What facts hold that gRPC has a message for.
FACTS = {
    "job-changed": {"job": "Job", "log": "JobLog", "agent": "Agent"},
    "agent-changed": {"agent": "Agent"},
    "execute-requested": {"job": "NewJob"},
}


def test_each_difference_has_a_reason_and_each_reason_a_difference() -> None:
    found = find_all()
    reasons = {each: [pattern for pattern in DIFFERENCES if fnmatchcase(each, pattern)] for each in found}
    assert sorted(each for each, patterns in reasons.items() if not patterns) == []
    assert set(DIFFERENCES) - {pattern for patterns in reasons.values() for pattern in patterns} == set()


def test_calls_and_routes_have_one_name() -> None:
    calls = {route for name in CALLS for route in ROUTES_OF_CALLS.get(name, [snake(name)])}
    alone = {name for name in CALLS if not {*ROUTES_OF_CALLS.get(name, [snake(name)])} & ROUTES.keys()}
    assert alone | (ROUTES.keys() - calls) == set(ALONE)


@pytest.mark.parametrize("name", ["spent_usd", "max_attempts", "cost", "requested_by", "without_texts", "q"])
def test_an_earlier_name_is_at_no_door(name: str) -> None:
    lines = (ROOT / CATALOGUE).read_text("utf-8").splitlines()
    ends = tuple(mark + name for mark in ".: ")
    assert [line for line in lines if line.partition(": ")[0].endswith(ends) and ": deprecated" not in line] == []
