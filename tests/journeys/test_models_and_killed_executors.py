"""An executor that is killed at any moment of a model's call loses no job, and nothing that can be found is done twice.

`SIGNOFF_KILLS` says how often it is killed at each moment.
"""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from support.fakes import until
from support.system import System

from contracts.resources import NewAgent
from signoff.status import Delivery, JobStatus, Protocol

KILLS = int(os.environ.get("SIGNOFF_KILLS", "1"))
MOMENTS = ("before the send", "after the send", "after the answer", "during polling")
SAID = "The sky is blue."


class Model:
    """A model's server behind a relay, which counts what it was asked; at a moment it waits until somebody goes on."""

    def __init__(self) -> None:
        self.moment: str | None = None
        self.here = 0  # calls that have come to the moment
        self.on = asyncio.Event()
        self.made: Counter[str] = Counter()  # by the title of the job
        self.titles: dict[str, str] = {}  # by the id of the response
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/v1/responses", self._respond)
        app.router.add_get("/v1/responses/{id}", self._poll)
        app.router.add_post("/v1/responses/{id}/cancel", self._poll)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._port = runner.addresses[0][1]
        relay = await asyncio.start_server(self._relay, "127.0.0.1")
        self.url = f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}/v1"
        yield
        relay.close()
        await runner.cleanup()

    async def _pass(self, moment: str) -> None:
        if self.moment == moment:
            self.here += 1
            await self.on.wait()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hand on what comes over a connection, and none of it that comes at the moment before the send."""
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter, *moments: str) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    if self.moment in moments:
                        await self._pass(self.moment)
                        break
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, to_writer, "before the send"), copy(to_reader, writer))

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        self.made[(await request.json())["messages"][0]["content"]] += 1
        message = {"role": "assistant", "content": SAID}
        return await self._answer(request, {"choices": [{"message": message, "finish_reason": "stop"}]})

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        title = (await request.json())["input"][0]["content"]
        self.made[title] += 1
        response_id = f"resp_{len(self.titles)}"
        self.titles[response_id] = title
        return await self._answer(request, {"id": response_id, "status": "queued", "output": []})

    async def _answer(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await self._pass("after the send")
        response = web.json_response(body)
        await response.prepare(request)
        await response.write_eof()
        self.here += self.moment == "after the answer"
        return response

    async def _poll(self, request: web.Request) -> web.Response:
        await self._pass("during polling")
        content = [{"type": "output_text", "text": SAID}]
        output = [{"type": "message", "role": "assistant", "content": content}]
        return web.json_response({"id": request.match_info["id"], "status": "completed", "output": output})


@pytest.fixture(scope="module")
async def model(system: System) -> AsyncIterator[Model]:
    model = Model()
    async with model.serving():
        for name, settings in {"chat": {"api": "chat"}, "background": {"background": True}}.items():
            given = {"model": "m", "template": "{{title}}", **settings}
            await system.client.create_agent(
                NewAgent(id=f"model-{name}", name=name, url=model.url, protocol=Protocol.OPENAI, settings=given)
            )
        yield model


@pytest.mark.timeout(120 + 60 * KILLS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_every_job_ends_and_nothing_that_can_be_found_is_made_twice(
    system: System, model: Model, moment: str
) -> None:
    for number in range(KILLS):
        await kill_once(system, model, moment, f"{moment}, {number}")


async def kill_once(system: System, model: Model, moment: str, name: str) -> None:
    """Kill the executor when calls of each kind have come to the moment."""
    is_polled = moment == "during polling"
    jobs: dict[str, tuple[str, Delivery]] = {}
    for agent in ["background"] if is_polled else ["chat", "background"]:
        for delivery in Delivery:
            title = f"{name}, {agent}, {delivery}"
            job = await system.create(f"model-{agent}", title=title, policy={"delivery": delivery})
            jobs[job.id] = title, delivery
    model.on, model.here, model.moment = asyncio.Event(), 0, moment
    for job_id in jobs:
        await system.client.execute_job(job_id)
    await until(lambda: model.here == len(jobs))
    for job_id in jobs if is_polled else ():
        await system.logged(job_id, lambda entry: bool(entry.handle))
    model.moment = None
    system.kill("executor", signal.SIGKILL)
    model.on.set()
    for job_id, (title, delivery) in jobs.items():
        job = await system.at_rest(job_id)
        if delivery is Delivery.AT_LEAST_ONCE or is_polled:
            assert job.status is JobStatus.COMPLETED
        if delivery is Delivery.AT_MOST_ONCE or is_polled:
            assert model.made[title] <= 1
        if job.status is not JobStatus.COMPLETED:
            assert (await system.logs(job_id))[-1].code in {"lease_lapsed", "agent_work_unknown"}
