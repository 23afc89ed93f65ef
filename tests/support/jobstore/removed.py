"""Jobs that are removed: all is archived first, as far as the database knows."""

from typing import Any

from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.insights.rollups import Rollups
from jobstore.jobs.model import Actor, Refusal
from jobstore.jobs.texts import TextIndex
from jobstore.keeping.removal import RemoveJobs

RETENTION = Actor("retention")


async def archived(database: Database) -> None:
    """What is recorded is published, counted, indexed, and stands in a part of the archive that was read back."""
    async with database.transaction() as connection:
        last = "SELECT greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts))"
        await connection.execute(text(f"UPDATE relay SET settled_seq = greatest(settled_seq, ({last}))"))
        made = """
            WITH kept AS (
                UPDATE keeping SET part = part + 1, archived_seq = greatest(archived_seq,
                    (SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts)) RETURNING part, archived_seq
            )
            INSERT INTO archive_parts (number, first_seq, last_seq, facts_at, seq, bytes)
            SELECT part, coalesce((SELECT max(seq) FROM archive_parts), 0) + 1, archived_seq, signoff_now(),
                archived_seq, 1 FROM kept ON CONFLICT DO NOTHING
        """
        await connection.execute(text(made))
    rollups = Rollups(database)
    while await TextIndex(database).index() or await rollups.count():
        pass
    await rollups.count_judgings()


async def removed(
    database: Database, runner: CommandRunner, *job_ids: str, reason: str = "tenant:* completed_s"
) -> dict[str, Refusal]:
    """Remove jobs that rest, and return the refusals of those that stay."""
    await archived(database)
    command = RemoveJobs(dict.fromkeys(job_ids), reason, actor=RETENTION)
    refused: Any = await runner.administer.run_one(command)
    return dict(refused)


async def rows_of(database: Database, table: str, where: str, **values: object) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(text(f"SELECT * FROM {table} WHERE {where}"), values))
