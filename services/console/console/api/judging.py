"""REST endpoints of judge policies, golden sets, criteria sets, and judgings without a job."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import TAGGED, IfMatch, tag, version_of
from console.api.json_body import JsonRoute, ManyJsonRoute
from console.api.schemas import (
    IdempotencyKey,
    JudgePolicyPage,
    JudgePolicyPromotion,
    NewCriteria,
    NewCriteriaSet,
    NewGoldenSet,
    NewJudgePolicy,
    Page,
    PageQuery,
    Retirement,
    VersionsQuery,
    replays,
)
from console.errors import MEDIA_TYPE, ProblemError
from contracts.fields import Strict
from contracts.judging.policy import Name
from contracts.judging.versions import NamedJudgePolicy, SavedJudgePolicy
from contracts.resources import NewJudgings
from signoff.errors import ErrorCode
from signoff.fields import Model
from signoff.judging import CriteriaRemarks, Judging, NamedCriteriaSet, NamedGoldenSet, RejudgeReport, SavedCriteriaSet

judges_router = APIRouter(prefix="/api/judges", tags=["judges"], route_class=JsonRoute)
sets_router = APIRouter(prefix="/api/criteria-sets", tags=["judges"], route_class=JsonRoute)
criteria_router = APIRouter(prefix="/api/criteria", tags=["judges"], route_class=JsonRoute)

CHANGES_NAME: Final[dict[int | str, dict[str, Any]]] = {
    200: TAGGED,
    412: {
        "description": "Another version is the newest; `code` is `judge_policy_conflict` or the like",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
NameInPath = Annotated[Name, Path()]


@judges_router.get("")
async def list_judge_policies(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> JudgePolicyPage:
    """Judge policies by name, each with the version that is current and without its body; and what validators say."""
    found = await jobstore.list_judge_policies(**query.page)
    items = [NamedJudgePolicy.model_validate(each, from_attributes=True) for each in found.policies]
    return JudgePolicyPage(items=items, next_page_token=found.next_page_token or None, validators=found.validators)


@judges_router.get("/{name}")
async def get_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, query: Annotated[VersionsQuery, Query()], response: Response
) -> NamedJudgePolicy:
    """One judge policy with its versions, newest first; its `ETag` is the newest."""
    found = await jobstore.get_judge_policy(name, page_size=query.page_size or 0, before=query.before or 0)
    return tag(NamedJudgePolicy.model_validate(found, from_attributes=True), found.newest, response)


@judges_router.put("/{name}", responses=CHANGES_NAME)
async def put_judge_policy(
    jobstore: CallersJobStore,
    name: NameInPath,
    new: Strict[NewJudgePolicy],
    response: Response,
    if_match: IfMatch = None,
) -> SavedJudgePolicy:
    """Add a version, unless the newest says the same. The first is current; later ones once they are promoted."""
    if new.policy.name != name:
        raise ProblemError(ErrorCode.INVALID_REQUEST, f"policy.name is {new.policy.name}, and the address says {name}.")
    saved = await jobstore.put_judge_policy(
        new.policy.model_dump(mode="json"), version=version_of(if_match), note=new.note
    )
    return tag(SavedJudgePolicy.model_validate(saved, from_attributes=True), saved.newest, response)


@judges_router.post("/{name}/promote", responses=CHANGES_NAME)
async def promote_judge_policy(
    jobstore: CallersJobStore,
    name: NameInPath,
    promotion: Strict[JudgePolicyPromotion],
    response: Response,
    if_match: IfMatch = None,
) -> NamedJudgePolicy:
    """Let new executions be judged by a version; what is under way stays as it is."""
    promoted = await jobstore.promote_judge_policy(name, **dict(promotion), newest=version_of(if_match))
    return tag(NamedJudgePolicy.model_validate(promoted, from_attributes=True), promoted.newest, response)


@judges_router.post("/{name}/retire", responses=CHANGES_NAME)
async def retire_judge_policy(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedJudgePolicy:
    """Let no new execution be judged by it; its versions stay, and promoting one brings it back."""
    asked = dict(retirement or Retirement())
    retired = await jobstore.retire_judge_policy(name, **asked, version=version_of(if_match))
    return tag(NamedJudgePolicy.model_validate(retired, from_attributes=True), retired.newest, response)


@sets_router.get("")
async def list_criteria_sets(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[NamedCriteriaSet]:
    """Criteria sets by name, each with the version that is current, and without its criteria."""
    return Page[NamedCriteriaSet].of(await jobstore.list_criteria_sets(**query.page))


@sets_router.get("/{name}")
async def get_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, query: Annotated[VersionsQuery, Query()], response: Response
) -> NamedCriteriaSet:
    """One criteria set with its versions, newest first; its `ETag` is the newest."""
    found = await jobstore.get_criteria_set(name, page_size=query.page_size or 0, before=query.before or 0)
    return tag(found, found.newest, response)


@sets_router.put("/{name}", responses=CHANGES_NAME)
async def put_criteria_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    new: Strict[NewCriteriaSet],
    response: Response,
    if_match: IfMatch = None,
) -> SavedCriteriaSet:
    """Add a version, which is current at once, unless the newest says the same."""
    expected = version_of(if_match)
    saved = await jobstore.put_criteria_set(name, criteria=new.criteria, version=expected, note=new.note)
    return tag(saved, saved.newest, response)


@sets_router.post("/{name}/retire", responses=CHANGES_NAME)
async def retire_criteria_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedCriteriaSet:
    """Let no new execution be judged by it; its versions stay, and putting the set again brings it back."""
    asked = dict(retirement or Retirement())
    retired = await jobstore.retire_criteria_set(name, **asked, version=version_of(if_match))
    return tag(retired, retired.newest, response)


@criteria_router.post("/lint")
async def lint_criteria(jobstore: CallersJobStore, new: Strict[NewCriteria]) -> CriteriaRemarks:
    """Say what might be meant otherwise in criteria, or judged better; nothing is stored."""
    return await jobstore.lint_criteria(criteria=new.criteria)


golden_router = APIRouter(prefix="/api/judges/{name}/golden-set", tags=["judges"], route_class=ManyJsonRoute)


@golden_router.get("")
async def get_golden_set(jobstore: CallersJobStore, name: NameInPath, response: Response) -> NamedGoldenSet:
    """Return the golden set of a policy, with its cases; its `ETag` is its version."""
    golden = await jobstore.get_golden_set(name)
    return tag(golden, golden.version, response)


@golden_router.put("", responses=CHANGES_NAME)
async def put_golden_set(
    jobstore: CallersJobStore, name: NameInPath, new: Strict[NewGoldenSet], response: Response, if_match: IfMatch = None
) -> NamedGoldenSet:
    """Replace the golden set of a policy: from now on a version is promoted by its report on exactly these cases."""
    golden = await jobstore.put_golden_set(name, **dict(new), version=version_of(if_match))
    return tag(golden, golden.version, response)


@golden_router.post("/retire", responses=CHANGES_NAME)
async def retire_golden_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedGoldenSet:
    """Let versions of a policy take over without it; the cases stay, and putting a set again brings it back."""
    asked = dict(retirement or Retirement())
    golden = await jobstore.retire_golden_set(name, **asked, version=version_of(if_match))
    return tag(golden, golden.version, response)


judgings_router = APIRouter(prefix="/api/judgings", tags=["judgings"], route_class=ManyJsonRoute)
reports_router = APIRouter(prefix="/api/operations", tags=["operations"], route_class=JsonRoute)


class QueuedJudgings(Model):
    """Judgings that were queued."""

    id: UUID


@judgings_router.post("", status_code=201, responses=replays(QueuedJudgings))
async def create_judgings(
    jobstore: CallersJobStore, judgings: Strict[NewJudgings], response: Response, key: IdempotencyKey = None
) -> QueuedJudgings:
    """Judge results without a job: validators do when they have room. They are kept for a day."""
    group_id = await jobstore.create_judgings(judgings, idempotency_key=key)
    response.headers["Location"] = f"/api/judgings/{group_id}"
    return QueuedJudgings(id=group_id)


@judgings_router.get("/{judgings_id}")
async def get_judgings(
    jobstore: CallersJobStore, judgings_id: UUID, query: Annotated[PageQuery, Query()]
) -> Page[Judging]:
    """Judgings in the order of their cases, each with its verdict once there is one."""
    page = await jobstore.get_judgings(judgings_id, **query.page)
    return Page[Judging].of(page)


@reports_router.get("/{operation_id}/rejudge-report")
async def get_rejudge_report(
    jobstore: CallersJobStore, operation_id: UUID, query: Annotated[PageQuery, Query()]
) -> RejudgeReport:
    """Verdicts before and after jobs were judged again, by criterion, and those that flip, as it stands by now."""
    return await jobstore.get_rejudge_report(operation_id, **query.page)
