"""Resources of every shape that the contracts allow."""

from datetime import UTC
from functools import partial

from hypothesis import strategies as st

from contracts.criteria import CriteriaError, parse_criteria, parse_stored_criteria
from contracts.resources import JobFilter, NewJob, Policy
from signoff import types
from signoff.judging import Ask, Criterion, CriterionVerdict, StageVerdict, Verdict
from signoff.status import (
    FIRST_PROTOCOLS,
    Circuit,
    CriterionOutcome,
    Delivery,
    EmptyResult,
    ItemOutcome,
    JobLogKind,
    JobLogStatus,
    JobStatus,
    OperationKind,
    OperationState,
    Protocol,
    Resubmit,
)
from signoff.types import Agent, AgentCard, AgentSkill, Job, JobLog, Limit, Operation, OperationItem, WaitingSum
from signoff.values import to_usd

_CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
INT32 = st.integers(1, 2**31 - 1)
INT64 = st.integers(1, 2**63 - 1)
MONEY = st.integers(0, 10**12).map(to_usd)
TIMES = st.datetimes(timezones=st.just(UTC))
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,20}", fullmatch=True)


def texts(min_size=0, max_size=40):
    return st.text(_CHARACTERS, min_size=min_size, max_size=max_size)


def json_values(integers=st.integers(-(10**40), 10**40)):  # noqa: B008 - strategies do not change
    scalars = st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts()
    return st.recursive(
        scalars, lambda child: st.lists(child, max_size=4) | st.dictionaries(texts(), child, max_size=4), max_leaves=12
    )


def maybe(strategy):
    return st.none() | strategy


def are_criteria(text):
    try:
        return bool(parse_criteria(text))
    except CriteriaError:
        return False


FAILURE_CODES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,20}|[1-5][0-9]{2}", fullmatch=True), min_size=1, max_size=4)

policies = st.builds(
    Policy,
    max_submissions=maybe(st.integers(1, 100)),
    max_calls=maybe(st.integers(1, 100)),
    attempt_timeout_s=maybe(st.floats(0, 86_400, exclude_min=True)),
    deadline_s=maybe(st.floats(0, 2_592_000, exclude_min=True)),
    delivery=maybe(st.sampled_from(Delivery)),
    connect_timeout_s=maybe(st.floats(0, 300, exclude_min=True)),
    heartbeat_timeout_s=maybe(st.floats(0, 86_400, exclude_min=True)),
    backoff_first_s=maybe(st.floats(0, 86_400)),
    backoff_factor=maybe(st.floats(1, 100)),
    retry_codes=maybe(FAILURE_CODES),
    no_retry_codes=maybe(FAILURE_CODES),
    resubmit=maybe(st.sampled_from(Resubmit)),
    hand_over_after=maybe(st.integers(1, 100)),
    budget_usd=maybe(MONEY),
    budget_tokens=maybe(st.integers(0, 2**53)),
    reuse_verdict=maybe(st.booleans()),
    empty_result=maybe(st.sampled_from(EmptyResult)),
    judge=maybe(st.from_regex(r"[a-z][a-z0-9-]{0,20}(@[1-9])?", fullmatch=True)),
    criteria_set=maybe(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)),
)
policies_of_answers = policies.map(lambda policy: types.Policy(**dict(policy)))
labels = st.dictionaries(texts(), texts(), max_size=4)
new_jobs = st.builds(
    NewJob,
    id=maybe(IDS),
    title=texts(min_size=1),
    description=texts(),
    acceptance_criteria=texts(min_size=1).filter(are_criteria),
    payload=json_values(),
    agent_id=maybe(IDS),
    capabilities=st.lists(texts(), max_size=4),
    not_before=maybe(TIMES),
    priority=st.integers(0, 9),
    tenant=texts(min_size=1),
    labels=labels,
    policy=policies,
)


