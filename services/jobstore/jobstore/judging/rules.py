"""Judge policies, criteria, tasks, and reuse of verdicts and results: rules, and the parts of a transaction. Pure."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from contracts.checks import needs_context as is_bound
from contracts.criteria import parse_stored_criteria
from contracts.judging.policy import DEFAULT_POLICY, JudgePolicy, Verdict, join_reference
from jobstore.engine.parts import Overlay, Part, Wish, overlay
from jobstore.jobs.model import (
    DEFAULT_TENANT,
    SIGNOFF,
    Actor,
    Execution,
    Report,
    Reusable,
    TransitionKind,
    bound_chars,
)
from signoff import types
from signoff.errors import ErrorCode
from signoff.jsontext import json_text, parse_json
from signoff.status import JudgingKind, JudgingState

#: The highest number of names of one kind, and of versions of one name.
NAMES_MAX: Final = 1_000
VERSIONS_MAX: Final = 1_000
#: The highest number that a version, and a reference to it, may have.
VERSION_MAX: Final = 999_999_999
#: The largest size of a judge policy, as it is stored.
POLICY_MAX_BYTES: Final = 64 << 10


class Kind(StrEnum):
    """The kinds of things that have names and versions; the values stand in tables."""

    JUDGE = "judge"
    CRITERIA = "criteria"
    GOLDEN = "golden"  # the golden set of a policy, by the policy's name

    @property
    def word(self) -> str:
        """The name of the kind in codes, such as `judge_policy`."""
        return "judge_policy" if self is Kind.JUDGE else f"{self}_set"

    @property
    def unknown(self) -> ErrorCode:
        """The error code of a reference to an unknown name or version of this kind."""
        return _CODES[self][0]

    @property
    def conflict(self) -> ErrorCode:
        """The error code of a change that does not expect the newest version."""
        return _CODES[self][1]

    @property
    def words(self) -> str:
        """The name of the kind in messages, such as `judge policy`."""
        return self.word.replace("_", " ")


_CODES: Final = {
    Kind.JUDGE: (ErrorCode.UNKNOWN_JUDGE_POLICY, ErrorCode.JUDGE_POLICY_CONFLICT),
    Kind.CRITERIA: (ErrorCode.UNKNOWN_CRITERIA_SET, ErrorCode.CRITERIA_SET_CONFLICT),
    Kind.GOLDEN: (ErrorCode.UNKNOWN_GOLDEN_SET, ErrorCode.GOLDEN_SET_CONFLICT),
}


class Named(NamedTuple):
    """The name of a judge policy, a criteria set or a golden set, with its kind."""

    kind: Kind
    name: str


#: The name that validators alone change, by their settings.
RESERVED: Final = Named(Kind.JUDGE, DEFAULT_POLICY)


class Wanted(NamedTuple):
    """A reference in a policy, such as `strict` or `strict@3`."""

    kind: Kind
    reference: str

    def describe_obstacle(self, found: "Version | None") -> str:
        """Return, as a message, why nothing can be judged by this reference, whose version is `found`, if any."""
        why = "is not known" if found is None else "is retired" if found.is_retired else "cannot be held to a version"
        return f"the {self.kind.words} {self.reference} {why}: name another one, or put it first"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a name. `body`: a policy's JSON without name and version, or a set's criteria in their text form.

    `is_retired`: no new execution may be judged by the name.
    """

    name: str
    version: int
    body: str
    is_retired: bool
    #: The tenant that alone may name it; None: it is shared.
    owner: str | None = None
    #: Whose it is: its models are asked with keys of this tenant.
    tenant: str = DEFAULT_TENANT

    @property
    def reference(self) -> str:
        """The reference that an execution freezes: the name and the version, such as `strict@3`."""
        return join_reference(self.name, self.version)

    @property
    def policy_json(self) -> str:
        """The judge policy of this version as JSON text: the body, with name and version."""
        head = json_text({"name": self.name, "version": self.version})
        return f"{head[:-1]},{self.body[1:]}"

    @property
    def result_max_chars(self) -> int | None:
        """How many characters of criteria and result together a judge policy takes; None: as many as the validator."""
        return bound_chars(parse_json(self.body).get("result_max_chars"))


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a name: the hashes of their bodies, the current version, and how often another became current.

    `names` counts the names of the same kind. A name without versions is unknown. `tenant`: whose the name is.
    """

    hashes: Mapping[int, bytes] = field(default_factory=dict)
    current: int | None = None
    moves: int = 0
    names: int = 0
    tenant: str = DEFAULT_TENANT
    shared: bool = True

    @property
    def newest(self) -> int:
        """The number of the newest version, 0 where there is none."""
        return max(self.hashes, default=0)


def hash_body(body: str) -> bytes:
    """Return the hash by which the bodies of versions are compared."""
    return hashlib.sha256(body.encode()).digest()


def format_body(policy: JudgePolicy) -> str:
    """Return a judge policy as the body of a version: all defaults are written out, so that a version never changes."""
    return policy.model_dump_json(exclude={"name", "version"})


def list_wanted(policy: types.Policy) -> Iterator[Wanted]:
    """Yield the references of a policy, except `default`, which stands for the validators' own settings."""
    return _list(policy.judge, policy.criteria_set)


