"""The Kafka edge: turn batches of events into commands, and carry them out."""

import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from contracts.events import CancelRequested, JobStatusReported, ResultProduced
from contracts.signing import SIGNATURE_HEADER, KeyUse, Secrets, Signature
from jobstore.access.upstreams import Author, Upstreams
from jobstore.engine.database import Database
from jobstore.engine.parts import Command
from jobstore.engine.runner import CommandRunner
from jobstore.executions import leases
from jobstore.executions.commands import OUTCOMES, CancelJob, EndLease, RecordReport, RecordResult
from jobstore.jobs.model import EXECUTOR, SIGNOFF, WORKER, TransitionKind
from servicekit.errors import DoubtfulError, PermanentError
from servicekit.kafka.dead_letters import Refused, UnvouchedError
from servicekit.kafka.subscription import Incoming, is_replay, leave_frames, parse_event
from signoff.errors import ErrorCode

log = logging.getLogger(__name__)

E = TypeVar("E", JobStatusReported, ResultProduced, CancelRequested)
Report = JobStatusReported | ResultProduced
R = TypeVar("R", JobStatusReported, ResultProduced)

#: The maximum of dead letters, in the life of this process, of records that are neither signed nor readable; more are
#: only counted.
UNREADABLE_MAX = 1_000
#: Replayed records of a batch that the log names; more are counted.
REPLAYS_NAMED_MAX = 20
#: The keys that may sign each kind of report. The number of a lease is granted once, so that only one of them can.
_USES: dict[type[Report], tuple[KeyUse, ...]] = {
    ResultProduced: (KeyUse.EXECUTING,),
    JobStatusReported: (KeyUse.EXECUTING, KeyUse.JUDGING),
}


class ForgedError(UnvouchedError):
    """A report that is not signed with the key of the lease that the report names."""

    def __init__(self, report: Report) -> None:
        super().__init__(f"not signed with the key of lease {report.lease} of execution {report.execution_id}")
        self.lease = report.execution_id, report.lease


class UnparsedReportError(UnvouchedError):
    """A report that is not signed, and that cannot be parsed; the message is that of the parser's error."""

    def __init__(self, error: PermanentError) -> None:
        super().__init__(code=error.code)
        self._error = leave_frames(error)

    def __str__(self) -> str:
        return str(self._error)


