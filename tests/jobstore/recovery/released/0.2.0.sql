SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.signoff_now() RETURNS timestamp with time zone
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$SELECT statement_timestamp()$$;
CREATE TABLE public.agent_rollups (
    agent_id text NOT NULL,
    at timestamp with time zone NOT NULL,
    ended bigint NOT NULL,
    completed bigint NOT NULL,
    seconds double precision NOT NULL,
    waits bigint NOT NULL,
    waits_s double precision NOT NULL,
    calls bigint NOT NULL,
    calls_s double precision NOT NULL,
    judgings bigint NOT NULL,
    judgings_s double precision NOT NULL
);
CREATE TABLE public.agents (
    id text NOT NULL,
    name text NOT NULL,
    protocol text NOT NULL,
    url text NOT NULL,
    capabilities text[] NOT NULL,
    policy jsonb NOT NULL,
    enabled boolean NOT NULL,
    deterministic boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    updated_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    headers jsonb DEFAULT '{}'::jsonb NOT NULL,
    version bigint DEFAULT 1 NOT NULL
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.circuits (
    agent_id text NOT NULL,
    failures integer NOT NULL,
    opened integer NOT NULL,
    open_until timestamp with time zone,
    probe_id uuid
);
CREATE TABLE public.epochs (
    epoch bigint NOT NULL,
    until timestamp with time zone NOT NULL,
    report jsonb
);
ALTER TABLE public.epochs ALTER COLUMN epoch ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.epochs_epoch_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.executions (
    execution_id uuid NOT NULL,
    job_id text NOT NULL,
    stage text NOT NULL,
    state text NOT NULL,
    attempt integer NOT NULL,
    lease integer NOT NULL,
    seq integer NOT NULL,
    owner uuid,
    due_at timestamp with time zone,
    deadline_at timestamp with time zone,
    fails_at timestamp with time zone,
    offers integer NOT NULL,
    submission integer NOT NULL,
    agent_id text,
    policy json,
    request_version bigint,
    result_version bigint,
    result_lease integer,
    answer text,
    priority smallint NOT NULL,
    spent integer NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    tenant text DEFAULT 'default'::text NOT NULL,
    flow text[] DEFAULT '{}'::text[] NOT NULL,
    batch_id uuid,
    not_before timestamp with time zone,
    reuse_key bytea,
    result_hash bytea,
    task_hash bytea,
    misjudged smallint DEFAULT '0'::smallint NOT NULL,
    forged_lease integer,
    validators_lost smallint DEFAULT '0'::smallint NOT NULL,
    waited jsonb,
    judge_away_at timestamp with time zone,
    cost_nanos bigint DEFAULT '0'::bigint NOT NULL,
    tokens bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT executions_stage_check CHECK ((stage = ANY (ARRAY['EXECUTING'::text, 'JUDGING'::text]))),
    CONSTRAINT executions_state_check CHECK ((state = ANY (ARRAY['QUEUED'::text, 'OFFERED'::text, 'LEASED'::text, 'DONE'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_scale_factor='0.01', autovacuum_vacuum_cost_delay='0');
CREATE TABLE public.job_logs (
    seq bigint NOT NULL,
    id uuid DEFAULT uuidv7() NOT NULL,
    job_id text NOT NULL,
    version bigint NOT NULL,
    status text NOT NULL,
    job_status text NOT NULL,
    agent_id text,
    request_payload json,
    response_payload json,
    message text,
    code text,
    kind text NOT NULL,
    execution_id uuid,
    attempt integer,
    lease integer,
    submission integer,
    event_id uuid,
    progress double precision,
    created_at timestamp with time zone NOT NULL,
    spent integer,
    cost_nanos bigint,
    tokens bigint,
    next_attempt_at timestamp with time zone,
    actor text,
    duration_s double precision,
    waited json
);
CREATE SEQUENCE public.job_logs_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.job_logs_seq_seq OWNED BY public.job_logs.seq;
CREATE TABLE public.facts (
    seq bigint DEFAULT nextval('public.job_logs_seq_seq'::regclass) NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    body json NOT NULL
);
CREATE TABLE public.job_texts (
    job_id text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    words tsvector NOT NULL
);
CREATE TABLE public.jobs (
    id text NOT NULL,
    title text NOT NULL,
    description text NOT NULL,
    acceptance_criteria text NOT NULL,
    payload json NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    agent_id text,
    execution_id uuid,
    live boolean NOT NULL,
    not_met integer NOT NULL,
    feedback json,
    priority smallint NOT NULL,
    tenant text NOT NULL,
    labels jsonb NOT NULL,
    policy jsonb NOT NULL,
    spec_hash bytea NOT NULL,
    progress double precision,
    progress_message text,
    capabilities text[] DEFAULT '{}'::text[] NOT NULL,
    not_before timestamp with time zone,
    batch_id uuid,
    cost_nanos bigint DEFAULT '0'::bigint NOT NULL,
    tokens bigint DEFAULT '0'::bigint NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    updated_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    cancelled boolean DEFAULT false NOT NULL,
    code text,
    duration_s double precision,
    not_met_criteria text[],
    reference_texts json
)
WITH (fillfactor='80');
CREATE TABLE public.judging_counts (
    kind text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    met bigint NOT NULL,
    not_met bigint NOT NULL,
    unjudged bigint NOT NULL,
    cost_nanos bigint NOT NULL,
    tokens bigint NOT NULL
);
CREATE TABLE public.judging_evaluations (
    name text NOT NULL,
    version integer NOT NULL,
    cases_hash text NOT NULL,
    evaluation uuid NOT NULL,
    measured json NOT NULL,
    judged json NOT NULL,
    actor text NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL
);
CREATE TABLE public.judging_moves (
    kind text NOT NULL,
    name text NOT NULL,
    move integer NOT NULL,
    version integer,
    reason text,
    actor text NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL
);
CREATE TABLE public.judging_versions (
    kind text NOT NULL,
    name text NOT NULL,
    version integer NOT NULL,
    body text NOT NULL,
    note text,
    actor text NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    CONSTRAINT judging_versions_kind_check CHECK ((kind = ANY (ARRAY['judge'::text, 'criteria'::text, 'golden'::text])))
);
CREATE TABLE public.judgings (
    id uuid NOT NULL,
    kind text NOT NULL,
    group_id uuid NOT NULL,
    item integer NOT NULL,
    urgency smallint NOT NULL,
    state text DEFAULT 'QUEUED'::text NOT NULL,
    owner uuid,
    lease integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone,
    execution_id uuid,
    job_id text,
    job_version bigint,
    asked json,
    judge_policy json,
    actor text,
    evaluation uuid,
    judge text,
    repeat smallint,
    question text,
    labels text,
    before text,
    was_valid boolean,
    is_valid boolean,
    answer json,
    code text,
    message text,
    cost_nanos bigint,
    tokens bigint,
    duration_s double precision,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    answered_at timestamp with time zone,
    CONSTRAINT judgings_state_check CHECK ((state = ANY (ARRAY['QUEUED'::text, 'LEASED'::text, 'DONE'::text])))
);
CREATE TABLE public.limits (
    name text NOT NULL,
    concurrency integer,
    rate integer,
    rate_period_s double precision NOT NULL,
    queue_max integer,
    weight double precision,
    paused boolean,
    updated_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    version bigint DEFAULT 1 NOT NULL
);
CREATE TABLE public.login_codes (
    code_hash bytea NOT NULL,
    token_mac bytea NOT NULL,
    ends_at timestamp with time zone NOT NULL
);
CREATE TABLE public.operation_items (
    operation_id uuid NOT NULL,
    item integer NOT NULL,
    job_id text NOT NULL,
    execution_id uuid,
    code text,
    message text,
    spec json,
    answered boolean DEFAULT true NOT NULL
);
CREATE TABLE public.operations (
    id uuid NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    kind text DEFAULT 'execute'::text NOT NULL,
    state text DEFAULT 'RUNNING'::text NOT NULL,
    about json DEFAULT '{}'::json NOT NULL,
    retry_of uuid,
    finished_at timestamp with time zone,
    actor text,
    name text,
    parameters json DEFAULT '{}'::json NOT NULL,
    turn_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL,
    CONSTRAINT operations_state_check CHECK ((state = ANY (ARRAY['RUNNING'::text, 'PAUSED'::text, 'CANCELLING'::text, 'CANCELLED'::text, 'DONE'::text])))
);
CREATE TABLE public.receipt_keys (
    public_key bytea NOT NULL,
    secret_id text NOT NULL,
    added_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL
);
CREATE TABLE public.relay (
    id smallint NOT NULL,
    published_seq bigint NOT NULL,
    offsets json NOT NULL,
    signers json DEFAULT '[]'::json NOT NULL,
    settled_seq bigint DEFAULT '0'::bigint NOT NULL,
    administered_since bigint DEFAULT '0'::bigint,
    CONSTRAINT relay_one_check CHECK ((id = 1))
);
CREATE TABLE public.request_keys (
    id uuid NOT NULL,
    body_hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL
);
CREATE TABLE public.reusable (
    key bytea NOT NULL,
    job_id text NOT NULL,
    version bigint NOT NULL,
    created_at timestamp with time zone DEFAULT public.signoff_now() NOT NULL
);
CREATE TABLE public.rollup (
    id smallint NOT NULL,
    seq bigint NOT NULL,
    sampled_at timestamp with time zone,
    CONSTRAINT rollup_one_check CHECK ((id = 1))
);
CREATE TABLE public.rollups (
    span_s integer NOT NULL,
    at timestamp with time zone NOT NULL,
    created bigint NOT NULL,
    completed bigint NOT NULL,
    failed bigint NOT NULL,
    rejected bigint NOT NULL,
    resubmission_required bigint NOT NULL,
    cancelled bigint NOT NULL,
    tokens bigint NOT NULL,
    cost_nanos bigint NOT NULL,
    waits bigint[] NOT NULL,
    calls bigint[] NOT NULL,
    judgings bigint[] NOT NULL,
    durations bigint[] NOT NULL,
    queued_max bigint,
    running_max bigint,
    judging_max bigint
);
CREATE TABLE public.starts (
    name text NOT NULL,
    began_at timestamp with time zone NOT NULL,
    count integer NOT NULL
);
CREATE TABLE public.stubs (
    seq bigint NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    version bigint,
    code text NOT NULL,
    bytes bigint NOT NULL
);
CREATE TABLE public.text_index (
    id smallint NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT text_index_one_check CHECK ((id = 1))
);
CREATE UNLOGGED TABLE public.workers (
    owner uuid NOT NULL,
    stage text NOT NULL,
    room integer NOT NULL,
    capacity integer DEFAULT 0 NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    judge text,
    judge_keys json,
    report jsonb
);
ALTER TABLE ONLY public.job_logs ALTER COLUMN seq SET DEFAULT nextval('public.job_logs_seq_seq'::regclass);
INSERT INTO public.agents VALUES
	('writer', 'writer', 'http', 'http://127.0.0.1:1/', '{}', '{}', true, false, '2026-11-30 20:05:06.026271+00', '2026-11-30 20:05:06.026271+00', '{}', 1),
	('patched', 'a', 'http', 'http://a/', '{}', '{"deadline_s": 9.0}', true, false, '2026-11-30 20:05:08.298446+00', '2026-11-30 20:05:08.342471+00', '{"X-New": "file:b"}', 3),
	('sure', 'sure', 'http', 'http://127.0.0.1:1/', '{}', '{}', true, true, '2026-11-30 20:05:09.215418+00', '2026-11-30 20:05:09.215418+00', '{}', 1),
	('able', 'able', 'http', 'http://127.0.0.1:1/', '{able}', '{}', true, false, '2026-11-30 20:05:10.99581+00', '2026-11-30 20:05:10.99581+00', '{}', 1),
	('abler', 'abler', 'http', 'http://127.0.0.1:1/', '{able}', '{}', true, false, '2026-11-30 20:05:10.999671+00', '2026-11-30 20:05:10.999671+00', '{}', 1),
	('changed', 'newer', 'http', 'http://127.0.0.1:2/', '{b,"a \"c\""}', '{"max_calls": 2}', true, false, '2026-11-30 20:05:11.177273+00', '2026-11-30 20:05:11.183331+00', '{"a": "file:b", "X-Key": "env:SIGNOFF_AGENT_X"}', 2),
	('unused', 'unused', 'http', 'http://127.0.0.1:1/', '{}', '{}', false, false, '2026-11-30 20:05:11.175704+00', '2026-11-30 20:05:11.187283+00', '{}', 2);
INSERT INTO public.alembic_version VALUES
	('0100');
INSERT INTO public.executions VALUES
	('01a22e0f-ab49-7ae9-9335-0fca67dde68b', 'job-cf132204cac7', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'completed', 5, 0, '2026-11-30 20:05:08.588457+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x0969eae065f6645187018ca1da2202a3d07c4ad25d11bdc57dd6de56cf2dc05d', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-abb0-7343-ab7a-d984703d06d9', 'job-2d7f1f98f89a', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":1,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'rejected', 5, 0, '2026-11-30 20:05:08.672617+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', 'job-b3735dac0213', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, '2026-11-30 21:05:08.974082+00', NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"deadline_s":3600.25,"delivery":"at_least_once"}', 2, 5, 1, 'resubmission_required', 9, 0, '2026-11-30 20:05:08.730328+00', 'other', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x3aa93d034a400e76c6d93fc0b1f243e0b2db234c83215d4245c6a9bf566f2e15', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ac23-7b15-a22b-f19f8035069c', 'job-b3735dac0213', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, '2026-11-30 21:05:09.02311+00', NULL, 0, 2, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"deadline_s":3600.25,"delivery":"at_least_once"}', 7, 10, 1, 'completed', 9, 0, '2026-11-30 20:05:08.77629+00', 'other', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x3aa93d034a400e76c6d93fc0b1f243e0b2db234c83215d4245c6a9bf566f2e15', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ad38-710b-aa30-9507599296cb', 'job-2553f688f7dd', 'EXECUTING', 'DONE', 1, 1, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, NULL, NULL, 'rejected', 5, 0, '2026-11-30 20:05:09.060673+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ac60-7566-82d5-1f5a5339ac02', 'job-cfb6d07c8141', 'EXECUTING', 'DONE', 3, 4, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, NULL, NULL, 'failed', 5, 2, '2026-11-30 20:05:08.845802+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-acfa-718b-a423-1bcadb653c88', 'job-3093459321be', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'completed', 5, 0, '2026-11-30 20:05:09.001088+00', 'default', '{agent:writer}', NULL, '2026-11-30 21:05:08.991019+00', NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ad59-7f04-ae0e-a11afdfc3693', 'job-f55380c3a78e', 'EXECUTING', 'DONE', 1, 1, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'cancelled', 5, 0, '2026-11-30 20:05:09.099658+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x9dd98c2ad2e18d7f0e60ce6f222fc6077e384925648e84ee8cb4e6591d4837a7', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', 'job-18e201d9dc95', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:09.14772+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-adde-721d-a489-39593ce1e502', 'job-2eb582a5c71f', 'JUDGING', 'DONE', 1, 1, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","budget_usd":"0.3"}', 2, 5, 1, 'failed', 5, 0, '2026-11-30 20:05:09.246558+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x60ddf5c92159d416e39940c16fee914b1541d0bc3b609278a00761725fd7beaa', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 300000000, 12),
	('01a22e0f-ae37-7915-b67b-66db152985be', 'job-434bf1dda098', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'sure', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 4, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:09.309881+00', 'default', '{agent:sure}', NULL, NULL, '\xa07cbb768b59c1616b255aa1f10a8e3542eae71d12ee608a6195c3d939fea4c2', '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\xb1c3443dc60512ee2e98375223887534c96553e7575faf8aa651612a0c231b1b', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', 'job-a373619c885a', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'sure', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 4, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:09.388909+00', 'default', '{agent:sure}', NULL, NULL, '\xa07cbb768b59c1616b255aa1f10a8e3542eae71d12ee608a6195c3d939fea4c2', '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\xb1c3443dc60512ee2e98375223887534c96553e7575faf8aa651612a0c231b1b', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-aecb-7962-9679-e0e4515113bd', 'job-8db5b3e91b0e', 'EXECUTING', 'DONE', 0, 0, 0, NULL, NULL, NULL, NULL, 0, 1, NULL, NULL, NULL, NULL, NULL, 'refused:illegal_transition', 5, 0, '2026-11-30 20:05:09.476121+00', 'default', '{}', NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-aeeb-7551-b956-251b4f24f2ef', '', 'EXECUTING', 'DONE', 0, 0, 0, NULL, NULL, NULL, NULL, 0, 1, NULL, NULL, NULL, NULL, NULL, 'cancelled', 5, 0, '2026-11-30 20:05:09.486238+00', 'default', '{}', NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-af03-7bff-b520-bcb9e4ec3e33', '', 'EXECUTING', 'DONE', 0, 0, 0, NULL, '2026-12-07 20:05:09.508818+00', NULL, NULL, 0, 1, NULL, NULL, NULL, NULL, NULL, 'cancelled', 5, 0, '2026-11-30 20:05:09.509462+00', 'default', '{}', NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-af10-7135-ba14-29c588ebcd7c', 'job-48f9e4543772', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 4, 1, 'resubmission_required', 3, 0, '2026-11-30 20:05:09.533468+00', 'default', '{agent:writer}', 'e60bb98a-85a5-41b8-89ec-3d3487bc1e6a', '2019-12-31 23:00:00+00', NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x910009b42df28d3280999f0e21c3ed5393ed8c774d0d8c0fd47be8a3cc0bc628', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-af67-79ae-a058-e6ca071ffb5a', 'job-48f9e4543772', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 2, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 8, 10, 1, 'resubmission_required', 9, 0, '2026-11-30 20:05:09.609768+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x4c46f0ee842e8131e479ea27a6b03335d17e571264806d3c39a1bce62d55ba6f', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 'job-46d1e8fc62f8', 'JUDGING', 'DONE', 1, 3, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":1,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'completed', 5, 0, '2026-11-30 20:05:09.725703+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b04c-7ca4-8897-9e137e476cec', 'job-8c0662089c49', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:09.855537+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b083-7f01-8c37-cac314cfbf47', 'job-8c0662089c49', 'JUDGING', 'DONE', 1, 4, 0, NULL, NULL, NULL, NULL, 0, 2, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 7, 10, 1, 'rejected', 5, 0, '2026-11-30 20:05:09.895461+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b107-78d5-a1d3-c38781f2ff65', 'job-8cf8c991ee1a', 'JUDGING', 'DONE', 1, 2, 1, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 4, 1, 'cancelled', 5, 0, '2026-11-30 20:05:10.037997+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 250000000, 7),
	('01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', 'job-6ac69209d6a9', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 2, 5, 1, 'failed', 5, 0, '2026-11-30 20:05:10.085184+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b16b-72ab-a545-ba6e83baeddb', 'job-61ced7d85d63', 'JUDGING', 'DONE', 1, 3, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 2, 5, 1, 'failed', 5, 0, '2026-11-30 20:05:10.139194+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 'job-7f0569d25eac', 'JUDGING', 'DONE', 1, 3, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 2, 5, 1, 'failed', 5, 0, '2026-11-30 20:05:10.250024+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('538dde0c-1046-8aed-83da-872e070f530b', 'job-7f0569d25eac', 'EXECUTING', 'QUEUED', 0, 0, 0, NULL, '2026-11-30 20:05:10.299488+00', NULL, NULL, 0, 2, 'writer', '{"max_submissions":2,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 9, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.321566+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b240-781f-b057-9cbfe8898a53', 'job-f2e6c2d5b64e', 'JUDGING', 'DONE', 1, 3, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 5, 1, 'completed', 5, 0, '2026-11-30 20:05:10.352313+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b285-7fec-8934-b708da23d422', 'job-f2e6c2d5b64e', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 2, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 9, 12, 1, 'completed', 5, 0, '2026-11-30 20:05:10.412718+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b2e3-7a81-b760-9e34cb1bb370', 'job-143324d6d34b', 'EXECUTING', 'QUEUED', 0, 0, 0, NULL, '2026-11-30 20:05:10.513932+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.516254+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b2ff-7232-a265-766abc7532ae', 'job-7f41e6aa4692', 'EXECUTING', 'LEASED', 1, 1, 0, '336414db-5dd8-414e-949a-78acbdc3e4ef', '2026-11-30 20:05:20.591687+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.564633+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b34f-709d-ae20-4c0a21f58e32', 'job-a996e493193e', 'EXECUTING', 'LEASED', 1, 1, 1, '96feed3c-7572-400f-9b67-f695f0e2a70c', '2026-11-30 20:05:20.651039+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.636941+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b39b-7e2d-b1b3-d9b305f87003', 'job-38ead2008b24', 'JUDGING', 'LEASED', 1, 2, 0, '6497f871-55dd-4f4e-b482-5dc9a44d3d36', '2026-11-30 20:05:20.758241+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once"}', 2, 4, 1, NULL, 5, 0, '2026-11-30 20:05:10.728607+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b3ef-7e32-be43-468c65a4945b', 'job-3927ccb0d00e', 'EXECUTING', 'QUEUED', 0, 0, 0, NULL, '2026-11-30 20:05:10.80518+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_most_once"}', 2, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.806308+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b418-7aef-a76c-50c59db1a11e', 'job-c2f382f3e446', 'EXECUTING', 'LEASED', 1, 1, 0, '455e14be-6da2-471d-ab82-545af0941d07', '2026-11-30 20:05:20.844181+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_most_once"}', 2, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:10.831658+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b447-7d2f-8aa2-78672589ab66', 'job-8a243755ef80', 'JUDGING', 'LEASED', 1, 2, 0, 'd42c2409-f256-4fbb-9451-44228643a45a', '2026-11-30 20:05:20.902106+00', NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_most_once"}', 2, 4, 1, NULL, 5, 0, '2026-11-30 20:05:10.88053+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b4e7-7979-a3c9-881b784a31bb', 'job-0cd029f7d81d', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'abler', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic","hand_over_after":1}', 3, 6, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:11.025144+00', 'default', '{agent:abler}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('7c0675a0-09cd-8079-b3ab-ec3cf5e5cf55', 'job-0cd029f7d81d', 'EXECUTING', 'QUEUED', 0, 0, 0, NULL, '2026-11-30 20:05:11.042788+00', NULL, NULL, 0, 2, 'able', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic","hand_over_after":1}', 9, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:11.056746+00', 'default', '{agent:able}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b516-7e30-bc3b-30887a3c996a', 'job-173dba96a33f', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 2, 5, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:11.073254+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('5642be49-7304-8f4b-9d54-88d3e2939d0c', 'job-173dba96a33f', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 2, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 7, 10, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:11.101576+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('01a22e0f-b55f-765e-a411-6bccf019f75c', 'job-0ed969850632', 'JUDGING', 'DONE', 1, 2, 0, NULL, NULL, NULL, NULL, 0, 1, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 2, 5, 1, 'resubmission_required', 5, 0, '2026-11-30 20:05:11.147638+00', 'default', '{agent:writer}', NULL, NULL, NULL, '\x3aae004f448787fcf06c2d53933fff00a45fc5117c21e1070f967e37d43760ef', '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0),
	('37669faa-c95f-86b2-85e5-4f77af71f231', 'job-0ed969850632', 'EXECUTING', 'QUEUED', 0, 0, 0, NULL, '2026-11-30 20:05:11.163964+00', NULL, NULL, 0, 2, 'writer', '{"max_submissions":3,"max_calls":3,"attempt_timeout_s":60.0,"delivery":"at_least_once","resubmit":"automatic"}', 7, NULL, NULL, NULL, 5, 0, '2026-11-30 20:05:11.168984+00', 'default', '{agent:writer}', NULL, NULL, NULL, NULL, '\x03c6b2c4d8561188417cb2fe84f7ba31fc197f661dd90376d78f76d4a0355714', 0, NULL, 0, NULL, NULL, 0, 0);
INSERT INTO public.facts VALUES
	(1, 'agent-changed', 'writer', '{"agent_id":"writer","cursor":1,"agent":{"id":"writer","name":"writer","protocol":"http","url":"http://127.0.0.1:1/","capabilities":[],"policy":{},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:06.026271Z","updated_at":"2026-11-30T20:05:06.026271Z","headers":{},"version":1},"actor":"administrator"}'),
	(2, 'administration-changed', '*', '{"kind" : "complete", "name" : "*", "cursor" : 2, "rows" : [], "changed_at" : "2026-11-30T20:05:08.119958Z", "actor" : "signoff"}'),
	(3, 'administration-changed', 'tenant:press', '{"kind" : "limits", "name" : "tenant:press", "cursor" : 3, "rows" : [{"name":"tenant:press","rate":3,"rate_period_s":0.1,"weight":0.3333333333333333,"updated_at":"2026-11-30T20:05:08.213633Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.224135Z", "actor" : "administrator"}'),
	(4, 'administration-changed', 'label:team=*', '{"kind" : "limits", "name" : "label:team=*", "cursor" : 4, "rows" : [{"name":"label:team=*","concurrency":2,"rate_period_s":1,"updated_at":"2026-11-30T20:05:08.251539Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.253242Z", "actor" : "administrator"}'),
	(5, 'administration-changed', 'tenant:press', '{"kind" : "limits", "name" : "tenant:press", "cursor" : 5, "rows" : [{"name":"tenant:press","concurrency":9,"rate":3,"rate_period_s":0.1,"updated_at":"2026-11-30T20:05:08.285517Z","version":2}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.285992Z", "actor" : "administrator"}'),
	(6, 'agent-changed', 'patched', '{"agent_id":"patched","cursor":6,"agent":{"id":"patched","name":"a","protocol":"http","url":"http://a/","capabilities":[],"policy":{"max_calls":3},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:08.298446Z","updated_at":"2026-11-30T20:05:08.298446Z","headers":{"X-Key":"file:a"},"version":1},"actor":"administrator"}'),
	(7, 'agent-changed', 'patched', '{"agent_id":"patched","cursor":7,"agent":{"id":"patched","name":"a","protocol":"http","url":"http://a/","capabilities":[],"policy":{"deadline_s":9.0},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:08.298446Z","updated_at":"2026-11-30T20:05:08.320135Z","headers":{"X-New":"file:b"},"version":2},"actor":"administrator"}'),
	(8, 'agent-changed', 'patched', '{"agent_id":"patched","cursor":8,"agent":{"id":"patched","name":"a","protocol":"http","url":"http://a/","capabilities":[],"policy":{"deadline_s":9.0},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:08.298446Z","updated_at":"2026-11-30T20:05:08.342471Z","headers":{"X-New":"file:b"},"version":3},"actor":"administrator"}'),
	(9, 'administration-changed', 'agent:patched', '{"kind" : "limits", "name" : "agent:patched", "cursor" : 9, "rows" : [{"name":"agent:patched","rate_period_s":1,"paused":true,"updated_at":"2026-11-30T20:05:08.342471Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.345312Z", "actor" : "administrator"}'),
	(10, 'administration-changed', 'agent:resting', '{"kind" : "limits", "name" : "agent:resting", "cursor" : 10, "rows" : [{"name":"agent:resting","rate_period_s":1,"paused":true,"updated_at":"2026-11-30T20:05:08.364916Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.365570Z", "actor" : "administrator"}'),
	(11, 'administration-changed', 'agent:gone', '{"kind" : "limits", "name" : "agent:gone", "cursor" : 11, "rows" : [{"name":"agent:gone","concurrency":1,"rate_period_s":1,"updated_at":"2026-11-30T20:05:08.379815Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.380346Z", "actor" : "administrator"}'),
	(12, 'administration-changed', 'agent:gone', '{"kind" : "limits", "name" : "agent:gone", "cursor" : 12, "rows" : [{"name":"agent:gone","concurrency":1,"rate_period_s":1,"updated_at":"2026-11-30T20:05:08.379815Z","version":1}], "removed" : true, "changed_at" : "2026-11-30T20:05:08.385610Z", "actor" : "administrator"}'),
	(13, 'administration-changed', 'judge:strict', '{"kind" : "judging_versions", "name" : "judge:strict", "cursor" : 13, "rows" : [{"kind":"judge","name":"strict","version":1,"body":"{\"n\": 1.50, \"x\": \"\\u0000\"}","note":"a note","actor":"administrator","created_at":"2026-11-30T20:05:08.398288Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.398288Z", "actor" : "administrator"}'),
	(14, 'administration-changed', 'judge:strict', '{"kind" : "judging_moves", "name" : "judge:strict", "cursor" : 14, "rows" : [{"kind":"judge","name":"strict","move":1,"version":1,"actor":"administrator","created_at":"2026-11-30T20:05:08.400289Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.400289Z", "actor" : "administrator"}'),
	(15, 'administration-changed', 'judge:strict', '{"kind" : "judging_versions", "name" : "judge:strict", "cursor" : 15, "rows" : [{"kind":"judge","name":"strict","version":2,"body":"{\"n\": 2.50, \"x\": \"\\u0000\"}","note":"a note","actor":"administrator","created_at":"2026-11-30T20:05:08.408641Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.408641Z", "actor" : "administrator"}'),
	(16, 'administration-changed', 'judge:strict', '{"kind" : "judging_moves", "name" : "judge:strict", "cursor" : 16, "rows" : [{"kind":"judge","name":"strict","move":2,"version":2,"reason":"it is better","actor":"administrator","created_at":"2026-11-30T20:05:08.428062Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.428062Z", "actor" : "administrator"}'),
	(17, 'administration-changed', 'criteria:strict', '{"kind" : "judging_versions", "name" : "criteria:strict", "cursor" : 17, "rows" : [{"kind":"criteria","name":"strict","version":1,"body":"It is short.\n","actor":"administrator","created_at":"2026-11-30T20:05:08.439718Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.439718Z", "actor" : "administrator"}'),
	(18, 'administration-changed', 'criteria:strict', '{"kind" : "judging_moves", "name" : "criteria:strict", "cursor" : 18, "rows" : [{"kind":"criteria","name":"strict","move":1,"version":1,"actor":"administrator","created_at":"2026-11-30T20:05:08.442882Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.442882Z", "actor" : "administrator"}'),
	(19, 'administration-changed', 'criteria:strict', '{"kind" : "judging_moves", "name" : "criteria:strict", "cursor" : 19, "rows" : [{"kind":"criteria","name":"strict","move":2,"reason":"too short","actor":"administrator","created_at":"2026-11-30T20:05:08.450916Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.450916Z", "actor" : "administrator"}'),
	(20, 'administration-changed', 'golden:strict', '{"kind" : "judging_versions", "name" : "golden:strict", "cursor" : 20, "rows" : [{"kind":"golden","name":"strict","version":1,"body":"{\"id\": \"1\"}\n{\"id\": \"2\"}","actor":"administrator","created_at":"2026-11-30T20:05:08.457634Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.457634Z", "actor" : "administrator"}'),
	(21, 'administration-changed', 'golden:strict', '{"kind" : "judging_moves", "name" : "golden:strict", "cursor" : 21, "rows" : [{"kind":"golden","name":"strict","move":1,"version":1,"actor":"administrator","created_at":"2026-11-30T20:05:08.457891Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.457891Z", "actor" : "administrator"}'),
	(112, 'execution-refused', 'job-8db5b3e91b0e', '{"execution_id":"01a22e0f-aecb-7962-9679-e0e4515113bd","job_id":"job-8db5b3e91b0e","cursor":112,"answer":"refused","code":"illegal_transition","refused_at":"2026-11-30T20:05:09.476121Z","actor":"signoff"}'),
	(22, 'administration-changed', 'strict:0000000000000000000000000000000000000000000000000000000000000000', '{"kind" : "judging_evaluations", "name" : "strict:0000000000000000000000000000000000000000000000000000000000000000", "cursor" : 22, "rows" : [{"name":"strict","version":1,"cases_hash":"0000000000000000000000000000000000000000000000000000000000000000","evaluation":"00000000-0000-0000-0000-000000000001","measured":"{\"n\": 0.50, \"text\": \"\\u0000\"}","judged":"{\"0\": \"pf-\"}","actor":"administrator","created_at":"2026-11-30T20:05:08.465452Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.465452Z", "actor" : "administrator"}'),
	(23, 'administration-changed', 'strict:0000000000000000000000000000000000000000000000000000000000000000', '{"kind" : "judging_evaluations", "name" : "strict:0000000000000000000000000000000000000000000000000000000000000000", "cursor" : 23, "rows" : [{"name":"strict","version":1,"cases_hash":"0000000000000000000000000000000000000000000000000000000000000000","evaluation":"00000000-0000-0000-0000-000000000001","measured":"{\"n\": 3.50, \"text\": \"\\u0000\"}","judged":"{\"0\": \"pf-\"}","actor":"administrator","created_at":"2026-11-30T20:05:08.467113Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.467113Z", "actor" : "administrator"}'),
	(24, 'administration-changed', 'strict:0000000000000000000000000000000000000000000000000000000000000000', '{"kind" : "judging_evaluations", "name" : "strict:0000000000000000000000000000000000000000000000000000000000000000", "cursor" : 24, "rows" : [{"name":"strict","version":2,"cases_hash":"0000000000000000000000000000000000000000000000000000000000000000","evaluation":"00000000-0000-0000-0000-000000000002","measured":"{\"n\": 1.50, \"text\": \"\\u0000\"}","judged":"{\"0\": \"pf-\"}","actor":"administrator","created_at":"2026-11-30T20:05:08.467397Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.467397Z", "actor" : "administrator"}'),
	(25, 'administration-changed', 'strict:0000000000000000000000000000000000000000000000000000000000000000', '{"kind" : "judging_evaluations", "name" : "strict:0000000000000000000000000000000000000000000000000000000000000000", "cursor" : 25, "rows" : [{"name":"strict","version":3,"cases_hash":"0000000000000000000000000000000000000000000000000000000000000000","evaluation":"00000000-0000-0000-0000-000000000003","measured":"{\"n\": 2.50, \"text\": \"\\u0000\"}","judged":"{\"0\": \"pf-\"}","actor":"administrator","created_at":"2026-11-30T20:05:08.470811Z"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.470811Z", "actor" : "administrator"}'),
	(26, 'administration-changed', '02364bcd-ecfe-4fda-85b9-930e9e005b0d', '{"kind" : "operations", "name" : "02364bcd-ecfe-4fda-85b9-930e9e005b0d", "cursor" : 26, "rows" : [{"id":"02364bcd-ecfe-4fda-85b9-930e9e005b0d","created_at":"2026-11-30T20:05:08.478606Z","kind":"cancel","state":"RUNNING","about":"{}","actor":"administrator","parameters":"{\"reason\":\"late\"}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.478606Z", "actor" : "administrator"}'),
	(27, 'administration-changed', '02364bcd-ecfe-4fda-85b9-930e9e005b0d', '{"kind" : "operations", "name" : "02364bcd-ecfe-4fda-85b9-930e9e005b0d", "cursor" : 27, "rows" : [{"id":"02364bcd-ecfe-4fda-85b9-930e9e005b0d","created_at":"2026-11-30T20:05:08.478606Z","kind":"cancel","state":"DONE","about":"{}","finished_at":"2026-11-30T20:05:08.496508Z","actor":"administrator","parameters":"{\"reason\":\"late\"}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.496508Z", "actor" : "signoff"}'),
	(28, 'administration-changed', '4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc', '{"kind" : "operations", "name" : "4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc", "cursor" : 28, "rows" : [{"id":"4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc","created_at":"2026-11-30T20:05:08.503811Z","kind":"cancel","state":"RUNNING","about":"{}","actor":"administrator","parameters":"{\"x\":1e+300}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.503811Z", "actor" : "administrator"}'),
	(29, 'administration-changed', '4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc', '{"kind" : "operations", "name" : "4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc", "cursor" : 29, "rows" : [{"id":"4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc","created_at":"2026-11-30T20:05:08.503811Z","kind":"cancel","state":"DONE","about":"{}","finished_at":"2026-11-30T20:05:08.509152Z","actor":"administrator","parameters":"{\"x\":1e+300}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.509152Z", "actor" : "signoff"}'),
	(30, 'administration-changed', 'd7fea346-571f-40bd-99ca-c3235f3f9c90', '{"kind" : "operations", "name" : "d7fea346-571f-40bd-99ca-c3235f3f9c90", "cursor" : 30, "rows" : [{"id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","created_at":"2026-11-30T20:05:08.516170Z","kind":"execute","state":"RUNNING","about":"{}","actor":"administrator","name":"the odd ones","parameters":"{}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.516170Z", "actor" : "administrator"}'),
	(31, 'administration-changed', 'd7fea346-571f-40bd-99ca-c3235f3f9c90', '{"kind" : "operation_items", "name" : "d7fea346-571f-40bd-99ca-c3235f3f9c90", "cursor" : 31, "rows" : [{"operation_id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","item":0,"job_id":"unknown","answered":false}, {"operation_id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","item":1,"job_id":"8e0252ff-c296-8be3-bb96-bec7e7986a9d","spec":"{\"title\":\"odd ☃ \\\\ \\\"''\",\"acceptance_criteria\":\"c\",\"payload\":{\"nul\":\"\\u0000\",\"n\":1180591620717411303424}}","answered":false}, {"operation_id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","item":2,"job_id":"9a105319-6b80-8d50-9bec-88f30ceac227","spec":"{\"title\":\"odd ☃ \\\\ \\\"''\",\"acceptance_criteria\":\"c\",\"payload\":{\"nul\":\"\\u0000\",\"n\":1180591620717411303424},\"labels\":{\"team\":\"a\"}}","answered":false}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.519500Z", "actor" : "administrator"}'),
	(32, 'administration-changed', 'd7fea346-571f-40bd-99ca-c3235f3f9c90', '{"kind" : "operation_items", "name" : "d7fea346-571f-40bd-99ca-c3235f3f9c90", "cursor" : 32, "rows" : [{"operation_id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","item":0,"job_id":"unknown","code":"unknown_job","message":"no job has the id unknown","answered":true}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.540034Z", "actor" : "signoff"}'),
	(33, 'administration-changed', 'd7fea346-571f-40bd-99ca-c3235f3f9c90', '{"kind" : "operations", "name" : "d7fea346-571f-40bd-99ca-c3235f3f9c90", "cursor" : 33, "rows" : [{"id":"d7fea346-571f-40bd-99ca-c3235f3f9c90","created_at":"2026-11-30T20:05:08.516170Z","kind":"execute","state":"PAUSED","about":"{\"actor\": \"administrator\"}","actor":"administrator","name":"the odd ones","parameters":"{}"}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.549538Z", "actor" : "administrator"}'),
	(34, 'administration-changed', 'batch:d7fea346-571f-40bd-99ca-c3235f3f9c90', '{"kind" : "limits", "name" : "batch:d7fea346-571f-40bd-99ca-c3235f3f9c90", "cursor" : 34, "rows" : [{"name":"batch:d7fea346-571f-40bd-99ca-c3235f3f9c90","rate_period_s":1,"paused":true,"updated_at":"2026-11-30T20:05:08.549116Z","version":1}], "removed" : false, "changed_at" : "2026-11-30T20:05:08.549944Z", "actor" : "administrator"}'),
	(91, 'agent-changed', 'sure', '{"agent_id":"sure","cursor":91,"agent":{"id":"sure","name":"sure","protocol":"http","url":"http://127.0.0.1:1/","capabilities":[],"policy":{},"enabled":true,"deterministic":true,"created_at":"2026-11-30T20:05:09.215418Z","updated_at":"2026-11-30T20:05:09.215418Z","headers":{},"version":1},"actor":"administrator"}'),
	(113, 'execution-refused', '01a22e0f-aeeb-7551-b956-251b4f24f2ef', '{"execution_id":"01a22e0f-aeeb-7551-b956-251b4f24f2ef","cursor":113,"answer":"cancelled","refused_at":"2026-11-30T20:05:09.486238Z","actor":"upstream"}'),
	(218, 'agent-changed', 'able', '{"agent_id":"able","cursor":218,"agent":{"id":"able","name":"able","protocol":"http","url":"http://127.0.0.1:1/","capabilities":["able"],"policy":{},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:10.995810Z","updated_at":"2026-11-30T20:05:10.995810Z","headers":{},"version":1},"actor":"administrator"}'),
	(219, 'agent-changed', 'abler', '{"agent_id":"abler","cursor":219,"agent":{"id":"abler","name":"abler","protocol":"http","url":"http://127.0.0.1:1/","capabilities":["able"],"policy":{},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:10.999671Z","updated_at":"2026-11-30T20:05:10.999671Z","headers":{},"version":1},"actor":"administrator"}'),
	(250, 'agent-changed', 'unused', '{"agent_id":"unused","cursor":250,"agent":{"id":"unused","name":"unused","protocol":"http","url":"http://127.0.0.1:1/","capabilities":[],"policy":{},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:11.175704Z","updated_at":"2026-11-30T20:05:11.175704Z","headers":{},"version":1},"actor":"administrator"}'),
	(251, 'agent-changed', 'changed', '{"agent_id":"changed","cursor":251,"agent":{"id":"changed","name":"changed","protocol":"http","url":"http://127.0.0.1:1/","capabilities":[],"policy":{},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:11.177273Z","updated_at":"2026-11-30T20:05:11.177273Z","headers":{},"version":1},"actor":"administrator"}'),
	(252, 'agent-changed', 'changed', '{"agent_id":"changed","cursor":252,"agent":{"id":"changed","name":"newer","protocol":"http","url":"http://127.0.0.1:2/","capabilities":["b","a \"c\""],"policy":{"max_calls":2},"enabled":true,"deterministic":false,"created_at":"2026-11-30T20:05:11.177273Z","updated_at":"2026-11-30T20:05:11.183331Z","headers":{"a":"file:b","X-Key":"env:SIGNOFF_AGENT_X"},"version":2},"actor":"administrator"}'),
	(253, 'agent-changed', 'unused', '{"agent_id":"unused","cursor":253,"agent":{"id":"unused","name":"unused","protocol":"http","url":"http://127.0.0.1:1/","capabilities":[],"policy":{},"enabled":false,"deterministic":false,"created_at":"2026-11-30T20:05:11.175704Z","updated_at":"2026-11-30T20:05:11.187283Z","headers":{},"version":2},"actor":"administrator"}');
INSERT INTO public.job_logs VALUES
	(35, '01a22e0f-ab54-7dcb-b78b-3cd04bea58c2', 'job-cf132204cac7', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":{"n":1180591620717411303424,"nul":"\u0000","x":1e+300}}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:08.554476+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(36, '01a22e0f-ab6c-78c7-8a81-8dbc70e3c914', 'job-cf132204cac7', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ab49-7ae9-9335-0fca67dde68b","job_id":"job-cf132204cac7","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":{"n":1180591620717411303424,"nul":"\u0000","x":1e+300},"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:08.580935+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(37, '01a22e0f-ab85-7302-89a6-ff8661c2c1b8', 'job-cf132204cac7', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:08.605225+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(38, '01a22e0f-ab9d-77a8-80f7-ef9c27b73e88', 'job-cf132204cac7', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', 1, 1, 1, '38d6e2a5-672a-550b-9848-49fd94625f50', NULL, '2026-11-30 20:05:08.623927+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(39, '01a22e0f-ab9d-7845-ae61-d7e6046d1b66', 'job-cf132204cac7', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', 1, 1, 1, '53cb001a-bcb7-5918-9c6e-9ef679431f67', NULL, '2026-11-30 20:05:08.625008+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(40, '01a22e0f-abaa-7d9a-ae30-ad3e246768be', 'job-cf132204cac7', 6, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', 1, 2, 1, '0bddb78b-cfa7-59c3-8117-af4f74b40d3e', NULL, '2026-11-30 20:05:08.645931+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(41, '01a22e0f-abb6-7d3a-b6b1-a938142ac1a3', 'job-2d7f1f98f89a', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:08.66041+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(42, '01a22e0f-abc0-7add-b3bd-9713614a9a1d', 'job-2d7f1f98f89a', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-abb0-7343-ab7a-d984703d06d9","job_id":"job-2d7f1f98f89a","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-abb0-7343-ab7a-d984703d06d9', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:08.671514+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(43, '01a22e0f-abc9-7f8c-8056-bfd1cca472cd', 'job-2d7f1f98f89a', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-abb0-7343-ab7a-d984703d06d9', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:08.676686+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(44, '01a22e0f-abd3-7694-a305-73d3a9881dad', 'job-2d7f1f98f89a', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-abb0-7343-ab7a-d984703d06d9', 1, 1, 1, '3d0ea5d6-e234-502c-b637-34646cbd6003', NULL, '2026-11-30 20:05:08.68655+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(45, '01a22e0f-abd3-7737-911a-61b2b4b6f07c', 'job-2d7f1f98f89a', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-abb0-7343-ab7a-d984703d06d9', 1, 1, 1, 'b3622c3d-01d6-51d6-8ce8-2e7d25b12762', NULL, '2026-11-30 20:05:08.687496+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(46, '01a22e0f-abdc-7c0f-bd27-ebafa389c55c', 'job-2d7f1f98f89a', 6, 'REJECTED', 'REJECTED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-abb0-7343-ab7a-d984703d06d9', 1, 2, 1, '975411ee-60de-5680-83df-fd376689a058', NULL, '2026-11-30 20:05:08.699518+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(47, '01a22e0f-abe8-768b-9fc0-592b744712d4', 'job-b3735dac0213', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:08.709115+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(48, '01a22e0f-abfa-76ca-9860-c257484ad5f4', 'job-b3735dac0213', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-abe3-7f4c-ab84-02f04b47fb8f","job_id":"job-b3735dac0213","submission":1,"title":"A title","description":"d","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:08.724082+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(49, '01a22e0f-ac08-7d06-bfc5-4d83c7b96c73', 'job-b3735dac0213', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:08.743653+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(50, '01a22e0f-ac12-7557-a6d4-6839acb4d3d8', 'job-b3735dac0213', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', 1, 1, 1, '3bdf4a94-5709-5ae1-a4f2-fb7dcb4b2abc', NULL, '2026-11-30 20:05:08.7518+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(51, '01a22e0f-ac12-75ff-acd0-f6a3f7496603', 'job-b3735dac0213', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', 1, 1, 1, 'a7381a34-314b-5793-b6ac-7e7b7ed07a51', NULL, '2026-11-30 20:05:08.75285+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(52, '01a22e0f-ac1b-7f59-ae66-4499699364d3', 'job-b3735dac0213', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-abe3-7f4c-ab84-02f04b47fb8f', 1, 2, 1, '192857ca-bae3-518a-b0a9-97931298ed4e', NULL, '2026-11-30 20:05:08.763104+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(53, '01a22e0f-ac28-75bb-9572-9a9ed323aa19', 'job-b3735dac0213', 7, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ac23-7b15-a22b-f19f8035069c","job_id":"job-b3735dac0213","submission":2,"title":"A title","description":"d","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested', NULL, 'requested', '01a22e0f-ac23-7b15-a22b-f19f8035069c', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:08.77311+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(54, '01a22e0f-ac3b-7914-9b55-a0531e3a28d3', 'job-b3735dac0213', 8, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ac23-7b15-a22b-f19f8035069c', 1, 1, 2, NULL, NULL, '2026-11-30 20:05:08.79301+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(55, '01a22e0f-ac46-7dc7-9305-34d9d8aec6af', 'job-b3735dac0213', 9, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-ac23-7b15-a22b-f19f8035069c', 1, 1, 2, '84b9839f-660c-5ff5-b1ee-b937e9b24171', NULL, '2026-11-30 20:05:08.80325+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(56, '01a22e0f-ac46-7e7b-b81a-0290f3af6abe', 'job-b3735dac0213', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-ac23-7b15-a22b-f19f8035069c', 1, 1, 2, '35a09189-6845-5c56-8530-017cf9beeb73', NULL, '2026-11-30 20:05:08.805753+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(57, '01a22e0f-ac58-7cab-88ba-7fd7218136d4', 'job-b3735dac0213', 11, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-ac23-7b15-a22b-f19f8035069c', 1, 2, 2, '9272aca2-0512-55d5-a0e0-e1ee87810771', NULL, '2026-11-30 20:05:08.823571+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(58, '01a22e0f-ac67-7477-9a26-e456d57f2d3d', 'job-cfb6d07c8141', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:08.833038+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(59, '01a22e0f-ac6d-7db5-bf6b-3d94e9884576', 'job-cfb6d07c8141', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ac60-7566-82d5-1f5a5339ac02","job_id":"job-cfb6d07c8141","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:08.8447+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(60, '01a22e0f-ac7c-7948-b6c6-6fccbf7dca90', 'job-cfb6d07c8141', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:08.859676+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(61, '01a22e0f-ac8d-7081-8b51-98476f4d1a54', 'job-cfb6d07c8141', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, NULL, NULL, 'call_begun', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 1, 1, 1, '188409f6-adf2-5273-9e31-2a352270e678', NULL, '2026-11-30 20:05:08.876082+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(62, '01a22e0f-ac95-7855-896d-d7b2ee4028c1', 'job-cfb6d07c8141', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'a quarter', NULL, 'progress', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 1, 1, 1, '04b54382-b42c-58a6-a065-d37629af40a0', 0.25, '2026-11-30 20:05:08.884823+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(63, '01a22e0f-ac9a-708a-8e88-86c0af457c6c', 'job-cfb6d07c8141', 6, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"partial":{"text":"\u0000","n":1180591620717411303424}}', 'more', NULL, 'progress', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 1, 1, 1, '41c1cee6-0ec0-53e3-a98d-cc0f3a52d4f1', 0.25, '2026-11-30 20:05:08.889392+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(64, '01a22e0f-acac-7508-9126-ed3cf0f81a4a', 'job-cfb6d07c8141', 7, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, '503', 'agent_status', 'attempt_failed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 1, 1, 1, '6dfa49f3-748c-5084-85be-d9043684d220', 0.25, '2026-11-30 20:05:08.904896+00', 1, NULL, NULL, '2026-11-30 20:05:08.904896+00', 'executor', NULL, NULL),
	(65, '01a22e0f-acb8-7490-9bf5-4a9a21122ca6', 'job-cfb6d07c8141', 8, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 2 was taken by an executor', NULL, 'claimed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 2, 3, 1, NULL, 0.25, '2026-11-30 20:05:08.91707+00', 1, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(66, '01a22e0f-acd1-7ba9-9e0b-72b21422881f', 'job-cfb6d07c8141', 9, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 2 lost its worker', 'lease_lapsed', 'lapsed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 2, 3, 1, NULL, 0.25, '2026-11-30 20:05:08.944871+00', 2, NULL, NULL, '2026-11-30 20:05:08.944871+00', 'signoff', NULL, NULL),
	(67, '01a22e0f-ace0-7574-b575-c9cce391337f', 'job-cfb6d07c8141', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 3 was taken by an executor', NULL, 'claimed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 3, 4, 1, NULL, 0.25, '2026-11-30 20:05:08.956966+00', 2, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(68, '01a22e0f-ace9-7971-8f20-a102d5dd5bf1', 'job-cfb6d07c8141', 11, 'FAILED', 'FAILED', 'writer', NULL, NULL, '☃ \ "''', 'agent_status', 'failed', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', 3, 4, 1, '3fefc559-bbdd-5fa6-b53e-81a241fded6f', 0.25, '2026-11-30 20:05:08.968827+00', 2, NULL, NULL, NULL, 'executor', NULL, NULL),
	(69, '01a22e0f-acfc-71d0-ad91-f955a89ba328', 'job-3093459321be', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:08.987029+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(70, '01a22e0f-ad09-7312-8cdb-c2c9e3ef5d7c', 'job-3093459321be', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-acfa-718b-a423-1bcadb653c88","job_id":"job-3093459321be","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-acfa-718b-a423-1bcadb653c88', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:08.991832+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(71, '01a22e0f-ad19-7925-b086-b1d51bd99733', 'job-3093459321be', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-acfa-718b-a423-1bcadb653c88', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.016658+00', 0, NULL, NULL, NULL, 'signoff', NULL, '[{"code": "not_before", "name": "", "since": "2026-11-30T20:05:08.991832Z", "until": "2026-11-30T21:05:08.991019Z"}]'),
	(72, '01a22e0f-ad25-7de0-bfd4-6b4771c02fa8', 'job-3093459321be', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-acfa-718b-a423-1bcadb653c88', 1, 1, 1, 'f6ec5bba-a226-555b-8c73-6f840af2b86a', NULL, '2026-11-30 20:05:09.027798+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(73, '01a22e0f-ad25-7ea2-ad08-94c919006d7d', 'job-3093459321be', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-acfa-718b-a423-1bcadb653c88', 1, 1, 1, '6227b797-4201-51d2-8af0-e0f430116bd1', NULL, '2026-11-30 20:05:09.02878+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(74, '01a22e0f-ad2d-7b4d-aa7a-e308bc896b32', 'job-3093459321be', 6, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-acfa-718b-a423-1bcadb653c88', 1, 2, 1, '93e7d57e-6c5e-59df-8a07-a8f11f4297a0', NULL, '2026-11-30 20:05:09.036885+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(75, '01a22e0f-ad39-7fa6-80e0-b2d2699c18a8', 'job-2553f688f7dd', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.049069+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(76, '01a22e0f-ad44-7bbf-a61b-1c85e45bdfa2', 'job-2553f688f7dd', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ad38-710b-aa30-9507599296cb","job_id":"job-2553f688f7dd","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ad38-710b-aa30-9507599296cb', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.059778+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(77, '01a22e0f-ad4d-7455-803c-8b706e2b1503', 'job-2553f688f7dd', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ad38-710b-aa30-9507599296cb', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.068443+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(78, '01a22e0f-ad55-76da-8c45-41f50dffc8aa', 'job-2553f688f7dd', 4, 'REJECTED', 'REJECTED', 'writer', NULL, NULL, 'not mine', NULL, 'declined', '01a22e0f-ad38-710b-aa30-9507599296cb', 1, 1, 1, '8572a0da-b79b-5bc4-b81b-50d4f8d21628', NULL, '2026-11-30 20:05:09.076715+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(79, '01a22e0f-ad5e-7e51-a976-f9c63b4d5fa9', 'job-f55380c3a78e', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.085751+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(80, '01a22e0f-ad6b-7bf4-a76a-5ebd71575a54', 'job-f55380c3a78e', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ad59-7f04-ae0e-a11afdfc3693","job_id":"job-f55380c3a78e","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ad59-7f04-ae0e-a11afdfc3693', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.092166+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(81, '01a22e0f-ad75-797d-bfa6-6883af639260', 'job-f55380c3a78e', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ad59-7f04-ae0e-a11afdfc3693', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.108728+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(82, '01a22e0f-ad80-7355-9eec-c96f8766cf26', 'job-f55380c3a78e', 4, 'CANCELLED', 'ASSIGNED', 'writer', NULL, NULL, 'cancelled by signoff: not needed', 'cancelled', 'cancelled', '01a22e0f-ad59-7f04-ae0e-a11afdfc3693', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.11691+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(83, '01a22e0f-ad86-7f4f-9c4d-bcc932e8a543', 'job-f55380c3a78e', 5, 'CANCELLED', 'ASSIGNED', 'writer', NULL, '{"result":{"late":true}}', 'the agent answered', NULL, 'result', '01a22e0f-ad59-7f04-ae0e-a11afdfc3693', 1, 1, 1, '6a23d2cf-7fe5-5584-83ea-05cf10c7ce98', NULL, '2026-11-30 20:05:09.126214+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(84, '01a22e0f-ad95-7731-994e-bddc6bc20a1b', 'job-18e201d9dc95', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.140539+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(85, '01a22e0f-ad9b-7c79-aeba-5d609790d6eb', 'job-18e201d9dc95', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4","job_id":"job-18e201d9dc95","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.146891+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(86, '01a22e0f-adae-7202-b9e2-dc519ab0b00f', 'job-18e201d9dc95', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.165064+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(87, '01a22e0f-adb5-79e4-8fae-ee65f014e472', 'job-18e201d9dc95', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', 1, 1, 1, '26cc20a4-05b0-52fb-ae56-263ceff1898e', NULL, '2026-11-30 20:05:09.168961+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(88, '01a22e0f-adb5-7acf-b0dd-1aa75bc41362', 'job-18e201d9dc95', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', 1, 1, 1, '8227f6dc-661f-520b-9ae7-c3cc751bd61c', NULL, '2026-11-30 20:05:09.17232+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(89, '01a22e0f-adc6-7276-88cd-646bf500c830', 'job-18e201d9dc95', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', 1, 2, 1, '8faed92b-1258-5e3d-a252-57ef82859a17', NULL, '2026-11-30 20:05:09.189195+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(90, '01a22e0f-adce-7220-8cbd-dca409692011', 'job-18e201d9dc95', 7, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":{"other":[1.50,"\u00e9"]}}', NULL, 'assigned to writer', NULL, 'assigned', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.195776+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(92, '01a22e0f-adf1-7b1e-96b8-3a6c2b66f1dd', 'job-2eb582a5c71f', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.23272+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(93, '01a22e0f-adfe-7a31-95bf-1f8bcc3a3e17', 'job-2eb582a5c71f', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-adde-721d-a489-39593ce1e502","job_id":"job-2eb582a5c71f","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-adde-721d-a489-39593ce1e502', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.243895+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(94, '01a22e0f-ae0e-72a7-8fb6-356595daaae7', 'job-2eb582a5c71f', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-adde-721d-a489-39593ce1e502', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.260983+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(95, '01a22e0f-ae17-783a-8f21-0af188d03f97', 'job-2eb582a5c71f', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, NULL, NULL, 'call_failed', '01a22e0f-adde-721d-a489-39593ce1e502', 1, 1, 1, 'c0005c75-7b0f-5fd9-8d42-96317038271a', NULL, '2026-11-30 20:05:09.268735+00', 0, 100000000, 7, '2026-11-30 20:05:09.268735+00', 'executor', NULL, NULL),
	(96, '01a22e0f-ae25-7d9a-9c35-44dfe59619c5', 'job-2eb582a5c71f', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"costly"}', 'the agent answered', NULL, 'result', '01a22e0f-adde-721d-a489-39593ce1e502', 1, 1, 1, '4913382a-cabe-5ed4-98bc-aeb654f27803', NULL, '2026-11-30 20:05:09.28503+00', 0, 300000000, 12, NULL, 'executor', NULL, NULL),
	(97, '01a22e0f-ae2a-7a36-bada-3bf774a40152', 'job-2eb582a5c71f', 6, 'FAILED', 'FAILED', 'writer', NULL, NULL, '0.3 of 0.3 USD are spent, and the judge was not called any more', 'budget_exhausted', 'over_budget', '01a22e0f-adde-721d-a489-39593ce1e502', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.289724+00', 0, 300000000, 12, NULL, 'signoff', NULL, NULL),
	(98, '01a22e0f-ae39-7bf2-a0c5-e8374b60caad', 'job-434bf1dda098', 1, 'ASSIGNED', 'ASSIGNED', 'sure', '{"payload":{"nul":"\u0000"}}', NULL, 'created, assigned to sure', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.304886+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(99, '01a22e0f-ae3d-7eec-8d6d-80d472dd1a51', 'job-434bf1dda098', 2, 'ASSIGNED', 'ASSIGNED', 'sure', '{"execution_id":"01a22e0f-ae37-7915-b67b-66db152985be","job_id":"job-434bf1dda098","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":{"nul":"\u0000"},"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ae37-7915-b67b-66db152985be', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.309131+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(100, '01a22e0f-ae4c-7e10-9a1b-6d584ab8c5c6', 'job-434bf1dda098', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'sure', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-ae37-7915-b67b-66db152985be', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.320842+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(101, '01a22e0f-ae68-7c4b-b882-aefa723a84e7', 'job-434bf1dda098', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'sure', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-ae37-7915-b67b-66db152985be', 1, 1, 1, '4055d4b5-0e09-5a0e-ba86-4fcaacec833c', NULL, '2026-11-30 20:05:09.333212+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(102, '01a22e0f-ae6f-7c5b-a482-a1234c905d0b', 'job-434bf1dda098', 5, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'sure', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-ae37-7915-b67b-66db152985be', 1, 2, 1, '6e33daa0-2d06-5190-9e6b-034fc1c889e1', NULL, '2026-11-30 20:05:09.356753+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(103, '01a22e0f-ae79-777a-a823-fecf2d282c32', 'job-a373619c885a', 1, 'ASSIGNED', 'ASSIGNED', 'sure', '{"payload":{"nul":"\u0000"}}', NULL, 'created, assigned to sure', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.368552+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(104, '01a22e0f-ae8c-7fac-9b81-b64485feab9f', 'job-a373619c885a', 2, 'ASSIGNED', 'ASSIGNED', 'sure', '{"execution_id":"01a22e0f-ae37-72e4-8d0b-dc1baac2df9b","job_id":"job-a373619c885a","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":{"nul":"\u0000"},"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.387603+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(105, '01a22e0f-ae95-7144-9f17-964f4ea26dff', 'job-a373619c885a', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'sure', NULL, NULL, 'attempt 1 was taken by an executor', 'result_reused', 'claimed', '01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.395862+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(106, '01a22e0f-ae95-71e2-8ce7-2b87aad1dbf7', 'job-a373619c885a', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'sure', NULL, '{"result":"blue"}', 'result reused of job job-434bf1dda098 version 4', 'result_reused', 'result', '01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.395862+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(107, '01a22e0f-aea5-7e85-9a73-6cccd9dc5083', 'job-a373619c885a', 5, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'sure', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'verdict reused of job job-434bf1dda098 version 5: a reason', 'verdict_reused', 'not_met', '01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', 1, 2, 1, '12587f79-1d34-53fd-8e81-e651d4c3fbaf', NULL, '2026-11-30 20:05:09.411582+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(108, '01a22e0f-aeb7-7943-84d6-3e6add2cc165', 'job-01d232bb448b', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.427738+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(109, '01a22e0f-aebd-7751-8cb2-6e0f46dd50bd', 'job-82c04bde7d3a', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.436498+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(110, '01a22e0f-aec9-7675-8850-2a678bb81c2c', 'job-82c04bde7d3a', 2, 'CANCELLED', 'PENDING', NULL, NULL, NULL, 'cancelled by signoff', 'cancelled', 'cancelled', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.440468+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(111, '01a22e0f-aed0-73ac-9f5a-53354a249a9b', 'job-8db5b3e91b0e', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.452559+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(114, '01a22e0f-af12-71a2-9d34-c52de53d2cc3', 'job-48f9e4543772', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":{"n":[1.5]}}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.521097+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(115, '01a22e0f-af1d-786a-8257-95cb7cd2bdf0', 'job-48f9e4543772', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-af10-7135-ba14-29c588ebcd7c","job_id":"job-48f9e4543772","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":{"n":[1.5]},"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-af10-7135-ba14-29c588ebcd7c', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.532675+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(116, '01a22e0f-af25-7ebf-be27-1dff427bb4ae', 'job-48f9e4543772', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-af10-7135-ba14-29c588ebcd7c', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.54103+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(117, '01a22e0f-af30-785d-9729-02492d5b3745', 'job-48f9e4543772', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-af10-7135-ba14-29c588ebcd7c', 1, 1, 1, '5fa24c75-ab5f-54cc-abc5-77887f2e3511', NULL, '2026-11-30 20:05:09.549004+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(118, '01a22e0f-af40-75b1-8153-60a1fa355290', 'job-48f9e4543772', 5, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}],"references_sha256":"6a4ed542eeecce9701d54581e3a9b22ebb87065d8dc33a576f2a084e51b5b3dd"}}', 'a reason', NULL, 'not_met', '01a22e0f-af10-7135-ba14-29c588ebcd7c', 1, 2, 1, 'bc41f956-35bc-5ba0-91f2-ed91643c2739', NULL, '2026-11-30 20:05:09.563638+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(119, '01a22e0f-af45-7f06-8e11-f200fbdc1423', 'job-48f9e4543772', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', '{"payload":{"big":1180591620717411303424},"changed":{"labels":{"a":"b","c":"d \"e\""},"not_before":null,"payload":{"big":1180591620717411303424},"priority":9,"title":"Another"},"before":{"labels":{"a":"b"},"not_before":"2019-12-31T23:00:00.000000Z","payload":{"n":[1.5]},"priority":3,"title":"A title"}}', NULL, 'edited: labels, not_before, payload, priority, title', 'edited', 'edited', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.572749+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(120, '01a22e0f-af59-730d-86fe-cae05277e6a7', 'job-48f9e4543772', 7, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', '{"payload":{"big":1180591620717411303424},"changed":{"references":{"1":"Is green"}},"before":{"references":{"1":"Is \"blue\""}}}', NULL, 'edited: references', 'edited', 'edited', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.591891+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(121, '01a22e0f-af69-7d4c-9d46-b399c1e6f3f3', 'job-48f9e4543772', 8, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-af67-79ae-a058-e6ca071ffb5a","job_id":"job-48f9e4543772","submission":2,"title":"Another","description":"","acceptance_criteria":"Says \"blue\"","payload":{"big":1180591620717411303424},"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested', NULL, 'requested', '01a22e0f-af67-79ae-a058-e6ca071ffb5a', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:09.608878+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(122, '01a22e0f-af71-72f3-9ccc-d0e8defe1434', 'job-48f9e4543772', 9, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-af67-79ae-a058-e6ca071ffb5a', 1, 1, 2, NULL, NULL, '2026-11-30 20:05:09.616376+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(203, '01a22e0f-b3aa-723a-ae53-b84652b378f9', 'job-38ead2008b24', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.697161+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(123, '01a22e0f-af7e-7bf2-980b-3e95a3d85551', 'job-48f9e4543772', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-af67-79ae-a058-e6ca071ffb5a', 1, 1, 2, '29a445a7-af1d-5b75-8ba7-bcab4602697b', NULL, '2026-11-30 20:05:09.629808+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(124, '01a22e0f-af90-72f9-a05e-df8aa8bfe07e', 'job-48f9e4543772', 11, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}],"references_sha256":"19f0086bbf7210d4b6a53f13b89faba19c1c420ebea2915f161dacc94f28857b"}}', 'a reason', NULL, 'not_met', '01a22e0f-af67-79ae-a058-e6ca071ffb5a', 1, 2, 2, 'f88d92fd-69a6-5cce-b8cc-32b1a4617b15', NULL, '2026-11-30 20:05:09.646954+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(125, '01a22e0f-af9c-730d-8d19-6f34a25c188a', 'job-48f9e4543772', 12, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', '{"payload":{"big":1180591620717411303424},"changed":{"acceptance_criteria":"e","description":"d","policy":{"max_calls":2},"references":{},"title":"A third"},"before":{"acceptance_criteria":"Says \"blue\"","description":"","policy":{},"references":{"1":"Is green"},"title":"Another"}}', NULL, 'edited: acceptance_criteria, description, policy, references, title', 'edited', 'edited', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.656828+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(126, '01a22e0f-afa9-70d0-afaf-9861cf731e34', 'job-30550b573aae', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.667037+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(127, '01a22e0f-afc0-77bc-bf71-57594802af09', 'job-30550b573aae', 2, 'PENDING', 'PENDING', NULL, '{"payload":null,"changed":{"capabilities":["none has this"],"references":{"1":"x"},"title":"Another"},"before":{"capabilities":[],"references":{},"title":"A title"}}', NULL, 'edited: capabilities, references, title', 'edited', 'edited', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.687962+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(128, '01a22e0f-afc0-78e4-a136-7b37cd37f6b7', 'job-30550b573aae', 3, 'MATCHING_FAILED', 'PENDING', NULL, NULL, NULL, 'no enabled agent has "none has this"', 'matching_failed', 'matching_failed', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.687962+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(129, '01a22e0f-afd5-7849-a4f8-06f16254b141', 'job-46d1e8fc62f8', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.716495+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(130, '01a22e0f-afdd-7c40-a993-355101904ab3', 'job-46d1e8fc62f8', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-afd3-77ae-b9a6-c0be8377a2ac","job_id":"job-46d1e8fc62f8","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.724802+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(131, '01a22e0f-afed-7faa-a097-e3c3789c46e1', 'job-46d1e8fc62f8', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.740848+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(132, '01a22e0f-affa-7453-b57f-0707181119dd', 'job-46d1e8fc62f8', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 1, 1, 'c4f2c20a-2876-585b-a75b-85feddfbaa5e', NULL, '2026-11-30 20:05:09.751784+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(133, '01a22e0f-affa-7513-bb57-cbc5b191e8f1', 'job-46d1e8fc62f8', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 1, 1, 'a8f39f49-34c2-5bb3-9284-c44c3c275aba', NULL, '2026-11-30 20:05:09.752968+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(134, '01a22e0f-b00b-7980-82d1-0495ffc72bb0', 'job-46d1e8fc62f8', 6, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 2, 1, '95c5c100-1d36-5f52-bbdf-f286c6deea26', NULL, '2026-11-30 20:05:09.76384+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(135, '01a22e0f-b041-7e08-8823-6596a34c40b0', 'job-46d1e8fc62f8', 7, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:09.81592+00', 0, NULL, NULL, NULL, 'administrator', NULL, NULL),
	(136, '01a22e0f-b041-7ec8-881a-71fe6a496ac7', 'job-46d1e8fc62f8', 8, 'REJECTED', 'REJECTED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'not_met', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:09.81592+00', 0, 250000000, 3, NULL, 'validator', 1.5, NULL);
INSERT INTO public.job_logs VALUES
	(137, '01a22e0f-b04d-7d1e-85d4-fff4f299ed82', 'job-8c0662089c49', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:09.836873+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(138, '01a22e0f-b05f-7a1a-839b-8ac53ac95c6d', 'job-8c0662089c49', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b04c-7ca4-8897-9e137e476cec","job_id":"job-8c0662089c49","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b04c-7ca4-8897-9e137e476cec', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:09.848231+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(139, '01a22e0f-b065-7d68-a31f-1ced2d4576ff', 'job-8c0662089c49', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b04c-7ca4-8897-9e137e476cec', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:09.860875+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(140, '01a22e0f-b072-71fa-9336-26c023f80e4c', 'job-8c0662089c49', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b04c-7ca4-8897-9e137e476cec', 1, 1, 1, 'f66e0ff1-9f43-56b7-b17c-c7b9422adfeb', NULL, '2026-11-30 20:05:09.871974+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(141, '01a22e0f-b072-72a7-9d6b-ac6b4dae437d', 'job-8c0662089c49', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b04c-7ca4-8897-9e137e476cec', 1, 1, 1, '54b36e76-ff2a-58fd-9e4e-274b72d2a168', NULL, '2026-11-30 20:05:09.873074+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(142, '01a22e0f-b07e-7610-8b32-562ea7376130', 'job-8c0662089c49', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-b04c-7ca4-8897-9e137e476cec', 1, 2, 1, '3ad44807-61ae-5780-98b0-b072011bea72', NULL, '2026-11-30 20:05:09.885201+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(143, '01a22e0f-b087-786a-b0e9-5c172c79df2f', 'job-8c0662089c49', 7, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b083-7f01-8c37-cac314cfbf47","job_id":"job-8c0662089c49","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested', NULL, 'requested', '01a22e0f-b083-7f01-8c37-cac314cfbf47', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:09.892842+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(144, '01a22e0f-b090-7ab5-976f-08f01792a5b9', 'job-8c0662089c49', 8, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 1, 2, NULL, NULL, '2026-11-30 20:05:09.903711+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(145, '01a22e0f-b099-7d8d-976f-a25120fd372f', 'job-8c0662089c49', 9, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 1, 2, 'da1c4ff6-186c-5596-9518-b2c6df082925', NULL, '2026-11-30 20:05:09.91187+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(146, '01a22e0f-b099-7e39-af15-93039201d25f', 'job-8c0662089c49', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 1, 2, 'f4bb44c5-a9a4-5189-947f-b0f6076f30fd', NULL, '2026-11-30 20:05:09.912818+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(147, '01a22e0f-b0a4-76df-9f6d-b4dbb4017679', 'job-8c0662089c49', 11, 'REJECTED', 'REJECTED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 2, 2, '1e9e108a-35d8-58b5-8de0-43d84a3ef35a', NULL, '2026-11-30 20:05:09.91629+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(148, '01a22e0f-b0e0-7534-af8a-d1c39b4d99ff', 'job-8c0662089c49', 12, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 3, 2, NULL, NULL, '2026-11-30 20:05:09.973397+00', 0, NULL, NULL, NULL, 'administrator', NULL, NULL),
	(236, '01a22e0f-b52e-71f4-a40f-afc016503e88', 'job-173dba96a33f', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b516-7e30-bc3b-30887a3c996a', 1, 1, 1, 'ab63a85b-0888-54ad-814e-5a1c46f595b2', NULL, '2026-11-30 20:05:11.082396+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(149, '01a22e0f-b0e0-75df-911a-a4edd20c6d6f', 'job-8c0662089c49', 13, 'REJECTED', 'REJECTED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'not_met', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 3, 2, NULL, NULL, '2026-11-30 20:05:09.973397+00', 0, 250000000, 3, NULL, 'validator', 1.5, NULL),
	(150, '01a22e0f-b100-74df-a59c-62cfdb7bc229', 'job-8c0662089c49', 14, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 4, 2, NULL, NULL, '2026-11-30 20:05:10.008724+00', 0, 250000000, 3, NULL, 'administrator', NULL, NULL),
	(151, '01a22e0f-b100-7579-9deb-6d04d11b031c', 'job-8c0662089c49', 15, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'met', '01a22e0f-b083-7f01-8c37-cac314cfbf47', 1, 4, 2, NULL, NULL, '2026-11-30 20:05:10.008724+00', 0, 500000000, 6, NULL, 'validator', 1.5, NULL),
	(152, '01a22e0f-b109-7d34-98c5-b86ce52e6952', 'job-8cf8c991ee1a', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.024885+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(153, '01a22e0f-b116-70f0-ad80-e9469b7907e5', 'job-8cf8c991ee1a', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b107-78d5-a1d3-c38781f2ff65","job_id":"job-8cf8c991ee1a","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.037139+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(154, '01a22e0f-b123-797e-8b6b-d576fa055988', 'job-8cf8c991ee1a', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.046621+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(155, '01a22e0f-b126-75e7-8903-e2ba6cea6a05', 'job-8cf8c991ee1a', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', 1, 1, 1, '659c462b-8d89-5cdf-a8f6-cecd0fbbcfee', NULL, '2026-11-30 20:05:10.05354+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(156, '01a22e0f-b12a-7b19-9d5f-b4309afc266d', 'job-8cf8c991ee1a', 5, 'CANCELLED', 'ASSIGNED', 'writer', NULL, NULL, 'cancelled by signoff', 'cancelled', 'cancelled', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', 1, 2, 1, NULL, NULL, '2026-11-30 20:05:10.058054+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(157, '01a22e0f-b134-702b-862c-c8398255bd1d', 'job-8cf8c991ee1a', 6, 'ASSIGNED', 'ASSIGNED', 'writer', NULL, NULL, 'judging was stopped, and had cost this', NULL, 'spent', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', 1, 2, 1, 'c694f49a-39c4-53e0-aa27-33093f777ed1', NULL, '2026-11-30 20:05:10.067175+00', 0, 250000000, 7, NULL, 'validator', NULL, NULL),
	(158, '01a22e0f-b140-742a-8d38-2fd24ada3059', 'job-6ac69209d6a9', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.07738+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(159, '01a22e0f-b145-73cf-a857-237adea5435a', 'job-6ac69209d6a9', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f","job_id":"job-6ac69209d6a9","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.084415+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(160, '01a22e0f-b14c-7dc9-ae96-62bb1c421f8e', 'job-6ac69209d6a9', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.091798+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(161, '01a22e0f-b15b-7c85-834f-19ac04682733', 'job-6ac69209d6a9', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', 1, 1, 1, '6a13d929-4b7e-5371-aedb-6757a166ca65', NULL, '2026-11-30 20:05:10.097144+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(162, '01a22e0f-b15b-7d46-8aaf-83e46150254e', 'job-6ac69209d6a9', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', 1, 1, 1, '731f7b22-58be-5e9e-8871-ac0da9702ce5', NULL, '2026-11-30 20:05:10.098342+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(163, '01a22e0f-b165-73fc-ae72-2cd30764a7ee', 'job-6ac69209d6a9', 6, 'FAILED', 'FAILED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"cannot_assess","required":true,"kind":"meets","evidence":[],"comment":"","unproven":true}]}}', 'a reason', 'verdict_unproven', 'failed', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', 1, 2, 1, 'ed7f14a3-e5e8-5a01-b498-771d3234fa6c', NULL, '2026-11-30 20:05:10.116222+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(164, '01a22e0f-b174-7a04-9f89-e2242455a62a', 'job-61ced7d85d63', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.125623+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(165, '01a22e0f-b17b-7414-9373-4cf25e465044', 'job-61ced7d85d63', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b16b-72ab-a545-ba6e83baeddb","job_id":"job-61ced7d85d63","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.138398+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(166, '01a22e0f-b188-7abd-8dc9-91848157fc87', 'job-61ced7d85d63', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.151468+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(167, '01a22e0f-b193-72d2-8a41-e456646ba27d', 'job-61ced7d85d63', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 1, 1, '42ac8e40-5d90-52ed-9563-d6052e116d5a', NULL, '2026-11-30 20:05:10.155669+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(168, '01a22e0f-b193-73a3-bbca-ffbf1c36f2ed', 'job-61ced7d85d63', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 1, 1, 'b518f7da-1e0d-5468-97a6-01c4e1d052d3', NULL, '2026-11-30 20:05:10.161796+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(169, '01a22e0f-b1a0-7d6f-b7e0-f0e64cb3b4fa', 'job-61ced7d85d63', 6, 'FAILED', 'FAILED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"cannot_assess","required":true,"kind":"meets","evidence":[],"comment":"","unproven":true}]}}', 'a reason', 'verdict_unproven', 'failed', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 2, 1, '8987003f-4b20-59a8-914f-ef92b9f73a68', NULL, '2026-11-30 20:05:10.175833+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(170, '01a22e0f-b1cb-71fd-bb4d-06c9834d7ba6', 'job-61ced7d85d63', 7, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.205407+00', 0, NULL, NULL, NULL, 'administrator', NULL, NULL),
	(171, '01a22e0f-b1cb-728e-9741-0f9157044289', 'job-61ced7d85d63', 8, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'met', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.205407+00', 0, 250000000, 3, NULL, 'validator', 1.5, NULL),
	(172, '01a22e0f-b1dd-7370-8ebc-0d183ca8a730', 'job-7f0569d25eac', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.235902+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(173, '01a22e0f-b1ea-7188-8978-a071626af313', 'job-7f0569d25eac', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b1d5-79a5-81ab-2d04ecb7b175","job_id":"job-7f0569d25eac","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.247163+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(174, '01a22e0f-b1f4-7e40-b17c-f790f7e41e73', 'job-7f0569d25eac', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.259998+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(175, '01a22e0f-b1fb-76d8-9116-60d2e8fb3bbf', 'job-7f0569d25eac', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 1, 1, 'a41c4808-3ee7-54ad-8bcc-247b88f318da', NULL, '2026-11-30 20:05:10.262768+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(176, '01a22e0f-b1fb-7778-a194-211ad28aaeb0', 'job-7f0569d25eac', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 1, 1, '9df2c7f8-1c36-5685-8ac0-0e987e526e6c', NULL, '2026-11-30 20:05:10.266345+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(177, '01a22e0f-b20a-71e9-8c95-0bd28afe6ab0', 'job-7f0569d25eac', 6, 'FAILED', 'FAILED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"cannot_assess","required":true,"kind":"meets","evidence":[],"comment":"","unproven":true}]}}', 'a reason', 'verdict_unproven', 'failed', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 2, 1, 'eb0d23c6-cf5b-59d0-8615-25422e254da8', NULL, '2026-11-30 20:05:10.281137+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(178, '01a22e0f-b231-7e38-ba2a-beec9fc17c99', 'job-7f0569d25eac', 7, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.299488+00', 0, NULL, NULL, NULL, 'administrator', NULL, NULL),
	(179, '01a22e0f-b231-7f4e-8b05-47438c38a4c1', 'job-7f0569d25eac', 8, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'not_met', '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.299488+00', 0, 250000000, 3, NULL, 'validator', 1.5, NULL),
	(180, '01a22e0f-b231-7f7a-87ea-26506c60a0c5', 'job-7f0569d25eac', 9, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"538dde0c-1046-8aed-83da-872e070f530b","job_id":"job-7f0569d25eac","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested by policy', NULL, 'requested', '538dde0c-1046-8aed-83da-872e070f530b', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:10.299488+00', 0, 250000000, 3, NULL, 'signoff', NULL, NULL),
	(181, '01a22e0f-b242-710d-9cb6-3043d7ee1b4f', 'job-f2e6c2d5b64e', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.337081+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(182, '01a22e0f-b250-769a-9fe2-985a550585c7', 'job-f2e6c2d5b64e', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b240-781f-b057-9cbfe8898a53","job_id":"job-f2e6c2d5b64e","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b240-781f-b057-9cbfe8898a53', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.346135+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(183, '01a22e0f-b256-702c-a9d5-5bd14cd92e7a', 'job-f2e6c2d5b64e', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.356833+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(184, '01a22e0f-b261-705c-b05d-f1016314c4db', 'job-f2e6c2d5b64e', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 1, 1, '0c461ac1-184e-566f-aee6-e7ec56636f4b', NULL, '2026-11-30 20:05:10.366842+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(185, '01a22e0f-b261-7137-b225-0b4460cb1634', 'job-f2e6c2d5b64e', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 1, 1, '472b9a29-e580-52dc-9ba9-f2d9e25e750e', NULL, '2026-11-30 20:05:10.367896+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(186, '01a22e0f-b26c-7f45-ba0c-277430bf72fd', 'job-f2e6c2d5b64e', 6, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 2, 1, '6478220d-b7db-5754-85f0-587c0b2356f3', NULL, '2026-11-30 20:05:10.379948+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(187, '01a22e0f-b284-71e3-b57c-b8130840f142', 'job-f2e6c2d5b64e', 7, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'judged again', 'rejudged', 'rejudged', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.396719+00', 0, NULL, NULL, NULL, 'administrator', NULL, NULL),
	(188, '01a22e0f-b284-72ad-b1e2-20d624c6e7d8', 'job-f2e6c2d5b64e', 8, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', 'rejudged', 'not_met', '01a22e0f-b240-781f-b057-9cbfe8898a53', 1, 3, 1, NULL, NULL, '2026-11-30 20:05:10.396719+00', 0, 250000000, 3, NULL, 'validator', 1.5, NULL),
	(189, '01a22e0f-b28c-7ce0-be78-ed4d939f49e4', 'job-f2e6c2d5b64e', 9, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b285-7fec-8934-b708da23d422","job_id":"job-f2e6c2d5b64e","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested', NULL, 'requested', '01a22e0f-b285-7fec-8934-b708da23d422', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:10.408002+00', 0, 250000000, 3, NULL, 'signoff', NULL, NULL),
	(190, '01a22e0f-b298-7d01-b3cf-e8c506ae4fac', 'job-f2e6c2d5b64e', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b285-7fec-8934-b708da23d422', 1, 1, 2, NULL, NULL, '2026-11-30 20:05:10.423856+00', 0, 250000000, 3, NULL, 'signoff', NULL, NULL),
	(191, '01a22e0f-b2b2-7a35-a27b-861782c1a8ae', 'job-f2e6c2d5b64e', 11, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b285-7fec-8934-b708da23d422', 1, 1, 2, '3f1d7ae0-e71e-5e4f-823a-6e162823f75f', NULL, '2026-11-30 20:05:10.431699+00', 0, 250000000, 3, NULL, 'executor', NULL, NULL),
	(192, '01a22e0f-b2b2-7b3f-93dd-aa753444f204', 'job-f2e6c2d5b64e', 12, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b285-7fec-8934-b708da23d422', 1, 1, 2, '398cef69-0ca5-5ff2-a3db-08b302205492', NULL, '2026-11-30 20:05:10.435746+00', 0, 250000000, 3, NULL, 'executor', NULL, NULL),
	(193, '01a22e0f-b2d3-7976-b268-79418efd14d4', 'job-f2e6c2d5b64e', 13, 'COMPLETED', 'COMPLETED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'met', '01a22e0f-b285-7fec-8934-b708da23d422', 1, 2, 2, '3acae1e2-bd07-52a6-8fde-cff64426daa7', NULL, '2026-11-30 20:05:10.473921+00', 0, 250000000, 3, NULL, 'validator', NULL, NULL),
	(194, '01a22e0f-b2e5-7ea4-b02b-93c67ad10d8d', 'job-143324d6d34b', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.500936+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(195, '01a22e0f-b2f4-7524-9317-692704390452', 'job-143324d6d34b', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b2e3-7a81-b760-9e34cb1bb370","job_id":"job-143324d6d34b","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b2e3-7a81-b760-9e34cb1bb370', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.513932+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(196, '01a22e0f-b314-714b-a90f-a4890a6b44bf', 'job-7f41e6aa4692', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.543632+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(197, '01a22e0f-b324-7b3c-b684-82781417ec17', 'job-7f41e6aa4692', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b2ff-7232-a265-766abc7532ae","job_id":"job-7f41e6aa4692","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b2ff-7232-a265-766abc7532ae', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.563562+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(198, '01a22e0f-b344-7c4f-a2b2-541fae60b5c5', 'job-7f41e6aa4692', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b2ff-7232-a265-766abc7532ae', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.591687+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(199, '01a22e0f-b358-777d-941a-3fea04676656', 'job-a996e493193e', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.613474+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(200, '01a22e0f-b36d-702c-811c-0f7c6c26a80b', 'job-a996e493193e', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b34f-709d-ae20-4c0a21f58e32","job_id":"job-a996e493193e","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b34f-709d-ae20-4c0a21f58e32', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.635936+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(201, '01a22e0f-b37c-70ee-a7e6-a03056d46e04', 'job-a996e493193e', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b34f-709d-ae20-4c0a21f58e32', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.651039+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(202, '01a22e0f-b394-7a11-84bc-ef927ee6c3e8', 'job-a996e493193e', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'begun', NULL, 'progress', '01a22e0f-b34f-709d-ae20-4c0a21f58e32', 1, 1, 1, 'e1740138-fb80-5333-9470-e642c150a398', 0, '2026-11-30 20:05:10.671622+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(204, '01a22e0f-b3c8-7b51-a242-3a82efb234fa', 'job-38ead2008b24', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b39b-7e2d-b1b3-d9b305f87003","job_id":"job-38ead2008b24","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b39b-7e2d-b1b3-d9b305f87003', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.715597+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(205, '01a22e0f-b3d6-7827-809f-468838d47f9d', 'job-38ead2008b24', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b39b-7e2d-b1b3-d9b305f87003', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.741524+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(206, '01a22e0f-b3e7-78c7-b34d-eee840376ae8', 'job-38ead2008b24', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b39b-7e2d-b1b3-d9b305f87003', 1, 1, 1, '0ec89a09-89e5-5116-892c-14f889514e13', NULL, '2026-11-30 20:05:10.758241+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(207, '01a22e0f-b400-7730-8a29-0e74dbe1c8de', 'job-3927ccb0d00e', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.779571+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(208, '01a22e0f-b416-761e-aa0a-c0487e5cbd8a', 'job-3927ccb0d00e', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b3ef-7e32-be43-468c65a4945b","job_id":"job-3927ccb0d00e","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b3ef-7e32-be43-468c65a4945b', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.80518+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(209, '01a22e0f-b422-73cc-9ffc-cbabf96dc007', 'job-c2f382f3e446', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.815531+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(210, '01a22e0f-b42f-7ba3-8a45-541587b0aabe', 'job-c2f382f3e446', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b418-7aef-a76c-50c59db1a11e","job_id":"job-c2f382f3e446","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b418-7aef-a76c-50c59db1a11e', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.828794+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(211, '01a22e0f-b43d-71dc-8be1-6491986724fc', 'job-c2f382f3e446', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b418-7aef-a76c-50c59db1a11e', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.844181+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(212, '01a22e0f-b44c-7bd1-bf50-885fab7844a4', 'job-8a243755ef80', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.859764+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(213, '01a22e0f-b460-79dd-9f42-99f53336cbdc', 'job-8a243755ef80', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b447-7d2f-8aa2-78672589ab66","job_id":"job-8a243755ef80","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b447-7d2f-8aa2-78672589ab66', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:10.875602+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(214, '01a22e0f-b470-749e-a0b1-ecdf6caaca86', 'job-8a243755ef80', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b447-7d2f-8aa2-78672589ab66', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:10.89423+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(215, '01a22e0f-b47a-7642-af31-aadbcba43a50', 'job-8a243755ef80', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b447-7d2f-8aa2-78672589ab66', 1, 1, 1, '3dbd128b-d220-52a5-bf2c-ef66b5863ce8', NULL, '2026-11-30 20:05:10.902106+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(216, '01a22e0f-b4b7-7ed0-8e7e-2458512da882', 'job-e4efdd481b58', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.919499+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(217, '01a22e0f-b4b7-7fce-9624-ea10c454c155', 'job-e4efdd481b58', 2, 'MATCHING_FAILED', 'PENDING', NULL, NULL, NULL, 'no enabled agent has "a "b"", "able"', 'matching_failed', 'matching_failed', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:10.919499+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(220, '01a22e0f-b4dd-7de6-bc4d-baa2a864a828', 'job-e4efdd481b58', 3, 'MATCHING_FAILED', 'PENDING', NULL, NULL, NULL, 'no enabled agent has "a "b""', 'matching_failed', 'matching_failed', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.002259+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(221, '01a22e0f-b4e4-7f20-9d6e-c02576aef6a2', 'job-45b539774212', 1, 'PENDING', 'PENDING', NULL, '{"payload":{"n":[1.5]}}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.009227+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(222, '01a22e0f-b4e5-7097-b6a7-d2db58f4869e', 'job-45b539774212', 2, 'ASSIGNED', 'ASSIGNED', 'abler', '{"payload":{"n":[1.5]}}', NULL, 'matched to abler', 'matched', 'matched', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.009227+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(223, '01a22e0f-b4ed-74bc-8890-89312f21d66c', 'job-0cd029f7d81d', 1, 'PENDING', 'PENDING', NULL, '{"payload":null}', NULL, 'created', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.017643+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(224, '01a22e0f-b4ed-7627-b6b3-60b7a932b117', 'job-0cd029f7d81d', 2, 'ASSIGNED', 'ASSIGNED', 'abler', '{"payload":null}', NULL, 'matched to abler', 'matched', 'matched', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.017643+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(225, '01a22e0f-b4f1-7380-88cb-54b0adf8dcd2', 'job-0cd029f7d81d', 3, 'ASSIGNED', 'ASSIGNED', 'abler', '{"execution_id":"01a22e0f-b4e7-7979-a3c9-881b784a31bb","job_id":"job-0cd029f7d81d","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b4e7-7979-a3c9-881b784a31bb', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:11.024061+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(226, '01a22e0f-b4f7-7da8-8aa8-3130101d560d', 'job-0cd029f7d81d', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'abler', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b4e7-7979-a3c9-881b784a31bb', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:11.02864+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(227, '01a22e0f-b4fe-7869-b83a-2358d12765bb', 'job-0cd029f7d81d', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'abler', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b4e7-7979-a3c9-881b784a31bb', 1, 1, 1, '9ab200ab-ef62-5c43-b01b-40c53464c6db', NULL, '2026-11-30 20:05:11.034032+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(228, '01a22e0f-b4fe-798a-9aa1-b690be0e1de4', 'job-0cd029f7d81d', 6, 'IN_PROGRESS', 'IN_PROGRESS', 'abler', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b4e7-7979-a3c9-881b784a31bb', 1, 1, 1, 'db5d4fae-0f63-5c31-b086-b2b8499d25ba', NULL, '2026-11-30 20:05:11.034876+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(229, '01a22e0f-b511-70c9-b457-20459a99b737', 'job-0cd029f7d81d', 7, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'abler', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-b4e7-7979-a3c9-881b784a31bb', 1, 2, 1, '9a60b45c-c41a-5f7a-b378-10179245560f', NULL, '2026-11-30 20:05:11.042788+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(230, '01a22e0f-b511-71f2-a12a-cf8c2409b915', 'job-0cd029f7d81d', 8, 'ASSIGNED', 'ASSIGNED', 'able', '{"payload":null}', NULL, 'handed on from abler to able after 1 not-met verdict', 'handed_on', 'handed_on', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.042788+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(231, '01a22e0f-b511-722c-845c-48933395290e', 'job-0cd029f7d81d', 9, 'ASSIGNED', 'ASSIGNED', 'able', '{"execution_id":"7c0675a0-09cd-8079-b3ab-ec3cf5e5cf55","job_id":"job-0cd029f7d81d","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested by policy, of able', NULL, 'requested', '7c0675a0-09cd-8079-b3ab-ec3cf5e5cf55', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:11.042788+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(232, '01a22e0f-b51b-709b-995c-ad435210083c', 'job-173dba96a33f', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.064247+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(233, '01a22e0f-b521-751e-b665-14c87adc4a2e', 'job-173dba96a33f', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b516-7e30-bc3b-30887a3c996a","job_id":"job-173dba96a33f","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b516-7e30-bc3b-30887a3c996a', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:11.071933+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(234, '01a22e0f-b526-72f5-8e57-818d9a30b7d1', 'job-173dba96a33f', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b516-7e30-bc3b-30887a3c996a', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:11.077209+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(235, '01a22e0f-b52e-713e-a17f-0f8641b55f73', 'job-173dba96a33f', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b516-7e30-bc3b-30887a3c996a', 1, 1, 1, '373e9f82-c06c-5259-b599-a1c3f192ab0c', NULL, '2026-11-30 20:05:11.081409+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(237, '01a22e0f-b53d-7bda-b3a5-fd4dc8fc4100', 'job-173dba96a33f', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-b516-7e30-bc3b-30887a3c996a', 1, 2, 1, '9c94510e-6861-58ee-b758-56f141a258db', NULL, '2026-11-30 20:05:11.090275+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(238, '01a22e0f-b53d-7e12-8465-aba8ff475834', 'job-173dba96a33f', 7, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"5642be49-7304-8f4b-9d54-88d3e2939d0c","job_id":"job-173dba96a33f","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested by policy', NULL, 'requested', '5642be49-7304-8f4b-9d54-88d3e2939d0c', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:11.090275+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(239, '01a22e0f-b545-7def-9433-da0d267975f9', 'job-173dba96a33f', 8, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '5642be49-7304-8f4b-9d54-88d3e2939d0c', 1, 1, 2, NULL, NULL, '2026-11-30 20:05:11.108778+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL);
INSERT INTO public.job_logs VALUES
	(240, '01a22e0f-b54b-7020-af32-a1dd202cb011', 'job-173dba96a33f', 9, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '5642be49-7304-8f4b-9d54-88d3e2939d0c', 1, 1, 2, '340ad943-f712-5969-a1ef-3f071a362546', NULL, '2026-11-30 20:05:11.11165+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(241, '01a22e0f-b54b-70cd-b64d-1639488ae5c9', 'job-173dba96a33f', 10, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '5642be49-7304-8f4b-9d54-88d3e2939d0c', 1, 1, 2, 'c88e8e15-d272-5ca6-8b60-2cb192752896', NULL, '2026-11-30 20:05:11.113828+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(242, '01a22e0f-b557-7d04-80dc-b8a2dfb66b91', 'job-173dba96a33f', 11, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason; not submitted again: the answer is the one before, and the same criteria fail', 'no_progress', 'not_met', '5642be49-7304-8f4b-9d54-88d3e2939d0c', 1, 2, 2, '0a875442-c6e7-5d1a-8f21-5fcd1e145f4c', NULL, '2026-11-30 20:05:11.119023+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(243, '01a22e0f-b563-77dc-b384-5820f3a59ae8', 'job-0ed969850632', 1, 'ASSIGNED', 'ASSIGNED', 'writer', '{"payload":null}', NULL, 'created, assigned to writer', NULL, 'created', NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-30 20:05:11.138254+00', NULL, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(244, '01a22e0f-b56b-7b66-a1c4-22ae97749b86', 'job-0ed969850632', 2, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"01a22e0f-b55f-765e-a411-6bccf019f75c","job_id":"job-0ed969850632","submission":1,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":null}', NULL, 'submission 1 was requested', NULL, 'requested', '01a22e0f-b55f-765e-a411-6bccf019f75c', NULL, NULL, 1, NULL, NULL, '2026-11-30 20:05:11.143969+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(245, '01a22e0f-b570-7842-8cd7-feb5ac64fb33', 'job-0ed969850632', 3, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1 was taken by an executor', NULL, 'claimed', '01a22e0f-b55f-765e-a411-6bccf019f75c', 1, 1, 1, NULL, NULL, '2026-11-30 20:05:11.15151+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL),
	(246, '01a22e0f-b577-7c4d-90a9-a4861f4f4c5e', 'job-0ed969850632', 4, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, NULL, 'attempt 1: the agent is being called', NULL, 'call_begun', '01a22e0f-b55f-765e-a411-6bccf019f75c', 1, 1, 1, '781ff8f6-84a1-55e2-a632-fab34a279cb0', NULL, '2026-11-30 20:05:11.155696+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(247, '01a22e0f-b577-7d28-9028-4c64ea8c0023', 'job-0ed969850632', 5, 'IN_PROGRESS', 'IN_PROGRESS', 'writer', NULL, '{"result":"blue"}', 'the agent answered', NULL, 'result', '01a22e0f-b55f-765e-a411-6bccf019f75c', 1, 1, 1, 'd38c6936-ee62-548f-9519-cf9acba0d2e5', NULL, '2026-11-30 20:05:11.156618+00', 0, NULL, NULL, NULL, 'executor', NULL, NULL),
	(248, '01a22e0f-b581-7299-9590-e5f2c9a49a64', 'job-0ed969850632', 6, 'RESUBMISSION_REQUIRED', 'RESUBMISSION_REQUIRED', 'writer', NULL, '{"result":"blue","verdict":{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","required":true,"kind":"meets","evidence":["blue"],"comment":""}]}}', 'a reason', NULL, 'not_met', '01a22e0f-b55f-765e-a411-6bccf019f75c', 1, 2, 1, 'd67ab599-d3ca-53c9-bf8d-79a5c400512f', NULL, '2026-11-30 20:05:11.163964+00', 0, NULL, NULL, NULL, 'validator', NULL, NULL),
	(249, '01a22e0f-b581-73cb-b8dc-c199c7f15c4b', 'job-0ed969850632', 7, 'ASSIGNED', 'ASSIGNED', 'writer', '{"execution_id":"37669faa-c95f-86b2-85e5-4f77af71f231","job_id":"job-0ed969850632","submission":2,"title":"A title","description":"","acceptance_criteria":"Says \"blue\"","payload":null,"feedback":{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}}', NULL, 'submission 2 was requested by policy', NULL, 'requested', '37669faa-c95f-86b2-85e5-4f77af71f231', NULL, NULL, 2, NULL, NULL, '2026-11-30 20:05:11.163964+00', 0, NULL, NULL, NULL, 'signoff', NULL, NULL);
INSERT INTO public.jobs VALUES
	('job-cf132204cac7', 'A title', '', 'Says "blue"', '{"n":1180591620717411303424,"nul":"\u0000","x":1e+300}', 'COMPLETED', 6, 'writer', '01a22e0f-ab49-7ae9-9335-0fca67dde68b', false, 0, NULL, 5, 'default', '{"a": "b"}', '{}', '\xa45e8db3fa292a4057c9e8ec48d0ee451eb273909d7f9d47f56463df97e07b8b', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:08.554476+00', '2026-11-30 20:05:08.645931+00', false, NULL, 0.057474, NULL, NULL),
	('job-2d7f1f98f89a', 'A title', '', 'Says "blue"', 'null', 'REJECTED', 6, 'writer', '01a22e0f-abb0-7343-ab7a-d984703d06d9', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"max_submissions": 1}', '\xd5568c5b01337c15904d36c2325d15f3cd1d8d01db0db2c3030f1008b4e87181', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:08.66041+00', '2026-11-30 20:05:08.699518+00', false, NULL, 0.026901, '{"Says \"blue\""}', NULL),
	('job-b3735dac0213', 'A title', 'd', 'Says "blue"', 'null', 'COMPLETED', 11, 'writer', '01a22e0f-ac23-7b15-a22b-f19f8035069c', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 9, 'other', '{}', '{"deadline_s": 3600.25}', '\x0318647c3fc66f228c475229d24c58d3013672d1a61cfc1091b97c77abf6b012', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:08.709115+00', '2026-11-30 20:05:08.823571+00', false, NULL, 0.047281, NULL, NULL),
	('job-cfb6d07c8141', 'A title', '', 'Says "blue"', 'null', 'FAILED', 11, 'writer', '01a22e0f-ac60-7566-82d5-1f5a5339ac02', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', 0.25, 'more', '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:08.833038+00', '2026-11-30 20:05:08.968827+00', false, 'agent_status', 0.123025, NULL, NULL),
	('job-3093459321be', 'A title', '', 'Says "blue"', 'null', 'COMPLETED', 6, 'writer', '01a22e0f-acfa-718b-a423-1bcadb653c88', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:08.987029+00', '2026-11-30 20:05:09.036885+00', false, NULL, 0.035797, NULL, NULL),
	('job-2553f688f7dd', 'A title', '', 'Says "blue"', 'null', 'REJECTED', 4, 'writer', '01a22e0f-ad38-710b-aa30-9507599296cb', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.049069+00', '2026-11-30 20:05:09.076715+00', false, NULL, 0.016042, NULL, NULL),
	('job-f55380c3a78e', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 5, 'writer', '01a22e0f-ad59-7f04-ae0e-a11afdfc3693', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.085751+00', '2026-11-30 20:05:09.126214+00', true, 'cancelled', 0.017252, NULL, NULL),
	('job-18e201d9dc95', 'A title', '', 'Says "blue"', '{"other":[1.50,"\u00e9"]}', 'ASSIGNED', 7, 'writer', '01a22e0f-ad93-74e7-bdd5-9c2775aa5cb4', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.140539+00', '2026-11-30 20:05:09.195776+00', false, NULL, NULL, NULL, NULL),
	('job-2eb582a5c71f', 'A title', '', 'Says "blue"', 'null', 'FAILED', 6, 'writer', '01a22e0f-adde-721d-a489-39593ce1e502', false, 0, NULL, 5, 'default', '{}', '{"budget_usd": "0.3"}', '\x44572de80a2707d18f87b4f0c27836e69895447ffbde98360a3861147a7bdad0', NULL, NULL, '{}', NULL, NULL, 300000000, 12, '2026-11-30 20:05:09.23272+00', '2026-11-30 20:05:09.289724+00', false, 'budget_exhausted', 0.043166, NULL, NULL),
	('job-434bf1dda098', 'A title', '', 'Says "blue"', '{"nul":"\u0000"}', 'RESUBMISSION_REQUIRED', 5, 'sure', '01a22e0f-ae37-7915-b67b-66db152985be', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{}', '\x264659a204c13d1d524aa39afbc9c48ce86164997acbe38a2dc0d09a37ef0951', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.304886+00', '2026-11-30 20:05:09.356753+00', false, NULL, 0.046872, '{"Says \"blue\""}', NULL),
	('job-a373619c885a', 'A title', '', 'Says "blue"', '{"nul":"\u0000"}', 'RESUBMISSION_REQUIRED', 5, 'sure', '01a22e0f-ae37-72e4-8d0b-dc1baac2df9b', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{}', '\x264659a204c13d1d524aa39afbc9c48ce86164997acbe38a2dc0d09a37ef0951', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.368552+00', '2026-11-30 20:05:09.411582+00', false, 'verdict_reused', 0.022673, '{"Says \"blue\""}', NULL),
	('job-01d232bb448b', 'A title', '', 'Says "blue"', 'null', 'PENDING', 1, NULL, NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\x6206c18384c887462f8056344d8054f899acca951e279ce5e600f14681509f71', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.427738+00', '2026-11-30 20:05:09.427738+00', false, NULL, NULL, NULL, NULL),
	('job-82c04bde7d3a', 'A title', '', 'Says "blue"', 'null', 'PENDING', 2, NULL, NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\x6206c18384c887462f8056344d8054f899acca951e279ce5e600f14681509f71', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.436498+00', '2026-11-30 20:05:09.440468+00', false, NULL, NULL, NULL, NULL),
	('job-8db5b3e91b0e', 'A title', '', 'Says "blue"', 'null', 'PENDING', 1, NULL, NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\x6206c18384c887462f8056344d8054f899acca951e279ce5e600f14681509f71', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.452559+00', '2026-11-30 20:05:09.452559+00', false, NULL, NULL, NULL, NULL),
	('job-48f9e4543772', 'A third', 'd', 'e', '{"big":1180591620717411303424}', 'RESUBMISSION_REQUIRED', 12, 'writer', '01a22e0f-af67-79ae-a058-e6ca071ffb5a', false, 2, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 9, 'default', '{"a": "b", "c": "d \"e\""}', '{"max_calls": 2}', '\xdafed6d6bbcf005913decba42d5e2d46e5c06fca02b0395b933c5cb4ab34e349', NULL, NULL, '{}', NULL, 'e60bb98a-85a5-41b8-89ec-3d3487bc1e6a', 0, 0, '2026-11-30 20:05:09.521097+00', '2026-11-30 20:05:09.656828+00', false, NULL, 0.037186, '{"Says \"blue\""}', NULL),
	('job-30550b573aae', 'Another', '', 'Says "blue"', 'null', 'PENDING', 3, NULL, NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\x6206c18384c887462f8056344d8054f899acca951e279ce5e600f14681509f71', NULL, NULL, '{"none has this"}', NULL, NULL, 0, 0, '2026-11-30 20:05:09.667037+00', '2026-11-30 20:05:09.687962+00', false, 'matching_failed', NULL, NULL, '{"1":"x"}'),
	('job-46d1e8fc62f8', 'A title', '', 'Says "blue"', 'null', 'REJECTED', 8, 'writer', '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"max_submissions": 1}', '\xd5568c5b01337c15904d36c2325d15f3cd1d8d01db0db2c3030f1008b4e87181', NULL, NULL, '{}', NULL, NULL, 250000000, 3, '2026-11-30 20:05:09.716495+00', '2026-11-30 20:05:09.81592+00', false, 'rejudged', 0.038137, '{"Says \"blue\""}', NULL),
	('job-8c0662089c49', 'A title', '', 'Says "blue"', 'null', 'COMPLETED', 15, 'writer', '01a22e0f-b083-7f01-8c37-cac314cfbf47', false, 1, NULL, 5, 'default', '{}', '{"max_submissions": 2}', '\xb93dae4753122af855febdbb4971f692733e1e2d6b14e62b046ab4a7e10e523f', NULL, NULL, '{}', NULL, NULL, 500000000, 6, '2026-11-30 20:05:09.836873+00', '2026-11-30 20:05:10.008724+00', false, NULL, 0.020829, NULL, NULL),
	('job-8cf8c991ee1a', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 6, 'writer', '01a22e0f-b107-78d5-a1d3-c38781f2ff65', false, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 250000000, 7, '2026-11-30 20:05:10.024885+00', '2026-11-30 20:05:10.067175+00', true, 'cancelled', 0.020057, NULL, NULL),
	('job-6ac69209d6a9', 'A title', '', 'Says "blue"', 'null', 'FAILED', 6, 'writer', '01a22e0f-b13c-77a6-84f6-f3d3d5e02d0f', false, 0, NULL, 5, 'default', '{}', '{"resubmit": "automatic", "max_submissions": 2}', '\x775c123a0f2878045d5cfc3fef0ef02cf2e1f0d60eec868f2df6c34c89ba0de2', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.07738+00', '2026-11-30 20:05:10.116222+00', false, 'verdict_unproven', 0.031038, '{"Says \"blue\""}', NULL),
	('job-61ced7d85d63', 'A title', '', 'Says "blue"', 'null', 'COMPLETED', 8, 'writer', '01a22e0f-b16b-72ab-a545-ba6e83baeddb', false, 0, NULL, 5, 'default', '{}', '{"resubmit": "automatic", "max_submissions": 2}', '\x775c123a0f2878045d5cfc3fef0ef02cf2e1f0d60eec868f2df6c34c89ba0de2', NULL, NULL, '{}', NULL, NULL, 250000000, 3, '2026-11-30 20:05:10.125623+00', '2026-11-30 20:05:10.205407+00', false, NULL, 0.036639, NULL, NULL),
	('job-7f0569d25eac', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 9, 'writer', '538dde0c-1046-8aed-83da-872e070f530b', true, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"resubmit": "automatic", "max_submissions": 2}', '\x775c123a0f2878045d5cfc3fef0ef02cf2e1f0d60eec868f2df6c34c89ba0de2', NULL, NULL, '{}', NULL, NULL, 250000000, 3, '2026-11-30 20:05:10.235902+00', '2026-11-30 20:05:10.299488+00', false, NULL, NULL, NULL, NULL),
	('job-f2e6c2d5b64e', 'A title', '', 'Says "blue"', 'null', 'COMPLETED', 13, 'writer', '01a22e0f-b285-7fec-8934-b708da23d422', false, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 250000000, 3, '2026-11-30 20:05:10.337081+00', '2026-11-30 20:05:10.473921+00', false, NULL, 0.061203, NULL, NULL),
	('job-143324d6d34b', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 2, 'writer', '01a22e0f-b2e3-7a81-b760-9e34cb1bb370', true, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.500936+00', '2026-11-30 20:05:10.513932+00', false, NULL, NULL, NULL, NULL),
	('job-7f41e6aa4692', 'A title', '', 'Says "blue"', 'null', 'IN_PROGRESS', 3, 'writer', '01a22e0f-b2ff-7232-a265-766abc7532ae', true, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.543632+00', '2026-11-30 20:05:10.591687+00', false, NULL, NULL, NULL, NULL),
	('job-a996e493193e', 'A title', '', 'Says "blue"', 'null', 'IN_PROGRESS', 4, 'writer', '01a22e0f-b34f-709d-ae20-4c0a21f58e32', true, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', 0, 'begun', '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.613474+00', '2026-11-30 20:05:10.671622+00', false, NULL, NULL, NULL, NULL),
	('job-38ead2008b24', 'A title', '', 'Says "blue"', 'null', 'IN_PROGRESS', 4, 'writer', '01a22e0f-b39b-7e2d-b1b3-d9b305f87003', true, 0, NULL, 5, 'default', '{}', '{}', '\x65b069b5c51199c880fc94ce35614295e6c2bc0d1cd77b7456fdcfdee0ccf135', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.697161+00', '2026-11-30 20:05:10.758241+00', false, NULL, NULL, NULL, NULL),
	('job-3927ccb0d00e', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 2, 'writer', '01a22e0f-b3ef-7e32-be43-468c65a4945b', true, 0, NULL, 5, 'default', '{}', '{"delivery": "at_most_once"}', '\x44ec2d8a48d0a660623397839206dac90ba5076bff1be9d74ed06d209c65cb89', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.779571+00', '2026-11-30 20:05:10.80518+00', false, NULL, NULL, NULL, NULL),
	('job-c2f382f3e446', 'A title', '', 'Says "blue"', 'null', 'IN_PROGRESS', 3, 'writer', '01a22e0f-b418-7aef-a76c-50c59db1a11e', true, 0, NULL, 5, 'default', '{}', '{"delivery": "at_most_once"}', '\x44ec2d8a48d0a660623397839206dac90ba5076bff1be9d74ed06d209c65cb89', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.815531+00', '2026-11-30 20:05:10.844181+00', false, NULL, NULL, NULL, NULL),
	('job-8a243755ef80', 'A title', '', 'Says "blue"', 'null', 'IN_PROGRESS', 4, 'writer', '01a22e0f-b447-7d2f-8aa2-78672589ab66', true, 0, NULL, 5, 'default', '{}', '{"delivery": "at_most_once"}', '\x44ec2d8a48d0a660623397839206dac90ba5076bff1be9d74ed06d209c65cb89', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.859764+00', '2026-11-30 20:05:10.902106+00', false, NULL, NULL, NULL, NULL),
	('job-e4efdd481b58', 'A title', '', 'Says "blue"', 'null', 'PENDING', 3, NULL, NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\x2971da4cff71f27771d695afc7bbbc683da023ea86855196eeef6ed62469d39d', NULL, NULL, '{able,"a \"b\""}', NULL, NULL, 0, 0, '2026-11-30 20:05:10.919499+00', '2026-11-30 20:05:11.002259+00', false, 'matching_failed', NULL, NULL, NULL),
	('job-45b539774212', 'A title', '', 'Says "blue"', '{"n":[1.5]}', 'ASSIGNED', 2, 'abler', NULL, false, 0, NULL, 5, 'default', '{}', '{}', '\xe9651ddbdd343d87f600b21a9e7d10eb34e63394c10dc0dd4ea0323424e4d9f5', NULL, NULL, '{able}', NULL, NULL, 0, 0, '2026-11-30 20:05:11.009227+00', '2026-11-30 20:05:11.009227+00', false, NULL, NULL, NULL, NULL),
	('job-0cd029f7d81d', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 9, 'able', '7c0675a0-09cd-8079-b3ab-ec3cf5e5cf55', true, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"resubmit": "automatic", "hand_over_after": 1}', '\x5509d72c2c8f404c1b392348ff39226b6973c33fcaf204e30d4b1cd8ff08d06c', NULL, NULL, '{able}', NULL, NULL, 0, 0, '2026-11-30 20:05:11.017643+00', '2026-11-30 20:05:11.042788+00', false, NULL, NULL, NULL, NULL),
	('job-173dba96a33f', 'A title', '', 'Says "blue"', 'null', 'RESUBMISSION_REQUIRED', 11, 'writer', '5642be49-7304-8f4b-9d54-88d3e2939d0c', false, 2, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"resubmit": "automatic"}', '\x83c8e15b65035112a325cfc71afa2061238c57afc1b12a55f86654aacf32483e', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:11.064247+00', '2026-11-30 20:05:11.119023+00', false, 'no_progress', 0.017447, '{"Says \"blue\""}', NULL),
	('job-0ed969850632', 'A title', '', 'Says "blue"', 'null', 'ASSIGNED', 7, 'writer', '37669faa-c95f-86b2-85e5-4f77af71f231', true, 1, '{"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","comment":""}]}', 5, 'default', '{}', '{"resubmit": "automatic"}', '\x83c8e15b65035112a325cfc71afa2061238c57afc1b12a55f86654aacf32483e', NULL, NULL, '{}', NULL, NULL, 0, 0, '2026-11-30 20:05:11.138254+00', '2026-11-30 20:05:11.163964+00', false, NULL, NULL, NULL, NULL);
INSERT INTO public.judging_evaluations VALUES
	('strict', 1, '0000000000000000000000000000000000000000000000000000000000000000', '00000000-0000-0000-0000-000000000001', '{"n": 3.50, "text": "\u0000"}', '{"0": "pf-"}', 'administrator', '2026-11-30 20:05:08.467113+00'),
	('strict', 2, '0000000000000000000000000000000000000000000000000000000000000000', '00000000-0000-0000-0000-000000000002', '{"n": 1.50, "text": "\u0000"}', '{"0": "pf-"}', 'administrator', '2026-11-30 20:05:08.467397+00'),
	('strict', 3, '0000000000000000000000000000000000000000000000000000000000000000', '00000000-0000-0000-0000-000000000003', '{"n": 2.50, "text": "\u0000"}', '{"0": "pf-"}', 'administrator', '2026-11-30 20:05:08.470811+00');
INSERT INTO public.judging_moves VALUES
	('judge', 'strict', 1, 1, NULL, 'administrator', '2026-11-30 20:05:08.400289+00'),
	('judge', 'strict', 2, 2, 'it is better', 'administrator', '2026-11-30 20:05:08.428062+00'),
	('criteria', 'strict', 1, 1, NULL, 'administrator', '2026-11-30 20:05:08.442882+00'),
	('criteria', 'strict', 2, NULL, 'too short', 'administrator', '2026-11-30 20:05:08.450916+00'),
	('golden', 'strict', 1, 1, NULL, 'administrator', '2026-11-30 20:05:08.457891+00');
INSERT INTO public.judging_versions VALUES
	('judge', 'strict', 1, '{"n": 1.50, "x": "\u0000"}', 'a note', 'administrator', '2026-11-30 20:05:08.398288+00'),
	('judge', 'strict', 2, '{"n": 2.50, "x": "\u0000"}', 'a note', 'administrator', '2026-11-30 20:05:08.408641+00'),
	('criteria', 'strict', 1, 'It is short.
', NULL, 'administrator', '2026-11-30 20:05:08.439718+00'),
	('golden', 'strict', 1, '{"id": "1"}
{"id": "2"}', NULL, 'administrator', '2026-11-30 20:05:08.457634+00');
INSERT INTO public.judgings VALUES
	('f9a1b386-32e5-48db-b581-6826151f9113', 'rejudge', '29eda41f-bc62-4243-b3f3-bf2be2cc786b', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-afd3-77ae-b9a6-c0be8377a2ac', 'job-46d1e8fc62f8', 6, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'p', true, false, '{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:09.777852+00', '2026-11-30 20:05:09.821806+00'),
	('8d5238f0-0764-4200-93e9-8a7a10609cfc', 'rejudge', '712a7e0f-8281-4572-8279-e97cedabf85f', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-b083-7f01-8c37-cac314cfbf47', 'job-8c0662089c49', 11, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'f', false, false, '{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:09.936768+00', '2026-11-30 20:05:09.974415+00'),
	('471d4af1-a085-4121-afe7-629daf75e209', 'rejudge', 'cd222d54-5e95-44a7-97ae-ee5af12116e2', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-b083-7f01-8c37-cac314cfbf47', 'job-8c0662089c49', 13, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'f', false, true, '{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:09.9918+00', '2026-11-30 20:05:10.009831+00'),
	('dd9bd05c-9f3d-49de-b168-dd3dc950097d', 'rejudge', '58146ae0-c300-49d9-b267-40305ebac3a4', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-b16b-72ab-a545-ba6e83baeddb', 'job-61ced7d85d63', 6, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'c', false, true, '{"is_valid":true,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"pass","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:10.189208+00', '2026-11-30 20:05:10.218442+00'),
	('b26f94f0-764a-46b9-8361-4d7859319f74', 'rejudge', '25a476e9-8370-4fa3-aa91-aca8f9a47faa', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-b1d5-79a5-81ab-2d04ecb7b175', 'job-7f0569d25eac', 6, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'c', false, false, '{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:10.293931+00', '2026-11-30 20:05:10.307974+00'),
	('414728ce-a00e-4819-b9ab-7ffffce0e6bc', 'rejudge', '9d176fa2-517f-42dd-a2d8-3c28e3b22d59', 0, 2, 'DONE', NULL, 1, NULL, '01a22e0f-b240-781f-b057-9cbfe8898a53', 'job-f2e6c2d5b64e', 6, NULL, NULL, 'administrator', NULL, NULL, NULL, NULL, NULL, 'p', true, false, '{"is_valid":false,"reason":"a reason","criteria":[{"text":"Says \"blue\"","outcome":"fail","evidence":["blue"]}]}', NULL, NULL, 250000000, 3, 1.5, '2026-11-30 20:05:10.388192+00', '2026-11-30 20:05:10.400321+00');
INSERT INTO public.limits VALUES
	('label:team=*', 2, NULL, 1, NULL, NULL, NULL, '2026-11-30 20:05:08.251539+00', 1),
	('tenant:press', 9, 3, 0.1, NULL, NULL, NULL, '2026-11-30 20:05:08.285517+00', 2),
	('agent:patched', NULL, NULL, 1, NULL, NULL, true, '2026-11-30 20:05:08.342471+00', 1),
	('agent:resting', NULL, NULL, 1, NULL, NULL, true, '2026-11-30 20:05:08.364916+00', 1),
	('batch:d7fea346-571f-40bd-99ca-c3235f3f9c90', NULL, NULL, 1, NULL, NULL, true, '2026-11-30 20:05:08.549116+00', 1);
INSERT INTO public.operation_items VALUES
	('d7fea346-571f-40bd-99ca-c3235f3f9c90', 1, '8e0252ff-c296-8be3-bb96-bec7e7986a9d', NULL, NULL, NULL, '{"title":"odd ☃ \\ \"''","acceptance_criteria":"c","payload":{"nul":"\u0000","n":1180591620717411303424}}', false),
	('d7fea346-571f-40bd-99ca-c3235f3f9c90', 2, '9a105319-6b80-8d50-9bec-88f30ceac227', NULL, NULL, NULL, '{"title":"odd ☃ \\ \"''","acceptance_criteria":"c","payload":{"nul":"\u0000","n":1180591620717411303424},"labels":{"team":"a"}}', false),
	('d7fea346-571f-40bd-99ca-c3235f3f9c90', 0, 'unknown', NULL, 'unknown_job', 'no job has the id unknown', NULL, true);
INSERT INTO public.operations VALUES
	('02364bcd-ecfe-4fda-85b9-930e9e005b0d', '2026-11-30 20:05:08.478606+00', 'cancel', 'DONE', '{}', NULL, '2026-11-30 20:05:08.496508+00', 'administrator', NULL, '{"reason":"late"}', '2026-11-30 20:05:08.496508+00'),
	('4f40cb4c-6de0-4047-b7a9-cacdee6d8cdc', '2026-11-30 20:05:08.503811+00', 'cancel', 'DONE', '{}', NULL, '2026-11-30 20:05:08.509152+00', 'administrator', NULL, '{"x":1e+300}', '2026-11-30 20:05:08.509152+00'),
	('d7fea346-571f-40bd-99ca-c3235f3f9c90', '2026-11-30 20:05:08.51617+00', 'execute', 'PAUSED', '{"actor": "administrator"}', NULL, NULL, 'administrator', 'the odd ones', '{}', '2026-11-30 20:05:08.549538+00');
INSERT INTO public.relay VALUES
	(1, 253, '{"job-changed/0":9,"job-changed/1":14,"job-changed/2":26,"job-changed/3":25,"job-changed/4":39,"job-changed/5":53,"job-changed/6":26,"job-changed/7":18,"agent-changed/0":1,"agent-changed/1":2,"agent-changed/2":3,"agent-changed/3":3,"agent-changed/4":0,"agent-changed/5":0,"agent-changed/6":2,"agent-changed/7":0,"execution-refused/0":0,"execution-refused/1":1,"execution-refused/2":0,"execution-refused/3":0,"execution-refused/4":0,"execution-refused/5":0,"execution-refused/6":1,"execution-refused/7":0,"administration-changed/0":30}', '["test:8f32fd556a3124a0"]', 253, 2);
INSERT INTO public.reusable VALUES
	('\xa07cbb768b59c1616b255aa1f10a8e3542eae71d12ee608a6195c3d939fea4c2', 'job-434bf1dda098', 4, '2026-11-30 20:05:09.352431+00'),
	('\x5f37171db7399b3dc8dd6df19dbeba3b3641a45703f0695cd219950538d0739a', 'job-434bf1dda098', 5, '2026-11-30 20:05:09.35968+00'),
	('\x964d9344aabf2d59c5db768c00d2b20e1ac09f1dd4f634ff72997c09cc80c19f', 'job-f2e6c2d5b64e', 8, '2026-11-30 20:05:10.403972+00');
INSERT INTO public.workers VALUES
	('e4a01bd5-9a66-4a78-aa9c-6e6c89576c9c', 'EXECUTING', 9, 0, '2026-11-30 20:05:08.612937+00', NULL, NULL, NULL),
	('b4d20417-5589-40a1-8b0c-8724df2422d0', 'JUDGING', 9, 0, '2026-11-30 20:05:08.637341+00', NULL, NULL, NULL),
	('cc3a27e8-09d1-4ebe-83da-7f50008af928', 'EXECUTING', 9, 0, '2026-11-30 20:05:08.681869+00', NULL, NULL, NULL),
	('a0123cf1-1a41-43c7-a995-b8503bbb6cfd', 'JUDGING', 9, 0, '2026-11-30 20:05:08.691243+00', NULL, NULL, NULL),
	('5bdf22a7-318d-4935-8c91-934d849b2ee6', 'EXECUTING', 9, 0, '2026-11-30 20:05:08.79546+00', NULL, NULL, NULL),
	('d1b6479d-00d4-4308-b3da-98e639807d1f', 'JUDGING', 9, 0, '2026-11-30 20:05:08.806746+00', NULL, NULL, NULL),
	('fd28c739-f9f9-4005-be5b-4e77ccab7236', 'EXECUTING', 9, 0, '2026-11-30 20:05:08.960229+00', NULL, NULL, NULL),
	('4f9239ab-769e-432b-a0be-eef7f50ebbc7', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.017477+00', NULL, NULL, NULL),
	('8afe56b5-558f-463c-8564-00ee4cc41010', 'JUDGING', 9, 0, '2026-11-30 20:05:09.029735+00', NULL, NULL, NULL),
	('f2eb6b57-9efb-4c40-bdbe-1e26b69f6e7b', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.069191+00', NULL, NULL, NULL),
	('64bb43bf-0042-46b6-ba0b-530ea3c30179', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.109508+00', NULL, NULL, NULL),
	('5f62772f-5d97-4035-ae3d-57d0d057a0e2', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.166028+00', NULL, NULL, NULL),
	('bfefcc45-ac68-4011-8332-d4df8d6109d4', 'JUDGING', 9, 0, '2026-11-30 20:05:09.173469+00', NULL, NULL, NULL),
	('486456c5-63eb-4ae3-8d19-0e19b43fd747', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.262067+00', NULL, NULL, NULL),
	('3aa167c4-926e-4e50-affd-f0c8caa6793b', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.32477+00', NULL, NULL, NULL),
	('d0e9df4c-ae9d-4356-8b21-7d7ee25de3af', 'JUDGING', 0, 0, '2026-11-30 20:05:09.352431+00', NULL, NULL, NULL),
	('047658e9-1311-41c4-985d-6fcfb2d2bea0', 'EXECUTING', 10, 0, '2026-11-30 20:05:09.396963+00', NULL, NULL, NULL),
	('80b21eef-99ff-4be8-94fb-435a8953d6a9', 'JUDGING', 1, 0, '2026-11-30 20:05:09.413782+00', NULL, NULL, NULL),
	('1030d4e0-cdf0-4b9a-b7f6-c076ad8fd2fe', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.617099+00', NULL, NULL, NULL),
	('f8c4ee93-4494-4cf3-b3d5-24b23f8bec90', 'JUDGING', 9, 0, '2026-11-30 20:05:09.630641+00', NULL, NULL, NULL),
	('af8b9efb-e33b-4c1f-9285-914e617f7d97', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.74188+00', NULL, NULL, NULL),
	('ce1e9642-917e-49a6-84bf-7206f3b452c7', 'JUDGING', 9, 0, '2026-11-30 20:05:09.754145+00', NULL, NULL, NULL),
	('67e275d7-166e-45fc-86e6-9d64a8e826ba', 'EXECUTING', 9, 0, '2026-11-30 20:05:09.904572+00', NULL, NULL, NULL),
	('38435a19-9eee-4af7-b96a-123c2e11b983', 'JUDGING', 9, 0, '2026-11-30 20:05:09.913729+00', NULL, NULL, NULL),
	('9325a432-0099-440a-9279-c50e8fcbf233', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.051486+00', NULL, NULL, NULL),
	('eb7244a2-0bc7-4a70-b022-ff95d8460e32', 'JUDGING', 9, 0, '2026-11-30 20:05:10.054294+00', NULL, NULL, NULL),
	('93929657-f2c8-4502-b852-af12ebc91425', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.092774+00', NULL, NULL, NULL),
	('63244c7f-f590-47bc-b7ac-ce1107d99ba2', 'JUDGING', 9, 0, '2026-11-30 20:05:10.107602+00', NULL, NULL, NULL),
	('23c6c2ce-32bc-401d-9297-412ee44f879a', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.152551+00', NULL, NULL, NULL),
	('0f36d383-ae98-4044-806a-2889a6b811f8', 'JUDGING', 9, 0, '2026-11-30 20:05:10.163041+00', NULL, NULL, NULL),
	('d59ac2ae-b346-4d06-8b21-e1f3bba0c5e8', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.260799+00', NULL, NULL, NULL),
	('20e52116-8ee1-4f08-a5d3-781fd8d386cf', 'JUDGING', 9, 0, '2026-11-30 20:05:10.267273+00', NULL, NULL, NULL),
	('9c31704f-6915-43ca-9993-1f04f4661dcc', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.424711+00', NULL, NULL, NULL),
	('ac1b1357-000d-4a07-a36b-81a30809be8b', 'JUDGING', 9, 0, '2026-11-30 20:05:10.450454+00', NULL, NULL, NULL),
	('336414db-5dd8-414e-949a-78acbdc3e4ef', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.596649+00', NULL, NULL, NULL),
	('96feed3c-7572-400f-9b67-f695f0e2a70c', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.651961+00', NULL, NULL, NULL),
	('5a5d9e87-ba5d-41f5-b876-caf995807ed5', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.742413+00', NULL, NULL, NULL),
	('6497f871-55dd-4f4e-b482-5dc9a44d3d36', 'JUDGING', 9, 0, '2026-11-30 20:05:10.759441+00', NULL, NULL, NULL),
	('455e14be-6da2-471d-ab82-545af0941d07', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.845022+00', NULL, NULL, NULL),
	('7fcdb7cc-e318-422f-b772-c910e11efcc3', 'EXECUTING', 9, 0, '2026-11-30 20:05:10.896177+00', NULL, NULL, NULL),
	('d42c2409-f256-4fbb-9451-44228643a45a', 'JUDGING', 9, 0, '2026-11-30 20:05:10.906274+00', NULL, NULL, NULL),
	('bff8ab56-a3ff-4453-9856-c7b67457460f', 'EXECUTING', 9, 0, '2026-11-30 20:05:11.03173+00', NULL, NULL, NULL),
	('b145093f-d479-4230-85c8-96b053c5ec00', 'JUDGING', 9, 0, '2026-11-30 20:05:11.038354+00', NULL, NULL, NULL),
	('dfd99f3c-1a17-4116-b6df-07d426985dac', 'EXECUTING', 9, 0, '2026-11-30 20:05:11.109774+00', NULL, NULL, NULL),
	('3ac096ca-0748-4ae4-a1aa-b718f827be71', 'JUDGING', 9, 0, '2026-11-30 20:05:11.114897+00', NULL, NULL, NULL),
	('e8dea3c3-4821-4130-a2b7-6de5e317a74d', 'EXECUTING', 9, 0, '2026-11-30 20:05:11.152428+00', NULL, NULL, NULL),
	('ae5f1259-c3de-46e3-a938-d371ce60ae61', 'JUDGING', 9, 0, '2026-11-30 20:05:11.15962+00', NULL, NULL, NULL);
SELECT pg_catalog.setval('public.epochs_epoch_seq', 1, false);
SELECT pg_catalog.setval('public.job_logs_seq_seq', 253, true);
ALTER TABLE ONLY public.agent_rollups
    ADD CONSTRAINT agent_rollups_pkey PRIMARY KEY (agent_id, at);
ALTER TABLE ONLY public.agents
    ADD CONSTRAINT agents_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.circuits
    ADD CONSTRAINT circuits_pkey PRIMARY KEY (agent_id);
ALTER TABLE ONLY public.epochs
    ADD CONSTRAINT epochs_pkey PRIMARY KEY (epoch);
ALTER TABLE ONLY public.executions
    ADD CONSTRAINT executions_pkey PRIMARY KEY (execution_id);
ALTER TABLE ONLY public.facts
    ADD CONSTRAINT facts_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.job_logs
    ADD CONSTRAINT job_logs_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.job_texts
    ADD CONSTRAINT job_texts_pkey PRIMARY KEY (job_id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.judging_counts
    ADD CONSTRAINT judging_counts_pkey PRIMARY KEY (kind, name, version);
ALTER TABLE ONLY public.judging_evaluations
    ADD CONSTRAINT judging_evaluations_pkey PRIMARY KEY (name, version, cases_hash);
ALTER TABLE ONLY public.judging_moves
    ADD CONSTRAINT judging_moves_pkey PRIMARY KEY (kind, name, move);
ALTER TABLE ONLY public.judging_versions
    ADD CONSTRAINT judging_versions_pkey PRIMARY KEY (kind, name, version);
ALTER TABLE ONLY public.judgings
    ADD CONSTRAINT judgings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.login_codes
    ADD CONSTRAINT login_codes_pkey PRIMARY KEY (code_hash);
ALTER TABLE ONLY public.operation_items
    ADD CONSTRAINT operation_items_pkey PRIMARY KEY (operation_id, item);
ALTER TABLE ONLY public.operations
    ADD CONSTRAINT operations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.receipt_keys
    ADD CONSTRAINT receipt_keys_pkey PRIMARY KEY (public_key);
ALTER TABLE ONLY public.relay
    ADD CONSTRAINT relay_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.request_keys
    ADD CONSTRAINT request_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.reusable
    ADD CONSTRAINT reusable_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.rollup
    ADD CONSTRAINT rollup_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.rollups
    ADD CONSTRAINT rollups_pkey PRIMARY KEY (span_s, at);
ALTER TABLE ONLY public.starts
    ADD CONSTRAINT starts_pkey PRIMARY KEY (name, began_at);
ALTER TABLE ONLY public.stubs
    ADD CONSTRAINT stubs_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.text_index
    ADD CONSTRAINT text_index_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (owner);
CREATE INDEX executions_agent_id_idx ON public.executions USING btree (agent_id) WHERE (state <> 'DONE'::text);
CREATE INDEX executions_batch_id_idx ON public.executions USING btree (batch_id) WHERE ((state <> 'DONE'::text) AND (batch_id IS NOT NULL));
CREATE INDEX executions_due_idx ON public.executions USING btree (stage, state, due_at) WHERE ((state <> 'DONE'::text) AND ((stage <> 'EXECUTING'::text) OR (state <> 'QUEUED'::text)));
CREATE INDEX executions_early_cancels_idx ON public.executions USING btree (due_at) WHERE ((state = 'DONE'::text) AND (due_at IS NOT NULL) AND (request_version IS NULL));
CREATE INDEX executions_fails_at_idx ON public.executions USING btree (fails_at) WHERE ((state <> 'DONE'::text) AND (fails_at IS NOT NULL));
CREATE INDEX executions_flow_idx ON public.executions USING btree (tenant, flow, priority, due_at) WHERE ((stage = 'EXECUTING'::text) AND (state = 'QUEUED'::text));
CREATE INDEX executions_job_id_idx ON public.executions USING btree (job_id);
CREATE UNIQUE INDEX job_logs_job_id_version_key ON public.job_logs USING btree (job_id, version);
CREATE INDEX job_texts_beginning_idx ON public.job_texts USING btree (job_id text_pattern_ops);
CREATE INDEX job_texts_created_at_idx ON public.job_texts USING btree (created_at, job_id);
CREATE INDEX job_texts_end_idx ON public.job_texts USING btree (reverse(job_id) text_pattern_ops);
CREATE INDEX job_texts_words_idx ON public.job_texts USING gin (words);
CREATE INDEX jobs_agent_id_created_at_id_idx ON public.jobs USING btree (agent_id, created_at, id);
CREATE INDEX jobs_batch_id_created_at_id_idx ON public.jobs USING btree (batch_id, created_at, id) WHERE (batch_id IS NOT NULL);
CREATE INDEX jobs_cancelled_idx ON public.jobs USING btree (created_at, id) WHERE cancelled;
CREATE INDEX jobs_code_created_at_id_idx ON public.jobs USING btree (code, created_at, id) WHERE (code IS NOT NULL);
CREATE INDEX jobs_cost_nanos_id_idx ON public.jobs USING btree (cost_nanos, id) WHERE (duration_s IS NOT NULL);
CREATE INDEX jobs_created_at_id_idx ON public.jobs USING btree (created_at, id);
CREATE INDEX jobs_duration_s_id_idx ON public.jobs USING btree (duration_s, id) WHERE (duration_s IS NOT NULL);
CREATE INDEX jobs_labels_idx ON public.jobs USING gin (labels jsonb_path_ops) WHERE (labels <> '{}'::jsonb);
CREATE INDEX jobs_not_met_criteria_idx ON public.jobs USING gin (not_met_criteria) WHERE (not_met_criteria IS NOT NULL);
CREATE INDEX jobs_priority_idx ON public.jobs USING btree (priority, created_at, id) WHERE (priority <> 5);
CREATE INDEX jobs_status_created_at_id_idx ON public.jobs USING btree (status, created_at, id);
CREATE INDEX jobs_tenant_created_at_id_idx ON public.jobs USING btree (tenant, created_at, id);
CREATE INDEX jobs_unmatched_idx ON public.jobs USING btree (id) WHERE ((status = 'PENDING'::text) AND (capabilities <> '{}'::text[]));
CREATE INDEX jobs_updated_at_id_idx ON public.jobs USING btree (updated_at, id);
CREATE INDEX judgings_evaluation_idx ON public.judgings USING btree (evaluation, question, labels, repeat, created_at, id) WHERE (evaluation IS NOT NULL);
CREATE UNIQUE INDEX judgings_group_id_item_key ON public.judgings USING btree (group_id, item);
CREATE INDEX judgings_kept_idx ON public.judgings USING btree (created_at) WHERE (kind <> ALL (ARRAY['shadow'::text, 'rejudge'::text]));
CREATE INDEX judgings_open_idx ON public.judgings USING btree (group_id) WHERE (state <> 'DONE'::text);
CREATE INDEX judgings_queue_idx ON public.judgings USING btree (urgency, created_at, item) WHERE (state = 'QUEUED'::text);
CREATE INDEX operation_items_job_id_idx ON public.operation_items USING btree (job_id, operation_id);
CREATE INDEX operation_items_unanswered_idx ON public.operation_items USING btree (operation_id, item) WHERE (NOT answered);
CREATE INDEX operations_created_at_id_idx ON public.operations USING btree (created_at, id);
CREATE INDEX operations_open_idx ON public.operations USING btree (turn_at) WHERE (state <> ALL (ARRAY['CANCELLED'::text, 'DONE'::text]));
CREATE INDEX operations_retry_of_idx ON public.operations USING btree (retry_of) WHERE (retry_of IS NOT NULL);
CREATE INDEX reusable_created_at_idx ON public.reusable USING btree (created_at);
CREATE INDEX workers_stage_idx ON public.workers USING btree (stage);
ALTER TABLE ONLY public.circuits
    ADD CONSTRAINT circuits_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.job_logs
    ADD CONSTRAINT job_logs_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES public.agents(id);
ALTER TABLE ONLY public.operation_items
    ADD CONSTRAINT operation_items_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES public.operations(id);
