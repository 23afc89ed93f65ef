"""Read how processes stand by their own reports, and how much is yet to be published or taken."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final, NamedTuple

from aiokafka import TopicPartition
from prometheus_client import Gauge
from pydantic import BaseModel, Field, StringConstraints
from sqlalchemy import text

from contracts.topics import EXECUTOR_GROUP, VALIDATOR_GROUP
from jobstore.engine.database import EPOCH_S, Database
from jobstore.engine.sql import Connection
from jobstore.executions.leases import ARE_LOST, IS_HEARD_OF
from jobstore.jobs.model import ExecutionStage
from servicekit.errors import TransientError
from servicekit.kafka.broker import Group, Member, Readers
from servicekit.process.runtime import run_forever

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


log = logging.getLogger(__name__)

UNREAD: Final = Gauge("signoff_group_unread", "Records that a consumer group has not read", ["group"])
STALLED: Final = Gauge(
    "signoff_group_stalled_partitions",
    "Partitions with unread records that do not move although their readers have room",
    ["group"],
)
STRANGERS: Final = Gauge("signoff_group_strangers", "Members of a group that no process of Signoff is", ["group"])

#: What was looked at within so many seconds is not looked at again for somebody who asks, and who waits so long.
FRESH_S: Final = 2.0
ASKED_WITHIN_S: Final = 3.0
_STAGES: Final = {EXECUTOR_GROUP: ExecutionStage.EXECUTING, VALIDATOR_GROUP: ExecutionStage.JUDGING}


@dataclass(frozen=True, slots=True)
class GroupFindings:
    """How a group stands: `stalled` is for how long each partition has not moved that should."""

    group: Group
    unread: int
    stalled: Sequence[float]
    strangers: Sequence[Member]


@dataclass(slots=True)
class ConsumerGroups:
    """Look at the groups now and then, and when somebody asks.

    A partition is stalled after `stalled_after_s`; a member is a stranger after `reported_within_s`, within which every
    process has reported its own. Groups of workers have room by what these say; all others while the database is there.
    """

    database: Database
    readers: Sequence[Readers]
    alive_s: float
    stalled_after_s: float
    reported_within_s: float
    findings: Sequence[GroupFindings] = ()
    _looked_at: float = float("-inf")
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: How far each partition of a group was read, and since when.
    _moved: dict[tuple[str, TopicPartition], tuple[int, float]] = field(default_factory=dict)
    #: Since when a member is seen that nobody reports.
    _unreported: Mapping[tuple[str, str], float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Look for ever."""
        await run_forever(self.look, name="consumer groups", every_s=self.stalled_after_s / 3)

    async def ask(self) -> str:
        """Look, unless that was done of late; return why `findings` are older than that, or nothing."""
        looking = asyncio.create_task(self.look(FRESH_S))
        looking.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        done, _ = await asyncio.wait([looking], timeout=ASKED_WITHIN_S)
        if not done:
            return f"no answer within {ASKED_WITHIN_S:g} s"
        try:
            looking.result()
        except TransientError as error:
            return str(error) or error.code
        return ""

    async def look(self, fresh_s: float = 0.0) -> None:
        """Look at all groups, unless that was done so lately. TransientError: broker or database is out of reach."""
        async with self._looking:
            if time.monotonic() - self._looked_at < fresh_s:
                return
            groups = [group for readers in self.readers for group in await readers.describe()]
            async with self.database.session() as session:
                reported, rooms = await list_members(session), await sum_rooms(session, self.alive_s)
            now = time.monotonic()
            self._unreported = {
                key: self._unreported.get(key, now)
                for group in groups
                for member in group.members
                if member.id not in reported
                for key in [(group.name, member.id)]
            }
            self.findings = [self._examine(group, rooms, now) for group in groups]
            self._looked_at = now
        self._tell()

    def _examine(self, group: Group, rooms: Mapping[ExecutionStage, int], now: float) -> GroupFindings:
        stage = _STAGES.get(group.name)
        has_room = stage is None or rooms.get(stage, 0) > 0
        stalled = []
        for place, (read, end) in group.progress.items():
            before, since = self._moved.get((group.name, place), (-1, now))
            if not has_room or read != before or read >= end:
                self._moved[group.name, place] = read, now
            elif now - since >= self.stalled_after_s:
                stalled.append(now - since)
        strangers = [
            member
            for member in group.members
            if now - self._unreported.get((group.name, member.id), now) >= self.reported_within_s
        ]
        unread = sum(end - read for read, end in group.progress.values())
        UNREAD.labels(group.name).set(unread)
        STALLED.labels(group.name).set(len(stalled))
        STRANGERS.labels(group.name).set(len(strangers))
        return GroupFindings(group, unread, stalled, strangers)

    def _tell(self) -> None:
        """Log each finding when it begins, and when it ends."""
        found = dict[str, dict[str, object]]()
        for each in self.findings:
            if each.stalled:
                found[f"the consumer group {each.group.name} does not move"] = {"partitions": len(each.stalled)}
            if each.strangers:
                names = [f"{member.client} at {member.host}" for member in each.strangers]
                found[f"a member of the consumer group {each.group.name} is no process of Signoff"] = {"members": names}
        for message in found.keys() - self._told:
            log.warning(message, extra=found[message])
        for message in self._told - found.keys():
            log.info("over: %s", message)
        self._told = set(found)
