"""Verdicts are counted by hour and day, agent, judge and criterion."""

from alembic import op

revision = "0118"
down_revision = "0117"

CHANGES = (
    """
    CREATE TABLE quality_rollups (
        tenant TEXT NOT NULL,
        span_s INTEGER NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        agent_id TEXT NOT NULL,
        judge TEXT NOT NULL,
        judged BIGINT NOT NULL,
        accepted BIGINT NOT NULL,
        unjudged BIGINT NOT NULL,
        compared BIGINT NOT NULL,
        flipped BIGINT NOT NULL,
        models JSONB NOT NULL,
        criteria JSONB NOT NULL,
        CONSTRAINT quality_rollups_pkey PRIMARY KEY (tenant, span_s, at, agent_id, judge)
    )
    """,
    # What has ended before is not counted.
    "ALTER TABLE judgings ADD COLUMN is_counted BOOLEAN NOT NULL DEFAULT true",
    "ALTER TABLE judgings ALTER COLUMN is_counted SET DEFAULT false",
    "CREATE INDEX judgings_uncounted_idx ON judgings (id) WHERE state = 'DONE' AND NOT is_counted",
)


def upgrade() -> None:
    """Add the table, and the column by which judgings are counted once."""
    for change in CHANGES:
        op.execute(change)
