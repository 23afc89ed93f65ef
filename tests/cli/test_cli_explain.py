"""Why jobs wait, from the command line: for one, and for all."""

from datetime import UTC, datetime
from decimal import Decimal

from contracts.resources import NewJob
from signoff.types import Reason, Waiting, WaitingSum

UNTIL = datetime(2100, 1, 1, 12, 30, tzinfo=UTC)
REMEDY = "raise it: signoff limits set tenant:press --concurrency 10"
FULL = Reason(code="limit_concurrency", name="tenant:press", used=5, allowed=5, owner="operator", remedy=REMEDY)
OPEN = Reason(code="circuit_open", name="writer", used=7, until=UNTIL, owner="agent", remedy="mend the agent")


async def test_a_job_that_waits_is_told_why_with_numbers_and_what_lifts_it(signoff, jobstore):
    await jobstore.add(NewJob(id="j", title="j", acceptance_criteria="c", agent_id="writer"))
    jobstore.waiting["j"] = Waiting(since=UNTIL, reasons=[FULL, OPEN], place=34)
    lines = (await signoff("jobs", "explain", "j")).out.splitlines()
    until = f"{UNTIL.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    assert lines == [
        f"it has waited since {until}, its turn: 34",
        "  limit_concurrency tenant:press, 5 of 5",
        f"    operator: {REMEDY}",
        f"  circuit_open writer, 7 in a row, until {until}",
        "    agent: mend the agent",
    ]
    told = (await signoff("jobs", "explain", "j", "--json")).json
    assert [reason["code"] for reason in told["reasons"]] == ["limit_concurrency", "circuit_open"]
    assert (told["place"], "starts_at" in told) == (34, False)


async def test_what_a_tenant_spent_is_told_apart(signoff, jobstore):
    about = {"code": "limit_usd_per_day", "name": "tenant:press", "owner": "time", "remedy": REMEDY}
    spent = {"allowed_usd": 20, "agents_usd": Decimal("19.5"), "judges_usd": Decimal("0.75")}
    until = datetime(2100, 1, 2, 12, tzinfo=UTC)
    await jobstore.add(NewJob(id="j", title="j", acceptance_criteria="c", agent_id="w"))
    jobstore.waiting["j"] = Waiting(reasons=[Reason(**about, **spent, until=until)])
    shown = (await signoff("jobs", "explain", "j")).out
    assert "limit_usd_per_day tenant:press, agents 19.5 USD and judges 0.75 USD of 20 USD, until 2100-01-02" in shown
    (reason,) = (await signoff("jobs", "explain", "j", "--json")).json["reasons"]
    assert (reason["allowed_usd"], reason["agents_usd"], reason["judges_usd"]) == ("20", "19.5", "0.75")


async def test_a_job_that_waits_for_its_time_is_told_when_it_begins(signoff, jobstore):
    await jobstore.add(NewJob(id="j", title="j", acceptance_criteria="c", agent_id="writer"))
    own = Reason(code="not_before", since=datetime.now(UTC), until=UNTIL, owner="time", remedy="it begins then")
    jobstore.waiting["j"] = Waiting(reasons=[own], starts_at=UNTIL)
    assert "it waits, it begins no earlier than 2100-01-01" in (await signoff("jobs", "explain", "j")).out


async def test_a_list_says_of_each_job_that_waits_why(signoff, jobstore):
    for name in ("j", "k"):
        await jobstore.add(NewJob(id=name, title=name, acceptance_criteria="c", agent_id="writer"))
    assert "waits for" not in (await signoff("jobs", "list")).out
    jobstore.waiting["j"] = Waiting(reasons=[FULL, OPEN])
    lines = {line.split()[0]: line for line in (await signoff("jobs", "list")).out.splitlines()}
    assert "limit_concurrency tenant:press, circuit_open writer" in lines["j"]
    assert "limit_concurrency" not in lines["k"]
    told = {job["id"]: job.get("waiting") for job in (await signoff("jobs", "list", "--json")).json["items"]}
    assert ([each["code"] for each in told["j"]["reasons"]], told["k"]) == (["limit_concurrency", "circuit_open"], None)


async def test_a_job_that_does_not_wait_is_told_so_and_an_unknown_one_is_an_error(signoff, jobstore):
    await jobstore.add(NewJob(id="j", title="j", acceptance_criteria="c", agent_id="writer"))
    told = await signoff("jobs", "explain", "j")
    assert (told.status, told.out.startswith("it does not wait")) == (0, True)
    assert (await signoff("jobs", "explain", "nobody")).status == 3


async def test_all_that_wait_are_summed_up(signoff, jobstore):
    jobstore.waiting_sums = [
        WaitingSum(code="limit_concurrency", name="tenant:press", count=390, owner="operator", remedy=REMEDY),
        WaitingSum(code="not_before", count=22, owner="time", remedy="it begins then", until=UNTIL),
    ]
    lines = (await signoff("explain")).out.splitlines()
    assert lines[:3] == ["412 waiting", "  390 for limit_concurrency tenant:press", f"    operator: {REMEDY}"]
    assert lines[3].startswith("  22 for not_before, until 2100-01-01")
    assert [each["count"] for each in (await signoff("explain", "--json")).json["waiting"]] == [390, 22]


async def test_a_job_that_is_held_is_told_so_though_it_does_not_wait(signoff, jobstore):
    await jobstore.add(NewJob(id="j", title="j", acceptance_criteria="c", agent_id="writer"))
    jobstore.waiting["j"] = Waiting(held="token:jane: an audit")
    lines = (await signoff("jobs", "explain", "j")).out.splitlines()
    assert lines[0] == "it is held, and not removed until it is released: token:jane: an audit"
    assert (await signoff("jobs", "explain", "j", "--json")).json["held"] == "token:jane: an audit"
