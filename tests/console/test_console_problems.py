"""Problems of RFC 9457: whatever goes wrong has a stable code."""

import logging
import re
from uuid import UUID

import grpc
import pytest
from support.fake_jobstore import Refusal

from signoff import SignoffError
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as resources_pb

NEW = {"title": "a poem", "acceptance_criteria": "It rhymes"}
JSON = {"Content-Type": "application/json"}
Status = grpc.StatusCode


async def problem(answer, status, code):
    assert answer.status == status
    assert answer.content_type == "application/problem+json"
    body = await answer.json(content_type=None)
    assert body["status"] == status
    assert body["code"] == code
    assert {"type", "title", "detail"} <= set(body)
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return body


@pytest.mark.parametrize(
    ("grpc_status", "code", "status"),
    [
        (Status.NOT_FOUND, "unknown_job", 404),
        (Status.ALREADY_EXISTS, "job_conflict", 409),
        (Status.FAILED_PRECONDITION, "execution_live", 409),
        (Status.INVALID_ARGUMENT, "payload_invalid", 422),
        (Status.INVALID_ARGUMENT, "payload_too_large", 413),
        (Status.UNAUTHENTICATED, "unauthenticated", 401),
        (Status.PERMISSION_DENIED, "permission_denied", 403),
        (Status.RESOURCE_EXHAUSTED, "too_many_judgings", 429),
        (Status.RESOURCE_EXHAUSTED, "resource_exhausted", 413),
        (Status.RESOURCE_EXHAUSTED, "storage_full", 507),
        (Status.FAILED_PRECONDITION, "of_tomorrow", 409),
        (Status.DEADLINE_EXCEEDED, "call_deadline_exceeded", 503),
        (Status.UNIMPLEMENTED, "unimplemented", 501),
        (Status.INTERNAL, "internal", 500),
        (Status.UNAVAILABLE, "of_tomorrow", 503),
        (Status.DATA_LOSS, "of_tomorrow", 502),
    ],
)
async def test_a_refusal_of_the_jobstore_keeps_its_code(http, jobstore, grpc_status, code, status):
    jobstore.refusals["ExecuteJob"] = Refusal(grpc_status, code, "because")
    async with http.post("/api/jobs/poem-1/execute") as answer:
        body = await problem(answer, status, code)
    assert (body["detail"] == "because") == (status not in {401, 503})
    assert body["retryable"] == (status in {429, 503, 507})
    assert body["job_id"] == "poem-1"
    assert ("Retry-After" in answer.headers) == (status in {429, 503, 507})
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/api/jobs?agent=nobody&status=FAILED", "agent: there is no such parameter; use "),
        ("/api/job-counts?status=FAILED", "status: there is no such parameter; use "),
        ("/api/jobs/poem-1?texts=false", "texts: there is no such parameter; use view"),
        ("/api/jobs?status=NOPE", "status: "),
        ("/api/agents?text=x", "text: there is no such parameter; use "),
    ],
)
async def test_a_parameter_or_a_value_that_is_not_known_is_refused_and_named(http, path, words):
    async with http.get(path) as answer:
        body = await problem(answer, 422, "invalid_request")
    assert body["detail"].startswith(words)
    assert [each["parameter"] for each in body["errors"]] == [words.partition(":")[0]]


async def test_a_refusal_without_a_code_is_named_by_its_status(http, jobstore):
    jobstore.refusals["GetJob"] = Refusal(Status.FAILED_PRECONDITION, None)
    async with http.get("/api/jobs/poem-1") as answer:
        await problem(answer, 409, "failed_precondition")


@pytest.mark.parametrize(
    ("field", "at", "detail"),
    [
        ("idempotency_key", {"parameter": "Idempotency-Key"}, "Idempotency-Key: is too long"),
        ("job.policy.max_calls", {"pointer": "#/policy/max_calls"}, "#/policy/max_calls: is too long"),
        ("job_ids", {"pointer": "#/job_ids"}, "#/job_ids: is too long"),
    ],
)
async def test_what_the_jobstore_says_of_a_field_has_the_name_that_rest_has_for_it(http, jobstore, field, at, detail):
    jobstore.refusals["CreateJob"] = Refusal(Status.INVALID_ARGUMENT, "invalid_request", "is too long", field)
    async with http.post("/api/jobs", json=NEW) as answer:
        told = await problem(answer, 422, "invalid_request")
    assert (told["detail"], told["errors"]) == (detail, [{**at, "message": "is too long"}])


