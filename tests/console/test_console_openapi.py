"""The API's document, of which others make clients: what may be left out is said once, and each name says enough."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from console.api.examples import EXAMPLES, SEVERAL
from console.describe import describe
from contracts.agent_settings import MODELS
from contracts.resources import NewAgent
from signoff.status import CALLABLE_PROTOCOLS


@pytest.fixture(scope="module")
async def document() -> dict[str, Any]:
    return json.loads(await describe())


@pytest.fixture
def operations(document) -> dict[str, dict[str, Any]]:
    return {f"{m.upper()} {path}": each for path, methods in document["paths"].items() for m, each in methods.items()}


@pytest.fixture
def schemas(document) -> dict[str, dict[str, Any]]:
    return document["components"]["schemas"]


def bodies_of(operation: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the bodies of a request and of what it is answered with where it succeeds, by media type."""
    yield operation.get("requestBody", {}).get("content", {})
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield answer.get("content", {})


def find(part: Any, names: set[str], schemas: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that a part of the document refers to, and of those that these refer to."""
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(part)):
        if name not in names:
            find(schemas[name], names | {name}, schemas)
            names |= {name} | find(schemas[name], names | {name}, schemas)
    return names


def test_a_body_that_may_be_left_out_is_not_required_and_no_union(operations):
    bodies = {name: each["requestBody"] for name, each in operations.items() if "requestBody" in each}
    schemas = [body["content"]["application/json"]["schema"] for body in bodies.values()]
    assert all(list(schema) == ["$ref"] for schema in schemas)
    optional = {name for name, body in bodies.items() if not body["required"]}
    assert {"POST /api/jobs/{job_id}/execute", "POST /api/judges/{name}/retire"} <= optional
    assert "POST /api/jobs" not in optional


def test_an_answer_has_no_null_may_grow_and_requires_what_it_always_has(operations, schemas):
    answered = find([each["responses"] for each in operations.values()], set(), schemas)
    assert {"Job", "Execution", "Operation", "CriterionVerdict", "Problem"} <= answered
    for name in answered:
        text = json.dumps(schemas[name])
        assert not re.search(r'"(null|enum|maxLength)"|"additionalProperties": false', text), name
    required = set(schemas["CriterionVerdict"]["required"])
    assert {"text", "outcome", "evidence"} <= required
    assert not {"unproven", "discloses", "by"} & required
    assert {"id", "labels", "tokens"} <= set(schemas["Job"]["required"])
    assert not {"payload", "agent_id", "verdict"} & set(schemas["Job"]["required"])


def test_no_schema_speaks_of_none(schemas):
    assert [name for name, schema in schemas.items() if re.search(r"\bNone\b", json.dumps(schema))] == []


def test_parameters_are_never_null(operations):
    parameters = [each for operation in operations.values() for each in operation.get("parameters", ())]
    assert '"null"' not in json.dumps(parameters)
    assert {"If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID"} == {
        each["name"] for each in parameters if each["in"] == "header"
    }


def test_requests_and_answers_share_words_alone(operations, schemas):
    asked = find([each.get("requestBody") for each in operations.values()], set(), schemas)
    answered = find([each["responses"] for each in operations.values()], set(), schemas)
    assert {name for name in asked & answered if "enum" not in schemas[name]} == set()
    assert {"JobPatch", "NewJob", "PolicyInput", "CriterionInput"} <= asked
    assert {"JobPage", "JobLogPage", "OperationItemPage", "DeadLetterPage", "Policy"} <= answered


def test_names_say_something_alone(operations, schemas):
    unclear = {"Edit", "Ask", "Flip", "Reason", "Retry", "Range", "Counts", "Resolved", "Stage", "Judges", "Assignment"}
    assert not unclear & schemas.keys()
    assert all(re.fullmatch(r"([A-Z][a-z0-9]*)+", name) for name in schemas)
    ids = [each["operationId"] for each in operations.values()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", each) for each in ids)


def test_every_operation_says_how_it_fails_and_whose_it_is(operations, document):
    tags = {each["name"] for each in document["tags"]}
    for name, operation in operations.items():
        problems = {status for status in operation["responses"] if status.startswith(("4", "5"))}
        assert {"422", "431", "500"} <= problems, name
        assert ("404" in problems) >= ("{" in name), name
        assert ({"400", "408", "413", "415"} <= problems) == ("requestBody" in operation), name
        assert ("412" in problems) == any(each["name"] == "If-Match" for each in operation.get("parameters", ()))
        assert set(operation["tags"]) <= tags, name
        assert operation["description"], name
        is_open = name in {"GET /api/health", "GET /api/receipt-keys"}
        assert (operation["security"] == []) == is_open, name
        if not is_open:
            assert {"401", "403", "503"} <= problems, name


def test_headers_of_answers_are_declared(operations, document):
    for name, operation in operations.items():
        answers = operation["responses"]
        if "201" in answers:
            assert "Location" in answers["201"]["headers"], name
            assert {"Location", "Idempotency-Replayed"} <= answers["200"]["headers"].keys(), name
        assert "X-Request-Id" in answers["201" if "201" in answers else "204" if "204" in answers else "200"]["headers"]
    for path in ("/api/jobs/{job_id}", "/api/agents/{agent_id}", "/api/limits/{name}"):
        assert "ETag" in operations[f"GET {path}"]["responses"]["200"]["headers"]
    problems = document["components"]["responses"]
    assert all("Retry-After" in problems[name]["headers"] for name in ("TooManyRequests", "Unavailable"))
    assert document["servers"][0]["url"] == "/"


def test_event_streams_say_which_events_they_have(operations, schemas):
    streams = {name: each for name, each in operations.items() if name.endswith("/events")}
    assert len(streams) == 4
    for name, operation in streams.items():
        schema = operation["responses"]["200"]["content"]["text/event-stream"]["schema"]
        assert schema["type"] == "string"
        assert all(each["$ref"].rpartition("/")[2] in schemas for each in schema["x-events"].values()), name


def test_every_body_has_an_example_that_its_schema_takes(operations, document):
    shown = set()
    for name, operation in operations.items():
        for content in bodies_of(operation):
            body = content.get("application/json", {"schema": {}})
            schema = body["schema"].get("$ref", "").rpartition("/")[2]
            if schema:
                shown.add(schema)
                resolved = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
                examples = [each["value"] for each in body.get("examples", {}).values()] or [body["example"]]
                for example in examples:
                    jsonschema.validate(example, resolved, cls=jsonschema.Draft202012Validator)
            else:  # any JSON
                assert "application/json" not in content or name == "GET /api/jobs/{job_id}/logs/{version}/result"
    assert shown == EXAMPLES.keys() | SEVERAL.keys()


def test_an_agent_of_each_protocol_is_described_with_its_settings(schemas):
    assert schemas["AgentProtocol"]["enum"] == list(CALLABLE_PROTOCOLS)
    settings = schemas["NewAgent"]["properties"]["settings"]
    described = {name: schemas[each["$ref"].rpartition("/")[2]] for name, each in settings["x-by-protocol"].items()}
    assert {name: set(schema["properties"]) for name, schema in described.items()} == {
        protocol: {field.alias or name for name, field in model.model_fields.items()}
        for protocol, model in MODELS.items()
    }
    examples = SEVERAL["NewAgent"]
    assert {NewAgent(**example).protocol: name for name, example in examples.items()} == {
        protocol: protocol for protocol in CALLABLE_PROTOCOLS
    }
    for name, schema in described.items():
        jsonschema.validate(examples[name]["settings"], schema, cls=jsonschema.Draft202012Validator)
