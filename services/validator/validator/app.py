"""Wire the validator: the sole reader of its settings."""

import asyncio
import os
from functools import partial

from contracts.events import ResultProduced
from contracts.topics import VALIDATOR_GROUP
from servicekit.addresses import parse_allowed
from servicekit.kafka.dead_letters import bury_none
from servicekit.kafka.subscription import Subscription
from servicekit.process.worker_service import WorkerContext, run_worker
from signoff.worker.v1 import work_service_pb2 as pb
from validator.checking import CheckProcesses
from validator.config import Settings
from validator.free_judgings import FreeJudgingWorker, judge_free
from validator.handlers import Handlers
from validator.judge_config import JudgeKeys
from validator.judges.openai import JudgeRoster
from validator.judgings import GrpcFreeJudgings, GrpcJudgings, SettingsReport


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the validator until `stop` is set."""

    async def subscribe(context: WorkerContext) -> Subscription[ResultProduced]:
        config = settings.judge_config
        context.worker.waiting_max_bytes = settings.waiting_max_bytes
        keys = JudgeKeys(config, settings.keys, os.environ, settings.judge_key_dir)
        roster = await context.stack.enter_async_context(
            JudgeRoster(config, keys, parse_allowed(settings.judge_networks))
        )
        context.worker.count_paced = roster.count_paced
        checks = await context.stack.enter_async_context(CheckProcesses())
        judgings = GrpcJudgings(context.leases, config.judge_name)
        report = SettingsReport(
            context.leases.stub, context.leases.metadata, context.worker.owner, config.policy, keys.list_base_urls()
        )
        name_own = lambda: report.policy  # noqa: E731 - as it is known by then
        reporting = asyncio.create_task(report.run())
        context.stack.callback(reporting.cancel)
        parts = context.worker, judgings, roster.judge_of, config, context.publisher
        handlers = Handlers(*parts, name_own=name_own, run_checks=checks.run)
        free = GrpcFreeJudgings(context.leases)
        judge_case = partial(
            judge_free, roster.judge_of, config, run_checks=checks.run, probe=roster.probe, name_own=name_own
        )
        without_job = FreeJudgingWorker(context.worker, free, judge_case, context.worker.capacity)
        without_job.start()
        context.stack.push_async_callback(without_job.stop)
        return Subscription(
            context.publisher,
            ResultProduced,
            VALIDATOR_GROUP,
            handlers.on_result_produced,
            choose_dead=bury_none,  # the jobstore reads the same topic, and knows which records are signed
        )

    await run_worker(stop, settings, "validator", pb.WORK_KIND_JUDGING, settings.validator_token.first, subscribe)
