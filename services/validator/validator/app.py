"""Wire the validator: the sole reader of its settings."""

import asyncio
import os

from contracts.events import ResultProduced
from servicekit.addresses import parse_allowed
from servicekit.kafka.subscription import Subscription, bury_none
from servicekit.process.worker_service import WorkerContext, run_worker
from signoff.v1 import work_service_pb2 as pb
from validator.config import Settings
from validator.handlers import Handlers
from validator.judge_keys import JudgeKeys
from validator.judges.roster import JudgeRoster
from validator.judgings import GrpcJudgings


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the validator until `stop` is set."""

    async def subscribe(context: WorkerContext) -> Subscription[ResultProduced]:
        config = settings.judge_config
        keys = JudgeKeys(config, settings.keys, os.environ)
        roster = await context.stack.enter_async_context(
            JudgeRoster(config, keys, parse_allowed(settings.judge_networks))
        )
        judgings = GrpcJudgings(context.stub, context.metadata, config.judge_name)
        handlers = Handlers(context.worker, judgings, roster.judge_of, config, context.publisher)
        return Subscription(
            context.publisher,
            ResultProduced,
            "signoff-validator",
            handlers.on_result_produced,
            choose_dead=bury_none,  # the jobstore reads the same topic, and knows which records are signed
        )

    await run_worker(stop, settings, "validator", pb.WORK_KIND_JUDGING, settings.validator_token.first, subscribe)