def list_frozen(policy: Mapping[str, object] | None) -> Iterator[Wanted]:
    """Yield the references that an execution has frozen in its policy; none if the policy is None."""
    return _list(policy.get("judge"), policy.get("criteria_set")) if policy else iter(())


def _list(judge: object, criteria_set: object) -> Iterator[Wanted]:
    if judge is not None and judge != DEFAULT_POLICY:
        yield Wanted(Kind.JUDGE, str(judge))
    if criteria_set is not None:
        yield Wanted(Kind.CRITERIA, str(criteria_set))


def join_criteria(own: str, of_set: str) -> str:
    """Return, as text, a job's own criteria, unchanged, and then those criteria of its set that the job lacks."""
    known = parse_stored_criteria(own)
    added = [str(one) for one in parse_stored_criteria(of_set) if one not in known]
    return "\n".join([own, *added] if known else added)


def needs_context(criteria: str) -> bool:
    """Return whether a check among the criteria needs the payload, or the previous result, besides the result."""
    if "check:" not in criteria.lower():  # most criteria need not be parsed
        return False
    return any(one.kind == "check" and is_bound(one.text) for one in parse_stored_criteria(criteria))


def loop_needs_context(judge_policy: str, submission: int) -> bool:
    """Return whether a check in a policy's `loop` that is made at this submission needs more than the result."""
    if '"check"' not in judge_policy:
        return False
    return any(submission >= begins for begins in _find_bound_steps(judge_policy))


@lru_cache(maxsize=100)
def _find_bound_steps(judge_policy: str) -> tuple[int, ...]:
    """Return, for each check in a policy's `loop` that needs more than the result, the first submission that has it."""
    steps = parse_json(judge_policy).get("loop") or []
    return tuple(step.get("from_submission", 2) for step in steps if step.get("check") and is_bound(step["check"]))


#: The most characters of a task that a judge is shown, so that a long task does not prevent its judging.
TASK_MAX_CHARS: Final = 20_000
#: The end of a member that is cut.
CUT: Final = " [cut here: the rest is not shown]"
_DEFAULT: Final = tuple(JudgePolicy(name=DEFAULT_POLICY).task)
#: The members that are JSON of any kind, and their value that is left out.
_JSON: Final = {"payload", "feedback"}
_NULL: Final = "null"


class Task(NamedTuple):
    """The task that an agent got. `payload` and `feedback` are JSON texts; a judge may be shown members cut short."""

    title: str
    description: str
    payload: str
    feedback: str | None = None


def read_task(body: Mapping[str, str]) -> Task:
    """Return the task in the body of an execution's calls; `body` has the JSON text of each member by name."""
    title, description = (from_json(body.get(name, '""')) for name in ("title", "description"))
    return Task(title, description, body.get("payload", _NULL), body.get("feedback"))


@lru_cache(maxsize=100)
def list_members(judge_policy: str) -> Collection[str]:
    """Return the members of a task that a policy (as JSON text) shows its judges; the default ones for empty text."""
    members: Collection[str] = parse_json(judge_policy).get("task", _DEFAULT) if judge_policy else _DEFAULT
    return frozenset(members)


def format_task(task: Task, judge_policy: str) -> str:
    """Return the JSON text of the members of a task that a policy shows, up to TASK_MAX_CHARS; empty if it shows none.

    A member that is cut becomes a string of its first characters. The longest members are cut first.
    """
    shown = list_members(judge_policy)
    given = {name: text for name, text in task._asdict().items() if name in shown and text}
    given = {name: text for name, text in given.items() if name not in _JSON or text != _NULL}
    left, cut = TASK_MAX_CHARS, dict[str, str]()
    for place, (name, text) in enumerate(sorted(given.items(), key=lambda item: len(item[1]))):
        room = left // (len(given) - place)
        if len(text) > room:
            cut[name] = text[: room - len(CUT)] + CUT
        left -= min(len(text), room)
    written = [
        f'"{name}":{text if name in _JSON and name not in cut else json_text(cut.get(name, text))}'
        for name, text in given.items()
    ]
    return f"{{{','.join(written)}}}" if written else ""


