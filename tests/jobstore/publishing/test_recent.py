"""What this process records goes to the relay and to watches in memory, and says to the byte what the table says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest
from pydantic_core import from_json
from sqlalchemy import text
from support.jobstore.administered import put_agent
from support.jobstore.edited import edited, edited_lives
from support.jobstore.relays import Compared, make_relay
from support.jobstore.reused import SURE, Life
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.statements import recorded_statements
from support.jobstore.steps import Steps, able_agents, new_job, swept, verdict
from support.jobstore.terms import TERMS

from contracts.resources import Job, JobPatch, Usage, job_message
from jobstore.access.callers import CALLER, Caller
from jobstore.engine.database import CHANNEL, Database, Wake, number_handed_over
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Connection
from jobstore.executions.commands import CancelJob, ExecuteJob
from jobstore.jobs import store as rows
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF, Actor, TransitionKind
from jobstore.jobs.reads import get_job
from jobstore.publishing import relay as relaying
from jobstore.publishing import watches as recent
from jobstore.publishing.relay import Relay
from jobstore.publishing.watches import Watches
from jobstore.subjects import STORES
from signoff.status import Outcome, ReportKind, Role
from signoff.values import new_execution_id
from signoff.wire import read

#: Kinds that have no entry, or whose facts are read.
_NOT_FROM_MEMORY = {
    TransitionKind.EDITED,
    TransitionKind.JUDGING_CLAIMED,
    TransitionKind.MISJUDGED,
    TransitionKind.REBUILT,
}


@pytest.fixture
def handing(database: Database) -> CommandRunner:
    """A runner of this test alone, since it hands over."""
    return CommandRunner(database, STORES, TERMS)


@pytest.fixture(scope="module")
def topics() -> TopicsInMemory:
    """As the database of this module knows them."""
    return TopicsInMemory()


@pytest.fixture
async def relay(database: Database, topics: TopicsInMemory, handing: CommandRunner) -> Relay:
    """A relay that leads, has nothing left to do, and is handed what the runner records."""
    made = make_relay(database, topics)
    async with database.session() as session:
        await made.load(session)
        while await made.relay(session) or made.has_gaps:
            pass
    handing.listeners.on_recorded = made.hand_over
    return made


async def publish(relay: Relay, database: Database) -> list[str]:
    """Publish what the relay was told of, as it does when it is woken; return what it asked the database for."""
    with recorded_statements() as asked:
        async with database.session() as session:
            while await relay.relay(session, looks=relay._must_look, store_after_s=60.0):
                pass
    return asked


def told(topics: TopicsInMemory, job_id: str) -> list[int]:
    records = [record for record in topics.records if record.key == job_id.encode()]
    return [from_json(record.value)["version"] for record in records]


async def completed(steps: Steps, **fields: Any) -> Steps:
    await steps.report(await steps.judging(**fields), ReportKind.VERDICT, verdict=verdict())
    return steps


async def test_what_is_made_of_memory_is_what_is_made_of_the_table(database: Database, handing: CommandRunner) -> None:
    """Of the kinds that the state machine seldom comes upon, with odd values; tests/protocol has all others."""
    compared = Compared(database)
    before = Compared.kinds.copy()
    handing.listeners.on_recorded = compared.hand_over
    await able_agents(database)
    async with database.transaction() as connection:
        await put_agent(connection, "sure", SURE, create=True)

    def life(_: str = "") -> Steps:
        return Steps(database, handing)

    there = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    labels = {"a long name": 'd "e"', "z": "\N{SNOWMAN}", "b": ""}
    odd: dict[str, Any] = {"payload": {"n": 2**80, "f": 1.50, "z": [None]}, "labels": labels, "not_before": there}
    odd["policy"] = {"deadline_s": 100.0, "budget_usd": 0.1, "budget_tokens": 10}
    lease = await (failing := life()).running(**odd)
    await failing.report(lease, ReportKind.PROGRESS, seq=1, progress=1, message="half", partial={"n": 1e300})
    await failing.report(lease, ReportKind.PROGRESS, seq=2, message=None)
    await failing.report(lease, ReportKind.CALL_FAILED, seq=3, call=1, code="agent_timeout", message="x" * 5_000)
    await compared.check()  # before the test moves what was frozen
    await failing.deadline_passed()
    await swept(database, handing)
    await compared.check()

    judging = await (misjudged := life()).judging()
    for number in range(3):
        await misjudged.report(judging + number, ReportKind.VERDICT, verdict=verdict(criteria="another"))
        if number < 2:
            await misjudged.claim_judging(1)
    await compared.check()

    sure: dict[str, Any] = {"agent_id": "sure", "policy": {"resubmit": "automatic"}}
    await Life(database, handing).judged(Outcome.FAIL, value={"n": "\u0000"}, **sure)
    reusing = await Life(database, handing).requested(**sure)
    await reusing.claim()
    assert (await reusing.logs())[-1].kind == "result", "it quotes what the other job was answered"
    await compared.check()
    await edited_lives(life)
    await compared.check()

    once = life()
    commands = [
        CreateJob(new_job(capabilities=["able"], agent_id=None), once.job_id, actor=SIGNOFF),
        EditJob(once.job_id, JobPatch(title="Another", labels={"x": "y"}), actor=SIGNOFF),
        AssignAgent(once.job_id, "able", '"other"', actor=SIGNOFF),
        ExecuteJob(once.job_id, once.execution_id, chosen=True, actor=SIGNOFF),
        CancelJob(once.job_id, reason="why", actor=SIGNOFF),
    ]
    await handing.carry_out(commands)
    await compared.check()
    assert {*Compared.kinds - before} >= {"call_failed", "deadline", "result", "not_met", "progress"}


async def test_the_late_result_of_a_cancelled_execution_does_not_say_that_it_is_the_jobs_last(
    database: Database, relay: Relay, topics: TopicsInMemory, handing: CommandRunner
) -> None:
    cancelled = Steps(database, handing)
    lease = await cancelled.running()
    cancel = CancelJob(cancelled.job_id, actor=SIGNOFF)
    following = new_execution_id()
    await handing.submit.run_one(cancel)
    await handing.submit.run_one(ExecuteJob(cancelled.job_id, following, chosen=True, actor=SIGNOFF))
    await cancelled.result(lease)
    await publish(relay, database)
    fact = from_json([record for record in topics.records if record.key == cancelled.job_id.encode()][-1].value)
    assert (fact["log"]["kind"], fact["log"]["status"], fact["log"]["execution_id"]) == (
        "result",
        "CANCELLED",
        str(cancelled.execution_id),
    )
    assert (fact["job"]["execution_id"], fact["job"]["submission"]) == (str(following), 1)


async def test_a_life_is_published_without_a_look_or_a_read(
    relay: Relay, database: Database, handing: CommandRunner, topics: TopicsInMemory
) -> None:
    steps = await completed(Steps(database, handing))
    assert await publish(relay, database) == []
    assert told(topics, steps.job_id) == [1, 2, 3, 4, 5]
    assert relay.published == relay.settled == (await steps.logs())[-1].seq


async def test_what_another_process_wrote_between_is_looked_for(
    relay: Relay, database: Database, runner: CommandRunner, handing: CommandRunner, topics: TopicsInMemory
) -> None:
    """And from there on the job is known again."""
    steps = await Steps(database, runner).created()
    steps.runner = handing
    await handing.submit.run_one(ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    asked = await publish(relay, database)
    assert [("unseen" in each, "taken" in each) for each in asked] == [(True, False), (False, True)]
    await steps.claim()
    assert await publish(relay, database) == []
    assert told(topics, steps.job_id) == [1, 2, 3]


async def test_an_edit_is_read_and_known_again(
    relay: Relay, database: Database, handing: CommandRunner, topics: TopicsInMemory
) -> None:
    steps = await Steps(database, handing).created()
    await edited(steps, title="Another", labels={"x": "y"})
    asked = await publish(relay, database)
    assert len([each for each in asked if "taken" in each]) == 1
    await handing.submit.run_one(AssignAgent(steps.job_id, "writer", '"other"', actor=SIGNOFF))
    assert await publish(relay, database) == []
    titles = [from_json(r.value)["job"]["title"] for r in topics.records if r.key == steps.job_id.encode()]
    assert titles == ["A title", "Another", "Another"]


async def test_what_is_large_is_read(
    relay: Relay, database: Database, handing: CommandRunner, topics: TopicsInMemory
) -> None:
    large = await Steps(database, handing).created(payload="x" * rows.BODY_MAX)
    assert any("taken" in each for each in await publish(relay, database))
    await handing.submit.run_one(ExecuteJob(large.job_id, large.execution_id, chosen=True, actor=SIGNOFF))
    assert any("taken" in each for each in await publish(relay, database)), "the request has the payload"
    await large.claim()
    assert await publish(relay, database) == []
    assert told(topics, large.job_id) == [1, 2, 3]


async def test_memory_is_bounded(
    relay: Relay, database: Database, handing: CommandRunner, topics: TopicsInMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of entries that wait, of jobs, of what jobs ask for, and of entries for watches: the rest is read."""
    monkeypatch.setattr(recent, "WHOLE_MAX", 2_000)
    monkeypatch.setattr(recent, "JOBS_MAX", 3)
    monkeypatch.setattr(recent, "ENTRIES_MAX", 10)
    monkeypatch.setattr(recent, "PART_MAX", 300)
    steps = [await Steps(database, handing).created(title="t" * (number * 100)) for number in range(1, 5)]
    for each in steps:
        await handing.submit.run_one(ExecuteJob(each.job_id, each.execution_id, chosen=True, actor=SIGNOFF))
        await each.claim()
    held = relay.recent
    assert (held._size <= 2_000, len(held._jobs), len(held._entries) <= 10) == (True, 3, True)
    await publish(relay, database)
    assert [told(topics, each.job_id) for each in steps] == [[1, 2, 3]] * 4
    assert (held._size, held._whole) == (0, {})


