"""The tables of counts: of all tenants together, and of each tenant from 0.3.0 on, which its callers read."""

from collections.abc import Iterator

from sqlalchemy import ARRAY, BigInteger, Column, Integer, Text, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB

from jobstore.schema.base import TIME, declare, required


def _count() -> Iterator[Column[object]]:
    """Yield the columns of what happened in a span of time."""
    for name in ("created", "completed", "failed", "rejected", "resubmission_required", "cancelled", "tokens"):
        yield required(name, BigInteger)
    yield required("cost_nanos", BigInteger)
    yield required("waits", ARRAY(BigInteger), doc="from the request to the first claim, by their length")
    yield required("calls", ARRAY(BigInteger), doc="of agents, by their length")
    yield required("judgings", ARRAY(BigInteger), doc="by their length")
    yield required("durations", ARRAY(BigInteger), doc="from the request to the end, by their length")
    for name in ("queued_max", "running_max", "judging_max"):
        yield Column(name, BigInteger, doc="none without a sample")


def _measure() -> Iterator[Column[object]]:
    """Yield the columns of what an agent did in an hour."""
    yield required("ended", BigInteger)
    yield required("completed", BigInteger)
    yield required("seconds", DOUBLE_PRECISION, doc="of all that ended, from the request on")
    for name in ("waits", "calls", "judgings"):
        yield required(name, BigInteger, doc="how many were measured")
        yield required(f"{name}_s", DOUBLE_PRECISION, doc="and their seconds")


#: Counts of what happened, as it is published, and highest samples of gauges: a row a minute, after days one an hour.
rollups = declare(
    "rollups",
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("at", TIME, primary_key=True),
    *_count(),
)

#: Without samples. A table of its own: jobstores of 0.2.0 write that of all tenants meanwhile.
tenant_rollups = declare(
    "tenant_rollups",
    Column("tenant", Text, primary_key=True),
    Column("span_s", Integer, primary_key=True, autoincrement=False),
    Column("at", TIME, primary_key=True),
    *_count(),
)

agent_rollups = declare(
    "agent_rollups",
    Column("agent_id", Text, primary_key=True),
    Column("at", TIME, primary_key=True, doc="an hour"),
    *_measure(),
)

tenant_agent_rollups = declare(
    "tenant_agent_rollups",
    Column("tenant", Text, primary_key=True),
    Column("agent_id", Text, primary_key=True),
    Column("at", TIME, primary_key=True, doc="an hour"),
    *_measure(),
    required("refused", BigInteger, server_default=text("0"), doc="of those that ended: results not accepted"),
    required("tokens", BigInteger, server_default=text("0")),
    required("cost_nanos", BigInteger, server_default=text("0"), doc="of its jobs: by it and by judges"),
    required("wait_parts", ARRAY(BigInteger), server_default=text("'{}'"), doc="waits by their length"),
    required("call_parts", ARRAY(BigInteger), server_default=text("'{}'"), doc="calls by their length"),
    required("judging_parts", ARRAY(BigInteger), server_default=text("'{}'"), doc="judgings by their length"),
    required("failures", JSONB, server_default=text("'{}'"), doc="how many failed, by code"),
    required("refusals", JSONB, server_default=text("'{}'"), doc="how many were not accepted, by criterion"),
)

#: Verdicts of jobs, and judgings of what was judged before or is labelled.
quality_rollups = declare(
    "quality_rollups",
    Column("tenant", Text, primary_key=True),
    Column("span_s", Integer, primary_key=True, autoincrement=False, doc="an hour, or a day of UTC"),
    Column("at", TIME, primary_key=True),
    Column("agent_id", Text, primary_key=True, doc="empty: of a case that is no job's"),
    Column("judge", Text, primary_key=True, doc="the policy and its version"),
    required("judged", BigInteger, doc="first verdicts on results"),
    required("accepted", BigInteger, doc="of those"),
    required("unjudged", BigInteger, doc="the judge failed, or proved nothing"),
    required("compared", BigInteger, doc="judgings of what was judged before, or is labelled"),
    required("flipped", BigInteger, doc="of those: with another end than before, or than the label"),
    required("models", JSONB, doc="how many results each judged"),
    required("criteria", JSONB, doc="passed, failed, not assessed; the most by themselves, others without a text"),
)
