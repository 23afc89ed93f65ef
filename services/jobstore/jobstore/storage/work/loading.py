"""Load what commands need beside the rows that they have locked."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import text

from jobstore.commands.base import NOTHING, Command, Reads
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.judging.task import read_task
from jobstore.domain.model import Said
from jobstore.json_members import members
from jobstore.storage import agents, candidates, facts, limits, reusable
from jobstore.storage.judging import versions
from jobstore.storage.sql import Connection
from jobstore.storage.work import administration, circuits, judgings
from jobstore.storage.work.row_mapping import SPEC_COLUMNS, to_spec

#: Live executions of an agent are counted up to here, which bounds the query; beyond it agents compare as equal.
LOAD_MAX: Final = 1_000

_SPECS: Final = text(
    f"SELECT id, {', '.join(f'{value} AS spec_{name}' for name, value in SPEC_COLUMNS)} "  # noqa: S608 - names of our own
    "FROM jobs WHERE id = ANY(CAST(:ids AS text[]))",
)
_LAST_ENTRIES: Final = text(
    "SELECT l.job_id, l.kind, l.message, l.actor FROM jobs j JOIN job_logs l ON l.job_id = j.id "
    "AND l.version = j.version WHERE j.id = ANY(CAST(:ids AS text[]))",
)
_REQUESTS: Final = text(
    "SELECT e.job_id, l.request_payload::text AS request FROM executions e "
    "JOIN job_logs l ON l.job_id = e.job_id AND l.version = e.request_version "
    "WHERE e.execution_id = ANY(CAST(:ids AS uuid[]))",
)
_AGENTS: Final = text(
    f"SELECT {agents.COLUMNS} FROM agents WHERE id = ANY(CAST(:ids AS text[]))",  # noqa: S608 - names of our own
)


async def load(connection: Connection, uow: UnitOfWork, commands: Sequence[Command[object]]) -> None:
    """Load what commands ask for, and then what only that could tell."""
    await _load(connection, uow, [command.reads(uow.stored) for command in commands])
    await _load(connection, uow, [command.late_reads(uow.stored) for command in commands])


async def _load(connection: Connection, uow: UnitOfWork, wishes: Collection[Reads]) -> None:
    some = [wish for wish in wishes if wish is not NOTHING]
    reads = Reads.join(some) if some else NOTHING
    await _load_jobs(connection, uow.stored, reads)
    await _load_agents(connection, uow.stored, reads)
    await _load_judging(connection, uow, reads)
    await _load_reusable(connection, uow, reads)
    await _load_bounds(connection, uow, reads)


async def _load_jobs(connection: Connection, stored: Stored, reads: Reads) -> None:
    if reads.specs:
        for row in await connection.execute(_SPECS, {"ids": sorted(reads.specs)}):
            stored.specs[row.id] = to_spec(row)
    if reads.last_entries:
        for row in await connection.execute(_LAST_ENTRIES, {"ids": sorted(reads.last_entries)}):
            stored.last_entries[row.job_id] = Said(row.kind, row.message, row.actor)
    if reads.feedback:
        for row in await connection.execute(_REQUESTS, {"ids": list(reads.feedback)}):
            task = stored.tasks[row.job_id]
            stored.tasks[row.job_id] = task._replace(feedback=read_task(members(row.request)).feedback)
    if reads.unfinished:
        stored.unfinished = await administration.find_unfinished(connection, reads.unfinished)
    if reads.open_items:
        stored.open_items = await administration.find_open_items(connection, reads.open_items)
    if reads.histories:
        stored.histories |= await candidates.load_histories(connection, reads.histories)


async def _load_agents(connection: Connection, stored: Stored, reads: Reads) -> None:
    if missing := reads.agents - stored.agents.keys():
        for row in await connection.execute(_AGENTS, {"ids": sorted(missing)}):
            stored.agents[row.id] = agents.to_agent(row)
    if reads.capabilities or reads.match_jobs:
        found = await candidates.find_with_any(
            connection, reads.capabilities, job_ids=reads.match_jobs, load_max=LOAD_MAX
        )
        for agent, candidate in found:
            stored.agents[agent.id], stored.candidates[agent.id] = agent, candidate


async def _load_judging(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    """Load versions that are named, and names that are to be changed: nothing where no policy names any."""
    stored = uow.stored
    if wanted := (reads.references - stored.versions.keys()) | uow.list_wanted():
        stored.versions |= dict.fromkeys(wanted) | await versions.load_versions(connection, wanted)
    if reads.names:
        stored.names |= await versions.load_names(connection, reads.names)


async def _load_reusable(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    terms = uow.terms.reuse
    if reads.verdicts and terms.verdict_age_s:
        uow.stored.verdicts = await reusable.load_verdicts(connection, reads.verdicts, terms.verdict_age_s)
    if reads.results and terms.result_age_s:
        uow.stored.results = await reusable.load_results(connection, reads.results, terms.result_age_s)


async def _load_bounds(connection: Connection, uow: UnitOfWork, reads: Reads) -> None:
    """Load what bounds requests and claims. The rows of capped queues are locked, and then circuits."""
    stored, most = uow.stored, uow.terms.remembered_max
    if reads.early_cancels:
        stored.cancel_room = most - await facts.count_remembered(connection, most, cancelled=True)
    if reads.wrong_records:
        stored.wrong_room = most - await facts.count_remembered(connection, most, cancelled=False)
    if reads.queues and stored.has_queue_caps and stored.limits_held:
        stored.queue_room = await limits.load_queue_room(connection, reads.queues)
    if reads.judging_groups:
        stored.judging_groups = await judgings.find_groups(connection, reads.judging_groups)
        stored.judging_room = await judgings.count_room(connection)
    if reads.judgings:
        stored.judgings |= await judgings.load(connection, reads.judgings)
    if reads.circuits and stored.has_circuits:
        stored.circuits |= await circuits.lock(connection, reads.circuits)
