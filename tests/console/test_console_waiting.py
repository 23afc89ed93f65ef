"""Why jobs wait, over REST: of one, of each in a list, and in the overview."""

from datetime import UTC, datetime

from contracts.resources import NewJob
from signoff.types import Reason, Waiting, WaitingSum

AT = datetime(2100, 1, 1, tzinfo=UTC)
REASON = Reason(code="no_room", name="executor", used=200, allowed=200, owner="operator", remedy="start more")


async def test_one_job_and_each_of_a_list_say_why_they_wait(http, jobstore):
    for job_id in ("waits", "rests"):
        await jobstore.add(NewJob(id=job_id, title="t", acceptance_criteria="c", agent_id="writer"))
    jobstore.waiting["waits"] = Waiting(since=AT, reasons=[REASON], place=3)
    async with http.get("/api/jobs/waits/waiting") as answer:
        told = await answer.json()
    assert (answer.status, told["place"], told["reasons"][0]["used"]) == (200, 3, 200)
    assert "ETag" not in answer.headers, "it changes without the job"
    async with http.get("/api/jobs/rests/waiting") as answer:
        assert (await answer.json())["reasons"] == []
    async with http.get("/api/jobs/nobody/waiting") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "unknown_job")
    async with http.get("/api/jobs", params={"view": "basic"}) as answer:
        items = {item["id"]: item.get("waiting") for item in (await answer.json())["items"]}
    assert (items["rests"], items["waits"]["reasons"][0]["code"]) == (None, "no_room")


async def test_the_overview_sums_up_why_executions_wait(http, jobstore):
    jobstore.waiting_sums = [WaitingSum(code="queue", count=4, owner="signoff", remedy="its turn comes")]
    async with http.get("/api/overview") as answer:
        assert [each["count"] for each in (await answer.json())["waiting"]] == [4]
