"""A jobstore whose database does not answer answers pings and no renewal: leases are renewed at the other in time."""

import asyncio
import time
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import grpc
import pytest
from leased_work import Work, begun
from support.fakes import until, working

from servicekit.errors import TransientError
from servicekit.leasing.client import CALL_TIMEOUT_S, CLAIM_WAIT, RENEWAL_WAIT, GrpcLeases
from servicekit.leasing.worker import Worker
from signoff import channels
from signoff.worker.v1 import work_service_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEASE_S = 15.0


class Jobstore:
    """A channel to a jobstore that takes so many seconds to renew, and what it was asked when."""

    def __init__(self) -> None:
        self.takes_s = 0.0
        self.asked_at: list[float] = []
        self.renewed_at: list[float] = []

    def unary_unary(self, *_: Any, **__: Any) -> Any:
        return lambda request, timeout, **_: Call(self, request, timeout)


class Call:
    """A call of a renewal, which ends with its answer or with its time."""

    def __init__(self, jobstore: Jobstore, request: pb.RenewLeasesRequest, timeout_s: float) -> None:
        self._jobstore, self._request, self._timeout_s = jobstore, request, timeout_s
        self._code = grpc.StatusCode.OK
        jobstore.asked_at.append(time.monotonic())

    async def code(self) -> grpc.StatusCode:
        await asyncio.sleep(min(self._jobstore.takes_s, self._timeout_s))
        if self._jobstore.takes_s >= self._timeout_s:
            self._code = grpc.StatusCode.DEADLINE_EXCEEDED
        else:
            self._jobstore.renewed_at.append(time.monotonic())
        return self._code

    def cancel(self) -> None:
        pass

    def __await__(self) -> Generator[Any, None, pb.RenewLeasesResponse]:
        yield from asyncio.sleep(0).__await__()
        if self._code is not grpc.StatusCode.OK:
            raise grpc.aio.AioRpcError(self._code, grpc.aio.Metadata(), grpc.aio.Metadata())
        states = [pb.LEASE_STATE_KEEP for _ in self._request.held]
        return pb.RenewLeasesResponse(held=states, lease_s=LEASE_S)


def connect(*jobstores: Jobstore) -> SimpleNamespace:
    """A stub of jobstores, which calls the first at first."""
    made = channels.Channels([])
    made._jobstores = [channels.Jobstore("a:1", cast("Any", each), None) for each in jobstores]
    call = made.unary_unary("RenewLeases")
    call._method._turn = -1  # it is drawn by lot
    return SimpleNamespace(RenewLeases=call)


def make_worker(*jobstores: Jobstore) -> Worker:
    stub = connect(*jobstores)
    return Worker(
        "test", GrpcLeases(cast("Any", stub), pb.WORK_KIND_EXECUTING, "secret", 10), capacity=10, outcomes_max=20
    )


async def test_a_lease_is_renewed_at_the_other_jobstore_before_it_lapses(work: Work) -> None:
    silent, other = Jobstore(), Jobstore()
    worker = make_worker(silent, other)
    async with working(worker):
        held = await begun(worker, work)
        await until(lambda: len(silent.renewed_at) > 2, timeout_s=2 * LEASE_S)
        silent.takes_s = 16.0  # as a jobstore waits for its database
        asked = len(silent.asked_at) + 1
        await until(lambda: len(silent.asked_at) == asked, timeout_s=2 * LEASE_S)
        renewed = len(other.renewed_at)
        await until(lambda: len(other.renewed_at) > renewed, timeout_s=2 * LEASE_S)
        assert other.renewed_at[renewed] - silent.asked_at[-1] < LEASE_S * 2 / 3
        assert not held.has_lapsed()
        await asyncio.sleep(3 * LEASE_S)
        assert len(silent.asked_at) == asked  # it is left, and stays so until it says that it serves


async def test_a_call_waits_for_a_part_of_a_lease_and_one_that_ran_out_of_it_for_longer_until_it_is_fast() -> None:
    """A grant of which nobody hears would lapse: its claim is made again, elsewhere, while it lasts."""
    asked: list[tuple[str, float]] = []
    takes_s = {"claim": 0.0, "report": 0.0}

    def make_method(name: str) -> Any:
        async def call(_: object, *, timeout: float, metadata: object) -> str:  # noqa: ASYNC109 - as gRPC has it
            assert metadata == leases.metadata
            asked.append((name, timeout))
            if takes_s[name] >= timeout:
                raise grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata())
            return name

        return call

    leases = GrpcLeases(cast("Any", connect(Jobstore())), pb.WORK_KIND_EXECUTING, "secret", 10)
    claim, report = make_method("claim"), make_method("report")
    assert await leases.call(claim, pb.BeginExecutionsRequest(), CLAIM_WAIT) == "claim"
    await leases.renew(uuid4(), 1, [], [], [])
    takes_s["claim"] = LEASE_S
    with pytest.raises(TransientError):
        await leases.call(claim, pb.BeginExecutionsRequest(), CLAIM_WAIT)
    await leases.call(claim, pb.BeginExecutionsRequest(), CLAIM_WAIT)
    await leases.call(report, pb.BeginExecutionsRequest(), RENEWAL_WAIT)
    takes_s["claim"] = 0.0
    await leases.call(claim, pb.BeginExecutionsRequest(), CLAIM_WAIT)
    assert asked == [
        ("claim", CALL_TIMEOUT_S),
        ("claim", LEASE_S * 2 / 3),
        ("claim", CALL_TIMEOUT_S),
        ("report", LEASE_S / 3),
        ("claim", LEASE_S * 2 / 3),
    ]


async def test_where_all_are_slow_renewals_are_waited_for(work: Work) -> None:
    """As with a database that takes its time: a renewal that comes late renews all the same."""
    jobstores = Jobstore(), Jobstore()
    worker = make_worker(*jobstores)
    async with working(worker):
        held = await begun(worker, work)
        await until(lambda: jobstores[0].renewed_at, timeout_s=2 * LEASE_S)
        for jobstore in jobstores:
            jobstore.takes_s = LEASE_S * 0.4
        await asyncio.sleep(CALL_TIMEOUT_S)
        before = held.expires_at
        await asyncio.sleep(2 * LEASE_S)
        assert held.expires_at > before
        assert not held.has_lapsed()
