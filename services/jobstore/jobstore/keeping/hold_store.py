"""Holds as rows: read those of jobs that are locked, write them with their facts, and list them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from jobstore.engine.facts import tell
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection
from jobstore.keeping.holds import Holds, HoldsWish
from jobstore.schema.tables import holds
from signoff.keeping import Hold

_READ: Final = text("SELECT * FROM holds WHERE job_id = ANY(CAST(:ids AS text[]))")
_LIST: Final = text("SELECT * FROM holds WHERE job_id > :after ORDER BY job_id LIMIT :limit")
_INSERT: Final = tell(
    holds,
    "INSERT INTO holds (job_id, reason, actor, created_at) "
    "VALUES (:job_id, :reason, :actor, CAST(:created_at AS timestamptz)) RETURNING *",
)
_DELETE: Final = tell(holds, "DELETE FROM holds WHERE job_id = :job_id RETURNING *", removed=True)


class HoldsStore(Store):
    """Read and write the holds of jobs that are locked: nobody removes these meanwhile."""

    part, wish = Holds, HoldsWish

    async def load(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Read which of the jobs are held."""
        for row in await connection.execute(_READ, {"ids": sorted(asked[HoldsWish].jobs)}):
            uow[Holds].holds.stored[row.job_id] = Hold.model_validate(dict(row))

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write new holds, and delete those that are given up."""
        for job_id, actor in sorted(uow[Holds].released.items()):
            await connection.execute(_DELETE, {"job_id": job_id, "actor": actor})
        for _, hold in sorted(uow[Holds].holds.changes.items()):
            await connection.execute(_INSERT, hold.model_dump())


async def list_holds(connection: Connection, limit: int, after: str = "") -> Sequence[Hold]:
    """Return up to `limit` holds in the order of their jobs' ids, after the id `after`."""
    return [Hold.model_validate(dict(row)) for row in await connection.execute(_LIST, {"after": after, "limit": limit})]
