"""The rows of one transaction: those that were locked or loaded, and the changes that will be written. Pure."""

from collections import ChainMap, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, TypeAlias, TypeVar
from uuid import UUID

from jobstore.agents.rules import Breaker, Candidate
from jobstore.executions.states import Openings
from jobstore.jobs.model import (
    SIGNOFF,
    Actor,
    Clock,
    Execution,
    ExecutionStage,
    ExecutionState,
    Job,
    LogEntry,
    Refusal,
    Report,
    Said,
    Spec,
    TransitionKind,
)
from jobstore.judging.rules import Kind, Named, Reusable, Task, Version, Versions, Wanted, join_criteria
from signoff.status import JudgingKind, JudgingState, OperationKind, OperationState
from signoff.types import Agent, Limit

K = TypeVar("K")
V = TypeVar("V")


class Overlay(ChainMap[K, V]):
    """Changes before what is stored, by the same keys: a ChainMap of two, which costs a tenth as much to look into."""

    def __contains__(self, key: object) -> bool:
        changes, stored = self.maps
        return key in changes or key in stored

    def __getitem__(self, key: K) -> V:
        changes, stored = self.maps
        return changes[key] if key in changes else stored[key]

    def get(self, key: K) -> V | None:  # type: ignore[override] # nobody asks for another default
        """Return a change, or else what is stored, or else None."""
        changes, stored = self.maps
        return changes[key] if key in changes else stored.get(key)


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """The agents that a job has had since it was assigned by hand or matched.

    `not_met` counts verdicts on the present agent; `result_hash` is of the result that was judged last.
    """

    agents: frozenset[str] = frozenset()
    not_met: int = 0
    result_hash: bytes | None = None


class Question(NamedTuple):
    """By what a job's result is judged: frozen while an execution is live, since nothing can be edited then.

    `references` is JSON text: model answers and rubrics by the number of their criterion.
    """

    acceptance_criteria: str
    tenant: str
    references: str | None = None


class Grant(NamedTuple):
    """What an agent is called with: body as JSON text, references to headers, and what its judge takes, if known."""

    request: str
    protocol: str
    url: str
    headers: Mapping[str, str]
    judged_max_chars: int | None = None


class NewVersion(NamedTuple):
    """A version of a judge policy or a criteria set, as it is stored once and for all."""

    named: Named
    version: int
    body: str
    note: str | None
    actor: Actor


class NameMove(NamedTuple):
    """Which version of a name is current from now on; None: no new execution may be judged by the name."""

    named: Named
    move: int
    version: int | None
    reason: str | None
    actor: Actor


class NewEvaluation(NamedTuple):
    """What an evaluation of a version of a judge policy came to, in place of one before of the same cases.

    `measured` and `judged` are JSON texts.
    """

    name: str
    version: int
    cases_hash: str
    evaluation: UUID
    measured: str
    judged: str
    actor: Actor


class JudgedCount(NamedTuple):
    """What came of one verdict, counted for a version that it was made by."""

    kind: Kind
    reference: str
    met: int
    not_met: int
    unjudged: int
    cost_nanos: int
    tokens: int


class AgentChange(NamedTuple):
    """An agent as it is from now on, by whom, and whether it is new."""

    agent: Agent
    actor: Actor
    is_new: bool


class ForgottenAnswer(NamedTuple):
    """An answer that was remembered, and who had it forgotten."""

    answer: str
    actor: Actor


class LimitChange(NamedTuple):
    """A limit as it is from now on, None where it is removed, and by whom."""

    limit: Limit | None
    actor: Actor


@dataclass(frozen=True, slots=True)
class Item:
    """A job of an operation; `spec` is the new job as JSON text, None where the job exists.

    `execution_id`: the execution that was live as the operation was made, where that matters to its kind.
    """

    item: int
    job_id: str
    spec: str | None = None
    execution_id: UUID | None = None


#: A query of the items of an operation, which is read as they are written. Commands do not look into it.
Snapshot: TypeAlias = object


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """The answer to an item: an execution, or the code and message of a refusal."""

    item: int
    execution_id: UUID | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class NewJudging:
    """A judging without a job as it is queued. `asked` and `judge_policy` are JSON texts.

    Of a job judged again: the execution whose result it is, and the job's version. `asked` then has what is judged by
    instead of what the job says.
    """

    id: UUID
    kind: JudgingKind
    group_id: UUID
    item: int
    asked: str | None = None
    judge_policy: str | None = None
    execution_id: UUID | None = None
    job_id: str | None = None
    job_version: int | None = None
    actor: Actor = SIGNOFF
    #: Of what is evaluated: in which evaluation, the policy and its version, how often before, what names all that is
    #: judged, and the labels.
    evaluation: UUID | None = None
    judge: str | None = None
    repeat: int | None = None
    question: str | None = None
    labels: str | None = None

    @property
    def urgency(self) -> int:
        """Its turn: somebody waits for a try; an evaluation is smaller than most operations."""
        return _URGENCIES.get(self.kind, 2)


