"""The tables of what is kept, held, archived and cut (schema.tables)."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, SmallInteger, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSON

from jobstore.schema.base import TIME, declare, required

#: How long ended jobs, by their status, and operations are kept.
retentions = declare(
    "retentions",
    Column("name", Text, primary_key=True, doc="tenant:<name>, or tenant:* of all others"),
    Column("completed_s", DOUBLE_PRECISION, doc="NULL, as in the others: as tenant:* says, and there: for ever"),
    Column("failed_s", DOUBLE_PRECISION),
    Column("rejected_s", DOUBLE_PRECISION),
    Column("resubmission_required_s", DOUBLE_PRECISION),
    Column("cancelled_s", DOUBLE_PRECISION),
    Column("operations_s", DOUBLE_PRECISION),
    required("updated_at", TIME, server_default=func.signoff_now()),
    required("version", BigInteger, server_default=text("1"), doc="counts its changes from 1"),
)

#: Jobs that are not removed until they are released.
holds = declare(
    "holds",
    Column("job_id", Text, primary_key=True),
    Column("reason", Text),
    required("actor", Text),
    required("created_at", TIME, server_default=func.signoff_now()),
)

#: How far facts are archived, and removed jobs cut.
keeping = declare(
    "keeping",
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    required("incarnation", Uuid, server_default=func.uuidv7(), doc="of the topics: another one on an empty broker"),
    required("part", BigInteger, server_default="0", doc="the last part of the archive that was read back"),
    Column("part_hash", Text, doc="SHA-256 of its manifest, as hex"),
    required("offsets", JSON, server_default="{}", doc="the next to archive, by topic/partition"),
    required("newest", JSON, server_default="{}", doc="the newest secret that a marker named, by topic/partition"),
    required(
        "archived_seq", BigInteger, server_default="0", doc="every row of job_logs and facts up to it is archived"
    ),
    required("cut_seq", BigInteger, server_default="0", doc="the jobs of removal entries up to it are cut"),
    required("cut_below", BigInteger, server_default="0", doc="the highest number of a row that was cut"),
    required("checkpoint", BigInteger, server_default="0", doc="the newest that was read back"),
    required("checkpoint_seq", BigInteger, server_default="0", doc="every row up to it is in that checkpoint"),
    Column("checkpoint_at", TIME),
    Column("archive_error", Text, doc="why facts are not archived; NULL: they are"),
    required("held_back", JSON, server_default="{}", doc="by group, how many facts stay in topics for it"),
    Column("suspect", BigInteger, doc="the part that was refused, because it was changed or is missing"),
    CheckConstraint("id = 1", name="one"),
)

#: The parts of the archive that were read back.
archive_parts = declare(
    "archive_parts",
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first_seq", BigInteger, doc="of the facts in it; none: it has none"),
    Column("last_seq", BigInteger),
    Column("facts_at", TIME, doc="the highest time of a record in it, by the clocks of jobstores"),
    required("seq", BigInteger, doc="every row of job_logs and facts up to it is in this part or one before"),
    required("bytes", BigInteger, doc="0: it was let go"),
    required("created_at", TIME, server_default=func.signoff_now()),
    Index("archive_parts_last_seq_idx", "last_seq"),
    Index("archive_parts_seq_idx", "seq"),
)
