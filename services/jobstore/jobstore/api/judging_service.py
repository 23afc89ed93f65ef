"""Serve JudgingService over gRPC: judgings without a job, and reports of jobs that were judged again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from contracts.judging.cases import hash_question
from contracts.resources import JudgingCase, NewJudgings
from jobstore.access.callers import choose_tenant, find_actor
from jobstore.api.requests import Context, make_page_token, mark_replay, parse_page, parse_uuid, read_key
from jobstore.engine.parts import check_size
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import Callers
from jobstore.errors import InvalidError, NotFoundError
from jobstore.jobs.commands import Once
from jobstore.jobs.model import DEFAULT_TENANT, RequestKey
from jobstore.judging import reads
from jobstore.judging.judgings import DRAFT, QueueJudgings, read_reference
from jobstore.judging.queue import JudgingQueue
from jobstore.judging.rules import NewJudging
from jobstore.operations import reads as operations
from jobstore.operations.commands import make_unknown_batch_error
from jobstore.operations.reads import freeze_policy
from servicekit.errors import PermanentError
from signoff.errors import ErrorCode
from signoff.jsontext import json_text
from signoff.status import OperationKind
from signoff.v1 import judging_service_pb2 as pb
from signoff.v1.judging_service_pb2_grpc import JudgingServiceServicer
from signoff.wire import read_fields, write_message

#: Seconds that a watch rests before it waits for the next answers.
WATCH_REST_S: Final = 0.05
#: Seconds after which it reads without a notification, which may be missed: at first, and at most, as nothing changes.
WATCH_MIN_S: Final = 0.25
WATCH_MAX_S: Final = 1.0


class JudgingService(JudgingServiceServicer):
    """Serve judgings without a job."""

    def __init__(self, database: Callers, runner: CommandRunner, queue: JudgingQueue) -> None:
        self._database = database
        self._runner = runner
        self._queue = queue

    async def CreateJudgings(self, request: pb.CreateJudgingsRequest, context: Context) -> pb.CreateJudgingsResponse:
        new, given, key = NewJudgings(**read_fields(request)), read_key(request), None
        tenant = choose_tenant(new.tenant)
        of_tenant = () if tenant == DEFAULT_TENANT else (tenant,)
        group_id = self._runner.terms.ids.derive("judgings", *of_tenant, given or str(uuid4()))
        if given:
            body = new.model_dump(mode="json", exclude_defaults=True, exclude={"tenant"})
            key = RequestKey.of("CreateJudgings", given, body, tenant=tenant)
        policy, policy_tenant, obstacle = None, DEFAULT_TENANT, None
        try:
            async with self._database.session() as session:
                policy, policy_tenant = await freeze_policy(session, new.judge, new.judge_policy, tenant)
        except PermanentError as error:  # the request may be a repeat, and the policy was retired since
            obstacle = error
        made = [
            NewJudging(
                self._runner.terms.ids.derive("judging", str(group_id), str(number)),
                new.kind,
                group_id,
                number,
                tenant,
                asked=self._write_case(case),
                judge_policy=policy,
                policy_tenant=policy_tenant,
                **(_describe_evaluated(new, case, policy) if new.evaluation else {}),
            )
            for number, case in enumerate(new.cases)
        ]
        named = DRAFT if new.judge_policy is not None else new.judge
        command = QueueJudgings(made, obstacle, named, actor=find_actor())
        mark_replay(context, await self._runner.judge.run_one(Once(command, key, actor=command.actor)))
        return pb.CreateJudgingsResponse(id=str(group_id))

    def _write_case(self, case: JudgingCase) -> str:
        """Return a case as JSON text. InvalidError (`payload_too_large`): its result or the rest is too large."""
        result, rest = (
            json_text(case.result),
            json_text(case.model_dump(exclude={"result", "labels"}, exclude_none=True)),
        )
        for part in (result, rest):
            check_size(len(part.encode()), self._runner.terms.job_max_bytes)
        return f'{rest[:-1]},"result":{result}}}'

    async def GetJudgings(self, request: pb.GetJudgingsRequest, _: Context) -> pb.GetJudgingsResponse:
        group_id = parse_uuid(request.judgings_id, "judgings_id")
        limit, after = parse_page(request, 50, int)
        async with self._database.transaction() as connection:
            found, more = await reads.list_judgings(connection, group_id, limit, -1 if after is None else after)
            if not found and after is None:
                raise _make_unknown_error(group_id)
        token = make_page_token(request, (found[-1].item,) if more and found else None)
        return write_message(pb.GetJudgingsResponse, {"judgings": found, "next_page_token": token})

    async def WatchJudgings(
        self, request: pb.WatchJudgingsRequest, _: Context
    ) -> AsyncIterator[pb.WatchJudgingsResponse]:
        group_id, wait_s = parse_uuid(request.judgings_id, "judgings_id"), WATCH_MIN_S
        sent: tuple[int, datetime | None] = -1, None
        while True:
            answers = self._queue.answers  # taken before the read, so that no later answer is missed
            async with self._database.session() as session:
                found = await reads.get_progress(session, group_id)
            if not found.total:
                raise _make_unknown_error(group_id)
            if (found.answered, found.held_back_until) != sent:
                sent, wait_s = (found.answered, found.held_back_until), WATCH_MIN_S
                yield write_message(pb.WatchJudgingsResponse, found)
            if found.answered == found.total:
                return
            await asyncio.sleep(WATCH_REST_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await answers.wait()
            wait_s = min(wait_s * 1.5, WATCH_MAX_S)

    async def GetRejudgeReport(self, request: pb.GetRejudgeReportRequest, _: Context) -> pb.GetRejudgeReportResponse:
        operation_id = parse_uuid(request.operation_id, "operation_id")
        limit, after = parse_page(request, 50, int)
        async with self._database.transaction() as connection:
            operation = await operations.get(connection, operation_id)
            if operation is None:
                raise make_unknown_batch_error(str(operation_id))
            if operation.kind != OperationKind.REJUDGE:
                raise InvalidError(f"the operation is of the kind {operation.kind}: only `rejudge` has such a report")
            report = await reads.get_report(connection, operation_id, limit, -1 if after is None else after)
        last = None if report.next_page_token is None else (int(report.next_page_token),)
        report.next_page_token = make_page_token(request, last)
        return write_message(pb.GetRejudgeReportResponse, report)


def _describe_evaluated(new: NewJudgings, case: JudgingCase, policy: str | None) -> dict[str, Any]:
    """Return the fields of a new judging that name the evaluation and the case in it."""
    return {
        "evaluation": new.evaluation,
        "judge": read_reference(policy) or None,
        "repeat": new.repeat,
        "question": hash_question(case.model_dump(exclude={"labels"}, exclude_defaults=True)),
        "labels": case.labels,
    }


def _make_unknown_error(group_id: UUID) -> NotFoundError:
    message = f"no judgings have the id {group_id}: they are kept for a day"
    return NotFoundError(message, code=ErrorCode.UNKNOWN_JUDGINGS)
