"""Read how processes stand by their own reports, and how much is yet to be published or taken."""

from datetime import datetime
from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text

from jobstore.domain.model import ExecutionStage
from jobstore.storage.epochs import EPOCH_S
from jobstore.storage.room import ARE_LOST, IS_HEARD_OF
from jobstore.storage.sql import Connection

#: Processes that are told of.
PROCESSES_MAX: Final = 500
#: Facts that are counted.
UNPUBLISHED_MAX: Final = 100_000

_PROCESSES: Final = text(
    f"""
    SELECT owner::text AS id, CASE stage WHEN 'EXECUTING' THEN 'executor' ELSE 'validator' END AS kind, room,
        report::text AS report, extract(epoch FROM signoff_now() - seen_at)::float8 AS silent_s FROM workers
    UNION ALL
    SELECT epoch::text, 'jobstore', 0, report::text,
        extract(epoch FROM signoff_now() - until)::float8 + {EPOCH_S} FROM epochs
    ORDER BY silent_s LIMIT :limit
    """,  # noqa: S608 - a number of our own
)
_MEMBERS: Final = text(
    """
    SELECT jsonb_array_elements_text(report->'members') AS member FROM (
        SELECT report FROM workers UNION ALL SELECT report FROM epochs) AS reports
    """,
)
_ROOMS: Final = text(
    f"SELECT stage, sum(room)::bigint AS room FROM workers WHERE {IS_HEARD_OF} GROUP BY stage",  # noqa: S608 - ours
)
#: A fact that is no entry of a log says by its event when it was.
_BACKLOG: Final = text(
    f"""
    SELECT (SELECT count(*) FROM (
            (SELECT FROM job_logs WHERE seq > published_seq LIMIT :most) UNION ALL
            (SELECT FROM facts WHERE seq > published_seq LIMIT :most)) AS unpublished) AS unpublished,
        coalesce(extract(epoch FROM signoff_now() - least(
            (SELECT created_at FROM job_logs WHERE seq > published_seq ORDER BY seq LIMIT 1),
            (SELECT CAST(coalesce(body->>'changed_at', body->>'refused_at', body->'agent'->>'updated_at')
                AS timestamptz) FROM facts WHERE seq > published_seq ORDER BY seq LIMIT 1)
        ))::float8, 0) AS unpublished_s,
        (SELECT count(*) FROM executions WHERE state = 'OFFERED' AND offers > 1) AS unclaimed, signoff_now() AS now,
        {ARE_LOST} AS are_limits_lost
    FROM relay
    """,  # noqa: S608 - words of our own
)


class Report(BaseModel):
    """What a process says of itself, by its own clock; `at` is when it did, by the database's, which adds it."""

    version: Annotated[str, StringConstraints(max_length=100)] = ""
    clock: datetime
    members: Annotated[list[Annotated[str, StringConstraints(max_length=300)]], Field(max_length=20)] = []
    ends: bool = False
    at: datetime | None = None

    @property
    def ahead_s(self) -> float:
        """By how much the clock of the process is ahead of the database's."""
        return (self.clock - (self.at or self.clock)).total_seconds()


class Process(NamedTuple):
    """A process, for how long it was not heard of, and what it said last, if anything."""

    id: str
    kind: str
    room: int
    silent_s: float
    report: Report | None


class Backlog(NamedTuple):
    """How many facts are not published, since when, and how many offers nobody takes; at a time of the database.

    `are_limits_lost`: nothing is offered until an administrator confirms what is set.
    """

    unpublished: int
    unpublished_s: float
    unclaimed: int
    now: datetime
    are_limits_lost: bool


async def list_processes(connection: Connection) -> list[Process]:
    """Return the processes, those last that were silent longest."""
    rows = await connection.execute(_PROCESSES, {"limit": PROCESSES_MAX})
    return [
        Process(
            row.id,
            row.kind,
            row.room,
            max(0.0, row.silent_s),
            None if row.report is None else Report.model_validate_json(row.report),
        )
        for row in rows
    ]


async def read_backlog(connection: Connection) -> Backlog:
    """Return how much is yet to be published, or to be taken."""
    return Backlog(*(await connection.execute(_BACKLOG, {"most": UNPUBLISHED_MAX})).one())


async def list_members(connection: Connection) -> set[str]:
    """Return the ids of all members of consumer groups that processes of Signoff report to be."""
    return set(await connection.scalars(_MEMBERS))


async def sum_rooms(connection: Connection, alive_s: float) -> dict[ExecutionStage, int]:
    """Return for how many more leases the workers of each stage have room that were heard of within `alive_s`."""
    return {ExecutionStage(row.stage): row.room for row in await connection.execute(_ROOMS, {"alive_s": alive_s})}
