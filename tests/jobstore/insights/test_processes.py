"""Processes are known by their own reports, and what nobody publishes or takes is counted."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.steps import Steps

from contracts.topics import EXECUTOR_GROUP
from jobstore.api.operations_service import to_message
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.executions.rows import WorkerRoom
from jobstore.executions.store import note_worker
from jobstore.insights.processes import GroupFindings, Process, Report, find_trouble, list_processes, read_backlog
from jobstore.jobs.model import ExecutionStage
from servicekit.kafka.broker import Group
from servicekit.process.runtime import VERSION

OWNER = uuid4()
PUBLISH = text(
    "UPDATE relay SET published_seq = "
    "greatest((SELECT max(seq) FROM job_logs), (SELECT max(seq) FROM facts), published_seq)"
)


async def test_a_process_is_told_with_its_version_and_by_how_much_its_clock_is_ahead(database: Database) -> None:
    """A claim, which reports nothing, changes neither."""
    said = Report(version="9.9", clock=datetime.now(UTC) + timedelta(hours=1), members=["m"]).model_dump_json()
    async with database.session() as session:
        await session.execute(text("DELETE FROM workers"))
        await note_worker(session, OWNER, WorkerRoom(ExecutionStage.JUDGING, 7, report=said))
        await note_worker(session, OWNER, WorkerRoom(ExecutionStage.JUDGING, 6))
        await session.execute(text("UPDATE workers SET seen_at = seen_at - interval '41 s'"))
        (process,) = [each for each in await list_processes(session) if each.kind != "jobstore"]
    assert (process.id, process.kind, process.room) == (str(OWNER), "validator", 6)
    assert process.silent_s == pytest.approx(41, abs=5)
    assert process.report is not None
    assert (process.report.version, process.report.members) == ("9.9", ["m"])
    assert process.report.ahead_s == pytest.approx(3_600, abs=5)


async def test_a_worker_is_told_with_what_bounds_it(database: Database) -> None:
    said = Report(clock=datetime.now(UTC), partitions=3, bound="memory", paced=2).model_dump_json()
    async with database.session() as session:
        await session.execute(text("DELETE FROM workers"))
        await note_worker(session, OWNER, WorkerRoom(ExecutionStage.JUDGING, 7, 4_096, report=said))
        (process,) = [each for each in await list_processes(session) if each.kind != "jobstore"]
    told = to_message(process)
    assert (told.capacity, told.bound, told.partitions, told.paced, told.room) == (4_096, "memory", 3, 2, 7)
    assert to_message(process._replace(report=None)).HasField("partitions") is False


async def test_a_jobstore_is_told_by_its_epoch(database: Database) -> None:
    database.epochs.describe = lambda: Report(version="9.9", clock=datetime.now(UTC)).model_dump_json()
    await database.availability.probe()
    async with database.session() as session:
        told = {each.id: each for each in await list_processes(session) if each.kind == "jobstore"}
    process = told[str(database.epochs.current)]
    assert process.silent_s == pytest.approx(0, abs=5)
    assert process.report is not None
    assert (process.report.version, process.report.ahead_s) == ("9.9", pytest.approx(0, abs=5))


async def test_what_is_not_published_or_taken_is_counted(database: Database, runner: CommandRunner) -> None:
    async with database.session() as session:
        await session.execute(PUBLISH)
        assert (await read_backlog(session))[:2] == (0, 0.0)
        before = (await read_backlog(session)).unclaimed
    steps = await Steps(database, runner).requested()
    async with database.session() as session:
        of_job = {"job_id": steps.job_id}
        await session.execute(
            text("UPDATE job_logs SET created_at = created_at - interval '41 s' WHERE job_id = :job_id"), of_job
        )
        await session.execute(
            text("UPDATE executions SET state = 'OFFERED', offers = 2 WHERE job_id = :job_id"), of_job
        )
        backlog = await read_backlog(session)
    assert (backlog.unpublished > 0, backlog.unpublished_s) == (True, pytest.approx(41, abs=5))
    assert backlog.unclaimed == before + 1
    async with database.session() as session:
        await session.execute(PUBLISH)
        await session.execute(
            text(
                "INSERT INTO facts (topic, key, body) SELECT 'agent-changed', 'a', "
                "json_build_object('agent', json_build_object('updated_at', signoff_now() - interval '50 s'))"
            )
        )
        backlog = await read_backlog(session)
    assert (backlog.unpublished, backlog.unpublished_s) == (1, pytest.approx(50, abs=5)), "other facts count, too"


async def test_several_tenants_are_noticed_by_their_jobs(database: Database, runner: CommandRunner) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("TRUNCATE jobs CASCADE"))
    found = []
    for tenant in ("press", "press", "radio"):
        await Steps(database, runner).created(tenant=tenant)
        async with database.session() as session:
            found.append((await read_backlog(session)).has_several_tenants)
    assert found == [False, False, True]


def a_process(kind: str = "executor", silent_s: float = 1.0, ahead_s: float = 0.0, **said: Any) -> Process:
    at = datetime.now(UTC)
    report = Report(**{"version": VERSION, "clock": at + timedelta(seconds=ahead_s), "partitions": 3, "at": at, **said})
    return Process("an-id", kind, 5, 10, silent_s, report)


STALLED = GroupFindings(Group(EXECUTOR_GROUP, "execute-requested", (), {}), 7, (45.0, 31.0), ())


@pytest.mark.parametrize(
    ("process", "code"),
    [
        (a_process(), None),
        (a_process()._replace(report=None), None),
        (a_process(silent_s=21), "silent"),
        (a_process(silent_s=21, ends=True), None),
        (a_process(partitions=0), "no_partitions"),
        (a_process(ahead_s=-9), "clock_differs"),
        (a_process(ahead_s=9), "clock_differs"),
        (a_process(version="9.9"), "version_differs"),
        (a_process("jobstore", version="9.9"), "version_differs"),
    ],
)
def test_what_is_wrong_with_a_process_is_said(process: Process, code: str | None) -> None:
    trouble = find_trouble(process, 20.0)
    assert (trouble and trouble.code) == code


def test_a_group_that_does_not_move_is_its_members_trouble() -> None:
    trouble = find_trouble(a_process(), 20.0, [STALLED])
    assert trouble is not None
    assert (trouble.code, trouble.message[:12]) == ("group_stalled", "2 partitions")
    assert find_trouble(a_process("validator"), 20.0, [STALLED]) is None
    assert find_trouble(a_process("jobstore"), 20.0, [STALLED]) is None


async def test_workers_are_told_with_what_they_take(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("DELETE FROM workers"))
        await note_worker(session, OWNER, WorkerRoom(ExecutionStage.JUDGING, 7, 10))
        await session.execute(
            text("""UPDATE workers SET judge = 'default@3', judge_keys = '{"main": []}', protocols = '{a2a}'""")
        )
        (process,) = [each for each in await list_processes(session) if each.kind != "jobstore"]
    assert (process.judge, process.keys, process.protocols) == ("default@3", ["main"], ["a2a"])
