"""Each job's versions are told in order, whoever commits, hangs or rolls back meanwhile, and whoever leads."""

from collections import defaultdict
from contextlib import AsyncExitStack
from random import Random

import pytest
from pydantic_core import from_json
from sqlalchemy import text
from support.jobstore.relays import make_relay, recorded
from support.jobstore.signed_facts import TopicsInMemory
from support.jobstore.steps import Steps

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.publishing import fact_reader

WRITERS, STEPS = 4, 150
_ADD = text(
    "INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at) "
    "SELECT :job_id, max(version) + 1, 'PENDING', 'PENDING', 'progress', now() FROM job_logs WHERE job_id = :job_id"
)
#: Between two of these entries a number is missing.
_ADD_WITH_GAPS = text(
    "INSERT INTO job_logs (seq, job_id, version, status, job_status, kind, created_at) "
    "SELECT nextval('job_logs_seq_seq') + 0 * nextval('job_logs_seq_seq'), :job_id, n + 1, 'PENDING', 'PENDING', "
    "'progress', now() FROM generate_series(1, CAST(:entries AS int)) AS n"
)
_COUNT = text("SELECT count(*) FROM job_logs WHERE seq <= :until")
_STORED = text("SELECT job_id, count(*) AS entries FROM job_logs GROUP BY job_id")
_NUMBERS = text("SELECT seq FROM job_logs WHERE job_id = :job_id ORDER BY seq")
_LAST = text("SELECT greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts))")
_BEGIN = text("UPDATE relay SET published_seq = 0, settled_seq = 0, offsets = '{}', signers = '[]'")
#: As a leader does that finds its topics empty; what is settled stays so.
_BEGIN_AGAIN = text("UPDATE relay SET published_seq = 0, offsets = '{}'")


def read(topics: TopicsInMemory) -> dict[str, list[int]]:
    """What a reader applies: of each job the version after its last."""
    applied: dict[str, list[int]] = defaultdict(list)
    for record in topics.records:
        if record.key is not None and record.topic == "job-changed":
            job_id, version = record.key.decode(), from_json(record.value)["version"]
            assert version <= len(applied[job_id]) + 1, "a version came before one below it"
            if version == len(applied[job_id]) + 1:
                applied[job_id].append(version)
    return applied


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_commits_late_or_rolls_back_is_told_in_order_and_missed_by_no_watch(
    database: Database, runner: CommandRunner, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Three rows are seen at a time, so that what is left out matters; and topics are emptied.

    Writers of this process hand over what they commit: late, in any order, or never.
    """
    monkeypatch.setattr(fact_reader, "LOOK_MAX", 3)
    random, topics = Random(seed), TopicsInMemory()
    jobs = [(await Steps(database, runner).created(tenant=f"t{number % 3}")).job_id for number in range(6)]
    holding: dict[int, str] = {}
    committed: set[int] = set()
    handing: list[list[int]] = []
    watched = 0, 0
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(database.session()) for _ in range(WRITERS)]
        session = await stack.enter_async_context(database.session())
        await session.execute(_BEGIN)
        relay = make_relay(database, topics)
        await relay.load(session)
        for _ in range(STEPS):
            number, step = random.randrange(WRITERS), random.random()
            if step < 0.5:
                if number not in holding and (free := [job for job in jobs if job not in holding.values()]):
                    await writers[number].execute(text("BEGIN"))
                    holding[number] = random.choice(free)
                if number in holding:
                    await writers[number].execute(_ADD, {"job_id": holding[number]})
            elif step < 0.75 and number in holding:
                await writers[number].execute(text("COMMIT" if random.random() < 0.7 else "ROLLBACK"))
                stands = set(await session.scalars(_NUMBERS, {"job_id": holding.pop(number)}))
                handing.append(sorted(stands - committed))
                committed |= stands
            elif step < 0.85 and handing:
                relay.hand_over(await recorded(session, handing.pop(random.randrange(len(handing)))))
            elif step < 0.98:
                await relay.relay(session)
                assert await session.scalar(_COUNT, {"until": watched[0]}) == watched[1], (
                    "a watch has passed over a row"
                )
                watched = relay.settled, await session.scalar(_COUNT, {"until": relay.settled})
            else:
                topics.empty()
                await session.execute(_BEGIN_AGAIN)
                relay = make_relay(database, topics)
                await relay.load(session)
        for number in holding:
            await writers[number].execute(text("COMMIT"))
        while await relay.relay(session) or relay.has_gaps:
            pass
        stored = {row.job_id: row.entries for row in await session.execute(_STORED)}
        assert {job_id: len(versions) for job_id, versions in read(topics).items()} == stored
        last = await session.scalar(_LAST)
        assert (relay.published, relay.settled) == (last, last)


async def test_a_new_fact_is_told_beside_thousands_of_gaps(database: Database, runner: CommandRunner) -> None:
    """Numbers of transactions that are still open may be scattered among those of others."""
    topics = TopicsInMemory()
    relay, steps = make_relay(database, topics), await Steps(database, runner).created()
    async with database.session() as session, database.transaction() as writer:
        await session.execute(_BEGIN)
        await relay.load(session)
        await writer.execute(_ADD, {"job_id": (await Steps(database, runner).created()).job_id})
        await session.execute(_ADD_WITH_GAPS, {"job_id": steps.job_id, "entries": 3_000})
        while await relay.relay(session):
            pass
        assert len(relay._unseen.ranges) > 2_000
        new = await Steps(database, runner).created()
        while await relay.relay(session):
            pass
        assert read(topics)[new.job_id] == [1]