async def test_what_the_jobstore_says_of_a_page_names_the_parameter(http, jobstore):
    jobstore.refusals["ListJobs"] = Refusal(
        Status.INVALID_ARGUMENT, "invalid_page_token", "is of another", "page_token"
    )
    async with http.get("/api/jobs?page_token=x") as answer:
        told = await problem(answer, 422, "invalid_page_token")
    assert told["detail"] == "page_token: is of another"
    assert told["errors"] == [{"parameter": "page_token", "message": "is of another"}]


async def test_a_jobstore_out_of_reach_is_unavailable(http, jobstore_server):
    await jobstore_server.stop()
    async with http.get("/api/jobs") as answer:
        await problem(answer, 503, "unavailable")
        assert answer.headers["Retry-After"]
    async with http.get("/api/health") as answer:
        assert (answer.status, (await answer.json())["status"]) == (503, "unavailable")


async def test_a_database_that_cannot_be_written_is_named_and_reads_go_on(http, jobstore):
    jobstore.outage = "database_out_of_space"
    async with http.get("/api/jobs") as answer:
        assert answer.status == 200
    jobstore.refusals["CreateJob"] = Refusal(Status.UNAVAILABLE, "database_out_of_space", "could not extend file")
    async with http.post("/api/jobs", json=NEW) as answer:
        told = await problem(answer, 503, "database_out_of_space")
        assert told["detail"] == "Signoff cannot write to its database: its disk is full; try again."


@pytest.mark.parametrize(("status", "level"), [(Status.NOT_FOUND, "INFO"), (Status.INTERNAL, "WARNING")])
async def test_each_request_that_fails_leaves_a_line_with_the_job_and_no_body(http, jobstore, caplog, status, level):
    caplog.set_level(logging.INFO, "console.errors")
    jobstore.refusals["AssignAgent"] = Refusal(status, "a_code", "why")
    async with http.post("/api/jobs/poem-1/assign", json={"agent_id": "writer", "payload": "secret"}):
        pass
    (line,) = [record for record in caplog.records if record.name == "console.errors"]
    assert (line.levelname, line.job_id, line.code, line.reason) == (level, "poem-1", "a_code", "why")
    assert (line.method, line.path) == ("POST", "/api/jobs/poem-1/assign")
    assert "secret" not in str(vars(line))


@pytest.mark.parametrize(
    "body", [b"{", b"nonsense", b'{"a": NaN}', b'{"a": 1e400}', b"[" * 202 + b"]" * 202, b'"\xff"', b'"\\ud800"']
)
async def test_a_body_that_is_no_json_is_malformed(http, body):
    async with http.post("/api/jobs", data=body, headers=JSON) as answer:
        await problem(answer, 400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("[]", "#"),
        ("null", "#"),
        ('{"acceptance_criteria": "x"}', "#/title"),
        ('{"title": "t\\u0000", "acceptance_criteria": "x"}', "#/title"),
        ('{"title": "t", "acceptance_criteria": "x", "policy": {"max_calls": 0}}', "#/policy/max_calls"),
        ('{"title": "t", "acceptance_criteria": "x", "labels": {"a/b": 1}}', "#/labels/a~1b"),
    ],
)
async def test_a_body_of_another_shape_is_told_where(http, body, pointer):
    async with http.post("/api/jobs", data=body, headers=JSON) as answer:
        found = await problem(answer, 422, "invalid_request")
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert found["errors"][0]["message"]


@pytest.mark.parametrize(
    ("path", "body", "pointer", "message"),
    [
        ("/api/jobs", NEW | {"agent": "writer"}, "#/agent", "is not known here: did you mean agent_id?"),
        (
            "/api/jobs",
            NEW | {"policy": {"max_submision": 1}},
            "#/policy/max_submision",
            "is not known here: did you mean max_submissions?",
        ),
        ("/api/batches", {"jobs": [NEW | {"x/y": 1}]}, "#/jobs/0/x~1y", "is not known here: leave it out"),
        (
            "/api/batches",
            {"filter": {"tenants": "press"}},
            "#/filter/tenants",
            "is not known here: did you mean tenant?",
        ),
        (
            "/api/jobs/poem-1/execute",
            {"execution": "x"},
            "#/execution",
            "is not known here: did you mean execution_id?",
        ),
        (
            "/api/agents",
            {"name": "a", "url": "http://a", "paused": True},
            "#/paused",
            "is not known here: leave it out",
        ),
    ],
)
async def test_a_member_of_a_body_that_is_not_known_is_refused_with_the_nearest_name(
    http, path, body, pointer, message
):
    async with http.post(path, json=body) as answer:
        found = await problem(answer, 422, "invalid_request")
    assert found["errors"] == [{"pointer": pointer, "message": message}]