criteria = st.builds(
    CriterionVerdict,
    text=texts(),
    outcome=st.sampled_from(CriterionOutcome),
    required=st.just(False),  # else it would have to agree with `is_valid`
    kind=st.sampled_from(["meets", "never", "check"]),
    evidence=st.lists(texts(), max_size=2),
    comment=texts(),
    unproven=st.booleans(),
    by=maybe(texts()),
)
asks = st.builds(Ask, model=texts(), input_tokens=maybe(st.integers(0, 2**53)), outcomes=maybe(texts()))
verdicts = st.builds(
    Verdict,
    is_valid=st.booleans(),
    reason=texts(),
    criteria=st.lists(criteria, max_size=2),
    model=maybe(texts()),
    judge=maybe(texts()),
    discloses=st.booleans(),
    submission=maybe(INT32),
    stages=st.lists(
        st.builds(StageVerdict, kind=texts(), outcomes=texts(), asks=st.lists(asks, max_size=2)), max_size=2
    ),
)


def jobs(payloads):
    return st.builds(
        Job,
        id=IDS,
        title=texts(min_size=1),
        description=texts(),
        acceptance_criteria=texts(),
        payload=payloads,
        status=st.sampled_from(JobStatus),
        version=INT64,
        agent_id=maybe(IDS),
        execution_id=maybe(st.uuids()),
        submission=INT32,
        priority=st.integers(0, 9),
        tenant=texts(min_size=1),
        labels=labels,
        policy=policies_of_answers,
        progress=maybe(st.floats(0, 1)),
        progress_message=maybe(texts()),
        capabilities=st.lists(texts(), max_size=4),
        not_before=maybe(TIMES),
        batch_id=maybe(st.uuids()),
        cost_usd=MONEY,
        tokens=st.integers(0, 2**53),
        result=payloads,
        verdict=maybe(verdicts),
        result_version=maybe(INT64),
        created_at=TIMES,
        updated_at=TIMES,
    ).map(with_criteria)


def with_criteria(job):
    read = [Criterion(**dict(one)) for one in parse_stored_criteria(job.acceptance_criteria)]
    return job.model_copy(update={"criteria": read or None})


def job_logs(payloads):
    return st.builds(
        JobLog,
        id=st.uuids(),
        job_id=IDS,
        version=INT64,
        status=st.sampled_from(JobLogStatus),
        job_status=st.sampled_from(JobStatus),
        agent_id=maybe(IDS),
        request=payloads,
        result=payloads,
        partial=payloads,
        before=maybe(st.dictionaries(texts(), payloads, max_size=2)),
        verdict=maybe(verdicts),
        kind=maybe(st.sampled_from(JobLogKind)),
        message=maybe(texts()),
        code=maybe(texts()),
        execution_id=maybe(st.uuids()),
        attempt=maybe(INT32),
        lease=maybe(INT64),
        submission=maybe(INT32),
        event_id=maybe(st.uuids()),
        progress=maybe(st.floats(0, 1)),
        cost_usd=maybe(MONEY),
        tokens=maybe(st.integers(0, 2**53)),
        cursor=st.integers(0, 2**63 - 1),
        created_at=TIMES,
    )


