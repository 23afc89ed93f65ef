"""Server-sent events: live, resumable, and never held up by a slow reader."""

import asyncio
import re
from uuid import uuid4

import pytest
from streams import stream
from support.fake_identity import BOOTSTRAP
from support.fake_jobstore import TOKEN, log_message
from support.fakes import until

from console.api.events import EventStream
from console.errors import ProblemError
from console.live import FED_MAX, Viewer
from contracts.resources import NewJob
from signoff import WatchEvent
from signoff.status import JobLogStatus
from signoff.v1 import job_service_pb2 as jobs_pb

POEM = NewJob(id="poem", title="a poem", acceptance_criteria="It rhymes", agent_id="writer")


async def changes(jobstore, count, job=POEM):
    """Record that many transitions."""
    if job.id not in jobstore.jobs:
        await jobstore.add(job)
        count -= 1
    for _ in range(count):
        await jobstore.record(job.id, JobLogStatus.ASSIGNED)


def to_event(log):
    return WatchEvent(log.cursor, log=log_message(log))


async def test_a_new_stream_begins_now(http, live, jobstore):
    await changes(jobstore, 2)
    await until(lambda: live.cursor == 2)
    async with stream(http) as events:
        hello = await events.next()
        assert (hello.name, hello.data, hello.id) == ("hello", {"cursor": 2}, 2)
        await jobstore.record("poem", JobLogStatus.IN_PROGRESS, attempt=1, progress=0.5, message="m" * 9_999)
        change = await events.next()
    log = jobstore.logs[-1]
    assert (change.name, change.id) == ("job-changed", 3)
    at = change.data["log"]["created_at"]
    assert at.startswith(f"{log.created_at:%Y-%m-%dT%H:%M:%S}")
    assert change.data == {
        "cursor": 3, "job_id": "poem", "tenant": "default", "version": 3,
        "job": {
            "id": "poem", "status": "IN_PROGRESS", "version": 3, "agent_id": "writer", "progress": 0.5,
            "cost_usd": "0", "tokens": 0, "live": True, "updated_at": at,
        },
        "log": {
            "id": str(log.id), "job_id": "poem", "version": 3, "status": "IN_PROGRESS", "job_status": "IN_PROGRESS",
            "agent_id": "writer", "attempt": 1, "progress": 0.5, "message": "m" * 500, "cursor": 3, "created_at": at,
            "actor": "token:bootstrap",
        },
    }  # fmt: skip


async def test_events_have_no_bodies(http, jobstore):
    async with stream(http) as events:
        await events.next()
        await jobstore.add(POEM)
        await events.next()
        await jobstore.record("poem", JobLogStatus.COMPLETED, result="secret")
        assert "secret" not in str((await events.next()).data)


async def test_a_cancelled_job_is_told_where_it_stands(http, jobstore):
    async with stream(http) as events:
        await events.next()
        await jobstore.add(POEM)
        await events.next()
        await jobstore.record("poem", JobLogStatus.CANCELLED)
        data = (await events.next()).data
    assert (data["job"]["status"], data["log"]["status"]) == ("ASSIGNED", "CANCELLED")
    assert data["job"]["live"] is False


async def test_the_late_result_of_a_cancelled_execution_leaves_the_live_one_as_it_is(http, jobstore):
    async with stream(http) as events:
        await events.next()
        await jobstore.add(POEM)
        await events.next()
        await jobstore.record("poem", JobLogStatus.CANCELLED, kind="result", execution_id=uuid4(), submission=1)
        change = (await events.next()).data
    assert not {"live", "execution_id", "submission"} & change["job"].keys()
    assert change["log"]["execution_id"]


async def test_a_ping_has_no_place_while_none_is_known() -> None:
    """As while a restored database's log is looked at: a viewer that comes back would begin at that place."""
    viewer = Viewer(None, 10)
    viewer.go_live(5)
    viewer.ping(None, {"jobstore": True})
    viewer.ping(6, {"jobstore": True})
    assert [b"id: " in frame for frame in viewer._frames][1:] == [False, True]


