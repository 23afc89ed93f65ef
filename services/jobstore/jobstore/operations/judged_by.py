"""Fix by which judge policy and criteria judgings without a job are made, as they are asked for."""

from contracts.judging.policy import JudgePolicy
from contracts.resources import NewOperation
from jobstore.domain.judging.versions import Kind, Version, Wanted
from jobstore.errors import InvalidError
from jobstore.storage.judging.versions import load_versions
from jobstore.storage.sql import Connection
from signoff.status import OperationKind


async def freeze_policy(connection: Connection, reference: str | None, body: JudgePolicy | None = None) -> str | None:
    """Return a judge policy as it stands now, as JSON text; None where none is named.

    InvalidError (`unknown_judge_policy`): no policy has the name, or that version, or it is retired.
    """
    if reference is not None:
        return (await find_policy(connection, reference)).policy_json
    return None if body is None else body.model_dump_json(exclude_defaults=True)


async def freeze_criteria(connection: Connection, reference: str | None) -> str | None:
    """Return the criteria of a set as they stand now, in their text form.

    InvalidError (`unknown_criteria_set`): no set has the name, or that version, or it is retired.
    """
    return None if reference is None else (await _find(connection, Wanted(Kind.CRITERIA, reference))).body


async def find_policy(connection: Connection, reference: str) -> Version:
    """Return the version of a judge policy that a reference means now. InvalidError as `freeze_policy` says."""
    return await _find(connection, Wanted(Kind.JUDGE, reference))


async def _find(connection: Connection, wanted: Wanted) -> Version:
    version = (await load_versions(connection, [wanted])).get(wanted)
    if version is None or version.is_retired:
        raise InvalidError(wanted.describe_obstacle(version), code=wanted.kind.unknown)
    return version


async def freeze_parameters(connection: Connection, new: NewOperation) -> dict[str, object]:
    """Return by what an operation `rejudge` judges, as it stands now; nothing of other kinds."""
    if new.kind is not OperationKind.REJUDGE:
        return {}
    frozen: dict[str, object] = {}
    if (criteria := await freeze_criteria(connection, new.criteria_set)) is not None:
        frozen["criteria"] = criteria
    if (policy := await freeze_policy(connection, new.judge)) is not None:
        frozen |= {"judge_policy": policy, "judge": JudgePolicy.model_validate_json(policy).reference}
    return frozen
