"""The tables, as SQLAlchemy knows them. Migrations create them; a test compares the two."""

from jobstore.storage.tables.derived import agent_rollups, job_texts, receipt_keys, rollup, rollups, text_index
from jobstore.storage.tables.judging import judging_counts, judging_evaluations, judging_moves, judging_versions
from jobstore.storage.tables.judgings import judgings
from jobstore.storage.tables.state import (
    agents,
    circuits,
    epochs,
    executions,
    facts,
    job_logs,
    jobs,
    limits,
    metadata,
    operation_items,
    operations,
    relay,
    reusable,
    starts,
    stubs,
    workers,
)

__all__ = [
    "agent_rollups",
    "agents",
    "circuits",
    "epochs",
    "executions",
    "facts",
    "job_logs",
    "job_texts",
    "jobs",
    "judging_counts",
    "judging_evaluations",
    "judging_moves",
    "judging_versions",
    "judgings",
    "limits",
    "metadata",
    "operation_items",
    "operations",
    "receipt_keys",
    "relay",
    "reusable",
    "rollup",
    "rollups",
    "starts",
    "stubs",
    "text_index",
    "workers",
]
