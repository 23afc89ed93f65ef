"""Serve JudgeService over gRPC: judge policies and criteria sets, and the lint of criteria."""

from collections.abc import Iterator, Sequence
from typing import Final

from pydantic import TypeAdapter

from contracts.criteria import CriteriaError, Criterion, format_criteria, join_forms
from contracts.judging.policy import JudgePolicy, Name
from contracts.judging.versions import Report, make_golden
from contracts.lint import find_notes, find_warnings
from contracts.resources import criteria_of
from jobstore.api.requests import (
    CALLER,
    Context,
    check_text_size,
    make_page_token,
    parse_page_size,
    parse_page_token,
    parse_uuid,
    read_version,
    reject_nul,
)
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import InvalidError
from jobstore.judging import reads
from jobstore.judging.commands import KeepEvaluation, PromoteVersion, PutVersion, RetireName, make_unknown_error
from jobstore.judging.reads import count_evaluation, find_evaluated
from jobstore.judging.rules import POLICY_MAX_BYTES, Kind, Named, format_body
from jobstore.judging.store import Validator, list_validators
from signoff.errors import ErrorCode
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.v1.judge_service_pb2_grpc import JudgeServiceServicer
from signoff.wire import write_message

#: Characters that a note or a reason has at most.
NOTE_MAX: Final = 1_000
#: Validators that are told of at most.
VALIDATORS_MAX: Final = 500
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)


