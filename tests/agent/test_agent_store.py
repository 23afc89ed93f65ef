"""The store of an agent: what it keeps, for how long, for whom, and what happens while it cannot be written."""

import asyncio
import fcntl
import sqlite3
import stat
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.fakes import until

from signoff_agent import SqliteStore, Task, agent
from signoff_agent.store import StoreError
from signoff_agent.testing import AgentClient


@pytest.fixture
async def store(tmp_path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "new folder" / "work")
    await store.open()
    yield store
    await store.close()


async def begin(store: SqliteStore, key: str = "k", **fields):
    begun = await store.begin(key, "digest", **{"has_room": True, "is_repeatable": False, **fields})
    assert begun is not None
    return begun


async def test_of_many_at_once_in_two_processes_one_begins(store, tmp_path):
    other = SqliteStore(tmp_path / "new folder" / "work")
    await other.open()
    begun = await asyncio.gather(*(begin(one) for one in [store, other] * 50))
    assert sum(one.is_new for one in begun) == 1
    assert len({one.work.id for one in begun}) == 1
    await other.close()


async def test_work_of_a_store_that_was_closed_is_lost_to_others_at_once(store, tmp_path):
    other = SqliteStore(tmp_path / "new folder" / "work")
    await other.open()
    work = (await begin(other)).work
    seen = await store.find(work.id)
    assert seen is not None
    assert (seen.state, seen.is_own) == ("running", False)
    await other.close()
    seen = await store.find(work.id)
    assert seen is not None
    assert seen.state == "lost"
    with pytest.raises(StoreError):
        await other.end(work.id, "succeeded", "{}")


async def test_an_end_is_kept_for_its_time_and_then_forgotten_with_its_checkpoints(tmp_path):
    store = SqliteStore(tmp_path / "work", keep_s=0)
    await store.open()
    ended, running = (await begin(store, "a")).work, (await begin(store, "b")).work
    await store.checkpoint("a", "n", "1")
    await store.end(ended.id, "failed", "{}")
    await store.forget()
    assert await store.find(ended.id) is None
    assert await store.find(running.id) is not None
    assert (await begin(store, "a")).checkpoints == {}
    await store.close()


async def test_what_was_stopped_begins_anew_as_if_nobody_had(store):
    stopped = (await begin(store)).work
    await store.beat({stopped.id: '{"progress":0.5}'})
    await store.stop(stopped.id)
    assert await store.beat({}) == {stopped.id}
    await store.end(stopped.id, "stopped", "{}")
    again = (await begin(store)).work
    assert (await store.find(again.id), await store.beat({})) == (again, set())


async def test_its_files_are_for_nobody_else_and_locks_left_behind_are_removed(store, tmp_path):
    folder = tmp_path / "new folder"
    left = folder / "work.0123456789abcdef.lock"
    left.touch()
    await store.forget()
    assert not left.exists()
    assert len(list(folder.glob("work.*.lock"))) == 1
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_lock_is_removed_under_itself_so_that_a_process_that_begins_cannot_get_it_meanwhile(store, tmp_path):
    left, taken = tmp_path / "new folder" / "work.0123456789abcdef.lock", list[bool]()
    left.touch()

    def begin_meanwhile(event: str, arguments: tuple) -> None:
        if event == "os.remove" and str(arguments[0]) == str(left) and not taken:
            with left.open("r+b") as opened:
                try:
                    fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    taken.append(False)
                else:
                    taken.append(True)

    sys.addaudithook(begin_meanwhile)
    await store.forget()
    assert (taken, left.exists()) == ([False], False)


async def test_a_store_that_cannot_be_opened_leaves_no_lock_and_no_thread_behind(tmp_path):
    (tmp_path / "work").write_text("this is no database" * 100)
    threads = threading.active_count()
    with pytest.raises(StoreError):
        await SqliteStore(tmp_path / "work").open()
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert threading.active_count() == threads


async def test_a_store_of_a_newer_release_or_none_at_all_is_not_touched(tmp_path):
    with sqlite3.connect(tmp_path / "newer") as db:
        db.execute("PRAGMA user_version = 2")
    db.close()
    (tmp_path / "text").write_text("this is no database" * 100)
    for name, why in {"newer": "of version 2", "text": "not a database"}.items():
        with pytest.raises(StoreError, match=why):
            await SqliteStore(tmp_path / name).open()


