"""Many tokens are read some at a time, and those that end are found without a look at the others."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from contracts.tokens import hash_token
from jobstore.access import token_store
from jobstore.access.callers import Caller
from jobstore.access.token_store import TokenFollower
from jobstore.access.tokens import Tokens
from jobstore.engine.database import Database
from jobstore.jobs.model import Actor
from servicekit import clock
from signoff.status import Role

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
#: Tokens `t-0` to `t-9`, of which each third was revoked, a week ago or now; two have the number of one change.
_FILL = """
INSERT INTO tokens (hash, kind, name, actor, role, tenants, hint, created_by, revoked_at, change)
SELECT sha256(convert_to('t-' || n, 'UTF8')), 'token', 't-' || n, 'token:t-' || n, 'viewer', '{press,games}', 't', 'x',
    CASE WHEN n % 3 = 0 THEN now() - CASE n WHEN 0 THEN interval '7 days' ELSE interval '0' END END, 1 + n / 2
FROM generate_series(0, 9) n
"""


@pytest.fixture
async def ten(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM tokens"))
        await connection.execute(text(_FILL))
        await connection.execute(text("UPDATE token_changes SET number = 5"))


def find(tokens: Tokens, name: str) -> Caller | None:
    return tokens.get(hash_token(name))


@pytest.mark.usefixtures("ten")
@pytest.mark.parametrize("at_once", [1, 2, 3, 2_000])
async def test_all_are_known_however_few_are_read_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(token_store, "READ_AT_ONCE", at_once)
    followed = TokenFollower(database, Tokens({}))
    await followed.follow()
    assert [n for n in range(10) if find(followed.tokens, f"t-{n}")] == [1, 2, 4, 5, 7, 8]
    ended = [n for n in range(10) if followed.tokens.find_ended([("authorization", f"Bearer t-{n}")]) and n % 3 == 0]
    assert ended == [3, 6, 9], "one that was revoked a week ago is unknown"
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE tokens SET revoked_at = now(), change = 6 WHERE name = 't-4'"))
        await connection.execute(text("UPDATE token_changes SET number = 6"))
    await followed.follow()
    assert find(followed.tokens, "t-4") is None


@pytest.mark.usefixtures("ten")
async def test_of_a_backup_all_are_read_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known then is another database's, and must not go before the backup's is there."""
    followed = TokenFollower(database, Tokens({}))
    await followed.follow()
    monkeypatch.setattr(token_store, "READ_AT_ONCE", 1)
    async with database.transaction() as connection:
        await connection.execute(text("DELETE FROM tokens WHERE change > 3"))
        await connection.execute(text("UPDATE token_changes SET number = 3"))
    await followed.follow_in_time()
    assert [n for n in range(10) if find(followed.tokens, f"t-{n}")] == [1, 2, 4, 5]


@pytest.mark.usefixtures("ten")
async def test_tokens_of_the_same_tenants_share_them(database: Database) -> None:
    followed = TokenFollower(database, Tokens({}))
    await followed.follow()
    first, second = find(followed.tokens, "t-1"), find(followed.tokens, "t-2")
    assert first is not None
    assert second is not None
    assert first.tenants is second.tenants


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """Now: the last of these."""
    times = [BEGIN]
    monkeypatch.setattr(clock, "now", lambda: times[-1])
    return times


def make(name: str, ends_s: int | None) -> Caller:
    ends_at = None if ends_s is None else BEGIN + timedelta(seconds=ends_s)
    return Caller(name, Actor(f"token:{name}"), Role.VIEWER, None, hash_token(name), ends_at=ends_at)


async def test_those_that_end_are_forgotten_at_their_last_end(at: list[datetime]) -> None:
    tokens = Tokens({})
    tokens.put([make("never", None), make("later", 30), make("soon", 10), make("put off", 10), make("sooner", 30)], [])
    tokens.put([make("put off", 30), make("sooner", 5)], [make("later", 30)])
    for now_s, known in ((9, {"never", "soon", "put off"}), (20, {"never", "put off"}), (40, {"never"})):
        at.append(BEGIN + timedelta(seconds=now_s))
        tokens.forget_ended()
        assert {caller.name for caller in tokens._made.values()} == known
    assert {"later", "soon", "put off", "sooner"} == {caller.name for caller in tokens._ended.values()}
