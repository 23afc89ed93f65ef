"""Serve three small agents: `/writer` does its job at once, `/drafter` only at its second submission.

`/builder` is asynchronous: it takes the job, shows its progress at `/builder/<execution_id>`, and stops at a DELETE.

A job's payload steers them. `text` becomes part of the answer; `omit`, a list of words, is kept out of it, so that a
criterion can never pass. `agent` says how to behave, and every field may be left out:

    {"agent": {"delay_s": 2.5,        wait first
               "status": 503,         answer that HTTP status instead of a result
               "times": 2,            but only so many times an execution, then do the job
               "retry_after_s": 1,    with that header
               "answer": <any JSON>,  answer just this as the result
               "usage": {...},        with this in the header Signoff-Usage, or as a member beside the result
               "silent": true}}       (the builder) never end, nor show life

Behind `/v1` it stands in for a model behind OpenAI's API (localstack.model), and `GET /scales/<harvest>` for a tool.

`GET /calls` lists the calls (the last 10,000; `?execution_id=` or `?job_id=` narrows it down).
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter, OrderedDict, deque
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from contracts.criteria import parse_stored_criteria
from contracts.evidence import find_quoted
from localstack.model import complete_chat
from localstack.server import serve

NAMES = ("writer", "drafter", "builder")
CALLS_MAX = 10_000  # calls that GET /calls remembers
WORKS_MAX = 1_000  # works that the builder remembers
BUILDING_S = 2.0  # how long the builder works, unless the payload gives `delay_s`
BODY_MAX_BYTES = 32 * 1024 * 1024
ATTEMPT_HEADER = re.compile(r".*-attempt", re.IGNORECASE)


@dataclass(frozen=True)
class Call:
    """A call that an agent got."""

    agent: str
    execution_id: str | None
    job_id: str | None
    submission: int
    attempt: str | None  # of the header whose name ends in -Attempt
    idempotency_key: str | None
    at: str


@dataclass
class Calls:
    """The latest calls; older ones are forgotten."""

    latest: deque[Call] = field(default_factory=lambda: deque(maxlen=CALLS_MAX))
    counts: Counter[str | None] = field(default_factory=Counter)

    def add(self, call: Call) -> int:
        """Add a call, and return how many its execution had."""
        if len(self.latest) == CALLS_MAX:
            oldest = self.latest[0].execution_id
            self.counts[oldest] -= 1
            if not self.counts[oldest]:
                del self.counts[oldest]
        self.latest.append(call)
        self.counts[call.execution_id] += 1
        return self.counts[call.execution_id]


@dataclass(frozen=True)
class Work:
    """Work that the builder has accepted: its result, and how long it takes."""

    result: Any
    takes_s: float
    silent: bool
    usage: Any = None
    began: float = field(default_factory=time.monotonic)

    def status(self) -> dict[str, Any]:
        """Return the state of the work, as the builder answers it."""
        done = min(1.0, (time.monotonic() - self.began) / self.takes_s) if self.takes_s else 1.0
        if self.silent:
            return {"state": "running", "heartbeat": 0}
        if done == 1.0:
            consumed = {} if self.usage is None else {"usage": self.usage}
            return {"state": "succeeded", "result": self.result, **consumed}
        text = json.dumps(self.result)
        partial = text[: int(len(text) * done)]
        message = f"{len(partial)} of {len(text)} characters"
        return {"state": "running", "progress": round(done, 3), "message": message, "partial": partial}


CALLS = web.AppKey("calls", Calls)
WORKS = web.AppKey("works", OrderedDict[str, Work])


def create_app() -> web.Application:
    """Make the application, without a server."""
    app = web.Application(client_max_size=BODY_MAX_BYTES)
    app[CALLS] = Calls()
    app[WORKS] = OrderedDict()
    app.router.add_post(f"/{{agent:{'|'.join(NAMES)}}}", do_job)
    app.router.add_get("/builder/{work}", show_work)
    app.router.add_delete("/builder/{work}", stop_work)
    app.router.add_get("/calls", list_calls)
    app.router.add_get("/scales/{harvest}", weigh)
    app.router.add_post("/v1/chat/completions", complete_chat)
    return app


async def do_job(request: web.Request) -> web.Response:
    """Answer POST /writer, /drafter or /builder."""
    try:
        job = json.loads(await request.read())
    except (ValueError, RecursionError):
        job = None
    if not isinstance(job, dict):
        return web.json_response({"error": "the body must be a JSON object"}, status=400)
    agent = request.match_info["agent"]
    calls = request.app[CALLS].add(_make_call(agent, job, request))
    behaviour = _as_object(_as_object(job.get("payload")).get("agent"))
    if agent != "builder":
        await asyncio.sleep(float(behaviour.get("delay_s", 0)))
    headers = {"Signoff-Usage": json.dumps(behaviour["usage"])} if "usage" in behaviour else {}
    if "status" in behaviour and calls <= behaviour.get("times", calls):
        if "retry_after_s" in behaviour:
            headers["Retry-After"] = str(behaviour["retry_after_s"])
        return web.json_response({"error": "as the payload asked"}, status=int(behaviour["status"]), headers=headers)
    result = behaviour["answer"] if "answer" in behaviour else {"text": write(agent, job)}
    if agent == "builder":
        return accept_work(request, job, behaviour, result)
    return web.json_response(result, headers=headers)


def accept_work(request: web.Request, job: dict[str, Any], behaviour: dict[str, Any], result: Any) -> web.Response:
    """Accept the work, unless this execution's has begun already; the oldest of too many is forgotten."""
    works, name = request.app[WORKS], str(job.get("execution_id"))
    if name not in works:
        takes_s, silent = float(behaviour.get("delay_s", BUILDING_S)), bool(behaviour.get("silent"))
        works[name] = Work(result, takes_s, silent, behaviour.get("usage"))
        if len(works) > WORKS_MAX:
            works.popitem(last=False)
    return web.Response(status=202, headers={"Location": f"/builder/{quote(name, safe='')}"})


