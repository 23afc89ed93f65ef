"""Tell the jobstore what this validator is set to, and learn which version of the policy `default` that is."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from contracts.judging.policy import JudgePolicy
from servicekit.errors import ServiceError
from servicekit.leasing.client import CALL_TIMEOUT_S, translate_errors
from signoff.worker.v1 import work_service_pb2 as pb

if TYPE_CHECKING:
    from signoff.worker.v1.work_service_pb2_grpc import WorkServiceAsyncStub

log = logging.getLogger(__name__)

#: Seconds between two reports: so late a jobstore that was emptied knows again.
EVERY_S: Final = 60.0
#: Seconds until the next try, while nobody has heard of it.
AGAIN_S: Final = 2.0


class SettingsReport:
    """Report settings, at the start and then now and then; `policy` is the version of `default` that they are.

    `keys` are the base URLs that each key may be sent to, by its name; no key is ever told.
    """

    def __init__(
        self,
        stub: "WorkServiceAsyncStub",
        metadata: tuple[tuple[str, str], ...],
        owner: UUID,
        settings: JudgePolicy,
        keys: Mapping[str, Sequence[str]] = {},
    ) -> None:
        self._stub = stub
        self._metadata = metadata
        self._request = pb.ReportJudgeRequest(
            owner=str(owner),
            policy_json=settings.model_dump_json(),
            keys=[pb.JudgeKey(name=name, base_urls=urls) for name, urls in keys.items()],
        )
        self.policy: str | None = None

    async def run(self) -> None:
        """Report for ever. While the jobstore is away that is tried again: nothing waits for it."""
        while True:
            try:
                with translate_errors():
                    answer = await self._stub.ReportJudge(
                        self._request, timeout=CALL_TIMEOUT_S, metadata=self._metadata
                    )
            except ServiceError as error:
                log.debug("the settings of the judge could not be told", extra={"code": error.code})
                await asyncio.sleep(AGAIN_S if self.policy is None else EVERY_S)
                continue
            if answer.policy != self.policy:
                log.info("results are judged by these settings", extra={"policy": answer.policy})
                self.policy = answer.policy
            await asyncio.sleep(EVERY_S)
