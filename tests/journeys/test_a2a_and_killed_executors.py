"""An executor that is killed at any moment of a call by A2A loses no job, and a server that lists its tasks works once.

`SIGNOFF_KILLS` says how often it is killed at each moment.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from support.fakes import until
from support.system import System, served

from contracts.resources import NewAgent
from signoff.status import Delivery, JobStatus, Protocol

KILLS = int(os.environ.get("SIGNOFF_KILLS", "1"))
MOMENTS = ("before the send", "after the send", "after the answer", "during polling")
#: Servers by JSON-RPC: the one lists its tasks, the other does not.
LISTING, SILENT = "lists", "silent"


class Server:
    """Two A2A servers, which count the tasks that they make; at a moment they wait until somebody goes on."""

    def __init__(self) -> None:
        self.moment: str | None = None
        self.here = 0  # calls that have come to the moment
        self.on = asyncio.Event()
        self.tasks: dict[str, dict[str, Any]] = {}
        self.made: Counter[str] = Counter()  # by the text of the message
        self.url = ""

    def make_app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{name}/.well-known/agent-card.json", self._show_card)
        app.router.add_post("/{name}/rpc", self._answer)
        return app

    async def _show_card(self, request: web.Request) -> web.Response:
        url = f"/{request.match_info['name']}/rpc"
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"supportedInterfaces": [interface]})

    async def _pass(self, moment: str) -> None:
        if self.moment == moment:
            self.here += 1
            await self.on.wait()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        params = body["params"]
        match body["method"]:
            case "SendMessage":
                return await self._make(request, params["message"])
            case "ListTasks" if request.match_info["name"] == LISTING:
                ours = [task for task in self.tasks.values() if task["contextId"] == params["contextId"]]
                return _say({"tasks": ours, "nextPageToken": ""})
            case "GetTask":
                await self._pass("during polling")
                task = self.tasks[params["id"]]
                task["status"] = {"state": "TASK_STATE_COMPLETED"}
                return _say({**task, "artifacts": [{"artifactId": "a", "parts": [{"text": "The sky is blue."}]}]})
        return web.json_response({"jsonrpc": "2.0", "id": 1, "error": {"code": -32004, "message": "not here"}})

    async def _make(self, request: web.Request, message: dict[str, Any]) -> web.StreamResponse:
        if self.moment == "before the send":  # whoever is killed meanwhile has sent nothing that is taken
            await self._pass("before the send")
            return web.Response(status=503)
        task = {"id": f"task-{len(self.tasks)}", "contextId": message["contextId"], "history": [message]}
        self.tasks[task["id"]] = task | {"status": {"state": "TASK_STATE_WORKING"}}
        self.made[message["parts"][0]["text"]] += 1
        await self._pass("after the send")
        response = _say({"task": self.tasks[task["id"]]})
        await response.prepare(request)
        await response.write_eof()
        self.here += self.moment == "after the answer"
        return response


def _say(result: dict[str, Any]) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": 1, "result": result})


@pytest.fixture(scope="module")
async def server(system: System) -> AsyncIterator[Server]:
    server = Server()
    async with served(server.make_app()) as url:
        for name in (LISTING, SILENT):
            given = {"template": "{{title}}"}
            await system.client.create_agent(
                NewAgent(id=f"a2a-{name}", name=name, url=f"{url}/{name}", protocol=Protocol.A2A, settings=given)
            )
        yield server


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_every_job_ends_and_no_task_that_is_listed_is_made_twice(
    system: System, server: Server, moment: str
) -> None:
    for number in range(KILLS):
        await kill_once(system, server, moment, f"{moment}, {number}")


async def kill_once(system: System, server: Server, moment: str, name: str) -> None:
    """Kill the executor when calls of each kind have come to the moment."""
    jobs: dict[str, tuple[str, str, Delivery]] = {}
    for agent in (LISTING, SILENT):
        for delivery in Delivery:
            title = f"{name}, {agent}, {delivery}"
            job = await system.create(f"a2a-{agent}", title=title, policy={"delivery": delivery})
            jobs[job.id] = agent, title, delivery
    server.on, server.here, server.moment = asyncio.Event(), 0, moment
    for job_id in jobs:
        await system.client.execute_job(job_id)
    await until(lambda: server.here == len(jobs), 60)
    for job_id in jobs if moment == "during polling" else ():
        await system.logged(job_id, lambda entry: bool(entry.handle))
    server.moment = None
    system.kill("executor", signal.SIGKILL)
    server.on.set()
    for job_id, (agent, title, delivery) in jobs.items():
        job = await system.at_rest(job_id)
        is_sent, is_once = moment != "before the send", delivery is Delivery.AT_MOST_ONCE
        is_found = (is_sent and agent == LISTING) or moment == "during polling"
        if is_found or not is_once:
            assert job.status is JobStatus.COMPLETED, (title, (await system.logs(job_id))[-1])
        elif job.status is not JobStatus.COMPLETED:  # what it had named may have been told in time
            assert (await system.logs(job_id))[-1].code == "agent_work_unknown"
        if is_found or is_once or not is_sent:
            assert server.made[title] == (0 if is_once and not is_sent else 1), title
