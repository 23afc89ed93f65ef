"""All of one job at the command line: verdict, result, where the time went, what changed between submissions."""

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from cli.commands import job_views
from cli.output import Output
from cli.parameters import POLICY_FIELDS
from contracts.resources import NewJob, Policy
from signoff.status import JobLogStatus
from signoff.types import PastWait, Waiting

BEGIN = datetime(2026, 11, 26, 12, tzinfo=UTC)


def entry(kind, at_s, **fields):
    defaults = {
        **dict.fromkeys(("agent_id", "progress", "code", "next_attempt_at", "duration_s", "waited")),
        "execution_id": "e",
        "submission": 1,
        "status": "IN_PROGRESS",
    }
    return SimpleNamespace(kind=kind, created_at=BEGIN + timedelta(seconds=at_s), **defaults | fields)


def lengths(call):
    return [(span.what, (span.end - span.begin).total_seconds()) for span in call.spans]


def test_a_life_is_a_wait_a_call_and_a_judging():
    kinds = [("requested", 0), ("claimed", 2), ("call_begun", 2.5), ("progress", 3), ("result", 5), ("met", 9)]
    logs = [entry("created", -1, execution_id=None), *(entry(kind, at, progress=0.5) for kind, at in kinds)]
    (call,) = job_views.make_calls(logs)
    assert lengths(call) == [("queue", 2.5), ("agent", 2.5), ("judge", 4)]
    assert call.ticks == [(BEGIN + timedelta(seconds=3), 0.5)]


def test_a_call_that_failed_is_followed_by_the_wait_until_the_next():
    again = BEGIN + timedelta(seconds=10)
    logs = [
        *(entry("requested", 0), entry("call_begun", 1)),
        entry("attempt_failed", 4, next_attempt_at=again, code="agent_status"),
        *(entry("claimed", 12), entry("call_begun", 13), entry("failed", 15, code="agent_status")),
    ]
    first, second = job_views.make_calls(logs)
    assert lengths(first) == [("queue", 1), ("agent", 3)]
    assert lengths(second) == [("backoff", 6), ("queue", 3), ("agent", 2)]
    assert (first.call, second.call, second.outcome) == (1, 2, "agent_status")


def test_a_beginning_that_was_recorded_only_as_the_call_ended_is_where_its_duration_says():
    logs = [entry("requested", 0), entry("call_begun", 3), entry("failed", 3, duration_s=2)]
    (call,) = job_views.make_calls(logs)
    assert lengths(call) == [("queue", 1), ("agent", 2)]


def test_a_lost_validator_is_no_call_of_the_agent():
    kinds = [("requested", 0), ("call_begun", 1), ("result", 2), ("lapsed", 5), ("met", 9)]
    (call,) = job_views.make_calls(entry(kind, at) for kind, at in kinds)
    assert lengths(call) == [("queue", 1), ("agent", 1), ("judge", 7)]


def test_a_result_that_came_after_a_cancel_is_not_judged():
    logs = [entry("requested", 0), entry("cancelled", 2, status="CANCELLED")]
    (call,) = job_views.make_calls([*logs, entry("result", 5, status="CANCELLED", code="late")])
    assert (lengths(call), call.outcome) == ([("queue", 2)], "CANCELLED")


def test_a_submission_that_is_executed_again_is_another_try_of_it():
    logs = [
        *(entry("requested", 0, execution_id="a"), entry("failed", 1, execution_id="a")),
        *(entry("requested", 2, execution_id="b"), entry("call_failed", 3, execution_id="b", duration_s=0.5)),
        entry("failed", 5, execution_id="b", duration_s=1),
        entry("requested", 6, execution_id="c", submission=2),
    ]
    calls = job_views.make_calls(logs)
    assert [(call.submission, call.try_number, call.call) for call in calls] == [
        *((1, 1, 1), (1, 2, 1), (1, 2, 2)),
        (2, 1, 1),
    ]


