"""The logs of removed jobs are cut by functions of the tables' owner: the jobstores' role deletes no entry itself."""

from alembic import op

revision = "0121"
down_revision = "0120"

INDEXES = (
    ("job_logs_removals_idx", "job_logs (seq) WHERE kind = 'removed'"),
    ("judgings_job_id_idx", "judgings (job_id) WHERE job_id IS NOT NULL"),
    ("archive_parts_last_seq_idx", "archive_parts (last_seq)"),
    ("archive_parts_seq_idx", "archive_parts (seq)"),
)
#: Delete up to so many entries below removal entries that are archived, and were recorded some seconds ago: by then no
#: transaction is under way that has read the job before. The row of `keeping` is locked: one cuts at a time.
CUT = """
    CREATE FUNCTION signoff_cut(rows_max INTEGER, rest_s DOUBLE PRECISION) RETURNS BIGINT
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        kept keeping;
        entry RECORD;
        cut BIGINT := 0;
        highest BIGINT;
        deleted BIGINT;
    BEGIN
        SELECT * INTO kept FROM keeping WHERE id = 1 FOR UPDATE;
        FOR entry IN
            SELECT seq, job_id, version FROM job_logs WHERE kind = 'removed' AND seq > kept.cut_seq
                AND seq <= kept.archived_seq AND created_at <= signoff_now() - make_interval(secs => rest_s)
            ORDER BY seq LIMIT rows_max
        LOOP
            WITH gone AS (
                DELETE FROM job_logs WHERE seq = ANY(ARRAY(
                    SELECT seq FROM job_logs WHERE job_id = entry.job_id AND version < entry.version
                    ORDER BY version LIMIT rows_max - cut)) RETURNING seq
            )
            SELECT count(*), max(seq) INTO deleted, highest FROM gone;
            cut := cut + deleted;
            kept.cut_below := greatest(kept.cut_below, highest);
            IF EXISTS (SELECT FROM job_logs WHERE job_id = entry.job_id AND version < entry.version) THEN EXIT; END IF;
            kept.cut_seq := entry.seq;
            IF cut >= rows_max THEN EXIT; END IF;
        END LOOP;
        UPDATE keeping SET cut_seq = kept.cut_seq, cut_below = kept.cut_below WHERE id = 1;
        RETURN cut;
    END $$
"""
#: Delete up to so many removal entries that are older than they are kept, 30 days at least, with their executions.
FORGET = """
    CREATE FUNCTION signoff_forget_removed(jobs_max INTEGER, kept_s DOUBLE PRECISION) RETURNS BIGINT
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    DECLARE
        kept keeping;
        numbers BIGINT[];
        job_ids TEXT[];
    BEGIN
        SELECT * INTO kept FROM keeping WHERE id = 1 FOR UPDATE;
        SELECT array_agg(seq), array_agg(job_id) INTO numbers, job_ids FROM (
            SELECT seq, job_id FROM job_logs WHERE kind = 'removed' AND seq <= kept.cut_seq
                AND created_at <= signoff_now() - greatest(make_interval(secs => kept_s), interval '30 days')
            ORDER BY seq LIMIT jobs_max
        ) AS old;
        IF numbers IS NULL THEN RETURN 0; END IF;
        DELETE FROM executions WHERE job_id = ANY(job_ids) AND state = 'DONE' AND request_version IS NULL;
        DELETE FROM job_logs WHERE seq = ANY(numbers);
        UPDATE keeping SET cut_below = greatest(cut_below, (SELECT max(number) FROM unnest(numbers) AS number))
        WHERE id = 1;
        RETURN cardinality(numbers);
    END $$
"""


def upgrade() -> None:
    """Make the functions, and the indexes while rows are written; an interrupted start begins anew."""
    for function in (CUT, FORGET):
        op.execute(function)
    with op.get_context().autocommit_block():
        for name, columns in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {columns}")
