"""The tables, as SQLAlchemy knows them. Migrations create them; a test compares the two."""

from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSON, JSONB, TSVECTOR

from jobstore.schema.columns import EDITED, ENDING, FROZEN, GIVEN, HIDDEN, LATER, MATCHED, SPEC, STATE, TEXT, Filter

metadata = MetaData(
    naming_convention={
        "ix": "%(column_0_label)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    },
)
TIME = DateTime(timezone=True)

agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("protocol", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("capabilities", ARRAY(Text), nullable=False),
    Column("policy", JSONB, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("deterministic", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
    Column("updated_at", TIME, nullable=False, server_default=func.signoff_now()),
    Column("headers", JSONB, nullable=False, server_default=text("'{}'"), doc="references to values, by name"),
    Column("version", BigInteger, nullable=False, server_default=text("1"), doc="counts its changes from 1"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True, info=MATCHED),
    Column("title", Text, nullable=False, info=EDITED),
    Column("description", Text, nullable=False, info=TEXT),
    Column("acceptance_criteria", Text, nullable=False, info=TEXT),
    Column("payload", JSON, nullable=False, info=TEXT),
    Column("status", Text, nullable=False, info=STATE | Filter(many="statuses").info() | GIVEN),
    Column("version", BigInteger, nullable=False, info=STATE | GIVEN),
    Column(
        "agent_id",
        Text,
        ForeignKey("agents.id"),
        info=STATE | Filter(one="agent_id", excluded="not_agent_ids", facet="agent").info() | GIVEN,
    ),
    Column("execution_id", Uuid, doc="the execution that is live, or was the last", info=STATE),
    Column("live", Boolean, nullable=False, info=STATE),
    Column("not_met", Integer, nullable=False, doc="verdicts since an agent was assigned by hand", info=STATE | HIDDEN),
    Column("feedback", JSON, doc="of the last not-met verdict", info=STATE | HIDDEN | LATER),
    Column("priority", SmallInteger, nullable=False, info=EDITED | MATCHED),
    Column(
        "tenant", Text, nullable=False, info=SPEC | Filter(one="tenant", excluded="not_tenants", facet="tenant").info()
    ),
    Column("labels", JSONB, nullable=False, info=EDITED | MATCHED),
    Column("policy", JSONB, nullable=False, info=EDITED),
    Column("spec_hash", LargeBinary, nullable=False, info=SPEC | HIDDEN),
    Column("progress", DOUBLE_PRECISION, info=STATE | LATER | GIVEN),
    Column("progress_message", Text, info=STATE | LATER | GIVEN),
    Column("capabilities", ARRAY(Text), nullable=False, server_default="{}", info=EDITED),
    Column("not_before", TIME, info=EDITED),
    Column("batch_id", Uuid, doc="the last that executed it", info=STATE | MATCHED),
    Column("cost_nanos", BigInteger, nullable=False, server_default="0", info=STATE | LATER | MATCHED),
    Column("tokens", BigInteger, nullable=False, server_default="0", info=STATE | LATER),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now(), info=SPEC | MATCHED),
    Column("updated_at", TIME, nullable=False, server_default=func.signoff_now(), info=MATCHED),
    Column(
        "cancelled",
        Boolean,
        nullable=False,
        server_default=text("false"),
        doc="whether its last execution was",
        info=ENDING | MATCHED,
    ),
    Column(
        "code",
        Text,
        doc="why its last execution was not completed, or no agent matches",
        info=ENDING | Filter(many="codes", excluded="not_codes", facet="code", partial=True).info(),
    ),
    Column(
        "duration_s",
        DOUBLE_PRECISION,
        doc="from the request of the last execution that ended to its end",
        info=ENDING | MATCHED,
    ),
    Column(
        "not_met_criteria",
        ARRAY(Text),
        doc="required ones that the last verdict did not pass",
        info=ENDING | HIDDEN | MATCHED,
    ),
    Column(
        "reference_texts", JSON, doc="model answers and rubrics for judges, by the number of their criterion", info=TEXT
    ),
    Index("jobs_created_at_id_idx", "created_at", "id"),
    Index("jobs_updated_at_id_idx", "updated_at", "id"),
    Index("jobs_status_created_at_id_idx", "status", "created_at", "id"),
    Index("jobs_agent_id_created_at_id_idx", "agent_id", "created_at", "id"),
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
    # What only ended jobs have is written once a life.
    Index("jobs_cost_nanos_id_idx", "cost_nanos", "id", postgresql_where=text("duration_s IS NOT NULL")),
    Index("jobs_duration_s_id_idx", "duration_s", "id", postgresql_where=text("duration_s IS NOT NULL")),
    Index("jobs_code_created_at_id_idx", "code", "created_at", "id", postgresql_where=text("code IS NOT NULL")),
    Index("jobs_cancelled_idx", "created_at", "id", postgresql_where=text("cancelled")),
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
job_logs = Table(
    "job_logs",
    metadata,
    # One sequence without a cache: its order is the order of the versions of each job, and the cursor of every watch.
    Column("seq", BigInteger, primary_key=True, autoincrement=True, info={"shown_as": "cursor"}),
    Column("id", Uuid, nullable=False, server_default=func.uuidv7()),
    Column("job_id", Text, ForeignKey("jobs.id"), nullable=False, info={"of": "job.id"}),
    Column("version", BigInteger, nullable=False, info={"of": "job.version"}),
    Column("status", Text, nullable=False, info={"of": "status"}),
    Column("job_status", Text, nullable=False, doc="where the job stood after it", info={"of": "job.status"}),
    Column("agent_id", Text, info={"of": "job.agent_id"}),
    Column("request_payload", JSON, info={"of": "report.request"}),
    Column("response_payload", JSON, info={"of": "report.response"}),
    Column("message", Text, info={"of": "report.message"}),
    Column("code", Text, info={"of": "report.code"}),
    Column("kind", Text, nullable=False, doc="what was reported", info={"of": "report.kind"}),
    Column("execution_id", Uuid, info={"of": "execution.execution_id"}),
    Column("attempt", Integer, info={"of": "execution.attempt"}),
    Column("lease", Integer),
    Column("submission", Integer, info={"of": "execution.submission"}),
    Column("event_id", Uuid, info={"of": "report.event_id"}),
    Column("progress", DOUBLE_PRECISION, doc="of the job, after it", info={"of": "job.progress"}),
    Column("created_at", TIME, nullable=False, info={"of": "report.at"}),
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
        doc="of the call or the judging that it ends, as its worker said",
        info={"of": "report.duration_s"},
    ),
    Column("waited", JSON, doc="what its execution waited for before it", info={"of": "waited"}),
    Index("job_logs_job_id_version_key", "job_id", "version", unique=True),
)

#: The columns of an entry but its bodies, by the names that answers and facts have for them.
LOG_NAMES: Final = {
    column.info.get("shown_as", column.name): column.name
    for column in job_logs.c
    if column.name not in {"request_payload", "response_payload"}
}

facts = Table(
    "facts",
    metadata,
    Column("seq", BigInteger, primary_key=True, server_default=text("nextval('job_logs_seq_seq')")),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", JSON, nullable=False, doc="the event"),
)
facts.add_is_dependent_on(job_logs)  # whose sequence numbers it, too

stubs = Table(
    "stubs",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False, doc="of the fact"),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False, doc="the job, or what else the fact is about"),
    Column("version", BigInteger, doc="of the job"),
    Column("code", Text, nullable=False, doc="why its topic refused it"),
    Column("bytes", BigInteger, nullable=False, doc="of its body"),
)

