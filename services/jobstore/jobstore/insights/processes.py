"""Read the reports of processes, the backlog of facts and offers, and the progress of consumer groups."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
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
from servicekit.process.runtime import VERSION, run_forever

log = logging.getLogger(__name__)


#: The highest number of processes that are shown.
PROCESSES_MAX: Final = 500
#: Up to this number unpublished facts are counted.
UNPUBLISHED_MAX: Final = 100_000

_PROCESSES: Final = text(
    f"""
    SELECT owner::text AS id, protocols, coalesce(judge, '') AS judge,
        ARRAY(SELECT json_object_keys(judge_keys)) AS keys,
        CASE stage WHEN 'EXECUTING' THEN 'executor' ELSE 'validator' END AS kind, room, capacity,
        greatest(0, extract(epoch FROM signoff_now() - seen_at)::float8) AS silent_s, report::text AS report
    FROM workers
    UNION ALL
    SELECT epoch::text, '{{}}', '', '{{}}', 'jobstore', 0, 0,
        greatest(0, extract(epoch FROM signoff_now() - until)::float8 + {EPOCH_S}),
        report::text FROM epochs
    ORDER BY silent_s LIMIT :limit
    """  # noqa: S608 - a number of our own
)
#: The ids of the members of consumer groups that processes have reported as their own.
_MEMBERS: Final = text(
    """
    SELECT jsonb_array_elements_text(report->'members') AS member FROM (
        SELECT report FROM workers UNION ALL SELECT report FROM epochs) AS reports
    """
)
#: How many more leases the workers of each stage have room for, of those that have reported lately.
_ROOMS: Final = text(
    f"SELECT stage, sum(room)::bigint AS room FROM workers WHERE {IS_HEARD_OF} GROUP BY stage"  # noqa: S608 - ours
)
#: The time of a fact that is no entry of a log is in its body.
_BACKLOG: Final = text(
    f"""
    SELECT (SELECT count(*) FROM (
            (SELECT FROM job_logs WHERE seq > published_seq LIMIT :up_to) UNION ALL
            (SELECT FROM facts WHERE seq > published_seq LIMIT :up_to)) AS unpublished) AS unpublished,
        coalesce(extract(epoch FROM signoff_now() - least(
            (SELECT created_at FROM job_logs WHERE seq > published_seq ORDER BY seq LIMIT 1),
            (SELECT CAST(coalesce(body->>'changed_at', body->>'refused_at', body->'agent'->>'updated_at')
                AS timestamptz) FROM facts WHERE seq > published_seq ORDER BY seq LIMIT 1)
        ))::float8, 0) AS unpublished_s,
        (SELECT count(*) FROM executions WHERE state = 'OFFERED' AND offers > 1) AS unclaimed, signoff_now() AS now,
        {ARE_LOST} AS are_limits_lost,
        coalesce((SELECT min(tenant) < max(tenant) FROM jobs), false) AS has_several_tenants,
        current_setting('is_superuser') = 'on' AS is_superuser
    FROM relay
    """  # noqa: S608 - words of our own
)


class Report(BaseModel):
    """The report of a process on itself; `clock` is the process's time, `at` the database's, added on arrival."""

    version: Annotated[str, StringConstraints(max_length=100)] = ""
    clock: datetime
    members: Annotated[list[Annotated[str, StringConstraints(max_length=300)]], Field(max_length=20)] = []
    ends: bool = False
    #: Of a worker: how many partitions it reads, what bounds its leases, and how many asks wait for a judge's pace.
    partitions: int | None = None
    bound: Annotated[str, StringConstraints(max_length=20)] = ""
    paced: int = 0
    #: Of a jobstore: whether it knows that jobs are removed. Those of 0.2.0 would make their ids anew.
    removes: bool = False
    at: datetime | None = None

    @property
    def ahead_s(self) -> float:
        """By how many seconds the clock of the process is ahead of the database's."""
        return (self.clock - (self.at or self.clock)).total_seconds()