async def test_a_stream_of_one_job_tells_of_no_other(http, live, jobstore):
    await jobstore.add(POEM)
    await jobstore.add(POEM.model_copy(update={"id": "other"}))
    await until(lambda: live.cursor == 2)
    async with stream(http, "/api/jobs/poem/events?after=0") as events:
        await jobstore.record("other", JobLogStatus.IN_PROGRESS)
        await jobstore.record("poem", JobLogStatus.IN_PROGRESS)
        assert [event.id for event in await events.take(2)] == [1, 4]


async def test_a_stream_of_an_unknown_job_is_not_found(http):
    async with http.get("/api/jobs/unknown/events") as answer:
        assert answer.status == 404


async def test_a_stream_of_one_job_reads_the_log_of_that_job_alone(http, live, jobstore):
    await changes(jobstore, 3)
    await changes(jobstore, 30, POEM.model_copy(update={"id": "other"}))
    await changes(jobstore, 600)  # pages of its log, and more than the ring holds
    await until(lambda: live.cursor == 633)
    asked = len(jobstore.requests)
    async with stream(http, "/api/jobs/poem/events?after=2") as events:
        told = await events.take(601)
        await changes(jobstore, 1)
        told.append(await events.next())
    assert [event.id for event in told] == [3, *range(34, 635)]
    assert not [one for one in jobstore.requests[asked:] if isinstance(one, jobs_pb.WatchJobsRequest)]


@pytest.mark.parametrize("recorded", [3, 12])  # within the ring of 4, and far beyond it and the queue of 8
@pytest.mark.parametrize("way", ["after", "header"])
async def test_a_stream_goes_on_behind_its_cursor(http, live, jobstore, recorded, way):
    await changes(jobstore, recorded)
    await until(lambda: live.cursor == recorded)
    # a browser that comes back sends the id it saw last, and still the address it began with
    url, headers = ("/api/events?after=1", {}) if way == "after" else ("/api/events?after=0", {"Last_Event_ID": "1"})
    async with stream(http, url, **headers) as events:
        told = await events.take(recorded - 1)
        await changes(jobstore, 2)
        told += await events.take(2)
    assert [event.id for event in told] == list(range(2, recorded + 3))


async def test_what_was_before_the_console_started_can_be_resumed(http, live, jobstore):
    """The ring begins where the console does."""
    await changes(jobstore, 6)
    await until(lambda: live.cursor == 6)
    live._start_at(6)
    async with stream(http, "/api/events?after=2") as events:
        assert [event.id for event in await events.take(4)] == [3, 4, 5, 6]


async def test_a_forgotten_cursor_is_a_reset(http, live, jobstore):
    await changes(jobstore, 6)
    await until(lambda: live.cursor == 6)
    jobstore.first_cursor, jobstore.logs = 4, jobstore.logs[4:]
    async with stream(http, "/api/events?after=1") as events:
        reset = await events.next()
        assert (reset.name, reset.id) == ("reset", 6)
        await changes(jobstore, 1)
        assert (await events.next()).id == 7


async def test_a_cursor_that_was_never_given_is_a_reset(http, live, jobstore):
    await changes(jobstore, 1)
    await until(lambda: live.cursor == 1)
    async with stream(http, "/api/events?after=99") as events:
        assert ((reset := await events.next()).name, reset.id) == ("reset", 1)


async def test_a_broker_that_counts_anew_resets_everybody(http, live, jobstore):
    await changes(jobstore, 5)
    await until(lambda: live.cursor == 5)
    async with stream(http) as events:
        await events.next()
        jobstore.logs.clear()
        live._publish(await _recorded(jobstore))
        assert [event.name for event in await events.take(2)] == ["reset", "job-changed"]


async def _recorded(jobstore):
    await jobstore.record("poem", JobLogStatus.ASSIGNED)
    return to_event(jobstore.logs[-1])


@pytest.mark.parametrize("last_event_id", ["x", "-1", "1.5", "²"])
async def test_an_id_of_no_stream_is_invalid(http, last_event_id):
    headers = {"Last-Event-ID": last_event_id}
    async with http.get("/api/events", headers=headers) as answer:
        assert answer.status == 422


