"""The inbox over REST: polled by its entity tag, and put off."""

from datetime import UTC, datetime

from signoff.types import Inbox, InboxGroup, InboxHappened

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
GROUP = InboxGroup(
    id="paused-1", kind="paused", name="tenant:press", count=2, remedy="resume it", resume="tenant:press"
)


async def test_a_poll_is_answered_anew_once_the_inbox_changes(http, jobstore):
    jobstore.inbox = Inbox(groups=[GROUP], count=1, happened=InboxHappened(since=AT))
    async with http.get("/api/inbox") as answer:
        told = await answer.json()
        tag = answer.headers["ETag"]
    assert (told["count"], told["groups"][0]["resume"], told["groups"][0]["kind"]) == (1, "tenant:press", "paused")
    async with http.get("/api/inbox", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    jobstore.inbox = Inbox(groups=[], happened=InboxHappened(since=AT))
    async with http.get("/api/inbox", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["groups"]) == (200, [])


async def test_a_group_is_put_off_by_a_put(http, jobstore):
    visit = {"seen": True, "snoozed": ["paused-1"], "until": "2026-05-02T12:00:00Z"}
    async with http.put("/api/inbox", json=visit, params={"tenant": "press"}) as answer:
        assert (answer.status, (await answer.json())["groups"]) == (200, [])
    (update,) = jobstore.inbox_updates
    assert (update.seen, list(update.snoozed), update.tenant) == (True, ["paused-1"], "press")
    assert update.until.ToDatetime(tzinfo=UTC) == datetime(2026, 5, 2, 12, tzinfo=UTC)
    async with http.put("/api/inbox", json={"snoozed": ["x" * 65]}) as answer:
        assert answer.status == 422
