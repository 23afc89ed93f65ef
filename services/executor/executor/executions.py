"""Claim executions at the jobstore over gRPC."""

import json
from collections.abc import Sequence
from functools import partial
from uuid import UUID

from contracts.agents import DEFAULT_TENANT
from contracts.resources import Policy
from contracts.spending import Budget
from executor.ports import Claim, Grant
from servicekit.errors import TransientError
from servicekit.leasing.client import CLAIM_WAIT, ClaimDenied, GrpcLeases, claim_in_chunks, read_denial, read_lease
from signoff.errors import ErrorCode
from signoff.status import CALLABLE_PROTOCOLS, Protocol
from signoff.v1 import resources_pb2 as resources_pb
from signoff.wire import read, read_dataclass, read_field, write_message, write_word
from signoff.worker.v1 import work_service_pb2 as pb

_PROTOCOLS = resources_pb.Protocol.DESCRIPTOR


class GrpcExecutions:
    """Claim executions at the jobstore over gRPC."""

    def __init__(self, leases: GrpcLeases) -> None:
        self._leases = leases
        leases.protocols = [write_word(_PROTOCOLS, protocol) for protocol in CALLABLE_PROTOCOLS]

    async def claim(self, owner: UUID, room: int, claims: Sequence[Claim]) -> list[Grant | ClaimDenied]:
        """Claim executions, and return one answer to each claim, in order. At most `room` answers are new grants.

        Raise TransientError if the jobstore is out of reach.
        """
        begin = partial(self._begin, owner)
        return await claim_in_chunks(claims, lambda claim: len(claim.request), room, begin)

    async def _begin(self, owner: UUID, claims: Sequence[Claim], room: int) -> list[Grant | ClaimDenied]:
        messages = [write_message(pb.ExecutionClaim, claim) for claim in claims]
        request = write_message(
            pb.BeginExecutionsRequest,
            {"owner": owner, "room": room, "capacity": self._leases.capacity},
            claims=messages,
            protocols=self._leases.protocols,
        )
        try:
            answer = await self._leases.call(self._leases.stub.BeginExecutions, request, CLAIM_WAIT)
        except TransientError as error:
            if error.code != ErrorCode.RESOURCE_EXHAUSTED or len(claims) == 1:
                raise
            # The leases are granted by now, and the jobstore gives their owner the same answers again.
            half = len(claims) // 2
            return [*await self._begin(owner, claims[:half], room), *await self._begin(owner, claims[half:], room)]
        return [_read_answer(a) for a in answer.answers]


def _read_answer(answer: pb.ExecutionAnswer) -> Grant | ClaimDenied:
    if answer.outcome != pb.CLAIM_OUTCOME_GRANTED:
        return read_denial(answer, answer.job_id)
    return read_grant(answer.grant, answer.job_id)


def read_grant(grant: pb.ExecutionGrant, job_id: str) -> Grant:
    """Return a grant as it is used here."""
    policy = read(grant.policy, Policy)
    protocol = read_field(grant, "protocol")
    left_usd, left_tokens = read_field(grant, "budget_left_usd"), read_field(grant, "budget_left_tokens")
    return read_dataclass(
        grant,
        Grant,
        lease=read_lease(grant.lease),
        job_id=job_id,
        agent_tenant=grant.agent_tenant or DEFAULT_TENANT,
        names=(f"tenant:{grant.tenant}", f"agent:{grant.agent_id}"),
        protocol=protocol if isinstance(protocol, Protocol) else None,  # one that is not known here, too
        policy=policy,
        settings=json.loads(grant.settings_json) if grant.settings_json else {},
        budget=Budget.with_left(policy.budget_usd, left_usd, policy.budget_tokens, left_tokens),
    )
