"""Each thing that holds an execution back has its reason, alone and beside others, with what lifts it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts.waiting import Owner, WaitCode
from jobstore.jobs.model import ExecutionStage, ExecutionState
from jobstore.jobs.waiting import (
    Candidate,
    CircuitUse,
    Circumstances,
    LimitUse,
    Room,
    Wait,
    explain,
    find_start,
    sum_up,
)
from signoff.types import Reason

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SOON, LATER = NOW + timedelta(seconds=5), NOW + timedelta(minutes=1)
BATCH = "11111111-1111-4111-8111-111111111111"
DUE = Wait(
    ExecutionStage.EXECUTING,
    ExecutionState.QUEUED,
    NOW,
    tenant="press",
    flow=("agent:writer", f"batch:{BATCH}", "label:team=red 'n blue"),
)
PLENTY = {stage: Room(workers=1, free=10, leased=5, offered=0, seen_at=NOW) for stage in ExecutionStage}


def around(*held: LimitUse | CircuitUse, **rooms: Room) -> Circumstances:
    return Circumstances(
        NOW,
        {use.name: use for use in held if isinstance(use, LimitUse)},
        {circuit.agent_id: circuit for circuit in held if isinstance(circuit, CircuitUse)},
        {**PLENTY, **{ExecutionStage(stage): room for stage, room in rooms.items()}},
    )


def limit(name: str, paused_by: str = "", **fields: Any) -> LimitUse:
    own = {each: fields.get(each) for each in ("concurrency", "rate")}
    known = {"name": name, "own": own, "paused_by": paused_by or name, "paused": False, "updated_at": NOW}
    return LimitUse(**{**known, "rate_period_s": 1.0, "running": 0, **fields})


def codes(wait: Wait, *held: LimitUse | CircuitUse, **rooms: Room) -> list[str]:
    return [reason.code for reason in explain(wait, around(*held, **rooms))]


PAUSED = limit("tenant:press", paused=True)
FULL = limit("tenant:press", concurrency=5, running=5)
STARTED = limit("agent:writer", rate=3, rate_period_s=20.0, starts=[(NOW - timedelta(seconds=15), 3)])
SPENT = limit("tenant:press", nanos_per_day=20_000_000_000, agents_nanos=19_500_000_000, judges_nanos=500_000_000)
SUMS = {"allowed_usd": Decimal(20), "agents_usd": Decimal("19.5"), "judges_usd": Decimal("0.5")}
DAY_END = datetime(2026, 1, 2, tzinfo=UTC)
OPEN = CircuitUse("writer", 5, LATER, is_probed=False)
PROBED = CircuitUse("writer", 5, NOW, is_probed=True)
NONE = Room(workers=0, free=0, leased=0, offered=0, seen_at=NOW - timedelta(minutes=1))
TAKEN = Room(workers=2, free=3, leased=197, offered=3)

#: Each cause, and its code.
CAUSES: dict[str, LimitUse | CircuitUse] = {
    "limit_paused": PAUSED,
    "limit_concurrency": replace(FULL, name="label:team=red 'n blue"),
    "limit_rate": STARTED,
    "circuit_open": OPEN,
}


def test_what_nothing_holds_back_waits_for_its_turn() -> None:
    (reason,) = explain(
        DUE, around(limit("tenant:press", concurrency=5, running=4), CircuitUse("other", 9, LATER, True))
    )
    assert (reason.code, reason.owner) == ("queue", "signoff")


@pytest.mark.parametrize("code", CAUSES)
def test_each_cause_alone(code: str) -> None:
    assert codes(DUE, CAUSES[code]) == [code]


@pytest.mark.parametrize("one", CAUSES)
@pytest.mark.parametrize("other", CAUSES)
def test_two_causes_at_once_are_both_told(one: str, other: str) -> None:
    order = ["limit_paused", "circuit_open", "limit_concurrency", "limit_rate"]
    assert sorted(codes(DUE, CAUSES[one], CAUSES[other]), key=order.index) == sorted({one, other}, key=order.index)


def test_a_pause_and_the_circuit_come_before_what_lifts_as_work_ends() -> None:
    assert codes(DUE, *CAUSES.values(), EXECUTING=TAKEN) == [
        "limit_paused",
        "circuit_open",
        "limit_rate",
        "limit_concurrency",
        "no_room",
    ]
    assert codes(DUE, replace(FULL, paused=True), STARTED, PROBED) == [
        "limit_paused",
        "circuit_probing",
        "limit_concurrency",
        "limit_rate",
    ]


def test_what_a_tenant_spent_is_told_behind_what_ends_sooner() -> None:
    held = replace(SPENT, paused=True, concurrency=5, running=5)
    assert codes(DUE, held, STARTED) == ["limit_paused", "limit_concurrency", "limit_rate", "limit_usd_per_day"]
    assert codes(replace(DUE, due_at=SOON), SPENT) == ["not_before"]
    assert codes(DUE, replace(SPENT, judges_nanos=499_999_999)) == ["queue"]


def test_results_wait_for_what_a_tenant_spent_and_for_no_other_limit() -> None:
    result = replace(DUE, stage=ExecutionStage.JUDGING)
    assert codes(result, replace(SPENT, paused=True, concurrency=5, running=5)) == ["limit_usd_per_day"]


@pytest.mark.parametrize(
    ("use", "remedy"),
    [
        (limit("agent:writer", paused=True), "signoff agents resume writer"),
        (limit("agent:writer", "agent:*", paused=True), "signoff limits resume 'agent:*'"),
        (limit("agent:writer", "agent:w:1", paused=True), "signoff agents resume w:1"),
        (limit(f"batch:{BATCH}", paused=True), f"signoff batches resume {BATCH}"),
        (limit("tenant:press", paused=True), "signoff limits resume tenant:press"),
        (limit("label:team=red 'n blue", "label:team=*", paused=True), "signoff limits resume 'label:team=*'"),
    ],
)
def test_a_pause_is_told_with_what_resumes_it(use: LimitUse, remedy: str) -> None:
    (reason,) = explain(DUE, around(use))
    assert (reason.code, reason.name, reason.since) == ("limit_paused", use.name, NOW)
    assert (reason.owner, reason.remedy) == (Owner.OPERATOR, f"resume it: {remedy}")


def test_a_limit_is_told_with_its_numbers_and_with_what_raises_it_and_keeps_the_rest() -> None:
    own: dict[str, object] = {"concurrency": 5, "rate": 9, "weight": 2.5, "queue_max": 7, "paused": False}
    (reason,) = explain(DUE, around(replace(FULL, own=own, rate=9, rate_period_s=60.0)))
    assert (reason.name, reason.used, reason.allowed) == ("tenant:press", 5, 5)
    wanted = "signoff limits set tenant:press --concurrency 10 --rate 9 --queue-max 7 --weight 2.5 --per-s 60"
    assert reason.remedy == f"raise it: {wanted}"
    for fields, options in (
        ({"own": {"rate": 9}, "rate": 9}, " --concurrency 10 --rate 9"),
        ({"own": {}, "rate": 9, "rate_period_s": 60.0}, " --concurrency 10"),
    ):
        (reason,) = explain(DUE, around(replace(FULL, **fields)))
        assert reason.remedy == f"raise it: signoff limits set tenant:press{options}", "the wildcard has the rest"
    (none,) = explain(DUE, around(limit("tenant:press", concurrency=0)))
    assert none.remedy == "raise it: signoff limits set tenant:press --concurrency 1"
    first, second = explain(DUE, around(limit("tenant:press", concurrency=1, running=2, paused=True)))
    assert (first.code, second.remedy) == ("limit_paused", "raise it: signoff limits set tenant:press --concurrency 2")


def test_a_rate_lifts_when_enough_of_its_starts_leave_the_window() -> None:
    parts = [(NOW - timedelta(seconds=21), 1), (NOW - timedelta(seconds=9), 2), (NOW - timedelta(seconds=1), 1)]

    def opening(rate: int | None) -> float | None:
        at = limit("agent:writer", rate=rate, rate_period_s=20.0, starts=parts).find_opening(NOW)
        return None if at is None else (at - NOW).total_seconds()

    assert [opening(rate) for rate in (None, 5, 4, 3, 2, 1)] == [None, None, 0.0, 12.0, 12.0, 20.0]
    offered = limit("agent:writer", rate=3, rate_period_s=20.0, offered=2, starts=parts[:1])
    assert offered.find_opening(NOW) == NOW, "the start of 21 s ago leaves the window"
    assert replace(offered, starts=()).find_opening(NOW) is None
    assert replace(offered, offered=3, starts=()).find_opening(NOW) == NOW + timedelta(seconds=21)
    (reason,) = explain(DUE, around(STARTED))
    assert (reason.used, reason.allowed, reason.until) == (3, 3, NOW + timedelta(seconds=6))
    assert reason.remedy == "raise it: signoff limits set agent:writer --rate 6 --per-s 20"


def test_a_circuit_is_told_with_its_failures_and_when_it_lets_one_through() -> None:
    (reason,) = explain(DUE, around(OPEN))
    assert (reason.code, reason.name, reason.used, reason.until) == ("circuit_open", "writer", 5, LATER)
    assert codes(DUE, PROBED) == ["circuit_probing"]
    assert codes(DUE, replace(PROBED, is_probed=False)) == ["queue"], "it may be the one that is let through"


@pytest.mark.parametrize(
    ("stage", "worker", "missing", "full"),
    [("EXECUTING", "executor", "no_worker", "no_room"), ("JUDGING", "validator", "judge_missing", "judge_no_room")],
)
def test_workers_that_are_away_or_full_are_told_of_either_stage(
    stage: str, worker: str, missing: str, full: str
) -> None:
    for state in (ExecutionState.QUEUED, ExecutionState.OFFERED):
        wait = replace(DUE, stage=ExecutionStage(stage), state=state)
        (away,) = explain(wait, around(**{stage: NONE}))
        assert (away.code, away.name, away.since, away.owner) == (missing, worker, NONE.seen_at, "operator")
        assert away.remedy.startswith(f"start {'an' if worker == 'executor' else 'a'} {worker} ")
    queued = replace(DUE, stage=ExecutionStage(stage))
    (reason,) = explain(queued, around(**{stage: TAKEN}))
    assert (reason.code, reason.used, reason.allowed) == (full, 200, 200)
    assert codes(queued, **{stage: replace(TAKEN, free=4)}) == ["queue"]


MEMORY = "give each more memory, which bounds its capacity (SIGNOFF_WORK_MAX_BYTES)"
SETTING = "give each a larger capacity (SIGNOFF_CAPACITY)"
PARTITIONS = "which 2 validators read (SIGNOFF_WORK_PARTITIONS)"


@pytest.mark.parametrize(
    ("bounds", "remedy"),
    [
        ({}, f"start more validators, or {SETTING}"),
        ({"by_memory": 1, "partitions": 3}, f"start more validators, or {SETTING}"),
        ({"by_memory": 2, "partitions": 3}, f"start more validators, or {MEMORY}"),
        ({"by_memory": 2, "partitions": 2}, f"have more partitions than 2, {PARTITIONS}, or {MEMORY}"),
        ({"partitions": 1}, f"have more partitions than 1, {PARTITIONS}, or {SETTING}"),
        ({"paced": 98, "partitions": 3}, f"start more validators, or {SETTING}"),
        (
            {"paced": 99, "by_memory": 2, "partitions": 2},
            "most asks wait for the pace that their judge's server takes: it has to take more at once",
        ),
    ],
)
def test_of_full_workers_it_is_told_what_bounds_them(bounds: dict[str, int], remedy: str) -> None:
    full = replace(TAKEN, free=0, leased=197, offered=3, **bounds)
    (reason,) = explain(replace(DUE, stage=ExecutionStage.JUDGING), around(JUDGING=full))
    assert (reason.code, reason.remedy) == ("judge_no_room", remedy)


def test_limits_that_a_rebuild_did_not_find_are_told_until_they_are_confirmed() -> None:
    lost = replace(around(), are_limits_lost=True)
    assert [each.code for each in explain(DUE, lost)] == ["limits_lost"]
    assert [each.code for each in explain(replace(DUE, due_at=SOON), lost)] == ["not_before", "limits_lost"]


def test_whose_agent_or_tenant_holds_its_share_is_told_how_much_that_is() -> None:
    scarce = Room(workers=2, free=25, leased=175, offered=5, capacity=200)
    held = {"tenant:press": 80, "agent:writer": 170}
    full = replace(around(EXECUTING=scarce), held=held)
    first, second = explain(DUE, full)
    assert (first.code, first.name, first.used, first.allowed) == ("share", "tenant:press", 80, 80)
    assert (second.name, second.used, second.allowed, second.owner) == ("agent:writer", 170, 80, "operator")
    assert second.remedy.startswith("what is free is kept for others: start more executors")
    assert [each.code for each in explain(replace(DUE, tenant="other", flow=["agent:free"]), full)] == ["queue"]
    assert [each.code for each in explain(replace(DUE, due_at=SOON), full)] == ["not_before"]
    plenty = replace(full, rooms=around(EXECUTING=replace(scarce, free=46)).rooms)
    assert [each.code for each in explain(DUE, plenty)] == ["queue"], "more than a fifth is free"


def test_what_is_offered_has_its_own_place_and_waits_for_whoever_takes_it() -> None:
    offered = replace(DUE, state=ExecutionState.OFFERED, due_at=LATER)
    (reason,) = explain(offered, around(PAUSED, OPEN, EXECUTING=TAKEN))
    assert (reason.code, reason.remedy.endswith(": an executor does in a moment")) == ("offered", True)
    assert codes(offered, EXECUTING=replace(TAKEN, free=0)) == ["no_room"]
    assert codes(offered, EXECUTING=replace(TAKEN, free=1)) == ["offered"]
    assert codes(Wait(ExecutionStage.JUDGING, ExecutionState.OFFERED)) == ["offered"]
    assert codes(replace(DUE, stage=ExecutionStage.JUDGING), PAUSED) == ["queue"], "limits are of executing"


@pytest.mark.parametrize(("is_again", "code"), [(False, "not_before"), (True, "retry_backoff")])
def test_what_is_not_due_waits_for_its_time_and_for_what_outlasts_it(is_again: bool, code: str) -> None:
    wait = replace(DUE, due_at=SOON, is_again=is_again)
    (reason,) = explain(wait, around(EXECUTING=TAKEN))
    assert (reason.code, reason.until, reason.owner) == (code, SOON, "time")
    assert find_start([reason]) == SOON
    assert codes(wait, FULL, STARTED, PROBED) == [code]
    assert codes(wait, PAUSED, OPEN, EXECUTING=NONE) == [code, "limit_paused", "circuit_open", "no_worker"]
    assert codes(wait, replace(OPEN, open_until=SOON), limit("tenant:press", concurrency=0)) == [
        code,
        "limit_concurrency",
    ]


def test_a_worker_that_calls_again_later_is_told_and_one_that_works_is_not() -> None:
    leased = replace(DUE, state=ExecutionState.LEASED)
    (reason,) = explain(replace(leased, retry_at=SOON), around(PAUSED))
    assert (reason.code, reason.until) == ("retry_backoff", SOON)
    assert codes(leased) == codes(replace(leased, retry_at=NOW)) == []


def test_a_judge_that_is_away_is_told_of_what_is_with_a_validator() -> None:
    leased = Wait(ExecutionStage.JUDGING, ExecutionState.LEASED, judge_away_at=NOW)
    (reason,) = explain(leased, around(JUDGING=NONE))
    assert (reason.code, reason.since, reason.owner) == ("judge_away", NOW, "operator")
    assert codes(replace(leased, judge_away_at=None)) == []
    (each,) = sum_up([leased, leased], around())
    assert (each.code, each.count) == ("judge_away", 2)


@pytest.mark.parametrize("code", [code for code in WaitCode if code not in {"not_before", "retry_backoff"}])
def test_a_start_is_foretold_only_where_its_own_time_is_all(code: str) -> None:
    own = Reason(code="not_before", until=SOON, owner="time", remedy="")
    other = Reason(code=code, until=LATER, owner="time", remedy="")
    assert (find_start([own]), find_start([own, other]), find_start([other]), find_start([])) == (
        SOON,
        None,
        None,
        None,
    )


def test_a_job_without_an_agent_is_told_who_could_do_it() -> None:
    unmatched = Wait(needed=["write", "draw well"])
    (missing,) = explain(Wait(), around())
    assert (missing.code, missing.owner) == ("agent_missing", "caller")
    (none,) = explain(unmatched, around())
    assert (none.code, none.name) == ("no_agent_matches", "write, draw well")
    assert none.remedy.endswith(
        "signoff agents create --name NAME --url URL --capability write --capability 'draw well'"
    )
    off, paused = Candidate("a b", enabled=False, paused=True), Candidate("c", enabled=True, paused=True)
    disabled, resting = explain(replace(unmatched, candidates=[off, paused]), around())
    assert (disabled.code, disabled.name, disabled.remedy) == (
        "agent_disabled",
        "a b",
        "enable it: signoff agents update 'a b' --enabled",
    )
    assert (resting.code, resting.name, resting.remedy) == (
        "limit_paused",
        "agent:c",
        "resume it: signoff agents resume c",
    )
    free = Candidate("d", enabled=True, paused=False)
    assert codes(replace(unmatched, candidates=[off, free])) == ["queue"]


def test_a_sum_counts_each_for_its_first_reason_and_tells_the_earliest_time() -> None:
    waits = [
        replace(DUE, count=390),
        replace(DUE, tenant="other", flow=["agent:free"], count=2),
        replace(DUE, tenant="other", due_at=LATER, count=15),
        replace(DUE, tenant="third", due_at=SOON, count=4),
        replace(DUE, tenant="third", due_at=LATER, count=1),
        replace(DUE, state=ExecutionState.LEASED, count=7),
    ]
    sums = sum_up(waits, around(FULL, OPEN))
    told = [(each.code, each.name, each.count, each.until) for each in sums]
    assert told == [("circuit_open", "writer", 390, LATER), ("not_before", "", 20, SOON), ("queue", "", 2, None)]
    assert sums[0].remedy.startswith("mend the agent")
    (most,) = sum_up([replace(DUE, tenant="other", due_at=LATER), replace(DUE, count=3)], around(FULL, OPEN), 1)
    assert (most.code, most.count) == ("circuit_open", 3)
    (most,) = sum_up([replace(DUE, tenant="other", due_at=LATER, count=3), DUE], around(FULL, OPEN), 1)
    assert (most.code, most.count) == ("not_before", 3)


def test_each_reason_is_told_whole() -> None:
    """Its code and name, whose it is, since and until when, the numbers; what lifts it stands elsewhere."""
    waits = {
        "queue": (DUE, around()),
        "offered": (replace(DUE, state=ExecutionState.OFFERED), around()),
        "not_before": (replace(DUE, due_at=SOON), around()),
        "retry_backoff": (replace(DUE, due_at=SOON, is_again=True), around()),
        "limit_paused": (DUE, around(PAUSED)),
        "limit_concurrency": (DUE, around(FULL)),
        "limit_rate": (DUE, around(STARTED)),
        "limit_usd_per_day": (DUE, around(SPENT)),
        "circuit_open": (DUE, around(OPEN)),
        "circuit_probing": (DUE, around(PROBED)),
        "no_worker": (DUE, around(EXECUTING=NONE)),
        "no_room": (DUE, around(EXECUTING=TAKEN)),
        "judge_away": (Wait(ExecutionStage.JUDGING, ExecutionState.LEASED, judge_away_at=NOW), around()),
        "agent_missing": (Wait(), around()),
        "no_agent_matches": (Wait(needed=["write"]), around()),
        "agent_disabled": (Wait(needed=["write"], candidates=[Candidate("a", enabled=False, paused=False)]), around()),
    }
    told = {code: explain(*case) for code, case in waits.items()}
    assert told["not_before"][0].remedy.startswith("it begins at that time")
    assert told["retry_backoff"][0].remedy == "it is tried again"
    assert {
        code: [reason.model_copy(update={"remedy": ""}) for reason in reasons] for code, reasons in told.items()
    } == {
        code: [Reason(code=code, owner=owner, remedy="", **fields)]
        for code, owner, fields in (
            ("queue", "signoff", {}),
            ("offered", "signoff", {"name": "executor"}),
            ("not_before", "time", {"until": SOON}),
            ("retry_backoff", "time", {"until": SOON}),
            ("limit_paused", "operator", {"name": "tenant:press", "since": NOW}),
            ("limit_concurrency", "operator", {"name": "tenant:press", "used": 5, "allowed": 5}),
            ("limit_rate", "time", {"name": "agent:writer", "used": 3, "allowed": 3, "until": NOW + 6 * SECOND}),
            ("limit_usd_per_day", "time", {"name": "tenant:press", "until": DAY_END, **SUMS}),
            ("circuit_open", "agent", {"name": "writer", "used": 5, "until": LATER}),
            ("circuit_probing", "agent", {"name": "writer", "used": 5}),
            ("no_worker", "operator", {"name": "executor", "since": NONE.seen_at}),
            ("no_room", "operator", {"name": "executor", "used": 200, "allowed": 200}),
            ("judge_away", "operator", {"since": NOW}),
            ("agent_missing", "caller", {}),
            ("no_agent_matches", "operator", {"name": "write"}),
            ("agent_disabled", "operator", {"name": "a"}),
        )
    }


def test_a_sum_of_nothing_is_empty() -> None:
    assert sum_up([], Circumstances(NOW)) == []
    assert [each.code for each in sum_up([DUE], Circumstances(NOW))] == ["no_worker"]


@pytest.mark.parametrize("own", [{"tenant:press"}, {"tenant:press", "agent:writer"}], ids=["shared", "own agent"])
def test_a_caller_of_some_tenants_learns_no_number_in_which_others_are_counted(own: set[str]) -> None:
    """That of its own tenant and, where nobody else uses it, of its agent."""
    held = (FULL, replace(FULL, name="agent:writer"), replace(FULL, name="label:team=red 'n blue"), OPEN)
    full = {"EXECUTING": replace(TAKEN, free=0)}
    told = explain(DUE, around(*held, **full))
    assert [reason.used for reason in told] == [5, 5, 5, 5, 200]
    of_agent = 5 if "agent:writer" in own else None
    seen = explain(DUE, replace(around(*held, **full), own=frozenset(own)))
    assert [(reason.code, reason.used, reason.allowed) for reason in seen] == [
        ("circuit_open", of_agent, None),
        ("limit_concurrency", 5, 5),
        ("limit_concurrency", of_agent, 5),
        ("limit_concurrency", None, 5),
        ("no_room", None, None),
    ]
    assert [reason.remedy for reason in seen] == [reason.remedy for reason in told]
