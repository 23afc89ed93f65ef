"""What happens is counted by tenant, too, from now on."""

from alembic import op

revision = "0114"
down_revision = "0113"

CHANGES = (
    """
    CREATE TABLE tenant_rollups (
        tenant TEXT NOT NULL,
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
        CONSTRAINT tenant_rollups_pkey PRIMARY KEY (tenant, span_s, at)
    )
    """,
    """
    CREATE TABLE tenant_agent_rollups (
        tenant TEXT NOT NULL,
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
        CONSTRAINT tenant_agent_rollups_pkey PRIMARY KEY (tenant, agent_id, at)
    )
    """,
)


def upgrade() -> None:
    """Add the tables."""
    for change in CHANGES:
        op.execute(change)
