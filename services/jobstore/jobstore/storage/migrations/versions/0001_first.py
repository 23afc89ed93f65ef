"""The first tables."""

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE agents (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    protocol TEXT NOT NULL,
    url TEXT NOT NULL,
    capabilities TEXT[] NOT NULL,
    policy JSONB NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT agents_pkey PRIMARY KEY (id)
);
CREATE TABLE jobs (
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    acceptance_criteria TEXT NOT NULL,
    payload JSON NOT NULL,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    agent_id TEXT,
    execution_id UUID,
    live BOOLEAN NOT NULL,
    not_met INTEGER NOT NULL,
    feedback JSON,
    priority SMALLINT NOT NULL,
    tenant TEXT NOT NULL,
    labels JSONB NOT NULL,
    policy JSONB NOT NULL,
    spec_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_agent_id_fkey FOREIGN KEY(agent_id) REFERENCES agents (id)
) WITH (fillfactor = 80);
CREATE INDEX jobs_created_at_id_idx ON jobs (created_at, id);
CREATE TABLE job_logs (
    seq BIGSERIAL NOT NULL,
    id UUID DEFAULT uuidv7() NOT NULL,
    job_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    job_status TEXT NOT NULL,
    agent_id TEXT,
    request_payload JSON,
    response_payload JSON,
    message TEXT,
    code TEXT,
    kind TEXT NOT NULL,
    execution_id UUID,
    attempt INTEGER,
    lease INTEGER,
    submission INTEGER,
    event_id UUID,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT job_logs_pkey PRIMARY KEY (seq),
    CONSTRAINT job_logs_job_id_fkey FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE UNIQUE INDEX job_logs_job_id_version_key ON job_logs (job_id, version);
CREATE TABLE executions (
    execution_id UUID NOT NULL,
    job_id TEXT NOT NULL,
    stage TEXT NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    owner UUID,
    due_at TIMESTAMP WITH TIME ZONE,
    deadline_at TIMESTAMP WITH TIME ZONE,
    offers INTEGER NOT NULL,
    submission INTEGER NOT NULL,
    agent_id TEXT,
    policy JSON,
    request_version BIGINT,
    result_version BIGINT,
    result_lease INTEGER,
    answer TEXT,
    priority SMALLINT NOT NULL,
    spent INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (execution_id),
    CONSTRAINT executions_stage_check CHECK (stage IN ('EXECUTING', 'JUDGING')),
    CONSTRAINT executions_state_check CHECK (state IN ('QUEUED', 'OFFERED', 'LEASED', 'DONE'))
) WITH (fillfactor = 80);
CREATE INDEX executions_due_idx ON executions (stage, state, priority DESC, due_at) WHERE state <> 'DONE';
CREATE INDEX executions_deadline_at_idx ON executions (deadline_at) WHERE state <> 'DONE';
CREATE INDEX executions_job_id_idx ON executions (job_id);
CREATE UNLOGGED TABLE workers (
    owner UUID NOT NULL,
    stage TEXT NOT NULL,
    room INTEGER NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT workers_pkey PRIMARY KEY (owner)
);
CREATE TABLE relay (
    id SMALLINT NOT NULL,
    published_seq BIGINT NOT NULL,
    offsets JSON NOT NULL,
    CONSTRAINT relay_pkey PRIMARY KEY (id),
    CONSTRAINT relay_one_check CHECK (id = 1)
);
CREATE TABLE batches (
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT batches_pkey PRIMARY KEY (id)
);
CREATE TABLE batch_items (
    batch_id UUID NOT NULL,
    item INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    execution_id UUID,
    code TEXT,
    message TEXT,
    CONSTRAINT batch_items_pkey PRIMARY KEY (batch_id, item),
    CONSTRAINT batch_items_batch_id_fkey FOREIGN KEY(batch_id) REFERENCES batches (id)
);
INSERT INTO relay (id, published_seq, offsets) VALUES (1, 0, '{}');
"""


def upgrade() -> None:
    for statement in TABLES.split(";"):
        if statement.strip():
            op.execute(statement)
