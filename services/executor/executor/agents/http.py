"""Call agents of protocol `http`: POST the request; 2xx with any JSON is the result."""

from typing import Any

from executor.agents.client import HttpClient
from executor.ports import Call


class HttpAgent:
    """Adapter of agents whose response is the result."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def call(self, call: Call) -> Any:
        """Return the agent's result. Raise AgentError if there is none."""
        response = await self._client.post(call)
        if (usage := response.usage) is not None:
            call.spend(usage)
        return self._client.check_size(response.read_value())
