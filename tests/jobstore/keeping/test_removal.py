"""A job is removed: one line of it stays, its id stays taken, and nobody is called for it again."""

import hashlib
import json
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from support.jobstore.removed import archived, removed, rows_of
from support.jobstore.steps import Steps, new_job, verdict
from support.rejudged import rejudged

from contracts.resources import JobPatch, NewJob
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.sql import Connection
from jobstore.errors import ConflictError, NotFoundError, RefusedError
from jobstore.executions.claims import ClaimOutcome
from jobstore.executions.commands import CancelJob, CreateAndExecute, ExecuteJob
from jobstore.jobs.commands import AssignAgent, CreateJob, EditJob, Once
from jobstore.jobs.model import SIGNOFF, RequestKey, read_removal
from jobstore.jobs.reads import get_execution
from jobstore.keeping.removal import RemoveJob, RemoveJobs
from servicekit.errors import TransientError
from signoff.status import Outcome, ReportKind
from signoff.values import new_execution_id

CANARY = "canary-7f3a"


async def judged(steps: Steps, *outcomes: Outcome, **fields: Any) -> Steps:
    about = {"title": CANARY, "description": CANARY, "payload": {"said": CANARY}, "labels": {"team": CANARY}}
    lease = await steps.judging(**about | fields)
    await steps.report(lease, ReportKind.VERDICT, verdict=verdict(*outcomes))
    return steps


