"""Retentions as rows: lock, write and list them, and say in SQL for how long a tenant's things are kept."""

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from jobstore.engine import sql
from jobstore.engine.facts import tell
from jobstore.engine.parts import UnitOfWork, WishList
from jobstore.engine.runner import Store
from jobstore.engine.sql import Connection
from jobstore.keeping import rules
from jobstore.schema.tables import retentions
from signoff.keeping import Retention

log = logging.getLogger(__name__)

_COLUMNS: Final = sql.columns(retentions)
#: FOR UPDATE: of two changes of one retention the second sees the first.
_LOCK: Final = text("SELECT * FROM retentions WHERE name = ANY(CAST(:names AS text[])) ORDER BY name FOR UPDATE")
_LIST: Final = text("SELECT * FROM retentions WHERE name > :after ORDER BY name LIMIT :limit")
_GET: Final = text(
    "SELECT * FROM retentions WHERE CAST(:names AS text[]) IS NULL OR name = ANY(CAST(:names AS text[]))"
)
_VALUES: Final = {name: f"CAST(:{name} AS {kind})" for name, kind in _COLUMNS.items()}
#: Not ON CONFLICT: of two that set it at once the second decides again, on the first's.
_INSERT: Final = tell(
    retentions,
    f"INSERT INTO retentions ({', '.join(_VALUES)}) VALUES ({', '.join(_VALUES.values())}) RETURNING *",  # noqa: S608
)
_UPDATE: Final = tell(
    retentions,
    f"UPDATE retentions SET {', '.join(f'{name} = {value}' for name, value in _VALUES.items())} "  # noqa: S608
    "WHERE name = :name RETURNING *",
)
_DELETE: Final = tell(retentions, "DELETE FROM retentions WHERE name = :name RETURNING *", removed=True)


class RetentionsStore(Store):
    """Lock the retentions that commands change, and write them with the facts of them."""

    part, wish = rules.Retentions, rules.RetentionsWish

    async def lock(self, connection: Connection, uow: UnitOfWork, asked: WishList) -> None:
        """Lock and read the retentions whose names the wish has."""
        for row in await connection.execute(_LOCK, {"names": sorted(asked[rules.RetentionsWish].named)}):
            uow[rules.Retentions].retentions.stored[row.name] = Retention.model_validate(dict(row))

    async def write(self, connection: Connection, uow: UnitOfWork) -> None:
        """Write changed retentions."""
        for name, change in sorted(uow[rules.Retentions].changes.items()):
            if change.retention is None:
                await connection.execute(_DELETE, {"name": name, "actor": change.actor})
            else:
                statement = _INSERT if change.is_new else _UPDATE
                await connection.execute(statement, {**change.retention.model_dump(), "actor": change.actor})

    def settle(self, uow: UnitOfWork) -> None:
        """Log the actor of each change, since retentions have no log of their own."""
        for name, change in uow[rules.Retentions].changes.items():
            said = {} if change.retention is None else change.retention.model_dump(exclude={"name", "updated_at"})
            log.info("a retention was changed", extra={"retention": name, "actor": change.actor, **said})


async def list_retentions(connection: Connection, limit: int, after: str = "") -> Sequence[Retention]:
    """Return up to `limit` retentions in the order of their names, after the name `after`."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [Retention.model_validate(dict(row)) for row in rows]


async def get_retentions(connection: Connection, names: Sequence[str] | None = None) -> dict[str, Retention]:
    """Return the retentions with these names, or all, by name."""
    rows = await connection.execute(_GET, {"names": None if names is None else list(names)})
    return {row.name: Retention.model_validate(dict(row)) for row in rows}
