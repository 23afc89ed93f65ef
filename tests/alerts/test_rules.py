"""Each alert fires at what it is about, and at nothing else, and clears: synthetic series, by `promtool test rules`."""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
import yaml
from support.prometheus import need

from alerts.scaled import scale

RULES = Path(__file__).parents[2] / "deploy/helm/signoff/files/alerts.yml"
PAGE, TICKET = {"severity": "page"}, {"severity": "ticket"}
#: A value at a minute; `_`: it is not known, `stale`: nobody shows it any more.
Value: TypeAlias = Callable[[int], float | str]
#: A value at a minute, of a series with a fault, given the minute at which that began.
Fault: TypeAlias = Callable[[int, int], float | str]
DAY_S = 86_400


def each_minute(step: float, at_first: float = 0.0) -> Value:
    return lambda minute: at_first + step * minute


def always(value: float) -> Value:
    return lambda _: value


def during(minutes: int, value: float, otherwise: float = 0.0) -> Fault:
    """A value for some minutes, and another one afterwards."""
    return lambda minute, begin: value if minute < begin + minutes else otherwise


def grows(minutes: int, step: float, otherwise: float = 0.0) -> Fault:
    """A counter that grows otherwise by so much a minute, and by `step` while the fault lasts."""

    def value(minute: int, begin: int) -> float:
        ill = min(max(minute - begin, 0), minutes)
        return step * ill + otherwise * (minute - ill)

    return value


def ends_in(minutes: int, seconds: float) -> Fault:
    """A certificate that ends so many seconds after the fault began, and is replaced."""
    return lambda minute, begin: begin * 60 + (seconds if minute < begin + minutes else 90 * DAY_S)


def gone(minutes: int, value: Value) -> Fault:
    """A series that nobody shows while the fault lasts."""
    return lambda minute, begin: "stale" if minute < begin + minutes else value(minute)


def stops(minutes: int, value: Value) -> Fault:
    """A series that stays as it was at the beginning of the fault while that lasts."""
    return lambda minute, begin: value(begin if minute < begin + minutes else minute)


def grpc(code: str, method: str = "signoff.v1.JobService/CreateJob") -> str:
    return f'signoff_grpc_requests_total{{instance="a",method="{method}",code="{code}"}}'


def http(status: int, route: str = "/api/jobs") -> str:
    return f'signoff_http_requests_total{{instance="c",method="GET",route="{route}",status="{status}"}}'


def used(instance: str) -> str:
    return f'signoff_storage_used_bytes{{instance="{instance}",storage="disk /data"}}'


def wait(reason: str, owner: str = "operator") -> str:
    return f'signoff_executions_waiting{{instance="a",reason="{reason}",owner="{owner}"}}'


TIMED_OUT = 'signoff_executions_failed_total{instance="a",code="judging_timeout"}'
#: A stack under load, in which clients make mistakes, limits hold work back, and a disk fills within years.
HEALTHY: Mapping[str, Value] = {
    'signoff_processes{instance="a",kind="executor"}': always(1),
    'signoff_processes{instance="a",kind="validator"}': always(2),
    'signoff_processes{instance="a",kind="jobstore"}': always(2),
    'signoff_process_clock_difference_seconds{instance="a",kind="executor"}': always(0.02),
    'signoff_queue_turn_oldest_seconds{instance="a"}': always(0.1),
    'signoff_offers_unclaimed{instance="a"}': always(0),
    'signoff_facts_unpublished_oldest_seconds{instance="a"}': always(0.01),
    'signoff_dead_letters_open{instance="a",topic="execute-requested-dlq"}': always(0),
    wait("limit_concurrency"): always(40),
    wait("no_agent_matches"): always(3),
    wait("judge_away"): always(0),
    'signoff_group_stalled_partitions{instance="a",group="signoff-executor"}': always(0),
    'signoff_group_stalled_partitions{instance="b",group="signoff-executor"}': always(0),
    'signoff_database_outage{instance="a",code="database_unavailable"}': always(0),
    'signoff_database_outage{instance="b",code="database_unavailable"}': always(0),
    'signoff_http_connections{instance="c"}': always(1),
    grpc("OK"): each_minute(600),
    grpc("NOT_FOUND"): each_minute(60),
    grpc("RESOURCE_EXHAUSTED"): each_minute(60),
    grpc("UNAVAILABLE"): always(0),
    grpc("UNAVAILABLE", "signoff.worker.v1.WorkService/Claim"): each_minute(60),
    http(200): each_minute(300),
    http(404): each_minute(60),
    http(507): each_minute(60),
    http(503): always(0),
    http(503, "none"): each_minute(60),
    'signoff_verdicts_total{instance="a",outcome="met"}': each_minute(60),
    'signoff_verdicts_total{instance="a",outcome="not_met"}': each_minute(20),
    'signoff_verdicts_total{instance="a",outcome="unjudged"}': always(0),
    TIMED_OUT: always(0),
    'signoff_judging_seconds_count{instance="a"}': each_minute(80),
    'signoff_judging_seconds_bucket{instance="a",le="300.0"}': each_minute(80),
    used("a"): each_minute(1e4, 20e9),
    used("b"): each_minute(1e4, 20e9),
    'signoff_storage_total_bytes{instance="a",storage="disk /data"}': always(100e9),
    'signoff_storage_full{instance="a",storage="disk /data"}': always(0),
    'signoff_archived_seconds{instance="a"}': each_minute(60),
    'signoff_archived_seconds{instance="b"}': always(0),
    'signoff_checkpoint_seconds{instance="a"}': lambda minute: minute // 1_440 * DAY_S + 1,
    'signoff_certificate_ends_seconds{instance="a",file="/tls.pem"}': always(90 * DAY_S),
}
#: Families that one jobstore shows for all, by what it reads from the database.
SAMPLED = (
    *("signoff_executions_waiting", "signoff_processes", "signoff_process_clock", "signoff_queue", "signoff_offers"),
    *("signoff_facts_unpublished", "signoff_dead_letters_open"),
)
#: Families that begin anew with a process.
COUNTED = (*("signoff_grpc_requests", "signoff_verdicts", "signoff_judging", "signoff_archived", "signoff_checkpoint"),)