executions = Table(
    "executions",
    metadata,
    Column("execution_id", Uuid, primary_key=True, info=FROZEN),
    Column("job_id", Text, nullable=False, doc="empty where it was cancelled before its job was known", info=FROZEN),
    Column("stage", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("lease", Integer, nullable=False, doc="grants of any kind; with the id, the fencing token"),
    Column("seq", Integer, nullable=False, doc="reports recorded under the lease"),
    Column("owner", Uuid),
    Column("due_at", TIME, doc="when anything must be done next: offer, offer again, lapse; forget an early cancel"),
    Column("deadline_at", TIME),
    Column("fails_at", TIME, doc="when it is out of time: the deadline, or a timeout of its stage before it"),
    Column("offers", Integer, nullable=False),
    Column("submission", Integer, nullable=False, info=FROZEN),
    Column("agent_id", Text, info=FROZEN),
    Column("policy", JSON, doc="whole, frozen at the request", info=FROZEN),
    Column("request_version", BigInteger, info=FROZEN),
    Column("result_version", BigInteger),
    Column("result_lease", Integer),
    Column("answer", Text, doc="what the id was answered, once it was"),
    Column("priority", SmallInteger, nullable=False, info=FROZEN),
    Column("spent", Integer, nullable=False, doc="attempts that failed or lost their worker"),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now(), info=FROZEN),
    Column("tenant", Text, nullable=False, server_default="default", info=FROZEN),
    Column("flow", ARRAY(Text), nullable=False, server_default="{}", doc="its agent and other limits", info=FROZEN),
    Column("batch_id", Uuid, info=FROZEN),
    Column("not_before", TIME, info=FROZEN),
    Column("reuse_key", LargeBinary, doc="the same for an identical request to a deterministic agent", info=FROZEN),
    Column("result_hash", LargeBinary),
    Column("task_hash", LargeBinary, doc="of what the agent was asked, whole (domain.judging.task)", info=FROZEN),
    Column(
        "misjudged",
        SmallInteger,
        nullable=False,
        server_default="0",
        doc="judging leases that ended in no sound verdict",
    ),
    Column("forged_lease", Integer, doc="the lease of which a forged report was buried"),
    Column("validators_lost", SmallInteger, nullable=False, server_default="0", doc="judging leases that lapsed"),
    Column("waited", JSONB, doc="for what, since the last entry that is about it"),
    Column("judge_away_at", TIME, doc="since when its judge does not answer whoever has the judging lease"),
    Column("cost_nanos", BigInteger, nullable=False, server_default="0", doc="of its own calls and judgings"),
    Column("tokens", BigInteger, nullable=False, server_default="0", doc="of these"),
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
    Index(
        "executions_batch_id_idx",
        "batch_id",
        postgresql_where=text("state <> 'DONE' AND batch_id IS NOT NULL"),
    ),
    Index("executions_job_id_idx", "job_id"),
    # What is left behind is passed by each look at a queue.
    postgresql_with={
        "fillfactor": "80",
        "autovacuum_vacuum_threshold": "5000",
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_cost_delay": "0",
    },
)

