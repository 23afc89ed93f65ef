"""What callers do and are refused is kept, with the change or before the call, and told to those whose it is."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from access_calls import refused
from sqlalchemy import text
from support.real_console import CONSOLE_TOKEN, TOKEN, jobstore_on

from contracts.access import ACCESS
from contracts.tokens import make_token
from jobstore.access.audit import KINDS_MAX, NOBODY_MAX, WITH_CHANGE, Refusals
from jobstore.access.audited import NOBODY, Entry, make_entry, read_address
from jobstore.engine.database import Database
from jobstore.jobs.model import Actor
from signoff import AsyncClient, SignoffError
from signoff.identity import AuditEntry
from signoff.status import View

UNKNOWN = make_token()
MISTYPED = "sgn_" + "0" * 49


async def made(client: AsyncClient, name: str, role: str, *tenants: str) -> AsyncClient:
    whose: dict[str, Any] = {"tenants": tenants} if tenants else {"all_tenants": True}
    return client.with_token((await client.create_token(name=name, role=role, **whose)).secret)


async def kept(client: AsyncClient, count: int = 1, **wanted: Any) -> list[AuditEntry]:
    """Wait until there are so many entries."""
    async with asyncio.timeout(30):
        while True:
            entries, _ = await client.list_audit(filter=wanted)
            if len(entries) >= count:
                assert len(entries) == count
                return entries
            await asyncio.sleep(0.01)


async def test_changes_of_tokens_are_kept(client: AsyncClient) -> None:
    await client.create_token(name="eve", role="viewer", tenants=["press"])
    await client.rotate_token("eve")
    await client.revoke_token("eve")
    entries = await kept(client, 3)
    assert [(entry.action, entry.name, entry.count) for entry in entries] == [
        ("revoke_token", "eve", 2),
        ("rotate_token", "eve", 1),
        ("create_token", "eve", 1),
    ]
    assert {(e.actor, e.outcome, *e.tenants, e.address) for e in entries} == {
        ("token:bootstrap", "done", "press", "127.0.0.1")
    }
    assert entries[0].method == "/signoff.v1.IdentityService/RevokeToken"


async def test_sign_ins_are_kept_as_those_who_sign_in(client: AsyncClient) -> None:
    eve = await made(client, "eve", "viewer", "press")
    begun = await eve.create_session("cli")
    await client.with_token(begun.secret).end_session()
    code = await eve.create_login_code()
    await client.with_token(CONSOLE_TOKEN).spend_login_code(code)
    entries = await kept(client, 4, actors=["token:eve"])
    assert [(entry.action, entry.name) for entry in entries] == [
        ("spend_login_code", "console"),
        ("create_login_code", ""),
        ("end_session", begun.session.id),
        ("create_session", "cli"),
    ]
    assert await refused(client.with_token(CONSOLE_TOKEN).spend_login_code(code)) == "unknown_login_code"
    (entry,) = await kept(client, actors=["token:console"])
    assert (entry.outcome, entry.code) == ("refused", "unknown_login_code")


async def test_changes_of_limits_are_kept_with_the_change(client: AsyncClient) -> None:
    await client.set_limit("tenant:press", concurrency=2)
    await client.pause("agent:writer")
    await client.remove_limit("tenant:press")
    assert await refused(client.remove_limit("tenant:press")) == "unknown_limit"
    entries = await kept(client, 4)
    assert [(entry.action, entry.name, entry.outcome, entry.code) for entry in entries] == [
        ("remove_limit", "tenant:press", "refused", "unknown_limit"),
        ("remove_limit", "tenant:press", "done", ""),
        ("pause", "agent:writer", "done", ""),
        ("set_limit", "tenant:press", "done", ""),
    ]
    assert entries[3].tenants == ["press"]


async def test_a_tenant_that_is_registered_is_kept_with_it(client: AsyncClient) -> None:
    await client.create_tenant(name="games")
    (entry,) = await kept(client, 1, tenants=["games"])
    assert (entry.actor, entry.action, entry.name) == ("token:bootstrap", "create_tenant", "games")


async def test_a_call_that_cannot_be_kept_does_not_happen(client: AsyncClient, database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("ALTER TABLE audit ADD CONSTRAINT none CHECK (actor = '') NOT VALID"))
    try:
        for call in (
            client.create_token(name="eve", role="viewer", all_tenants=True),
            client.set_limit("tenant:press", concurrency=2, timeout_s=2),
            client.create_login_code(),
            client.confirm_limits(timeout_s=2),
        ):
            with pytest.raises(SignoffError):
                await call
    finally:
        async with database.session() as session:
            await session.execute(text("ALTER TABLE audit DROP CONSTRAINT none"))
            codes = await session.scalar(text("SELECT count(*) FROM login_codes"))
    assert await client.list_tokens() == ([], "")
    assert await client.list_limits() == ([], "")
    assert codes == 0


async def test_refused_calls_are_kept_with_the_reason_that_their_answer_does_not_tell(client: AsyncClient) -> None:
    eve, chief = await made(client, "eve", "viewer", "press"), await made(client, "chief", "administrator", "press")
    short = client.with_token(
        (await client.create_token(name="short", role="viewer", tenants=["press"], lasts_s=0.01)).secret
    )
    session = client.with_token((await eve.create_session("cli")).secret)
    assert await refused(eve.create_job(title="A job", acceptance_criteria="is done")) == "forbidden"
    assert await refused(chief.list_dead_letters()) == "forbidden"
    assert await refused(chief.create_token(name="more", role="viewer", all_tenants=True)) == "forbidden"
    await client.revoke_token("eve")
    assert await refused(session.list_sessions()) == "unauthenticated"
    for nobody in (eve, short, client.with_token(UNKNOWN), client.with_token(MISTYPED), client.with_token(None)):
        assert await refused(nobody.get_caller()) == "unauthenticated"
    entries = await kept(client, 9, outcomes=["refused"])
    assert [(entry.actor, entry.action, entry.code, entry.reason, entry.tenants) for entry in entries[::-1]] == [
        ("token:eve", "create_job", "forbidden", "role", ["press"]),
        ("token:chief", "list_dead_letters", "forbidden", "tenant", ["press"]),
        ("token:chief", "create_token", "forbidden", "tenant", ["press"]),
        ("token:eve", "list_sessions", "unauthenticated", "revoked", ["press"]),
        ("token:eve", "get_caller", "unauthenticated", "revoked", ["press"]),
        ("token:short", "get_caller", "unauthenticated", "ended", ["press"]),
        ("nobody", "get_caller", "unauthenticated", "unknown", []),
        ("nobody", "get_caller", "unauthenticated", "malformed", []),
        ("nobody", "get_caller", "unauthenticated", "none", []),
    ]


async def test_administrators_of_tenants_read_the_entries_of_their_tenants(client: AsyncClient) -> None:
    chief = await made(client, "chief", "administrator", "press")
    await client.create_token(name="eve", role="viewer", tenants=["press"])
    await client.create_token(name="bob", role="viewer", tenants=["radio"])
    await client.create_token(name="both", role="viewer", tenants=["press", "radio"])
    await client.create_token(name="all", role="viewer", all_tenants=True)
    assert [entry.name for entry in await kept(chief, 2)] == ["eve", "chief"]
    assert {entry.name for entry in await kept(client, 3, tenants=["press"])} == {"both", "eve", "chief"}
    assert await refused((await made(client, "carl", "operator")).list_audit()) == "forbidden"


async def test_entries_are_found_by_actor_action_outcome_and_time(client: AsyncClient) -> None:
    chief = await made(client, "chief", "administrator", "press")
    await chief.create_token(name="eve", role="viewer", tenants=["press"])
    await chief.revoke_token("eve")
    assert await refused(chief.revoke_token("eve")) == "unknown_token"
    assert [entry.action for entry in await kept(client, 3, actors=["token:chief"])] == [
        *("revoke_token", "revoke_token", "create_token")
    ]
    assert len(await kept(client, 1, actions=["revoke_token"], outcomes=["done"])) == 1
    later = datetime.now(UTC) + timedelta(hours=1)
    assert await client.list_audit(filter={"since": later}) == ([], "")
    assert len(await kept(client, 4, until=later)) == 4
    assert await client.list_audit(filter={"until": later - timedelta(hours=2)}) == ([], "")


async def test_entries_come_by_pages_and_as_an_export_which_is_kept_itself(client: AsyncClient) -> None:
    for number in range(5):
        await client.create_token(name=f"t{number}", role="viewer", all_tenants=True)
    names = [f"t{number}" for number in reversed(range(5))]
    first, following = await client.list_audit(page_size=3)
    rest, end = await client.list_audit(page_size=3, page_token=following)
    assert ([entry.name for entry in first + rest], end) == (names, "")
    assert [entry.name async for entry in client.iter_audit()] == names
    exported = [entry async for entry in client.export_audit(filter={"actions": ["create_token"]})]
    assert [entry.name for entry in exported] == names
    assert [entry.action for entry in await kept(client, 1, actions=["export_audit"])] == ["export_audit"]


async def test_every_credential_that_opens_nothing_is_answered_alike(client: AsyncClient) -> None:
    """Whether its checksum is right tells a stranger nothing."""
    told = set()
    for token in (UNKNOWN, MISTYPED, "sgn_", "any text", None):
        with pytest.raises(SignoffError) as error:
            await client.with_token(token).get_caller()
        told.add((error.value.code, str(error.value)))
    assert len(told) == 1


def flood(refusals: Refusals, calls: int) -> None:
    for number in range(calls):
        entry = Entry(NOBODY, "/signoff.v1.JobService/GetJob", address=f"10.0.{number // 256}.{number % 256}")
        refusals.add(entry.refuse("unauthenticated", "unknown"))
        refusals.add(replace(entry, actor=Actor(f"token:{number}")).refuse("forbidden", "role"))


def test_a_flood_of_refused_calls_leaves_a_bounded_number_of_entries() -> None:
    refusals = Refusals()
    flood(refusals, 10_000)
    first = refusals.take(everything=False)
    flood(refusals, 10_000)
    counts = refusals.take(everything=True)
    assert len(first) == len(counts) == NOBODY_MAX + KINDS_MAX + 2
    assert sum(entry.count for entry in first + counts) == 40_000
    assert refusals.take(everything=True) == []


def test_of_calls_alike_the_first_is_an_entry_and_then_their_count() -> None:
    refusals, entry = Refusals(), Entry(Actor("token:eve"), "/signoff.v1.JobService/GetJob").refuse("forbidden", "role")
    refusals.add(entry)
    assert refusals.take(everything=False) == [entry]
    for _ in range(3):
        refusals.add(entry)
    assert refusals.take(everything=False) == []
    assert refusals.take(everything=True) == [replace(entry, count=3)]


async def test_a_flood_of_strangers_at_two_jobstores_leaves_few_entries_that_count_each_call(
    database: Database, client: AsyncClient
) -> None:
    presented = {"unknown": make_token(), "malformed": MISTYPED, "none": None}
    async with AsyncExitStack() as stack:
        for _ in range(2):
            _, address = await stack.enter_async_context(jobstore_on(database))
            opened = await stack.enter_async_context(AsyncClient(address))
            for token in presented.values():
                stranger = opened.with_token(token)
                assert {await refused(stranger.get_caller()) for _ in range(50)} == {"unauthenticated"}
    entries, _ = await client.list_audit(filter={"actors": ["nobody"]}, page_size=500)
    counted = {reason: sum(each.count for each in entries if each.reason == reason) for reason in presented}
    assert counted == dict.fromkeys(presented, 2 * 50)
    assert len(entries) <= 2 * 2 * len(presented), "of each kind and jobstore the first, and the count of the others"


async def test_confirmed_limits_redrives_and_receipts_are_kept(client: AsyncClient) -> None:
    await client.create_job(id="unjudged", title="A job", acceptance_criteria="is done")
    eve = await made(client, "eve", "viewer")
    await client.confirm_limits()
    redrive = {"topic": "execute-requested", "outcome": "redriven"}
    assert await refused(client.resolve_dead_letters(redrive)) == "kafka_unavailable", "it is kept before"
    assert await refused(eve.get_receipt("unjudged")) == "no_verdict"
    for call in (eve.confirm_limits(), eve.resolve_dead_letters(redrive)):
        assert await refused(call) == "forbidden"
    expected = {
        ("token:bootstrap", "confirm_limits", "", "done", ""),
        ("token:bootstrap", "resolve_dead_letters", "execute-requested", "done", ""),
        ("token:eve", "confirm_limits", "", "refused", "forbidden"),
        ("token:eve", "get_receipt", "unjudged", "done", ""),
        ("token:eve", "get_receipt", "unjudged", "refused", "no_verdict"),
        ("token:eve", "resolve_dead_letters", "", "refused", "forbidden"),  # it was not read
    }
    actions, found = sorted({action for _, action, *_ in expected}), set()
    async with asyncio.timeout(5):
        while found != expected:
            entries, _ = await client.list_audit(filter={"actions": actions})
            found = {(each.actor, each.action, each.name, each.outcome, each.code) for each in entries}


async def test_what_was_refused_is_written_when_a_jobstore_stops(database: Database, client: AsyncClient) -> None:
    async with jobstore_on(database) as (_, address), AsyncClient(address, UNKNOWN) as nobody:
        for _ in range(3):
            assert await refused(nobody.get_caller()) == "unauthenticated"
    entries, _ = await client.list_audit(filter={"actors": ["nobody"]})
    assert sum(entry.count for entry in entries) >= 3


async def test_reading_payloads_is_kept_where_that_is_wanted(database: Database, client: AsyncClient) -> None:
    await client.create_job(id="read", title="A job", acceptance_criteria="is done")
    async with jobstore_on(database, audit_reads=True) as (_, address), AsyncClient(address, TOKEN) as reader:
        for of in (client, reader):
            await of.get_job("read")
            await of.get_job("read", view=View.BASIC)
            await of.list_jobs()
            await of.list_job_logs("read")
            await of.list_job_logs("read", view=View.FULL)
            assert await refused(of.get_result("read", 1)) == "no_result"
    entries = await kept(client, 3)
    assert [(entry.action, entry.name) for entry in entries] == [
        *(("get_result", "read"), ("list_job_logs", "read"), ("get_job", "read"))
    ]


def test_made_up_methods_are_one_kind() -> None:
    assert make_entry(None, "/made.up/Method", None, "ipv4:10.0.0.7:1").method == ""


def test_each_call_whose_entry_comes_with_its_change_is_kept() -> None:
    assert {method for method, access in ACCESS.items() if access.audited} >= WITH_CHANGE


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:40112", "10.0.0.7"),
        ("ipv6:%5B2001:db8::7%5D:40112", "2001:db8::7"),
        ("unix:", "unix"),
        ("", ""),
    ],
)
def test_an_address_is_without_its_port(peer: str, address: str) -> None:
    assert read_address(peer) == address
