"""Freeze by what an execution will be judged: versions in place of names, and the criteria of the set. Pure."""

from contracts.criteria import CriteriaError, check_numbers, parse_criteria, parse_stored_criteria
from contracts.resources import Policy
from contracts.sizes import measure_job
from jobstore.commands.base import Reads
from jobstore.commands.rows import Stored
from jobstore.commands.unit_of_work import UnitOfWork
from jobstore.domain.judging.criteria import join_criteria
from jobstore.domain.judging.versions import RESERVED, Kind, Version, Wanted, list_wanted
from jobstore.domain.model import Refusal
from jobstore.domain.spec import Spec
from jobstore.errors import InvalidError
from signoff.errors import ErrorCode


def read_named(policy: Policy) -> Reads:
    """Return what is read of what a policy names, so that it can be refused as it is given."""
    return Reads(references=frozenset(list_wanted(policy)))


def check_named(uow: UnitOfWork, policy: Policy) -> None:
    """Raise InvalidError if a policy names a judge policy or a criteria set that no execution may be judged by."""
    for wanted in list_wanted(policy):
        if (refusal := _refuse(uow.stored, wanted)) is not None:
            raise InvalidError(refusal.message, code=refusal.code)


def check_criteria(spec: Spec) -> None:
    """Raise InvalidError (`criteria_empty`) if a job has no criteria of its own, and no set has any for it."""
    if not spec.acceptance_criteria and spec.policy.criteria_set is None:
        message = "a job needs at least one criterion, or the name of a criteria set in its policy"
        raise InvalidError(message, code=ErrorCode.CRITERIA_EMPTY)


def check_references(spec: Spec) -> None:
    """Raise InvalidError (`reference_unknown`) if a reference is for a criterion that a job does not have itself."""
    try:
        check_numbers(spec.references, parse_stored_criteria(spec.acceptance_criteria))
    except CriteriaError as error:
        raise InvalidError(str(error), code=error.code) from error


def freeze(stored: Stored, policy: Policy) -> Policy:
    """Return a policy with the versions that are current now in place of names."""
    found = {wanted.kind: _find(stored, wanted) for wanted in list_wanted(policy)}
    if not found:
        return policy
    judge, criteria = found.get(Kind.JUDGE), found.get(Kind.CRITERIA)
    frozen = {"judge": judge and judge.reference, "criteria_set": criteria and criteria.reference}
    return policy.model_copy(update={name: reference for name, reference in frozen.items() if reference})


def find_criteria(stored: Stored, spec: Spec, policy: Policy) -> str:
    """Return the criteria that an execution is judged by, in their text form: those of a set that is known, too."""
    wanted = (each for each in list_wanted(policy) if each.kind is Kind.CRITERIA)
    version = next((found for each in wanted if (found := _find(stored, each))), None)
    own = spec.acceptance_criteria
    return own if version is None else join_criteria(own, version.body)


def find_judged_max_chars(stored: Stored, policy: Policy) -> int | None:
    """Return how many characters of criteria and result the judge that a policy names takes; None: none is named."""
    wanted = (each for each in list_wanted(policy) if each.kind is Kind.JUDGE)
    version = next((found for each in wanted if (found := _find(stored, each))), None)
    return None if version is None else version.result_max_chars


def find_judging_obstacle(uow: UnitOfWork, spec: Spec, policy: Policy) -> Refusal | None:
    """Return why no result of a job could be judged by a policy and its criteria, or None if it could."""
    refusals = (_refuse(uow.stored, wanted) for wanted in list_wanted(policy))
    if (refusal := next(filter(None, refusals), None)) is not None:
        return refusal
    criteria = find_criteria(uow.stored, spec, policy)
    try:
        chars = sum(len(criterion.text) for criterion in parse_criteria(criteria))
    except CriteriaError as error:  # of a job that is older than these bounds, or whose set has too many beside its own
        return Refusal(error.code, f"the job's criteria cannot be judged by: {error}; edit them, then execute again")
    if criteria is not spec.acceptance_criteria:
        size = measure_job(spec, spec.payload) + len(criteria.encode()) - len(spec.acceptance_criteria.encode())
        if size > uow.terms.job_max_bytes:
            message = f"with the criteria of its set the job has {size} bytes, more than {uow.terms.job_max_bytes}"
            return Refusal(ErrorCode.PAYLOAD_TOO_LARGE, message)
    most = find_judged_max_chars(uow.stored, policy)
    if most is not None and chars >= most:
        message = f"the criteria alone have {chars} characters, and the job's judge policy takes {most} with the result"
        return Refusal(ErrorCode.RESULT_TOO_LARGE_TO_JUDGE, message)
    return None


def _find(stored: Stored, wanted: Wanted) -> Version | None:
    version = stored.versions.get(wanted)
    is_usable = version is not None and not version.is_retired and (wanted.kind, version.name) != RESERVED
    return version if is_usable else None


def _refuse(stored: Stored, wanted: Wanted) -> Refusal | None:
    if _find(stored, wanted) is not None:
        return None
    return Refusal(wanted.kind.unknown, wanted.describe_obstacle(stored.versions.get(wanted)))
