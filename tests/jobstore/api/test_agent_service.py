"""AgentService: agents are created once, changed and disabled."""

import json
from typing import Any
from uuid import uuid4

import pytest
from api_calls import ADMINISTRATOR, EXECUTOR, Status, create, refused
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask
from sqlalchemy import text
from support.factories import execute_requested
from support.jobstore.administered import add_old_agent

from contracts.resources import NewAgent
from jobstore.engine.database import Database
from signoff.v1 import agent_service_pb2 as agents_pb
from signoff.v1 import job_service_pb2 as jobs_pb
from signoff.v1 import resources_pb2
from signoff.worker.v1 import work_service_pb2 as work_pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub

HEADERS = {"Authorization": "env:SIGNOFF_AGENT_WRITER", "X-Key": "file:writer/key"}
SECRET_URL = "http://user:s3cret@127.0.0.1:1/"
SHOWN_URL = "http://***@127.0.0.1:1/"


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


async def test_a_mask_says_what_of_an_agent_changes(agents: Any) -> None:
    agent_id = f"masked-{uuid4().hex}"
    await saved(agents, agent_id, policy={"max_calls": 3}, headers=HEADERS, capabilities=["a"])
    new = resources_pb2.NewAgent(name="Another", policy=resources_pb2.Policy(deadline_s=9), headers={"X-New": "file:b"})
    paths = ["name", "policy.max_calls", "policy.deadline_s", "headers.X-Key", "headers.X-New", "deterministic"]
    request = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=new, update_mask=FieldMask(paths=paths), version=1)
    agent = (await agents.UpdateAgent(request, metadata=ADMINISTRATOR)).agent
    assert (agent.name, agent.version, list(agent.capabilities)) == ("Another", 2, ["a"])
    assert (agent.policy.HasField("max_calls"), agent.policy.deadline_s) == (False, 9)
    assert dict(agent.headers) == {"Authorization": HEADERS["Authorization"], "X-New": "file:b"}
    assert (await refused(agents.UpdateAgent(request, metadata=ADMINISTRATOR)))[1] == "version_conflict"
    for paths, words in (["id"], "cannot be changed: id"), (["policy.max_call"], "policy.max_call: cannot be given"):
        wrong = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=new, update_mask=FieldMask(paths=paths))
        status, code, message = await refused(agents.UpdateAgent(wrong, metadata=ADMINISTRATOR))
        assert (status, code, words in message) == (Status.INVALID_ARGUMENT, "invalid_request", True), message
    many = {f"X-{n}": "file:c" for n in range(15)}
    new = resources_pb2.NewAgent(headers=many)
    request = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=new, update_mask=FieldMask(paths=["headers"]))
    assert "headers: must have at most 16" in (await refused(agents.UpdateAgent(request, metadata=ADMINISTRATOR)))[2]


async def saved(agents: Any, agent_id: str, **fields: Any) -> Any:
    """Make or change an agent, as a client does."""
    new = {"id": agent_id, "name": agent_id, "url": "http://127.0.0.1:1/", **fields}
    message = json_format.ParseDict(new, agents_pb.CreateAgentRequest().agent)
    known = agents.GetAgent(agents_pb.GetAgentRequest(agent_id=agent_id), metadata=ADMINISTRATOR)
    try:
        await known
    except Exception:  # noqa: BLE001 - there is none
        return (await agents.CreateAgent(agents_pb.CreateAgentRequest(agent=message), metadata=ADMINISTRATOR)).agent
    update = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=message)
    return (await agents.UpdateAgent(update, metadata=ADMINISTRATOR)).agent


async def stored_facts(database: Database, agent_id: str) -> list[dict[str, Any]]:
    query = text("SELECT body::text FROM facts WHERE key = :id ORDER BY seq")
    async with database.session() as session:
        return [json.loads(body)["agent"] for body in await session.scalars(query, {"id": agent_id})]


async def test_a_page_of_agents_with_large_settings_is_short_and_the_next_goes_on(
    agents: Any, database: Database
) -> None:
    """Clients of gRPC take 4 MiB by default."""
    many = """
        INSERT INTO agents (id, name, protocol, url, capabilities, policy, enabled, settings)
        SELECT 'large-' || n, 'zz', 'openai', '', '{}', '{}', false, json_build_object('model', repeat('x', 65000))
        FROM generate_series(101, 170) AS n
    """
    async with database.transaction() as connection:
        await connection.execute(text(many))
    listed, sizes, token = [], [], ""
    while token or not sizes:
        page = await agents.ListAgents(agents_pb.ListAgentsRequest(page_token=token), metadata=ADMINISTRATOR)
        listed += [agent.id for agent in page.agents if agent.name == "zz"]
        sizes.append(page.ByteSize())
        token = page.next_page_token
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM agents WHERE name = 'zz'"))
    assert listed == [f"large-{number}" for number in range(101, 171)]
    assert max(sizes) < 4 << 20


