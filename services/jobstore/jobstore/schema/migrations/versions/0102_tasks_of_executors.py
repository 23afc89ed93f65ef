"""Tasks of executors that are no executions, and what agents say of themselves."""

from alembic import op

revision = "0102"
down_revision = "0101"

CHANGES = (
    """
    CREATE TABLE agent_tasks (
        id UUID NOT NULL,
        kind TEXT NOT NULL,
        state TEXT DEFAULT 'QUEUED' NOT NULL,
        agent_id TEXT NOT NULL,
        protocol TEXT NOT NULL,
        execution_id UUID,
        asked JSON,
        lease_s DOUBLE PRECISION NOT NULL,
        lease INTEGER DEFAULT '0' NOT NULL,
        owner UUID,
        due_at TIMESTAMP WITH TIME ZONE NOT NULL,
        ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
        answer JSON,
        code TEXT,
        message TEXT,
        cost_nanos BIGINT,
        tokens BIGINT,
        duration_s DOUBLE PRECISION,
        actor TEXT,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
        answered_at TIMESTAMP WITH TIME ZONE,
        CONSTRAINT agent_tasks_pkey PRIMARY KEY (id),
        CONSTRAINT agent_tasks_kind_check CHECK (kind IN ('cancel', 'card', 'try', 'check')),
        CONSTRAINT agent_tasks_state_check CHECK (state IN ('QUEUED', 'LEASED', 'DONE'))
    )
    """,
    "CREATE INDEX agent_tasks_due_idx ON agent_tasks (due_at) WHERE state <> 'DONE'",
    "CREATE INDEX agent_tasks_over_idx ON agent_tasks (ends_at) WHERE state <> 'DONE'",
    "CREATE INDEX agent_tasks_held_idx ON agent_tasks (owner) WHERE state = 'LEASED'",
    "CREATE UNIQUE INDEX agent_tasks_card_idx ON agent_tasks (agent_id) WHERE kind = 'card'",
    "CREATE INDEX agent_tasks_tries_idx ON agent_tasks (state, created_at) WHERE kind IN ('try', 'check')",
    """
    CREATE INDEX agent_tasks_kept_idx ON agent_tasks (agent_id, created_at, id)
        WHERE kind IN ('try', 'check')
    """,
    """
    CREATE TABLE agent_cards (
        agent_id TEXT NOT NULL,
        card JSON,
        code TEXT,
        message TEXT,
        before JSON,
        changed_at TIMESTAMP WITH TIME ZONE,
        read_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT agent_cards_pkey PRIMARY KEY (agent_id)
    )
    """,
)


def upgrade() -> None:
    """Add the tables."""
    for change in CHANGES:
        op.execute(change)