@pytest.mark.parametrize("live", [{"ping_s": 0.01}], indirect=True)
async def test_pings_carry_the_cursor_so_that_a_quiet_stream_stays_fresh(http, live, jobstore):
    await changes(jobstore, 3)
    await until(lambda: live.cursor == 3)
    async with stream(http, "/api/jobs/poem/events") as events:
        pings = [event for event in await events.take(4) if event.name == "ping"]
    assert {event.id for event in pings} == {3}
    assert all(event.data["cursor"] == 3 and event.data["at"] for event in pings)


@pytest.mark.parametrize("live", [{"ping_s": 0.05}], indirect=True)
async def test_a_stream_says_that_the_jobstore_is_away(http, jobstore_server):
    async with stream(http) as events, asyncio.timeout(20):
        while (await events.next()).data.get("jobstore") is not True:
            pass
        await jobstore_server.stop()
        while (await events.next()).data.get("jobstore") is not False:
            pass


@pytest.mark.parametrize("live", [{"ping_s": 0.05}], indirect=True)
async def test_a_stream_says_that_the_database_cannot_be_written(http, jobstore):
    jobstore.outage = "database_forbidden"
    async with stream(http) as events, asyncio.timeout(20):
        while "database" not in (event := await events.next()).data:
            pass
        assert event.data["jobstore"] is True
        assert event.data["database"] == "Signoff cannot write to its database: the jobstore's role lacks a privilege"
        assert "GRANT" in event.data["remedy"]
        jobstore.outage = None
        while "database" in (await events.next()).data:
            pass


async def test_a_slow_reader_is_cut_off_and_delays_nobody(live, jobstore):
    live._start_at(0)
    slow, quick = await live.enter(TOKEN, BOOTSTRAP, None, None), await live.enter(TOKEN, BOOTSTRAP, None, None)
    frames = quick.frames()
    await jobstore.add(POEM)
    for cursor in range(1, 20):
        live._publish(to_event(jobstore.logs[0].model_copy(update={"cursor": cursor})))
        assert b"id: %d\n" % cursor in await anext(frames)
    assert slow.ended.is_set()
    assert not quick.ended.is_set()
    last = b"".join([data async for data in slow.frames()])
    assert b"id: 6\n" in last
    assert b"id: 7\n" not in last


@pytest.mark.parametrize("live", [{"queued_max": 1_000}], indirect=True)
async def test_who_reads_nothing_of_the_past_keeps_little_and_no_stream_of_the_jobstore(live, jobstore, monkeypatch):
    monkeypatch.setattr("console.live.UNREAD_MAX_S", 0.01)
    await changes(jobstore, 300)
    live._start_at(300)
    viewer = await live.enter(TOKEN, BOOTSTRAP, None, 0)
    await until(lambda: len(viewer._frames) == FED_MAX and not jobstore.open_watches)
    frames, told = viewer.frames(), b""
    while b"id: 300\n" not in told:
        told += await anext(frames)
    assert re.findall(rb"^id: (\d+)$", told, re.MULTILINE) == [b"%d" % cursor for cursor in range(1, 301)]
    await until(lambda: viewer.is_live)


async def test_an_entry_that_nobody_watches_is_not_even_read(live, jobstore):
    await jobstore.add(POEM)
    live._start_at(0)
    event = to_event(jobstore.logs[0])
    event.log.ClearField("status")  # a log's entry cannot be read without one
    live._publish(event)
    assert live.cursor == 1


async def test_a_reader_that_reads_nothing_holds_nothing(live):
    live._start_at(0)
    viewer = await live.enter(TOKEN, BOOTSTRAP, None, None)

    async def never(*_):
        await asyncio.Event().wait()

    answering = asyncio.create_task(EventStream(live, viewer, last_frames_s=0)({"type": "http"}, never, never))
    live.close()
    await answering
    assert not live._viewers


