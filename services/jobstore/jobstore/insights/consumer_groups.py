"""Watch the consumer groups: whether they move, and whether a stranger is a member of one.

Who joins a group takes partitions, and may read nothing of them: all processes are well, and everything waits.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import TopicPartition
from prometheus_client import Gauge

from contracts.topics import EXECUTOR_GROUP, VALIDATOR_GROUP
from jobstore.domain.model import ExecutionStage
from jobstore.insights.processes import list_members, sum_rooms
from jobstore.storage.database import Database
from servicekit.errors import TransientError
from servicekit.kafka.broker import Group, Member, Readers
from servicekit.process.runtime import run_forever

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
