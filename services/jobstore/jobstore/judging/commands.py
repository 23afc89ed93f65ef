"""Commands on judge policies and criteria sets: put or promote a version, or retire a name. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from contracts.criteria import CriteriaError, check_numbers, parse_criteria, parse_stored_criteria
from contracts.judging.policy import DEFAULT_POLICY, join_reference, split_reference
from contracts.judging.versions import Evaluated, Report, find_refusal
from contracts.resources import Policy
from contracts.topics import measure_job
from jobstore.engine.parts import NOTHING, Command, R_co, UnitOfWork, Wishes, check_size
from jobstore.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError, RefusedError
from jobstore.jobs.model import DEFAULT_TENANT, Refusal, Spec
from jobstore.judging import rules
from jobstore.limits.rules import Limits
from jobstore.tenants.rules import Tenants, read_name_owner
from signoff.errors import ErrorCode
from signoff.jsontext import json_text


@dataclass(frozen=True, slots=True)
class _ChangeName(Command[R_co]):
    """A change of a name. `expected`: the number of the newest version that the caller has seen; None: any."""

    named: rules.Named
    expected: int | None = field(default=None, kw_only=True)

    def locks(self) -> Wishes:
        return NOTHING  # of two commands that add the same version, one fails to insert it, and decides again

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        return (rules.PoliciesWish(names=frozenset({self.named})),)

    def is_foreign(self, known: rules.Versions) -> bool:
        """Return whether a name that is known is another tenant's."""
        return self.limited_to is not None and known.newest > 0 and known.tenant not in self.limited_to

    def check_owner(self, known: rules.Versions) -> None:
        """Raise NotFoundError if a name that is known is another tenant's. ForbiddenError: it is shared by it."""
        if not self.is_foreign(known):
            return
        if not known.shared:
            raise make_unknown_error(self.named.kind, self.named.name)
        message = f"the {self.named.kind.words} {self.named.name} is shared: who administers all tenants changes it"
        raise ForbiddenError(message)

    def check_newest(self, newest: int) -> None:
        """Raise ConflictError (such as `judge_policy_conflict`) if the caller expects a version other than `newest`."""
        if newest and self.expected not in {None, newest}:
            raise ConflictError(
                f"the newest version of the {self.named.kind.words} {self.named.name} is {newest}, not "
                f"{self.expected}: look at it, and change that one",
                code=self.named.kind.conflict,
            )

    def check_name(self) -> None:
        """Raise RefusedError (`judge_policy_reserved`) if the name is `default`, whose versions validators report."""
        if self.named.name == rules.RESERVED.name and self.named.kind is not rules.Kind.CRITERIA:
            raise RefusedError(
                f"the policy {DEFAULT_POLICY} is what validators are set to: change their settings, or name another",
                code=ErrorCode.JUDGE_POLICY_RESERVED,
            )


@dataclass(frozen=True, slots=True)
class PutVersion(_ChangeName[int]):
    """Add a version, and return its number; if the newest version has the same body, return that version's number.

    A new version of a criteria set or golden set becomes current at once; so does the first of a policy, but a later
    one of a policy only when it is promoted. `expected` of an unknown name is the number that its first version gets.
    ConflictError (`judge_policy_conflict`, `criteria_set_conflict`); RefusedError (`too_many_versions`,
    `too_many_names`, `judge_policy_reserved`); InvalidError (`payload_too_large`); NotFoundError
    (`unknown_judge_policy`): the golden set is of an unknown policy.
    """

    body: str
    note: str | None = None

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        policy = rules.Named(rules.Kind.JUDGE, self.named.name)
        names = frozenset({self.named, policy} if self.named.kind is rules.Kind.GOLDEN else {self.named})
        return (rules.PoliciesWish(names=names), read_name_owner(self.named.name))

    def decide(self, uow: UnitOfWork) -> int:
        self.check_name()
        if self.named.kind is rules.Kind.GOLDEN:
            policy = _require_name(uow, rules.Named(rules.Kind.JUDGE, self.named.name))
            if self.is_foreign(policy) and not policy.shared:
                raise make_unknown_error(rules.Kind.JUDGE, self.named.name)
        if self.named.kind is rules.Kind.JUDGE:
            check_size(len(self.body.encode()), rules.POLICY_MAX_BYTES)
        known = uow[rules.Policies].names.get(self.named) or rules.Versions()
        if self.is_foreign(known) and not known.shared:
            uow[Tenants].find_name_owner(self.named.name, self.limited_to)  # refuses it as a name that nobody has
        self.check_owner(known)
        newest = known.newest
        if not newest:
            tenant = uow[Tenants].find_name_owner(self.named.name, self.limited_to)
            is_shared = tenant == DEFAULT_TENANT and self.limited_to is None
            known = uow[rules.Policies].names[self.named] = replace(known, tenant=tenant, shared=is_shared)
        if newest and known.hashes[newest] == rules.hash_body(self.body):
            if known.current is None and self.named.kind is not rules.Kind.JUDGE:
                uow[rules.Policies].move(self.named, newest, None, self.actor)
            return newest
        self.check_newest(newest)
        number = newest + 1 if newest else self.expected or 1
        _check_room(self.named, known, number)
        uow[rules.Policies].put(self.named, number, self.body, self.note, self.actor)
        if not newest or self.named.kind is not rules.Kind.JUDGE:
            uow[rules.Policies].move(self.named, number, None, self.actor)
        return number


