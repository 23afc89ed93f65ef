"""Sign-ins by ID tokens make one session each."""

from alembic import op

revision = "0106"
down_revision = "0105"

CHANGES = (
    """
    CREATE TABLE sign_ins (
        nonce BYTEA NOT NULL,
        ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
        CONSTRAINT sign_ins_pkey PRIMARY KEY (nonce)
    )
    """,
)


def upgrade() -> None:
    """Add the table."""
    for change in CHANGES:
        op.execute(change)