class EventHandlers:
    """Handle the events that the jobstore consumes. Replayed records are skipped (rule `replays-admit-nothing`)."""

    def __init__(self, runner: CommandRunner, database: Database, secrets: Secrets) -> None:
        self._runner = runner
        self._database = database
        self._secrets = secrets
        self._unreadable = 0

    async def on_job_status_reported(self, reports: Sequence[Incoming[JobStatusReported]]) -> Sequence[object]:
        """Record a batch of workers' reports. A repeated report is refused, since its execution has moved on."""
        return await self._record_reports(reports, lambda report: RecordReport(report.event, actor=WORKER))

    async def on_result_produced(self, results: Sequence[Incoming[ResultProduced]]) -> Sequence[object]:
        """Record those results of a batch that are not recorded yet; a validator's claim also records its result."""
        async with self._database.session() as connection:
            rows = await leases.load_states(connection, [result.event.execution_id for result in results])
        recorded = {(execution_id, row.result_lease) for execution_id, row in rows.items()}

        def record(result: Incoming[ResultProduced]) -> Command[object] | None:
            event = result.event
            is_recorded = (event.execution_id, event.lease) in recorded
            return None if is_recorded else RecordResult(event, result.size, actor=EXECUTOR)

        return await self._record_reports(results, record)

    async def on_cancel_requested(self, requests: Sequence[Incoming[CancelRequested]]) -> Sequence[object]:
        """Cancel the executions that a batch of requests names by their ids."""

        def cancel(request: Incoming[CancelRequested]) -> Command[object]:
            event, author = request.event, request.vouched_by
            named = event.job_id, event.execution_id, event.reason
            return CancelJob(*named, tenants=author.tenants, actor=author.actor)

        return await self._record(requests, cancel)

    def check_report(self, event: type[Report], record: ConsumerRecord[bytes, bytes]) -> Signature:
        """Return the signature of a report's record, if it is made with a lease's key (rule `signed-reports`).

        UnvouchedError: it is not. Only then the report is parsed here, to learn which lease the report names.
        """
        signature, value = read_signature(record), record.value or b""
        if signature is not None and any(self._secrets.verify(use, signature, value) for use in _USES[event]):
            return signature
        try:
            report = parse_event(event, record.value or b"")
        except PermanentError as error:
            raise UnparsedReportError(error) from None
        raise ForgedError(report)

    async def choose_dead(self, event: type[Report], refused: Sequence[Refused]) -> Sequence[Refused]:
        """End the leases of reports that can never be recorded, and return which records become dead letters.

        A worker repeats its outcome until it is recorded or the lease is over. Of forged reports for a lease that
        counts, one becomes a dead letter; of unsigned reports that cannot be parsed, up to UNREADABLE_MAX do.
        """
        forged = {error.lease for _, error in refused if isinstance(error, ForgedError)}
        new: set[tuple[UUID, int]] = set()
        if forged:
            async with self._database.transaction() as connection:
                new = await leases.note_forged(connection, forged)
        dead: list[Refused] = []
        ended: list[EndLease] = []
        for record, error in refused:
            if isinstance(error, ForgedError):
                if error.lease in new:
                    new.discard(error.lease)
                    dead.append((record, error))
                continue
            if isinstance(error, UnvouchedError):
                self._unreadable += 1
                if self._unreadable <= UNREADABLE_MAX:
                    dead.append((record, error))
                continue
            dead.append((record, error))
            signature = read_signature(record)
            if signature and _is_outcome(event, record.value or b""):  # check_report has verified it
                code = ErrorCode.UNSTORABLE if error.code == ErrorCode.INVALID_DATA else error.code
                ended.append(
                    EndLease(signature.execution_id, TransitionKind.FAILED, signature.lease, code, actor=SIGNOFF)
                )
        for command in ended:
            try:
                await self._runner.record.run_one(command)
            except (DoubtfulError, PermanentError) as error:
                extra = {"execution_id": str(command.execution_id), "code": error.code, "reason": str(error)}
                log.warning("the database fails at the end of a lease, too", extra=extra)
        return dead

    async def _record_reports(
        self, incoming: Sequence[Incoming[R]], command: Callable[[Incoming[R]], Command[object] | None]
    ) -> Sequence[object]:
        """Record reports; a report that names another lease than the one whose key signed it gets a ForgedError."""
        errors = {id(i): ForgedError(i.event) for i in incoming if not i.replay and not _agrees(i)}
        results = iter(await self._record([i for i in incoming if id(i) not in errors], command))
        return [errors[id(i)] if id(i) in errors else next(results) for i in incoming]

    async def _record(
        self, incoming: Sequence[Incoming[E]], command: Callable[[Incoming[E]], Command[object] | None]
    ) -> Sequence[object]:
        """Carry out the command of each record; return the results in order, None for a replay or without a command."""
        if replays := [i for i in incoming if i.replay]:
            _log_replays(replays)
        commands = [None if i.replay else command(i) for i in incoming]
        results = iter(await self._runner.record.run([command for command in commands if command is not None]))
        return [None if command is None else next(results) for command in commands]


def _log_replays(replays: Sequence[Incoming[E]]) -> None:
    """Log which replayed records are skipped, in one line for a batch, since anybody may replay many records."""
    named = [f"{i.record.partition}/{i.record.offset} of {i.event.execution_id}" for i in replays[:REPLAYS_NAMED_MAX]]
    extra = {"topic": replays[0].record.topic, "records": len(replays), "named": named}
    log.info("replayed records change nothing", extra=extra)


def check_cancel(upstreams: Upstreams, record: ConsumerRecord[bytes, bytes]) -> Author:
    """Return who signed a cancel. PermanentError (`bad_signature`): nobody who may cancel has signed it."""
    return upstreams.check(KeyUse.CANCEL, record.value or b"", dict(record.headers).get(SIGNATURE_HEADER))


def read_report(event: type[Report], record: ConsumerRecord[bytes, bytes], _: int) -> Incoming[Report]:
    """Parse a report whose signature was checked. Its other headers are not signed, and cannot make it refused."""
    return Incoming(parse_event(event, record.value or b""), record, is_replay(record))


def read_signature(record: ConsumerRecord[bytes, bytes]) -> Signature | None:
    """Return the signature of a record; None if the record has none, or one that cannot be parsed."""
    return Signature.parse(dict(record.headers).get(SIGNATURE_HEADER))


def _agrees(incoming: Incoming[R]) -> bool:
    signature, event = incoming.vouched_by, incoming.event
    return signature is not None and (signature.execution_id, signature.lease) == (event.execution_id, event.lease)


def _is_outcome(event: type[Report], value: bytes) -> bool:
    """Return whether a signed body is an outcome, which ends a lease: no progress, and not copied from the other topic.

    A body that cannot be parsed counts as an outcome, since a worker repeats its outcome and waits for an answer.
    """
    kinds = (event, JobStatusReported if event is ResultProduced else ResultProduced)
    for kind in kinds:
        with contextlib.suppress(ValidationError):
            report = kind.model_validate_json(value)
            return kind is event and (isinstance(report, ResultProduced) or report.kind in OUTCOMES)
    return True
