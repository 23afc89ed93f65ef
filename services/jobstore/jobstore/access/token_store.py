"""Store tokens by their hashes, and follow their changes: each change of any jobstore is known within a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from contracts.tokens import HINT_CHARS, hash_token, make_token
from jobstore.access.callers import Caller
from jobstore.access.id_tokens import AGE_MAX_S, LEEWAY_S, REFUSAL
from jobstore.access.tokens import NAMES, Tokens
from jobstore.engine.database import Database, Wake, notify
from jobstore.engine.sql import Connection, Row
from jobstore.errors import ConflictError, NotFoundError, UnauthenticatedError
from jobstore.jobs.model import Actor
from servicekit.errors import TransientError
from servicekit.process.runtime import run_forever
from signoff.errors import ErrorCode
from signoff.status import Role

#: Seconds after which the number of the last change is read even without a notification.
FOLLOW_S: Final = 0.5
#: Seconds after which a look that has no answer is made by a new connection, too.
LATE_S: Final = 0.3
#: Seconds that a read for a token which is not known may take, and for which it waits, so that others share it.
CATCH_UP_S: Final = 1.0
SHARED_S: Final = 0.02
#: How many tokens are read at once, so that a start with 100,000 takes little memory besides what it keeps.
READ_AT_ONCE: Final = 2_000
ALL: Final = 2**31
#: Seconds between two writes of when tokens were used last.
USED_S: Final = 60.0
#: How many ended sessions are deleted at once, and seconds for which they are kept, since lists may show them.
FORGET_BATCH: Final = 1_000
KEPT_S: Final = 86_400
#: Seconds for which a spent sign-in is kept, twice as long as its ID token is taken.
SIGN_IN_KEPT_S: Final = 2.0 * (AGE_MAX_S + LEEWAY_S)

#: Locks the row of the changes first: whoever changes tokens does so one after the other, in the order of the numbers.
_BEGIN: Final = text(
    f"UPDATE token_changes SET number = number + 1 RETURNING number, {notify(Wake.IDENTITY)}"  # noqa: S608 - a letter
)
_ADD: Final = text(
    """
    INSERT INTO tokens (hash, kind, name, actor, role, tenants, hint, client, maker_hash, created_by, ends_at, change)
    SELECT :hash, :kind, :name, :actor, :role, :tenants, :hint, :client, CAST(:maker_hash AS bytea), :created_by,
        least(CAST(:ends_at AS timestamptz), signoff_now() + make_interval(secs => :lasts_s)), :change
    WHERE :kind = 'session' OR :takes_over
        OR NOT EXISTS (SELECT FROM tokens WHERE kind = 'token' AND name = :name
            AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > signoff_now()))
    RETURNING *
    """
)
_END: Final = text(
    """
    UPDATE tokens SET change = :change,
        ends_at = CASE WHEN :overlap_s > 0 THEN least(ends_at, signoff_now() + make_interval(secs => :overlap_s))
            ELSE ends_at END,
        revoked_at = CASE WHEN :overlap_s > 0 THEN NULL ELSE signoff_now() END
    WHERE kind = 'token' AND name = :name AND revoked_at IS NULL AND (ends_at IS NULL OR ends_at > signoff_now())
        AND (CAST(:tenants AS text[]) IS NULL OR tenants <@ :tenants)
    RETURNING *
    """
)
_END_SESSION: Final = text(
    """
    UPDATE tokens SET change = :change, revoked_at = signoff_now()
    WHERE kind = 'session' AND id = :id AND revoked_at IS NULL
        AND (actor = :actor OR :administers AND (CAST(:tenants AS text[]) IS NULL OR tenants <@ :tenants))
    RETURNING hash
    """
)
_LIST: Final = text(
    """
    SELECT * FROM tokens
    WHERE kind = :kind AND (CAST(:actor AS text) IS NULL OR actor = :actor)
        AND (CAST(:tenants AS text[]) IS NULL OR tenants <@ :tenants)
        AND (:include_ended OR revoked_at IS NULL AND (ends_at IS NULL OR ends_at > signoff_now()))
        AND (CAST(:created_at AS timestamptz) IS NULL OR (created_at, id) < (:created_at, CAST(:id AS uuid)))
    ORDER BY created_at DESC, id DESC LIMIT :limit
    """
)
_NUMBER: Final = text("SELECT number FROM token_changes")
#: At first also those that were revoked lately, so that the audit says so of them.
_CHANGED: Final = text(
    """
    SELECT hash, id, kind, name, actor, role, tenants, maker_hash, ends_at, revoked_at, change FROM tokens
    WHERE change > :seen AND (NOT :at_first OR revoked_at IS NULL OR revoked_at > signoff_now() - interval '1 day')
    ORDER BY change FETCH FIRST :most ROWS WITH TIES
    """
)
_USED: Final = text(
    """
    UPDATE tokens SET last_used_at = signoff_now() FROM unnest(CAST(:hashes AS bytea[])) AS used (hash)
    WHERE tokens.hash = used.hash
    """
)
_FORGET: Final = text(
    """
    DELETE FROM tokens WHERE hash IN (
        SELECT hash FROM tokens WHERE kind = 'session' AND ends_at < signoff_now() - make_interval(secs => :kept_s)
        ORDER BY ends_at LIMIT :batch
    )
    """
)


#: Those that could be shown again are kept: the table stays small, since each sign-in deletes what is over.
_SPEND: Final = text(
    """
    WITH gone AS (DELETE FROM sign_ins WHERE ends_at < signoff_now())
    INSERT INTO sign_ins (nonce, ends_at) VALUES (:nonce, signoff_now() + make_interval(secs => :kept_s))
    ON CONFLICT DO NOTHING RETURNING nonce
    """
)


async def add_token(  # noqa: PLR0913 - what a token is
    connection: Connection,
    kind: str,
    name: str,
    actor: Actor,
    role: Role,
    tenants: Collection[str] | None,
    *,
    created_by: Actor,
    lasts_s: float | None = None,
    ends_at: datetime | None = None,
    maker_hash: bytes | None = None,
    client: str = "",
    takes_over: bool = False,
) -> tuple[Row, str]:
    """Add a token, and return its row and its text, which is nowhere else. Call within a transaction.

    It ends after `lasts_s` or at `ends_at`, whichever is first. ConflictError (`token_conflict`): a live token has the
    name, and the new one does not take the name over.
    """
    secret = make_token()
    added = await connection.execute(
        _ADD,
        {
            "hash": hash_token(secret),
            "kind": kind,
            "name": name,
            "actor": actor,
            "role": role.value,
            "tenants": None if tenants is None else sorted(tenants),
            "hint": secret[:HINT_CHARS],
            "client": client,
            "maker_hash": maker_hash,
            "created_by": created_by,
            "ends_at": ends_at,
            "lasts_s": lasts_s,
            "takes_over": takes_over,
            "change": await connection.scalar(_BEGIN),
        },
    )
    if not added or (kind == "token" and name in NAMES.values()):
        message = f"a token is called {name} already: rotate it, or choose another name"
        raise ConflictError(message, code=ErrorCode.TOKEN_CONFLICT)
    return added.one(), secret


async def begin_session(connection: Connection, caller: Caller, client: str, lasts_s: float) -> tuple[Row, str]:
    """Begin a session of a caller; return its row and its text. A session of a session ends with the same token.

    UnauthenticatedError: the caller signs in by an ID token that has made its session.
    """
    if caller.spends is not None:
        spent = await connection.execute(_SPEND, {"nonce": caller.spends, "kept_s": SIGN_IN_KEPT_S})
        if not spent:
            raise UnauthenticatedError(REFUSAL, reason="spent")
    maker_hash = caller.maker_hash if caller.session_id is not None else caller.token_hash or None
    return await add_token(
        *(connection, "session", caller.name, caller.actor, caller.role, caller.tenants),
        created_by=caller.actor,
        lasts_s=lasts_s,
        ends_at=caller.ends_at,
        maker_hash=maker_hash,
        client=client,
    )


async def end_tokens(
    connection: Connection, name: str, tenants: frozenset[str] | None, *, overlap_s: float = 0.0
) -> list[Row]:
    """Revoke the live tokens of a name, or let them end after `overlap_s`; return their rows. Call in a transaction.

    NotFoundError (`unknown_token`): no live token of these tenants has the name.
    """
    change = await connection.scalar(_BEGIN)
    parameters = {"name": name, "overlap_s": overlap_s, "change": change, "tenants": _as_list(tenants)}
    ended = await connection.execute(_END, parameters)
    if not ended:
        raise NotFoundError(f"no live token is called {name}", code=ErrorCode.UNKNOWN_TOKEN)
    return ended


async def end_session(connection: Connection, session_id: UUID, caller: Caller) -> None:
    """End a session of the caller or, for an administrator, of the caller's tenants. Call within a transaction.

    NotFoundError (`unknown_session`): there is no such session that has not ended.
    """
    change = await connection.scalar(_BEGIN)
    asked = {"id": session_id, "change": change, "tenants": _as_list(caller.tenants), "actor": caller.actor}
    administers = caller.role is Role.ADMINISTRATOR
    if not await connection.execute(_END_SESSION, {**asked, "administers": administers}):
        raise NotFoundError(f"no session {session_id} is open", code=ErrorCode.UNKNOWN_SESSION)


async def list_tokens(
    connection: Connection,
    kind: str,
    tenants: frozenset[str] | None,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    *,
    actor: Actor | None = None,
    include_ended: bool = False,
) -> Sequence[Row]:
    """Return up to `limit` tokens or sessions within these tenants, the newest first, after the place `after`.

    `actor`: only those of this actor.
    """
    created_at, id_ = after or (None, None)
    asked = {"kind": kind, "tenants": _as_list(tenants), "actor": actor, "include_ended": include_ended}
    return await connection.execute(_LIST, {**asked, "created_at": created_at, "id": id_, "limit": limit})


async def forget_sessions(connection: Connection) -> int:
    """Delete up to FORGET_BATCH sessions that ended KEPT_S ago, and return how many."""
    return await connection.change(_FORGET, {"kept_s": float(KEPT_S), "batch": FORGET_BATCH})


def _as_list(tenants: frozenset[str] | None) -> list[str] | None:
    return None if tenants is None else sorted(tenants)


@lru_cache(maxsize=10_000)
def _share(*tenants: str) -> frozenset[str]:
    """Return the same set for all tokens of the same tenants: of 100,000 tokens, sets were a third of the memory."""
    return frozenset(tenants)


def read_caller(row: Row) -> Caller:
    """Return the holder of a token by the token's row."""
    return Caller(
        row.name,
        Actor(row.actor),
        Role(row.role),
        None if row.tenants is None else _share(*row.tenants),
        row.hash,
        row.maker_hash,
        row.ends_at,
        row.id if row.kind == "session" else None,
    )


