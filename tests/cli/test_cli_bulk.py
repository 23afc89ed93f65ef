"""Operations on all jobs that match, from the command line: seen first, done once it is wanted, reported job by job."""

import json

import pytest
from support.fake_operations import id_of

from contracts.resources import NewJob
from signoff.status import JobStatus
from signoff.types import WaitingSum
from signoff.v1 import operations_service_pb2 as pb
from signoff.v1 import resources_pb2 as pb_resources
from signoff.wire import read_fields

K = id_of("k")


@pytest.fixture(autouse=True)
async def jobs(jobstore):
    """Three of tenant a, which end as they are named, and one of another."""
    known = [("a", "COMPLETED", "t"), ("b", "FAILED", "t"), ("c", "COMPLETED", "t"), ("d", None, "u")]
    for job_id, ends, tenant in known:
        about = {"id": job_id, "tenant": tenant, "payload": ends and {"ends": ends}}
        new = NewJob(**about, title=job_id, acceptance_criteria="c", agent_id="writer")
        await jobstore.add(new)


async def test_a_dry_run_tells_how_many_and_what_they_may_cost_and_changes_nothing(signoff, jobstore):
    shown = await signoff("bulk", "execute", "--tenant", "t", "--dry-run")
    assert (shown.status, shown.out.splitlines()[0]) == (0, "execute: 3 jobs: 3 ASSIGNED")
    assert "estimated cost: 2.5 USD for 1 of them" in shown.out
    told = await signoff("bulk", "execute", "--tenant", "t", "--dry-run", "--json")
    assert (told.json["total"], [job["id"] for job in told.json["sample"]]) == (3, ["a", "b", "c"])
    assert not jobstore.asked(pb.CreateOperationRequest)


async def test_a_small_cost_is_told_as_it_is(signoff, jobstore):
    small = pb.PreviewOperationResponse(total=3, items_max=9, cost_usd="0.00012", cost_of=3)
    jobstore.nonsense["PreviewOperation"] = small
    assert "estimated cost: 0.00012 USD, by" in (await signoff("bulk", "execute", "a", "--dry-run")).out


@pytest.mark.parametrize(("kind", "is_told"), [("execute", True), ("cancel", False)])
async def test_a_cost_that_nobody_can_estimate_is_said_to_be_unknown(signoff, jobstore, kind, is_told):
    jobstore.nonsense["PreviewOperation"] = pb.PreviewOperationResponse(total=3, items_max=9)
    shown = (await signoff("bulk", kind, "a", "--dry-run")).out
    assert ("estimated cost: not known" in shown) == is_told


@pytest.mark.parametrize(
    ("arguments", "status", "counts"),
    [(["--tenant", "t"], 1, {"COMPLETED": 2, "FAILED": 1}), (["a", "c"], 0, {"COMPLETED": 2})],
)
async def test_what_is_waited_for_succeeds_when_all_of_it_does(signoff, arguments, status, counts):
    ran = await signoff("bulk", "execute", *arguments, "--yes", "--wait", "--name", "nightly", "--json")
    assert (ran.status, ran.json["counts"], ran.json["name"]) == (status, counts, "nightly")


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        (["cancel", "--reason", "r"], {"kind": "cancel", "reason": "r"}),
        (["resubmit", "--comment", "c"], {"kind": "resubmit", "comment": "c"}),
        (["assign", "--to", "other"], {"kind": "assign", "agent_id": "other"}),
        (["retry"], {"kind": "retry"}),
    ],
)
async def test_each_kind_says_what_goes_with_it(signoff, jobstore, command, fields):
    options = ["--tenant", "t", "--status", "assigned", "--label", "n=1", "--created-after", "2026-01-01T00:00:00Z"]
    ran = await signoff("bulk", *command, *options, "--yes", "--idempotency-key", "k")
    assert ran.status == 0, ran.err
    (asked,) = jobstore.asked(pb.CreateOperationRequest)
    said = asked.operation
    assert {name: read_fields(said)[name] for name in fields} == fields
    assert (said.filter.tenant, dict(said.filter.labels), said.filter.HasField("created_after")) == (
        "t", {"n": "1"}, True
    )  # fmt: skip
    assert said.filter.statuses == [2]