_OPENAI = {"model": "m", "template": "{{payload.a}}", "schema": {"const": None}, "parameters": {"top_p": 1e3}}
_LANGGRAPH = {"assistant": "a", "input": {"x": ["{{payload.a}}", None, 1]}, "output": "x.-1", "config": {"a": {}}}
_make_agents = partial(
    st.builds,
    Agent,
    id=IDS,
    name=texts(min_size=1),
    url=st.sampled_from(["http://localhost:8080/a", "https://agents.example/größe?x=1#y"]),
    capabilities=st.lists(texts(), max_size=4),
    policy=policies_of_answers,
    enabled=st.booleans(),
    circuit=st.sampled_from(Circuit),
    circuit_open_until=maybe(TIMES),
    deterministic=st.booleans(),
    paused=st.booleans(),
    tenant=st.sampled_from(["default", "press"]),
    shared=st.booleans(),
    headers=st.dictionaries(st.sampled_from(["X-Key", "x"]), st.sampled_from(["env:SIGNOFF_AGENT_X", "file:ä"])),
    created_at=TIMES,
    updated_at=TIMES,
)
_cards = st.builds(
    AgentCard,
    name=texts(),
    lists_tasks=st.booleans(),
    skills=st.lists(st.builds(AgentSkill, id=texts(), tags=st.lists(texts(), max_size=2)), max_size=2),
    read_at=TIMES,
    code=maybe(st.just("agent_unreachable")),
    changed_at=maybe(TIMES),
    changes=st.lists(texts(), max_size=2),
)
agents = st.one_of(
    _make_agents(protocol=st.sampled_from(sorted(FIRST_PROTOCOLS)), signing=maybe(st.just("file:ä"))),
    _make_agents(protocol=st.just(Protocol.OPENAI), settings=st.just(_OPENAI)),
    _make_agents(protocol=st.just(Protocol.A2A), card=maybe(_cards)),
    _make_agents(protocol=st.just(Protocol.LANGGRAPH), settings=st.just(_LANGGRAPH)),
)
job_filters = st.builds(
    JobFilter,
    statuses=st.lists(st.sampled_from(JobStatus), max_size=4),
    agent_id=maybe(IDS),
    tenant=maybe(texts()),
    labels=labels,
    batch_id=maybe(st.uuids()),
    not_agent_ids=st.lists(IDS, max_size=2),
    not_labels=st.lists(st.sampled_from(["team:a", "team:b:c", "x:"]), max_size=2),
    not_batch_ids=st.lists(st.uuids(), max_size=2),
    not_criteria_not_met=st.lists(texts(), max_size=2),
    reasons=st.lists(st.sampled_from(["no_worker", "limit_paused:agent:a"]), max_size=2),
)
waiting_sums = st.builds(
    WaitingSum,
    code=st.sampled_from(["limit_paused", "queue"]),
    name=texts(),
    count=st.integers(0, 10_000),
    owner=texts(),
    remedy=texts(),
    until=maybe(TIMES),
)
items = st.builds(
    OperationItem,
    item=st.integers(0, 99_999),
    job_id=IDS,
    title=texts(),
    outcome=st.sampled_from(ItemOutcome),
    code=maybe(st.sampled_from(["unknown_job"])),
    message=maybe(texts()),
    execution_id=maybe(st.uuids()),
)
operations = st.builds(
    Operation,
    id=st.uuids(),
    kind=st.sampled_from([*OperationKind]),
    state=st.sampled_from(OperationState),
    total=st.integers(0, 10_000),
    counts=st.dictionaries(st.sampled_from([*JobStatus, "REFUSED"]), INT32),
    rate_per_s=st.floats(0, 1_000),
    ends_at=maybe(TIMES),
    created_at=TIMES,
    finished_at=maybe(TIMES),
    retry_of=maybe(st.uuids()),
    name=maybe(texts()),
    filter=maybe(job_filters.map(lambda chosen: types.JobFilter(**dict(chosen)))),
    agent_id=maybe(IDS),
    progress=st.floats(0, 1),
    cost_usd=maybe(st.floats(0, 1_000)),
    tokens=maybe(st.integers(0, 2**53)),
    refused=st.lists(items, max_size=2),
    actor=maybe(texts()),
    waiting=st.lists(waiting_sums, max_size=2),
)
limits = st.builds(
    Limit,
    name=st.sampled_from(["agent:a", "tenant:*", "label:k=v=w"]),
    concurrency=maybe(st.integers(0, 1_000_000)),
    rate=maybe(st.integers(1, 1_000_000)),
    rate_period_s=st.floats(0, 2_592_000, exclude_min=True),
    queue_max=maybe(st.integers(0, 100_000_000)),
    weight=maybe(st.floats(0, 1_000, exclude_min=True)),
    paused=maybe(st.booleans()),
    updated_at=TIMES,
)
