"""The audit at the command line: listed for people, exported as JSON lines."""

import asyncio
import json

import pytest
from sqlalchemy import text

from jobstore.engine.database import Database
from signoff import AsyncClient


@pytest.fixture(autouse=True)
async def begun(database: Database, client: AsyncClient) -> str:
    """Eve has a token, and was refused something."""
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM audit"))
    made = await client.create_token(name="eve", role="viewer", all_tenants=True)
    with pytest.raises(Exception, match="operator"):
        await client.with_token(made.secret).create_agent(name="a", url="http://127.0.0.1:1/")
    async with asyncio.timeout(5):
        while len((await client.list_audit())[0]) < 2:  # noqa: ASYNC110 - a refusal is kept by itself
            await asyncio.sleep(0.01)
    return made.secret


async def test_the_audit_is_listed_newest_first(signoff):
    ran = await signoff("audit", "list")
    _, refused, made = ran.out.splitlines()
    assert all(words in refused for words in ("token:eve", "create_agent", "refused: forbidden, role"))
    assert all(words in made for words in ("token:bootstrap", "create_token", "done", "eve"))


@pytest.mark.parametrize(
    ("words", "actions"),
    [
        (["--actor", "token:eve"], ["create_agent"]),
        (["--actor", "token:eve", "--actor", "token:bootstrap"], ["create_agent", "create_token"]),
        (["--action", "create_token"], ["create_token"]),
        (["--outcome", "refused"], ["create_agent"]),
        (["--since", "1h", "--until", "2000-01-01"], []),
        (["--since", "1h"], ["create_agent", "create_token"]),
    ],
)
async def test_the_audit_is_searched(signoff, words, actions):
    assert [each["action"] for each in (await signoff("audit", "list", *words, "--json")).json["items"]] == actions


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
async def test_the_audit_is_exported_as_json_lines(signoff, more):
    ran = await signoff("audit", "export", "--actor", "token:eve", *more)
    (entry,) = ran.json_lines
    assert (entry["actor"], entry["outcome"], entry["code"]) == ("token:eve", "refused", "forbidden")


async def test_a_viewer_reads_no_audit(signoff, env, begun):
    env["SIGNOFF_TOKEN"] = begun
    ran = await signoff("audit", "list", "--json")
    assert (ran.status, json.loads(ran.err)["code"]) == (3, "forbidden")
