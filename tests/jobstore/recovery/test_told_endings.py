"""How jobs ended is the same whether it was decided or told by facts."""

from contextlib import suppress
from typing import Any

from sqlalchemy import text
from support.jobstore.steps import Steps

from contracts.events import JobChanged
from jobstore.engine.database import Database
from jobstore.jobs.transitions import NO_ENDING
from jobstore.recovery import rebuild
from jobstore.recovery.rebuild import OpenHistory

ENDINGS = text(f"SELECT id, {', '.join(NO_ENDING)} FROM jobs ORDER BY id")


async def endings(database: Database) -> list[tuple[Any, ...]]:
    async with database.session() as session:
        return [tuple(row.values()) for row in await session.execute(ENDINGS)]


async def test_facts_say_whether_the_job_was_cancelled_then(
    live: dict[str, Steps], database: Database, history: OpenHistory
) -> None:
    told: dict[str, dict[int, bool]] = {}
    removed = set()
    async with history(rebuild.JOBS) as topic:
        async for records in topic.read(await topic.offsets()):
            for value in filter(None, (record.value for record in records)):
                with suppress(ValueError):  # what other tests have put there
                    fact = JobChanged.model_validate_json(value)
                    told.setdefault(fact.job_id, {})[fact.version] = fact.job.cancelled
                    removed |= {fact.job_id} if fact.log.removed is not None else set()
    assert list(told[live["cancelled, with a late result"].job_id].values())[-3:] == [False, True, True]
    assert {row[0]: row[1] for row in await endings(database)} == {
        job_id: versions[max(versions)] for job_id, versions in told.items() if job_id not in removed
    }
