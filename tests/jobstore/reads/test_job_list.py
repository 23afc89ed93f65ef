"""Lists of jobs: every filter, every order, page by page, and how many there are."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from support.jobstore.registered import create_old_jobs, register_tenants
from support.jobstore.rows import parsed
from support.jobstore.steps import new_job

from contracts.resources import JobFilter, JobPatch
from jobstore.engine.database import Database
from jobstore.engine.runner import CommandRunner
from jobstore.engine.scoped import ScopedConnection
from jobstore.jobs import finding, lists
from jobstore.jobs.commands import CreateJob, EditJob
from jobstore.jobs.model import SIGNOFF
from jobstore.jobs.reads import add_last_logs
from jobstore.jobs.texts import TextIndex
from signoff.status import JobOrder, JobStatus

BATCH = uuid4()
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = 60


@pytest.fixture(scope="module")
async def jobs(database: Database, runner: CommandRunner) -> Mapping[str, Any]:
    """Sixty jobs, a minute apart, three of them at one moment; updated in another order."""
    numbered = count()
    made = {
        f"job-{number:03}": new_job(
            title=f"Translate page {number} (50% done_now)" if number % 7 == 0 else f"Summarise {number}",
            tenant=f"tenant-{number % 3}",
            labels={"team": f"t{number % 4}", "kind": "x"},
            agent_id="writer" if number % 2 else None,
        )
        for number in (next(numbered) for _ in range(NUMBERS))
    }
    await create_old_jobs(database, runner, made)
    async with database.transaction() as connection:
        await connection.execute(
            text(
                "UPDATE jobs SET created_at = CAST(:begin AS timestamptz) + n / 3 * 3 * interval '1 minute', "
                "updated_at = CAST(:begin AS timestamptz) + n * 37 % 60 * interval '1 hour', "
                "batch_id = CASE WHEN n % 5 = 0 THEN CAST(:batch AS uuid) END, "
                "priority = CASE n % 6 WHEN 0 THEN 9 WHEN 1 THEN 2 ELSE 5 END, "
                "cost_nanos = n % 8 * 250_000_000, duration_s = n % 9, cancelled = n % 2 = 1 AND n % 10 = 1, "
                "code = CASE n % 4 WHEN 0 THEN 'agent_status' WHEN 1 THEN 'no_progress' END, "
                "not_met_criteria = CASE n % 3 WHEN 0 THEN ARRAY['Is \"blue\", or so', 'x'] WHEN 1 THEN ARRAY['x'] END "
                "FROM (SELECT id AS job_id, substr(id, 5)::int AS n FROM jobs WHERE id LIKE 'job-0%') AS numbered "
                "WHERE id = job_id"
            ),
            {"begin": BEGIN, "batch": BATCH},
        )
        rows = [*map(parsed, await connection.execute(text("SELECT * FROM jobs WHERE id LIKE 'job-0%'")))]
    await index(database)
    return {row.id: row for row in rows}


async def index(database: Database) -> None:
    """All jobs that were created or edited by now are searched by their words."""
    async with database.transaction() as connection:
        await connection.execute(text("UPDATE relay SET settled_seq = (SELECT max(seq) FROM job_logs)"))
    while await TextIndex(database).index():
        pass


async def listed(
    database: Database, limit: int = 7, order: JobOrder = JobOrder.CREATED_DESC, **chosen: Any
) -> list[str]:
    """All that match, page by page."""
    found: list[str] = []
    after: finding.Place | None = None
    while True:
        async with database.transaction() as connection:
            page = await lists.list_jobs(connection, limit=limit, chosen=JobFilter(**chosen), order=order, after=after)
        found += [view["id"] for view in page.views]
        after = page.next
        if after is None:
            return found


@pytest.mark.parametrize("order", JobOrder)
@pytest.mark.parametrize("limit", [1, 7, 500])
async def test_every_order_goes_through_all_jobs_once(
    database: Database, jobs: Mapping[str, Any], order: JobOrder, limit: int
) -> None:
    found = await listed(database, limit, order)
    assert sorted(found) == sorted(jobs)
    name = order.value.removeprefix("-").replace("cost_usd", "cost_nanos")
    second = ("created_at",) if name == "priority" else ()
    keys = [(*(getattr(jobs[job_id], each) for each in (name, *second)), job_id) for job_id in found]
    descends = order.value.startswith("-")
    assert all(one > other if descends else one < other for one, other in pairwise(keys))


FILTERS: list[tuple[dict[str, Any], Any]] = [
    ({"statuses": [JobStatus.PENDING]}, lambda row: row.status == "PENDING"),
    ({"statuses": [JobStatus.PENDING, JobStatus.FAILED]}, lambda row: row.status == "PENDING"),
    ({"agent_id": "writer"}, lambda row: row.agent_id == "writer"),
    ({"tenant": "tenant-1"}, lambda row: row.tenant == "tenant-1"),
    ({"labels": {"team": "t2"}}, lambda row: row.labels["team"] == "t2"),
    ({"labels": {"team": "t2", "kind": "y"}}, lambda _: False),
    ({"batch_id": BATCH}, lambda row: row.batch_id == UUID(str(BATCH))),
    ({"created_after": BEGIN + timedelta(minutes=30)}, lambda row: row.created_at >= BEGIN + timedelta(minutes=30)),
    ({"created_before": BEGIN + timedelta(minutes=30)}, lambda row: row.created_at < BEGIN + timedelta(minutes=30)),
    ({"text": "TRANSLATE"}, lambda row: "Translate" in row.title),
    ({"text": "50% done_now"}, lambda row: "50%" in row.title),
    ({"text": "5_%"}, lambda row: re.search(r"\b5", row.title)),  # the words that begin so, and no pattern
    ({"text": "ob-01"}, lambda row: row.id.startswith("job-01")),
    ({"id_part": "job-01"}, lambda row: row.id.startswith("job-01")),
    ({"id_part": "b-017"}, lambda row: row.id == "job-017"),
    ({"id_part": "ob-0"}, lambda _: False),
    ({"cancelled": True}, lambda row: row.cancelled),
    ({"cancelled": False, "codes": ["no_progress"]}, lambda row: not row.cancelled and row.code == "no_progress"),
    ({"codes": ["no_progress", "agent_status"]}, lambda row: row.code is not None),
    ({"criterion_not_met": 'Is "blue", or so'}, lambda row: len(row.not_met_criteria or ()) == 2),
    ({"criterion_not_met": "Is"}, lambda _: False),
    ({"cost_usd_min": 0.5, "cost_usd_max": 1.0}, lambda row: 500_000_000 <= row.cost_nanos <= 1_000_000_000),
    ({"duration_s_max": 0}, lambda row: row.duration_s == 0),
    ({"duration_s_min": 3, "cancelled": True}, lambda row: row.duration_s >= 3 and row.cancelled),
    ({"not_agent_ids": ["writer", "nobody"]}, lambda row: row.agent_id is None),
    ({"not_tenants": ["tenant-1", "tenant-2"]}, lambda row: row.tenant == "tenant-0"),
    ({"not_labels": ["team:t2", "team:t3"]}, lambda row: row.labels["team"] in {"t0", "t1"}),
    ({"not_labels": ["kind:x"]}, lambda _: False),
    ({"not_batch_ids": [BATCH]}, lambda row: row.batch_id is None),
    ({"not_codes": ["no_progress"]}, lambda row: row.code != "no_progress"),
    ({"not_criteria_not_met": ['Is "blue", or so', "y"]}, lambda row: len(row.not_met_criteria or ()) < 2),
    (
        {"not_agent_ids": ["writer"], "not_codes": ["agent_status"], "tenant": "tenant-1"},
        lambda row: row.agent_id is None and row.code is None and row.tenant == "tenant-1",
    ),
    ({"text": "page", "not_agent_ids": ["writer"]}, lambda row: "page" in row.title and row.agent_id is None),
    ({"batch_id": BATCH, "not_codes": ["x", "agent_status"]}, lambda row: row.batch_id and row.code != "agent_status"),
    ({"text": "page", "agent_id": "writer"}, lambda row: "page" in row.title and row.agent_id == "writer"),
]


@pytest.mark.parametrize(("chosen", "matches"), FILTERS)
@pytest.mark.parametrize("order", [JobOrder.CREATED_DESC, JobOrder.UPDATED, JobOrder.COST, JobOrder.PRIORITY_DESC])
async def test_every_filter_finds_what_matches_and_nothing_else(
    database: Database, jobs: Mapping[str, Any], chosen: dict[str, Any], matches: Any, order: JobOrder
) -> None:
    wanted = sorted(job_id for job_id, row in jobs.items() if matches(row))
    assert sorted(await listed(database, order=order, **chosen)) == wanted
    async with database.transaction() as connection:
        counts = await lists.count_jobs(connection, JobFilter(**{**chosen, "statuses": []}))
    assert counts.searched is None, "all were"
    if "statuses" not in chosen:
        assert sum(counts.by_status.values()) == len(wanted)
    if not {"statuses", "cancelled"} & chosen.keys():
        assert counts.cancelled == sum(jobs[job_id].cancelled for job_id in wanted)


async def test_counts_are_by_status_and_end_at_their_limit(
    database: Database, jobs: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.transaction() as connection:
        assert await lists.count_jobs(connection, JobFilter()) == ({"PENDING": 30, "ASSIGNED": 30}, 6, None)
        monkeypatch.setattr(finding, "COUNTED_MAX", 4)
        counts = await lists.count_jobs(connection, JobFilter(statuses=[JobStatus.PENDING]))
    assert counts.by_status == {"PENDING": 4, "ASSIGNED": 4}
    assert len(jobs) == NUMBERS


@pytest.mark.parametrize("order", JobOrder)
async def test_words_are_found_in_all_jobs_and_their_middle_in_the_newest(
    database: Database, jobs: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, order: JobOrder
) -> None:
    monkeypatch.setattr(finding, "SEARCHED_MAX", 10)
    with_page = sorted(i for i, row in jobs.items() if "page" in row.title)
    for words in ("page", "pag translat", "Translate page"):
        assert sorted(await listed(database, 5, order, text=words)) == with_page
    assert sorted(await listed(database, 2, order, text="anslat")) == [i for i in with_page if i >= "job-050"]
    assert sorted(await listed(database, 2, order, id_part="-003")) == ["job-003"]
    assert sorted(await listed(database, 2, order, id_part="job-00")) == [f"job-00{n}" for n in range(10)]


@pytest.mark.parametrize("order", [JobOrder.CREATED_DESC, JobOrder.UPDATED])
@pytest.mark.parametrize(
    ("chosen", "number"),
    [({"tenant": "tenant-1"}, 20), ({"batch_id": BATCH}, 12), ({"created_before": BEGIN + timedelta(days=1)}, NUMBERS)],
)
async def test_a_search_says_that_only_the_newest_were_searched_where_more_match(
    database: Database,
    jobs: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    chosen: dict[str, Any],
    number: int,
    order: JobOrder,
) -> None:
    assert jobs
    wanted = JobFilter(text="page", **chosen)
    for most, searched in ((number, None), (number - 1, number - 1)):
        monkeypatch.setattr(finding, "SEARCHED_MAX", most)
        async with database.transaction() as connection:
            page = await lists.list_jobs(connection, limit=5, chosen=wanted, order=order)
            counts = await lists.count_jobs(connection, wanted)
        assert (page.searched, counts.searched) == (searched, searched)


async def test_of_a_batch_larger_than_is_looked_at_the_newest_items_are_searched_and_that_is_said(
    database: Database, jobs: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert jobs
    monkeypatch.setattr(finding, "COUNTED_MAX", 12)
    async with database.transaction() as connection:
        counts = await lists.count_jobs(connection, JobFilter(text="page", batch_id=BATCH))
    assert counts.searched == finding.SEARCHED_MAX


async def test_of_several_words_the_rarest_is_looked_up_however_it_is_written(
    database: Database, jobs: Mapping[str, Any], runner: CommandRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = r"summarise d'état well-known/page C:\dir 'quoted''"
    new = new_job(title="Zero", description=odd, tenant="rarest")
    await runner.submit.run_one(CreateJob(new, "rarest:1", actor=SIGNOFF))
    await index(database)
    monkeypatch.setattr(finding, "SEARCHED_MAX", 0)
    assert jobs
    asked = {
        "summarise page": "page",
        "page summarise 9": "9",
        "summarise état": "état",
        "summarise nowhere": "nowhere",
    }
    async with database.transaction() as connection:
        for words, rarest in asked.items():
            found = await finding.find_rarest_word(connection, JobFilter(text=words))
            assert found == f"'{rarest}':* & '{rarest}':*"
        assert await finding.find_rarest_word(connection, JobFilter(text="page")) is None
        assert await finding.find_rarest_word(connection, JobFilter(text="? !")) is None
    parts = odd.split()
    for words in (odd, *(f"summarise {part}" for part in parts), *(f"{part} zero" for part in parts), "dir quot"):
        for order in (JobOrder.CREATED_DESC, JobOrder.UPDATED):
            assert await listed(database, order=order, text=words, tenant="rarest") == ["rarest:1"], words
    assert await listed(database, text="zero nowhere", tenant="rarest") == []


@pytest.mark.parametrize("few_max", [0, finding.FEW_TEXTS_MAX])
@pytest.mark.parametrize("words", ["translate", "page 4", "summarise 2", "job-01", "nowhere"])
async def test_who_has_few_texts_finds_the_same_in_them_as_by_the_index(
    database: Database, jobs: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch, words: str, few_max: int
) -> None:
    monkeypatch.setattr(finding, "FEW_TEXTS_MAX", few_max)
    assert jobs
    own = frozenset({"tenant-1", "tenant-2"})
    wanted = [each for each in await listed(database, text=words) if jobs[each].tenant in own]
    for order in (JobOrder.CREATED_DESC, JobOrder.CREATED):
        async with database.transaction() as connection:
            caller = ScopedConnection(connection.driver, own)
            assert (await finding.select_few_texts(caller) is None) is (few_max == 0)
            found = await lists.list_jobs(caller, limit=NUMBERS, chosen=JobFilter(text=words), order=order)
            await add_last_logs(caller, found.views)
        assert sorted(view["id"] for view in found.views) == sorted(wanted)
        assert [view["id"] for view in found.views] == (wanted if order is JobOrder.CREATED_DESC else wanted[::-1])
        assert {(view["last_log"]["job_id"], view["last_log"]["tenant"]) for view in found.views} == {
            (each, jobs[each].tenant) for each in wanted
        }


async def test_who_has_all_texts_searches_by_the_index(database: Database) -> None:
    async with database.transaction() as connection:
        assert await finding.select_few_texts(connection) is None
        assert await finding.select_few_texts(ScopedConnection(connection.driver, None)) is None


@pytest.mark.parametrize(
    "words", ["'", "' &", "!", "%", "\\", "a & !b | (c", ":*", "\N{SNOWMAN}", "''page'' <-> x", "$$' &$$"]
)
async def test_no_text_is_taken_for_an_operator(database: Database, jobs: Mapping[str, Any], words: str) -> None:
    assert await listed(database, text=words) == [i for i in sorted(jobs, reverse=True) if words in jobs[i].title]


async def test_all_that_is_asked_for_is_searched_also_after_an_edit(database: Database, runner: CommandRunner) -> None:
    new = new_job(title="Something", description="of the Antarctic, " + "and words " * 20_000, tenant="searched")
    await runner.submit.run_one(CreateJob(new, "searched:1", actor=SIGNOFF))
    assert await listed(database, text="something", tenant="searched") == ["searched:1"], "the newest, at once"
    assert await listed(database, text="antarct", tenant="searched") == []
    await index(database)
    assert await listed(database, text="antarct", tenant="searched") == ["searched:1"]
    await runner.submit.run_one(EditJob("searched:1", JobPatch(description="of the Arctic"), actor=SIGNOFF))
    await index(database)
    assert await listed(database, text="antarct", tenant="searched") == []
    assert await listed(database, text="arctic criteria", tenant="searched") == []
    assert await listed(database, text="arctic says", tenant="searched") == ["searched:1"]
    async with database.transaction() as connection:
        counts = await lists.count_jobs(connection, JobFilter(text="arctic", tenant="searched"))
    assert counts.by_status == {"ASSIGNED": 1}


async def test_what_did_not_end_has_no_place_by_cost_or_duration(
    database: Database, runner: CommandRunner, jobs: Mapping[str, Any]
) -> None:
    assert jobs
    await runner.submit.run_one(CreateJob(new_job(tenant="live"), "live:1", actor=SIGNOFF))
    assert await listed(database, order=JobOrder.CREATED, tenant="live") == ["live:1"]
    assert await listed(database, order=JobOrder.DURATION_DESC, tenant="live") == []
    assert await listed(database, tenant="live", cost_usd_min=0) == []


async def test_a_list_without_texts_leaves_them_out(database: Database, jobs: Mapping[str, Any]) -> None:
    assert jobs
    for chosen in (JobFilter(), JobFilter(text="page")):
        async with database.transaction() as connection:
            page = await lists.list_jobs(connection, limit=3, chosen=chosen, texts=False)
        assert all((view["acceptance_criteria"], view["payload"]) == (None, None) for view in page.views)


@pytest.mark.parametrize("wanted", [{}, {"text": "enormous"}])
async def test_a_page_of_large_jobs_ends_before_it_is_too_large(
    database: Database, runner: CommandRunner, wanted: dict[str, str]
) -> None:
    large = new_job(title="enormous", tenant=f"large-{uuid4().hex[:8]}", description="x" * 900_000)
    ids = [str(uuid4()) for _ in range(5)]
    await register_tenants(runner, large.tenant)
    for job_id in ids:
        await runner.submit.run_one(CreateJob(large, job_id, actor=SIGNOFF))
    chosen: dict[str, Any] = {"tenant": large.tenant, **wanted}
    async with database.transaction() as connection:
        page = await lists.list_jobs(connection, limit=100, chosen=JobFilter(**chosen), order=JobOrder.CREATED)
        bare = await lists.list_jobs(connection, limit=100, chosen=JobFilter(**chosen), texts=False)
    assert (len(page.views), len(bare.views)) == (2, 5)
    assert await listed(database, 100, JobOrder.CREATED, **chosen) == ids


async def test_texts_of_the_release_before_are_given_their_tenants(jobs: Mapping[str, Any], database: Database) -> None:
    del jobs
    async with database.session() as session:
        await session.execute(text("UPDATE job_texts SET tenant = NULL"))
    await index(database)
    async with database.session() as session:
        others = "SELECT count(*) FROM jobs LEFT JOIN job_texts t ON t.job_id = id AND t.tenant = jobs.tenant"
        assert await session.scalar(text(f"{others} WHERE t.job_id IS NULL")) == 0
