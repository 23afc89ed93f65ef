"""Run a service's process: its event loop, its loops, its signals, its garbage collector, its log."""

import asyncio
import contextlib
import gc
import hmac
import logging
import math
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import uvloop
from aiohttp import web
from prometheus_client import Info

from servicekit import metrics
from servicekit.addresses import is_loopback
from servicekit.errors import TransientError
from servicekit.logs import Levels, configure
from servicekit.patches import commit_as_member_only, survive_lost_connections, take_all_events
from servicekit.process.settings import split_address
from servicekit.process.variables import describe_unknown
from servicekit.retry import Patience

log = logging.getLogger(__name__)

T = TypeVar("T")

#: The least time between two steps of a loop during an outage, however often it is woken.
OUTAGE_PAUSE_S = 0.5


def tune_gc() -> None:
    """Collect garbage less often, and never the objects that exist now. Call this once a service has started.

    This was measured to take 13 to 16 % less CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def allow_connections() -> None:
    """Raise this process's limit of open files as far as allowed: each call under way is a connection."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # where "without limit" is more than the system takes
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))


class Stop(asyncio.Event):
    """An event that SIGTERM and SIGINT set. Both also cancel a service that does not wait for the event yet."""

    started = False

    async def wait(self) -> Literal[True]:
        """Wait until a signal comes."""
        self.started = True
        return await super().wait()


def run(
    service: str,
    main: Callable[[asyncio.Event], Coroutine[Any, Any, None]],
    *,
    log_level: str,
    log_level_file: Path | None = None,
) -> None:
    """Run `main` until it returns; SIGTERM and SIGINT set the event that it gets. An error ends with status 1."""
    gc.enable()
    configure(service)
    levels = Levels(log_level, log_level_file)
    levels.look()
    if unknown := describe_unknown(os.environ):
        log.warning(unknown)
    allow_connections()
    survive_lost_connections()
    commit_as_member_only()

    async def supervise() -> None:
        take_all_events()
        stop = Stop()
        task = asyncio.create_task(main(stop))
        measuring = asyncio.create_task(tick(levels.look))

        def on_signal() -> None:
            stop.set()
            if not stop.started:
                task.cancel()

        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, on_signal)
        with contextlib.suppress(asyncio.CancelledError):
            await task
        measuring.cancel()

    try:
        uvloop.run(supervise())
    except Exception as error:
        fields = {"code": getattr(error, "code", type(error).__name__), "reason": str(error)}
        log.exception("the process ends by an error", extra=fields)  # which the local stack looks for
        raise SystemExit(1) from None


async def tick(look: Callable[[], None], every_s: float = 1.0) -> None:
    """Measure for ever by how much the event loop is late for a timer, and call `look` each time."""
    loop = asyncio.get_running_loop()
    while True:
        due_at = loop.time() + every_s
        await asyncio.sleep(every_s)
        metrics.LOOP_DELAY.observe(max(0.0, loop.time() - due_at))
        look()


