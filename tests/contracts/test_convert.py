"""Conversion between resources and protobuf loses nothing, and sends as text what a double cannot hold."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import agents, job_filters, job_logs, jobs, json_values, limits, new_jobs, operations

from contracts.resources import JobFilter, NewAgent, NewJob, NewOperation, Policy, job_message, new_job_of
from signoff.jsontext import json_text
from signoff.status import Delivery
from signoff.types import read_model
from signoff.v1 import resources_pb2 as pb
from signoff.values import to_nanos
from signoff.wire import parse_words, read_field, read_fields, write_message, write_row

MODERATE = json_values(integers=st.integers(-(2**53) + 1, 2**53 - 1))
EXACT = ["9007199254740993", "-1180591620717411303425", "0.1", "1e+22", "5e-324", "1.0", '"\\u0000"', "null", '{"":[]}']


JOB_TEXTS = ("payload", "result", "verdict")
LOG_TEXTS = ("request", "payload", "before", "after", "result", "partial", "verdict")


def sent(message):
    """The message as the other side reads it."""
    return type(message).FromString(message.SerializeToString())


def row(model, *payloads):
    """A row of the jobstore: payloads are JSON text, or null."""
    fields = {name: getattr(model, name) for name in type(model).model_fields}
    nanos = None if model.cost_usd is None else to_nanos(model.cost_usd)
    texts = {name: None if fields[name] is None else json_text(fields[name]) for name in payloads}
    return fields | texts | {"cost_nanos": nanos}


@given(new_jobs)
def test_new_job_comes_back_exact(job):
    received = new_job_of(sent(write_message(pb.NewJob, job)))
    assert received == job
    assert json_text(received.payload) == json_text(job.payload)


@given(jobs(json_values()))
def test_job_with_json_as_text_comes_back_exact(job):
    received = read_model(sent(job_message(row(job, *JOB_TEXTS), as_text=True)))
    assert received == job
    assert json_text(received.payload) == json_text(job.payload)


@given(jobs(MODERATE))
def test_job_with_json_as_value_comes_back_equal(job):
    assert read_model(sent(job_message(row(job, *JOB_TEXTS), as_text=False))) == job


@given(job_logs(json_values()))
def test_job_log_with_json_as_text_comes_back_exact(log):
    received = read_model(sent(write_row(pb.JobLog, row(log, *LOG_TEXTS))))
    assert received == log
    assert json_text(received.result) == json_text(log.result)


@given(job_logs(MODERATE))
def test_job_log_with_json_as_value_comes_back_equal(log):
    assert read_model(sent(write_row(pb.JobLog, row(log, *LOG_TEXTS), as_text=False))) == log


@given(agents)
def test_agent_comes_back(agent):
    assert read_model(sent(write_message(pb.Agent, agent))) == agent
    new = NewAgent.model_validate(agent.model_dump())
    assert NewAgent(**read_fields(sent(write_message(pb.NewAgent, new)))) == new


@given(job_filters, operations, limits)
def test_what_operators_say_and_read_comes_back(chosen, operation, limit):
    assert JobFilter(**read_fields(sent(write_message(pb.JobFilter, chosen)))) == chosen
    assert read_model(sent(write_message(pb.Operation, operation))) == operation
    new = NewOperation(
        kind="assign", agent_id="a", name="b", **({"filter": chosen} if chosen.tenant else {"job_ids": ["j"]})
    )
    assert NewOperation(**read_fields(sent(write_message(pb.NewOperation, new)))) == new
    assert read_model(sent(write_message(pb.Limit, {**dict(limit), "name": limit.name}))) == limit


def payload(text, *, as_text):
    """The message of a row with a payload."""
    return sent(write_row(pb.NewJob, {"payload": text}, as_text=as_text))


@pytest.mark.parametrize("text", EXACT)
def test_json_as_text_keeps_every_digit(text):
    message = payload(text, as_text=True)
    assert json_text(read_field(message, "payload")) == text


def test_json_as_value_holds_numbers_as_doubles():
    message = payload("[9007199254740993,1.0]", as_text=False)
    assert (message.HasField("payload_json"), read_field(message, "payload")) == (False, [9007199254740992.0, 1])


def test_a_number_beyond_all_doubles_is_sent_as_text():
    text = f"[{10**400}]"
    message = payload(text, as_text=False)
    assert (message.HasField("payload"), message.payload_json) == (False, text)


@pytest.mark.parametrize(("levels", "field"), [(30, "payload"), (31, "payload_json"), (150, "payload_json")])
def test_deep_json_is_sent_as_text(levels, field):
    text = "[" * levels + "1" + "]" * levels
    message = payload(text, as_text=False)
    assert [name.name for name, _ in message.ListFields()] == [field]
    assert json_text(read_field(message, "payload")) == text


@pytest.mark.parametrize("text", ["NaN", "1e400", "{", '"\\ud800"'])
def test_payload_that_is_no_json_is_refused(text):
    message = pb.NewJob(title="a", acceptance_criteria="b", payload_json=text)
    with pytest.raises(ValueError, match=r"column|JSON"):
        new_job_of(message)


def test_what_is_not_set_is_what_the_model_says():
    message = pb.NewJob(title="a", acceptance_criteria="b")
    assert new_job_of(message) == NewJob(title="a", acceptance_criteria="b")
    agent = pb.NewAgent(name="a", url="http://localhost/a")
    assert NewAgent(**read_fields(agent)) == NewAgent(name="a", url="http://localhost/a")


def test_a_tenant_that_was_not_said_is_left_to_who_calls():
    job = {"title": "x", "acceptance_criteria": "x"}
    assert not write_message(pb.NewJob, NewJob(**job)).HasField("tenant")
    assert write_message(pb.NewJob, NewJob(**job, tenant="default")).tenant == "default"
    agent = write_message(pb.NewAgent, NewAgent(name="x", url="http://x/"))
    assert not agent.HasField("tenant")
    assert not agent.HasField("shared")


def test_a_policy_is_checked_when_it_is_new_and_never_again():
    beyond_our_bounds = pb.Policy(max_calls=1_000, delivery=pb.DELIVERY_AT_MOST_ONCE, retry_codes=["503"])
    policy = read_model(beyond_our_bounds)  # of a newer jobstore, which allows more
    assert (policy.max_calls, policy.delivery, policy.retry_codes) == (1_000, Delivery.AT_MOST_ONCE, ["503"])
    with pytest.raises(ValidationError):
        Policy(**read_fields(beyond_our_bounds))


def test_a_word_that_is_not_set_or_not_known_is_refused():
    for number in (pb.JOB_STATUS_UNSPECIFIED, 99):
        with pytest.raises(ValueError, match="not a valid JobStatus"):
            parse_words(pb.JobStatus.DESCRIPTOR, [number])


def test_a_time_of_a_request_out_of_bounds_is_refused():
    beyond = pb.NewJob(title="a", acceptance_criteria="b", not_before=Timestamp(seconds=2**50))
    with pytest.raises(ValueError, match="must be in range"):
        new_job_of(beyond)
    with pytest.raises(ValueError, match="must be in range"):
        read_field(beyond, "not_before")
