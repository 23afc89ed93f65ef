"""The audit: what callers did, and what they were refused."""

from alembic import op

revision = "0109"
down_revision = "0108"

CHANGES = (
    """
    CREATE TABLE audit (
        id UUID DEFAULT uuidv7() NOT NULL,
        at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        method TEXT NOT NULL,
        outcome TEXT NOT NULL,
        code TEXT NOT NULL,
        reason TEXT NOT NULL,
        name TEXT NOT NULL,
        tenants TEXT[],
        count BIGINT NOT NULL,
        address TEXT NOT NULL,
        CONSTRAINT audit_pkey PRIMARY KEY (id)
    )
    """,
    "CREATE INDEX audit_at_idx ON audit (at, id)",
    "CREATE INDEX audit_actor_idx ON audit (actor, at, id)",
)


def upgrade() -> None:
    """Add the table."""
    for change in CHANGES:
        op.execute(change)
