"""Tokens are made, rotated and revoked; every jobstore knows within a second, and streams end with their tokens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from access_calls import refused
from faults.stack.links import Link
from sqlalchemy import make_url, text
from support.fakes import until
from support.real_console import CONSOLE_TOKEN, TOKEN, jobstore_on

from contracts.tokens import is_token
from jobstore.access.token_store import FOLLOW_S, LATE_S, TokenFollower, add_token, end_tokens, forget_sessions
from jobstore.access.tokens import Tokens
from jobstore.engine.database import Database
from jobstore.jobs.model import BOOTSTRAP, Actor
from signoff import AsyncClient, SignoffError, UnauthenticatedError
from signoff.status import Role

NOBODY = "sgn_" + "0" * 49
#: A jobstore looks for changes twice a second; how soon a busy machine lets it is not asked here.
PATIENCE_S = 30.0


async def drained(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


async def until_refused(client: AsyncClient) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await client.get_caller()
            except UnauthenticatedError:
                return
            await asyncio.sleep(0.01)


def test_changes_are_known_within_a_second() -> None:
    assert FOLLOW_S + LATE_S < 1


async def test_the_token_of_the_environment_is_bootstrap(client: AsyncClient) -> None:
    caller = await client.get_caller()
    assert (caller.name, caller.actor, caller.role, caller.all_tenants) == (
        *("bootstrap", "token:bootstrap", Role.ADMINISTRATOR),
        True,
    )


async def test_a_token_is_made_listed_and_revoked(client: AsyncClient) -> None:
    made = await client.create_token(name="eve", role="viewer", tenants=["press"])
    assert is_token(made.secret)
    eve = client.with_token(made.secret)
    caller = await eve.get_caller()
    assert (caller.actor, caller.role, caller.tenants, caller.all_tenants) == ("token:eve", "viewer", ["press"], False)
    (listed,), _ = await client.list_tokens()
    assert (listed.name, listed.hint, listed.created_by) == ("eve", made.secret[:8], "token:bootstrap")
    await client.revoke_token("eve")
    await until_refused(eve)
    assert await client.list_tokens() == ([], "")
    (ended,), _ = await client.list_tokens(include_ended=True)
    assert ended.revoked_at is not None
    assert await refused(client.revoke_token("eve")) == "unknown_token"


async def test_a_token_is_of_tenants_that_are_registered(client: AsyncClient, database: Database) -> None:
    assert (
        await refused(client.create_token(name="eve", role="viewer", tenants=["press", "made-up"])) == "unknown_tenant"
    )
    assert await client.list_tokens() == ([], "")
    renamed = "INSERT INTO tenants (name, actor, renamed_from) VALUES ('mill-1', '', 'mill') ON CONFLICT DO NOTHING"
    async with database.session() as session:
        await session.execute(text(renamed))
    made = await client.create_token(name="eve", role="viewer", tenants=["default", "mill"])
    assert made.token.tenants == ["default", "mill-1"], "as its tenant is called now"


async def test_what_is_stored_is_no_token(client: AsyncClient, database: Database) -> None:
    made = await client.create_token(name="eve", role="viewer", all_tenants=True)
    async with database.session() as session:
        (row,) = await session.execute(text("SELECT tokens::text AS line FROM tokens"))
    assert made.secret[8:] not in row.line


async def test_another_jobstore_takes_it_at_once_and_no_more_within_a_second(
    client: AsyncClient, database: Database
) -> None:
    async with jobstore_on(database) as (_, address), AsyncClient(address, TOKEN) as other:
        eve = other.with_token((await client.create_token(name="eve", role="viewer", all_tenants=True)).secret)
        assert (await eve.get_caller()).name == "eve"  # whose call may be faster than the notification
        await client.revoke_token("eve")
        await until_refused(eve)


async def test_without_a_notification_a_change_is_known_within_a_second(
    client: AsyncClient, database: Database
) -> None:
    eve = client.with_token((await client.create_token(name="eve", role="viewer", all_tenants=True)).secret)
    assert (await eve.get_caller()).name == "eve"
    async with database.transaction() as connection:  # as by a jobstore whose notification was lost
        number = await connection.scalar(text("UPDATE token_changes SET number = number + 1 RETURNING number"))
        revoke = text("UPDATE tokens SET revoked_at = signoff_now(), change = :number")
        await connection.execute(revoke, {"number": number})
    await until_refused(eve)


async def test_a_change_is_known_although_all_connections_that_there_are_stay_silent(
    database: Database, database_url: str
) -> None:
    """A link that lost what it had to pass on: the database answers on new connections alone."""
    link = Link("postgres", make_url(database_url).port or 5432)
    await link.start()
    behind = Database(
        str(make_url(database_url).set(host="127.0.0.1", port=link.port).render_as_string(hide_password=False))
    )
    followed = TokenFollower(behind, Tokens({}))
    async with database.transaction() as connection:
        eve = (Actor("token:eve"), Role.VIEWER, None)
        row, _ = await add_token(connection, "token", "eve", *eve, created_by=BOOTSTRAP)
    await followed.follow()
    assert followed.tokens.get(row.hash) is not None
    running = asyncio.create_task(followed.run())
    try:
        link.set("mute")
        await until(lambda: link.acted["mute"])
        link.set("open")
        async with database.transaction() as connection:
            await end_tokens(connection, "eve", None)
        await until(lambda: followed.tokens.get(row.hash) is None, 10.0)
    finally:
        running.cancel()
        await asyncio.wait([running])
        await behind.close()
        await link.stop()


async def test_a_look_that_was_overtaken_brings_no_token_back(database: Database) -> None:
    followed = TokenFollower(database, Tokens({}))
    async with database.transaction() as connection:
        eve = (Actor("token:eve"), Role.VIEWER, None)
        row, _ = await add_token(connection, "token", "eve", *eve, created_by=BOOTSTRAP)
    slow = await followed._look(database.session())
    async with followed.changing() as connection:
        await end_tokens(connection, "eve", None)
    followed._take(slow)
    assert followed.tokens.get(row.hash) is None


async def test_a_stream_ends_with_its_token(client: AsyncClient) -> None:
    secret = (await client.create_token(name="eve", role="viewer", all_tenants=True)).secret
    eve = client.with_token(secret)
    stream = aiter(eve.watch_jobs())
    await anext(stream)
    ended = asyncio.create_task(drained(stream))
    await client.revoke_token("eve")
    async with asyncio.timeout(PATIENCE_S):
        assert await refused(ended) == "unauthenticated"


async def test_who_watches_itself_is_told_when_the_token_ends(client: AsyncClient) -> None:
    eve = client.with_token((await client.create_token(name="eve", role="executor", all_tenants=True)).secret)
    stream = aiter(eve.watch_caller())
    assert (await anext(stream)).name == "eve"
    ended = asyncio.create_task(drained(stream))
    await client.revoke_token("eve")
    async with asyncio.timeout(PATIENCE_S):
        assert await refused(ended) == "unauthenticated"


async def test_a_stream_ends_when_its_token_does(client: AsyncClient) -> None:
    eve = client.with_token(
        (await client.create_token(name="eve", role="viewer", all_tenants=True, lasts_s=0.5)).secret
    )
    async with asyncio.timeout(PATIENCE_S):
        assert await refused(drained(aiter(eve.watch_jobs()))) == "unauthenticated"
    assert await refused(eve.get_caller()) == "unauthenticated"


async def test_a_rotated_token_goes_on_for_its_overlap(client: AsyncClient) -> None:
    first = await client.create_token(name="ci", role="operator", all_tenants=True)
    second = await client.rotate_token("ci", overlap_s=60)
    for secret in (first.secret, second.secret):
        assert (await client.with_token(secret).get_caller()).actor == "token:ci"
    third = await client.rotate_token("ci", overlap_s=0)
    for secret in (first.secret, second.secret):
        await until_refused(client.with_token(secret))
    assert (await client.with_token(third.secret).get_caller()).role == "operator"


@pytest.mark.parametrize("name", ["eve", "bootstrap", "executor"])
async def test_a_name_is_one_holders(client: AsyncClient, name: str) -> None:
    await client.create_token(name="eve", role="viewer", all_tenants=True)
    asked = [client.create_token(name=name, role="administrator", all_tenants=True) for _ in range(3)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {getattr(answer, "code", answer) for answer in answers} == {"token_conflict"}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "", "role": "viewer", "all_tenants": True},
        {"name": "Eve", "role": "viewer", "all_tenants": True},
        {"name": "eve", "role": "viewer"},
        {"name": "eve", "role": "viewer", "tenants": ["press"], "all_tenants": True},
        {"name": "eve", "role": "viewer", "tenants": ["Press"]},
        {"name": "eve", "all_tenants": True},
        {"name": "eve", "role": "executor", "tenants": ["press"]},
        {"name": "eve", "role": "console", "tenants": ["press"]},
        {"name": "eve", "role": "viewer", "all_tenants": True, "lasts_s": -1.0},
    ],
)
async def test_what_is_not_well_formed_makes_no_token(client: AsyncClient, fields: dict[str, Any]) -> None:
    assert await refused(client.create_token(fields)) == "invalid_request"
    assert await client.list_tokens(include_ended=True) == ([], "")


async def test_nobody_gives_what_they_do_not_have(client: AsyncClient) -> None:
    chief = client.with_token((await client.create_token(name="chief", role="administrator", tenants=["press"])).secret)
    await chief.create_token(name="eve", role="operator", tenants=["press"])
    for fields in (
        {"role": "viewer", "all_tenants": True},
        {"role": "viewer", "tenants": ["press", "radio"]},
        {"role": "executor", "all_tenants": True},
    ):
        assert await refused(chief.create_token(name="more", **fields)) == "forbidden"
    await client.create_token(name="other", role="viewer", tenants=["radio"])
    assert {token.name for token in (await chief.list_tokens())[0]} == {"chief", "eve"}
    for foreign in ("other", "nobody"):
        assert await refused(chief.revoke_token(foreign)) == "unknown_token"
        assert await refused(chief.rotate_token(foreign)) == "unknown_token"


async def test_a_session_is_its_makers_and_ends_with_the_token_or_by_itself(client: AsyncClient) -> None:
    eve = client.with_token((await client.create_token(name="eve", role="viewer", tenants=["press"])).secret)
    first, second = await eve.create_session("cli"), await eve.create_session("console", lasts_s=60)
    begun = client.with_token(first.secret)
    caller = await begun.get_caller()
    assert (caller.actor, caller.role, caller.tenants) == ("token:eve", "viewer", ["press"])
    assert caller.session_id == first.session.id
    assert {session.client for session in (await begun.list_sessions())[0]} == {"cli", "console"}
    await begun.end_session()
    await until_refused(begun)
    of_session = client.with_token((await client.with_token(second.secret).create_session("cli")).secret)
    assert (await of_session.get_caller()).actor == "token:eve"
    await client.revoke_token("eve")
    await until_refused(of_session)
    await until_refused(client.with_token(second.secret))


async def test_another_users_session_is_as_if_there_were_none(client: AsyncClient) -> None:
    begun = await client.create_session("cli")
    eve = client.with_token((await client.create_token(name="eve", role="operator", all_tenants=True)).secret)
    assert await refused(eve.end_session(begun.session.id)) == "unknown_session"
    assert await eve.list_sessions() == ([], "")
    assert await refused(eve.end_session()) == "invalid_request"


async def test_a_login_code_begins_a_session_of_whoever_made_it(client: AsyncClient) -> None:
    eve = client.with_token((await client.create_token(name="eve", role="viewer", tenants=["press"])).secret)
    console = client.with_token(CONSOLE_TOKEN)
    session = client.with_token(await console.spend_login_code(await eve.create_login_code()))
    assert (await session.get_caller()).actor == "token:eve"


async def test_a_console_watches_and_no_more(client: AsyncClient) -> None:
    console = client.with_token(CONSOLE_TOKEN)
    assert (await console.get_caller()).role == "console"
    for call in (
        console.list_jobs(),
        console.create_job(title="x"),
        console.list_tokens(),
        console.create_session("x"),
    ):
        assert await refused(call) == "forbidden"


async def test_a_refusal_names_the_role_that_is_needed(client: AsyncClient) -> None:
    eve = client.with_token((await client.create_token(name="eve", role="viewer", all_tenants=True)).secret)
    with pytest.raises(SignoffError, match="needs operator or administrator") as error:
        await eve.create_job(title="A job", acceptance_criteria="is done")
    assert error.value.grpc_status is grpc.StatusCode.PERMISSION_DENIED


async def test_the_last_use_is_written_seldom_and_not_by_the_call(client: AsyncClient, database: Database) -> None:
    secret = (await client.create_token(name="eve", role="viewer", all_tenants=True)).secret
    followed = TokenFollower(database, Tokens({}))
    await followed.follow()
    followed.tokens.find([("authorization", f"Bearer {secret}")])
    assert [token.last_used_at for token in (await client.list_tokens())[0]] == [None]
    await followed.write_used()
    assert [token.last_used_at is None for token in (await client.list_tokens())[0]] == [False]
    assert followed.tokens.take_used() == []


async def test_sessions_that_ended_a_day_ago_are_forgotten(client: AsyncClient, database: Database) -> None:
    await client.create_session("cli", lasts_s=1)
    await client.create_session("cli")
    async with database.session() as session:
        age = text("UPDATE tokens SET ends_at = ends_at - interval '48 h'")
        await session.execute(age)
        assert await forget_sessions(session) == 2


async def test_an_unknown_token_of_the_right_shape_opens_nothing(client: AsyncClient) -> None:
    for token in (NOBODY, "", "x" * 1_000):
        assert await refused(client.with_token(token).get_caller()) == "unauthenticated"