@dataclass(frozen=True, slots=True)
class ReportDefault(_ChangeName[int]):
    """Return the number of the version of `default` whose body is a validator's settings; add it if it is missing."""

    body: str

    def decide(self, uow: UnitOfWork) -> int:
        check_size(len(self.body.encode()), rules.POLICY_MAX_BYTES)
        known, reported = uow[rules.Policies].names.get(self.named) or rules.Versions(), rules.hash_body(self.body)
        if reported in known.hashes.values():
            return max(version for version, hashed in known.hashes.items() if hashed == reported)
        number = known.newest + 1
        _check_room(self.named, known, number)
        uow[rules.Policies].put(self.named, number, self.body, None, self.actor)
        uow[rules.Policies].move(self.named, number, None, self.actor)
        return number


@dataclass(frozen=True, slots=True)
class PromoteVersion(_ChangeName[None]):
    """Make a version the current one of its name, even if the name is retired, and store the reason.

    A policy with a golden set needs a reason, or the report of an evaluation on that set which the version passes.
    `evaluated`: the evaluation that `report` names, as the jobstore kept it; None: the jobstore kept none.

    NotFoundError (`unknown_judge_policy`, `unknown_criteria_set`); RefusedError (`golden_not_evaluated`,
    `golden_not_kept`, `golden_report_differs`, `golden_other_cases`, `golden_other_version`, `golden_failed`).
    """

    version: int
    reason: str | None = None
    report: Report | None = None
    evaluated: Evaluated | None = None

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        golden = rules.Wanted(rules.Kind.GOLDEN, self.named.name)
        return (rules.PoliciesWish(names=frozenset({self.named}), references=frozenset({golden})),)

    def decide(self, uow: UnitOfWork) -> None:
        self.check_name()
        known = _require_name(uow, self.named)
        self.check_owner(known)
        if self.version not in known.hashes:
            raise make_unknown_error(self.named.kind, f"{self.named.name}@{self.version}")
        self.check_newest(known.newest)
        if self.version != known.current:
            if self.named.kind is rules.Kind.JUDGE and self.reason is None:
                self._check_golden(uow)
            uow[rules.Policies].move(self.named, self.version, self.reason, self.actor)

    def _check_golden(self, uow: UnitOfWork) -> None:
        golden = uow[rules.Policies].versions.get(rules.Wanted(rules.Kind.GOLDEN, self.named.name))
        if golden is None or golden.is_retired:
            return
        reference = join_reference(self.named.name, self.version)
        if self.report is None:
            message = f"evaluate {reference} on the policy's golden set and give the report, or a reason to force it"
            raise RefusedError(message, code=ErrorCode.GOLDEN_NOT_EVALUATED)
        if (refusal := find_refusal(golden.body, reference, self.report, self.evaluated)) is not None:
            raise RefusedError(refusal.message, code=refusal.code)