circuits = Table(
    "circuits",
    metadata,
    Column("agent_id", Text, ForeignKey("agents.id"), primary_key=True),
    Column("failures", Integer, nullable=False, doc="in a row, of the kind that may pass"),
    Column("opened", Integer, nullable=False, doc="times in a row"),
    Column("open_until", TIME, doc="none while it is closed; in the past while it is half open"),
    Column("probe_id", Uuid, doc="the execution that probes the agent, while it is half open"),
)

workers = Table(
    "workers",
    metadata,
    Column("owner", Uuid, primary_key=True),
    Column("stage", Text, nullable=False),
    Column("room", Integer, nullable=False),
    Column(
        "capacity", Integer, nullable=False, server_default="0", doc="leases that it holds at once; 0 until it has said"
    ),
    Column("seen_at", TIME, nullable=False),
    Column("judge", Text, doc="the version of the policy `default` that a validator's settings are"),
    Column("judge_keys", JSON, doc="the names of keys that it has, and the base URLs of each"),
    Column("report", JSONB, doc="what it says of itself: version, clock, members of groups (insights.processes)"),
    Index("workers_stage_idx", "stage"),
    prefixes=["UNLOGGED"],
)

relay = Table(
    "relay",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("published_seq", BigInteger, nullable=False, doc="every row of job_logs and facts up to it is published"),
    Column("offsets", JSON, nullable=False, doc="the last acknowledged, by topic/partition"),
    Column("signers", JSON, nullable=False, server_default="[]", doc="names of the keys of facts, the newest last"),
    Column("settled_seq", BigInteger, nullable=False, server_default="0", doc="no row up to it can still commit"),
    Column(
        "administered_since",
        BigInteger,
        server_default="0",
        doc="the fact from which on what administrators set is all told; 0: none yet; none: a rebuild did not find one",
    ),
    CheckConstraint("id = 1", name="one"),
)