def test_what_an_entry_says_took_so_long_was_waited_for_before():
    again = BEGIN + timedelta(seconds=3)
    logs = [
        *(entry("requested", 0), entry("call_begun", 1)),
        entry("call_failed", 2, next_attempt_at=again, duration_s=1),
        *(entry("result", 9, duration_s=4), entry("met", 20, duration_s=3)),
    ]
    first, second = job_views.make_calls(logs)
    assert lengths(first) == [("queue", 1), ("agent", 1)]
    assert lengths(second) == [("backoff", 1), ("queue", 2), ("agent", 4), ("queue for judge", 8), ("judge", 3)]


def test_what_was_waited_for_in_the_queue_is_told_of_it_and_summed_up():
    waits = [past_wait("limit_rate", "tenant:a", 1, 3), past_wait("no_room", "executor", 3, 4)]
    logs = [
        *(entry("requested", 0), entry("claimed", 4, waited=waits)),
        *(
            entry("call_failed", 6, duration_s=1),
            entry("claimed", 9, waited=[past_wait("limit_rate", "tenant:a", 7, 9)]),
        ),
        entry("failed", 10, duration_s=1),
    ]
    calls = job_views.make_calls(logs)
    assert [span.waits for call in calls for span in call.spans if span.what == "queue"] == [waits, logs[3].waited]
    assert job_views.sum_waits(calls, lambda wait: f"{wait.code} {wait.name}") == {
        "limit_rate tenant:a": timedelta(seconds=4),
        "no_room executor": timedelta(seconds=1),
    }


def past_wait(code, name, since, until):
    since, until = (BEGIN + timedelta(seconds=each) for each in (since, until))
    return PastWait(code=code, name=name, since=since, until=until)


def test_what_goes_on_has_no_end_and_is_counted_until_now():
    calls = job_views.make_calls([entry("requested", 0)])
    assert calls[0].spans[-1].end is None
    assert job_views.sum_up(calls, BEGIN + timedelta(seconds=7)) == {"queue": timedelta(seconds=7)}


@pytest.mark.parametrize("columns", [10, 80])
def test_a_bar_fits_and_each_span_of_it_is_seen(columns):
    kinds = [("requested", 0), ("call_begun", 0.001), ("result", 100), ("met", 100.001)]
    calls = job_views.make_calls(entry(kind, at) for kind, at in kinds)
    (bar,) = job_views.draw(calls, BEGIN, columns)
    assert [what for what, text in bar if what and text] == ["queue", "agent", "judge"]
    assert sum(len(text) for _, text in bar) <= columns + 2


#: Of which one was refused twice before, and the other, which is a sum, once.
ASKS = ({"refused": 2, "last_refusal": "429"}, {"sum_of": 3, "cost_usd": 0.5, "refused": 1, "last_refusal": "503"})


@pytest.fixture
async def judged(jobstore):
    job = NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes\nIs short", agent_id="writer")
    await jobstore.add(job)
    for submission, outcome, text in ((1, "fail", "roses\nare red"), (2, "pass", "roses\nare dead")):
        criterion = {"text": "It rhymes", "outcome": outcome, "evidence": ["roses", "are red"], "comment": "as asked"}
        asks = [{"model": "m", "input_tokens": 90, "output_tokens": 9, "latency_s": 0.5} | more for more in ASKS]
        stages = [{"kind": "checks", "outcomes": "-"}, {"kind": "single", "outcomes": "p", "asks": asks}]
        named = {"judge": "strict@2", "model": "m (prompt 2)", "stages": stages}
        verdict = {"is_valid": outcome == "pass", "reason": "1 of 1", "criteria": [criterion], **named}
        status = JobLogStatus.COMPLETED if outcome == "pass" else JobLogStatus.RESUBMISSION_REQUIRED
        await jobstore.record("poem", JobLogStatus.IN_PROGRESS, kind="result", submission=submission)
        response = {"result": {"text": text}, "verdict": verdict}
        await jobstore.record("poem", status, kind="met", submission=submission, **response)


