"""Agents of more protocols: who may claim what, by which settings it is called, and how its work is found again."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.administered import put_agent
from support.jobstore.steps import Steps, reported, seen
from support.jobstore.terms import LEASE_S

from contracts.agent_settings import format_settings
from contracts.events import HANDLE_MAX_BYTES
from contracts.resources import NewAgent
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.model import ExecutionStage
from jobstore.jobs.waits import explain_jobs, sum_up_all, sum_up_batch
from signoff.jsontext import parse_json
from signoff.status import ReportKind

CALLS = {"protocols": ("http", "http_async", "openai")}


def model(name: str = "m", **fields: Any) -> NewAgent:
    fields = {"url": "http://127.0.0.1:1/", "settings": {"model": name}} | fields
    return NewAgent(name="model", protocol="openai", **fields)


class Called(Steps):
    """A job of an agent of its own, behind OpenAI's API."""

    async def registered(self, new: NewAgent | None = None) -> "Called":
        self.agent_id = f"agent-{uuid4().hex[:8]}"
        await self.saved(new or model(), create=True)
        return self

    async def saved(self, new: NewAgent, *, create: bool = False) -> None:
        async with self.database.transaction() as connection:
            await put_agent(connection, self.agent_id, new, create=create)

    async def asked(self, **fields: Any) -> "Called":
        await self.requested(agent_id=self.agent_id, **fields)
        return self

    async def begun(self, **fields: Any) -> int:
        await self.asked(**fields)
        answer = await self.claim(**CALLS)
        assert answer.execution is not None
        return answer.execution.lease

    async def forget_settings(self) -> None:
        async with self.database.transaction() as connection:
            await connection.execute(text("DELETE FROM agent_settings"))


@pytest.fixture
async def steps(database: Database, runner: CommandRunner) -> Called:
    return await Called(database, runner).registered()


async def test_what_an_older_executor_was_offered_waits_for_the_next_offer_and_not_for_a_time_that_was_asked_for(
    steps: Called, database: Database
) -> None:
    """As in an upgrade, while another executor calls the agent."""
    batch_id = uuid4()
    await steps.asked()
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM executions WHERE job_id <> :id"), {"id": steps.job_id})
        await connection.execute(text("UPDATE executions SET batch_id = :id"), {"id": batch_id})
    await seen(database, ExecutionStage.EXECUTING, 5)
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE workers SET protocols = '{http,http_async,openai}'"))
    assert (await steps.claim(owner=uuid4())).code == "protocol_not_called"
    async with database.session() as session:
        (told,) = (await explain_jobs(session, [steps.job_id], LEASE_S))[steps.job_id].reasons
        sums = [*(await sum_up_all(session, LEASE_S)).sums, *await sum_up_batch(session, batch_id, LEASE_S)]
    assert (told.code, told.until, told.remedy) == ("retry_backoff", (await steps.row()).due_at, "it is tried again")
    assert [(each.code, each.count) for each in sums] == [("retry_backoff", 1)] * 2
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE workers SET protocols = '{}'"))
        (told,) = (await explain_jobs(connection, [steps.job_id], LEASE_S))[steps.job_id].reasons
        sums = [*(await sum_up_all(connection, LEASE_S)).sums, *await sum_up_batch(connection, batch_id, LEASE_S)]
    assert (told.code, told.name) == ("protocol_not_called", "openai"), "no time helps while none calls it"
    assert [(each.code, each.count) for each in sums] == [("protocol_not_called", 1)] * 2


async def test_every_executor_is_granted_what_the_first_protocols_call(
    database: Database, runner: CommandRunner
) -> None:
    for protocol in ("http", "http_async"):
        new = NewAgent(name="first", protocol=protocol, url="http://127.0.0.1:1/")
        steps = await (await Called(database, runner).registered(new)).asked()
        assert (await steps.row()).flow == [f"agent:{steps.agent_id}"]
        assert (await steps.claim()).outcome == "GRANTED"


async def test_an_event_of_an_agent_that_is_not_called_is_admitted_and_waits(steps: Called) -> None:
    await steps.created(agent_id=steps.agent_id)
    assert (await steps.claim()).code == "protocol_not_called"
    assert ((await steps.row()).state, (await steps.job()).live) == ("QUEUED", True)


