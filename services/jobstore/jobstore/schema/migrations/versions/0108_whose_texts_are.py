"""The searched texts of jobs are of the tenants of these."""

from alembic import op

revision = "0108"
down_revision = "0107"

CHANGES = (
    # The loop that indexes texts says whose they are (jobs/texts.py).
    "ALTER TABLE job_texts ADD COLUMN tenant TEXT",
    "CREATE INDEX job_texts_tenant_created_at_idx ON job_texts (tenant, created_at, job_id)",
)


def upgrade() -> None:
    """Add the column, which rewrites no table, and its index: only the loop that indexes texts waits for it."""
    for change in CHANGES:
        op.execute(change)