async def test_the_earlier_name_of_the_number_of_calls_is_known_still(http):
    async with http.post("/api/jobs", json=NEW | {"policy": {"max_attempts": 2}}) as answer:
        assert (answer.status, (await answer.json())["policy"]["max_calls"]) == (201, 2)


async def test_every_body_of_the_api_refuses_members_that_it_does_not_know(http):
    async with http.get("/openapi.json") as answer:
        paths = (await answer.json())["paths"]
    asked = [(path, method) for path in paths for method, each in paths[path].items() if "requestBody" in each]
    assert len(asked) > 20
    names = {"execution_id": str(UUID(int=1)), "name": "tenant:press"}
    for path, method in asked:
        address = re.sub(r"{(\w+)}", lambda found: names.get(found[1], "poem-1"), path)
        async with http.request(method, address, json={"nobody_knows_this": 1}) as answer:
            found = await problem(answer, 422, "invalid_request")
        assert "#/nobody_knows_this" in [error.get("pointer") for error in found["errors"]], (method, path)
        async with http.request(method, address, data=b"null", headers=JSON) as answer:
            found = await problem(answer, 422, "invalid_request")
        assert {"pointer": "#", "message": "must be an object of names and values"} in found["errors"], (method, path)


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({}, "criteria_empty", "#"),
        ({"acceptance_criteria": " "}, "criteria_empty", "#/acceptance_criteria"),
        ({"acceptance_criteria": "a\n" * 101}, "criteria_too_many", "#/acceptance_criteria"),
        ({"acceptance_criteria": "optional: a"}, "no_required_criterion", "#/acceptance_criteria"),
        ({"criteria": []}, "criteria_empty", "#/criteria"),
        ({"criteria": [{"text": "check: a"}]}, "criterion_ambiguous", "#/criteria"),
        ({"criteria": [{"text": "max_wrods 9", "kind": "check"}]}, "check_unknown", "#/criteria"),
        ({"acceptance_criteria": "check: url x"}, "check_invalid", "#/acceptance_criteria"),
        ({"criteria": [{"text": "a", "kind": "person"}]}, "criterion_reserved", "#/criteria"),
        ({"criteria": [{"text": "- a"}]}, "criterion_ambiguous", "#/criteria"),
        ({"criteria": [{"text": "a", "required": "yes"}]}, "invalid_request", "#/criteria/0/required"),
        ({"criteria": [{"text": "a"}], "acceptance_criteria": "b"}, "criteria_conflict", "#"),
    ],
)
async def test_criteria_that_a_job_cannot_have_are_told_with_a_code(http, jobstore, fields, code, pointer):
    async with http.post("/api/jobs", json={"title": "t", **fields}) as answer:
        found = await problem(answer, 422, code)
    assert [error["pointer"] for error in found["errors"]] == [pointer]
    assert not found["errors"][0]["message"].startswith("Value error")
    assert jobstore.asked(jobs_pb.CreateJobRequest) == []
    if fields:
        async with http.patch("/api/jobs/poem-1", json=fields) as answer:
            await problem(answer, 422, code)
    async with http.post("/api/batches", json={"jobs": [{"title": "t", **fields}]}) as answer:
        found = await problem(answer, 422, code)
    assert found["errors"][0]["pointer"] == pointer.replace("#", "#/jobs/0", 1)


async def test_a_missing_body_is_invalid(http):
    async with http.post("/api/jobs") as answer:
        await problem(answer, 422, "invalid_request")


@pytest.mark.parametrize("query", ["page_size=-1", "page_size=x", "status=DONE", "label=nocolon"])
async def test_a_query_of_another_shape_is_told_which(http, query):
    async with http.get(f"/api/jobs?{query}") as answer:
        body = await problem(answer, 422, "invalid_request")
    assert body["errors"][0]["parameter"] == query.partition("=")[0]


@pytest.mark.parametrize("body", [{}, {"job_ids": []}, {"job_ids": ["a"], "jobs": [NEW]}])
async def test_a_batch_has_either_ids_or_jobs(http, body):
    async with http.post("/api/batches", json=body) as answer:
        await problem(answer, 422, "invalid_request")


async def test_a_body_over_the_limit_is_too_large(http):
    async with http.post("/api/jobs", json=NEW | {"payload": "x" * 1_000}) as answer:
        await problem(answer, 413, "payload_too_large")
    async with http.post("/api/batches", json={"jobs": [NEW | {"payload": "x" * 1_000}]}) as answer:
        assert answer.status == 201


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_media_type_is_not_read(http, media_type):
    async with http.post("/api/jobs", data=b"{}", headers={"Content-Type": media_type}) as answer:
        await problem(answer, 415, "unsupported_media_type")


