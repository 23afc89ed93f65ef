"""Fix by which judge policy and criteria judgings without a job are made, as they are asked for."""

from contracts.judging.policy import JudgePolicy
from contracts.messages.operations import NewOperation
from contracts.status import OperationKind
from jobstore.errors import InvalidError
from jobstore.storage.sql import Connection


async def freeze_policy(connection: Connection, reference: str | None, body: JudgePolicy | None = None) -> str | None:
    """Return a judge policy as it stands now, as JSON text; None stands for the validators' own settings.

    InvalidError (`unknown_judge`): no policy has the name, or that version.
    """
    del connection
    if reference is not None:
        raise InvalidError(f"no judge policy has the name {reference}: put it first", code="unknown_judge")
    return None if body is None else body.model_dump_json(exclude_defaults=True)


async def freeze_criteria(connection: Connection, reference: str | None) -> str | None:
    """Return the criteria of a set as they stand now, in their text form.

    InvalidError (`unknown_criteria`): no set has the name, or that version.
    """
    del connection
    if reference is not None:
        raise InvalidError(f"no criteria set has the name {reference}: put it first", code="unknown_criteria")
    return None


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
