"""An asynchronous agent of the fault agent: it takes the work, and its statuses follow a script."""

import json
from collections.abc import Awaitable, Iterable
from itertools import chain, repeat
from typing import Any

from fault_agent import Call, FaultAgent, Script, says


def status(state: str = "running", **fields: Any) -> Script:
    return says(json.dumps({"state": state, **fields}).encode(), Connection="close")


class AsyncAgent:
    """`takes` answers the URL to post to; the statuses come in order, and the last one for ever.

    Each request to stop is answered by `stopping`.
    """

    def __init__(self, agent: FaultAgent) -> None:
        self.agent = agent
        self.status_path = ""
        self.stopping = says(b"", 204)

    def takes(self, *statuses: Script, location: str | None = None, **headers: Any) -> str:
        coming: Iterable[Script] = chain(statuses, repeat(statuses[-1])) if statuses else repeat(status())
        steps = iter(coming)

        async def answers(writer: Any) -> None:
            if self.agent.calls[-1].method == "DELETE":
                await self.stopping(writer)
            else:
                await next(steps)(writer)

        url = self.agent.does(answers)
        self.status_path = url.rpartition(":")[2].partition("/")[2]
        return self.agent.does(says(b"", 202, Location=location or f"/{self.status_path}", **headers))

    def answers_late(self, moment: Awaitable[Any]) -> str:
        """The URL to post to, where the work is taken, and the answer comes after a moment."""
        self.takes()

        async def answers(writer: Any) -> None:
            await moment
            await says(b"", 202, Location=f"/{self.status_path}", Connection="close")(writer)

        return self.agent.does(answers)

    def _of(self, method: str) -> list[Call]:
        return [call for call in self.agent.calls if call.method == method]

    @property
    def looks(self) -> list[Call]:
        return self._of("GET")

    @property
    def posts(self) -> list[Call]:
        return self._of("POST")

    @property
    def stops(self) -> list[Call]:
        return self._of("DELETE")