@pytest.mark.parametrize(
    "arguments",
    [
        ["execute"],
        ["execute", "--tenant", "t"],  # nobody can be asked
        ["execute", "a", "--tenant", "t", "--yes"],
        ["execute", "--batch", "no uuid", "--yes"],
        ["assign", "a", "--yes"],
        ["execute", "a", "--name", " ", "--yes"],
    ],
)
async def test_what_is_said_wrong_is_bad_usage_and_does_nothing(signoff, jobstore, arguments):
    assert (await signoff("bulk", *arguments)).status == 2
    assert not jobstore.operations


async def test_an_operation_is_listed_paused_resumed_aborted_and_reported(signoff, jobstore):
    await signoff("bulk", "execute", "d", "unknown", "--yes", "--idempotency-key", "k")
    await signoff("bulk", "cancel", "a", "--yes")
    assert (await signoff("bulk", "pause", K, "--json")).json["state"] == "PAUSED"
    assert (await signoff("bulk", "resume", K, "--json")).json["state"] == "RUNNING"
    await signoff("bulk", "abort", K, "--reason", "no more")
    (cancel,) = jobstore.asked(pb.CancelOperationRequest)
    assert cancel.reason == "no more"
    assert (await signoff("bulk", "get", K, "--json")).json["state"] == "CANCELLED"
    listed = await signoff("bulk", "list", "--kind", "execute", "--json")
    assert [each["id"] for each in listed.json["items"]] == [K]
    assert len((await signoff("bulk", "list", "--json")).json["items"]) == 2
    assert [each["kind"] for each in (await signoff("batches", "list", "--json")).json["items"]] == ["execute"]

    report = await signoff("bulk", "report", K, "--outcome", "refused", "--json")
    assert [(item["job_id"], item["code"]) for item in report.json["items"]] == [("unknown", "unknown_job")]
    shown = await signoff("bulk", "report", K)
    assert (shown.status, "unknown_job" in shown.out) == (0, True)
    nothing = await signoff("bulk", "get", id_of("nothing"), "--json")
    assert (nothing.status, json.loads(nothing.err)["code"]) == (3, "unknown_batch")


async def test_an_operation_tells_why_it_waits_and_what_lifts_that(signoff, jobstore):
    await signoff("bulk", "execute", "d", "--yes", "--idempotency-key", "k")
    name = f"batch:{K}"
    paused = WaitingSum(code="limit_paused", name=name, count=1, owner="operator", remedy="resume it: signoff ..")
    jobstore.operations[K] = jobstore.operations[K].model_copy(update={"waiting": [paused]})
    for group in ("bulk", "batches"):
        _, *lines = (await signoff(group, "get", K)).out.splitlines()
        assert lines == [f"  1 for limit_paused {name}", "    operator: resume it: signoff .."]
    jobstore.jobs["d"] = jobstore.jobs["d"].model_copy(update={"status": JobStatus.COMPLETED})
    assert f"DONE  1 jobs: 1 COMPLETED · 1 for limit_paused {name}\n" in (await signoff("batches", "watch", K)).out
    told = (await signoff("batches", "get", K, "--json")).json["waiting"]
    assert [(each["code"], each["count"]) for each in told] == [("limit_paused", 1)]


@pytest.mark.parametrize(
    ("counts", "style"),
    [
        ({"COMPLETED": 2}, "green"),
        ({"DONE": 2}, "green"),
        ({"COMPLETED": 1, "FAILED": 1}, "yellow"),
        ({"FAILED": 1, "REFUSED": 1}, "red"),
    ],
)
async def test_what_is_done_has_the_colour_of_what_became_of_its_jobs(signoff, jobstore, env, counts, style):
    env["FORCE_COLOR"] = "1"
    done = pb_resources.Operation(id=K, kind="OPERATION_KIND_EXECUTE", total=2, counts=counts)
    done.state = pb_resources.OPERATION_STATE_DONE
    done.created_at.GetCurrentTime()
    jobstore.nonsense["GetOperation"] = pb.GetOperationResponse(operation=done)
    jobstore.nonsense["ListOperations"] = pb.ListOperationsResponse(operations=[done])
    coloured = f"\x1b[{ {'green': 32, 'yellow': 33, 'red': 31}[style] }mDONE"
    assert coloured in (await signoff("bulk", "get", K)).out
    assert coloured in (await signoff("bulk", "list")).out
