"""Agents of more protocols: their settings, and the work of theirs that is found again."""

from alembic import op

revision = "0101"
down_revision = "0100"

CHANGES = (
    "ALTER TABLE agents ADD COLUMN settings JSON DEFAULT '{}' NOT NULL, ADD COLUMN signing TEXT",
    """
    CREATE TABLE agent_settings (
        hash BYTEA NOT NULL,
        body JSON NOT NULL,
        CONSTRAINT agent_settings_pkey PRIMARY KEY (hash)
    )
    """,
    "ALTER TABLE job_logs ADD COLUMN handle TEXT",
    """
    ALTER TABLE executions
        ADD COLUMN protocol TEXT, ADD COLUMN settings_hash BYTEA, ADD COLUMN handle TEXT,
        ADD COLUMN follows_only BOOLEAN DEFAULT false NOT NULL
    """,
    "ALTER TABLE workers ADD COLUMN protocols TEXT[] DEFAULT '{}' NOT NULL",
)


def upgrade() -> None:
    """Add the columns, none of which rewrites a table, and the table of settings."""
    for change in CHANGES:
        op.execute(change)