class Slow(SqliteStore):
    """A store that does not come back from the method `slow` before it may."""

    def __init__(self, path: Path, slow: str) -> None:
        super().__init__(path)
        self._slow, self.may_go_on, self.is_there = slow, asyncio.Event(), asyncio.Event()

    async def open(self) -> None:
        await super().open()
        await self._wait("open")

    async def begin(self, *args, **fields):
        begun = await super().begin(*args, **fields)
        await self._wait("begin")
        return begun

    async def _wait(self, where: str) -> None:
        if where == self._slow:
            self.is_there.set()
            await self.may_go_on.wait()


@pytest.mark.parametrize("slow", ["open", "begin"])
async def test_work_whose_request_the_server_cancels_is_begun_once_and_goes_on(tmp_path, slow):
    began, store = list[str](), Slow(tmp_path / "work", slow)

    @agent(store=store)
    async def work(task: Task) -> str:
        began.append(task.key)
        return "done"

    client = AgentClient(work)
    request = asyncio.create_task(client.post({}, key="k"))
    await store.is_there.wait()
    request.cancel()
    await asyncio.wait([request])
    assert request.cancelled()
    store.may_go_on.set()
    assert (await client.run({}, key="k")).result == "done"
    assert (began, len(list(tmp_path.glob("*.lock")))) == (["k"], 1)
    await work.close()


@pytest.mark.parametrize(("grace_s", "state"), [(60, "succeeded"), (0, "lost")])
async def test_work_that_is_being_begun_at_a_stop_has_its_grace_too(store, tmp_path, grace_s, state):
    slow, ticks = Slow(tmp_path / "new folder" / "work", "begin"), list[int]()

    @agent(store=slow, grace_s=grace_s)
    async def work(_task: Task) -> None:
        for tick in range(100):
            ticks.append(tick)
            await asyncio.sleep(0)

    request = asyncio.create_task(AgentClient(work).post({}, key="k"))
    await slow.is_there.wait()
    closing = asyncio.create_task(work.close())
    await until(lambda: work.is_stopping)
    slow.may_go_on.set()
    await closing
    assert (await request).status == 202
    assert (await begin(store)).work.state == state
    assert (len(ticks) == 100) == (grace_s > 0)


#: A process that begins work and is killed, and its child, which tries to use the store and then waits.
FORKED = """
import asyncio, os, sys
from signoff_agent.store import SqliteStore, StoreError

async def begin(store, opens):
    if opens:
        await store.open()
    return (await store.begin(sys.argv[2], "digest", has_room=True, is_repeatable=False)).work.id

path = sys.argv[1]
store = SqliteStore(path)
with asyncio.Runner() as runner:
    print(runner.run(begin(store, opens=True)), flush=True)
    if os.fork():
        os.kill(os.getpid(), 9)
for opens, each in ((False, store), (True, SqliteStore(path))):
    try:
        asyncio.run(begin(each, opens))
    except StoreError as error:
        print(error, flush=True)
sys.stdin.read()
"""


async def test_a_child_neither_uses_the_store_of_its_parent_nor_keeps_its_work_going(store, tmp_path):
    path = str(tmp_path / "new folder" / "work")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FORKED, path, "k", stdin=pipe, stdout=pipe, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdin is not None
    work_id = (await process.stdout.readline()).decode().strip()
    told = [(await process.stdout.readline()).decode() for _ in range(2)]
    assert all("before this process was forked" in each for each in told)
    seen = await store.find(work_id)  # the child is there still
    assert seen is not None
    assert seen.state == "lost"
    process.stdin.close()
    await process.wait()


class Failing(SqliteStore):
    """A store whose writes fail while `fails`, as on a full disk."""

    fails = False

    async def begin(self, *args, **fields):
        self._check()
        return await super().begin(*args, **fields)

    async def end(self, *args):
        self._check()
        await super().end(*args)

    def _check(self) -> None:
        if self.fails:
            raise StoreError("the disk is full")


async def test_while_the_store_fails_nothing_begins_and_what_ends_is_kept_until_it_can_be_written(tmp_path):
    may_end = asyncio.Event()

    async def wait(_task: Task) -> str:
        await may_end.wait()
        return "done"

    store = Failing(tmp_path / "work")
    app = agent(store=store)(wait)
    await app.open()
    client = AgentClient(app)
    location = (await client.post({}, key="k")).headers["location"]
    store.fails = True
    may_end.set()
    assert (await client.follow(location)).result == "done"
    refused = await client.post({}, key="other")
    assert (refused.status, refused.body) == (503, {"error": "the agent's store cannot be used now"})
    store.fails = False
    await until(lambda: not app._unkept)
    assert (await client.run({}, key="k")).result == "done"
    await app.close()
    again = AgentClient(agent(store=tmp_path / "work")(wait))
    await again.agent.open()
    assert (await again.get(location)).body["result"] == "done"
    await again.agent.close()
