"""What an asynchronous agent works on: taken once a key, asked about until it ends."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from faults.checking.observed import ABORTED, ANSWERED, DECLINED, RUNNING, AgentCall

#: Whoever called is gone that has not asked for so long: longer than an attempt may take.
LEFT_S = 8.0
LASTS_S = {"slow": 2.0}
#: States that end the work, by what the agent does; anything else is done well.
_ENDS: dict[str, dict[str, Any]] = {
    "failed": {"state": "failed", "error": {"code": "no_paper", "message": "the tray is empty", "retryable": True}},
    "spoiled": {"state": "failed", "error": {"code": "spoiled", "message": "it is spoiled"}},
    DECLINED: {"state": "declined", "message": "not my kind of job"},
}


@dataclass(slots=True)
class Work:
    """One work, and the call for which it is done: the last that came with its key."""

    call: AgentCall
    what: str
    result: dict[str, Any]
    ready_at: float

    def end(self, ended: str) -> None:
        """Note how the call ended, once."""
        if self.call.ended == RUNNING:
            self.call.ended, self.call.ended_at = ended, time.time()


@dataclass(slots=True)
class Works:
    """All works, by key."""

    _by_key: dict[str, Work] = field(default_factory=dict)

    def take(self, call: AgentCall, habit: Callable[[], str], result: dict[str, Any], prefix: str) -> web.Response:
        """Begin work, or go on with what has this key already, unless it failed."""
        key = call.key or ""
        known = self._by_key.get(key)
        what = habit() if known is None else known.what
        if what.startswith("status "):
            call.ended, call.ended_at = what, time.time()
            return web.Response(status=int(what.removeprefix("status ")), text="not now")
        ready_at = time.time() + LASTS_S.get(what, 0.3) if known is None else known.ready_at
        if known is not None:
            known.end(ABORTED)
        work = self._by_key[key] = Work(call, what, result, ready_at)
        asyncio.get_running_loop().call_later(LEFT_S, work.end, "hung" if what == "silent" else ABORTED)
        return web.Response(status=202, headers={"Location": f"{prefix}/{key}"})

    async def on_look(self, request: web.Request) -> web.Response:
        """Say how a work stands."""
        work = self._by_key.get(request.match_info["key"])
        if work is None:
            return web.Response(status=404)
        if work.what == "silent":
            return web.json_response({"state": "running", "heartbeat": "always the same"})
        left_s = work.ready_at - time.time()
        if left_s > 0:
            return web.json_response({"state": "running", "progress": 1 / (1 + left_s), "message": f"{left_s:.1f} s"})
        if work.what in {"lost", "failed", "spoiled"}:  # the next attempt is to begin it anew
            del self._by_key[request.match_info["key"]]
        work.end(ANSWERED if work.what == "slow" else work.what)
        if work.what == "lost":
            return web.Response(status=410)
        return web.json_response(_ENDS.get(work.what) or {"state": "succeeded", "result": work.result})

    async def on_stop(self, request: web.Request) -> web.Response:
        """Forget a work that nobody waits for any more."""
        work = self._by_key.pop(request.match_info["key"], None)
        if work is not None:
            work.end("hung" if work.what == "silent" else ABORTED)
        return web.Response(status=204)
