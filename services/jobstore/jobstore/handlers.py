"""The Kafka edge: turn batches of events into commands, and carry them out."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from aiokafka import ConsumerRecord

from contracts.events import CancelRequested, Event, JobStatusReported, ResultProduced
from contracts.signing import SIGNATURE_HEADER, KeyUse
from jobstore.commands.base import Command
from jobstore.commands.executions import CancelJob
from jobstore.commands.reports import RecordReport, RecordResult
from jobstore.domain.upstreams import Upstreams
from jobstore.runner import CommandRunner
from servicekit.kafka.subscription import Incoming

E = TypeVar("E", bound=Event)


class EventHandlers:
    """Handle the events that the jobstore consumes. Replayed records are passed over (rule `replays-admit-nothing`)."""

    def __init__(self, runner: CommandRunner) -> None:
        self._runner = runner

    async def on_job_status_reported(self, reports: Sequence[Incoming[JobStatusReported]]) -> Sequence[Any]:
        """Record a batch of workers' reports. A repeat is refused, since its execution has moved on."""
        return await self._record(reports, lambda report: RecordReport(report.event))

    async def on_result_produced(self, results: Sequence[Incoming[ResultProduced]]) -> Sequence[Any]:
        """Record a batch of agents' results."""
        return await self._record(results, lambda result: RecordResult(result.event, result.size))

    async def on_cancel_requested(self, requests: Sequence[Incoming[CancelRequested]]) -> Sequence[Any]:
        """Cancel executions by their ids."""
        return await self._record(requests, lambda request: _cancel(request.event))

    async def _record(
        self, incoming: Sequence[Incoming[E]], command: Callable[[Incoming[E]], Command]
    ) -> Sequence[Any]:
        """Carry out a command for each record that is no replay. Return the results in order, None for a replay."""
        results = iter(await self._runner.record.run([command(i) for i in incoming if not i.replay]))
        return [None if i.replay else next(results) for i in incoming]


def check_cancel(upstreams: Upstreams, record: ConsumerRecord[Any, Any]) -> None:
    """Raise a PermanentError (`bad_signature`) unless a cancel may count."""
    upstreams.check(KeyUse.CANCEL, record.value or b"", dict(record.headers).get(SIGNATURE_HEADER))


def _cancel(event: CancelRequested) -> Command:
    return CancelJob(event.job_id, event.execution_id, event.reason, event.requested_by)
