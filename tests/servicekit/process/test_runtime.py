"""The runtime: how a process lives and ends."""

import asyncio
import json
import resource
import signal
import sys
import time
from pathlib import Path

import pytest
import uvloop

from servicekit.errors import TransientError
from servicekit.process.runtime import Alarm, allow_connections, finish, run_forever, run_until_first, wait_for_wake

SERVICE = Path(__file__).parent / "signalled.py"
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


class Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, kind: str) -> "Process":
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(sys.executable, SERVICE, kind, stdout=pipe, stderr=pipe))

    async def says(self, word: str) -> None:
        assert (await self._process.stdout.readline()).decode().strip() == word

    async def signalled(self, number: signal.Signals) -> tuple[int, list[str], list[str]]:
        """Status and lines of both outputs, once it has ended."""
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> tuple[int, list[str], list[str]]:
        out, err = await asyncio.wait_for(self._process.communicate(), 20)
        return self._process.returncode, out.decode().split(), err.decode().splitlines()


@SIGNALS
async def test_told_to_stop_while_it_starts_it_ends_at_once_and_well(number):
    process = await Process.start("starts for ever")
    await process.says("starting")
    assert await process.signalled(number) == (0, ["closed"], [])


@SIGNALS
async def test_told_to_stop_while_it_runs_it_shuts_down(number):
    process = await Process.start("runs")
    await process.says("starting")
    await process.says("started")
    assert await process.signalled(number) == (0, ["stopping", "stopped", "closed"], [])


async def test_an_error_ends_it_with_status_1_and_one_line():
    status, out, err = await (await Process.start("fails")).ended()
    assert (status, out) == (1, ["starting", "closed"])
    (line,) = err
    assert "ValueError: first line\nsecond line" in json.loads(line)["exception"]


async def test_the_first_that_ends_ends_the_others():
    other = asyncio.create_task(asyncio.Event().wait())
    ended = asyncio.Event()
    ended.set()
    await run_until_first(ended.wait(), other)
    assert other.cancelled()


async def test_what_the_first_raised_is_raised():
    async def fails() -> None:
        raise ZeroDivisionError

    other = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(ZeroDivisionError):
        await run_until_first(other, fails())
    assert other.cancelled()


def test_a_service_may_have_as_many_connections_as_its_process_may():
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most - 1, most))
    allow_connections()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)


@pytest.mark.parametrize("steps", range(6))
async def test_a_loop_that_is_woken_and_cancelled_at_once_ends(steps):
    """However far the waking has come: it waits, and wakes, and waits, for ever."""
    wake, turns = asyncio.Event(), 0

    async def loop() -> None:
        nonlocal turns
        while True:
            await wait_for_wake(wake, 30)
            turns += 1

    looping = asyncio.create_task(loop())
    await asyncio.sleep(0)
    wake.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    looping.cancel()
    done, _ = await asyncio.wait([looping], timeout=10)
    assert done
    assert turns <= 1
    assert not wake.is_set() or not turns


class Loop:
    """Steps of a loop, scripted: what each returns, or raises; and what becomes of it."""

    def __init__(self, *steps: bool | Exception | None, every_s: float = 60, wake: asyncio.Event | None = None) -> None:
        self.steps, self.taken = list(steps), 0
        self.begun, self.all_taken = asyncio.Event(), asyncio.Event()
        self.task = asyncio.create_task(run_forever(self.step, name="test", every_s=every_s, wake=wake))

    async def step(self) -> bool | None:
        self.taken += 1
        self.begun.set()
        scripted = self.steps.pop(0)
        if not self.steps:
            self.all_taken.set()
        if isinstance(scripted, Exception):
            raise scripted
        return scripted

    async def ended(self) -> None:
        async with asyncio.timeout(10):
            await self.all_taken.wait()
        self.task.cancel()
        await asyncio.wait([self.task])


async def test_a_loop_goes_on_at_once_while_there_is_more():
    loop = Loop(True, True, False)
    await loop.ended()
    assert loop.taken == 3


async def test_a_loop_that_rests_leaves_others_half_of_the_time():
    begun, ended, done = [], [], asyncio.Event()

    async def step() -> bool:
        begun.append(time.monotonic())
        await asyncio.sleep(0.02)
        ended.append(time.monotonic())
        if len(begun) == 4:
            done.set()
        return True

    loop = asyncio.create_task(run_forever(step, name="test", every_s=60, rests=True))
    await asyncio.wait_for(done.wait(), 10)
    loop.cancel()
    took = [end - begin for begin, end in zip(begun, ended, strict=True)]
    rested = [begin - end for begin, end in zip(begun[1:], ended, strict=False)]
    assert all(rest >= step_s * 0.9 for rest, step_s in zip(rested, took, strict=False))


async def test_a_loop_rests_until_it_is_woken():
    wake = asyncio.Event()
    loop = Loop(None, None, wake=wake)
    await loop.begun.wait()
    wake.set()
    await loop.ended()
    assert loop.taken == 2


async def test_a_loop_that_nobody_wakes_goes_on_after_its_time():
    await Loop(False, False, every_s=0.001).ended()


@pytest.mark.parametrize("woken", [True, False])
async def test_a_loop_waits_an_outage_out(caplog: pytest.LogCaptureFixture, woken: bool):
    wake = asyncio.Event() if woken else None
    await Loop(TransientError("away", code="database_unavailable"), True, None, every_s=0.001, wake=wake).ended()
    assert [record.__dict__["code"] for record in caplog.records if "test waits" in record.message] == [
        "database_unavailable"
    ]


async def test_an_error_that_nobody_expected_ends_a_loop():
    loop = Loop(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(loop.task, 10)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_step_that_is_to_be_finished_ends_although_its_loop_is_cancelled(fails: bool) -> None:
    began, may_end, ended = asyncio.Event(), asyncio.Event(), False

    async def step() -> None:
        nonlocal ended
        began.set()
        await may_end.wait()
        ended = True
        if fails:
            raise RuntimeError

    loop = asyncio.create_task(finish(step(), 10.0))
    await began.wait()
    loop.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert ended


async def test_a_step_that_does_not_end_is_cancelled_in_the_end() -> None:
    step = asyncio.create_task(asyncio.Event().wait())
    loop = asyncio.create_task(finish(step, 0.01))
    await asyncio.sleep(0)
    loop.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loop
    assert step.cancelled()


@pytest.mark.parametrize("first_s", [0.01, 1e-6, 0.0])
def test_an_alarm_is_set_when_the_first_of_several_times_has_come(first_s):
    """Also on uvloop, whose timer of less than half a millisecond is none."""

    async def wait():
        alarm = Alarm()
        alarm.set_within(86_400)
        alarm.set_within(first_s)
        alarm.set_within(86_400)
        async with asyncio.timeout(10):
            await alarm.wait()

    uvloop.run(wait())


async def test_an_alarm_that_was_set_before_its_time_is_not_set_again():
    alarm = Alarm()
    alarm.set_within(0.01)
    alarm.set()
    await wait_for_wake(alarm, 30)
    later = Alarm()
    later.set_within(0.02)
    await later.wait()
    assert not alarm.is_set()
