"""Only the data's own faults are permanent at once; what fails alone for too long is given up, and stops no other."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text
from support.factories import SECRETS, incoming
from support.jobstore.steps import Steps, new_job, reported, result, swept

from contracts.events import ResultProduced
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.errors import DatabaseFaultError
from jobstore.executions.commands import RecordReport, RecordResult
from jobstore.handlers import EventHandlers
from jobstore.jobs.commands import CreateJob
from jobstore.jobs.model import EXECUTOR, SIGNOFF, WORKER, ExecutionState, ExecutionTerms
from jobstore.subjects import STORES
from servicekit.errors import DoubtfulError, PermanentError, TransientError
from signoff.status import ReportKind


@asynccontextmanager
async def failing(database: Database) -> AsyncIterator[None]:
    """The database fails, as by a bug, at each entry of a log that is not FAILED and whose job's id begins with bad."""
    await execute(
        database,
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'a bug' USING ERRCODE = 'XX000'; END $$",
        "CREATE TRIGGER fail BEFORE INSERT ON job_logs FOR EACH ROW "
        "WHEN (starts_with(NEW.job_id, 'bad') AND NEW.kind <> 'failed') EXECUTE FUNCTION fail()",
    )
    yield
    await execute(database, "DROP TRIGGER fail ON job_logs", "DROP FUNCTION fail()")


@pytest.fixture
async def fault(database: Database) -> AsyncIterator[None]:
    async with failing(database):
        yield


async def execute(database: Database, *statements: str) -> None:
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(text(statement))


def impatient(database: Database, terms: ExecutionTerms) -> CommandRunner:
    return CommandRunner(database, STORES, terms, patience_s=0.0)


@pytest.mark.usefixtures("fault")
async def test_what_fails_alone_is_told_apart_from_its_batch_which_is_carried_out(runner: CommandRunner) -> None:
    ids = ["good-1", "bad-1", "good-2"]
    results = await runner.submit.run([CreateJob(new_job(), job_id, actor=SIGNOFF) for job_id in ids])
    assert [isinstance(answer, DoubtfulError) for answer in results] == [False, True, False]
    assert results[1].code == "database_error"
    assert isinstance(results[1], TransientError), "whoever can wait waits"


async def test_what_failed_for_too_long_is_given_up_and_its_lease_ends(
    database: Database, runner: CommandRunner
) -> None:
    steps = Steps(database, runner)
    steps.job_id = "bad-2"
    lease = await steps.running()
    command = RecordResult(result(steps.execution_id, steps.job_id, lease), actor=EXECUTOR)
    async with failing(database):
        (waiting,) = await runner.record.run([command])
        assert isinstance(waiting, DoubtfulError)
        assert (await steps.row()).state == ExecutionState.LEASED
        (given_up,) = await impatient(database, runner.terms).record.run([command])
        handlers = EventHandlers(runner, database, SECRETS)
        await handlers.choose_dead(ResultProduced, [(incoming(command.event).record, given_up)])
    assert isinstance(given_up, DatabaseFaultError)
    assert given_up.code == "database_error"
    assert (await steps.job()).status == "FAILED"
    assert (await steps.logs())[-1].code == "database_error"


@pytest.mark.usefixtures("fault")
async def test_while_the_database_cannot_be_written_nothing_fails_alone(
    database: Database, runner: CommandRunner
) -> None:
    """The minutes of an outage do not count: who is impatient waits, too."""
    await execute(database, "ALTER TABLE relay RENAME TO away")
    try:
        with pytest.raises(TransientError) as outage:
            await impatient(database, runner.terms).submit.run([CreateJob(new_job(), "bad-3", actor=SIGNOFF)])
        assert not isinstance(outage.value, DoubtfulError)
        assert outage.value.code == "database_not_migrated"
        assert "migrates it" in (database.availability.check() or "")
    finally:
        await execute(database, "ALTER TABLE away RENAME TO relay")
    await database.availability.probe()
    assert database.availability.check() is None or database.availability.find_outage() == "database_not_migrated"