class Case(NamedTuple):
    """A fault, the minutes after its beginning at which the alert fires and is over, and in which forms it fires."""

    alert: str
    series: Mapping[str, Fault]
    fires: int
    over: int
    forms: Sequence[tuple[Mapping[str, str], str]]


def burns(summary: str, hour: str, six_hours: str, days: str, **labels: str) -> list[tuple[Mapping[str, str], str]]:
    """How an alert fires whose budget burns so fast that it shows in each of the three windows."""
    told = {"1h": (PAGE, hour, "hour"), "6h": (PAGE, six_hours, "six hours"), "3d": (TICKET, days, "three days")}
    return [
        ({**severity, **labels, "window": window}, summary.format(share, words))
        for window, (severity, share, words) in told.items()
    ]


WAITED = "executions waited without a reason of theirs for {} of the last {}"
MISSED = "{} of the results of the last {} got no verdict, or none within five minutes"
FAILED = "{} of the calls by DOOR failed in the last {}, and not by their callers' fault"
BURN_OVER = 8 * 60
#: What users feel, all at once: nothing of one shows at another.
SYMPTOMS = [
    Case(
        *("SignoffExecutionsNotBegun", {'signoff_queue_turn_oldest_seconds{instance="a"}': during(12, 90)}),
        *(10, BURN_OVER, burns(WAITED, "23.08%", "20%", "20%")),
    ),
    Case(
        "SignoffVerdictsNotGiven",
        {
            'signoff_verdicts_total{instance="a",outcome="met"}': grows(20, 20, 60),
            'signoff_verdicts_total{instance="a",outcome="unjudged"}': grows(20, 40),
        },
        *(20, BURN_OVER, burns(MISSED, "16.67%", "12.5%", "12.5%")),
    ),
    Case(
        *("SignoffDoorsFailing", {grpc("UNAVAILABLE"): grows(10, 120), http(503): grows(10, 120)}),
        *(10, BURN_OVER),
        [
            *burns(FAILED.replace("DOOR", "grpc"), "2.703%", "2.326%", "2.326%", door="grpc"),
            *burns(FAILED.replace("DOOR", "rest"), "4.545%", "3.922%", "3.922%", door="rest"),
        ],
    ),
]
#: The same for other reasons: each of the lists is of one time.
REASONS = [
    [Case("SignoffVerdictsNotGiven", {TIMED_OUT: grows(20, 40)}, 20, 70, ())],
    [
        Case("SignoffExecutionsNotBegun", {'signoff_offers_unclaimed{instance="a"}': during(12, 3)}, 12, 50, ()),
        Case(
            *(
                "SignoffVerdictsNotGiven",
                {'signoff_judging_seconds_bucket{instance="a",le="300.0"}': grows(20, 40, 80)},
            ),
            *(20, 70, ()),
        ),
        Case("SignoffDoorsFailing", {grpc("INTERNAL"): grows(10, 120)}, 10, 50, ()),
    ],
]
#: Why users feel it, or will: one after the other.
CAUSES = [
    Case(
        *("SignoffNoWorker", {'signoff_processes{instance="a",kind="executor"}': during(6, 0, 1)}, 4, 8),
        [(PAGE | {"kind": "executor"}, "no executor has been heard of lately")],
    ),
    Case(
        "SignoffDoorAway",
        {'signoff_http_connections{instance="c"}': gone(6, always(1))},
        *(4, 12, [(PAGE | {"door": "rest"}, "no console can be scraped: REST and the page are away")]),
    ),
    Case(
        "SignoffDoorAway",
        {name: gone(6, value) for name, value in HEALTHY.items() if 'instance="c"' not in name},
        *(4, 12),
        [
            (
                PAGE | {"door": "grpc"},
                "no jobstore says what waits: all are away or frozen, or none can read the database in time",
            )
        ],
    ),
    Case(
        "SignoffDatabaseOutage",
        {
            'signoff_database_outage{instance="b",code="database_unavailable"}': during(6, 1),
            **{name: gone(6, value) for name, value in HEALTHY.items() if name.startswith(SAMPLED)},
        },
        *(3, 12, [(PAGE | {"code": "database_unavailable"}, "the database cannot be written: database_unavailable")]),
    ),
    Case(
        "SignoffFactsNotPublished",
        {'signoff_facts_unpublished_oldest_seconds{instance="a"}': during(6, 150)},
        *(4, 8, [(PAGE, "the oldest fact that is not published is 2m 30s old")]),
    ),
    Case(
        "SignoffGroupStalled",
        {'signoff_group_stalled_partitions{instance="b",group="signoff-executor"}': during(10, 2)},
        *(7, 12),
        [
            (
                PAGE | {"group": "signoff-executor"},
                "2 partitions of signoff-executor have unread records and do not move",
            )
        ],
    ),
    Case(
        "SignoffJudgeAway",
        {wait("judge_away"): during(10, 17)},
        *(7, 12, [(PAGE, "17 results wait for a judge that does not answer")]),
    ),
    Case(
        "SignoffStorageFull",
        {'signoff_storage_full{instance="a",storage="disk /data"}': during(5, 1)},
        *(3, 8, [(PAGE | {"storage": "disk /data"}, "no new work is taken: disk /data is nearly full")]),
    ),
    Case(
        "SignoffDiskFills",
        {
            used(each): lambda minute, begin: 20e9 + (1e9 * (minute - begin) if minute < begin + 50 else 0)
            for each in "ab"
        },
        *(
            45,
            120,
            [
                (
                    PAGE | {"storage": "disk /data"},
                    "disk /data will hold 245.5GiB in four hours, at which no new work is taken",
                )
            ],
        ),
    ),
    Case(
        "SignoffArchiveStandsStill",
        {'signoff_archive_outage{instance="a",code="archive_unavailable"}': during(20, 1)},
        *(18, 25),
        [(TICKET | {"code": "archive_unavailable", "sign": "outage"}, "facts are not archived: archive_unavailable")],
    ),
    Case(
        "SignoffArchiveStandsStill",
        {'signoff_archived_seconds{instance="a"}': stops(30, each_minute(60))},
        *(25, 35, [(TICKET | {"sign": "age"}, "facts were archived last 25m 0s ago")]),
    ),
    Case(
        "SignoffArchiveStandsStill",
        {'signoff_archived_seconds{instance="a"}': gone(30, each_minute(60))},
        *(25, 35, [(TICKET | {"sign": "age"}, "facts were archived last 26m 0s ago")]),
    ),
    Case(
        "SignoffCheckpointStandsStill",
        {'signoff_checkpoint_outage{instance="a",code="wrong_archive"}': during(40, 1)},
        *(35, 45),
        [(TICKET | {"code": "wrong_archive", "sign": "outage"}, "no checkpoint is written: wrong_archive")],
    ),
    Case(
        "SignoffDeadLetters",
        {'signoff_dead_letters_open{instance="a",topic="execute-requested-dlq"}': during(20, 5)},
        *(15, 25),
        [
            (
                TICKET | {"topic": "execute-requested-dlq"},
                "5 records in execute-requested-dlq could not be processed, and nobody has decided about them",
            )
        ],
    ),
    Case(
        "SignoffClocksDiffer",
        {'signoff_process_clock_difference_seconds{instance="a",kind="executor"}': during(10, 90)},
        *(8, 15),
        [
            (
                TICKET | {"kind": "executor"},
                "the clock of a process (executor) differs from the database's by 1m 30s",
            )
        ],
    ),
    Case(
        "SignoffCertificateEnds",
        {'signoff_certificate_ends_seconds{instance="a",file="/tls.pem"}': ends_in(20, 5 * DAY_S)},
        *(10, 25, [(TICKET | {"file": "/tls.pem"}, "the certificate /tls.pem ends in 4d 23h 50m 0s")]),
    ),
    Case(
        "SignoffCertificateEnds",
        {'signoff_certificate_ends_seconds{instance="a",file="/tls.pem"}': ends_in(20, DAY_S)},
        *(10, 25),
        [
            (severity | {"file": "/tls.pem"}, "the certificate /tls.pem ends in 23h 50m 0s")
            for severity in (PAGE, TICKET)
        ],
    ),
]
#: What takes days.
SLOW = [
    Case(
        "SignoffDiskFills",
        {used("a"): lambda minute, begin: 20e9 + (12e6 * (minute - begin) if minute < begin + 720 else 0)},
        *(
            10 * 60,
            24 * 60,
            [
                (
                    TICKET | {"storage": "disk /data"},
                    "disk /data will hold 89.7GiB in four days, at which no new work is taken",
                )
            ],
        ),
    ),
    Case(
        "SignoffCheckpointStandsStill",
        {'signoff_checkpoint_seconds{instance="a"}': during(60 * 60, DAY_S, 3.5 * DAY_S)},
        *(
            60 * 60 - 30,
            60 * 60 + 60,
            [(TICKET | {"sign": "age"}, "the last checkpoint was written 2d 11h 30m 0s ago")],
        ),
    ),
]
ASK = 'count by (alertname) (ALERTS{{alertstate="firing"{}}}) > bool 0'


