"""The inbox: read once for those who ask, with what each has put off, and what happened since."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from support.jobstore.steps import Steps, verdict

from jobstore.access.callers import CALLER
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError
from jobstore.insights import inbox as reads
from jobstore.insights.inbox import Inboxes
from jobstore.insights.overview import WaitingSums
from jobstore.insights.rollups import Rollups
from jobstore.jobs.model import Actor
from servicekit import clock
from signoff.status import Outcome, ReportKind
from signoff.types import Inbox, InboxGroup

CREATED_AFTER = timedelta(days=14)


async def count_all(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET published_seq = (SELECT coalesce(max(seq), 0) FROM job_logs)"))
    counting = Rollups(database)
    while await counting.count():
        pass


@pytest.fixture(autouse=True)
async def nothing(database: Database) -> None:
    await count_all(database)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE jobs SET created_at = created_at - interval '1 year'"))
        for table in ("inboxes", "executions", "rollups", "tenant_rollups"):
            await connection.execute(text(f"DELETE FROM {table}"))


def make(database: Database) -> Inboxes:
    return Inboxes(Callers(database), WaitingSums(database, 60.0), None)


@contextmanager
def calling(name: str = "eve", *tenants: str) -> Iterator[None]:
    caller = replace(CALLER.get(), actor=Actor(f"token:{name}"), tenants=frozenset(tenants) or None)
    token = CALLER.set(caller)
    yield
    CALLER.reset(token)


async def failed(steps: Steps, code: str = "agent_status", message: str = "it said 500", **fields: Any) -> str:
    await steps.report(await steps.running(**fields), ReportKind.FAILED, code=code, message=message)
    return steps.job_id


async def refused(steps: Steps, **fields: Any) -> str:
    lease = await steps.judging(**fields)
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    return steps.job_id


def kinds(inbox: Inbox) -> list[tuple[str, int]]:
    return [(str(group.kind), group.count) for group in inbox.groups]


def find(inbox: Inbox, kind: str) -> InboxGroup:
    (group,) = [group for group in inbox.groups if group.kind == kind]
    return group


async def test_what_failed_and_what_was_refused_are_groups_with_the_newest(
    database: Database, runner: CommandRunner
) -> None:
    await failed(Steps(database, runner), message="the first")
    newest = await failed(Steps(database, runner), message="the newest")
    await refused(Steps(database, runner))
    await refused(Steps(database, runner), policy={"max_submissions": 1})
    inbox = await make(database).get()
    group = find(inbox, "failed")
    assert (group.code, group.count, group.newest_job_id, group.message) == ("agent_status", 2, newest, "the newest")
    assert group.since is not None
    assert group.newest_at is not None
    assert group.since < group.newest_at
    not_accepted = find(inbox, "not_accepted")
    assert (not_accepted.count, not_accepted.criterion is not None, not_accepted.has_more) == (2, True, False)
    assert not_accepted.operation is not None
    assert inbox.count == len(inbox.groups)


async def test_the_newest_of_what_waits_is_named(database: Database, runner: CommandRunner) -> None:
    for title in ("the first", "the newest"):
        job_id = (await Steps(database, runner).requested(title=title)).job_id
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM workers"))
    group = find(await make(database).get(), "no_worker")
    assert (group.count, group.newest_job_id, group.newest_title) == (2, job_id, "the newest")
    assert group.newest_at is not None


async def test_only_the_newest_are_counted_and_a_group_says_so(
    database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "JOBS_MAX", 2)
    for _ in range(3):
        await failed(Steps(database, runner))
    await refused(Steps(database, runner))
    inbox = await make(database).get()
    assert (find(inbox, "failed").count, find(inbox, "failed").has_more) == (2, True)
    assert (find(inbox, "not_accepted").count, find(inbox, "not_accepted").has_more) == (1, False)


async def test_a_tenant_reads_the_groups_of_its_own(database: Database, runner: CommandRunner) -> None:
    await failed(Steps(database, runner), tenant="press")
    await failed(Steps(database, runner), tenant="law")
    inboxes = make(database)
    with calling("eve", "press"):
        own = await inboxes.get()
        with pytest.raises(InvalidError):
            await inboxes.get("law")
    with calling():
        whole, one = await inboxes.get(), await inboxes.get("press")
    with calling("eve", "books"):
        assert (await inboxes.get()).groups == []
    assert [find(each, "failed").count for each in (own, whole, one)] == [1, 2, 1]
    operation = find(one, "failed").operation
    assert operation is not None
    assert operation.filter.tenant == "press", "who acts on what one tenant has acts on that alone"
    assert own == one


async def test_groups_are_read_once_for_all_who_ask_and_again_after_a_while(
    database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    inboxes = make(database)
    assert (await inboxes.get()).groups == []
    await failed(Steps(database, runner))
    assert (await inboxes.get()).groups == [], "as it was read"
    monkeypatch.setattr(reads, "READ_EVERY_S", 0.0)
    assert (await inboxes.get()).groups == [], "nobody waits for the next read"
    await inboxes._reading[None]
    monkeypatch.setattr(reads, "READ_EVERY_S", 60.0)
    assert kinds(await inboxes.get()) == [("failed", 1)]
    monkeypatch.setattr(reads, "READ_EVERY_S", 0.0)
    monkeypatch.setattr(reads, "KEPT_S", 0.0)
    await failed(Steps(database, runner))
    assert kinds(await inboxes.get()) == [("failed", 2)], "what is too old is waited for"


async def test_who_says_that_they_look_has_what_is_so_now(database: Database, runner: CommandRunner) -> None:
    inboxes = make(database)
    assert (await inboxes.get()).groups == []
    await failed(Steps(database, runner))
    inboxes._found[None] = replace(inboxes._found[None], read_at=inboxes._found[None].read_at - 2)
    assert (await inboxes.get()).groups == []
    with calling():
        await inboxes.note(seen=True)
    assert kinds(await inboxes.get()) == [("failed", 1)]


async def test_a_group_is_put_off_by_the_callers_name_until_it_grows(database: Database, runner: CommandRunner) -> None:
    await failed(Steps(database, runner))
    inboxes = make(database)
    with calling():
        (group,) = (await inboxes.get()).groups
        await inboxes.note(snoozed=[group.id, "gone"])
        put_off = await inboxes.get()
        assert (put_off.count, len(put_off.groups)) == (0, 1)
    with calling("adam"):
        assert (await inboxes.get()).count == 1, "he has not put it off"
    with calling():
        await inboxes.note(shown=[group.id])
        assert (await inboxes.get()).count == 1
        await inboxes.note(snoozed=[group.id], until=clock.now() + timedelta(hours=1))
        assert (await inboxes.get()).count == 0
        await failed(Steps(database, runner))
        assert (await make(database).get()).count == 1, "it has grown"
        await inboxes.note(snoozed=[group.id], until=clock.now() - timedelta(hours=1))
        assert (await inboxes.get()).count == 1, "that time is over"


async def test_a_visit_shows_what_happened_since_the_one_before(database: Database, runner: CommandRunner) -> None:
    await failed(Steps(database, runner))
    await refused(Steps(database, runner))
    await count_all(database)
    inboxes = make(database)
    with calling():
        happened = (await inboxes.get()).happened
        assert (happened.ended, happened.completed, happened.failed, happened.acceptance_rate) == (2, 0, 1, 0.0)
        await inboxes.note(seen=True)
        first = (await inboxes.get()).happened.since
        await inboxes.note(seen=True)
        assert (await inboxes.get()).happened.since == first, "the visit goes on"
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE inboxes SET seen_at = seen_at - interval '31 minutes'"))
        await inboxes.note(seen=True)
        since = (await inboxes.get()).happened.since
        assert timedelta(minutes=30) < clock.now() - since < timedelta(minutes=40)
        async with database.transaction() as connection:
            await connection.execute(text("UPDATE inboxes SET since = since - interval '3 days'"))
        assert (await inboxes.get()).happened.ended == 2, "counted by hours"
    with calling("eve", "books"):
        assert (await inboxes.get()).happened.ended == 0
