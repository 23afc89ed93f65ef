"""Say for each RPC which roles may call it, and what the call is of: the one table of permissions.

REST routes, commands of the CLI and buttons of the page call RPCs, and need the roles that these need. What is not in
the table is refused.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from signoff.status import Role, View


class Of(Enum):
    """Whose things a call reads or changes."""

    TENANT = "of the caller's tenants, as if there were no others"
    ALL = "of the whole installation: its caller is of all tenants"
    WORK = "of a worker's own leases"
    SELF = "of the caller, by its credential"
    ANYBODY = "of nobody: it is the same for each caller"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call an RPC, and what it is of. `audited`: each call is kept in the audit, and not refused ones alone."""

    roles: frozenset[Role]
    of: Of
    audited: bool = False
    #: Of an RPC that answers payloads in the full view: the view of calls that ask for none. Where an installation
    #: wants that, calls for payloads are audited, too.
    payloads: View | None = None


VIEWERS: Final = frozenset({Role.VIEWER, Role.OPERATOR, Role.REVIEWER, Role.ADMINISTRATOR})
OPERATORS: Final = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
ADMINISTRATORS: Final = frozenset({Role.ADMINISTRATOR})
EVERYBODY: Final = frozenset(Role)
#: The roles of services, which work for all tenants.
SERVICES: Final = frozenset({Role.EXECUTOR, Role.VALIDATOR, Role.CONSOLE})
_PEOPLE_AND_CONSOLES: Final = VIEWERS | {Role.CONSOLE, Role.UPSTREAM}


def _list(
    service: str,
    roles: Collection[Role],
    of: Of,
    methods: Iterable[str],
    *,
    audited: bool = False,
    payloads: View | None = None,
) -> dict[str, Access]:
    return {f"/{service}/{method}": Access(frozenset(roles), of, audited, payloads) for method in methods}


_JOBS, _AGENTS, _JUDGES = "signoff.v1.JobService", "signoff.v1.AgentService", "signoff.v1.JudgeService"
_JUDGINGS, _OPERATIONS, _RECEIPTS = (
    "signoff.v1.JudgingService",
    "signoff.v1.OperationsService",
    "signoff.v1.ReceiptService",
)
_KEEPING = "signoff.v1.KeepingService"
_IDENTITY, _WORK = "signoff.v1.IdentityService", "signoff.worker.v1.WorkService"
_HEALTH, _REFLECTION = "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"

