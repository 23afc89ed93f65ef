"""The public keys that receipts are and were signed with."""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE receipt_keys (
            public_key BYTEA NOT NULL,
            secret_id TEXT NOT NULL,
            added_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
            CONSTRAINT receipt_keys_pkey PRIMARY KEY (public_key)
        )
        """
    )
