"""The code of a login link stands for a token once, for a quarter of an hour, and is kept as a hash alone."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from sqlalchemy import text
from support.real_console import TOKEN, jobstore_on

from contracts.tokens import hash_token, is_token
from jobstore.api.operations_service import create_code, spend_code
from jobstore.engine.database import Database
from signoff import AsyncClient, SignoffError

MAKER = hash_token(TOKEN)


@pytest.fixture
async def client(database: Database) -> AsyncIterator[AsyncClient]:
    async with jobstore_on(database) as (_, address), AsyncClient(address, TOKEN) as client:
        yield client


async def test_a_code_is_spent_once_however_many_ask_at_once(client: AsyncClient) -> None:
    code = await client.create_login_code()
    asked = [client.spend_login_code(code) for _ in range(10)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    (session,) = [answer for answer in answers if isinstance(answer, str)]
    assert is_token(session)
    refused = [answer for answer in answers if isinstance(answer, SignoffError)]
    assert {each.code for each in refused} == {"unknown_login_code"}
    assert len(refused) == 9


@pytest.mark.parametrize("code", ["", "x", "\N{SNOWMAN}" * 1_000])
async def test_what_is_no_code_opens_nothing(client: AsyncClient, code: str) -> None:
    with pytest.raises(SignoffError) as refused:
        await client.spend_login_code(code)
    assert refused.value.code == "unknown_login_code"


async def test_without_a_token_no_code_is_made_or_spent(client: AsyncClient) -> None:
    code = await client.create_login_code()
    stranger = client.with_token("a-stranger-with-a-token-of-32-chars")
    for asked in (stranger.create_login_code(), stranger.spend_login_code(code)):
        with pytest.raises(SignoffError) as refused:
            await asked
        assert refused.value.grpc_status is grpc.StatusCode.UNAUTHENTICATED
    assert is_token(await client.spend_login_code(code))


async def test_a_code_ends_with_its_time_and_is_forgotten(database: Database) -> None:
    async with database.session() as session:
        late = await create_code(session, MAKER)
        await session.execute(text("UPDATE login_codes SET ends_at = signoff_now() - interval '1 s'"))
        assert await spend_code(session, late) is None
        late = await create_code(session, MAKER)
        await session.execute(text("UPDATE login_codes SET ends_at = signoff_now() - interval '1 s'"))
        await create_code(session, MAKER)
        assert await session.scalar(text("SELECT count(*) FROM login_codes")) == 1


async def test_what_is_stored_holds_neither_code_nor_token(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("DELETE FROM login_codes"))
        code = await create_code(session, MAKER)
        (row,) = await session.execute(text("SELECT code_hash, token_mac, maker_hash FROM login_codes"))
        assert (len(row.code_hash), row.token_mac, row.maker_hash) == (32, None, MAKER)
        assert await spend_code(session, code) == MAKER


async def test_a_code_of_a_token_that_was_replaced_opens_nothing(client: AsyncClient, database: Database) -> None:
    async with database.session() as session:
        code = await create_code(session, hash_token("a token of the environment before"))
    with pytest.raises(SignoffError, match="used already") as refused:
        await client.spend_login_code(code)
    assert refused.value.code == "unknown_login_code"
