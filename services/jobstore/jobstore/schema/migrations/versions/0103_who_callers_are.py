"""Tokens with names and roles, and login codes that belong to them."""

from alembic import op

revision = "0103"
down_revision = "0102"

CHANGES = (
    """
    CREATE TABLE tokens (
        hash BYTEA NOT NULL,
        id UUID DEFAULT uuidv7() NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        actor TEXT NOT NULL,
        role TEXT NOT NULL,
        tenants TEXT[],
        hint TEXT NOT NULL,
        client TEXT DEFAULT '' NOT NULL,
        maker_hash BYTEA,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
        created_by TEXT NOT NULL,
        ends_at TIMESTAMP WITH TIME ZONE,
        revoked_at TIMESTAMP WITH TIME ZONE,
        last_used_at TIMESTAMP WITH TIME ZONE,
        change BIGINT NOT NULL,
        CONSTRAINT tokens_pkey PRIMARY KEY (hash),
        CONSTRAINT tokens_kind_check CHECK (kind IN ('token', 'session'))
    )
    """,
    "CREATE UNIQUE INDEX tokens_id_key ON tokens (id)",
    "CREATE INDEX tokens_change_idx ON tokens (change)",
    "CREATE INDEX tokens_name_idx ON tokens (name) WHERE kind = 'token'",
    "CREATE INDEX tokens_listed_idx ON tokens (kind, created_at, id)",
    "CREATE INDEX tokens_ended_idx ON tokens (ends_at) WHERE kind = 'session'",
    """
    CREATE TABLE token_changes (
        id SMALLINT NOT NULL,
        number BIGINT DEFAULT '0' NOT NULL,
        CONSTRAINT token_changes_pkey PRIMARY KEY (id),
        CONSTRAINT token_changes_one_check CHECK (id = 1)
    )
    """,
    "INSERT INTO token_changes (id) VALUES (1)",
    "ALTER TABLE login_codes ADD maker_hash BYTEA",
    "ALTER TABLE login_codes ALTER token_mac DROP NOT NULL",
)


def upgrade() -> None:
    """Add the tables."""
    for change in CHANGES:
        op.execute(change)
