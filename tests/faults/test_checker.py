"""The checker finds nothing in a run that went well, and each broken promise in one that did not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from faults.checking import models
from faults.checking.checker import CHECKS, all_goes_on_after_a_thief, check
from faults.checking.observed import (
    AgentCall,
    Asked,
    Barred,
    Batched,
    Cancelled,
    Death,
    ExecutionRow,
    Fault,
    Heard,
    Hostility,
    JobRow,
    JudgeCall,
    LogRow,
    Observed,
    Pause,
    Poison,
    Record,
    Rejudged,
    Replayed,
    Revoked,
    Stop,
    Theft,
)
from faults.stories import LIFE, PID, E, J, call, entry, facts, modelled, observed


def test_a_run_that_went_well_breaks_nothing() -> None:
    assert check(observed()) == []


def known(**fields: object) -> list[ExecutionRow]:
    return [replace(observed().executions[0], **fields)]  # type: ignore[arg-type]


FAILED = entry(4, "failed", "FAILED", code="agent_status")
DEAD = Record("execute-requested-dlq", 0, 0, None, b"whole", [("dlq-error-code", b"internal")])
RUN = [("dlq-repeats", b"4"), ("dlq-partition", b"3"), ("dlq-offset", b"7"), ("dlq-last-offset", b"11")]
LAPSED = (
    *LIFE[:3],
    entry(4, "lapsed", "IN_PROGRESS", code="lease_lapsed", at=107.0),
    entry(5, "claimed", "IN_PROGRESS", attempt=2, lease=2, at=107.5),
    entry(6, "failed", "FAILED", attempt=2, lease=2, at=109.0),
)
STOPPED = {"stops": [Stop("executor", PID, 103.2, 1.0, 0)], "agent_calls": [call(103.0, ended="aborted")]}
TERM = Fault("stop", "executor", 103.2, 104.5, PID)


def buried(*offsets: int) -> dict[str, list[Record]]:
    """Forged reports under one lease, by where each lay."""
    body = json.dumps({"execution_id": E, "lease": 2}).encode()
    where = [("dlq-error-code", b"bad_signature"), ("dlq-topic", b"result-produced"), ("dlq-partition", b"0")]
    topic = "result-produced-dlq"
    letters = [Record(topic, 0, n, None, body, [*where, ("dlq-offset", b"%d" % at)]) for n, at in enumerate(offsets)]
    return {**observed().topics, topic: letters}


CRASH = Fault("kill", "executor", 103.1, 103.2, PID)


def shown(*times: float, agent: str = "graph") -> list[AgentCall]:
    """Calls of an agent at which each piece of work can be found again."""
    return [replace(call(at), agent=agent) for at in times]


BEGUN = entry(6, "rejudged", "IN_PROGRESS", lease=2, code="rejudged")
MET_AGAIN = entry(7, "met", "COMPLETED", lease=3, code="rejudged", is_valid=True, policy="quorum@2", stages=("quorum",))
AGAIN = (*LIFE, BEGUN, MET_AGAIN)
REFUSED = {"kind": "not_met", "status": "RESUBMISSION_REQUIRED", "job_status": "RESUBMISSION_REQUIRED"}


def resubmitted(by_hand: bool) -> Observed:
    """A job whose first submission was not met, and whose second follows."""
    again = [entry(6, "requested", "ASSIGNED", execution_id="again", submission=2)]
    first = [*LIFE[:4], entry(5, "not_met", "RESUBMISSION_REQUIRED", lease=2, submission=1, agent_id="slow")]
    asked = [Asked("again", J, "slow", "resubmit", 105.5, "accepted", 105.6)] if by_hand else []
    return observed(*first, *again, asked=[*observed().asked, *asked], models=modelled(agents=frozenset({"slow"})))


def rejudged(*logs: LogRow, outcome: str = "DONE", shadow: bool = False, **fields: object) -> Observed:
    """A job of another agent whose result was judged again, by a quorum of three, from 106.3 to 109."""
    asked = Rejudged(shadow, "quorum@2", 106.3, 109.0, str(fields.pop("state", "DONE")), {J: outcome})
    again = [JudgeCall(E, 106.5, "verdict", is_valid=True, judged="begin", model=name) for name in ("first", "second")]
    calls = [*observed().judge_calls, *again]
    return observed(*(logs or AGAIN), **{"rejudged": [asked], "judge_calls": calls, "models": modelled(), **fields})


def beside_hostile(**fields: Any) -> Observed:
    """A run with a hostile tenant; of the fields those of `Hostility` are its own."""
    own = {name: value for name, value in fields.items() if name in Hostility.__dataclass_fields__}
    logs = fields.pop("logs", LIFE)
    return observed(*logs, hostile=Hostility(**own), **{name: fields[name] for name in fields.keys() - own.keys()})


def heard(**fields: Any) -> Heard:
    return Heard("GET /api/jobs", "viewer", 104.0, "ok", **fields)


def revoked(**fields: Any) -> Revoked:
    return Revoked("radio-viewer-1", 50.0, **fields)


#: It begins while another waits.
OF_RADIO = [
    replace(entry(1, "claimed", "IN_PROGRESS", execution_id="of radio", at=70.0), job_id="radio:1"),
    replace(entry(2, "result", "IN_PROGRESS", execution_id="of radio", at=103.0), job_id="radio:1"),
]
FACT_OF_RADIO = (
    b'{"job_id": "radio:1", "version": 1, "log": {"id": "1"}, "job": {"tenant": "radio", "title": "kestrel-title"}}'
)
TELLING = ("dlq-error-message", b"press:storm-7-1 is taken")


def judged(policy: str, *stages: str, voters: tuple[str, ...] = ("first", "second"), **fields: object) -> Observed:
    """A job with a judge policy, judged by stages."""
    entry = replace(LIFE[4], policy=policy, stages=stages, **fields)
    calls = [
        JudgeCall(E, 104.5, "verdict", is_valid=entry.kind == "met", judged="begin", model=name) for name in voters
    ]
    lacking = 1 if fields.get("kind") == "not_met" else 0
    return observed(*LIFE[:4], entry, judge_calls=calls, models=modelled(judge="quorum@2", lacking=lacking))


def answered_twice(agent: str, other: str) -> Observed:
    """A job whose first answer was not met, and whose second makes no progress."""
    first = entry(5, **REFUSED, lease=2, submission=1, agent_id=agent)  # type: ignore[arg-type]
    again = entry(6, **REFUSED, execution_id="again", submission=2, code="no_progress", agent_id=other)  # type: ignore[arg-type]
    return observed(*LIFE[:4], first, again)


#: The last entry of a job.
REMOVED = entry(6, "removed", "COMPLETED", at=170.0, attempt=None, lease=None)
GROUP = frozenset({"signoff-executor"})
PLANTED = {
    "accepted and unknown": (1, observed(executions=[], asked=observed().asked)),
    "published and unknown": (
        1,
        observed(executions=[], asked=[Asked(E, J, "steady", "event", 101.0, "published", 102.0)]),
    ),
    "a cancel without an answer": (1, observed(cancels=[Cancelled(J, "event", "unanswered")])),
    "never ended": (1, observed(executions=known(state="OFFERED"))),
    "ended without a word": (1, observed(*LIFE[:4])),
    "live for ever": (1, observed(jobs=[JobRow(J, "COMPLETED", 5, live=True)])),
    "a failure that nobody explains": (1, observed(*LIFE[:3], FAILED, models=modelled())),
    "cancelled by nobody": (1, observed(*LIFE[:3], entry(4, "cancelled", "CANCELLED"), models=modelled())),
    "declined by nobody": (1, observed(*LIFE[:3], entry(4, "declined", "REJECTED"), models=modelled())),
    "judging again never ended": (1, rejudged(state="RUNNING", outcome="WAITING")),
    "judged again, and no entry": (1, rejudged(*LIFE)),
    "refused, and two entries": (1, rejudged(outcome="moved_on")),
    "a job that rested was not judged again": (1, rejudged(*LIFE, outcome="execution_live")),
    "no progress after a hand-over": (1, answered_twice("slow", "flaky")),
    "removed though it was held": (1, observed(*LIFE, REMOVED, held={J: 160.0})),
    "removed while an execution was live": (1, observed(*LIFE[:4], replace(REMOVED, version=5))),
    "changed after it was removed": (1, observed(*LIFE, REMOVED, replace(REMOVED, version=7, kind="edited"))),
    "no arrow": (2, observed(*LIFE[:2], entry(3, "met", "COMPLETED"))),
    "a version is missing": (2, observed(*LIFE[:3], LIFE[4])),
    "a version twice": (2, observed(*LIFE[:4], replace(LIFE[4], version=4))),
    "the job is not where its log ends": (2, observed(jobs=[JobRow(J, "FAILED", 5, live=False)])),
    "a trace that ends at another time": (
        2,
        observed(topics={"job-changed": facts(*LIFE[:4], replace(LIFE[4], at=108.0)), "execute-requested-dlq": []}),
    ),
    "changed by a shadow": (2, rejudged(shadow=True)),
    "requested since a judge proved nothing": (
        4,
        observed(
            *LIFE[:4],
            entry(5, "failed", "FAILED", lease=2, code="verdict_unproven"),
            entry(6, "requested", "ASSIGNED", execution_id="again"),
        ),
    ),
    "judged again without a verdict": (2, rejudged(*LIFE, BEGUN, replace(MET_AGAIN, kind="failed", status="FAILED"))),
    "another submission by judging again": (2, rejudged(*LIFE, BEGUN, replace(MET_AGAIN, submission=2))),
    "judged again after another has ended": (2, rejudged(*AGAIN[:5], replace(BEGUN, execution_id="other"), MET_AGAIN)),
    "requested by itself after judging again": (
        2,
        rejudged(*LIFE, BEGUN, replace(MET_AGAIN, **REFUSED), entry(8, "requested", "ASSIGNED", execution_id="again")),
    ),
    "under way again, and not judged": (2, rejudged(*LIFE, replace(BEGUN, kind="claimed"), MET_AGAIN)),
    "a fact is missing": (2, observed(topics={"job-changed": facts(*LIFE[:4])})),
    "facts out of order": (2, observed(topics={"job-changed": facts(*LIFE[:2], *LIFE[3:], *LIFE[2:])})),
    "an emptied topic was not filled": (
        2,
        observed(topics={"job-changed": facts(*LIFE[2:])}, faults=[Fault("empty", "kafka", 1, 2)]),
    ),
    "a fact that is another": (2, observed(topics={"job-changed": facts(*LIFE[:4], replace(LIFE[4], id="other"))})),
    "a watch skipped": (2, observed(watched=[[(J, v) for v in (1, 2, 4, 5)]])),
    "a watch repeated": (2, observed(watched=[[(J, v) for v in (1, 2, 3, 3, 4, 5)]])),
    "one of two watches ended early": (2, observed(watched=[[(J, v) for v in range(1, n)] for n in (6, 5)])),
    "two live at once": (3, observed(*LIFE[:3], entry(4, "requested", "ASSIGNED", execution_id="other"))),
    "judged again while live": (3, rejudged(*LIFE[:4], replace(BEGUN, version=5), replace(MET_AGAIN, version=6))),
    "a result twice": (3, observed(*LIFE[:4], entry(5, "result", "IN_PROGRESS"), replace(LIFE[4], version=6))),
    "a key of two batches": (3, observed(batched=[Batched("key", "one"), Batched("key", "two")])),
    "another job by an id that is taken": (3, observed(batched=[Batched("key", "one", ["job_conflict", None])])),
    "concluded twice": (3, observed(*LIFE, entry(6, "met", "COMPLETED", lease=2))),
    "an old lease counted": (3, observed(*LIFE[:4], replace(LIFE[4], lease=0), entry(6, "met", "COMPLETED", lease=1))),
    "an attempt was skipped": (3, observed(*LIFE[:2], replace(LIFE[2], attempt=2), *LIFE[3:])),
    "an event was recorded twice": (3, observed(*LIFE[:3], LIFE[3], replace(LIFE[4], event_id="result-1"))),
    "called after the end": (3, observed(agent_calls=[call(103.0), call(120.0)])),
    "called again": (4, observed(agent_calls=[call(103.0), call(104.0)])),
    "called again after another's crash": (
        4,
        observed(agent_calls=[call(103.0), call(104.0)], faults=[Fault("kill", "executor", 103.1, 103.2, PID + 1)]),
    ),
    "called again after the broker's crash": (
        4,
        observed(agent_calls=[call(103.0), call(104.0)], faults=[Fault("kill", "kafka", 103.1, 103.9, 7)]),
    ),
    "called again by another, long after": (
        4,
        observed(*LAPSED, agent_calls=[call(103.5, ended="aborted"), call(115.0)]),
    ),
    "another key": (4, observed(agent_calls=[call(103.0, key="other")])),
    "another body": (4, observed(agent_calls=[call(103.0, ended="status 500"), call(104.0, body="other")])),
    "at most once, twice": (
        4,
        observed(agent_calls=[replace(call(at, ended="status 500"), agent="once") for at in (103.0, 104.0)]),
    ),
    "at most once by its policy, twice": (
        4,
        observed(agent_calls=[call(at, ended="status 500") for at in (103.0, 104.0)], models=modelled(is_once=True)),
    ),
    "made again, though the agent shows it": (4, observed(agent_calls=shown(103.0, 104.0), faults=[CRASH])),
    "made again by a key": (4, observed(agent_calls=shown(103.0, 104.0, agent="function"), faults=[CRASH])),
    "ended as unknown, though the agent shows it": (
        4,
        observed(
            *LIFE[:3],
            entry(4, "claimed", "IN_PROGRESS", attempt=2, lease=2, at=107.0),
            entry(5, "failed", "FAILED", attempt=2, lease=2, code="agent_work_unknown", at=107.5),
            agent_calls=shown(103.0),
        ),
    ),
    "asked as it was before": (4, observed(agent_calls=[call(103.0, edition=1)], models=modelled())),
    "another agent was called": (4, observed(models=modelled(agents=frozenset({"slow"})))),
    "a replay changed a row": (5, observed(replays=[Replayed("result-produced", True, ["jobs: x"], 0, 0)])),
    "a replay called an agent": (5, observed(replays=[Replayed("execute-requested", False, [], 1, 0)])),
    "a replay called the judge": (5, observed(replays=[Replayed("result-produced", False, [], 0, 1)])),
    "called after its job was removed": (5, observed(*LIFE, REMOVED, agent_calls=[call(103.0), call(190.0)])),
    "recorded after its job was removed": (5, observed(*LIFE, REMOVED, in_vain={E})),
    "a removed job is unknown": (5, observed(*LIFE, REMOVED, barred=[Barred(J, "grpc get", "unknown_job")])),
    "a payload of a removed job is left": (6, observed(*LIFE, REMOVED, undying=[J])),
    "rebuilt tables differ": (6, observed(rebuilt="jobs differ at job-1")),
    "rebuilt in the midst, and another": (6, observed(rebuilt_midst="1 entries are others")),
    "completed with what lacks something": (7, observed(models=modelled(lacking=1))),
    "good work refused": (7, observed(*LIFE[:4], entry(5, "not_met", "REJECTED", lease=2), models=modelled())),
    "completed and never judged": (7, observed(judge_calls=[])),
    "completed while the judge was away": (7, observed(judge_calls=[JudgeCall(E, 104.5, "500")])),
    "completed before it was judged": (7, observed(judge_calls=[JudgeCall(E, 109.0, "verdict", is_valid=True)])),
    "completed against the judge": (7, observed(judge_calls=[JudgeCall(E, 104.5, "verdict", is_valid=False)])),
    "judged by another policy": (7, judged("quorum@1", "checks", "quorum")),
    "judged without its checks": (7, judged("quorum@2", "quorum")),
    "judged without its quorum": (7, judged("quorum@2", "checks")),
    "a further submission, not doubted": (7, judged("quorum@2", "checks", "quorum", submission=2)),
    "one of three votes": (7, judged("quorum@2", "checks", "quorum", voters=("first",))),
    "judged what a check refuses": (7, judged("quorum@2", "checks", **REFUSED)),
    "judged again by what was said before": (7, rejudged(judge_calls=observed().judge_calls)),
    "judged again by what was frozen": (7, rejudged(*LIFE, BEGUN, replace(MET_AGAIN, policy="single@1"))),
    "a healthy agent's job waited": (8, observed(asked=[Asked(E, J, "steady", "grpc", 80.0, "accepted", 80.1)])),
    "a healthy agent's job took long": (8, observed(*LIFE[:4], replace(LIFE[4], at=130.0))),
    "a healthy agent's job began late": (8, observed(asked=[Asked(E, J, "steady", "grpc", 92.0, "accepted", 92.1)])),
    "a healthy agent's job began late, long before a fault": (
        8,
        observed(
            asked=[Asked(E, J, "steady", "grpc", 91.0, "accepted", 91.1)], faults=[Fault("cut", "judge", 102.0, 103.0)]
        ),
    ),
    "a thief that nobody named": (8, observed(thefts=[Theft(GROUP, 30.0, None, 90.0)])),
    "a thief that was named late": (8, observed(thefts=[Theft(GROUP, 30.0, 71.0, 90.0)])),
    "not claimed soon after a thief had left": (
        8,
        observed(
            asked=[Asked(E, J, "steady", "event", 88.0, "published", 88.1)],
            thefts=[Theft(GROUP, 30.0, 60.0, 90.0)],
            faults=[Fault("thief", "executor", 30.0, 90.0)],
        ),
    ),
    "a dead letter nobody planted": (8, observed(topics={**observed().topics, "execute-requested-dlq": [DEAD]})),
    "poison that is nowhere": (8, observed(poison=[Poison(b"bad", 50.0)])),
    "too much memory": (9, observed(rss={"jobstore": 1 << 30})),
    "too many calls at once": (
        9,
        observed(agent_calls=[replace(call(103.0), execution_id=str(n)) for n in range(199)]),
    ),
    "a submission too many": (
        9,
        observed(*LIFE[:4], entry(5, "not_met", "RESUBMISSION_REQUIRED", submission=2), models=modelled()),
    ),
    "submitted again by nobody": (9, resubmitted(by_hand=False)),
    "begun without a budget": (
        9,
        observed(replace(LIFE[0], tokens=200), *LIFE[1:], models=modelled(budget_tokens=200)),
    ),
    "begun in a pause": (9, observed(pauses=[Pause(frozenset({E}), 102.5, 103.5)])),
    "more at once than a limit": (9, observed(concurrency={"agent:steady": 0})),
    "more at once than a limit of each": (9, observed(models=modelled(book="3"), concurrency={"label:book=*": 0})),
    "more in a second than a limit": (
        9,
        observed(
            *(entry(n, "claimed", "IN_PROGRESS", attempt=n, lease=n, at=200 + n / 100) for n in range(1, 20)),
            models=modelled(tenant="press"),
            rates={"press": 2},
            faults=[Fault("freeze", "executor", 199.0, 200.0)],
        ),
    ),
    "a stop took too long": (10, observed(stops=[Stop("executor", 7, 100.0, None, None)])),
    "a stop ended badly": (10, observed(stops=[Stop("executor", 7, 100.0, 1.0, 1)])),
    "stopped work lapsed": (10, observed(*LAPSED, **STOPPED, faults=[TERM])),
    "a forged report counted": (11, observed(*LIFE[:4], replace(LIFE[4], forged=True))),
    "a forged job": (11, observed(jobs=[*observed().jobs, JobRow("other", "PENDING", 1, live=False)])),
    "an agent was called for nobody": (11, observed(agent_calls=[call(103.0), replace(call(103.0), job_id="other")])),
    "a result that was not judged": (11, observed(*LIFE[:3], replace(LIFE[3], shown=("other",)), LIFE[4])),
    "forged reports of one lease, buried twice": (11, observed(topics=buried(7, 8))),
    "never ready again": (10, observed(lost=["jobstore was not ready 240 s after its kill"])),
    "a crash": (10, observed(deaths=[Death("executor", 103.0, -11)])),
    "a word of another tenant": (13, beside_hostile(heard=[heard(words=["kestrel-title"])])),
    "an id of another tenant": (13, beside_hostile(heard=[heard(ids={E})])),
    "jobs of others were counted": (13, beside_hostile(counted=1)),
    "a stolen word that opens a door": (13, beside_hostile(stolen=["jobstore took 00-ab for operator"])),
    "a fact with a word of another tenant": (
        13,
        beside_hostile(topics={"job-changed": [*facts(*LIFE), Record("job-changed", 0, 9, None, FACT_OF_RADIO)]}),
    ),
    "a dead letter that tells of another tenant": (
        13,
        beside_hostile(
            wrote={("execute-requested", b"{}")},
            topics={
                **observed().topics,
                "execute-requested-dlq": [Record("execute-requested-dlq", 0, 9, None, b"{}", [TELLING])],
            },
        ),
    ),
    "an execution that another tenant asked for": (13, beside_hostile(execution_ids={E})),
    "a key that was sent for another tenant": (13, beside_hostile(keyed_for_others=["radio:7"])),
    "a job that waited beside a hostile tenant": (
        13,
        beside_hostile(
            asked=[Asked(E, J, "steady", "grpc", 60.0, "accepted", 60.1)],
            faults=[Fault("cut", "judge", 61.0, 62.0)],
            logs=[*LIFE, *OF_RADIO],
            jobs=[*observed().jobs, JobRow("radio:1", "IN_PROGRESS", 2, live=True, tenant="radio")],
        ),
    ),
    "a token that was let in": (13, beside_hostile(revoked=[revoked(asked=[("jobstore-2", 51.2, True)])])),
    "a stream that went on": (13, beside_hostile(revoked=[revoked(streams=[("console", None)])])),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_violation_is_found(planted: str) -> None:
    invariant, seen = PLANTED[planted]
    assert invariant in {violation.invariant for violation in check(seen)}


@pytest.mark.parametrize(("invariant", "part"), [(n, part) for n, parts in CHECKS.items() for part in parts])
def test_each_part_of_the_checker_finds_what_no_other_part_does(
    invariant: int, part: Callable[[Observed], Iterator[str]]
) -> None:
    seen = [planted for n, planted in PLANTED.values() if n == invariant]
    assert any([other for other in CHECKS[invariant] if any(other(one))] == [part] for one in seen)


def test_an_agent_that_says_again_what_it_said_makes_no_progress() -> None:
    assert [*models.who_makes_progress_goes_on(answered_twice("slow", "slow"))] == []


def test_each_invariant_is_checked() -> None:
    """But for the twelfth, which the storm measures no times of."""
    assert list(CHECKS) == [*range(1, 12), 13]


ALLOWED = {
    "a word that the tenant named itself": beside_hostile(
        named={"press:storm-7-1"},
        wrote={("execute-requested", b"{}")},
        topics={
            **observed().topics,
            "execute-requested-dlq": [Record("execute-requested-dlq", 0, 9, None, b"{}", [TELLING])],
        },
        forged={("execute-requested", b"{}")},
    ),
    "an id of its own": beside_hostile(heard=[heard(ids={"execution-of-radio"})]),
    "a token that was let in within a second, and streams that ended within two": beside_hostile(
        revoked=[revoked(asked=[("jobstore", 50.9, True), ("jobstore", 51.4, False)], streams=[("console", 51.7)])]
    ),
    "a token that a jobstore without its database took": beside_hostile(
        revoked=[revoked(asked=[("jobstore-2", 55.0, True)], streams=[("jobstore-2", None), ("console-2", None)])],
        faults=[Fault("hang", "postgres-2", 49.0, 60.0)],
    ),
    "a job that waited for others than the hostile tenant": beside_hostile(
        asked=[Asked(E, J, "steady", "grpc", 60.0, "accepted", 60.1)],
        faults=[Fault("cut", "judge", 61.0, 62.0)],
    ),
    "a job that waited for faults, one after the other": beside_hostile(
        asked=[Asked(E, J, "steady", "grpc", 60.0, "accepted", 60.1)],
        faults=[Fault("freeze", "postgres", 61.0, 69.0), Fault("cut", "judge", 89.0, 91.0)],
    ),
    "submitted again by policy once what was unproven was judged again": rejudged(
        *LIFE[:4],
        entry(5, "failed", "FAILED", lease=2, code="verdict_unproven"),
        BEGUN,
        replace(MET_AGAIN, **REFUSED),
        entry(8, "requested", "ASSIGNED", execution_id="again", submission=2),
        judge_calls=[
            JudgeCall(E, 104.5, "unquoted", is_valid=None, judged="begin"),
            *(
                JudgeCall(E, 106.5, "verdict", is_valid=False, judged="begin", model=name)
                for name in ("first", "second")
            ),
        ],
        models={},
    ),
    "an event lost with the broker's disk": observed(
        asked=[*observed().asked, Asked("other", J, "steady", "event", 1.0, "published", 2.0)],
        faults=[Fault("empty", "kafka", 3.0, 4.0)],
    ),
    "a topic refilled from the first version": observed(
        topics={"job-changed": facts(LIFE[4], *LIFE)}, faults=[Fault("empty", "kafka", 1, 2)]
    ),
    "facts written again into an emptied topic before it was refilled": observed(
        topics={"job-changed": facts(LIFE[0], LIFE[2], *LIFE)},
        faults=[Fault("empty", "kafka", 1, 2)],
        copied={("job-changed", fact.value) for fact in facts(LIFE[0], LIFE[2])},
    ),
    "the late result of a cancelled execution": observed(
        *LIFE[:3], entry(4, "cancelled", "CANCELLED"), entry(5, "result", "CANCELLED", event_id="late")
    ),
    "called again after an error": observed(agent_calls=[call(103.0, ended="status 500"), call(104.0)]),
    "called again after its caller's crash": observed(
        agent_calls=[call(103.0, ended="aborted"), call(104.0)], faults=[Fault("kill", "executor", 103.1, 103.2, PID)]
    ),
    "called again after a timeout that began before the request arrived": observed(
        *LIFE[:3], entry(4, "failed", "FAILED", at=111.0), agent_calls=[call(107.0), call(109.5)]
    ),
    "called again by another, after a timeout that its caller told of": observed(
        *LIFE[:3],
        entry(4, "attempt_failed", "IN_PROGRESS", code="agent_timeout", at=109.5),
        entry(5, "claimed", "IN_PROGRESS", attempt=2, lease=2, at=120.0),
        entry(6, "failed", "FAILED", attempt=2, lease=2, at=121.0),
        agent_calls=[call(108.9, ended="aborted"), call(120.2)],
    ),
    "called again after a cut": observed(
        agent_calls=[call(103.0), call(104.0)], faults=[Fault("cut", "agent", 103.1, 103.2)]
    ),
    "made again, since requests crossed that were held up": observed(
        agent_calls=shown(103.0, 104.0), faults=[Fault("hang", "agent", 101.0, 103.0)]
    ),
    "made again, since it had failed": observed(
        agent_calls=[replace(one, ended="failed") for one in shown(103.0, 104.0)]
    ),
    "ended as unknown, since it had been stopped": observed(
        *LIFE[:3],
        entry(4, "claimed", "IN_PROGRESS", attempt=2, lease=2, at=107.0),
        entry(5, "failed", "FAILED", attempt=2, lease=2, code="agent_work_unknown", at=107.5),
        agent_calls=[replace(one, ended="aborted") for one in shown(103.0)],
    ),
    "called again after nobody had a turn": observed(
        agent_calls=[call(103.0, ended="aborted"), call(104.0)], faults=[Fault("starved", "machine", 103.1, 103.9)]
    ),
    "slow while something is broken": observed(
        asked=[Asked(E, J, "steady", "grpc", 80.0, "accepted", 80.1)], faults=[Fault("cut", "judge", 90.0, 95.0)]
    ),
    "poison where it belongs": observed(
        poison=[Poison(b"whole", 50.0)], topics={**observed().topics, "execute-requested-dlq": [DEAD]}
    ),
    "poison in a run of records that fail alike": observed(
        poison=[Poison(b"bad", 50.0)],
        topics={
            **observed().topics,
            "execute-requested": [Record("execute-requested", 3, 9, None, b"bad")],
            "execute-requested-dlq": [replace(DEAD, headers=[*DEAD.headers, *RUN])],
        },
        forged={("execute-requested", DEAD.value)},
    ),
    "what waited for a thief is caught up with": observed(
        asked=[Asked(E, J, "steady", "grpc", 88.0, "accepted", 88.1)], faults=[Fault("thief", "executor", 15.0, 75.0)]
    ),
    "a process that was killed": observed(
        deaths=[Death("executor", 103.0, -9)], faults=[Fault("kill", "executor", 102.9, 105.0, PID)]
    ),
    "a forged report, buried once and told twice": observed(
        topics=buried(7, 7), forged={("result-produced", buried(7)["result-produced-dlq"][0].value)}
    ),
    "a job that was removed": observed(
        *LIFE, REMOVED, barred=[Barred(J, "grpc get", "job_removed")], held={J: 180.0}, in_vain={"another"}
    ),
    "the removal alone in a topic that was emptied": observed(
        *LIFE, REMOVED, topics={"job-changed": facts(REMOVED)}, faults=[Fault("empty", "kafka", 1, 2)]
    ),
    "the removal alone, told to a watch that began again": observed(
        *LIFE, REMOVED, watched=[[(J, 1), (J, 2), (J, 6)]] * 2
    ),
    "a forged fact": observed(
        topics={"job-changed": [*facts(*LIFE), *facts(replace(LIFE[4], id="forged"))]},
        forged={("job-changed", facts(replace(LIFE[4], id="forged"))[0].value)},
    ),
    "a failure that the agent is known for": observed(
        *LIFE[:3],
        replace(FAILED, agent_id="slow"),
        models=modelled(agents=frozenset({"slow"})),
        agent_calls=[],
        judge_calls=[],
    ),
    "a failure to reach an agent that was cut off": observed(
        *LIFE[:3],
        replace(FAILED, code="agent_unreachable"),
        models=modelled(),
        faults=[Fault("cut", "agent", 102.0, 103.5)],
        judge_calls=[],
    ),
    "a batch that was asked for again": observed(batched=[Batched("key", "one", ["job_conflict"])] * 2),
    "a thief that was named, and all that went on": observed(
        asked=[Asked(E, J, "steady", "event", 93.0, "published", 93.1)],
        thefts=[Theft(GROUP, 34.0, 73.0, 94.0)],
        faults=[Fault("thief", "executor", 34.0, 94.0)],
    ),
    "judged again for real": rejudged(),
    "a shadow": rejudged(*LIFE, shadow=True),
    "not judged again, for it had moved on": rejudged(
        *LIFE[:4], replace(LIFE[4], at=106.0), outcome="execution_live", judge_calls=observed().judge_calls
    ),
    "judged by a quorum": judged("quorum@2", "checks", "quorum"),
    "refused by a check": judged("quorum@2", "checks", voters=(), **REFUSED),
    "a failure that was never judged": observed(*LIFE[:3], FAILED, judge_calls=[]),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_what_is_allowed_is_no_violation(what: str) -> None:
    assert check(ALLOWED[what]) == []


@pytest.mark.parametrize(("kind", "found"), [("claimed", 1), ("rejudged", 0), ("removed", 0)])
def test_after_a_thief_only_what_waited_for_it_is_missed(kind: str, found: int) -> None:
    late = entry(9, kind, "IN_PROGRESS", at=900.0)
    seen = observed(
        *LIFE,
        late,
        asked=[Asked(E, J, "steady", "event", 88.0, "published", 88.1)],
        thefts=[Theft(GROUP, 400.0, 410.0, 420.0)],
    )
    assert len(list(all_goes_on_after_a_thief(seen))) == found
