"""REST endpoints of judge policies and criteria sets."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Response

from console.api.auth import CallersJobStore
from console.api.etags import IfMatch, etag, version_of
from console.api.json_body import JsonRoute
from console.api.schemas import (
    Judges,
    NewCriteria,
    NewCriteriaSet,
    NewJudgePolicy,
    Page,
    PageQuery,
    Promotion,
    Retirement,
    VersionsQuery,
)
from console.errors import MEDIA_TYPE, ProblemError
from contracts.criteria import CriteriaRemarks
from contracts.fields import Strict
from contracts.judging.policy import Name
from contracts.messages.judging import NamedCriteriaSet, NamedJudgePolicy, SavedCriteriaSet, SavedJudgePolicy
from signoff.errors import ErrorCode

router = APIRouter(prefix="/api/judges", tags=["judges"], route_class=JsonRoute)
sets_router = APIRouter(prefix="/api/criteria-sets", tags=["judges"], route_class=JsonRoute)
criteria_router = APIRouter(prefix="/api/criteria", tags=["judges"], route_class=JsonRoute)

_PUT: Final[dict[int | str, dict[str, Any]]] = {
    412: {
        "description": "Another version is the newest; `code` is `judge_policy_conflict` or `criteria_set_conflict`",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}
NameInPath = Annotated[Name, Path()]


@router.get("")
async def list_judge_policies(jobstore: CallersJobStore, query: Annotated[PageQuery, Query()]) -> Judges:
    """Judge policies by name, each with the version that is current and without its body; and what validators say."""
    found = await jobstore.list_judge_policies(page_size=query.page_size or 0, page_token=query.page_token)
    return Judges(items=found.policies, next_page_token=found.next_page_token or None, validators=found.validators)


@router.get("/{name}")
async def get_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, query: Annotated[VersionsQuery, Query()], response: Response
) -> NamedJudgePolicy:
    """One judge policy with its versions, newest first; its `ETag` is the newest."""
    found = await jobstore.get_judge_policy(name, page_size=query.page_size or 0, before=query.before or 0)
    response.headers["ETag"] = etag(found.newest)
    return found


@router.put("/{name}", responses=_PUT)
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
    return saved


@router.post("/{name}/promote")
async def promote_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, promotion: Strict[Promotion]
) -> NamedJudgePolicy:
    """Let new executions be judged by a version; what is under way stays as it is."""
    reason, report = promotion.force_reason, promotion.report
    return await jobstore.promote_judge_policy(name, promotion.version, report=report, force_reason=reason)


@router.post("/{name}/retire")
async def retire_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, retirement: Strict[Retirement | None] = None
) -> NamedJudgePolicy:
    """Let no new execution be judged by it; its versions stay, and promoting one brings it back."""
    return await jobstore.retire_judge_policy(name, reason=retirement.reason if retirement else None)


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


@sets_router.put("/{name}", responses=_PUT)
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


@sets_router.post("/{name}/retire")
async def retire_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, retirement: Strict[Retirement | None] = None
) -> NamedCriteriaSet:
    """Let no new execution be judged by it; its versions stay, and putting the set again brings it back."""
    return await jobstore.retire_criteria_set(name, reason=retirement.reason if retirement else None)


@criteria_router.post("/lint")
async def lint_criteria(jobstore: CallersJobStore, new: Strict[NewCriteria]) -> CriteriaRemarks:
    """Say what might be meant otherwise in criteria, or judged better; nothing is stored."""
    return await jobstore.lint_criteria(criteria=new.criteria)