epochs = Table(
    "epochs",
    metadata,
    Column("epoch", BigInteger, Identity(always=True), primary_key=True, doc="of a jobstore that runs"),
    Column("until", TIME, nullable=False, doc="it has lapsed then unless it is renewed"),
    Column("report", JSONB, doc="as of `workers`"),
)

limits = Table(
    "limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("concurrency", Integer),
    Column("rate", Integer),
    Column("rate_period_s", DOUBLE_PRECISION, nullable=False),
    Column("queue_max", Integer),
    Column("weight", DOUBLE_PRECISION),
    Column("paused", Boolean, doc="NULL, as in the others: as the limit of the wildcard says"),
    Column("updated_at", TIME, nullable=False, server_default=func.signoff_now()),
    Column("version", BigInteger, nullable=False, server_default=text("1"), doc="counts its changes from 1"),
)

starts = Table(
    "starts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("began_at", TIME, primary_key=True, doc="of a part of the limit's period"),
    Column("count", Integer, nullable=False),
)

reusable = Table(
    "reusable",
    metadata,
    Column("key", LargeBinary, primary_key=True, doc="of what was asked for"),
    Column("job_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False, doc="of the entry of the job's log that holds the answer"),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
    Index("reusable_created_at_idx", "created_at"),
)

operations = Table(
    "operations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
    Column("kind", Text, nullable=False, server_default="execute"),
    Column("state", Text, nullable=False, server_default="RUNNING"),
    Column(
        "about",
        JSON,
        nullable=False,
        server_default="{}",
        doc="who paused, resumed or cancelled it, and why",
    ),
    Column("retry_of", Uuid),
    Column("finished_at", TIME),
    Column("actor", Text, doc="who asked for it"),
    Column("name", Text),
    Column("parameters", JSON, nullable=False, server_default="{}", doc="what its kind needs to know"),
    Column("turn_at", TIME, nullable=False, server_default=func.signoff_now(), doc="of the next worker"),
    CheckConstraint("state IN ('RUNNING', 'PAUSED', 'CANCELLING', 'CANCELLED', 'DONE')", name="state"),
    Index("operations_created_at_id_idx", "created_at", "id"),
    Index("operations_open_idx", "turn_at", postgresql_where=text("state NOT IN ('CANCELLED', 'DONE')")),
    Index("operations_retry_of_idx", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
)

operation_items = Table(
    "operation_items",
    metadata,
    Column("operation_id", Uuid, ForeignKey("operations.id"), primary_key=True),
    Column("item", Integer, primary_key=True, autoincrement=False),
    Column("job_id", Text, nullable=False),
    Column("execution_id", Uuid, doc="what was requested; until it is answered, what is to be cancelled"),
    Column("code", Text),
    Column("message", Text),
    Column("spec", JSON, doc="of a new job, until the item is answered"),
    Column("answered", Boolean, nullable=False, server_default=text("true")),
    Index("operation_items_unanswered_idx", "operation_id", "item", postgresql_where=text("NOT answered")),
    Index("operation_items_job_id_idx", "job_id", "operation_id"),
)

request_keys = Table(
    "request_keys",
    metadata,
    Column("id", Uuid, primary_key=True, doc="of the method, the tenant and the idempotency key"),
    Column("body_hash", LargeBinary, nullable=False, doc="of what was asked for"),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
)


#: What jobs say, as it is searched: written behind their logs, and not by what changes a job.
job_texts = Table(
    "job_texts",
    metadata,
    Column("job_id", Text, primary_key=True),
    Column("created_at", TIME, nullable=False, doc="when the job was"),
    Column("words", TSVECTOR, nullable=False),
    Index("job_texts_words_idx", "words", postgresql_using="gin"),
    Index("job_texts_created_at_idx", "created_at", "job_id"),
    Index("job_texts_beginning_idx", "job_id", postgresql_ops={"job_id": "text_pattern_ops"}),
    Index(
        "job_texts_end_idx",
        func.reverse(literal_column("job_id")).label("end"),
        postgresql_ops={"end": "text_pattern_ops"},
    ),
)

text_index = Table(
    "text_index",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False, doc="of every job created or edited up to it, job_texts has the words"),
    CheckConstraint("id = 1", name="one"),
)

#: Counts of what happened, as it is published, and the highest samples of gauges: a row for each minute of the last
#: days, and for each hour of a month.
rollups = Table(
    "rollups",
    metadata,
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("at", TIME, primary_key=True),
    *(
        Column(name, BigInteger, nullable=False)
        for name in ("created", "completed", "failed", "rejected", "resubmission_required", "cancelled", "tokens")
    ),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("waits", ARRAY(BigInteger), nullable=False, doc="from the request to the first claim, by their length"),
    Column("calls", ARRAY(BigInteger), nullable=False, doc="of agents, by their length"),
    Column("judgings", ARRAY(BigInteger), nullable=False, doc="by their length"),
    Column("durations", ARRAY(BigInteger), nullable=False, doc="from the request to the end, by their length"),
    *(Column(name, BigInteger, doc="none without a sample") for name in ("queued_max", "running_max", "judging_max")),
)

agent_rollups = Table(
    "agent_rollups",
    metadata,
    Column("agent_id", Text, primary_key=True),
    Column("at", TIME, primary_key=True, doc="an hour"),
    Column("ended", BigInteger, nullable=False),
    Column("completed", BigInteger, nullable=False),
    Column("seconds", DOUBLE_PRECISION, nullable=False, doc="of all that ended, from the request on"),
    *(
        column
        for name in ("waits", "calls", "judgings")
        for column in (
            Column(name, BigInteger, nullable=False, doc="how many were measured"),
            Column(f"{name}_s", DOUBLE_PRECISION, nullable=False, doc="and their seconds"),
        )
    ),
)

rollup = Table(
    "rollup",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False, doc="every entry of a log up to it is counted"),
    Column("sampled_at", TIME, doc="when somebody last set out to sample the gauges"),
    CheckConstraint("id = 1", name="one"),
)

