"""Claims and renewals over real gRPC: in parts that fit a message, and with errors told apart."""

from uuid import uuid4

import grpc
import pytest
from fake_work import FakeWork
from support.factories import execute_requested, lease, request_body
from support.fakes import read_execution_id

from contracts.signing import KeyUse, Secrets, make_secret
from executor.executions import GrpcExecutions
from executor.ports import Claim, Grant
from servicekit.errors import PermanentError, TransientError
from servicekit.leasing.client import CLAIMS_MAX, ClaimDenied, GrpcLeases
from servicekit.leasing.worker import GivenBackLease, HeldLease, LeaseState
from signoff.status import CALLABLE_PROTOCOLS, Delivery, Protocol
from signoff.v1 import resources_pb2
from signoff.wire import parse_words
from signoff.worker.v1 import work_service_pb2 as pb
from signoff.worker.v1.work_service_pb2_grpc import WorkServiceStub


@pytest.fixture
async def work():
    return FakeWork()


@pytest.fixture
async def stub(work):
    options = [("grpc.max_receive_message_length", 100_000)]
    async with work.serving() as address, grpc.aio.insecure_channel(address, options=options) as channel:
        yield WorkServiceStub(channel)


@pytest.fixture
def executions(stub) -> GrpcExecutions:
    return GrpcExecutions(GrpcLeases(stub, pb.WORK_KIND_EXECUTING, "secret", 10))


def claims(count: int) -> list[Claim]:
    return [Claim(request_body(execute_requested(job_id=f"job-{number}")), "v1") for number in range(count)]


async def test_a_grant_says_all_that_a_call_needs(work, executions):
    (claim,) = asked = claims(1)
    owner = uuid4()
    (a_grant,) = await executions.claim(owner, 5, asked)
    assert isinstance(a_grant, Grant)
    assert a_grant.lease == lease(read_execution_id(claim.request), 1)
    assert (a_grant.job_id, a_grant.attempt, a_grant.submission, a_grant.lease_s) == ("job-0", 2, 3, 15.0)
    assert (a_grant.policy.attempt_timeout_s, a_grant.policy.delivery) == (7.0, Delivery.AT_MOST_ONCE)
    assert (a_grant.protocol, a_grant.judged_max_chars) == (Protocol.HTTP, None)
    (request,) = work.begun
    assert (request.owner, request.room) == (str(owner), 5)
    assert (request.claims[0].request, request.claims[0].signature) == (claim.request, "v1")
    assert ("authorization", "Bearer secret") in work.metadata[0]
    work.judged_max_chars = 2_000
    (another,) = await executions.claim(owner, 5, claims(1))
    assert another.judged_max_chars == 2_000


async def test_claims_that_are_not_granted_say_why(work, executions):
    work.answers = [
        pb.ExecutionAnswer(outcome=pb.CLAIM_OUTCOME_QUEUED, code="no_room"),
        pb.ExecutionAnswer(outcome=pb.CLAIM_OUTCOME_INVALID, code="unknown_job", message="no job"),
    ]
    assert await executions.claim(uuid4(), 5, claims(2)) == [
        ClaimDenied("QUEUED", "no_room", ""),
        ClaimDenied("INVALID", "unknown_job", "no job"),
    ]


async def test_a_protocol_of_a_newer_jobstore_is_granted_as_one_that_is_not_known(work, executions):
    work.protocol = 99
    (a_grant,) = await executions.claim(uuid4(), 5, claims(1))
    assert isinstance(a_grant, Grant)
    assert a_grant.protocol is None


async def test_many_claims_are_asked_in_several_calls_each_with_the_room_that_is_left(work, executions):
    asked = claims(CLAIMS_MAX + 50)
    answers = await executions.claim(uuid4(), CLAIMS_MAX + 20, asked)
    assert [answer.lease.execution_id for answer in answers] == [read_execution_id(claim.request) for claim in asked]
    assert [request.room for request in work.begun] == [CLAIMS_MAX + 20, 20]


async def test_room_is_never_less_than_none(work, executions):
    await executions.claim(uuid4(), 0, claims(CLAIMS_MAX + 1))  # granted all the same: its own, again
    assert [request.room for request in work.begun] == [0, 0]


async def test_grants_that_exceed_a_message_together_are_asked_for_in_parts(work, executions):
    work.request_bytes = 30_000
    asked = claims(10)
    answers = await executions.claim(uuid4(), 100, asked)
    assert [answer.lease.execution_id for answer in answers] == [read_execution_id(claim.request) for claim in asked]
    assert [answer.lease.lease for answer in answers] == list(range(1, 11))


