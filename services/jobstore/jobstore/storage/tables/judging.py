"""The tables of judge policies and criteria sets. Versions and moves are added, and never changed."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSON

from jobstore.storage.tables.state import TIME, metadata

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
