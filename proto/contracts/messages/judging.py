"""Judge policies with their versions as REST has them: with typed bodies, and what quorums are worth."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError

from contracts.judging.calibration.golden import Measured
from contracts.judging.policy import JudgePolicy
from signoff import judging
from signoff.fields import Time


def _read_policy(policy: Any) -> Any:
    """Return a policy that is given as JSON: it was checked when it was put, perhaps by a newer jobstore.

    What this version does not know as a policy is shown as it is.
    """
    try:
        return JudgePolicy.model_validate(policy, extra="ignore") if isinstance(policy, dict) else policy
    except ValidationError:
        return policy


def _hide_newer(schema: dict[str, Any]) -> None:
    """Leave out of a field's JSON Schema the object that a policy of a newer jobstore is."""
    schema["anyOf"] = [each for each in schema["anyOf"] if each.get("type") != "object"]


class JudgeEvaluation(Measured):
    """What an evaluation on labelled cases found of a version of a policy."""

    evaluation: str = Field(description="names it, as its report does")
    version: int = Field(description="that was evaluated")
    actor: str
    created_at: Time


class JudgePolicyVersion(judging.JudgePolicyVersion):
    """One version of a judge policy, which never changes."""

    policy: Annotated[JudgePolicy | dict[str, Any] | None, BeforeValidator(_read_policy)] = Field(  # type: ignore[assignment]
        None, description="not in lists", json_schema_extra=_hide_newer
    )
    evaluation: JudgeEvaluation | None = Field(  # type: ignore[assignment]
        None, description="the newest, of this version, or of one that judges by the same stages; not in lists"
    )


class NamedJudgePolicy(judging.NamedJudgePolicy):
    """A judge policy by its name."""

    versions: list[JudgePolicyVersion] = Field(  # type: ignore[assignment]
        default_factory=list, description="newest first; in lists the current one alone"
    )


class SavedJudgePolicy(NamedJudgePolicy, judging.SavedJudgePolicy):
    """A judge policy as the answer to putting a version shows it."""
