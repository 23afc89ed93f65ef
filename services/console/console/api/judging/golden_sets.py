"""REST endpoints of golden sets: labelled cases that a new version of a judge policy must pass."""

from fastapi import APIRouter

from console.api.auth import CallersJobStore
from console.api.json_body import ManyJsonRoute
from console.api.judging.judges import NameInPath
from console.api.schemas import NewGoldenSet, Retirement
from contracts.fields import Strict
from contracts.messages.judging import NamedGoldenSet

router = APIRouter(prefix="/api/judges/{name}/golden-set", tags=["judges"], route_class=ManyJsonRoute)


@router.get("")
async def get_golden_set(jobstore: CallersJobStore, name: NameInPath) -> NamedGoldenSet:
    """Return the golden set of a policy, with its cases."""
    return await jobstore.get_golden_set(name)


@router.put("")
async def put_golden_set(jobstore: CallersJobStore, name: NameInPath, new: Strict[NewGoldenSet]) -> NamedGoldenSet:
    """Replace the golden set of a policy: from now on a version is promoted by its report on exactly these cases."""
    return await jobstore.put_golden_set(
        name,
        new.cases_jsonl,
        true_positive_rate_min=new.true_positive_rate_min,
        true_negative_rate_min=new.true_negative_rate_min,
        flips_max=new.flips_max,
        note=new.note,
    )


@router.post("/retire")
async def retire_golden_set(
    jobstore: CallersJobStore, name: NameInPath, retirement: Strict[Retirement | None] = None
) -> NamedGoldenSet:
    """Let versions of a policy take over without it; the cases stay, and putting a set again brings it back."""
    return await jobstore.retire_golden_set(name, reason=retirement.reason if retirement else None)
