"""Agents of protocol `http`: POST the request, and 2xx with any JSON is the result."""

from typing import Any

from executor.agents.client import HttpClient
from executor.ports import Call


class HttpAgent:
    """Its answer is the result."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def call(self, call: Call) -> Any:
        """The agent's result."""
        answer = await self._client.post(call)
        if (usage := answer.usage) is not None:
            call.spend(usage)
        return self._client.checked(answer.value())