def put(cases: Iterable[tuple[int, Case]]) -> dict[str, Value]:
    """The healthy series, with the faults of cases that begin at some minutes."""
    series: dict[str, Value] = dict(HEALTHY)
    for begin, case in cases:
        for name, fault in case.series.items():
            series[name] = _put(series.get(name, lambda _: "_"), fault, begin, begin + case.over)
    return series


def _put(value: Value, fault: Fault, begin: int, end: int) -> Value:
    return lambda minute: fault(minute, begin) if begin <= minute < end else value(minute)


def expect(minute: int, alerts: Iterable[str] = (), only: str = "") -> dict[str, object]:
    """These alerts fire at a minute, each in whichever forms, and no others."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)]
    return {"expr": ASK.format(only), "eval_time": f"{minute}m", "exp_samples": samples}


def expect_forms(minute: int, case: Case) -> dict[str, object]:
    annotations = next(rule["annotations"] for rule in list_alerts() if rule["alert"] == case.alert)
    forms = [
        {"exp_labels": dict(labels), "exp_annotations": {**annotations, "summary": summary}}
        for labels, summary in case.forms
    ]
    return {"alertname": case.alert, "eval_time": f"{minute}m", "exp_alerts": forms}


def list_alerts() -> Iterator[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return (rule for group in groups for rule in group["rules"] if "alert" in rule)


def run(  # noqa: PLR0917 - each is of one test
    folder: Path,
    series: Mapping[str, Value],
    until: int,
    firing: list[Any],
    forms: Sequence[Any] = (),
    every: int = 1,
    scraped_every: int = 1,
) -> None:
    """Let promtool evaluate the rules each so many minutes, and compare what fires."""
    spelt = {
        name: " ".join(
            f"{each:.12g}" if isinstance(each, float | int) else each
            for each in map(value, range(0, until + 1, scraped_every))
        )
        for name, value in series.items()
    }
    test = {
        "interval": f"{scraped_every}m",
        "input_series": [{"series": name, "values": values} for name, values in spelt.items()],
        "alert_rule_test": [*forms],
        "promql_expr_test": firing,
    }
    file = folder / "rules_test.yml"
    order = [group["name"] for group in yaml.safe_load(RULES.read_text())["groups"]]
    how = {"rule_files": [str(RULES)], "evaluation_interval": f"{every}m", "group_eval_order": order}
    file.write_text(yaml.safe_dump(how | {"tests": [test]}))
    done = subprocess.run([need("promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_case() -> None:
    assert {case.alert for case in (*SYMPTOMS, *CAUSES, *SLOW)} == {each["alert"] for each in list_alerts()}


def test_what_users_feel_pages_and_makes_a_ticket_and_clears(tmp_path: Path) -> None:
    begin, end = 60, 60 + BURN_OVER
    names = {case.alert for case in SYMPTOMS}
    pages = ',severity="page"'
    told = [expect(begin - 1), expect(begin + 20, names), expect(begin + 60, only=pages), expect(end)]
    forms = [expect_forms(begin + case.fires, case) for case in SYMPTOMS]
    run(tmp_path, put((begin, case) for case in SYMPTOMS), end, told, forms, every=5)


@pytest.mark.parametrize("cases", REASONS, ids=["timeouts", "others"])
def test_what_users_feel_pages_for_each_reason(tmp_path: Path, cases: list[Case]) -> None:
    begin = 60
    told = [expect(begin - 1), expect(begin + 20, {case.alert for case in cases})]
    run(tmp_path, put((begin, case) for case in cases), begin + 20, told, every=5)


def test_each_cause_fires_its_alert_alone_and_it_clears(tmp_path: Path) -> None:
    begin, placed = 60, []
    for case in CAUSES:
        placed.append((begin, case))
        begin += case.over + 1
    firing = [expect(59)]
    for at, case in placed:
        firing += [expect(at + case.fires, {case.alert}), expect(at + case.over)]
    unmoved = (
        "signoff_grpc",
        "signoff_http_requests",
        "signoff_verdicts",
        "signoff_judging",
    )  # they take most of the time
    series = {name: value for name, value in put(placed).items() if not name.startswith(unmoved)}
    run(tmp_path, series, begin, firing, [expect_forms(at + case.fires, case) for at, case in placed])


@pytest.mark.parametrize("case", SLOW, ids=lambda case: case.alert)
def test_what_takes_days_makes_a_ticket(tmp_path: Path, case: Case) -> None:
    begin, every = 24 * 60, 30
    known = ("signoff_processes", "signoff_http_connections", "signoff_storage", "signoff_checkpoint")
    series = {name: value for name, value in put([(begin, case)]).items() if name.startswith(known)}
    told = [expect(begin), expect(begin + case.fires, {case.alert}), expect(begin + case.over)]
    run(tmp_path, series, begin + case.over, told, [expect_forms(begin + case.fires, case)], every, every)


def test_nothing_fires_in_the_first_minutes_of_an_idle_stack(tmp_path: Path) -> None:
    """Nothing was executed yet, and nothing is archived; a minute goes by until a jobstore samples."""
    idle = dict(HEALTHY)
    for name in HEALTHY:
        if name.startswith(("signoff_verdicts", "signoff_judging", "signoff_executions_failed")):
            del idle[name]
        elif name.startswith(("signoff_archived", "signoff_checkpoint")):
            idle[name] = always(0)
        elif name.startswith(SAMPLED):
            idle[name] = _put(HEALTHY[name], lambda *_: "_", 0, 1)
        elif "_requests_total" in name:
            idle[name] = each_minute(0.5 if name in {grpc("OK"), http(200)} else 0.0)
    run(tmp_path, idle, 30, [expect(minute) for minute in range(30)])


def test_nothing_fires_where_one_jobstore_of_two_is_restarted(tmp_path: Path) -> None:
    """It is the one that samples and archives, whose counters begin anew; the other one takes over after a minute."""
    begin = 60
    series = dict(HEALTHY)
    for name, value in HEALTHY.items():
        if 'instance="a"' in name:
            series[name] = _put(value, _restart(name, value), begin, 1_000)
        if 'instance="a"' in name and name.startswith((*SAMPLED, "signoff_archived")):
            taken_over = _put(lambda _: "_", lambda minute, _, value=value: value(minute), begin + 1, 1_000)
            series[name.replace('instance="a"', 'instance="b"')] = taken_over
    run(tmp_path, series, begin + 30, [expect(minute) for minute in range(begin - 1, begin + 30)])


def _restart(name: str, value: Value) -> Fault:
    def told(minute: int, begin: int) -> float | str:
        if minute == begin or name.startswith(SAMPLED):
            return "stale"
        if name.startswith(("signoff_archived", "signoff_checkpoint")):
            return 0.0
        now, then = value(minute), value(begin)
        is_counter = name.startswith(COUNTED) and isinstance(now, float | int) and isinstance(then, float | int)
        return now - then if is_counter else now

    return told


@pytest.mark.parametrize(
    ("told", "scaled"),
    [
        ('rate(x_bucket{le="300.0"}[1h] offset 3d)', 'rate(x_bucket{le="300.0"}[30s] offset 2160s)'),
        ("for: 5m", "for: 25s"),
        ('{of: a_seconds}, expr: "172800"}', '{of: a_seconds}, expr: "1440"}'),
        ('{of: a_seconds}, expr: "5"}', '{of: a_seconds}, expr: "5"}'),
        ('{of: burn}, expr: "14.4"}', '{of: burn}, expr: "14.4"}'),
    ],
)
def test_durations_are_scaled_and_nothing_else(told: str, scaled: str) -> None:
    assert scale(told) == scaled