class Asked(NamedTuple):
    """The question of a verdict: hashes of the result and of the task, the criteria, and references as JSON text."""

    result_hash: bytes
    task_hash: bytes | None
    acceptance_criteria: str
    tenant: str
    references: str | None


def verdict_key(asked: Asked, judge: str, policy: Mapping[str, object] | None = None) -> bytes:
    """Return the key under which a verdict is reused: a hash of its question, with normalized criteria, and its judge.

    `judge` includes the name of a judge policy (`name_judging`). `policy`, the execution's, may name a criteria set.
    """
    criteria = map(str, parse_stored_criteria(asked.acceptance_criteria))
    of_set = [str(reference)] if policy and (reference := policy.get("criteria_set")) else []
    about = (asked.result_hash.hex(), (asked.task_hash or b"").hex(), asked.references or "")
    return _hash(("verdict", asked.tenant, *about, "\n".join(criteria), judge, *of_set))


def rejudged_key(asked: Asked, policy: Mapping[str, object] | None = None) -> bytes:
    """Return the key of the entry that says when a question's result was last judged again for real, by any judge."""
    return verdict_key(asked, "", policy)


def is_overruled(kept: Reusable, rejudged: Reusable | None) -> bool:
    """Return whether a result was judged again for real (`rejudged`; None: never) after its verdict was kept."""
    return rejudged is not None and kept.kept_at <= rejudged.kept_at


def may_reuse(verdict: Verdict, submission: int) -> bool:
    """Return whether a verdict may be reused for a submission; later submissions must pass more than earlier ones."""
    own = verdict.submission or 1
    if verdict.is_valid:
        return submission <= own
    return submission >= own or not _was_doubted(verdict)


def _was_doubted(verdict: Verdict) -> bool:
    """Return whether an invalid verdict failed only in the last stages, which only later submissions have."""
    stages = verdict.stages or []
    return any(stage.kind == "refute" or (stage.kind == "checks" and place > 0) for place, stage in enumerate(stages))


def result_key(tenant: str, agent_id: str, changed_at: datetime, request: str) -> bytes:
    """Return the key under which a result is reused: a hash of the request, the agent, and the agent's last change."""
    return _hash(("result", tenant, agent_id, changed_at.isoformat(), request))


def _hash(parts: Iterable[str]) -> bytes:
    """Return the hash of parts, each after its length, so that no two sequences of parts have the same input."""
    digest = hashlib.sha256()
    for part in parts:
        text = part.encode()
        digest.update(len(text).to_bytes(8) + text)
    return digest.digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoliciesWish(Wish):
    """The versions that `references` mean, besides the versions that the policies of loaded rows name.

    `names`: the names to read with all their versions.
    """

    references: frozenset[Wanted] = frozenset()
    names: frozenset[Named] = frozenset()


class NewVersion(NamedTuple):
    """A new version of a judge policy, a criteria set or a golden set; it never changes."""

    named: Named
    version: int
    body: str
    note: str | None
    actor: Actor
    tenant: str = DEFAULT_TENANT
    shared: bool = True


class NameMove(NamedTuple):
    """A move of a name to its current `version`; None: the name is retired, and no new execution is judged by it."""

    named: Named
    move: int
    version: int | None
    reason: str | None
    actor: Actor


