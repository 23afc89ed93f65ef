"""Serve JudgeService over gRPC: judge policies and criteria sets, and the lint of criteria."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message
from pydantic import TypeAdapter

from contracts.criteria import CriteriaError, Criterion, format_criteria, join_forms
from contracts.judging.policy import JudgePolicy, Name, join_reference
from contracts.judging.versions import Report, make_golden
from contracts.lint import find_notes, find_warnings
from contracts.resources import criteria_of
from jobstore.access.callers import find_actor
from jobstore.api.requests import (
    Context,
    check_text_size,
    make_page,
    parse_page,
    parse_page_size,
    parse_uuid,
    read_version,
    reject_nul,
)
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError
from jobstore.jobs.model import DEFAULT_TENANT
from jobstore.judging import reads
from jobstore.judging.commands import KeepEvaluation, PromoteVersion, PutVersion, RetireName, make_unknown_error
from jobstore.judging.reads import count_evaluation, find_evaluated
from jobstore.judging.rules import POLICY_MAX_BYTES, Kind, Named, Wanted, format_body
from jobstore.judging.store import Validator, list_validators, load_versions
from signoff.errors import ErrorCode
from signoff.v1 import judge_service_pb2 as pb
from signoff.v1.judge_service_pb2_grpc import JudgeServiceServicer
from signoff.wire import read_field, write_message

#: Characters that a note or a reason has at most.
NOTE_MAX: Final = 1_000
#: The highest number of validators that a list shows.
VALIDATORS_MAX: Final = 500
_NAME: Final[TypeAdapter[str]] = TypeAdapter(Name)
M = TypeVar("M", bound=Message)
#: The kinds, each with the message that shows it.
_POLICY: Final = (Kind.JUDGE, pb.JudgePolicy)
_CRITERIA: Final = (Kind.CRITERIA, pb.CriteriaSet)
_GOLDEN: Final = (Kind.GOLDEN, pb.GoldenSet)


class JudgeService(JudgeServiceServicer):
    """Serve judge policies, golden sets and criteria sets."""

    def __init__(self, database: Callers, runner: CommandRunner, payload_max_bytes: int) -> None:
        self._database, self._answering = database, database.answering
        self._administer, self._alive_s = runner.administer.run_one, runner.terms.alive_s
        self._payload_max_bytes = payload_max_bytes

    async def ListJudgePolicies(self, request: pb.ListJudgePoliciesRequest, _: Context) -> pb.ListJudgePoliciesResponse:
        limit, after = parse_page(request, 100, str)
        async with self._database.session(request.tenant) as session:
            policies = await reads.list_names(session, Kind.JUDGE, limit, after or "")
        page = make_page(pb.ListJudgePoliciesResponse, request, limit, "policies", policies, lambda last: (last.name,))
        for each in await self._list_validators():
            page.validators.append(write_message(pb.Validator, each, keys=sorted(each.keys)))
        return page

    async def GetJudgePolicy(self, request: pb.GetJudgePolicyRequest, _: Context) -> pb.GetJudgePolicyResponse:
        return pb.GetJudgePolicyResponse(
            policy=await self._show(*_POLICY, request.name, request.page_size, request.before)
        )

    async def PutJudgePolicy(self, request: pb.PutJudgePolicyRequest, _: Context) -> pb.PutJudgePolicyResponse:
        check_text_size(request.policy_json, 4 * POLICY_MAX_BYTES)  # its white space is not stored
        policy = JudgePolicy.model_validate_json(request.policy_json)
        expected = policy.version or None if (version := read_version(request)) is None else version
        note, actor = _read_note(request.note, "note"), find_actor()
        put = PutVersion(Named(Kind.JUDGE, policy.name), format_body(policy), note, expected=expected, actor=actor)
        version = await self._administer(put)
        shown = await self._show(*_POLICY, policy.name)
        warnings = [*await self._warn_of_keys(policy, version), *shown.versions[0].warnings]
        return pb.PutJudgePolicyResponse(policy=shown, version=version, warnings=warnings)

    async def PromoteJudgePolicy(
        self, request: pb.PromoteJudgePolicyRequest, _: Context
    ) -> pb.PromoteJudgePolicyResponse:
        named, reason = Named(Kind.JUDGE, request.name), _read_note(request.force_reason, "force_reason")
        check_text_size(request.report_json, self._payload_max_bytes)
        report = Report.model_validate_json(request.report_json) if request.HasField("report_json") else None
        evaluated = None
        if report is not None:
            async with self._answering.session() as session:
                evaluated = await find_evaluated(session, request.name, request.version, report.evaluation)
        newest, actor = read_field(request, "newest"), find_actor()
        promote = PromoteVersion(named, request.version, reason, report, evaluated, expected=newest, actor=actor)
        await self._administer(promote)
        return pb.PromoteJudgePolicyResponse(policy=await self._show(*_POLICY, request.name))

    async def RetireJudgePolicy(self, request: pb.RetireJudgePolicyRequest, _: Context) -> pb.RetireJudgePolicyResponse:
        await self._retire(Kind.JUDGE, request)
        return pb.RetireJudgePolicyResponse(policy=await self._show(*_POLICY, request.name))

    async def KeepEvaluation(self, request: pb.KeepEvaluationRequest, _: Context) -> pb.KeepEvaluationResponse:
        evaluation = parse_uuid(request.evaluation, "evaluation")
        evaluated = await count_evaluation(self._answering, evaluation)
        keep = KeepEvaluation(evaluation, evaluated, actor=find_actor())
        return pb.KeepEvaluationResponse(references=await self._administer(keep))

    async def PutGoldenSet(self, request: pb.PutGoldenSetRequest, _: Context) -> pb.PutGoldenSetResponse:
        name, note = _NAME.validate_python(request.name), _read_note(request.note, "note")
        check_text_size(request.cases_jsonl, self._payload_max_bytes)
        shares = {"true_positive_rate_min", "true_negative_rate_min", "flips_max"}
        asked = {field.name: share for field, share in request.ListFields() if field.name in shares}
        try:
            body = make_golden(request.cases_jsonl.encode().splitlines(), **asked)[1]
        except ValueError as error:
            raise InvalidError(f"no golden set: {error}", code=ErrorCode.GOLDEN_SET_INVALID) from error
        put = PutVersion(Named(Kind.GOLDEN, name), body, note, expected=read_version(request), actor=find_actor())
        await self._administer(put)
        return pb.PutGoldenSetResponse(golden=await self._show(*_GOLDEN, name))

    async def GetGoldenSet(self, request: pb.GetGoldenSetRequest, _: Context) -> pb.GetGoldenSetResponse:
        return pb.GetGoldenSetResponse(golden=await self._show(*_GOLDEN, request.name))

    async def RetireGoldenSet(self, request: pb.RetireGoldenSetRequest, _: Context) -> pb.RetireGoldenSetResponse:
        await self._retire(Kind.GOLDEN, request)
        return pb.RetireGoldenSetResponse(golden=await self._show(*_GOLDEN, request.name))

    async def ListCriteriaSets(self, request: pb.ListCriteriaSetsRequest, _: Context) -> pb.ListCriteriaSetsResponse:
        limit, after = parse_page(request, 100, str)
        async with self._database.session(request.tenant) as session:
            sets = await reads.list_names(session, Kind.CRITERIA, limit, after or "")
        return make_page(pb.ListCriteriaSetsResponse, request, limit, "sets", sets, lambda last: (last.name,))

    async def GetCriteriaSet(self, request: pb.GetCriteriaSetRequest, _: Context) -> pb.GetCriteriaSetResponse:
        return pb.GetCriteriaSetResponse(
            set=await self._show(*_CRITERIA, request.name, request.page_size, request.before)
        )

    async def PutCriteriaSet(self, request: pb.PutCriteriaSetRequest, _: Context) -> pb.PutCriteriaSetResponse:
        name, criteria = _NAME.validate_python(request.name), _read_criteria(request)
        body = format_criteria(criteria)
        check_text_size(body, self._payload_max_bytes)
        note = _read_note(request.note, "note")
        put = PutVersion(Named(Kind.CRITERIA, name), body, note, expected=read_version(request), actor=find_actor())
        version = await self._administer(put)
        shown, warnings = await self._show(*_CRITERIA, name), find_warnings(criteria)
        return write_message(pb.PutCriteriaSetResponse, {"version": version, "warnings": warnings}, set=shown)

    async def RetireCriteriaSet(self, request: pb.RetireCriteriaSetRequest, _: Context) -> pb.RetireCriteriaSetResponse:
        await self._retire(Kind.CRITERIA, request)
        return pb.RetireCriteriaSetResponse(set=await self._show(*_CRITERIA, request.name))

    async def LintCriteria(self, request: pb.LintCriteriaRequest, _: Context) -> pb.LintCriteriaResponse:
        criteria = _read_criteria(request)
        warnings, notes = find_warnings(criteria), find_notes(criteria)
        return write_message(pb.LintCriteriaResponse, {"warnings": warnings, "notes": notes})

    async def _retire(
        self, kind: Kind, request: pb.RetireJudgePolicyRequest | pb.RetireGoldenSetRequest | pb.RetireCriteriaSetRequest
    ) -> None:
        reason, expected = _read_note(request.reason, "reason"), read_version(request)
        await self._administer(RetireName(Named(kind, request.name), reason, expected=expected, actor=find_actor()))

    async def _show(self, kind: Kind, message: type[M], name: str, page_size: int = 0, before: int = 0) -> M:
        """Return the policy or set of a name, with a page of versions, as a message. NotFoundError: unknown name."""
        if before < 0:
            raise InvalidError("must not be negative", field="before")
        limit = parse_page_size(page_size, reads.VERSIONS_PAGE, reads.VERSIONS_PAGE)
        async with self._answering.session() as session:
            found = await reads.get_named(session, kind, name, limit, before)
        if found is None:
            raise make_unknown_error(kind, name[:100])
        return write_message(message, found)

    async def _warn_of_keys(self, policy: JudgePolicy, version: int) -> list[pb.JudgingWarning]:
        """Return the warnings of the keys in a stored policy; none of a tenant's, which validators do not report."""
        wanted = Wanted(Kind.JUDGE, join_reference(policy.name, version))
        async with self._database.session() as session:
            stored = (await load_versions(session, [wanted])).get(wanted)
        if stored is None or stored.tenant != DEFAULT_TENANT:
            return []
        return [*_find_key_warnings(policy, await self._list_validators())]

    async def _list_validators(self) -> list[Validator]:
        async with self._database.session() as session:
            return await list_validators(session, self._alive_s, VALIDATORS_MAX)