async def show_work(request: web.Request) -> web.Response:
    """Answer GET /builder/<execution_id>."""
    work = request.app[WORKS].get(request.match_info["work"])
    return web.Response(status=404) if work is None else web.json_response(work.status())


async def stop_work(request: web.Request) -> web.Response:
    """Answer DELETE /builder/<execution_id>."""
    request.app[WORKS].pop(request.match_info["work"], None)
    return web.Response(status=204)


async def weigh(request: web.Request) -> web.Response:
    """Answer GET /scales/<harvest>."""
    return web.json_response({"harvest": request.match_info["harvest"], "weight": "3 kg"})


def write(agent: str, job: dict[str, Any]) -> str:
    """Write the text that does the job: title, payload's text, words quoted by the criteria; without omitted words."""
    payload, submission = _as_object(job.get("payload")), _read_submission(job)
    criteria = parse_stored_criteria(str(job.get("acceptance_criteria") or ""))
    quoted = [words for one in criteria if one.kind != "never" for words in find_quoted(one.text)]
    omitted = [str(word) for word in payload.get("omit") or [] if word]
    if agent == "drafter" and submission == 1:
        if not quoted:
            return ""  # the one way to fail criteria that quote nothing
        omitted += quoted
    lines = [str(job.get("title") or ""), str(payload.get("text") or "")]
    if submission > 1:
        lines.append(
            f"Submission {submission}, after feedback." if job.get("feedback") else f"Submission {submission}."
        )
    if quoted:
        lines.append(f"It covers: {'; '.join(quoted)}.")
    text = "\n".join(line for line in lines if line)
    return re.sub("|".join(map(re.escape, omitted)), "…", text, flags=re.IGNORECASE) if omitted else text


async def list_calls(request: web.Request) -> web.Response:
    """Answer GET /calls."""
    calls = (asdict(call) for call in request.app[CALLS].latest)
    filters = request.query.items()
    return web.json_response([call for call in calls if all(call.get(name) == value for name, value in filters)])


def _make_call(agent: str, job: dict[str, Any], request: web.Request) -> Call:
    attempts = (value for name, value in request.headers.items() if ATTEMPT_HEADER.fullmatch(name))
    return Call(
        agent=agent,
        execution_id=job.get("execution_id"),
        job_id=job.get("job_id"),
        submission=_read_submission(job),
        attempt=next(attempts, None),
        idempotency_key=request.headers.get("Idempotency-Key"),
        at=datetime.now(UTC).isoformat(),
    )


def _read_submission(job: dict[str, Any]) -> int:
    return int(job.get("submission") or 1)


def _as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    serve(create_app(), int(sys.argv[1]), *sys.argv[2:])