_URGENCIES: Final = {JudgingKind.TRY: 0, JudgingKind.TEST: 0, JudgingKind.DRAFT: 1, JudgingKind.EVALUATE: 1}


class StoredJudging(NamedTuple):
    """A judging that is locked. `kind` may be one of a later version.

    `before` is the response of the entry of the job's verdict before, as JSON text, as `judge_policy` is.
    """

    id: UUID
    kind: str
    state: JudgingState
    lease: int
    execution_id: UUID | None
    job_id: str | None
    before: str | None
    actor: Actor
    judge_policy: str | None = None
    has_lapsed: bool = False
    #: Whether it was cancelled under its lease, and nobody has said what it had cost.
    is_cut_short: bool = False


@dataclass(frozen=True, slots=True)
class JudgingAnswer:
    """What is kept of a judging that is done: `answer` is its verdict as JSON text, `before` as the column has it."""

    id: UUID
    cost_nanos: int | None  # None where a model was asked that does not tell it
    answer: str | None = None
    before: str | None = None
    was_valid: bool | None = None
    is_valid: bool | None = None
    code: str | None = None
    message: str | None = None
    tokens: int = 0
    duration_s: float | None = None


class StoredOperation(NamedTuple):
    """The state of an operation, and its kind."""

    state: OperationState
    kind: OperationKind = OperationKind.EXECUTE


@dataclass(frozen=True, slots=True)
class OperationSpec:
    """What an operation is: its kind, its items, or a snapshot of them, and what its kind needs to know besides."""

    kind: OperationKind = OperationKind.EXECUTE
    items: Sequence[Item] = ()
    snapshot: Snapshot | None = None
    name: str | None = None
    retry_of: UUID | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)


class NewOperation(NamedTuple):
    """An operation as it is stored first."""

    id: UUID
    actor: Actor
    spec: OperationSpec


class OperationMove(NamedTuple):
    """A new state of an operation, whether it has ended, and what is kept of who asked for it, and why."""

    id: UUID
    state: OperationState
    has_ended: bool
    said: Mapping[str, str]


class WorkerRoom(NamedTuple):
    """For how many more leases of a stage a worker has room, and of how many; 0: that is not said here."""

    stage: ExecutionStage
    room: int
    capacity: int = 0
    #: What it says of itself, as JSON, where it does.
    report: str | None = None


@dataclass(slots=True, kw_only=True)
class Stored:
    """The rows that a transaction has locked or loaded, by id, as they are in the tables.

    What no command of the transaction asks for is not loaded. The rooms, and the load of candidates, count what was
    decided since, too.
    """

    clock: Clock
    #: Whether the limits lock is held; whether a command needs it, and it is not, since limits are being changed.
    limits_held: bool = False
    limits_missed: bool = False
    #: The names of all limits that hold executions back.
    limit_names: Collection[str] = frozenset()
    #: Whether any limit caps a queue, or has a rate; how many more executions of each capped tenant may wait.
    has_queue_caps: bool = False
    has_rates: bool = False
    queue_room: dict[str, int] = field(default_factory=dict)
    #: Whether any agent has a stored circuit. If not, all are closed and none need be locked.
    has_circuits: bool = False
    circuits: dict[str, Breaker] = field(default_factory=dict)
    #: Whether executions may be offered as they are requested; none may unless a command asks for it.
    openings: Openings = field(default_factory=Openings)
    #: Where anything is granted: the executions that were offered and not claimed yet.
    offered: int = 0
    #: Of how many more unknown executions the answers may be remembered: cancelled, or why the record was wrong.
    cancel_room: int = 0
    wrong_room: int = 0

    jobs: dict[str, Job] = field(default_factory=dict)
    executions: dict[UUID, Execution] = field(default_factory=dict)
    specs: dict[str, Spec] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)
    #: What live executions ask their agents, by job: frozen as questions are, and not more than judges are shown.
    tasks: dict[str, Task] = field(default_factory=dict)
    grants: dict[UUID, Grant] = field(default_factory=dict)
    judged_max_chars: int | None = None  # the least that a validator is set to take, where anything is granted
    agents: dict[str, Agent] = field(default_factory=dict)
    #: The agents that a job of this transaction may be matched to.
    candidates: dict[str, Candidate] = field(default_factory=dict)
    #: Of jobs that may be submitted again by policy, and of those that may be asked the same again.
    histories: dict[str, AgentHistory] = field(default_factory=dict)
    last_entries: dict[str, Said] = field(default_factory=dict)
    #: What may be reused: verdicts and what overrules them, by key; results by the execution that may reuse them.
    verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    results: dict[UUID, Reusable] = field(default_factory=dict)
    #: Those that were named.
    limits: dict[str, Limit] = field(default_factory=dict)
    operations: dict[UUID, StoredOperation] = field(default_factory=dict)
    #: What was asked for under idempotency keys, as hashes, by the ids of the requests.
    request_keys: dict[UUID, bytes] = field(default_factory=dict)
    unfinished: Collection[UUID] = frozenset()
    #: Items (operation, number) that have no answer yet.
    open_items: Collection[tuple[UUID, int]] = frozenset()
    #: The versions that were wanted; None: there is none.
    versions: dict[Wanted, Version | None] = field(default_factory=dict)
    #: All that is known of judge policies and criteria sets that are to be changed.
    names: dict[Named, Versions] = field(default_factory=dict)
    judgings: dict[UUID, StoredJudging] = field(default_factory=dict)
    #: Whether a group of judgings is there already, and for how many more there is room.
    judging_groups: Collection[UUID] = frozenset()
    judging_room: int = 0

    def find_question(self, execution: Execution) -> Question | None:
        """Return by what a result of an execution is judged, with the criteria of the set that it froze.

        None: neither the job nor the set is known.
        """
        question, policy = self.questions.get(execution.job_id), execution.policy or {}
        if question is None or (reference := policy.get("criteria_set")) is None:
            return question
        if (version := self.versions.get(Wanted(Kind.CRITERIA, str(reference)))) is None:
            return None
        return question._replace(acceptance_criteria=join_criteria(question.acceptance_criteria, version.body))