async def test_a_single_grant_that_exceeds_a_message_is_no_endless_division(work, executions):
    work.request_bytes = 200_000
    with pytest.raises(TransientError):
        await executions.claim(uuid4(), 100, claims(2))
    assert len(work.begun) == 2


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.UNAVAILABLE, TransientError),
        (grpc.StatusCode.UNAUTHENTICATED, TransientError),
        (grpc.StatusCode.INTERNAL, TransientError),
        (grpc.StatusCode.INVALID_ARGUMENT, PermanentError),
        (grpc.StatusCode.FAILED_PRECONDITION, PermanentError),
    ],
)
async def test_only_a_call_that_can_never_succeed_fails_for_good(work, executions, status, error):
    work.error = (status, "because")
    with pytest.raises(error, match="because") as failed:
        await executions.claim(uuid4(), 1, claims(1))
    assert failed.value.code == status.name.lower()


async def test_a_jobstore_that_is_not_there_is_out_of_reach():
    async with grpc.aio.insecure_channel("127.0.0.1:1") as channel:
        executions = GrpcExecutions(GrpcLeases(WorkServiceStub(channel), pb.WORK_KIND_EXECUTING, "secret", 10))
        with pytest.raises(TransientError):
            await executions.claim(uuid4(), 1, claims(1))


async def test_a_channel_that_was_closed_meanwhile_is_no_fault_of_the_claim(work):
    async with work.serving() as address, grpc.aio.insecure_channel(address) as channel:
        executions = GrpcExecutions(GrpcLeases(WorkServiceStub(channel), pb.WORK_KIND_EXECUTING, "secret", 10))
    with pytest.raises(TransientError):
        await executions.claim(uuid4(), 1, claims(1))


async def test_an_executor_says_at_claims_and_renewals_by_what_it_calls(work, stub):
    leases = GrpcLeases(stub, pb.WORK_KIND_EXECUTING, "secret", 10)
    await GrpcExecutions(leases).claim(uuid4(), 1, claims(1))
    await leases.renew(uuid4(), 4, [], [], [])
    called = [parse_words(resources_pb2.Protocol.DESCRIPTOR, each.protocols) for each in (*work.begun, *work.renewed)]
    assert called == [list(CALLABLE_PROTOCOLS)] * 2


async def test_a_renewal_says_what_became_of_each_lease_and_outcome(work, stub):
    leases = GrpcLeases(stub, pb.WORK_KIND_EXECUTING, "secret", 10)
    held, outcome, back = [lease() for _ in range(3)], lease(), lease()
    states = [pb.LEASE_STATE_KEEP, pb.LEASE_STATE_LOST, pb.LEASE_STATE_CANCELLED, pb.LEASE_STATE_RECORDED]
    work.states = {lease.lease: state for lease, state in zip([*held, outcome], states, strict=True)}
    renewal = await leases.renew(
        uuid4(), 4, [HeldLease(one, "job", 0.0) for one in held], [outcome], [GivenBackLease(back, begun=True)]
    )
    assert renewal.held == [LeaseState.KEEP, LeaseState.LOST, LeaseState.CANCELLED]
    assert renewal.outcomes == [LeaseState.RECORDED]
    assert renewal.lease_s == 12.0
    (request,) = work.renewed
    assert (request.room, request.kind) == (4, pb.WORK_KIND_EXECUTING)
    assert not any(one.HasField("judge_away_s") for one in request.held)
    assert [(b.lease.execution_id, b.begun) for b in request.given_back] == [(str(back.execution_id), True)]


async def test_a_renewal_proves_each_lease_by_its_key_and_brings_new_keys(work, stub):
    leases, owner = GrpcLeases(stub, pb.WORK_KIND_EXECUTING, "secret", 10), uuid4()
    held, outcome, back, task = lease(), lease(), lease(), lease()
    leases.list_tasks = lambda: [task]
    newer = Secrets.parse(make_secret("newer", b"n" * 32)).make_key(KeyUse.EXECUTING, held.execution_id, held.lease)
    work.new_keys = [newer]
    renewal = await leases.renew(
        owner, 4, [HeldLease(held, "job", 0.0)], [outcome], [GivenBackLease(back, begun=False)]
    )
    (request,) = work.renewed
    shown = [*request.held, *request.outcomes, request.given_back[0].lease, *request.tasks]
    for message, key in zip(shown, (held, outcome, back, task), strict=True):
        assert message.proof == key.sign(str(owner).encode())
    assert [(key, key.secret_id, key.key) for key in renewal.new_keys] == [(held, "newer", newer.key)]
