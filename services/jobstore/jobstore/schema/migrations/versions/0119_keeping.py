"""What is kept for how long, what is held, and how far facts are archived; the log outlives its job."""

from alembic import op

revision = "0119"
down_revision = "0118"

CHANGES = (
    """
    CREATE TABLE retentions (
        name TEXT NOT NULL,
        completed_s DOUBLE PRECISION,
        failed_s DOUBLE PRECISION,
        rejected_s DOUBLE PRECISION,
        resubmission_required_s DOUBLE PRECISION,
        cancelled_s DOUBLE PRECISION,
        operations_s DOUBLE PRECISION,
        updated_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT signoff_now(),
        version BIGINT NOT NULL DEFAULT 1,
        CONSTRAINT retentions_pkey PRIMARY KEY (name)
    )
    """,
    """
    CREATE TABLE holds (
        job_id TEXT NOT NULL,
        reason TEXT,
        actor TEXT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT signoff_now(),
        CONSTRAINT holds_pkey PRIMARY KEY (job_id)
    )
    """,
    """
    CREATE TABLE keeping (
        id SMALLINT NOT NULL,
        incarnation UUID NOT NULL DEFAULT uuidv7(),
        part BIGINT NOT NULL DEFAULT 0,
        part_hash TEXT,
        offsets JSON NOT NULL DEFAULT '{}',
        newest JSON NOT NULL DEFAULT '{}',
        archived_seq BIGINT NOT NULL DEFAULT 0,
        cut_seq BIGINT NOT NULL DEFAULT 0,
        cut_below BIGINT NOT NULL DEFAULT 0,
        checkpoint BIGINT NOT NULL DEFAULT 0,
        checkpoint_seq BIGINT NOT NULL DEFAULT 0,
        checkpoint_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT keeping_pkey PRIMARY KEY (id),
        CONSTRAINT keeping_one_check CHECK (id = 1)
    )
    """,
    "INSERT INTO keeping (id) VALUES (1)",
    """
    CREATE TABLE archive_parts (
        number BIGINT NOT NULL,
        first_seq BIGINT,
        last_seq BIGINT,
        facts_at TIMESTAMP WITH TIME ZONE,
        seq BIGINT NOT NULL,
        bytes BIGINT NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT signoff_now(),
        CONSTRAINT archive_parts_pkey PRIMARY KEY (number)
    )
    """,
    "ALTER TABLE job_logs DROP CONSTRAINT job_logs_job_id_fkey",
)
INDEX = "CREATE INDEX CONCURRENTLY IF NOT EXISTS job_logs_removed_idx ON job_logs (job_id) WHERE kind = 'removed'"


def upgrade() -> None:
    """Add the tables, and the index while logs are written; an interrupted start begins anew."""
    for change in CHANGES:
        op.execute(change)
    with op.get_context().autocommit_block():
        op.execute(INDEX)