@dataclass(slots=True)
class Changes:
    """What a transaction will write, by id. What is not stored yet is new."""

    jobs: dict[str, Job] = field(default_factory=dict)
    #: Of new jobs, and of those that ask for something else now.
    specs: dict[str, Spec] = field(default_factory=dict)
    executions: dict[UUID, Execution] = field(default_factory=dict)
    #: Executions of which nothing was requested, and whose answer stands from now on, by who asked.
    final_answers: dict[UUID, Actor] = field(default_factory=dict)
    #: Remembered answers whose rows are deleted.
    forgotten: dict[UUID, ForgottenAnswer] = field(default_factory=dict)
    entries: list[LogEntry] = field(default_factory=list)
    circuits: dict[str, Breaker] = field(default_factory=dict)
    #: What may be reused from now on: results by `result_key`, verdicts by `verdict_key` (see `rejudged_key`, too).
    results: dict[bytes, Reusable] = field(default_factory=dict)
    verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    #: How many more leases each worker of this transaction takes, by its owner.
    rooms: dict[UUID, WorkerRoom] = field(default_factory=dict)
    #: How many executions begin, by the names that a limit with a rate may apply to.
    begun: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    #: What administrators ask for, each in its order: no change of an agent or an operation takes another's place.
    agents: list[AgentChange] = field(default_factory=list)
    limits: dict[str, LimitChange] = field(default_factory=dict)
    #: Who says that what is set now is all there is, after a rebuild that did not find it.
    confirmed_by: Actor | None = None
    new_operations: list[NewOperation] = field(default_factory=list)
    request_keys: dict[UUID, bytes] = field(default_factory=dict)
    moves: list[OperationMove] = field(default_factory=list)
    item_answers: defaultdict[UUID, list[ItemAnswer]] = field(default_factory=lambda: defaultdict(list))
    #: In how many seconds the next items of operations have their turn.
    rests_s: dict[UUID, float] = field(default_factory=dict)

    #: Judgings without a job: queued, answered, and those of operations that are cancelled.
    new_judgings: list[NewJudging] = field(default_factory=list)
    judging_answers: list[JudgingAnswer] = field(default_factory=list)
    cancelled_judgings: list[UUID] = field(default_factory=list)
    #: What they had cost that were cancelled under their lease: in nano-dollars, and tokens.
    judging_costs: dict[UUID, tuple[int, int]] = field(default_factory=dict)
    new_versions: list[NewVersion] = field(default_factory=list)
    name_moves: list[NameMove] = field(default_factory=list)
    evaluations: list[NewEvaluation] = field(default_factory=list)
    judged: list[JudgedCount] = field(default_factory=list)

    #: For logs and metrics: decisions by kind, refusals by job, and circuits that opened or closed.
    recorded_counts: defaultdict[TransitionKind, int] = field(default_factory=lambda: defaultdict(int))
    refusals: list[tuple[str | None, Report, Refusal]] = field(default_factory=list)
    switched_circuits: list[tuple[str, Breaker]] = field(default_factory=list)

    def find_next_timeout(self) -> datetime | None:
        """Return when the first of the executions written is out of time; None where none ever is."""
        live = (each.fails_at for each in self.executions.values() if each.state is not ExecutionState.DONE)
        return min(filter(None, live), default=None)

    def find_offered(self) -> list[Execution]:
        """Return the executions that are offered with their requests, and are to be published."""
        offered = (ExecutionStage.EXECUTING, ExecutionState.OFFERED)
        return [each for each in self.executions.values() if (each.stage, each.state) == offered]