@pytest.fixture
async def old(database: Database) -> str:
    """An agent from before, with a user and password in its URL."""
    agent_id = f"old-{uuid4().hex}"
    async with database.transaction() as connection:
        await add_old_agent(connection, agent_id, NewAgent(name="old", url=SECRET_URL))
    return agent_id


async def test_headers_are_kept_as_references_and_granted_to_executors(
    jobs: Any, agents: Any, channel: Any, database: Database
) -> None:
    agent_id = f"agent-{uuid4().hex}"
    assert dict((await saved(agents, agent_id, headers={"X-Key": "file:old"})).headers) == {"X-Key": "file:old"}
    assert dict((await saved(agents, agent_id, headers=HEADERS)).headers) == HEADERS
    listed = (await agents.ListAgents(agents_pb.ListAgentsRequest(), metadata=ADMINISTRATOR)).agents
    assert [dict(agent.headers) for agent in listed if agent.id == agent_id] == [HEADERS]
    assert [fact["headers"] for fact in await stored_facts(database, agent_id)] == [{"X-Key": "file:old"}, HEADERS]
    job_id = (await jobs.CreateJob(create(agent_id=agent_id), metadata=ADMINISTRATOR)).job.id
    claim = work_pb.ExecutionClaim(request=execute_requested(job_id=job_id).model_dump_json().encode())
    request = work_pb.BeginExecutionsRequest(owner=str(uuid4()), room=1, claims=[claim])
    (answer,) = (await WorkServiceStub(channel).BeginExecutions(request, metadata=EXECUTOR)).answers
    assert dict(answer.grant.headers) == HEADERS


async def test_signing_is_kept_as_a_reference_granted_to_executors_and_removed_by_a_mask(
    jobs: Any, agents: Any, channel: Any, database: Database
) -> None:
    agent_id = f"signed-{uuid4().hex}"
    assert (await saved(agents, agent_id, signing="file:key")).signing == "file:key"
    job_id = (await jobs.CreateJob(create(agent_id=agent_id), metadata=ADMINISTRATOR)).job.id
    claim = work_pb.ExecutionClaim(request=execute_requested(job_id=job_id).model_dump_json().encode())
    request = work_pb.BeginExecutionsRequest(
        owner=str(uuid4()), room=1, claims=[claim], protocols=[resources_pb2.PROTOCOL_HTTP]
    )
    (answer,) = (await WorkServiceStub(channel).BeginExecutions(request, metadata=EXECUTOR)).answers
    assert answer.grant.signing == "file:key"
    unsigned = agents_pb.UpdateAgentRequest(agent_id=agent_id, update_mask=FieldMask(paths=["signing"]))
    assert not (await agents.UpdateAgent(unsigned, metadata=ADMINISTRATOR)).agent.HasField("signing")
    assert [fact.get("signing") for fact in await stored_facts(database, agent_id)] == ["file:key", None]


async def test_an_agent_made_again_with_other_headers_is_another(agents: Any) -> None:
    new = {"id": f"agent-{uuid4().hex}", "name": "One", "url": "http://127.0.0.1:1/", "headers": HEADERS}
    for headers, is_same in ((HEADERS, True), (dict(reversed(HEADERS.items())), True), ({}, False)):
        request = json_format.ParseDict({"agent": {**new, "headers": headers}}, agents_pb.CreateAgentRequest())
        call = agents.CreateAgent(request, metadata=ADMINISTRATOR)
        assert (await call).agent.headers if is_same else (await refused(call))[1] == "agent_conflict"


async def test_a_value_itself_is_refused_and_not_said_again(agents: Any) -> None:
    status, code, message = await refused(saved(agents, uuid4().hex, headers={"X-Key": "s3cret"}))
    assert (status, code) == (Status.INVALID_ARGUMENT, "invalid_request")
    assert "env:SIGNOFF_AGENT_<NAME>" in message
    assert "s3cret" not in message


