"""What needs somebody, from the command line."""

from datetime import UTC, datetime

from signoff.types import Inbox, InboxGroup, InboxHappened, InboxOperation, JobFilter

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
CHOSEN = JobFilter(statuses=["FAILED"], agent_id="writer", codes=["agent_timeout"], created_after=AT)
FAILED = InboxGroup(
    id="failed-1",
    kind="failed",
    code="agent_timeout",
    agent_id="writer",
    count=10_000,
    has_more=True,
    since=AT,
    newest_at=AT,
    newest_job_id="j",
    message="no answer within 30 s",
    remedy="allow more in the policy",
    operation=InboxOperation(kind="retry", filter=CHOSEN),
    filter=CHOSEN,
)
PAUSED = InboxGroup(id="paused-1", kind="paused", code="limit_paused", name="tenant:press", count=2, remedy="resume it")
HAPPENED = InboxHappened(since=AT, ended=1204, failed=38, acceptance_rate=0.94, cost_usd="44.16")


async def test_each_group_says_what_does_it_for_all(signoff, jobstore):
    jobstore.inbox = Inbox(groups=[PAUSED, FAILED], count=2, happened=HAPPENED)
    since = f"{AT.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    assert (await signoff("inbox")).out.splitlines() == [
        f"since {since}: 1204 ended, 94% accepted, 38 failed, 44.16 USD",
        "2 paused limit_paused tenant:press",
        "  resume it",
        "  signoff inbox --not-now paused-1",
        f"10000+ failed writer agent_timeout, since {since}",
        "  newest: j: no answer within 30 s",
        "  allow more in the policy",
        "  signoff bulk retry --agent writer --code agent_timeout --created-after 2026-05-01T12:00:00Z",
        "  signoff inbox --not-now failed-1",
    ]
    assert jobstore.inbox_updates[-1].seen
    told = (await signoff("inbox", "--json")).json
    assert (told["count"], told["groups"][1]["operation"]["kind"]) == (2, "retry")


async def test_a_group_is_put_off_for_some_time(signoff, jobstore):
    jobstore.inbox = Inbox(groups=[PAUSED.model_copy(update={"snoozed_until": AT})], happened=HAPPENED)
    shown = await signoff("inbox", "--not-now", "paused-1", "--for", "2h", "--show", "failed-1")
    assert shown.out.splitlines()[1:] == ["not now: 1"]
    update = jobstore.inbox_updates[-1]
    assert (list(update.snoozed), list(update.shown), update.HasField("until")) == (["paused-1"], ["failed-1"], True)
    assert (await signoff("inbox", "--for", "2h")).status == 2


async def test_nothing_to_do_says_so(signoff, jobstore):
    jobstore.inbox = Inbox(groups=[], happened=InboxHappened(since=AT))
    assert (await signoff("inbox")).out.splitlines()[1:] == ["nothing needs you"]
