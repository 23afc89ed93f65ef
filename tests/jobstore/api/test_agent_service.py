"""AgentService: agents are created once, changed and disabled."""

from typing import Any
from uuid import uuid4

from api_calls import ADMINISTRATOR, Status, create, refused
from google.protobuf import json_format

from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb


async def test_agents_are_created_once_changed_and_disabled(jobs: Any, agents: Any) -> None:
    new = {"id": f"agent-{uuid4().hex}", "name": "One", "url": "http://127.0.0.1:1/", "capabilities": ["b", "a"]}
    request = json_format.ParseDict({"agent": new}, agents_pb.CreateAgentRequest())
    for _ in range(2):
        made = await agents.CreateAgent(request, metadata=ADMINISTRATOR)
    assert (made.agent.enabled, list(made.agent.capabilities)) == (True, ["b", "a"])
    other = json_format.ParseDict({"agent": {**new, "name": "Two"}}, agents_pb.CreateAgentRequest())
    assert (await refused(agents.CreateAgent(other, metadata=ADMINISTRATOR)))[:2] == (
        Status.ALREADY_EXISTS,
        "agent_conflict",
    )
    update = agents_pb.UpdateAgentRequest(agent_id=new["id"], agent=other.agent)
    assert (await agents.UpdateAgent(update, metadata=ADMINISTRATOR)).agent.name == "Two"
    await agents.DisableAgent(agents_pb.DisableAgentRequest(agent_id=new["id"]), metadata=ADMINISTRATOR)
    job_id = (await jobs.CreateJob(create(agent_id=new["id"]), metadata=ADMINISTRATOR)).job.id
    call = jobs.ExecuteJob(jobs_pb.ExecuteJobRequest(job_id=job_id), metadata=ADMINISTRATOR)
    assert (await refused(call))[:2] == (Status.FAILED_PRECONDITION, "agent_disabled")
    unknown = agents.GetAgent(agents_pb.GetAgentRequest(agent_id="nobody"), metadata=ADMINISTRATOR)
    assert (await refused(unknown))[:2] == (Status.NOT_FOUND, "unknown_agent")
