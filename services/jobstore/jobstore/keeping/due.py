"""Say in SQL what retentions let go: which of the jobs that rest, and operations that ended, are kept for how long."""

from typing import Final

from jobstore.keeping.rules import GENERAL, Rule

#: The SQL condition, by rule, of a job that is under it: the row `j` of jobs.
_CONDITIONS: Final = {
    **{rule: f"j.status = '{rule.name}'" for rule in Rule if len(rule.statuses) == 1},
    Rule.CANCELLED: "j.cancelled AND j.status IN ('ASSIGNED', 'PENDING')",
}
RULES_OF_JOBS: Final = tuple(_CONDITIONS)
#: The SQL of the name of the rule that the job `j` is under; NULL: none, as it was never executed, or is live.
RULE: Final = (
    "CASE WHEN j.live THEN NULL "
    + " ".join(f"WHEN {condition} THEN '{rule.name}'" for rule, condition in _CONDITIONS.items())
    + " END"
)


def is_under(rule: Rule) -> str:
    """Return the SQL condition that the job `j` rests, and is under a rule."""
    return f"NOT j.live AND ({_CONDITIONS[rule]})"


def join_retentions(tenant: str, besides: str = "") -> str:
    """Return the SQL that joins the retentions `own` and `general` of a tenant, whose name is the SQL `tenant`.

    `besides`: a further condition of the former.
    """
    return f"""LEFT JOIN retentions own ON own.name = 'tenant:' || {tenant} {besides}
        LEFT JOIN retentions general ON general.name = '{GENERAL}'"""


def kept_s(rule: Rule) -> str:
    """Return the SQL of for how many seconds it is kept by a rule (`rules.find_kept_s`); NULL: for ever."""
    return f"coalesce(own.{rule.field}, general.{rule.field})"


#: The SQL of for how many seconds the job `j` is kept once it rests; NULL: for ever.
KEPT_S: Final = (
    "CASE WHEN j.live THEN NULL "
    + " ".join(f"WHEN {condition} THEN {kept_s(rule)}" for rule, condition in _CONDITIONS.items())
    + " END"
)
#: The SQL conditions that something keeps the job `j`, whatever retentions say, by the code of a refusal to remove it.
KEEPS_BACK: Final = {
    "job_held": "EXISTS (SELECT FROM holds WHERE holds.job_id = j.id)",
    "operation_live": """EXISTS (SELECT FROM operation_items i JOIN operations o ON o.id = i.operation_id
        WHERE i.job_id = j.id AND o.state NOT IN ('CANCELLED', 'DONE'))""",
}


def is_due(kept: str, within: str = "0") -> str:
    """Return the SQL condition that the job `j` has rested for the seconds `kept`, or will within so many seconds."""
    return f"j.updated_at <= signoff_now() + make_interval(secs => {within}) - make_interval(secs => {kept})"
