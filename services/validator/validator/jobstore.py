"""The jobstore's grants of judgings, over gRPC."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from servicekit.leases import CALL_TIMEOUT_S, CLAIMS_MAX, CLAIMS_MAX_BYTES, translated
from servicekit.retry import by_size
from signoff.v1 import work_service_pb2 as pb
from validator.ports import Turned

if TYPE_CHECKING:
    from signoff.v1.work_service_pb2_grpc import WorkServiceAsyncStub


class GrpcJudgings:
    """Claims results at the jobstore."""

    def __init__(self, stub: "WorkServiceAsyncStub", metadata: tuple[tuple[str, str], ...]) -> None:
        self._stub = stub
        self._metadata = metadata

    async def begin(self, owner: UUID, room: int, results: Sequence[bytes]) -> list[tuple[int, float] | Turned]:
        """Claim results, one answer each. TransientError: the jobstore is out of reach."""
        answers: list[tuple[int, float] | Turned] = []
        for chunk in by_size(results, len, most=CLAIMS_MAX, bytes_max=CLAIMS_MAX_BYTES):
            free = room - sum(isinstance(answer, tuple) for answer in answers)
            request = pb.BeginJudgingsRequest(owner=str(owner), room=free, results=chunk)
            with translated():
                answer = await self._stub.BeginJudgings(request, timeout=CALL_TIMEOUT_S, metadata=self._metadata)
            answers += [_answer(a) for a in answer.answers]
        return answers


def _answer(answer: pb.JudgingAnswer) -> tuple[int, float] | Turned:
    if answer.outcome == pb.CLAIM_OUTCOME_GRANTED:
        return answer.lease, answer.lease_s
    return Turned(pb.ClaimOutcome.Name(answer.outcome).removeprefix("CLAIM_OUTCOME_"), answer.code, answer.message)