def _read_note(text: str, field: str) -> str | None:
    if len(text) > NOTE_MAX:
        raise InvalidError(f"has {len(text)} characters, and {NOTE_MAX} at most", field=field)
    return reject_nul(text or None)


def _read_criteria(request: pb.PutCriteriaSetRequest | pb.LintCriteriaRequest) -> list[Criterion]:
    """Return the criteria that a request gives, as text or as a list. InvalidError: no set may have these criteria."""
    text = reject_nul(request.acceptance_criteria or None)
    try:
        return join_forms(text, criteria_of(request) if request.criteria or text is None else None)[1]
    except CriteriaError as error:
        raise InvalidError(str(error), code=error.code) from error


def _find_key_warnings(policy: JudgePolicy, validators: Sequence[Validator]) -> Iterator[pb.JudgingWarning]:
    """Yield warnings of those keys in a policy that validators would refuse, by the keys that validators reported."""
    reported = [validator.keys for validator in validators if validator.judge]
    judges = [judge for judge in policy.list_judges() if judge.key is not None] if reported else []
    for key, base_url in dict.fromkeys((judge.key or "", judge.base_url) for judge in judges):
        lacking = sum(key not in keys for keys in reported)
        if lacking:
            message = f"{lacking} of {len(reported)} validators have no key {key}: name it in their SIGNOFF_JUDGE_KEYS"
            yield pb.JudgingWarning(code=ErrorCode.JUDGE_KEY_UNKNOWN, message=message)
        elif base_url is not None and not all(_may_be_sent(base_url, keys[key]) for keys in reported):
            message = f"the key {key} may not be sent to {base_url}: add that URL to it in SIGNOFF_JUDGE_KEYS"
            yield pb.JudgingWarning(code=ErrorCode.JUDGE_KEY_ELSEWHERE, message=message)


def _may_be_sent(base_url: str, allowed: Sequence[str]) -> bool:
    return base_url.rstrip("/") in {url.rstrip("/") for url in allowed}
