"""All parts of a transaction, in the order in which every transaction locks (docs/protocol.md#locks)."""

from typing import Final

from jobstore.access.audit import AuditStore
from jobstore.agents.store import AgentsStore, CircuitsStore
from jobstore.engine.runner import Stores
from jobstore.executions.store import ExecutionsStore, WorkersStore
from jobstore.jobs.store import JobsStore, KeysStore, LogStore
from jobstore.judging.store import JudgingsStore, PoliciesStore, ReuseStore
from jobstore.keeping.hold_store import HoldsStore
from jobstore.keeping.removal_store import RemovalsStore
from jobstore.keeping.store import RetentionsStore
from jobstore.limits.store import LimitsStore, QueuesStore, SpendingStore, StartsStore
from jobstore.operations.store import OperationsStore
from jobstore.tasks.store import TasksStore
from jobstore.tenants.store import TenantsStore

#: Each reads, locks and writes after those before it; but what `JobsStore` to `WorkersStore` write is written last, in
#: one statement.
STORES: Final = Stores(
    JobsStore(),
    TenantsStore(),
    RetentionsStore(),
    OperationsStore(),
    AgentsStore(),
    LimitsStore(),
    AuditStore(),
    ExecutionsStore(),
    LogStore(),
    KeysStore(),
    PoliciesStore(),
    JudgingsStore(),
    TasksStore(),
    ReuseStore(),
    HoldsStore(),
    RemovalsStore(),
    WorkersStore(),
    SpendingStore(),
    QueuesStore(),
    CircuitsStore(),
    StartsStore(),
)
