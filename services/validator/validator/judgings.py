"""Claim judgings at the jobstore over gRPC, and report the settings by which this validator judges."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from contracts.agents import DEFAULT_TENANT
from contracts.judging.policy import JudgePolicy
from contracts.spending import Budget
from servicekit.errors import ServiceError
from servicekit.leasing.client import (
    CALL_TIMEOUT_S,
    CLAIM_WAIT,
    RENEWAL_WAIT,
    ClaimDenied,
    GrpcLeases,
    claim_in_chunks,
    prove,
    read_denial,
    read_lease,
    translate_errors,
)
from servicekit.leasing.worker import Lease
from signoff.wire import read_dataclass, write_message, write_row
from signoff.worker.v1 import work_service_pb2 as pb
from validator.ports import Claim, FreeGrant, FreeOutcome, Grant, JudgingGrant

if TYPE_CHECKING:
    from signoff.worker.v1.work_service_pb2_grpc import WorkServiceAsyncStub

log = logging.getLogger(__name__)

G = TypeVar("G", bound=JudgingGrant)


class GrpcFreeJudgings:
    """Take judgings without a job from the jobstore over gRPC, and report their outcomes."""

    def __init__(self, leases: GrpcLeases) -> None:
        self._leases = leases

    async def watch(self) -> AsyncIterator[int]:
        """Yield how many judgings wait, now and later on. Raise TransientError if the jobstore is out of reach."""
        with translate_errors():
            async for answer in self._leases.stub.WatchWaitingJudgings(
                pb.WatchWaitingJudgingsRequest(), metadata=self._leases.metadata
            ):
                yield answer.judgings_waiting

    async def take(self, owner: UUID, room: int) -> list[FreeGrant]:
        """Take up to `room` waiting judgings. Raise TransientError if the jobstore is out of reach."""
        request = pb.BeginJudgingsRequest(owner=str(owner), take=room)
        answer = await self._leases.call(self._leases.stub.BeginJudgings, request, CLAIM_WAIT)
        return [_read_grant(one, FreeGrant, kind=one.judging_kind, size=one.ByteSize()) for one in answer.taken]

    async def finish(
        self, owner: UUID, outcomes: Mapping[Lease, FreeOutcome], held: Sequence[Lease], given_back: Sequence[Lease]
    ) -> set[Lease]:
        """Report outcomes, renew the leases `held` and give others back. Return those of `held` that are kept."""
        request = pb.FinishJudgingsRequest(
            owner=str(owner),
            outcomes=[
                write_row(pb.JudgingOutcome, each, lease=prove(lease, owner)) for lease, each in outcomes.items()
            ],
            held=[prove(lease, owner) for lease in held],
            given_back=[prove(lease, owner) for lease in given_back],
        )
        answer = await self._leases.call(self._leases.stub.FinishJudgings, request, RENEWAL_WAIT)
        return {lease for lease, state in zip(held, answer.held, strict=True) if state == pb.LEASE_STATE_KEEP}


class GrpcJudgings:
    """Claim results for judging over gRPC. `judge` is the name under which earlier verdicts may be reused."""

    def __init__(self, leases: GrpcLeases, judge: str) -> None:
        self._leases = leases
        self._judge = judge

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant | ClaimDenied]:
        """Claim results, and return one answer to each claim, in order. At most `room` answers are new grants.

        Raise TransientError if the jobstore is out of reach.
        """
        return await claim_in_chunks(claims, lambda claim: len(claim.result), room, partial(self._begin, owner))

    async def _begin(self, owner: UUID, claims: Sequence[Claim], room: int) -> list[Grant | ClaimDenied]:
        messages = [write_message(pb.JudgingClaim, claim) for claim in claims]
        request = pb.BeginJudgingsRequest(owner=str(owner), room=room, claims=messages, model_and_prompt=self._judge)
        answer = await self._leases.call(self._leases.stub.BeginJudgings, request, CLAIM_WAIT)
        return [_read_answer(each) for each in answer.answers]


def _read_answer(answer: pb.JudgingAnswer) -> Grant | ClaimDenied:
    if answer.outcome != pb.CLAIM_OUTCOME_GRANTED:
        return read_denial(answer)
    return _read_grant(answer, Grant)


def _read_grant(answer: pb.JudgingAnswer, kind_of_grant: type[G], **fields: Any) -> G:
    budget = Budget.with_left(
        answer.budget_usd if answer.HasField("budget_usd") else None,
        answer.budget_left_usd if answer.HasField("budget_left_usd") else None,
        answer.budget_tokens if answer.HasField("budget_tokens") else None,
        answer.budget_left_tokens if answer.HasField("budget_left_tokens") else None,
    )
    fields |= {"policy_tenant": answer.policy_tenant or DEFAULT_TENANT}
    fields |= {"lease": read_lease(answer.lease), "policy": answer.judge_policy_json, "budget": budget}
    return read_dataclass(answer, kind_of_grant, **fields)


#: Seconds between two reports of the settings: a jobstore whose database was emptied misses them for as long.
REPORT_EVERY_S: Final = 60.0
#: Seconds until the next try while no report was taken yet.
REPORT_AGAIN_S: Final = 2.0


class SettingsReport:
    """Report judge settings to the jobstore for ever; `policy` is the version of `default` with them, None until known.

    `keys` has, by a key's name, the base URLs to which the key may be sent; the keys themselves are not reported.
    """

    def __init__(
        self,
        stub: "WorkServiceAsyncStub",
        metadata: tuple[tuple[str, str], ...],
        owner: UUID,
        settings: JudgePolicy,
        keys: Mapping[str, Sequence[str]] = {},
    ) -> None:
        self._stub = stub
        self._metadata = metadata
        self._request = pb.ReportJudgeRequest(
            owner=str(owner),
            policy_json=settings.model_dump_json(),
            keys=[pb.JudgeKey(name=name, base_urls=urls) for name, urls in keys.items()],
        )
        self.policy: str | None = None

    async def run(self) -> None:
        """Report the settings now and every REPORT_EVERY_S, for ever, also after failures."""
        while True:
            try:
                with translate_errors():
                    answer = await self._stub.ReportJudge(
                        self._request, timeout=CALL_TIMEOUT_S, metadata=self._metadata
                    )
            except ServiceError as error:
                log.debug("the settings of the judge are not reported", extra={"code": error.code})
                await asyncio.sleep(REPORT_AGAIN_S if self.policy is None else REPORT_EVERY_S)
                continue
            if answer.policy != self.policy:
                log.info("results are judged by these settings", extra={"policy": answer.policy})
                self.policy = answer.policy
            await asyncio.sleep(REPORT_EVERY_S)
