"""Wire the validator: the sole reader of its settings."""

import asyncio

from contracts.events import ResultProduced
from servicekit.kafka.subscription import Subscription, bury_none
from servicekit.process.worker_service import WorkerContext, run_worker
from signoff.v1 import work_service_pb2 as pb
from validator.config import Settings
from validator.handlers import Handlers
from validator.judges.openai import OpenAIJudge
from validator.judgings import GrpcJudgings
from validator.settings_report import SettingsReport


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the validator until `stop` is set."""

    async def subscribe(context: WorkerContext) -> Subscription[ResultProduced]:
        config = settings.judge_config
        judge = await context.stack.enter_async_context(OpenAIJudge(config))
        judgings = GrpcJudgings(context.stub, context.metadata, config.judge_name)
        report = SettingsReport(context.stub, context.metadata, context.worker.owner, config.policy)
        reporting = asyncio.create_task(report.run())
        context.stack.callback(reporting.cancel)
        handlers = Handlers(context.worker, judgings, judge, config, context.publisher, lambda: report.policy)
        return Subscription(
            context.publisher,
            ResultProduced,
            "signoff-validator",
            handlers.on_result_produced,
            choose_dead=bury_none,  # the jobstore reads the same topic, and knows which records are signed
        )

    await run_worker(stop, settings, "validator", pb.WORK_KIND_JUDGING, settings.validator_token.first, subscribe)
