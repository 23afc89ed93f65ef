"""What results are judged by, what may be reused, and judgings without a job, in one transaction. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple
from uuid import UUID

from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import SIGNOFF, Actor, Execution, Report, Reusable, TransitionKind
from jobstore.judging.rules import Kind, Named, Version, Versions, Wanted, hash_body, list_frozen
from signoff.status import JudgingKind, JudgingState


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesWish(Wish):
    """`references` to versions of judge policies and criteria sets, beside those that policies of loaded rows name.

    All that is known of `names` of those is read.
    """

    references: frozenset[Wanted] = frozenset()
    names: frozenset[Named] = frozenset()


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


@dataclass(eq=False, slots=True)
class Policies(Part):
    """Judge policies and criteria sets."""

    #: The versions that were wanted; None: there is none.
    versions: dict[Wanted, Version | None] = field(default_factory=dict)
    #: All that is known of judge policies and criteria sets that are to be changed.
    names: Overlay[Named, Versions] = field(default_factory=overlay)
    new: list[NewVersion] = field(default_factory=list)
    moves: list[NameMove] = field(default_factory=list)
    evaluations: list[NewEvaluation] = field(default_factory=list)
    judged: list[JudgedCount] = field(default_factory=list)

    def put(self, named: Named, version: int, body: str, note: str | None, actor: Actor) -> None:
        """Add a version of a judge policy or a criteria set."""
        known = self.names.get(named) or Versions()
        self.names[named] = replace(known, hashes={**known.hashes, version: hash_body(body)})
        self.new.append(NewVersion(named, version, body, note, actor))

    def move(self, named: Named, version: int | None, reason: str | None, actor: Actor) -> None:
        """Make a version the current one of its name; None retires the name."""
        known = self.names[named]
        after = self.names[named] = replace(known, current=version, moves=known.moves + 1)
        self.moves.append(NameMove(named, after.moves, version, reason, actor))

    def count(self, execution: Execution, report: Report) -> None:
        """Count a verdict for the versions that it was made by, where any are named."""
        is_met = report.kind is TransitionKind.MET
        counts = (int(is_met), int(not is_met and not report.is_unjudged), int(report.is_unjudged))
        judged_by = execution.policy or {}
        if report.judge_policy is not None:
            judged_by = {**judged_by, "judge": report.judge_policy or None}
        for kind, reference in list_frozen(judged_by):
            self.judged.append(JudgedCount(kind, reference, *counts, report.cost_nanos, report.tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseWish(Wish):
    """`verdicts` by their keys, and `results` that these executions may reuse."""

    verdicts: frozenset[bytes] = frozenset()
    results: frozenset[UUID] = frozenset()


@dataclass(eq=False, slots=True)
class Reuse(Part):
    """What may be reused: verdicts and what overrules them, by key; results by the execution that may reuse them."""

    verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    results: dict[UUID, Reusable] = field(default_factory=dict)
    #: What may be reused from now on: results by `result_key`, verdicts by `verdict_key` (see `rejudged_key`, too).
    new_results: dict[bytes, Reusable] = field(default_factory=dict)
    new_verdicts: dict[bytes, Reusable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingsWish(Wish):
    """Judgings without a job that are `locked`; which `groups` of them are there, and the room for more."""

    locked: frozenset[UUID] = frozenset()
    groups: frozenset[UUID] = frozenset()


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


@dataclass(eq=False, slots=True)
class Judgings(Part):
    """Judgings without a job: locked, queued, answered, and those of operations that are cancelled."""

    judgings: dict[UUID, StoredJudging] = field(default_factory=dict)
    #: The groups of judgings that are there already, and for how many more judgings there is room.
    groups: Collection[UUID] = frozenset()
    room: int = 0
    new: list[NewJudging] = field(default_factory=list)
    answers: list[JudgingAnswer] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    #: What they had cost that were cancelled under their lease: in nano-dollars, and tokens.
    costs: dict[UUID, tuple[int, int]] = field(default_factory=dict)
