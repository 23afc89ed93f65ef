"""What is due has an index by when; what has no deadline, and jobs without labels, have fewer entries in indexes."""

from typing import Final

from alembic import op

revision = "0014"
down_revision = "0013"

#: The first entry of a stage and state in the index on what is due says when a loop must look again.
INDEXES: Final = {
    "executions_due_idx": "executions (stage, state, due_at) "
    "WHERE state <> 'DONE' AND (stage <> 'EXECUTING' OR state <> 'QUEUED')",
    "executions_fails_at_idx": "executions (fails_at) WHERE state <> 'DONE' AND fails_at IS NOT NULL",
    "jobs_labels_idx": "jobs USING gin (labels jsonb_path_ops) WHERE labels <> '{}'",
    "workers_stage_idx": "workers (stage)",
}


def upgrade() -> None:
    """Make each index beside the one that it replaces: older jobstores go on. It may be broken off anywhere."""
    with op.get_context().autocommit_block():
        for name, definition in INDEXES.items():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS new_{name}")
            op.execute(f"CREATE INDEX CONCURRENTLY new_{name} ON {definition}")
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.execute(f"ALTER INDEX new_{name} RENAME TO {name}")
