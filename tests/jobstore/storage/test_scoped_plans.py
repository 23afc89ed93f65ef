"""What a caller of some tenants reads is found by the same indexes as what a caller of all reads."""

import re

import pytest
from sqlalchemy import text

from jobstore.engine.database import Database
from jobstore.engine.scoped import scope

JOBS = 10_000
#: One job in twenty is of the tenant `press`.
_FILL = f"""
INSERT INTO jobs (id, title, description, acceptance_criteria, payload, status, version, agent_id, live, not_met,
    priority, tenant, labels, policy, spec_hash, created_at, updated_at)
SELECT 'p-' || n, 'A title', '', 'Says "blue"', '{{}}', 'COMPLETED', 5, 'writer', false, 0, 5,
    CASE n % 20 WHEN 0 THEN 'press' ELSE 'games' END, jsonb_build_object('team', n::text), '{{}}', '',
    now() - n * interval '1 s', now() - n * interval '1 s' FROM generate_series(1, {JOBS}) n;
INSERT INTO job_texts (job_id, created_at, tenant, words)
SELECT id, created_at, tenant, to_tsvector('simple', title || ' ' || id || ' word' || replace(id, '-', '')) FROM jobs;
INSERT INTO executions (execution_id, job_id, stage, state, attempt, lease, seq, offers, submission, agent_id, priority,
    spent, tenant) SELECT gen_random_uuid(), id, 'JUDGING', 'DONE', 1, 2, 1, 0, 1, 'writer', 5, 1, tenant FROM jobs;
INSERT INTO job_logs (job_id, version, status, job_status, kind, created_at)
SELECT id, v, 'COMPLETED', 'COMPLETED', 'met', now() FROM jobs, generate_series(1, 5) v;
"""


@pytest.fixture(scope="module", autouse=True)
async def filled(database: Database) -> None:
    for statement in [*filter(str.strip, _FILL.split(";")), "VACUUM ANALYZE"]:
        async with database.session() as connection:
            await connection.execute(text(statement))


@pytest.mark.parametrize(
    ("index", "statement"),
    [
        ("jobs_pkey", "SELECT title FROM jobs WHERE id = 'p-20'"),
        ("jobs_pkey", "SELECT title FROM jobs WHERE id = ANY('{p-20,p-40,p-60}'::text[])"),
        ("jobs_labels_idx", "SELECT title FROM jobs WHERE labels @> '{\"team\": \"40\"}' AND labels <> '{}'"),
        (
            "job_texts_(tenant_)?created_at_idx",
            "SELECT words FROM job_texts ORDER BY created_at DESC, job_id DESC LIMIT 9",
        ),
        ("jobs_(tenant_)?created_at_id_idx", "SELECT title FROM jobs ORDER BY created_at DESC, id DESC LIMIT 50"),
        ("job_logs_job_id_version_key", "SELECT kind FROM job_logs WHERE job_id = 'p-20' ORDER BY version LIMIT 9"),
        ("job_texts_words_idx", "SELECT job_id FROM job_texts WHERE words @@ to_tsquery('simple', 'wordp40')"),
        (
            "job_texts_(beginning_idx|pkey|tenant_c)",
            "SELECT job_id FROM job_texts WHERE job_id LIKE 'p-20%'",
        ),
        (
            "Index Only Scan .*jobs_status_tenant_idx",
            "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE status = 'COMPLETED' LIMIT 5000) AS counted",
        ),
        ("executions_job_id_idx", "SELECT stage FROM executions WHERE job_id = 'p-20'"),
    ],
)
@pytest.mark.parametrize("of_one", [True, False])
async def test_postgresql_uses_its_indexes(database: Database, index: str, statement: str, of_one: bool) -> None:
    """Policies of rows would keep it from GIN and prefixes (docs/adr/0080)."""
    async with database.session() as connection:
        tenants, mine = ("games", "= CAST($1 AS text)") if of_one else (["games", "news"], "= ANY(CAST($1 AS text[]))")
        lines = await connection.driver.fetch(f"EXPLAIN {scope(statement, mine)}", tenants)
    plan = "\n".join(line for (line,) in lines)
    assert re.search(index, plan), plan
    assert not re.search(r"Seq Scan|CTE Scan", plan), plan
