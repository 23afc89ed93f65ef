"""Limits, fair shares, operations, matching, budgets and reuse."""

from alembic import op

revision = "0004"
down_revision = "0003"

#: What is queued for executing has an index of its own, by whose turn it is; the other one has all the rest.
STEPS = """
ALTER TABLE agents ADD COLUMN deterministic BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE jobs
    ADD COLUMN capabilities TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN not_before TIMESTAMP WITH TIME ZONE,
    ADD COLUMN batch_id UUID,
    ADD COLUMN spent_usd DOUBLE PRECISION DEFAULT 0 NOT NULL,
    ADD COLUMN spent_tokens BIGINT DEFAULT 0 NOT NULL;
CREATE INDEX jobs_batch_id_idx ON jobs (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_unmatched_idx ON jobs (id) WHERE status = 'PENDING' AND capabilities <> '{}';
ALTER TABLE job_logs ADD COLUMN spent_usd DOUBLE PRECISION, ADD COLUMN spent_tokens BIGINT;
ALTER TABLE executions
    ADD COLUMN tenant TEXT DEFAULT 'default' NOT NULL,
    ADD COLUMN flow TEXT[] DEFAULT '{}' NOT NULL,
    ADD COLUMN batch_id UUID,
    ADD COLUMN not_before TIMESTAMP WITH TIME ZONE,
    ADD COLUMN reuse_key BYTEA,
    ADD COLUMN result_hash BYTEA;
UPDATE executions SET tenant = jobs.tenant, flow = ARRAY['agent:' || executions.agent_id]
FROM jobs WHERE jobs.id = executions.job_id AND executions.request_version IS NOT NULL;
DROP INDEX executions_due_idx;
DROP INDEX executions_agent_id_idx;
CREATE INDEX executions_due_idx ON executions (stage, state, priority DESC, due_at)
    WHERE state <> 'DONE' AND (stage <> 'EXECUTING' OR state <> 'QUEUED');
CREATE INDEX executions_flow_idx ON executions (tenant, flow, priority, due_at)
    WHERE stage = 'EXECUTING' AND state = 'QUEUED';
CREATE INDEX executions_agent_id_idx ON executions (agent_id) WHERE state <> 'DONE';
CREATE INDEX executions_batch_id_idx ON executions (batch_id) WHERE state <> 'DONE' AND batch_id IS NOT NULL;
CREATE TABLE limits (
    name TEXT NOT NULL,
    concurrency INTEGER,
    rate INTEGER,
    rate_period_s DOUBLE PRECISION NOT NULL,
    queue_max INTEGER,
    weight DOUBLE PRECISION,
    paused BOOLEAN NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT limits_pkey PRIMARY KEY (name)
);
CREATE TABLE starts (
    name TEXT NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE NOT NULL,
    count INTEGER NOT NULL,
    CONSTRAINT starts_pkey PRIMARY KEY (name, began_at)
);
CREATE TABLE reusable (
    key BYTEA NOT NULL,
    job_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT reusable_pkey PRIMARY KEY (key)
);
CREATE INDEX reusable_created_at_idx ON reusable (created_at);
ALTER TABLE batches RENAME TO operations;
ALTER TABLE operations RENAME CONSTRAINT batches_pkey TO operations_pkey;
ALTER TABLE operations
    ADD COLUMN kind TEXT DEFAULT 'execute' NOT NULL,
    ADD COLUMN state TEXT DEFAULT 'RUNNING' NOT NULL,
    ADD COLUMN about JSON DEFAULT '{}' NOT NULL,
    ADD COLUMN request_hash BYTEA,
    ADD COLUMN retry_of UUID,
    ADD COLUMN finished_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    ADD CONSTRAINT operations_state_check
        CHECK (state IN ('RUNNING', 'PAUSED', 'CANCELLING', 'CANCELLED', 'DONE'));
CREATE INDEX operations_created_at_id_idx ON operations (created_at, id);
CREATE INDEX operations_open_idx ON operations (due_at) WHERE state NOT IN ('CANCELLED', 'DONE');
ALTER TABLE batch_items RENAME TO operation_items;
ALTER TABLE operation_items RENAME COLUMN batch_id TO operation_id;
ALTER TABLE operation_items RENAME CONSTRAINT batch_items_pkey TO operation_items_pkey;
ALTER TABLE operation_items RENAME CONSTRAINT batch_items_batch_id_fkey TO operation_items_operation_id_fkey;
ALTER TABLE operation_items ADD COLUMN spec JSON, ADD COLUMN answered BOOLEAN DEFAULT true NOT NULL;
CREATE INDEX operation_items_unanswered_idx ON operation_items (operation_id, item) WHERE NOT answered;
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        if statement.strip():
            op.execute(statement)
