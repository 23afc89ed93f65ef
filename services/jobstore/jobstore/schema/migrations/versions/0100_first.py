"""The tables of the first release, 0.2.0. They stay as they are: each change is a revision behind this one."""

from alembic import op

revision = "0100"
down_revision = None

#: The database's time is read through one function, which tests replace by one that is shifted. It is stable, so that
#: indexes serve comparisons with it, and a single expression, so that the planner puts it in place of the call: a
#: statement then costs and is planned as with now(). It is the time of the statement, since a transaction may have
#: waited for locks.
CLOCK = """
CREATE FUNCTION signoff_now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS 'SELECT statement_timestamp()'
"""
#: What `schema/tables.py` declared.
TABLES = """
CREATE TABLE agents (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    protocol TEXT NOT NULL,
    url TEXT NOT NULL,
    capabilities TEXT[] NOT NULL,
    policy JSONB NOT NULL,
    enabled BOOLEAN NOT NULL,
    deterministic BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    headers JSONB DEFAULT '{}' NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
    CONSTRAINT agents_pkey PRIMARY KEY (id)
);
CREATE TABLE stubs (
    seq BIGINT NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    version BIGINT,
    code TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    CONSTRAINT stubs_pkey PRIMARY KEY (seq)
);
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
    fails_at TIMESTAMP WITH TIME ZONE,
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
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    tenant TEXT DEFAULT 'default' NOT NULL,
    flow TEXT[] DEFAULT '{}' NOT NULL,
    batch_id UUID,
    not_before TIMESTAMP WITH TIME ZONE,
    reuse_key BYTEA,
    result_hash BYTEA,
    task_hash BYTEA,
    misjudged SMALLINT DEFAULT '0' NOT NULL,
    forged_lease INTEGER,
    validators_lost SMALLINT DEFAULT '0' NOT NULL,
    waited JSONB,
    judge_away_at TIMESTAMP WITH TIME ZONE,
    cost_nanos BIGINT DEFAULT '0' NOT NULL,
    tokens BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT executions_pkey PRIMARY KEY (execution_id),
    CONSTRAINT executions_stage_check CHECK (stage IN ('EXECUTING', 'JUDGING')),
    CONSTRAINT executions_state_check CHECK (state IN ('QUEUED', 'OFFERED', 'LEASED', 'DONE'))
)
 WITH (fillfactor = 80, autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX executions_batch_id_idx ON executions (batch_id) WHERE state <> 'DONE' AND batch_id IS NOT NULL;
CREATE INDEX executions_job_id_idx ON executions (job_id);
CREATE INDEX executions_fails_at_idx ON executions (fails_at) WHERE state <> 'DONE' AND fails_at IS NOT NULL;
CREATE INDEX executions_early_cancels_idx ON executions (due_at)
    WHERE state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL;
CREATE INDEX executions_agent_id_idx ON executions (agent_id) WHERE state <> 'DONE';
CREATE INDEX executions_due_idx ON executions (stage, state, due_at)
    WHERE state <> 'DONE' AND (stage <> 'EXECUTING' OR state <> 'QUEUED');
CREATE INDEX executions_flow_idx ON executions (tenant, flow, priority, due_at)
    WHERE stage = 'EXECUTING' AND state = 'QUEUED';
CREATE UNLOGGED TABLE workers (
    owner UUID NOT NULL,
    stage TEXT NOT NULL,
    room INTEGER NOT NULL,
    capacity INTEGER DEFAULT '0' NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    judge TEXT,
    judge_keys JSON,
    report JSONB,
    CONSTRAINT workers_pkey PRIMARY KEY (owner)
);
CREATE INDEX workers_stage_idx ON workers (stage);
CREATE TABLE relay (
    id SMALLINT NOT NULL,
    published_seq BIGINT NOT NULL,
    offsets JSON NOT NULL,
    signers JSON DEFAULT '[]' NOT NULL,
    settled_seq BIGINT DEFAULT '0' NOT NULL,
    administered_since BIGINT DEFAULT '0',
    CONSTRAINT relay_pkey PRIMARY KEY (id),
    CONSTRAINT relay_one_check CHECK (id = 1)
);
CREATE TABLE epochs (
    epoch BIGINT GENERATED ALWAYS AS IDENTITY,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    report JSONB,
    CONSTRAINT epochs_pkey PRIMARY KEY (epoch)
);
CREATE TABLE limits (
    name TEXT NOT NULL,
    concurrency INTEGER,
    rate INTEGER,
    rate_period_s DOUBLE PRECISION NOT NULL,
    queue_max INTEGER,
    weight DOUBLE PRECISION,
    paused BOOLEAN,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    version BIGINT DEFAULT 1 NOT NULL,
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
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT reusable_pkey PRIMARY KEY (key)
);
CREATE INDEX reusable_created_at_idx ON reusable (created_at);
CREATE TABLE operations (
    id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    kind TEXT DEFAULT 'execute' NOT NULL,
    state TEXT DEFAULT 'RUNNING' NOT NULL,
    about JSON DEFAULT '{}' NOT NULL,
    retry_of UUID,
    finished_at TIMESTAMP WITH TIME ZONE,
    actor TEXT,
    name TEXT,
    parameters JSON DEFAULT '{}' NOT NULL,
    turn_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT operations_pkey PRIMARY KEY (id),
    CONSTRAINT operations_state_check CHECK (state IN ('RUNNING', 'PAUSED', 'CANCELLING', 'CANCELLED', 'DONE'))
);
CREATE INDEX operations_created_at_id_idx ON operations (created_at, id);
CREATE INDEX operations_retry_of_idx ON operations (retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX operations_open_idx ON operations (turn_at) WHERE state NOT IN ('CANCELLED', 'DONE');
CREATE TABLE request_keys (
    id UUID NOT NULL,
    body_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT request_keys_pkey PRIMARY KEY (id)
);
CREATE TABLE job_texts (
    job_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    words TSVECTOR NOT NULL,
    CONSTRAINT job_texts_pkey PRIMARY KEY (job_id)
);
CREATE INDEX job_texts_created_at_idx ON job_texts (created_at, job_id);
CREATE INDEX job_texts_words_idx ON job_texts USING gin (words);
CREATE INDEX job_texts_beginning_idx ON job_texts (job_id text_pattern_ops);
CREATE INDEX job_texts_end_idx ON job_texts (reverse(job_id) text_pattern_ops);
CREATE TABLE text_index (
    id SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT text_index_pkey PRIMARY KEY (id),
    CONSTRAINT text_index_one_check CHECK (id = 1)
);
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
    cost_nanos BIGINT NOT NULL,
    waits BIGINT[] NOT NULL,
    calls BIGINT[] NOT NULL,
    judgings BIGINT[] NOT NULL,
    durations BIGINT[] NOT NULL,
    queued_max BIGINT,
    running_max BIGINT,
    judging_max BIGINT,
    CONSTRAINT rollups_pkey PRIMARY KEY (span_s, at)
);
CREATE TABLE agent_rollups (
    agent_id TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    seconds DOUBLE PRECISION NOT NULL,
    waits BIGINT NOT NULL,
    waits_s DOUBLE PRECISION NOT NULL,
    calls BIGINT NOT NULL,
    calls_s DOUBLE PRECISION NOT NULL,
    judgings BIGINT NOT NULL,
    judgings_s DOUBLE PRECISION NOT NULL,
    CONSTRAINT agent_rollups_pkey PRIMARY KEY (agent_id, at)
);
CREATE TABLE rollup (
    id SMALLINT NOT NULL,
    seq BIGINT NOT NULL,
    sampled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT rollup_pkey PRIMARY KEY (id),
    CONSTRAINT rollup_one_check CHECK (id = 1)
);
CREATE TABLE receipt_keys (
    public_key BYTEA NOT NULL,
    secret_id TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT receipt_keys_pkey PRIMARY KEY (public_key)
);
CREATE TABLE login_codes (
    code_hash BYTEA NOT NULL,
    token_mac BYTEA NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT login_codes_pkey PRIMARY KEY (code_hash)
);
CREATE TABLE judging_versions (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    note TEXT,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT judging_versions_pkey PRIMARY KEY (kind, name, version),
    CONSTRAINT judging_versions_kind_check CHECK (kind IN ('judge', 'criteria', 'golden'))
);
CREATE TABLE judging_moves (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    move INTEGER NOT NULL,
    version INTEGER,
    reason TEXT,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT judging_moves_pkey PRIMARY KEY (kind, name, move)
);
CREATE TABLE judging_evaluations (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    cases_hash TEXT NOT NULL,
    evaluation UUID NOT NULL,
    measured JSON NOT NULL,
    judged JSON NOT NULL,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT judging_evaluations_pkey PRIMARY KEY (name, version, cases_hash)
);
CREATE TABLE judging_counts (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    met BIGINT NOT NULL,
    not_met BIGINT NOT NULL,
    unjudged BIGINT NOT NULL,
    cost_nanos BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    CONSTRAINT judging_counts_pkey PRIMARY KEY (kind, name, version)
);
CREATE TABLE judgings (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    group_id UUID NOT NULL,
    item INTEGER NOT NULL,
    urgency SMALLINT NOT NULL,
    state TEXT DEFAULT 'QUEUED' NOT NULL,
    owner UUID,
    lease INTEGER DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    execution_id UUID,
    job_id TEXT,
    job_version BIGINT,
    asked JSON,
    judge_policy JSON,
    actor TEXT,
    evaluation UUID,
    judge TEXT,
    repeat SMALLINT,
    question TEXT,
    labels TEXT,
    before TEXT,
    was_valid BOOLEAN,
    is_valid BOOLEAN,
    answer JSON,
    code TEXT,
    message TEXT,
    cost_nanos BIGINT,
    tokens BIGINT,
    duration_s DOUBLE PRECISION,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT judgings_pkey PRIMARY KEY (id),
    CONSTRAINT judgings_state_check CHECK (state IN ('QUEUED', 'LEASED', 'DONE'))
);
CREATE UNIQUE INDEX judgings_group_id_item_key ON judgings (group_id, item);
CREATE INDEX judgings_kept_idx ON judgings (created_at) WHERE kind NOT IN ('shadow', 'rejudge');
CREATE INDEX judgings_evaluation_idx ON judgings (evaluation, question, labels, repeat, created_at, id)
    WHERE evaluation IS NOT NULL;
CREATE INDEX judgings_open_idx ON judgings (group_id) WHERE state <> 'DONE';
CREATE INDEX judgings_queue_idx ON judgings (urgency, created_at, item) WHERE state = 'QUEUED';
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
    progress DOUBLE PRECISION,
    progress_message TEXT,
    capabilities TEXT[] DEFAULT '{}' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    batch_id UUID,
    cost_nanos BIGINT DEFAULT '0' NOT NULL,
    tokens BIGINT DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    cancelled BOOLEAN DEFAULT false NOT NULL,
    code TEXT,
    duration_s DOUBLE PRECISION,
    not_met_criteria TEXT[],
    reference_texts JSON,
    CONSTRAINT jobs_pkey PRIMARY KEY (id),
    CONSTRAINT jobs_agent_id_fkey FOREIGN KEY(agent_id) REFERENCES agents (id)
)
 WITH (fillfactor = 80);
CREATE INDEX jobs_status_created_at_id_idx ON jobs (status, created_at, id);
CREATE INDEX jobs_batch_id_created_at_id_idx ON jobs (batch_id, created_at, id) WHERE batch_id IS NOT NULL;
CREATE INDEX jobs_code_created_at_id_idx ON jobs (code, created_at, id) WHERE code IS NOT NULL;
CREATE INDEX jobs_not_met_criteria_idx ON jobs USING gin (not_met_criteria) WHERE not_met_criteria IS NOT NULL;
CREATE INDEX jobs_updated_at_id_idx ON jobs (updated_at, id);
CREATE INDEX jobs_cost_nanos_id_idx ON jobs (cost_nanos, id) WHERE duration_s IS NOT NULL;
CREATE INDEX jobs_agent_id_created_at_id_idx ON jobs (agent_id, created_at, id);
CREATE INDEX jobs_created_at_id_idx ON jobs (created_at, id);
CREATE INDEX jobs_tenant_created_at_id_idx ON jobs (tenant, created_at, id);
CREATE INDEX jobs_duration_s_id_idx ON jobs (duration_s, id) WHERE duration_s IS NOT NULL;
CREATE INDEX jobs_cancelled_idx ON jobs (created_at, id) WHERE cancelled;
CREATE INDEX jobs_priority_idx ON jobs (priority, created_at, id) WHERE priority <> 5;
CREATE INDEX jobs_unmatched_idx ON jobs (id) WHERE status = 'PENDING' AND capabilities <> '{}';
CREATE INDEX jobs_labels_idx ON jobs USING gin (labels jsonb_path_ops) WHERE labels <> '{}';
CREATE TABLE circuits (
    agent_id TEXT NOT NULL,
    failures INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    open_until TIMESTAMP WITH TIME ZONE,
    probe_id UUID,
    CONSTRAINT circuits_pkey PRIMARY KEY (agent_id),
    CONSTRAINT circuits_agent_id_fkey FOREIGN KEY(agent_id) REFERENCES agents (id)
);
CREATE TABLE operation_items (
    operation_id UUID NOT NULL,
    item INTEGER NOT NULL,
    job_id TEXT NOT NULL,
    execution_id UUID,
    code TEXT,
    message TEXT,
    spec JSON,
    answered BOOLEAN DEFAULT true NOT NULL,
    CONSTRAINT operation_items_pkey PRIMARY KEY (operation_id, item),
    CONSTRAINT operation_items_operation_id_fkey FOREIGN KEY(operation_id) REFERENCES operations (id)
);
CREATE INDEX operation_items_job_id_idx ON operation_items (job_id, operation_id);
CREATE INDEX operation_items_unanswered_idx ON operation_items (operation_id, item) WHERE NOT answered;
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
    progress DOUBLE PRECISION,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    spent INTEGER,
    cost_nanos BIGINT,
    tokens BIGINT,
    next_attempt_at TIMESTAMP WITH TIME ZONE,
    actor TEXT,
    duration_s DOUBLE PRECISION,
    waited JSON,
    CONSTRAINT job_logs_pkey PRIMARY KEY (seq),
    CONSTRAINT job_logs_job_id_fkey FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE UNIQUE INDEX job_logs_job_id_version_key ON job_logs (job_id, version);
CREATE TABLE facts (
    seq BIGINT DEFAULT nextval('job_logs_seq_seq') NOT NULL,
    topic TEXT NOT NULL,
    key TEXT NOT NULL,
    body JSON NOT NULL,
    CONSTRAINT facts_pkey PRIMARY KEY (seq)
);
"""
#: The rows that tables of one row begin with.
ROWS = "INSERT INTO relay (id, published_seq, offsets) VALUES (1, 0, '{}')"


def upgrade() -> None:
    for statement in (CLOCK, *TABLES.strip().removesuffix(";").split(";\n"), ROWS):
        op.get_bind().exec_driver_sql(statement)
