"""Command: a request to the jobstore, or a report, as a value that decides on locked rows. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Final, Generic, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import ValidationError

from contracts.fields import Merged, Patch, explain, merge
from jobstore.engine.rows import Stored
from jobstore.engine.unit_of_work import UnitOfWork
from jobstore.errors import InvalidError, NotFoundError, RefusedError
from jobstore.jobs.model import Actor, Job, Refusal, RequestKey
from jobstore.judging.rules import Named, Wanted
from signoff.errors import ErrorCode
from signoff.fields import Model

R_co = TypeVar("R_co", covariant=True)

#: Begins the answer of an execution id that was refused; the code follows.
REFUSED = "refused:"


class LimitsLock(IntEnum):
    """How a command needs the limits: not at all; as they are, to request or claim an execution; or to change them."""

    NONE = 0
    SHARED = 1
    EXCLUSIVE = 2


class _Joined:
    """Wishes of several commands as one: each field is a frozenset, or a number of which the highest counts."""

    @classmethod
    def join(cls, wishes: Collection[Self]) -> Self:
        """Return what any of them asks for."""
        if len(wishes) == 1:
            return next(iter(wishes))
        joined: dict[str, int | frozenset[object]] = {}
        for each in fields(cls):  # type: ignore[arg-type] # all subclasses are dataclasses
            values = [getattr(wish, each.name) for wish in wishes]
            is_set = isinstance(each.default, frozenset)
            joined[each.name] = frozenset().union(*values) if is_set else max([each.default, *values])
        return cls(**joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class Locks(_Joined):
    """What is known before anything is read. Locks are taken in the order of these fields, in every transaction.

    `limits`: no limit may change until the commit, or nobody else may look at one; `offers`: one may be requested, and
    offered at once. `operations` and `agents` are locked to be changed. `jobs`: also the jobs of all `executions` are
    locked, and of all jobs the live executions. `followed`: of these executions the next ones by policy are locked,
    too. The others are read with the rows: idempotency `keys`, `named_limits`, `specs`, `questions` and `tasks` of
    jobs, agents by their ids or as those of jobs, and what a grant of an execution needs.
    """

    limits: LimitsLock = LimitsLock.NONE
    operations: frozenset[UUID] = frozenset()
    agents: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    executions: frozenset[UUID] = frozenset()
    followed: frozenset[UUID] = frozenset()
    keys: frozenset[RequestKey] = frozenset()
    named_limits: frozenset[str] = frozenset()
    specs: frozenset[str] = frozenset()
    questions: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    read_agents: frozenset[str] = frozenset()
    agents_of: frozenset[str] = frozenset()
    grants: frozenset[UUID] = frozenset()
    offers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads(_Joined):
    """What is known once the rows are locked.

    `specs`, `last_entries` and `histories` of jobs; the `feedback` that was sent with executions; `unfinished`: which
    of these operations have something left; `open_items`: which of these items of operations that are locked have no
    answer; `agents`, unless they were read with the rows; `capabilities`, and those that `match_jobs` need, for which
    an agent may be matched; `verdicts` by their keys, and `results` that these executions may reuse; `early_cancels`
    and `wrong_records`: of how many more the answers may be remembered; `references` to versions of judge policies and
    criteria sets, beside those that the policies of what is loaded give; all that is known of `names` of those;
    `judgings` without a job, which are locked, and whether `judging_groups` are there; `queues` of tenants, and
    `circuits` of agents, which are locked in this order.
    """

    specs: frozenset[str] = frozenset()
    last_entries: frozenset[str] = frozenset()
    histories: frozenset[str] = frozenset()
    feedback: frozenset[UUID] = frozenset()
    unfinished: frozenset[UUID] = frozenset()
    open_items: frozenset[tuple[UUID, int]] = frozenset()
    agents: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    match_jobs: frozenset[str] = frozenset()
    verdicts: frozenset[bytes] = frozenset()
    results: frozenset[UUID] = frozenset()
    judgings: frozenset[UUID] = frozenset()
    judging_groups: frozenset[UUID] = frozenset()
    early_cancels: bool = False
    wrong_records: bool = False
    references: frozenset[Wanted] = frozenset()
    names: frozenset[Named] = frozenset()
    queues: frozenset[str] = frozenset()
    circuits: frozenset[str] = frozenset()


NOTHING: Final = Reads()


@dataclass(frozen=True, slots=True)
class Command(ABC, Generic[R_co]):
    """Something asked of the jobstore, or reported to it, by `actor`, who has to be named. R_co: what it is answered.

    The engine calls `locks`, `reads`, `late_reads` and `decide`, in this order. A batch of commands is carried out in
    one transaction: what each step asks for is joined.
    """

    actor: Actor = field(kw_only=True)

    @property
    def size(self) -> int:
        """Its weight in bytes, which bounds a batch."""
        return 0

    @abstractmethod
    def locks(self) -> Locks:
        """Return what must be locked, and what is read with it."""

    def reads(self, stored: Stored) -> Reads:
        """Return what else must be read, which is known once the rows are locked."""
        del stored
        return NOTHING

    def late_reads(self, stored: Stored) -> Reads:
        """Return what must be locked or read last: queues, circuits, and what only `reads` could tell."""
        del stored
        return NOTHING

    @abstractmethod
    def decide(self, uow: UnitOfWork) -> R_co:
        """Decide on the rows, and return the answer. A PermanentError fails this command alone."""


class Creation(Command[R_co]):
    """A request that makes one thing, under an id that is known before."""

    __slots__ = ()

    @abstractmethod
    def is_made(self, uow: UnitOfWork) -> bool:
        """Return whether the thing is there, or was refused for good."""

    @abstractmethod
    def show(self, uow: UnitOfWork) -> R_co:
        """Return the answer of a request that comes again, whatever has become of the thing since."""


class Answer(NamedTuple, Generic[R_co]):
    """The answer of a request, and whether it repeats that of an earlier one."""

    value: R_co
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Once(Command[Answer[R_co]]):
    """Carry out a request once: under its idempotency key, if it has one, or else under the id of what it makes.

    InvalidError (`idempotency_key_reused`): the key is that of a request for something else. Of one that fails nothing
    is kept.
    """

    request: Creation[R_co]
    key: RequestKey | None = None

    @property
    def size(self) -> int:
        return self.request.size

    def locks(self) -> Locks:
        locks = self.request.locks()
        return locks if self.key is None else replace(locks, keys=frozenset({self.key}))

    def reads(self, stored: Stored) -> Reads:
        return self.request.reads(stored)

    def late_reads(self, stored: Stored) -> Reads:
        return self.request.late_reads(stored)

    def decide(self, uow: UnitOfWork) -> Answer[R_co]:
        known = None if self.key is None else uow.find_request(self.key)
        if self.key is not None and known is not None:
            if known != self.key.body_hash:
                message = "the idempotency key is that of another request: use another key"
                raise InvalidError(message, code=ErrorCode.IDEMPOTENCY_KEY_REUSED)
            return Answer(self.request.show(uow), is_replay=True)
        is_replay = self.request.is_made(uow)
        answer = self.request.decide(uow)
        if self.key is not None:
            uow.keep_request(self.key)
        return Answer(answer, is_replay)


def optional(value: str | None) -> frozenset[str]:
    """Return a set of an id that may be missing."""
    return frozenset() if value is None else frozenset({value})


def read_circuit(stored: Stored, execution_id: UUID) -> Reads:
    """Return the circuit of the agent that is called for an execution, while any circuit is stored."""
    execution = stored.executions.get(execution_id) if stored.has_circuits else None
    return NOTHING if execution is None else Reads(circuits=optional(execution.agent_id))


def merge_patch(stored: object, patch: Patch, new: type[Model]) -> Merged:
    """Return the fields that a patch gives, as they are after it. InvalidError: a new resource may not have them."""
    try:
        return merge(stored, patch, new)
    except ValidationError as error:
        code, message = explain(error)
        raise InvalidError(message, code=code or ErrorCode.INVALID_REQUEST) from error


def check_version(what: str, stored: int, expected: int | None) -> None:
    """Raise RefusedError (`version_conflict`) if a resource is at another version than its caller has."""
    if expected is not None and expected != stored:
        raise RefusedError(f"{what} is at version {stored}, not {expected}", code=ErrorCode.VERSION_CONFLICT)


def require_job(uow: UnitOfWork, job_id: str) -> Job:
    """Return a locked job. Raise NotFoundError (`unknown_job`) if there is none."""
    if job_id not in uow.jobs:
        raise NotFoundError(f"no job has the id {job_id}", code=ErrorCode.UNKNOWN_JOB)
    return uow.jobs[job_id]


def require_agent(uow: UnitOfWork, agent_id: str | None) -> None:
    """Raise InvalidError (`unknown_agent`) if an agent is named that is not registered."""
    if agent_id is not None and agent_id not in uow.stored.agents:
        raise InvalidError(f"no agent has the id {agent_id}", code=ErrorCode.UNKNOWN_AGENT)


def raise_refusal(decision: object) -> None:
    """Raise a refusal as RefusedError with its code; accept anything else."""
    if isinstance(decision, Refusal):
        raise RefusedError(decision.message, code=decision.code)
