"""REST endpoints of the overview and of dead letters."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query

from console.api.auth import CallersJobStore
from console.api.json_body import JsonRoute
from console.api.schemas import DeadLettersQuery, OverviewRange
from console.errors import MEDIA_TYPE
from contracts.fields import Strict
from contracts.resources import NewResolution
from signoff.types import DeadLetters, Overview, Resolved

router = APIRouter(prefix="/api", tags=["overview"], route_class=JsonRoute)

_PROBLEM: Final = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_NO_DLQ: Final[dict[str, Any]] = {"description": "The topic has no dead letters", "content": _PROBLEM}


@router.get("/overview")
async def get_overview(
    jobstore: CallersJobStore, range_: Annotated[OverviewRange, Query(alias="range")] = OverviewRange.HOUR
) -> Overview:
    """What happened within the range, in about 60 points and in all, and how much is there now."""
    return await jobstore.get_overview(range_.seconds)


@router.get("/dead-letters")
async def list_dead_letters(jobstore: CallersJobStore, query: Annotated[DeadLettersQuery, Query()]) -> DeadLetters:
    """What could not be processed, newest first: how many are open, by topic, and why, and where they came from."""
    return await jobstore.list_dead_letters(**query.page, include_done=query.include_done)


@router.post("/dead-letters/resolve", responses={404: _NO_DLQ})
async def resolve_dead_letters(jobstore: CallersJobStore, new: Strict[NewResolution]) -> Resolved:
    """Redrive or discard open dead letters, 500 at most; ask again from `next_offset` to `to_offset` for the rest."""
    return await jobstore.resolve_dead_letters(new)
