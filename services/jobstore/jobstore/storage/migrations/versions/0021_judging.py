"""Judge policies and criteria sets by name and version, what came of them, and by what each validator judges."""

from alembic import op

revision = "0021"
down_revision = "0020"

STEPS = """
CREATE TABLE judging_versions (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    note TEXT,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT judging_versions_pkey PRIMARY KEY (kind, name, version),
    CONSTRAINT judging_versions_kind_check CHECK (kind IN ('judge', 'criteria', 'golden'))
);
CREATE TABLE judging_moves (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    move INTEGER NOT NULL,
    version INTEGER,
    reason TEXT,
    actor TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT signoff_now() NOT NULL,
    CONSTRAINT judging_moves_pkey PRIMARY KEY (kind, name, move)
);
CREATE TABLE judging_counts (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    met BIGINT NOT NULL,
    not_met BIGINT NOT NULL,
    unjudged BIGINT NOT NULL,
    cost_usd DOUBLE PRECISION NOT NULL,
    tokens BIGINT NOT NULL,
    CONSTRAINT judging_counts_pkey PRIMARY KEY (kind, name, version)
);
ALTER TABLE workers ADD COLUMN judge TEXT, ADD COLUMN judge_keys JSON
"""


def upgrade() -> None:
    for statement in STEPS.split(";"):
        op.execute(statement)
