"""Lists in any order and by any filter, edits, and what the overview counts."""

from alembic import op

revision = "0005"
down_revision = "0004"

#: Each filter has an index in the order of the list; batches had one without.
STEPS = """
ALTER TABLE job_logs ADD COLUMN next_attempt_at TIMESTAMP WITH TIME ZONE;
CREATE INDEX jobs_updated_at_id_idx ON jobs (updated_at, id);
CREATE INDEX jobs_status_created_at_id_idx ON jobs (status, created_at, id);
CREATE INDEX jobs_agent_id_created_at_id_idx ON jobs (agent_id, created_at, id);
CREATE INDEX jobs_tenant_created_at_id_idx ON jobs (tenant, created_at, id);
CREATE INDEX jobs_labels_idx ON jobs USING gin (labels jsonb_path_ops);
DROP INDEX jobs_batch_id_idx;
CREATE INDEX jobs_batch_id_created_at_id_idx ON jobs (batch_id, created_at, id) WHERE batch_id IS NOT NULL;
CREATE TABLE rollups (
    span_s INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    created BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    rejected BIGINT NOT NULL,
    resubmission_required BIGINT NOT NULL,
    cancelled BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    cost_usd DOUBLE PRECISION NOT NULL,
    waits BIGINT[] NOT NULL,
    durations BIGINT[] NOT NULL,
    CONSTRAINT rollups_pkey PRIMARY KEY (span_s, at)
);
CREATE TABLE agent_rollups (
    agent_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    CONSTRAINT agent_rollups_pkey PRIMARY KEY (agent_id, at)
);
CREATE TABLE rollup (
    id SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT rollup_pkey PRIMARY KEY (id),
    CONSTRAINT rollup_one_check CHECK (id = 1)
);
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
