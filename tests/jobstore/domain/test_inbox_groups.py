"""What needs somebody is grouped by what it needs, the urgent first, with what does it for all."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from contracts.resources import NewJobFilter, NewOperation
from contracts.waiting import WaitCode
from jobstore.insights.grouping import (
    GROUPS_MAX,
    Ended,
    Newest,
    Snooze,
    group_ended,
    group_letters,
    group_waits,
    list_reasons,
    name_newest,
    put_off,
    sort_groups,
)
from signoff.errors import ErrorCode
from signoff.status import InboxKind, JobStatus
from signoff.types import DeadLetter, InboxGroup, WaitingSum

BATCH = UUID(int=7)
AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
IDS = [
    "paused-78a62b972ca5",
    "no_worker-5cbe17d8bdb2",
    "failed-f89cb3b1de04",
    "failed-6e340b9cffb3",
    "not_accepted-656166628649",
    "not_accepted-e3b0c44298fc",
    "dead_letters-2062aea78337",
]


def wait(code: str, name: str = "", count: int = 3) -> WaitingSum:
    return WaitingSum(code=code, name=name, count=count, owner="operator", remedy="mend it", since=AT)


def ended(**fields: Any) -> Ended:
    about = {"is_failed": False, "agent_id": None, "code": None, "criterion": None, "count": 2, "resubmittable": 0}
    return Ended(**{**about, "has_more": False, "since": AT, "newest_at": AT, "job_id": "j", **fields})


def only(groups: list[InboxGroup]) -> InboxGroup:
    (group,) = groups
    return group


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (WaitCode.LIMITS_LOST, InboxKind.LIMITS_LOST),
        (WaitCode.NO_WORKER, InboxKind.NO_WORKER),
        (WaitCode.JUDGE_MISSING, InboxKind.NO_WORKER),
        (WaitCode.PROTOCOL_NOT_CALLED, InboxKind.NO_WORKER),
        (WaitCode.JUDGE_AWAY, InboxKind.JUDGE_AWAY),
        (WaitCode.CIRCUIT_PROBING, InboxKind.CIRCUIT_OPEN),
        (WaitCode.NO_AGENT_MATCHES, InboxKind.NO_AGENT_MATCHES),
        (WaitCode.AGENT_DISABLED, InboxKind.NO_AGENT_MATCHES),
        (WaitCode.LIMIT_USD_PER_DAY, InboxKind.BUDGET),
    ],
)
def test_what_waits_for_somebody_is_a_group(code: WaitCode, kind: InboxKind) -> None:
    group = only(group_waits([wait(code)]))
    assert (group.kind, group.count, group.since, group.remedy) == (kind, 3, AT, "mend it")
    assert (group.operation, group.resume) == (None, None)


@pytest.mark.parametrize("code", [WaitCode.QUEUE, WaitCode.OFFERED, WaitCode.NOT_BEFORE, WaitCode.NO_ROOM])
def test_what_waits_for_its_turn_or_a_time_needs_nobody(code: WaitCode) -> None:
    assert group_waits([wait(code)]) == []


@pytest.mark.parametrize(
    "name",
    ["agent:writer", "tenant:press", "label:team=a=b", f"batch:{BATCH}"],
)
def test_a_pause_is_lifted_by_its_name_and_its_jobs_are_listed_by_it(name: str) -> None:
    group = only(group_waits([wait("limit_paused", name)]))
    assert (group.kind, group.resume) == (InboxKind.PAUSED, name)
    assert group.filter is not None
    given = group.filter.model_dump(exclude_defaults=True)
    assert given == {"reasons": [f"limit_paused:{name}"]}


def test_a_group_of_what_waits_lists_the_jobs_that_wait_for_it_in_its_tenant() -> None:
    circuit, judge = group_waits([wait("circuit_open", "writer"), wait("judge_away")], "press")
    assert circuit.filter is not None
    assert judge.filter is not None
    assert (circuit.filter.reasons, circuit.filter.tenant) == (["circuit_open:writer"], "press")
    assert (judge.filter.reasons, judge.filter.tenant) == (["judge_away"], "press")
    NewJobFilter.model_validate(circuit.filter.model_dump(exclude_defaults=True))


def test_what_failed_is_retried_by_agent_and_code_and_says_what_to_do() -> None:
    row = ended(is_failed=True, agent_id="writer", code="agent_timeout", message="no answer", has_more=True)
    group = only(group_ended([row], AT, "press"))
    assert group.operation is not None
    NewOperation.model_validate(group.operation.model_dump(mode="json"))
    about = {"agent_id": "writer", "codes": ["agent_timeout"], "tenant": "press", "created_after": AT}
    given = group.operation.filter.model_dump(exclude_defaults=True)
    assert (group.operation.kind, given) == ("retry", {"statuses": [JobStatus.FAILED], **about})
    assert (group.filter, group.message, group.has_more) == (group.operation.filter, "no answer", True)
    assert group.remedy == ErrorCode.AGENT_TIMEOUT.sentence


@pytest.mark.parametrize("code", [None, "a_code_of_the_agents_own"])
def test_a_failure_without_a_known_code_says_where_to_look(code: str | None) -> None:
    group = only(group_ended([ended(is_failed=True, code=code)], AT))
    assert group.operation is not None
    assert (group.remedy.partition(" says")[0], group.operation.filter.codes) == ("the newest", [code] if code else [])


def test_a_job_whose_budget_is_used_up_is_not_just_executed_again() -> None:
    group = only(group_ended([ended(is_failed=True, agent_id="writer", code="budget_exhausted")], AT))
    assert (group.kind, group.operation) == (InboxKind.BUDGET, None)


def test_what_was_not_accepted_is_resubmitted_where_submissions_are_left() -> None:
    left, none_left = group_ended([ended(criterion="It rhymes", resubmittable=1), ended(criterion="It is short")], AT)
    assert left.operation is not None
    given = left.operation.filter
    assert (left.operation.kind, given.statuses) == ("resubmit", [JobStatus.RESUBMISSION_REQUIRED])
    assert (given.criterion_not_met, left.criterion) == ("It rhymes", "It rhymes")
    assert none_left.operation is None
    assert "assign" in none_left.remedy
    for group in (left, none_left):
        assert group.filter is not None
        assert group.filter.statuses == [JobStatus.RESUBMISSION_REQUIRED, JobStatus.REJECTED]


def test_a_group_says_of_what_it_is() -> None:
    waits = only(group_waits([wait("agent_disabled", "writer")]))
    failed = only(group_ended([ended(is_failed=True, agent_id="writer", code="agent_timeout", job_id="newest")], AT))
    assert (waits.code, waits.name) == ("agent_disabled", "writer")
    about = (failed.kind, failed.code, failed.agent_id, failed.newest_job_id)
    assert about == (InboxKind.FAILED, "agent_timeout", "writer", "newest")
    assert failed.filter is not None
    assert failed.filter.tenant is None, "of all tenants unless one is named"
    assert only(group_ended([ended(is_failed=True)], AT)).code == ""


def test_groups_of_a_batch_are_of_its_jobs() -> None:
    group = only(group_ended([ended(is_failed=True)], batch_id=BATCH))
    assert group.filter is not None
    assert group.filter.batch_id == BATCH


def test_a_group_keeps_its_id_by_which_viewers_have_put_it_off() -> None:
    groups = [
        *group_waits([wait("limit_paused", "agent:writer"), wait("no_worker")]),
        *group_ended([ended(is_failed=True, agent_id="writer", code="agent_timeout"), ended(is_failed=True)], AT),
        *group_ended([ended(criterion="It rhymes"), ended()], AT),
        *group_letters({"a-dlq": (1, None, None)}),
    ]
    assert [group.id for group in groups] == IDS


def test_dead_letters_of_a_topic_are_a_group_with_the_newest() -> None:
    def letter(offset: int, **about: str) -> DeadLetter:
        return DeadLetter(topic="a-dlq", partition=0, offset=offset, at=AT + timedelta(hours=offset), **about)

    group = only(group_letters({"a-dlq": (2, letter(0), letter(1, code="schema_violation"))}))
    assert (group.kind, group.name, group.count) == (InboxKind.DEAD_LETTERS, "a-dlq", 2)
    assert (group.since, group.newest_at, group.message) == (AT, AT + timedelta(hours=1), "schema_violation")
    told = only(group_letters({"a-dlq": (1, letter(0), letter(0, code="schema_violation", message="no title"))}))
    assert told.message == "no title"
    unread = only(group_letters({"a-dlq": (2, None, None)}))
    assert (unread.count, unread.since, unread.newest_at, unread.message) == (2, None, None, None)


def test_a_group_names_its_newest_job_also_of_those_that_wait() -> None:
    later = AT + timedelta(hours=1)
    groups = [
        *group_waits([wait("limit_paused", "agent:writer"), wait("no_worker")]),
        *group_ended([ended(is_failed=True, job_id="j")], AT),
        *group_letters({"a-dlq": (1, None, None)}),
    ]
    assert list_reasons(groups) == ["limit_paused:agent:writer", "no_worker"]
    newest = {"j": Newest("j", "A poem", later), "w": Newest("w", "A letter", later)}
    named = name_newest(groups, {"limit_paused:agent:writer": "w", "no_worker": "gone"}, newest)
    about = [(group.newest_job_id, group.newest_title, group.newest_at) for group in named]
    assert about == [("w", "A letter", later), (None, None, None), ("j", "A poem", AT), (None, None, None)]


def test_the_urgent_come_first_and_of_a_kind_the_largest() -> None:
    failed = [ended(is_failed=True, code=f"c{count}", count=count) for count in range(1, GROUPS_MAX + 10)]
    groups = [
        *group_letters({"a-dlq": (900, None, None)}),
        *group_ended(failed, AT),
        *group_waits([wait("no_worker", count=1)]),
    ]
    found = sort_groups(groups)
    assert GROUPS_MAX == 100, "as it is documented"
    assert (len(found), found[0].kind) == (GROUPS_MAX, InboxKind.NO_WORKER)
    assert [group.count for group in found[1:4]] == [GROUPS_MAX + 9, GROUPS_MAX + 8, GROUPS_MAX + 7]
    assert len({group.id for group in groups}) == len(groups)


def test_a_group_is_put_off_until_it_grows_or_a_time() -> None:
    group = only(group_waits([wait("no_worker", count=3)]))
    later = AT + timedelta(hours=1)

    def find(count: int, until: datetime, id_: str = group.id) -> datetime | None:
        return only(put_off([group], {id_: Snooze(until, count)}, AT)).snoozed_until

    assert find(3, later) == later
    assert find(4, later) == later, "it has fewer than it had"
    assert find(2, later) is None, "it has grown"
    assert find(3, AT) is None, "the time has come"
    assert find(3, later, "another") is None
