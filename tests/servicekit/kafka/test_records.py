"""Records become events, events become records, and bad records become dead letters."""

import json
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.factories import execute_requested, record, result_produced

from contracts.events import ExecuteRequested
from contracts.signing import SIGNATURE_HEADER
from contracts.topics import MESSAGE_MAX_BYTES, REPLAY_HEADER
from servicekit.errors import PermanentError
from servicekit.kafka.dead_letters import DEAD_LETTER_BYTES, FORGED_BYTES, to_dead_letter
from servicekit.kafka.publisher import to_record
from servicekit.kafka.subscription import decode, keep_body
from signoff.errors import ErrorCode

BODY = execute_requested().model_dump_json().encode()


def inline(fields):
    """A request with a whole job, of which these fields are given besides its title."""
    return (
        b'{"execution_id": "01900000-0000-7000-8000-000000000001", "job_id": "a", "job": {"title": "t", %b}}' % fields
    )


def test_a_record_holds_its_event():
    event = execute_requested()
    arrived = decode(ExecuteRequested, record(event.model_dump_json().encode()), 10_000)
    assert arrived.event == event
    assert not arrived.replay
    assert arrived.size == len(arrived.record.value)


def test_a_record_that_an_operator_published_again_says_so():
    assert decode(ExecuteRequested, record(BODY, headers=[(REPLAY_HEADER, b"1")]), 10_000).replay


def test_fields_that_a_reader_does_not_know_are_ignored():
    body = json.dumps({**json.loads(BODY), "later": [1]}).encode()
    assert decode(ExecuteRequested, record(body), 10_000).event.job_id == "job-1"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (None, "empty_body"),
        (b"", "malformed_json"),
        (b"{", "malformed_json"),
        (b"\xff\xfe", "malformed_json"),
        (b"[" * 300 + b"]" * 300, "malformed_json"),
        (b"null", "schema_mismatch"),
        (b"[]", "schema_mismatch"),
        (b"{}", "schema_mismatch"),
        (b'{"execution_id": "x", "job_id": "job-1"}', "schema_mismatch"),
        (inline(b'"acceptance_criteria": "optional: a"'), "no_required_criterion"),
        (inline(b'"criteria": [{"text": "a\\nb"}]'), "criterion_ambiguous"),
        (inline(b'"acceptance_criteria": "a", "criteria": [{"text": "b"}]'), "criteria_conflict"),
        (inline(b'"description": "no criteria"'), "criteria_empty"),
        (b" " * 10_001, "payload_too_large"),
    ],
)
def test_a_body_that_is_no_event_is_refused_with_a_code(body, code):
    with pytest.raises(PermanentError) as refused:
        decode(ExecuteRequested, record(body), 10_000)
    assert refused.value.code == code


def test_a_header_that_is_not_utf8_is_refused():
    with pytest.raises(PermanentError) as refused:
        decode(ExecuteRequested, record(BODY, headers=[("ce_id", b"\xff")]), 10_000)
    assert refused.value.code == "malformed_header"


def test_a_header_without_a_value_is_none_to_refuse():
    assert decode(ExecuteRequested, record(BODY, headers=[("empty", None)]), 10_000)


def test_a_refusal_repeats_no_more_of_a_body_than_a_line():
    body = json.dumps({"job": {"labels": {"x" * 100_000: 1}}}).encode()
    with pytest.raises(PermanentError) as refused:
        decode(ExecuteRequested, record(body), 1 << 20)
    assert len(str(refused.value)) <= 1_000


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(body):
    with pytest.raises(PermanentError) as refused:
        decode(ExecuteRequested, record(body), 1_000)
    assert refused.value.code in {"malformed_json", "schema_mismatch"}


def test_a_body_that_another_reads_is_kept_as_it_is():
    kept = keep_body(ExecuteRequested, record(b"{no JSON", headers=[(REPLAY_HEADER, b"1")]), 100)
    assert (kept.event, kept.replay, kept.signature) == (b"{no JSON", True, "")
    assert keep_body(ExecuteRequested, record(b"{", headers=[(SIGNATURE_HEADER, b"v1")]), 100).signature == "v1"


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (record(None), "empty_body"),
        (record(b"x" * 101), "payload_too_large"),
        (record(b"what is this"), "malformed_json"),
        (record(b"{}", headers=[("h", b"\xff")]), "malformed_header"),
    ],
)
def test_what_nobody_could_read_is_refused_even_where_another_reads_it(bad, code):
    with pytest.raises(PermanentError) as refused:
        keep_body(ExecuteRequested, bad, 100)
    assert refused.value.code == code


