"""REST endpoints of the overview and of dead letters."""

from typing import Annotated

from fastapi import APIRouter, Query

from console.api.auth import CallersJobStore
from console.api.json_body import JsonRoute
from console.api.schemas import Range
from contracts.messages.views import DeadLetters, Overview

router = APIRouter(prefix="/api", tags=["overview"], route_class=JsonRoute)


@router.get("/overview")
async def get_overview(
    jobstore: CallersJobStore, range_: Annotated[Range, Query(alias="range")] = Range.HOUR
) -> Overview:
    """What happened within the range, in about 60 points and in all, and how much is there now."""
    return await jobstore.get_overview(range_.seconds)


@router.get("/dead-letters")
async def list_dead_letters(
    jobstore: CallersJobStore, limit: Annotated[int, Query(ge=1, le=500, description="of the newest")] = 50
) -> DeadLetters:
    """What could not be processed: how many there are, by topic, and of the newest why and where they came from."""
    return await jobstore.list_dead_letters(limit=limit)
