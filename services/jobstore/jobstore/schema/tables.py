"""The tables, as SQLAlchemy knows them. Migrations create them; a test compares the two."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSON, JSONB, TSVECTOR

from jobstore.schema import access_tables, keeping_tables, rollup_tables
from jobstore.schema.base import TIME, declare, required
from jobstore.schema.columns import (
    EDITED,
    ENDED,
    ENDING,
    FROZEN,
    GIVEN,
    HIDDEN,
    LATER,
    MATCHED,
    SPEC,
    STATE,
    TEXT,
    filtered,
)

#: All tables, those of `access_tables`, `keeping_tables` and `rollup_tables` included.
metadata: Final = rollup_tables.rollups.metadata
tenants: Final = access_tables.tenants
retentions, holds = keeping_tables.retentions, keeping_tables.holds
#: Tables to which jobstores only add rows: their role may change none.
APPEND_ONLY: Final = frozenset({"audit", "job_logs"})

agents = declare(
    "agents",
    Column("id", Text, primary_key=True),
    required("name", Text),
    required("protocol", Text),
    required("url", Text),
    required("capabilities", ARRAY(Text)),
    required("policy", JSONB),
    required("enabled", Boolean),
    required("deterministic", Boolean, server_default=text("false")),
    required("created_at", TIME, server_default=func.signoff_now()),
    required("updated_at", TIME, server_default=func.signoff_now()),
    required("headers", JSONB, server_default=text("'{}'"), doc="references to values, by name"),
    required("version", BigInteger, server_default=text("1"), doc="counts its changes from 1"),
    required("settings", JSON, server_default=text("'{}'"), doc="what its protocol needs, as in agent_settings"),
    Column("signing", Text, doc="a reference to the secrets that sign its calls"),
    required("tenant", Text, server_default="default"),
    required("shared", Boolean, server_default=text("true"), doc="whether jobs of all tenants may use it"),
)

#: The settings that agents have, or had: an execution is called with those that it froze.
agent_settings = declare(
    "agent_settings",
    Column("hash", LargeBinary, primary_key=True, doc="SHA-256 of the text of `body`"),
    required("body", JSON),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True, info=MATCHED),
    required("title", Text, info=EDITED),
    required("description", Text, info=TEXT),
    required("acceptance_criteria", Text, info=TEXT),
    required("payload", JSON, info=TEXT),
    required("status", Text, info=STATE | filtered(many="statuses") | GIVEN),
    required("version", BigInteger, info=STATE | GIVEN),
    Column(
        "agent_id",
        Text,
        ForeignKey("agents.id"),
        info=STATE | filtered(one="agent_id", excluded="not_agent_ids", facet="agent") | GIVEN,
    ),
    Column("execution_id", Uuid, doc="the execution that is live, or was the last", info=STATE),
    required("live", Boolean, info=STATE),
    required("not_met", Integer, doc="verdicts since an agent was assigned by hand", info=STATE | HIDDEN),
    Column("feedback", JSON, doc="of the last not-met verdict", info=STATE | HIDDEN | LATER),
    required("priority", SmallInteger, info=EDITED | filtered(order="priority")),
    required("tenant", Text, info=SPEC | filtered(one="tenant", excluded="not_tenants", facet="tenant")),
    required(
        "labels",
        JSONB,
        info=EDITED | filtered(one="labels", excluded="not_labels", facet="label", where="labels <> '{}'"),
    ),
    required("policy", JSONB, info=EDITED),
    required("spec_hash", LargeBinary, info=SPEC | HIDDEN),
    Column("progress", DOUBLE_PRECISION, info=STATE | LATER | GIVEN),
    Column("progress_message", Text, info=STATE | LATER | GIVEN),
    required("capabilities", ARRAY(Text), server_default="{}", info=EDITED),
    Column("not_before", TIME, info=EDITED),
    Column(
        "batch_id",
        Uuid,
        doc="the last that executed it",
        info=STATE | filtered(one="batch_id", excluded="not_batch_ids", facet="batch"),
    ),
    required(
        "cost_nanos",
        BigInteger,
        server_default="0",
        info=STATE | LATER | filtered(least="cost_usd_min", highest="cost_usd_max", order="cost_usd", where=ENDED),
    ),
    required("tokens", BigInteger, server_default="0", info=STATE | LATER),
    required(
        "created_at",
        TIME,
        server_default=func.signoff_now(),
        info=SPEC | filtered(least="created_after", before="created_before", order="created_at"),
    ),
    required("updated_at", TIME, server_default=func.signoff_now(), info=filtered(order="updated_at")),
    required(
        "cancelled",
        Boolean,
        server_default=text("false"),
        doc="whether its last execution was",
        info=ENDING | filtered(one="cancelled"),
    ),
    Column(
        "code",
        Text,
        doc="why its last execution was not completed, or no agent matches",
        info=ENDING | filtered(many="codes", excluded="not_codes", facet="code", where="code IS NOT NULL"),
    ),
    Column(
        "duration_s",
        DOUBLE_PRECISION,
        doc="from the request of the last execution that ended to its end",
        info=ENDING | filtered(least="duration_s_min", highest="duration_s_max", order="duration_s", where=ENDED),
    ),
    Column(
        "not_met_criteria",
        ARRAY(Text),
        doc="required ones that the last verdict did not pass",
        info=ENDING
        | HIDDEN
        | filtered(
            one="criterion_not_met",
            excluded="not_criteria_not_met",
            facet="criterion",
            where="not_met_criteria IS NOT NULL",
        ),
    ),
    Column(
        "reference_texts", JSON, doc="model answers and rubrics for judges, by the number of their criterion", info=TEXT
    ),
    Index("jobs_created_at_id_idx", "created_at", "id"),
    Index("jobs_updated_at_id_idx", "updated_at", "id"),
    # With the tenant last they serve callers of all tenants and of some: without it each row would be looked up.
    Index("jobs_status_tenant_idx", "status", "created_at", "id", "tenant"),
    Index("jobs_agent_id_tenant_idx", "agent_id", "created_at", "id", "tenant"),
    Index("jobs_tenant_created_at_id_idx", "tenant", "created_at", "id"),
    Index(
        "jobs_labels_idx",
        "labels",
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
        postgresql_where=text("labels <> '{}'"),
    ),
    Index(
        "jobs_batch_id_created_at_id_idx", "batch_id", "created_at", "id", postgresql_where=text("batch_id IS NOT NULL")
    ),
    # A job of the usual priority is not in it.
    Index("jobs_priority_idx", "priority", "created_at", "id", postgresql_where=text("priority <> 5")),
    # Columns that only ended jobs have are written once a life.
    Index("jobs_cost_nanos_id_idx", "cost_nanos", "id", postgresql_where=text(ENDED)),
    Index("jobs_duration_s_id_idx", "duration_s", "id", postgresql_where=text(ENDED)),
    Index("jobs_code_created_at_id_idx", "code", "created_at", "id", postgresql_where=text("code IS NOT NULL")),
    Index("jobs_cancelled_tenant_idx", "created_at", "id", "tenant", postgresql_where=text("cancelled")),
    Index(
        "jobs_not_met_criteria_idx",
        "not_met_criteria",
        postgresql_using="gin",
        postgresql_where=text("not_met_criteria IS NOT NULL"),
    ),
    Index("jobs_unmatched_idx", "id", postgresql_where=text("status = 'PENDING' AND capabilities <> '{}'")),
    postgresql_with={"fillfactor": "80"},
)

#: `of`: the attribute of a LogEntry that a column holds; `shown_as`: its name in answers and facts, if it has another.
job_logs = declare(
    "job_logs",
    # One sequence without a cache: its order is the order of the versions of each job, and the cursor of every watch.
    Column("seq", BigInteger, primary_key=True, autoincrement=True, info={"shown_as": "cursor"}),
    required("id", Uuid, server_default=func.uuidv7()),
    required("job_id", Text, doc="of a job that may be removed: its entry stays", info={"of": "job.id"}),
    required("version", BigInteger, info={"of": "job.version"}),
    required("status", Text, info={"of": "status"}),
    required("job_status", Text, doc="where the job stood after it", info={"of": "job.status"}),
    Column("agent_id", Text, info={"of": "job.agent_id"}),
    Column("request_payload", JSON, info={"of": "report.request"}),
    Column("response_payload", JSON, info={"of": "report.response"}),
    Column("message", Text, info={"of": "report.message"}),
    Column("code", Text, info={"of": "report.code"}),
    required("kind", Text, doc="what was reported", info={"of": "report.kind"}),
    Column("execution_id", Uuid, info={"of": "execution.execution_id"}),
    Column("attempt", Integer, info={"of": "execution.attempt"}),
    Column("lease", Integer),
    Column("submission", Integer, info={"of": "execution.submission"}),
    Column("event_id", Uuid, info={"of": "report.event_id"}),
    Column("progress", DOUBLE_PRECISION, doc="of the job, after it", info={"of": "job.progress"}),
    required("created_at", TIME, info={"of": "report.at"}),
    Column(
        "spent",
        Integer,
        doc="calls of the execution, after it",
        info={"of": "execution.spent", "shown_as": "spent_calls"},
    ),
    Column("cost_nanos", BigInteger, doc="by the job, after it", info={"of": "job.cost_nanos"}),
    Column("tokens", BigInteger, doc="by the job, after it", info={"of": "job.tokens"}),
    Column("next_attempt_at", TIME, doc="after a failure", info={"of": "next_attempt_at"}),
    Column("actor", Text, doc="who asked for it", info={"of": "report.actor"}),
    Column(
        "duration_s",
        DOUBLE_PRECISION,
        doc="of the call or the judging that it ends, as its worker reported",
        info={"of": "report.duration_s"},
    ),
    Column("waited", JSON, doc="what its execution waited for before it", info={"of": "waited"}),
    Column("handle", Text, doc="the agent's name for the work, where it was reported", info={"of": "report.handle"}),
    Index("job_logs_job_id_version_key", "job_id", "version", unique=True),
    Index("job_logs_removed_execution_idx", "execution_id", postgresql_where=text("kind = 'removed'")),
    Index("job_logs_removals_idx", "seq", postgresql_where=text("kind = 'removed'")),
)

#: The columns of an entry but its bodies, by the names that answers and facts have for them.
LOG_NAMES: Final = {
    column.info.get("shown_as", column.name): column.name
    for column in job_logs.c
    if column.name not in {"request_payload", "response_payload"}
}

facts = declare(
    "facts",
    Column("seq", BigInteger, primary_key=True, server_default=text("nextval('job_logs_seq_seq')")),
    required("topic", Text),
    required("key", Text),
    required("body", JSON, doc="the event"),
    Index("facts_key_idx", "key"),
)
facts.add_is_dependent_on(job_logs)  # whose sequence numbers it, too

stubs = declare(
    "stubs",
    Column("seq", BigInteger, primary_key=True, autoincrement=False, doc="of the fact"),
    required("topic", Text),
    required("key", Text, doc="the job, or what else the fact is about"),
    Column("version", BigInteger, doc="of the job"),
    required("code", Text, doc="why its topic refused it"),
    required("bytes", BigInteger, doc="of its body"),
)

executions = Table(
    "executions",
    metadata,
    Column("execution_id", Uuid, primary_key=True, info=FROZEN),
    required("job_id", Text, doc="empty where it was cancelled before its job was known", info=FROZEN),
    required("stage", Text),
    required("state", Text),
    required("attempt", Integer),
    required("lease", Integer, doc="grants of any kind; with the id, the fencing token"),
    required("seq", Integer, doc="reports recorded under the lease"),
    Column("owner", Uuid),
    Column("due_at", TIME, doc="when anything must be done next: offer, offer again, lapse; forget an early cancel"),
    Column("deadline_at", TIME),
    Column("fails_at", TIME, doc="when it is out of time: the deadline, or a timeout of its stage before it"),
    required("offers", Integer),
    required("submission", Integer, info=FROZEN),
    Column("agent_id", Text, info=FROZEN),
    Column("policy", JSON, doc="whole, frozen at the request", info=FROZEN),
    Column("request_version", BigInteger, info=FROZEN),
    Column("result_version", BigInteger),
    Column("result_lease", Integer),
    Column("answer", Text, doc="what the id was answered, once it was"),
    required("priority", SmallInteger, info=FROZEN),
    required("spent", Integer, doc="attempts that failed or lost their worker"),
    required("created_at", TIME, server_default=func.signoff_now(), info=FROZEN),
    required("tenant", Text, server_default="default", info=FROZEN),
    required("flow", ARRAY(Text), server_default="{}", doc="its agent and other limits", info=FROZEN),
    Column("batch_id", Uuid, info=FROZEN),
    Column("not_before", TIME, info=FROZEN),
    Column("reuse_key", LargeBinary, doc="the same for an identical request to a deterministic agent", info=FROZEN),
    Column("result_hash", LargeBinary),
    Column("task_hash", LargeBinary, doc="of what the agent was asked (contracts.events.hash_task)", info=FROZEN),
    required("misjudged", SmallInteger, server_default="0", doc="judging leases that ended in no sound verdict"),
    Column("forged_lease", Integer, doc="the lease of which a forged report was buried"),
    required("validators_lost", SmallInteger, server_default="0", doc="judging leases that lapsed"),
    Column("waited", JSONB, doc="for what, since the last entry that is about it"),
    Column("judge_away_at", TIME, doc="since when its judge does not answer the validator that has the lease"),
    required("cost_nanos", BigInteger, server_default="0", doc="of its own calls and judgings"),
    required("tokens", BigInteger, server_default="0", doc="of these"),
    Column("protocol", Text, doc="by which its agent is called; none: from before 0.3.0, or http", info=FROZEN),
    Column("settings_hash", LargeBinary, doc="of the settings that it is called with, if there are any", info=FROZEN),
    Column("handle", Text, doc="the agent's name for the work, as it was reported last; empty: none any more"),
    Column("traceparent", Text, doc="the trace that it belongs to; none: one of its own", info=FROZEN),
    required(
        "follows_only", Boolean, server_default=text("false"), doc="whether its work is looked for, and never sent"
    ),
    CheckConstraint("stage IN ('EXECUTING', 'JUDGING')", name="stage"),
    CheckConstraint("state IN ('QUEUED', 'OFFERED', 'LEASED', 'DONE')", name="state"),
    Index(
        "executions_due_idx",
        "stage",
        "state",
        "due_at",
        postgresql_where=text("state <> 'DONE' AND (stage <> 'EXECUTING' OR state <> 'QUEUED')"),
    ),
    Index(
        "executions_early_cancels_idx",
        "due_at",
        postgresql_where=text("state = 'DONE' AND due_at IS NOT NULL AND request_version IS NULL"),
    ),
    Index("executions_fails_at_idx", "fails_at", postgresql_where=text("state <> 'DONE' AND fails_at IS NOT NULL")),
    Index(
        "executions_flow_idx",
        "tenant",
        "flow",
        "priority",
        "due_at",
        postgresql_where=text("stage = 'EXECUTING' AND state = 'QUEUED'"),
    ),
    Index("executions_agent_id_idx", "agent_id", postgresql_where=text("state <> 'DONE'")),
    Index("executions_batch_id_idx", "batch_id", postgresql_where=text("state <> 'DONE' AND batch_id IS NOT NULL")),
    Index("executions_job_id_idx", "job_id"),
    # Each read of a queue skips the dead rows.
    postgresql_with={
        "fillfactor": "80",
        "autovacuum_vacuum_threshold": "5000",
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_cost_delay": "0",
    },
)

circuits = declare(
    "circuits",
    Column("agent_id", Text, ForeignKey("agents.id"), primary_key=True),
    required("failures", Integer, doc="in a row, of the kind that may pass"),
    required("opened", Integer, doc="times in a row"),
    Column("open_until", TIME, doc="none while it is closed; in the past while it is half open"),
    Column("probe_id", Uuid, doc="the execution that probes the agent, while it is half open"),
)

#: How circuits opened and closed of late, for people.
circuit_changes = declare(
    "circuit_changes",
    Column("agent_id", Text, ForeignKey("agents.id"), primary_key=True),
    Column("at", TIME, primary_key=True),
    Column("open_until", TIME, doc="none: it closed"),
)

workers = Table(
    "workers",
    metadata,
    Column("owner", Uuid, primary_key=True),
    required("stage", Text),
    required("room", Integer),
    required("capacity", Integer, server_default="0", doc="leases that it holds at once; 0 until it has reported"),
    required("seen_at", TIME),
    Column("judge", Text, doc="the version of the policy `default` that a validator's settings are"),
    Column("judge_keys", JSON, doc="the names of keys that it has, and the base URLs of each"),
    Column("report", JSONB, doc="what it says of itself: version, clock, members of groups (insights.processes)"),
    required("protocols", ARRAY(Text), server_default="{}", doc="that an executor calls; none: http and http_async"),
    Index("workers_stage_idx", "stage"),
    prefixes=["UNLOGGED"],
)

relay = declare(
    "relay",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    required("published_seq", BigInteger, doc="every row of job_logs and facts up to it is published"),
    required("offsets", JSON, doc="the last acknowledged, by topic/partition"),
    required("signers", JSON, server_default="[]", doc="names of the keys of facts, the newest last"),
    required("settled_seq", BigInteger, server_default="0", doc="no row up to it can still commit"),
    Column(
        "administered_since",
        BigInteger,
        server_default="0",
        doc="the fact from which on what administrators set is all told; 0: none yet; none: a rebuild did not find one",
    ),
    CheckConstraint("id = 1", name="one"),
)

epochs = declare(
    "epochs",
    Column("epoch", BigInteger, Identity(always=True), primary_key=True, doc="of a jobstore that runs"),
    required("until", TIME, doc="it has lapsed then unless it is renewed"),
    Column("report", JSONB, doc="as of `workers`"),
)

limits = declare(
    "limits",
    Column("name", Text, primary_key=True),
    Column("concurrency", Integer),
    Column("rate", Integer),
    required("rate_period_s", DOUBLE_PRECISION),
    Column("queue_max", Integer),
    Column("weight", DOUBLE_PRECISION),
    Column("paused", Boolean, doc="NULL, as in the others: as the limit of the wildcard says"),
    Column("nanos_per_day", BigInteger, doc="of a tenant: what its agents and judges may cost in a day of UTC"),
    Column("judge_policies", JSON, doc="of a tenant: the names of the judge policies that its jobs may name"),
    required("updated_at", TIME, server_default=func.signoff_now()),
    required("version", BigInteger, server_default=text("1"), doc="counts its changes from 1"),
)

starts = declare(
    "starts",
    Column("name", Text, primary_key=True),
    Column("began_at", TIME, primary_key=True, doc="of a part of the limit's period"),
    required("count", Integer),
)

#: What tenants spent, in no fact: the log has it, but for judgings without a job.
spending = declare(
    "spending",
    Column("day", Date, primary_key=True, doc="of UTC"),
    Column("tenant", Text, primary_key=True),
    Column("part", SmallInteger, primary_key=True, autoincrement=False, doc="of several, of which each writer has one"),
    required("agents_nanos", BigInteger, doc="as agents claim"),
    required("judges_nanos", BigInteger),
)

reusable = declare(
    "reusable",
    Column("key", LargeBinary, primary_key=True, doc="of what was asked for"),
    required("job_id", Text),
    required("version", BigInteger, doc="of the entry of the job's log that holds the answer"),
    required("created_at", TIME, server_default=func.signoff_now()),
    Index("reusable_created_at_idx", "created_at"),
)

operations = declare(
    "operations",
    Column("id", Uuid, primary_key=True),
    Column("tenant", Text, doc="of all its jobs; none: they are of several, or it is from before 0.3.0"),
    required("created_at", TIME, server_default=func.signoff_now()),
    required("kind", Text, server_default="execute"),
    required("state", Text, server_default="RUNNING"),
    required("about", JSON, server_default="{}", doc="who paused, resumed or cancelled it, and why"),
    Column("retry_of", Uuid),
    Column("finished_at", TIME),
    Column("actor", Text, doc="who asked for it"),
    Column("name", Text),
    required("parameters", JSON, server_default="{}", doc="what its kind needs to know"),
    required("turn_at", TIME, server_default=func.signoff_now(), doc="of the next worker"),
    CheckConstraint("state IN ('RUNNING', 'PAUSED', 'CANCELLING', 'CANCELLED', 'DONE')", name="state"),
    Index("operations_created_at_id_idx", "created_at", "id"),
    Index("operations_open_idx", "turn_at", postgresql_where=text("state NOT IN ('CANCELLED', 'DONE')")),
    Index("operations_retry_of_idx", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
)

operation_items = declare(
    "operation_items",
    Column("operation_id", Uuid, ForeignKey("operations.id"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    required("job_id", Text),
    Column("execution_id", Uuid, doc="what was requested; until it is answered, what is to be cancelled"),
    Column("code", Text),
    Column("message", Text),
    Column("spec", JSON, doc="of a new job, until the item is answered"),
    required("answered", Boolean, server_default=text("true")),
    Index("operation_items_unanswered_idx", "operation_id", "item", postgresql_where=text("NOT answered")),
    Index("operation_items_job_id_idx", "job_id", "operation_id"),
)

request_keys = declare(
    "request_keys",
    Column("id", Uuid, primary_key=True, doc="of the method, the tenant and the idempotency key"),
    required("body_hash", LargeBinary, doc="of what was asked for"),
    required("created_at", TIME, server_default=func.signoff_now()),
)


#: The words of jobs, as they are searched: written behind their logs, not with the changes of jobs.
job_texts = declare(
    "job_texts",
    Column("job_id", Text, primary_key=True),
    required("created_at", TIME, doc="when the job was"),
    required("words", TSVECTOR),
    Column("tenant", Text, doc="the job's; none: from before 0.3.0, and not known yet"),
    Index("job_texts_words_idx", "words", postgresql_using="gin"),
    Index("job_texts_created_at_idx", "created_at", "job_id"),
    Index("job_texts_tenant_created_at_idx", "tenant", "created_at", "job_id"),
    Index("job_texts_beginning_idx", "job_id", postgresql_ops={"job_id": "text_pattern_ops"}),
    Index(
        "job_texts_end_idx",
        func.reverse(literal_column("job_id")).label("end"),
        postgresql_ops={"end": "text_pattern_ops"},
    ),
)

text_index = declare(
    "text_index",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    required("seq", BigInteger, doc="of every job created or edited up to it, job_texts has the words"),
    CheckConstraint("id = 1", name="one"),
)

rollup = declare(
    "rollup",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    required("seq", BigInteger, doc="every entry of a log up to it is counted"),
    Column("sampled_at", TIME, doc="when somebody last set out to sample the gauges"),
    CheckConstraint("id = 1", name="one"),
)

#: The public keys of receipts, one for each secret that ever signed: to verify takes no secret.
receipt_keys = declare(
    "receipt_keys",
    Column("public_key", LargeBinary, primary_key=True),
    required("secret_id", Text),
    required("added_at", TIME, server_default=func.signoff_now()),
)


judging_versions = declare(
    "judging_versions",
    Column("kind", Text, primary_key=True, doc="judge: of a policy; criteria: of a set; golden: a policy's"),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    required("body", Text, doc="a policy as JSON, criteria as text, or lines of JSON"),
    Column("note", Text, doc="what its author says of it"),
    required("actor", Text),
    required("created_at", TIME, server_default=func.signoff_now()),
    required("tenant", Text, server_default="default", doc="the same of all versions of a name"),
    required("shared", Boolean, server_default=text("true"), doc="likewise: whether all tenants may name it"),
    CheckConstraint("kind IN ('judge', 'criteria', 'golden')", name="kind"),
)

#: The last move of a name says which version is current.
judging_moves = declare(
    "judging_moves",
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("move", Integer, primary_key=True, autoincrement=False, doc="from 1, without a gap"),
    Column("version", Integer, doc="current from then on; none: the name is retired"),
    Column("reason", Text, doc="why it was forced, or a note"),
    required("actor", Text),
    required("created_at", TIME, server_default=func.signoff_now()),
)

#: The newest evaluation of a version of a policy on the same cases, and its judgings.
judging_evaluations = declare(
    "judging_evaluations",
    Column("name", Text, primary_key=True, doc="the policy's"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("cases_hash", Text, primary_key=True),
    required("evaluation", Uuid, doc="names it, as its report does"),
    required("measured", JSON, doc="contracts.judging.versions.Measured"),
    required("judged", JSON, doc="by the hash of each question, a letter for each repeat"),
    required("actor", Text),
    required("created_at", TIME, server_default=func.signoff_now()),
)

#: Counts of the outcomes of verdicts by a version, in no fact. Those of `default` are counted from the log.
judging_counts = declare(
    "judging_counts",
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    required("met", BigInteger),
    required("not_met", BigInteger),
    required("unjudged", BigInteger, doc="the judge did something else than judge"),
    required("cost_nanos", BigInteger),
    required("tokens", BigInteger),
)


judgings = declare(
    "judgings",
    Column("id", Uuid, primary_key=True),
    required("kind", Text),
    required("tenant", Text, server_default="default", doc="the job's, or of the call that asked for it"),
    required("group_id", Uuid, doc="the operation, or the call, that asked for it"),
    required("item", Integer),
    required("urgency", SmallInteger, doc="the lowest is taken first"),
    required("state", Text, server_default="QUEUED"),
    Column("owner", Uuid),
    required("lease", Integer, server_default="0", doc="grants; with the id, the fencing token"),
    Column("due_at", TIME, doc="when the lease lapses"),
    Column("execution_id", Uuid, doc="whose result is judged again"),
    Column("job_id", Text),
    Column("job_version", BigInteger, doc="of the job when it was queued: by then its log has the verdict before"),
    Column("asked", JSON, doc="the result and what it is judged by; of a job judged again, what is judged by instead"),
    Column("judge_policy", JSON, doc="as frozen; none: the validators' own settings"),
    required("policy_tenant", Text, server_default="default", doc="whose the policy is, and the keys that it names"),
    Column("actor", Text, doc="who asked for it"),
    Column("evaluation", Uuid, doc="the one that it is part of, and as what"),
    Column("judge", Text, doc="the policy and its version, of an evaluation"),
    Column("repeat", SmallInteger),
    Column("question", Text, doc="the hash of all that is judged"),
    Column("labels", Text, doc="a letter for the whole, and for each criterion"),
    Column("before", Text, doc="a letter for each criterion of the answer: its outcome in the verdict before"),
    Column("was_valid", Boolean),
    Column("is_valid", Boolean),
    Column("answer", JSON, doc="the verdict, without what is as usual"),
    Column("code", Text, doc="why there is no verdict, or it was not recorded"),
    Column("message", Text),
    Column("cost_nanos", BigInteger),
    Column("tokens", BigInteger),
    Column("duration_s", DOUBLE_PRECISION),
    required("created_at", TIME, server_default=func.signoff_now()),
    Column("answered_at", TIME),
    required("is_counted", Boolean, server_default=text("false"), doc="among the verdicts (insights.verdicts)"),
    CheckConstraint("state IN ('QUEUED', 'LEASED', 'DONE')", name="state"),
    Index("judgings_group_id_item_key", "group_id", "item", unique=True),
    Index("judgings_queue_idx", "urgency", "created_at", "item", postgresql_where=text("state = 'QUEUED'")),
    Index("judgings_open_idx", "group_id", postgresql_where=text("state <> 'DONE'")),
    Index("judgings_job_id_idx", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    Index("judgings_uncounted_idx", "id", postgresql_where=text("state = 'DONE' AND NOT is_counted")),
    Index(
        "judgings_evaluation_idx",
        *("evaluation", "question", "labels", "repeat", "created_at", "id"),
        postgresql_where=text("evaluation IS NOT NULL"),
    ),
    Index("judgings_kept_idx", "created_at", postgresql_where=text("kind NOT IN ('shadow', 'rejudge')")),
)

#: What executors do for agents beside executions. Of these nothing is a fact: a rebuild drops them.
agent_tasks = declare(
    "agent_tasks",
    Column("id", Uuid, primary_key=True),
    required("kind", Text),
    required("state", Text, server_default="QUEUED"),
    required("agent_id", Text),
    required("protocol", Text, doc="by which the agent is called: other executors are not given it"),
    Column("execution_id", Uuid, doc="of `cancel`: whose work is to be stopped"),
    Column("asked", JSON, doc="of `try` and `check`: the body of the call"),
    required("lease_s", DOUBLE_PRECISION, doc="for which an executor that renews its lease has it at most"),
    required("lease", Integer, server_default="0", doc="grants; with the id, the fencing token"),
    Column("owner", Uuid),
    required("due_at", TIME, doc="from when it is granted; while it is leased, when the lease ends"),
    required("ends_at", TIME, doc="when it is given up; of `try` and `check` that are leased, when no renewal helps"),
    Column("answer", JSON, doc="of `try` and `check`: result, exchanges and checks"),
    Column("code", Text, doc="why there is no result; of `cancel` and `card`, why the last grant failed"),
    Column("message", Text),
    Column("cost_nanos", BigInteger),
    Column("tokens", BigInteger),
    Column("duration_s", DOUBLE_PRECISION),
    Column("actor", Text, doc="who asked for it"),
    required("created_at", TIME, server_default=func.signoff_now()),
    Column("answered_at", TIME),
    required("tenant", Text, server_default="default", doc="of `try` and `check`: whose they are"),
    CheckConstraint("kind IN ('cancel', 'card', 'try', 'check')", name="kind"),
    CheckConstraint("state IN ('QUEUED', 'LEASED', 'DONE')", name="state"),
    Index("agent_tasks_due_idx", "due_at", postgresql_where=text("state <> 'DONE'")),
    Index("agent_tasks_over_idx", "ends_at", postgresql_where=text("state <> 'DONE'")),
    Index("agent_tasks_held_idx", "owner", postgresql_where=text("state = 'LEASED'")),
    Index("agent_tasks_card_idx", "agent_id", unique=True, postgresql_where=text("kind = 'card'")),
    Index("agent_tasks_tries_idx", "state", "created_at", postgresql_where=text("kind IN ('try', 'check')")),
    Index("agent_tasks_kept_idx", "agent_id", "created_at", "id", postgresql_where=text("kind IN ('try', 'check')")),
)

agent_cards = declare(
    "agent_cards",
    Column("agent_id", Text, primary_key=True),
    Column("card", JSON, doc="as it was read last without a failure"),
    Column("code", Text, doc="why it could not be read since"),
    Column("message", Text),
    Column("before", JSON, doc="the card before its last change"),
    Column("changed_at", TIME, doc="when another card than the one before was read"),
    required("read_at", TIME, doc="when it was read, or was tried to be, last"),
)
