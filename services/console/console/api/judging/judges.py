"""REST endpoints of judge policies and criteria sets."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import TAGGED, IfMatch, etag, version_of
from console.api.json_body import JsonRoute
from console.api.schemas import (
    JudgePolicyPage,
    JudgePolicyPromotion,
    NewCriteria,
    NewCriteriaSet,
    NewJudgePolicy,
    Page,
    PageQuery,
    Retirement,
    VersionsQuery,
)
from console.errors import MEDIA_TYPE, ProblemError
from contracts.fields import Strict
from contracts.judging.policy import Name
from contracts.judging.versions import NamedJudgePolicy, SavedJudgePolicy
from signoff.errors import ErrorCode
from signoff.judging import CriteriaRemarks, NamedCriteriaSet, SavedCriteriaSet

router = APIRouter(prefix="/api/judges", tags=["judges"], route_class=JsonRoute)
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


@router.get("")
async def list_judge_policies(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> JudgePolicyPage:
    """Judge policies by name, each with the version that is current and without its body; and what validators say."""
    found = await jobstore.list_judge_policies(page_size=query.page_size or 0, page_token=query.page_token)
    items = [NamedJudgePolicy.model_validate(each, from_attributes=True) for each in found.policies]
    return JudgePolicyPage(items=items, next_page_token=found.next_page_token or None, validators=found.validators)


@router.get("/{name}")
async def get_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, query: Annotated[VersionsQuery, Query()], response: Response
) -> NamedJudgePolicy:
    """One judge policy with its versions, newest first; its `ETag` is the newest."""
    found = await jobstore.get_judge_policy(name, page_size=query.page_size or 0, before=query.before or 0)
    response.headers["ETag"] = etag(found.newest)
    return NamedJudgePolicy.model_validate(found, from_attributes=True)


@router.put("/{name}", responses=CHANGES_NAME)
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
    response.headers["ETag"] = etag(saved.newest)
    return SavedJudgePolicy.model_validate(saved, from_attributes=True)


@router.post("/{name}/promote", responses=CHANGES_NAME)
async def promote_judge_policy(
    jobstore: CallersJobStore,
    name: NameInPath,
    promotion: Strict[JudgePolicyPromotion],
    response: Response,
    if_match: IfMatch = None,
) -> NamedJudgePolicy:
    """Let new executions be judged by a version; what is under way stays as it is."""
    promoted = await jobstore.promote_judge_policy(
        name,
        promotion.version,
        report=promotion.report,
        force_reason=promotion.force_reason,
        newest=version_of(if_match),
    )
    response.headers["ETag"] = etag(promoted.newest)
    return NamedJudgePolicy.model_validate(promoted, from_attributes=True)


@router.post("/{name}/retire", responses=CHANGES_NAME)
async def retire_judge_policy(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedJudgePolicy:
    """Let no new execution be judged by it; its versions stay, and promoting one brings it back."""
    reason = retirement.reason if retirement else None
    retired = await jobstore.retire_judge_policy(name, reason=reason, version=version_of(if_match))
    response.headers["ETag"] = etag(retired.newest)
    return NamedJudgePolicy.model_validate(retired, from_attributes=True)


@sets_router.get("")
async def list_criteria_sets(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Page[NamedCriteriaSet]:
    """Criteria sets by name, each with the version that is current, and without its criteria."""
    return Page[NamedCriteriaSet].of(
        await jobstore.list_criteria_sets(page_size=query.page_size or 0, page_token=query.page_token)
    )


@sets_router.get("/{name}")
async def get_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, query: Annotated[VersionsQuery, Query()], response: Response
) -> NamedCriteriaSet:
    """One criteria set with its versions, newest first; its `ETag` is the newest."""
    found = await jobstore.get_criteria_set(name, page_size=query.page_size or 0, before=query.before or 0)
    response.headers["ETag"] = etag(found.newest)
    return found


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
    response.headers["ETag"] = etag(saved.newest)
    return saved


@sets_router.post("/{name}/retire", responses=CHANGES_NAME)
async def retire_criteria_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedCriteriaSet:
    """Let no new execution be judged by it; its versions stay, and putting the set again brings it back."""
    reason = retirement.reason if retirement else None
    retired = await jobstore.retire_criteria_set(name, reason=reason, version=version_of(if_match))
    response.headers["ETag"] = etag(retired.newest)
    return retired


@criteria_router.post("/lint")
async def lint_criteria(jobstore: CallersJobStore, new: Strict[NewCriteria]) -> CriteriaRemarks:
    """Say what might be meant otherwise in criteria, or judged better; nothing is stored."""
    return await jobstore.lint_criteria(criteria=new.criteria)
