"""JobService as a client without our code meets it: bad input, codes, pages, batches and watches."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from api_calls import ADMINISTRATOR, JOB, PAYLOAD_MAX, Status, create, refused
from google.protobuf import json_format
from sqlalchemy import text
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.reads import get_cursors
from jobstore.publishing.watches import Watches
from signoff.status import ReportKind
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2


@pytest.fixture
def steps(database: Database, runner: CommandRunner) -> Steps:
    return Steps(database, runner)


@pytest.mark.parametrize(
    ("fields", "code", "says"),
    [
        ({"title": ""}, "invalid_request", "title"),
        ({"title": "x" * 501}, "invalid_request", "title"),
        ({"title": "a\0b"}, "invalid_request", "U+0000"),
        ({"acceptance_criteria": " \n "}, "criteria_empty", "acceptance_criteria"),
        ({"acceptance_criteria": ""}, "criteria_empty", "at least one criterion"),
        ({"acceptance_criteria": "a\n" * 101}, "criteria_too_many", "100"),
        ({"acceptance_criteria": f"a\n{'b' * 2_001}"}, "criterion_too_long", "criterion 2 has 2001 characters"),
        ({"acceptance_criteria": "optional: a"}, "no_required_criterion", "required"),
        ({"acceptance_criteria": "check: max_wrods 9"}, "check_unknown", "criterion 1, at character 1 of its check"),
        ({"acceptance_criteria": "a\ncheck: matches /(/"}, "check_invalid", "criterion 2, at character 10"),
        ({"criteria": [{"text": "Says it", "kind": "person"}]}, "criterion_reserved", "meets, never or check"),
        ({"criteria": [{"text": "Says it"}]}, "criteria_conflict", "give one of them"),
        ({"acceptance_criteria": "", "criteria": [{"text": "a\nb"}]}, "criterion_ambiguous", "line break"),
        ({"acceptance_criteria": "", "criteria": [{"text": "a\0b"}]}, "invalid_request", "U+0000"),
        ({"priority": 10}, "invalid_request", "priority"),
        ({"priority": -1}, "invalid_request", "priority"),
        ({"id": "with space"}, "invalid_request", "id"),
        ({"id": "x" * 129}, "invalid_request", "id"),
        ({"labels": {"a": "\0"}}, "invalid_request", "U+0000"),
        ({"policy": {"max_calls": 0}}, "invalid_request", "max_calls"),
        ({"policy": {"attempt_timeout_s": -1.0}}, "invalid_request", "attempt_timeout_s"),
        ({"payload_json": "{"}, "invalid_request", ""),
        ({"payload_json": "1e400"}, "invalid_request", ""),
        ({"payload_json": "NaN"}, "invalid_request", ""),
        ({"payload_json": "[" * 300 + "]" * 300}, "invalid_request", "recursion"),
        ({"payload": "x" * PAYLOAD_MAX}, "payload_too_large", "limit"),
        ({"payload": "€" * (PAYLOAD_MAX // 2)}, "payload_too_large", "bytes"),
        ({"agent_id": "nobody"}, "unknown_agent", "nobody"),
    ],
)
async def test_a_job_that_is_not_well_formed_is_told_so(jobs: Any, fields: Any, code: str, says: str) -> None:
    status, told, message = await refused(jobs.CreateJob(create(**fields), metadata=ADMINISTRATOR))
    expected = Status.NOT_FOUND if code == "unknown_agent" else Status.INVALID_ARGUMENT
    assert (status, told) == (expected, code)
    assert says in message


@pytest.mark.parametrize("job_id", ["nobody", "a\0b", "x" * 5000, "", "'; DROP TABLE jobs; --"])
async def test_an_unknown_job_is_not_found_by_any_method(jobs: Any, job_id: str) -> None:
    calls = [
        jobs.GetJob(jobs_pb.GetJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ListJobLogs(jobs_pb.ListJobLogsRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.CancelJob(jobs_pb.CancelJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.ResubmitJob(jobs_pb.ResubmitJobRequest(job_id=job_id), metadata=ADMINISTRATOR),
        jobs.AssignAgent(jobs_pb.AssignAgentRequest(job_id=job_id, agent_id="writer"), metadata=ADMINISTRATOR),
    ]
    for call in calls:
        status, code, message = await refused(call)
        assert (status, code) in {(Status.NOT_FOUND, "unknown_job"), (Status.INVALID_ARGUMENT, "invalid_data")}
        assert "SELECT" not in message


async def test_criteria_are_given_as_a_list_or_as_text_and_answered_as_both(jobs: Any) -> None:
    criteria = [{"text": "Says it"}, {"text": "is long", "required": False, "kind": "never"}]
    created = await jobs.CreateJob(create(acceptance_criteria="", criteria=criteria), metadata=ADMINISTRATOR)
    assert created.job.acceptance_criteria == "Says it\noptional: never: is long"
    got = await jobs.GetJob(jobs_pb.GetJobRequest(job_id=created.job.id), metadata=ADMINISTRATOR)
    assert [(one.text, one.required, one.kind) for one in got.job.criteria] == [
        ("Says it", True, "meets"),
        ("is long", False, "never"),
    ]
    same = create(id=created.job.id, acceptance_criteria="- Says it\n- OPTIONAL: never:is long", criteria=criteria)
    assert (await jobs.CreateJob(same, metadata=ADMINISTRATOR)).job.version == 1


async def test_criteria_are_edited_in_either_form_and_warned_of(jobs: Any) -> None:
    created = await jobs.CreateJob(create(acceptance_criteria="It must not be long"), metadata=ADMINISTRATOR)
    assert [(w.code, w.criterion) for w in created.warnings] == [("criterion_reads_as_absence", 0)]

    def edit(*paths: str, **fields: Any) -> jobs_pb.UpdateJobRequest:
        request = json_format.ParseDict({"job_id": created.job.id, "job": fields}, jobs_pb.UpdateJobRequest())
        request.update_mask.paths.extend(paths)
        return request

    answer = await jobs.UpdateJob(edit("title", title="Another"), metadata=ADMINISTRATOR)
    assert not answer.warnings  # its criteria were warned of before
    listed = {"criteria": [{"text": "is long", "kind": "never"}, {"text": "It has no end"}]}
    answer = await jobs.UpdateJob(edit("criteria", **listed), metadata=ADMINISTRATOR)
    assert answer.job.acceptance_criteria == "never: is long\nIt has no end"
    assert [w.criterion for w in answer.warnings] == [1]
    for paths, fields, code in [
        (["criteria"], {}, "criteria_empty"),
        (["criteria", "acceptance_criteria"], {**listed, "acceptance_criteria": "a"}, "criteria_conflict"),
        (["acceptance_criteria"], {"acceptance_criteria": "optional: a"}, "no_required_criterion"),
    ]:
        call = jobs.UpdateJob(edit(*paths, **fields), metadata=ADMINISTRATOR)
        assert (await refused(call))[:2] == (Status.INVALID_ARGUMENT, code)


async def test_a_batch_with_a_job_whose_criteria_break_the_bounds_is_refused(jobs: Any) -> None:
    batch = jobs_pb.ExecuteJobsRequest(jobs=[create().job, create(acceptance_criteria="optional: a").job])
    status, code, _ = await refused(jobs.ExecuteJobs(batch, metadata=ADMINISTRATOR))
    assert (status, code) == (Status.INVALID_ARGUMENT, "no_required_criterion")


async def test_other_bad_arguments(jobs: Any, agents: Any) -> None:
    created = await jobs.CreateJob(create(), metadata=ADMINISTRATOR)
    job_id = created.job.id
    bad = {
        "execution_id": jobs.ExecuteJob(
            jobs_pb.ExecuteJobRequest(job_id=job_id, execution_id="no uuid"), metadata=ADMINISTRATOR
        ),
        "page_size": jobs.ListJobs(jobs_pb.ListJobsRequest(page_size=-1), metadata=ADMINISTRATOR),
        "page_token": jobs.ListJobs(jobs_pb.ListJobsRequest(page_token="?"), metadata=ADMINISTRATOR),
        "statuses.0: must be": jobs.ListJobs(jobs_pb.ListJobsRequest(filter={"statuses": [0]}), metadata=ADMINISTRATOR),
        "U+0000": jobs.CancelJob(jobs_pb.CancelJobRequest(job_id=job_id, reason="\0"), metadata=ADMINISTRATOR),
        "protocol: must be": agents.CreateAgent(
            json_format.ParseDict(
                {"agent": {"name": "a", "url": "http://a/", "protocol": 99}}, agents_pb.CreateAgentRequest()
            ),
            metadata=ADMINISTRATOR,
        ),
        "URL": agents.CreateAgent(
            json_format.ParseDict({"agent": {"name": "a", "url": "ftp://a/"}}, agents_pb.CreateAgentRequest()),
            metadata=ADMINISTRATOR,
        ),
    }
    for says, call in bad.items():
        status, _, message = await refused(call)
        assert status is Status.INVALID_ARGUMENT
        assert says in message
    status, code, _ = await refused(jobs.ResubmitJob(jobs_pb.ResubmitJobRequest(job_id=job_id), metadata=ADMINISTRATOR))
    assert (status, code) == (Status.FAILED_PRECONDITION, "illegal_transition")


async def test_numbers_are_exact_unless_values_are_asked_for(jobs: Any) -> None:
    exact = '{"big":9007199254740993,"one":1.0}'
    as_text = await jobs.CreateJob(create(payload_json=exact), metadata=ADMINISTRATOR)
    assert (as_text.job.payload_json, as_text.job.HasField("payload")) == (exact, False)
    values = (*ADMINISTRATOR, ("signoff-json", "value"))
    as_value = await jobs.GetJob(jobs_pb.GetJobRequest(job_id=as_text.job.id), metadata=values)
    assert json_format.MessageToDict(as_value.job.payload)["one"] == 1
    assert not as_value.job.HasField("payload_json")
    deep = await jobs.CreateJob(create(payload_json="[" * 150 + "]" * 150), metadata=values)
    assert deep.job.payload_json.startswith("[[[")


async def test_pages_hold_every_job_once(jobs: Any) -> None:
    label = uuid4().hex
    made = [(await jobs.CreateJob(create(labels={"run": label}), metadata=ADMINISTRATOR)).job.id for _ in range(7)]
    seen, token = [], ""
    while True:
        request = jobs_pb.ListJobsRequest(page_size=3, page_token=token, filter={"labels": {"run": label}})
        page = await jobs.ListJobs(request, metadata=ADMINISTRATOR)
        assert not any(job.HasField("acceptance_criteria") for job in page.jobs)
        seen += [job.id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]


async def test_lists_and_watches_are_basic_and_one_job_is_whole_unless_asked_for_otherwise(jobs: Any) -> None:
    label, basic, full = uuid4().hex, resources_pb2.VIEW_BASIC, resources_pb2.VIEW_FULL
    made = (await jobs.CreateJob(create(labels={"run": label}, payload_json="1"), metadata=ADMINISTRATOR)).job
    texts = {}
    for view in (0, basic, full):
        got = (await jobs.GetJob(jobs_pb.GetJobRequest(job_id=made.id, view=view), metadata=ADMINISTRATOR)).job
        request = jobs_pb.ListJobsRequest(filter={"labels": {"run": label}}, view=view)
        (listed,) = (await jobs.ListJobs(request, metadata=ADMINISTRATOR)).jobs
        request = jobs_pb.ListJobLogsRequest(job_id=made.id, view=view)
        (entry,) = (await jobs.ListJobLogs(request, metadata=ADMINISTRATOR)).logs
        watch = jobs.WatchJobs(jobs_pb.WatchJobsRequest(job_ids=[made.id], view=view), metadata=ADMINISTRATOR)
        watched = [await watch.read() for _ in range(2)][1].job
        watch.cancel()
        assert got.last_log.version == listed.last_log.version == 1
        texts[view] = [(job.acceptance_criteria, job.payload_json) for job in (got, listed, watched)]
        texts[view].append(entry.HasField("payload_json"))
    whole, bare = (made.acceptance_criteria, "1"), ("", "")
    assert texts[full] == [whole, whole, whole, True]
    assert texts[basic] == [bare, bare, bare, False]
    assert texts[0] == [whole, bare, bare, False]
    status, _, _ = await refused(jobs.GetJob(jobs_pb.GetJobRequest(job_id=made.id, view=9), metadata=ADMINISTRATOR))
    assert status is Status.INVALID_ARGUMENT


async def test_a_version_that_is_not_the_jobs_is_refused_by_each_write_that_names_one(jobs: Any) -> None:
    job_id = (await jobs.CreateJob(create(), metadata=ADMINISTRATOR)).job.id
    writes = {
        jobs.UpdateJob: jobs_pb.UpdateJobRequest(job={"title": "x"}, update_mask={"paths": ["title"]}),
        jobs.AssignAgent: jobs_pb.AssignAgentRequest(agent_id="writer", payload_json="2"),
        jobs.ExecuteJob: jobs_pb.ExecuteJobRequest(execution_id=str(uuid4())),
        jobs.CancelJob: jobs_pb.CancelJobRequest(),
        jobs.ResubmitJob: jobs_pb.ResubmitJobRequest(),
    }
    for write, request in writes.items():
        request.job_id, request.version = job_id, 7
        assert (await refused(write(request, metadata=ADMINISTRATOR)))[1] == "version_conflict"
    for write in (jobs.UpdateJob, jobs.AssignAgent, jobs.ExecuteJob, jobs.CancelJob):
        asked = jobs_pb.GetJobRequest(job_id=job_id)
        before = writes[write].version = (await jobs.GetJob(asked, metadata=ADMINISTRATOR)).job.version
        for _ in range(2):  # a repeat of what was done is answered as it was
            await write(writes[write], metadata=ADMINISTRATOR)
            assert (await jobs.GetJob(asked, metadata=ADMINISTRATOR)).job.version == before + 1


async def test_a_batch_is_an_operation_with_items_and_its_key_makes_it_one(jobs: Any, operations: Any) -> None:
    known = (await jobs.CreateJob(create(), metadata=ADMINISTRATOR)).job.id
    body = {
        "job_ids": [known, "nobody"],
        "jobs": [JOB, {**JOB, "agent_id": "nobody"}, {**JOB, "id": "of-a-batch"}],
        "idempotency_key": uuid4().hex,
    }
    request = json_format.ParseDict(body, jobs_pb.ExecuteJobsRequest())
    first = (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).operation
    again = (await jobs.ExecuteJobs(request, metadata=ADMINISTRATOR)).operation
    assert first.id == again.id
    of = {"operation_id": first.id}
    items = (await operations.ListOperationItems(pb.ListOperationItemsRequest(**of), metadata=ADMINISTRATOR)).items
    assert [item.code for item in items] == ["", "unknown_job", "", "unknown_agent", ""]
    assert list(first.refused) == [items[1], items[3]]
    assert (first.total, dict(first.counts), first.state) == (5, {"ASSIGNED": 3, "REFUSED": 2}, 1)
    asked = await operations.GetOperation(pb.GetOperationRequest(**of), metadata=ADMINISTRATOR)
    assert asked.operation == again


async def test_a_watch_tells_what_is_and_then_what_changes(jobs: Any, database: Database, watches: Watches) -> None:
    job_id = (await jobs.CreateJob(create(), metadata=ADMINISTRATOR)).job.id
    call = jobs.WatchJobs(jobs_pb.WatchJobsRequest(job_ids=[job_id]), metadata=ADMINISTRATOR)
    begun = await call.read()
    assert (begun.HasField("job"), begun.HasField("log")) == (False, False)
    assert (await call.read()).job.id == job_id
    await jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR)
    async with database.transaction() as connection:  # as if the relay had published all of it
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)"))
        settled = (await get_cursors(connection))[0]
    watches.set_settled(settled)
    told = [await asyncio.wait_for(call.read(), 10) for _ in range(2)]
    assert [response.log.version for response in told] == [1, 2]
    call.cancel()

    batched = jobs.WatchJobs(jobs_pb.WatchJobsRequest(job_ids=[job_id], after=0, batched=True), metadata=ADMINISTRATOR)
    await batched.read()
    assert [log.version for log in (await asyncio.wait_for(batched.read(), 10)).logs] == [1, 2]
    batched.cancel()

    resumed = jobs.WatchJobs(jobs_pb.WatchJobsRequest(after=told[0].cursor), metadata=ADMINISTRATOR)
    assert (await resumed.read()).cursor == told[0].cursor
    assert (await asyncio.wait_for(resumed.read(), 10)).cursor == told[1].cursor
    resumed.cancel()

    beyond = jobs.WatchJobs(jobs_pb.WatchJobsRequest(after=10**9), metadata=ADMINISTRATOR)
    status, code, _ = await refused(beyond.read())
    assert (status, code) == (Status.OUT_OF_RANGE, "unknown_cursor")


async def test_progress_is_seen_at_every_door(jobs: Any, steps: Steps, database: Database, watches: Watches) -> None:
    told = {"progress": 0.5, "message": "half"}
    await steps.report(await steps.running(tenant=steps.job_id), ReportKind.PROGRESS, **told)
    got = (await jobs.GetJob(jobs_pb.GetJobRequest(job_id=steps.job_id), metadata=ADMINISTRATOR)).job
    (listed,) = (
        await jobs.ListJobs(jobs_pb.ListJobsRequest(filter={"tenant": steps.job_id}), metadata=ADMINISTRATOR)
    ).jobs
    logs = (await jobs.ListJobLogs(jobs_pb.ListJobLogsRequest(job_id=steps.job_id), metadata=ADMINISTRATOR)).logs
    async with database.transaction() as connection:  # as if the relay had published all of it
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT max(seq) FROM job_logs)"))
        watches.set_settled((await get_cursors(connection))[0])
    call = jobs.WatchJobs(jobs_pb.WatchJobsRequest(job_ids=[steps.job_id]), metadata=ADMINISTRATOR)
    await call.read()
    watched = (await call.read()).job
    call.cancel()
    assert {(job.progress, job.progress_message) for job in (got, listed, watched)} == {(0.5, "half")}
    assert [log.progress for log in logs if log.HasField("progress")] == [0.5]


async def test_a_repeated_cancel_of_an_execution_does_not_hit_the_next(jobs: Any) -> None:
    job_id = (await jobs.CreateJob(create(agent_id="writer"), metadata=ADMINISTRATOR)).job.id

    async def execute() -> str:
        request = jobs_pb.ExecuteJobRequest(job_id=job_id)
        return str((await jobs.ExecuteJob(request, metadata=ADMINISTRATOR)).execution.id)

    def cancel(**fields: str) -> Any:
        return jobs.CancelJob(jobs_pb.CancelJobRequest(**fields), metadata=ADMINISTRATOR)

    first = await execute()
    assert not (await cancel(job_id=job_id, execution_id=first)).job.live
    second = await execute()
    for fields in ({"job_id": job_id, "execution_id": first}, {"execution_id": first}):
        job = (await cancel(**fields)).job
        assert (job.live, job.execution_id) == (True, second)
    assert not (await cancel(execution_id=second)).job.live
    unknown = str(uuid4())
    cancelled = await cancel(execution_id=unknown)
    assert not cancelled.HasField("job")
    assert (cancelled.execution.id, cancelled.execution.state) == (unknown, resources_pb2.EXECUTION_STATE_CANCELLED)
    request = jobs_pb.ExecuteJobRequest(job_id=job_id, execution_id=unknown)
    assert (await refused(jobs.ExecuteJob(request, metadata=ADMINISTRATOR)))[1] == "cancelled"
    assert (await refused(cancel(execution_id="no uuid")))[0] is Status.INVALID_ARGUMENT
