"""Whatever the doors take, what is made of it fits its topic: the formula of contracts.topics, on the largest texts."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.criteria import REFERENCE_MAX_CHARS, format_references
from contracts.events import HANDLE_MAX_BYTES, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.judging.policy import Verdict
from contracts.resources import NewAgent, NewJob, Policy, Usage
from contracts.topics import (
    JUDGED_MAX_BYTES,
    LIMIT_MAX_BYTES,
    MESSAGE_MAX_BYTES,
    MESSAGE_MAX_CHARS,
    PAYLOAD_MAX_BYTES,
    DoorLimit,
    largest_limit,
    measure,
    measure_job,
)
from contracts.waiting import WaitCode
from jobstore.jobs.model import (
    Execution,
    Job,
    Spec,
    TransitionKind,
    cut_message,
    format_assignment,
    format_edit,
    format_feedback,
    format_request_body,
)
from jobstore.jobs.waiting import WAITS_MAX, Cause, Hold, format_waits
from jobstore.publishing.fact_reader import make_job_changed
from servicekit.kafka.publisher import Outgoing, to_record
from signoff.judging import CriterionVerdict
from signoff.status import Outcome, ReportKind
from signoff.values import SUM_NANOS_MAX

NOW = datetime.now(UTC)
JOB_ID = "j" * 128
#: One byte, two, three and four in UTF-8; and two and six in JSON.
CHARACTERS = ("a", "é", "€", "𝄞", '"', "\n", "\x01")
CODES = ["c" * 64] * 64
POLICY = Policy(retry_codes=CODES, no_retry_codes=CODES, budget_tokens=2**53, max_calls=100)


def filled(character: str, size: int) -> str:
    """A text of so many bytes of JSON, but for those of one character."""
    return character * ((size - 2) // (measure(character) - 2))


SHAPES = st.tuples(*[st.sampled_from(CHARACTERS)] * 5, st.floats(0, 1), st.floats(0, 1))


def largest_spec(mark: str, title: str, first: str, second: str, third: str, *shares: float) -> Spec:
    """A job that asks for as much as any setting allows, each text of one character."""
    wide = [f"{mark * 190}{number}" for number in range(64)]
    small: dict[str, Any] = {
        "title": title * 500,
        "labels": dict.fromkeys(wide, mark * 200),
        "policy": POLICY,
        "capabilities": wide,
        "references": {1: mark * REFERENCE_MAX_CHARS},
    }
    left = LIMIT_MAX_BYTES - measure(small) - 200
    less, more = sorted(shares)
    sizes = [int(left * share) for share in (less, more - less, 1 - more)]
    texts = [filled(character, max(3, size)) for character, size in zip((first, second, third), sizes, strict=True)]
    spec = Spec(
        **small,
        description=texts[0],
        acceptance_criteria=texts[1],
        payload=json.dumps(texts[2], ensure_ascii=False),
        priority=9,
        tenant=mark * 100,
        not_before=NOW,
        spec_hash=bytes(32),
        created_at=NOW,
        updated_at=NOW,
    )
    assert LIMIT_MAX_BYTES - 2_000 < measure_job(spec, spec.payload) <= LIMIT_MAX_BYTES
    return spec


def largest_verdict(spec: Spec) -> Verdict:
    words = filled("€", JUDGED_MAX_BYTES - 10_000)
    criterion = CriterionVerdict(text=spec.acceptance_criteria, outcome=Outcome.FAIL, comment=words)
    return Verdict.of([criterion], "a reason")


def row(spec: Spec, kind: TransitionKind, version: int = 7, **fields: Any) -> Any:
    """A row of the log as the relay reads it, with all that has a limit of its own at that."""
    agent = NewAgent(id=JOB_ID, name="\x01" * 200, url=f"http://a/{'€' * 1_900}", policy=POLICY)
    wide = {"capabilities": spec.capabilities, "created_at": NOW, "updated_at": NOW}
    columns = dict.fromkeys(("request", "response", "progress", "event_id", "batch_id"))
    numbers = dict.fromkeys(
        ("attempt", "lease", "submission", "job_submission", "spent", "max_calls", "seq", "tokens"), 2**53
    )
    columns |= numbers | {"id": uuid4(), "job_id": JOB_ID, "version": version, "kind": kind, "status": "ASSIGNED"}
    columns |= {"job_status": "ASSIGNED", "agent_id": JOB_ID, "code": "c" * 64, "execution_id": uuid4()}
    columns["job_execution_id"] = columns["execution_id"]
    columns["standing"] = {"live": True, "cancelled": True, "code": "c" * 64, "duration_s": 0.1 + 0.2}
    columns["waited"] = format_waits([Hold(Cause(WaitCode.LIMIT_CONCURRENCY, "€" * 400), NOW, NOW)] * 5 * WAITS_MAX)
    columns["actor"] = f"upstream:{'s' * 32}"
    columns |= {"message": "\x01" * MESSAGE_MAX_CHARS, "progress_message": "\x01" * MESSAGE_MAX_CHARS}
    columns |= dict.fromkeys(("created_at", "job_created_at", "job_not_before", "next_attempt_at"), NOW)
    columns |= dict.fromkeys(("deadline_at", "not_before", "requested_at"), NOW)
    columns |= {
        "job_title": spec.title,
        "job_priority": 9,
        "job_tenant": spec.tenant,
        "cost_nanos": SUM_NANOS_MAX,
        "duration_s": 0.1 + 0.2,
        "spec_hash": "f" * 64,
    }
    columns |= {"description": spec.description, "acceptance_criteria": spec.acceptance_criteria}
    columns["reference_texts"] = format_references(spec.references)
    columns |= {"job_labels": json.dumps(spec.labels, ensure_ascii=False), "job_capabilities": spec.capabilities}
    columns |= {
        "job_policy": POLICY.model_dump_json(),
        "frozen_policy": POLICY.model_dump_json(),
        "reuse_key": "f" * 64,
        "protocol": "openai",
        "settings_hash": "f" * 64,
        "traceparent": "f" * 55,
        "handle": '"' * HANDLE_MAX_BYTES,
    }
    columns["agent"] = json.dumps(agent.model_dump(mode="json") | {**wide, "created_at": "", "updated_at": ""})
    return SimpleNamespace(**(columns | fields))


def edited(before: Spec, after: Spec) -> str:
    """The request payload of the edit of all that can be large."""
    names = ("acceptance_criteria", "description", "payload", "references", "title")
    old, new = (
        {name: spec.payload if name == "payload" else json.dumps(getattr(spec, name)) for name in names}
        for spec in (before, after)
    )
    texts = [{name: json.dumps(json.loads(text), ensure_ascii=False) for name, text in f.items()} for f in (new, old)]
    return format_edit(after.payload, *texts)


def size_of(record: Outgoing) -> int:
    size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(record.key, record.value, list(record.headers))
    return size


@settings(max_examples=10, deadline=None)
@given(SHAPES, SHAPES, st.sampled_from(CHARACTERS))
def test_the_largest_of_all_that_the_doors_take_fits_the_topics(shape: Any, other: Any, character: str) -> None:
    spec, before = largest_spec(*shape), largest_spec(*other)
    comment, result = filled(character, LIMIT_MAX_BYTES), filled(character, LIMIT_MAX_BYTES)
    verdict = largest_verdict(spec)
    assert measure(verdict) <= measure(spec.acceptance_criteria) + JUDGED_MAX_BYTES
    job = Job(JOB_ID, "ASSIGNED", 7, feedback=format_feedback(verdict))  # type: ignore[arg-type]
    request = format_request_body(job, spec, Execution(uuid4(), JOB_ID), comment)
    response = f'{{"result":{json.dumps(result, ensure_ascii=False)},"verdict":{verdict.model_dump_json()}}}'
    facts = [
        row(spec, TransitionKind.CREATED, version=1, request=format_assignment(spec.payload)),
        row(spec, TransitionKind.EDITED, request=edited(before, spec)),
        row(spec, TransitionKind.ASSIGNED, request=format_assignment(spec.payload)),
        row(spec, TransitionKind.REQUESTED, request=request),
        row(spec, TransitionKind.NOT_MET, response=response),
    ]
    for fact in facts:
        assert size_of(make_job_changed(fact, {})) <= MESSAGE_MAX_BYTES, fact.kind

    ids = {"execution_id": uuid4(), "job_id": JOB_ID}
    leased = {"attempt": 1, "lease": 1, "acceptance_criteria": spec.acceptance_criteria, "title": spec.title}
    inline = NewJob.model_construct(title=spec.title, description=comment, acceptance_criteria="c")
    reported = {"kind": ReportKind.VERDICT, "verdict": verdict, "seq": 1, "usage": Usage()}
    events = [
        ExecuteRequested.model_construct(**ids, job=inline),
        ResultProduced.model_construct(**ids, **leased, result=result, produced_at=NOW),
        JobStatusReported.model_construct(**ids, attempt=1, lease=1, reported_at=NOW, **reported),
    ]
    for event in events:
        assert size_of(to_record(event, "test")) <= MESSAGE_MAX_BYTES, event.type


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_texts_are_measured_as_they_stand_in_a_record(text: str) -> None:
    assert measure(text) == len(json.dumps(text, ensure_ascii=False).encode())
    job = NewJob.model_construct(title=text, acceptance_criteria=text)
    assert measure_job(job, '"payload"') > 2 * measure(text)


def test_the_largest_limit_follows_from_the_topics_and_a_setting_beyond_it_is_refused_with_it() -> None:
    assert PAYLOAD_MAX_BYTES < LIMIT_MAX_BYTES == largest_limit(MESSAGE_MAX_BYTES)
    assert largest_limit(2 * MESSAGE_MAX_BYTES) > 2 * LIMIT_MAX_BYTES
    setting: TypeAdapter[int] = TypeAdapter(DoorLimit)
    assert setting.validate_python(LIMIT_MAX_BYTES) == LIMIT_MAX_BYTES
    with pytest.raises(ValidationError, match=f"at most {LIMIT_MAX_BYTES}: "):
        setting.validate_python(LIMIT_MAX_BYTES + 1)
    with pytest.raises(ValidationError):
        setting.validate_python(0)


def test_a_message_is_cut_and_says_so() -> None:
    assert cut_message("m" * MESSAGE_MAX_CHARS) == "m" * MESSAGE_MAX_CHARS
    assert cut_message("m" * (MESSAGE_MAX_CHARS + 1)) == "m" * (MESSAGE_MAX_CHARS - 1) + "\N{HORIZONTAL ELLIPSIS}"
