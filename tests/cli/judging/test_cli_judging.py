"""Judging without a job, and again, from the command line."""

import json
from datetime import UTC, datetime

import pytest

from cli.commands import judge
from contracts.resources import NewJob
from signoff.v1 import judging_service_pb2 as judging_pb
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb


@pytest.fixture(autouse=True)
async def jobs(jobstore):
    """Two that rest."""
    for job_id in ("a", "b"):
        new = NewJob(id=job_id, title=job_id, acceptance_criteria="blue", agent_id="w", payload={"ends": "COMPLETED"})
        await jobstore.add(new)


async def test_a_try_prints_the_verdict_and_succeeds_if_the_result_is_accepted(signoff, jobstore):
    met = await signoff("judge", "try", '"blue"', "--criteria", "blue", "--policy", "strict@2")
    assert (met.status, "accepted: because" in met.out, "0.25 USD" in met.out) == (0, True, True)
    not_met = await signoff("judge", "try", "-", "--criteria", "blue", "--json", stdin='{"n": 1}')
    assert (not_met.status, not_met.json["verdict"]["is_valid"]) == (1, False)
    first, second = jobstore.judging.asked
    assert (first.kind, first.judge, first.cases[0].result_json) == (judging_pb.JUDGING_KIND_TRY, "strict@2", '"blue"')
    assert second.cases[0].result_json == '{"n":1}'


async def test_a_try_says_once_that_its_tenant_has_spent_what_it_may(signoff, jobstore):
    jobstore.judging.held_back_until = datetime(2026, 12, 2, tzinfo=UTC)
    tried = await signoff("judge", "try", '"blue"', "--criteria", "blue")
    assert tried.err.count("the tenant has spent what it may in a day") == 1
    assert "accepted" in tried.out
    as_json = await signoff("judge", "try", '"blue"', "--criteria", "blue", "--json")
    assert json.loads(as_json.err) == {"held_back_until": "2026-12-02T00:00:00.000000Z"}


async def test_criteria_of_a_try_may_be_given_one_by_one_and_the_result_as_a_text(signoff, jobstore, tmp_path):
    (tmp_path / "result.txt").write_text("blue {\n")
    await signoff("judge", "try", f"@{tmp_path}/result.txt", "--text", "--criteria", "Says blue", "--criteria", "blue")
    (asked,) = jobstore.judging.asked
    assert (asked.cases[0].result_json, asked.cases[0].acceptance_criteria) == ('"blue {"', "Says blue\nblue")
    assert "give a text as it stands with --text" in (await signoff("judge", "try", "blue", "--criteria", "c")).err
    assert (await signoff("judge", "try", "--job", "a", "--text")).status == 2


async def test_a_try_may_take_a_policy_and_criteria_from_files(signoff, jobstore, tmp_path):
    (tmp_path / "policy.json").write_text(json.dumps({"name": "draft", "asks": "each"}))
    (tmp_path / "criteria").write_text("blue\nsky")
    await signoff("judge", "try", '"x"', "--criteria", f"@{tmp_path}/criteria", "--policy", f"@{tmp_path}/policy.json")
    (asked,) = jobstore.judging.asked
    assert asked.cases[0].acceptance_criteria == "blue\nsky"
    assert json.loads(asked.judge_policy_json) == {"name": "draft", "asks": "each"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["try"],
        ["try", '"x"'],
        ["try", '"x"', "--job", "a"],
        ["try", "no json", "--criteria", "c"],
        ["try", '"x"', "--criteria", ""],
        ["try", '"x"', "--criteria", "c", "--policy", "No Name"],
        ["draft", "--yes"],
    ],
)
async def test_what_is_asked_wrongly_is_bad_usage_and_judges_nothing(signoff, jobstore, arguments):
    assert (await signoff("judge", *arguments)).status == 2
    assert not jobstore.judging.asked


async def test_a_judge_that_is_away_is_an_answer(signoff):
    away = await signoff("judge", "try", '"away"', "--criteria", "c")
    assert (away.status, "judge_unreachable: nobody answers" in away.out) == (1, True)
    probed = await signoff("judge", "test", "--json")
    assert (probed.status, probed.json["probe"]) == (0, {"api": "chat"})


async def test_a_judge_that_gives_no_answer_is_told_of_while_it_is_waited_for(signoff, monkeypatch):
    quick = await signoff("judge", "try", '"blue"', "--criteria", "blue")
    monkeypatch.setattr(judge, "SILENT_S", 0.0)
    slow = await signoff("judge", "try", '"blue"', "--criteria", "blue")
    assert (quick.err, "warning: no answer yet" in slow.err, slow.out) == ("", True, quick.out)


async def test_jobs_are_judged_again_within_limits(signoff, jobstore):
    limits = ["--rate", "5", "--budget", "2.5", "--policy", "strict"]
    ran = await signoff(
        "rejudge", "a", "--shadow", "--criteria", "sky", "--criteria", "sea", *limits, "--yes", "--json"
    )
    assert ran.status == 0
    (asked,) = jobstore.asked(pb.CreateOperationRequest)
    new = asked.operation
    assert new.kind == resources_pb.OPERATION_KIND_REJUDGE
    assert (new.shadow, new.criteria, new.judge) == (True, "sky\nsea", "strict")
    assert (new.rate_per_s, new.budget_usd, list(new.job_ids)) == (5, "2.5", ["a"])
    waited = await signoff("rejudge", "a", "--shadow", "--yes", "--wait", "--idempotency-key", "w")
    assert (waited.status, "1 flip" in waited.out) == (0, True)
    real = await signoff("rejudge", "a", "--criteria", "sky", "--yes")
    assert (real.status, "need shadow" in real.err) == (2, True)


async def test_a_draft_is_run_over_the_last_results_as_a_shadow(signoff, jobstore):
    for job_id in ("a", "b"):
        await signoff("jobs", "execute", job_id)
    dry = await signoff("judge", "draft", "--criteria", "sky", "--last", "1", "--dry-run")
    assert (dry.status, dry.out.splitlines()[0]) == (0, "rejudge: 1 jobs: 1 COMPLETED")
    done = await signoff("judge", "draft", "--criteria", "sky", "--yes", "--wait")
    assert (done.status, "1 flip" in done.out, "pass > fail" in done.out) == (0, True, True)
    (asked,) = jobstore.asked(pb.CreateOperationRequest)
    assert (asked.operation.shadow, sorted(asked.operation.job_ids)) == (True, ["a", "b"])
    jobstore.not_judged_again.add("b")
    in_part = await signoff("judge", "draft", "--criteria", "sky", "--criteria", "sea", "--yes", "--wait")
    assert (in_part.status, "1 REFUSED" in in_part.out, "1 flip" in in_part.out) == (1, True, True)
    jobstore.jobs.clear()
    none = await signoff("judge", "draft", "--criteria", "sky", "--yes", "--json")
    assert (none.status, json.loads(none.err)["code"]) == (3, "nothing_matches")


async def test_a_report_says_what_flips_and_why(signoff):
    await signoff("rejudge", "a", "--shadow", "--yes", "--idempotency-key", "k")
    (listed,) = (await signoff("bulk", "list", "--kind", "rejudge", "--json")).json["items"]
    shown = await signoff("judge", "report", listed["id"])
    assert (shown.status, "2 accepted before, 1 now; 1 flip" in shown.out) == (0, True)
    assert "1 not judged: execution_live" in shown.out
    assert "blue: pass > fail" in shown.out
    assert f"more: signoff judge report {listed['id']} --page-token more" in shown.out
    assert (await signoff("judge", "report", listed["id"], "--json")).json["flipped"] == 1
