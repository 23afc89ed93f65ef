"""A validator that judges results of jobs again, and the operations that ask for it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from batch_world import NOBODY, World, judged
from support.factories import SECRETS
from support.jobstore.steps import Steps, verdict

from contracts.judging.policy import Verdict
from contracts.resources import NewOperation
from contracts.signing import SigningKey
from jobstore.api.judging_service import JudgingService
from jobstore.api.work_service import WorkService
from jobstore.engine.scoped import Callers
from jobstore.executions.commands import ExecuteJob
from jobstore.jobs.model import SIGNOFF
from jobstore.judging.queue import JudgingQueue
from signoff.status import Outcome
from signoff.types import Operation, read_model
from signoff.v1 import judging_service_pb2 as judging_pb
from signoff.v1 import operations_service_pb2 as operations_pb
from signoff.v1 import resources_pb2 as resources_pb
from signoff.wire import write_message
from signoff.worker.v1 import work_service_pb2 as pb

MET, NOT_MET = verdict(Outcome.PASS), verdict(Outcome.FAIL)


class Validator:
    """A validator: it takes judgings, and says of each what it is told to."""

    def __init__(self, world: World) -> None:
        self.owner = uuid4()
        self.leases_may_end = True
        self.queue = JudgingQueue(world.database, world.runner, lambda: self.leases_may_end)
        self.service = WorkService(world.database, world.runner, SECRETS, judgings=self.queue)

    async def take(self, take: int = 100) -> Sequence[pb.JudgingAnswer]:
        request = pb.BeginJudgingsRequest(owner=str(self.owner), take=take)
        return (await self.service.BeginJudgings(request, NOBODY)).taken

    def prove(self, key: pb.LeaseKey, owner: UUID | None = None) -> pb.Lease:
        signing = SigningKey(UUID(key.execution_id), key.lease, key.secret_id, key.key)
        proof = signing.sign(str(owner or self.owner).encode())
        return pb.Lease(execution_id=key.execution_id, lease=key.lease, proof=proof)

    async def say(self, taken: Sequence[pb.JudgingAnswer], said: Verdict, **fields: Any) -> list[str]:
        """Say one verdict of all, and return what becomes of each."""
        if "cost_usd" in fields:
            fields["cost_usd"] = str(fields["cost_usd"])
        outcomes = [
            pb.JudgingOutcome(lease=self.prove(one.lease), verdict_json=said.model_dump_json(), **fields)
            for one in taken
        ]
        return await self.finish(outcomes=outcomes)

    async def finish(self, **fields: Any) -> list[str]:
        request = pb.FinishJudgingsRequest(owner=str(self.owner), **fields)
        answer = await self.service.FinishJudgings(request, NOBODY)
        return [pb.LeaseState.Name(state).removeprefix("LEASE_STATE_") for state in (*answer.outcomes, *answer.held)]


async def made(world: World, jobs: Sequence[Steps], *, works: bool = True, **fields: Any) -> Operation:
    new = NewOperation(kind="rejudge", job_ids=[job.job_id for job in jobs], **fields)
    request = operations_pb.CreateOperationRequest(operation=write_message(resources_pb.NewOperation, new))
    operation = read_model((await world.doors.CreateOperation(request, NOBODY)).operation)
    if works:
        await world.worked()
    return operation


async def rested(world: World, outcome: Outcome | Verdict = Outcome.PASS, **fields: Any) -> Steps:
    """A job whose result has a verdict."""
    (job,) = await world.jobs(1, **fields)
    await world.runner.submit.run_one(ExecuteJob(job.job_id, job.execution_id, chosen=True, actor=SIGNOFF))
    await judged(job, outcome)
    return job


async def report_on(world: World, operation: Operation, **fields: Any) -> Any:
    service = JudgingService(Callers(world.database), world.runner, JudgingQueue(world.database, world.runner))
    request = judging_pb.GetRejudgeReportRequest(operation_id=str(operation.id), **fields)
    return read_model(await service.GetRejudgeReport(request, NOBODY))
