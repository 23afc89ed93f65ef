"""Wire the executor: the sole reader of its settings."""

import asyncio
import os
from collections.abc import Mapping

from contracts.events import ExecuteRequested
from contracts.topics import EXECUTOR_GROUP
from executor.a2a_agents import A2AAgent
from executor.config import Settings
from executor.executions import GrpcExecutions
from executor.handlers import Handlers
from executor.http_agents import HeaderValues, HttpAgent, HttpAsyncAgent, HttpClient
from executor.langgraph_agents import LangGraphAgent
from executor.openai_agents import OpenAIAgent
from executor.ports import Agent
from executor.tasks import GrpcTasks, TaskWorker
from servicekit.addresses import parse_allowed
from servicekit.kafka.dead_letters import Forgeries
from servicekit.kafka.subscription import Subscription, keep_body
from servicekit.process.worker_service import WorkerContext, run_worker
from signoff.status import Protocol
from signoff.worker.v1 import work_service_pb2 as pb

#: Bytes that an event may have beside the job inline.
ENVELOPE_BYTES = 4096


def make_agents(client: HttpClient, settings: Settings) -> Mapping[Protocol, Agent]:
    """Return the adapters of all protocols by which agents are called, by protocol."""
    return {
        Protocol.HTTP: HttpAgent(client),
        Protocol.HTTP_ASYNC: HttpAsyncAgent(client, settings.poll_max_s),
        Protocol.OPENAI: OpenAIAgent(client, settings.poll_max_s),
        Protocol.LANGGRAPH: LangGraphAgent(client, settings.poll_max_s),
        Protocol.A2A: A2AAgent(client, settings.poll_max_s),
    }


async def main(stop: asyncio.Event, settings: Settings) -> None:
    """Run the executor until `stop` is set."""

    async def subscribe(context: WorkerContext) -> Subscription[bytes]:
        client = HttpClient(
            allowed=parse_allowed(settings.agent_networks),
            header_values=HeaderValues(os.environ, settings.agent_header_dir),
            result_max_bytes=settings.result_max_bytes,
        )
        await context.stack.enter_async_context(client)
        agents = make_agents(client, settings)
        tasks = TaskWorker(context.worker.owner, GrpcTasks(context.leases), agents, settings.call_cost_max_usd)
        context.worker.holds_more = context.leases.list_tasks = tasks.list_leases
        tasks.start()
        context.stack.push_async_callback(tasks.stop)
        handlers = Handlers(
            context.worker,
            GrpcExecutions(context.leases),
            agents,
            context.publisher,
            settings.progress_interval_s,
            settings.call_cost_max_usd,
        )
        event_max_bytes = settings.payload_max_bytes + ENVELOPE_BYTES
        return Subscription(
            context.publisher,
            ExecuteRequested,
            EXECUTOR_GROUP,
            handlers.on_execute_requested,
            event_max_bytes,
            choose_dead=Forgeries().choose_dead,
            decode=keep_body,
        )

    await run_worker(stop, settings, "executor", pb.WORK_KIND_EXECUTING, settings.executor_token.first, subscribe)
