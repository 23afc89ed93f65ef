"""Jobs from the command line: the words, and the exit status, which is 0 only when it is true."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from grpc import StatusCode
from support.fake_jobstore import Refusal

from contracts.resources import NewAgent, NewJob
from signoff.judging import Verdict
from signoff.status import JobLogStatus
from signoff.types import SavedJob
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2 as pb


def poem(**fields):
    return NewJob(
        **{"id": "poem", "title": "a poem", "acceptance_criteria": "It rhymes", "agent_id": "writer"} | fields
    )


async def test_a_job_is_created_from_options(signoff, jobstore):
    ran = await signoff(
        "jobs", "create", "--title", "a poem", "--criteria", "It rhymes", "--criteria", "It is short", "--id", "poem",
        "--agent", "writer", "--priority", "9", "--label", "team=a", "--json",
        "--payload", '{"n": 12345678901234567890}',
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert set(ran.json) <= {*SavedJob.model_fields, "criteria"}
    job = jobstore.jobs["poem"]
    assert (job.acceptance_criteria, job.priority, job.labels) == ("It rhymes\nIt is short", 9, {"team": "a"})
    assert job.payload == ran.json["payload"] == {"n": 12345678901234567890}


async def test_criteria_are_shown_with_what_they_are_and_warned_of_beside(signoff, tmp_path):
    text = json.dumps({"title": "a poem", "criteria": [{"text": "replaced"}]})
    (tmp_path / "job.json").write_text(text)
    criteria = ["--criterion", "It rhymes", "--criteria", "- Optional: NEVER: is long", "--criteria", "Has no title"]
    ran = await signoff("jobs", "create", "--file", "job.json", *criteria)
    assert ran.status == 0, ran.err
    for line in ("It rhymes", "optional: never: is long", "Has no title"):
        assert re.search(rf"^criterion +{line} *$", ran.out, re.MULTILINE)
    assert re.match(r"warning: criterion 3 reads as if something must be absent", ran.err)
    assert ran.err.endswith("; instead: never: title\n")
    ran = await signoff("jobs", "create", "--file", "job.json", *criteria, "--json")
    assert json.loads(ran.err)["warning"] == ran.json["warnings"][0]


async def test_criteria_that_a_job_cannot_have_are_said_to_be_so(signoff):
    ran = await signoff("jobs", "create", "--title", "t", "--criteria", "optional: a")
    assert ran.status == 2
    assert "make at least one required" in ran.err


async def test_a_member_of_a_file_that_is_not_known_is_refused_with_the_nearest_name(signoff, jobstore, tmp_path):
    job = {"title": "a poem", "acceptance_criteria": "It rhymes", "policy": {"max_submision": 1}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    ran = await signoff("jobs", "create", "--file", "job.json")
    assert (ran.status, jobstore.jobs) == (2, {})
    assert "policy.max_submision: is not known here: did you mean max_submissions?" in " ".join(ran.err.split())
    (tmp_path / "jobs.json").write_text(json.dumps([job]))
    ran = await signoff("batches", "create", "--file", "jobs.json")
    assert (ran.status, jobstore.jobs) == (2, {})
    assert "did you mean max_submissions?" in " ".join(ran.err.split())


@pytest.mark.parametrize("way", ["file", "stdin"])
async def test_a_job_is_created_from_json_and_options_come_first(signoff, jobstore, tmp_path, way):
    text = json.dumps({"id": "poem", "title": "a poem", "acceptance_criteria": "x", "policy": {"max_submissions": 2}})
    (tmp_path / "job.json").write_text(text)
    arguments = ["--file", "job.json" if way == "file" else "-", "--title", "another"]
    ran = await signoff("jobs", "create", *arguments, stdin=text if way == "stdin" else None)
    assert ran.status == 0, ran.err
    assert (jobstore.jobs["poem"].title, jobstore.jobs["poem"].policy.max_submissions) == ("another", 2)


async def test_a_job_says_what_its_agent_must_be_able_to_and_when_it_begins(signoff):
    ran = await signoff(
        "jobs", "create", "--title", "t", "--criteria", "c", "--capability", "prose", "--capability", "verse",
        "--not-before", "2100-01-01T00:00:00Z", "--json",
    )  # fmt: skip
    assert (ran.json["capabilities"], ran.json["not_before"]) == (["prose", "verse"], "2100-01-01T00:00:00.000000Z")


async def test_an_execution_begins_no_earlier_than_is_said(signoff, jobstore):
    await jobstore.add(poem())
    before = datetime.now(UTC)
    assert (await signoff("jobs", "execute", "poem", "--not-before", "1h")).status == 0
    (asked,) = jobstore.asked(jobs_pb.ExecuteJobRequest)
    begins = asked.not_before.ToDatetime(tzinfo=UTC)
    assert timedelta(0) <= begins - before - timedelta(hours=1) < timedelta(minutes=1)
    assert (await signoff("jobs", "execute", "poem", "--not-before", "soon")).status == 2


async def test_a_payload_is_read_from_a_file(signoff, jobstore, tmp_path):
    (tmp_path / "payload.json").write_text("[1, 2]")
    await signoff("jobs", "create", "--title", "t", "--criteria", "c", "--id", "p", "--payload", "@payload.json")
    assert jobstore.jobs["p"].payload == [1, 2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["create"],
        ["create", "--title", "t"],
        ["create", "--title", "t", "--criteria", "c", "--payload", "{"],
        ["create", "--title", "t", "--criteria", "c", "--payload", "@missing.json"],
        ["create", "--title", "t", "--criteria", "c", "--label", "novalue"],
        ["create", "--title", "t", "--criteria", "c", "--priority", "10"],
        ["create", "--title", "t", "--criteria", "c", "--wait"],
        ["list", "--status", "DONE"],
        ["get"],
        ["unheard-of"],
    ],
)
async def test_bad_usage_is_2_and_asks_nothing(signoff, jobstore, arguments):
    ran = await signoff("jobs", *arguments)
    assert ran.status == 2
    assert ran.err
    assert not jobstore.requests


@pytest.mark.parametrize("arguments", [["get"], ["execute"], ["watch"], ["cancel"], ["resubmit"], ["logs"]])
async def test_an_unknown_job_is_3_with_a_clear_error(signoff, jobstore, arguments):
    await jobstore.add(poem())
    ran = await signoff("jobs", *arguments, "unknown")
    assert (ran.status, ran.out) == (3, "")
    assert "there is no job unknown" in ran.err
    told = json.loads((await signoff("jobs", *arguments, "unknown", "--json")).err)
    assert told["code"] == "unknown_job"


@pytest.mark.parametrize(
    ("ends", "status"), [("COMPLETED", 0), ("FAILED", 1), ("REJECTED", 1), ("RESUBMISSION_REQUIRED", 1)]
)
async def test_waiting_succeeds_only_when_completed(signoff, jobstore, ends, status):
    await jobstore.add(poem(payload={"ends": ends}))
    ran = await signoff("jobs", "execute", "poem", "--wait", "--json")
    assert ran.status == status
    assert (ran.json["id"], ran.json["status"], ran.json["version"]) == ("poem", ends, 4), "nothing but the job"
    if status:
        assert json.loads(ran.err) == {
            "type": "about:blank", "title": "Not met", "detail": f"poem is {ends}", "code": "not_completed",
            "retryable": False,
        }  # fmt: skip
    else:
        assert ran.err == ""


async def test_a_new_job_is_executed_and_waited_for_in_one_command(signoff):
    ran = await signoff(
        "jobs", "create", "--title", "t", "--criteria", "c", "--agent", "writer", "--payload", '{"ends": "COMPLETED"}',
        "--execute", "--wait",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert "COMPLETED" in ran.out


@pytest.mark.parametrize("is_of_before", [False, True])
async def test_the_end_of_a_wait_names_the_job_its_verdict_and_the_beginning_of_its_result(
    signoff, jobstore, is_of_before
):
    await jobstore.add(poem(payload={"ends": "COMPLETED"}))
    verdict = Verdict(is_valid=True, reason="it rhymes", criteria=[])
    made = {
        "result": {"text": "a line\n" * 99 + "x" * 9_999},
        "verdict": verdict,
        "result_version": 1 if is_of_before else 3,
    }
    jobstore.jobs["poem"] = jobstore.jobs["poem"].model_copy(update=made)
    out = (await signoff("jobs", "execute", "poem", "--wait")).out
    assert re.search(r"^id +poem *\nstatus +COMPLETED *$", out, re.MULTILINE)
    assert "signoff jobs show poem" in out
    assert (is_of_before, len(out) < 2_000) == ("it rhymes" not in out, True)
    assert out.count("  a line\n") == (0 if is_of_before else 40)


async def test_a_list_of_an_agent_that_there_is_not_fails_and_is_not_empty(signoff, jobstore):
    await jobstore.add(poem())
    ran = await signoff("jobs", "list", "--agent", "nobody", "--json")
    assert (ran.status, ran.out) == (3, "")
    assert json.loads(ran.err)["code"] == "unknown_agent"
    assert (await signoff("bulk", "execute", "--agent", "nobody", "--dry-run")).status == 3


async def test_a_job_that_nobody_could_execute_is_not_even_created(signoff, jobstore):
    ran = await signoff("jobs", "create", "--title", "t", "--criteria", "c", "--execute")
    assert (ran.status, jobstore.jobs) == (2, {})
    assert "needs --agent, or --capability" in ran.err


async def test_where_a_new_job_is_not_executed_it_says_that_it_was_created(signoff, jobstore):
    jobstore.refusals["ExecuteJob"] = Refusal(StatusCode.FAILED_PRECONDITION, "agent_disabled", "the agent is disabled")
    ran = await signoff(
        "jobs", "create", "--id", "new", "--title", "t", "--criteria", "c", "--agent", "writer", "--execute", "--json"
    )
    assert (ran.status, list(jobstore.jobs)) == (3, ["new"])
    assert json.loads(ran.err) == {
        "type": "about:blank",
        "title": "Refused",
        "status": 409,
        "detail": "the job new was created, and is not executed: the agent is disabled",
        "code": "agent_disabled",
        "retryable": False,
    }


async def test_asking_again_for_an_execution_that_is_over_does_not_wait_for_ever(signoff, jobstore):
    await jobstore.add(poem(payload={"ends": "COMPLETED"}))
    again = ["jobs", "execute", "poem", "--execution-id", "0199d5a8-0000-7000-8000-000000000001", "--wait"]
    assert [(await signoff(*again)).status for _ in range(2)] == [0, 0]
    assert len(jobstore.logs) == 4


async def test_waiting_ends_at_its_timeout(signoff, jobstore):
    await jobstore.add(poem())
    ran = await signoff("jobs", "execute", "poem", "--wait", "--timeout", "0.1")
    assert ran.status == 1
    assert "still IN_PROGRESS" in ran.err


async def test_a_cancelled_job_is_no_success(signoff, jobstore):
    await jobstore.add(poem())
    await jobstore.record("poem", JobLogStatus.CANCELLED)
    assert (await signoff("jobs", "watch", "poem")).status == 1


async def test_a_watch_tells_what_was_and_ends_at_rest(signoff, jobstore):
    await jobstore.add(poem(payload={"ends": "COMPLETED"}))
    await signoff("jobs", "execute", "poem")
    ran = await signoff("jobs", "watch", "poem")
    assert ran.status == 0
    assert [line.split()[4] for line in ran.out.splitlines()] == ["ASSIGNED", "ASSIGNED", "IN_PROGRESS", "COMPLETED"]


async def test_a_resubmission_is_waited_for(signoff, jobstore):
    await jobstore.add(poem(payload={"ends": "RESUBMISSION_REQUIRED"}))
    await signoff("jobs", "execute", "poem")
    ran = await signoff("jobs", "resubmit", "poem", "--comment", "shorter", "--wait")
    assert ran.status == 0, ran.err
    assert jobstore.asked(jobs_pb.ResubmitJobRequest)[0].comment == "shorter"


async def test_jobs_are_listed_by_status_and_label(signoff, jobstore):
    await jobstore.add(poem(labels={"team": "a"}))
    await jobstore.add(poem(id="other"))
    ran = await signoff("jobs", "list", "--status", "assigned", "--label", "team=a", "--json")
    assert [job["id"] for job in ran.json["items"]] == ["poem"]
    assert "next_page_token" not in ran.json
    first = await signoff("jobs", "list", "--page-size", "1")
    assert "--page-token 1" in first.out


async def test_a_list_filters_by_how_jobs_ended_and_says_what_was_cancelled(signoff, jobstore):
    await jobstore.add(poem())
    jobstore.jobs["poem"] = jobstore.jobs["poem"].model_copy(update={"cancelled": True})
    options = ["--cancelled", "--code", "agent_status", "--criterion-not-met", "It rhymes", "--cost-min", "0.5"]
    ran = await signoff("jobs", "list", *options, "--duration-max", "60", "--sort=-duration_s")
    assert re.search(r"poem +ASSIGNED \(cancelled\)", ran.out), ran.err
    assert "ASSIGNED (cancelled)" in (await signoff("jobs", "show", "poem")).out
    (asked,) = jobstore.asked(jobs_pb.ListJobsRequest)
    chosen = asked.filter
    assert (chosen.cancelled, list(chosen.codes), chosen.criterion_not_met) == (True, ["agent_status"], "It rhymes")
    assert (chosen.cost_usd_min, chosen.duration_s_max) == ("0.5", 60.0)
    assert asked.order == jobs_pb.JOB_ORDER_DURATION_DESC
    for word in ("cost", "cost_usd"):
        assert (await signoff("jobs", "list", f"--sort={word}")).status == 0
        assert jobstore.asked(jobs_pb.ListJobsRequest)[-1].order == jobs_pb.JOB_ORDER_COST
    refused = await signoff("jobs", "list", "--sort=price")
    assert (refused.status, "'-cost_usd', 'cost_usd'" in refused.err) == (2, True)


async def test_a_list_leaves_out_what_is_negated(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="writer", url="http://127.0.0.1:1/"))
    options = ["--not-agent", "writer", "--not-tenant", "press", "--not-label", "team=red", "--not-label", "team=blue"]
    ran = await signoff("jobs", "list", *options, "--not-code", "no_progress", "--not-criterion-not-met", "It rhymes")
    assert ran.status == 0, ran.err
    chosen = jobstore.asked(jobs_pb.ListJobsRequest)[-1].filter
    assert ([*chosen.not_agent_ids], [*chosen.not_tenants]) == (["writer"], ["press"])
    assert ([*chosen.not_labels], [*chosen.not_codes]) == (["team:red", "team:blue"], ["no_progress"])
    assert [*chosen.not_criteria_not_met] == ["It rhymes"]
    assert (await signoff("jobs", "list", "--waiting-for", "no_worker", "--waiting-for", "queue")).status == 0
    assert [*jobstore.asked(jobs_pb.ListJobsRequest)[-1].filter.reasons] == ["no_worker", "queue"]
    wrongs = {"--not-agent": "nobody", "--not-label": "team", "--not-batch": "nightly", "--waiting-for": "paused"}
    for option, wrong in wrongs.items():
        assert (await signoff("jobs", "list", option, wrong)).status != 0, option


async def test_jobs_are_counted_by_the_values_of_a_field(signoff, jobstore):
    jobstore.facets.facets.add(value="agent_status", count=10_000)
    jobstore.facets.facets.add(value="agent_timeout", count=7)
    jobstore.facets.searched, jobstore.facets.next_page_token = 20_000, "more"
    ran = await signoff("jobs", "facets", "code", "--status", "failed", "--limit", "2")
    assert [line.split() for line in ran.out.splitlines()[:3]] == [
        ["jobs", "code", "name"],
        ["10000+", "agent_status"],
        ["7", "agent_timeout"],
    ]
    assert "of the newest 20000 that match" in ran.out
    assert "more: signoff jobs facets code --status failed --limit 2 --page-token more" in ran.out
    (asked,) = jobstore.asked(jobs_pb.ListJobFacetsRequest)
    assert (asked.field, asked.page_size, list(asked.filter.statuses)) == ("code", 2, [pb.JOB_STATUS_FAILED])
    ran = await signoff("jobs", "facets", "code", "--json")
    assert ran.json["facets"][1] == {"value": "agent_timeout", "count": 7}


async def test_a_job_is_assigned_cancelled_and_shown(signoff, jobstore):
    await jobstore.add(poem(agent_id=None))
    assert (await signoff("jobs", "assign", "poem", "writer", "--payload", "null")).status == 0
    assert (await signoff("jobs", "cancel", "poem", "--reason", "too early")).status == 0
    shown = (await signoff("jobs", "get", "poem")).out
    assert "writer" in shown
    assert "It rhymes" in shown
    logs = await signoff("jobs", "logs", "poem", "--json")
    assert [log["status"] for log in logs.json["items"]] == ["PENDING", "ASSIGNED", "CANCELLED"]
    assert {log["actor"] for log in logs.json["items"]} == {"token:bootstrap"}


async def test_an_execution_is_cancelled_by_its_id_with_or_without_its_job(signoff, jobstore):
    await jobstore.add(poem())
    execution_id = "0199d5a8-0000-7000-8000-000000000001"
    assert "poem" in (await signoff("jobs", "cancel", "poem", "--execution-id", execution_id)).out
    ran = await signoff("jobs", "cancel", "--execution-id", execution_id)
    assert "nobody has asked for it yet" in ran.out
    ran = await signoff("jobs", "cancel", "--execution-id", execution_id, "--json")
    assert (ran.json["id"], ran.json["state"]) == (execution_id, "CANCELLED")
    assert [each.job_id for each in jobstore.asked(jobs_pb.CancelJobRequest)] == ["poem", "", ""]
    assert (await signoff("jobs", "cancel")).status == 2


async def test_an_execution_is_shown_by_its_id(signoff, jobstore):
    await jobstore.add(poem(payload={"ends": "COMPLETED"}))
    execution_id = "0199d5a8-0000-7000-8000-000000000001"
    await signoff("jobs", "execute", "poem", "--execution-id", execution_id)
    ran = await signoff("executions", "get", execution_id)
    assert "COMPLETED" in ran.out
    assert "poem" in ran.out
    ran = await signoff("executions", "get", execution_id, "--json")
    assert (ran.json["job_id"], ran.json["state"]) == ("poem", "COMPLETED")
    unknown = await signoff("executions", "get", str(uuid4()))
    assert unknown.status == 3
    assert "there is no execution" in unknown.err


async def test_a_cancel_that_comes_too_late_is_no_success(signoff, jobstore):
    await jobstore.add(poem())
    jobstore.refusals["CancelJob"] = Refusal(StatusCode.FAILED_PRECONDITION, "illegal_transition", "it has ended")
    execution_id = "0199d5a8-0000-7000-8000-000000000001"
    for named in (["poem"], ["poem", "--execution-id", execution_id], ["--execution-id", execution_id]):
        ran = await signoff("jobs", "cancel", *named)
        assert (ran.status, "it has ended" in ran.err) == (3, True)


async def test_progress_is_shown_with_the_job_and_as_it_happens(signoff, jobstore):
    await jobstore.add(poem())
    await jobstore.record("poem", JobLogStatus.IN_PROGRESS, progress=0.425, message="two lines of five")
    told = {"progress": 0.425, "progress_message": "two lines of five"}
    jobstore.jobs["poem"] = jobstore.jobs["poem"].model_copy(update=told)
    await jobstore.record("poem", JobLogStatus.COMPLETED, progress=0.425)
    shown = (await signoff("jobs", "get", "poem")).out
    assert re.search(r"progress +42% *\nthe agent says +two lines of five", shown)
    assert "42%" in (await signoff("jobs", "list")).out
    *_, working, completed = (await signoff("jobs", "watch", "poem")).out.splitlines()
    assert working.endswith("42% · two lines of five")
    assert "%" not in completed
    assert (await signoff("jobs", "get", "poem", "--json")).json["progress"] == 0.425


async def test_a_list_says_by_what_code_jobs_failed(signoff, jobstore):
    await jobstore.add(poem())
    await jobstore.record("poem", JobLogStatus.FAILED, code="agent_status", message="the agent answered 400")
    assert re.search(r"poem +FAILED +agent_status 400 ", (await signoff("jobs", "list")).out)
    assert re.search(
        r"code +agent_status 400 *\nlast +the agent answered 400", (await signoff("jobs", "get", "poem")).out
    )


async def test_text_of_strangers_steers_no_terminal(signoff, jobstore):
    await jobstore.add(poem(title="[red]\x1b[2J\x9b evil\N{RIGHT-TO-LEFT OVERRIDE}"))
    out = (await signoff("jobs", "list")).out
    assert "[red]" in out
    assert not {"\x1b", "\x9b", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(out)


async def test_a_refusal_is_3(signoff, jobstore):
    await jobstore.add(poem())
    jobstore.refusals["ExecuteJob"] = Refusal(StatusCode.FAILED_PRECONDITION, "execution_live", "one is live")
    ran = await signoff("jobs", "execute", "poem")
    assert (ran.status, "one is live" in ran.err) == (3, True)


async def test_a_wrong_token_says_what_to_do(signoff, env):
    env["SIGNOFF_TOKEN"] = "wrong"
    ran = await signoff("jobs", "list")
    assert (ran.status, "--token" in ran.err) == (3, True)


@pytest.mark.parametrize("way", ["option", "environment"])
async def test_a_token_may_be_in_a_file(signoff, env, tmp_path, way):
    (tmp_path / "token").write_text(f"{env['SIGNOFF_TOKEN']}\n")
    env["SIGNOFF_TOKEN"] = None
    assert (await signoff("jobs", "list")).status == 3
    if way == "environment":
        env["SIGNOFF_TOKEN_FILE"] = str(tmp_path / "token")
    ran = await signoff("jobs", "list", *(["--token-file", "token"] if way == "option" else []))
    assert ran.status == 0, ran.err


async def test_while_a_token_is_replaced_its_first_value_is_used(signoff, env):
    env["SIGNOFF_TOKEN"] = f"{env['SIGNOFF_TOKEN']}, the-old-one"
    assert (await signoff("jobs", "list")).status == 0


async def test_a_token_in_two_places_or_in_no_readable_file_is_2(signoff, env):
    ran = await signoff("jobs", "list", "--token-file", "missing")
    assert (ran.status, "give one of them" in ran.err) == (2, True)
    env["SIGNOFF_TOKEN"] = None
    ran = await signoff("jobs", "list", "--token-file", "missing")
    assert (ran.status, "missing" in ran.err) == (2, True)


async def test_a_jobstore_out_of_reach_is_4(signoff, jobstore_server):
    await jobstore_server.stop()
    ran = await signoff("jobs", "list")
    assert (ran.status, "signoff doctor" in ran.err) == (4, True)


async def test_without_an_address_it_says_how_to_get_one(signoff, env):
    env["SIGNOFF_JOBSTORE"] = None
    ran = await signoff("jobs", "list")
    assert (ran.status, "signoff up" in ran.err) == (2, True)


@pytest.mark.parametrize("way", ["default", "option", "environment"])
async def test_the_endpoints_file_says_where_the_system_is(signoff, env, jobstore_server, tmp_path, way):
    file = tmp_path / (".signoff/endpoints.json" if way == "default" else "elsewhere.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"grpc": jobstore_server.address, "token": env["SIGNOFF_TOKEN"]}))
    env["SIGNOFF_JOBSTORE"] = env["SIGNOFF_TOKEN"] = None
    if way == "environment":
        env["SIGNOFF_ENDPOINTS"] = str(file)
    ran = await signoff("jobs", "list", *(["--endpoints", str(file)] if way == "option" else []))
    assert ran.status == 0, ran.err


async def test_an_endpoints_file_that_is_not_there_is_2(signoff):
    ran = await signoff("jobs", "list", "--endpoints", "missing.json")
    assert (ran.status, "missing.json" in ran.err) == (2, True)


async def test_the_token_of_the_local_stack_is_for_no_other_jobstore(signoff, env, jobstore, tmp_path):
    file = tmp_path / ".signoff/endpoints.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"grpc": "127.0.0.1:1", "token": env["SIGNOFF_TOKEN"]}))
    env["SIGNOFF_TOKEN"] = None
    assert (await signoff("jobs", "list")).status == 3
    assert not jobstore.requests


@pytest.mark.parametrize("own", [{}, {"token": "of-the-file-with-32-characters-00"}])
async def test_a_token_goes_to_no_jobstore_that_only_a_folder_names(
    signoff, env, jobstore, jobstore_server, tmp_path, own
):
    """A repository that somebody cloned may have such a folder, and whoever made it would get the token."""
    file = tmp_path / ".signoff/endpoints.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"grpc": jobstore_server.address, **own}))
    env["SIGNOFF_JOBSTORE"] = None
    ran = await signoff("jobs", "list", "--json")
    assert (ran.status, jobstore.requests) == (2, [])
    assert json.loads(ran.err)["code"] == "token_for_another"
    assert jobstore_server.address in ran.err
    assert (await signoff("jobs", "list", "--endpoints", str(file))).status == 0, "both were named"


async def test_a_file_that_others_can_write_does_not_say_where_the_system_is(signoff, env, jobstore_server, tmp_path):
    file = tmp_path / ".signoff/endpoints.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"grpc": jobstore_server.address, "token": env["SIGNOFF_TOKEN"]}))
    file.chmod(0o666)
    env |= {"SIGNOFF_JOBSTORE": None, "SIGNOFF_TOKEN": None}
    assert "no jobstore is known" in (await signoff("jobs", "list")).err
    file.chmod(0o600)
    assert (await signoff("jobs", "list")).status == 0


async def test_what_a_job_has_spent_is_shown_where_anything_was(signoff, jobstore):
    await jobstore.add(poem())
    assert "spent" not in (await signoff("jobs", "get", "poem")).out
    spent = {"cost_usd": Decimal("0.0125"), "tokens": 1200}
    jobstore.jobs["poem"] = jobstore.jobs["poem"].model_copy(update=spent)
    await jobstore.record("poem", JobLogStatus.FAILED, code="budget_exhausted", **spent)
    assert re.search(
        r"spent +0.0125 USD, 1200 tokens, as claimed by agents and judges", (await signoff("jobs", "get", "poem")).out
    )
    first, *_, last = (await signoff("jobs", "logs", "poem")).out.splitlines()
    assert "so far" not in first
    assert last.endswith("budget_exhausted (0.0125 USD, 1200 tokens so far)")


async def test_jobs_are_listed_by_text_and_in_another_order(signoff, jobstore):
    for name in ("poem-1", "story", "poem-2"):
        await jobstore.add(NewJob(id=name, title=name, acceptance_criteria="c"))
    listed = await signoff("jobs", "list", "--text", "POEM", "--sort", "created_at", "--json")
    assert [job["id"] for job in listed.json["items"]] == ["poem-1", "poem-2"]
    assert (await signoff("jobs", "list", "--created-after", "yesterday")).status == 2


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["list", "--tenant", "a\udcff"], "--tenant"),
        (["create", "--title", "t", "--criteria", "c", "--label", "team=\ud800"], "--label"),
        (["get", "poem\udcff"], "JOB"),
    ],
)
async def test_text_that_is_not_utf_8_is_a_wrong_value(signoff, arguments, option):
    """A shell hands over bytes, which Python makes lone surrogates of."""
    ran = await signoff("jobs", *arguments)
    assert (ran.status, ran.out) == (2, "")
    assert re.search(rf"Invalid value for .*{option}.*: it is not UTF-8", ran.err), ran.err


async def test_jobs_are_counted_by_status(signoff, jobstore):
    jobstore.counts.counts.update({"ASSIGNED": 10_000, "FAILED": 7})
    jobstore.counts.cancelled, jobstore.counts.searched = 3, 20_000
    ran = await signoff("jobs", "count", "--tenant", "press", "--text", "sea")
    assert [line.split(maxsplit=1) for line in ran.out.splitlines()[1:4]] == [
        ["10000+", "ASSIGNED"],
        ["7", "FAILED"],
        ["3", "cancelled, whatever their status"],
    ]
    assert "of the newest 20000 that match" in ran.out
    (asked,) = jobstore.asked(jobs_pb.CountJobsRequest)
    assert (asked.filter.tenant, asked.filter.text) == ("press", "sea")
    assert (await signoff("jobs", "count", "--json")).json["counts"] == {"ASSIGNED": 10_000, "FAILED": 7}


async def test_an_error_as_json_names_the_field_and_whether_it_may_be_asked_again(signoff, jobstore):
    await jobstore.add(poem())
    jobstore.refusals["ExecuteJob"] = Refusal(
        StatusCode.INVALID_ARGUMENT, "invalid_request", "is no UUID", "execution_id"
    )
    ran = await signoff("jobs", "execute", "poem", "--json")
    told = json.loads(ran.err)
    assert (ran.status, told["status"], told["retryable"]) == (3, 422, False)
    assert told["errors"] == [{"parameter": "execution_id", "message": "is no UUID"}]
    jobstore.refusals["ExecuteJob"] = Refusal(StatusCode.UNAVAILABLE, "of_tomorrow", "later")
    ran = await signoff("jobs", "execute", "poem", "--json")
    told = json.loads(ran.err)
    assert (ran.status, told["status"], told["retryable"], told["code"]) == (4, 503, True, "of_tomorrow")


async def test_a_variable_that_nothing_reads_is_named_once(signoff, env):
    env["SIGNOFF_JOBSTOR"] = "localhost:1"
    env["SIGNOFF_AGENT_KEY"] = env["SIGNOFF_LEASE_S"] = "9"
    ran = await signoff("jobs", "list")
    told = "warning: nothing reads the variables SIGNOFF_JOBSTOR (is SIGNOFF_JOBSTORE meant?)\n"
    assert (ran.status, ran.err) == (0, told)