def test_a_dead_letter_has_the_original_bytes_and_headers_and_says_what_went_wrong_where():
    bad = record(b"\xff{", headers=[("ce_id", b"\xfe"), ("same", b"1"), ("same", b"2"), ("none", None)])
    letter = to_dead_letter("execute-requested-dlq", bad, PermanentError("no JSON", code="malformed_json"))
    assert (letter.topic, letter.key, letter.value) == ("execute-requested-dlq", b"job-1", b"\xff{")
    assert list(letter.headers)[:4] == [("ce_id", b"\xfe"), ("same", b"1"), ("same", b"2"), ("none", None)]
    about = dict(list(letter.headers)[4:])
    assert about.pop("dlq-time")
    assert about == {
        "dlq-error-code": b"malformed_json",
        "dlq-error-message": b"no JSON",
        "dlq-topic": b"execute-requested",
        "dlq-partition": b"3",
        "dlq-offset": b"42",
    }


def test_a_dead_letter_that_dies_again_says_where_it_died_last():
    first = to_dead_letter("q", record(b"1"), PermanentError("first", code="first"))
    second = to_dead_letter(
        "q", record(b"1", headers=first.headers, offset=43), PermanentError("second", code="second")
    )
    assert [value for name, value in second.headers if name == "dlq-error-code"] == [b"second"]
    assert [value for name, value in second.headers if name == "dlq-offset"] == [b"43"]


def test_an_error_in_words_that_are_not_unicode_is_buried_all_the_same():
    assert to_dead_letter("q", record(b"1"), PermanentError("half a pair: \ud800"))


@pytest.mark.parametrize(
    ("bad", "omitted"),
    [
        (record(bytes(MESSAGE_MAX_BYTES - DEAD_LETTER_BYTES - 100)), set()),
        (record(bytes(MESSAGE_MAX_BYTES)), {"dlq-body"}),
        (record(bytes(3 * MESSAGE_MAX_BYTES), headers=[("kept", b"1")]), {"dlq-body"}),
        (record(b"1", headers=[("h", bytes(MESSAGE_MAX_BYTES))]), {"dlq-body", "dlq-headers"}),
        (record(b"1", key=bytes(MESSAGE_MAX_BYTES)), {"dlq-body", "dlq-headers"}),
    ],
    ids=["fits", "large body", "huge body", "large header", "large key"],
)
def test_a_dead_letter_always_fits_its_topic(bad, omitted):
    letter = to_dead_letter("q", bad, PermanentError("x" * 5_000, code="payload_too_large"))
    headers = list(letter.headers)
    size = len(letter.value) + len(letter.key or b"") + sum(len(n) + len(v or b"") + 16 for n, v in headers)
    assert size <= MESSAGE_MAX_BYTES
    assert {name for name, value in headers if value == b"omitted"} == omitted
    assert dict(headers)["dlq-offset"] == b"42"


@pytest.mark.parametrize(
    ("bad", "kept", "said"),
    [
        (record(b"1" * FORGED_BYTES), FORGED_BYTES, {}),
        (record(b"1" * (FORGED_BYTES + 1)), FORGED_BYTES, {"dlq-body": b"cut"}),
        (record(b"1" * 3 * MESSAGE_MAX_BYTES), FORGED_BYTES, {"dlq-body": b"cut"}),
        (record(b"1", headers=[("h", bytes(FORGED_BYTES))]), 1, {"dlq-headers": b"omitted"}),
        (record(b"1", key=bytes(FORGED_BYTES + 1)), 1, {"dlq-headers": b"omitted"}),
    ],
    ids=["fits", "large body", "huge body", "large header", "large key"],
)
def test_of_a_record_that_nobody_vouches_for_a_dead_letter_keeps_the_beginning(bad, kept, said):
    letter = to_dead_letter("q", bad, PermanentError("not signed", code=ErrorCode.BAD_SIGNATURE))
    assert letter.value == b"1" * kept
    assert {name: value for name, value in letter.headers if name in {"dlq-body", "dlq-headers"}} == said
    assert len(letter.key or b"") + sum(len(n) + len(v or b"") for n, v in letter.headers) < FORGED_BYTES + 2_000


def test_an_event_goes_out_as_a_cloud_event_in_binary_mode():
    event = result_produced()
    out = to_record(event, "executor", "press")
    headers = dict(out.headers)
    assert (out.topic, out.key) == ("result-produced", b"job-1")
    assert UUID(headers["ce_id"].decode()) == event.event_id
    assert headers["ce_type"] == b"signoff.result-produced.v1"
    assert headers["ce_source"] == b"/signoff/press/executor"
    assert (headers["ce_subject"], headers["ce_dataschema"]) == (b"job-1", b"urn:signoff:result-produced:v1")
    assert headers["ce_specversion"] == b"1.0"
    assert headers["content-type"] == b"application/json"
    assert re.fullmatch(rb"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z", headers["ce_time"])
    assert type(event).model_validate_json(out.value) == event


def test_an_event_said_twice_has_one_id():
    event = result_produced()
    assert dict(to_record(event, "executor").headers)["ce_id"] == dict(to_record(event, "jobstore").headers)["ce_id"]


def test_an_event_can_go_out_without_a_key_and_with_more_headers():
    out = to_record(execute_requested(), "jobstore", keyed=False, headers=[("traceparent", b"00-1-2-01")])
    assert out.key is None
    assert dict(out.headers)["traceparent"] == b"00-1-2-01"