class _Look(NamedTuple):
    """What a look at the tokens found: which number was known before, which one is there, and the rows between them.

    `is_whole`: these are all rows, else the first of them.
    """

    seen: int
    number: int
    rows: Sequence[Row]
    is_whole: bool = True


class TokenFollower:
    """Keep `Tokens` as the database has them. `wake` is set when a commit has changed tokens."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self.tokens = tokens
        self._seen, self._knows_all = 0, False
        self.wake = asyncio.Event()
        tokens.catch_up = self.catch_up
        self._turn, self._caught_up_at = asyncio.Lock(), 0.0

    async def follow(self) -> None:
        """Read what has changed since the last look."""
        while not self._take(await self._look(self._database.session())):  # more is left, or another look was quicker
            pass

    async def follow_in_time(self) -> None:
        """Follow by a connection of the pool and, if that answers late, by a new one: the first answer counts.

        A connection can be silent for long while the database answers others, and other calls.
        """
        looks = [self._begin_look(self._database.session())]
        try:
            done, _ = await asyncio.wait(looks, timeout=LATE_S)
            if not done:
                looks.append(self._begin_look(self._database.new_session()))
            for look in asyncio.as_completed(looks):
                with suppress(TransientError):
                    self._take(await look)
                    return
        finally:
            for each in looks:
                each.cancel()
        raise TransientError("no connection has answered")

    def _begin_look(self, opening: AbstractAsyncContextManager[Connection]) -> "asyncio.Task[_Look]":
        look = asyncio.create_task(self._look(opening))
        look.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # perhaps nobody awaits it
        return look

    async def _look(self, opening: AbstractAsyncContextManager[Connection]) -> "_Look":
        seen = self._seen
        async with opening as session:
            number = await session.scalar(_NUMBER)
            if number == seen:
                return _Look(seen, number, ())
            is_restored = number < seen  # from a backup: what was known is taken over at once
            asked = {"seen": 0 if is_restored else seen, "at_first": is_restored or not self._knows_all}
            rows = await session.execute(_CHANGED, {**asked, "most": ALL if is_restored else READ_AT_ONCE})
            return _Look(seen, number, rows, is_restored or len(rows) < READ_AT_ONCE)

    def _take(self, look: "_Look") -> bool:
        """Take over what a look found; return whether it still follows upon what is known, and no more is left."""
        if look.seen != self._seen:
            return False
        if look.number < look.seen:
            self.tokens.clear()
        if look.rows:
            live = [read_caller(row) for row in look.rows if row.revoked_at is None]
            self.tokens.put(live, [read_caller(row) for row in look.rows if row.revoked_at is not None])
            self.tokens.forget_ended()
        if not look.is_whole:
            self._seen = look.rows[-1].change
            return False
        self._seen, self._knows_all = max([look.number, *(row.change for row in look.rows)]), True
        return True

    async def catch_up(self) -> None:
        """Read what was changed before now, at once; those who ask meanwhile share the next read."""
        asked_at = time.monotonic()
        async with self._turn:
            if self._caught_up_at >= asked_at:
                return
            await asyncio.sleep(SHARED_S)
            self._caught_up_at = time.monotonic()
            with suppress(TransientError, TimeoutError):  # as if nothing was changed
                async with asyncio.timeout(CATCH_UP_S):
                    await self.follow_in_time()

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Connection]:
        """Open a transaction that changes tokens. This process knows the changes when the context ends."""
        async with self._database.transaction() as connection:
            yield connection
        await self.follow()

    async def run(self) -> None:
        """Follow the changes of tokens, for ever."""
        await run_forever(self.follow_in_time, name="tokens", every_s=FOLLOW_S, wake=self.wake)

    async def write_used(self) -> None:
        """Write which tokens were used since the last time."""
        if used := self.tokens.take_used():
            async with self._database.session() as session:
                await session.change(_USED, {"hashes": used})

    async def run_used(self) -> None:
        """Write now and then which tokens were used, for ever."""
        await run_forever(self.write_used, name="used tokens", every_s=USED_S)
