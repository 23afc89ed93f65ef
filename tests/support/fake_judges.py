"""The doors of judge policies and criteria sets of the jobstore in memory."""

# ruff: noqa: ARG002, N802 - the names and arguments are gRPC's

from datetime import UTC, datetime
from typing import Any

import grpc

from contracts.criteria import format_criteria, join_forms
from contracts.judging.policy import JudgePolicy
from contracts.judging.versions import JudgePolicyVersion, NamedJudgePolicy, Report, make_golden, read_golden
from contracts.lint import find_notes, find_warnings
from contracts.resources import criteria_of
from signoff.judging import CriteriaSetVersion, NamedCriteriaSet, NamedGoldenSet, NameMove
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.judge_service_pb2_grpc import JudgeServiceServicer
from signoff.wire import write_message
from support.fake_operations import Refusal

Status = grpc.StatusCode


class FakeJudges(JudgeServiceServicer):
    """Policies and sets by name; what validators have said."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: dict[str, NamedJudgePolicy] = {}
        self.sets: dict[str, NamedCriteriaSet] = {}
        self.golden: dict[str, NamedGoldenSet] = {}
        self.validators: list[pb.Validator] = []
        self.warnings: list[pb.JudgingWarning] = []
        self.kept: list[str] = []

    async def ListJudgePolicies(self, request, context):
        policies = [write_message(pb.JudgePolicy, each) for each in self.policies.values()]
        return pb.ListJudgePoliciesResponse(policies=policies, validators=self.validators)

    async def GetJudgePolicy(self, request, context):
        return write_message(pb.GetJudgePolicyResponse, {"policy": _page(self._policy(request.name), request)})

    async def PutJudgePolicy(self, request, context):
        policy = JudgePolicy.model_validate_json(request.policy_json)
        known = self.policies.get(policy.name) or NamedJudgePolicy(name=policy.name, newest=0)
        _check(known, request, "judge_policy_conflict")
        number = known.newest + 1
        made: dict[str, Any] = {"created_at": datetime.now(UTC), "actor": "token:bootstrap"}
        version = JudgePolicyVersion(
            version=number,
            policy=policy.model_copy(update={"version": number}),
            note=request.note if request.HasField("note") else None,
            **made,
        )
        moves = [NameMove(version=number, **made), *known.moves] if number == 1 else known.moves
        changes = {"newest": number, "versions": [version, *known.versions], "moves": moves}
        self.policies[policy.name] = known.model_copy(update=changes | {"current": known.current or 1})
        shown = write_message(pb.JudgePolicy, self.policies[policy.name])
        return pb.PutJudgePolicyResponse(policy=shown, version=number, warnings=self.warnings)

    async def PromoteJudgePolicy(self, request, context):
        known = self._policy(request.name)
        if request.version > known.newest:
            raise Refusal(Status.NOT_FOUND, "unknown_judge_policy")
        golden = self.golden.get(request.name)
        if golden and not golden.is_retired and not request.HasField("force_reason"):
            if not request.HasField("report_json"):
                raise Refusal(Status.FAILED_PRECONDITION, "golden_not_evaluated")
            Report.model_validate_json(request.report_json)
        self.policies[request.name] = known.model_copy(update={"current": request.version})
        return write_message(pb.PromoteJudgePolicyResponse, {"policy": self.policies[request.name]})

    async def RetireJudgePolicy(self, request, context):
        self.policies[request.name] = self._policy(request.name).model_copy(update={"current": None})
        return write_message(pb.RetireJudgePolicyResponse, {"policy": self.policies[request.name]})

    async def KeepEvaluation(self, request, context):
        self.kept.append(request.evaluation)
        return pb.KeepEvaluationResponse()

    async def PutGoldenSet(self, request, context):
        rates = {field.name: value for field, value in request.ListFields() if field.name.endswith(("_min", "_max"))}
        rule, body = make_golden(request.cases_jsonl.encode().splitlines(), **rates)
        known = self.golden.get(request.name)
        made = {"name": request.name, "version": known.version + 1 if known else 1, "cases_jsonl": read_golden(body)[1]}
        who = {"is_retired": False, "created_at": datetime.now(UTC), "actor": "token:bootstrap"}
        self.golden[request.name] = NamedGoldenSet(**rule.model_dump(), **made, **who)
        return pb.PutGoldenSetResponse(golden=self._golden_message(request.name))

    async def GetGoldenSet(self, request, context):
        return pb.GetGoldenSetResponse(golden=self._golden_message(request.name))

    async def RetireGoldenSet(self, request, context):
        self._golden_message(request.name)
        self.golden[request.name] = self.golden[request.name].model_copy(update={"is_retired": True})
        return pb.RetireGoldenSetResponse(golden=self._golden_message(request.name))

    def _golden_message(self, name: str) -> pb.GoldenSet:
        if name not in self.golden:
            raise Refusal(Status.NOT_FOUND, "unknown_golden_set")
        return pb.GoldenSet(**self.golden[name].model_dump(exclude_none=True))

    async def ListCriteriaSets(self, request, context):
        return write_message(pb.ListCriteriaSetsResponse, {"sets": list(self.sets.values())})

    async def GetCriteriaSet(self, request, context):
        if request.name not in self.sets:
            raise Refusal(Status.NOT_FOUND, "unknown_criteria_set")
        return write_message(pb.GetCriteriaSetResponse, {"set": _page(self.sets[request.name], request)})

    async def PutCriteriaSet(self, request, context):
        criteria = _read(request)
        known = self.sets.get(request.name) or NamedCriteriaSet(name=request.name, newest=0)
        _check(known, request, "criteria_set_conflict")
        number = known.newest + 1
        version = CriteriaSetVersion(
            version=number,
            acceptance_criteria=format_criteria(criteria),
            created_at=datetime.now(UTC),
            actor="token:bootstrap",
        )
        changes = {"newest": number, "current": number, "versions": [version, *known.versions]}
        self.sets[request.name] = known.model_copy(update=changes)
        warnings = [write_message(resources_pb.CriterionWarning, each) for each in find_warnings(criteria)]
        shown = write_message(pb.CriteriaSet, self.sets[request.name])
        return pb.PutCriteriaSetResponse(set=shown, version=number, warnings=warnings)

    async def RetireCriteriaSet(self, request, context):
        if request.name not in self.sets:
            raise Refusal(Status.NOT_FOUND, "unknown_criteria_set")
        self.sets[request.name] = self.sets[request.name].model_copy(update={"current": None})
        return write_message(pb.RetireCriteriaSetResponse, {"set": self.sets[request.name]})

    async def LintCriteria(self, request, context):
        criteria = _read(request)
        warnings, notes = find_warnings(criteria), find_notes(criteria)
        return pb.LintCriteriaResponse(
            warnings=[write_message(resources_pb.CriterionWarning, each) for each in warnings],
            notes=[write_message(resources_pb.CriterionWarning, each) for each in notes],
        )

    def _policy(self, name: str) -> NamedJudgePolicy:
        if name not in self.policies:
            raise Refusal(Status.NOT_FOUND, "unknown_judge_policy")
        return self.policies[name]


def _page(known: Any, request: Any) -> Any:
    versions = [each for each in known.versions if not request.before or each.version < request.before]
    return known.model_copy(update={"versions": versions[: request.page_size or 50]})


def _check(known: Any, request: Any, code: str) -> None:
    if request.HasField("version") and request.version != known.newest:
        raise Refusal(Status.ALREADY_EXISTS, code)


def _read(request: Any) -> Any:
    text = request.acceptance_criteria or None
    return join_forms(text, criteria_of(request) if request.criteria else None)[1]
