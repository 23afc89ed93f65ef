"""The agents and the judge: what they do is drawn from the seed, and they keep a record of their own."""

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from aiohttp import web

from contracts.resources import NewAgent, Policy
from faults.checking.canaries import CANARY, HOSTILE, KEY, KEY_HEADER, PRESS
from faults.checking.observed import (
    ABORTED,
    ANSWERED,
    BACKGROUND,
    CHAT,
    DECLINED,
    FUNCTION,
    GRAPH,
    ONCE,
    TASKS,
    AgentCall,
    JudgeCall,
)
from faults.checking.reading import digest
from faults.stack.hostile_agents import HostileAgents
from faults.stack.servers import Graph, Models, Tasks, make_agents
from faults.stack.works import Works
from localstack.judge import read_question
from signoff.status import Delivery, Protocol

WORD = "blue"
CRITERIA = f'Says "{WORD}"\nIs not empty, {CANARY}-criterion'
#: Of jobs that name a judge policy: what lacks something fails the check, and no judge is asked.
CHECKED = f'{CRITERIA}\ncheck: contains "{WORD}"'
#: By which a shadow judges: what is good work is none by these.
OTHER_CRITERIA = 'Says "red"'
HANG_S = 30.0
STEADY = "steady"
#: Its answers take so long, and an adversary floods it: whoever asks for another agent must not wait for it.
DRIPPING, DRIP_S = "dripping", 150.0
#: It takes its time (`http_async`); what it costs is told; its capabilities change.
PATIENT, DEAR, LUNAR = "patient", "dear", "lunar"
SKY, MOON = "sky", "moon"
SKY_AGENTS = frozenset({"flaky", "slow", PATIENT})
#: Not-met verdicts that a job may have, unless it says otherwise.
SUBMISSIONS = 2
USAGE = {"input_tokens": 60, "output_tokens": 40, "model": "scripted"}

#: What each agent does with one request, and how often in a hundred; the rest is done well.
HABITS: dict[str, dict[str, int]] = {
    STEADY: {},
    "flaky": {"status 500": 12, "status 503": 10, "dropped": 8, "hung": 6, "status 429": 4, "status 400": 3},
    "slow": {"slow": 70, "status 500": 5},
    "babbling": {"broken json": 25, "dripped": 25, "cut off": 15},
    "choosy": {DECLINED: 40},
    ONCE: {"status 500": 10, "dropped": 8, "hung": 5, "slow": 30},
    PATIENT: {"slow": 40, "status 500": 5, "failed": 6, "spoiled": 3, "lost": 4, "silent": 3, DECLINED: 4},
    DEAR: {},
    LUNAR: {},
    DRIPPING: {},
    CHAT: {"status 429": 6, "status 500": 6, "dropped": 8, "hung": 3, "refused": 3, "slow": 25},
    BACKGROUND: {"status 429": 5, "status 500": 5, "cut": 8, "failed": 5, "lost": 3, "silent": 3, "slow": 35},
    GRAPH: {"status 429": 5, "status 500": 5, "cut": 10, "failed": 4, "silent": 3, "slow": 35},
    TASKS: {"status 429": 5, "status 500": 5, "cut": 10, "failed": 4, DECLINED: 3, "silent": 3, "slow": 35},
    FUNCTION: {"status 500": 8, DECLINED: 3, "hung": 3, "slow": 35},
}
#: Those that a tenant has of its own, too, which want a key.
OF_PRESS = frozenset(HABITS) - {LUNAR, DRIPPING, CHAT, BACKGROUND, GRAPH, TASKS, FUNCTION}
WELL_DONE = frozenset({"slow", "dripped"})
#: Of a dripped answer: so many at 0.01 s each come within the shortest time that an agent has.
PIECES_MAX = 200
#: Where executors have the key of the agents that want one.
KEY_VARIABLE = f"SIGNOFF_AGENT_{PRESS.upper()}__KEY"
_POLICIES = {
    ONCE: Policy(delivery=Delivery.AT_MOST_ONCE),
    "flaky": Policy(max_calls=8),
    PATIENT: Policy(heartbeat_timeout_s=3),
    DRIPPING: Policy(attempt_timeout_s=2 * DRIP_S),
}


def registered(url: str, function_url: str, attempt_timeout_s: float) -> list[NewAgent]:
    """All agents, as they are registered."""
    every = Policy(attempt_timeout_s=attempt_timeout_s, max_submissions=SUBMISSIONS)
    others = make_agents(url, every)
    shared = [
        _make_agent(name, function_url if name == FUNCTION else f"{url}/{name}", every)
        for name in HABITS.keys() - {other.id for other in others}
    ]
    values = {KEY_HEADER: f"env:{KEY_VARIABLE}"}
    kept = [
        _make_agent(name, f"{url}/{PRESS}/{name}", every, f"{PRESS}:{CANARY}-{name}", tenant=PRESS, headers=values)
        for name in sorted(OF_PRESS)
    ]
    return shared + others + kept


