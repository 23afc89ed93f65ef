"""Claim work at the jobstore's WorkService and renew its leases, over gRPC."""

import contextlib
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message

from contracts.signing import SigningKey
from servicekit.errors import DoubtfulError, PermanentError, PostponedError, TransientError
from servicekit.leasing.worker import GivenBackLease, HeldLease, Lease, LeaseState, Renewal, Worker
from servicekit.retry import chunk_by_size, retry_transient
from signoff.errors import ErrorCode
from signoff.worker.v1 import work_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class ClaimDenied:
    """A claim that was not granted; `outcome` is a ClaimOutcome of the proto without its prefix, such as QUEUED."""

    outcome: str
    code: str
    message: str
    job_id: str = ""

    def to_error(self) -> PermanentError | DoubtfulError | None:
        """Return PermanentError (INVALID: a dead letter), DoubtfulError (DOUBTFUL: claim again), or None (others)."""
        match self.outcome:
            case "INVALID":
                return PermanentError(self.message, code=self.code)
            case "DOUBTFUL" if self.code == ErrorCode.STORAGE_FULL:
                return PostponedError(self.message, code=self.code)
            case "DOUBTFUL":
                return DoubtfulError(self.message, code=self.code)
        return None


def read_denial(answer: pb.ExecutionAnswer | pb.JudgingAnswer, job_id: str = "") -> ClaimDenied:
    """Return the denial in an answer. An unknown outcome is read as QUEUED: the jobstore offers the work again."""
    is_known = answer.outcome in pb.ClaimOutcome.values()
    outcome = pb.ClaimOutcome.Name(answer.outcome).removeprefix("CLAIM_OUTCOME_") if is_known else "QUEUED"
    return ClaimDenied(outcome, answer.code, answer.message, job_id)


def read_lease(key: pb.LeaseKey) -> SigningKey:
    """Return a granted lease with its key."""
    return SigningKey(UUID(key.execution_id), key.lease, key.secret_id, key.key)


if TYPE_CHECKING:
    from signoff.v1.resources_pb2 import Protocol
    from signoff.worker.v1.work_service_pb2_grpc import WorkServiceAsyncStub

A = TypeVar("A")
C = TypeVar("C")


#: The largest gRPC message, either way.
MESSAGE_MAX_BYTES = 64 << 20
#: Seconds after which a call fails with a TransientError.
CALL_TIMEOUT_S = 30.0
#: The share of a lease that a renewal may take, and seconds at least, so that there is time for another try at another
#: jobstore.
RENEWAL_WAIT = (1 / 3, 1.0)
#: The same of a claim, which takes longer under load; its grants hold while the lease runs.
CLAIM_WAIT = (2 / 3, 5.0)
_OUT_OF_TIME = grpc.StatusCode.DEADLINE_EXCEEDED.name.lower()
#: Claims in one call, and bytes of them.
CLAIMS_MAX = 200
CLAIMS_MAX_BYTES = 16 << 20
_STATES = {
    pb.LEASE_STATE_KEEP: LeaseState.KEEP,
    pb.LEASE_STATE_RECORDED: LeaseState.RECORDED,
    pb.LEASE_STATE_LOST: LeaseState.LOST,
    pb.LEASE_STATE_CANCELLED: LeaseState.CANCELLED,
}
#: Statuses of a call that can never succeed; after all others it is tried again.
_PERMANENT = frozenset(
    {
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    }
)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise gRPC's errors as PermanentError if the call can never succeed, else as TransientError."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        trailing = error.trailing_metadata() or ()
        code = next((str(value) for key, value in trailing if key == "signoff-code"), error.code().name.lower())
        if error.code() in _PERMANENT:
            raise PermanentError(error.details() or "", code=code) from error
        raise TransientError(error.details() or "", code=code) from error
    except grpc.aio.UsageError as error:  # the channel is closed, since this process ends
        raise TransientError(str(error)) from error


