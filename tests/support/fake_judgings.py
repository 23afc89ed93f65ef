"""Judgings in memory, over gRPC: each case is judged at once, by whether its result says a criterion's word."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

from datetime import UTC, datetime
from typing import Any

from contracts.judging.policy import Verdict
from contracts.resources import JudgingCase, NewJudgings
from signoff.judging import CriterionChange, CriterionDiff, CriterionVerdict, Flip, Judging, RejudgeReport
from signoff.status import JudgingKind, JudgingState, Outcome
from signoff.v1 import judging_service_pb2 as pb
from signoff.v1.judging_service_pb2_grpc import JudgingServiceServicer
from signoff.wire import read_fields, write_message
from support.fake_operations import id_of

REPORT = RejudgeReport(
    judged=2,
    judged_before=2,
    accepted_before=2,
    accepted_after=1,
    flipped=1,
    failed={"execution_live": 1},
    cost_usd=0.5,
    criteria=[CriterionDiff(text="blue", judged=2, changed=1, outcomes={"pass > fail": 1, "pass > pass": 1})],
    flips=[
        Flip(
            item=1,
            job_id="a",
            was_valid=True,
            is_valid=False,
            criteria=[CriterionChange(text="blue", before=Outcome.PASS, after=Outcome.FAIL)],
        )
    ],
    next_page_token="more",
)


class FakeJudgings(JudgingServiceServicer):
    """Judges at once, and keeps what it was asked."""

    def __init__(self) -> None:
        self.judgings: dict[str, list[Judging]] = {}
        self.asked: list[pb.CreateJudgingsRequest] = []
        self.held_back_until: datetime | None = None

    async def CreateJudgings(self, request, context):
        self.asked.append(request)
        new, group_id = NewJudgings(**read_fields(request)), id_of(request.idempotency_key)
        self.judgings[group_id] = [_judge(new.kind, case, n) for n, case in enumerate(new.cases)]
        return pb.CreateJudgingsResponse(id=group_id)

    async def GetJudgings(self, request, context):
        return write_message(pb.GetJudgingsResponse, {"judgings": list(self.judgings[request.judgings_id])})

    async def WatchJudgings(self, request, context):
        total = len(self.judgings[request.judgings_id])
        yield write_message(pb.WatchJudgingsResponse, {"total": total, "held_back_until": self.held_back_until})
        yield pb.WatchJudgingsResponse(total=total, answered=total)

    async def GetRejudgeReport(self, request, context):
        return write_message(pb.GetRejudgeReportResponse, REPORT)


def _judge(kind: JudgingKind, case: JudgingCase, number: int) -> Judging:
    about: dict[str, Any] = {"item": number, "kind": kind, "state": JudgingState.DONE, "created_at": datetime.now(UTC)}
    if case.result == "away":
        return Judging(**about, code="judge_unreachable", message="nobody answers")
    if kind is JudgingKind.TEST:
        return Judging(**about, probe={"api": "chat"})
    text = case.acceptance_criteria
    outcome = Outcome.PASS if text in str(case.result) else Outcome.FAIL
    verdict = Verdict.of([CriterionVerdict(text=text, outcome=outcome)], "because", "a model")
    return Judging(**about, verdict=verdict, cost_usd=0.25, duration_s=1.0)