@pytest.mark.usefixtures("judged")
async def test_a_job_is_shown_with_its_verdict_and_result(signoff):
    out = (await signoff("jobs", "show", "poem")).out
    for line in (
        "COMPLETED  a poem",
        "verdict of submission 2  1 of 1",
        'evidence: "roses"',
        'evidence: "are red"',
        "  are dead",
    ):
        assert line in out
    assert re.search(r"^met +It rhymes", out, re.MULTILINE)
    by = "strict@2, m (prompt 2): 4 asks, 0.5 USD, 198 tokens, 1.00 s, 3 refused before, last 503"
    assert re.search(rf"^by +{re.escape(by)}$", out, re.MULTILINE)
    assert "are red" in (await signoff("jobs", "show", "poem", "--submission", "1")).out
    document = (await signoff("jobs", "show", "poem", "--json")).json
    assert (document["submission"], document["result"], document["verdict"]["is_valid"]) == (
        2,
        {"text": "roses\nare dead"},
        True,
    )


async def test_a_job_that_is_run_again_has_a_row_for_each_try(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    for number in (1, 2):
        jobstore.jobs["poem"] = jobstore.jobs["poem"].model_copy(update={"execution_id": UUID(int=number)})
        await jobstore.record("poem", JobLogStatus.ASSIGNED, kind="requested", submission=1)
        await jobstore.record("poem", JobLogStatus.FAILED, kind="failed", submission=1)
    out = (await signoff("jobs", "show", "poem")).out
    assert re.findall(r"^  (submission.*?) {2}", out, re.MULTILINE) == [
        "submission 1, call 1",
        "submission 1 (try 2), call 1",
    ]
    calls = (await signoff("jobs", "show", "poem", "--json")).json["calls"]
    assert [call["try_number"] for call in calls] == [1, 2]


@pytest.mark.parametrize(("is_terminal", "options", "shown"), [
    (True, [], False), (True, ["--full"], True), (True, ["--plain"], True), (False, [], True),
])  # fmt: skip
async def test_a_long_result_is_cut_on_a_terminal_alone(signoff, jobstore, monkeypatch, is_terminal, options, shown):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    text = "\n".join(f"line {number}." for number in range(50))
    await jobstore.record("poem", JobLogStatus.IN_PROGRESS, kind="result", result={"text": text})
    monkeypatch.setattr(Output, "is_whole", property(lambda out: out.plain or not is_terminal))
    out = (await signoff("jobs", "show", "poem", *options)).out
    assert ("line 49." in out, "10 more lines" in out) == (shown, not shown)


async def test_a_job_without_a_result_says_so(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    ran = await signoff("jobs", "show", "poem")
    assert (ran.status, "no result yet" in ran.out, "It rhymes" in ran.out) == (0, True, True)
    assert "fewer than two submissions" in (await signoff("jobs", "diff", "poem")).err


async def test_a_job_that_waits_says_for_what(signoff, jobstore):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer"))
    reason = {"code": "judge_away", "owner": "operator", "remedy": "mend the judge", "since": BEGIN}
    jobstore.waiting["poem"] = Waiting(reasons=[reason])
    lines = (await signoff("jobs", "show", "poem")).out.splitlines()
    at = lines.index("it waits for")
    assert lines[at + 1].startswith("  judge_away, since 2026-11-26")
    assert lines[at + 2] == "    operator: mend the judge"
    assert (await signoff("jobs", "show", "poem", "--json")).json["waiting"]["reasons"][0]["code"] == "judge_away"


@pytest.mark.parametrize(("outcome", "word"), [("pass", "absent"), ("fail", "found")])
async def test_what_must_never_be_there_is_absent_or_found(signoff, jobstore, outcome, word):
    await jobstore.add(NewJob(id="poem", title="a poem", acceptance_criteria="never: is long", agent_id="writer"))
    criterion = {"text": "is long", "kind": "never", "outcome": outcome}
    verdict = {"is_valid": outcome == "pass", "reason": "", "criteria": [criterion]}
    response = {"result": {"text": "roses"}, "verdict": verdict}
    for submission in (1, 2):
        await jobstore.record("poem", JobLogStatus.IN_PROGRESS, kind="result", submission=submission)
        await jobstore.record("poem", JobLogStatus.COMPLETED, kind="met", submission=submission, **response)
    assert re.search(rf"^{word} +never: is long", (await signoff("jobs", "show", "poem")).out, re.MULTILINE)
    assert re.search(rf"^{word} -> {word} +never: is long", (await signoff("jobs", "diff", "poem")).out, re.MULTILINE)


@pytest.mark.usefixtures("judged")
async def test_two_submissions_are_compared(signoff):
    ran = await signoff("jobs", "diff", "poem")
    assert (ran.status, "not met -> met" in ran.out, "-are red" in ran.out, "+are dead" in ran.out) == (
        0,
        True,
        True,
        True,
    )
    document = (await signoff("jobs", "diff", "poem", "1", "2", "--json")).json
    assert document["criteria"] == [{"text": "It rhymes", "from": "fail", "to": "pass"}]
    assert "submissions of poem with a result: 1, 2" in (await signoff("jobs", "diff", "poem", "1", "7")).err


def test_the_fields_of_a_policy_are_those_of_the_contract():
    assert set(POLICY_FIELDS) == set(Policy.model_fields)


async def test_a_policy_is_given_field_by_field(signoff, jobstore):
    policy = ["--policy", "max_submissions=5", "--policy", "retry_codes=429,agent_timeout", "--budget-usd", "0.5"]
    ran = await signoff(
        "jobs", "create", "--id", "poem", "--title", "t", "--criteria", "c", "--tenant", "press", *policy
    )
    assert ran.status == 0, ran.err
    job = jobstore.jobs["poem"]
    assert (job.tenant, job.policy.max_submissions, job.policy.budget_usd) == ("press", 5, 0.5)
    assert job.policy.retry_codes == ["429", "agent_timeout"]
    assert "retry_codes=429,agent_timeout" in ran.out
    wrong = await signoff("jobs", "create", "--title", "t", "--criteria", "c", "--policy", "max_tries=1")
    assert (wrong.status, "'max_tries' is none of" in wrong.err) == (2, True)


async def test_the_policy_and_limit_of_an_agent_are_set_and_changed(signoff, jobstore):
    made = ["--id", "writer", "--name", "Writer", "--url", "http://127.0.0.1:1/", "--policy", "max_calls=2"]
    assert (await signoff("agents", "create", *made, "--concurrency", "3")).status == 0
    assert (await signoff("agents", "update", "writer", "--policy", "deadline_s=9", "--rate", "7")).status == 0
    policy = jobstore.agents["writer"].policy
    assert (policy.max_calls, policy.deadline_s) == (2, 9)
    (limit,) = (await signoff("limits", "list", "--json")).json["items"]
    assert (limit["name"], limit["concurrency"], limit["rate"]) == ("agent:writer", 3, 7)
    assert (await signoff("agents", "update", "writer", "--policy", "max_calls=")).status == 0
    assert jobstore.agents["writer"].policy.max_calls is None


WRONG = [["jobs", "lst"], ["jobs", "list", "--limit", "x"], ["jobs", "list", "--bogus"], ["--bogus"], ["jobs", "get"]]


@pytest.mark.parametrize("arguments", [*([*wrong, "--json"] for wrong in WRONG), ["--json", "jobs", "list"]])
async def test_wrong_usage_is_told_as_json_where_json_is_asked_for(signoff, arguments):
    ran = await signoff(*arguments)
    assert (ran.status, json.loads(ran.err)["code"]) == (2, "usage")


async def test_wrong_usage_is_told_as_text_elsewhere(signoff):
    ran = await signoff("--bogus")
    assert (ran.status, "Error: No such option: --bogus" in ran.err) == (2, True)


async def test_the_version_is_told(signoff):
    assert re.fullmatch(r"signoff \d+\.\d+.*\n", (await signoff("--version")).out)
