"""Lists filter and sort by how a job's last execution ended, which stands on the job, and search what jobs say."""

from itertools import groupby
from typing import Final

from alembic import op
from sqlalchemy import Row, text

from contracts.judging.verdict import Verdict
from contracts.status import JobLogStatus
from jobstore.domain.decisions import NO_ENDING, Ending, change_ending, is_end, list_not_met, make_ending
from jobstore.domain.model import TransitionKind
from jobstore.json_members import members

revision = "0020"
down_revision = "0019"

COLUMNS = """
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS cancelled BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN IF NOT EXISTS code TEXT, ADD COLUMN IF NOT EXISTS duration_s DOUBLE PRECISION,
    ADD COLUMN IF NOT EXISTS not_met_criteria TEXT[]
"""
TEXTS: Final = """
CREATE TABLE IF NOT EXISTS job_texts (
    job_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    words TSVECTOR NOT NULL,
    CONSTRAINT job_texts_pkey PRIMARY KEY (job_id)
);
CREATE INDEX IF NOT EXISTS job_texts_words_idx ON job_texts USING gin (words);
CREATE INDEX IF NOT EXISTS job_texts_created_at_idx ON job_texts (created_at, job_id);
CREATE INDEX IF NOT EXISTS job_texts_beginning_idx ON job_texts (job_id text_pattern_ops);
CREATE INDEX IF NOT EXISTS job_texts_end_idx ON job_texts (reverse(job_id) text_pattern_ops);
CREATE TABLE IF NOT EXISTS text_index (
    id SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT text_index_pkey PRIMARY KEY (id),
    CONSTRAINT text_index_one_check CHECK (id = 1)
)
"""
INDEXES: Final = {
    "jobs_priority_idx": "jobs (priority, created_at, id) WHERE priority <> 5",
    "jobs_spent_usd_id_idx": "jobs (spent_usd, id) WHERE duration_s IS NOT NULL",
    "jobs_duration_s_id_idx": "jobs (duration_s, id) WHERE duration_s IS NOT NULL",
    "jobs_code_created_at_id_idx": "jobs (code, created_at, id) WHERE code IS NOT NULL",
    "jobs_cancelled_idx": "jobs (created_at, id) WHERE cancelled",
    "jobs_not_met_criteria_idx": "jobs USING gin (not_met_criteria) WHERE not_met_criteria IS NOT NULL",
}
#: Jobs that are filled in at once.
BATCH: Final = 2_000
PAGE: Final = text("SELECT id FROM jobs WHERE id > :after ORDER BY id LIMIT :limit")
#: The entries that say anything of how executions ended, or that another began.
ENTRIES: Final = text(
    """
    SELECT j.id, j.version AS job_version, l.kind, l.status, l.code, l.execution_id, l.created_at,
        e.created_at AS requested_at, CASE WHEN l.kind = 'not_met' THEN l.response_payload::text END AS response
    FROM jobs j JOIN job_logs l ON l.job_id = j.id LEFT JOIN executions e ON e.execution_id = l.execution_id
    WHERE j.id > :after AND j.id <= :last AND l.status <> 'IN_PROGRESS'
    ORDER BY j.id, l.version
    """
)
#: What was decided meanwhile stays as it was decided.
FILL: Final = text(
    """
    UPDATE jobs SET cancelled = :cancelled, code = :code, duration_s = :duration_s, not_met_criteria = :not_met_criteria
    WHERE id = :id AND version = :version
    """
)


def upgrade() -> None:
    """Fill in the columns a part at a time, then make their indexes: jobstores go on. It may be broken off anywhere."""
    with op.get_context().autocommit_block():
        for statement in (COLUMNS, *TEXTS.split(";")):
            op.execute(statement)
        fill()
        for name, definition in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")


def fill() -> None:
    connection, last = op.get_bind(), ""
    while ids := connection.scalars(PAGE, {"after": last, "limit": BATCH}).all():
        after, last = last, ids[-1]
        rows = []
        for job_id, entries in groupby(connection.execute(ENTRIES, {"after": after, "last": last}), lambda row: row.id):
            told = list(entries)
            ending = dict(NO_ENDING)
            for entry in told:
                ending |= read_ending(entry)
            if ending != NO_ENDING:
                rows.append({"id": job_id, "version": told[0].job_version, **ending})
        if rows:
            connection.execute(FILL, rows)


def read_ending(entry: Row[tuple[object, ...]]) -> Ending:
    status = JobLogStatus(entry.status)
    if not is_end(entry.kind, status, entry.execution_id):
        return change_ending(entry.kind, entry.code)
    not_met: list[str] = []
    if entry.kind == TransitionKind.NOT_MET and (verdict := members(entry.response or "{}").get("verdict")):
        not_met = list_not_met(Verdict.model_validate_json(verdict))
    return make_ending(status, entry.code, entry.requested_at, entry.created_at, not_met)
