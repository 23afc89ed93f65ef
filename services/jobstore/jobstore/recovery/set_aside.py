"""Keep the facts of jobs that wait for a version: in a table, so that memory is bounded however many they are."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import text

from jobstore.storage.sql import Connection, Row

#: Facts, and bytes of them, that one statement applies at most.
BATCH, BATCH_BYTES = 500, 16 << 20

_MAKE: Final = text(
    "CREATE TEMPORARY TABLE aside (job_id text, version bigint, body text, PRIMARY KEY (job_id, version)) "
    "ON COMMIT DROP"
)
_PUT: Final = text(
    """
    INSERT INTO aside (job_id, version, body)
    SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:versions AS bigint[]), CAST(:bodies AS text[]))
    ON CONFLICT (job_id, version) DO UPDATE SET body = coalesce(excluded.body, aside.body)
    """,
)
_FIND_NEXT: Final = text(
    """
    SELECT version, body FROM (
        SELECT version, body, sum(coalesce(octet_length(body), 0)) OVER (ORDER BY version)
            - coalesce(octet_length(body), 0) AS bytes_before
        FROM aside WHERE job_id = :job_id AND version > :head
    ) AS waiting WHERE bytes_before < :bytes ORDER BY version LIMIT :limit
    """,
)
_DROP: Final = text("DELETE FROM aside WHERE job_id = :job_id AND version <= :head")
_IS_LEFT: Final = text("SELECT EXISTS (SELECT FROM aside WHERE job_id = :job_id)")
_LIST: Final = text(
    """
    SELECT a.job_id, coalesce(j.version, 0) + 1 AS version, bool_or(a.version = coalesce(j.version, 0) + 1) AS is_stub
    FROM aside a LEFT JOIN jobs j ON j.id = a.job_id GROUP BY a.job_id, j.version ORDER BY a.job_id LIMIT :limit
    """,
)


class SetAside:
    """Keep what waits, for one transaction. `jobs` has the ids of the jobs that are set aside."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.jobs: set[str] = set()

    async def begin(self) -> None:
        """Make the table; it is gone with the transaction."""
        await self._connection.execute(_MAKE)

    async def put(self, facts: Mapping[tuple[str, int], str | None]) -> None:
        """Keep the bodies of facts by job and version; None: it is there, and cannot be applied, as a stub."""
        if facts:
            ids, versions = zip(*facts, strict=True)
            parameters = {"ids": list(ids), "versions": list(versions), "bodies": list(facts.values())}
            await self._connection.execute(_PUT, parameters)
            self.jobs.update(ids)

    async def find_next(self, job_id: str, head: int) -> list[str]:
        """Return the bodies of the versions that follow on `head` without a gap, some at a time."""
        parameters = {"job_id": job_id, "head": head, "bytes": BATCH_BYTES, "limit": BATCH}
        bodies: list[str] = []
        for row in await self._connection.execute(_FIND_NEXT, parameters):
            if row.version != head + len(bodies) + 1 or row.body is None:
                break
            bodies.append(row.body)
        return bodies

    async def drop(self, job_id: str, head: int) -> None:
        """Drop what is not above `head`, which is applied; where nothing is left, the job is not aside any more."""
        await self._connection.execute(_DROP, {"job_id": job_id, "head": head})
        if not await self._connection.scalar(_IS_LEFT, {"job_id": job_id}):
            self.jobs.discard(job_id)

    async def describe(self, limit: int) -> list[str]:
        """Return what jobs wait for, one each."""
        rows: list[Row] = list(await self._connection.execute(_LIST, {"limit": limit}))
        return [f"{row.job_id} version {row.version} ({'a stub' if row.is_stub else 'missing'})" for row in rows]