def _make_agent(name: str, url: str, every: Policy, known: str = "", **of: Any) -> NewAgent:
    return NewAgent(
        **{"id": known or name, "name": known or name, "url": url, **of},
        protocol=Protocol.HTTP_ASYNC if name in {PATIENT, FUNCTION} else Protocol.HTTP,
        capabilities=[SKY] if name in SKY_AGENTS else [MOON] if name == LUNAR else [],
        policy=_POLICIES.get(name, Policy()).over(every),
    )


def habit(seed: str, name: str) -> str:
    """What an agent does with one request."""
    draw = Random(seed).uniform(0, 100)
    for what, share in HABITS[name].items():
        draw -= share
        if draw < 0:
            return what
    return ANSWERED


async def serve(app: web.Application) -> tuple[web.AppRunner, int]:
    """Serve on a free port; handlers are cancelled when their client leaves."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    return runner, runner.addresses[0][1]


@dataclass(slots=True)
class Agents:
    """All agents; `caller` tells the process behind a port. Once the storm is over, none drips any more."""

    seed: int
    caller: Callable[[int], int | None]
    calls: list[AgentCall] = field(default_factory=list)
    works: Works = field(default_factory=Works)
    hostile: HostileAgents = field(default_factory=HostileAgents)
    #: Jobs of others for which one was called with its tenant's key.
    keyed_for_others: list[str] = field(default_factory=list)
    _nth: Counter[str] = field(default_factory=Counter)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/{agent}", self._on_call)
        app.router.add_post(f"/{PRESS}/{{agent}}", self._on_keyed_call)
        app.router.add_get("/works/{key}", self.works.on_look)
        app.router.add_delete("/works/{key}", self.works.on_stop)
        app.add_subapp("/hostile", self.hostile.app())
        app.add_subapp("/models", Models(self._begin, _answer).routes())
        app.add_subapp("/graphs", Graph(self._begin, _answer).routes())
        app.add_subapp("/tasks", Tasks(self._begin, _answer).routes())
        return app

    @property
    def over(self) -> asyncio.Event:
        return self.hostile.over

    async def _on_keyed_call(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get(KEY_HEADER) != KEY:
            return web.Response(status=401, text="the key is missing")
        job_id = (await request.json())["job_id"]
        if not job_id.startswith(f"{PRESS}:"):
            self.keyed_for_others.append(job_id)
        return await self._on_call(request)

    async def _on_call(self, request: web.Request) -> web.StreamResponse:
        name, begun_at = request.match_info["agent"], time.time()
        pid = self._caller_of(request)
        raw = await request.read()
        body = json.loads(raw)
        key = request.headers.get("Idempotency-Key")
        call = AgentCall(name, body["execution_id"], body["job_id"], key, _hash(raw), begun_at, pid=pid)
        call.edition = (body["payload"] or {}).get("edition", 0)
        self.calls.append(call)
        if name == PATIENT:
            habit = partial(self._next_habit, call, body["submission"])
            return self.works.take(call, habit, result(body), "/works")
        what = self._next_habit(call, body["submission"])
        try:
            return await self._done(request, what, body)
        except (asyncio.CancelledError, OSError):
            what = what if what == "hung" else ABORTED
            raise
        finally:
            call.ended, call.ended_at = ANSWERED if what in WELL_DONE else what, time.time()

    def _begin(
        self, name: str, known: str, given: dict[str, Any], request: web.Request | None
    ) -> tuple[AgentCall, str]:
        """Note a call that names its execution by `known`, and return it with what the agent does."""
        payload = given["payload"]
        call = AgentCall(name, known, payload["job"], known, _hash(json.dumps(given).encode()), time.time())
        call.pid, call.edition = self._caller_of(request) if request else None, payload["edition"]
        self.calls.append(call)
        return call, self._next_habit(call, _count_submissions(given))

    def _caller_of(self, request: web.Request) -> int | None:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        return self.caller(peer[1]) if peer else None

    def _next_habit(self, call: AgentCall, submission: int) -> str:
        which = f"{self.seed}/{call.job_id}/{submission}"
        self._nth[which] += 1
        return habit(f"{which}/{self._nth[which]}", call.agent)

    async def _done(self, request: web.Request, what: str, body: dict[str, Any]) -> web.StreamResponse:
        if request.match_info["agent"] == DRIPPING:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.over.wait(), DRIP_S)
        if what == "hung":
            await asyncio.sleep(HANG_S)
        await asyncio.sleep(1.2 if what == "slow" else 0.02)
        if what == "dropped":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if what.startswith("status "):
            headers = {"Retry-After": "1"} if what == "status 503" else {}
            return web.Response(status=int(what.removeprefix("status ")), headers=headers, text="not now")
        if what == DECLINED:
            return web.Response(status=409, headers={"Signoff-Declined": "not my kind of job"})
        text = json.dumps(result(body))
        if what in {"dripped", "cut off"}:
            return await _piecemeal(request, text.encode(), whole=what == "dripped")
        headers = {"Signoff-Usage": json.dumps(USAGE)} if request.match_info["agent"] == DEAR else {}
        broken = text[:-4] if what == "broken json" else text
        return web.Response(text=broken, content_type="application/json", headers=headers)


def result(body: dict[str, Any]) -> dict[str, Any]:
    """Good work, or, for as many submissions as the payload says, work that does not meet the criteria.

    It is about as large as its payload.
    """
    payload = body["payload"] or {}
    lacking = body["submission"] <= payload.get("lacking", 0)
    return {
        "text": "The sky is red." if lacking else f"The sky is {WORD}.",
        **({} if lacking and payload.get("repeated") else {"execution_id": body["execution_id"]}),
        "steady": payload.get("agent") == STEADY,
        **({"canary": f"{CANARY}-result"} if "canary" in payload else {}),
        **{name: payload[name] for name in ("padding",) if name in payload},
    }


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _count_submissions(given: dict[str, Any]) -> int:
    """Return 1 for the first submission, 2 for a later one, which has feedback."""
    return 1 if given["feedback"] is None else 2


def _answer(known: str, given: dict[str, Any]) -> dict[str, Any]:
    return result({"execution_id": known, "payload": given["payload"], "submission": _count_submissions(given)})


async def _piecemeal(request: web.Request, data: bytes, *, whole: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await response.prepare(request)
    size = max(16, len(data) // PIECES_MAX)
    for start in range(0, len(data) if whole else len(data) // 2, size):
        await response.write(data[start : start + size])
        await asyncio.sleep(0.01)
    if not whole:
        assert request.transport is not None
        request.transport.abort()
    return response


#: What the judge does with one request, and how often in a hundred.
JUDGE_HABITS = {"429": 5, "500": 5, "hung": 2, "nonsense": 5, "refusal": 2, "gibberish": 2}
ANSWERS = {"verdict", "nonsense", "refusal", "gibberish"}
#: Of a hundred results, of how many it quotes nothing whenever it lets them pass; and of how many more the first times.
UNQUOTED, UNQUOTED_FIRST, FIRST_ASKS = 2, 2, 4


@dataclass(slots=True)
class Judge:
    """An OpenAI-compatible server by the local rules, mostly."""

    seed: int
    calls: list[JudgeCall] = field(default_factory=list)
    #: Told of all that is asked about a hostile tenant's results.
    hear: Callable[[str], None] = lambda _text: None
    _nth: Counter[str] = field(default_factory=Counter)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=8 << 20)
        app.router.add_post("/v1/chat/completions", self._on_call)
        return app

    async def _on_call(self, request: web.Request) -> web.Response:
        body = await request.json()
        question = read_question(body["messages"], "messages")
        if any(HOSTILE in text for _, text in question.criteria.values()):  # whose results claim what they like
            self.hear(question.text)
            return _reply("verdict", question.judge())
        known = question.result if isinstance(question.result, dict) else {}
        judged = {"execution_id": "", "steady": True} | known  # a harmless one is of no execution
        self._nth[judged["execution_id"]] += 1
        which = f"{self.seed}/{judged['execution_id']}/{self._nth[judged['execution_id']]}"
        said = "verdict" if judged["steady"] else self._drawn(which)
        if said == "hung":
            await asyncio.sleep(HANG_S)
        answer = question.judge()
        if said == "verdict" and not judged["steady"] and self._quotes_nothing(judged["execution_id"], answer):
            said, answer = "unquoted", _without_evidence(answer)
        # Of nonsense comes a verdict that is not met, at worst.
        is_valid = '"outcome": "fail"' not in answer and said == "verdict" if said in ANSWERS else None
        if OTHER_CRITERIA in (text for _, text in question.criteria.values()):
            is_valid = None  # of what a shadow is told nothing may follow
        seen = digest(question.result)
        self.calls.append(JudgeCall(judged["execution_id"], time.time(), said, is_valid, seen, body["model"]))
        return _reply(said, answer)

    def _quotes_nothing(self, execution_id: str, answer: str) -> bool:
        share = UNQUOTED + UNQUOTED_FIRST * (self._nth[execution_id] <= FIRST_ASKS)
        draw = Random(f"{self.seed}/{execution_id}/unquoted").uniform(0, 100)
        return draw < share and '"outcome": "fail"' not in answer

    def _drawn(self, which: str) -> str:
        draw = Random(which).uniform(0, 100)
        for said, share in JUDGE_HABITS.items():
            draw -= share
            if draw < 0:
                return said
        return "verdict"


def _without_evidence(answer: str) -> str:
    said = json.loads(answer)
    return json.dumps({name: {**one, "evidence": []} if name != "reason" else one for name, one in said.items()})


def _reply(said: str, answer: str) -> web.Response:
    if said in {"429", "500"}:
        error = {"error": {"message": "not now", "type": "server_error", "code": None}}
        return web.json_response(error, status=int(said), headers={"Retry-After": "1"})
    if said == "gibberish":
        return web.Response(text="<html>it works</html>", content_type="text/html")
    content = {"nonsense": '{"c0": [], "reason": "none"}', "refusal": None}.get(said, answer)
    refusal = "I would rather not." if said == "refusal" else None
    message = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
    return web.json_response(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    )