async def test_a_user_and_password_in_a_new_url_are_refused_with_what_to_do(agents: Any, old: str) -> None:
    for agent_id, url in ((uuid4().hex, SECRET_URL), (old, SECRET_URL.replace("s3cret", "other"))):
        status, code, message = await refused(saved(agents, agent_id, url=url))
        assert (status, code) == (Status.INVALID_ARGUMENT, "url_has_userinfo")
        assert '"Authorization": "env:SIGNOFF_AGENT_<NAME>"' in message
    unknown = agents_pb.GetAgentRequest(agent_id="nobody")
    assert (await refused(agents.GetAgent(unknown, metadata=ADMINISTRATOR)))[0] is Status.NOT_FOUND


async def test_those_that_are_stored_go_on_and_are_not_shown(agents: Any, old: str, database: Database) -> None:
    """An edit sends the URL back as it was shown."""
    shown = [await saved(agents, old, name="renamed", url=SHOWN_URL), await saved(agents, old, url=SECRET_URL)]
    shown.append((await agents.GetAgent(agents_pb.GetAgentRequest(agent_id=old), metadata=ADMINISTRATOR)).agent)
    disabled = await agents.DisableAgent(agents_pb.DisableAgentRequest(agent_id=old), metadata=ADMINISTRATOR)
    listed = (await agents.ListAgents(agents_pb.ListAgentsRequest(), metadata=ADMINISTRATOR)).agents
    shown += [disabled.agent, *(agent for agent in listed if agent.id == old)]
    assert [agent.url for agent in shown] == [SHOWN_URL] * 5
    assert {fact["url"] for fact in await stored_facts(database, old)} == {SECRET_URL}, "a rebuild needs it"


async def test_they_are_left_out_for_a_header_and_not_said_twice(agents: Any, old: str) -> None:
    headers = {"authorization": "env:SIGNOFF_AGENT_WRITER"}
    assert (await refused(saved(agents, old, url=SHOWN_URL, headers=headers)))[1] == "url_has_userinfo"
    changed = await saved(agents, old, headers=headers)
    assert (changed.url, dict(changed.headers)) == ("http://127.0.0.1:1/", headers)


async def test_an_agent_has_versions_and_a_write_that_names_another_is_refused(agents: Any) -> None:
    new = resources_pb2.NewAgent(id=uuid4().hex, name="a", url="http://a/")
    made = (await agents.CreateAgent(agents_pb.CreateAgentRequest(agent=new), metadata=ADMINISTRATOR)).agent
    assert made.version == 1
    for write, request in (
        (agents.UpdateAgent, agents_pb.UpdateAgentRequest(agent_id=new.id, agent=new)),
        (agents.DisableAgent, agents_pb.DisableAgentRequest(agent_id=new.id)),
    ):
        shown = (await agents.GetAgent(agents_pb.GetAgentRequest(agent_id=new.id), metadata=ADMINISTRATOR)).agent
        request.version = shown.version + 1
        assert (await refused(write(request, metadata=ADMINISTRATOR)))[1] == "version_conflict"
        request.version = shown.version
        assert (await write(request, metadata=ADMINISTRATOR)).agent.version == shown.version + 1


