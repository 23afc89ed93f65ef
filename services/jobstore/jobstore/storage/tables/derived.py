"""The tables of what is derived, and no fact tells: words to search by, and counts of what happened, keys."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, TSVECTOR

from jobstore.storage.tables.state import TIME, metadata

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
