"""Batches from the command line: exit status 0 only when it is true."""

import asyncio
import json
from decimal import Decimal

import pytest
from support.fake_operations import id_of

from contracts.resources import NewAgent, NewJob
from signoff.status import JobLogStatus
from signoff.types import InboxGroup, InboxOperation, JobFilter
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import operations_service_pb2 as operations_pb

K = id_of("k")


def job(job_id, ends=None, **fields):
    payload = None if ends is None else {"ends": ends}
    return NewJob(id=job_id, title=job_id, acceptance_criteria="c", agent_id="writer", payload=payload, **fields)


async def made(signoff, jobstore, *ends, key="k"):
    """A batch of jobs that end so, or do not."""
    for number, word in enumerate(ends):
        await jobstore.add(job(f"{key}{number}", word))
    names = [f"{key}{number}" for number in range(len(ends))]
    return await signoff("batches", "create", *names, "--idempotency-key", key, "--json")


@pytest.mark.parametrize(("ends", "status"), [("COMPLETED", 0), ("FAILED", 1)])
async def test_a_batch_succeeds_when_all_its_jobs_do(signoff, jobstore, ends, status):
    await jobstore.add(job("a", "COMPLETED"))
    await jobstore.add(job("b", ends))
    ran = await signoff("batches", "create", "a", "b", "--wait", "--idempotency-key", "k", "--json")
    assert (ran.status, ran.json["state"]) == (status, "DONE")
    assert (await signoff("batches", "get", id_of("k"), "--json")).json == ran.json


async def test_a_batch_of_which_a_job_is_refused_is_1(signoff, jobstore):
    await jobstore.add(job("a"))
    ran = await signoff("batches", "create", "a", "unknown")
    assert ran.status == 1
    assert "unknown_job" in ran.out


async def test_a_batch_says_which_jobs_were_refused_first_and_where_the_rest_is(signoff):
    ran = await signoff("batches", "create", *(f"u{number}" for number in range(12)), "--idempotency-key", "k")
    assert ran.out.count("unknown_job") == 10
    assert f"and 2 more: signoff bulk report {K} --outcome refused" in ran.out
    rest = await signoff("bulk", "report", K, "--outcome", "refused", "--json")
    assert [(item["code"], item["outcome"]) for item in rest.json["items"]] == [("unknown_job", "REFUSED")] * 12


async def test_a_batch_says_what_failed_by_what_it_needs_and_what_does_that(signoff, jobstore):
    await made(signoff, jobstore, "FAILED", "COMPLETED")
    batch_id = id_of("k")
    chosen = JobFilter(statuses=["FAILED"], agent_id="writer", codes=["agent_status"], batch_id=batch_id)
    jobstore.groups = [
        InboxGroup(
            id="failed-1",
            kind="failed",
            code="agent_status",
            agent_id="writer",
            count=1,
            newest_job_id="k0",
            message="it said 500",
            remedy="mend the agent",
            operation=InboxOperation(kind="retry", filter=chosen),
            filter=chosen,
        )
    ]
    for words in (["batches", "get"], ["bulk", "get"]):
        assert (await signoff(*words, K)).out.splitlines()[-4:] == [
            "1 failed writer agent_status",
            "  newest: k0: it said 500",
            "  mend the agent",
            f"  signoff bulk retry --agent writer --code agent_status --batch {batch_id}",
        ]
    told = (await signoff("batches", "get", K, "--json")).json
    assert (told["total"], told["groups"][0]["count"]) == (2, 1)


async def test_a_batch_says_how_much_was_accepted_and_what_it_may_cost(signoff, jobstore):
    await made(signoff, jobstore, "COMPLETED", None)
    known = jobstore.operations[id_of("k")]
    about = {"acceptance_rate": 0.5, "cost_usd": Decimal("1.5"), "expected_cost_usd": Decimal(3)}
    jobstore.operations[id_of("k")] = known.model_copy(update=about)
    assert "50% accepted · 1.5 USD of about 3 USD" in (await signoff("batches", "get", K)).out


async def test_a_batch_of_new_jobs_is_read_from_standard_input(signoff, jobstore):
    text = json.dumps([job("a").model_dump(mode="json"), job("b").model_dump(mode="json")])
    assert (await signoff("batches", "create", "--file", "-", stdin=text)).status == 0
    assert set(jobstore.jobs) == {"a", "b"}


