"""REST endpoints of golden sets: labelled cases that a new version of a judge policy must pass."""

from fastapi import APIRouter, Response

from console.api.auth import CallersJobStore
from console.api.etags import IfMatch, etag, version_of
from console.api.json_body import ManyJsonRoute
from console.api.judging.judges import CHANGES_NAME, NameInPath
from console.api.schemas import NewGoldenSet, Retirement
from contracts.fields import Strict
from signoff.judging import NamedGoldenSet

router = APIRouter(prefix="/api/judges/{name}/golden-set", tags=["judges"], route_class=ManyJsonRoute)


@router.get("")
async def get_golden_set(jobstore: CallersJobStore, name: NameInPath, response: Response) -> NamedGoldenSet:
    """Return the golden set of a policy, with its cases; its `ETag` is its version."""
    return _tag(await jobstore.get_golden_set(name), response)


@router.put("", responses=CHANGES_NAME)
async def put_golden_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    new: Strict[NewGoldenSet],
    response: Response,
    if_match: IfMatch = None,
) -> NamedGoldenSet:
    """Replace the golden set of a policy: from now on a version is promoted by its report on exactly these cases."""
    golden = await jobstore.put_golden_set(
        name,
        new.cases_jsonl,
        true_positive_rate_min=new.true_positive_rate_min,
        true_negative_rate_min=new.true_negative_rate_min,
        flips_max=new.flips_max,
        note=new.note,
        version=version_of(if_match),
    )
    return _tag(golden, response)


@router.post("/retire", responses=CHANGES_NAME)
async def retire_golden_set(
    jobstore: CallersJobStore,
    name: NameInPath,
    response: Response,
    retirement: Strict[Retirement | None] = None,
    if_match: IfMatch = None,
) -> NamedGoldenSet:
    """Let versions of a policy take over without it; the cases stay, and putting a set again brings it back."""
    reason = retirement.reason if retirement else None
    return _tag(await jobstore.retire_golden_set(name, reason=reason, version=version_of(if_match)), response)


def _tag(golden: NamedGoldenSet, response: Response) -> NamedGoldenSet:
    response.headers["ETag"] = etag(golden.version)
    return golden