class GrpcLeases:
    """Renew a worker's leases of one kind over gRPC, at most `capacity`. `metadata` carries the worker's token."""

    def __init__(self, stub: "WorkServiceAsyncStub", kind: "pb.WorkKind.ValueType", token: str, capacity: int) -> None:
        self.stub = stub
        self.capacity = capacity
        self.metadata = (("authorization", f"Bearer {token}"),)
        self._kind = kind
        self._lease_s = math.inf  # until it is known
        self._slow = set[object]()
        #: Returns the report of this process that each renewal carries.
        self.describe: Callable[[], pb.ProcessReport | None] = lambda: None
        #: The protocols by which this worker calls agents: numbers of their enum, in each renewal.
        self.protocols: Sequence[Protocol.ValueType] = ()
        #: Returns the leases of an executor's tasks under way, which each renewal renews, too.
        self.list_tasks: Callable[[], Iterable[Lease]] = lambda: ()
        #: Called with the id of the installation, before the first lease is granted.
        self.on_installation: Callable[[str], None] = lambda _: None

    async def call(self, method: Callable[..., Awaitable[A]], request: Message, wait: tuple[float, float]) -> A:
        """Make a call on which leases depend. Raise TransientError if the jobstore is out of reach.

        The call fails after `wait`, a share of a lease and seconds at least, and the next goes to another jobstore
        (signoff.connection). A method that timed out has CALL_TIMEOUT_S until it answers within `wait` again.
        """
        share, least_s = wait
        prompt_s = min(CALL_TIMEOUT_S, max(least_s, self._lease_s * share))
        asked_at, timeout_s = time.monotonic(), CALL_TIMEOUT_S if method in self._slow else prompt_s
        try:
            with translate_errors():
                answer = await method(request, timeout=timeout_s, metadata=self.metadata)
        except TransientError as error:
            if error.code == _OUT_OF_TIME:
                self._slow.add(method)
            raise
        if time.monotonic() - asked_at < prompt_s:
            self._slow.discard(method)
        if installation := getattr(answer, "installation", ""):
            self.on_installation(installation)
        return answer

    async def renew(
        self,
        owner: UUID,
        room: int,
        held: Sequence[HeldLease],
        outcomes: Sequence[Lease],
        given_back: Sequence[GivenBackLease],
    ) -> Renewal:
        """Renew leases, ask whether outcomes are recorded, give leases back. Raise TransientError during an outage."""
        request = pb.RenewLeasesRequest(
            owner=str(owner),
            kind=self._kind,
            room=room,
            capacity=self.capacity,
            held=[prove(work.lease, owner, work.judge_away_s) for work in held],
            outcomes=[prove(lease, owner) for lease in outcomes],
            given_back=[
                pb.GivenBackLease(lease=prove(one.lease, owner), begun=one.begun, due_after_s=one.due_after_s)
                for one in given_back
            ],
            report=self.describe(),
            protocols=self.protocols,
            tasks=[prove(lease, owner) for lease in self.list_tasks()],
        )
        answer = await self.call(self.stub.RenewLeases, request, RENEWAL_WAIT)
        self._lease_s = answer.lease_s
        return Renewal(
            # An unknown state of a newer jobstore: the lease may be another's, and the outcome may not be recorded.
            [_STATES.get(state, LeaseState.LOST) for state in answer.held],
            [_STATES.get(state, LeaseState.KEEP) for state in answer.outcomes],
            answer.lease_s,
            [read_lease(key) for key in answer.new_keys],
            answer.judgings_waiting,
        )


async def claim(
    worker: Worker,
    begin: Callable[[UUID, int], Awaitable[Sequence[A | ClaimDenied]]],
    sizes: Sequence[int] | None = None,
) -> tuple[float, Sequence[A | ClaimDenied]]:
    """Claim by `begin`, again until the jobstore answers. Return the time of the last try, and its answers.

    Granted leases run from that time, not from a try before an outage. `begin` gets the worker's id and its room: for
    works of these `sizes`, if they are known.
    """

    async def try_once() -> tuple[float, Sequence[A | ClaimDenied]]:
        return time.monotonic(), await begin(worker.owner, worker.room if sizes is None else worker.find_room(sizes))

    return await retry_transient(try_once, on="jobstore")


async def claim_in_chunks(
    claims: Sequence[C],
    size: Callable[[C], int],
    room: int,
    begin: Callable[[Sequence[C], int], Awaitable[Sequence[A | ClaimDenied]]],
) -> list[A | ClaimDenied]:
    """Claim by calls (`begin`) of bounded size, and return an answer for each claim, in order; `room` bounds grants."""
    answers: list[A | ClaimDenied] = []
    for chunk in chunk_by_size(claims, size, limit=CLAIMS_MAX, bytes_max=CLAIMS_MAX_BYTES):
        granted = sum(not isinstance(answer, ClaimDenied) for answer in answers)
        answers += await begin(chunk, max(0, room - granted))
    return answers


def prove(lease: Lease, owner: UUID, judge_away_s: float | None = None) -> pb.Lease:
    """Return a lease with the proof that its owner holds it, and the seconds that its judge has been away."""
    proof = lease.sign(str(owner).encode())
    return pb.Lease(execution_id=str(lease.execution_id), lease=lease.lease, proof=proof, judge_away_s=judge_away_s)