class NewEvaluation(NamedTuple):
    """The result of an evaluation of a judge policy's version; it replaces an earlier result on the same cases.

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
    """The outcome and the cost of one verdict, to be added to the counts of a version by which it was made."""

    kind: Kind
    reference: str
    met: int
    not_met: int
    unjudged: int
    cost_nanos: int
    tokens: int


@dataclass(eq=False, slots=True)
class Policies(Part):
    """The judge policies, criteria sets and golden sets of a transaction, and their changes."""

    #: The versions that were read; None: the reference is unknown.
    versions: dict[Wanted, Version | None] = field(default_factory=dict)
    #: The names that commands change.
    names: Overlay[Named, Versions] = field(default_factory=overlay)
    new: list[NewVersion] = field(default_factory=list)
    moves: list[NameMove] = field(default_factory=list)
    evaluations: list[NewEvaluation] = field(default_factory=list)
    judged: list[JudgedCount] = field(default_factory=list)

    def put(self, named: Named, version: int, body: str, note: str | None, actor: Actor) -> None:
        """Add a version of a judge policy, a criteria set or a golden set."""
        known = self.names.get(named) or Versions()
        self.names[named] = replace(known, hashes={**known.hashes, version: hash_body(body)})
        self.new.append(NewVersion(named, version, body, note, actor, known.tenant, known.shared))

    def move(self, named: Named, version: int | None, reason: str | None, actor: Actor) -> None:
        """Make a version the current one of its name; None retires the name."""
        known = self.names[named]
        after = self.names[named] = replace(known, current=version, moves=known.moves + 1)
        self.moves.append(NameMove(named, after.moves, version, reason, actor))

    def count(self, execution: Execution, report: Report) -> None:
        """Count a verdict for the versions of the judge policy and the criteria set by which the verdict was made."""
        is_met = report.kind is TransitionKind.MET
        counts = (int(is_met), int(not is_met and not report.is_unjudged), int(report.is_unjudged))
        judged_by = execution.policy or {}
        if report.judge_policy is not None:
            judged_by = {**judged_by, "judge": report.judge_policy or None}
        for kind, reference in list_frozen(judged_by):
            self.judged.append(JudgedCount(kind, reference, *counts, report.cost_nanos, report.tokens))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseWish(Wish):
    """The keys of reusable `verdicts`, and the executions whose reusable `results` are read."""

    verdicts: frozenset[bytes] = frozenset()
    results: frozenset[UUID] = frozenset()


@dataclass(eq=False, slots=True)
class Reuse(Part):
    """Reusable verdicts, and later judgings that overrule them, by key; reusable results by execution."""

    verdicts: dict[bytes, Reusable] = field(default_factory=dict)
    results: dict[UUID, Reusable] = field(default_factory=dict)
    #: New reusable results by `result_key`, and verdicts by `verdict_key` or `rejudged_key`.
    new_results: dict[bytes, Reusable] = field(default_factory=dict)
    new_verdicts: dict[bytes, Reusable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgingsWish(Wish):
    """Judgings to be `locked`, and `groups` to be checked for existence (with the room for more judgings)."""

    locked: frozenset[UUID] = frozenset()
    groups: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class NewJudging:
    """A judging to be queued. `asked` and `judge_policy` are JSON texts; the policy is one of `policy_tenant`.

    If a job's result is judged again, `execution_id` is the result's execution, `job_version` the job's version, and
    `asked` has the fields that replace those of the job.
    """

    id: UUID
    kind: JudgingKind
    group_id: UUID
    item: int
    tenant: str = DEFAULT_TENANT
    asked: str | None = None
    judge_policy: str | None = None
    policy_tenant: str = DEFAULT_TENANT
    execution_id: UUID | None = None
    job_id: str | None = None
    job_version: int | None = None
    actor: Actor = SIGNOFF
    #: Of an evaluation: its id, the policy's version, the number of earlier repeats, the hash of the question, and the
    #: labels.
    evaluation: UUID | None = None
    judge: str | None = None
    repeat: int | None = None
    question: str | None = None
    labels: str | None = None

    @property
    def urgency(self) -> int:
        """The rank in the queue, lower first: a user waits for a try; an evaluation is smaller than most operations."""
        return _URGENCIES.get(self.kind, 2)


_URGENCIES: Final = {JudgingKind.TRY: 0, JudgingKind.TEST: 0, JudgingKind.DRAFT: 1, JudgingKind.EVALUATE: 1}


class StoredJudging(NamedTuple):
    """A locked judging. `kind` may be unknown, since a newer jobstore may have stored it.

    `before` is the response in the log entry of the job's last verdict; `before` and `judge_policy` are JSON texts.
    """

    id: UUID
    kind: str
    state: JudgingState
    lease: int
    execution_id: UUID | None
    job_id: str | None
    before: str | None
    actor: Actor
    tenant: str
    judge_policy: str | None = None
    has_lapsed: bool = False
    #: Whether it was cancelled under its lease, and its cost is not reported yet.
    is_cut_short: bool = False


@dataclass(frozen=True, slots=True)
class JudgingAnswer:
    """The answer to a judging: `answer` is its verdict as JSON text, `before` the letters of the previous outcomes."""

    id: UUID
    cost_nanos: int | None  # None: a model was asked whose cost is unknown
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
    """The judgings of a transaction: locked, new and answered ones, and operations whose judgings are cancelled."""

    judgings: dict[UUID, StoredJudging] = field(default_factory=dict)
    #: The groups of judgings that exist, and how many more judgings may be kept.
    groups: Collection[UUID] = frozenset()
    room: int = 0
    new: list[NewJudging] = field(default_factory=list)
    answers: list[JudgingAnswer] = field(default_factory=list)
    cancelled: list[UUID] = field(default_factory=list)
    #: The cost of judgings that were cancelled under their lease, in nano-dollars and tokens.
    costs: dict[UUID, tuple[int, int]] = field(default_factory=dict)
