"""The states of a job and the entries of its log."""

from enum import StrEnum
from typing import Final


class JobStatus(StrEnum):
    """Where a job stands."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    RESUBMISSION_REQUIRED = "RESUBMISSION_REQUIRED"


class JobLogStatus(StrEnum):
    """What one entry of a job's log says: the seven places, and two events that leave the job where it stands."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    RESUBMISSION_REQUIRED = "RESUBMISSION_REQUIRED"
    CANCELLED = "CANCELLED"
    MATCHING_FAILED = "MATCHING_FAILED"


class ExecutionState(StrEnum):
    """Where an execution stands: how far it is, or what its id was answered."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    JUDGING = "JUDGING"
    COMPLETED = "COMPLETED"
    RESUBMISSION_REQUIRED = "RESUBMISSION_REQUIRED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    REFUSED = "REFUSED"


class JobLogKind(StrEnum):
    """What was reported, asked for or noticed: the transitions of docs/protocol.md#states-of-a-job."""

    CREATED = "created"
    ASSIGNED = "assigned"
    MATCHED = "matched"
    MATCHING_FAILED = "matching_failed"
    HANDED_ON = "handed_on"
    REQUESTED = "requested"
    CLAIMED = "claimed"
    CALL_BEGUN = "call_begun"
    PROGRESS = "progress"
    CALL_FAILED = "call_failed"
    ATTEMPT_FAILED = "attempt_failed"
    RESULT = "result"
    JUDGING_CLAIMED = "judging_claimed"
    MET = "met"
    NOT_MET = "not_met"
    DECLINED = "declined"
    FAILED = "failed"
    GIVEN_BACK = "given_back"
    LAPSED = "lapsed"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    REBUILT = "rebuilt"
    OVER_BUDGET = "over_budget"
    MISJUDGED = "misjudged"
    EDITED = "edited"
    REJUDGED = "rejudged"
    SPENT = "spent"
    REMOVED = "removed"


#: A job at one of these stays there until somebody asks for more.
RESTING = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.REJECTED, JobStatus.RESUBMISSION_REQUIRED})


class View(StrEnum):
    """How much of a job or of an entry of its log is shown: BASIC leaves out texts and bodies."""

    BASIC = "basic"
    FULL = "full"


class JobOrder(StrEnum):
    """In what order jobs are listed; with `-` the newest, the most expensive, the longest or the most urgent first."""

    CREATED_DESC = "-created_at"
    CREATED = "created_at"
    UPDATED_DESC = "-updated_at"
    UPDATED = "updated_at"
    COST_DESC = "-cost_usd"
    COST = "cost_usd"
    DURATION_DESC = "-duration_s"
    DURATION = "duration_s"
    PRIORITY_DESC = "-priority"

    @classmethod
    def _missing_(cls, value: object) -> "JobOrder | None":
        """Accept the earlier names of the orders by cost, too."""
        earlier = {"cost": cls.COST, "spent_usd": cls.COST}
        return earlier.get(str(value)) or (cls.COST_DESC if str(value).removeprefix("-") in earlier else None)


#: The fields of jobs of which the values are counted; of a label, `label:NAME`.
FACET_FIELDS: Final = ("status", "agent", "tenant", "batch", "code", "criterion", "label")


class OperationKind(StrEnum):
    """What an operation does to each of its jobs."""

    EXECUTE = "execute"
    CANCEL = "cancel"
    RESUBMIT = "resubmit"
    ASSIGN = "assign"
    RETRY = "retry"
    REJUDGE = "rejudge"
    REMOVE = "remove"


class InboxKind(StrEnum):
    """What a group of the inbox needs somebody for, the urgent first."""

    LIMITS_LOST = "limits_lost"
    NO_WORKER = "no_worker"
    JUDGE_AWAY = "judge_away"
    CIRCUIT_OPEN = "circuit_open"
    PAUSED = "paused"
    NO_AGENT_MATCHES = "no_agent_matches"
    FAILED = "failed"
    NOT_ACCEPTED = "not_accepted"
    BUDGET = "budget"
    DEAD_LETTERS = "dead_letters"


