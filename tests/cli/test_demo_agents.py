"""The agents that the demo serves by `signoff-agent` do work: a function, and a model with a tool."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from cli.commands.demo_agents import serve_agents
from localstack.agents import create_app

pytestmark = pytest.mark.real

REQUEST = {"title": "A poem", "acceptance_criteria": 'It names the "apples"', "payload": {"words": ["sky", "sea"]}}


async def do(http: ClientSession, url: str) -> Any:
    async with http.post(url, json=REQUEST, headers={"Idempotency-Key": "one"}) as accepted:
        shown = accepted.headers["Location"]
    async with asyncio.timeout(60):
        while True:
            async with http.get(url + shown.lstrip("/")) as answer:
                status = await answer.json()
            if status["state"] != "running":
                return status["result"]
            await asyncio.sleep(0.02)


async def test_both_do_their_work(tmp_path: Path) -> None:
    async with (
        TestServer(create_app(), host="127.0.0.1") as stand_in,
        ClientSession() as http,
        serve_agents(tmp_path / "demo", str(stand_in.make_url("")).rstrip("/")) as urls,
    ):
        results = {name: await do(http, url) for name, url in urls.items()}
    assert results["poet"] == {"text": "A poem: sky\nA poem: sea"}
    assert "3 kg" in results["weigher"]
