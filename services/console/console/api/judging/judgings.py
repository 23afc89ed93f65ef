"""REST endpoints of judgings without a job, and of what judging jobs again came to."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from console.api.auth import CallersJobStore
from console.api.json_body import JsonRoute, ManyJsonRoute
from console.api.schemas import IdempotencyKey, Page, PageQuery, replays
from contracts.fields import Strict
from contracts.resources import NewJudgings
from signoff.fields import Model
from signoff.judging import Judging, RejudgeReport

router = APIRouter(prefix="/api/judgings", tags=["judgings"], route_class=ManyJsonRoute)
reports_router = APIRouter(prefix="/api/operations", tags=["operations"], route_class=JsonRoute)


class QueuedJudgings(Model):
    """Judgings that were queued."""

    id: UUID


@router.post("", status_code=201, responses=replays(QueuedJudgings))
async def create_judgings(
    jobstore: CallersJobStore, judgings: Strict[NewJudgings], response: Response, key: IdempotencyKey = None
) -> QueuedJudgings:
    """Judge results without a job: validators do when they have room. They are kept for a day."""
    group_id = await jobstore.create_judgings(judgings, idempotency_key=key)
    response.headers["Location"] = f"/api/judgings/{group_id}"
    return QueuedJudgings(id=group_id)


@router.get("/{judgings_id}")
async def get_judgings(
    jobstore: CallersJobStore, judgings_id: UUID, query: Annotated[PageQuery, Query()]
) -> Page[Judging]:
    """Judgings in the order of their cases, each with its verdict once there is one."""
    page = await jobstore.get_judgings(judgings_id, page_size=query.page_size or 0, page_token=query.page_token)
    return Page[Judging].of(page)


@reports_router.get("/{operation_id}/rejudge-report")
async def get_rejudge_report(
    jobstore: CallersJobStore, operation_id: UUID, query: Annotated[PageQuery, Query()]
) -> RejudgeReport:
    """Verdicts before and after jobs were judged again, by criterion, and those that flip, as it stands by now."""
    return await jobstore.get_rejudge_report(operation_id, page_size=query.page_size or 0, page_token=query.page_token)