async def test_watches_are_told_at_once_and_from_memory_what_the_table_says(
    relay: Relay, database: Database, handing: CommandRunner
) -> None:
    watches = Watches(database, relay.recent)
    begin = relay.settled
    steps, other = await completed(Steps(database, handing)), await Steps(database, handing).created()
    with recorded_statements() as asked:
        page = list(await anext(aiter(watches.read_changes(begin, [], payloads=False))))
        of_one = await anext(aiter(watches.read_changes(begin, [other.job_id], payloads=False)))
    assert asked == []
    assert [(each["job_id"], each["version"]) for each in page[-2:]] == [(steps.job_id, 5), (other.job_id, 1)]
    assert [each["job_id"] for each in of_one] == [other.job_id]
    with recorded_statements() as asked:
        whole = await anext(aiter(watches.read_changes(begin, [], payloads=True)))
    assert len(asked) == 1, "bodies are not kept"
    assert [{name: value for name, value in each.items() if name in page[0]} for each in whole] == page


async def test_a_watch_of_some_tenants_is_told_of_these_from_memory_and_from_the_table(
    relay: Relay, database: Database, handing: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    watches = Watches(database, relay.recent)
    begin = relay.settled
    theirs, own = await completed(Steps(database, handing)), await Steps(database, handing).created(tenant="press")
    for tenants in ({"press"}, {"press", "law"}):
        call_as(*tenants)
        for payloads in (False, True):
            page = await anext(aiter(watches.read_changes(begin, [], payloads=payloads)))
            assert [(each["job_id"], each["tenant"]) for each in page] == [(own.job_id, "press")]
    both = [theirs.job_id, own.job_id]
    assert [each["job_id"] for each in await anext(aiter(watches.read_changes(begin, both, payloads=False)))] == both[
        1:
    ]
    assert [job["id"] async for job in watches.read_jobs(both, texts=False)] == [own.job_id]
    monkeypatch.setattr(recent, "FAR_BEHIND", 2)  # between its own entries there are many of others
    relay.recent.skip(relay.settled)
    late = await anext(aiter(watches.read_changes(begin, [], payloads=False)))
    assert [each["job_id"] for each in late] == [own.job_id]


def call_as(*tenants: str) -> None:
    CALLER.set(Caller("eve", Actor("token:eve"), Role.VIEWER, frozenset(tenants)))


async def test_watches_read_what_others_have_recorded_and_what_another_relay_has_settled(
    relay: Relay, database: Database, runner: CommandRunner, handing: CommandRunner
) -> None:
    watches = Watches(database, relay.recent)
    begin = relay.settled
    await Steps(database, handing).created()
    theirs = await Steps(database, runner).created()
    await Steps(database, handing).created()
    assert relay.has_gaps
    async with database.session() as session:
        await relay.relay(session)
    page = await anext(aiter(watches.read_changes(begin, [], payloads=False)))
    assert [each["job_id"] for each in page][1] == theirs.job_id
    late = await Steps(database, runner).created()
    watches.set_settled((await late.logs())[0].seq)  # as a relay does that leads by now
    page = await anext(aiter(watches.read_changes(relay.settled, [], payloads=False)))
    assert [each["job_id"] for each in page] == [late.job_id]


async def test_a_relay_that_does_not_lead_takes_and_serves_nothing(database: Database, handing: CommandRunner) -> None:
    relay = make_relay(database, TopicsInMemory())
    handing.listeners.on_recorded = relay.hand_over
    watches = Watches(database, relay.recent)
    steps = await Steps(database, handing).created()
    (entry,) = await steps.logs()
    watches.set_settled(entry.seq)
    assert not relay._backlog
    page = await anext(aiter(watches.read_changes(entry.seq - 1, [], payloads=False)))
    assert [each["job_id"] for each in page] == [steps.job_id]


@asynccontextmanager
async def run(relay: Relay, database_url: str) -> AsyncIterator[None]:
    """Run a relay, and tell it what is notified."""
    listening = await asyncpg.connect(database_url)

    def notify(*message: Any) -> None:
        if Wake.RECORDED in Wake.of_payload(message[-1]):
            relay.note_recorded(number_handed_over(message[-1]))

    await listening.add_listener(CHANNEL, notify)
    running = asyncio.create_task(relay.run())
    try:
        async with asyncio.timeout(20):
            yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await listening.close()


async def wait_until_told(topics: TopicsInMemory, job_id: str, versions: list[int]) -> None:
    while told(topics, job_id) != versions:  # noqa: ASYNC110 - topics in memory have no event
        await asyncio.sleep(0.005)


async def wait_until_quiet(relay: Relay) -> None:
    """Wait until a relay leads, has nothing to look for, and waits to be woken."""
    while not (relay._leads and relay._wake._waiters) or relay._must_look or relay.has_gaps:  # noqa: ASYNC110
        await asyncio.sleep(0.005)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what makes a relay look finds anything: it polls once a day."""
    monkeypatch.setattr(relaying, "POLL_S", 86_400.0)


@pytest.mark.usefixtures("slow")
async def test_what_is_never_handed_over_is_found_by_what_was_notified(
    database: Database, database_url: str, topics: TopicsInMemory, handing: CommandRunner
) -> None:
    """Its number is missing from then on, as if others had recorded behind it."""
    relay = make_relay(database, topics)
    handing.listeners.on_recorded = lambda _: None  # as one that fails, or whose process was busy
    async with run(relay, database_url):
        first = await Steps(database, handing).created()
        await wait_until_told(topics, first.job_id, [1])  # by the first look, or by a notification
        lost = await Steps(database, handing).created()
        await wait_until_told(topics, lost.job_id, [1])


@pytest.mark.usefixtures("slow")
async def test_a_running_relay_looks_for_what_others_say_and_not_for_what_it_is_handed(
    database: Database,
    database_url: str,
    topics: TopicsInMemory,
    runner: CommandRunner,
    handing: CommandRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = make_relay(database, topics)
    handing.listeners.on_recorded = relay.hand_over
    async with run(relay, database_url):
        await wait_until_quiet(relay)  # what it finds next, it was notified of
        theirs = await Steps(database, runner).created()
        await wait_until_told(topics, theirs.job_id, [1])
        await wait_until_quiet(relay)
        monkeypatch.setattr(relaying, "GAPS_POLL_S", 86_400.0)  # however late on a busy machine it is handed a row
        with recorded_statements() as asked:
            ours = await completed(Steps(database, handing))
            await wait_until_told(topics, ours.job_id, [1, 2, 3, 4, 5])
        assert [each for each in asked if "unseen" in each or "taken" in each] == []


async def wait_until_stored(session: Connection, steps: Steps) -> None:
    last = (await steps.logs())[-1].seq
    while await session.scalar(text("SELECT published_seq FROM relay")) != last:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.mark.usefixtures("slow")
async def test_what_goes_on_waits_for_company_and_what_ends_a_job_is_published_at_once(
    database: Database,
    database_url: str,
    topics: TopicsInMemory,
    handing: CommandRunner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    relay = make_relay(database, topics)
    handing.listeners.on_recorded = relay.hand_over
    async with run(relay, database_url), database.session() as session:
        await wait_until_stored(session, await completed(Steps(database, handing)))
        for name in ("LINGER_S", "GAPS_POLL_S"):  # whoever waits for company waits for a day
            monkeypatch.setattr(relaying, name, 86_400.0)
        steps = Steps(database, handing)
        lease = await steps.judging()
        assert told(topics, steps.job_id) == []
        await steps.report(lease, ReportKind.VERDICT, verdict=verdict())
        await wait_until_told(topics, steps.job_id, [1, 2, 3, 4, 5])


async def test_marks_are_stored_a_moment_later_and_what_a_crash_forgets_is_told_again(
    relay: Relay, database: Database, handing: CommandRunner, topics: TopicsInMemory
) -> None:
    steps = await completed(Steps(database, handing))
    await publish(relay, database)
    async with database.session() as session:
        last = (await steps.logs())[-1].seq
        stored = text("SELECT published_seq FROM relay")
        assert await session.scalar(stored) < last
        again = make_relay(database, topics)
        await again.load(session)
        while await again.relay(session):
            pass
        assert told(topics, steps.job_id) == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
        assert await session.scalar(stored) == last


async def test_a_running_relay_stores_its_marks_once_it_falls_quiet(
    database: Database, database_url: str, topics: TopicsInMemory, handing: CommandRunner
) -> None:
    relay = make_relay(database, topics)
    handing.listeners.on_recorded = relay.hand_over
    async with run(relay, database_url), database.session() as session:
        await wait_until_stored(session, await completed(Steps(database, handing)))


#: What a fact has of its job at version 1 and after edits alone, and what is read of a job besides.
_TEXTS = {"description", "acceptance_criteria", "criteria", "references", "payload"}
_READ = {"last_log", "waiting", "result", "verdict", "result_version"}


async def show(database: Database, job_id: str) -> dict[str, Any]:
    """Return a job as it is answered."""
    async with database.session() as session:
        view = await get_job(session, job_id, texts=True)
    assert view is not None
    return read(job_message(view, as_text=True), Job).model_dump(exclude=_TEXTS | _READ)


async def test_a_fact_has_all_of_its_job_but_texts(
    database: Database, relay: Relay, topics: TopicsInMemory, handing: CommandRunner
) -> None:
    steps = Steps(database, handing)
    shown = [await show(database, (await steps.created(labels={"a": "b"})).job_id)]

    async def note() -> None:
        while len(shown) < (await show(database, steps.job_id))["version"]:
            shown.append(await show(database, steps.job_id))

    for kind in (ReportKind.FAILED, ReportKind.VERDICT):
        steps.execution_id = new_execution_id()
        execute = ExecuteJob(steps.job_id, steps.execution_id, chosen=True, actor=SIGNOFF)
        await handing.submit.run_one(execute)
        await note()
        claimed = await steps.claim()
        assert claimed.execution is not None
        await note()
        if kind is ReportKind.FAILED:
            usage = Usage(cost_usd=0.5, output_tokens=7)
            await steps.report(claimed.execution.lease, kind, code="agent_status", usage=usage)
            await note()
    await handing.submit.run_one(CancelJob(steps.job_id, reason="why", actor=SIGNOFF))
    await note()
    await publish(relay, database)
    facts = [from_json(record.value)["job"] for record in topics.records if record.key == steps.job_id.encode()]
    told = [Job(**fact).model_dump(exclude=_TEXTS | _READ) | {"live": fact.get("live", False)} for fact in facts]
    assert [job["version"] for job in told] == [*range(1, len(shown) + 1)]
    assert told == shown
    assert [job["live"] for job in told][-2:] == [True, False]
