"""What a tenant may spend in a day, what it has spent, and the judge policies that its jobs may name."""

from alembic import op

revision = "0105"
down_revision = "0104"

CHANGES = (
    "ALTER TABLE limits ADD COLUMN nanos_per_day BIGINT, ADD COLUMN judge_policies JSON",
    """
    CREATE TABLE spending (
        day DATE NOT NULL,
        tenant TEXT NOT NULL,
        part SMALLINT NOT NULL,
        agents_nanos BIGINT NOT NULL,
        judges_nanos BIGINT NOT NULL,
        CONSTRAINT spending_pkey PRIMARY KEY (day, tenant, part)
    )
    """,
)


def upgrade() -> None:
    """Add the columns and the table."""
    for change in CHANGES:
        op.execute(change)