@pytest.mark.parametrize(
    ("statement", "kind", "code"),
    [
        ("SELECT 1 / 0", PermanentError, "invalid_data"),
        ("SELECT CAST(repeat('[', 100000) AS json)", PermanentError, "invalid_data"),
        ("INSERT INTO relay (id, published_seq, offsets) VALUES (2, 0, '{}')", TransientError, "raced"),
        ("SELECT", None, ""),
        ("SELECT FROM nowhere", TransientError, "database_not_migrated"),
        ("SELECT nothing FROM relay", TransientError, "database_not_migrated"),
        ("SELEKT", DoubtfulError, "database_error"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(5)", DoubtfulError, "database_error"),
        *(
            (f"DO $$ BEGIN RAISE 'raised' USING ERRCODE = '{state}'; END $$", kind, code)
            for state, kind, code in [
                ("22P05", PermanentError, "invalid_data"),
                ("40P01", TransientError, "database_busy"),
                ("55P03", TransientError, "database_busy"),
                ("25006", TransientError, "database_read_only"),
                ("42501", TransientError, "database_forbidden"),
                ("28000", TransientError, "database_forbidden"),
                ("53100", TransientError, "database_out_of_space"),
                ("53200", TransientError, "database_unavailable"),
                ("53300", TransientError, "database_out_of_connections"),
                ("57P01", TransientError, "database_unavailable"),
                ("57P03", TransientError, "database_in_recovery"),
                ("58030", TransientError, "database_unavailable"),
                ("3D000", TransientError, "database_not_migrated"),
                ("54000", DoubtfulError, "database_error"),
                ("21000", DoubtfulError, "database_error"),
                ("XX001", DoubtfulError, "database_error"),
                ("P0001", DoubtfulError, "database_error"),
            ]
        ),
    ],
)
async def test_each_class_of_errors_is_known_for_what_it_is(
    database: Database, statement: str, kind: type[Exception] | None, code: str
) -> None:
    error: Any = None
    try:
        for part in [statement] if "$$" in statement else statement.split("; "):
            async with database.transaction() as connection:
                if part.startswith("SET") or "pg_sleep" in part:
                    await connection.execute(text("SET LOCAL statement_timeout = 1"))
                await connection.execute(text(part))
    except (PermanentError, TransientError) as raised:
        error = raised
    assert error is None if kind is None else isinstance(error, kind)
    assert (error.code if error else "") == code
    assert isinstance(error, DoubtfulError) == (kind is DoubtfulError)


async def test_a_constraint_that_is_never_kept_stands_alone_and_is_permanent(
    database: Database, runner: CommandRunner
) -> None:
    await execute(database, "ALTER TABLE jobs ADD CONSTRAINT never CHECK (id <> 'never')")
    try:
        answers = await runner.submit.run([CreateJob(new_job(), job_id, actor=SIGNOFF) for job_id in ("ever", "never")])
        assert not isinstance(answers[0], Exception)
        assert isinstance(answers[1], PermanentError)
        assert answers[1].code == "invalid_data"
    finally:
        await execute(database, "ALTER TABLE jobs DROP CONSTRAINT never")


async def test_nobody_lapses_while_the_database_can_be_read_and_not_written(
    database: Database, runner: CommandRunner
) -> None:
    """Nobody can renew a lease then: it is a gap in the sweeper's service, however well it reads."""
    steps = Steps(database, runner)
    await steps.running()
    await steps.due(-60)
    await execute(database, "ALTER TABLE relay RENAME TO away")
    try:
        with pytest.raises(TransientError):
            await database.availability.probe()
        await swept(database, runner)
    finally:
        await execute(database, "ALTER TABLE away RENAME TO relay")
        await database.availability.probe()
    assert (await steps.row()).state == ExecutionState.LEASED


async def test_a_report_of_progress_that_is_given_up_ends_no_lease(database: Database, runner: CommandRunner) -> None:
    steps = Steps(database, runner)
    steps.job_id = "bad-4"
    lease = await steps.running()
    told = reported(steps.execution_id, steps.job_id, lease, ReportKind.CALL_BEGUN)
    async with failing(database):
        (given_up,) = await impatient(database, runner.terms).record.run([RecordReport(told, actor=WORKER)])
    assert isinstance(given_up, DatabaseFaultError)
    assert (await steps.row()).state == ExecutionState.LEASED