#: What is asked before there is a credential: it is answered without one, and without reading the request.
OPEN: Final = frozenset({f"/{_HEALTH}/Check", f"/{_IDENTITY}/GetSignIn"})
#: By the full name of a method, as gRPC calls it.
ACCESS: Final[Mapping[str, Access]] = {
    **_list(
        _JOBS,
        VIEWERS | {Role.UPSTREAM},
        Of.TENANT,
        ("ExplainJob", "CountJobs", "ListJobFacets", "GetExecution"),
    ),
    **_list(_JOBS, VIEWERS | {Role.UPSTREAM}, Of.TENANT, ("GetJob", "GetResult"), payloads=View.FULL),
    **_list(_JOBS, VIEWERS | {Role.UPSTREAM}, Of.TENANT, ("ListJobs", "ListJobLogs"), payloads=View.BASIC),
    **_list(_JOBS, _PEOPLE_AND_CONSOLES, Of.TENANT, ("WatchJobs",), payloads=View.BASIC),
    **_list(_JOBS, OPERATORS | {Role.UPSTREAM}, Of.TENANT, ("CreateJob", "ExecuteJob", "ExecuteJobs", "CancelJob")),
    **_list(_JOBS, OPERATORS, Of.TENANT, ("UpdateJob", "AssignAgent", "ResubmitJob")),
    **_list(_AGENTS, VIEWERS | {Role.UPSTREAM}, Of.TENANT, ("GetAgent", "ListAgents")),
    **_list(_AGENTS, VIEWERS, Of.TENANT, ("GetAgentTry", "ListAgentTries")),
    **_list(_AGENTS, OPERATORS, Of.TENANT, ("CreateAgent", "UpdateAgent", "DisableAgent", "CreateAgentTry")),
    **_list(_RECEIPTS, VIEWERS | {Role.UPSTREAM}, Of.TENANT, ("GetReceipt",), audited=True),
    **_list(_RECEIPTS, EVERYBODY, Of.ANYBODY, ("ListReceiptKeys",)),
    **_list(
        _JUDGES,
        VIEWERS,
        Of.TENANT,
        ("ListJudgePolicies", "GetJudgePolicy", "GetGoldenSet", "ListCriteriaSets", "GetCriteriaSet"),
    ),
    **_list(_JUDGES, VIEWERS | {Role.UPSTREAM}, Of.ANYBODY, ("LintCriteria",)),
    **_list(
        _JUDGES,
        OPERATORS,
        Of.TENANT,
        ("KeepEvaluation", "PutGoldenSet", "RetireGoldenSet", "PutCriteriaSet", "RetireCriteriaSet"),
    ),
    **_list(_JUDGES, ADMINISTRATORS, Of.TENANT, ("PutJudgePolicy", "PromoteJudgePolicy", "RetireJudgePolicy")),
    **_list(_JUDGINGS, VIEWERS, Of.TENANT, ("GetJudgings", "WatchJudgings", "GetRejudgeReport")),
    **_list(_JUDGINGS, OPERATORS, Of.TENANT, ("CreateJudgings",)),
    **_list(
        _OPERATIONS,
        VIEWERS,
        Of.TENANT,
        (
            *("GetOperation", "GetOperationGroups", "ListOperationItems", "ListOperations", "WatchOperation"),
            *("ListLimits", "GetLimit", "GetOverview", "GetAgentStats", "GetQuality"),
            *("GetInbox", "UpdateInbox"),
        ),
    ),
    **_list(
        _OPERATIONS,
        OPERATORS,
        Of.TENANT,
        (
            *("PreviewOperation", "CreateOperation", "PauseOperation", "ResumeOperation", "CancelOperation"),
            "RetryOperation",
        ),
    ),
    **_list(_OPERATIONS, OPERATORS, Of.TENANT, ("Pause",), audited=True),
    **_list(_OPERATIONS, ADMINISTRATORS, Of.TENANT, ("SetLimit", "RemoveLimit"), audited=True),
    **_list(_OPERATIONS, ADMINISTRATORS, Of.ALL, ("ConfirmLimits",), audited=True),
    **_list(_KEEPING, VIEWERS, Of.TENANT, ("ListRetentions", "GetRetention", "PreviewRetention")),
    **_list(_KEEPING, VIEWERS, Of.TENANT, ("GetRemovedJob",), payloads=View.FULL),
    **_list(_KEEPING, ADMINISTRATORS, Of.TENANT, ("SetRetention", "DeleteRetention"), audited=True),
    **_list(_KEEPING, VIEWERS, Of.TENANT, ("ListHolds",)),
    **_list(_KEEPING, OPERATORS, Of.TENANT, ("HoldJob", "ReleaseJob")),
    **_list(_KEEPING, VIEWERS, Of.ALL, ("GetKept",)),
    **_list(_OPERATIONS, VIEWERS, Of.ALL, ("Diagnose", "GetWorkers", "ListDeadLetters")),
    **_list(_OPERATIONS, OPERATORS, Of.ALL, ("ResolveDeadLetters",), audited=True),
    **_list(_OPERATIONS, VIEWERS, Of.SELF, ("CreateLoginCode",), audited=True),
    # An administrator may, since a console of 0.2.0 has the administrator's token.
    **_list(_OPERATIONS, {Role.CONSOLE, Role.ADMINISTRATOR}, Of.SELF, ("SpendLoginCode",), audited=True),
    **_list(_IDENTITY, EVERYBODY, Of.SELF, ("GetCaller", "WatchCaller")),
    **_list(_IDENTITY, EVERYBODY, Of.ANYBODY, ("GetSignIn",)),
    **_list(_IDENTITY, ADMINISTRATORS, Of.ALL, ("CreateTenant",), audited=True),
    **_list(_IDENTITY, VIEWERS, Of.TENANT, ("ListTenants",)),
    **_list(_IDENTITY, VIEWERS, Of.SELF, ("CreateSession",), audited=True),
    **_list(_IDENTITY, VIEWERS, Of.SELF, ("ListSessions",)),
    **_list(_IDENTITY, VIEWERS, Of.SELF, ("EndSession",), audited=True),
    **_list(_IDENTITY, ADMINISTRATORS, Of.TENANT, ("ListTokens", "ListAudit")),
    **_list(_IDENTITY, ADMINISTRATORS, Of.TENANT, ("ExportAudit",), audited=True),
    **_list(_IDENTITY, ADMINISTRATORS, Of.TENANT, ("CreateToken", "RotateToken", "RevokeToken"), audited=True),
    **_list(_WORK, {Role.EXECUTOR}, Of.WORK, ("BeginExecutions", "FinishTask", "WatchTasks")),
    **_list(
        _WORK, {Role.VALIDATOR}, Of.WORK, ("BeginJudgings", "FinishJudgings", "ReportJudge", "WatchWaitingJudgings")
    ),
    **_list(_WORK, {Role.EXECUTOR, Role.VALIDATOR}, Of.WORK, ("RenewLeases",)),
    **_list(_HEALTH, EVERYBODY, Of.ANYBODY, ("Check", "List", "Watch")),
    **_list(_REFLECTION, EVERYBODY, Of.ANYBODY, ("ServerReflectionInfo",)),
}


def name_roles(roles: Iterable[Role]) -> str:
    """Return the roles as a message names them, in their order: `operator or administrator`."""
    return " or ".join(role.value for role in Role if role in set(roles))
