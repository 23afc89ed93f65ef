"""REST endpoints of judge policies, golden sets, criteria sets, and judgings without a job."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from console.api.auth import CallersJobStore
from console.api.requests import CHANGED, Change, JsonRoute, Make, ManyJsonRoute, replays, tag
from console.api.schemas import (
    JudgePolicyPage,
    JudgePolicyPromotion,
    NewCriteria,
    NewCriteriaSet,
    NewGoldenSet,
    NewJudgePolicy,
    OfTenant,
    Page,
    Paging,
    Retirement,
    Versions,
)
from console.errors import ProblemError
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

NameInPath = Annotated[Name, Path()]


@judges_router.get("")
async def list_judge_policies(jobstore: CallersJobStore, query: OfTenant) -> JudgePolicyPage:
    """Judge policies by name, each with the version that is current and without its body; and what validators say."""
    found = await jobstore.list_judge_policies(**query.page)
    items = [NamedJudgePolicy.model_validate(each, from_attributes=True) for each in found.policies]
    return JudgePolicyPage(items=items, next_page_token=found.next_page_token or None, validators=found.validators)


@judges_router.get("/{name}", response_model=NamedJudgePolicy)
async def get_judge_policy(jobstore: CallersJobStore, name: NameInPath, query: Versions, response: Response) -> Any:
    """One judge policy with its versions, newest first; its `ETag` is the newest."""
    return tag(await jobstore.get_judge_policy(name, **query.page), response)


@judges_router.put("/{name}", response_model=SavedJudgePolicy, responses=CHANGED)
async def put_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, new: Strict[NewJudgePolicy], change: Change
) -> Any:
    """Add a version, unless the newest says the same. The first is current; later ones once they are promoted."""
    if new.policy.name != name:
        raise ProblemError(ErrorCode.INVALID_REQUEST, f"policy.name is {new.policy.name}, and the address says {name}.")
    policy = new.policy.model_dump(mode="json")
    return change.tag(await jobstore.put_judge_policy(policy, version=change.version, note=new.note))


@judges_router.post("/{name}/promote", response_model=NamedJudgePolicy, responses=CHANGED)
async def promote_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, promotion: Strict[JudgePolicyPromotion], change: Change
) -> Any:
    """Let new executions be judged by a version; what is under way stays as it is."""
    return change.tag(await jobstore.promote_judge_policy(name, **dict(promotion), newest=change.version))


@judges_router.post("/{name}/retire", response_model=NamedJudgePolicy, responses=CHANGED)
async def retire_judge_policy(
    jobstore: CallersJobStore, name: NameInPath, change: Change, retirement: Strict[Retirement | None] = None
) -> Any:
    """Let no new execution be judged by it; its versions stay, and promoting one brings it back."""
    asked = dict(retirement or Retirement())
    return change.tag(await jobstore.retire_judge_policy(name, **asked, version=change.version))


@sets_router.get("")
async def list_criteria_sets(jobstore: CallersJobStore, query: OfTenant) -> Page[NamedCriteriaSet]:
    """Criteria sets by name, each with the version that is current, and without its criteria."""
    return Page[NamedCriteriaSet].of(await jobstore.list_criteria_sets(**query.page))


@sets_router.get("/{name}")
async def get_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, query: Versions, response: Response
) -> NamedCriteriaSet:
    """One criteria set with its versions, newest first; its `ETag` is the newest."""
    return tag(await jobstore.get_criteria_set(name, **query.page), response)


@sets_router.put("/{name}", responses=CHANGED)
async def put_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, new: Strict[NewCriteriaSet], change: Change
) -> SavedCriteriaSet:
    """Add a version, which is current at once, unless the newest says the same."""
    version = change.version
    return change.tag(await jobstore.put_criteria_set(name, criteria=new.criteria, version=version, note=new.note))


@sets_router.post("/{name}/retire", responses=CHANGED)
async def retire_criteria_set(
    jobstore: CallersJobStore, name: NameInPath, change: Change, retirement: Strict[Retirement | None] = None
) -> NamedCriteriaSet:
    """Let no new execution be judged by it; its versions stay, and putting the set again brings it back."""
    asked = dict(retirement or Retirement())
    return change.tag(await jobstore.retire_criteria_set(name, **asked, version=change.version))


@criteria_router.post("/lint")
async def lint_criteria(jobstore: CallersJobStore, new: Strict[NewCriteria]) -> CriteriaRemarks:
    """Say what might be meant otherwise in criteria, or judged better; nothing is stored."""
    return await jobstore.lint_criteria(criteria=new.criteria)


golden_router = APIRouter(prefix="/api/judges/{name}/golden-set", tags=["judges"], route_class=ManyJsonRoute)


@golden_router.get("")
async def get_golden_set(jobstore: CallersJobStore, name: NameInPath, response: Response) -> NamedGoldenSet:
    """Return the golden set of a policy, with its cases; its `ETag` is its version."""
    return tag(await jobstore.get_golden_set(name), response)


@golden_router.put("", responses=CHANGED)
async def put_golden_set(
    jobstore: CallersJobStore, name: NameInPath, new: Strict[NewGoldenSet], change: Change
) -> NamedGoldenSet:
    """Replace the golden set of a policy: from now on a version is promoted by its report on exactly these cases."""
    return change.tag(await jobstore.put_golden_set(name, **dict(new), version=change.version))


@golden_router.post("/retire", responses=CHANGED)
async def retire_golden_set(
    jobstore: CallersJobStore, name: NameInPath, change: Change, retirement: Strict[Retirement | None] = None
) -> NamedGoldenSet:
    """Let versions of a policy take over without it; the cases stay, and putting a set again brings it back."""
    asked = dict(retirement or Retirement())
    return change.tag(await jobstore.retire_golden_set(name, **asked, version=change.version))


judgings_router = APIRouter(prefix="/api/judgings", tags=["judgings"], route_class=ManyJsonRoute)
reports_router = APIRouter(prefix="/api/operations", tags=["operations"], route_class=JsonRoute)


class QueuedJudgings(Model):
    """Judgings that were queued."""

    id: UUID


@judgings_router.post("", status_code=201, responses=replays(QueuedJudgings))
async def create_judgings(jobstore: CallersJobStore, judgings: Strict[NewJudgings], make: Make) -> QueuedJudgings:
    """Judge results without a job: validators do when they have room. They are kept for a day."""
    group_id = await jobstore.create_judgings(judgings, idempotency_key=make.key)
    return make.at("/api/judgings", QueuedJudgings(id=group_id))


@judgings_router.get("/{judgings_id}")
async def get_judgings(jobstore: CallersJobStore, judgings_id: UUID, query: Paging) -> Page[Judging]:
    """Judgings in the order of their cases, each with its verdict once there is one."""
    return Page[Judging].of(await jobstore.get_judgings(judgings_id, **query.page))


@reports_router.get("/{operation_id}/rejudge-report")
async def get_rejudge_report(jobstore: CallersJobStore, operation_id: UUID, query: Paging) -> RejudgeReport:
    """Verdicts before and after jobs were judged again, by criterion, and those that flip, as it stands by now."""
    return await jobstore.get_rejudge_report(operation_id, **query.page)
