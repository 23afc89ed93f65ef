"""Index the words of jobs for searches, behind their logs: no change of a job waits for the index."""

from typing import Final

from sqlalchemy import text

from jobstore.engine import locks
from jobstore.engine.database import Database
from jobstore.engine.locks import Lock
from jobstore.jobs.model import TransitionKind
from jobstore.jobs.reads import SETTLED
from servicekit.process.runtime import run_forever

POLL_S: Final = 5.0
#: Numbers of the log that one transaction goes on by.
BATCH: Final = 5_000
#: Characters of a job that are searched: their words are never too many for PostgreSQL.
SEARCHED_MAX_CHARS: Final = 50_000

#: Texts that a jobstore of 0.2.0 has written say nothing of their tenants.
_ADOPTED_AT_ONCE: Final = 1_000
_ARE_UNKNOWN: Final = "EXISTS (SELECT FROM job_texts WHERE tenant IS NULL)"
_IS_BEHIND: Final = text(
    f"SELECT {SETTLED} > coalesce(text_index.seq, 0) OR {_ARE_UNKNOWN} "  # noqa: S608 - names of our own
    "FROM relay LEFT JOIN text_index ON text_index.id = 1 WHERE relay.id = 1"
)
_ADOPT: Final = text(
    f"""
    UPDATE job_texts SET tenant = jobs.tenant FROM jobs WHERE jobs.id = job_texts.job_id AND job_texts.job_id = ANY (
        ARRAY(SELECT job_id FROM job_texts WHERE tenant IS NULL LIMIT {_ADOPTED_AT_ONCE}))
    """  # noqa: S608 - a number of our own
)
_CURSOR: Final = text(
    f"SELECT coalesce((SELECT seq FROM text_index WHERE id = 1), 0) AS seq, {SETTLED}, {_ARE_UNKNOWN} "  # noqa: S608
    "FROM relay WHERE id = 1"
)
#: The texts as they are now: a later edit has an entry of its own, by which they are indexed again.
_INDEX: Final = text(
    f"""
    INSERT INTO job_texts (job_id, created_at, tenant, words)
    SELECT id, created_at, tenant, strip(to_tsvector('simple',
        left(concat_ws(' ', title, acceptance_criteria, description), {SEARCHED_MAX_CHARS})))
    FROM jobs WHERE id = ANY (ARRAY(
        SELECT job_id FROM job_logs WHERE seq > :after AND seq <= :until
            AND kind IN ('{TransitionKind.CREATED}', '{TransitionKind.EDITED}')))
    ON CONFLICT (job_id) DO UPDATE SET words = excluded.words, tenant = excluded.tenant
    """  # noqa: S608 - names of our own
)
_STORE: Final = text(
    "INSERT INTO text_index (id, seq) VALUES (1, :seq) ON CONFLICT (id) DO UPDATE SET seq = excluded.seq"
)


class TextIndex:
    """Index the texts of jobs; of all jobstores, one does so at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Index for ever, up to the number up to which the log is settled."""
        await run_forever(self._look_and_index, name="text index", every_s=POLL_S, rests=True)

    async def _look_and_index(self) -> bool:
        async with self._database.session() as session:
            is_behind = await session.scalar(_IS_BEHIND)
        return bool(is_behind) and await self.index()

    async def index(self) -> bool:
        """Index the jobs of the next log entries, give texts their tenants, and return whether more may be left."""
        async with self._database.transaction() as connection:
            if not await locks.try_hold(connection, Lock.TEXTS):
                return False
            after, settled, are_unknown = (await connection.execute(_CURSOR)).one()
            until = min(settled, after + BATCH)
            if after < until:
                await connection.execute(_INDEX, {"after": after, "until": until})
                await connection.execute(_STORE, {"seq": until})
            if are_unknown:
                await connection.execute(_ADOPT)
        return bool(until < settled or are_unknown)
