"""Say of each operation of REST which calls of gRPC it makes for its caller, and so which roles may ask for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.access import ACCESS, Of
from signoff.identity import Caller
from signoff.status import Role

#: By the id of an operation that has not the name of its call, or that makes others besides: the calls.
_CALLS: Final[Mapping[str, tuple[str, ...]]] = {
    "get_health": (),
    "list_receipt_keys": (),  # the console asks for all alike
    "edit_job": ("UpdateJob",),
    "assign_job": ("AssignAgent",),
    "cancel_job": ("CancelJob", "GetJob"),
    "cancel_execution": ("CancelJob",),
    "watch_jobs": ("GetCaller", "WatchJobs"),
    "watch_job": ("GetCaller", "GetJob", "WatchJobs"),
    "get_result_as_html": ("GetResult",),
    "create_batch": ("ExecuteJobs",),
    "list_batches": ("ListOperations",),
    "get_batch_groups": ("GetOperationGroups",),
    "list_batch_items": ("ListOperationItems",),
    "watch_operation": ("GetOperation", "WatchOperation"),
    "watch_batch": ("GetOperation", "WatchOperation"),
    "patch_agent": ("UpdateAgent",),
    "pause_agent": ("GetAgent", "Pause"),
    "resume_agent": ("GetAgent", "Pause"),
    "patch_limit": ("SetLimit",),
    "patch_retention": ("SetRetention",),
    "remove_limit": ("ListLimits", "RemoveLimit"),
    "confirm_limits": ("ConfirmLimits", "ListLimits"),
    "pause_tenant": ("Pause",),
    "resume_tenant": ("Pause",),
}
_METHODS: Final[Mapping[str, str]] = {method.rpartition("/")[2]: method for method in ACCESS}


@dataclass(frozen=True, slots=True)
class RouteAccess:
    """Who may ask for an operation: callers of one of the `roles`, and if it is `of_all`, of all tenants besides."""

    calls: tuple[str, ...]
    roles: frozenset[Role]
    of_all: bool

    def allows(self, caller: Caller) -> bool:
        """Return whether a caller may ask for the operation."""
        return caller.role in self.roles and (caller.all_tenants or not self.of_all)


def find_access(operation_id: str) -> RouteAccess:
    """Return who may ask for an operation: those who may make each of its calls. KeyError: no call has its name."""
    calls = _CALLS.get(operation_id)
    if calls is None:
        calls = (operation_id.replace("batch", "operation").title().replace("_", ""),)
    needed = [ACCESS[_METHODS[call]] for call in calls]
    roles = frozenset(Role).intersection(*(access.roles for access in needed))
    return RouteAccess(calls, roles, any(access.of is Of.ALL for access in needed))
