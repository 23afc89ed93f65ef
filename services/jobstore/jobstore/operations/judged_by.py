"""Fix by which judge policy judgings without a job are made, as they are asked for."""

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
        raise InvalidError(f"no judge policy has the name {reference}", code="unknown_judge")
    return None if body is None else body.model_dump_json(exclude_defaults=True)


async def freeze_parameters(connection: Connection, new: NewOperation) -> dict[str, object]:
    """Return by what an operation `rejudge` judges, as it stands now; nothing of other kinds."""
    if new.kind is not OperationKind.REJUDGE:
        return {}
    policy = await freeze_policy(connection, new.judge)
    if policy is None:
        return {}
    return {"judge_policy": policy, "judge": JudgePolicy.model_validate_json(policy).reference}