class JudgeService(JudgeServiceServicer):
    """Serve what results are judged by."""

    def __init__(self, database: Database, runner: CommandRunner, payload_max_bytes: int) -> None:
        self._database, self._read = database, database.for_callers()
        self._runner = runner
        self._payload_max_bytes = payload_max_bytes

    async def ListJudgePolicies(
        self, request: pb.ListJudgePoliciesRequest, context: Context
    ) -> pb.ListJudgePoliciesResponse:
        del context
        limit, after = parse_page_size(request.page_size, 100), parse_page_token(request, str)
        async with self._read.session() as session:
            policies = await reads.list_judge_policies(session, limit, after or "")
        validators = [
            write_message(pb.Validator, each, keys=sorted(each.keys)) for each in await self._list_validators()
        ]
        return pb.ListJudgePoliciesResponse(
            policies=[write_message(pb.JudgePolicy, each) for each in policies],
            next_page_token=make_page_token(request, (policies[-1].name,) if len(policies) == limit else None),
            validators=validators,
        )

    async def GetJudgePolicy(self, request: pb.GetJudgePolicyRequest, context: Context) -> pb.GetJudgePolicyResponse:
        del context
        return pb.GetJudgePolicyResponse(
            policy=await self._show_policy(request.name, request.page_size, request.before)
        )

    async def PutJudgePolicy(self, request: pb.PutJudgePolicyRequest, context: Context) -> pb.PutJudgePolicyResponse:
        del context
        check_text_size(request.policy_json, 4 * POLICY_MAX_BYTES)  # with white space, which is not stored
        policy = JudgePolicy.model_validate_json(request.policy_json)
        expected = request.version if request.HasField("version") else policy.version or None
        note, actor = _read_note(request.note, "note"), CALLER.get()
        put = PutVersion(Named(Kind.JUDGE, policy.name), format_body(policy), note, expected=expected, actor=actor)
        version = await self._runner.administer.run_one(put)
        shown = await self._show_policy(policy.name)
        warnings = [*_find_key_warnings(policy, await self._list_validators()), *shown.versions[0].warnings]
        return pb.PutJudgePolicyResponse(policy=shown, version=version, warnings=warnings)

    async def PromoteJudgePolicy(
        self, request: pb.PromoteJudgePolicyRequest, context: Context
    ) -> pb.PromoteJudgePolicyResponse:
        del context
        named, reason = Named(Kind.JUDGE, request.name), _read_note(request.force_reason, "force_reason")
        check_text_size(request.report_json, self._payload_max_bytes)
        report = Report.model_validate_json(request.report_json) if request.HasField("report_json") else None
        evaluated = None
        if report is not None:
            async with self._database.session() as session:
                evaluated = await find_evaluated(session, request.name, request.version, report.evaluation)
        newest, actor = request.newest if request.HasField("newest") else None, CALLER.get()
        promote = PromoteVersion(named, request.version, reason, report, evaluated, expected=newest, actor=actor)
        await self._runner.administer.run_one(promote)
        return pb.PromoteJudgePolicyResponse(policy=await self._show_policy(request.name))

    async def RetireJudgePolicy(
        self, request: pb.RetireJudgePolicyRequest, context: Context
    ) -> pb.RetireJudgePolicyResponse:
        del context
        named, reason = Named(Kind.JUDGE, request.name), _read_note(request.reason, "reason")
        retire = RetireName(named, reason, expected=read_version(request), actor=CALLER.get())
        await self._runner.administer.run_one(retire)
        return pb.RetireJudgePolicyResponse(policy=await self._show_policy(request.name))

    async def KeepEvaluation(self, request: pb.KeepEvaluationRequest, context: Context) -> pb.KeepEvaluationResponse:
        del context
        evaluation = parse_uuid(request.evaluation, "evaluation")
        evaluated = await count_evaluation(self._database, evaluation)
        keep = KeepEvaluation(evaluation, evaluated, actor=CALLER.get())
        return pb.KeepEvaluationResponse(references=await self._runner.administer.run_one(keep))

    async def PutGoldenSet(self, request: pb.PutGoldenSetRequest, context: Context) -> pb.PutGoldenSetResponse:
        del context
        name, note = _NAME.validate_python(request.name), _read_note(request.note, "note")
        check_text_size(request.cases_jsonl, self._payload_max_bytes)
        shares = {"true_positive_rate_min", "true_negative_rate_min", "flips_max"}
        asked = {field.name: share for field, share in request.ListFields() if field.name in shares}
        try:
            _, body = make_golden(request.cases_jsonl.encode().splitlines(), **asked)
        except ValueError as error:
            raise InvalidError(f"no golden set: {error}", code=ErrorCode.GOLDEN_SET_INVALID) from error
        expected = read_version(request)
        put = PutVersion(Named(Kind.GOLDEN, name), body, note, expected=expected, actor=CALLER.get())
        await self._runner.administer.run_one(put)
        return pb.PutGoldenSetResponse(golden=await self._show_golden(name))

    async def GetGoldenSet(self, request: pb.GetGoldenSetRequest, context: Context) -> pb.GetGoldenSetResponse:
        del context
        return pb.GetGoldenSetResponse(golden=await self._show_golden(request.name))

    async def RetireGoldenSet(self, request: pb.RetireGoldenSetRequest, context: Context) -> pb.RetireGoldenSetResponse:
        del context
        named, reason = Named(Kind.GOLDEN, request.name), _read_note(request.reason, "reason")
        retire = RetireName(named, reason, expected=read_version(request), actor=CALLER.get())
        await self._runner.administer.run_one(retire)
        return pb.RetireGoldenSetResponse(golden=await self._show_golden(request.name))

    async def ListCriteriaSets(
        self, request: pb.ListCriteriaSetsRequest, context: Context
    ) -> pb.ListCriteriaSetsResponse:
        del context
        limit, after = parse_page_size(request.page_size, 100), parse_page_token(request, str)
        async with self._read.session() as session:
            sets = await reads.list_criteria_sets(session, limit, after or "")
        token = make_page_token(request, (sets[-1].name,) if len(sets) == limit else None)
        return write_message(pb.ListCriteriaSetsResponse, {"sets": sets, "next_page_token": token})

    async def GetCriteriaSet(self, request: pb.GetCriteriaSetRequest, context: Context) -> pb.GetCriteriaSetResponse:
        del context
        return pb.GetCriteriaSetResponse(set=await self._show_set(request.name, request.page_size, request.before))

    async def PutCriteriaSet(self, request: pb.PutCriteriaSetRequest, context: Context) -> pb.PutCriteriaSetResponse:
        del context
        name, criteria = _NAME.validate_python(request.name), _read_criteria(request)
        body = format_criteria(criteria)
        check_text_size(body, self._payload_max_bytes)
        note = _read_note(request.note, "note")
        put = PutVersion(Named(Kind.CRITERIA, name), body, note, expected=read_version(request), actor=CALLER.get())
        version = await self._runner.administer.run_one(put)
        warnings = [write_message(resources_pb.CriterionWarning, warning) for warning in find_warnings(criteria)]
        return pb.PutCriteriaSetResponse(set=await self._show_set(name), version=version, warnings=warnings)

    async def RetireCriteriaSet(
        self, request: pb.RetireCriteriaSetRequest, context: Context
    ) -> pb.RetireCriteriaSetResponse:
        del context
        named, reason = Named(Kind.CRITERIA, request.name), _read_note(request.reason, "reason")
        retire = RetireName(named, reason, expected=read_version(request), actor=CALLER.get())
        await self._runner.administer.run_one(retire)
        return pb.RetireCriteriaSetResponse(set=await self._show_set(request.name))

    async def LintCriteria(self, request: pb.LintCriteriaRequest, context: Context) -> pb.LintCriteriaResponse:
        del context
        criteria = _read_criteria(request)
        warnings, notes = find_warnings(criteria), find_notes(criteria)
        return write_message(pb.LintCriteriaResponse, {"warnings": warnings, "notes": notes})

    async def _show_policy(self, name: str, page_size: int = 0, before: int = 0) -> pb.JudgePolicy:
        limit = _parse_versions_page(page_size, before)
        async with self._database.session() as session:
            found = await reads.get_judge_policy(session, name, limit, before)
        if found is None:
            raise make_unknown_error(Kind.JUDGE, name[:100])
        return write_message(pb.JudgePolicy, found)

    async def _show_golden(self, name: str) -> pb.GoldenSet:
        async with self._database.session() as session:
            found = await reads.get_golden_set(session, name)
        if found is None:
            raise make_unknown_error(Kind.GOLDEN, name[:100])
        return write_message(pb.GoldenSet, found)

    async def _show_set(self, name: str, page_size: int = 0, before: int = 0) -> pb.CriteriaSet:
        limit = _parse_versions_page(page_size, before)
        async with self._database.session() as session:
            found = await reads.get_criteria_set(session, name, limit, before)
        if found is None:
            raise make_unknown_error(Kind.CRITERIA, name[:100])
        return write_message(pb.CriteriaSet, found)

    async def _list_validators(self) -> list[Validator]:
        async with self._read.session() as session:
            return await list_validators(session, self._runner.terms.alive_s, VALIDATORS_MAX)