async def test_a_try_of_an_agent_is_asked_for_listed_and_shown(agents: Any, database: Database) -> None:
    agent_id = f"tried-{uuid4().hex}"
    await saved(agents, agent_id)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM agent_tasks"))
    asked = agents_pb.NewAgentTry(payload_json='{"a": 1}', check=True)
    request = agents_pb.CreateAgentTryRequest(agent_id=agent_id, agent_try=asked)
    made = (await agents.CreateAgentTry(request, metadata=ADMINISTRATOR)).agent_try
    assert (made.agent_id, made.check, made.state, made.cost_usd) == (agent_id, True, agents_pb.TRY_STATE_QUEUED, "0")
    answer = {
        "result": {"b": 2},
        "exchanges": [{"method": "POST", "url": "http://a/", "status": 200, "request_headers": {"X-Key": "***"}}],
        "checks": [{"check": "size", "outcome": "passed", "message": "it is", "exchanges": [0]}],
    }
    async with database.transaction() as connection:
        query = "UPDATE agent_tasks SET state = 'DONE', answer = CAST(CAST(:answer AS text) AS json), code = 'try_lost'"
        await connection.execute(text(query), {"answer": json.dumps(answer)})
    get = agents_pb.GetAgentTryRequest(agent_id=agent_id, try_id=made.id)
    shown = (await agents.GetAgentTry(get, metadata=ADMINISTRATOR)).agent_try
    assert (json.loads(shown.result_json), shown.exchanges[0].status, shown.checks[0].check) == ({"b": 2}, 200, "size")
    assert shown.advice.startswith("The executor that called the agent was lost")
    await agents.CreateAgentTry(agents_pb.CreateAgentTryRequest(agent_id=agent_id), metadata=ADMINISTRATOR)
    pages, token = [], ""
    for _ in range(2):
        list_ = agents_pb.ListAgentTriesRequest(agent_id=agent_id, page_size=1, page_token=token)
        page = await agents.ListAgentTries(list_, metadata=ADMINISTRATOR)
        pages += [(each.id, len(each.exchanges)) for each in page.tries]
        token = page.next_page_token
    assert (len(pages), pages[1]) == (2, (made.id, 0))
    for request in (
        agents_pb.GetAgentTryRequest(agent_id="writer", try_id=made.id),
        agents_pb.GetAgentTryRequest(agent_id=agent_id, try_id=str(uuid4())),
    ):
        assert (await refused(agents.GetAgentTry(request, metadata=ADMINISTRATOR)))[1] == "unknown_try"
    unknown = agents_pb.CreateAgentTryRequest(agent_id="nobody")
    assert (await refused(agents.CreateAgentTry(unknown, metadata=ADMINISTRATOR)))[1] == "unknown_agent"
    assert (await refused(agents.CreateAgentTry(unknown, metadata=EXECUTOR)))[0] == Status.PERMISSION_DENIED


async def test_an_executor_is_granted_what_its_protocols_need_and_a_protocol_never_changes(
    jobs: Any, agents: Any, channel: Any
) -> None:
    """The settings are those of the request, also after a patch; ids of the work are the same for all its grants."""
    agent_id = f"model-{uuid4().hex}"
    settings = {"model": "m", "parameters": {"top_p": 1}}
    await saved(agents, agent_id, protocol="PROTOCOL_OPENAI", settings=settings)
    job_id = (await jobs.CreateJob(create(agent_id=agent_id), metadata=ADMINISTRATOR)).job.id
    asked = execute_requested(job_id=job_id).model_dump_json().encode()
    owner, stub = str(uuid4()), WorkServiceStub(channel)

    async def claim(*protocols: "resources_pb2.Protocol.ValueType") -> work_pb.ExecutionAnswer:
        claims = [work_pb.ExecutionClaim(request=asked)]
        request = work_pb.BeginExecutionsRequest(owner=owner, room=1, claims=claims, protocols=protocols)
        return (await stub.BeginExecutions(request, metadata=EXECUTOR)).answers[0]

    answer = await claim()
    assert (answer.outcome, answer.code) == (work_pb.CLAIM_OUTCOME_QUEUED, "protocol_not_called")
    openai, of_the_future = resources_pb2.PROTOCOL_OPENAI, 1_000
    job_id = (await jobs.CreateJob(create(agent_id=agent_id), metadata=ADMINISTRATOR)).job.id
    asked = execute_requested(job_id=job_id).model_dump_json().encode()
    grants = []
    for _ in range(2):
        grants.append((await claim(openai, of_the_future)).grant)  # type: ignore[arg-type] # a newer executor's
        patch = json_format.ParseDict({"settings": {"model": "newer"}}, resources_pb2.NewAgent())
        mask = FieldMask(paths=["settings"])
        update = agents_pb.UpdateAgentRequest(agent_id=agent_id, agent=patch, update_mask=mask)
        changed = (await agents.UpdateAgent(update, metadata=ADMINISTRATOR)).agent
        assert json.loads(changed.settings_json)["model"] == "newer"
    assert [json.loads(grant.settings_json) for grant in grants] == [settings, settings]
    got = jobs_pb.GetExecutionRequest(execution_id=grants[0].lease.execution_id)
    execution = (await jobs.GetExecution(got, metadata=ADMINISTRATOR)).execution
    assert json.loads(execution.settings_json) == settings
    assert len({(grant.context_id, grant.message_id) for grant in grants}) == 1
    assert "" not in {grants[0].context_id, grants[0].message_id}
    other = saved(agents, agent_id, protocol="PROTOCOL_HTTP")
    assert (await refused(other))[:2] == (Status.FAILED_PRECONDITION, "agent_protocol_fixed")