async def test_one_line_of_a_removed_job_stays(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    before = await steps.logs()
    assert await removed(steps.database, steps.runner, steps.job_id) == {}
    *_, entry = await rows_of(steps.database, "job_logs", "job_id = :id ORDER BY seq", id=steps.job_id)
    assert (entry.kind, entry.status, entry.job_status) == ("removed", "COMPLETED", "COMPLETED")
    assert (entry.version, entry.actor, entry.execution_id) == (len(before) + 1, "retention", steps.execution_id)
    said = json.loads(read_removal(entry.response_payload))
    (last,) = [row for row in before if row.kind == "met"]
    (raw,) = await rows_of(steps.database, "job_logs", "seq = :seq", seq=last.seq)
    verdict = raw.response_payload.partition(',"verdict":')[2][:-1]
    assert said["verdict"] == {"version": last.version, "sha256": hashlib.sha256(verdict.encode()).hexdigest()}
    assert "executions" not in said, "the entry names its only one"
    assert said["parts"]
    assert CANARY not in str(dict(entry))


@pytest.mark.parametrize("table", ["jobs", "job_texts", "judgings", "executions", "reusable", "operation_items"])
async def test_nothing_of_its_content_stays(steps: Steps, table: str) -> None:
    await judged(steps, Outcome.PASS)
    await rejudged(steps, Outcome.PASS)
    await removed(steps.database, steps.runner, steps.job_id)
    found = await rows_of(steps.database, table, f"{table}::text LIKE :canary", canary=f"%{CANARY}%")
    assert found == []
    if table in {"jobs", "job_texts", "judgings"}:
        key = "id" if table == "jobs" else "job_id"
        assert await rows_of(steps.database, table, f"{key} = :id", id=steps.job_id) == []


async def test_what_stays_of_other_executions_has_no_content(steps: Steps) -> None:
    await judged(steps, Outcome.FAIL)
    last = new_execution_id()
    await steps.runner.submit.run_one(ExecuteJob(steps.job_id, last, chosen=True, actor=SIGNOFF))
    await steps.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await removed(steps.database, steps.runner, steps.job_id)
    assert await rows_of(steps.database, "executions", "execution_id = :id", id=last) == []
    (entry,) = await rows_of(steps.database, "job_logs", "job_id = :id AND kind = 'removed'", id=steps.job_id)
    (other,) = json.loads(read_removal(entry.response_payload))["executions"]
    assert (entry.execution_id, other["id"]) == (last, str(steps.execution_id))
    row = await steps.row()
    kept = {name for name, value in vars(row).items() if value and value != "[]"}
    named = {"execution_id", "job_id", "stage", "state", "submission", "answer", "created_at", "tenant"}
    assert kept == named
    assert (row.state, row.answer) == ("DONE", "resubmission_required")


async def test_of_a_life_of_one_execution_some_400_bytes_stay(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    await removed(steps.database, steps.runner, steps.job_id, reason="tenant:*")
    async with steps.database.session() as session:
        sizes = await session.execute(
            text(
                "SELECT pg_column_size(l) AS row, pg_column_size(l.response_payload) AS said FROM job_logs l "
                "WHERE job_id = :id AND kind = 'removed'"
            ),
            {"id": steps.job_id},
        )
    (size,) = sizes
    assert size.row < 310, "beside it stand some 170 of indexes"
    assert size.said < 110
    assert await rows_of(steps.database, "executions", "job_id = :id", id=steps.job_id) == []


async def test_a_life_of_each_outcome_is_removed(database: Database, runner: CommandRunner) -> None:
    jobs = [Steps(database, runner) for _ in range(4)]
    await judged(jobs[0], Outcome.FAIL)
    await jobs[1].created(agent_id=None)
    await jobs[2].created()
    await jobs[3].requested()
    await runner.submit.run_one(CancelJob(jobs[3].job_id, actor=SIGNOFF))
    assert await removed(database, runner, *(job.job_id for job in jobs)) == {}
    statuses = [(await rows_of(database, "job_logs", "job_id = :id AND kind = 'removed'", id=j.job_id)) for j in jobs]
    assert [row.status for (row,) in statuses] == ["RESUBMISSION_REQUIRED", "PENDING", "ASSIGNED", "ASSIGNED"]


async def refused_as(steps: Steps) -> str | None:
    refused = await removed(steps.database, steps.runner, steps.job_id)
    return refused[steps.job_id].code if refused else None


async def execute(steps: Steps, statement: str, **values: object) -> None:
    async with steps.database.transaction() as connection:
        await connection.execute(text(statement), values)


async def test_what_is_live_stays(steps: Steps) -> None:
    await steps.running()
    assert await refused_as(steps) == "execution_live"
    assert (await steps.job()).live


async def test_what_is_held_stays_until_it_is_released(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    await execute(steps, "INSERT INTO holds (job_id, actor) VALUES (:id, 'a')", id=steps.job_id)
    assert await refused_as(steps) == "job_held"
    await execute(steps, "DELETE FROM holds WHERE job_id = :id", id=steps.job_id)
    assert await refused_as(steps) is None


async def test_what_is_not_archived_stays(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    remove = RemoveJob(steps.job_id, "a reason", actor=SIGNOFF)
    await archived(steps.database)
    for behind in ("UPDATE keeping SET archived_seq = archived_seq - 1", "UPDATE text_index SET seq = seq - 1"):
        await execute(steps, behind)
        with pytest.raises(RefusedError) as error:
            await steps.runner.administer.run_one(remove)
        assert error.value.code == "not_archived"
        await execute(steps, behind.replace("- 1", "+ 1"))
    await execute(steps, "UPDATE keeping SET part = 0")
    with pytest.raises(RefusedError) as error:
        await steps.runner.administer.run_one(remove)
    assert error.value.code == "no_archive"
    await archived(steps.database)
    await steps.runner.administer.run_one(remove)


async def test_nothing_is_removed_while_a_jobstore_runs_that_would_make_the_id_anew(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    for report, refused in (
        ('{"version": "0.2.0"}', "not_archived"),
        (None, "not_archived"),
        ('{"removes": true}', None),
    ):
        await execute(steps, "DELETE FROM epochs")
        epoch = "INSERT INTO epochs (until, report) VALUES (signoff_now() + interval '1 hour', CAST(:report AS jsonb))"
        await execute(steps, epoch, report=report)
        assert await refused_as(steps) == refused
    await execute(steps, "DELETE FROM epochs")


async def test_a_stub_is_not_archived(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    await execute(
        steps,
        "INSERT INTO stubs (seq, topic, key, version, code, bytes) VALUES (1, 't', :id, 1, 'c', 1)",
        id=steps.job_id,
    )
    assert await refused_as(steps) == "not_archived"
    await execute(steps, "DELETE FROM stubs")


async def test_what_is_in_a_live_operation_stays(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    for kind, refused in (("assign", "operation_live"), ("remove", None)):
        operation = uuid4()
        await execute(steps, "INSERT INTO operations (id, kind) VALUES (:id, :kind)", id=operation, kind=kind)
        await execute(steps, "INSERT INTO operation_items VALUES (:id, 0, :job)", id=operation, job=steps.job_id)
        assert await refused_as(steps) == refused
        await execute(steps, "UPDATE operations SET state = 'DONE'")


async def test_a_labelled_case_stays(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    golden = "INSERT INTO judging_versions (kind, name, version, body, actor) VALUES ('golden', 'p', 1, :body, 'a')"
    await execute(steps, golden, body=json.dumps({"id": steps.job_id}))
    assert await refused_as(steps) == "job_labelled"
    await execute(steps, "DELETE FROM judging_versions")


async def test_what_has_gone_on_stays(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    await archived(steps.database)
    version = (await steps.job()).version
    with pytest.raises(RefusedError) as error:
        await steps.runner.administer.run_one(RemoveJob(steps.job_id, "", version - 1, actor=SIGNOFF))
    assert error.value.code == "moved_on"
    await steps.runner.administer.run_one(RemoveJob(steps.job_id, "", version, actor=SIGNOFF))


def asked_again(steps: Steps) -> dict[str, Any]:
    """All that may be asked of a job by its id."""
    job_id, anew = steps.job_id, new_execution_id()
    new = new_job(title=CANARY, description=CANARY, payload={"said": CANARY}, labels={"team": CANARY})
    create, execute_again = CreateJob(new, job_id, actor=SIGNOFF), ExecuteJob(job_id, anew, chosen=True, actor=SIGNOFF)
    return {
        "create": create,
        "create another": CreateJob(NewJob(title="x", acceptance_criteria="y"), job_id, actor=SIGNOFF),
        "create and execute": CreateAndExecute(create, execute_again, actor=SIGNOFF),
        "execute": execute_again,
        "execute once more": ExecuteJob(job_id, steps.execution_id, chosen=True, actor=SIGNOFF),
        "assign": AssignAgent(job_id, "writer", actor=SIGNOFF),
        "edit": EditJob(job_id, JobPatch(title="x"), actor=SIGNOFF),
        "cancel": CancelJob(job_id, by_call=True, actor=SIGNOFF),
        "cancel an execution": CancelJob(job_id, steps.execution_id, by_call=True, actor=SIGNOFF),
        "remove": RemoveJob(job_id, "", actor=SIGNOFF),
    }


@pytest.mark.parametrize("is_cut", [False, True])
async def test_its_id_stays_taken_at_each_command(steps: Steps, is_cut: bool) -> None:
    await judged(steps, Outcome.PASS)
    await removed(steps.database, steps.runner, steps.job_id)
    if is_cut:
        await execute(steps, "DELETE FROM job_logs WHERE job_id = :id AND kind <> 'removed'", id=steps.job_id)
    before = await rows_of(steps.database, "job_logs", "job_id = :id ORDER BY seq", id=steps.job_id)
    for name, command in asked_again(steps).items():
        with pytest.raises(NotFoundError) as error:
            await steps.runner.submit.run_one(command)
        assert error.value.code == "job_removed", name
    after = await rows_of(steps.database, "job_logs", "job_id = :id ORDER BY seq", id=steps.job_id)
    assert after == before
    assert await rows_of(steps.database, "executions", "job_id = :id", id=steps.job_id) == []


async def test_the_ids_of_its_executions_stay_taken_for_other_jobs(steps: Steps) -> None:
    await judged(steps, Outcome.PASS)
    await removed(steps.database, steps.runner, steps.job_id)
    other = await Steps(steps.database, steps.runner).created()
    with pytest.raises(ConflictError) as error:
        await steps.runner.submit.run_one(ExecuteJob(other.job_id, steps.execution_id, chosen=True, actor=SIGNOFF))
    assert error.value.code == "execution_conflict"
    other.execution_id = steps.execution_id
    answer = await other.claim()
    assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "execution_conflict")
    with pytest.raises(NotFoundError) as removal:
        await steps.runner.submit.run_one(CancelJob(None, steps.execution_id, by_call=True, actor=SIGNOFF))
    assert removal.value.code == "job_removed"
    await steps.runner.submit.run_one(CancelJob(None, steps.execution_id, actor=SIGNOFF))
    async with steps.database.session() as session:
        with pytest.raises(NotFoundError) as read:
            await get_execution(session, steps.execution_id)
    assert read.value.code == "job_removed"
    assert await rows_of(steps.database, "executions", "execution_id = :id", id=steps.execution_id) == []


async def test_requests_under_a_key_that_is_known_are_told_that_it_is_removed(steps: Steps) -> None:
    await steps.created()
    new = new_job()
    for command in (
        CreateJob(new, steps.job_id, actor=SIGNOFF),
        ExecuteJob(steps.job_id, steps.execution_id, actor=SIGNOFF),
    ):
        key = RequestKey.of(type(command).__name__, str(uuid4()), {}, tenant=new.tenant, job_id=steps.job_id)
        once: Any = Once(command, key, actor=SIGNOFF)
        await steps.runner.submit.run_one(once)
        steps.__dict__.setdefault("once", []).append(once)
    await steps.runner.submit.run_one(CancelJob(steps.job_id, actor=SIGNOFF))
    await removed(steps.database, steps.runner, steps.job_id)
    for once in steps.__dict__["once"]:
        with pytest.raises(NotFoundError) as error:
            await steps.runner.submit.run_one(once)
        assert error.value.code == "job_removed"


@pytest.mark.parametrize("is_replay", [False, True])
@pytest.mark.parametrize("is_inline", [False, True])
async def test_a_record_of_a_removed_job_is_refused_and_calls_nobody(
    steps: Steps, is_replay: bool, is_inline: bool
) -> None:
    await judged(steps, Outcome.PASS)
    await removed(steps.database, steps.runner, steps.job_id)
    known = steps.execution_id
    for execution_id in (known, new_execution_id()):
        steps.execution_id = execution_id
        answer = await steps.claim(replay=is_replay, inline=new_job() if is_inline else None)
        assert (answer.outcome, answer.code) == (ClaimOutcome.REFUSED, "job_removed")
    assert await rows_of(steps.database, "executions", "job_id = :id", id=steps.job_id) == []


async def test_who_creates_it_while_it_is_removed_is_told_so(steps: Steps) -> None:
    """The create waits for the row that is being removed, and finds neither that nor its last entry."""
    import asyncio  # noqa: PLC0415

    await judged(steps, Outcome.PASS)
    await archived(steps.database)
    new = CreateJob(new_job(), steps.job_id, actor=SIGNOFF)
    results = await asyncio.gather(
        steps.runner.administer.run_one(RemoveJob(steps.job_id, "", actor=SIGNOFF)),
        *(steps.runner.submit.run_one(new) for _ in range(3)),
        return_exceptions=True,
    )
    assert results[0] is None
    codes = {getattr(each, "code", None) for each in results[1:]}
    assert codes <= {"job_removed", "job_conflict"}
    assert await rows_of(steps.database, "jobs", "id = :id", id=steps.job_id) == []


async def test_many_are_removed_by_one_command_and_by_few_statements(database: Database, runner: CommandRunner) -> None:
    jobs = [await Steps(database, runner).created() for _ in range(100)]
    assert await removed(database, runner, *(job.job_id for job in jobs), "unknown") != {}
    assert len(await rows_of(database, "job_logs", "kind = 'removed'")) >= 100


@pytest.mark.parametrize("killed_after", range(9))
async def test_a_removal_that_is_cut_off_after_any_statement_leaves_the_job_and_is_done_again(
    steps: Steps, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """The server ends the session after so many statements: all of the job is there, or only its last entry is."""
    await judged(steps, Outcome.PASS)
    await archived(steps.database)
    tables = {"jobs": "id", "job_texts": "job_id", "job_logs": "job_id", "executions": "job_id"}

    async def read() -> dict[str, list[Any]]:
        return {
            table: sorted(
                str(dict(row)) for row in await rows_of(steps.database, table, f"{key} = :id", id=steps.job_id)
            )
            for table, key in tables.items()
        }

    before, left, whole = await read(), [killed_after], Connection.execute

    async def execute_some(self: Connection, *given: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] == -1:
            raise TransientError("the session was ended", code="database_unavailable")
        return await whole(self, *given, **options)

    remove = RemoveJobs({steps.job_id: None}, "", actor=SIGNOFF)
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", execute_some)
        try:
            await steps.runner.carry_out([remove])
            assert left[0] >= 0
        except TransientError:
            assert left[0] < 0
    if left[0] < 0:
        assert await read() == before
        assert await steps.runner.administer.run_one(remove) == {}
    after = await read()
    assert (after["jobs"], after["job_texts"], after["executions"]) == ([], [], [])
    assert (await steps.runner.administer.run_one(remove))[steps.job_id].code == "job_removed"
    assert await read() == after
