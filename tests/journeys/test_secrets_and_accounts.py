"""Tenants have secrets of their own, for upstreams and judges, and people of an organization have accounts.

An upstream reaches neither the jobs of other tenants nor their keys; what somebody does who signs in names them.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from support.oidc import CLIENT, SECRET, Provider
from support.system import WAIT_S, Agent, Judge, System, running, served

from contracts.events import CancelRequested, ExecuteRequested
from contracts.judging.policy import JudgeModel, JudgePolicy, Stage
from contracts.resources import NewAgent, NewJob
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secret, Secrets, make_secret
from contracts.topics import TOPIC_OF, TOPICS
from localstack.judge import create_app as create_judge
from signoff.status import JobStatus
from signoff.values import new_execution_id

NAMES: Final = ("press", "radio")
UPSTREAMS = {name: Secrets([Secret(f"of-{name}", name.encode() * 8)]) for name in NAMES}
BOUND = ",".join(make_secret(f"of-{name}@{name}", name.encode() * 8) for name in NAMES)
RULES = """
[[rule]]
claims = { groups = "press" }
role = "operator"
tenants = "all"
"""


@pytest.fixture(scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with Provider().serving() as provider:
        yield provider


@pytest.fixture(scope="module")
async def keys() -> AsyncIterator[tuple[str, list[str]]]:
    """A judge that notes with which keys it is asked, at its base URL."""
    asked: list[str] = []

    @web.middleware
    async def note(request: web.Request, handler: Any) -> Any:
        asked.append(request.headers["Authorization"])
        return await handler(request)

    app = create_judge()
    app.middlewares.append(note)
    async with served(app) as url:
        yield f"{url}/v1", asked


@pytest.fixture(scope="module")
async def system(
    judge: Judge,
    agent: Agent,
    keys: tuple[str, list[str]],
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[System]:
    """A system of two tenants, whose upstreams have to sign, and which knows the provider."""
    folder: Path = tmp_path_factory.mktemp("keys")
    rules = folder.with_suffix(".toml")
    rules.write_text(RULES)
    for name in NAMES:
        (folder / name).mkdir()
        (folder / name / "house.json").write_text(json.dumps({"value": f"sk-{name}", "base_urls": [keys[0]]}))
    settings = {
        "SIGNOFF_UPSTREAM_SECRETS": BOUND,
        "SIGNOFF_JUDGE_KEY_DIR": str(folder),
        "SIGNOFF_JUDGE_NETWORKS": "127.0.0.0/8",
        "SIGNOFF_OIDC_ISSUER": provider.issuer,
        "SIGNOFF_OIDC_CLIENT_ID": CLIENT,
        "SIGNOFF_OIDC_CLIENT_SECRET": SECRET,
        "SIGNOFF_OIDC_DEVICE_CLIENT_ID": "signoff-cli",
        "SIGNOFF_OIDC_RULES": str(rules),
    }
    async with running(tmp_path_factory.mktemp("tenants"), judge, **settings) as system:
        await system.client.create_agent(NewAgent(id="agent", name="agent", url=agent.url))
        for name in NAMES:
            await system.client.create_tenant(name=name)
        yield system


async def send(system: System, event: ExecuteRequested | CancelRequested, by: str) -> None:
    """Publish an event of an upstream, signed with the secret of a tenant."""
    use = KeyUse.CANCEL if isinstance(event, CancelRequested) else KeyUse.EXECUTE
    body = event.model_dump_json(exclude_none=True).encode()
    headers = [(SIGNATURE_HEADER, UPSTREAMS[by].make_key(use, event.execution_id).sign(body).encode())]
    await system.producer.send_and_wait(TOPIC_OF[type(event)], body, headers=headers)


async def buried(system: System, event: ExecuteRequested | CancelRequested) -> str:
    """The code of the dead letter of an event."""
    dlq = TOPICS[TOPIC_OF[type(event)]].dlq
    consumer = AIOKafkaConsumer(dlq, bootstrap_servers=system.endpoints["kafka"], auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            async for letter in consumer:
                if str(event.execution_id).encode() in letter.value:
                    return dict(letter.headers)["dlq-error-code"].decode()
    finally:
        await consumer.stop()
    raise AssertionError


async def test_an_upstream_of_a_tenant_asks_for_its_jobs_and_cancels_no_others(system: System, agent: Agent) -> None:
    about = {"title": "t", "acceptance_criteria": 'Says "blue"', "agent_id": "agent"}
    own = ExecuteRequested(
        execution_id=new_execution_id(), job_id=f"press:{uuid4()}", job=NewJob(**about, tenant="press")
    )
    await send(system, own, "press")
    await system.known(own.job_id)
    assert (await system.at_rest(own.job_id)).status is JobStatus.COMPLETED

    forged = ExecuteRequested(
        execution_id=new_execution_id(), job_id=f"radio:{uuid4()}", job=NewJob(**about, tenant="radio")
    )
    await send(system, forged, "press")
    assert await buried(system, forged) == "forbidden_tenant"
    assert forged.job_id not in agent.calls

    theirs = await system.create(tenant="radio")
    refused = asyncio.Event()

    async def answer() -> dict[str, str]:
        await refused.wait()
        return {"text": "The sky is blue."}

    agent.answers[theirs.id] = lambda _: answer()
    execution = await system.client.execute_job(theirs.id)
    cancel = CancelRequested(execution_id=execution.id, job_id=theirs.id)
    await send(system, cancel, "press")
    assert await buried(system, cancel) == "forbidden_tenant"
    refused.set()
    assert (await system.at_rest(theirs.id)).status is JobStatus.COMPLETED


async def test_judges_of_a_tenants_policy_are_asked_with_its_keys(system: System, keys: tuple[str, list[str]]) -> None:
    for name in NAMES:
        model = JudgeModel(model="local", key="house", base_url=keys[0])
        policy = JudgePolicy(name=f"{name}.house", stages=[Stage(kind="single", judges=[model])], loop=[])
        await system.client.put_judge_policy(policy.model_dump(mode="json", exclude_none=True))
        job = await system.create(tenant=name, policy={"judge": policy.name})
        keys[1].clear()
        await system.client.execute_job(job.id)
        assert (await system.at_rest(job.id)).status is JobStatus.COMPLETED
        assert set(keys[1]) == {f"Bearer sk-{name}"}


async def test_somebody_signs_in_at_the_page_and_at_a_terminal_and_stays_while_the_provider_is_away(
    system: System, provider: Provider, tmp_path: Path
) -> None:
    jar, page = aiohttp.CookieJar(unsafe=True), system.endpoints["http"]
    async with aiohttp.ClientSession(page, cookie_jar=jar, headers={"Origin": page}) as browser:
        async with browser.get("/login/oidc?to=/jobs") as shown:  # by way of the provider, which knows ann
            assert (shown.status, shown.url.path) == (200, "/jobs")
        new = {"title": "A poem", "acceptance_criteria": "It rhymes"}
        async with browser.post("/api/jobs", json=new) as created:
            assert created.status == 201, await created.text()
            job_id = (await created.json())["id"]
        (entry,), _ = await system.client.list_job_logs(job_id)
        assert entry.actor == "user:ann-7"

        provider.person["aud"] = "signoff-cli"
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "login", "--jobstore", system.endpoints["grpc"], "--json"),
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert command.stderr is not None
        shown_at_terminal = json.loads(await asyncio.wait_for(command.stderr.readline(), WAIT_S))
        assert shown_at_terminal["sign_in"]["user_code"] == "ABCD-EFGH"
        provider.approved |= provider.devices.keys()
        output, _ = await asyncio.wait_for(command.communicate(), WAIT_S)
        assert json.loads(output)["session"]["actor"] == "user:ann-7"
        sessions, _ = await system.client.list_sessions()
        assert {(each.actor, each.client) for each in sessions} >= {("user:ann-7", "console"), ("user:ann-7", "cli")}

        provider.instead |= dict.fromkeys(
            ("/.well-known/openid-configuration", "/keys", "/token"), provider.refuse("x")
        )
        async with browser.get(f"/api/jobs/{job_id}") as read:
            assert read.status == 200
        async with browser.post("/logout") as left:
            assert left.status == 204
        async with browser.get(f"/api/jobs/{job_id}") as read:
            assert read.status == 401