class Process(NamedTuple):
    """A process, the seconds since its last sign of life, and its last report, None if it made none.

    `protocols`: by which an executor calls agents; `judge`, `keys`: what a validator is set to, and has.
    """

    id: str
    kind: str
    room: int
    capacity: int
    silent_s: float
    report: Report | None
    protocols: Sequence[str] = ()
    judge: str = ""
    keys: Sequence[str] = ()


class Backlog(NamedTuple):
    """The number of unpublished facts, the age of the oldest, the number of unclaimed offers, and the database's time.

    `are_limits_lost`: nothing is offered until an administrator confirms the limits. `has_several_tenants`: jobs are
    of more than one tenant. `is_superuser`: this jobstore is a superuser of its database.
    """

    unpublished: int
    unpublished_s: float
    unclaimed: int
    now: datetime
    are_limits_lost: bool
    has_several_tenants: bool
    is_superuser: bool


async def list_processes(connection: Connection) -> list[Process]:
    """Return up to PROCESSES_MAX processes; those that have been silent longest come last."""
    rows = await connection.execute(_PROCESSES, {"limit": PROCESSES_MAX})
    reports = [None if row.report is None else Report.model_validate_json(row.report) for row in rows]
    return [Process(**{**row, "report": report}) for row, report in zip(rows, reports, strict=True)]


#: What reads a consumer group, as a kind of process.
_GROUPS: Final = {EXECUTOR_GROUP: "executor", VALIDATOR_GROUP: "validator"}
#: By how many seconds the clock of a process may differ from the database's.
SKEW_MAX_S: Final = 5.0


class Trouble(NamedTuple):
    """What is wrong with a process, as a code and in a sentence, and what to do."""

    code: str
    message: str
    remedy: str


def find_trouble(process: Process, alive_s: float, findings: Sequence["GroupFindings"] = ()) -> Trouble | None:
    """Return the worst of what is wrong with a process, or None; one that is told to stop may be silent.

    `findings`: of the consumer groups, whose partitions are stalled for all of their members.
    """
    return next(_list_troubles(process, alive_s, findings), None)


def _list_troubles(process: Process, alive_s: float, findings: Sequence["GroupFindings"]) -> Iterator[Trouble]:
    report = process.report
    if report is not None and report.ends:
        return
    if process.silent_s > alive_s:
        message = f"It was last heard of {process.silent_s:.0f} s ago, and is offered nothing."
        yield Trouble("silent", message, "See whether it is frozen or does not reach the jobstore, or start another.")
    if report is None:
        return
    if report.partitions == 0:
        remedy = "Have more partitions (SIGNOFF_WORK_PARTITIONS of jobstores), or fewer processes of its kind."
        yield Trouble("no_partitions", "It reads no partition, and is offered nothing.", remedy)
    if since := [s for each in findings if _GROUPS.get(each.group.name) == process.kind for s in each.stalled]:
        message = f"{len(since)} partitions of its group have not moved for {max(since):.0f} s, although there is room."
        yield Trouble("group_stalled", message, "Run signoff doctor, and restart what reads them.")
    if abs(report.ahead_s) > SKEW_MAX_S:
        way = "ahead of" if report.ahead_s > 0 else "behind"
        message = f"Its clock is {abs(report.ahead_s):.0f} s {way} the database's."
        yield Trouble("clock_differs", message, "Synchronise the clocks (NTP): people read its times.")
    if report.version not in {"", VERSION}:
        message = f"It is of version {report.version}, and this jobstore of {VERSION}."
        yield Trouble("version_differs", message, "Replace one process after the other, until all are of one version.")


async def read_backlog(connection: Connection) -> Backlog:
    """Return the backlog of facts and offers."""
    return Backlog(*(await connection.execute(_BACKLOG, {"up_to": UNPUBLISHED_MAX})).one())


UNREAD: Final = Gauge("signoff_group_unread", "Records that a consumer group has not read", ["group"])
STALLED: Final = Gauge(
    "signoff_group_stalled_partitions",
    "Partitions with unread records that do not move although their readers have room",
    ["group"],
)
POSITION: Final = Gauge(
    "signoff_group_position", "Sum of the offsets to which a consumer group has read, whose rate is its pace", ["group"]
)
STRANGERS: Final = Gauge("signoff_group_strangers", "Members of a group that no process of Signoff is", ["group"])