#: The public keys of receipts, one for each secret that ever was: no secret is asked for to verify what it signed.
receipt_keys = Table(
    "receipt_keys",
    metadata,
    Column("public_key", LargeBinary, primary_key=True),
    Column("secret_id", Text, nullable=False),
    Column("added_at", TIME, nullable=False, server_default=func.signoff_now()),
)

#: One-time codes of login links that were not spent.
login_codes = Table(
    "login_codes",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True, doc="SHA-256 of the code"),
    Column("token_mac", LargeBinary, nullable=False, doc="HMAC of the token that it is for, under the code"),
    Column("ends_at", TIME, nullable=False),
)


judging_versions = Table(
    "judging_versions",
    metadata,
    Column("kind", Text, primary_key=True, doc="judge: of a policy; criteria: of a set; golden: a policy's"),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", Text, nullable=False, doc="a policy as JSON, criteria as text, or lines of JSON"),
    Column("note", Text, doc="what whoever made it says of it"),
    Column("actor", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
    CheckConstraint("kind IN ('judge', 'criteria', 'golden')", name="kind"),
)

#: The last move of a name says which version is current.
judging_moves = Table(
    "judging_moves",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("move", Integer, primary_key=True, autoincrement=False, doc="from 1, without a gap"),
    Column("version", Integer, doc="current from then on; none: the name is retired"),
    Column("reason", Text, doc="why it was forced, or whatever was said of it"),
    Column("actor", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
)

#: What the newest evaluation of a version of a policy on the same cases came to, and its judgings.
judging_evaluations = Table(
    "judging_evaluations",
    metadata,
    Column("name", Text, primary_key=True, doc="the policy's"),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("cases_hash", Text, primary_key=True),
    Column("evaluation", Uuid, nullable=False, doc="names it, as its report does"),
    Column("measured", JSON, nullable=False, doc="contracts.judging.versions.Measured"),
    Column("judged", JSON, nullable=False, doc="by the hash of each question, a letter for each repeat"),
    Column("actor", Text, nullable=False),
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
)

#: What came of verdicts by a version; no fact tells it. Of `default` it is counted from the log, behind it.
judging_counts = Table(
    "judging_counts",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("met", BigInteger, nullable=False),
    Column("not_met", BigInteger, nullable=False),
    Column("unjudged", BigInteger, nullable=False, doc="the judge did something else than judge"),
    Column("cost_nanos", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
)


judgings = Table(
    "judgings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("group_id", Uuid, nullable=False, doc="the operation, or the call, that asked for it"),
    Column("item", Integer, nullable=False),
    Column("urgency", SmallInteger, nullable=False, doc="the lowest is taken first"),
    Column("state", Text, nullable=False, server_default="QUEUED"),
    Column("owner", Uuid),
    Column("lease", Integer, nullable=False, server_default="0", doc="grants; with the id, the fencing token"),
    Column("due_at", TIME, doc="when the lease lapses"),
    Column("execution_id", Uuid, doc="whose result is judged again"),
    Column("job_id", Text),
    Column("job_version", BigInteger, doc="of the job when it was queued: by then its log has the verdict before"),
    Column("asked", JSON, doc="the result and what it is judged by; of a job judged again, what is judged by instead"),
    Column("judge_policy", JSON, doc="as frozen; none: the validators' own settings"),
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
    Column("created_at", TIME, nullable=False, server_default=func.signoff_now()),
    Column("answered_at", TIME),
    CheckConstraint("state IN ('QUEUED', 'LEASED', 'DONE')", name="state"),
    Index("judgings_group_id_item_key", "group_id", "item", unique=True),
    Index("judgings_queue_idx", "urgency", "created_at", "item", postgresql_where=text("state = 'QUEUED'")),
    Index("judgings_open_idx", "group_id", postgresql_where=text("state <> 'DONE'")),
    Index(
        "judgings_evaluation_idx",
        *("evaluation", "question", "labels", "repeat", "created_at", "id"),
        postgresql_where=text("evaluation IS NOT NULL"),
    ),
    Index("judgings_kept_idx", "created_at", postgresql_where=text("kind NOT IN ('shadow', 'rejudge')")),
)


__all__ = [
    "agent_rollups",
    "agents",
    "circuits",
    "epochs",
    "executions",
    "facts",
    "job_logs",
    "job_texts",
    "jobs",
    "judging_counts",
    "judging_evaluations",
    "judging_moves",
    "judging_versions",
    "judgings",
    "limits",
    "login_codes",
    "metadata",
    "operation_items",
    "operations",
    "receipt_keys",
    "relay",
    "request_keys",
    "reusable",
    "rollup",
    "rollups",
    "starts",
    "stubs",
    "text_index",
    "workers",
]