async def test_the_handle_goes_with_the_next_grant_and_stands_where_it_was_reported(steps: Called) -> None:
    lease = await steps.begun()
    await steps.report(lease, ReportKind.CALL_BEGUN, handle="resp_1")
    await steps.report(lease, ReportKind.PROGRESS, seq=2, message="on its way")
    await steps.due(-1)
    await steps.lapsed()
    again = await steps.claim(owner=uuid4(), **CALLS)
    assert again.execution is not None
    assert (again.execution.handle, again.execution.follows_only) == ("resp_1", False)
    await steps.report(again.execution.lease, ReportKind.ATTEMPT_FAILED, seq=2, call=1, handle="", retry_after_s=0)
    assert (await steps.row()).handle == ""
    assert [(row.kind, row.handle) for row in (await steps.logs())[3:]] == [
        ("call_begun", "resp_1"),
        ("progress", None),
        ("lapsed", None),
        ("claimed", None),
        ("attempt_failed", ""),
    ]


async def test_a_validator_names_no_work(steps: Called) -> None:
    lease = await steps.begun()
    judged = await steps.claim_judging(lease)
    assert judged.execution is not None
    await steps.report(judged.execution.lease, ReportKind.MISJUDGED, handle="stolen")
    assert (await steps.row()).handle is None


@pytest.mark.parametrize("handle", ["x" * (HANDLE_MAX_BYTES + 1), "ä" * (HANDLE_MAX_BYTES // 2 + 1), "a\nb", "\u202e"])
def test_a_handle_is_bounded_and_printable(handle: str) -> None:
    with pytest.raises(ValueError, match="printable"):
        reported(uuid4(), "job", 1, ReportKind.CALL_BEGUN, handle=handle)


async def test_an_execution_is_called_with_the_settings_at_its_request(steps: Called) -> None:
    await steps.asked()
    changed = model(
        "newer", url="http://127.0.0.1:2/", headers={"Authorization": "env:SIGNOFF_AGENT_KEY"}, enabled=False
    )
    await steps.saved(changed)
    grant = (await steps.claim(**CALLS)).grant
    assert parse_json(grant.settings) == {"model": "m"}
    assert (grant.url, grant.headers) == (changed.url, changed.headers), "a wrong address can be mended"


async def test_the_result_of_a_deterministic_agent_is_reused_under_the_same_settings_alone(
    steps: Called, runner: CommandRunner
) -> None:
    await steps.saved(model(deterministic=True))
    await steps.result(await steps.begun(), usage=None)
    codes = []
    for name in ("m", "newer"):
        if name == "newer":
            await steps.saved(model(name, deterministic=True))
        other = Called(steps.database, runner)
        other.agent_id = steps.agent_id
        codes.append((await (await other.asked()).claim(**CALLS)).code)
    assert codes == ["result_reused", ""]


async def test_while_the_frozen_settings_are_not_known_nothing_is_called(steps: Called) -> None:
    await steps.asked()
    await steps.forget_settings()
    answer = await steps.claim(**CALLS)
    assert (answer.outcome, answer.code, answer.grant) == ("QUEUED", "settings_unknown", None)
    assert ((await steps.row()).state, (await steps.job()).status) == ("QUEUED", "ASSIGNED")
    await steps.saved(model(enabled=False))
    await steps.due(-1)
    assert parse_json((await steps.claim(**CALLS)).grant.settings) == {"model": "m"}


async def test_settings_are_kept_once_and_in_a_fact_before_the_first_request(steps: Called, database: Database) -> None:
    settings = {"model": steps.agent_id, "parameters": {"b": 1, "a": None}}
    for number in range(2):
        await steps.saved(model(settings=settings, url=f"http://127.0.0.1:{number + 1}/"))
    await steps.asked()
    async with database.session() as session:
        kept = "SELECT encode(hash, 'hex') FROM agent_settings WHERE body::text = :body"
        hashes = list(await session.scalars(text(kept), {"body": format_settings(settings)}))
        told = "SELECT body::text FROM facts WHERE topic = 'agent-changed' AND key = :key ORDER BY seq DESC LIMIT 1"
        fact = parse_json(await session.scalar(text(told), {"key": steps.agent_id}))
    assert hashes == [(await steps.row()).settings_hash.hex()]
    assert fact["agent"]["settings"] == settings
    assert fact["cursor"] < (await steps.logs())[-1].seq
