"""A job that a batch made, and that was removed, is told in no fact of the batch any more; all else of it stays."""

import json
from typing import Any
from uuid import UUID, uuid4

from batch_world import World, judged, new
from support.jobstore.removed import archived, removed
from support.jobstore.steps import Steps
from support.jobstore.terms import IDS

from jobstore.keeping.cutting import Cutting
from jobstore.operations.worker import derive_execution_id
from signoff.status import Outcome
from signoff.v1 import job_service_pb2 as jobs_pb

KEPT_S = 400 * 86_400.0


async def told(world: World, batch_id: Any) -> list[list[dict[str, Any]]]:
    """The items of each fact of a batch, the oldest fact first."""
    query = "SELECT body -> 'rows' FROM facts WHERE key = :id AND body ->> 'kind' = 'operation_items' ORDER BY seq"
    return [json.loads(rows) for (rows,) in await world.sql(query, id=batch_id)]


async def test_facts_of_a_batch_forget_what_removed_jobs_were_once_their_logs_are_cut(world: World) -> None:
    await world.sql("DELETE FROM job_logs WHERE kind = 'removed'")
    await world.sql("UPDATE keeping SET cut_seq = 0")
    prefix = uuid4().hex
    jobs = [new(id=f"{prefix}-{number}", payload_json='{"word": "secret"}') for number in range(3)]
    batch = await world.execute(jobs_pb.ExecuteJobsRequest(jobs=jobs))
    await world.worked()
    for job in jobs:
        steps = Steps(world.database, world.runner)
        steps.job_id, steps.execution_id = job.id, derive_execution_id(IDS, UUID(batch.id), job.id)
        await judged(steps, Outcome.PASS)
    await world.worked()
    before = await told(world, batch.id)
    assert str(before).count("secret") == 3
    assert await removed(world.database, world.runner, *[job.id for job in jobs[:2]]) == {}
    cutting = Cutting(world.database, KEPT_S, rest_s=0.0)
    while await cutting.cut():
        pass
    assert await told(world, batch.id) == before, "the last entries of the jobs are not archived"
    await archived(world.database)
    while await cutting.cut():
        pass
    after = await told(world, batch.id)
    assert str(after).count("secret") == 1
    gone = {job.id for job in jobs[:2]}
    assert after == [
        [{key: each[key] for key in each if key != "spec" or each["job_id"] not in gone} for each in rows]
        for rows in before
    ]
