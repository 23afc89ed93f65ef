"""Executors, validators, agents and topics in memory, which keep what real ones keep, around the real jobstore."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from support.factories import SECRETS

from contracts.events import CancelRequested, Event, ExecuteRequested, JobStatusReported, ResultProduced
from contracts.signing import KeyUse
from contracts.topics import TOPIC_OF
from servicekit.kafka.publisher import Outgoing
from signoff.v1.resources_pb2 import PROTOCOL_HTTP
from signoff.worker.v1 import work_service_pb2 as pb

if TYPE_CHECKING:
    from signoff.v1.resources_pb2 import Protocol

CAPACITY = 3
Lease = tuple[UUID, int]


class Topics:
    """A log for each kind of event, and how far each reader has come in it."""

    def __init__(self) -> None:
        self.logs: dict[type, list[Any]] = {}
        self.read_up_to: dict[tuple[type, str], int] = {}
        self.emptied()

    def emptied(self) -> None:
        """The broker has come back with nothing."""
        self.logs = {kind: [] for kind in (ExecuteRequested, ResultProduced, JobStatusReported, CancelRequested)}
        self.read_up_to.clear()

    async def publish(self, *events: Event, keyed: bool = True) -> None:
        del keyed
        for event in sorted(events, key=lambda event: str(event.event_id)):
            self.logs[type(event)].append(event)

    async def publish_records(self, records: Sequence[Outgoing]) -> None:
        kinds = {TOPIC_OF[kind]: kind for kind in self.logs}
        await self.publish(*(kinds[record.topic].model_validate_json(record.value) for record in records))

    def read(self, kind: type, reader: str, most: int, *, commit: bool = True) -> list[Any]:
        start = self.read_up_to.get((kind, reader), 0)
        records = self.logs[kind][start : start + most]
        if commit:
            self.read_up_to[kind, reader] = start + len(records)
        return records

    def unread(self, kind: type, reader: str) -> bool:
        return self.read_up_to.get((kind, reader), 0) < len(self.logs[kind])

    def rewind(self) -> None:
        """Every reader begins again at the start of every topic."""
        self.read_up_to.clear()


@dataclass
class Held:
    """Work under a lease. `expired`: by the worker's own clock it runs no more."""

    lease: Lease
    about: Any
    begun: bool = False
    expired: bool = False
    seq: int = 1


@dataclass
class Worker:
    """What servicekit's worker keeps: leases held, outcomes awaited, claims that were not answered."""

    kind: "pb.WorkKind.ValueType"
    owner: UUID
    protocols: Sequence["Protocol.ValueType"] = ()
    held: dict[UUID, Held] = field(default_factory=dict)
    outcomes: dict[Lease, Event] = field(default_factory=dict)
    asking: list[Any] = field(default_factory=list)

    @property
    def room(self) -> int:
        return max(0, CAPACITY - len(self.held))

    @property
    def idle(self) -> bool:
        return not (self.held or self.outcomes or self.asking)

    def begin(self, lease: Lease, about: Any) -> None:
        """Start what was granted, unless it is held or done already."""
        known = self.held.get(lease[0])
        if (known is None or known.lease < lease) and lease not in self.outcomes:
            self.held[lease[0]] = Held(lease, about)

    def end(self, held: Held, outcome: Event) -> None:
        del self.held[held.lease[0]]
        self.outcomes[held.lease] = outcome

    def renewal(self, given_back: Iterable[Held] = ()) -> pb.RenewLeasesRequest:
        return pb.RenewLeasesRequest(
            owner=str(self.owner),
            kind=self.kind,
            room=self.room,
            protocols=self.protocols,
            held=[self._prove(held.lease) for held in self.held.values()],
            outcomes=[self._prove(lease) for lease in self.outcomes],
            given_back=[pb.GivenBackLease(lease=self._prove(held.lease), begun=held.begun) for held in given_back],
        )

    def renewed(self, answer: pb.RenewLeasesResponse) -> None:
        for held, state in zip(list(self.held.values()), answer.held, strict=True):
            held.expired = False
            if state != pb.LEASE_STATE_KEEP:
                del self.held[held.lease[0]]
        for lease, state in zip(list(self.outcomes), answer.outcomes, strict=True):
            if state != pb.LEASE_STATE_KEEP:
                del self.outcomes[lease]

    def _prove(self, lease: Lease) -> pb.Lease:
        use = KeyUse.EXECUTING if self.kind == pb.WORK_KIND_EXECUTING else KeyUse.JUDGING
        return proven(lease, self.owner, use)


def proven(lease: Lease, owner: UUID, use: KeyUse) -> pb.Lease:
    proof = SECRETS.make_key(use, *lease).sign(str(owner).encode())
    return pb.Lease(execution_id=str(lease[0]), lease=lease[1], proof=proof)


class Agents:
    """Answers nothing, and remembers who called it, and what would excuse another call."""

    def __init__(self) -> None:
        self.calls: defaultdict[UUID, list[int]] = defaultdict(list)
        self.excused: set[Lease] = set()
        self.bodies: dict[UUID, str] = {}
        self.owners: dict[Lease, UUID] = {}

    def granted(self, lease: Lease, worker: Worker, grant: pb.ExecutionGrant) -> None:
        """A lease has one owner, who calls agents so; an attempt its number from the grant, an execution one body."""
        owner = worker.owner
        if not worker.protocols:
            assert grant.protocol == PROTOCOL_HTTP, "an executor of 0.2.0 was granted what it does not call"
            assert not grant.follows_only, "an executor of 0.2.0 would send"
        assert self.owners.setdefault(lease, owner) == owner, f"two workers were granted {lease}"
        attempts = sorted(number for execution_id, number in self.owners if execution_id == lease[0])
        assert grant.attempt == attempts.index(lease[1]) + 1, "attempts are not numbered at the grant"
        assert self.bodies.setdefault(lease[0], grant.request_json) == grant.request_json, "another body"

    def called(self, lease: Lease, *, once: bool) -> None:
        """Again only after a crash, a timeout, a retryable error or a hand-over (invariant 4)."""
        execution_id, number = lease
        before = self.calls[execution_id]
        assert number not in before, f"called twice under {lease}"
        assert not (once and before), "an agent that must not be called twice was"
        unexcused = [n for n in before if (execution_id, n) not in self.excused]
        assert not unexcused, f"called again under {lease}, without a cause after leases {unexcused}"
        before.append(number)

    def count(self) -> int:
        return sum(map(len, self.calls.values()))


def tokens(events: Sequence[Any]) -> dict[UUID, Lease]:
    """The fencing token of each event, by the event's id."""
    return {event.event_id: (event.execution_id, event.lease) for event in events}