async def run_until_first(*running: Awaitable[object]) -> None:
    """Run awaitables until one of them ends, cancel the others, and raise the error of the one that ended, if any."""
    tasks = [asyncio.ensure_future(item) for item in running]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def finish(step: Awaitable[T], within_s: float) -> T:
    """Wait for a step; if the wait is cancelled, give the step `within_s` seconds to end, then cancel the step."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=within_s)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def run_forever(
    step: Callable[[], Awaitable[bool | None]],
    *,
    name: str,
    every_s: float | Callable[[], float],
    wake: asyncio.Event | None = None,
    rests: bool = False,
) -> None:
    """Run `step` for ever: again at once while it returns True, else when `wake` is set, or after `every_s` seconds.

    A loop that `rests` pauses before an immediate repeat as long as the last step took, so that background work takes
    half of the time at most. A TransientError is logged, and the next step finds out whether it has passed; refusals
    end the loop if nothing else came for REFUSAL_S (servicekit.retry). Any other
    error is a bug, and ends the loop with its process.
    """
    patience = Patience()
    while True:
        more: bool | None = False
        begun_at = time.monotonic()
        try:
            more = await step()
            patience.note(None)
        except TransientError as error:
            patience.note(error)
            log.warning(
                "%s waits, what it needs is out of reach", name, extra={"code": error.code, "reason": str(error)}
            )
            if wake is not None:  # which commits of others may set repeatedly meanwhile
                await asyncio.sleep(OUTAGE_PAUSE_S)
        if more:
            if rests:
                await asyncio.sleep(time.monotonic() - begun_at)
            continue
        wait_s = every_s() if callable(every_s) else every_s
        if wake is None:
            await asyncio.sleep(wait_s)
        else:
            await wait_for_wake(wake, wait_s)


class Alarm(asyncio.Event):
    """An event that can also be scheduled to be set at a later time."""

    _timer: asyncio.Handle | None = None
    _set_at = math.inf

    def set(self) -> None:
        """Set the event now, and cancel its scheduled time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._set_at = None, math.inf
        super().set()

    def set_within(self, wait_s: float) -> None:
        """Schedule the event to be set in `wait_s` seconds, unless it is scheduled for an earlier time."""
        loop = asyncio.get_running_loop()
        if wait_s <= 0:
            self.set()
        elif (set_at := loop.time() + wait_s) < self._set_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer, self._set_at = loop.call_at(set_at, self.set), set_at


async def wait_for_wake(event: asyncio.Event, within_s: float) -> None:
    """Wait until an event is set, at most `within_s` seconds, and clear the event.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes while the event is set: the task goes on for ever.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await event.wait()
    event.clear()


#: The version of this process.
VERSION: Final = version("signoff-client")  # which every process has, however it was installed
Info("signoff_build", "The version of this process").info({"version": VERSION})

#: Returns the reason why a service is not ready, or None.
Check = Callable[[], str | None]


async def serve(
    address: str,
    checks: Mapping[str, Check],
    advice: Mapping[str, Check] | None = None,
    *,
    tokens: Sequence[str] = (),
) -> web.AppRunner:
    """Serve /livez, /readyz (503 with the reasons while any of `checks` returns one) and /metrics at host:port.

    What `advice` returns is shown beside the reasons: tasks for an operator although the service is ready. With
    `tokens`, /metrics wants one of them; without any, it shows no metric that names a tenant or an agent.
    """

    async def live(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        reasons = _ask(checks)
        body = {"status": "unavailable" if reasons else "ok", "reasons": reasons, "advice": _ask(advice or {})}
        return web.json_response(body, status=503 if reasons else 200)

    async def measure(request: web.Request) -> web.Response:
        if tokens and not _opens(request.headers.get("Authorization", ""), tokens):
            return web.Response(status=401, text=_UNKNOWN, headers={"WWW-Authenticate": "Bearer"})
        accept = request.headers.get("Accept", "")
        body, kind = await asyncio.to_thread(metrics.write, accept, names=bool(tokens))
        return web.Response(body=body, headers={"Content-Type": kind})

    app = web.Application()
    app.add_routes([web.get("/livez", live), web.get("/readyz", ready), web.get("/metrics", measure)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, port = split_address(address)
    if told := describe_open(host, tokens):
        log.info(told)
    await web.TCPSite(runner, host, port).start()
    return runner


def describe_open(host: str, tokens: Sequence[str]) -> str | None:
    """Return a sentence about metrics that are open to others than this machine; None if they are not."""
    if tokens or is_loopback(host):
        return None
    return f"whoever reaches {host} may read the metrics of this process, without names: set SIGNOFF_METRICS_TOKEN"


_UNKNOWN: Final = "metrics are for holders of the token SIGNOFF_METRICS_TOKEN: send Authorization: Bearer TOKEN\n"


def _opens(header: str, tokens: Sequence[str]) -> bool:
    """Return whether a header has one of the tokens; of two values in it, as of a file, the first counts."""
    given = header.removeprefix("Bearer ").replace(",", " ").split()[:1]
    return any(hmac.compare_digest(one.encode(), token.encode()) for one in given for token in tokens)


def _ask(checks: Mapping[str, Check]) -> dict[str, str]:
    return {name: answer for name, check in checks.items() if (answer := check()) is not None}
