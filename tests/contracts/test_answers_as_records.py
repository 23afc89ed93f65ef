"""A record looks, as JSON and by its attributes, as the resource that another client makes of the same message."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from strategies import agents, job_logs, jobs, json_values, limits, operations
from test_convert import JOB_TEXTS, LOG_TEXTS, row, sent

from cli.output import to_json
from contracts.resources import job_message
from signoff.jsontext import json_text
from signoff.status import JobStatus, LetterOutcome
from signoff.types import (
    DeadLetter,
    DeadLetterResolution,
    DeadLetters,
    OperationItem,
    Overview,
    OverviewNow,
    OverviewTotals,
    read_model,
)
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import judging_service_pb2 as judgings_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2 as pb
from signoff.v1 import verdict_pb2
from signoff.wire import read_record, write_message, write_row

NOW = datetime(2026, 11, 26, 8, 0, 0, 5, tzinfo=UTC)


def check(message: Any) -> None:
    """Check that both clients show the same of a message."""
    received = sent(message)
    record, resource = read_record(received), read_model(received)
    assert json.loads(to_json(record)) == json.loads(resource.model_dump_json(exclude_none=True))


@given(jobs(json_values()), job_logs(json_values()))
def test_jobs_and_logs(job, log):
    newest = row(log.model_copy(update=dict.fromkeys(LOG_TEXTS)))
    check(job_message(row(job, *JOB_TEXTS) | {"last_log": newest}, as_text=True))
    check(write_row(pb.JobLog, row(log, *LOG_TEXTS)))


@given(jobs(json_values()))
def test_saved_jobs(job):
    warning = pb.CriterionWarning(code="criterion_reads_as_absence", criterion=1, message="it does")
    check(jobs_pb.CreateJobResponse(job=job_message(row(job, *JOB_TEXTS), as_text=True), warnings=[warning]))


@given(agents, operations, limits)
def test_what_operators_see(agent, operation, limit):
    check(write_message(pb.Agent, agent))
    check(write_message(pb.Operation, operation))
    check(pb.Limit(**{**dict(limit), "updated_at": NOW}))
    check(write_message(pb.OperationItem, OperationItem(item=0, job_id="a", outcome="WAITING")))
    ids = dict.fromkeys(["execution_id", "retried_by", "retry_execution_id"], uuid4())
    check(write_message(pb.OperationItem, OperationItem(item=1, job_id="a", title="A", outcome="FAILED", **ids)))
    check(operations_pb.PreviewOperationResponse(total=3, items_max=9, counts={"FAILED": 3}))


def test_dead_letters_and_the_overview():
    letter = DeadLetter(topic="a-dlq", partition=1, offset=2, at=NOW, code="x", source_partition=0)
    done = DeadLetterResolution(outcome=LetterOutcome.REDRIVEN, actor="token:bootstrap", reason="mended", at=NOW)
    items = [letter, letter.model_copy(update={"resolution": done})]
    check(write_message(operations_pb.ListDeadLettersResponse, DeadLetters(counts={"a-dlq": 3}, items=items)))
    check(operations_pb.ResolveDeadLettersResponse(letters=500, next_offset=501, to_offset=900))
    overview = Overview(points=[], totals=OverviewTotals(), now=OverviewNow(queued=3), signing_secret="s")
    record = read_record(sent(write_message(operations_pb.GetOverviewResponse, overview)))
    assert (record.upstreams_sign, record.signing_secret, record.now.queued) == (False, "s", 3)


def test_attributes_are_of_the_types_of_the_resource():
    record = read_record(sent(pb.Job(id="a", status=pb.JOB_STATUS_FAILED, created_at=NOW)))
    assert record.status is JobStatus.FAILED
    assert (record.created_at, record.progress, record.last_log, record.labels) == (NOW, None, None, {})


def newer() -> list[Any]:
    """What a jobstore of the future may answer: words in every enumeration that nobody knows yet."""
    at = Timestamp(seconds=1)
    return [
        pb.Job(id="a", status=77, created_at=at, updated_at=at),
        pb.JobLog(
            id=str(uuid4()),
            job_id="a",
            status=77,
            job_status=77,
            kind=77,
            created_at=at,
            verdict=verdict_pb2.Verdict(criteria=[verdict_pb2.CriterionVerdict(text="b", outcome=77)]),
        ),
        pb.Agent(id="a", name="a", url="http://a", protocol=77, circuit=77, created_at=at, updated_at=at),
        pb.Operation(id=str(uuid4()), kind=77, state=77, created_at=at, filter=pb.JobFilter(statuses=[77])),
        pb.OperationItem(job_id="a", outcome=77),
        operations_pb.ListDeadLettersResponse(
            items=[operations_pb.DeadLetter(topic="a", at=at, resolution={"outcome": 77, "actor": "b", "at": at})]
        ),
        judgings_pb.Judging(kind=77, state=77, created_at=at),
    ]


@pytest.mark.parametrize("message", newer(), ids=lambda message: message.DESCRIPTOR.name)
def test_words_that_this_version_does_not_know_are_read_as_text(message):
    record = read_record(message)
    resource = read_model(message)
    assert "UNKNOWN_77" in to_json(record)
    assert json_text(resource).count("UNKNOWN_77") == to_json(record).count("UNKNOWN_77")
    again = type(resource).model_validate_json(json_text(resource).replace("UNKNOWN_77", "a new word"))
    assert "a new word" in json_text(again)


def test_nor_does_a_policy_with_such_a_word_raise():
    policy = read_model(pb.Policy(delivery=77))
    assert policy.delivery == "UNKNOWN_77"


@given(jobs(json_values()))
def test_a_basic_job_leaves_its_texts_out(job):
    texts = {"description", "acceptance_criteria", "criteria", "references", "payload"}
    bare = dict.fromkeys(("description", "acceptance_criteria", "payload")) | {"references": {}}
    message = job_message(row(job, *JOB_TEXTS) | bare, as_text=True)
    check(message)
    assert not texts & json.loads(to_json(read_record(sent(message)))).keys()


UNSEEN = {"queued_max": None, "running_max": None, "judging_max": None}


def shown(**fields):
    """A point of an overview, as the other side reads it."""
    message = operations_pb.GetOverviewResponse(points=[operations_pb.OverviewPoint(at={"seconds": 60}, **fields)])
    (point,) = read_model(operations_pb.GetOverviewResponse.FromString(message.SerializeToString())).points
    return point


def test_a_queue_that_nobody_looked_at_is_not_an_empty_one():
    assert shown(created=1).model_dump(include=UNSEEN.keys()) == UNSEEN
    seen = {"queued_max": 0, "running_max": 2, "judging_max": 0}
    assert shown(**seen).model_dump(include=UNSEEN.keys()) == seen


def test_what_was_not_measured_has_no_percentile():
    point = shown(wait=operations_pb.Percentiles(p50=0.0))
    assert (point.wait.p50, point.wait.p99, point.duration.p50) == (0.0, None, None)