async def test_unknown_paths_and_methods_are_problems_too(http):
    async with http.get("/api/nothing") as answer:
        await problem(answer, 404, "not_found")
    async with http.delete("/api/jobs") as answer:
        await problem(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer "}])
async def test_without_a_token_nothing_is_read_or_asked(http, jobstore, headers):
    http.headers.clear()
    before = len(jobstore.asked(jobs_pb.ListJobsRequest))
    for method, url in [("GET", "/api/jobs"), ("POST", "/api/jobs"), ("GET", "/api/events"), ("GET", "/api/agents")]:
        async with http.request(method, url, data=b"nonsense", headers=headers) as answer:
            await problem(answer, 401, "unauthenticated")
    assert len(jobstore.asked(jobs_pb.ListJobsRequest)) == before
    assert not jobstore.jobs


async def test_a_token_that_the_jobstore_does_not_know_is_refused(http):
    for url in ["/api/jobs", "/api/events"]:
        async with http.get(url, headers={"Authorization": "Bearer unknown"}) as answer:
            await problem(answer, 401, "unauthenticated")


async def test_request_ids_are_echoed_or_made(http):
    async with http.get("/api/jobs", headers={"X-Request-Id": "mine-1"}) as answer:
        assert answer.headers["X-Request-Id"] == "mine-1"
    async with http.get("/api/jobs", headers={"X-Request-Id": "has space"}) as answer:
        assert len(answer.headers["X-Request-Id"]) == 32


async def test_a_bug_is_an_internal_problem(http, jobstore):
    jobstore.nonsense["GetJob"] = jobs_pb.GetJobResponse(job=resources_pb.Job(execution_id="no UUID"))
    async with http.get("/api/jobs/poem-1") as answer:
        await problem(answer, 500, "internal")


async def test_the_api_is_described(http):
    async with http.get("/openapi.json") as answer:
        document = await answer.json()
    assert document["openapi"].startswith("3.1")
    execute = document["paths"]["/api/jobs/{job_id}/execute"]["post"]
    assert execute["operationId"] == "execute_job"
    assert execute["responses"]["409"] == {"$ref": "#/components/responses/Conflict"}
    assert list(document["components"]["responses"]["Conflict"]["content"]) == ["application/problem+json"]
    assert execute["security"]
    assert {"Job", "JobLog", "Agent", "Operation", "Problem", "JobChange"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in str(document)
    async with http.get("/docs") as answer:
        assert answer.status == 200


async def test_one_connection_serves_callers_with_different_tokens(client):
    with pytest.raises(SignoffError, match="not known") as refused:
        await client.with_token("unknown").list_jobs()
    assert (refused.value.code, refused.value.grpc_status) == ("unauthenticated", Status.UNAUTHENTICATED)
    assert await client.list_jobs() == ([], "")


async def test_what_is_wrong_is_told_in_words_that_say_what_to_do(http):
    wrong = {"title": "", "priority": "5", "not_before": "tomorrow", "policy": {"delivery": "once"}, "labels": []}
    async with http.post("/api/jobs", json=NEW | wrong) as answer:
        told = await problem(answer, 422, "invalid_request")
    assert {error["pointer"]: error["message"] for error in told["errors"]} == {
        "#/title": "must not be empty",
        "#/priority": "must be a whole number",
        "#/not_before": "must be a date and time with its zone, such as 2026-05-01T12:00:00Z",
        "#/policy/delivery": "must be at_least_once or at_most_once",
        "#/labels": "must be an object of names and values",
    }
    assert told["detail"].endswith("; and 2 more in `errors`")
    async with http.get("/api/jobs", params={"page_size": "all", "label": "a"}) as answer:
        told = await problem(answer, 422, "invalid_request")
    assert told["detail"] == "page_size: must be a whole number; label: must be name:value"
    async with http.post("/api/jobs", json=[]) as answer:
        assert (await answer.json())["detail"] == "the body: must be an object of names and values"


async def test_an_address_or_a_method_that_is_none_says_which_are(http):
    async with http.get("/api/nothing") as answer:
        told = await problem(answer, 404, "not_found")
    assert told["detail"] == "There is nothing at this address; /docs lists what there is."
    async with http.delete("/api/jobs") as answer:
        told = await problem(answer, 405, "method_not_allowed")
    assert told["detail"] == "This address does not take DELETE: use GET, HEAD, POST."