async def test_there_is_a_most_of_viewers(http, live):
    async with stream(http) as a, stream(http) as b, stream(http) as c:
        for events in (a, b, c):
            await events.next()
        async with http.get("/api/events") as answer:
            assert answer.status == 503
            assert (await answer.json(content_type=None))["code"] == "too_many_viewers"
    await until(lambda: not live._viewers)
    async with stream(http) as events:
        assert (await events.next()).name == "hello"


@pytest.mark.parametrize("live", [{"viewers_max": 10}], indirect=True)
async def test_viewers_of_one_tenant_leave_room_for_those_of_others(live, jobstore):
    live._start_at(0)
    press, film, both = (
        jobstore.add_caller(name, tenants=tenants)
        for name, tenants in (("press", ["press"]), ("film", ["film"]), ("both", ["film", "press"]))
    )

    async def enter(caller):
        while True:
            await live.enter(caller.name, caller, None, None)

    async def enter_as_many(caller):
        before = len(live._viewers)
        with pytest.raises(ProblemError, match="streams"):
            await enter(caller)
        return len(live._viewers) - before

    assert await enter_as_many(press) == 8
    with pytest.raises(ProblemError):
        await live.follow(never_ends(), "press")
    assert await enter_as_many(both) == 0
    assert await enter_as_many(film) == 1 + 1
    assert await enter_as_many(BOOTSTRAP) == 0
    for viewer in [*live._viewers]:
        live.leave(viewer)
    assert await enter_as_many(BOOTSTRAP.model_copy(update={"name": TOKEN})) == 10, "who is of all has it all"


async def never_ends():
    await asyncio.Event().wait()
    yield b""


async def test_all_viewers_share_one_watch(http, jobstore):
    async with stream(http) as a, stream(http) as b:
        await a.next()
        await b.next()
        await changes(jobstore, 1)
        assert (await a.next()).id == (await b.next()).id == 1
    assert jobstore.watches == 1


@pytest.mark.parametrize("live", [{"unseen_max_s": 0.0}], indirect=True)
async def test_nothing_is_watched_while_nobody_looks(http, jobstore):
    async with stream(http) as events:
        assert (await events.next()).id == 0
        await changes(jobstore, 2)
        assert [event.id for event in await events.take(2)] == [1, 2]
        assert jobstore.open_watches == 1
    await until_unwatched(jobstore)
    await changes(jobstore, 10)
    async with stream(http) as new, stream(http, "/api/events?after=2") as back:
        hello = await new.next()
        assert (hello.name, hello.id) == ("hello", jobstore.logs[-1].cursor)
        missed = range(3, jobstore.logs[-1].cursor + 1)
        assert [event.id for event in await back.take(len(missed))] == [*missed]
        await changes(jobstore, 1)
        assert (await new.next()).id == (await back.next()).id == missed.stop


@pytest.mark.parametrize("live", [{"unseen_max_s": 0.0}], indirect=True)
async def test_a_console_that_watches_nothing_refuses_streams_while_the_jobstore_is_away(
    http, jobstore, jobstore_server
):
    await until_unwatched(jobstore)
    await jobstore_server.stop()
    async with http.get("/api/events") as answer:
        assert answer.status == 503
        assert (await answer.json(content_type=None))["code"] == "unavailable"
    await jobstore_server.start()
    async with stream(http) as events:
        assert (await events.next()).name == "hello"


async def until_unwatched(jobstore):
    """Record changes until the console ends its watch: only what happens tells it that nobody looks."""
    async with asyncio.timeout(10):
        while jobstore.open_watches:
            await changes(jobstore, 1)
            await asyncio.sleep(0)


async def test_a_restart_of_the_jobstore_is_bridged(http, jobstore, jobstore_server):
    async with stream(http) as events:
        await events.next()
        await changes(jobstore, 1)
        assert (await events.next()).id == 1
        await jobstore_server.stop()
        await changes(jobstore, 2)
        await jobstore_server.start()
        assert [event.id for event in await events.take(2)] == [2, 3]


async def test_open_streams_end_when_the_console_does(http, live):
    async with stream(http) as events:
        await events.next()
        live.close()
        with pytest.raises(EOFError):
            await events.next()
        async with http.get("/api/events") as answer:
            assert answer.status == 503
