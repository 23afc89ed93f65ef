"""The part of the jobstore's client for judgings without a job, and for reports of judging again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Self
from uuid import UUID

from contracts import messages
from contracts.client.connection import Connection, watch_backoffs_s
from contracts.identity import new_execution_id
from signoff.v1 import judging_service_pb2 as pb
from signoff.v1.judging_service_pb2_grpc import JudgingServiceStub

if TYPE_CHECKING:
    from contracts.messages.judgings import Judging, JudgingProgress, NewJudgings, RejudgeReport


class JudgingsClient(Connection):
    """Call the jobstore about judgings; the base of OperationsClient."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._judgings = JudgingServiceStub(self._channel)
        return self

    async def create_judgings(self, new: NewJudgings, *, idempotency_key: str | None = None) -> UUID:
        """Queue judgings, which validators make when they have room, and return their id. One key is one id."""
        request = messages.judgings.new_judgings_message(new, idempotency_key or str(new_execution_id()))
        return UUID((await self._call(self._judgings.CreateJudgings, request)).id)

    async def get_judgings(
        self, judgings_id: UUID | str, *, page_size: int = 0, page_token: str = ""
    ) -> tuple[list[Judging], str]:
        """Return a page of judgings in the order of their cases, and the next page's token or ""; NOT_FOUND."""
        request = pb.GetJudgingsRequest(judgings_id=str(judgings_id), page_size=page_size, page_token=page_token)
        response = await self._call(self._judgings.GetJudgings, request)
        return [messages.judgings.judging_of(judging) for judging in response.judgings], response.next_page_token

    async def watch_judgings(self, judgings_id: UUID | str) -> AsyncGenerator[JudgingProgress]:
        """Yield how many are answered, and after each change, until all are. A lost stream is opened again."""
        request, backoffs_s = pb.WatchJudgingsRequest(judgings_id=str(judgings_id)), watch_backoffs_s()
        while True:
            async with aclosing(self._stream(self._judgings.WatchJudgings, request)) as responses:
                async for response in responses:
                    backoffs_s = watch_backoffs_s()
                    yield messages.judgings.progress_of(response)
                    if response.answered == response.total:
                        return
            await asyncio.sleep(next(backoffs_s))

    async def get_rejudge_report(
        self, operation_id: UUID | str, *, page_size: int = 0, page_token: str = ""
    ) -> RejudgeReport:
        """Return what judging jobs again has come to by now, with a page of its flips; NOT_FOUND."""
        request = pb.GetRejudgeReportRequest(operation_id=str(operation_id), page_size=page_size, page_token=page_token)
        return messages.judgings.report_of(await self._call(self._judgings.GetRejudgeReport, request))
