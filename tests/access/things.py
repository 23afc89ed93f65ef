"""What a tenant has, made once before anybody walks: each with words that no other tenant may see."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from access.credentials import OWN
from signoff import AsyncClient

#: Stands in every text of the tenant's things.
CANARY = "canary-of-press"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Things:
    """Ids of one tenant's things, by the names that requests and addresses have for them."""

    ids: Mapping[str, Any]

    @property
    def absent(self) -> "Things":
        """Ids of the same forms under which there is nothing, and never was."""
        return Things({name: _replace(value) for name, value in self.ids.items()})


def _replace(value: Any) -> Any:
    if isinstance(value, int):
        return value
    return str(uuid4()) if _UUID.fullmatch(value) else value.replace(CANARY, "nothing-of-press")


async def make_things(owner: AsyncClient) -> Things:
    """Make a job, an agent, an operation, sets, a judge policy, a token and a session, as an administrator of OWN."""
    agent = await owner.create_agent(
        id=f"{OWN}:{CANARY}-agent", name=f"{CANARY} agent", url="http://127.0.0.1:1/", tenant=OWN
    )
    text = {"title": f"{CANARY} title", "acceptance_criteria": f"{CANARY} criterion", "tenant": OWN}
    about = {"labels": {"canary": CANARY}, "payload": {"canary": CANARY}, "agent_id": agent.id}
    job = await owner.create_job(id=f"{OWN}:{CANARY}-job", **text, **about)
    execution_id = str(uuid4())
    await owner.execute_job(job.id, execution_id=execution_id)
    operation = await owner.execute_jobs(jobs=[text], name=f"{CANARY} batch")
    await owner.put_criteria_set(f"{OWN}.{CANARY}-set", f"{CANARY} criterion")
    stage = {"kind": "single", "judges": [{"model": CANARY}]}
    await owner.put_judge_policy({"name": f"{OWN}.{CANARY}-judge", "stages": [stage]})
    judgings = await owner.create_judgings(kind="try", cases=[{"acceptance_criteria": CANARY, "result": CANARY}])
    agent_try = await owner.create_agent_try(agent.id, title=CANARY, acceptance_criteria=CANARY)
    await owner.set_limit(f"tenant:{OWN}", concurrency=5)
    await owner.set_retention(f"tenant:{OWN}", completed_s=7_776_000)
    token = await owner.create_token(name=f"{CANARY}-token", role="viewer", tenants=[OWN])
    session = await owner.with_token(token.secret).create_session("cli")
    return Things(
        {
            "job_id": job.id,
            "agent_id": agent.id,
            "execution_id": execution_id,
            "operation_id": str(operation.id),
            "try_id": str(agent_try.id),
            "judgings_id": str(judgings),
            "evaluation": str(uuid4()),
            "criteria_set": f"{OWN}.{CANARY}-set",
            "judge": f"{OWN}.{CANARY}-judge",
            "limit": f"tenant:{OWN}",
            "retention": f"tenant:{OWN}",
            "tenant": OWN,
            "token": f"{CANARY}-token",
            "session_id": session.session.id,
            "version": 1,
        }
    )
