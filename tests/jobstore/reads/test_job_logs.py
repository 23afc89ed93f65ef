"""A job's log: read from either end and by submission, in pages that end before they are too large."""

import itertools
from typing import Any

from sqlalchemy import text
from support.jobstore.steps import Steps, verdict

from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.jobs.reads import LogFilter, add_last_logs, list_changes, list_job_logs, list_jobs_after
from signoff.status import Outcome, ReportKind


async def test_a_log_is_read_from_either_end_and_by_submission(database: Database, runner: CommandRunner) -> None:
    steps = Steps(database, runner)
    await steps.report(await steps.judging(), ReportKind.VERDICT, verdict=verdict(Outcome.FAIL))
    versions = [row.version for row in await steps.logs()]
    async with database.transaction() as connection:

        async def read(after: int | None = None, limit: int = 100, **how: Any) -> list[dict[str, Any]]:
            return (await list_job_logs(connection, steps.job_id, after, limit, **how))[0]

        newest = await read(limit=3, newest_first=True)
        rest = await read(newest[-1]["version"], newest_first=True)
        first = await read(chosen=LogFilter(submission=1), payloads=False)
        from_third = LogFilter(from_version=3)
        up, down = [await read(limit=2, newest_first=is_first, chosen=from_third) for is_first in (False, True)]
        answers = await read(chosen=LogFilter(kinds=["result", "not_met"]))
    assert [entry["version"] for entry in (*newest, *rest)] == versions[::-1]
    assert [entry["version"] for entry in first] == versions[1:]
    assert not any({"payload", "request", "result", "verdict"} & entry.keys() for entry in first)
    assert [[entry["version"] for entry in part] for part in (up, down)] == [[3, 4], [3, 2]]
    assert [entry["kind"] for entry in answers] == ["result", "not_met"]


async def test_a_failed_call_says_which_it_was_of_how_many(database: Database, runner: CommandRunner) -> None:
    steps = Steps(database, runner)
    lease = await steps.running(policy={"max_calls": 3})
    await steps.report(lease, ReportKind.CALL_FAILED, call=1, retry_after_s=0.0)
    await steps.report(lease, ReportKind.FAILED, call=3, seq=2)
    async with database.transaction() as connection:
        logs, _ = await list_job_logs(connection, steps.job_id, None, 10)
    told = [(entry["kind"], entry["spent_calls"], entry["max_calls"]) for entry in logs[1:]]
    assert told == [("requested", 0, 3), ("claimed", 0, 3), ("call_failed", 1, 3), ("failed", 3, 3)]


async def test_a_page_of_large_entries_ends_before_it_is_too_large(database: Database, runner: CommandRunner) -> None:
    steps = Steps(database, runner)
    lease = await steps.running(payload="x" * 900_000)
    for seq in range(1, 4):
        await steps.report(lease, ReportKind.PROGRESS, seq=seq, partial="y" * 900_000)
    versions: list[int] = []
    after, pages = None, 0
    while after is not None or not pages:
        async with database.transaction() as connection:
            entries, after = await list_job_logs(connection, steps.job_id, after, 100)
        versions += [entry["version"] for entry in entries]
        pages += 1
    assert versions == list(range(1, 7))
    assert pages > 2
    watched: list[int] = []
    async with database.transaction() as connection:
        has_more, after = True, 0
        while has_more:
            page, has_more = await list_changes(connection, after, 2**62, job_ids=[steps.job_id])
            watched += [entry["version"] for entry in page]
            after = page[-1]["cursor"]
    assert watched == versions


async def test_the_newest_entry_of_each_log_comes_with_the_jobs(database: Database, runner: CommandRunner) -> None:
    steps, idle = Steps(database, runner), await Steps(database, runner).created()
    await steps.report(await steps.running(), ReportKind.FAILED, code="agent_status", message="the agent answered 400")
    async with database.transaction() as connection:
        views = await list_jobs_after(connection, "", 10, [steps.job_id, idle.job_id])
        await add_last_logs(connection, views)
    logs = {view["id"]: view["last_log"] for view in views}
    assert (logs[steps.job_id]["code"], logs[steps.job_id]["kind"]) == ("agent_status", "failed")
    assert [logs[view["id"]]["version"] for view in views] == [view["version"] for view in views]
    assert "payload" not in logs[idle.job_id]


async def test_what_changes_of_one_job_is_read_without_the_entries_of_others(
    database: Database, runner: CommandRunner
) -> None:
    steps, others = Steps(database, runner), [Steps(database, runner) for _ in range(3)]
    await others[0].created()
    await steps.running()
    await others[1].created()
    await steps.result(1)
    await others[2].created()
    fill = "INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at) SELECT id, v, {}"
    row = "'PENDING', 'PENDING', 'progress', now() FROM jobs, generate_series(100, 10000) v WHERE id = :id"
    count = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'job_logs'"

    async with database.transaction() as connection:
        await connection.execute(text(fill.format(row)), {"id": others[1].job_id})
    async with database.session() as session:

        async def count_read() -> int:
            await session.execute(text("SELECT pg_stat_force_next_flush()"))
            return int(await session.scalar(text(count)) or 0)

        def read(after: int, limit: int = 200) -> Any:
            return list_changes(session, after, 2**62, job_ids=[steps.job_id], payloads=False, limit=limit)

        before = await count_read()
        whole, _ = await read(0)
        parts = [(await read(entry["cursor"], limit=2))[0] for entry in whole[:-1]]
        assert await read(whole[-1]["cursor"]) == ([], False)
        assert await count_read() - before < 200
    assert [entry["version"] for entry in whole] == list(range(1, len(whole) + 1))
    assert parts == [list(itertools.islice(whole, at, at + 2)) for at in range(1, len(whole))]
