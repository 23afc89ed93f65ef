"""A record looks, as JSON and by its attributes, as the resource that another client makes of the same message."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from hypothesis import given
from strategies import agents, job_logs, jobs, json_values, limits, operations
from test_convert import row, sent

from cli.output import to_json
from contracts.client.records import read_record
from contracts.jsontext import json_text
from contracts.messages.answers import read_resource
from contracts.messages.convert import agent_message, job_log_message, job_message
from contracts.messages.operations import OperationItem, batch_message, item_message, operation_message
from contracts.messages.views import (
    Batch,
    BatchItem,
    DeadLetter,
    DeadLetterResolution,
    DeadLetters,
    Overview,
    OverviewNow,
    OverviewTotals,
    dead_letters_message,
    overview_message,
)
from contracts.status import JobStatus, LetterOutcome
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2 as pb

NOW = datetime(2026, 11, 26, 8, 0, 0, 5, tzinfo=UTC)


def check(message: Any) -> None:
    """Check that both clients show the same of a message."""
    received = sent(message)
    record, resource = read_record(received), read_resource(received)
    assert json.loads(to_json(record)) == json.loads(json_text(resource))


@given(jobs(json_values()), job_logs(json_values()))
def test_jobs_and_logs(job, log):
    newest = row(log.model_copy(update={"request_payload": None, "response_payload": None}))
    check(job_message(row(job, "payload") | {"last_log": newest}, as_text=True))
    check(job_log_message(row(log, "request_payload", "response_payload"), as_text=True))


@given(jobs(json_values()))
def test_saved_jobs(job):
    warning = pb.CriterionWarning(code="criterion_reads_as_absence", criterion=1, message="it does")
    check(jobs_pb.CreateJobResponse(job=job_message(row(job, "payload"), as_text=True), warnings=[warning]))


@given(agents, operations, limits)
def test_what_operators_see(agent, operation, limit):
    check(agent_message(agent))
    check(operation_message(operation))
    check(pb.Limit(**{**dict(limit), "updated_at": NOW}))
    items = [BatchItem(job_id="a", accepted=True), BatchItem(job_id="b", accepted=False, code="x", message="no")]
    check(batch_message(Batch(**dict(operation), items=items)))
    check(item_message(OperationItem(item=0, job_id="a", outcome="WAITING")))
    ids = dict.fromkeys(["execution_id", "retried_by", "retry_execution_id"], uuid4())
    check(item_message(OperationItem(item=1, job_id="a", title="A", outcome="FAILED", **ids)))
    check(operations_pb.PreviewOperationResponse(total=3, items_max=9, counts={"FAILED": 3}))


def test_dead_letters_and_the_overview():
    letter = DeadLetter(topic="a-dlq", partition=1, offset=2, at=NOW, code="x", source_partition=0)
    done = DeadLetterResolution(outcome=LetterOutcome.REDRIVEN, actor="administrator", reason="mended", at=NOW)
    items = [letter, letter.model_copy(update={"resolution": done})]
    check(dead_letters_message(DeadLetters(counts={"a-dlq": 3}, items=items)))
    check(operations_pb.ResolveDeadLettersResponse(letters=500, next_offset=501, to_offset=900))
    overview = Overview(points=[], totals=OverviewTotals(), now=OverviewNow(queued=3), signing_secret="s")
    record = read_record(sent(overview_message(overview)))
    assert (record.upstreams_sign, record.signing_secret, record.now.queued) == (False, "s", 3)


def test_attributes_are_of_the_types_of_the_resource():
    record = read_record(sent(pb.Job(id="a", status=pb.JOB_STATUS_FAILED, created_at=NOW)))
    assert record.status is JobStatus.FAILED
    assert (record.created_at, record.progress, record.last_log, record.labels) == (NOW, None, None, {})


def test_a_status_that_this_version_does_not_know_is_shown_as_its_number():
    assert read_record(pb.Job(status=77)).status == "77"
