"""Serve an agent with uvicorn; told to stop, it answers on until its work has ended or its grace is over."""

import asyncio
from types import FrameType

import uvicorn

from signoff_agent.app import Agent


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, agent: Agent) -> None:
        super().__init__(config)
        self._agent = agent
        self._draining: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, while requests are answered; the second one stops at once."""
        if self._agent.is_stopping or not self.started:
            super().handle_exit(sig, frame)
            return
        self._agent.is_stopping = True
        asyncio.get_running_loop().call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._agent.drain(self._agent.grace_s, tells=True)
        finally:
            self.should_exit = True


def serve(agent: Agent, *, host: str = "127.0.0.1", port: int = 9000) -> None:
    """Serve an agent until SIGTERM or SIGINT."""
    config = uvicorn.Config(agent, host=host, port=port, lifespan="on", ws="none", access_log=False)
    config.timeout_graceful_shutdown = 5
    _Server(config, agent).run()