@dataclass(frozen=True, slots=True)
class KeepEvaluation(Command[list[str]]):
    """Store an evaluation's results for those versions of judge policies that exist, and return their references."""

    evaluation: UUID
    evaluated: Sequence[tuple[str, Evaluated]]

    def locks(self) -> Wishes:
        return NOTHING  # versions never change, and a newer evaluation replaces an older one

    def reads(self, uow: UnitOfWork) -> Wishes:
        del uow
        names = frozenset(rules.Named(rules.Kind.JUDGE, split_reference(each)[0]) for each, _ in self.evaluated)
        return (rules.PoliciesWish(names=names),)

    def decide(self, uow: UnitOfWork) -> list[str]:
        kept = []
        for reference, (measured, judged) in self.evaluated:
            name, version = split_reference(reference)
            known = uow[rules.Policies].names.get(rules.Named(rules.Kind.JUDGE, name)) or rules.Versions()
            if version is not None and version in known.hashes:
                about = (name, version, measured.cases_hash, self.evaluation)
                texts = (measured.model_dump_json(), json_text(judged))
                uow[rules.Policies].evaluations.append(rules.NewEvaluation(*about, *texts, self.actor))
                kept.append(reference)
        return kept


@dataclass(frozen=True, slots=True)
class RetireName(_ChangeName[None]):
    """Retire a name: new executions cannot be judged by it, live executions still are, and its versions are kept.

    NotFoundError (`unknown_judge_policy`, `unknown_criteria_set`).
    """

    reason: str | None = None

    def decide(self, uow: UnitOfWork) -> None:
        self.check_name()
        known = _require_name(uow, self.named)
        self.check_owner(known)
        self.check_newest(known.newest)
        if known.current is not None:
            uow[rules.Policies].move(self.named, None, self.reason, self.actor)


def _require_name(uow: UnitOfWork, named: rules.Named) -> rules.Versions:
    if (known := uow[rules.Policies].names.get(named)) is None or not known.newest:
        raise make_unknown_error(named.kind, named.name)
    return known


def make_unknown_error(kind: rules.Kind, reference: str) -> NotFoundError:
    """Return the NotFoundError of a reference to a name or version that does not exist."""
    return NotFoundError(f"there is no {kind.words} {reference}", code=kind.unknown)


def _check_room(named: rules.Named, known: rules.Versions, number: int) -> None:
    """Raise RefusedError at too many versions of a name or names of a kind, InvalidError if `number` is too high."""
    if number > rules.VERSION_MAX:
        raise InvalidError(f"a version has at most the number {rules.VERSION_MAX}", code=ErrorCode.TOO_MANY_VERSIONS)
    if len(known.hashes) >= rules.VERSIONS_MAX:
        message = (
            f"the {named.kind.words} {named.name} has {rules.VERSIONS_MAX} versions, and no more: begin another name"
        )
        raise RefusedError(message, code=ErrorCode.TOO_MANY_VERSIONS)
    if not known.hashes and known.names >= rules.NAMES_MAX:
        message = f"there are {rules.NAMES_MAX} names of this kind, and no more: put versions of one that is there"
        raise RefusedError(message, code=ErrorCode.TOO_MANY_NAMES)


def read_named(policy: Policy) -> rules.PoliciesWish:
    """Return the wish for the versions that a policy names, so that a command can check them."""
    return rules.PoliciesWish(references=frozenset(rules.list_wanted(policy)))


def check_named(uow: UnitOfWork, policy: Policy, tenant: str) -> None:
    """Raise InvalidError if a policy names a judge policy that a tenant may not name, or what is unknown or retired."""
    check_policy(uow, tenant, policy.judge)
    for wanted in rules.list_wanted(policy):
        if (refusal := _refuse(uow, wanted, tenant)) is not None:
            raise InvalidError(refusal.message, code=refusal.code)


def check_policy(uow: UnitOfWork, tenant: str, reference: str | None) -> None:
    """Raise InvalidError (`judge_policy_forbidden`) if the limit of a tenant does not let it name a judge policy."""
    if (refusal := _refuse_policy(uow, tenant, reference)) is not None:
        raise InvalidError(refusal.message, code=refusal.code)


def _refuse_policy(uow: UnitOfWork, tenant: str, reference: str | None) -> Refusal | None:
    """Return the refusal of a judge policy that the limit of a tenant does not let it name, else None."""
    allowed = uow[Limits].find_policies(tenant)
    if reference is None or allowed is None or split_reference(reference)[0] in allowed:
        return None
    message = f"tenant {tenant} may name the judge policies {', '.join(allowed)}, and not {reference}"
    return Refusal(ErrorCode.JUDGE_POLICY_FORBIDDEN, f"{message}: name one of these, or none")


