"""A function of signoff-agent, which asks the storm what it is to do: `python -m faults.stack.function`."""

import os

import aiohttp

from faults.checking.observed import FUNCTION
from signoff_agent import AgentError, DeclinedError, RetryableError, Task, agent
from signoff_agent.serving import serve

STORE, SCRIPT, PORT = "SIGNOFF_AGENT_STORE", "STORM_SCRIPT", "STORM_PORT"


@agent(grace_s=4.0)
async def function(task: Task) -> dict[str, object]:
    """Return what the storm answers; a process that ends, or is told to stop this, hangs up."""
    task.progress(0.5, "half of it")
    headers = {"Idempotency-Key": task.key}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{os.environ[SCRIPT]}/{FUNCTION}", json=task.request, headers=headers) as answer,
    ):
        if "Signoff-Declined" in answer.headers:
            raise DeclinedError("not my kind of job")
        if answer.status >= 500:
            raise RetryableError("not now")
        if answer.status != 200:
            raise AgentError("it went wrong")
        result: dict[str, object] = await answer.json()
        return result


if __name__ == "__main__":
    serve(function, port=int(os.environ[PORT]))
