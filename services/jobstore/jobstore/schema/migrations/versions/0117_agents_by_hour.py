"""How agents do is counted with percentiles, costs, failures and refusals, and changes of circuits are kept."""

from alembic import op

revision = "0117"
down_revision = "0116"

CHANGES = (
    """
    ALTER TABLE tenant_agent_rollups
        ADD COLUMN refused BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN tokens BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN cost_nanos BIGINT NOT NULL DEFAULT 0,
        ADD COLUMN wait_parts BIGINT[] NOT NULL DEFAULT '{}',
        ADD COLUMN call_parts BIGINT[] NOT NULL DEFAULT '{}',
        ADD COLUMN judging_parts BIGINT[] NOT NULL DEFAULT '{}',
        ADD COLUMN failures JSONB NOT NULL DEFAULT '{}',
        ADD COLUMN refusals JSONB NOT NULL DEFAULT '{}'
    """,
    """
    CREATE TABLE circuit_changes (
        agent_id TEXT NOT NULL,
        at TIMESTAMP WITH TIME ZONE NOT NULL,
        open_until TIMESTAMP WITH TIME ZONE,
        CONSTRAINT circuit_changes_pkey PRIMARY KEY (agent_id, at),
        CONSTRAINT circuit_changes_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents (id)
    )
    """,
)


def upgrade() -> None:
    """Add the columns and the table."""
    for change in CHANGES:
        op.execute(change)
