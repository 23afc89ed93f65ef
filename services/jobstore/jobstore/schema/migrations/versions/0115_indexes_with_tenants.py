"""Indexes of jobs have the tenant last, so that a tenant's jobs are counted and found in them, and not row by row."""

from alembic import op

revision = "0115"
down_revision = "0114"

#: Each index with its columns, and the one that it replaces.
CHANGES = (
    ("jobs_status_tenant_idx", "(status, created_at, id, tenant)", "jobs_status_created_at_id_idx"),
    ("jobs_agent_id_tenant_idx", "(agent_id, created_at, id, tenant)", "jobs_agent_id_created_at_id_idx"),
    ("jobs_cancelled_tenant_idx", "(created_at, id, tenant) WHERE cancelled", "jobs_cancelled_idx"),
)


def upgrade() -> None:
    """Replace the indexes while jobs are written; one that an interrupted start left half made is made again."""
    with op.get_context().autocommit_block():
        for name, columns, replaced in CHANGES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"CREATE INDEX CONCURRENTLY {name} ON jobs {columns}")
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {replaced}")