def check_criteria(spec: Spec) -> None:
    """Raise InvalidError (`criteria_empty`) if a job has neither criteria nor a criteria set."""
    if not spec.acceptance_criteria and spec.policy.criteria_set is None:
        message = "a job needs at least one criterion, or the name of a criteria set in its policy"
        raise InvalidError(message, code=ErrorCode.CRITERIA_EMPTY)


def check_references(spec: Spec) -> None:
    """Raise InvalidError (`reference_unknown`) if a reference belongs to none of the job's own criteria."""
    try:
        check_numbers(spec.references, parse_stored_criteria(spec.acceptance_criteria))
    except CriteriaError as error:
        raise InvalidError(str(error), code=error.code) from error


def freeze(uow: UnitOfWork, policy: Policy) -> Policy:
    """Return a copy of a policy in which each reference is replaced by the version that it means now."""
    fields = {rules.Kind.JUDGE: "judge", rules.Kind.CRITERIA: "criteria_set"}
    found = ((wanted.kind, _find(uow, wanted)) for wanted in rules.list_wanted(policy))
    frozen = {fields[kind]: version.reference for kind, version in found if version is not None}
    return policy.model_copy(update=frozen) if frozen else policy


def find_criteria(uow: UnitOfWork, spec: Spec, policy: Policy) -> str:
    """Return, as text, the criteria by which an execution is judged: the job's, and those of the set in its policy."""
    version, own = _find_named(uow, policy, rules.Kind.CRITERIA), spec.acceptance_criteria
    return own if version is None else rules.join_criteria(own, version.body)


def find_judged_max_chars(uow: UnitOfWork, policy: Policy) -> int | None:
    """Return how many characters a policy's judge takes, criteria and result together; None: any number."""
    version = _find_named(uow, policy, rules.Kind.JUDGE)
    return None if version is None else version.result_max_chars


def _find_named(uow: UnitOfWork, policy: Policy, kind: rules.Kind) -> rules.Version | None:
    """Return the version of a kind that a policy names; None if the policy names none, or one that may not be used."""
    return next((_find(uow, wanted) for wanted in rules.list_wanted(policy) if wanted.kind is kind), None)


def find_judging_obstacle(uow: UnitOfWork, spec: Spec, policy: Policy) -> Refusal | None:
    """Return why no result of a job could be judged by a policy and its criteria, as a refusal; None: one could.

    The judge policy of the service's settings is nobody's to name: it may be used by all tenants.
    """
    named = policy.judge if policy.judge != uow.terms.policy.judge else None
    refusals = (
        _refuse_policy(uow, spec.tenant, named),
        *(_refuse(uow, wanted, spec.tenant) for wanted in rules.list_wanted(policy)),
    )
    if (refusal := next(filter(None, refusals), None)) is not None:
        return refusal
    criteria = find_criteria(uow, spec, policy)
    try:
        chars = sum(len(criterion.text) for criterion in parse_criteria(criteria))
    except CriteriaError as error:  # the job is older than these bounds, or has too many criteria with those of its set
        return Refusal(error.code, f"the job's criteria cannot be judged by: {error}; edit them, then execute again")
    if criteria is not spec.acceptance_criteria:
        size = measure_job(spec, spec.payload) + len(criteria.encode()) - len(spec.acceptance_criteria.encode())
        if size > uow.terms.job_max_bytes:
            message = f"with the criteria of its set the job has {size} bytes, more than {uow.terms.job_max_bytes}"
            return Refusal(ErrorCode.PAYLOAD_TOO_LARGE, message)
    limit = find_judged_max_chars(uow, policy)
    if limit is not None and chars >= limit:
        message = (
            f"the criteria alone have {chars} characters, and the job's judge policy takes {limit} with the result"
        )
        return Refusal(ErrorCode.RESULT_TOO_LARGE_TO_JUDGE, message)
    return None


def _find(uow: UnitOfWork, wanted: rules.Wanted) -> rules.Version | None:
    version = uow[rules.Policies].versions.get(wanted)
    is_usable = version is not None and not version.is_retired and (wanted.kind, version.name) != rules.RESERVED
    return version if is_usable else None


def _refuse(uow: UnitOfWork, wanted: rules.Wanted, tenant: str) -> Refusal | None:
    version = uow[rules.Policies].versions.get(wanted)
    if version is not None and version.owner not in {None, tenant}:
        version = None  # to this tenant it is as if it were not there
    elif _find(uow, wanted) is not None:
        return None
    return Refusal(wanted.kind.unknown, wanted.describe_obstacle(version))
