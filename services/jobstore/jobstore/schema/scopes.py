"""Declare for each table which of its rows a caller of some tenants reads (engine.scoped)."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

#: Stands in a condition for the comparison of a tenant with those of the caller: `{mine}` is `= $1` or `= ANY($1)`.
OWN: Final = "tenant {mine}"
OWN_OR_SHARED: Final = "(shared OR tenant {mine})"


#: The tenant of a removed job, as its last entry names it (jobs.model.write_removal).
TENANT_OF_REMOVED: Final = "response_payload ->> 0"
OWNER_OF_LOG: Final = "(SELECT owner.tenant FROM jobs AS owner WHERE owner.id = job_logs.job_id)"


def of_job(table: str) -> str:
    """Return the condition of the rows of a table that has the ids of jobs, and no tenant of its own."""
    return f"(SELECT owner.tenant FROM jobs AS owner WHERE owner.id = {table}.job_id) {{mine}}"  # noqa: S608 - a name


def of_agent(table: str) -> str:
    """Return the condition of the rows of a table that has the ids of agents: of those that the tenants may use."""
    return f"EXISTS (SELECT FROM agents AS owner WHERE owner.id = {table}.agent_id AND {OWN_OR_SHARED})"


def of_name(table: str, kind: str, whose: str = OWN_OR_SHARED) -> str:
    """Return the condition of the rows of a table that has the names of policies or sets of a kind, an SQL expression.

    They are of those names that the tenants may use.
    """
    owner = f"owner.kind = {kind} AND owner.name = {table}.name"
    return f"EXISTS (SELECT FROM judging_versions AS owner WHERE {owner} AND {whose})"


#: The conditions of the rows that a caller reads. What names another table in its condition stands before that.
SCOPED: Final[Mapping[str, str]] = {
    "agent_cards": of_agent("agent_cards"),
    "agent_tasks": OWN,
    "circuit_changes": of_agent("circuit_changes"),
    "circuits": of_agent("circuits"),
    "limits": """
        CASE WHEN name LIKE 'tenant:%' THEN substr(name, 8)
            WHEN name LIKE 'agent:%' THEN (SELECT tenant FROM agents WHERE id = substr(limits.name, 7))
        END {mine}
    """,
    "agents": OWN_OR_SHARED,
    "executions": OWN,
    "judgings": OWN,
    "holds": of_job("holds"),
    "job_logs": f"coalesce({OWNER_OF_LOG}, CASE WHEN kind = 'removed' THEN {TENANT_OF_REMOVED} END) {{mine}}",
    "job_texts": OWN,
    # Not those of several tenants of which the caller lacks one.
    "audit": "(audit.tenants <> '{{}}' AND NOT EXISTS (SELECT FROM unnest(audit.tenants) AS of (tenant) "
    "WHERE (of.tenant {mine}) IS NOT TRUE))",
    # Of shared names others' verdicts are counted, too.
    "judging_counts": of_name("judging_counts", "judging_counts.kind", OWN),
    "judging_evaluations": of_name("judging_evaluations", "'judge'"),
    "judging_moves": of_name("judging_moves", "judging_moves.kind"),
    "judging_versions": OWN_OR_SHARED,
    # Also of jobs that its caller named, and that are none of its tenants: these are refused as unknown.
    "operation_items": "EXISTS (SELECT FROM operations AS owner WHERE owner.id = operation_items.operation_id "
    "AND owner.tenant {mine})",
    "jobs": OWN,
    "operations": OWN,
    "quality_rollups": OWN,
    "retentions": "CASE WHEN name LIKE 'tenant:%' THEN substr(name, 8) END {mine}",
    "spending": OWN,
    "tenant_agent_rollups": OWN,
    "tenant_rollups": OWN,
    "tenants": "name {mine}",
}

#: Tables that have nothing of a tenant, or what is told to all of them.
OPEN: Final[Mapping[str, str]] = {
    "keeping": "how far the log is archived and cut",
    "receipt_keys": "anybody verifies receipts",
    "relay": "how far the log is settled",
    "text_index": "how far the texts are indexed",
}

#: Tables of which a caller of some tenants reads nothing: they are of the installation, or of all tenants together.
CLOSED: Final[Mapping[str, str]] = {
    "agent_rollups": "counts of all tenants together: `tenant_agent_rollups` has those of each",
    "archive_parts": "of the installation",
    "agent_settings": "executions freeze them: read with the execution",
    "epochs": "of the jobstores",
    "facts": "what the relay has to publish, of all",
    "inboxes": "a viewer's own row, found by its name",
    "login_codes": "found by their hashes",
    "request_keys": "found by their hashes",
    "reusable": "what agents were paid for, of all",
    "rollup": "how far is counted",
    "rollups": "counts of all tenants together: `tenant_rollups` has those of each",
    "sign_ins": "of the installation",
    "starts": "of limits",
    "stubs": "what the relay could not publish, of all",
    "token_changes": "of the installation",
    "tokens": "compared with the caller's own tenants where they are read",
    "workers": "of the installation",
}


class OfAll(Enum):
    """What calls of some tenants do with rows of all tenants, each with its reason."""

    WAITS = "the limits, workers and circuits that hold jobs back; the jobs themselves are those of the tenants"
    LAST_LOGS = "the newest entries of jobs that the call has read, which are those of the tenants"
    INBOXES = "what a caller has seen and put off is found by its own name"
    KEEPING = "what is said of each tenant, and how far the archive is, hold for the caller's tenants, too"
    REMOVED = "the tenant of a removed job stands in its entry alone, and is compared with the caller's"
    LOGIN_CODES = "a code is written for its caller, and found by its hash"
