"""Judges' servers of others: each is installed in a folder of its own, when a test first wants it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from support.free_ports import free_port
from support.programs import BIN, install_package, process, until_it_answers

HERE = Path(__file__).parent
AIMOCK = HERE / "aimock"


class Mock:
    """A mock at its URL, and ways of telling it what to do."""

    def __init__(self, url: str, http: ClientSession) -> None:
        self.url = url
        self._http = http

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self.url}{path}") as answer:
            return await answer.json()

    async def post(self, path: str, body: Any = None) -> None:
        async with self._http.post(f"{self.url}{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()


@asynccontextmanager
async def aimock(folder: Path, fixtures: Sequence[dict[str, Any]], *options: str) -> AsyncIterator[str]:
    """Aimock with these answers, at its URL."""
    install_package(AIMOCK)
    told = folder / "fixtures.json"
    told.write_text(json.dumps({"fixtures": fixtures}))
    port = free_port()
    program = AIMOCK / "node_modules/@copilotkit/aimock/dist/cli.js"
    where = ["--host", "127.0.0.1", "--port", str(port), "--fixtures", str(told)]
    async with process(BIN / "node", program, *where, "--log-level", "silent", *options):
        await until_it_answers(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