#: Seconds within which findings are fresh enough for a caller, and that a caller waits for new ones.
FRESH_S: Final = 2.0
ASKED_WITHIN_S: Final = 3.0
_STAGES: Final = {EXECUTOR_GROUP: ExecutionStage.EXECUTING, VALIDATOR_GROUP: ExecutionStage.JUDGING}


@dataclass(frozen=True, slots=True)
class GroupFindings:
    """The state of a consumer group; `stalled` has the seconds for which each stalled partition has not moved."""

    group: Group
    unread: int
    stalled: Sequence[float]
    strangers: Sequence[Member]


@dataclass(slots=True)
class ConsumerGroups:
    """Check the consumer groups regularly, and when callers ask.

    A partition with unread records is stalled if it has not moved for `stalled_after_s` while its group has room, which
    workers report and other groups always have. A member that no process reports for `reported_within_s` is a stranger.
    """

    database: Database
    readers: Sequence[Readers]
    alive_s: float
    stalled_after_s: float
    reported_within_s: float
    findings: Sequence[GroupFindings] = ()
    _looked_at: float = float("-inf")
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    #: The offset to which each partition of a group was read, and since when.
    _moved: dict[tuple[str, TopicPartition], tuple[int, float]] = field(default_factory=dict)
    #: Since when a member has been seen that no process reports.
    _unreported: Mapping[tuple[str, str], float] = field(default_factory=dict)
    _logged: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Check the groups for ever."""
        await run_forever(self.look, name="consumer groups", every_s=self.stalled_after_s / 3)

    async def ask(self) -> str:
        """Check the groups unless `findings` are fresh; return why the check failed, or an empty text."""
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
        """Check all groups, unless that was done within `fresh_s`. TransientError: the broker or database is away."""
        async with self._looking:
            if time.monotonic() - self._looked_at < fresh_s:
                return
            try:
                groups = [group for readers in self.readers for group in await readers.describe()]
            except TransientError:
                for gauge in (UNREAD, STALLED, POSITION, STRANGERS):
                    gauge.clear()  # nobody is alerted to what may have passed
                raise
            async with self.database.session() as session:
                reported = set(await session.scalars(_MEMBERS))
                rows = await session.execute(_ROOMS, {"alive_s": self.alive_s})
            rooms = {ExecutionStage(row.stage): row.room for row in rows}
            now = time.monotonic()
            members = ((group.name, member.id) for group in groups for member in group.members)
            self._unreported = {key: self._unreported.get(key, now) for key in members if key[1] not in reported}
            self.findings = [self._examine(group, rooms, now) for group in groups]
            self._looked_at = now
        self._log_changes()

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
        seen = {member: self._unreported.get((group.name, member.id), now) for member in group.members}
        strangers = [member for member, since in seen.items() if now - since >= self.reported_within_s]
        unread = sum(end - read for read, end in group.progress.values())
        UNREAD.labels(group.name).set(unread)
        POSITION.labels(group.name).set(sum(read for read, _ in group.progress.values()))
        STALLED.labels(group.name).set(len(stalled))
        STRANGERS.labels(group.name).set(len(strangers))
        return GroupFindings(group, unread, stalled, strangers)

    def _log_changes(self) -> None:
        """Log each stalled group and each stranger when it is first found, and when it is no longer found."""
        found = dict[str, dict[str, object]]()
        for each in self.findings:
            if each.stalled:
                found[f"the consumer group {each.group.name} does not move"] = {"partitions": len(each.stalled)}
            if each.strangers:
                names = [f"{member.client} at {member.host}" for member in each.strangers]
                found[f"a member of the consumer group {each.group.name} is no process of Signoff"] = {"members": names}
        for message in found.keys() - self._logged:
            log.warning(message, extra=found[message])
        for message in self._logged - found.keys():
            log.info("over: %s", message)
        self._logged = set(found)
