"""Judgings without a job: what is tried, evaluated and judged again, claimed by validators beside jobs."""

from alembic import op

revision = "0022"
down_revision = "0021"

STEPS = """
CREATE TABLE judgings (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    group_id UUID NOT NULL,
    item INTEGER NOT NULL,
    urgency SMALLINT NOT NULL,
    state TEXT DEFAULT 'QUEUED' NOT NULL,
    owner UUID,
    lease INTEGER DEFAULT 0 NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    execution_id UUID,
    job_id TEXT,
    job_version BIGINT,
    asked JSON,
    judge_policy JSON,
    actor TEXT,
    before TEXT,
    was_valid BOOLEAN,
    is_valid BOOLEAN,
    answer JSON,
    code TEXT,
    message TEXT,
    cost_usd DOUBLE PRECISION,
    tokens BIGINT,
    duration_s DOUBLE PRECISION,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT judgings_pkey PRIMARY KEY (id),
    CONSTRAINT judgings_state_check CHECK (state IN ('QUEUED', 'LEASED', 'DONE'))
);
CREATE UNIQUE INDEX judgings_group_id_item_key ON judgings (group_id, item);
CREATE INDEX judgings_queue_idx ON judgings (urgency, created_at, item) WHERE state = 'QUEUED';
CREATE INDEX judgings_open_idx ON judgings (group_id) WHERE state <> 'DONE';
CREATE INDEX judgings_kept_idx ON judgings (created_at) WHERE kind NOT IN ('shadow', 'rejudge');
ALTER TABLE operations ADD COLUMN turn_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
