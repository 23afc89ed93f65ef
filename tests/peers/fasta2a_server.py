"""Serve A2A by fasta2a on loopback, at the port that it is given. Runs where `fasta2a.txt` is installed.

The first word of a message says what becomes of it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from fasta2a import FastA2A, Worker  # type: ignore[import-not-found]
from fasta2a.broker import InMemoryBroker  # type: ignore[import-not-found]
from fasta2a.storage import InMemoryStorage  # type: ignore[import-not-found]

PARTS: dict[str, dict[str, Any]] = {
    "data": {"data": {"sky": "blue"}},
    "file": {"url": "http://127.0.0.1/blue"},
}


ENDS = {"fail": "failed", "reject": "rejected", "ask": "input-required"}


class Echo(Worker):  # type: ignore[misc]
    """Says what it is told, and does everything at once: the library's own loop would do one thing after another."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.running: dict[str, asyncio.Task[None]] = {}

    async def run_task(self, params: Any) -> None:
        self.running[params["id"]] = asyncio.create_task(self._work(params))

    async def _work(self, params: Any) -> None:
        said = params["message"]["parts"][0]["text"]
        word = said.split(" ")[0]
        await self.storage.update_task(params["id"], state="working")
        await asyncio.sleep(60 if word == "slow" else 0.3)
        if word in ENDS:
            await self.storage.update_task(params["id"], state=ENDS[word])
            return
        artifact = {"artifact_id": "a1", "name": "answer", "parts": [PARTS.get(word, {"text": said})]}
        await self.storage.update_task(params["id"], state="completed", new_artifacts=[artifact])

    async def cancel_task(self, params: Any) -> None:
        self.running[params["id"]].cancel()
        await self.storage.update_task(params["id"], state="canceled")

    def build_message_history(self, history: Any) -> Any:
        return history

    def build_artifacts(self, result: Any) -> Any:
        return result


storage, broker = InMemoryStorage(), InMemoryBroker()
worker = Echo(broker=broker, storage=storage)


@asynccontextmanager
async def lifespan(app: FastA2A) -> AsyncIterator[None]:
    """Run the worker beside the server."""
    async with app.task_manager, worker.run():
        yield


port = int(sys.argv[1])
app = FastA2A(storage=storage, broker=broker, url=f"http://127.0.0.1:{port}", lifespan=lifespan)
uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")