class ItemOutcome(StrEnum):
    """What became of one job of an operation."""

    WAITING = "WAITING"
    REFUSED = "REFUSED"
    CANCELLED = "CANCELLED"
    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    RESUBMISSION_REQUIRED = "RESUBMISSION_REQUIRED"
    DONE = "DONE"


#: Operations that request executions: batches.
BATCH_KINDS: Final = (OperationKind.EXECUTE, OperationKind.RESUBMIT, OperationKind.RETRY)


class LetterOutcome(StrEnum):
    """What became of a dead letter that is done."""

    REDRIVEN = "REDRIVEN"
    DISCARDED = "DISCARDED"


class OperationState(StrEnum):
    """Where an operation stands."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    DONE = "DONE"


class JudgingKind(StrEnum):
    """What a judging without a job is for; `shadow` and `rejudge` judge jobs again, and belong to operations."""

    TRY = "try"
    TEST = "test"
    DRAFT = "draft"
    EVALUATE = "evaluate"
    SHADOW = "shadow"
    REJUDGE = "rejudge"


#: Those that anybody may ask for by themselves.
FREE_JUDGINGS: Final = (JudgingKind.TRY, JudgingKind.TEST, JudgingKind.DRAFT, JudgingKind.EVALUATE)


class JudgingState(StrEnum):
    """Where a judging without a job stands."""

    QUEUED = "QUEUED"
    LEASED = "LEASED"
    DONE = "DONE"


class CriterionOutcome(StrEnum):
    """What is judged of one criterion."""

    PASS = "pass"  # noqa: S105 - a word, no secret
    FAIL = "fail"
    CANNOT_ASSESS = "cannot_assess"


#: By its short name, in the code that judges.
Outcome = CriterionOutcome


class Protocol(StrEnum):
    """How an agent is called."""

    HTTP = "http"
    HTTP_ASYNC = "http_async"
    OPENAI = "openai"
    LANGGRAPH = "langgraph"
    A2A = "a2a"


class Role(StrEnum):
    """What a credential allows (contracts.access)."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"
    EXECUTOR = "executor"
    VALIDATOR = "validator"
    CONSOLE = "console"
    UPSTREAM = "upstream"


class AuditOutcome(StrEnum):
    """What became of a call that is kept in the audit."""

    DONE = "done"
    REFUSED = "refused"


#: The protocols by which executors call agents: every door offers these, and the executor has an adapter for each.
CALLABLE_PROTOCOLS: Final = tuple(Protocol)
#: The protocols that an executor calls which names none at its claims.
FIRST_PROTOCOLS: Final = frozenset({Protocol.HTTP, Protocol.HTTP_ASYNC})


class TaskKind(StrEnum):
    """What an executor does for an agent beside executions."""

    CANCEL = "cancel"
    CARD = "card"
    TRY = "try"
    CHECK = "check"


class TryState(StrEnum):
    """Where a try of an agent stands, as any task of executors does."""

    QUEUED = "QUEUED"
    LEASED = "LEASED"
    DONE = "DONE"


class CheckOutcome(StrEnum):
    """What a check of an agent came to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"


class Delivery(StrEnum):
    """How often an agent may be called for one execution after a crash."""

    AT_LEAST_ONCE = "at_least_once"
    AT_MOST_ONCE = "at_most_once"


class Resubmit(StrEnum):
    """Who asks for the next submission after a not-met verdict."""

    BY_HAND = "by_hand"
    AUTOMATIC = "automatic"


class EmptyResult(StrEnum):
    """What becomes of a result without any number, truth value, letter or digit."""

    NOT_MET = "not_met"
    JUDGE = "judge"


class Circuit(StrEnum):
    """Whether an agent is given work: open after failures in a row, half open while one call finds out."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class ReportKind(StrEnum):
    """What a worker reports."""

    CALL_BEGUN = "call_begun"
    PROGRESS = "progress"
    CALL_FAILED = "call_failed"
    ATTEMPT_FAILED = "attempt_failed"
    FAILED = "failed"
    DECLINED = "declined"
    VERDICT = "verdict"
    MISJUDGED = "misjudged"
    SPENT = "spent"
