"""What must hold once all is over: what is to stay is there, what is to be gone is nowhere, and all can be rebuilt."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
from faults.checking.reading import Tables, dump, quiet

from contracts.topics import FACT_TOPICS
from keeping.jobs import GONE, PATIENCE_S, Asked, Fate, make
from keeping.system import System
from servicekit.kafka.history import History
from signoff import SignoffError

_TABLES: Final = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
_UNCUT: Final = """
SELECT count(*) FROM job_logs l WHERE kind <> 'removed'
    AND EXISTS (SELECT FROM job_logs r WHERE r.job_id = l.job_id AND r.kind = 'removed')
"""
_KEPT: Final = "SELECT part, archive_error, suspect, checkpoint, cut_seq FROM keeping"


async def check(system: System) -> list[str]:
    """Return what is wrong, as sentences."""
    wrong = [line async for line in _check_jobs(system)]
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _until_cut(system)
            await _until_let_go(system)
    except TimeoutError:
        wrong.append("it does not come to an end: logs are uncut, or a fact of what was removed stays in its topic")
    kafka = system.addresses.reach_as("operator")
    if (left := await quiet(Tables(system.addresses.postgres), kafka, PATIENCE_S)) is not None:
        wrong.append(left)
    wrong += await find_in_database(system.addresses.postgres)
    wrong += [f"the topic {topic} has {GONE}" for topic in await find_in_topics(system)]
    wrong += await _check_rebuilt(system)
    return wrong


async def _check_jobs(system: System) -> AsyncIterator[str]:
    """Yield what is wrong with each job, as the public door tells of it."""
    for job in system.steady.asked:
        found = await system.steady.find(job)
        if job.is_gone and found != "job_removed":
            yield f"{job.id} was to be removed ({job.fate}), and is {found if isinstance(found, str) else found.status}"
        elif not job.is_gone and isinstance(found, str):
            yield f"{job.id} was to stay ({job.fate}), and is answered {found}"
        elif not job.is_gone and not isinstance(found, str) and not (found.status == "COMPLETED" and _has(job, found)):
            yield f"{job.id} is not as it was: {found}"
        elif job.is_gone:
            try:
                archived = await system.steady.client.get_removed_job(job.id)
            except SignoffError as error:
                yield f"{job.id} is not read from the archive: {error.code}: {error}"
            else:
                if not _has(job, archived.job) or archived.logs[-1].kind != "removed":
                    yield f"{job.id} is not in the archive as it was: {archived}"


def _has(job: Asked, found: Any) -> bool:
    return job.word in found.title and job.word in found.model_dump_json().replace(found.title, "")


async def _until_cut(system: System) -> None:
    async with connected(system.addresses.postgres) as connection:
        while await connection.fetchval(_UNCUT):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.2)


async def _until_let_go(system: System) -> None:
    """Wait until no topic of facts has what is to be gone; the last of each partition goes once there is a next."""
    steady, number = system.steady, len(system.steady.asked)
    while await find_in_topics(system):
        for _ in range(10):
            await steady.ask(make(number, Fate.STAYS))
            number += 1
        await steady.until_rested()


async def find_in_topics(system: System) -> list[str]:
    """Return the topics of facts that hold a word that is to be gone."""
    found = set()
    for topic in FACT_TOPICS:
        async with History(system.addresses.reach_as("operator"), topic) as history:
            async for records in history.read(await history.offsets()):
                if any(GONE.encode() in (record.value or b"") for record in records):
                    found.add(topic)
    return sorted(found)


async def find_in_database(url: str) -> list[str]:
    """Return where a database has a word that is to be gone: rows of tables, and lines of its dump."""
    found = []
    async with connected(url) as connection:
        for (table,) in await connection.fetch(_TABLES):
            query = f'SELECT t::text FROM "{table}" t WHERE t::text LIKE $1 LIMIT 1'
            found += [f"{table} has {row}"[:600] for (row,) in await connection.fetch(query, f"%{GONE}%")]
    lines = (await dump(url)).splitlines()
    return found + [f"pg_dump has {line[:600]!r}" for line in lines if GONE.encode() in line][:1]


async def _check_rebuilt(system: System) -> list[str]:
    """Rebuild from the newest checkpoint, and by the parts alone from the first fact; both equal the live one."""
    parts = system.folder / "parts-alone"
    await asyncio.to_thread(shutil.copytree, system.archive / "parts", parts / "parts")
    wrong = [await system.signoff("archive", "verify", "--archive", str(system.archive))]
    for number, archive in enumerate((system.archive, parts)):
        at = urlsplit(system.addresses.postgres)
        url = at._replace(path=f"{at.path}_rebuilt_{number}").geturl()
        made = await system.signoff("rebuild", "--database-url", url, "--create", "--archive", str(archive))
        compared = ("verify", "--database-url", url, "--live", system.addresses.postgres, "--archive", str(archive))
        wrong += [made or await system.signoff(*compared)]
        wrong += [f"rebuilt: {each}" for each in ([] if made else await find_in_database(url))]
    return [each for each in wrong if each is not None]


async def describe(system: System) -> Iterator[str]:
    """Return lines on what was done."""
    steady = system.steady
    async with connected(system.addresses.postgres) as connection:
        (kept,) = await connection.fetch(_KEPT)
    fates = {fate: sum(job.fate is fate for job in steady.asked) for fate in Fate}
    told: dict[str, Mapping[Any, Any]] = {
        "struck": system.struck,
        "jobs": fates,
        "kept": dict(kept),
        "removals": steady.refused,
        "met": steady.errors,
    }
    return (f"{what}: {', '.join(f'{name} {count}' for name, count in of.items())}" for what, of in told.items())


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to a database."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