@pytest.mark.parametrize("arguments", [[], ["a", "--file", "-"], ["--file", "-"], ["a", "--tenant", "t"]])
async def test_a_batch_of_nothing_or_of_both_is_bad_usage(signoff, arguments):
    assert (await signoff("batches", "create", *arguments, stdin="{}")).status == 2


async def test_jobs_of_a_file_that_are_wrong_are_told_in_our_own_words(signoff):
    jobs = [{"title": "t", "acceptance_criteria": "c", "not_before": "done"}, {"acceptance_criteria": "c"}]
    ran = await signoff("batches", "create", "--file", "-", stdin=json.dumps(jobs))
    assert ran.status == 2
    assert ran.err.endswith(
        "Error: Invalid value for --file: 0.not_before: must be a date and time with its zone, "
        "such as 2026-05-01T12:00:00Z; 1.title: must be given\n"
    )


async def test_a_batch_takes_the_jobs_that_match(signoff, jobstore):
    jobstore.add_agent(NewAgent(id="writer", name="writer", url="http://127.0.0.1:1/"))
    for number in range(3):
        await jobstore.add(job(f"j{number}", tenant="a", labels={"n": str(number % 2)}))
    ran = await signoff(
        "batches", "create", "--status", "assigned", "--agent", "writer", "--tenant", "a", "--label", "n=0", "--json"
    )
    items = await signoff("bulk", "report", ran.json["id"], "--json")
    assert (ran.status, [item["job_id"] for item in items.json["items"]]) == (0, ["j0", "j2"])
    (asked,) = jobstore.asked(jobs_pb.ExecuteJobsRequest)
    assert (asked.filter.agent_id, asked.filter.tenant, dict(asked.filter.labels)) == ("writer", "a", {"n": "0"})
    listed = await signoff("jobs", "list", "--batch", ran.json["id"], "--json")
    assert {item["id"] for item in listed.json["items"]} == {"j0", "j2"}


@pytest.mark.parametrize(("ends", "status"), [("COMPLETED", 0), ("FAILED", 1), ("REJECTED", 1)])
async def test_a_batch_is_watched_to_its_end(signoff, jobstore, ends, status):
    await made(signoff, jobstore, "COMPLETED", None)
    watching = asyncio.create_task(signoff("batches", "watch", K, "--json"))
    async with asyncio.timeout(10):
        while not jobstore.asked(operations_pb.WatchOperationRequest):  # noqa: ASYNC110 - told by nothing
            await asyncio.sleep(0)
    await jobstore.record("k1", JobLogStatus(ends))
    ran = await watching
    assert (ran.status, [told["state"] for told in ran.json_lines]) == (status, ["RUNNING", "DONE"])
    shown = await signoff("batches", "watch", K)
    assert (shown.status, "DONE  2 jobs: " in shown.out) == (status, True)


async def test_a_batch_of_nothing_but_what_was_refused_is_no_success(signoff):
    await signoff("batches", "create", "unknown", "--idempotency-key", "k")
    assert (await signoff("batches", "watch", K)).status == 1


async def test_a_batch_is_paused_resumed_cancelled_and_listed(signoff, jobstore):
    await made(signoff, jobstore, None)
    assert (await signoff("batches", "pause", K, "--json")).json["state"] == "PAUSED"
    assert "PAUSED" in (await signoff("batches", "list")).out
    assert (await signoff("batches", "resume", K, "--json")).json["state"] == "RUNNING"
    await signoff("batches", "cancel", K, "--reason", "no more")
    (cancel,) = jobstore.asked(operations_pb.CancelOperationRequest)
    assert cancel.reason == "no more"
    listed = await signoff("batches", "list", "--json")
    assert [(batch["id"], batch["state"]) for batch in listed.json["items"]] == [(K, "CANCELLED")]
    again = await signoff("batches", "pause", K, "--json")
    assert (again.status, json.loads(again.err)["code"]) == (3, "operation_ended")
    assert (await signoff("batches", "watch", K)).status == 1


async def test_what_failed_of_a_batch_runs_again(signoff, jobstore):
    await made(signoff, jobstore, "FAILED", "COMPLETED")
    jobstore.jobs["k0"] = jobstore.jobs["k0"].model_copy(update={"payload": {"ends": "COMPLETED"}})
    ran = await signoff("batches", "retry", K, "--wait", "--json")
    assert (ran.status, ran.json["retry_of"], ran.json["counts"]) == (0, K, {"COMPLETED": 1})
    nothing = await signoff("batches", "retry", K, "--json")
    assert (nothing.status, json.loads(nothing.err)["code"]) == (3, "nothing_to_retry")