def _parse_versions_page(page_size: int, before: int) -> int:
    if before < 0:
        raise InvalidError("must not be negative", field="before")
    return parse_page_size(page_size, reads.VERSIONS_PAGE, reads.VERSIONS_PAGE)


def _read_note(text: str, field: str) -> str | None:
    if len(text) > NOTE_MAX:
        raise InvalidError(f"has {len(text)} characters, and {NOTE_MAX} at most", field=field)
    return reject_nul(text or None)


def _read_criteria(request: pb.PutCriteriaSetRequest | pb.LintCriteriaRequest) -> list[Criterion]:
    """Return the criteria that a request gives, in either form. InvalidError: a set cannot have them."""
    text = reject_nul(request.acceptance_criteria or None)
    try:
        return join_forms(text, criteria_of(request) if request.criteria or text is None else None)[1]
    except CriteriaError as error:
        raise InvalidError(str(error), code=error.code) from error


def _find_key_warnings(policy: JudgePolicy, validators: Sequence[Validator]) -> Iterator[pb.JudgingWarning]:
    """Yield what validators would refuse of a policy's keys, as far as they have said which they have."""
    said = [validator.keys for validator in validators if validator.judge]
    judges = [judge for judge in policy.list_judges() if judge.key is not None] if said else []
    for key, base_url in dict.fromkeys((judge.key or "", judge.base_url) for judge in judges):
        lacking = sum(key not in keys for keys in said)
        if lacking:
            message = f"{lacking} of {len(said)} validators have no key {key}: name it in their SIGNOFF_JUDGE_KEYS"
            yield pb.JudgingWarning(code=ErrorCode.JUDGE_KEY_UNKNOWN, message=message)
        elif base_url is not None and not all(_may_be_sent(base_url, keys[key]) for keys in said):
            message = f"the key {key} may not be sent to {base_url}: add that URL to it in SIGNOFF_JUDGE_KEYS"
            yield pb.JudgingWarning(code=ErrorCode.JUDGE_KEY_ELSEWHERE, message=message)


def _may_be_sent(base_url: str, allowed: Sequence[str]) -> bool:
    return base_url.rstrip("/") in {url.rstrip("/") for url in allowed}
