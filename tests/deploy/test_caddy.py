"""The proxy before a production of Compose ends TLS, and passes pages, event streams and gRPC on as they come."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from dockerfiles import ROOT
from support.certificates import Authority
from support.fake_jobstore import TOKEN, running_jobstore
from support.free_ports import free_port
from support.programs import BIN, process, until_it_answers
from support.system import WAIT_S, served

from contracts.resources import NewJob
from signoff import AsyncClient
from signoff.tls import Tls

CADDYFILE = ROOT / "deploy/compose/Caddyfile"
METRICS = "# TYPE signoff_backup_failed gauge\nsignoff_backup_failed 0\n"


@dataclass
class Proxied:
    """A proxy as Compose has it, but for ports, names and a certificate of an authority of the tests."""

    ca: Path
    port: int
    inner_port: int
    #: Set once the client has had the first event.
    has_first: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send a second event once the first has arrived."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {request.host} {request.headers['X-Forwarded-Proto']}\n\n".encode())
        await self.has_first.wait()
        await response.write(b"data: second\n\n")
        return response


@pytest.fixture
async def proxied(tmp_path: Path) -> AsyncIterator[Proxied]:
    ca = Authority(tmp_path)
    certificate, key = ca.issue("proxy", "localhost")
    (tmp_path / "backup.prom").write_text(METRICS)
    made = Proxied(ca.file, free_port(), free_port())
    app = web.Application()
    app.router.add_get("/events", made.stream)
    async with served(app) as console, running_jobstore() as jobstore:
        instead = {
            "http_port 8080": f"http_port {free_port()}\n\tdefault_bind 127.0.0.1",
            "https_port 8443": f"https_port {made.port}",
            "jobstore 50051": f"localhost {jobstore.port}",
            "console:8080": console.removeprefix("http://"),
            ":9180": f":{made.inner_port}",
            "root /metrics": f"root {tmp_path}",
        }
        text = CADDYFILE.read_text()
        for before, after in instead.items():
            assert text.count(before) == 1
            text = text.replace(before, after)
        (tmp_path / "Caddyfile").write_text(text)
        variables = {
            "SIGNOFF_DOMAIN": "localhost",
            "SIGNOFF_TLS": f"tls {certificate} {key}",
            "XDG_DATA_HOME": str(tmp_path),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        env = ["env", *(f"{name}={value}" for name, value in variables.items())]
        async with process(*env, BIN / "caddy", "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"):
            await until_it_answers(f"http://127.0.0.1:{made.inner_port}/health")
            yield made


async def test_an_event_arrives_before_the_next_is_sent(proxied: Proxied) -> None:
    url = f"https://localhost:{proxied.port}/events"
    async with aiohttp.ClientSession() as http, http.get(url, ssl=proxied.context) as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        first = await answer.content.readuntil(b"\n\n")
        assert first == f"data: localhost:{proxied.port} https\n\n".encode()
        proxied.has_first.set()
        assert await answer.content.readuntil(b"\n\n") == b"data: second\n\n"


async def test_calls_of_grpc_and_watches_pass_at_the_same_name_and_port(proxied: Proxied) -> None:
    async with AsyncClient(f"localhost:{proxied.port}", TOKEN, credentials=Tls(proxied.ca)) as client:
        async with aclosing(client.watch_jobs()) as events:
            await anext(events)
            job = await client.create_job(NewJob(title="a", acceptance_criteria="a"))
            async with asyncio.timeout(WAIT_S):
                changed = await anext(events)
        assert changed.log is not None
        assert changed.log.job_id == job.id


async def test_prometheus_gets_metrics_of_the_proxy_and_of_the_backups_at_a_port_of_their_own(proxied: Proxied) -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{proxied.inner_port}") as http:
        async with http.get("/backup.prom") as answer:
            assert (await answer.text(), answer.headers["Content-Type"]) == (METRICS, "text/plain; version=0.0.4")
        async with http.get("/metrics") as answer:
            assert "caddy_http_requests_total" in await answer.text()


@pytest.mark.parametrize("tls", ["", "tls internal", "tls /certificates/own.pem /certificates/own-key.pem"])
async def test_caddy_takes_the_file_with_each_kind_of_certificate(tls: str, tmp_path: Path) -> None:
    given = {"SIGNOFF_DOMAIN": "signoff.example.com", "SIGNOFF_TLS": tls, "HOME": str(tmp_path)}
    command = (BIN / "caddy", "adapt", "--config", CADDYFILE, "--adapter", "caddyfile")
    adapted = await asyncio.create_subprocess_exec(*command, env=os.environ | given, stdout=-1, stderr=-1)
    _, told = await adapted.communicate()
    assert (adapted.returncode, "warn" in told.decode().lower()) == (0, False), told
